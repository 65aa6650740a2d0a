//! A state as bytes, and its digest.
//!
//! `ANTS`, a version byte, a postcard body, xxh3-64 of all before it (little endian). The body holds
//! the registers that somebody wrote or that differ from an untouched song; equal states have equal
//! bytes. Older formats are read, too, and come forward ([`super::v1`]).

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use xxhash_rust::xxh3::xxh3_64;

use super::chat::Chat;
use super::state::{MAX_WAITING, OpError, Stamp, State, Waiting, check_edit, check_tempo_map, check_tick};
use super::{ChatLine, ClientId, Records, Rulings, Seq, Timeline, v1};
use crate::pattern::{Edit, Register};
use crate::time::{Beats, TempoMap};

const MAGIC: [u8; 4] = *b"ANTS";
/// The format [`State::encode`] writes.
pub const SNAPSHOT_VERSION: u8 = 2;
const HEAD: usize = MAGIC.len() + 1;
const CHECKSUM: usize = 8;
/// The most bytes an encoded state may have; the largest possible one stays well below.
pub const MAX_SNAPSHOT: usize = 4 * 1024 * 1024;

/// Why bytes are no encoded state.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum SnapshotError {
    /// Too few bytes, or the first ones are not ours.
    #[error("these {0} bytes are no session snapshot")]
    NotASnapshot(usize),
    /// More bytes than any state needs.
    #[error("a snapshot of {0} bytes is too large: at most {MAX_SNAPSHOT}")]
    TooLarge(usize),
    /// Written by another version.
    #[error("snapshot format {0} is not known here (formats 1 to {SNAPSHOT_VERSION} are); update Antiphon")]
    Version(u8),
    /// The bytes have changed since they were written.
    #[error("the snapshot is damaged: its checksum does not match")]
    Checksum,
    /// The body does not parse.
    #[error("the snapshot's body does not parse: {0}")]
    Body(postcard::Error),
    /// The body parses but contradicts itself.
    #[error("the snapshot's {part} {index} is wrong: {reason}")]
    Content {
        /// Which list.
        part: &'static str,
        /// Which entry.
        index: usize,
        /// What is wrong with it.
        reason: String,
    },
}

#[derive(Serialize, Deserialize)]
pub(super) struct Body {
    pub(super) seq: Seq,
    pub(super) timeline: Timeline,
    pub(super) tempo_map: TempoMap,
    /// Every commit that some register's last write belongs to: the step from the one before, and
    /// its author. One commit has one author, so registers need only name the commit's place here.
    pub(super) stamps: Vec<(u64, ClientId)>,
    /// The place of its stamp plus one (0: none), and the register with its value, in the order of
    /// the registers.
    pub(super) registers: Vec<(u32, Edit)>,
    pub(super) waiting: Vec<WaitingBody>,
    pub(super) chat: Vec<ChatLine>,
    pub(super) records: Records,
    pub(super) rulings: Rulings,
}

#[derive(Serialize, Deserialize)]
pub(super) struct WaitingBody {
    pub(super) at: Beats,
    pub(super) seq: Seq,
    pub(super) author: ClientId,
    pub(super) index: u32,
    pub(super) edit: Edit,
}

impl State {
    /// A number that is equal where states are equal, on every machine: song, stamps, waiting edits,
    /// tempo map, transport and seq.
    pub fn digest(&self) -> u64 {
        xxh3_64(&self.body_bytes())
    }

    /// The state as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = self.body_bytes();
        let sum = xxh3_64(&bytes);
        bytes.extend_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// Head and body.
    fn body_bytes(&self) -> Vec<u8> {
        let mut head = Vec::with_capacity(2048);
        head.extend_from_slice(&MAGIC);
        head.push(SNAPSHOT_VERSION);
        postcard::to_extend(&Body::of(self), head).expect("plain data goes into a growing buffer")
    }

    /// Reads what [`State::encode`] wrote.
    ///
    /// # Errors
    /// Says what is wrong with the bytes.
    pub fn decode(bytes: &[u8]) -> Result<State, SnapshotError> {
        if bytes.len() > MAX_SNAPSHOT {
            return Err(SnapshotError::TooLarge(bytes.len()));
        }
        if bytes.len() < HEAD + CHECKSUM || !bytes.starts_with(&MAGIC) {
            return Err(SnapshotError::NotASnapshot(bytes.len()));
        }
        let version = bytes[HEAD - 1];
        if !(1..=SNAPSHOT_VERSION).contains(&version) {
            return Err(SnapshotError::Version(version));
        }
        let (body, sum) = bytes.split_at(bytes.len() - CHECKSUM);
        if xxh3_64(body).to_le_bytes() != sum {
            return Err(SnapshotError::Checksum);
        }
        let body = &body[HEAD..];
        let (body, rest) = match version {
            1 => postcard::take_from_bytes::<v1::Body>(body).map(|(old, rest)| (old.into(), rest)),
            _ => postcard::take_from_bytes::<Body>(body),
        }
        .map_err(SnapshotError::Body)?;
        if !rest.is_empty() {
            return Err(SnapshotError::Body(postcard::Error::DeserializeBadEncoding));
        }
        body.into_state()
    }
}

impl Body {
    fn of(state: &State) -> Body {
        let mut commits: Vec<Stamp> = state.stamps.values().copied().collect();
        commits.sort_unstable_by_key(|stamp| stamp.seq);
        commits.dedup();
        let place_of = |register: &Register| match state.stamps.get(register) {
            None => 0,
            Some(stamp) => commits.partition_point(|other| other.seq < stamp.seq) as u32 + 1,
        };
        let mut registers: Vec<Register> = state.stamps.keys().chain(&state.brought).copied().collect();
        registers.sort_unstable();
        let held = |register: &Register| (place_of(register), state.song.read(*register));
        let before = std::iter::once(0).chain(commits.iter().map(|stamp| stamp.seq.0));
        let stamps = commits.iter().zip(before).map(|(s, before)| (s.seq.0 - before, s.author)).collect();
        Body {
            seq: state.seq,
            timeline: state.timeline,
            tempo_map: state.tempo_map.clone(),
            stamps,
            registers: registers.iter().map(held).collect(),
            waiting: state.waiting.iter().map(WaitingBody::of).collect(),
            chat: state.chat.lines().cloned().collect(),
            records: state.records.clone(),
            rulings: state.rulings.as_ref().clone(),
        }
    }

    fn into_state(self) -> Result<State, SnapshotError> {
        check_tempo_map(&self.tempo_map).map_err(|e| wrong("tempo map", 0, e))?;
        check_tick(self.timeline.tick).map_err(|e| wrong("transport", 0, e))?;
        if self.stamps.len() > self.registers.len() {
            return Err(wrong("stamp", self.stamps.len(), "there are more than registers"));
        }
        let commits = read_stamps(&self.stamps, self.seq)?;
        let mut state = State { tempo_map: self.tempo_map, ..State::new() };
        state.seq = self.seq;
        state.timeline = self.timeline;
        let mut last = None;
        for (index, (commit, edit)) in self.registers.into_iter().enumerate() {
            check_edit(&edit).map_err(|e| wrong("register", index, e))?;
            let register = edit.register();
            if last >= Some(register) {
                return Err(wrong("register", index, "it is out of order"));
            }
            last = Some(register);
            if commit == 0 && state.song.read(register) != edit {
                state.brought.insert(register);
            }
            state.song.apply(&edit);
            if commit > 0 {
                let stamp = commits.get(commit as usize - 1);
                let stamp = *stamp.ok_or_else(|| wrong("register", index, "it has no commit"))?;
                state.stamps.insert(register, stamp);
            }
        }
        state.waiting = read_waiting(self.waiting, self.seq)?;
        state.chat = Chat::restore(self.chat, self.seq)
            .map_err(|(index, reason)| wrong("line of chat", index, reason))?;
        self.records.check_all(self.seq).map_err(|(index, reason)| wrong("record", index, reason))?;
        state.records = self.records;
        self.rulings.check(self.seq).map_err(|part| wrong(part, 0, "it contradicts itself"))?;
        state.rulings = Arc::new(self.rulings);
        Ok(state)
    }
}

impl WaitingBody {
    fn of(waiting: &Waiting) -> WaitingBody {
        let Waiting { at, stamp, index, edit } = *waiting;
        WaitingBody { at, seq: stamp.seq, author: stamp.author, index, edit }
    }
}

fn wrong(part: &'static str, index: usize, reason: impl ToString) -> SnapshotError {
    SnapshotError::Content { part, index, reason: reason.to_string() }
}

fn read_stamps(gaps: &[(u64, ClientId)], last: Seq) -> Result<Vec<Stamp>, SnapshotError> {
    let mut seq = 0u64;
    let stamp = |(index, &(gap, author)): (usize, &(u64, ClientId))| {
        seq = seq.checked_add(gap).filter(|seq| gap > 0 && *seq <= last.0).ok_or_else(|| {
            wrong("stamp", index, "its commit does not lie between the one before and the last")
        })?;
        Ok(Stamp { seq: Seq(seq), author })
    };
    gaps.iter().enumerate().map(stamp).collect()
}

fn read_waiting(list: Vec<WaitingBody>, last: Seq) -> Result<Vec<Waiting>, SnapshotError> {
    if list.len() > MAX_WAITING {
        return Err(wrong("waiting edit", list.len(), OpError::WaitingFull));
    }
    let mut waiting: Vec<Waiting> = Vec::with_capacity(list.len());
    for (at_index, WaitingBody { at, seq, author, index, edit }) in list.into_iter().enumerate() {
        check_tick(at).map_err(|e| wrong("waiting edit", at_index, e))?;
        check_edit(&edit).map_err(|e| wrong("waiting edit", at_index, e))?;
        let follows = waiting.last().is_none_or(|w| (w.at, w.stamp.seq, w.index) < (at, seq, index));
        if !follows || seq == Seq(0) || seq > last {
            return Err(wrong("waiting edit", at_index, "it is out of order"));
        }
        waiting.push(Waiting { at, stamp: Stamp { seq, author }, index, edit });
    }
    Ok(waiting)
}
