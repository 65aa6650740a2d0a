//! The snare drum.

use super::character::{Push, level, turned};
use super::math::soft_clip;
use super::oscillator::sine_at;
use super::svf::{Coefficients, Core, Tuning};
use super::voice::{RUNG_OUT, scaled, velocity_gain};
use super::{Body, Decay, Noise, Phase, QUANTUM, Quantum, Strike, Voice};

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
    high_at: Tuning,
    low_at: Tuning,
    gain: f32,
    apart: f32,
    push: Push,
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
            high_at: Coefficients::new(900.0, 0.7).tuned(),
            low_at: Coefficients::new(9_000.0, 0.7).tuned(),
            gain: 0.0,
            apart: 1.79,
            push: Push::new(0.0),
        })
    }

    /// Begins a note.
    pub fn strike(&mut self, strike: Strike) {
        let Strike { pitch_hz, velocity, decay, seed, length, character } = strike.bounded();
        self.body = Snare {
            modes: [Phase::default(); 2],
            hz: pitch_hz,
            bend: Decay::new(0.5 * velocity * level(character.bend), 0.06),
            mode_amps: [Decay::new(0.5, 0.3 * decay), Decay::new(0.3, 0.2 * decay)],
            noise: Noise::new(seed),
            wires: Decay::new((0.5 + 0.25 * velocity) * level(character.noise), 0.42 * decay),
            snap: Decay::new(0.8 * velocity * turned(character.punch, 1.0), 0.06 * decay),
            high: Core::default(),
            low: Core::default(),
            high_at: Coefficients::new(1_100.0 * turned(character.tone, 0.5), 0.7).tuned(),
            low_at: Coefficients::new((3_500.0 + 6_500.0 * velocity) * turned(character.tone, 1.0), 0.7)
                .tuned(),
            gain: 1.36 * velocity_gain(velocity),
            apart: 1.79 * turned(character.spread, 0.4),
            push: Push::new(character.drive),
        };
        self.begin(length);
    }
}

impl Default for SnareVoice {
    fn default() -> SnareVoice {
        SnareVoice::new()
    }
}

impl Snare {
    #[inline]
    fn wires(&mut self) -> Quantum {
        let (wires, snap, mut out) = (self.wires.quantum(), self.snap.quantum(), self.noise.quantum());
        for (n, sample) in out.iter_mut().enumerate() {
            *sample *= wires[n] + snap[n];
        }
        for sample in &mut out {
            let high = self.high.tick(*sample, self.high_at).high;
            *sample = self.low.tick(high, self.low_at).low;
        }
        self.high.settle();
        self.low.settle();
        out
    }
}

impl Body for Snare {
    #[inline]
    fn quantum(&mut self) -> Quantum {
        let bend = self.bend.quantum();
        let (mut low_hz, mut high_hz) = ([0.0; QUANTUM], [0.0; QUANTUM]);
        for n in 0..QUANTUM {
            low_hz[n] = self.hz * (1.0 + bend[n]);
            high_hz[n] = low_hz[n] * self.apart;
        }
        let lower = self.modes[0].bent_quantum(&low_hz);
        let upper = self.modes[1].bent_quantum(&high_hz);
        let [low_amp, high_amp] = self.mode_amps.each_mut().map(Decay::quantum);
        let wires = self.wires();
        let mut out = [0.0; QUANTUM];
        for n in 0..QUANTUM {
            let head = sine_at(lower[n]) * low_amp[n] + sine_at(upper[n]) * high_amp[n];
            out[n] = soft_clip(0.44 * (head + wires[n]));
        }
        self.push.apply(&mut out);
        scaled(out, self.gain)
    }

    fn is_over(&self) -> bool {
        self.wires.level() < RUNG_OUT && self.mode_amps[0].level() < RUNG_OUT
    }
}
