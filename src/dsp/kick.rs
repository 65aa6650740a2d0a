//! The bass drum.

use super::math::soft_clip;
use super::svf::OnePole;
use super::voice::{RUNG_OUT, velocity_gain};
use super::{Body, Decay, Noise, Phase, Strike, Voice};

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
        })
    }

    /// Begins a note.
    pub fn strike(&mut self, strike: Strike) {
        let Strike { pitch_hz, velocity, decay, seed, length } = strike.bounded();
        self.body = Kick {
            phase: Phase::default(),
            hz: pitch_hz,
            // Body sweep to 48 Hz from 190, and the beater's knock above it.
            sweep: Decay::new(2.1 + 0.9 * velocity, 0.19),
            knock: Decay::new(7.0 * velocity, 0.018),
            amp: Decay::new(1.0, 0.72 * decay),
            drive: 0.55 + 0.3 * velocity,
            gain: 1.2 * velocity_gain(velocity),
            click: Decay::new(0.26 * velocity, 0.014),
            noise: Noise::new(seed),
            click_tone: OnePole::new(1_500.0 + 5_000.0 * velocity),
        };
        self.begin(length);
    }
}

impl Default for KickVoice {
    fn default() -> KickVoice {
        KickVoice::new()
    }
}

impl Body for Kick {
    #[inline]
    fn sample(&mut self) -> f32 {
        self.phase.set_hz(self.hz * (1.0 + self.sweep.sample() + self.knock.sample()));
        let body = soft_clip(self.phase.sine() * self.amp.sample() * self.drive);
        self.phase.advance();
        let click = self.click_tone.lowpass(self.noise.sample() * self.click.sample());
        (body + click) * self.gain
    }

    fn is_over(&self) -> bool {
        self.amp.level() < RUNG_OUT
    }
}
