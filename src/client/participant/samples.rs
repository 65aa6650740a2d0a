//! The sample files that the song names: found, handed to the engine, or said to be missing.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::Participant;
use crate::client::samples::loader::{Done, Loader, Wish};
use crate::client::samples::{SampleStore, Stored};
use crate::client::{Event, When};
use crate::dsp::SampleFile;
use crate::param::TrackIndex;
use crate::pattern::{Edit, FileId, Name, TrackField};
use crate::rt::FILES;
use crate::rt::ports::ToEngine;
use crate::time::HostNanos;

/// How soon a file that is missing is looked for again, and one that cannot be read.
const LOOK_AGAIN: i64 = 1_000_000_000;
const READ_AGAIN: i64 = 30_000_000_000;

/// How it stands with a file.
enum Standing {
    Sought,
    Missing(HostNanos),
    Here(Arc<SampleFile>),
}

/// The sample files of this instance.
pub struct SampleSide {
    loader: Loader,
    files: BTreeMap<FileId, Standing>,
    /// What the engine holds.
    places: [Option<FileId>; FILES],
}

impl SampleSide {
    /// None yet.
    pub fn new(store: SampleStore) -> SampleSide {
        SampleSide { loader: Loader::new(store), files: BTreeMap::new(), places: [None; FILES] }
    }

    /// The files that the song names and that are not here; one that is still sought is no such.
    pub fn missing(&self) -> Vec<FileId> {
        let missing = self.files.iter().filter(|(_, standing)| matches!(standing, Standing::Missing(_)));
        missing.map(|(id, _)| *id).collect()
    }
}

impl Participant {
    /// Takes a sound file in for a track.
    pub(super) fn import_sample(&mut self, track: TrackIndex, path: PathBuf) {
        self.samples.loader.wish(Wish::Import(track, path));
    }

    /// Looks after the files that the song names.
    pub(super) fn mind_samples(&mut self, now: HostNanos) {
        while let Some(done) = self.samples.loader.done() {
            self.sample_done(done, now);
        }
        let wanted = self.wanted_files();
        for id in &wanted {
            let due = match self.samples.files.get(id) {
                None => true,
                Some(Standing::Missing(again)) => *again <= now,
                Some(_) => false,
            };
            if due {
                if let Some(Standing::Missing(again)) = self.samples.files.get_mut(id) {
                    // It stays missing until it is found.
                    *again = HostNanos(now.0 + READ_AGAIN);
                } else {
                    self.samples.files.insert(*id, Standing::Sought);
                }
                self.samples.loader.wish(Wish::Load(*id));
            }
        }
        // What is named no more is forgotten where the engine does not hold it; that goes when its
        // place is needed.
        let places = self.samples.places;
        self.samples.files.retain(|id, _| wanted.contains(id) || places.contains(&Some(*id)));
    }

    /// The files that tracks name now or at a beat to come.
    fn wanted_files(&self) -> Vec<FileId> {
        let mut wanted: Vec<FileId> =
            self.studio.song().alive().filter_map(|(_, track)| track.file).collect();
        wanted.extend(self.studio.waiting().into_iter().filter_map(|(_, edit)| match edit {
            Edit::Track { field: TrackField::File(file), .. } => file,
            _ => None,
        }));
        wanted.sort_unstable();
        wanted.dedup();
        wanted
    }

    fn sample_done(&mut self, done: Done, now: HostNanos) {
        match done {
            Done::Loaded(id, Ok(Some(file))) => {
                self.hold_file(id, file);
                self.tell_sample(id, "here", now);
            }
            Done::Loaded(id, Ok(None)) => self.is_missing(id, now, LOOK_AGAIN),
            Done::Loaded(id, Err(reason)) => {
                self.is_missing(id, now, READ_AGAIN);
                self.complain(reason);
            }
            Done::Imported(_, Err(reason)) => self.complain(reason),
            Done::Imported(track, Ok((Stored { id, name }, file))) => {
                self.events.tell(Event::Sampled { track, id, name }, now);
                if !self.studio.song().track(track).alive {
                    return self
                        .complain(format!("{name} was taken, but its track is gone; choose it elsewhere"));
                }
                // The engine has it before it is named.
                self.hold_file(id, file);
                let field = |field| Edit::Track { track, field };
                let edits = [field(TrackField::Sample(name)), field(TrackField::File(Some(id)))];
                self.edit(&edits, When::Now, now);
            }
        }
        self.shown.stale();
    }

    fn is_missing(&mut self, id: FileId, now: HostNanos, again: i64) {
        let standing = Standing::Missing(HostNanos(now.0 + again));
        if !matches!(self.samples.files.insert(id, standing), Some(Standing::Missing(_))) {
            self.tell_sample(id, "missing", now);
        }
    }

    fn tell_sample(&mut self, id: FileId, standing: &'static str, now: HostNanos) {
        let of_file = self.studio.song().alive().find(|(_, track)| track.file == Some(id));
        let name = of_file.map_or(Name::EMPTY, |(_, track)| track.sample);
        self.events.tell(Event::Sample { id, name, standing }, now);
    }

    /// Hands a file to the engine: at a free place, else at one whose file nobody wants.
    fn hold_file(&mut self, id: FileId, file: Arc<SampleFile>) {
        let wanted = self.wanted_files();
        let places = &self.samples.places;
        let free = places.iter().position(|held| *held == Some(id));
        let free = free.or_else(|| places.iter().position(Option::is_none));
        let unwanted = |held: &Option<FileId>| held.is_some_and(|held| !wanted.contains(&held));
        let Some(place) = free.or_else(|| places.iter().position(unwanted)) else {
            return self
                .complain(format!("more than {FILES} sample files wait for the engine; {id} is left out"));
        };
        self.samples.places[place] = Some(id);
        self.feed.push(ToEngine::File { place: place as u8, file: Some((id, file.clone())) });
        self.samples.files.insert(id, Standing::Here(file));
    }

    /// Tells the engine every file that it should hold.
    pub(super) fn tell_files(&mut self) {
        for (place, id) in self.samples.places.iter().enumerate() {
            if let Some(id) = id
                && let Some(Standing::Here(file)) = self.samples.files.get(id)
            {
                self.feed.push(ToEngine::File { place: place as u8, file: Some((*id, file.clone())) });
            }
        }
    }
}
