//! Who runs a profile's hub: one process at a time, by a lock, in terms.
//!
//! The holder locks `client.lock`. A process that is frozen (stopped, swapped out, under a debugger)
//! keeps its locks, so whoever has heard nothing of the hub for some seconds begins a new term: it
//! makes `client-1.lock`, which can be made but once, and whoever locks that runs the hub. All that
//! a hub writes or listens at bears its term's number, so that the holder of an earlier term, when
//! it thaws, cannot touch what a later one has. It steps back with the first thing that it does.
//!
//! Law: what a hub has written into a journal is told, sent or answered only if its term still
//! holds after the writing. A later holder has then read all that anybody was promised.

use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use parking_lot::Mutex;

/// A look at the folder serves for so long: far less than a hub must be silent to be replaced.
const FRESH: Duration = Duration::from_millis(500);

/// Which reign over a profile: it grows by one when a frozen holder is replaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Term(u32);

impl Term {
    /// The present one of a folder; the first, where there was none.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn current(folder: &Path) -> anyhow::Result<Term> {
        let newest = terms_of(folder, "client", "lock").map(|(term, _)| term).max();
        match (newest, folder.is_dir()) {
            (Some(term), _) => Ok(term),
            (None, true) => Ok(Term::default()),
            (None, false) => anyhow::bail!("the profile folder {} cannot be read", folder.display()),
        }
    }

    /// The name of a file of this term.
    pub fn file(self, stem: &str, extension: &str) -> String {
        match self.0 {
            0 => format!("{stem}.{extension}"),
            number => format!("{stem}-{number}.{extension}"),
        }
    }

    fn lock(self) -> String {
        self.file("client", "lock")
    }
}

/// The files of all terms under one name.
pub fn terms_of(folder: &Path, stem: &str, extension: &str) -> impl Iterator<Item = (Term, PathBuf)> {
    let (stem, extension) = (stem.to_owned(), extension.to_owned());
    let files = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    files.filter_map(move |file| {
        let name = file.file_name();
        let name = name.to_str()?.strip_suffix(&extension)?.strip_suffix('.')?.strip_prefix(&stem)?;
        let number = match name.strip_prefix('-') {
            Some(number) => number.parse().ok().filter(|number| *number > 0)?,
            None if name.is_empty() => 0,
            None => return None,
        };
        Some((Term(number), file.path()))
    })
}

/// Begins the term after one whose holder does not answer. Nothing happens where somebody has.
///
/// # Errors
/// The folder cannot be written.
pub fn begin_after(folder: &Path, frozen: Term) -> anyhow::Result<()> {
    let next = Term(frozen.0.checked_add(1).context("a profile has no more terms")?);
    if Term::current(folder)? > frozen {
        return Ok(());
    }
    let path = folder.join(next.lock());
    match OpenOptions::new().create_new(true).write(true).open(&path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error).with_context(|| format!("{} cannot be made", path.display())),
    }
}

/// The right to run a profile's hub.
pub struct Lease {
    folder: PathBuf,
    term: Term,
    /// Held for its lock.
    _lock: File,
    looked: Mutex<Instant>,
    lost: AtomicBool,
}

impl Lease {
    /// Takes the present term's lock; `None` where another process holds it.
    ///
    /// # Errors
    /// The folder cannot be read or written.
    pub fn take(folder: &Path) -> anyhow::Result<Option<Lease>> {
        let term = Term::current(folder)?;
        let path = folder.join(term.lock());
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let lock = lock.with_context(|| format!("{} cannot be opened", path.display()))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Ok(None),
            Err(fs::TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("{} cannot be locked", path.display()));
            }
        }
        // A later one may have begun meanwhile.
        if Term::current(folder)? != term {
            return Ok(None);
        }
        let past = ["lock", "sock", "port"].map(|extension| {
            let stem = if extension == "lock" { "client" } else { "hub" };
            terms_of(folder, stem, extension).filter(|(of, _)| *of < term).collect::<Vec<_>>()
        });
        for (_, file) in past.into_iter().flatten() {
            // One that stays is of no harm: it is not the newest.
            let _ = fs::remove_file(file);
        }
        let looked = Mutex::new(Instant::now());
        let (folder, lost) = (folder.to_owned(), AtomicBool::new(false));
        Ok(Some(Lease { folder, term, _lock: lock, looked, lost }))
    }

    /// Which term it is for.
    pub fn term(&self) -> Term {
        self.term
    }

    /// Whether this process still runs the hub: no later term has begun.
    pub fn holds(&self) -> bool {
        if self.lost.load(Ordering::Acquire) {
            return false;
        }
        let mut looked = self.looked.lock();
        let now = Instant::now();
        if now.duration_since(*looked) < FRESH {
            return true;
        }
        // Where the folder cannot be read, nobody else can have begun a term either.
        if Term::current(&self.folder).is_ok_and(|term| term > self.term) {
            tracing::warn!(folder = %self.folder.display(), "another process runs the hub now");
            self.lost.store(true, Ordering::Release);
            return false;
        }
        *looked = now;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_term_begins_once_and_the_one_before_no_longer_holds() {
        let folder = tempfile::tempdir().expect("a folder");
        let frozen = Lease::take(folder.path()).expect("a folder").expect("free");
        assert!(Lease::take(folder.path()).expect("a folder").is_none());
        assert_eq!(frozen.term(), Term(0));
        for _ in 0..3 {
            begin_after(folder.path(), Term(0)).expect("begun, or begun before");
        }
        let new = Lease::take(folder.path()).expect("a folder").expect("free");
        assert_eq!((new.term(), Term::current(folder.path()).expect("a folder")), (Term(1), Term(1)));
        assert!(new.holds());
        // What it had looked at before it froze is long past.
        *frozen.looked.lock() -= FRESH;
        assert!(!frozen.holds() && !frozen.holds());
        drop((frozen, new));
        assert_eq!(Lease::take(folder.path()).expect("a folder").expect("free").term(), Term(1));
        assert_eq!(terms_of(folder.path(), "client", "lock").count(), 1);
    }

    #[test]
    fn names_of_other_files_are_no_terms() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["client-x.lock", "client-0.lock", "client-2.lock.new", "client.key", "hub-7.lock"] {
            fs::write(folder.path().join(name), "").expect("written");
        }
        assert_eq!(Term::current(folder.path()).expect("a folder"), Term(0));
        fs::write(folder.path().join("client-12.lock"), "").expect("written");
        assert_eq!(Term::current(folder.path()).expect("a folder"), Term(12));
        assert!(Term::current(&folder.path().join("none")).is_err());
    }
}
