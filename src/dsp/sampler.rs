//! A sample file as a voice.

use std::sync::Arc;

use super::math::bound;
use super::voice::velocity_gain;
use super::{Adsr, Body, EnvShape, QUANTUM, Quantum, Reading, SampleFile, Strike, Voice};

/// Plays a [`SampleFile`], higher and lower as a tape does, but that nothing folds back. At its own
/// pitch, whole and forwards it gives the file's samples bit for bit, times the velocity's gain.
///
/// A clone of the file is held while it is the track's: whoever takes a file away lets go of the
/// voices first, and keeps it until then ([`crate::rt::ports::ToEngine::File`]), so that none is
/// freed here.
pub type SamplerVoice = Voice<Sampler>;

/// Which part of a file is played, and how.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Excerpt {
    /// Where it begins and ends, in parts of the file.
    pub from: f32,
    /// See `from`.
    pub to: f32,
    /// From its end to its beginning.
    pub reverse: bool,
    /// What becomes of it while it is held.
    pub play: Play,
}

/// How long a file plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Play {
    /// To its end, whenever it is let go.
    Once,
    /// To its end, or until it is let go.
    Held,
    /// Round and round until it is let go.
    Loop,
}

impl Excerpt {
    /// The whole file, once.
    pub const WHOLE: Excerpt = Excerpt { from: 0.0, to: 1.0, reverse: false, play: Play::Once };
}

/// Samples over which it fades in where it does not begin with the file.
const FADE_IN: u32 = 24;
/// Samples over which it fades out before its end.
const FADE_OUT: f32 = 48.0;
/// The shortest excerpt, in samples of the file: 2 ms.
const SHORTEST: usize = 96;
/// Samples of the file over which a loop crosses into its beginning, where it is long enough.
const CROSSING: i64 = 240;
/// The envelope of what is held where none is stated: it follows the hand.
const HELD: EnvShape = EnvShape { attack_s: 0.000_5, decay_s: 0.001, sustain: 1.0, release_s: 0.02 };
/// A sample of the file, in the parts that places are counted in.
const ONE: i64 = 1 << 32;

/// The sounding part of [`SamplerVoice`].
#[derive(Clone, Debug)]
pub struct Sampler {
    file: Option<Arc<SampleFile>>,
    /// Where the excerpt lies, and how long it is.
    first: i64,
    length: i64,
    reverse: bool,
    play: Play,
    /// How far it has come, and how far it goes in a sample.
    place: i64,
    step: i64,
    reading: Reading,
    /// How much of a loop's end crosses into its beginning: at most half.
    crossing: i64,
    fade_in: u32,
    amp: Adsr,
    enveloped: bool,
    gain: f32,
}

impl SamplerVoice {
    /// The pitch at which a file plays as it is: C4, MIDI note 60.
    pub const PITCH_HZ: f32 = 261.625_58;

    /// At rest, with no file.
    pub fn new() -> SamplerVoice {
        Voice::with_body(Sampler {
            file: None,
            first: 0,
            length: 0,
            reverse: false,
            play: Play::Once,
            place: 0,
            step: ONE,
            reading: Reading::PLAIN,
            crossing: 0,
            fade_in: 0,
            amp: Adsr::new(),
            enveloped: false,
            gain: 0.0,
        })
    }

    /// Begins a note of a file, with an envelope where one is stated.
    pub fn strike(
        &mut self,
        strike: Strike,
        file: &Arc<SampleFile>,
        excerpt: Excerpt,
        shape: Option<EnvShape>,
    ) {
        let Strike { pitch_hz, velocity, length, .. } = strike.bounded();
        let frames = file.frames();
        if frames == 0 {
            return;
        }
        let body = &mut self.body;
        let place = |part: f32| ((bound(part, 0.0, 1.0) * frames as f32) as usize).min(frames);
        let first = place(excerpt.from).min(frames.saturating_sub(SHORTEST));
        let last = place(excerpt.to).max(first + SHORTEST).min(frames);
        body.file = Some(file.clone());
        (body.first, body.length) = (first as i64, (last - first) as i64 * ONE);
        (body.reverse, body.play) = (excerpt.reverse, excerpt.play);
        body.place = 0;
        body.step = (f64::from(pitch_hz / SamplerVoice::PITCH_HZ) * ONE as f64) as i64;
        body.reading = Reading::of_step(body.step);
        body.crossing = (CROSSING * ONE).min(body.length / 2);
        let begins = first == 0 && !excerpt.reverse;
        body.enveloped = shape.is_some() || excerpt.play != Play::Once;
        body.fade_in = if begins || body.enveloped { 0 } else { FADE_IN };
        body.amp.strike(shape.map_or(HELD, EnvShape::bounded));
        body.gain = velocity_gain(velocity);
        self.begin(length);
    }
}

impl Default for SamplerVoice {
    fn default() -> SamplerVoice {
        SamplerVoice::new()
    }
}

impl Sampler {
    /// The file's value at a place of the excerpt.
    #[inline]
    fn value(&self, file: &SampleFile, place: i64) -> f32 {
        let place = match self.reverse {
            false => self.first * ONE + place,
            true => self.first * ONE + self.length - ONE - place,
        };
        file.at(place, self.reading)
    }

    /// The next sample; past the end silence.
    #[inline]
    fn next(&mut self, file: &SampleFile) -> f32 {
        let round = self.length - self.crossing;
        if self.play == Play::Loop && self.place >= self.length {
            // However fast it goes, it stays within.
            self.place = self.crossing + (self.place - self.length) % (round - self.crossing).max(ONE);
        }
        let left = self.length - self.place;
        if left <= 0 {
            return 0.0;
        }
        let mut value = self.value(file, self.place);
        if self.play == Play::Loop {
            if left < self.crossing {
                let crossed = (self.crossing - left) as f32 / self.crossing as f32;
                value += (self.value(file, self.place - round) - value) * crossed;
            }
        } else {
            let samples = left as f32 / self.step as f32;
            if samples < FADE_OUT {
                value *= samples * (1.0 / FADE_OUT);
            }
        }
        if self.fade_in > 0 {
            value *= (FADE_IN - self.fade_in) as f32 * (1.0 / FADE_IN as f32);
            self.fade_in -= 1;
        }
        self.place += self.step;
        value
    }
}

impl Body for Sampler {
    fn quantum(&mut self) -> Quantum {
        let mut out = [0.0; QUANTUM];
        // Taken out and put back: no count moves.
        if let Some(file) = self.file.take() {
            for sample in &mut out {
                *sample = self.next(&file) * self.gain;
            }
            self.file = Some(file);
        }
        out
    }

    #[inline]
    fn shape(&mut self, samples: &mut [f32]) {
        if self.enveloped {
            self.amp.shape(samples);
        }
    }

    fn is_over(&self) -> bool {
        let ended = self.play != Play::Loop && self.place >= self.length;
        ended || (self.enveloped && self.amp.is_over())
    }

    fn release(&mut self) {
        if self.play != Play::Once {
            self.amp.release();
        }
    }
}
