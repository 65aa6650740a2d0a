//! The shaker.

use super::character::{Push, turned};
use super::svf::{Coefficients, Core, Tuning};
use super::voice::{RUNG_OUT, clipped, velocity_gain};
use super::{Body, Decay, Noise, QUANTUM, Quantum, Strike, Voice};

/// A shaker: many small grains (noise with its quiet parts thinned out) around 7 kHz that swell and
/// stop, as the beads meet the far wall.
///
/// Target at velocity 1, natural pitch, decay 1: peak 0.2 to 0.5; loudest 8 to 30 ms in; 20 dB down
/// at 50 to 110 ms and 60 dB down at 110 to 300 ms; spectral centroid (power) 6 to 11 kHz; less
/// than 2 % of the power below 2 kHz.
pub type ShakerVoice = Voice<Shaker>;

/// The sounding part of [`ShakerVoice`].
#[derive(Clone, Debug)]
pub struct Shaker {
    noise: Noise,
    /// What falls away from the swell: level × (1 − rise) is what has come of it.
    rise: Decay,
    amp: Decay,
    filters: [Core; 2],
    band_at: Tuning,
    high_at: Tuning,
    /// How thin the grains lie: 0 is plain noise.
    thin: f32,
    gain: f32,
    push: Push,
}

impl ShakerVoice {
    /// The natural pitch: the middle of the band.
    pub const PITCH_HZ: f32 = 7_000.0;

    /// At rest.
    pub fn new() -> ShakerVoice {
        let still = Coefficients::new(ShakerVoice::PITCH_HZ, 1.0).tuned();
        Voice::with_body(Shaker {
            noise: Noise::new(0),
            rise: Decay::default(),
            amp: Decay::default(),
            filters: [Core::default(); 2],
            band_at: still,
            high_at: still,
            thin: 0.0,
            gain: 0.0,
            push: Push::new(0.0),
        })
    }

    /// Begins a note.
    pub fn strike(&mut self, strike: Strike) {
        let Strike { pitch_hz, velocity, decay, seed, length, character } = strike.bounded();
        let middle = pitch_hz * turned(character.tone, 0.6);
        self.body = Shaker {
            noise: Noise::new(seed),
            // Harder strokes swell faster.
            rise: Decay::new(1.0, (0.075 - 0.035 * velocity) * turned(character.punch, -1.5)),
            amp: Decay::new(1.0, 0.19 * decay),
            filters: [Core::default(); 2],
            band_at: Coefficients::new(middle, 0.9).tuned(),
            high_at: Coefficients::new(middle * 0.6, 0.7).tuned(),
            thin: 0.7 - 0.3 * character.noise,
            gain: 0.85 * velocity_gain(velocity),
            push: Push::new(character.drive),
        };
        self.begin(length);
    }
}

impl Default for ShakerVoice {
    fn default() -> ShakerVoice {
        ShakerVoice::new()
    }
}

impl Body for Shaker {
    #[inline]
    fn quantum(&mut self) -> Quantum {
        let (rise, amp, noise) = (self.rise.quantum(), self.amp.quantum(), self.noise.quantum());
        let mut out = [0.0; QUANTUM];
        let [band, high] = &mut self.filters;
        for n in 0..QUANTUM {
            let x = noise[n];
            // A cube keeps the loud grains and takes the quiet ones away.
            let grain = x + self.thin * (1.9 * x * x * x - x);
            let source = grain * (1.0 - rise[n]) * amp[n];
            out[n] = high.tick(band.tick(source, self.band_at).band, self.high_at).high;
        }
        self.filters.iter_mut().for_each(Core::settle);
        self.push.apply(&mut out);
        clipped(out, 1.0, self.gain)
    }

    fn is_over(&self) -> bool {
        self.amp.level() < RUNG_OUT
    }
}
