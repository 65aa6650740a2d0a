//! The server: a real sequencer over a store that takes its time and a machine that can be killed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use antiphon::session::{
    Answer, ClientId, ClientRecord, Commit, Cseq, Outcome, Refusal, Role, Seq, Sequencer, StampedOp, State,
};
use antiphon::time::{Beats, SessionNanos};
use antiphon::wire::{self, Down, ErrorCode, Hello, Snapshot, Up, Welcome};

use crate::chance::Chance;
use crate::plan::{Bug, Nanos, Part};
use crate::studio::tag_in;

/// Frames decided together.
const BATCH: usize = 64;
/// Commits between two snapshots.
const SNAPSHOT_EVERY: u64 = 40;

/// What survives a kill.
#[derive(Default)]
pub struct Store {
    pub commits: Vec<Vec<u8>>,
    records: BTreeMap<ClientId, Vec<u8>>,
    snapshot: Option<Vec<u8>>,
}

/// A transaction on its way into the store.
#[derive(Default)]
struct Transaction {
    commits: Vec<Commit>,
    changed: BTreeSet<ClientId>,
    replies: Vec<Letter>,
    hellos: Vec<(usize, u32, Hello)>,
}

/// A frame for somebody.
pub struct Letter {
    pub who: usize,
    pub connection: u32,
    pub bytes: Vec<u8>,
}

pub struct Server {
    pub store: Store,
    pub sequencer: Sequencer,
    parts: Vec<Part>,
    /// What owners have given: after which commit, whom, what.
    given: Vec<(Seq, usize, Role)>,
    bug: Option<Bug>,
    /// Who sits where: by participant, their present connection.
    seats: BTreeMap<usize, u32>,
    inbox: VecDeque<(usize, u32, Vec<u8>)>,
    under_way: Option<Transaction>,
    pub up: bool,
    /// Counts lives.
    pub life: u32,
    /// Frames that were answered with an error.
    pub errors: u64,
    /// Tagged frames that the sequencer has refused, by whom.
    pub refused: BTreeSet<(usize, u64)>,
}

fn id(who: usize) -> ClientId {
    ClientId(who as u32 + 1)
}

/// What is too large for one frame goes in several.
fn down(who: usize, connection: u32, frame: &Down) -> Vec<Letter> {
    let frames = wire::frames(frame.clone()).expect("it fits");
    frames.into_iter().map(|bytes| Letter { who, connection, bytes }).collect()
}

impl Server {
    pub fn new(parts: Vec<Part>, bug: Option<Bug>) -> Server {
        Server {
            store: Store::default(),
            sequencer: Sequencer::new(State::new()),
            parts,
            given: Vec::new(),
            bug,
            seats: BTreeMap::new(),
            inbox: VecDeque::new(),
            under_way: None,
            up: true,
            life: 1,
            errors: 0,
            refused: BTreeSet::new(),
        }
    }

    /// An owner gives somebody another role, from the next commit on.
    pub fn give_role(&mut self, who: usize, role: Role) {
        self.given.push((self.sequencer.state().seq(), who, role));
    }

    /// What somebody may do now.
    pub fn role(&self, who: usize) -> Role {
        self.role_at(who, Seq(self.sequencer.state().seq().0 + 1))
    }

    /// As what somebody wrote a commit.
    pub fn role_at(&self, who: usize, seq: Seq) -> Role {
        let given = self.given.iter().rev().find(|(after, whom, _)| *whom == who && *after < seq);
        given.map_or(self.parts[who].role(), |(_, _, role)| *role)
    }

    /// Whether somebody has never been allowed to write.
    pub fn only_listens(&self, who: usize) -> bool {
        let given = self.given.iter().filter(|(_, whom, _)| *whom == who);
        let writes = given.map(|(_, _, role)| *role).chain([self.parts[who].role()]);
        writes.into_iter().all(|role| role == Role::Listener)
    }

    pub fn take(&mut self, who: usize, connection: u32, bytes: Vec<u8>) {
        if self.up {
            self.inbox.push_back((who, connection, bytes));
        }
    }

    /// Decides what waits, unless the store is busy; what may be told at once is returned, and
    /// whether a transaction has begun.
    pub fn work(&mut self, now: Nanos) -> (Vec<Letter>, bool) {
        if !self.up || self.under_way.is_some() {
            return (Vec::new(), false);
        }
        let mut transaction = Transaction::default();
        let mut letters = Vec::new();
        let position = self.position(now);
        if let Some(commit) = position.and_then(|position| self.sequencer.promote(position)) {
            transaction.commits.push(commit);
        }
        self.forget_the_gone();
        for _ in 0..BATCH {
            let Some((who, connection, bytes)) = self.inbox.pop_front() else { break };
            match wire::decode_up(&bytes) {
                Ok(Up::Hello(hello)) => transaction.hellos.push((who, connection, hello)),
                Ok(_) if self.seats.get(&who) != Some(&connection) => {}
                Ok(Up::Gesture(moves)) => {
                    let others = self.seats.iter().filter(|(other, _)| **other != who);
                    let frame = Down::Gestures { author: id(who), moves };
                    let told = others.flat_map(|(other, connection)| down(*other, *connection, &frame));
                    letters.extend(told.filter(|_| self.role(who) != Role::Listener));
                }
                Ok(up) => self.decide(&mut transaction, who, connection, up, now),
                Err(error) => {
                    self.errors += 1;
                    let message = error.to_string();
                    let frame = Down::Error { code: ErrorCode::Malformed, message, fatal: false };
                    letters.extend(down(who, connection, &frame));
                }
            }
        }
        let begun = !transaction.commits.is_empty()
            || !transaction.changed.is_empty()
            || !transaction.hellos.is_empty()
            || !transaction.replies.is_empty();
        if begun {
            if self.bug == Some(Bug::AckBeforeCommit) {
                letters.extend(self.news(&transaction.commits));
            }
            self.under_way = Some(transaction);
        }
        (letters, begun)
    }

    /// What waits on a socket is gone with it; a newer one has closed it.
    fn forget_the_gone(&mut self) {
        let mut newest: BTreeMap<usize, u32> = BTreeMap::new();
        for (who, connection, _) in &self.inbox {
            let newest = newest.entry(*who).or_default();
            *newest = (*newest).max(*connection);
        }
        self.inbox.retain(|(who, connection, _)| newest[who] == *connection);
    }

    fn decide(&mut self, to: &mut Transaction, who: usize, connection: u32, frame: Up, now: Nanos) {
        let role = self.role(who);
        match frame {
            Up::Ops { cseq, base, ops } => {
                let tag = tag_in(who, &ops);
                let decided = self.submit(who, role, cseq, base, ops, now);
                if !matches!(decided, Err(Refusal::Gap { .. }) | Ok(Outcome::Duplicate { .. })) {
                    to.changed.insert(id(who));
                }
                match decided {
                    Ok(Outcome::Committed(commit)) => to.commits.push(commit),
                    Ok(Outcome::Duplicate { seq }) => {
                        // What is still on its way into the store is told with it.
                        if let Some(bytes) = self.store.commits.get((seq.0 as usize).wrapping_sub(1)) {
                            let commit = postcard::from_bytes(bytes).expect("a commit");
                            to.replies.extend(down(who, connection, &Down::Commits(vec![commit])));
                        }
                    }
                    Err(reason) => {
                        self.refused.extend(tag.filter(|_| reason.is_final()).map(|tag| (who, tag)));
                        to.replies.extend(down(who, connection, &Down::Nack { cseq, reason }));
                    }
                }
            }
            Up::Start { tick } if role != Role::Listener => {
                to.commits.push(self.sequencer.start(tick, SessionNanos(now as i64)));
            }
            Up::Stop if role != Role::Listener => {
                if let Some(tick) = self.position(now) {
                    to.commits.push(self.sequencer.stop(SessionNanos(now as i64), tick));
                }
            }
            _ => self.errors += 1,
        }
    }

    fn submit(
        &mut self,
        who: usize,
        role: Role,
        cseq: Cseq,
        base: Seq,
        ops: Vec<StampedOp>,
        now: Nanos,
    ) -> Result<Outcome, Refusal> {
        let position = self.position(now);
        self.sequencer.submit(id(who), role, cseq, base, ops, position)
    }

    /// Where the session plays.
    fn position(&self, now: Nanos) -> Option<Beats> {
        let (state, timeline) = (self.sequencer.state(), self.sequencer.state().timeline());
        let map = state.tempo_map();
        let elapsed = now as i64 - timeline.at.0;
        timeline
            .playing
            .then(|| map.tick_at_nanos(SessionNanos(map.nanos_at(timeline.tick).0 + elapsed.max(0))))
    }

    fn news(&self, commits: &[Commit]) -> Vec<Letter> {
        if commits.is_empty() {
            return Vec::new();
        }
        let frame = Down::Commits(commits.to_vec());
        self.seats.iter().flat_map(|(who, connection)| down(*who, *connection, &frame)).collect()
    }

    /// The store has the transaction: now it is told.
    pub fn stored(&mut self, chance: &mut Chance) -> Vec<Letter> {
        let transaction = self.under_way.take().expect("a transaction");
        self.write(&transaction);
        let mut letters = match self.bug {
            Some(Bug::AckBeforeCommit) => Vec::new(),
            _ => self.news(&transaction.commits),
        };
        letters.extend(transaction.replies);
        for (who, connection, hello) in transaction.hellos {
            // A socket that is older than the present one is closed already.
            let seat = self.seats.entry(who).or_default();
            if connection < *seat {
                continue;
            }
            *seat = connection;
            let welcome = self.welcome(who, &hello, chance);
            letters.extend(down(who, connection, &Down::Welcome(welcome)));
        }
        letters
    }

    fn welcome(&self, who: usize, hello: &Hello, chance: &mut Chance) -> Welcome {
        let state = self.sequencer.state();
        let seen = hello.last_seq;
        let known = seen.0 as usize <= self.store.commits.len();
        let delta = (known && chance.happens(0.7))
            .then(|| Snapshot::delta(self.store.log(seen.0 as usize).collect()))
            .flatten();
        let snapshot = delta.unwrap_or_else(|| Snapshot::Full { seq: state.seq(), bytes: state.encode() });
        let acked = self.sequencer.acked(id(who));
        let answers = self.answers(who, hello.unanswered, acked);
        let whole = !matches!(snapshot, Snapshot::Delta(_));
        let told = |(_, answer): &(Cseq, Answer)| whole || matches!(answer, Answer::Refused(_));
        Welcome {
            answers: answers.into_iter().filter(told).collect(),
            client: id(who),
            role: self.role(who),
            clock_epoch: u64::from(self.life),
            acked,
            state: snapshot,
        }
    }

    /// What became of somebody's frames: as remembered, and beyond that as the log tells.
    fn answers(&self, who: usize, from: Cseq, acked: Cseq) -> Vec<(Cseq, Answer)> {
        let Some(record) = self.sequencer.client(id(who)) else { return Vec::new() };
        let first = from.0.max(acked.0.saturating_sub(wire::MAX_ANSWERS as u64 - 1)).max(1);
        let landed = |cseq| {
            let commit = self.store.log(0).find(|commit| (commit.author, commit.cseq) == (id(who), cseq));
            commit.map_or(Answer::Refused(Refusal::Forgotten), |commit| Answer::Committed(commit.seq))
        };
        let answer = |cseq| record.answer(cseq).cloned().unwrap_or_else(|| landed(cseq));
        (first..=acked.0).map(Cseq).map(|cseq| (cseq, answer(cseq))).collect()
    }

    fn write(&mut self, transaction: &Transaction) {
        for commit in &transaction.commits {
            self.store.commits.push(postcard::to_stdvec(commit).expect("bytes"));
            if commit.seq.0 % SNAPSHOT_EVERY == 0 {
                // As of this commit: from the log, as the state may be further on.
                let mut state = self.store.state();
                debug_assert!(state.seq() <= commit.seq);
                if state.seq() < commit.seq {
                    state.apply(commit).expect("the next commit");
                }
                self.store.snapshot = Some(state.encode());
            }
        }
        for client in &transaction.changed {
            let record = self.sequencer.client(*client).expect("it was answered");
            self.store.records.insert(*client, postcard::to_stdvec(record).expect("bytes"));
        }
    }

    /// Killed. What was on its way into the store may be in it or not, but never in part.
    pub fn kill(&mut self, chance: &mut Chance) {
        if let Some(transaction) = self.under_way.take()
            && chance.happens(0.5)
        {
            self.write(&transaction);
        }
        self.up = false;
        self.inbox.clear();
        self.seats.clear();
    }

    pub fn start(&mut self) {
        let records =
            self.store.records.iter().map(|(client, bytes)| {
                (*client, postcard::from_bytes::<ClientRecord>(bytes).expect("a record"))
            });
        let records: Vec<_> = match self.bug {
            Some(Bug::ForgottenAnswers) => Vec::new(),
            _ => records.collect(),
        };
        self.sequencer = Sequencer::restore(self.store.state(), records);
        // What was given stays given; the commits of that time may be gone.
        let seq = self.sequencer.state().seq();
        self.given.iter_mut().for_each(|(after, _, _)| *after = seq.min(*after));
        self.up = true;
        self.life += 1;
    }

    /// What it is at, for a failure.
    pub fn busy(&self) -> String {
        let (waiting, writes) = (self.inbox.len(), self.under_way.is_some());
        let commits = self.store.commits.len();
        format!("the server (up {}, {waiting} frames wait, store busy {writes}, {commits} commits)", self.up)
    }

    /// Nothing is under way or waits.
    pub fn is_idle(&self) -> bool {
        self.inbox.is_empty() && self.under_way.is_none()
    }
}

impl Store {
    /// The state as snapshot and log give it.
    pub fn state(&self) -> State {
        let mut state = match &self.snapshot {
            Some(bytes) => State::decode(bytes).expect("a snapshot"),
            None => State::new(),
        };
        let from = state.seq().0 as usize;
        for commit in self.log(from) {
            state.apply(&commit).expect("the next commit");
        }
        state
    }

    /// The log behind a place.
    pub fn log(&self, from: usize) -> impl Iterator<Item = Commit> {
        self.commits[from..].iter().map(|bytes| postcard::from_bytes(bytes).expect("a commit"))
    }
}
