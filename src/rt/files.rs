//! The sample files that the engine holds.
//!
//! Thread: audio, but for making it. Realtime-safe: yes. Invariant: a file that leaves goes back to
//! the session's thread, after every voice has let go of it; nothing is freed here.

use std::sync::Arc;

use crate::dsp::SampleFile;
use crate::param::MAX_TRACKS;
use crate::pattern::{FileId, Song};

/// Files that an engine holds: one a track, and as many that are about to be or have been.
pub const FILES: usize = 2 * MAX_TRACKS;

/// A file and its name.
pub(super) type Named = (FileId, Arc<SampleFile>);

/// The files.
#[derive(Default)]
pub(super) struct Files {
    places: [Option<Named>; FILES],
}

impl Files {
    /// Puts a file, or none, at a place below [`FILES`]; gives back what was there.
    pub(super) fn put(&mut self, place: u8, file: Option<Named>) -> Option<Named> {
        match self.places.get_mut(usize::from(place)) {
            Some(held) => std::mem::replace(held, file),
            None => file,
        }
    }

    /// The file of a name.
    pub(super) fn get(&self, id: FileId) -> Option<&Arc<SampleFile>> {
        self.places.iter().flatten().find(|(held, _)| *held == id).map(|(_, file)| file)
    }

    /// The tracks of a song whose file is not here: bit n for track n.
    pub(super) fn missing(&self, song: &Song) -> u16 {
        let missing = song.alive().filter(|(_, track)| track.file.is_some_and(|id| self.get(id).is_none()));
        missing.fold(0, |bits, (at, _)| bits | 1 << at.get())
    }
}
