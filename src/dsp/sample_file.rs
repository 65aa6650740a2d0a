//! A sample file as it is played: canonical samples, and what lies between them.
//!
//! Thread: made off the audio thread, read on it. Invariant: equal words give equal samples at equal
//! places on every machine.

use std::f64::consts::PI;
use std::sync::OnceLock;

/// Samples that the kernel weighs.
const TAPS: usize = 16;
/// Places between two samples that the kernel is designed for; between those it is interpolated.
const PHASES: usize = 256;
/// Silence on either side, so that the kernel may reach past the ends.
const GUARD: usize = TAPS;
/// The window's shape: side lobes below −80 dB.
const KAISER: f64 = 8.0;
/// What a word of 24 bits is divided by.
const FULL: f32 = 8_388_608.0;

/// Mono sound at 48 kHz, at most [`SampleFile::MAX_FRAMES`] long.
///
/// Between its samples it is what a windowed sinc of 16 taps makes of them: at whole places the
/// sample itself, bit for bit; elsewhere a tone's errors lie 85 dB under it to 8 kHz, 75 dB to 14 kHz.
/// Nothing is filtered away where it is played higher: what passes 24 kHz then folds back.
#[derive(Clone)]
pub struct SampleFile {
    frames: usize,
    samples: Box<[f32]>,
    kernel: &'static Kernel,
}

type Kernel = [[f32; TAPS]; PHASES + 1];

impl SampleFile {
    /// The longest: 30 s.
    pub const MAX_FRAMES: usize = 30 * 48_000;

    /// Of words of 24 bits; those past [`SampleFile::MAX_FRAMES`] are left out. Allocates.
    pub fn new(words: &[i32]) -> SampleFile {
        let words = &words[..words.len().min(SampleFile::MAX_FRAMES)];
        let mut samples = vec![0.0; words.len() + 2 * GUARD];
        for (to, word) in samples[GUARD..].iter_mut().zip(words) {
            *to = (*word).clamp(-(1 << 23), (1 << 23) - 1) as f32 * (1.0 / FULL);
        }
        static KERNEL: OnceLock<Box<Kernel>> = OnceLock::new();
        let kernel = KERNEL.get_or_init(|| Box::new(kernel()));
        SampleFile { frames: words.len(), samples: samples.into_boxed_slice(), kernel }
    }

    /// How many samples it has.
    pub fn frames(&self) -> usize {
        self.frames
    }

    /// Its samples as words of 24 bits, as they were given.
    pub fn words(&self) -> Vec<i32> {
        let own = &self.samples[GUARD..GUARD + self.frames];
        own.iter().map(|sample| (sample * FULL) as i32).collect()
    }

    /// Its value at a place in 2⁻³² samples; silence outside.
    ///
    /// Realtime-safe: yes.
    #[inline]
    pub fn at(&self, place: i64) -> f32 {
        let first = (place >> 32) + (GUARD - TAPS / 2 + 1) as i64;
        let within = 0..(self.samples.len() - TAPS + 1) as i64;
        if !within.contains(&first) {
            return 0.0;
        }
        let first = first as usize;
        let near = &self.samples[first..first + TAPS];
        let fraction = place as u32;
        let (phase, rest) = ((fraction >> 24) as usize, (fraction & 0xFF_FFFF) as f32 * (1.0 / 16_777_216.0));
        let (low, high) = (&self.kernel[phase], &self.kernel[phase + 1]);
        let mut sums = [0.0f32; 4];
        for four in 0..TAPS / 4 {
            for (lane, sum) in sums.iter_mut().enumerate() {
                let tap = 4 * four + lane;
                *sum += near[tap] * (low[tap] + (high[tap] - low[tap]) * rest);
            }
        }
        (sums[0] + sums[2]) + (sums[1] + sums[3])
    }
}

impl std::fmt::Debug for SampleFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SampleFile({} frames)", self.frames)
    }
}

/// A Kaiser-windowed sinc that is silent at whole places but its own; each row's sum is 1.
fn kernel() -> Kernel {
    let mut kernel = [[0.0; TAPS]; PHASES + 1];
    for (phase, row) in kernel.iter_mut().enumerate() {
        let own = |tap: usize| {
            let x = (tap as f64 - (TAPS / 2 - 1) as f64) - phase as f64 / PHASES as f64;
            if x == 0.0 {
                return 1.0;
            }
            if phase % PHASES == 0 {
                return 0.0;
            }
            let edge = x / (TAPS / 2) as f64;
            let window = bessel(KAISER * libm::sqrt(1.0 - edge * edge)) / bessel(KAISER);
            libm::sin(PI * x) / (PI * x) * window
        };
        let taps: [f64; TAPS] = std::array::from_fn(own);
        let sum: f64 = taps.iter().sum();
        *row = taps.map(|tap| (tap / sum) as f32);
    }
    kernel
}

/// The modified Bessel function of the first kind, order 0, by its series.
fn bessel(x: f64) -> f64 {
    let (mut sum, mut term) = (1.0, 1.0);
    for n in 1..40 {
        let half = x / (2.0 * f64::from(n));
        term *= half * half;
        sum += term;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_whole_places_it_is_what_it_was_made_of() {
        let words: Vec<i32> = (0..500).map(|n| (n * 77_777) % 8_000_000 - 4_000_000).collect();
        let file = SampleFile::new(&words);
        assert_eq!(file.words(), words);
        for (at, word) in words.iter().enumerate() {
            assert_eq!(file.at((at as i64) << 32), *word as f32 / FULL);
        }
        for place in [i64::MIN, -1 << 40, -20 << 32, 520 << 32, i64::MAX] {
            assert_eq!(file.at(place), 0.0);
        }
    }

    /// What is no part of the sine, in dB below it.
    fn noise_db(hertz: f64, ratio: f64) -> f64 {
        let turn = |n: f64| (std::f64::consts::TAU * hertz / 48_000.0 * n).sin();
        let words: Vec<i32> = (0..9_000).map(|n| (turn(f64::from(n)) * 8_000_000.0) as i32).collect();
        let file = SampleFile::new(&words);
        let (mut error, mut power) = (0.0, 0.0);
        for n in 100..4_000 {
            let place = f64::from(n) * ratio;
            let is = f64::from(file.at((place * 4_294_967_296.0) as i64)) * 8_388_608.0 / 8_000_000.0;
            error += (is - turn(place)).powi(2);
            power += turn(place).powi(2);
        }
        10.0 * (error / power).log10()
    }

    #[test]
    fn between_its_samples_a_tone_stays_a_tone() {
        for (hertz, below) in [(100.0, -85.0), (1_000.0, -85.0), (8_000.0, -85.0), (14_000.0, -75.0)] {
            for ratio in [0.5, 0.793_7, 1.0, 1.259_9, 1.681_8] {
                let noise = noise_db(hertz, ratio);
                assert!(noise < below, "{hertz} Hz at {ratio}: {noise:.1} dB");
            }
        }
    }
}
