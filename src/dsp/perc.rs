//! Small percussion.

use super::character::{Push, level, turned};
use super::oscillator::{ahead, sine_at};
use super::svf::{Coefficients, Core, Tuning};
use super::voice::{RUNG_OUT, clipped, velocity_gain};
use super::{Body, Decay, Noise, Phase, QUANTUM, Quantum, Strike, Voice};

/// Small percussion, between a wood block and a conga: a tuned body, an overtone that lies in no
/// harmony with it, both bent by a short modulation at the stroke, and a tap of noise.
///
/// Target at velocity 1, natural pitch, decay 1: peak 0.45 to 0.75; 20 dB down at 30 to 110 ms and
/// 60 dB down at 120 to 350 ms; strongest between 380 and 470 Hz; spectral centroid (power) 0.4 to
/// 1.6 kHz; DC below −50 dB of the peak.
pub type PercVoice = Voice<Perc>;

/// The overtone over the body.
const OVERTONE: f32 = 2.76;

/// The sounding part of [`PercVoice`].
#[derive(Clone, Debug)]
pub struct Perc {
    body: Phase,
    overtone: Phase,
    modulator: Phase,
    hz: f32,
    bend: Decay,
    index: Decay,
    amps: [Decay; 2],
    tap: Decay,
    noise: Noise,
    tap_band: Core,
    tap_at: Tuning,
    gain: f32,
    push: Push,
}

impl PercVoice {
    /// The natural pitch.
    pub const PITCH_HZ: f32 = 415.0;

    /// At rest.
    pub fn new() -> PercVoice {
        Voice::with_body(Perc {
            body: Phase::default(),
            overtone: Phase::default(),
            modulator: Phase::default(),
            hz: PercVoice::PITCH_HZ,
            bend: Decay::default(),
            index: Decay::default(),
            amps: [Decay::default(); 2],
            tap: Decay::default(),
            noise: Noise::new(0),
            tap_band: Core::default(),
            tap_at: Coefficients::new(2_500.0, 1.0).tuned(),
            gain: 0.0,
            push: Push::new(0.0),
        })
    }

    /// Begins a note. `ratio` 2, the middle, is the modulator a fifth above the body.
    pub fn strike(&mut self, strike: Strike) {
        let Strike { pitch_hz, velocity, decay, seed, length, character } = strike.bounded();
        let mut modulator = Phase::default();
        modulator.set_hz(pitch_hz * 0.75 * character.ratio);
        let mut overtone = Phase::default();
        overtone.set_hz(pitch_hz * OVERTONE * turned(character.spread, 0.7));
        self.body = Perc {
            body: Phase::default(),
            overtone,
            modulator,
            hz: pitch_hz,
            bend: Decay::new(0.12 * velocity * level(character.bend), 0.05),
            index: Decay::new(0.28 * velocity * turned(character.punch, 1.5), 0.06),
            amps: [
                Decay::new(0.85, 0.24 * decay),
                Decay::new(0.22 * turned(character.tone, 1.5), 0.12 * decay),
            ],
            tap: Decay::new(0.55 * velocity * level(character.noise), 0.02),
            noise: Noise::new(seed),
            tap_band: Core::default(),
            tap_at: Coefficients::new(2_600.0 * turned(character.tone, 1.0), 0.9).tuned(),
            gain: 1.3 * velocity_gain(velocity),
            push: Push::new(character.drive),
        };
        self.begin(length);
    }
}

impl Default for PercVoice {
    fn default() -> PercVoice {
        PercVoice::new()
    }
}

impl Body for Perc {
    #[inline]
    fn quantum(&mut self) -> Quantum {
        let bend = self.bend.quantum();
        let hz: Quantum = std::array::from_fn(|n| self.hz * (1.0 + bend[n]));
        let (body, overtone) = (self.body.bent_quantum(&hz), self.overtone.quantum());
        let (modulator, index) = (self.modulator.quantum(), self.index.quantum());
        let [body_amp, overtone_amp] = self.amps.each_mut().map(Decay::quantum);
        let (tap, noise) = (self.tap.quantum(), self.noise.quantum());
        let mut out = [0.0; QUANTUM];
        for n in 0..QUANTUM {
            let turns = sine_at(modulator[n]) * index[n];
            let head = sine_at(ahead(body[n], turns)) * body_amp[n]
                + sine_at(ahead(overtone[n], turns)) * overtone_amp[n];
            out[n] = 0.8 * head + self.tap_band.tick(noise[n] * tap[n], self.tap_at).band;
        }
        self.tap_band.settle();
        self.push.apply(&mut out);
        clipped(out, 0.85, self.gain)
    }

    fn is_over(&self) -> bool {
        self.amps.iter().all(|amp| amp.level() < RUNG_OUT)
    }
}
