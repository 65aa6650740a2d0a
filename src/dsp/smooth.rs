//! Parameters without zipper noise.

use super::{QUANTUM, Quantum};

/// A straight ramp that arrives exactly, after the samples it was given.
///
/// Values are computed from the count of samples left, not by repeated addition. Realtime-safe: yes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Smoother {
    target: f32,
    step: f32,
    left: u32,
}

impl Smoother {
    /// At rest on a value.
    pub const fn new(value: f32) -> Smoother {
        Smoother { target: value, step: 0.0, left: 0 }
    }

    /// Heads for a target from where it is, to arrive with the `samples`th sample from now; 0 is
    /// at once. A target that is not finite is ignored.
    pub fn set(&mut self, target: f32, samples: u32) {
        if !target.is_finite() {
            return;
        }
        let from = self.value();
        self.target = target;
        let arrives = samples == 0 || from == target;
        self.left = if arrives { 0 } else { samples };
        self.step = if arrives { 0.0 } else { (target - from) / samples as f32 };
    }

    /// Jumps to a value.
    pub fn snap(&mut self, value: f32) {
        self.set(value, 0);
    }

    /// Where it is now: the value of the last sample given out.
    pub fn value(&self) -> f32 {
        if self.left == 0 { self.target } else { self.target - self.step * self.left as f32 }
    }

    /// Where it heads.
    pub fn target(&self) -> f32 {
        self.target
    }

    /// The next sample's value.
    pub fn advance(&mut self) -> f32 {
        self.advance_by(1)
    }

    /// The value after so many samples, for settings that are read once a quantum.
    pub fn advance_by(&mut self, samples: u32) -> f32 {
        self.left = self.left.saturating_sub(samples);
        self.value()
    }

    /// The next quantum's values.
    pub fn fill(&mut self, out: &mut Quantum) {
        if self.left == 0 {
            out.fill(self.target);
        } else {
            out.iter_mut().for_each(|value| *value = self.advance());
        }
    }

    /// Whether it has arrived.
    pub fn is_settled(&self) -> bool {
        self.left == 0
    }
}

/// A straight line over one quantum, from the last one's end, that arrives exactly with its last
/// sample. Realtime-safe: yes.
#[inline]
pub fn line(from: f32, to: f32) -> Quantum {
    if from == to {
        return [to; QUANTUM];
    }
    let step = (to - from) * (1.0 / QUANTUM as f32);
    std::array::from_fn(|n| to - step * (QUANTUM - 1 - n) as f32)
}
