//! How values move: in straight lines that end exactly, quantum by quantum.
//!
//! Thread: audio. Realtime-safe: yes. Invariant: a value that moves is where it heads for at its last
//! quantum's last sample, to the bit.

use crate::dsp::{QUANTUM, Quantum, Smoother, line};

/// Samples a parameter takes to arrive: 5 ms.
pub(super) const RAMP: u32 = 240;

/// Moves a value on by a quantum; returns where it is then.
pub(super) fn quantum_on(value: &mut Smoother) -> f32 {
    value.advance_by(QUANTUM as u32)
}

/// Multiplies by a factor that moves from where it was to `to` in a straight line.
pub(super) fn scale_along(io: &mut Quantum, was: &mut f32, to: f32) {
    if *was != to || to != 1.0 {
        io.iter_mut().zip(line(*was, to)).for_each(|(value, factor)| *value *= factor);
    }
    *was = to;
}
