//! The whole musical state the engine plays.

use super::{
    ChordChange, Clip, Context, Edit, LANES, MAX_CHORDS, MAX_CLIPS, MAX_METRES, MAX_PATTERNS, MAX_SCENES,
    MAX_SECTIONS, MAX_STEPS, MetreChange, Pattern, PatternIndex, Register, Scene, Section, Track,
};
use crate::param::{MAX_TRACKS, Owner, Param, SLOT_COUNT, Slot, TrackIndex};

/// Tracks, patterns, parameter values, arrangement and musical context: some 500 KB, nearly all of
/// it the tracks, in one block of their own. Held by engine and replicas alike; only making, cloning
/// and dropping a song touches the heap. Tempo lies in [`crate::time::TempoMap`].
#[derive(Clone, Debug, PartialEq)]
pub struct Song {
    /// Seeds all chance.
    pub seed: u32,
    /// The tracks.
    pub tracks: Box<[Track; MAX_TRACKS]>,
    /// Every parameter's value, by [`Slot::index`].
    pub params: [f32; SLOT_COUNT],
    /// The scenes.
    pub scenes: [Scene; MAX_SCENES],
    /// The arrangement, in no order.
    pub clips: [Clip; MAX_CLIPS],
    /// The sections, in no order.
    pub sections: [Section; MAX_SECTIONS],
    /// The changes of metre, in no order; 4/4 holds before the first.
    pub metres: [Option<MetreChange>; MAX_METRES],
    /// The changes of chord, in no order.
    pub chords: [Option<ChordChange>; MAX_CHORDS],
    /// Key, scale, style, mood, complexity.
    pub context: Context,
}

impl Song {
    /// A song nobody has touched.
    pub fn new() -> Song {
        let mut params = [0.0; SLOT_COUNT];
        for slot in Slot::all() {
            params[slot.index()] = slot.spec().default;
        }
        // On the heap from the start: a thread of a host may have little stack.
        let tracks: Vec<Track> = (0..MAX_TRACKS).map(Track::unused).collect();
        let Ok(tracks) = <Box<[Track; MAX_TRACKS]>>::try_from(tracks.into_boxed_slice()) else {
            unreachable!("as many were made")
        };
        Song {
            seed: 0,
            tracks,
            params,
            scenes: [Scene::UNUSED; MAX_SCENES],
            clips: [Clip::UNUSED; MAX_CLIPS],
            sections: [Section::UNUSED; MAX_SECTIONS],
            metres: [None; MAX_METRES],
            chords: [None; MAX_CHORDS],
            context: Context::UNSAID,
        }
    }

    /// A parameter's value.
    pub fn param(&self, owner: Owner, param: Param) -> f32 {
        self.params[Slot::new(owner, param).index()]
    }

    /// A track.
    pub fn track(&self, track: TrackIndex) -> &Track {
        &self.tracks[track.get()]
    }

    /// A pattern of a track.
    pub fn pattern(&self, track: TrackIndex, pattern: PatternIndex) -> &Pattern {
        &self.track(track).patterns[pattern.get()]
    }

    /// The tracks in use, by place.
    pub fn alive(&self) -> impl Iterator<Item = (TrackIndex, &Track)> {
        TrackIndex::all().zip(self.tracks.iter()).filter(|(_, track)| track.alive)
    }

    /// Whether another track's solo silences a track.
    ///
    /// Realtime-safe: yes.
    pub fn is_soloed_out(&self, track: TrackIndex) -> bool {
        !self.track(track).solo && self.alive().any(|(_, other)| other.solo)
    }

    /// The track shown before another.
    ///
    /// Realtime-safe: yes.
    pub fn before(&self, track: TrackIndex) -> Option<TrackIndex> {
        let own = (self.track(track).order, track);
        let places = self.alive().map(|(at, other)| (other.order, at));
        places.filter(|place| *place < own).max().map(|(_, at)| at)
    }

    /// The tracks in use, as they are shown.
    pub fn in_order(&self) -> Vec<TrackIndex> {
        let mut tracks: Vec<_> = self.alive().map(|(at, track)| (track.order, at)).collect();
        tracks.sort_unstable();
        tracks.into_iter().map(|(_, at)| at).collect()
    }

    /// The track with a name.
    pub fn track_named(&self, name: &str) -> Option<TrackIndex> {
        self.alive().find(|(_, track)| track.name.as_str().eq_ignore_ascii_case(name)).map(|(at, _)| at)
    }

    /// Where the track with an id is stored, in use or removed; [`super::TrackId::NONE`] is none.
    pub fn track_with_id(&self, id: super::TrackId) -> Option<TrackIndex> {
        let known = |track: &Track| track.id == id && id != super::TrackId::NONE;
        TrackIndex::all().find(|at| known(self.track(*at)))
    }

    /// Takes over who the tracks are and where they are shown from the song that this one will
    /// replace: a text says neither. A track of another name at a place in use is another track.
    pub fn know_tracks_of(&mut self, other: &Song) {
        for (own, other) in self.tracks.iter_mut().zip(other.tracks.iter()) {
            if !own.alive || !other.alive || own.name == other.name {
                (own.id, own.order) = (other.id, other.order);
            }
        }
    }

    /// Writes one edit that has passed [`Edit::check`].
    ///
    /// Realtime-safe: yes.
    pub fn apply(&mut self, edit: &Edit) {
        match *edit {
            Edit::Seed(seed) => self.seed = seed,
            Edit::Param { slot, value } => self.params[slot.index()] = value,
            Edit::Step { track, pattern, step, field } => {
                field.write(&mut self.pattern_mut(track, pattern).steps[cell(step)]);
            }
            Edit::Track { track, field } => field.write(&mut self.tracks[track.get()]),
            Edit::Pattern { track, pattern, field } => field.write(self.pattern_mut(track, pattern)),
            Edit::Lock { track, pattern, step, lane, value } => {
                self.pattern_mut(track, pattern).locks[cell(step)].set(lane, value);
            }
            Edit::Lane { track, lane, param } => {
                self.tracks[track.get()].lanes[below(lane, LANES)] = param;
            }
            Edit::Scene { scene, field } => field.write(&mut self.scenes[below(scene, MAX_SCENES)]),
            Edit::SceneTrack { scene, track, pattern } => {
                self.scenes[below(scene, MAX_SCENES)].patterns[track.get()] = pattern;
            }
            Edit::Clip { clip, field } => field.write(&mut self.clips[below(clip, MAX_CLIPS)]),
            Edit::Section { section, field } => {
                field.write(&mut self.sections[below(section, MAX_SECTIONS)]);
            }
            Edit::Metre { place, change } => self.metres[below(place, MAX_METRES)] = change,
            Edit::Chord { place, change } => self.chords[below(place, MAX_CHORDS)] = change,
            Edit::Context(field) => field.write(&mut self.context),
        }
    }

    fn pattern_mut(&mut self, track: TrackIndex, pattern: PatternIndex) -> &mut Pattern {
        &mut self.tracks[track.get()].patterns[pattern.get()]
    }

    /// What a register holds, as the edit that would write it.
    ///
    /// Realtime-safe: yes.
    pub fn read(&self, register: Register) -> Edit {
        use super::{ClipField, ContextField, PatternField, SceneField, SectionField, StepField, TrackField};
        match register {
            Register::Seed => Edit::Seed(self.seed),
            Register::Param(slot) => Edit::Param { slot, value: self.params[slot.index()] },
            Register::Step(track, pattern, step, key) => {
                let field = StepField::read(&self.pattern(track, pattern).steps[cell(step)], key);
                Edit::Step { track, pattern, step, field }
            }
            Register::Track(track, key) => {
                Edit::Track { track, field: TrackField::read(self.track(track), key) }
            }
            Register::Pattern(track, pattern, key) => {
                let field = PatternField::read(self.pattern(track, pattern), key);
                Edit::Pattern { track, pattern, field }
            }
            Register::Lock(track, pattern, step, lane) => {
                let value = self.pattern(track, pattern).locks[cell(step)].get(lane);
                Edit::Lock { track, pattern, step, lane, value }
            }
            Register::Lane(track, lane) => {
                Edit::Lane { track, lane, param: self.track(track).lanes[below(lane, LANES)] }
            }
            Register::Scene(scene, key) => {
                Edit::Scene { scene, field: SceneField::read(&self.scenes[below(scene, MAX_SCENES)], key) }
            }
            Register::SceneTrack(scene, track) => {
                let pattern = self.scenes[below(scene, MAX_SCENES)].patterns[track.get()];
                Edit::SceneTrack { scene, track, pattern }
            }
            Register::Clip(clip, key) => {
                Edit::Clip { clip, field: ClipField::read(&self.clips[below(clip, MAX_CLIPS)], key) }
            }
            Register::Section(section, key) => {
                let field = SectionField::read(&self.sections[below(section, MAX_SECTIONS)], key);
                Edit::Section { section, field }
            }
            Register::Metre(place) => Edit::Metre { place, change: self.metres[below(place, MAX_METRES)] },
            Register::Chord(place) => Edit::Chord { place, change: self.chords[below(place, MAX_CHORDS)] },
            Register::Context(key) => Edit::Context(ContextField::read(&self.context, key)),
        }
    }

    /// The metre that holds in a bar: that of the latest change up to it; of changes in one bar,
    /// the last in the list.
    pub fn metre_at(&self, bar: u32) -> super::Metre {
        super::bars::metre_in(&self.metres, bar)
    }

    /// A digest of everything the engine can hear; equal songs have equal digests on every machine.
    ///
    /// Realtime-safe: yes (some tens of µs; patterns nobody has touched are passed over).
    pub fn digest(&self) -> u64 {
        let mut hash = xxhash_rust::xxh3::Xxh3::new();
        hash.update(&self.seed.to_le_bytes());
        for (at, track) in self.tracks.iter().enumerate().filter(|(_, track)| track.alive) {
            hash.update(&[at as u8]);
            super::digest::track(track, &mut hash);
        }
        for value in &self.params {
            hash.update(&value.to_bits().to_le_bytes());
        }
        super::digest::arrangement(self, &mut hash);
        hash.digest()
    }
}

fn cell(step: u8) -> usize {
    below(step, MAX_STEPS)
}

/// Saturates, so that a value decoded from a frame can never leave its list.
fn below(place: u8, count: usize) -> usize {
    usize::from(place).min(count - 1)
}

impl Default for Song {
    fn default() -> Song {
        Song::new()
    }
}

/// Patterns of a song.
pub(super) const PATTERNS: usize = MAX_TRACKS * MAX_PATTERNS;
