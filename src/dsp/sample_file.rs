//! A sample file as it is played: canonical samples, and what lies between them.
//!
//! Thread: made off the audio thread, read on it. Invariant: equal words give equal samples at equal
//! places on every machine.

mod kernel;

use self::kernel::{Kernel, Kernels, PHASES, STRETCHES, WIDE_TAPS, halved};

/// Silence on either side, so that the kernels may reach past the ends.
const GUARD: usize = WIDE_TAPS;
/// How often a file is kept at half the rate below.
const OCTAVES: usize = 5;
/// What a word of 24 bits is divided by.
const FULL: f32 = 8_388_608.0;
/// A sample, in the parts that places and steps are counted in.
const ONE: i64 = 1 << 32;

/// Mono sound at 48 kHz, at most [`SampleFile::MAX_FRAMES`] long.
///
/// Between its samples it is what a windowed sinc of 16 taps makes of them: at whole places the
/// sample itself, bit for bit; elsewhere a tone's errors lie 85 dB under it to 8 kHz, 75 dB to 14 kHz.
/// Played higher ([`Reading`]), what would pass 24 kHz is filtered away: what still folds back lies
/// above 16 kHz, or 75 dB under the tone it comes of. That takes the file at half the rate, a quarter
/// and so on besides, twice its size in all (Williams, "Pyramidal parametrics", SIGGRAPH 1983, does so
/// to pictures).
#[derive(Clone)]
pub struct SampleFile {
    frames: usize,
    /// The file, then at half the rate of the one before each.
    octaves: [Box<[f32]>; OCTAVES + 1],
    kernels: &'static Kernels,
}

/// How a file is read at a speed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    octave: usize,
    /// Eighths by which the kernel is stretched.
    stretch: usize,
}

impl Reading {
    /// As the file is, for speeds up to its own.
    pub const PLAIN: Reading = Reading { octave: 0, stretch: 0 };

    /// For so many 2⁻³² samples from each place to the next.
    pub fn of_step(step: i64) -> Reading {
        let octave = (1..=OCTAVES).take_while(|octave| step >= ONE << octave).count();
        let beyond = ((step >> octave) - ONE).max(0) as u64;
        let stretch = beyond.div_ceil(ONE as u64 / STRETCHES as u64).min(STRETCHES as u64);
        Reading { octave, stretch: stretch as usize }
    }
}

impl SampleFile {
    /// The longest: 30 s.
    pub const MAX_FRAMES: usize = 30 * 48_000;

    /// Of words of 24 bits; those past [`SampleFile::MAX_FRAMES`] are left out. Allocates.
    pub fn new(words: &[i32]) -> SampleFile {
        let words = &words[..words.len().min(SampleFile::MAX_FRAMES)];
        let sample = |word: &i32| (*word).clamp(-(1 << 23), (1 << 23) - 1) as f32 * (1.0 / FULL);
        let mut sound: Vec<f32> = words.iter().map(sample).collect();
        let octaves = std::array::from_fn(|octave| {
            if octave > 0 {
                sound = halved(&sound);
            }
            let mut guarded = vec![0.0; sound.len() + 2 * GUARD].into_boxed_slice();
            guarded[GUARD..GUARD + sound.len()].copy_from_slice(&sound);
            guarded
        });
        SampleFile { frames: words.len(), octaves, kernels: Kernels::shared() }
    }

    /// How many samples it has.
    pub fn frames(&self) -> usize {
        self.frames
    }

    /// Its samples as words of 24 bits, as they were given.
    pub fn words(&self) -> Vec<i32> {
        let own = &self.octaves[0][GUARD..GUARD + self.frames];
        own.iter().map(|sample| (sample * FULL) as i32).collect()
    }

    /// Its value at a place in 2⁻³² samples; silence outside.
    ///
    /// Realtime-safe: yes.
    #[inline]
    pub fn at(&self, place: i64, Reading { octave, stretch }: Reading) -> f32 {
        let (samples, place) = (&self.octaves[octave], place >> octave);
        match stretch.checked_sub(1) {
            None => weigh(samples, place, &self.kernels.plain),
            Some(at) => weigh(samples, place, &self.kernels.stretched[at]),
        }
    }
}

/// What a kernel makes of the samples around a place.
#[inline]
fn weigh<const TAPS: usize>(samples: &[f32], place: i64, kernel: &Kernel<TAPS>) -> f32 {
    let first = (place >> 32) + (GUARD - TAPS / 2 + 1) as i64;
    let within = 0..(samples.len() - TAPS + 1) as i64;
    if !within.contains(&first) {
        return 0.0;
    }
    let near = &samples[first as usize..][..TAPS];
    let fraction = place as u32;
    let (phase, rest) = ((fraction >> 24) as usize, (fraction & 0xFF_FFFF) as f32 * (1.0 / 16_777_216.0));
    let (low, high) = (&kernel[phase], &kernel[phase + 1]);
    let mut sums = [0.0f32; 4];
    for four in 0..TAPS / 4 {
        for (lane, sum) in sums.iter_mut().enumerate() {
            let tap = 4 * four + lane;
            *sum += near[tap] * (low[tap] + (high[tap] - low[tap]) * rest);
        }
    }
    (sums[0] + sums[2]) + (sums[1] + sums[3])
}

const _: () = assert!(PHASES == 1 << 8, "a place's first eight bits name the row");

impl std::fmt::Debug for SampleFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SampleFile({} frames)", self.frames)
    }
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
            assert_eq!(file.at((at as i64) << 32, Reading::PLAIN), *word as f32 / FULL);
        }
        for place in [i64::MIN, -1 << 40, -20 << 32, 520 << 32, i64::MAX] {
            assert_eq!(file.at(place, Reading::PLAIN), 0.0);
        }
    }

    /// A tone played at a speed: what is no part of it, and all there is, in dB below the tone as it
    /// was recorded.
    fn heard_db(hertz: f64, speed: f64) -> (f64, f64) {
        let turn = |n: f64| (std::f64::consts::TAU * hertz / 48_000.0 * n).sin();
        let outputs = 2_000;
        let frames = (f64::from(outputs) * speed) as i32 + 400;
        let words: Vec<i32> = (0..frames).map(|n| (turn(f64::from(n)) * 8_000_000.0) as i32).collect();
        let file = SampleFile::new(&words);
        let step = (speed * ONE as f64) as i64;
        let reading = Reading::of_step(step);
        let (mut error, mut power, mut whole) = (0.0, 0.0, 0.0);
        for n in 200..i64::from(outputs) {
            let place = n * step;
            let is = f64::from(file.at(place, reading)) * 8_388_608.0 / 8_000_000.0;
            let tone = turn(place as f64 / ONE as f64);
            error += (is - tone).powi(2);
            power += tone.powi(2);
            whole += is.powi(2);
        }
        (10.0 * (error / power).log10(), 10.0 * (whole / power).log10())
    }

    #[test]
    fn between_its_samples_a_tone_stays_a_tone() {
        for (hertz, below) in [(100.0, -85.0), (1_000.0, -85.0), (8_000.0, -85.0), (14_000.0, -75.0)] {
            for speed in [0.5, 0.793_7, 0.999_9, 1.0] {
                let (noise, _) = heard_db(hertz, speed);
                assert!(noise < below, "{hertz} Hz at {speed}: {noise:.1} dB");
            }
        }
    }

    /// From just above its own speed up to past the highest note there is.
    const HIGHER: [f64; 11] = [1.000_1, 1.059_5, 1.259_9, 1.5, 1.681_8, 2.0, 2.119, 3.0, 5.04, 16.7, 48.0];

    #[test]
    fn played_higher_a_tone_stays_a_tone() {
        for speed in HIGHER {
            for becomes in [100.0, 1_000.0, 8_000.0, 12_000.0] {
                let (noise, _) = heard_db(becomes / speed, speed);
                assert!(noise < -70.0, "{becomes} Hz at {speed}: {noise:.1} dB");
            }
        }
    }

    #[test]
    fn played_higher_nothing_folds_back_below_16_khz() {
        for speed in HIGHER {
            for becomes in [32_100.0, 40_000.0, 47_000.0] {
                let hertz = becomes / speed;
                if hertz > 23_900.0 {
                    continue;
                }
                let (_, level) = heard_db(hertz, speed);
                assert!(level < -75.0, "{becomes} Hz at {speed}: {level:.1} dB");
            }
        }
    }
}
