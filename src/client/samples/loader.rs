//! Reads, decodes and imports sample files beside the session's thread.
//!
//! Thread: its own, started with the first wish. It ends when the loader is dropped.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use crossbeam::channel::{Receiver, Sender, unbounded};

use super::{SampleStore, Stored};
use crate::param::TrackIndex;
use crate::pattern::FileId;
use crate::rt::ports::SampleFile;

/// What is wished for.
#[derive(Debug)]
pub enum Wish {
    /// A file of the store.
    Load(FileId),
    /// A sound file for a track.
    Import(TrackIndex, PathBuf),
}

/// What became of it.
#[derive(Debug)]
pub enum Done {
    /// The file; `None`: it is not here.
    Loaded(FileId, Result<Option<Arc<SampleFile>>, String>),
    /// A sound file is in the store, and ready.
    Imported(TrackIndex, Result<(Stored, Arc<SampleFile>), String>),
}

/// The way to the thread and back.
pub struct Loader {
    store: SampleStore,
    thread: Option<(Sender<Wish>, Receiver<Done>)>,
}

impl Loader {
    /// One over a store; no thread yet.
    pub fn new(store: SampleStore) -> Loader {
        Loader { store, thread: None }
    }

    /// Wishes for something.
    pub fn wish(&mut self, wish: Wish) {
        let store = &self.store;
        let (wishes, _) = self.thread.get_or_insert_with(|| start(store.clone()));
        // A thread that could not be started answers nothing: the file stays missing.
        let _ = wishes.send(wish);
    }

    /// The next thing done.
    pub fn done(&self) -> Option<Done> {
        self.thread.as_ref()?.1.try_recv().ok()
    }
}

fn start(store: SampleStore) -> (Sender<Wish>, Receiver<Done>) {
    let (wishes, wished) = unbounded();
    let (done, answers) = unbounded();
    let work = move || wished.into_iter().try_for_each(|wish| done.send(fulfil(&store, wish)));
    let started = thread::Builder::new().name("antiphon-samples".into()).spawn(move || drop(work()));
    if let Err(error) = started {
        tracing::error!(%error, "sample files are not read: no thread for it");
    }
    (wishes, answers)
}

fn fulfil(store: &SampleStore, wish: Wish) -> Done {
    let said = |error: super::SampleError| error.to_string();
    match wish {
        Wish::Load(id) => Done::Loaded(id, store.load(id).map(|file| file.map(Arc::new)).map_err(said)),
        Wish::Import(track, path) => {
            let imported = store.import(&path).and_then(|stored| Ok((store.load(stored.id)?, stored)));
            let gone = || format!("{} was taken and is gone again; try once more", path.display());
            Done::Imported(
                track,
                match imported {
                    Ok((file, stored)) => file.map(|file| (stored, Arc::new(file))).ok_or_else(gone),
                    Err(error) => Err(said(error)),
                },
            )
        }
    }
}
