//! A peer's copy: confirmed state under the overlay of its own pending ops.

mod neighbours;
mod overlay;
mod plan;

use std::collections::{BTreeMap, VecDeque};

use self::plan::Plan;
use super::state::{Applied, OpError, check_tick};
use super::{
    ApplyError, Change, ClientId, Commit, Cseq, MAX_OPS, Op, Record, Refusal, Seq, StampedOp, State, Timeline,
};
use crate::param::Slot;
use crate::pattern::{Edit, Register, Song};
use crate::time::{Beats, TempoMap};

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
    pub fn edit(&mut self, mut ops: Vec<StampedOp>) -> Result<(Cseq, Vec<Change>), Refusal> {
        for (index, op) in ops.iter_mut().enumerate() {
            check_own(op).map_err(|reason| Refusal::Invalid { index: index as u32, reason })?;
        }
        if ops.is_empty() {
            return Err(Refusal::Invalid { index: 0, reason: "the frame holds no op".into() });
        }
        for slot in ops.iter().filter_map(|op| slot_of(op.register()?)) {
            // My hand lets go: what I write now is what shows.
            self.gestures.remove(&slot);
        }
        let touched = registers(&ops);
        let base = self.confirmed.seq();
        for ops in ops.chunks(MAX_OPS) {
            self.outbox.push_back(Frame { cseq: self.next_cseq, base, ops: ops.to_vec() });
            self.next_cseq.0 += 1;
        }
        Ok((Cseq(self.next_cseq.0 - 1), self.refresh(touched)))
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
            Some(frame) => self.refresh(registers(&frame.ops)),
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
                self.confirmed = *state;
                &mut welcomed.settled
            }
        };
        let old = self.outbox.iter().take_while(|frame| frame.cseq <= acked).count();
        *answered = self.outbox.drain(..old).map(|frame| frame.cseq).collect();
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
        for frame in &mut self.outbox {
            frame.cseq = self.next_cseq;
            self.next_cseq.0 += 1;
        }
    }

    /// Takes the next commit into the confirmed state and notes the registers whose view may have
    /// changed. Returns what else an engine must be told.
    fn absorb(&mut self, commit: &Commit, touched: &mut Vec<Register>) -> Result<Vec<Change>, ApplyError> {
        let Applied { mut changes, written, promoted } = self.confirmed.take(commit)?;
        touched.extend(registers(&commit.ops));
        touched.extend(&written);
        if self.client == Some(commit.author)
            && let Some(frame) = self.take_frame(commit.cseq)
        {
            touched.extend(registers(&frame.ops));
        }
        let landed = promoted.iter().map(|due| due.edit.register());
        for slot in written.into_iter().chain(landed).filter_map(slot_of) {
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
        let changes = self.refresh(touched);
        if changes.len() <= MANY_WRITES {
            return changes;
        }
        let waiting = self.waiting().map(|(at, edit)| Change::Edit { edit: *edit, at: Some(at) });
        std::iter::once(Change::Song).chain(waiting).collect()
    }

    /// What registers (sorted, each once) should be in the view: confirmed, then mine, then gestures.
    fn plans(&self, touched: &[Register], mine: &[(Edit, Option<Beats>)]) -> Vec<(Register, Plan)> {
        let fresh = |register| Plan { now: self.confirmed.read(register), waiting: Vec::new(), mine: false };
        let mut plans: Vec<_> = touched.iter().map(|register| (*register, fresh(*register))).collect();
        // One pass over all that is pending: after days away that is a lot.
        let confirmed = self.confirmed.pending().map(|(at, edit)| (*edit, Some(at)));
        for (edit, at) in confirmed.chain(mine.iter().copied()) {
            if let Ok(place) = touched.binary_search(&edit.register()) {
                plans[place].1.take(edit, at);
            }
        }
        for (register, plan) in &mut plans {
            if let Register::Param(slot) = *register
                && let Some(&(author, value)) = self.gestures.get(&slot)
                && (!plan.mine || Some(author) == self.client)
            {
                plan.now = Edit::Param { slot, value };
            }
        }
        plans
    }
}

impl StampedOp {
    /// The register it writes, if it is an edit.
    pub fn register(&self) -> Option<Register> {
        match &self.op {
            Op::Edit(edit) => Some(edit.register()),
            _ => None,
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
    match &mut op.op {
        Op::Edit(edit) => *edit = edit.check().map_err(|e| e.to_string())?,
        Op::Grid(grid) => *grid = grid.check().map_err(|e| e.to_string())?,
        Op::AddTrack(track) => track.check().map_err(|e| e.to_string())?,
        Op::RequestTempo(_) => {}
        Op::Record(record) if !matches!(record, Record::Head { .. }) => {}
        _ => return Err("only the session itself writes this".into()),
    }
    Ok(())
}
