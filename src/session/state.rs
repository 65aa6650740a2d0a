//! The shared state as commits make it.

use std::collections::BTreeMap;

use thiserror::Error;

use super::chat::Chat;
use super::tracks::NewTracks;
use super::{ClientId, Commit, Op, RecordError, Records, Seq, StampedOp, Timeline};
use crate::pattern::{Bounds, Edit, EditError, GridEdit, Register, Song};
use crate::time::{Beats, TempoError, TempoMap, TempoMapError};

/// The most edits that may wait for their beat.
pub const MAX_WAITING: usize = 1024;
/// The most segments a session's tempo map may have, so that a commit of one fits a frame.
pub const MAX_TEMPO_SEGMENTS: usize = 1024;
/// The most ops of a commit that each write many registers.
pub const MAX_EXPANDED: usize = 16;
/// The furthest song position a session knows.
pub const MAX_TICK: Beats = Beats::FURTHEST;

/// Who wrote a register last, and in which commit; seq 0: nobody since the session began.
///
/// Undo asks whether a register's stamp is still the commit it would undo; a conflict is a stamp
/// younger than an op's `base` by another author.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Stamp {
    /// The commit.
    pub seq: Seq,
    /// Its author.
    pub author: ClientId,
}

/// A committed edit that waits for its beat.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Waiting {
    /// The tick from which it holds.
    pub at: Beats,
    /// Its commit and author: the register's stamp once it holds.
    pub stamp: Stamp,
    /// Its place in the commit.
    pub index: u32,
    /// The write.
    pub edit: Edit,
}

/// What an engine that plays the state must be told.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// One write: on arrival, or at a tick. A write on arrival ends what waits for that register.
    Edit {
        /// The write.
        edit: Edit,
        /// When.
        at: Option<Beats>,
    },
    /// Too much has changed to tell one by one: take the whole song. What waits for its beat
    /// follows as [`Change::Edit`]s.
    Song,
    /// A new tempo map.
    TempoMap(TempoMap),
    /// The session's transport moved.
    Timeline(Timeline),
}

/// Why a commit could not be applied; the state is as it was.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum ApplyError {
    /// Commits are missing, or this one has been applied before.
    #[error("commit {got} came where {expected} was expected; fetch the ones between")]
    Gap {
        /// The next seq.
        expected: u64,
        /// What came.
        got: u64,
    },
    /// An op breaks a bound that its sequencer should have kept.
    #[error("commit {seq}, op {index}: {reason}")]
    Invalid {
        /// The commit.
        seq: u64,
        /// The op's place in it.
        index: u32,
        /// What is wrong.
        reason: OpError,
    },
}

/// What is wrong with an op.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum OpError {
    /// A write outside its bounds.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// A tempo that cannot be played.
    #[error(transparent)]
    Tempo(#[from] TempoError),
    /// A tempo map that contradicts itself.
    #[error(transparent)]
    TempoMap(#[from] TempoMapError),
    /// A tempo map of too many segments.
    #[error("the tempo map has more than {MAX_TEMPO_SEGMENTS} segments; stop, and set the tempo anew")]
    TempoSegments,
    /// A song position nobody can reach.
    #[error("song position {0} lies outside the song")]
    Position(i64),
    /// Only edits wait for a beat.
    #[error("only an edit can wait for a beat")]
    NotStampable,
    /// A request where its answer belongs.
    #[error("a request for a tempo is no committed op")]
    Request,
    /// A record that does not fit those there are.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// More than one record in a frame.
    #[error("a frame changes one branch or version at most")]
    Records,
    /// Too many edits wait.
    #[error("more than {MAX_WAITING} edits wait for their beat")]
    WaitingFull,
    /// More operations that each rewrite a pattern or a track than a commit may hold.
    #[error("a frame holds at most {MAX_EXPANDED} operations on whole patterns and tracks")]
    TooManyExpanded,
    /// No place for another track.
    #[error("all sixteen tracks are in use; remove one first")]
    TracksFull,
    /// A track that came before.
    #[error("there is a track {client}.{counter} already; give the new one an id of its own")]
    TrackExists {
        /// The client's number.
        client: u32,
        /// Its count.
        counter: u32,
    },
}

/// The session as of one commit: song, who wrote what last, what waits for its beat, tempo map and
/// transport. Equal commits make equal states on every machine.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    pub(super) seq: Seq,
    pub(super) song: Box<Song>,
    /// Of the registers that somebody has written.
    pub(super) stamps: BTreeMap<Register, Stamp>,
    /// In order of (at, seq, index).
    pub(super) waiting: Vec<Waiting>,
    pub(super) tempo_map: TempoMap,
    pub(super) timeline: Timeline,
    pub(super) records: Records,
    pub(super) chat: Chat,
}

/// What applying a commit did, for a replica.
#[derive(Default)]
pub(super) struct Applied {
    pub(super) changes: Vec<Change>,
    /// Registers written on arrival, some perhaps more than once.
    pub(super) written: Vec<Register>,
    /// Edits whose beat has come, in their order.
    pub(super) promoted: Vec<Waiting>,
}

impl State {
    /// An empty session: seed 0, no tracks, 120 BPM, stopped.
    pub fn new() -> State {
        State::with_song(Song::new(), TempoMap::default())
    }

    /// A session that begins with a song; nobody's stamp lies on it.
    pub fn with_song(song: Song, tempo_map: TempoMap) -> State {
        State {
            seq: Seq(0),
            song: Box::new(song),
            stamps: BTreeMap::new(),
            waiting: Vec::new(),
            tempo_map,
            timeline: Timeline::default(),
            records: Records::default(),
            chat: Chat::default(),
        }
    }

    /// The last commit applied.
    pub fn seq(&self) -> Seq {
        self.seq
    }

    /// The song.
    pub fn song(&self) -> &Song {
        &self.song
    }

    /// The tempo map.
    pub fn tempo_map(&self) -> &TempoMap {
        &self.tempo_map
    }

    /// The session's transport.
    pub fn timeline(&self) -> Timeline {
        self.timeline
    }

    /// Branches and named versions.
    pub fn records(&self) -> &Records {
        &self.records
    }

    /// The last write of a register.
    pub fn stamp(&self, register: Register) -> Stamp {
        self.stamps.get(&register).copied().unwrap_or_default()
    }

    /// What a register holds, as the edit that would write it.
    pub fn read(&self, register: Register) -> Edit {
        self.song.read(register)
    }

    /// What was said last.
    pub fn chat(&self) -> &Chat {
        &self.chat
    }

    /// Edits that wait for their beat, in the order in which they will take effect.
    pub fn pending(&self) -> impl Iterator<Item = (Beats, &Edit)> {
        self.waiting.iter().map(|waiting| (waiting.at, &waiting.edit))
    }

    /// The same, with their stamps.
    pub fn waiting(&self) -> &[Waiting] {
        &self.waiting
    }

    /// Applies the next commit, whole or not at all, and says what an engine must be told. An edit
    /// whose beat comes ([`Op::Promote`]) is no change: the engine was told when it was committed.
    ///
    /// # Errors
    /// Not the next commit, or an op its sequencer should not have let through.
    pub fn apply(&mut self, commit: &Commit) -> Result<Vec<Change>, ApplyError> {
        self.take(commit).map(|applied| applied.changes)
    }

    pub(super) fn take(&mut self, commit: &Commit) -> Result<Applied, ApplyError> {
        let (expected, got) = (self.seq.0 + 1, commit.seq.0);
        if expected != got {
            return Err(ApplyError::Gap { expected, got });
        }
        self.check(&commit.ops).map_err(|(index, reason)| ApplyError::Invalid { seq: got, index, reason })?;
        self.seq = commit.seq;
        let stamp = Stamp { seq: commit.seq, author: commit.author };
        let mut applied = Applied::default();
        for (index, op) in commit.ops.iter().enumerate() {
            self.take_op(op, stamp, index as u32, &mut applied);
        }
        Ok(applied)
    }

    /// Checks the ops of a commit; the error names the op.
    pub(super) fn check(&self, ops: &[StampedOp]) -> Result<(), (u32, OpError)> {
        let mut waiting = self.waiting.len();
        let mut recorded = false;
        let mut new_tracks = NewTracks::in_state(self);
        let mut expanded = 0;
        for (index, StampedOp { op, at }) in ops.iter().enumerate() {
            waiting += usize::from(at.is_some());
            let wrong = |reason| (index as u32, reason);
            check_op(op, *at).map_err(wrong)?;
            match op {
                Op::Grid(_) => expanded += 1,
                Op::AddTrack(track) => {
                    expanded += 1;
                    new_tracks.take(self, track.id).map_err(wrong)?;
                }
                // One a frame, so that each is checked against what it changes.
                Op::Record(_) if std::mem::replace(&mut recorded, true) => {
                    return Err(wrong(OpError::Records));
                }
                Op::Record(record) => self.records.check(record, self.seq).map_err(|e| wrong(e.into()))?,
                _ => {}
            }
            if expanded > MAX_EXPANDED {
                return Err((index as u32, OpError::TooManyExpanded));
            }
            // Counted without what this very commit may cancel: a rule both sides can follow.
            if waiting > MAX_WAITING {
                return Err((index as u32, OpError::WaitingFull));
            }
        }
        Ok(())
    }

    fn take_op(&mut self, op: &StampedOp, stamp: Stamp, index: u32, applied: &mut Applied) {
        match (&op.op, op.at) {
            (Op::Edit(edit), None) => self.write_all(std::slice::from_ref(edit), stamp, applied),
            (op @ (Op::Grid(_) | Op::AddTrack(_)), _) => self.write_all(&self.expand(op), stamp, applied),
            (Op::Said { client, text }, _) => self.chat.say(stamp.seq, *client, text.clone()),
            (Op::Edit(edit), Some(at)) => {
                // Commits come in order, so it goes behind its equals.
                let place = self.waiting.partition_point(|waiting| waiting.at <= at);
                self.waiting.insert(place, Waiting { at, stamp, index, edit: *edit });
                applied.changes.push(Change::Edit { edit: *edit, at: Some(at) });
            }
            (Op::TempoMap(map), _) => {
                self.tempo_map = map.clone();
                applied.changes.push(Change::TempoMap(map.clone()));
            }
            (Op::Timeline(timeline), _) => {
                self.timeline = *timeline;
                applied.changes.push(Change::Timeline(*timeline));
            }
            (Op::Promote(upto), _) => {
                let due = self.waiting.partition_point(|waiting| waiting.at <= *upto);
                for waiting in self.waiting.drain(..due).collect::<Vec<_>>() {
                    self.write(&waiting.edit, waiting.stamp);
                    applied.promoted.push(waiting);
                }
            }
            (Op::Record(record), _) => self.records.apply(record, stamp.author),
            (Op::RequestTempo(_), _) => unreachable!("`check` lets no request through"),
        }
    }

    /// What an op comes to on this state that only its place in the session can expand.
    pub(super) fn expand(&self, op: &Op) -> Vec<Edit> {
        match op {
            Op::Grid(grid) => grid.expand(&self.song),
            Op::AddTrack(track) => self.edits_of_new_track(track),
            _ => Vec::new(),
        }
    }

    /// Writes edits on arrival: what waits for their registers is over.
    fn write_all(&mut self, edits: &[Edit], stamp: Stamp, applied: &mut Applied) {
        for edit in edits {
            let register = edit.register();
            self.waiting.retain(|waiting| waiting.edit.register() != register);
            self.write(edit, stamp);
            applied.changes.push(Change::Edit { edit: *edit, at: None });
            applied.written.push(register);
        }
    }

    fn write(&mut self, edit: &Edit, stamp: Stamp) {
        self.song.apply(edit);
        self.stamps.insert(edit.register(), stamp);
    }
}

impl Default for State {
    fn default() -> State {
        State::new()
    }
}

fn check_op(op: &Op, at: Option<Beats>) -> Result<(), OpError> {
    if at.is_some() && !matches!(op, Op::Edit(_)) {
        return Err(OpError::NotStampable);
    }
    if let Some(at) = at {
        check_tick(at)?;
    }
    match op {
        Op::Edit(edit) => Ok(check_edit(edit)?),
        Op::TempoMap(map) => check_tempo_map(map),
        Op::Timeline(timeline) => check_tick(timeline.tick),
        // Where nothing waits any more, a promotion may lie anywhere.
        Op::Promote(_) => Ok(()),
        Op::RequestTempo(_) => Err(OpError::Request),
        Op::Grid(grid) => check_same(*grid, grid.check()?),
        Op::AddTrack(track) => Ok(track.check()?),
        // Records are checked against what there is; texts were when they were read.
        Op::Record(_) | Op::Said { .. } => Ok(()),
    }
}

/// Committed edits are in canonical bits already: −0 would make equal states unequal.
pub(super) fn check_edit(edit: &Edit) -> Result<(), EditError> {
    let canonical = edit.check()?;
    if same_bits(&canonical, edit) {
        Ok(())
    } else {
        Err(EditError::Field {
            field: edit.register().name(),
            range: Bounds::Own("canonical bits: 0 for −0"),
        })
    }
}

/// Equal values may differ in their zeros; their bytes do not.
fn same_bits<T: serde::Serialize>(a: &T, b: &T) -> bool {
    let (mut held, mut other) = ([0; 96], [0; 96]);
    match (postcard::to_slice(a, &mut held), postcard::to_slice(b, &mut other)) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    }
}

fn check_same(grid: GridEdit, canonical: GridEdit) -> Result<(), OpError> {
    if same_bits(&grid, &canonical) {
        Ok(())
    } else {
        Err(EditError::Field { field: "velocity", range: Bounds::Own("canonical bits: 0 for −0") }.into())
    }
}

pub(super) fn check_tick(tick: Beats) -> Result<(), OpError> {
    if (Beats::ZERO..=MAX_TICK).contains(&tick) { Ok(()) } else { Err(OpError::Position(tick.0)) }
}

pub(super) fn check_tempo_map(map: &TempoMap) -> Result<(), OpError> {
    if map.segments().len() > MAX_TEMPO_SEGMENTS {
        return Err(OpError::TempoSegments);
    }
    // Before the map's own check, whose arithmetic relies on it.
    map.segments().iter().try_for_each(|segment| check_tick(segment.tick))?;
    Ok(map.check()?)
}
