//! A journal as a file.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use super::flusher::{Dirty, Flusher};
use super::{MAX_JOURNAL, Record, decode, encode, head};

/// A journal that has grown by this much since it was last written whole is written whole again.
const GROWN: u64 = 1 << 20;

/// Why a journal could not be written.
#[derive(Debug, Error)]
pub enum JournalError {
    /// A record that no journal holds.
    #[error("a record of {0} bytes is too large for the journal")]
    TooLarge(usize),
    /// A record that cannot be written down.
    #[error("a record cannot be written: {0}")]
    Record(postcard::Error),
    /// The disk.
    #[error("{path}: {error}; make room on the disk, or edits since then are lost if this machine stops")]
    Disk {
        /// The file.
        path: String,
        /// What went wrong.
        error: std::io::Error,
    },
}

/// What opening a journal brought.
pub struct Opened {
    /// The journal, to append to.
    pub journal: Journal,
    /// What it held.
    pub records: Vec<Record>,
    /// What was damaged and set aside, for a person.
    pub faults: Vec<String>,
}

/// An open journal. One process at a time writes a journal: the profile's lock sees to it.
pub struct Journal {
    path: PathBuf,
    dirty: Arc<Dirty>,
    file: File,
    flusher: Arc<Flusher>,
    /// Its size now, and when it was last written whole.
    size: u64,
    whole: u64,
}

impl Journal {
    /// Opens a journal, making it where there is none. A damaged one is set aside, renamed, and the
    /// new one begins with what could be read of it.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn open(path: &Path, flusher: Arc<Flusher>) -> Result<Opened, JournalError> {
        Journal::inherit(path, &[], flusher)
    }

    /// As [`Journal::open`]; where there is none, it begins with what the first of some older ones
    /// holds, whose writer may live but has no say any more. They go.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn inherit(path: &Path, older: &[PathBuf], flusher: Arc<Flusher>) -> Result<Opened, JournalError> {
        let disk = |error| JournalError::Disk { path: path.display().to_string(), error };
        let mut found = salvage(path);
        for older in older {
            if found.records.is_none() {
                found = salvage(older);
                // Its bytes are not those that are appended to.
                found.whole = None;
            }
        }
        let Found { records, whole, faults } = found;
        let records = records.unwrap_or_default();
        let (file, size) = match whole {
            Some(size) => {
                let file = private(path, false).map_err(disk)?;
                // A record that was being written when the machine died goes.
                file.set_len(size).map_err(disk)?;
                (file, size)
            }
            None => write_whole(path, &records)?,
        };
        older.iter().for_each(|older| drop(fs::remove_file(older)));
        let dirty = Dirty::new(file.try_clone().map_err(disk)?);
        let journal = Journal { path: path.into(), dirty, file, flusher, size, whole: size };
        Ok(Opened { journal, records, faults })
    }

    /// Appends records: written when it returns, so that no killed process takes them along, and
    /// kept by the disk at most 250 ms later.
    ///
    /// # Errors
    /// The disk is full, or a record is too large.
    pub fn append(&mut self, records: &[Record]) -> Result<(), JournalError> {
        let mut bytes = Vec::new();
        records.iter().try_for_each(|record| encode(record, &mut bytes))?;
        let written = self.file.write_all(&bytes);
        if let Err(error) = written {
            // What stands half would hide what is appended later.
            let _ = self.file.set_len(self.size);
            return Err(self.disk(error));
        }
        self.size += bytes.len() as u64;
        self.flusher.ask(&self.dirty);
        Ok(())
    }

    /// Its bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Whether it is time to write it whole again.
    pub fn is_long(&self) -> bool {
        self.size > self.whole + GROWN
    }

    /// Writes the journal whole: a new file takes the old one's name, so that at any moment one of
    /// them stands. The disk holds it when this returns.
    ///
    /// # Errors
    /// The disk is full, or a record is too large; the old journal goes on.
    pub fn rewrite(&mut self, records: &[Record]) -> Result<(), JournalError> {
        let (file, size) = write_whole(&self.path, records)?;
        self.dirty = Dirty::new(file.try_clone().map_err(|error| self.disk(error))?);
        (self.file, self.size, self.whole) = (file, size, size);
        Ok(())
    }

    /// Removes it: what it was of is kept elsewhere.
    pub fn remove(self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(%error, path = %self.path.display(), "a journal stays behind");
        }
    }

    fn disk(&self, error: std::io::Error) -> JournalError {
        JournalError::Disk { path: self.path.display().to_string(), error }
    }
}

/// What a file holds.
struct Found {
    /// `None`: there is no file.
    records: Option<Vec<Record>>,
    /// How much of it stands, where it can be appended to.
    whole: Option<u64>,
    faults: Vec<String>,
}

/// Reads a journal. One that is damaged is set aside.
fn salvage(path: &Path) -> Found {
    let aside = |why: &str, records| Found {
        records: Some(records),
        whole: None,
        faults: vec![set_aside(path, why)],
    };
    match read_bounded(path) {
        Ok(None) => Found { records: None, whole: None, faults: Vec::new() },
        Ok(Some(bytes)) => match decode(&bytes) {
            Ok(salvage) => match salvage.damaged.first() {
                Some((at, why)) => {
                    let places = salvage.damaged.len();
                    let told = format!("{why} at byte {at} ({places} damaged in all)");
                    aside(&told, salvage.records)
                }
                None => Found {
                    records: Some(salvage.records),
                    whole: Some(salvage.whole as u64),
                    faults: Vec::new(),
                },
            },
            Err(error) => aside(&error.to_string(), Vec::new()),
        },
        Err(error) => aside(&error.to_string(), Vec::new()),
    }
}

/// Writes a journal whole: a new file takes the old one's name. The file, and its bytes.
fn write_whole(path: &Path, records: &[Record]) -> Result<(File, u64), JournalError> {
    let mut bytes = head();
    records.iter().try_for_each(|record| encode(record, &mut bytes))?;
    let fresh = path.with_extension("journal.new");
    let written = private(&fresh, true).and_then(|mut file| {
        file.write_all(&bytes)?;
        file.sync_data()?;
        fs::rename(&fresh, path)?;
        sync_folder(path);
        Ok(file)
    });
    match written {
        Ok(file) => Ok((file, bytes.len() as u64)),
        Err(error) => Err(JournalError::Disk { path: path.display().to_string(), error }),
    }
}

/// Renames a file that cannot be read, and says so for a person.
pub fn set_aside(path: &Path, why: &str) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    // A name that says when, and that no earlier one has.
    let stamp = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let stamp = stamp.map_or(0, |since| since.as_nanos());
    let aside = path.with_file_name(format!("{name}.damaged-{stamp}"));
    match fs::rename(path, &aside) {
        Ok(()) => format!("{name} could not be read whole: {why}. It is kept as {}", aside.display()),
        Err(error) => format!("{name} could not be read whole: {why}. It could not be kept: {error}"),
    }
}

/// A file's bytes; `None` where there is none.
fn read_bounded(path: &Path) -> std::io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    // One more than allowed, so that too large a file is seen as such.
    file.take(MAX_JOURNAL as u64 + 1).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// Opens a file to append to, readable by the musician alone.
fn private(path: &Path, fresh: bool) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    if fresh {
        file.set_len(0)?;
    }
    Ok(file)
}

/// Makes the disk keep a new name. Where a system cannot, the name alone may be lost with its power.
fn sync_folder(path: &Path) {
    if let Some(folder) = path.parent().and_then(|folder| File::open(folder).ok()) {
        let _ = folder.sync_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Cseq;

    fn answered(journal: &mut Journal, range: std::ops::Range<u64>) {
        for cseq in range {
            journal.append(&[Record::Answered(Cseq(cseq))]).expect("written");
        }
    }

    #[test]
    fn a_journal_reads_back_and_a_torn_tail_is_cut() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x.journal");
        let flusher = Flusher::start().expect("a thread");
        let mut journal = Journal::open(&path, flusher.clone()).expect("a journal").journal;
        answered(&mut journal, 0..10);
        drop(journal);
        let mut bytes = fs::read(&path).expect("bytes");
        bytes.truncate(bytes.len() - 3);
        fs::write(&path, &bytes).expect("written");
        let opened = Journal::open(&path, flusher.clone()).expect("a journal");
        assert_eq!((opened.records.len(), opened.faults.len()), (9, 0));
        let mut journal = opened.journal;
        answered(&mut journal, 9..12);
        drop(journal);
        assert_eq!(Journal::open(&path, flusher).expect("a journal").records.len(), 12);
    }

    #[test]
    fn a_damaged_journal_is_set_aside_whole_and_what_can_be_read_goes_on() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x.journal");
        let flusher = Flusher::start().expect("a thread");
        let mut journal = Journal::open(&path, flusher.clone()).expect("a journal").journal;
        answered(&mut journal, 0..10);
        drop(journal);
        let mut bytes = fs::read(&path).expect("bytes");
        bytes[40] ^= 0xFF;
        fs::write(&path, &bytes).expect("written");
        let opened = Journal::open(&path, flusher.clone()).expect("a journal");
        assert_eq!((opened.records.len(), opened.faults.len()), (9, 1));
        let aside = fs::read_dir(folder.path()).expect("a folder").filter_map(Result::ok);
        let aside = aside.filter(|file| file.file_name().to_string_lossy().contains("damaged"));
        assert!(aside.map(|file| fs::read(file.path()).expect("bytes")).eq([bytes]));
        drop(opened.journal);
        let again = Journal::open(&path, flusher).expect("a journal");
        assert_eq!((again.records.len(), again.faults.len()), (9, 0));
    }
}
