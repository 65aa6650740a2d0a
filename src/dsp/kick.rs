//! The bass drum.

use super::character::{Push, level, turned};
use super::math::soft_clip;
use super::oscillator::sine_at;
use super::svf::OnePole;
use super::voice::{RUNG_OUT, scaled, velocity_gain};
use super::{Body, Decay, Noise, Phase, QUANTUM, Quantum, Strike, Voice};

/// A bass drum: a sine that falls from about four times its pitch, softly saturated, under a
/// short click.
///
/// Target at velocity 1, natural pitch, decay 1: peak 0.6 to 0.85; 20 dB down at 160 to 300 ms and
/// 60 dB down at 450 to 800 ms; strongest between 42 and 65 Hz; spectral centroid (power) below
/// 150 Hz; DC below −50 dB of the peak. At velocity 0.3 the power above 1 kHz, relative to the
/// whole, is at least 3 dB lower.
pub type KickVoice = Voice<Kick>;

/// The sounding part of [`KickVoice`].
#[derive(Clone, Debug)]
pub struct Kick {
    phase: Phase,
    hz: f32,
    sweep: Decay,
    knock: Decay,
    amp: Decay,
    drive: f32,
    gain: f32,
    click: Decay,
    noise: Noise,
    click_tone: OnePole,
    push: Push,
}

impl KickVoice {
    /// The natural pitch: what the sweep falls to.
    pub const PITCH_HZ: f32 = 48.0;

    /// At rest.
    pub fn new() -> KickVoice {
        Voice::with_body(Kick {
            phase: Phase::default(),
            hz: KickVoice::PITCH_HZ,
            sweep: Decay::default(),
            knock: Decay::default(),
            amp: Decay::default(),
            drive: 1.0,
            gain: 0.0,
            click: Decay::default(),
            noise: Noise::new(0),
            click_tone: OnePole::new(4_000.0),
            push: Push::new(0.0),
        })
    }

    /// Begins a note.
    pub fn strike(&mut self, strike: Strike) {
        let Strike { pitch_hz, velocity, decay, seed, length, character } = strike.bounded();
        self.body = Kick {
            phase: Phase::default(),
            hz: pitch_hz,
            // Body sweep to 48 Hz from 190, and the beater's knock above it.
            sweep: Decay::new((2.1 + 0.9 * velocity) * turned(character.bend, 1.0), 0.19),
            knock: Decay::new(7.0 * velocity * turned(character.punch, 1.0), 0.018),
            amp: Decay::new(1.0, 0.72 * decay),
            drive: 0.55 + 0.3 * velocity,
            gain: 1.05 * velocity_gain(velocity),
            click: Decay::new(0.5 * velocity * level(character.noise) * turned(character.punch, 1.0), 0.014),
            noise: Noise::new(seed),
            click_tone: OnePole::new((1_500.0 + 7_500.0 * velocity) * turned(character.tone, 1.0).max(0.7)),
            push: Push::new(character.drive),
        };
        self.begin(length);
    }
}

impl Default for KickVoice {
    fn default() -> KickVoice {
        KickVoice::new()
    }
}

impl Kick {
    #[inline]
    fn click(&mut self) -> Quantum {
        if self.click.level() == 0.0 && self.click_tone.is_silent() {
            return [0.0; QUANTUM];
        }
        let (level, mut click) = (self.click.quantum(), self.noise.quantum());
        click.iter_mut().zip(level).for_each(|(click, level)| *click *= level);
        self.click_tone.lowpass(&mut click);
        click
    }
}

impl Body for Kick {
    #[inline]
    fn quantum(&mut self) -> Quantum {
        let (sweep, knock, amp) = (self.sweep.quantum(), self.knock.quantum(), self.amp.quantum());
        let mut hz = [0.0; QUANTUM];
        for n in 0..QUANTUM {
            hz[n] = self.hz * (1.0 + sweep[n] + knock[n]);
        }
        let places = self.phase.bent_quantum(&hz);
        let click = self.click();
        let mut out = [0.0; QUANTUM];
        for n in 0..QUANTUM {
            let body = soft_clip(sine_at(places[n]) * amp[n] * self.drive);
            out[n] = body + click[n];
        }
        self.push.apply(&mut out);
        scaled(out, self.gain)
    }

    fn is_over(&self) -> bool {
        self.amp.level() < RUNG_OUT
    }
}
