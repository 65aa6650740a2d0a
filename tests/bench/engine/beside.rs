//! A comparable patch by `fundsp`, to set the engine's cost beside.

use std::hint::black_box;

use fundsp::hacker32::*;

use super::rig::{RATE, percent_of};
use crate::report::thread_time;

/// `fundsp`'s own block.
const BLOCK: usize = 64;

/// As many tracks as asked for: two oscillators under a falling envelope four times a second, noise,
/// a resonant low-pass, a soft clipper, an echo, a place in the stereo sum; then a limiter. No score, no
/// fingerprints, no parameters that move.
pub struct Patch {
    tracks: Vec<Box<dyn AudioUnit>>,
    limiter: Box<dyn AudioUnit>,
}

impl Patch {
    pub fn new(tracks: usize) -> Patch {
        let track = |n: usize| -> Box<dyn AudioUnit> {
            let hz = 55.0 * (1 + n) as f32;
            let falls = envelope(|t: f32| exp(-12.0 * (t * 4.0 - floor(t * 4.0)) / 4.0));
            let voice = (saw_hz(hz) + square_hz(hz * 0.997) * 0.3 + noise() * 0.1) * falls * 0.3;
            let coloured = voice >> lowpass_hz(3_000.0, 2.0) >> shape(Tanh(2.0));
            let echoed = coloured >> (pass() & (0.2 * feedback(delay(0.2) * 0.4)));
            let mut unit = Box::new(echoed >> pan(n as f32 / 16.0 - 0.5));
            unit.set_sample_rate(RATE as f64);
            unit.allocate();
            unit
        };
        let mut limiter: Box<dyn AudioUnit> = Box::new(limiter_stereo(0.001_3, 0.085));
        limiter.set_sample_rate(RATE as f64);
        Patch { tracks: (0..tracks).map(track).collect(), limiter }
    }

    /// Renders so many seconds; what it took, in percent of the time that they last.
    pub fn percent(&mut self, seconds: f64) -> f64 {
        let blocks = (seconds * RATE as f64) as usize / BLOCK;
        let (mut track, mut sum, mut out) = (BufferVec::new(2), BufferVec::new(2), BufferVec::new(2));
        let mut peak = 0.0f32;
        let begun = thread_time();
        for _ in 0..blocks {
            sum.clear();
            for unit in &mut self.tracks {
                unit.process(BLOCK, &BufferRef::empty(), &mut track.buffer_mut());
                for side in 0..2 {
                    let to = sum.channel_f32_mut(side).iter_mut();
                    to.zip(track.channel_f32(side)).for_each(|(to, sample)| *to += sample);
                }
            }
            self.limiter.process(BLOCK, &sum.buffer_ref(), &mut out.buffer_mut());
            peak = peak.max(black_box(&mut out).channel_f32(0)[0].abs());
        }
        let took = percent_of(thread_time() - begun, blocks * BLOCK);
        assert!(peak > 0.01, "fundsp's patch is silent: there is nothing to set beside");
        took
    }
}
