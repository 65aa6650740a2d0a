//! The shared state as commits make it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::chat::Chat;
use super::tempo::requests_are_sound;
use super::tracks::NewTracks;
use super::{ClientId, Commit, MAX_CARDS, Op, RecordError, Records, Rulings, Seq, StampedOp, Timeline};
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
    #[error("a request is no committed op")]
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
    /// A record of the sequencer's that contradicts itself or is too large.
    #[error("the record of {0} is unsound")]
    Unsound(&'static str),
    /// Too many people have a grant of their own.
    #[error("too many people have permissions of their own; take one back first")]
    GrantsFull,
}

/// The session as of one commit: song, who wrote what last, what waits for its beat, tempo map and
/// transport. Equal commits make equal states on every machine.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    pub(super) seq: Seq,
    pub(super) song: Box<Song>,
    /// Of the registers that somebody has written.
    pub(super) stamps: BTreeMap<Register, Stamp>,
    /// Registers without a stamp that differ from an untouched song's: it came so.
    pub(super) brought: BTreeSet<Register>,
    /// In order of (at, seq, index).
    pub(super) waiting: Vec<Waiting>,
    pub(super) tempo_map: TempoMap,
    pub(super) timeline: Timeline,
    pub(super) records: Records,
    pub(super) chat: Chat,
    /// Shared with views, so that showing it costs nothing.
    pub(super) rulings: Arc<Rulings>,
}

/// What applying a commit did, for a replica.
#[derive(Default)]
pub(super) struct Applied {
    pub(super) changes: Vec<Change>,
    /// Registers written on arrival, some perhaps more than once.
    pub(super) written: Vec<Register>,
    /// The last write that each write met, on arrival or for its beat.
    pub(super) met: Vec<(Register, Stamp)>,
    /// Edits whose beat has come, in their order.
    pub(super) promoted: Vec<Waiting>,
}

impl State {
    /// An empty session: seed 0, no tracks, 120 BPM, stopped.
    pub fn new() -> State {
        State {
            seq: Seq(0),
            song: Box::new(Song::new()),
            stamps: BTreeMap::new(),
            brought: BTreeSet::new(),
            waiting: Vec::new(),
            tempo_map: TempoMap::default(),
            timeline: Timeline::default(),
            records: Records::default(),
            chat: Chat::default(),
            rulings: Arc::default(),
        }
    }

    /// A session that begins with a song; nobody's stamp lies on it.
    pub fn with_song(song: Song, tempo_map: TempoMap) -> State {
        let brought = song.edits().iter().map(Edit::register).collect();
        State { song: Box::new(song), brought, tempo_map, ..State::new() }
    }

    /// What has been decided and agreed: conflicts, strategies, permissions, merges.
    pub fn rulings(&self) -> &Arc<Rulings> {
        &self.rulings
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
        let (mut grants, mut recorded) = (0, false);
        let mut new_tracks = NewTracks::in_state(self);
        let mut expanded = 0;
        let seq = Seq(self.seq.0 + 1);
        for (index, StampedOp { op, at }) in ops.iter().enumerate() {
            waiting += usize::from(at.is_some());
            let wrong = |reason| (index as u32, reason);
            check_op(op, *at, seq).map_err(wrong)?;
            match op {
                Op::Permit { who: Some(_), grant: Some(_) } => grants += 1,
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
            // As what waits: counted without what this very commit may replace.
            if grants > 0 && !self.rulings.permissions.has_room(grants) {
                return Err((index as u32, OpError::GrantsFull));
            }
            // Counted without what this very commit may cancel: a rule both sides can follow.
            if waiting > MAX_WAITING {
                return Err((index as u32, OpError::WaitingFull));
            }
        }
        Ok(())
    }

    fn take_op(&mut self, op: &StampedOp, stamp: Stamp, index: u32, applied: &mut Applied) {
        if let Some(edit) = op.op.edit() {
            return self.take_edit(edit, op.at, stamp, index, applied);
        }
        match &op.op {
            op @ (Op::Grid(_) | Op::AddTrack(_)) => self.write_all(&self.expand(op), stamp, applied),
            Op::Said { client, text } => self.chat.say(stamp.seq, *client, text.clone()),
            Op::TempoMap(map) => {
                self.tempo_map = map.clone();
                applied.changes.push(Change::TempoMap(map.clone()));
            }
            Op::Timeline(timeline) => {
                self.timeline = *timeline;
                applied.changes.push(Change::Timeline(*timeline));
            }
            Op::Promote(upto) => {
                let due = self.waiting.partition_point(|waiting| waiting.at <= *upto);
                for waiting in self.waiting.drain(..due).collect::<Vec<_>>() {
                    self.write(&waiting.edit, waiting.stamp);
                    applied.promoted.push(waiting);
                }
            }
            Op::Record(record) => self.records.apply(record, stamp.author),
            Op::Cancel { register, seq } => {
                self.waiting.retain(|held| held.stamp.seq != *seq || held.edit.register() != *register);
                applied.changes.push(Change::Edit { edit: self.read(*register), at: None });
            }
            _ => self.take_ruling(&op.op, stamp),
        }
    }

    fn take_edit(&mut self, edit: Edit, at: Option<Beats>, stamp: Stamp, index: u32, applied: &mut Applied) {
        match at {
            None => self.write_all(&[edit], stamp, applied),
            Some(at) => {
                // Commits come in order, so it goes behind its equals.
                let place = self.waiting.partition_point(|waiting| waiting.at <= at);
                applied.met.push((edit.register(), self.stamp(edit.register())));
                self.waiting.insert(place, Waiting { at, stamp, index, edit });
                applied.changes.push(Change::Edit { edit, at: Some(at) });
            }
        }
    }

    /// What concerns the records alone.
    fn take_ruling(&mut self, op: &Op, stamp: Stamp) {
        let rulings = Arc::make_mut(&mut self.rulings);
        match op {
            Op::Resolve { id, .. } => rulings.conflicts.resolve(*id),
            Op::Strategy { matter, strategy } => rulings.conflicts.choose(*matter, *strategy),
            Op::Permit { who, grant } => rulings.permissions.set(*who, *grant),
            Op::Merged(overlap) => rulings.mix(overlap.clone()),
            Op::Conflicts { cards, more } => {
                cards.iter().for_each(|card| rulings.conflicts.take(card));
                more.iter().for_each(|(kind, more)| rulings.conflicts.count(*kind, *more));
            }
            // It stands before the map that answers it.
            Op::TempoAsked(requests) => rulings.asked(stamp, requests, self.tempo_map.clone()),
            _ => unreachable!("`check` lets no request through"),
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
            applied.met.push((register, self.stamp(register)));
            self.write(edit, stamp);
            applied.changes.push(Change::Edit { edit: *edit, at: None });
            applied.written.push(register);
        }
    }

    fn write(&mut self, edit: &Edit, stamp: Stamp) {
        self.song.apply(edit);
        let register = edit.register();
        self.stamps.insert(register, stamp);
        self.brought.remove(&register);
        if self.rulings.concern(register) {
            Arc::make_mut(&mut self.rulings).wrote(register);
        }
    }
}

impl Default for State {
    fn default() -> State {
        State::new()
    }
}

fn check_op(op: &Op, at: Option<Beats>, seq: Seq) -> Result<(), OpError> {
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
        Op::Grid(grid) => check_same(*grid, grid.check()?),
        Op::AddTrack(track) => Ok(track.check()?),
        // Records are checked against what there is; texts were when they were read.
        Op::Record(_) | Op::Said { .. } => Ok(()),
        Op::RequestTempo(_)
        | Op::RequestRamp { .. }
        | Op::RevertTempo { .. }
        | Op::Propose(_)
        | Op::Means { .. }
        | Op::Follows(_)
        | Op::Generated => Err(OpError::Request),
        Op::Drag(drag) => {
            sound(drag.curve.is_sound(), "a gesture")?;
            Ok(check_edit(&Edit::Param { slot: drag.slot, value: drag.value })?)
        }
        Op::Revert(revert) => Ok(check_edit(&revert.edit)?),
        Op::Resolve { .. } | Op::Strategy { .. } | Op::Cancel { .. } => Ok(()),
        Op::Permit { grant, .. } => sound(grant.is_none_or(|grant| grant.is_valid()), "a permission"),
        Op::Merged(overlap) => sound(overlap.is_sound(seq), "a merge"),
        Op::Conflicts { cards, more } => {
            let bounded = cards.len() <= MAX_CARDS && more.len() <= MAX_CARDS;
            sound(bounded && cards.iter().all(|card| card.is_sound(seq)), "a conflict")
        }
        Op::TempoAsked(requests) => sound(requests_are_sound(requests), "tempo requests"),
    }
}

fn sound(holds: bool, record: &'static str) -> Result<(), OpError> {
    if holds { Ok(()) } else { Err(OpError::Unsound(record)) }
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
