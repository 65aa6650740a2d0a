//! The journal of an instance that plays alone.
//!
//! Alone, an instance's own sequencer decides, so its journal is a state and the commits since. It
//! is begun with the first edit, and gone when the instance ends as it should: then the DAW's
//! project is what counts. What a killed instance leaves behind is taken up by the next one that
//! begins with a song which that journal's history passes through, as a project does that is loaded
//! again as it was last saved. A lock beside each journal tells the living from the dead.
//!
//! Branches, versions and history lie beside the journal ([`super::lines::kept`]). When an instance
//! ends as it should and has any branches or versions, they stay under the name of the song that it
//! ended with: the next instance that begins with that song has them again.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use xxhash_rust::xxh3::xxh3_64;

use super::journal::{Flusher, Journal, JournalError, Record};
use super::lines::LocalLines;
use super::lines::kept::{self, Found, LinesFile};
use crate::pattern::Song;
use crate::session::{Commit, Cseq, SessionFile, State};
use crate::time::{HostNanos, TempoMap};

/// A journal of more bytes is written whole again; what was saved before then no longer finds it.
const LONG: u64 = 4 << 20;
/// What nobody took up for this long goes.
const FORGET: Duration = Duration::from_secs(30 * 24 * 3600);
/// Songs whose branches are kept.
const PASTS: usize = 256;

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
    /// Its branches, versions and history.
    pub lines: LocalLines,
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
        let beside = [lock_path(&self.path), lines_path(&self.path)];
        self.journal.remove();
        beside.iter().for_each(|path| drop(fs::remove_file(path)));
    }

    /// Looks for what a killed instance left behind that had come by a song: the newest one.
    pub fn take_up(profile: &Path, song: &Song, tempo_map: &TempoMap, now_ms: i64) -> Option<Restored> {
        let files = fs::read_dir(profile.join("solo")).ok()?.filter_map(Result::ok);
        let written = |path: &Path| fs::metadata(path).and_then(|file| file.modified()).ok();
        let paths = files.map(|file| file.path());
        let journals = paths.filter(|path| path.extension().is_some_and(|extension| extension == "journal"));
        let mut dated: Vec<_> = journals.filter_map(|path| Some((written(&path)?, path))).collect();
        dated.sort_unstable();
        dated.into_iter().rev().find_map(|(at, path)| take_up(&path, at, song, tempo_map, now_ms))
    }
}

fn take_up(path: &Path, at: SystemTime, song: &Song, tempo_map: &TempoMap, now_ms: i64) -> Option<Restored> {
    // The living hold their locks.
    let lock = lock(path).ok()??;
    if at.elapsed().is_ok_and(|age| age > FORGET) {
        let gone = [path.to_owned(), lock_path(path), lines_path(path)];
        gone.iter().for_each(|path| drop(fs::remove_file(path)));
        return None;
    }
    let opened = Journal::open(path, Flusher::start().ok()?).ok()?;
    let (mut state, mut since, mut made) = (None::<State>, None, Vec::new());
    for record in opened.records {
        match (record, &mut state) {
            (Record::Branch(bytes), _) => state = Some(State::decode(&bytes).ok()?),
            // Behind a damaged commit nothing fits.
            (Record::Kept { commit, .. }, Some(state)) if commit.seq <= state.seq() => {}
            (Record::Kept { commit, .. }, Some(state)) => match state.apply(&commit) {
                Ok(_) => {
                    since = since.map(|count: usize| count + 1);
                    made.push(commit);
                }
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
        (Some(state), Some(commits)) => {
            let (lines, fault) = kept::resume(&lines_path(path), &made, &state, now_ms);
            let faults = opened.faults.into_iter().chain(fault).collect();
            Some(Restored { solo, state, commits, lines, faults })
        }
        _ => None,
    }
}

fn lines_path(path: &Path) -> PathBuf {
    path.with_extension("lines")
}

/// Where the lines of an instance that ended with a song stay.
fn past_path(profile: &Path, song: &Song, tempo_map: &TempoMap) -> PathBuf {
    let named = State::with_song(song.clone(), tempo_map.clone()).encode();
    profile.join("solo").join(format!("{:016x}.past", xxh3_64(&named)))
}

/// The lines of the instance that last ended with a song, if it left any.
pub fn past_of(profile: &Path, song: &Song, tempo_map: &TempoMap) -> Result<Option<Found>, String> {
    let found = kept::read(&past_path(profile, song, tempo_map))?;
    Ok(found.filter(|found| found.head.song() == song && found.head.tempo_map() == tempo_map))
}

/// Only the newest such files are kept.
fn prune(folder: &Path) {
    let files = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).map(|file| file.path());
    let past = files.filter(|path| path.extension().is_some_and(|extension| extension == "past"));
    let mut dated: Vec<_> = past
        .filter_map(|path| Some((fs::metadata(&path).and_then(|file| file.modified()).ok()?, path)))
        .collect();
    dated.sort_unstable();
    let many = dated.len().saturating_sub(PASTS);
    dated.iter().take(many).for_each(|(_, path)| drop(fs::remove_file(path)));
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
    lines: Option<LinesFile>,
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

    /// Whether lines have changed that should be written beside the journal.
    pub fn lines_are_due(&mut self, now: HostNanos, lines: &LocalLines) -> bool {
        let Some(solo) = &self.solo else { return false };
        let begun = || LinesFile::beside(lines_path(&solo.path));
        self.lines.get_or_insert_with(begun).is_due(now, lines)
    }

    /// Writes them. Returns, once, why it cannot.
    pub fn save_lines(&mut self, lines: &LocalLines, file: &SessionFile) -> Option<String> {
        self.lines.as_mut()?.save(lines, file)
    }

    /// Leaves the lines of a groove that ends here for whoever begins with its song.
    pub fn leave_lines(&mut self, profile: &Path, lines: &LocalLines, file: &SessionFile) -> Option<String> {
        let path = past_path(profile, file.head.song(), file.head.tempo_map());
        let left = LinesFile::beside(path).save(lines, file);
        prune(&profile.join("solo"));
        left
    }

    /// What was kept is kept elsewhere, or not wanted any more.
    pub fn end(&mut self) {
        self.lines = None;
        if let Some(solo) = self.solo.take() {
            solo.end();
        }
        self.base = None;
    }
}
