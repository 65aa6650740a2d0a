//! The tom.

use super::character::{Push, level, turned};
use super::oscillator::sine_at;
use super::svf::OnePole;
use super::voice::{RUNG_OUT, clipped, velocity_gain};
use super::{Body, Decay, Noise, Phase, QUANTUM, Quantum, Strike, Voice};

/// A tom: two modes of a head whose tension lets the pitch fall by a fifth, and the stick's noise.
///
/// Target at velocity 1, natural pitch, decay 1: peak 0.5 to 0.8; 20 dB down at 180 to 400 ms and 60
/// dB down at 450 to 1000 ms; strongest between 100 and 130 Hz; spectral centroid (power) 100 to
/// 260 Hz; DC below −50 dB of the peak.
pub type TomVoice = Voice<Tom>;

/// The second mode of a circular membrane over the first.
const SECOND: f32 = 1.593;

/// The sounding part of [`TomVoice`].
#[derive(Clone, Debug)]
pub struct Tom {
    modes: [Phase; 2],
    hz: f32,
    apart: f32,
    bend: Decay,
    amps: [Decay; 2],
    stick: Decay,
    noise: Noise,
    stick_tone: OnePole,
    gain: f32,
    push: Push,
}

impl TomVoice {
    /// The natural pitch: A2, the low tom.
    pub const PITCH_HZ: f32 = 110.0;

    /// At rest.
    pub fn new() -> TomVoice {
        Voice::with_body(Tom {
            modes: [Phase::default(); 2],
            hz: TomVoice::PITCH_HZ,
            apart: SECOND,
            bend: Decay::default(),
            amps: [Decay::default(); 2],
            stick: Decay::default(),
            noise: Noise::new(0),
            stick_tone: OnePole::new(3_000.0),
            gain: 0.0,
            push: Push::new(0.0),
        })
    }

    /// Begins a note.
    pub fn strike(&mut self, strike: Strike) {
        let Strike { pitch_hz, velocity, decay, seed, length, character } = strike.bounded();
        self.body = Tom {
            modes: [Phase::default(); 2],
            hz: pitch_hz,
            apart: SECOND * turned(character.spread, 0.4),
            bend: Decay::new((0.25 + 0.3 * velocity) * level(character.bend), 0.22),
            amps: [
                Decay::new(1.0, 0.85 * decay),
                Decay::new(0.34 * velocity * turned(character.tone, 1.2), 0.26 * decay),
            ],
            stick: Decay::new(0.3 * velocity * level(character.noise) * turned(character.punch, 1.0), 0.035),
            noise: Noise::new(seed),
            stick_tone: OnePole::new((1_300.0 + 3_000.0 * velocity) * turned(character.tone, 1.0).max(0.8)),
            gain: 1.22 * velocity_gain(velocity),
            push: Push::new(character.drive),
        };
        self.begin(length);
    }
}

impl Default for TomVoice {
    fn default() -> TomVoice {
        TomVoice::new()
    }
}

impl Body for Tom {
    #[inline]
    fn quantum(&mut self) -> Quantum {
        let bend = self.bend.quantum();
        let hz: Quantum = std::array::from_fn(|n| self.hz * (1.0 + bend[n]));
        let lower = self.modes[0].bent_quantum(&hz);
        let upper = self.modes[1].bent_quantum(&hz.map(|hz| hz * self.apart));
        let [low_amp, high_amp] = self.amps.each_mut().map(Decay::quantum);
        let (level, mut stick) = (self.stick.quantum(), self.noise.quantum());
        stick.iter_mut().zip(level).for_each(|(stick, level)| *stick *= level);
        self.stick_tone.lowpass(&mut stick);
        let mut out = [0.0; QUANTUM];
        for n in 0..QUANTUM {
            let head = sine_at(lower[n]) * low_amp[n] + sine_at(upper[n]) * high_amp[n];
            out[n] = 0.72 * head + stick[n];
        }
        self.push.apply(&mut out);
        clipped(out, 1.0, self.gain)
    }

    fn is_over(&self) -> bool {
        self.amps[0].level() < RUNG_OUT
    }
}
