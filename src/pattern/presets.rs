//! Sounds and grooves to begin with: the factory's, and how one goes into a song.
//!
//! A preset is a text of the notation, so that a musician can read, change and send one. A sound
//! speaks of one track, whatever its name; a groove of several, each of which finds the track of the
//! same name. Thread: any but audio (allocates). Invariant: a preset changes a song by edits alone.

use std::sync::LazyLock;

use super::{Edit, Name, PatternIndex, Song, hash, text, voice_named};
use crate::param::{Owner, Param, Slot, TrackIndex};

/// A sound or a groove under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preset {
    /// One word.
    pub name: &'static str,
    /// What it is for: an instrument of a sound, a style of a groove.
    pub kind: &'static str,
    /// What to expect, in some words.
    pub about: &'static str,
    /// The notation.
    pub text: &'static str,
}

/// The factory's sounds.
pub fn sounds() -> &'static [Preset] {
    static SOUNDS: LazyLock<Vec<Preset>> = LazyLock::new(|| bank(include_str!("presets/sounds.txt")));
    &SOUNDS
}

/// The factory's grooves.
pub fn grooves() -> &'static [Preset] {
    static GROOVES: LazyLock<Vec<Preset>> = LazyLock::new(|| bank(include_str!("presets/grooves.txt")));
    &GROOVES
}

/// A bank's presets: each begins with a line `@ name, kind: about`.
fn bank(source: &'static str) -> Vec<Preset> {
    let presets = source.split("\n@ ").skip(1);
    let preset = |preset: &'static str| {
        let (head, text) = preset.split_once('\n')?;
        let (name, rest) = head.split_once(", ")?;
        let (kind, about) = rest.split_once(": ")?;
        Some(Preset { name, kind, about, text })
    };
    presets.filter_map(preset).collect()
}

/// Why a preset does not fit into a song.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PresetError {
    /// A sound's text has no track.
    #[error("the sound names no track: one statement such as `sample sound: kick` is needed")]
    NoTrack,
    /// A groove's tracks find no place.
    #[error("there is no room for the groove's track '{0}': remove a track first")]
    NoRoom(Name),
}

/// Whether a parameter belongs to a track's sound, and not to its place in the mix or its groove.
fn of_sound(param: Param) -> bool {
    let id = param.spec().id;
    let mix = matches!(param, Param::Level | Param::Pan | Param::Mute);
    !mix && !id.starts_with("groove.") && !id.starts_with("send")
}

impl Song {
    /// The edits that give a track the sound of a preset's first track: its voice, its effects, its
    /// pitch where the preset states one. Level, place in the panorama, notes and groove stay.
    ///
    /// # Errors
    /// The preset has no track.
    pub fn sound_edits(&self, track: TrackIndex, preset: &Song) -> Result<Vec<Edit>, PresetError> {
        let (source, record) = preset.alive().next().ok_or(PresetError::NoTrack)?;
        let mut song = Box::new(self.clone());
        copy_sound(&mut song, track, preset, source);
        song.tracks[track.get()].pitch = record.pitch.or(self.track(track).pitch);
        Ok(song.edits_since(self))
    }

    /// The edits that lay a groove over a song: of each of its tracks the first pattern goes into the
    /// pattern that the track of the same name plays, with its grooves; a track that the song does
    /// not have is added, with its sound. Tracks that the groove does not name stay as they are.
    ///
    /// # Errors
    /// The song has no place for a further track.
    pub fn groove_edits(&self, groove: &Song) -> Result<Vec<Edit>, PresetError> {
        let mut song = Box::new(self.clone());
        for (source, record) in groove.alive() {
            let to = match song.track_named(record.name.as_str()) {
                Some(to) => to,
                None => {
                    let free = TrackIndex::all().find(|to| !song.track(*to).alive);
                    let to = free.ok_or(PresetError::NoRoom(record.name))?;
                    let added = &mut song.tracks[to.get()];
                    (added.alive, added.name, added.pitch) = (true, record.name, record.pitch);
                    copy_sound(&mut song, to, groove, source);
                    for param in [Param::Level, Param::Pan, Param::SendReverb, Param::SendDelay] {
                        copy_param(&mut song, to, groove, source, param);
                    }
                    to
                }
            };
            let track = &mut song.tracks[to.get()];
            track.patterns[track.pattern.get()] = record.patterns[PatternIndex::FIRST.get()];
            (track.overflow, track.lanes) = (record.overflow, record.lanes);
            (track.groove_steps, track.groove_template) = (record.groove_steps, record.groove_template);
            for param in Param::ALL.into_iter().filter(|param| param.spec().id.starts_with("groove.")) {
                copy_param(&mut song, to, groove, source, param);
            }
        }
        Ok(song.edits_since(self))
    }

    /// A track's sound alone, as a preset of one track called `sound`.
    pub fn sound_of(&self, track: TrackIndex) -> Box<Song> {
        let mut preset = Box::new(Song::new());
        let place = TrackIndex::all().next().expect("a song has a first track");
        let name = Name::new("sound").expect("a short word");
        let own = self.track(track);
        copy_sound(&mut preset, place, self, track);
        let only = &mut preset.tracks[place.get()];
        (only.alive, only.name, only.pitch) = (true, name, own.pitch);
        if own.sample.is_empty() && own.file.is_none() {
            // The name is gone that chose the voice.
            let says = !voice_named(&name, &own.name).stands_in;
            only.sample = if says { own.name } else { Name::new("synth").expect("a short word") };
        }
        preset
    }

    /// The patterns that play, with their tracks' sounds and grooves, as a preset.
    pub fn groove_of(&self) -> Box<Song> {
        let mut preset = Box::new(Song::new());
        for (at, own) in self.alive() {
            let only = &mut preset.tracks[at.get()];
            (only.alive, only.name, only.sample, only.pitch) = (true, own.name, own.sample, own.pitch);
            only.file = own.file;
            (only.overflow, only.lanes) = (own.overflow, own.lanes);
            (only.groove_steps, only.groove_template) = (own.groove_steps, own.groove_template);
            only.patterns[0] = *own.playing();
            Param::ALL.into_iter().for_each(|param| copy_param(&mut preset, at, self, at, param));
        }
        preset
    }

    /// The edits that give a track another sound by chance, within what is musical. The same seed
    /// gives the same sound, on every machine. The voice stays.
    pub fn random_sound_edits(&self, track: TrackIndex, seed: u32) -> Vec<Edit> {
        let mut song = Box::new(self.clone());
        let owner = Owner::Track(track);
        for param in Param::ALL.into_iter().filter(|param| of_sound(*param)) {
            song.params[Slot::new(owner, param).index()] = param.spec().default;
        }
        for (n, dice) in DICE.iter().enumerate() {
            // Equal on every track, so that a seed can be told to somebody else.
            let roll =
                |salt| (hash(hash(u64::from(seed), n as u64), salt) >> 40) as f32 / (1u32 << 24) as f32;
            if roll(0) >= dice.used {
                continue;
            }
            for (salt, (param, from, to)) in dice.params.iter().enumerate() {
                let spec = param.spec();
                let (from, to) = (spec.travel_of(*from), spec.travel_of(*to));
                let value = spec.value_at(from + (to - from) * roll(1 + salt as u64));
                song.params[Slot::new(owner, *param).index()] = value;
            }
        }
        song.edits_since(self)
    }
}

fn copy_sound(song: &mut Song, to: TrackIndex, preset: &Song, from: TrackIndex) {
    let source = preset.track(from);
    (song.tracks[to.get()].sample, song.tracks[to.get()].file) = (source.sample, source.file);
    for param in Param::ALL.into_iter().filter(|param| of_sound(*param)) {
        copy_param(song, to, preset, from, param);
    }
}

fn copy_param(song: &mut Song, to: TrackIndex, preset: &Song, from: TrackIndex, param: Param) {
    let slot = Slot::new(Owner::Track(to), param);
    song.params[slot.index()] = preset.param(Owner::Track(from), param);
}

/// A module that chance may use, and how far each of its parameters goes.
struct Dice {
    /// How often it is used, 0 to 1.
    used: f32,
    params: &'static [(Param, f32, f32)],
}

const DICE: [Dice; 13] = [
    Dice { used: 0.7, params: &[(Param::Tune, -7.0, 7.0)] },
    Dice { used: 0.8, params: &[(Param::Decay, 0.4, 2.5)] },
    // Low-pass alone: what is left of a kick above a few hundred Hz is not musical.
    Dice { used: 0.7, params: &[(Param::FilterFreq, 700.0, 16_000.0), (Param::FilterQ, 0.5, 4.0)] },
    Dice { used: 0.7, params: &[(Param::VoiceTone, -0.6, 0.6), (Param::VoicePunch, -0.6, 0.8)] },
    Dice {
        used: 0.5,
        params: &[
            (Param::VoiceNoise, -0.6, 0.6),
            (Param::VoiceSpread, -0.6, 0.8),
            (Param::VoiceWidth, -0.5, 0.6),
        ],
    },
    Dice { used: 0.4, params: &[(Param::VoiceBend, -0.4, 0.4), (Param::VoiceDrive, 0.0, 0.5)] },
    Dice { used: 0.4, params: &[(Param::DistortAmount, 0.1, 0.8), (Param::DistortMix, 0.1, 0.6)] },
    Dice {
        used: 0.6,
        params: &[
            (Param::EnvEnabled, 1.0, 1.0),
            (Param::EnvAttack, 0.001, 0.08),
            (Param::EnvDecay, 0.05, 0.9),
            (Param::EnvSustain, 0.0, 0.8),
            (Param::EnvRelease, 0.03, 0.8),
        ],
    },
    Dice {
        used: 0.35,
        params: &[
            (Param::DelaySync, 4.0, 10.0),
            (Param::DelayFeedback, 0.1, 0.6),
            (Param::DelayMix, 0.1, 0.35),
        ],
    },
    Dice { used: 0.35, params: &[(Param::ReverbDecay, 0.6, 4.0), (Param::ReverbMix, 0.08, 0.35)] },
    Dice {
        used: 0.3,
        params: &[
            (Param::ChorusRate, 0.3, 3.0),
            (Param::ChorusDepth, 0.2, 0.7),
            (Param::ChorusMix, 0.15, 0.5),
        ],
    },
    Dice {
        used: 0.2,
        params: &[
            (Param::PhaserRate, 0.1, 1.5),
            (Param::PhaserDepth, 0.3, 0.8),
            (Param::PhaserMix, 0.15, 0.5),
        ],
    },
    Dice { used: 0.3, params: &[(Param::LfoFreqRate, 0.2, 6.0), (Param::LfoFreqDepth, 0.1, 0.5)] },
];

/// Reads a preset's text; what the factory holds reads without a warning.
///
/// # Errors
/// As [`text::read`].
pub fn read(source: &str) -> Result<Box<Song>, Vec<text::Diagnostic>> {
    text::read(source).map(|reading| Box::new(reading.song))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn song(preset: &Preset) -> Box<Song> {
        let reading = text::read(preset.text).unwrap_or_else(|found| panic!("{}: {found:?}", preset.name));
        assert!(reading.warnings.is_empty(), "{}: {:?}", preset.name, reading.warnings);
        Box::new(reading.song)
    }

    fn applied(before: &Song, edits: &[Edit]) -> Box<Song> {
        let mut song = Box::new(before.clone());
        for edit in edits {
            song.apply(&edit.check().expect("an edit within bounds"));
        }
        song
    }

    #[test]
    fn the_factory_reads_and_every_preset_differs() {
        assert!(sounds().len() >= 24 && grooves().len() >= 16);
        let names: BTreeSet<_> = sounds().iter().chain(grooves()).map(|preset| preset.name).collect();
        assert_eq!(names.len(), sounds().len() + grooves().len());
        let kinds: BTreeSet<_> = grooves().iter().map(|preset| preset.kind).collect();
        assert!(kinds.len() >= 12, "{kinds:?}");
        let heard: BTreeSet<_> = sounds().iter().map(|preset| song(preset).digest()).collect();
        assert_eq!(heard.len(), sounds().len());
        for sound in sounds() {
            let song = song(sound);
            let (_, track) = song.alive().next().expect("a track");
            assert_eq!(song.alive().count(), 1, "{}", sound.name);
            assert!(!track.sample.is_empty(), "{} states no voice", sound.name);
        }
    }

    #[test]
    fn a_sound_moves_nothing_but_the_sound() {
        let before = song(&grooves()[0]);
        let (track, held) = before.alive().next().expect("a track");
        for sound in sounds() {
            let edits = before.sound_edits(track, &song(sound)).expect("a track");
            let after = applied(&before, &edits);
            assert_eq!(after.track(track).patterns, held.patterns);
            assert_eq!(
                after.param(Owner::Track(track), Param::Level),
                before.param(Owner::Track(track), Param::Level)
            );
            assert_eq!(after.track(track).sample, song(sound).alive().next().expect("a track").1.sample);
            assert!(after.sound_edits(track, &song(sound)).expect("a track").is_empty(), "{}", sound.name);
            let others = |edit: &Edit| edit.register().track().is_some_and(|other| other != track);
            assert!(!edits.iter().any(others));
        }
        assert_eq!(before.sound_edits(track, &Song::new()), Err(PresetError::NoTrack));
    }

    #[test]
    fn a_groove_finds_the_tracks_it_names_and_adds_the_others() {
        for groove in grooves() {
            let groove_song = song(groove);
            let empty = Box::new(Song::new());
            let fresh = applied(&empty, &empty.groove_edits(&groove_song).expect("room"));
            assert_eq!(fresh.alive().count(), groove_song.alive().count(), "{}", groove.name);
            let notes: usize =
                fresh.alive().map(|(_, track)| track.playing().steps.iter().filter(|s| s.on).count()).sum();
            assert!(notes >= 6, "{}: {notes} notes", groove.name);
            assert_eq!(fresh.groove_edits(&groove_song), Ok(Vec::new()), "{}", groove.name);
        }
    }

    #[test]
    fn a_groove_without_room_is_refused() {
        let mut full = Box::new(Song::new());
        for (n, track) in full.tracks.iter_mut().enumerate() {
            (track.alive, track.name) = (true, Name::new(&format!("other{n}")).expect("a name"));
        }
        let error = full.groove_edits(&song(&grooves()[0])).expect_err("no room");
        assert!(matches!(error, PresetError::NoRoom(_)));
    }

    #[test]
    fn a_seed_gives_one_sound() {
        let before = song(&grooves()[0]);
        let (track, _) = before.alive().next().expect("a track");
        let sounds: BTreeSet<_> = (0..50)
            .map(|seed| {
                let edits = before.random_sound_edits(track, seed);
                assert_eq!(edits, before.random_sound_edits(track, seed));
                applied(&before, &edits).digest()
            })
            .collect();
        assert!(sounds.len() > 45, "{} sounds of 50 seeds", sounds.len());
    }
}
