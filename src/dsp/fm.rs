//! Frequency modulation by two operators.

use super::character::{Push, turned};
use super::math::bound;
use super::oscillator::{ahead, sine_at};
use super::voice::{scaled, velocity_gain};
use super::{Adsr, Body, Decay, EnvShape, Phase, QUANTUM, Quantum, Strike, Voice};

/// A sine that turns another's phase (Chowning, "The synthesis of complex audio spectra by means of
/// frequency modulation", 1973), brightest at the stroke: bells, electric pianos, hollow basses.
///
/// The index is held where the side bands stay below 20 kHz. Target at velocity 1, 220 Hz, ratio 2,
/// decay 1, its own shape: peak 0.4 to 0.6; the strongest partial within 2 Hz of a multiple of the
/// pitch; the centroid of the first 50 ms at least 1.2 times that at 600 ms; released, 60 dB down
/// within 500 ms; what is in no harmony 60 dB under the strongest.
pub type FmVoice = Voice<Fm>;

/// The sounding part of [`FmVoice`].
#[derive(Clone, Debug)]
pub struct Fm {
    carrier: Phase,
    modulator: Phase,
    sub: Phase,
    sub_level: f32,
    amp: Adsr,
    /// The index in turns at the stroke, and what stays of it.
    index: f32,
    stays: f32,
    fade: Decay,
    gain: f32,
    push: Push,
}

impl FmVoice {
    /// The natural pitch: A3.
    pub const PITCH_HZ: f32 = 220.0;
    /// The shape where no envelope is stated.
    pub const SHAPE: EnvShape = EnvShape { attack_s: 0.002, decay_s: 1.6, sustain: 0.25, release_s: 0.35 };

    /// At rest.
    pub fn new() -> FmVoice {
        Voice::with_body(Fm {
            carrier: Phase::default(),
            modulator: Phase::default(),
            sub: Phase::default(),
            sub_level: 0.0,
            amp: Adsr::new(),
            index: 0.0,
            stays: 0.0,
            fade: Decay::default(),
            gain: 0.0,
            push: Push::new(0.0),
        })
    }

    /// Begins a note with an envelope. `strike.decay` multiplies its decay and release.
    pub fn strike(&mut self, strike: Strike, shape: EnvShape) {
        let Strike { pitch_hz, velocity, decay, seed: _, length, character } = strike.bounded();
        let body = &mut self.body;
        (body.carrier, body.modulator, body.sub) = (Phase::default(), Phase::default(), Phase::default());
        let modulator_hz = pitch_hz * character.ratio * turned(character.spread, 0.02);
        body.carrier.set_hz(pitch_hz);
        body.modulator.set_hz(modulator_hz);
        body.sub.set_hz(pitch_hz * 0.5);
        body.sub_level = 0.5 * character.sub.max(0.0);
        let shape = shape.bounded();
        body.amp.strike(EnvShape {
            decay_s: shape.decay_s * decay,
            release_s: shape.release_s * decay,
            ..shape
        });
        // Carson's rule: side bands reach to carrier + (index + 1) × modulator.
        let most = bound((20_000.0 - pitch_hz) / modulator_hz - 1.0, 0.0, 8.0);
        let index = (0.6 + 2.9 * velocity) * turned(character.tone, 1.5);
        body.index = index.min(most) * (0.5 / std::f32::consts::PI);
        body.stays = bound(0.3 * turned(character.punch, -1.5), 0.05, 1.0);
        body.fade = Decay::new(1.0 - body.stays, 1.3 * decay);
        body.gain = 0.42 * velocity_gain(velocity);
        body.push = Push::new(character.drive);
        self.begin(length);
    }
}

impl Default for FmVoice {
    fn default() -> FmVoice {
        FmVoice::new()
    }
}

impl Body for Fm {
    #[inline]
    fn quantum(&mut self) -> Quantum {
        let (carrier, modulator) = (self.carrier.quantum(), self.modulator.quantum());
        let fade = self.fade.quantum();
        let mut out = [0.0; QUANTUM];
        for n in 0..QUANTUM {
            let turns = sine_at(modulator[n]) * self.index * (self.stays + fade[n]);
            out[n] = sine_at(ahead(carrier[n], turns));
        }
        if self.sub_level > 0.0 {
            let sub = self.sub.quantum();
            out.iter_mut().zip(sub).for_each(|(out, place)| *out += self.sub_level * sine_at(place));
        }
        self.push.apply(&mut out);
        scaled(out, self.gain)
    }

    #[inline]
    fn shape(&mut self, samples: &mut [f32]) {
        self.amp.shape(samples);
    }

    fn is_over(&self) -> bool {
        self.amp.is_over()
    }

    fn release(&mut self) {
        self.amp.release();
    }
}
