//! The hi-hats.

use super::character::{Push, level, turned};
use super::math::soft_clip;
use super::noise::word;
use super::oscillator::square_at;
use super::svf::{Coefficients, Core, Tuning};
use super::voice::{RUNG_OUT, scaled, velocity_gain};
use super::{Body, Decay, Noise, Phase, QUANTUM, Quantum, Strike, Voice};

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
    band_at: Tuning,
    high_at: Tuning,
    grit: f32,
    gain: f32,
    push: Push,
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
            band_at: Coefficients::new(8_000.0, 0.7).tuned(),
            high_at: Coefficients::new(7_000.0, 0.7).tuned(),
            grit: 0.35,
            gain: 0.0,
            push: Push::new(0.0),
        })
    }

    /// Begins a note. The oscillators' phases come from the seed, as they run freely in a machine.
    pub fn strike(&mut self, strike: Strike) {
        let Strike { pitch_hz, velocity, decay, seed, length, character } = strike.bounded();
        let kind = self.body.kind;
        let ratio = pitch_hz / HatVoice::PITCH_HZ;
        let mut metal = [Phase::default(); 6];
        for (n, (phase, hz)) in metal.iter_mut().zip(METAL_HZ).enumerate() {
            *phase = Phase::starting_at(word(!seed, n as u64) as u32);
            let away = (hz - METAL_HZ[4]) * turned(character.spread, 0.5);
            phase.set_hz((METAL_HZ[4] + away) * ratio);
        }
        let bright = turned(character.tone, 0.6);
        let seconds = if kind == HatKind::Closed { 0.14 } else { 0.75 };
        self.body = Hat {
            kind,
            metal,
            noise: Noise::new(seed),
            amp: Decay::new(0.75, seconds * decay),
            tick: Decay::new(0.35 * velocity * turned(character.punch, 1.2), 0.02),
            filters: [Core::default(); 3],
            band_at: Coefficients::new((7_600.0 + 1_600.0 * velocity) * bright, 0.9).tuned(),
            high_at: Coefficients::new((5_000.0 + 2_000.0 * velocity) * bright, 0.8).tuned(),
            grit: 0.35 * level(character.noise),
            gain: velocity_gain(velocity),
            push: Push::new(character.drive),
        };
        self.begin(length);
    }
}

impl Hat {
    /// Metal and noise, before the filters.
    #[inline]
    fn source(&mut self) -> Quantum {
        let mut metal = [0.0; QUANTUM];
        for phase in &mut self.metal {
            let per_step = phase.per_step();
            let places = phase.quantum();
            for (sum, place) in metal.iter_mut().zip(places) {
                *sum += square_at(place, per_step);
            }
        }
        let noise = self.noise.quantum();
        for (sum, noise) in metal.iter_mut().zip(noise) {
            *sum = *sum * 0.4 + noise * self.grit;
        }
        metal
    }
}

impl Body for Hat {
    #[inline]
    fn quantum(&mut self) -> Quantum {
        let (amp, tick) = (self.amp.quantum(), self.tick.quantum());
        let mut out = self.source();
        let [band, high, higher] = &mut self.filters;
        for sample in &mut out {
            let source = *sample;
            let band = band.tick(source, self.band_at).band;
            let high = high.tick(band * 0.95 + source * 0.15, self.high_at).high;
            *sample = higher.tick(high, self.high_at).high;
        }
        self.filters.iter_mut().for_each(Core::settle);
        for (n, sample) in out.iter_mut().enumerate() {
            // How the six edges meet at the onset is chance; the clipper evens their peaks out.
            *sample = soft_clip(1.2 * *sample * (amp[n] + tick[n]));
        }
        self.push.apply(&mut out);
        scaled(out, self.gain)
    }

    fn is_over(&self) -> bool {
        self.amp.level() < RUNG_OUT
    }
}
