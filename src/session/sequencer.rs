//! Who decides: one sequencer a session.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::decide::Bench;
use super::state::{Applied, MAX_TEMPO_SEGMENTS, MAX_TICK, State};
use super::{
    BranchId, ClientId, Commit, Cseq, Lead, Op, Record, Refusal, Role, Seq, Stamp, StampedOp, Subject, Text,
    Timeline,
};
use crate::pattern::Register;
use crate::time::{Beats, SessionNanos, TempoMap};

/// Answers kept for retries, per client.
pub const RECENT_ANSWERS: usize = 64;
/// Subjects remembered one by one in [`Unseen`].
const MAX_UNSEEN: usize = 32;
/// Registers whose edits took effect at their beat lately, so that a write that did not see it is
/// known.
const MAX_PROMOTED: usize = 1024;

/// Decides about frames of ops and keeps the state they make. The same library runs in the server
/// and, without one, in the musician's own machine.
///
/// To be crash-safe its owner stores, in one transaction and before anybody is told, the
/// [`Commit`] (if there is one) and the author's [`ClientRecord`], after a refusal too; where
/// storing fails it drops the sequencer and restores one from what is stored.
#[derive(Clone, Debug)]
pub struct Sequencer {
    state: State,
    clients: BTreeMap<ClientId, ClientRecord>,
    /// A branch keeps no records: those of the session's own line count.
    is_branch: bool,
    /// The commit by which a waiting edit of a register took effect. In memory alone: after a restart
    /// an undo is judged without.
    promoted: BTreeMap<Register, Seq>,
}

/// What a sequencer remembers of a client, so that a retry gets the stored answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientRecord {
    /// The last frame answered.
    pub last_cseq: Cseq,
    /// The answers to the frames up to it, oldest first, at most [`RECENT_ANSWERS`].
    pub recent: VecDeque<Answer>,
    /// The last commit its author had seen with each of them, in the same order.
    pub bases: VecDeque<Seq>,
    /// As what the client wrote last.
    pub role: Option<Role>,
    /// What each of them wrote over without having seen it, in the same order.
    pub unseen: VecDeque<Unseen>,
    /// Where the session stood when a frame of its was refused last.
    pub refused_at: Seq,
}

/// Others' writes that a frame wrote over and its author had not seen: what stood there before is
/// something else than the author believes, so its undo has to wait until it knows better.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unseen {
    /// By subject; at most [`MAX_UNSEEN`].
    met: Vec<(Subject, Stamp)>,
    /// More than those: whatever else the frame wrote counts as one.
    more: Option<Stamp>,
}

impl Unseen {
    fn take(&mut self, subject: Subject, met: Stamp) {
        match self.met.len() < MAX_UNSEEN {
            true => self.met.push((subject, met)),
            false => self.more = Some(met),
        }
    }

    fn of(&self, subject: Subject) -> Option<Stamp> {
        let met = self.met.iter().find(|(of, _)| *of == subject).map(|(_, met)| *met);
        met.or(self.more)
    }
}

/// The answer to a frame of ops.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// It became this commit.
    Committed(Seq),
    /// It was refused.
    Refused(Refusal),
}

/// A frame that was not refused.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The session's next commit.
    Committed(Commit),
    /// A retry: the frame was committed before.
    Duplicate {
        /// As this commit; 0 where that is more than [`RECENT_ANSWERS`] frames ago.
        seq: Seq,
    },
}

impl ClientRecord {
    /// The stored answer to a frame, if it is kept.
    pub fn answer(&self, cseq: Cseq) -> Option<&Answer> {
        let back = self.last_cseq.0.checked_sub(cseq.0)?;
        let place = self.recent.len().checked_sub(usize::try_from(back).ok()?.checked_add(1)?)?;
        self.recent.get(place)
    }

    /// The last commit the author had seen when it made what became a commit, if that is kept.
    pub fn base_of(&self, seq: Seq) -> Option<Seq> {
        let place = self.recent.iter().rposition(|answer| *answer == Answer::Committed(seq))?;
        // A record kept by an older version has no bases for its first answers.
        let missing = self.recent.len().saturating_sub(self.bases.len());
        self.bases.get(place.checked_sub(missing)?).copied()
    }

    /// Somebody else's write that a commit of this author's wrote over unseen. What is no longer
    /// remembered cannot be told from one: `None` then.
    pub(super) fn unseen_by(&self, seq: Seq, subject: Subject) -> Option<Option<Stamp>> {
        let back = self.recent.iter().rev().position(|answer| *answer == Answer::Committed(seq))?;
        let place = self.unseen.len().checked_sub(back + 1)?;
        Some(self.unseen[place].of(subject))
    }

    fn push(&mut self, cseq: Cseq, answer: Answer, at: Seq, base: Seq, role: Role, unseen: Unseen) {
        self.last_cseq = cseq;
        self.role = Some(role);
        if matches!(answer, Answer::Refused(_)) {
            self.refused_at = at;
        }
        if self.unseen.len() >= RECENT_ANSWERS {
            self.unseen.pop_front();
        }
        self.unseen.push_back(unseen);
        if self.recent.len() >= RECENT_ANSWERS {
            self.recent.pop_front();
        }
        if self.bases.len() >= RECENT_ANSWERS {
            self.bases.pop_front();
        }
        self.recent.push_back(answer);
        self.bases.push_back(base);
    }
}

impl Sequencer {
    /// A sequencer for a state in which no client has yet sent anything.
    pub fn new(state: State) -> Sequencer {
        Sequencer::restore(state, [])
    }

    /// A sequencer as it was stored.
    pub fn restore(state: State, clients: impl IntoIterator<Item = (ClientId, ClientRecord)>) -> Sequencer {
        let clients = clients.into_iter().collect();
        Sequencer { state, clients, is_branch: false, promoted: BTreeMap::new() }
    }

    /// The sequencer of a branch, as it was stored; new, it has the state that it forked from.
    pub fn branch(state: State, clients: impl IntoIterator<Item = (ClientId, ClientRecord)>) -> Sequencer {
        Sequencer { is_branch: true, ..Sequencer::restore(state, clients) }
    }

    /// The state after the last commit.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// What is remembered of a client.
    pub fn client(&self, client: ClientId) -> Option<&ClientRecord> {
        self.clients.get(&client)
    }

    /// The last frame of a client that was committed or refused.
    pub fn acked(&self, client: ClientId) -> Cseq {
        self.client(client).map_or(Cseq(0), |record| record.last_cseq)
    }

    /// Decides about a frame of ops: commits it whole, or refuses it whole.
    ///
    /// `base` is the last commit the author had seen; `position` is where the session plays now,
    /// `None` when it is stopped. Tempo: a request takes effect at the next bar line after
    /// `position`, or after its own `at` if that is later; when stopped it becomes the one tempo of
    /// the whole song. Metre: while the session plays, or for an edit with an `at`, the same line is
    /// where the bars begin to be as asked; those before keep their lines and numbers.
    ///
    /// # Errors
    /// Why the frame was refused. Every refusal but [`Refusal::Gap`] is the frame's final answer.
    pub fn submit(
        &mut self,
        author: ClientId,
        role: Role,
        cseq: Cseq,
        base: Seq,
        ops: Vec<StampedOp>,
        position: Option<Beats>,
    ) -> Result<Outcome, Refusal> {
        let record = self.clients.entry(author).or_default();
        if cseq <= record.last_cseq {
            return match record.answer(cseq) {
                Some(Answer::Refused(refusal)) => Err(refusal.clone()),
                Some(Answer::Committed(seq)) => Ok(Outcome::Duplicate { seq: *seq }),
                None => Ok(Outcome::Duplicate { seq: Seq(0) }),
            };
        }
        let expected = record.last_cseq.0 + 1;
        if cseq.0 != expected {
            return Err(Refusal::Gap { expected, got: cseq.0 });
        }
        let base = base.min(self.state.seq());
        let bench = Bench {
            state: &self.state,
            clients: &self.clients,
            author,
            role,
            base,
            position,
            is_branch: self.is_branch,
        };
        let tempo = self.state.rulings().tempo.stamp();
        let decided = bench.decide(ops).map(|ops| self.commit_taken(author, cseq, ops));
        let (answer, unseen) = match &decided {
            Ok((commit, applied)) => {
                (Answer::Committed(commit.seq), self.unseen(commit, base, applied, tempo))
            }
            Err(refusal) => (Answer::Refused(refusal.clone()), Unseen::default()),
        };
        let at = self.state.seq();
        self.clients.entry(author).or_default().push(cseq, answer, at, base, role, unseen);
        decided.map(|(commit, _)| Outcome::Committed(commit))
    }

    /// What a commit wrote over that its author had not seen, by its own hand or under an earlier
    /// write of its author's that was not answered then either.
    fn unseen(&self, commit: &Commit, base: Seq, applied: &Applied, tempo: Stamp) -> Unseen {
        let record = self.clients.get(&commit.author);
        // Whoever has not heard of a refusal may take what was refused for what stood there.
        let refused_at = record.map_or(Seq(0), |record| record.refused_at);
        let mistaken = refused_at.0 > 0 && base <= refused_at;
        let met = |subject: Subject, met: Stamp, since: Seq| -> Option<Stamp> {
            if met.author != commit.author {
                return (since > base || mistaken && since.0 > 0).then_some(met);
            }
            if mistaken && since.0 > 0 {
                // Whose it would be is not remembered.
                return Some(Stamp { seq: Seq(0), ..met });
            }
            let below = record.and_then(|record| record.unseen_by(met.seq, subject)).flatten();
            below.filter(|_| met.seq > base)
        };
        let mut unseen = Unseen::default();
        for (register, stamp) in &applied.met {
            let took_effect = self.promoted.get(register).copied().unwrap_or_default();
            let subject = Subject::Register(*register);
            if let Some(stamp) = met(subject, *stamp, stamp.seq.max(took_effect)) {
                unseen.take(subject, stamp);
            }
        }
        let asked = commit.ops.iter().any(|op| matches!(op.op, Op::TempoAsked(_)));
        if let Some(stamp) = met(Subject::Tempo, tempo, tempo.seq).filter(|_| asked) {
            unseen.take(Subject::Tempo, stamp);
        }
        unseen
    }

    /// Starts the transport: tick `tick` (within the song) sounds at session time `at`.
    pub fn start(&mut self, tick: Beats, at: SessionNanos) -> Commit {
        self.timeline(Timeline { playing: true, tick, at })
    }

    /// Stops the transport at a tick.
    pub fn stop(&mut self, at: SessionNanos, tick: Beats) -> Commit {
        self.timeline(Timeline { playing: false, tick, at })
    }

    /// Plays, or stands, as a leader's host does. Where that plays by another tempo than the song has
    /// from there on, the tempo holds from its position: in one commit with it, so that nobody hears
    /// the one without the other.
    pub fn lead(&mut self, lead: Lead) -> Commit {
        let tick = lead.tick.clamp(Beats::ZERO, MAX_TICK);
        let timeline = Op::Timeline(Timeline { playing: lead.playing, tick, at: lead.at });
        let map = self.leads_tempo(lead).then(|| self.map_led(tick, lead));
        let ops = map.map(Op::TempoMap).into_iter().chain([timeline]);
        self.commit(ClientId(0), Cseq(0), ops.map(|op| StampedOp { op, at: None }).collect())
    }

    /// Whether a leader's word changes the tempo.
    pub fn leads_tempo(&self, lead: Lead) -> bool {
        let map = self.state.tempo_map();
        let last = map.segments().last().expect("a tempo map has a segment");
        lead.playing && (map.tempo_at(lead.tick) != lead.tempo || last.tick > lead.tick)
    }

    fn map_led(&self, tick: Beats, lead: Lead) -> TempoMap {
        let map = self.state.tempo_map().with_tempo(tick, lead.tempo).ok();
        // The position is told anew with it, so what lies before may be anything.
        map.filter(|map| map.segments().len() <= MAX_TEMPO_SEGMENTS)
            .unwrap_or_else(|| TempoMap::constant(lead.tempo))
    }

    /// Lets the edits stamped for ticks up to `upto` take effect; `None` when none is due.
    pub fn promote(&mut self, upto: Beats) -> Option<Commit> {
        let due = self.state.waiting().first().is_some_and(|waiting| waiting.at <= upto);
        let due = due.then_some(StampedOp { op: Op::Promote(upto), at: None })?;
        let (commit, applied) = self.commit_taken(ClientId(0), Cseq(0), vec![due]);
        for landed in &applied.promoted {
            self.promoted.insert(landed.edit.register(), commit.seq);
        }
        while self.promoted.len() > MAX_PROMOTED {
            let oldest = self.promoted.iter().min_by_key(|(_, seq)| **seq).map(|(register, _)| *register);
            oldest.map(|register| self.promoted.remove(&register));
        }
        Some(commit)
    }

    /// Notes how far a branch has come; `None` where it is known already, or the branch is gone.
    pub fn note_head(&mut self, id: BranchId, head: Seq) -> Option<Commit> {
        let known = self.state.records().branch(id)?.head;
        (head > known).then(|| self.author(Op::Record(Record::Head { id, head })))
    }

    /// Keeps what a participant said.
    pub fn say(&mut self, client: ClientId, text: Text) -> Commit {
        self.author(Op::Said { client, text })
    }

    fn timeline(&mut self, timeline: Timeline) -> Commit {
        let tick = timeline.tick.clamp(Beats::ZERO, MAX_TICK);
        self.author(Op::Timeline(Timeline { tick, ..timeline }))
    }

    /// An op of the sequencer's own.
    fn author(&mut self, op: Op) -> Commit {
        self.commit(ClientId(0), Cseq(0), vec![StampedOp { op, at: None }])
    }

    fn commit(&mut self, author: ClientId, cseq: Cseq, ops: Vec<StampedOp>) -> Commit {
        self.commit_taken(author, cseq, ops).0
    }

    fn commit_taken(&mut self, author: ClientId, cseq: Cseq, ops: Vec<StampedOp>) -> (Commit, Applied) {
        let commit = Commit { seq: Seq(self.state.seq().0 + 1), author, cseq, ops };
        let applied = self.state.take(&commit).expect("decided ops apply");
        (commit, applied)
    }
}
