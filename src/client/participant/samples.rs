//! The sample files that the song names: found, handed to the engine, or said to be missing.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::Participant;
use crate::client::samples::loader::{Done, Loader, Wish};
use crate::client::samples::transfer::{Carrier, Errand, Outcome};
use crate::client::samples::{SampleStore, Stored};
use crate::client::{Event, Link, Reach, When};
use crate::param::TrackIndex;
use crate::pattern::{Edit, FileId, Name, TrackField};
use crate::rt::FILES;
use crate::rt::ports::SampleFile;
use crate::rt::ports::ToEngine;
use crate::session::Role;
use crate::time::HostNanos;

/// How soon a file that is missing is looked for again, and one that cannot be read.
const LOOK_AGAIN: i64 = 1_000_000_000;
const READ_AGAIN: i64 = 30_000_000_000;

/// Between two tries to bring a file from or to the server.
const CARRY_AGAIN: i64 = 2_000_000_000;

/// How it stands with a file.
enum Standing {
    Sought,
    Missing(HostNanos),
    Here(Arc<SampleFile>),
}

/// Whither a file goes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    Here,
    Server,
}

/// The sample files of this instance.
pub struct SampleSide {
    loader: Loader,
    carrier: Carrier,
    /// Files that are on their way from or to the server, or have been refused or brought there, each
    /// in its session; and when those that failed are tried again.
    carried: BTreeMap<(String, FileId, Way), Option<HostNanos>>,
    files: BTreeMap<FileId, Standing>,
    /// What the engine holds.
    places: [Option<FileId>; FILES],
}

impl SampleSide {
    /// None yet.
    pub fn new(store: SampleStore, reach: Reach) -> SampleSide {
        SampleSide {
            loader: Loader::new(store.clone()),
            carrier: Carrier::new(store, reach),
            carried: BTreeMap::new(),
            files: BTreeMap::new(),
            places: [None; FILES],
        }
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
        self.carry(&wanted, now);
        // What is named no more is forgotten where the engine does not hold it; that goes when its
        // place is needed.
        let places = self.samples.places;
        self.samples.files.retain(|id, _| wanted.contains(id) || places.contains(&Some(*id)));
    }

    /// Brings what is missing from the session's server, and what is here to it.
    fn carry(&mut self, wanted: &[FileId], now: HostNanos) {
        while let Some(outcome) = self.samples.carrier.done() {
            self.carried(outcome, now);
        }
        let Some(link) = self.network.link().filter(|link| !link.is_local() && self.session.is_open()) else {
            return;
        };
        let link = link.clone();
        for id in wanted {
            let way = match self.samples.files.get(id) {
                Some(Standing::Missing(_)) => Way::Here,
                Some(Standing::Here(_)) if self.studio.role() >= Role::Editor => Way::Server,
                _ => continue,
            };
            let key = (key_of(&link), *id, way);
            let due =
                self.samples.carried.get(&key).is_none_or(|again| again.is_some_and(|again| again <= now));
            if due {
                self.samples.carried.insert(key, None);
                self.samples.carrier.send(match way {
                    Way::Here => Errand::Fetch(*id, link.clone()),
                    Way::Server => Errand::Share(*id, link.clone()),
                });
            }
        }
    }

    fn carried(&mut self, outcome: Outcome, now: HostNanos) {
        let (id, way, again, reason) = match outcome {
            Outcome::Fetched(id, Ok(true)) => {
                // It is in the store: read at once.
                if let Some(standing @ Standing::Missing(_)) = self.samples.files.get_mut(&id) {
                    *standing = Standing::Missing(now);
                }
                (id, Way::Here, true, None)
            }
            Outcome::Fetched(id, Ok(false)) => (id, Way::Here, true, None),
            Outcome::Fetched(id, Err(reason)) => (id, Way::Here, true, Some(reason)),
            Outcome::Shared(id, Ok(())) => (id, Way::Server, false, None),
            Outcome::Shared(id, Err((for_good, reason))) => (id, Way::Server, !for_good, Some(reason)),
        };
        // Whichever session it was for: another's is asked for anew.
        let mut first = false;
        for ((_, carried, whither), when) in &mut self.samples.carried {
            if (*carried, *whither) == (id, way) && when.is_none() {
                (*when, first) = (again.then_some(HostNanos(now.0 + CARRY_AGAIN)), true);
            }
        }
        match reason {
            Some(reason) if first && !again => self.complain(format!("others cannot have {id}: {reason}")),
            Some(reason) => tracing::warn!(%id, reason, "a sample file did not travel"),
            None => {}
        }
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

/// A session by its server and id.
fn key_of(link: &Link) -> String {
    format!("{} {}", link.server, link.session)
}
