//! From the ops of a frame to those of its commit: permissions, conflicts, merges, undo, tempo.
//!
//! Pure: the state, what is remembered of clients, and the session's position are given. What was
//! decided stands in the commit, so replicas decide nothing.

mod metre;
mod tempo;

use std::collections::{BTreeMap, BTreeSet};

use super::conflict::{MAX_CARDS, Wanted};
use super::header::{MAX_HEADERS, body};
use super::merge::MAX_OVERLAPS;
use super::sequencer::{Answer, ClientRecord};
use super::state::OpError;
use super::three_way::travel;
use super::{
    Area, Candidate, ClientId, Conflict, ConflictKind, Contribution, Cseq, Drag, MAX_COMMIT, MAX_OPS, Matter,
    Op, Overlap, Refusal, Revert, Role, Seq, Stamp, StampedOp, State, Strategy, Subject, Written,
};
use crate::pattern::{Edit, MetreChange, Register};
use crate::time::Beats;

/// A frame on the sequencer's bench.
pub(super) struct Bench<'a> {
    pub(super) state: &'a State,
    pub(super) clients: &'a BTreeMap<ClientId, ClientRecord>,
    pub(super) author: ClientId,
    pub(super) role: Role,
    /// The last commit the author had seen.
    pub(super) base: Seq,
    /// Where the session plays; `None` when it is stopped.
    pub(super) position: Option<Beats>,
    /// Whether this is a branch: branches and versions are kept by the session itself.
    pub(super) is_branch: bool,
}

/// What becomes of the frame so far.
#[derive(Default)]
struct Made {
    ops: Vec<StampedOp>,
    cards: Vec<Conflict>,
    more: BTreeMap<ConflictKind, u32>,
    merges: usize,
    /// What is asked of the bars.
    metre: metre::MetreAsked,
    /// The tempo has been asked for: once a frame, as every answer is a whole map.
    tempo: bool,
}

impl Made {
    fn push(&mut self, op: Op) {
        self.ops.push(StampedOp { op, at: None });
    }
}

impl Bench<'_> {
    /// The ops as they will be committed.
    ///
    /// # Errors
    /// Why the whole frame is refused.
    pub(super) fn decide(&self, mut ops: Vec<StampedOp>) -> Result<Vec<StampedOp>, Refusal> {
        if self.role == Role::Listener {
            return Err(Refusal::Role(self.role));
        }
        let count = body(&ops).count();
        if count > MAX_OPS || ops.len() - count > MAX_HEADERS {
            return Err(Refusal::TooMany(MAX_OPS as u32));
        }
        if count == 0 {
            return Err(invalid(0, "the frame holds no op"));
        }
        for (index, stamped) in ops.iter_mut().enumerate() {
            canonical(&mut stamped.op).map_err(|reason| invalid(index, reason))?;
        }
        self.read_headers(&mut ops)?;
        let overtaken = overtaken(&ops);
        let mut made = Made::default();
        for (index, stamped) in ops.into_iter().enumerate() {
            self.op(index, stamped, overtaken.contains(&index), &mut made)?;
        }
        self.answer_metre(&mut made)?;
        let Made { mut ops, cards, more, .. } = made;
        if !cards.is_empty() {
            let op = Op::Conflicts { cards, more: more.into_iter().collect() };
            ops.push(StampedOp { op, at: None });
        }
        self.state.check(&ops).map_err(|(index, reason)| match reason {
            OpError::WaitingFull => Refusal::PendingFull,
            reason => invalid(index as usize, reason),
        })?;
        check_size(&ops)?;
        Ok(ops)
    }

    fn op(&self, index: usize, stamped: StampedOp, overtaken: bool, made: &mut Made) -> Result<(), Refusal> {
        let StampedOp { op, at } = stamped;
        match op {
            Op::Edit(edit) => {
                self.may(index, Area::of(edit.register()))?;
                if let Some(change) = self.asks_metre(edit, at) {
                    return self.ask_metre(index, change, at, None, made);
                }
                match at {
                    Some(at) => self.later(edit, at, made),
                    None => self.write(Op::Edit(edit), edit, self.base, overtaken, made),
                }
            }
            Op::Drag(drag) => {
                let edit = Edit::Param { slot: drag.slot, value: drag.value };
                self.may(index, Area::of(edit.register()))?;
                let since = drag.since.min(self.base);
                self.write(Op::Drag(drag), edit, since, overtaken, made);
            }
            Op::Revert(revert) => self.revert(index, revert, made)?,
            Op::RequestTempo(_) | Op::RequestRamp { .. } | Op::RevertTempo { .. }
                if std::mem::replace(&mut made.tempo, true) =>
            {
                return Err(invalid(index, "a frame asks for one tempo at most"));
            }
            Op::RequestTempo(tempo) => {
                self.may(index, Area::Tempo)?;
                self.ask_tempo(tempo, at, made).map_err(|reason| invalid(index, reason))?;
            }
            Op::RequestRamp { tempo, bars } => {
                self.may(index, Area::Tempo)?;
                self.ramp_tempo(tempo, bars, at, made).map_err(|reason| invalid(index, reason))?;
            }
            Op::RevertTempo { tempo, written, force } => {
                self.may(index, Area::Tempo)?;
                let stamp = self.state.rulings().tempo.stamp();
                if let Some(met) = self.belief(written, Subject::Tempo).filter(|_| !force) {
                    return Err(stale(index, Subject::Tempo, met));
                }
                if !force && !self.wrote(stamp, self.seq_of(written)) {
                    return Err(stale(index, Subject::Tempo, stamp));
                }
                self.set_tempo(tempo, at, made).map_err(|reason| invalid(index, reason))?;
            }
            Op::Resolve { id, choice } => self.resolve(index, id, choice, made)?,
            Op::Propose(wanted) => self.propose(index, wanted, made)?,
            Op::Means { .. } | Op::Follows(_) | Op::Generated => {}
            Op::Strategy { matter, strategy } => {
                self.may(index, Area::Song)?;
                made.push(Op::Strategy { matter, strategy });
            }
            Op::Permit { who, grant } => {
                if self.role != Role::Owner {
                    return Err(Refusal::Role(self.role));
                }
                made.push(Op::Permit { who, grant });
            }
            Op::Grid(grid) => {
                self.may(index, Area::Track(grid.track))?;
                made.push(Op::Grid(grid));
            }
            Op::AddTrack(track) => {
                self.may(index, Area::Song)?;
                made.push(Op::AddTrack(track));
            }
            Op::Record(_) if self.is_branch => {
                return Err(invalid(index, "branches and versions are kept by the session itself"));
            }
            Op::Record(record) => {
                let head = self.state.seq();
                let decided = self.state.records().decide(record, self.author, self.role, head);
                made.push(Op::Record(decided.map_err(|reason| invalid(index, reason))?));
            }
            Op::TempoMap(_)
            | Op::Timeline(_)
            | Op::Promote(_)
            | Op::Said { .. }
            | Op::Cancel { .. }
            | Op::Merged(_)
            | Op::Conflicts { .. }
            | Op::TempoAsked(_) => return Err(invalid(index, "only the session itself writes this")),
        }
        Ok(())
    }

    fn may(&self, index: usize, area: Area) -> Result<(), Refusal> {
        let allowed = self.state.rulings().permissions.allow(self.author, self.role, area);
        if allowed { Ok(()) } else { Err(Refusal::NotPermitted { index: index as u32, area }) }
    }

    /// The seq that this frame will have.
    fn next(&self) -> Seq {
        Seq(self.state.seq().0 + 1)
    }

    /// An edit that waits for its beat: where another waits for the same beat, the later commit
    /// wins there.
    fn later(&self, edit: Edit, at: Beats, made: &mut Made) {
        let register = edit.register();
        let met = self.state.waiting().iter().rev().find(|held| {
            held.at == at
                && held.edit.register() == register
                && held.stamp.seq > self.base
                && held.stamp.author != self.author
        });
        if let Some(met) = met.filter(|met| met.edit != edit) {
            self.card(ConflictKind::Overwritten, register, met.stamp, met.edit, edit, Some(edit), made);
        }
        made.ops.push(StampedOp { op: Op::Edit(edit), at: Some(at) });
    }

    /// A write on arrival. One that the same frame overtakes is no party to a conflict.
    fn write(&self, op: Op, edit: Edit, since: Seq, overtaken: bool, made: &mut Made) {
        let register = edit.register();
        let stamp = self.state.stamp(register);
        let met = stamp.seq > since && stamp.author != self.author;
        let strategy = self.state.rulings().conflicts.strategy(Matter::of(register));
        let held = self.state.read(register);
        match strategy {
            Strategy::Merge if travel(edit).is_some() => self.mix(op, edit, since, overtaken, made),
            Strategy::Manual if met && held != edit => {
                if !overtaken {
                    self.card(ConflictKind::Waiting, register, stamp, held, edit, None, made);
                }
            }
            _ => {
                if met && held != edit && !overtaken {
                    self.card(ConflictKind::Overwritten, register, stamp, held, edit, Some(edit), made);
                }
                made.push(op);
            }
        }
    }

    /// A continuous value: the hands that did not see each other become a weighted mean.
    fn mix(&self, op: Op, edit: Edit, since: Seq, overtaken: bool, made: &mut Made) {
        let register = edit.register();
        let stamp = self.state.stamp(register);
        let before = self.state.rulings().overlap(register).filter(|overlap| overlap.seq == stamp.seq);
        let mut overlap = Overlap { register, seq: self.next(), before: None, hands: Vec::new() };
        match before {
            Some(met) => {
                overlap.before = met.before;
                let unseen = met.hands.iter().filter(|hand| hand.seq > since && hand.author != self.author);
                unseen.for_each(|hand| overlap.take(*hand));
            }
            None if stamp.seq > since && stamp.author != self.author => {
                overlap.take(self.first_hand(register, stamp));
            }
            None => {}
        }
        if overlap.hands.iter().all(|hand| hand.out) {
            return made.push(op);
        }
        if overtaken {
            return;
        }
        overlap.take(Contribution {
            author: self.author,
            seq: self.next(),
            base: self.base,
            role: self.role,
            value: edit,
            out: false,
            first: false,
        });
        let mixed = overlap.mean().unwrap_or(edit);
        if !overlap.agrees() {
            let held = self.state.read(register);
            self.card(ConflictKind::Merged, register, stamp, held, edit, Some(mixed), made);
        }
        made.push(with_value(op, mixed));
        // No more than the state remembers: a commit must fit a frame.
        if made.merges < MAX_OVERLAPS {
            made.merges += 1;
            made.push(Op::Merged(overlap));
        }
    }

    /// The write that others met, as a contribution: what is remembered of its author tells how it
    /// weighs; where that is gone it weighs as an editor's who had seen all before it.
    fn first_hand(&self, register: Register, stamp: Stamp) -> Contribution {
        let record = self.clients.get(&stamp.author);
        let base = record.and_then(|record| record.base_of(stamp.seq));
        Contribution {
            author: stamp.author,
            seq: stamp.seq,
            base: base.unwrap_or(Seq(stamp.seq.0.saturating_sub(1))),
            role: record.and_then(|record| record.role).unwrap_or(Role::Editor),
            value: self.state.read(register),
            out: false,
            first: true,
        }
    }

    /// Writes a card, or adds to the one that this case has already.
    #[allow(clippy::too_many_arguments)]
    fn card(
        &self,
        kind: ConflictKind,
        register: Register,
        met: Stamp,
        held: Edit,
        wanted: Edit,
        result: Option<Edit>,
        made: &mut Made,
    ) {
        let conflicts = &self.state.rulings().conflicts;
        let subject = Subject::Register(register);
        let known = conflicts.about(subject).filter(|card| card.kind == kind);
        // A card that waits is about the value that holds; another about the write just met.
        let known = known.filter(|card| kind.waits() || card.seq == met.seq);
        let result = Wanted::Edit(result.unwrap_or(held));
        let first = Candidate { author: met.author, value: Wanted::Edit(held) };
        let mut card = match known {
            Some(card) => Conflict { seq: self.next(), result, ..card.clone() },
            None => Conflict { id: 0, seq: self.next(), kind, subject, candidates: vec![first], result },
        };
        card.add(Candidate { author: self.author, value: Wanted::Edit(wanted) });
        self.put(card, known.is_none(), made);
    }

    fn put(&self, mut card: Conflict, new: bool, made: &mut Made) {
        if made.cards.len() == MAX_CARDS {
            *made.more.entry(card.kind).or_default() += u32::from(new);
            return;
        }
        if new {
            let conflicts = &self.state.rulings().conflicts;
            let fresh = made.cards.iter().filter(|other| other.id >= conflicts.next()).count();
            card.id = conflicts.next().saturating_add(fresh as u32);
        }
        made.cards.push(card);
    }

    /// An undo: accepted while the last write is the one undone, or a merge it is part of.
    fn revert(&self, index: usize, revert: Revert, made: &mut Made) -> Result<(), Refusal> {
        let register = revert.edit.register();
        self.may(index, Area::of(register))?;
        let stamp = self.state.stamp(register);
        let asked = self.asks_metre(revert.edit, None);
        let Some(seq) = self.seq_of(revert.written) else {
            if !revert.force {
                return Err(stale(index, Subject::Register(register), Stamp { seq: Seq(0), ..stamp }));
            }
            return self.put_back(index, revert, asked, made);
        };
        let mine = Stamp { seq, author: self.author };
        let waits = |held: &super::Waiting| held.stamp == mine && held.edit.register() == register;
        if self.state.waiting().iter().any(waits) {
            made.push(Op::Cancel { register, seq });
            return Ok(());
        }
        let belief = self.belief(revert.written, Subject::Register(register));
        let hand = self.state.rulings().hand(register, stamp, self.author, seq);
        // Taking one's own part out is right whatever lies below; putting it back may be meant for
        // another write.
        let mine =
            |overlap: &&Overlap| overlap.hands.iter().any(|hand| hand.author == self.author && !hand.out);
        if let Some(overlap) = hand.filter(|overlap| belief.is_none() || mine(overlap)) {
            self.take_out(overlap.clone(), revert, made);
            return Ok(());
        }
        if let Some(met) = belief.filter(|_| !revert.force) {
            return Err(stale(index, Subject::Register(register), met));
        }
        if !revert.force && !self.wrote(stamp, Some(seq)) {
            return Err(stale(index, Subject::Register(register), stamp));
        }
        self.put_back(index, revert, asked, made)
    }

    fn put_back(
        &self,
        index: usize,
        revert: Revert,
        asked: Option<(u8, Option<MetreChange>)>,
        made: &mut Made,
    ) -> Result<(), Refusal> {
        match asked {
            Some(change) => return self.ask_metre(index, change, None, Some(revert), made),
            None => made.push(Op::Revert(revert)),
        }
        Ok(())
    }

    /// Takes one's own contribution out of a merge, or puts it back.
    fn take_out(&self, mut overlap: Overlap, mut revert: Revert, made: &mut Made) {
        overlap.seq = self.next();
        for hand in overlap.hands.iter_mut().filter(|hand| hand.author == self.author) {
            hand.out = !hand.out;
            hand.seq = overlap.seq;
            if hand.first && hand.out {
                overlap.before = Some(revert.edit);
            }
        }
        // With nobody's hand left the value is the one before them all.
        revert.edit = overlap.mean().or(overlap.before).unwrap_or(revert.edit);
        made.push(Op::Revert(revert));
        made.push(Op::Merged(overlap));
    }

    /// Somebody else's write that the one to be undone went over unseen, where its author believes
    /// to this day that something else stood there.
    fn belief(&self, written: Written, subject: Subject) -> Option<Stamp> {
        if matches!(written, Written::Commit(_)) {
            return None;
        }
        let seq = self.seq_of(written)?;
        let record = self.clients.get(&self.author);
        // What is no longer remembered cannot be told from a belief; on a branch what came before it
        // was the session's, which decides when the branch comes back.
        let unknown = (!self.is_branch).then_some(Stamp { seq: Seq(0), author: self.author });
        record.and_then(|record| record.unseen_by(seq, subject)).unwrap_or(unknown)
    }

    fn wrote(&self, stamp: Stamp, seq: Option<Seq>) -> bool {
        seq.is_some_and(|seq| stamp == Stamp { seq, author: self.author })
    }

    /// The commit that a write of the author's became, as far as it is remembered.
    pub(super) fn seq_of(&self, written: Written) -> Option<Seq> {
        match written {
            Written::Commit(seq) | Written::Unseen(seq) => Some(seq),
            Written::Frame(cseq) => self.committed_as(cseq),
        }
    }

    fn committed_as(&self, cseq: Cseq) -> Option<Seq> {
        match self.clients.get(&self.author)?.answer(cseq)? {
            Answer::Committed(seq) => Some(*seq),
            Answer::Refused(_) => None,
        }
    }

    /// What somebody wants and leaves to a person: a card, where it is not what holds already.
    fn propose(&self, index: usize, wanted: Wanted, made: &mut Made) -> Result<(), Refusal> {
        match wanted {
            Wanted::Edit(edit) => {
                let register = edit.register();
                self.may(index, Area::of(register))?;
                let held = self.state.read(register);
                if held != edit {
                    let stamp = self.state.stamp(register);
                    self.card(ConflictKind::Waiting, register, stamp, held, edit, None, made);
                }
            }
            Wanted::Tempo(tempo) => {
                self.may(index, Area::Tempo)?;
                self.propose_tempo(tempo, made).map_err(|reason| invalid(index, reason))?;
            }
        }
        Ok(())
    }

    /// Somebody picks a candidate of a card, or puts it away.
    fn resolve(&self, index: usize, id: u32, choice: Option<u8>, made: &mut Made) -> Result<(), Refusal> {
        let card = self.state.rulings().conflicts.card(id);
        let card = card.ok_or_else(|| invalid(index, format!("there is no open conflict {id}")))?;
        let area = match card.subject {
            Subject::Register(register) => Area::of(register),
            Subject::Tempo => Area::Tempo,
        };
        self.may(index, area)?;
        made.push(Op::Resolve { id, choice });
        let Some(choice) = choice else { return Ok(()) };
        let candidate = card.candidates.get(usize::from(choice));
        let candidate = candidate.ok_or_else(|| {
            invalid(index, format!("conflict {id} has candidates 0 to {}", card.candidates.len() - 1))
        })?;
        match candidate.value {
            Wanted::Edit(edit) => made.push(Op::Edit(edit)),
            Wanted::Tempo(_) if std::mem::replace(&mut made.tempo, true) => {
                return Err(invalid(index, "a frame asks for one tempo at most"));
            }
            Wanted::Tempo(tempo) => {
                self.set_tempo(tempo, None, made).map_err(|reason| invalid(index, reason))?;
            }
        }
        Ok(())
    }
}

fn invalid(index: usize, reason: impl ToString) -> Refusal {
    Refusal::Invalid { index: index as u32, reason: reason.to_string() }
}

/// What was decided may be more than what was asked: merges, cards, the whole tempo map.
fn check_size(ops: &[StampedOp]) -> Result<(), Refusal> {
    let size = postcard::to_stdvec(ops).map_or(usize::MAX, |bytes| bytes.len());
    // The rest of a commit takes less than this.
    if size + 32 <= MAX_COMMIT {
        return Ok(());
    }
    Err(invalid(0, format!("the frame comes to more than {MAX_COMMIT} bytes; send it in several")))
}

fn stale(index: usize, subject: Subject, since: Stamp) -> Refusal {
    Refusal::StaleUndo { index: index as u32, subject, by: since.author, seq: since.seq }
}

/// Checks what an op writes and puts it in canonical bits.
pub(super) fn canonical(op: &mut Op) -> Result<(), String> {
    match op {
        Op::Edit(edit) | Op::Propose(Wanted::Edit(edit)) => {
            *edit = edit.check().map_err(|e| e.to_string())?;
        }
        Op::Grid(grid) => *grid = grid.check().map_err(|e| e.to_string())?,
        Op::AddTrack(track) => track.check().map_err(|e| e.to_string())?,
        Op::Revert(revert) => revert.edit = revert.edit.check().map_err(|e| e.to_string())?,
        Op::Drag(Drag { slot, value, curve, .. }) => {
            let edit = Edit::Param { slot: *slot, value: *value }.check().map_err(|e| e.to_string())?;
            if let Edit::Param { value: checked, .. } = edit {
                *value = checked;
            }
            if !curve.is_sound() {
                return Err("a gesture's curve is too long or out of order".to_owned());
            }
        }
        _ => {}
    }
    Ok(())
}

/// The same op with the value that was decided.
fn with_value(op: Op, edit: Edit) -> Op {
    match (op, edit) {
        (Op::Drag(drag), Edit::Param { value, .. }) => Op::Drag(Drag { value, ..drag }),
        (Op::Revert(revert), edit) => Op::Revert(Revert { edit, ..revert }),
        (_, edit) => Op::Edit(edit),
    }
}

/// Writes on arrival that a later one of the same frame replaces.
fn overtaken(ops: &[StampedOp]) -> BTreeSet<usize> {
    let mut later = BTreeSet::new();
    let arriving = |(at, op): (usize, &StampedOp)| Some((at, op.op.edit().filter(|_| op.at.is_none())?));
    let writes: Vec<_> = ops.iter().enumerate().filter_map(arriving).collect();
    writes.into_iter().rev().filter(|(_, edit)| !later.insert(edit.register())).map(|(at, _)| at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{Tempo, TempoMap};

    #[test]
    fn what_comes_to_more_than_a_frame_holds_is_refused() {
        let bpm = |n: i64| Tempo::from_bpm(40.0 + (n % 200) as f64).expect("a tempo");
        let map = (1..1024).fold(TempoMap::constant(bpm(0)), |map, n| {
            map.with_tempo(Beats(Beats::FURTHEST.0 / 2 + n), bpm(n)).expect("a map")
        });
        let op = StampedOp { op: Op::TempoMap(map), at: None };
        assert_eq!(check_size(&vec![op.clone(); 2]), Ok(()));
        assert!(matches!(check_size(&vec![op; 4]), Err(Refusal::Invalid { .. })));
    }
}
