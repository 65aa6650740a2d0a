//! The machine's own branch of a session, while the session's server cannot be reached, and the way
//! back.
//!
//! The same sequencer decides here as in the server, so that tempo, undo and edits between instances
//! work alike. Frames wait in the outbox all the same. On return they are simply sent as they are,
//! as long as they are few and young ([`FEW`], [`YOUNG`]): the server then decides each by the base
//! it was made on, as for any late frame. What has grown beyond that would flood the session's log
//! with values that its maker has long left behind; there the net change of each register is merged,
//! three ways, against what the session has become.

use std::collections::BTreeMap;

use super::said::nack;
use super::{Meta, Room};
use crate::client::MergeReport;
use crate::client::hub::speech::FromHub;
use crate::client::journal::Record;
use crate::pattern::{Bars, Edit};
use crate::session::{
    Answered, Catchup, ClientId, Commit, Cseq, Lead, MAX_CARDS, Matter, MergeRules, Op, Outcome, Refusal,
    Role, Seq, Sequencer, StampedOp, State, Timeline, Welcomed, Written, three_way,
};
use crate::time::{Beats, Clock, HostNanos, SessionNanos};
use crate::wire::MAX_COUNT_IN;

/// More frames than this are merged, not sent again.
const FEW: usize = 512;
/// Frames older than this are merged, not sent again: 10 minutes, in ns.
const YOUNG: i64 = 600_000_000_000;
/// How soon a start on the branch sounds.
const LEAD: i64 = 100_000_000;

/// The machine's own line of the session.
pub(super) struct Branch {
    sequencer: Sequencer,
    next: Cseq,
    since: HostNanos,
    /// Whether it alone holds what was edited: frames wait no more.
    pub(super) long: bool,
    /// Ops made on it.
    pub(super) ops: u64,
    /// When edits that wait for a beat were made, by commit.
    waiting_since: BTreeMap<Seq, HostNanos>,
}

impl Branch {
    /// `own`: there is no server whose branches and versions count instead.
    fn of(state: State, since: HostNanos, own: bool) -> Branch {
        let sequencer = if own { Sequencer::new(state) } else { Sequencer::branch(state, []) };
        Branch { sequencer, next: Cseq(1), since, long: false, ops: 0, waiting_since: BTreeMap::new() }
    }

    pub(super) fn state(&self) -> &State {
        self.sequencer.state()
    }
}

impl Room {
    /// Goes on with a branch that the journal holds, or begins one: there is no connection yet.
    pub(super) fn resume(&mut self, state: Option<State>, long: bool) {
        let now = self.clock.now();
        match state {
            Some(state) => {
                let mut branch = Branch::of(state, now, self.link.is_local());
                branch.long = long;
                branch.ops = self.replica.unsaved() as u64 + u64::from(long);
                self.branch = Some(branch);
                // What the branch's damage has cost is still in the frames.
                self.keep_waiting();
            }
            None => self.fork(),
        }
        self.stop_forgotten(now);
    }

    /// Begins a branch at the last confirmed commit; frames that wait go on it at once.
    pub(super) fn fork(&mut self) {
        if self.branch.is_some() {
            return;
        }
        self.keep_record(Record::Forked);
        self.branch =
            Some(Branch::of(self.replica.confirmed().clone(), self.clock.now(), self.link.is_local()));
        for meta in &mut self.waiting {
            meta.kept = false;
        }
        self.keep_waiting();
    }

    fn keep_waiting(&mut self) {
        let frames = self.waiting.iter().zip(self.replica.outbox());
        let fresh = frames.filter(|(meta, _)| !meta.kept);
        let fresh: Vec<_> =
            fresh.map(|(m, (_, _, ops))| (m.cseq, m.instance, m.ticket, ops.to_vec())).collect();
        for (cseq, instance, ticket, ops) in fresh {
            self.keep(Some(cseq), instance, ticket, ops);
        }
    }

    /// A playing transport whose clock nobody knows any more stands.
    fn stop_forgotten(&mut self, now: HostNanos) {
        let Some(branch) = &mut self.branch else { return };
        let Timeline { playing, tick, .. } = branch.state().timeline();
        if playing && self.shared_clock.map().is_none() {
            let commit = branch.sequencer.stop(SessionNanos(now.0), tick);
            self.authored(commit);
        }
    }

    /// The branch decides about a frame.
    pub(super) fn keep(&mut self, frame: Option<Cseq>, instance: u64, ticket: Cseq, mut ops: Vec<StampedOp>) {
        self.names.for_branch(instance, &mut ops);
        let (me, role) = (self.me(), if self.known { self.role } else { Role::Owner });
        let position = self.position();
        let now = self.clock.now();
        let Some(branch) = &mut self.branch else { return };
        let (cseq, base, count) =
            (branch.next, branch.state().seq(), ops.iter().filter(|op| !op.op.is_header()).count() as u64);
        let stamped = ops.iter().any(|op| op.at.is_some());
        branch.next.0 += 1;
        // Whether its maker has been told already, on an earlier branch.
        let told = self.instances.get(&instance).is_none_or(|known| ticket <= known.answered);
        match branch.sequencer.submit(me, role, cseq, base, ops, position) {
            Ok(Outcome::Committed(commit)) => {
                branch.ops += count;
                if stamped {
                    branch.waiting_since.insert(commit.seq, now);
                }
                for meta in self.waiting.iter_mut().filter(|meta| Some(meta.cseq) == frame) {
                    meta.kept = true;
                }
                self.names.committed(instance, ticket, commit.seq, true);
                self.answered(instance, ticket);
                self.keep_record(Record::Kept { commit: commit.clone(), frame, instance, ticket });
                if told {
                    self.tell_commit(&commit, 0, Cseq(0));
                    if let Some(frame) = frame {
                        self.tell_all(&FromHub::Settled(frame));
                    }
                } else {
                    self.tell_commit(&commit, instance, ticket);
                    self.tell_instance(instance, FromHub::Kept(ticket));
                    if let Some(frame) = frame {
                        self.tell_others(instance, &FromHub::Settled(frame));
                    }
                }
            }
            // A fresh number is no retry.
            Ok(Outcome::Duplicate { .. }) => {}
            Err(refusal) => self.take_back(frame, instance, ticket, told, refusal),
        }
    }

    fn take_back(&mut self, frame: Option<Cseq>, instance: u64, ticket: Cseq, told: bool, why: Refusal) {
        if let Some(frame) = frame {
            self.replica.nack(frame);
            self.waiting.retain(|meta| meta.cseq != frame);
            self.keep_record(Record::Answered(frame));
            self.tell_others(if told { 0 } else { instance }, &FromHub::Settled(frame));
        }
        self.answered(instance, ticket);
        self.keep_instance(instance);
        match (told, frame) {
            (false, _) => self.tell_instance(instance, nack(ticket, why)),
            (true, Some(cseq)) => {
                self.tell_instance(instance, FromHub::TakenBack { cseq, reason: why.to_string() });
            }
            (true, None) => {}
        }
    }

    /// Beyond single frames, the branch's state is what counts.
    pub(super) fn grow_long(&mut self) {
        let waiting = self.waiting.len();
        let Some(branch) = &mut self.branch else { return };
        if self.link.is_local() {
            // Nobody will ever ask for the frames.
            branch.long = true;
        } else if waiting <= FEW {
            return;
        }
        branch.long = true;
        // Those that may have arrived are asked about on return.
        let frames = self.waiting.iter().zip(self.replica.outbox());
        let merged = frames.filter(|(meta, (_, _, ops))| !meta.sent && !ops.iter().any(is_a_word));
        let merged: Vec<Cseq> = merged.map(|(meta, _)| meta.cseq).collect();
        for cseq in &merged {
            self.replica.nack(*cseq);
        }
        self.waiting.retain(|meta| !merged.contains(&meta.cseq));
        self.rewrite();
    }

    /// A commit of the branch's own.
    fn authored(&mut self, commit: Commit) {
        let record = Record::Kept { commit: commit.clone(), frame: None, instance: 0, ticket: Cseq(0) };
        self.keep_record(record);
        self.tell_commit(&commit, 0, Cseq(0));
    }

    /// Notes how far a branch of the machine's own has come.
    pub(super) fn note_head(&mut self, id: crate::session::BranchId, head: Seq) {
        if let Some(commit) = self.branch.as_mut().and_then(|branch| branch.sequencer.note_head(id, head)) {
            self.authored(commit);
        }
    }

    /// Starts the branch's transport. On return the session's own holds: a start or stop made
    /// without the others is no word to them.
    pub(super) fn start(&mut self, tick: Beats, count_in: u8) {
        let soon = SessionNanos(self.session_now().0 + LEAD);
        if let Some(branch) = &mut self.branch {
            let state = branch.state();
            let bars = Bars::in_song(state.song());
            let at = soon + bars.count_in(state.tempo_map(), tick, count_in.min(MAX_COUNT_IN));
            let commit = branch.sequencer.start(tick, at);
            self.authored(commit);
        }
    }

    /// Does as a leader's host on this machine does.
    pub(super) fn lead(&mut self, lead: Lead) {
        if let Some(branch) = &mut self.branch {
            let commit = branch.sequencer.lead(lead);
            self.authored(commit);
        }
    }

    /// Stops it where it is.
    pub(super) fn stop(&mut self) {
        let (at, position) = (self.session_now(), self.position());
        if let Some(branch) = &mut self.branch {
            let tick = position.unwrap_or(branch.state().timeline().tick);
            let commit = branch.sequencer.stop(at, tick);
            self.authored(commit);
        }
    }

    /// On the branch: edits whose beat has come take effect; while it stands still, a bar's time
    /// after they were made, as in a session.
    pub(super) fn promote(&mut self, now: HostNanos) {
        let position = self.position();
        let Some(branch) = &mut self.branch else { return };
        let Some(first) = branch.state().waiting().first().map(|waiting| (waiting.at, waiting.stamp.seq))
        else {
            return;
        };
        let upto = match position {
            Some(position) => position,
            None => {
                let segment = branch.state().tempo_map().segment_at(Beats::ZERO);
                let length = Bars::in_song(branch.state().song()).at(Beats::ZERO).length();
                let bar = segment.nanos_at(segment.tick + length).0 - segment.ns;
                let since = *branch.waiting_since.entry(first.1).or_insert(now);
                if now - since < bar {
                    return;
                }
                first.0
            }
        };
        if let Some(commit) = branch.sequencer.promote(upto) {
            self.authored(commit);
        }
    }

    /// Where the branch plays; `None` when it stands still.
    pub(super) fn position(&self) -> Option<Beats> {
        let branch = self.branch.as_ref()?;
        let (timeline, map) = (branch.state().timeline(), branch.state().tempo_map());
        timeline.playing.then(|| timeline.tick_at(map, self.session_now().max(timeline.at)))
    }

    fn session_now(&self) -> SessionNanos {
        let now = self.clock.now();
        match self.shared_clock.map() {
            Some(map) if self.clock_epoch() != 0 => map.session(now),
            _ => SessionNanos(now.0),
        }
    }

    /// The session welcomes the machine: what was made apart and what the session has become are
    /// made one.
    ///
    /// # Errors
    /// The welcome does not follow from the state here.
    pub(super) fn come_home(
        &mut self,
        client: ClientId,
        answered: Answered,
        catchup: Catchup,
    ) -> Result<(), crate::session::ApplyError> {
        let acked = answered.last;
        let first = !self.known;
        let before = self.replica.confirmed().clone();
        let sent: Vec<(Cseq, Vec<StampedOp>)> =
            self.replica.outbox().map(|(cseq, _, ops)| (cseq, ops.to_vec())).collect();
        let welcomed = self.replica.welcome(client, answered, catchup)?;
        let settled = self.settle(&welcomed);
        let Some(branch) = self.branch.take() else { return Ok(()) };
        let old = self.clock.now() - branch.since > YOUNG && branch.ops > 0;
        if first && self.replica.seq() == Seq(0) {
            self.bring(&before, acked);
        } else if branch.long || (old && !self.waiting.is_empty()) {
            // What the session has taken of mine is no difference between us.
            let mut song = before.song().clone();
            let taken = sent.iter().filter(|(cseq, _)| settled.contains(cseq)).flat_map(|(_, ops)| ops);
            for op in taken.filter(|op| op.at.is_none()) {
                if let Op::Edit(edit) = &op.op {
                    song.apply(edit);
                }
            }
            let base = State::with_song(song, before.tempo_map().clone());
            let open = sent.iter().filter(|(cseq, _)| !settled.contains(cseq)).flat_map(|(_, ops)| ops);
            let words = open.filter(|op| is_a_word(op)).cloned().collect();
            self.drop_waiting(acked);
            self.merge(&base, &before, branch.state());
            self.make_stamped(words);
        }
        Ok(())
    }

    /// Takes note of frames that were answered while nobody listened. Returns those committed, as
    /// far as that can be told.
    fn settle(&mut self, welcomed: &Welcomed) -> Vec<Cseq> {
        let seq = self.replica.seq();
        // A server tells of the last few hundred frames; refusals are rare, and of what came before
        // those committed is what the musician is told.
        let committed: Vec<(Cseq, Seq)> =
            welcomed.acked.iter().copied().chain(welcomed.settled.iter().map(|cseq| (*cseq, seq))).collect();
        for &(cseq, seq) in &committed {
            if let Some(meta) = self.take_meta(cseq) {
                self.names.committed(meta.instance, meta.ticket, seq, false);
                self.tell_instance(meta.instance, FromHub::Acked { cseq, seq });
            }
        }
        for (cseq, reason) in &welcomed.refused {
            if let Some(meta) = self.take_meta(*cseq) {
                self.names.refused(meta.instance, meta.ticket, reason);
                let reason = format!("while the connection was lost: {reason}");
                self.tell_instance(meta.instance, FromHub::TakenBack { cseq: *cseq, reason });
            }
        }
        // What still waits may have got other numbers.
        for (meta, (cseq, _, _)) in self.waiting.iter_mut().zip(self.replica.outbox()) {
            meta.cseq = cseq;
            self.names.renumbered(meta.instance, meta.ticket, cseq);
        }
        committed.into_iter().map(|(cseq, _)| cseq).collect()
    }

    /// Takes a frame's note out: its instance has its answer.
    pub(super) fn take_meta(&mut self, cseq: Cseq) -> Option<Meta> {
        let place = self.waiting.iter().position(|meta| meta.cseq == cseq)?;
        let meta = self.waiting.remove(place)?;
        self.answered(meta.instance, meta.ticket);
        Some(meta)
    }

    /// Frames that a merge has made superfluous. Numbers go on where the session waits for them.
    fn drop_waiting(&mut self, acked: Cseq) {
        while let Some(meta) = self.waiting.pop_front() {
            self.answered(meta.instance, meta.ticket);
        }
        self.replica.clear_outbox(acked);
    }

    /// Whoever comes first into an empty session brings the groove, and then what was made since.
    fn bring(&mut self, brought: &State, acked: Cseq) {
        let frames: Vec<_> = self.replica.outbox().map(|(cseq, _, ops)| (cseq, ops.to_vec())).collect();
        let notes = std::mem::take(&mut self.waiting);
        self.replica.clear_outbox(acked);
        let edits = brought.song().edits_since(self.replica.confirmed().song());
        self.make(edits.into_iter().map(Op::Edit).collect());
        let mut numbers = BTreeMap::new();
        for (meta, (was, mut ops)) in notes.into_iter().zip(frames) {
            rename_frames(&mut ops, &numbers);
            match self.replica.edit(ops) {
                Ok((cseq, _)) => {
                    numbers.insert(was, cseq);
                    self.names.renumbered(meta.instance, meta.ticket, cseq);
                    self.waiting.push_back(Meta { cseq, ..meta });
                }
                Err(refusal) => self.notice(format!("an edit could not be brought along: {refusal}")),
            }
        }
    }

    fn merge(&mut self, base: &State, before: &State, mine: &State) {
        let rulings = self.replica.confirmed().rulings().clone();
        let strategy = |register| rulings.conflicts.strategy(Matter::of(register));
        let rules = MergeRules { strategy: &strategy, ..MergeRules::default() };
        let merge = three_way(base, self.replica.confirmed(), mine, &rules);
        let mut report = MergeReport::of(&merge.summary);
        // What waited for its beat goes on waiting for it.
        let waiting = mine
            .waiting()
            .iter()
            .filter(|w| !before.waiting().iter().any(|b| b.edit == w.edit && b.at == w.at));
        let stamped: Vec<(Edit, Beats)> = waiting.map(|w| (w.edit, w.at)).collect();
        report.mine += stamped.len() as u32;
        let mut ops: Vec<Op> = merge.edits.iter().copied().map(Op::Edit).collect();
        ops.extend(merge.tempo.map(Op::RequestTempo));
        self.make(ops);
        // Who may not write something proposes nothing either, and the rest lands all the same.
        for proposals in merge.summary.proposals().chunks(MAX_CARDS) {
            self.make(proposals.iter().copied().map(Op::Propose).collect());
        }
        self.make_stamped(
            stamped.into_iter().map(|(edit, at)| StampedOp { op: Op::Edit(edit), at: Some(at) }).collect(),
        );
        if merge.summary.is_far_apart() && self.apart.is_none() {
            self.keep_apart(before, mine, report.clone());
        }
        let told = FromHub::Merged(report);
        match self.members.is_empty() {
            true => self.news.push(told),
            false => self.tell_all(&told),
        }
    }

    pub(super) fn make(&mut self, ops: Vec<Op>) {
        self.make_stamped(ops.into_iter().map(|op| StampedOp { op, at: None }).collect());
    }

    /// Frames of the machine's own, of no instance: others hear all of them, or those up to one.
    fn make_stamped(&mut self, ops: Vec<StampedOp>) {
        if ops.is_empty() {
            return;
        }
        let first = self.replica.next_cseq();
        match self.replica.edit(ops) {
            Ok((last, _)) => {
                let own = |cseq| Meta { cseq, instance: 0, ticket: Cseq(0), kept: true, sent: false };
                self.waiting.extend((first.0..=last.0).map(Cseq).map(own));
            }
            Err(refusal) => self.notice(format!("what was made apart could not be merged: {refusal}")),
        }
    }
}

/// Writes that ops speak of, by the numbers that their frames have now.
pub(super) fn rename_frames(ops: &mut [StampedOp], numbers: &BTreeMap<Cseq, Cseq>) {
    let new = |written: Written| match written {
        Written::Frame(cseq) => numbers.get(&cseq).copied().map(Written::Frame),
        Written::Commit(_) | Written::Unseen(_) => None,
    };
    ops.iter_mut().for_each(|op| op.name_write(new));
}

/// Whether an op says something that no difference of two states shows.
pub(super) fn is_a_word(op: &StampedOp) -> bool {
    matches!(op.op, Op::Resolve { .. } | Op::Strategy { .. } | Op::Permit { .. } | Op::Propose(_))
}
