//! What a [`SampleFile`](super::SampleFile) is weighed by: between its samples, and on the way to half
//! its rate.
//!
//! Thread: any but audio, where files are made. Invariant: equal bits on every machine.

use std::sync::OnceLock;

use super::super::kaiser::{kaiser, sinc};

/// Samples that the plain kernel weighs.
pub(super) const TAPS: usize = 16;
/// Samples that the stretched kernels weigh.
pub(super) const WIDE_TAPS: usize = 2 * TAPS;
/// Stretched kernels an octave.
pub(super) const STRETCHES: usize = 8;
/// Places between two samples that a kernel is designed for; between those it is interpolated.
pub(super) const PHASES: usize = 256;
/// The window's shape: side lobes below −80 dB.
const SHAPE: f64 = 8.0;
/// The farthest sample, to either side, that the way to half the rate weighs: what lies below 0.22 of
/// the rate stays, what lies above 0.28 goes.
const REACH: usize = 47;

/// A row of weights for each place, and one more.
pub(super) type Kernel<const TAPS: usize> = [[f32; TAPS]; PHASES + 1];

/// All kernels there are.
pub(super) struct Kernels {
    /// For speeds up to 1.
    pub plain: Kernel<TAPS>,
    /// For speeds up to 1 and each eighth more: their bands are as much narrower.
    pub stretched: Vec<Kernel<WIDE_TAPS>>,
}

impl Kernels {
    /// Those that all files share. Allocates, the first time.
    pub fn shared() -> &'static Kernels {
        static SHARED: OnceLock<Box<Kernels>> = OnceLock::new();
        SHARED.get_or_init(|| {
            let stretch = |at: usize| 1.0 + (at + 1) as f64 / STRETCHES as f64;
            let stretched = (0..STRETCHES).map(|at| kernel(stretch(at))).collect();
            Box::new(Kernels { plain: kernel(1.0), stretched })
        })
    }
}

/// A windowed sinc, as much longer as its band is narrower; each row's sum is 1. Unstretched it is
/// silent at whole places but its own.
fn kernel<const TAPS: usize>(stretch: f64) -> Kernel<TAPS> {
    let half = (self::TAPS / 2) as f64 * stretch;
    std::array::from_fn(|phase| {
        let weight = |tap: usize| {
            let x = (tap as f64 - (TAPS / 2 - 1) as f64) - phase as f64 / PHASES as f64;
            let between = phase % PHASES != 0 || stretch != 1.0;
            if between || x == 0.0 { sinc(x / stretch) * kaiser(x / half, SHAPE) } else { 0.0 }
        };
        let taps: [f64; TAPS] = std::array::from_fn(weight);
        let sum: f64 = taps.iter().sum();
        taps.map(|tap| (tap / sum) as f32)
    })
}

/// Sound at half its rate: every second sample of what a half-band filter leaves of it.
pub(super) fn halved(sound: &[f32]) -> Vec<f32> {
    // Of every second weight but the middle one a half-band filter's is 0.
    let odd = (1..=REACH).step_by(2);
    let weights: Vec<f64> =
        odd.map(|x| 0.5 * sinc(x as f64 / 2.0) * kaiser(x as f64 / (REACH + 1) as f64, SHAPE)).collect();
    let scale = 0.25 / weights.iter().sum::<f64>();
    let mut padded = vec![0.0; sound.len() + 2 * REACH + 1];
    for (to, sample) in padded[REACH..].iter_mut().zip(sound) {
        *to = f64::from(*sample);
    }
    let around = |near: &[f64]| {
        let (before, after) = (&near[..REACH], &near[REACH + 1..]);
        let pairs = before.iter().rev().step_by(2).zip(after.iter().step_by(2));
        let sum: f64 = pairs.zip(&weights).map(|((before, after), weight)| (before + after) * weight).sum();
        (0.5 * near[REACH] + scale * sum) as f32
    };
    padded.windows(2 * REACH + 1).step_by(2).map(around).take(sound.len().div_ceil(2)).collect()
}
