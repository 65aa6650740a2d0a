//! How far a track's voice reaches to both sides.
//!
//! Thread: audio. Realtime-safe: yes, but for [`Sides::new`].

use crate::dsp::{QUANTUM, Quantum, Smoother, Width};
use crate::param::Param;
use crate::pattern::Voice;

/// A voice's own width, 0 to 1, and samples between its sides. Kick and bass stand in the middle; what
/// is noise or many reaches far; the times are primes, so that no two voices colour alike.
fn own(voice: Voice) -> (f32, usize) {
    match voice {
        Voice::Snare => (0.2, 239),
        Voice::Tom => (0.25, 389),
        Voice::Perc => (0.32, 263),
        Voice::ClosedHat => (0.45, 281),
        Voice::OpenHat => (0.5, 347),
        Voice::Shaker => (0.55, 313),
        Voice::Clap => (0.55, 421),
        Voice::Cymbal => (0.6, 467),
        Voice::Synth => (0.42, 449),
        Voice::Fm => (0.42, 547),
        Voice::Pad => (0.7, 673),
        _ => (0.0, 401),
    }
}

/// The two sides of a track's voices, after its inserts.
pub(super) struct Sides {
    width: Width,
    amount: Smoother,
    samples: usize,
}

impl Sides {
    /// Allocates.
    pub(super) fn new() -> Sides {
        Sides { width: Width::new(), amount: Smoother::new(0.0), samples: QUANTUM }
    }

    /// Heads for the width that a voice and its knob make, to arrive after `ramp` samples.
    pub(super) fn head_for(&mut self, voice: Option<Voice>, param: &impl Fn(Param) -> f32, ramp: u32) {
        let (own, samples) = voice.map_or((0.0, self.samples), own);
        let knob = param(Param::VoiceWidth);
        // Narrower towards mono, wider towards twice its past.
        let amount = if knob < 0.0 { own * (1.0 + knob) } else { own + (0.9 - own) * knob };
        self.samples = samples;
        self.amount.set(amount, ramp);
    }

    pub(super) fn reset(&mut self) {
        self.width.reset();
    }

    /// Whether silence in gives silence out from here on.
    pub(super) fn is_silent(&self) -> bool {
        self.width.is_silent()
    }

    /// A silent quantum: the knob moves on.
    pub(super) fn rest(&mut self) {
        self.amount.advance_by(QUANTUM as u32);
    }

    /// A quantum; `false` where both sides are one, and `right` is left alone.
    pub(super) fn process(&mut self, left: &mut Quantum, right: &mut Quantum) -> bool {
        let amount = self.amount.advance_by(QUANTUM as u32);
        self.width.process(left, right, self.samples, amount)
    }
}
