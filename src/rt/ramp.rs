//! How values move: in straight lines that end exactly, quantum by quantum.
//!
//! Thread: audio. Realtime-safe: yes. Invariant: a value that moves is where it heads for at its last
//! quantum's last sample, to the bit.

use crate::dsp::{QUANTUM, Quantum, Smoother};

/// Samples a parameter takes to arrive: 5 ms.
pub(super) const RAMP: u32 = 240;

/// Moves a value on by a quantum; returns where it is then.
pub(super) fn quantum_on(value: &mut Smoother) -> f32 {
    value.advance_by(QUANTUM as u32)
}

/// A straight line over one quantum that ends exactly.
pub(super) fn line(from: f32, to: f32) -> Quantum {
    if from == to {
        return [to; QUANTUM];
    }
    let step = (to - from) * (1.0 / QUANTUM as f32);
    std::array::from_fn(|n| to - step * (QUANTUM - 1 - n) as f32)
}

/// Multiplies by a factor that moves from where it was to `to` in a straight line.
pub(super) fn scale_along(io: &mut Quantum, was: &mut f32, to: f32) {
    if *was != to || to != 1.0 {
        let step = (to - *was) * (1.0 / QUANTUM as f32);
        for (n, value) in io.iter_mut().enumerate() {
            *value *= to - step * (QUANTUM - 1 - n) as f32;
        }
    }
    *was = to;
}
