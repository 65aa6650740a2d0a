//! The hand clap.

use super::character::{Push, level, turned};
use super::svf::{Coefficients, Core, Tuning};
use super::voice::{RUNG_OUT, clipped, velocity_gain};
use super::{Body, Decay, Noise, QUANTUM, Quantum, Strike, Voice};

/// A clap: noise around 1.1 kHz in three short bursts, as of hands that nearly meet, and a fourth
/// that rings on as a room does.
///
/// Target at velocity 1, natural pitch, decay 1: peak 0.4 to 0.75; 20 dB down at 80 to 200 ms and 60
/// dB down at 180 to 500 ms; strongest between 0.7 and 1.8 kHz; spectral centroid (power) 1 to
/// 3.5 kHz; four bursts 11 ms apart.
pub type ClapVoice = Voice<Clap>;

/// Quanta between two bursts: 10.7 ms.
const APART: f32 = 16.0;
/// Bursts before the one that rings.
const BURSTS: u32 = 3;

/// The sounding part of [`ClapVoice`].
#[derive(Clone, Debug)]
pub struct Clap {
    noise: Noise,
    burst: Decay,
    tail: Decay,
    /// Quanta played, and quanta between bursts.
    count: u32,
    apart: u32,
    burst_level: f32,
    tail_s: f32,
    tail_level: f32,
    filters: [Core; 3],
    band_at: Tuning,
    low_at: Tuning,
    high_at: Tuning,
    air: f32,
    gain: f32,
    push: Push,
}

impl ClapVoice {
    /// The natural pitch: the middle of the band.
    pub const PITCH_HZ: f32 = 1_100.0;

    /// At rest.
    pub fn new() -> ClapVoice {
        let still = Coefficients::new(ClapVoice::PITCH_HZ, 1.0).tuned();
        Voice::with_body(Clap {
            noise: Noise::new(0),
            burst: Decay::default(),
            tail: Decay::default(),
            count: 0,
            apart: APART as u32,
            burst_level: 0.0,
            tail_s: 0.1,
            tail_level: 0.0,
            filters: [Core::default(); 3],
            band_at: still,
            low_at: still,
            high_at: still,
            air: 0.0,
            gain: 0.0,
            push: Push::new(0.0),
        })
    }

    /// Begins a note.
    pub fn strike(&mut self, strike: Strike) {
        let Strike { pitch_hz, velocity, decay, seed, length, character } = strike.bounded();
        let bright = turned(character.tone, 0.8);
        self.body = Clap {
            noise: Noise::new(seed),
            burst: Decay::default(),
            tail: Decay::default(),
            count: 0,
            apart: (APART * turned(character.spread, 0.8) + 0.5) as u32,
            burst_level: 2.2 * turned(character.punch, 1.0),
            tail_s: 0.42 * decay,
            tail_level: 0.7 * level(character.noise),
            filters: [Core::default(); 3],
            band_at: Coefficients::new(pitch_hz * bright, 1.5).tuned(),
            low_at: Coefficients::new(pitch_hz * 0.5, 0.7).tuned(),
            high_at: Coefficients::new((2_500.0 + 2_000.0 * velocity) * bright, 0.7).tuned(),
            air: 0.3 * velocity * bright,
            gain: 1.3 * velocity_gain(velocity),
            push: Push::new(character.drive),
        };
        self.begin(length);
    }
}

impl Default for ClapVoice {
    fn default() -> ClapVoice {
        ClapVoice::new()
    }
}

impl Body for Clap {
    #[inline]
    fn quantum(&mut self) -> Quantum {
        if self.count.is_multiple_of(self.apart) && self.count / self.apart <= BURSTS {
            if self.count / self.apart < BURSTS {
                // The middle ones are the loudest.
                let share = [0.8, 1.0, 0.9][(self.count / self.apart) as usize % 3];
                self.burst = Decay::new(self.burst_level * share, 0.026);
            } else {
                self.tail = Decay::new(self.tail_level, self.tail_s);
            }
        }
        self.count = self.count.saturating_add(1);
        let (burst, tail, noise) = (self.burst.quantum(), self.tail.quantum(), self.noise.quantum());
        let mut out = [0.0; QUANTUM];
        let [band, low, high] = &mut self.filters;
        for n in 0..QUANTUM {
            let source = noise[n] * (burst[n] + tail[n]);
            let around = band.tick(source, self.band_at).band;
            let body = low.tick(around, self.low_at).high;
            out[n] = body * 0.85 + self.air * high.tick(source, self.high_at).band;
        }
        self.filters.iter_mut().for_each(Core::settle);
        self.push.apply(&mut out);
        clipped(out, 0.9, self.gain)
    }

    fn is_over(&self) -> bool {
        self.count > (BURSTS + 1) * self.apart && self.tail.level() < RUNG_OUT
    }
}
