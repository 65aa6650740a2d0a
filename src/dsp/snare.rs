//! The snare drum.

use super::math::soft_clip;
use super::svf::{Coefficients, Core};
use super::voice::{RUNG_OUT, velocity_gain};
use super::{Body, Decay, Noise, Phase, Strike, Voice};

/// A snare drum: two modes of the head, and the wires as band-limited noise with a snap of its own.
///
/// Target at velocity 1, natural pitch, decay 1: peak 0.55 to 0.75; 20 dB down at 90 to 200 ms and
/// 60 dB down at 250 to 600 ms; strongest below 1 kHz at 165 to 215 Hz; spectral centroid (power)
/// 2 to 5 kHz; 35 to 75 % of the power above 1 kHz. At velocity 0.3 the centroid is at most 0.7 of
/// that.
pub type SnareVoice = Voice<Snare>;

/// The sounding part of [`SnareVoice`].
#[derive(Clone, Debug)]
pub struct Snare {
    modes: [Phase; 2],
    hz: f32,
    bend: Decay,
    mode_amps: [Decay; 2],
    noise: Noise,
    wires: Decay,
    snap: Decay,
    high: Core,
    low: Core,
    high_at: Coefficients,
    low_at: Coefficients,
    gain: f32,
}

impl SnareVoice {
    /// The natural pitch: the head's lower mode.
    pub const PITCH_HZ: f32 = 185.0;

    /// At rest.
    pub fn new() -> SnareVoice {
        Voice::with_body(Snare {
            modes: [Phase::default(); 2],
            hz: SnareVoice::PITCH_HZ,
            bend: Decay::default(),
            mode_amps: [Decay::default(); 2],
            noise: Noise::new(0),
            wires: Decay::default(),
            snap: Decay::default(),
            high: Core::default(),
            low: Core::default(),
            high_at: Coefficients::new(900.0, 0.7),
            low_at: Coefficients::new(9_000.0, 0.7),
            gain: 0.0,
        })
    }

    /// Begins a note.
    pub fn strike(&mut self, strike: Strike) {
        let Strike { pitch_hz, velocity, decay, seed, length } = strike.bounded();
        self.body = Snare {
            modes: [Phase::default(); 2],
            hz: pitch_hz,
            bend: Decay::new(0.5 * velocity, 0.06),
            mode_amps: [Decay::new(0.5, 0.3 * decay), Decay::new(0.3, 0.2 * decay)],
            noise: Noise::new(seed),
            wires: Decay::new(0.5 + 0.25 * velocity, 0.42 * decay),
            snap: Decay::new(0.8 * velocity, 0.06 * decay),
            high: Core::default(),
            low: Core::default(),
            high_at: Coefficients::new(1_100.0, 0.7),
            low_at: Coefficients::new(3_500.0 + 6_500.0 * velocity, 0.7),
            gain: 1.36 * velocity_gain(velocity),
        };
        self.begin(length);
    }
}

impl Default for SnareVoice {
    fn default() -> SnareVoice {
        SnareVoice::new()
    }
}

impl Body for Snare {
    #[inline]
    fn sample(&mut self) -> f32 {
        let hz = self.hz * (1.0 + self.bend.sample());
        let [lower, upper] = &mut self.modes;
        lower.set_hz(hz);
        upper.set_hz(hz * 1.79);
        let head = lower.sine() * self.mode_amps[0].sample() + upper.sine() * self.mode_amps[1].sample();
        lower.advance();
        upper.advance();
        let wires = self.noise.sample() * (self.wires.sample() + self.snap.sample());
        let wires = self.low.tick(self.high.tick(wires, self.high_at).high, self.low_at).low;
        soft_clip(0.44 * (head + wires)) * self.gain
    }

    fn is_over(&self) -> bool {
        self.wires.level() < RUNG_OUT && self.mode_amps[0].level() < RUNG_OUT
    }
}
