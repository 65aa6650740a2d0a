//! A track's voices.
//!
//! Thread: audio. Realtime-safe: yes. Drums ring on over each other, three deep; hats choke
//! themselves; the synth plays eight notes.

use super::cues::Cue;
use super::locked::Sounding;
use super::notes::VOICES;
use crate::dsp::{EnvShape, HatKind, HatVoice, KickVoice, Quantum, SnareVoice, Strike, SynthVoice, math};
use crate::param::{Owner, Param, TrackIndex};
use crate::pattern::{Pitch, Track, Voice, voice_named};

/// How many strokes of a drum may ring at once.
const DRUMS: usize = 3;

/// The voices of one kind that a track plays.
// A track may change its voice on the audio thread, so every kind lives in place.
#[allow(clippy::large_enum_variant)]
pub(super) enum Instrument {
    Kick([KickVoice; DRUMS]),
    Snare([SnareVoice; DRUMS]),
    Hat([HatVoice; DRUMS]),
    Synth([SynthVoice; VOICES]),
}

/// What every stroke of a track has in common at the moment.
#[derive(Clone, Copy)]
pub(super) struct Touch {
    /// Multiplies the decay times.
    pub(super) decay: f32,
    /// The synth's envelope.
    pub(super) shape: EnvShape,
}

impl Touch {
    pub(super) fn of(song: &Sounding<'_>, track: TrackIndex) -> Touch {
        let param = |param| song.param(Owner::Track(track), param);
        let stated = EnvShape {
            attack_s: param(Param::EnvAttack),
            decay_s: param(Param::EnvDecay),
            sustain: param(Param::EnvSustain),
            release_s: param(Param::EnvRelease),
        };
        let shape = if param(Param::EnvEnabled) >= 0.5 { stated } else { EnvShape::DEFAULT };
        Touch { decay: param(Param::Decay), shape }
    }
}

/// The voice of a track.
pub(super) fn voice_of(track: &Track) -> Voice {
    voice_named(&track.name, &track.sample).voice
}

/// Voices a kind has.
pub(super) fn polyphony(voice: Voice) -> usize {
    if voice == Voice::Synth { VOICES } else { DRUMS }
}

/// A voice's own pitch in Hz, and the MIDI note that stands for it.
fn own_pitch(voice: Voice) -> (f32, u8) {
    match voice {
        Voice::Kick => (KickVoice::PITCH_HZ, 36),
        Voice::Snare => (SnareVoice::PITCH_HZ, 38),
        Voice::ClosedHat => (HatVoice::PITCH_HZ, 42),
        Voice::OpenHat => (HatVoice::PITCH_HZ, 46),
        Voice::Synth => (SynthVoice::PITCH_HZ, 45),
    }
}

/// The pitch in Hz and the MIDI note of a stroke: the step's note, else the track's pitch, else the
/// voice's own. A drum's General MIDI note is its own pitch; other notes transpose it.
pub(super) fn pitch_of(song: &Sounding<'_>, track: TrackIndex, step_note: Option<u8>) -> (f32, u8) {
    let pattern = song.track(track);
    let voice = voice_of(pattern);
    let (own_hz, own_note) = own_pitch(voice);
    let note_hz = |note: u8| match voice {
        Voice::Synth => math::midi_hz(f32::from(note)),
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
        match voice {
            Voice::Kick => Instrument::Kick(std::array::from_fn(|_| KickVoice::new())),
            Voice::Snare => Instrument::Snare(std::array::from_fn(|_| SnareVoice::new())),
            Voice::ClosedHat => Instrument::Hat(std::array::from_fn(|_| HatVoice::new(HatKind::Closed))),
            Voice::OpenHat => Instrument::Hat(std::array::from_fn(|_| HatVoice::new(HatKind::Open))),
            Voice::Synth => Instrument::Synth(std::array::from_fn(|_| SynthVoice::new())),
        }
    }

    /// Silences every voice at once.
    pub(super) fn reset(&mut self) {
        match self {
            Instrument::Kick(voices) => voices.iter_mut().for_each(|voice| voice.reset()),
            Instrument::Snare(voices) => voices.iter_mut().for_each(|voice| voice.reset()),
            Instrument::Hat(voices) => voices.iter_mut().for_each(|voice| voice.reset()),
            Instrument::Synth(voices) => voices.iter_mut().for_each(|voice| voice.reset()),
        }
    }

    /// Whether all voices are silent until one is struck.
    pub(super) fn is_silent(&self) -> bool {
        match self {
            Instrument::Kick(voices) => voices.iter().all(|voice| voice.is_silent()),
            Instrument::Snare(voices) => voices.iter().all(|voice| voice.is_silent()),
            Instrument::Hat(voices) => voices.iter().all(|voice| voice.is_silent()),
            Instrument::Synth(voices) => voices.iter().all(|voice| voice.is_silent()),
        }
    }

    /// Plays a quantum under its cues into `out`, which holds zeros.
    pub(super) fn render(&mut self, cues: &[(u8, Cue)], touch: Touch, out: &mut Quantum) {
        let mut from = 0;
        for (offset, cue) in cues {
            let offset = usize::from(*offset).min(out.len());
            if offset > from {
                self.sound(from, offset, out);
                from = offset;
            }
            self.follow(cue, touch);
        }
        self.sound(from, out.len(), out);
    }

    fn sound(&mut self, from: usize, to: usize, out: &mut Quantum) {
        match self {
            Instrument::Kick(voices) => voices.iter_mut().for_each(|voice| voice.render_add(from, to, out)),
            Instrument::Snare(voices) => voices.iter_mut().for_each(|voice| voice.render_add(from, to, out)),
            Instrument::Hat(voices) => voices.iter_mut().for_each(|voice| voice.render_add(from, to, out)),
            Instrument::Synth(voices) => voices.iter_mut().for_each(|voice| voice.render_add(from, to, out)),
        }
    }

    fn follow(&mut self, cue: &Cue, touch: Touch) {
        match *cue {
            Cue::Choke => match self {
                Instrument::Kick(voices) => voices.iter_mut().for_each(|voice| voice.choke()),
                Instrument::Snare(voices) => voices.iter_mut().for_each(|voice| voice.choke()),
                Instrument::Hat(voices) => voices.iter_mut().for_each(|voice| voice.choke()),
                Instrument::Synth(voices) => voices.iter_mut().for_each(|voice| voice.choke()),
            },
            Cue::Release { voice } => {
                if let Instrument::Synth(voices) = self {
                    voices[usize::from(voice) % VOICES].release();
                }
            }
            Cue::Strike { voice, pitch_hz, velocity, seed, legato: _ } => {
                let strike = Strike { pitch_hz, velocity, decay: touch.decay, seed, length: None };
                let drum = usize::from(voice) % DRUMS;
                match self {
                    Instrument::Kick(voices) => voices[drum].strike(strike),
                    Instrument::Snare(voices) => voices[drum].strike(strike),
                    Instrument::Hat(voices) => {
                        voices.iter_mut().for_each(|voice| voice.choke());
                        voices[drum].strike(strike);
                    }
                    Instrument::Synth(voices) => {
                        voices[usize::from(voice) % VOICES].strike(strike, touch.shape);
                    }
                }
            }
        }
    }
}
