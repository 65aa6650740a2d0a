//! What must be written to make one song of another.

use std::sync::LazyLock;

use super::song::PATTERNS;
use super::{
    ClipRegister, ContextRegister, Edit, LANES, MAX_CHORDS, MAX_CLIPS, MAX_METRES, MAX_PATTERNS, MAX_SCENES,
    MAX_SECTIONS, MAX_STEPS, PatternIndex, PatternRegister, Register, SceneRegister, SectionRegister, Song,
    StepRegister, TrackRegister,
};
use crate::param::{Slot, TrackIndex};

impl Song {
    /// The edits that make `self` out of `before`, in the order of their registers.
    pub fn edits_since(&self, before: &Song) -> Vec<Edit> {
        let mut differ = [[false; MAX_PATTERNS]; PATTERNS / MAX_PATTERNS];
        for (track, (new, old)) in self.tracks.iter().zip(before.tracks.iter()).enumerate() {
            for (pattern, (new, old)) in new.patterns.iter().zip(&old.patterns).enumerate() {
                differ[track][pattern] = new != old;
            }
        }
        let changed = |register: &Register| self.read(*register) != before.read(*register);
        let registers = registers(move |track, pattern| differ[track.get()][pattern.get()]);
        registers.filter(changed).map(|register| self.read(register)).collect()
    }

    /// The edits that make this song out of [`Song::new`].
    pub fn edits(&self) -> Vec<Edit> {
        static UNTOUCHED: LazyLock<Song> = LazyLock::new(Song::new);
        self.edits_since(&UNTOUCHED)
    }
}

impl Register {
    /// Every register of a song, in order.
    pub fn all() -> impl Iterator<Item = Register> {
        registers(|_, _| true)
    }

    /// Every register of one pattern, in order.
    pub fn of_pattern(track: TrackIndex, pattern: PatternIndex) -> impl Iterator<Item = Register> {
        cells(track, pattern).chain(heads(track, pattern)).chain(locks(track, pattern))
    }

    /// Every register of what is stored at a track's place but its parameters, in order.
    pub fn of_track(track: TrackIndex) -> impl Iterator<Item = Register> {
        let fields = TrackRegister::ALL.into_iter().map(move |key| Register::Track(track, key));
        let cells = PatternIndex::all().flat_map(move |pattern| cells(track, pattern));
        let heads = PatternIndex::all().flat_map(move |pattern| heads(track, pattern));
        let locks = PatternIndex::all().flat_map(move |pattern| locks(track, pattern));
        let lanes = (0..LANES as u8).map(move |lane| Register::Lane(track, lane));
        fields.chain(cells).chain(heads).chain(locks).chain(lanes)
    }
}

fn cells(track: TrackIndex, pattern: PatternIndex) -> impl Iterator<Item = Register> {
    let keys = |step| StepRegister::ALL.into_iter().map(move |key| (step, key));
    (0..MAX_STEPS as u8).flat_map(keys).map(move |(step, key)| Register::Step(track, pattern, step, key))
}

fn heads(track: TrackIndex, pattern: PatternIndex) -> impl Iterator<Item = Register> {
    PatternRegister::ALL.into_iter().map(move |key| Register::Pattern(track, pattern, key))
}

fn locks(track: TrackIndex, pattern: PatternIndex) -> impl Iterator<Item = Register> {
    let lanes = |step| (0..LANES as u8).map(move |lane| (step, lane));
    (0..MAX_STEPS as u8).flat_map(lanes).map(move |(step, lane)| Register::Lock(track, pattern, step, lane))
}

/// Every register, in order, but for the patterns that `wanted` leaves out.
fn registers(wanted: impl Fn(TrackIndex, PatternIndex) -> bool + Copy) -> impl Iterator<Item = Register> {
    let patterns = move || {
        TrackIndex::all()
            .flat_map(|track| PatternIndex::all().map(move |pattern| (track, pattern)))
            .filter(move |(track, pattern)| wanted(*track, *pattern))
    };
    let tracks = TrackIndex::all()
        .flat_map(|track| TrackRegister::ALL.into_iter().map(move |key| Register::Track(track, key)));
    let lanes =
        TrackIndex::all().flat_map(|track| (0..LANES as u8).map(move |lane| Register::Lane(track, lane)));
    std::iter::once(Register::Seed)
        .chain(tracks)
        .chain(patterns().flat_map(|(track, pattern)| cells(track, pattern)))
        .chain(Slot::all().map(Register::Param))
        .chain(patterns().flat_map(|(track, pattern)| heads(track, pattern)))
        .chain(patterns().flat_map(|(track, pattern)| locks(track, pattern)))
        .chain(lanes)
        .chain(whole())
}

/// The registers of the song as a whole.
fn whole() -> impl Iterator<Item = Register> {
    let places = |count: usize| (0..count).map(|place| place as u8);
    let scenes = places(MAX_SCENES)
        .flat_map(|scene| SceneRegister::ALL.into_iter().map(move |key| Register::Scene(scene, key)));
    let scene_tracks = places(MAX_SCENES)
        .flat_map(|scene| TrackIndex::all().map(move |track| Register::SceneTrack(scene, track)));
    let clips = places(MAX_CLIPS)
        .flat_map(|clip| ClipRegister::ALL.into_iter().map(move |key| Register::Clip(clip, key)));
    let sections = places(MAX_SECTIONS)
        .flat_map(|section| SectionRegister::ALL.into_iter().map(move |key| Register::Section(section, key)));
    scenes
        .chain(scene_tracks)
        .chain(clips)
        .chain(sections)
        .chain(places(MAX_METRES).map(Register::Metre))
        .chain(places(MAX_CHORDS).map(Register::Chord))
        .chain(ContextRegister::ALL.into_iter().map(Register::Context))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_come_in_order_and_read_as_themselves() {
        let song = Song::new();
        let mut before = None;
        let mut names = std::collections::BTreeSet::new();
        for register in Register::all() {
            assert!(before < Some(register), "{register:?} after {before:?}");
            assert_eq!(song.read(register).register(), register);
            assert_eq!(register.check(), Ok(()));
            assert_eq!(song.read(register).check(), Ok(song.read(register)));
            assert!((0.0..=1.0).contains(&register.importance()));
            names.insert(register.name());
            before = Some(register);
        }
        println!("{} names", names.len());
        assert!(song.edits().is_empty());
    }

    #[test]
    fn a_track_and_a_pattern_know_their_registers() {
        let track = TrackIndex::new(3).expect("a track");
        let own = Register::all().filter(|register| register.track() == Some(track));
        let own = own.filter(|register| !matches!(register, Register::Param(_) | Register::SceneTrack(..)));
        assert!(own.eq(Register::of_track(track)));
        let pattern = PatternIndex::new(7).expect("a pattern");
        let of_pattern: Vec<_> = Register::of_pattern(track, pattern).collect();
        assert!(of_pattern.iter().all(|register| Register::of_track(track).any(|own| own == *register)));
        assert!(of_pattern.is_sorted());
    }
}
