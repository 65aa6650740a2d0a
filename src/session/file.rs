//! A whole session as one file: state, log, who wrote what and when, branches, named versions.
//!
//! `ANTF`, a version byte, then sections in a fixed order: name, people, origin, log, head, and for
//! each branch its log. A section is its kind (one byte), its length and its xxh3-64 (eight bytes
//! each, little endian), and its body in postcard. The same session makes the same bytes. Reading
//! replays the log from the origin, so that what reads is a session: each commit applies, and the
//! state it leads to is the one that was written.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Serialize, de::DeserializeOwned};
use thiserror::Error;
use xxhash_rust::xxh3::xxh3_64;

use super::history::Row;
use super::{BranchId, ClientId, Commit, MAX_BRANCHES, MAX_SNAPSHOT, Seq, State};

const MAGIC: [u8; 4] = *b"ANTF";
/// The format [`SessionFile::encode`] writes.
pub const FILE_VERSION: u8 = 1;
/// The most bytes a file may have.
pub const MAX_FILE: usize = 256 * 1024 * 1024;
const HEAD: usize = MAGIC.len() + 1;
const SECTION: usize = 1 + 8 + 8;
/// The most bytes of a name in the file.
const MAX_NAME: usize = 1024;
/// The most people in a file.
const MAX_PEOPLE: usize = 65_536;

/// A session's content.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionFile {
    /// What it is called.
    pub name: String,
    /// The names of those who took part, in order of their numbers.
    pub people: Vec<(ClientId, String)>,
    /// The session's own line.
    pub main: Line,
    /// The state after its last commit.
    pub head: Box<State>,
    /// The commits of each branch that the head's records name, in order of their numbers; one that
    /// nobody wrote to has none.
    pub branches: Vec<(BranchId, Vec<Row>)>,
}

/// A log and the state before it.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// The state before the first commit.
    pub origin: Box<State>,
    /// The commits, gapless.
    pub log: Vec<Row>,
}

/// Why bytes are no session file.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum FileError {
    /// The first bytes are not ours.
    #[error("this is no Antiphon session file")]
    NotASession,
    /// More bytes than any session needs.
    #[error("a session file of {0} bytes is too large: at most {MAX_FILE}")]
    TooLarge(usize),
    /// Written by another version.
    #[error("session file format {0} is not known here (this is format {FILE_VERSION}); update Antiphon")]
    Version(u8),
    /// A part is cut off, altered or contradicts itself.
    #[error("the file is damaged in its {part}, at byte {at}: {reason}; use another copy")]
    Damaged {
        /// Which section.
        part: String,
        /// Where it begins in the file.
        at: usize,
        /// What is wrong with it.
        reason: String,
    },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Name = 1,
    People,
    Origin,
    Log,
    Head,
    Branch,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Name => "name",
            Kind::People => "list of people",
            Kind::Origin => "beginning",
            Kind::Log => "log",
            Kind::Head => "state",
            Kind::Branch => "branches",
        }
    }
}

impl SessionFile {
    /// The session as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.push(FILE_VERSION);
        section(&mut bytes, Kind::Name, &body(&self.name));
        section(&mut bytes, Kind::People, &list(&self.people));
        section(&mut bytes, Kind::Origin, &self.main.origin.encode());
        section(&mut bytes, Kind::Log, &list(&rows(&self.main.log)));
        section(&mut bytes, Kind::Head, &self.head.encode());
        for (id, log) in &self.branches {
            let mut inside = body(id);
            inside.extend(list(&rows(log)));
            section(&mut bytes, Kind::Branch, &inside);
        }
        bytes
    }

    /// Reads what [`SessionFile::encode`] wrote, and replays it.
    ///
    /// # Errors
    /// Says what is wrong with the bytes, and where.
    pub fn decode(bytes: &[u8]) -> Result<SessionFile, FileError> {
        if bytes.len() > MAX_FILE {
            return Err(FileError::TooLarge(bytes.len()));
        }
        if bytes.len() < HEAD || !bytes.starts_with(&MAGIC) {
            return Err(FileError::NotASession);
        }
        if bytes[HEAD - 1] != FILE_VERSION {
            return Err(FileError::Version(bytes[HEAD - 1]));
        }
        let mut reader = Reader { bytes, at: HEAD };
        let (name, at) = reader.section(Kind::Name)?;
        let name: String = whole(name)
            .filter(|name: &String| name.len() <= MAX_NAME)
            .ok_or_else(|| at.bad("it is no name"))?;
        let (people, at) = reader.section(Kind::People)?;
        let people = items(people).map_err(|reason| at.bad(reason))?;
        check_people(&people).map_err(|reason| at.bad(reason))?;
        let (origin, at) = reader.section(Kind::Origin)?;
        let origin = read_state(origin).map_err(|reason| at.bad(reason))?;
        let (log, log_at) = reader.section(Kind::Log)?;
        let log = read_rows(log).map_err(|reason| log_at.bad(reason))?;
        let (head, head_at) = reader.section(Kind::Head)?;
        let head = read_state(head).map_err(|reason| head_at.bad(reason))?;
        let mut branches = Vec::new();
        while !reader.is_done() {
            let (inside, at) = reader.section(Kind::Branch)?;
            if branches.len() >= MAX_BRANCHES {
                return Err(at.bad("there are too many"));
            }
            let (id, rows) = postcard::take_from_bytes::<BranchId>(inside).map_err(|e| at.bad(e))?;
            branches.push((id, read_rows(rows).map_err(|reason| at.bad(reason))?, at));
        }
        let told: Vec<_> = branches.iter().map(|(id, _, _)| *id).collect();
        let known: Vec<_> = head.records().branches().iter().map(|branch| branch.id).collect();
        if told != known {
            return Err(head_at.bad("it names other branches than the file holds"));
        }
        let forks = forks_of(&head, BranchId::MAIN);
        let (end, states) = replay(&origin, &log, &forks).map_err(|reason| log_at.bad(reason))?;
        if end != head {
            return Err(log_at.bad("it leads to another state than the one that was written"));
        }
        replay_branches(&head, &states, &branches)?;
        let branches = branches.into_iter().map(|(id, log, _)| (id, log)).collect();
        let main = Line { origin: Box::new(origin), log };
        Ok(SessionFile { name, people, main, head: Box::new(head), branches })
    }

    /// The state after a commit of a line.
    ///
    /// `None` where there is no such line or commit.
    pub fn state_at(&self, line: BranchId, seq: Seq) -> Option<State> {
        let begin = match line {
            BranchId::MAIN => (*self.main.origin).clone(),
            line => {
                let branch = self.head.records().branch(line)?;
                self.state_at(branch.parent, branch.fork_seq)?
            }
        };
        let log = match line {
            BranchId::MAIN => &self.main.log,
            line => self.branches.iter().find(|(id, _)| *id == line).map(|(_, log)| log)?,
        };
        let (_, mut states) = replay(&begin, log, &BTreeSet::from([seq])).ok()?;
        states.remove(&seq)
    }
}

/// Where branches leave a line.
fn forks_of(head: &State, line: BranchId) -> BTreeSet<Seq> {
    let branches = head.records().branches().iter();
    branches.filter(|branch| branch.parent == line).map(|branch| branch.fork_seq).collect()
}

/// The state after a log, and those after the commits asked for.
fn replay(
    begin: &State,
    log: &[Row],
    wanted: &BTreeSet<Seq>,
) -> Result<(State, BTreeMap<Seq, State>), String> {
    let mut state = begin.clone();
    let mut states = BTreeMap::new();
    let mut keep = |state: &State| {
        if wanted.contains(&state.seq()) {
            states.insert(state.seq(), state.clone());
        }
    };
    keep(&state);
    for row in log {
        state.apply(&row.commit).map_err(|error| error.to_string())?;
        keep(&state);
    }
    Ok((state, states))
}

/// Every branch begins where its parent was, and its log replays; parents have lower numbers.
fn replay_branches(
    head: &State,
    main: &BTreeMap<Seq, State>,
    branches: &[(BranchId, Vec<Row>, Place)],
) -> Result<(), FileError> {
    let mut states: BTreeMap<(BranchId, Seq), State> =
        main.iter().map(|(seq, state)| ((BranchId::MAIN, *seq), state.clone())).collect();
    for (branch, (id, log, at)) in head.records().branches().iter().zip(branches) {
        let Some(begin) = states.get(&(branch.parent, branch.fork_seq)) else {
            return Err(at.bad(format!("branch {} begins where its parent never was", id.0)));
        };
        let forks = forks_of(head, *id);
        let (_, reached) =
            replay(begin, log, &forks).map_err(|reason| at.bad(format!("branch {}: {reason}", id.0)))?;
        states.extend(reached.into_iter().map(|(seq, state)| ((*id, seq), state)));
    }
    Ok(())
}

fn body(value: &impl Serialize) -> Vec<u8> {
    postcard::to_stdvec(value).expect("plain data goes into a growing buffer")
}

/// Items one after the other, so that a reader allocates what it has read and no more.
fn list<T: Serialize>(items: &[T]) -> Vec<u8> {
    items.iter().fold(Vec::new(), |bytes, item| {
        postcard::to_extend(item, bytes).expect("plain data goes into a growing buffer")
    })
}

fn items<T: DeserializeOwned>(mut bytes: &[u8]) -> Result<Vec<T>, String> {
    let mut items = Vec::new();
    while !bytes.is_empty() {
        let (item, rest) =
            postcard::take_from_bytes(bytes).map_err(|error| format!("entry {}: {error}", items.len()))?;
        items.push(item);
        bytes = rest;
    }
    Ok(items)
}

/// Each row's time, and its commit as logs keep it: a version byte, then the commit.
fn rows(log: &[Row]) -> Vec<(i64, Vec<u8>)> {
    log.iter().map(|row| (row.at_ms, row.commit.encode())).collect()
}

fn read_rows(bytes: &[u8]) -> Result<Vec<Row>, String> {
    let rows: Vec<(i64, Vec<u8>)> = items(bytes)?;
    let row = |(nth, (at_ms, bytes)): (usize, (i64, Vec<u8>))| match Commit::decode(&bytes) {
        Some(commit) => Ok(Row { at_ms, commit }),
        None => Err(format!("entry {nth} is no commit")),
    };
    rows.into_iter().enumerate().map(row).collect()
}

fn whole<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    postcard::take_from_bytes(bytes).ok().filter(|(_, rest)| rest.is_empty()).map(|(value, _)| value)
}

fn read_state(bytes: &[u8]) -> Result<State, String> {
    if bytes.len() > MAX_SNAPSHOT {
        return Err("it is larger than any state".to_owned());
    }
    State::decode(bytes).map_err(|error| error.to_string())
}

fn check_people(people: &[(ClientId, String)]) -> Result<(), String> {
    if people.len() > MAX_PEOPLE {
        return Err("there are too many".to_owned());
    }
    if !people.is_sorted_by(|a, b| a.0 < b.0) || people.iter().any(|(_, name)| name.len() > MAX_NAME) {
        return Err("they are out of order, or a name is too long".to_owned());
    }
    Ok(())
}

fn section(bytes: &mut Vec<u8>, kind: Kind, body: &[u8]) {
    bytes.push(kind as u8);
    bytes.extend((body.len() as u64).to_le_bytes());
    bytes.extend(xxh3_64(body).to_le_bytes());
    bytes.extend(body);
}

/// Where a section begins, for errors.
#[derive(Clone, Copy)]
struct Place {
    kind: Kind,
    at: usize,
}

impl Place {
    fn bad(self, reason: impl ToString) -> FileError {
        FileError::Damaged { part: self.kind.name().to_owned(), at: self.at, reason: reason.to_string() }
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn is_done(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// The next section's body, whole, and where it is.
    fn section(&mut self, kind: Kind) -> Result<(&'a [u8], Place), FileError> {
        let place = Place { kind, at: self.at };
        let rest = &self.bytes[self.at..];
        let Some((head, rest)) = rest.split_at_checked(SECTION) else {
            return Err(place.bad("the file ends before it"));
        };
        if head[0] != kind as u8 {
            return Err(place.bad(format!("a section of kind {} stands in its place", head[0])));
        }
        let number = |at: usize| u64::from_le_bytes(head[at..at + 8].try_into().expect("eight bytes"));
        let length = usize::try_from(number(1)).unwrap_or(usize::MAX);
        let Some(body) = rest.get(..length) else {
            return Err(place.bad(format!("{length} bytes were written, {} are left", rest.len())));
        };
        if xxh3_64(body) != number(9) {
            return Err(place.bad("its checksum does not match"));
        }
        self.at += SECTION + length;
        Ok((body, place))
    }
}
