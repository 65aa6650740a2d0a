//! The whole musical state the engine plays.

use super::{Edit, StepField, Track, TrackField};
use crate::param::{MAX_TRACKS, Owner, Param, SLOT_COUNT, Slot, TrackIndex};

/// Tracks, steps and parameter values: about 40 KB, no heap, held by engine and replicas alike.
/// Tempo lies in [`crate::time::TempoMap`].
#[derive(Clone, Debug, PartialEq)]
pub struct Song {
    /// Seeds all chance.
    pub seed: u32,
    /// The tracks.
    pub tracks: [Track; MAX_TRACKS],
    /// Every parameter's value, by [`Slot::index`].
    pub params: [f32; SLOT_COUNT],
}

impl Song {
    /// A song nobody has touched.
    pub fn new() -> Song {
        let mut params = [0.0; SLOT_COUNT];
        for slot in Slot::all() {
            params[slot.index()] = slot.spec().default;
        }
        Song { seed: 0, tracks: [Track::UNUSED; MAX_TRACKS], params }
    }

    /// A parameter's value.
    pub fn param(&self, owner: Owner, param: Param) -> f32 {
        self.params[Slot::new(owner, param).index()]
    }

    /// A track.
    pub fn track(&self, track: TrackIndex) -> &Track {
        &self.tracks[track.get()]
    }

    /// The tracks in use.
    pub fn alive(&self) -> impl Iterator<Item = (TrackIndex, &Track)> {
        TrackIndex::all().zip(&self.tracks).filter(|(_, track)| track.alive)
    }

    /// The track with a name.
    pub fn track_named(&self, name: &str) -> Option<TrackIndex> {
        self.alive().find(|(_, track)| track.name.as_str().eq_ignore_ascii_case(name)).map(|(at, _)| at)
    }

    /// Writes one edit that has passed [`Edit::check`].
    ///
    /// Realtime-safe: yes.
    pub fn apply(&mut self, edit: &Edit) {
        match *edit {
            Edit::Seed(seed) => self.seed = seed,
            Edit::Param { slot, value } => self.params[slot.index()] = value,
            Edit::Step { track, step, field } => {
                let steps = &mut self.tracks[track.get()].steps;
                field.write(&mut steps[usize::from(step).min(super::MAX_STEPS - 1)]);
            }
            Edit::Track { track, field } => {
                let track = &mut self.tracks[track.get()];
                match field {
                    TrackField::Alive(alive) => track.alive = alive,
                    TrackField::Name(name) => track.name = name,
                    TrackField::Sample(sample) => track.sample = sample,
                    TrackField::Pitch(pitch) => track.pitch = pitch,
                    TrackField::Length(length) => track.length = length,
                    TrackField::Overflow(overflow) => track.overflow = overflow,
                    TrackField::GrooveSteps(steps) => track.groove_steps = steps,
                    TrackField::GrooveTemplate(name) => track.groove_template = name,
                }
            }
        }
    }

    /// The edits that make `self` out of `before`, in the order of their registers.
    pub fn edits_since(&self, before: &Song) -> Vec<Edit> {
        let mut edits = Vec::new();
        if self.seed != before.seed {
            edits.push(Edit::Seed(self.seed));
        }
        for (track, (new, old)) in TrackIndex::all().zip(self.tracks.iter().zip(&before.tracks)) {
            let fields = TrackField::all(new).into_iter().zip(TrackField::all(old));
            edits.extend(fields.filter(|(n, o)| n != o).map(|(field, _)| Edit::Track { track, field }));
            for (at, (cell, was)) in new.steps.iter().zip(&old.steps).enumerate() {
                let fields = StepField::all(cell).into_iter().zip(StepField::all(was));
                let changed = fields.filter(|(n, o)| n != o);
                edits.extend(changed.map(|(field, _)| Edit::Step { track, step: at as u8, field }));
            }
        }
        let params = Slot::all().filter(|s| self.params[s.index()] != before.params[s.index()]);
        edits.extend(params.map(|slot| Edit::Param { slot, value: self.params[slot.index()] }));
        edits
    }

    /// The edits that make this song out of [`Song::new`].
    pub fn edits(&self) -> Vec<Edit> {
        self.edits_since(&Song::new())
    }

    /// A digest of everything the engine can hear; equal songs have equal digests on every machine.
    ///
    /// Realtime-safe: yes (some tens of µs).
    pub fn digest(&self) -> u64 {
        let mut hash = xxhash_rust::xxh3::Xxh3::new();
        hash.update(&self.seed.to_le_bytes());
        for (at, track) in self.tracks.iter().enumerate().filter(|(_, track)| track.alive) {
            hash.update(&[at as u8]);
            track.digest_into(&mut hash);
        }
        for value in &self.params {
            hash.update(&value.to_bits().to_le_bytes());
        }
        hash.digest()
    }
}

impl Default for Song {
    fn default() -> Song {
        Song::new()
    }
}

impl Track {
    fn digest_into(&self, hash: &mut xxhash_rust::xxh3::Xxh3) {
        // Lengths keep the words apart; a cell has a fixed size.
        for name in [self.name, self.sample, self.groove_template] {
            hash.update(&[name.as_str().len() as u8]);
            hash.update(name.as_str().as_bytes());
        }
        let (pitch_kind, pitch) = match self.pitch {
            None => (0, 0),
            Some(super::Pitch::Note(note)) => (1, u32::from(note)),
            Some(super::Pitch::Hertz(hertz)) => (2, hertz.to_bits()),
        };
        hash.update(&[self.length, self.overflow as u8, pitch_kind]);
        hash.update(&pitch.to_le_bytes());
        hash.update(&self.groove_steps.to_le_bytes());
        for cell in &self.steps {
            let note = cell.note.map_or(255, |note| note.min(127));
            hash.update(&[u8::from(cell.on), note, cell.ratchet, cell.micro as u8]);
            hash.update(&cell.velocity.to_bits().to_le_bytes());
            hash.update(&cell.probability.to_bits().to_le_bytes());
        }
    }
}
