//! How loud an owner is on either side, along a quantum.
//!
//! Thread: audio. Realtime-safe: yes. Invariant: but after a ramp of no length, the gains of
//! one quantum begin where those of the last have ended.

use super::ramp::quantum_on;
use crate::dsp::{Quantum, Smoother, line};
use crate::param::Param;

/// Level, mute and pan of an owner.
pub(super) struct Fader {
    level: Smoother,
    pan: Smoother,
    gains: [f32; 2],
}

impl Fader {
    pub(super) fn new() -> Fader {
        Fader { level: Smoother::new(0.0), pan: Smoother::new(0.0), gains: [0.0; 2] }
    }

    /// Heads for an owner's values, to arrive after `ramp` samples.
    pub(super) fn head_for(&mut self, param: &impl Fn(Param) -> f32, ramp: u32) {
        let muted = param(Param::Mute) >= 0.5;
        let level = if muted { 0.0 } else { crate::param::fader_gain(param(Param::Level)) };
        self.level.set(level, ramp);
        self.pan.set(param(Param::Pan), ramp);
        if ramp == 0 {
            self.gains = self.gains_at(0.0);
        }
    }

    fn gains_at(&self, sway: f32) -> [f32; 2] {
        let pan = (self.pan.value() + sway).clamp(-1.0, 1.0);
        let (left, right) = crate::dsp::math::pan_gains(pan);
        [self.level.value() * left, self.level.value() * right]
    }

    /// The gains of both sides along the next quantum.
    pub(super) fn quantum(&mut self, sway: f32) -> [Quantum; 2] {
        quantum_on(&mut self.level);
        quantum_on(&mut self.pan);
        let (from, to) = (self.gains, self.gains_at(sway));
        self.gains = to;
        [line(from[0], to[0]), line(from[1], to[1])]
    }
}
