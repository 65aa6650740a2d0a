//! A track's voices.
//!
//! Thread: audio. Realtime-safe: yes. Drums ring on over each other, three deep; hats choke
//! themselves; synths play eight notes, the bass one.

use std::sync::Arc;

use super::cues::Cue;
use super::locked::Sounding;
use super::notes::VOICES;
use crate::dsp::{
    Character, ClapVoice, CymbalVoice, EnvShape, Excerpt, FmVoice, HatKind, HatVoice, KickVoice, Patch,
    PercVoice, Play, QUANTUM, Quantum, SampleFile, SamplerVoice, ShakerVoice, SnareVoice, Strike, SynthVoice,
    TomVoice, math,
};
use crate::param::{Owner, Param, TrackIndex};
use crate::pattern::{self, Pitch, Track, Voice};

/// How many strokes of a drum may ring at once.
const DRUMS: usize = 3;

/// The voices of one kind that a track plays.
// A track may change its voice on the audio thread, so every kind lives in place.
#[allow(clippy::large_enum_variant)]
pub(super) enum Instrument {
    Kick([KickVoice; DRUMS]),
    Snare([SnareVoice; DRUMS]),
    Hat([HatVoice; DRUMS]),
    Clap([ClapVoice; DRUMS]),
    Tom([TomVoice; DRUMS]),
    Perc([PercVoice; DRUMS]),
    Shaker([ShakerVoice; DRUMS]),
    Cymbal([CymbalVoice; DRUMS]),
    Synth([SynthVoice; VOICES], Patch),
    Bass([SynthVoice; 1]),
    Fm([FmVoice; VOICES]),
    Sampler([SamplerVoice; VOICES], Option<Arc<SampleFile>>),
}

/// Does the same with the voices of whatever kind.
macro_rules! each {
    ($instrument:expr, $voices:ident => $does:expr) => {
        match $instrument {
            Instrument::Kick($voices) => $does,
            Instrument::Snare($voices) => $does,
            Instrument::Hat($voices) => $does,
            Instrument::Clap($voices) => $does,
            Instrument::Tom($voices) => $does,
            Instrument::Perc($voices) => $does,
            Instrument::Shaker($voices) => $does,
            Instrument::Cymbal($voices) => $does,
            Instrument::Synth($voices, _) => $does,
            Instrument::Bass($voices) => $does,
            Instrument::Fm($voices) => $does,
            Instrument::Sampler($voices, _) => $does,
        }
    };
}

/// What every stroke of a track has in common at the moment.
#[derive(Clone, Copy)]
pub(super) struct Touch {
    /// Multiplies the decay times.
    pub(super) decay: f32,
    /// The envelope that is stated; `None` for the voice's own.
    pub(super) shape: Option<EnvShape>,
    /// What is turned on the voice.
    pub(super) character: Character,
    /// What of a sample file is played.
    pub(super) excerpt: Excerpt,
}

impl Touch {
    /// As the voices were made.
    pub(super) const NEUTRAL: Touch =
        Touch { decay: 1.0, shape: None, character: Character::NEUTRAL, excerpt: Excerpt::WHOLE };

    /// An owner's.
    pub(super) fn of(param: &impl Fn(Param) -> f32) -> Touch {
        let stated = EnvShape {
            attack_s: param(Param::EnvAttack),
            decay_s: param(Param::EnvDecay),
            sustain: param(Param::EnvSustain),
            release_s: param(Param::EnvRelease),
        };
        let character = Character {
            tone: param(Param::VoiceTone),
            punch: param(Param::VoicePunch),
            noise: param(Param::VoiceNoise),
            bend: param(Param::VoiceBend),
            drive: param(Param::VoiceDrive),
            spread: param(Param::VoiceSpread),
            sub: param(Param::VoiceSub),
            glide_s: param(Param::VoiceGlide),
            ratio: param(Param::VoiceRatio),
        };
        let shape = (param(Param::EnvEnabled) >= 0.5).then_some(stated);
        let excerpt = Excerpt {
            from: param(Param::SampleStart),
            to: param(Param::SampleEnd),
            reverse: param(Param::SampleReverse) >= 0.5,
            play: [Play::Once, Play::Held, Play::Loop][(param(Param::SamplePlay) as usize).min(2)],
        };
        Touch { decay: param(Param::Decay), shape, character, excerpt }
    }
}

/// The voice of a track.
pub(super) fn voice_of(track: &Track) -> Voice {
    pattern::voice_of(track).voice
}

/// Voices a kind has.
pub(super) fn polyphony(voice: Voice) -> usize {
    match voice {
        Voice::Bass => 1,
        Voice::Synth | Voice::Pad | Voice::Fm | Voice::Sampler => VOICES,
        _ => DRUMS,
    }
}

/// A voice's own pitch in Hz, and the MIDI note that stands for it.
fn own_pitch(voice: Voice) -> (f32, u8) {
    match voice {
        Voice::Kick => (KickVoice::PITCH_HZ, 36),
        Voice::Snare => (SnareVoice::PITCH_HZ, 38),
        Voice::ClosedHat => (HatVoice::PITCH_HZ, 42),
        Voice::OpenHat => (HatVoice::PITCH_HZ, 46),
        Voice::Clap => (ClapVoice::PITCH_HZ, 39),
        Voice::Tom => (TomVoice::PITCH_HZ, 45),
        Voice::Perc => (PercVoice::PITCH_HZ, 60),
        Voice::Shaker => (ShakerVoice::PITCH_HZ, 70),
        Voice::Cymbal => (CymbalVoice::PITCH_HZ, 49),
        Voice::Bass => (0.5 * SynthVoice::PITCH_HZ, 33),
        Voice::Synth | Voice::Pad => (SynthVoice::PITCH_HZ, 45),
        Voice::Fm => (FmVoice::PITCH_HZ, 57),
        Voice::Sampler => (SamplerVoice::PITCH_HZ, 60),
    }
}

/// The MIDI note that stands for a voice's own pitch: what steps without a note play.
pub fn own_note(voice: Voice) -> u8 {
    own_pitch(voice).1
}

/// The pitch in Hz and the MIDI note of a stroke: the step's note, else the track's pitch, else the
/// voice's own. A drum's General MIDI note is its own pitch; other notes transpose it.
pub(super) fn pitch_of(song: &Sounding<'_>, track: TrackIndex, step_note: Option<u8>) -> (f32, u8) {
    let pattern = song.track(track);
    let voice = voice_of(pattern);
    let (own_hz, own_note) = own_pitch(voice);
    let note_hz = |note: u8| match voice {
        _ if voice.is_held() => math::midi_hz(f32::from(note)),
        _ => own_hz * math::semitones(f32::from(note) - f32::from(own_note)),
    };
    let (hz, note) = match (step_note, pattern.pitch) {
        (Some(note), _) | (None, Some(Pitch::Note(note))) => (note_hz(note), note),
        (None, Some(Pitch::Hertz(hz))) => (hz, note_near(hz)),
        (None, None) => (own_hz, own_note),
    };
    let tune = song.param(Owner::Track(track), Param::Tune);
    (if tune == 0.0 { hz } else { hz * math::semitones(tune) }, note.min(127))
}

/// The MIDI note nearest to a frequency.
fn note_near(hz: f32) -> u8 {
    let note = 69.0 + 12.0 * libm::log2f(hz.max(1.0) / 440.0);
    (note + 0.5).clamp(0.0, 127.0) as u8
}

impl Instrument {
    pub(super) fn new(voice: Voice) -> Instrument {
        use std::array::from_fn;
        match voice {
            Voice::Kick => Instrument::Kick(from_fn(|_| KickVoice::new())),
            Voice::Snare => Instrument::Snare(from_fn(|_| SnareVoice::new())),
            Voice::ClosedHat => Instrument::Hat(from_fn(|_| HatVoice::new(HatKind::Closed))),
            Voice::OpenHat => Instrument::Hat(from_fn(|_| HatVoice::new(HatKind::Open))),
            Voice::Clap => Instrument::Clap(from_fn(|_| ClapVoice::new())),
            Voice::Tom => Instrument::Tom(from_fn(|_| TomVoice::new())),
            Voice::Perc => Instrument::Perc(from_fn(|_| PercVoice::new())),
            Voice::Shaker => Instrument::Shaker(from_fn(|_| ShakerVoice::new())),
            Voice::Cymbal => Instrument::Cymbal(from_fn(|_| CymbalVoice::new())),
            Voice::Synth => Instrument::synth(Patch::Lead),
            Voice::Pad => Instrument::synth(Patch::Pad),
            Voice::Bass => Instrument::Bass([SynthVoice::of(Patch::Bass)]),
            Voice::Fm => Instrument::Fm(from_fn(|_| FmVoice::new())),
            Voice::Sampler => Instrument::sampler(None),
        }
    }

    fn synth(patch: Patch) -> Instrument {
        Instrument::Synth(std::array::from_fn(|_| SynthVoice::of(patch)), patch)
    }

    /// Plays a file; silent while there is none.
    pub(super) fn sampler(file: Option<Arc<SampleFile>>) -> Instrument {
        Instrument::Sampler(std::array::from_fn(|_| SamplerVoice::new()), file)
    }

    /// Silences every voice at once.
    pub(super) fn reset(&mut self) {
        each!(self, voices => voices.iter_mut().for_each(|voice| voice.reset()));
    }

    /// Whether all voices are silent until one is struck.
    pub(super) fn is_silent(&self) -> bool {
        each!(self, voices => voices.iter().all(|voice| voice.is_silent()))
    }

    /// Plays a quantum under its cues into `out`, which holds zeros.
    pub(super) fn render(&mut self, cues: &[(u8, Cue)], touch: Touch, out: &mut Quantum) {
        let mut from = 0;
        for (at, (offset, cue)) in cues.iter().enumerate() {
            let offset = usize::from(*offset).min(QUANTUM);
            if offset > from {
                self.sound(from, offset, out);
                from = offset;
            }
            // A note that another follows on the same sample is bound to it.
            let bound =
                |(next, cue): &(u8, Cue)| usize::from(*next) == offset && matches!(cue, Cue::Strike { .. });
            let is_bound = matches!((&*self, cue), (Instrument::Bass(_), Cue::Release { .. }))
                && cues[at + 1..].iter().any(bound);
            if !is_bound {
                self.follow(cue, touch);
            }
        }
        self.sound(from, out.len(), out);
    }

    fn sound(&mut self, from: usize, to: usize, out: &mut Quantum) {
        each!(self, voices => voices.iter_mut().for_each(|voice| voice.render_add(from, to, out)));
    }

    fn follow(&mut self, cue: &Cue, touch: Touch) {
        match *cue {
            Cue::Choke => each!(self, voices => voices.iter_mut().for_each(|voice| voice.choke())),
            Cue::Release { voice } => {
                let at = usize::from(voice);
                match self {
                    Instrument::Synth(voices, _) => voices[at % VOICES].release(),
                    Instrument::Bass(voices) => voices[0].release(),
                    Instrument::Fm(voices) => voices[at % VOICES].release(),
                    Instrument::Sampler(voices, _) => voices[at % VOICES].release(),
                    _ => {}
                }
            }
            Cue::Strike { voice, pitch_hz, velocity, seed, legato } => {
                let Touch { decay, character, .. } = touch;
                let strike = Strike { pitch_hz, velocity, decay, seed, length: None, character };
                if let (Instrument::Bass([voice]), true) = (&mut *self, legato) {
                    voice.slide(strike, touch.shape.unwrap_or(Patch::Bass.shape()));
                } else if let Instrument::Sampler(voices, Some(file)) = self {
                    voices[usize::from(voice) % VOICES].strike(strike, file, touch.excerpt, touch.shape);
                } else {
                    self.strike(usize::from(voice), strike, touch.shape);
                }
            }
        }
    }

    fn strike(&mut self, voice: usize, strike: Strike, shape: Option<EnvShape>) {
        let drum = voice % DRUMS;
        match self {
            Instrument::Kick(voices) => voices[drum].strike(strike),
            Instrument::Snare(voices) => voices[drum].strike(strike),
            Instrument::Hat(voices) => {
                voices.iter_mut().for_each(|voice| voice.choke());
                voices[drum].strike(strike);
            }
            Instrument::Clap(voices) => voices[drum].strike(strike),
            Instrument::Tom(voices) => voices[drum].strike(strike),
            Instrument::Perc(voices) => voices[drum].strike(strike),
            Instrument::Shaker(voices) => voices[drum].strike(strike),
            Instrument::Cymbal(voices) => voices[drum].strike(strike),
            Instrument::Synth(voices, patch) => {
                voices[voice % VOICES].strike(strike, shape.unwrap_or(patch.shape()));
            }
            Instrument::Bass(voices) => voices[0].strike(strike, shape.unwrap_or(Patch::Bass.shape())),
            Instrument::Fm(voices) => voices[voice % VOICES].strike(strike, shape.unwrap_or(FmVoice::SHAPE)),
            // Its file is missing.
            Instrument::Sampler(..) => {}
        }
    }
}
