//! A peer's copy: confirmed state under the overlay of its own pending ops.

mod astray;
mod neighbours;
mod newcomers;
mod overlay;
mod plan;

use std::collections::{BTreeMap, VecDeque};

pub use self::astray::Moved;
pub(super) use self::newcomers::Move;
use self::newcomers::{Newcomer, frames};
use self::plan::Plan;
use super::decide::canonical;
use super::header::body;
use super::state::{Applied, OpError, check_tick};
use super::undo::{Before, How, Inverse, Outcome, StepId, UndoStack};
use super::{
    Answer, ApplyError, Change, ClientId, Commit, Cseq, MAX_OPS, Op, Record, Refusal, Revert, Seq, Stamp,
    StampedOp, State, Subject, Timeline, Written,
};
use crate::param::{Slot, TrackIndex};
use crate::pattern::{Edit, Register, Song, TrackId};
use crate::time::{Beats, Tempo, TempoMap};

/// More writes than this are told as [`Change::Song`].
const MANY_WRITES: usize = 512;

/// Follows a session: what is confirmed, what of mine is not, and what to show and play meanwhile.
///
/// My own edit shows at once; a remote value never shows under it; only a refusal takes it back.
/// Every call that changes the view returns what an engine must be told, in order, so that it comes
/// to hold the view and the edits that wait for their beat ([`Replica::waiting`]).
#[derive(Clone, Debug)]
pub struct Replica {
    confirmed: State,
    view: Song,
    /// Registers that ops of mine write which only their place in the session can expand.
    expanded: Vec<Register>,
    /// What waits in the view, by register, in order of beat.
    waiting: BTreeMap<Register, Vec<(Beats, Edit)>>,
    gestures: BTreeMap<Slot, (ClientId, f32)>,
    /// `None` until a sequencer has welcomed this replica: its frames' numbers are its own guess.
    client: Option<ClientId>,
    next_cseq: Cseq,
    outbox: VecDeque<Frame>,
    /// Other instances' frames that nobody has answered, in order.
    neighbours: Vec<Frame>,
    /// Frames of the outbox handed out by [`Replica::next_to_send`].
    sent: usize,
    /// Whether a welcome has come on the present connection.
    welcomed: bool,
    undo: UndoStack,
    /// Candidates that are tried here alone.
    auditioned: BTreeMap<Register, Edit>,
    /// Tracks that no commit has confirmed.
    new_tracks: BTreeMap<TrackId, Newcomer>,
    /// Tracks that a state which took the place of another has not, and where they stood.
    astray: Vec<(TrackId, TrackIndex)>,
    /// Tracks that are elsewhere now, by when they moved.
    moved: Vec<Vec<Moved>>,
}

/// A frame of my ops that nobody has answered yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// Its number.
    pub cseq: Cseq,
    /// The last commit I had seen when I made it.
    pub base: Seq,
    /// What it changes.
    pub ops: Vec<StampedOp>,
}

/// How a joiner gets to the present state.
#[derive(Clone, Debug)]
pub enum Catchup {
    /// By the commits it lacks, in order.
    Delta(Vec<Commit>),
    /// By the whole state.
    Full(Box<State>),
}

/// What a welcome did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Welcomed {
    /// What an engine must be told.
    pub changes: Vec<Change>,
    /// Frames of mine that were committed, and as what.
    pub acked: Vec<(Cseq, Seq)>,
    /// Frames of mine that were refused, and why.
    pub refused: Vec<(Cseq, Refusal)>,
    /// Frames of mine that were answered, nobody says how.
    pub settled: Vec<Cseq>,
}

/// What a sequencer has answered while nobody listened.
#[derive(Clone, Debug, Default)]
pub struct Answered {
    /// The last frame of mine that it has answered.
    pub last: Cseq,
    /// Its answers to the frames up to it, as far as they are told.
    pub answers: Vec<(Cseq, Answer)>,
}

impl From<Cseq> for Answered {
    fn from(last: Cseq) -> Answered {
        Answered { last, answers: Vec::new() }
    }
}

impl Answered {
    fn to(&self, cseq: Cseq) -> Option<&Answer> {
        self.answers.iter().find(|(of, _)| *of == cseq).map(|(_, answer)| answer)
    }
}

impl Replica {
    /// A replica of a state, with nothing of its own.
    pub fn new(state: State) -> Replica {
        let mut replica = Replica {
            view: state.song().clone(),
            confirmed: state,
            expanded: Vec::new(),
            waiting: BTreeMap::new(),
            gestures: BTreeMap::new(),
            client: None,
            next_cseq: Cseq(1),
            outbox: VecDeque::new(),
            neighbours: Vec::new(),
            sent: 0,
            welcomed: false,
            undo: UndoStack::default(),
            auditioned: BTreeMap::new(),
            new_tracks: BTreeMap::new(),
            astray: Vec::new(),
            moved: Vec::new(),
        };
        replica.rebuild();
        replica
    }

    /// A replica as its journal kept it: the client its frames are numbered under, the frames that
    /// nobody has answered, in order, and the number of the next.
    pub fn restore(
        state: State,
        client: ClientId,
        next_cseq: Cseq,
        outbox: impl IntoIterator<Item = Frame>,
    ) -> Replica {
        let mut replica = Replica::new(state);
        replica.client = Some(client);
        replica.outbox = outbox.into_iter().collect();
        let after_last = replica.outbox.back().map_or(1, |frame| frame.cseq.0 + 1);
        replica.next_cseq = Cseq(next_cseq.0.max(after_last));
        replica.rebuild();
        replica
    }

    /// The song to show and to play: confirmed, then what is pending of mine, then gestures.
    pub fn view(&self) -> &Song {
        &self.view
    }

    /// Edits of the view that wait for their beat, by register, each register's in order of beat.
    pub fn waiting(&self) -> impl Iterator<Item = (Beats, &Edit)> {
        self.waiting.values().flatten().map(|(at, edit)| (*at, edit))
    }

    /// The confirmed state.
    pub fn confirmed(&self) -> &State {
        &self.confirmed
    }

    /// The last commit applied.
    pub fn seq(&self) -> Seq {
        self.confirmed.seq()
    }

    /// The tempo map.
    pub fn tempo_map(&self) -> &TempoMap {
        self.confirmed.tempo_map()
    }

    /// The session's transport.
    pub fn timeline(&self) -> Timeline {
        self.confirmed.timeline()
    }

    /// Who I am in the session, once welcomed.
    pub fn client(&self) -> Option<ClientId> {
        self.client
    }

    /// Makes an edit: shown at once, queued in the outbox. More than [`MAX_OPS`] ops become several
    /// frames, and so does what is written of a new track beside it; each is whole by itself, and
    /// lands only if those before it have ([`Op::Follows`]). The last one's number is returned.
    ///
    /// # Errors
    /// An op that the sequencer would refuse; nothing was changed.
    pub fn edit(&mut self, ops: Vec<StampedOp>) -> Result<(Cseq, Vec<Change>), Refusal> {
        self.edit_in(None, ops)
    }

    /// As [`Replica::edit`]; what is made under one `step` without another between is undone at once.
    ///
    /// # Errors
    /// As [`Replica::edit`].
    pub fn edit_in(
        &mut self,
        step: Option<StepId>,
        mut ops: Vec<StampedOp>,
    ) -> Result<(Cseq, Vec<Change>), Refusal> {
        for (index, op) in ops.iter_mut().enumerate() {
            check_own(op).map_err(|reason| Refusal::Invalid { index: index as u32, reason })?;
        }
        let (mut heads, mut ops): (Vec<_>, Vec<_>) =
            self.settled_here(ops)?.into_iter().partition(|op| op.op.is_header());
        if ops.is_empty() {
            return Err(Refusal::Invalid { index: 0, reason: "the frame holds no op".into() });
        }
        let writes = self.writes(&ops);
        let touched: Vec<Register> = writes.iter().flatten().map(|(edit, _)| edit.register()).collect();
        let held = self.held(&touched);
        let mut last = None;
        let mut writes = writes.as_slice();
        for size in frames(&ops) {
            let (chunk, wrote) = (ops.drain(..size).collect::<Vec<_>>(), &writes[..size]);
            writes = &writes[size..];
            if let Some(before) = last {
                heads.retain(|head| !matches!(head.op, Op::Follows(_)));
                heads.push(StampedOp { op: Op::Follows(Written::Frame(before)), at: None });
            }
            let subjects = subjects(&chunk, wrote);
            let adds = chunk.iter().any(|op| matches!(op.op, Op::AddTrack(_)));
            let cseq = self.send(heads.clone(), chunk);
            let met = |subject| (held.of(subject), self.confirmed.last_write(subject));
            self.undo.made(step, cseq, subjects, met, last.is_some());
            last = Some(cseq);
            if adds {
                let new = self.overlay().new_tracks;
                self.follow(new, &mut Vec::new());
            }
        }
        let changes = self.wrote(touched);
        Ok((last.unwrap_or(self.next_cseq), changes))
    }

    /// What each op writes over what is pending already.
    fn writes(&self, ops: &[StampedOp]) -> Vec<Vec<(Edit, Option<Beats>)>> {
        let mut copy = ops.iter().any(|op| op.op.is_expanded()).then(|| {
            let mut copy = self.confirmed.clone();
            let mine = self.overlay().edits.into_iter().filter(|(_, at)| at.is_none());
            mine.for_each(|(edit, _)| copy.foresee(&[edit]));
            copy
        });
        let writes = |op: &StampedOp| {
            let edits = match (&op.op, &copy) {
                (op, Some(copy)) if op.is_expanded() => copy.expand(op),
                (op, _) => op.edit().into_iter().collect(),
            };
            if let (Some(copy), None) = (&mut copy, op.at) {
                copy.foresee(&edits);
            }
            edits.into_iter().map(|edit| (edit, op.at)).collect()
        };
        ops.iter().map(writes).collect()
    }

    /// Queues one frame; at its head, which new tracks it means.
    fn send(&mut self, mut heads: Vec<StampedOp>, mut ops: Vec<StampedOp>) -> Cseq {
        let cseq = self.next_cseq;
        heads.extend(self.meant(&ops));
        if !heads.is_empty() {
            heads.append(&mut ops);
            ops = heads;
        }
        self.outbox.push_back(Frame { cseq, base: self.confirmed.seq(), ops });
        self.next_cseq.0 += 1;
        cseq
    }

    /// I have written these registers: my hand lets go, and what was tried there is over.
    fn wrote(&mut self, touched: Vec<Register>) -> Vec<Change> {
        for register in &touched {
            self.auditioned.remove(register);
            slot_of(*register).and_then(|slot| self.gestures.remove(&slot));
        }
        self.refresh(touched)
    }

    /// Takes my last step back: shown at once, queued in the outbox. `None` where there is none, or
    /// it was to be skipped. Refused as [`Refusal::StaleUndo`], it can be undone again.
    pub fn undo(&mut self, how: How) -> Option<(Cseq, Vec<Change>)> {
        let inverse = self.undo.undo(how)?;
        self.revert(inverse)
    }

    /// Takes my last undo back, likewise.
    pub fn redo(&mut self, how: How) -> Option<(Cseq, Vec<Change>)> {
        let inverse = self.undo.redo(how)?;
        self.revert(inverse)
    }

    fn revert(&mut self, inverse: Inverse) -> Option<(Cseq, Vec<Change>)> {
        let touched = registers(&inverse.ops);
        let held = self.held(&touched);
        let mut frames = Vec::with_capacity(inverse.ops.len());
        for chunk in inverse.ops.chunks(MAX_OPS) {
            let before =
                frames.last().map(|before| StampedOp { op: Op::Follows(Written::Frame(*before)), at: None });
            let cseq = self.send(before.into_iter().collect(), chunk.to_vec());
            frames.extend(chunk.iter().map(|_| cseq));
        }
        let last = *frames.last()?;
        self.undo.reverted(inverse, frames.into_iter(), |subject| held.of(subject));
        Some((last, self.wrote(touched)))
    }

    /// My steps.
    pub fn steps(&self) -> &UndoStack {
        &self.undo
    }

    /// Tries values here alone, in the place of what was tried before: they show and sound over
    /// everything, and nobody hears of them.
    pub fn audition(&mut self, edits: &[Edit]) -> Vec<Change> {
        let before = std::mem::take(&mut self.auditioned);
        let checked = edits.iter().filter_map(|edit| edit.check().ok());
        self.auditioned = checked.map(|edit| (edit.register(), edit)).collect();
        let touched = before.into_keys().chain(self.auditioned.keys().copied()).collect();
        self.refresh(touched)
    }

    /// What registers, and the tempo, hold without gestures and trials.
    fn held(&self, touched: &[Register]) -> Held {
        let mut registers = touched.to_vec();
        registers.sort_unstable();
        registers.dedup();
        let plans = self.written(&registers, &self.overlay().edits).into_iter();
        let asked = self.outbox.iter().flat_map(|frame| &frame.ops).rev().find_map(|op| match op.op {
            Op::RequestTempo(tempo) | Op::RequestRamp { tempo, .. } | Op::RevertTempo { tempo, .. } => {
                Some(tempo)
            }
            _ => None,
        });
        Held {
            registers: plans.map(|(register, plan)| (register, plan.now)).collect(),
            tempo: asked.unwrap_or_else(|| last_tempo(self.tempo_map())),
        }
    }

    /// My frames that nobody has answered, in order: number, base, ops.
    pub fn outbox(&self) -> impl Iterator<Item = (Cseq, Seq, &[StampedOp])> {
        self.outbox.iter().map(|frame| (frame.cseq, frame.base, frame.ops.as_slice()))
    }

    /// The next frame of the outbox that has not been handed out since the last
    /// [`Replica::resend_from_start`] or welcome. Before the connection's welcome there is none: it
    /// tells which frames have been answered already, and numbers may change under it.
    pub fn next_to_send(&mut self) -> Option<&Frame> {
        let frame = self.outbox.get(self.sent).filter(|_| self.welcomed)?;
        self.sent += 1;
        Some(frame)
    }

    /// The connection is lost: nothing is handed out until the next welcome, and others' gestures,
    /// whose end nobody would tell, are over.
    pub fn disconnect(&mut self) -> Vec<Change> {
        self.welcomed = false;
        let mine = |author: &ClientId| Some(*author) == self.client;
        let ended: Vec<Slot> =
            self.gestures.iter().filter(|(_, (author, _))| !mine(author)).map(|(slot, _)| *slot).collect();
        self.gestures.retain(|slot, _| !ended.contains(slot));
        self.refresh(ended.into_iter().map(Register::Param).collect())
    }

    /// Hands the whole outbox out again, with the same numbers: a time without an answer proves
    /// nothing, and the sequencer answers a retry as it did the first time.
    pub fn resend_from_start(&mut self) {
        self.sent = 0;
    }

    /// Ops of mine that no commit has confirmed.
    pub fn unsaved(&self) -> usize {
        self.outbox.iter().chain(&self.neighbours).map(|frame| body(&frame.ops).count()).sum()
    }

    /// Applies a commit. One of mine confirms its frame and changes nothing that shows; one that
    /// has been applied before is passed over.
    ///
    /// # Errors
    /// Commits are missing before it, or it breaks a bound; ask for a welcome again.
    pub fn commit(&mut self, commit: &Commit) -> Result<Vec<Change>, ApplyError> {
        if commit.seq <= self.confirmed.seq() {
            return Ok(Vec::new());
        }
        let mut touched = Vec::new();
        let changes = self.absorb(commit, &mut touched)?;
        let mut told = self.refresh(touched);
        told.extend(changes);
        Ok(told)
    }

    /// Takes back a refused frame, and that alone.
    pub fn nack(&mut self, cseq: Cseq) -> Vec<Change> {
        match self.take_frame(cseq) {
            Some(frame) => {
                self.undo.refused(cseq);
                self.refresh(registers(&frame.ops))
            }
            None => Vec::new(),
        }
    }

    /// A parameter in somebody's hand, mine or another's: it shows and sounds until a commit
    /// writes that register, [`Replica::end_gesture`] or, for mine, my edit. It never shows over an edit of mine
    /// that is pending, nor another's over my hand. A value out of range changes nothing.
    pub fn gesture(&mut self, author: ClientId, slot: Slot, value: f32) -> Vec<Change> {
        if !slot.is_valid() {
            return Vec::new();
        }
        let Ok(value) = slot.spec().check(value) else { return Vec::new() };
        let held = self.gestures.get(&slot).map(|(holder, _)| *holder);
        if held.is_some_and(|holder| Some(holder) == self.client && holder != author) {
            return Vec::new();
        }
        self.gestures.insert(slot, (author, value));
        self.refresh(vec![Register::Param(slot)])
    }

    /// A gesture is over without a commit: its hold-time ran out.
    pub fn end_gesture(&mut self, slot: Slot) -> Vec<Change> {
        match self.gestures.remove(&slot) {
            Some(_) => self.refresh(vec![Register::Param(slot)]),
            None => Vec::new(),
        }
    }

    /// Gestures in flight: slot, whose, value.
    pub fn gestures(&self) -> impl Iterator<Item = (Slot, ClientId, f32)> {
        self.gestures.iter().map(|(slot, (author, value))| (*slot, *author, *value))
    }

    /// Joins, or joins again: `answered` tells of the last frame of mine that the sequencer has
    /// answered (a [`Cseq`] will do), and how it answered. What it has not answered stays in the
    /// outbox, to be sent from the start, numbered from there. Under another client id than before
    /// nothing of the outbox has been answered.
    ///
    /// # Errors
    /// The delta does not follow from the state here. Only a welcome with the full state helps then.
    pub fn welcome(
        &mut self,
        client: ClientId,
        answered: impl Into<Answered>,
        catchup: Catchup,
    ) -> Result<Welcomed, ApplyError> {
        let answered = answered.into();
        let known = self.client.replace(client) == Some(client);
        self.neighbours.clear();
        // My hand holds on over a new connection; others' are told anew.
        self.gestures.retain(|_, (author, _)| known && *author == client);
        if !known {
            // Before anything else: frames numbered by guess must not meet commits of those numbers.
            self.number_from(answered.last);
        }
        let mut welcomed = Welcomed::default();
        let before = (self.tempo_map().clone(), self.timeline());
        match catchup {
            Catchup::Delta(commits) => {
                for commit in &commits {
                    self.catch_up(commit, &mut welcomed)?;
                }
                // What is answered and not among the commits was refused.
                for cseq in self.take_answered(answered.last) {
                    let reason = match answered.to(cseq) {
                        Some(Answer::Refused(reason)) => reason.clone(),
                        _ => Refusal::Forgotten,
                    };
                    welcomed.refused.push((cseq, reason));
                }
            }
            Catchup::Full(state) => self.start_over(*state, known, &answered, &mut welcomed),
        }
        welcomed.refused.iter().for_each(|(cseq, _)| self.undo.refused(*cseq));
        self.number_from(answered.last);
        self.sent = 0;
        self.welcomed = true;
        if *self.tempo_map() != before.0 {
            welcomed.changes.push(Change::TempoMap(self.tempo_map().clone()));
        }
        if self.timeline() != before.1 {
            welcomed.changes.push(Change::Timeline(self.timeline()));
        }
        welcomed.changes.extend(self.rebuild());
        Ok(welcomed)
    }

    /// Takes the frames up to one out of the outbox.
    fn take_answered(&mut self, last: Cseq) -> Vec<Cseq> {
        let answered = self.outbox.iter().take_while(|frame| frame.cseq <= last).count();
        self.outbox.drain(..answered).map(|frame| frame.cseq).collect()
    }

    /// Takes a whole state in the place of the one here.
    /// `known`: the one here was of the same session.
    fn start_over(&mut self, state: State, known: bool, answered: &Answered, to: &mut Welcomed) {
        let before = std::mem::replace(&mut self.confirmed, state);
        let frames = self.take_answered(answered.last);
        // Before steps are named anew, as that goes by register.
        let new = self.overlay().new_tracks;
        match known {
            true => self.rehouse(&before, new),
            false => self.follow(new, &mut Vec::new()),
        }
        for cseq in frames {
            match answered.to(cseq) {
                Some(Answer::Committed(seq)) => {
                    let (frame, told) = (Written::Frame(cseq), Written::Unseen(*seq));
                    self.undo.told(cseq, *seq);
                    self.name_writes(|written| (written == frame).then_some(told));
                    to.acked.push((cseq, *seq));
                }
                Some(Answer::Refused(reason)) => to.refused.push((cseq, reason.clone())),
                None => to.settled.push(cseq),
            }
        }
        let me = self.client;
        self.undo.reanchor(|subject| {
            let same = before.holds(subject) == self.confirmed.holds(subject);
            let (old, new) = (before.last_write(subject), self.confirmed.last_write(subject));
            (same && Some(new.author) == me && old.seq != new.seq).then_some((old.seq, new.seq))
        });
    }

    /// Takes one commit of a delta; the view follows when all are in.
    fn catch_up(&mut self, commit: &Commit, welcomed: &mut Welcomed) -> Result<(), ApplyError> {
        if commit.seq <= self.seq() {
            return Ok(());
        }
        let unsaved = self.outbox.len();
        self.absorb(commit, &mut Vec::new())?;
        if self.outbox.len() < unsaved {
            welcomed.acked.push((commit.cseq, commit.seq));
        }
        Ok(())
    }

    fn number_from(&mut self, acked: Cseq) {
        self.next_cseq = Cseq(acked.0 + 1);
        let mut numbers = BTreeMap::new();
        for frame in &mut self.outbox {
            numbers.insert(frame.cseq, self.next_cseq);
            frame.cseq = self.next_cseq;
            self.next_cseq.0 += 1;
        }
        if numbers.iter().all(|(old, new)| old == new) {
            return;
        }
        let new = |written: Written| match written {
            Written::Frame(cseq) => numbers.get(&cseq).copied().map(Written::Frame),
            Written::Commit(_) | Written::Unseen(_) => None,
        };
        for asked in self.new_tracks.values_mut().filter_map(|new| new.asked.as_mut()) {
            *asked = numbers.get(asked).copied().unwrap_or(*asked);
        }
        self.name_writes(new);
        self.undo.renumber(|cseq| numbers.get(&cseq).copied());
    }

    /// Takes the next commit into the confirmed state and notes the registers whose view may have
    /// changed. Returns what else an engine must be told.
    fn absorb(&mut self, commit: &Commit, touched: &mut Vec<Register>) -> Result<Vec<Change>, ApplyError> {
        let mine = self.client == Some(commit.author);
        let before = mine.then(|| Met::of(&self.confirmed, &commit.ops));
        let landing = self.confirmed.landing(&commit.ops, self.client);
        let Applied { mut changes, written, promoted, .. } = self.confirmed.take(commit)?;
        touched.extend(registers(&commit.ops));
        touched.extend(&written);
        if mine && let Some(frame) = self.take_frame(commit.cseq) {
            touched.extend(registers(&frame.ops));
        }
        if !self.new_tracks.is_empty() {
            // Steps are known by where their tracks are.
            let new = self.overlay().new_tracks;
            self.follow(new, touched);
        }
        if let Some(before) = before {
            self.landed(commit, &before, &written);
        }
        for (seq, register, before) in landing {
            self.undo.promoted(seq, register, before);
        }
        let landed = promoted.iter().map(|due| due.edit.register());
        let written: Vec<Register> = written.into_iter().chain(landed).collect();
        for register in &written {
            self.auditioned.remove(register);
        }
        for slot in written.into_iter().filter_map(slot_of) {
            // Under my own hand nothing moves; another's gesture has found its end.
            if self.gestures.get(&slot).is_some_and(|(author, _)| Some(*author) != self.client) {
                self.gestures.remove(&slot);
            }
        }
        for due in promoted {
            let register = due.edit.register();
            self.land(register, due.at, due.edit);
            touched.push(register);
        }
        changes.retain(|change| matches!(change, Change::TempoMap(_) | Change::Timeline(_)));
        Ok(changes)
    }

    /// A frame of mine became a commit: my steps and what waits to leave know it by that.
    fn landed(&mut self, commit: &Commit, before: &Met, written: &[Register]) {
        let stamp = Stamp { seq: commit.seq, author: commit.author };
        let outcomes = outcomes(&commit.ops, written);
        let confirmed = &self.confirmed;
        let met =
            |subject| before.get(subject).unwrap_or_else(|| (confirmed.holds(subject), Stamp::default()));
        let outcome = |subject| outcomes.get(&subject).copied().unwrap_or(Outcome::Withheld);
        let expanded = commit.ops.iter().any(|op| op.op.is_expanded());
        let all = outcomes.keys().copied().filter(|_| expanded);
        self.undo.landed(commit.cseq, stamp, met, outcome, all);
        let frame = Written::Frame(commit.cseq);
        self.name_writes(|written| (written == frame).then_some(Written::Unseen(commit.seq)));
    }

    /// Names writes that the outbox's undos speak of anew.
    fn name_writes(&mut self, new: impl Fn(Written) -> Option<Written>) {
        self.outbox.iter_mut().flat_map(|frame| &mut frame.ops).for_each(|op| op.name_write(&new));
    }

    fn take_frame(&mut self, cseq: Cseq) -> Option<Frame> {
        let place = self.outbox.iter().position(|frame| frame.cseq == cseq)?;
        self.sent -= usize::from(place < self.sent);
        self.outbox.remove(place)
    }

    /// The engine has let a waiting edit that it was told of take effect by itself; the view
    /// follows.
    fn land(&mut self, register: Register, at: Beats, edit: Edit) {
        let Some(waiting) = self.waiting.get_mut(&register) else { return };
        // Where it is missing, an edit of mine has ended it.
        if let Some(place) = waiting.iter().position(|entry| *entry == (at, edit)) {
            waiting.remove(place);
            self.view.apply(&edit);
        }
    }

    /// Brings registers of the view up to date; says what an engine must be told.
    fn refresh(&mut self, mut touched: Vec<Register>) -> Vec<Change> {
        let mine = self.overlay();
        if mine.new_tracks != self.new_tracks {
            self.follow(mine.new_tracks.clone(), &mut touched);
        }
        touched.append(&mut self.expanded);
        touched.extend(&mine.expanded);
        touched.sort_unstable();
        touched.dedup();
        let mut changes = Vec::new();
        for (register, plan) in self.plans(&touched, &mine.edits) {
            let before = Plan {
                now: self.view.read(register),
                waiting: self.waiting.remove(&register).unwrap_or_default(),
                mine: false,
            };
            plan.tell_since(&before, &mut changes);
            self.view.apply(&plan.now);
            if !plan.waiting.is_empty() {
                self.waiting.insert(register, plan.waiting);
            }
        }
        self.expanded = mine.expanded;
        self.find_astray();
        changes
    }

    /// Brings the whole view up to date.
    fn rebuild(&mut self) -> Vec<Change> {
        let mine = self.outbox.iter().flat_map(|frame| registers(&frame.ops));
        let mut touched: Vec<_> = self.confirmed.pending().map(|(_, edit)| edit.register()).collect();
        touched.extend(mine);
        touched.extend(self.waiting.keys());
        touched.extend(self.confirmed.song().edits_since(&self.view).iter().map(Edit::register));
        touched.extend(self.auditioned.keys());
        touched.extend(self.gestures.keys().copied().map(Register::Param));
        let changes = self.refresh(touched);
        if changes.len() <= MANY_WRITES {
            return changes;
        }
        let waiting = self.waiting().map(|(at, edit)| Change::Edit { edit: *edit, at: Some(at) });
        std::iter::once(Change::Song).chain(waiting).collect()
    }

    /// What registers (sorted, each once) should be in the view: confirmed, then mine, then gestures,
    /// then what is tried.
    fn plans(&self, touched: &[Register], mine: &[(Edit, Option<Beats>)]) -> Vec<(Register, Plan)> {
        let mut plans = self.written(touched, mine);
        for (register, plan) in &mut plans {
            if let Register::Param(slot) = *register
                && let Some(&(author, value)) = self.gestures.get(&slot)
                && (!plan.mine || Some(author) == self.client)
            {
                plan.now = Edit::Param { slot, value };
            }
            if let Some(tried) = self.auditioned.get(register) {
                plan.now = *tried;
            }
        }
        plans
    }

    /// What registers (sorted, each once) hold: confirmed, then mine.
    fn written(&self, touched: &[Register], mine: &[(Edit, Option<Beats>)]) -> Vec<(Register, Plan)> {
        let fresh = |register| Plan { now: self.confirmed.read(register), waiting: Vec::new(), mine: false };
        let mut plans: Vec<_> = touched.iter().map(|register| (*register, fresh(*register))).collect();
        // One pass over all that is pending: after days away that is a lot.
        let confirmed = self.confirmed.pending().map(|(at, edit)| (*edit, Some(at)));
        for (edit, at) in confirmed.chain(mine.iter().copied()) {
            if let Ok(place) = touched.binary_search(&edit.register()) {
                plans[place].1.take(edit, at);
            }
        }
        plans
    }
}

/// What was held before an edit.
struct Held {
    registers: BTreeMap<Register, Edit>,
    tempo: Tempo,
}

impl Held {
    fn of(&self, subject: Subject) -> Before {
        match subject {
            Subject::Register(register) => match self.registers.get(&register) {
                Some(edit) => Before::Edit(*edit),
                None => unreachable!("every register of the frame was looked up"),
            },
            Subject::Tempo => Before::Tempo(self.tempo),
        }
    }
}

/// What subjects a commit writes held before it, and by whose write.
enum Met {
    Subjects(BTreeMap<Subject, (Before, Stamp)>),
    /// Where the commit's writes follow from what it meets.
    State(Box<State>),
}

impl Met {
    fn of(state: &State, ops: &[StampedOp]) -> Met {
        match ops.iter().any(|op| op.op.is_expanded()) {
            true => Met::State(Box::new(state.clone())),
            false => Met::Subjects(state.met_by(ops)),
        }
    }

    fn get(&self, subject: Subject) -> Option<(Before, Stamp)> {
        match self {
            Met::Subjects(subjects) => subjects.get(&subject).copied(),
            Met::State(state) => Some((state.holds(subject), state.last_write(subject))),
        }
    }
}

/// The subjects of a frame of mine, each with what waits for its beat.
fn subjects(
    ops: &[StampedOp],
    writes: &[Vec<(Edit, Option<Beats>)>],
) -> Vec<(Subject, Option<(Edit, Beats)>)> {
    let asks = |op: &Op| matches!(op, Op::RequestTempo(_) | Op::RequestRamp { .. } | Op::RevertTempo { .. });
    let tempo = ops.iter().filter(|op| asks(&op.op));
    let written = writes.iter().flatten();
    let written = written.map(|(edit, at)| (Subject::Register(edit.register()), at.map(|at| (*edit, at))));
    written.chain(tempo.map(|_| (Subject::Tempo, None))).collect()
}

/// What a commit did to each subject it speaks of.
fn outcomes(ops: &[StampedOp], written: &[Register]) -> BTreeMap<Subject, Outcome> {
    let outcome = |op: &StampedOp| match &op.op {
        Op::Cancel { register, .. } => Some((Subject::Register(*register), Outcome::Cancelled)),
        Op::TempoMap(_) => Some((Subject::Tempo, Outcome::Wrote)),
        other => {
            let done = if op.at.is_some() { Outcome::Waits } else { Outcome::Wrote };
            Some((Subject::Register(other.edit()?.register()), done))
        }
    };
    let expanded = written.iter().map(|register| (Subject::Register(*register), Outcome::Wrote));
    expanded.chain(ops.iter().filter_map(outcome)).collect()
}

fn last_tempo(map: &TempoMap) -> Tempo {
    map.segments().last().map_or(Tempo::DEFAULT, |segment| segment.tempo)
}

impl State {
    /// What a subject holds; of the tempo, what was asked for last.
    fn holds(&self, subject: Subject) -> Before {
        match subject {
            Subject::Register(register) => Before::Edit(self.read(register)),
            Subject::Tempo => Before::Tempo(last_tempo(self.tempo_map())),
        }
    }

    fn last_write(&self, subject: Subject) -> Stamp {
        match subject {
            Subject::Register(register) => self.stamp(register),
            Subject::Tempo => self.rulings().tempo.stamp(),
        }
    }

    /// What a commit's ops meet: each subject's value and last write.
    fn met_by(&self, ops: &[StampedOp]) -> BTreeMap<Subject, (Before, Stamp)> {
        let subjects = outcomes(ops, &[]).into_keys();
        subjects.map(|subject| (subject, (self.holds(subject), self.last_write(subject)))).collect()
    }

    /// Waiting edits of one author that a commit's ops let take effect: their commit, the register,
    /// and what it holds until then.
    fn landing(&self, ops: &[StampedOp], author: Option<ClientId>) -> Vec<(Seq, Register, Edit)> {
        let mut held = BTreeMap::new();
        let mut landing = Vec::new();
        for op in ops {
            let Op::Promote(upto) = op.op else { continue };
            for due in self.waiting().iter().filter(|waiting| waiting.at <= upto) {
                let register = due.edit.register();
                let before = held.insert(register, due.edit).unwrap_or_else(|| self.read(register));
                if Some(due.stamp.author) == author {
                    landing.push((due.stamp.seq, register, before));
                }
            }
        }
        landing
    }
}

impl StampedOp {
    /// Names the write that an undo, or a part of a long frame, speaks of anew, where that is told.
    pub fn name_write(&mut self, new: impl Fn(Written) -> Option<Written>) {
        if let Op::Revert(Revert { written, .. }) | Op::RevertTempo { written, .. } | Op::Follows(written) =
            &mut self.op
            && let Some(named) = new(*written)
        {
            *written = named;
        }
    }

    /// The register it writes or speaks of, if it does.
    pub fn register(&self) -> Option<Register> {
        match &self.op {
            Op::Cancel { register, .. } => Some(*register),
            op => op.edit().map(|edit| edit.register()),
        }
    }
}

fn registers(ops: &[StampedOp]) -> Vec<Register> {
    ops.iter().filter_map(StampedOp::register).collect()
}

fn slot_of(register: Register) -> Option<Slot> {
    match register {
        Register::Param(slot) => Some(slot),
        _ => None,
    }
}

/// Checks an op made here and puts it in canonical bits.
fn check_own(op: &mut StampedOp) -> Result<(), String> {
    if let Some(at) = op.at {
        if op.op.is_expanded() {
            return Err(OpError::NotStampable.to_string());
        }
        check_tick(at).map_err(|e| e.to_string())?;
    }
    match &op.op {
        Op::Edit(_)
        | Op::RequestTempo(_)
        | Op::RequestRamp { .. }
        | Op::Drag(_)
        | Op::Grid(_)
        | Op::AddTrack(_)
        | Op::Propose(_)
        | Op::Means { .. }
        | Op::Follows(_)
        | Op::Generated
        | Op::Revert(_)
        | Op::RevertTempo { .. }
        | Op::Resolve { .. }
        | Op::Strategy { .. }
        | Op::Permit { .. } => canonical(&mut op.op),
        Op::Record(record) if !matches!(record, Record::Head { .. }) => Ok(()),
        _ => Err("only the session itself writes this".into()),
    }
}
