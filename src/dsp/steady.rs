//! Taking the steady part off a sound.

use super::math::bound;
use super::{QUANTUM, Quantum};

/// What of a quantum's mean the steady part takes on: a corner of 5 Hz.
const SHARE: f32 = 0.020_73;
/// What is quieter (−140 dB) has gone.
const GONE: f32 = 1e-7;
/// What stays of it after a quantum of silence, so that silence soon is silence.
const STAYS: f32 = 0.125;

/// A blocker of DC, as clippers make it of lopsided waves: a high-pass of the first order, whose
/// low-pass looks at the means of whole quanta, and follows them a quantum later in straight lines.
///
/// *Thread: audio. Realtime-safe: yes.*
#[derive(Clone, Copy, Debug, Default)]
pub struct Steady {
    /// What is taken off at the beginning of the next quantum and at its end.
    was: f32,
    level: f32,
}

impl Steady {
    /// At rest.
    pub const fn new() -> Steady {
        Steady { was: 0.0, level: 0.0 }
    }

    /// Forgets what it heard.
    pub fn reset(&mut self) {
        *self = Steady::new();
    }

    /// Whether silence in gives silence out from here on.
    pub fn is_silent(&self) -> bool {
        (self.was, self.level) == (0.0, 0.0)
    }

    /// A quantum in place.
    pub fn process(&mut self, io: &mut Quantum) {
        let mut lanes = [0.0f32; 8];
        for group in io.as_chunks::<8>().0 {
            lanes.iter_mut().zip(group).for_each(|(lane, sample)| *lane += sample);
        }
        let mean = lanes.iter().sum::<f32>() * (1.0 / QUANTUM as f32);
        let silent = mean == 0.0 && *io == [0.0; QUANTUM];
        let (from, to) = (self.was, self.level);
        if (from, to) != (0.0, 0.0) {
            let step = (to - from) * (1.0 / QUANTUM as f32);
            for (n, sample) in io.iter_mut().enumerate() {
                *sample -= to - step * (QUANTUM - 1 - n) as f32;
            }
        }
        let next = if silent { STAYS * to } else { bound(to + SHARE * (mean - to), -4.0, 4.0) };
        self.was = to;
        self.level = if next.abs() < GONE { 0.0 } else { next };
    }
}
