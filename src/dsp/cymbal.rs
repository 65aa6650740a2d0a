//! The cymbal.

use super::character::{Push, level, turned};
use super::noise::word;
use super::oscillator::square_at;
use super::svf::{Coefficients, Core, Tuning};
use super::voice::{RUNG_OUT, clipped, velocity_gain};
use super::{Body, Decay, Noise, Phase, QUANTUM, Quantum, Strike, Voice};

/// A crash: eight square oscillators in no harmony and noise, in two bands, of which the upper rings
/// longer and the lower is the stroke's.
///
/// Target at velocity 1, natural pitch, decay 1: peak 0.25 to 0.6; 20 dB down at 0.5 to 1.5 s and 60
/// dB down at 1.5 to 4 s; spectral centroid (power) 5 to 10 kHz; less than 3 % of the power below
/// 1.5 kHz; the centroid of the first 100 ms is below that at 1 s.
pub type CymbalVoice = Voice<Cymbal>;

/// The oscillators' frequencies in Hz at the natural pitch.
const METAL_HZ: [f32; 8] = [263.7, 311.3, 401.9, 466.2, 540.0, 627.1, 812.9, 1_037.6];

/// The sounding part of [`CymbalVoice`].
#[derive(Clone, Debug)]
pub struct Cymbal {
    metal: [Phase; 8],
    noise: Noise,
    ring: Decay,
    wash: Decay,
    stroke: Decay,
    filters: [Core; 4],
    mid_at: Tuning,
    high_at: Tuning,
    air_at: Tuning,
    low_at: Tuning,
    grit: f32,
    gain: f32,
    push: Push,
}

impl CymbalVoice {
    /// The natural pitch: the fifth oscillator.
    pub const PITCH_HZ: f32 = 540.0;

    /// At rest.
    pub fn new() -> CymbalVoice {
        let still = Coefficients::new(5_000.0, 1.0).tuned();
        Voice::with_body(Cymbal {
            metal: [Phase::default(); 8],
            noise: Noise::new(0),
            ring: Decay::default(),
            wash: Decay::default(),
            stroke: Decay::default(),
            filters: [Core::default(); 4],
            mid_at: still,
            high_at: still,
            air_at: still,
            low_at: still,
            grit: 0.0,
            gain: 0.0,
            push: Push::new(0.0),
        })
    }

    /// Begins a note. The oscillators' phases come from the seed.
    pub fn strike(&mut self, strike: Strike) {
        let Strike { pitch_hz, velocity, decay, seed, length, character } = strike.bounded();
        let ratio = pitch_hz / CymbalVoice::PITCH_HZ;
        let bright = turned(character.tone, 0.7);
        let mut metal = [Phase::default(); 8];
        for (n, (phase, hz)) in metal.iter_mut().zip(METAL_HZ).enumerate() {
            *phase = Phase::starting_at(word(!seed, n as u64) as u32);
            let away = (hz - METAL_HZ[4]) * turned(character.spread, 0.5);
            phase.set_hz((METAL_HZ[4] + away) * ratio);
        }
        self.body = Cymbal {
            metal,
            noise: Noise::new(seed),
            ring: Decay::new(0.42, 2.9 * decay),
            wash: Decay::new(0.5, 1.5 * decay),
            stroke: Decay::new(0.6 * velocity * turned(character.punch, 1.2), 0.16),
            filters: [Core::default(); 4],
            mid_at: Coefficients::new(3_300.0 * bright, 0.8).tuned(),
            high_at: Coefficients::new((6_200.0 + 1_300.0 * velocity) * bright, 0.9).tuned(),
            air_at: Coefficients::new(4_000.0 * bright, 0.7).tuned(),
            low_at: Coefficients::new(1_900.0, 0.7).tuned(),
            grit: 0.55 * level(character.noise),
            gain: 0.95 * velocity_gain(velocity),
            push: Push::new(character.drive),
        };
        self.begin(length);
    }
}

impl Default for CymbalVoice {
    fn default() -> CymbalVoice {
        CymbalVoice::new()
    }
}

impl Body for Cymbal {
    #[inline]
    fn quantum(&mut self) -> Quantum {
        let mut source = [0.0; QUANTUM];
        for phase in &mut self.metal {
            let per_step = phase.per_step();
            let places = phase.quantum();
            for (sum, place) in source.iter_mut().zip(places) {
                *sum += square_at(place, per_step);
            }
        }
        let noise = self.noise.quantum();
        let (ring, wash, stroke) = (self.ring.quantum(), self.wash.quantum(), self.stroke.quantum());
        let mut out = [0.0; QUANTUM];
        let [mid, low, high, higher] = &mut self.filters;
        for n in 0..QUANTUM {
            let x = 0.3 * source[n] + self.grit * noise[n];
            let body = low.tick(mid.tick(x, self.mid_at).band, self.low_at).high;
            let air = higher.tick(high.tick(x, self.high_at).band, self.air_at).high;
            out[n] = body * (0.55 * wash[n] + stroke[n]) + air * (ring[n] + 0.7 * stroke[n]);
        }
        self.filters.iter_mut().for_each(Core::settle);
        self.push.apply(&mut out);
        clipped(out, 1.1, self.gain)
    }

    fn is_over(&self) -> bool {
        self.ring.level() < RUNG_OUT && self.wash.level() < RUNG_OUT
    }
}
