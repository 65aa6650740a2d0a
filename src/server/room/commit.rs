//! From requests to stored commits, and from those to everybody.

use std::collections::{BTreeMap, BTreeSet};

use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Bytes;

use super::handle::Load;
use super::{RECENT, Room, Seat};
use crate::pattern::Priority;
use crate::server::metrics;
use crate::server::outgoing::encoded;
use crate::session::{
    Area, ClientId, Commit, Cseq, Lead, Op, Outcome, Refusal, Role, Seq, Sequencer, StampedOp, Text, priority,
};
use crate::time::Beats;
use crate::wire::{Down, ErrorCode, LineAsk};

/// Commits between two snapshots.
const SNAPSHOT_EVERY: u64 = 1000;

/// Something to be decided and stored.
pub(super) enum Request {
    Ops {
        cseq: Cseq,
        base: Seq,
        ops: Vec<StampedOp>,
    },
    Start(Beats, u8),
    Stop,
    /// A leader's host.
    Lead(Lead),
    /// A line of chat.
    Say(Text),
    /// About branches or the past.
    Line(LineAsk),
}

impl Request {
    pub fn ops(&self) -> usize {
        match self {
            Request::Ops { ops, .. } => ops.len().max(1),
            Request::Line(LineAsk::Ops { ops, .. }) => ops.len().max(1),
            Request::Start(..) | Request::Stop | Request::Lead(_) | Request::Say(_) | Request::Line(_) => 1,
        }
    }
}

/// What has queued, in order of urgency: edits and transport, then generators' results, then
/// parameters. What one participant sent stays in its order, so its urgent frame waits for those
/// before it. Nothing is dropped: who sends more than the room takes, waits.
fn urgent_first(mut batch: Vec<Submitted>) -> Vec<Submitted> {
    let mut least: BTreeMap<ClientId, Priority> = BTreeMap::new();
    let mut keys = Vec::with_capacity(batch.len());
    for submitted in &batch {
        let own = match &submitted.request {
            Request::Ops { ops, .. } => priority(ops),
            Request::Start(..) | Request::Stop | Request::Lead(_) | Request::Say(_) | Request::Line(_) => {
                Priority::Edit
            }
        };
        let key = least.entry(submitted.seat.client).or_insert(own);
        *key = own.max(*key);
        keys.push(*key);
    }
    let mut keys = keys.into_iter();
    batch.sort_by_cached_key(|_| keys.next());
    batch
}

/// The most urgent of what has queued, about so many ops of it, and the rest.
pub(super) fn most_urgent(batch: Vec<Submitted>, ops: usize) -> (Vec<Submitted>, Vec<Submitted>) {
    let mut now = urgent_first(batch);
    let mut sum = 0;
    let fits = |one: &&Submitted| {
        let before = sum;
        sum += one.request.ops();
        before < ops
    };
    let count = now.iter().take_while(fits).count();
    let later = now.split_off(count);
    (now, later)
}

/// A request, whose, and since when.
pub(super) struct Submitted {
    pub seat: Seat,
    pub request: Request,
    pub arrived: Instant,
    /// Its share of what may wait for the room, until it is decided.
    pub load: Option<Load>,
}

/// What a client is told beside its commits.
enum Reply {
    Refused(Cseq, Refusal),
    Again(Cseq, Seq),
}

impl Room {
    /// Decides a batch, stores it in one transaction, and only then tells anybody.
    pub(super) async fn commit(&mut self, batch: Vec<Submitted>) {
        if batch.is_empty() {
            return;
        }
        let batch = urgent_first(batch);
        let mut commits = Vec::new();
        let mut replies = Vec::new();
        let mut changed = BTreeSet::new();
        let mut asked = Vec::with_capacity(batch.len());
        let mut line_asks = Vec::new();
        for Submitted { seat, request, arrived, load: _load } in batch {
            let Some(role) = self.member(seat).map(|member| member.role) else { continue };
            if let Request::Line(ask) = request {
                line_asks.push((seat, ask));
                continue;
            }
            asked.push((seat.client, arrived));
            match request {
                Request::Ops { cseq, base, ops } => {
                    let position = self.position();
                    let decided = self.sequencer.submit(seat.client, role, cseq, base, ops, position);
                    if !matches!(decided, Err(Refusal::Gap { .. }) | Ok(Outcome::Duplicate { .. })) {
                        changed.insert(seat.client);
                    }
                    match decided {
                        Ok(Outcome::Committed(commit)) => commits.push(commit),
                        Ok(Outcome::Duplicate { seq }) => {
                            replies.push((seat.client, Reply::Again(cseq, seq)))
                        }
                        Err(refusal) => replies.push((seat.client, Reply::Refused(cseq, refusal))),
                    }
                }
                Request::Start(..) | Request::Stop | Request::Lead(_) if role == Role::Listener => {
                    let message =
                        "a listener may not move the transport; ask the owner for an editor's invite";
                    self.complain(seat.client, ErrorCode::Unauthorized, message);
                }
                Request::Start(..) | Request::Stop | Request::Lead(_)
                    if !self.may_move_transport(seat.client, role) =>
                {
                    let message = "you may not move the transport; the session's owner decides who may";
                    self.complain(seat.client, ErrorCode::Unauthorized, message);
                }
                Request::Start(tick, bars) => commits.push(self.start(tick, bars)),
                Request::Say(text) => commits.push(self.sequencer.say(seat.client, text)),
                Request::Stop => commits.extend(self.stop()),
                Request::Lead(lead) => match self.lead(seat.client, role, lead) {
                    Ok(commit) => commits.push(commit),
                    Err((code, message)) => self.complain(seat.client, code, message),
                },
                Request::Line(_) => {}
            }
        }
        if !self.store_and_queue(commits, &changed).await {
            for client in asked.iter().map(|(client, _)| *client).collect::<BTreeSet<_>>() {
                let message = "the server could not store your edits; send them again in a moment";
                self.complain(client, ErrorCode::Unavailable, message);
            }
            // A branch is stored by itself.
            return self.line_asks(line_asks).await;
        }
        let now = Instant::now();
        asked.iter().for_each(|(_, arrived)| metrics::acked(now - *arrived));
        for (client, reply) in replies {
            self.reply(client, reply).await;
        }
        self.line_asks(line_asks).await;
    }

    /// Logs and counts what was decided about concurrent writes.
    fn note_decisions(&self, commit: &Commit) {
        for op in &commit.ops {
            match &op.op {
                Op::Conflicts { cards, more } => {
                    for card in cards {
                        metrics::conflicts(card.kind, 1);
                        let (session, seq, kind) = (&self.session, commit.seq.0, card.kind.word());
                        let (about, candidates, result) = (&card.subject, &card.candidates, &card.result);
                        tracing::info!(
                            session,
                            seq,
                            id = card.id,
                            kind,
                            ?about,
                            ?candidates,
                            ?result,
                            "a conflict was decided"
                        );
                    }
                    more.iter().for_each(|(kind, more)| metrics::conflicts(*kind, u64::from(*more)));
                }
                Op::Resolve { id, choice } => {
                    metrics::resolved();
                    let (session, seq) = (&self.session, commit.seq.0);
                    tracing::info!(
                        session,
                        seq,
                        id,
                        ?choice,
                        author = commit.author.0,
                        "a conflict was resolved"
                    );
                }
                _ => {}
            }
        }
    }

    fn may_move_transport(&self, client: ClientId, role: Role) -> bool {
        self.sequencer.state().rulings().permissions.allow(client, role, Area::Transport)
    }

    /// Writes commits and the authors' records; on success they are queued for everybody. On
    /// failure the room is as the store has it.
    pub(super) async fn store_and_queue(
        &mut self,
        commits: Vec<Commit>,
        changed: &BTreeSet<ClientId>,
    ) -> bool {
        let record = |client: &ClientId| Some((*client, self.sequencer.client(*client)?.clone()));
        let records: Vec<_> = changed.iter().filter_map(record).collect();
        if commits.is_empty() && records.is_empty() {
            return true;
        }
        if self.broken {
            return false;
        }
        if let Err(error) = self.store.append(&self.session, &commits, &records).await {
            metrics::store_failed();
            tracing::error!(session = self.session, %error, "commits could not be stored");
            self.reload().await;
            return false;
        }
        metrics::committed(commits.len(), commits.iter().map(|commit| commit.ops.len()).sum());
        let now = Instant::now();
        for commit in commits {
            self.note_decisions(&commit);
            if commit.ops.iter().any(|op| op.at.is_some()) {
                self.waiting_since.insert(commit.seq, now);
            }
            self.queue(commit);
        }
        true
    }

    /// A commit that the store has goes to everybody.
    fn queue(&mut self, commit: Commit) {
        self.stored = commit.seq;
        self.recent.push(commit.clone());
        if commit.author != ClientId(0) {
            self.lock_by_commit(&commit);
        }
        self.outgoing.push(commit);
    }

    /// Goes back to what the store has, after it refused a transaction. A transaction whose answer
    /// was lost may have been written after all: what it holds goes out as if it had just come.
    async fn reload(&mut self) {
        let recovered = self.store.recover(&self.session).await;
        let missed = self.store.commits_after(&self.session, self.stored, RECENT as u32).await;
        match (recovered, missed) {
            (Ok(recovered), Ok(missed)) => {
                self.sequencer = Sequencer::restore(recovered.state, recovered.clients);
                missed.into_iter().for_each(|commit| self.queue(commit));
            }
            (Err(error), _) | (_, Err(error)) => {
                // Everybody is sent away, and the next to come tries afresh.
                tracing::error!(session = self.session, %error, "the session cannot be read; closing it");
                self.broken = true;
                self.inbox.close();
            }
        }
    }

    async fn reply(&mut self, client: ClientId, reply: Reply) {
        match reply {
            Reply::Refused(cseq, reason) => {
                metrics::refused();
                self.tell(client, Down::Nack { cseq, reason });
            }
            // It goes out with the others in a moment.
            Reply::Again(_, seq) if self.outgoing.iter().any(|commit| commit.seq == seq) => {}
            Reply::Again(cseq, seq) => {
                let kept = self.recent.find(seq).cloned();
                let found = match kept {
                    Some(commit) => Ok(Some(commit)),
                    None => self.store.commit_of(&self.session, client, cseq).await,
                };
                match found {
                    Ok(Some(commit)) => self.tell(client, Down::Commits(vec![commit])),
                    Ok(None) => {
                        self.tell(client, Down::Nack { cseq, reason: Refusal::Forgotten });
                    }
                    Err(error) => {
                        tracing::error!(session = self.session, %error, "a commit could not be read");
                        let message = "the server could not look your edit up; send it again in a moment";
                        self.complain(client, ErrorCode::Unavailable, message);
                    }
                }
            }
        }
    }

    /// What is to go out, encoded once for all.
    pub(super) fn take_outgoing(&mut self) -> Vec<Bytes> {
        match std::mem::take(&mut self.outgoing) {
            commits if commits.is_empty() => Vec::new(),
            commits => encoded(Down::Commits(commits)),
        }
    }

    /// Keeps a snapshot now and then, so that opening the session does not replay it all.
    pub(super) async fn snapshot_if_due(&mut self) {
        let state = self.sequencer.state();
        let seq = state.seq();
        if self.broken || seq.0 < self.snapshot.0 + SNAPSHOT_EVERY {
            return;
        }
        // A failure is no harm: the log serves, and the next snapshot is tried as far on.
        self.snapshot = seq;
        if let Err(error) = self.store.save_snapshot(&self.session, seq, &state.encode()).await {
            metrics::store_failed();
            tracing::error!(session = self.session, %error, "a snapshot could not be stored");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::param::{Owner, Param, Slot};
    use crate::pattern::Edit;

    fn submitted(client: u32, cseq: u64, ops: Vec<Op>) -> Submitted {
        let ops = ops.into_iter().map(|op| StampedOp { op, at: None }).collect();
        let request = Request::Ops { cseq: Cseq(cseq), base: Seq(0), ops };
        let seat = Seat { client: ClientId(client), socket: 1 };
        Submitted { seat, request, arrived: Instant::now(), load: None }
    }

    fn level() -> Op {
        Op::Edit(Edit::Param { slot: Slot::new(Owner::Master, Param::Level), value: 0.5 })
    }

    fn names(batch: &[Submitted]) -> Vec<(u32, u64)> {
        let name = |one: &Submitted| match one.request {
            Request::Ops { cseq, .. } => (one.seat.client.0, cseq.0),
            _ => panic!("ops"),
        };
        batch.iter().map(name).collect()
    }

    #[test]
    fn edits_are_served_before_generators_and_parameters_and_each_participants_in_their_order() {
        let made = |seed| vec![Op::Generated, Op::Edit(Edit::Seed(seed))];
        let batch = vec![
            submitted(1, 1, vec![level()]),
            submitted(1, 2, vec![Op::Edit(Edit::Seed(1))]),
            submitted(2, 1, vec![level()]),
            submitted(4, 1, made(3)),
            submitted(4, 2, vec![Op::Generated, level()]),
            submitted(5, 1, made(4)),
            submitted(3, 1, vec![Op::Edit(Edit::Seed(2))]),
        ];
        let order = names(&urgent_first(batch));
        assert_eq!(order, [(3, 1), (4, 1), (5, 1), (1, 1), (1, 2), (2, 1), (4, 2)]);
    }

    #[test]
    fn an_edit_overtakes_a_flood_of_a_generator_and_the_flood_loses_nothing() {
        let flood = |cseq| {
            let edits = (0..200).map(|seed| Op::Edit(Edit::Seed(seed)));
            submitted(9, cseq, [Op::Generated].into_iter().chain(edits).collect())
        };
        let mut batch: Vec<_> = (1..=16).map(flood).collect();
        batch.push(submitted(1, 1, vec![Op::Edit(Edit::Seed(1))]));
        let (now, mut later) = most_urgent(batch, 256);
        assert_eq!(names(&now), [(1, 1), (9, 1), (9, 2)]);
        let mut served = names(&now);
        let mut come = 2;
        while !later.is_empty() {
            // Somebody edits between any two rounds, and waits for none of it.
            later.push(submitted(1, come, vec![Op::Edit(Edit::Seed(1))]));
            let (now, rest) = most_urgent(later, 256);
            assert_eq!(names(&now)[0], (1, come));
            served.extend(names(&now));
            (later, come) = (rest, come + 1);
        }
        let flooded: Vec<_> =
            served.iter().filter(|(client, _)| *client == 9).map(|(_, cseq)| *cseq).collect();
        assert_eq!(flooded, (1..=16).collect::<Vec<_>>());
    }
}
