//! A peer's copy: confirmed state under the overlay of its own pending ops.

mod neighbours;
mod overlay;
mod plan;

use std::collections::{BTreeMap, VecDeque};

use self::plan::Plan;
use super::decide::canonical;
use super::state::{Applied, OpError, check_tick};
use super::undo::{Before, How, Inverse, Outcome, StepId, UndoStack};
use super::{
    ApplyError, Change, ClientId, Commit, Cseq, MAX_OPS, Op, Record, Refusal, Revert, Seq, Stamp, StampedOp,
    State, Subject, Timeline, Written,
};
use crate::param::Slot;
use crate::pattern::{Edit, Register, Song};
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
    /// Frames of mine that were refused: the delta lacks them.
    pub refused: Vec<Cseq>,
    /// Frames of mine that were answered, one way or the other: a full state cannot tell which.
    pub settled: Vec<Cseq>,
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
    /// frames, each whole by itself; the last one's number is returned.
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
        if ops.is_empty() {
            return Err(Refusal::Invalid { index: 0, reason: "the frame holds no op".into() });
        }
        let writes = self.writes(&ops);
        let touched: Vec<Register> = writes.iter().flatten().map(|(edit, _)| edit.register()).collect();
        let held = self.held(&touched);
        let mut last = None;
        for (nth, (chunk, writes)) in ops.chunks(MAX_OPS).zip(writes.chunks(MAX_OPS)).enumerate() {
            let cseq = self.send(chunk.to_vec());
            let met = |subject| (held.of(subject), self.confirmed.last_write(subject));
            self.undo.made(step, cseq, subjects(chunk, writes), met, nth > 0);
            last = Some(cseq);
        }
        let changes = self.wrote(touched);
        Ok((last.unwrap_or(self.next_cseq), changes))
    }

    /// What each op writes over what is pending already.
    fn writes(&self, ops: &[StampedOp]) -> Vec<Vec<(Edit, Option<Beats>)>> {
        let mut copy = ops.iter().any(|op| op.op.is_expanded()).then(|| {
            let mut copy = self.confirmed.clone();
            let mine = self.overlay().edits.into_iter().filter(|(_, at)| at.is_none());
            mine.for_each(|(edit, _)| copy.song.apply(&edit));
            copy
        });
        let writes = |op: &StampedOp| {
            let edits = match (&op.op, &copy) {
                (op, Some(copy)) if op.is_expanded() => copy.expand(op),
                (op, _) => op.edit().into_iter().collect(),
            };
            if let (Some(copy), None) = (&mut copy, op.at) {
                edits.iter().for_each(|edit| copy.song.apply(edit));
            }
            edits.into_iter().map(|edit| (edit, op.at)).collect()
        };
        ops.iter().map(writes).collect()
    }

    /// Queues one frame.
    fn send(&mut self, ops: Vec<StampedOp>) -> Cseq {
        let cseq = self.next_cseq;
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
            let cseq = self.send(chunk.to_vec());
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
        self.outbox.iter().chain(&self.neighbours).map(|frame| frame.ops.len()).sum()
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

    /// Joins, or joins again: `acked` is the last frame of mine that the sequencer has answered.
    /// What it has not answered stays in the outbox, to be sent from the start, numbered from
    /// `acked` + 1. Under another client id than before nothing of the outbox has been answered.
    ///
    /// # Errors
    /// The delta does not follow from the state here. Only a welcome with the full state helps then.
    pub fn welcome(
        &mut self,
        client: ClientId,
        acked: Cseq,
        catchup: Catchup,
    ) -> Result<Welcomed, ApplyError> {
        let known = self.client.replace(client) == Some(client);
        self.neighbours.clear();
        // My hand holds on over a new connection; others' are told anew.
        self.gestures.retain(|_, (author, _)| known && *author == client);
        if !known {
            // Before anything else: frames numbered by guess must not meet commits of those numbers.
            self.number_from(acked);
        }
        let mut welcomed = Welcomed::default();
        let before = (self.tempo_map().clone(), self.timeline());
        let answered = match catchup {
            Catchup::Delta(commits) => {
                for commit in &commits {
                    self.catch_up(commit, &mut welcomed)?;
                }
                &mut welcomed.refused
            }
            Catchup::Full(state) => {
                let before = std::mem::replace(&mut self.confirmed, *state);
                self.undo.reanchor(|subject| {
                    let same = before.holds(subject) == self.confirmed.holds(subject);
                    let (old, new) = (before.last_write(subject), self.confirmed.last_write(subject));
                    (same && new.author == client).then_some((old.seq, new.seq))
                });
                &mut welcomed.settled
            }
        };
        let old = self.outbox.iter().take_while(|frame| frame.cseq <= acked).count();
        *answered = self.outbox.drain(..old).map(|frame| frame.cseq).collect();
        // Those of a delta are known to be refused; of a full state nobody can tell.
        welcomed.refused.iter().for_each(|cseq| self.undo.refused(*cseq));
        self.number_from(acked);
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
            Written::Commit(_) => None,
        };
        self.name_writes(new);
        self.undo.renumber(|cseq| numbers.get(&cseq).copied());
    }

    /// Takes the next commit into the confirmed state and notes the registers whose view may have
    /// changed. Returns what else an engine must be told.
    fn absorb(&mut self, commit: &Commit, touched: &mut Vec<Register>) -> Result<Vec<Change>, ApplyError> {
        let mine = self.client == Some(commit.author);
        let before = mine.then(|| Met::of(&self.confirmed, &commit.ops));
        let landing = self.confirmed.landing(&commit.ops, self.client);
        let Applied { mut changes, written, promoted } = self.confirmed.take(commit)?;
        if let Some(before) = before {
            self.landed(commit, &before, &written);
        }
        for (seq, register, before) in landing {
            self.undo.promoted(seq, register, before);
        }
        touched.extend(registers(&commit.ops));
        touched.extend(&written);
        if self.client == Some(commit.author)
            && let Some(frame) = self.take_frame(commit.cseq)
        {
            touched.extend(registers(&frame.ops));
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
        self.name_writes(|written| (written == frame).then_some(Written::Commit(commit.seq)));
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
    /// Names the write that an undo speaks of anew, where that is told.
    pub fn name_write(&mut self, new: impl Fn(Written) -> Option<Written>) {
        if let Op::Revert(Revert { written, .. }) | Op::RevertTempo { written, .. } = &mut self.op
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
        | Op::Revert(_)
        | Op::RevertTempo { .. }
        | Op::Resolve { .. }
        | Op::Strategy { .. }
        | Op::Permit { .. } => canonical(&mut op.op),
        Op::Record(record) if !matches!(record, Record::Head { .. }) => Ok(()),
        _ => Err("only the session itself writes this".into()),
    }
}
