//! The hi-hats.

use super::math::soft_clip;
use super::noise::word;
use super::svf::{Coefficients, Core};
use super::voice::{RUNG_OUT, velocity_gain};
use super::{Body, Decay, Noise, Phase, Strike, Voice, square};

/// A hi-hat: six square oscillators in no harmony (the ratios of a classic analogue drum
/// machine), and noise, both high-passed.
///
/// Target at velocity 1, natural pitch, decay 1: peak 0.25 to 0.55; closed 20 dB down at 25 to
/// 60 ms and 60 dB down at 80 to 180 ms; open 20 dB down at 150 to 350 ms and 60 dB down at 450 to
/// 1000 ms; strongest between 6 and 12 kHz; spectral centroid (power) 7 to 12 kHz; less than 1 %
/// of the power below 3 kHz. At velocity 0.3 the centroid is at most 0.95 of that.
pub type HatVoice = Voice<Hat>;

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HatKind {
    /// Short.
    Closed,
    /// Long; a closed hat of the same kit chokes it.
    Open,
}

/// The oscillators' frequencies in Hz at the natural pitch.
const METAL_HZ: [f32; 6] = [205.3, 304.4, 369.6, 522.7, 540.0, 800.0];

/// The sounding part of [`HatVoice`].
#[derive(Clone, Debug)]
pub struct Hat {
    kind: HatKind,
    metal: [Phase; 6],
    noise: Noise,
    amp: Decay,
    tick: Decay,
    filters: [Core; 3],
    band_at: Coefficients,
    high_at: Coefficients,
    gain: f32,
}

impl HatVoice {
    /// The natural pitch: the fifth oscillator.
    pub const PITCH_HZ: f32 = 540.0;

    /// At rest.
    pub fn new(kind: HatKind) -> HatVoice {
        Voice::with_body(Hat {
            kind,
            metal: [Phase::default(); 6],
            noise: Noise::new(0),
            amp: Decay::default(),
            tick: Decay::default(),
            filters: [Core::default(); 3],
            band_at: Coefficients::new(8_000.0, 0.7),
            high_at: Coefficients::new(7_000.0, 0.7),
            gain: 0.0,
        })
    }

    /// Begins a note. The oscillators' phases come from the seed, as they run freely in a machine.
    pub fn strike(&mut self, strike: Strike) {
        let Strike { pitch_hz, velocity, decay, seed, length } = strike.bounded();
        let kind = self.body.kind;
        let ratio = pitch_hz / HatVoice::PITCH_HZ;
        let mut metal = [Phase::default(); 6];
        for (n, (phase, hz)) in metal.iter_mut().zip(METAL_HZ).enumerate() {
            *phase = Phase::starting_at(word(!seed, n as u64) as u32);
            phase.set_hz(hz * ratio);
        }
        let seconds = if kind == HatKind::Closed { 0.14 } else { 0.75 };
        self.body = Hat {
            kind,
            metal,
            noise: Noise::new(seed),
            amp: Decay::new(0.75, seconds * decay),
            tick: Decay::new(0.35 * velocity, 0.02),
            filters: [Core::default(); 3],
            band_at: Coefficients::new(7_600.0 + 1_600.0 * velocity, 0.9),
            high_at: Coefficients::new(5_000.0 + 2_000.0 * velocity, 0.8),
            gain: velocity_gain(velocity),
        };
        self.begin(length);
    }
}

impl Body for Hat {
    #[inline]
    fn sample(&mut self) -> f32 {
        let mut metal = 0.0;
        for phase in &mut self.metal {
            metal += square(phase);
            phase.advance();
        }
        let source = metal * 0.4 + self.noise.sample() * 0.35;
        let band = self.filters[0].tick(source, self.band_at);
        let high = self.filters[1].tick(band.band * 0.95 + source * 0.15, self.high_at).high;
        let high = self.filters[2].tick(high, self.high_at).high;
        // How the six edges meet at the onset is chance; the clipper evens their peaks out.
        soft_clip(1.2 * high * (self.amp.sample() + self.tick.sample())) * self.gain
    }

    fn is_over(&self) -> bool {
        self.amp.level() < RUNG_OUT
    }
}
