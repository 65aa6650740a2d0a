//! The journal of an instance that plays alone.
//!
//! Alone, an instance's own sequencer decides, so its journal is a state and the commits since. It
//! is begun with the first edit, and gone when the instance ends as it should: then the DAW's
//! project is what counts. What a killed instance leaves behind is taken up by the next one that
//! begins with a song which that journal's history passes through, as a project does that is loaded
//! again as it was last saved. A lock beside each journal tells the living from the dead.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::journal::{Flusher, Journal, JournalError, Record};
use crate::pattern::Song;
use crate::session::{Commit, Cseq, State};
use crate::time::TempoMap;

/// A journal of more bytes is written whole again; what was saved before then no longer finds it.
const LONG: u64 = 4 << 20;
/// What nobody took up for this long goes.
const FORGET: Duration = Duration::from_secs(30 * 24 * 3600);

/// An open journal of an instance that plays alone.
pub struct Solo {
    journal: Journal,
    path: PathBuf,
    /// Held for its lock.
    _lock: File,
}

/// What a killed instance left behind.
pub struct Restored {
    /// Its journal, which goes on.
    pub solo: Solo,
    /// Where it had come to.
    pub state: State,
    /// Commits since the song that was asked for.
    pub commits: usize,
    /// What could not be read and was set aside.
    pub faults: Vec<String>,
}

impl Solo {
    /// Begins a journal at a state.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn begin(profile: &Path, state: &State) -> Result<Solo, JournalError> {
        let folder = profile.join("solo");
        let path = folder.join(format!("{:016x}.journal", rand::random::<u64>()));
        let disk = |error| JournalError::Disk { path: path.display().to_string(), error };
        fs::create_dir_all(&folder).map_err(disk)?;
        let lock = lock(&path).map_err(disk)?;
        let lock = lock.ok_or_else(|| disk(std::io::ErrorKind::WouldBlock.into()))?;
        let mut journal = Journal::open(&path, Flusher::start().map_err(disk)?)?.journal;
        journal.append(&[Record::Branch(state.encode())])?;
        Ok(Solo { journal, path, _lock: lock })
    }

    /// Keeps a commit; `state` is what it led to.
    ///
    /// # Errors
    /// The disk is full.
    pub fn keep(&mut self, commit: &Commit, state: &State) -> Result<(), JournalError> {
        if self.journal.size() > LONG {
            return self.journal.rewrite(&[Record::Branch(state.encode())]);
        }
        let commit = commit.clone();
        self.journal.append(&[Record::Kept { commit, frame: None, instance: 0, ticket: Cseq(0) }])
    }

    /// The instance ends as it should.
    pub fn end(self) {
        let lock = lock_path(&self.path);
        self.journal.remove();
        let _ = fs::remove_file(lock);
    }

    /// Looks for what a killed instance left behind that had come by a song: the newest one.
    pub fn take_up(profile: &Path, song: &Song, tempo_map: &TempoMap) -> Option<Restored> {
        let files = fs::read_dir(profile.join("solo")).ok()?.filter_map(Result::ok);
        let written = |path: &Path| fs::metadata(path).and_then(|file| file.modified()).ok();
        let paths = files.map(|file| file.path());
        let journals = paths.filter(|path| path.extension().is_some_and(|extension| extension == "journal"));
        let mut dated: Vec<_> = journals.filter_map(|path| Some((written(&path)?, path))).collect();
        dated.sort_unstable();
        dated.into_iter().rev().find_map(|(at, path)| take_up(&path, at, song, tempo_map))
    }
}

fn take_up(path: &Path, at: SystemTime, song: &Song, tempo_map: &TempoMap) -> Option<Restored> {
    // The living hold their locks.
    let lock = lock(path).ok()??;
    if at.elapsed().is_ok_and(|age| age > FORGET) {
        let _ = fs::remove_file(path);
        let _ = fs::remove_file(lock_path(path));
        return None;
    }
    let opened = Journal::open(path, Flusher::start().ok()?).ok()?;
    let (mut state, mut since) = (None::<State>, None);
    for record in opened.records {
        match (record, &mut state) {
            (Record::Branch(bytes), _) => state = Some(State::decode(&bytes).ok()?),
            // Behind a damaged commit nothing fits.
            (Record::Kept { commit, .. }, Some(state)) if commit.seq <= state.seq() => {}
            (Record::Kept { commit, .. }, Some(state)) => match state.apply(&commit) {
                Ok(_) => since = since.map(|count: usize| count + 1),
                Err(_) => break,
            },
            _ => {}
        }
        let passed = state.as_ref().is_some_and(|s| s.song() == song && s.tempo_map() == tempo_map);
        since = if passed { Some(0) } else { since };
    }
    let solo = Solo { journal: opened.journal, path: path.to_owned(), _lock: lock };
    match (state, since) {
        (Some(_), Some(0)) => {
            // Nothing was made since: the project has it all.
            solo.end();
            None
        }
        (Some(state), Some(commits)) => Some(Restored { solo, state, commits, faults: opened.faults }),
        _ => None,
    }
}

fn lock_path(path: &Path) -> PathBuf {
    path.with_extension("lock")
}

/// A journal's lock; `None` where its instance lives.
fn lock(path: &Path) -> std::io::Result<Option<File>> {
    let lock = OpenOptions::new().create(true).truncate(false).write(true).open(lock_path(path))?;
    match lock.try_lock() {
        Ok(()) => Ok(Some(lock)),
        Err(fs::TryLockError::WouldBlock) => Ok(None),
        Err(fs::TryLockError::Error(error)) => Err(error),
    }
}

/// The journal of the participant while it plays alone, begun when there is something to keep.
#[derive(Default)]
pub struct SoloKeeper {
    /// What the first commit is based on.
    base: Option<Box<State>>,
    solo: Option<Solo>,
    broken: bool,
}

impl SoloKeeper {
    /// A groove begins: nothing is written until it changes.
    pub fn start(&mut self, base: State) {
        self.end();
        *self = SoloKeeper { base: Some(Box::new(base)), ..SoloKeeper::default() };
    }

    /// Goes on with what was taken up.
    pub fn resume(&mut self, solo: Solo) {
        self.end();
        *self = SoloKeeper { solo: Some(solo), ..SoloKeeper::default() };
    }

    /// Keeps a commit. Returns, once, why it cannot be kept.
    pub fn keep(&mut self, profile: &Path, commit: &Commit, state: &State) -> Option<String> {
        if self.broken {
            return None;
        }
        let kept = match (&mut self.solo, self.base.take()) {
            (Some(solo), _) => solo.keep(commit, state),
            (None, Some(base)) => Solo::begin(profile, &base).and_then(|mut solo| {
                let kept = solo.keep(commit, state);
                self.solo = Some(solo);
                kept
            }),
            (None, None) => Ok(()),
        };
        let error = kept.err()?;
        self.broken = true;
        Some(format!("edits made alone are not kept in a journal: {error}"))
    }

    /// What was kept is kept elsewhere, or not wanted any more.
    pub fn end(&mut self) {
        if let Some(solo) = self.solo.take() {
            solo.end();
        }
        self.base = None;
    }
}
