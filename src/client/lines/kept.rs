//! A machine's own lines as a file of the profile folder, in the form of a session file: so that its
//! branches, versions and history outlive the process.
//!
//! The session's own line is in the journal as well, which is written before anybody hears of a
//! commit; what this file lacks of it is taken from there. Edits of branches are written here at
//! most 250 ms later, later where the file is so large that writing it takes long.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::LocalLines;
use crate::client::journal::set_aside;
use crate::client::profile::write_private;
use crate::session::{ClientId, Commit, SessionFile, State};
use crate::time::HostNanos;

const MS: i64 = 1_000_000;
/// How long a change may wait.
const WAIT: i64 = 250 * MS;
/// Of the time, at most so much is spent on writing: one part in this many.
const SHARE: i64 = 20;
/// The most bytes that are read.
const MAX_BYTES: u64 = 64 << 20;

/// What stands in a file of lines.
pub struct Found {
    /// The lines.
    pub lines: LocalLines,
    /// Where their session's own line had come to.
    pub head: State,
    /// The last of those who took part: this machine, where it wrote anything.
    pub me: Option<ClientId>,
}

/// Reads lines; `None` where there are none.
///
/// # Errors
/// They could not be read and were set aside: what, for a person.
pub fn read(path: &Path) -> Result<Option<Found>, String> {
    let Ok(about) = fs::metadata(path) else { return Ok(None) };
    let bytes = match about.len() {
        0..=MAX_BYTES => fs::read(path).map_err(|error| error.to_string()),
        size => Err(format!("it has {size} bytes")),
    };
    let file = bytes.and_then(|bytes| SessionFile::decode(&bytes).map_err(|error| error.to_string()));
    let file = file.map_err(|why| set_aside(path, &why))?;
    let me = file.people.last().map(|(client, _)| *client);
    let (lines, head) = LocalLines::of(file);
    Ok(Some(Found { lines, head, me }))
}

/// Reads the lines of a groove that has come to `head`; `commits` are those that its journal holds.
/// Where there is no file, the lines begin there. What was set aside is told.
pub fn resume(path: &Path, commits: &[Commit], head: &State, now_ms: i64) -> (LocalLines, Option<String>) {
    match read(path) {
        Ok(Some(mut found)) => {
            found.lines.go_on(commits, head, now_ms);
            (found.lines, None)
        }
        Ok(None) => (LocalLines::new(head.clone()), None),
        Err(fault) => (LocalLines::new(head.clone()), Some(fault)),
    }
}

/// The file of one groove's lines.
pub struct LinesFile {
    path: PathBuf,
    /// The change that it holds.
    holds: u64,
    behind: Option<HostNanos>,
    /// How long changes gather.
    wait: i64,
    broken: bool,
}

impl LinesFile {
    /// The file at a path, which holds nothing yet.
    pub fn beside(path: PathBuf) -> LinesFile {
        LinesFile { path, holds: 0, behind: None, wait: WAIT, broken: false }
    }

    /// Whether something has changed for long enough that it should be written.
    pub fn is_due(&mut self, now: HostNanos, lines: &LocalLines) -> bool {
        lines.changes() != self.holds && now - *self.behind.get_or_insert(now) >= self.wait
    }

    /// Writes it whole: a new file takes the old one's name.
    pub fn save(&mut self, lines: &LocalLines, file: &SessionFile) -> Option<String> {
        let began = Instant::now();
        let fresh = self.path.with_extension("lines.new");
        let folder = self.path.parent().map_or(Ok(()), fs::create_dir_all);
        let written = folder.and_then(|()| write_private(&fresh, &file.encode()));
        let written = written.and_then(|()| fs::rename(&fresh, &self.path));
        (self.holds, self.behind) = (lines.changes(), None);
        self.wait = WAIT.max(SHARE * began.elapsed().as_nanos() as i64);
        let error = written.err()?;
        let told = std::mem::replace(&mut self.broken, true);
        (!told).then(|| format!("branches are not kept in {}: {error}", self.path.display()))
    }
}
