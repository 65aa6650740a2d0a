//! Branches in a room: each has a sequencer of its own, those who follow it, and the same order of
//! things as the session itself: decide, store in one transaction, then tell.
//!
//! Thread: the room's. A branch is in memory while somebody follows it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{Room, Seat};
use crate::server::metrics;
use crate::server::outgoing::encoded;
use crate::server::store::{Store, StoreError};
use crate::session::{
    BranchId, ClientId, Commit, Cseq, Detail, MAX_ENTRIES, Outcome, PAGE_COMMITS, Records, Refusal, Seq,
    Sequencer, StampedOp, page,
};
use crate::wire::{Down, ErrorCode, LineAsk, LineNews, WireError, encode_down};

/// How often edits of branches that wait for their beat are looked after.
const LOOK: Duration = Duration::from_millis(50);
/// Commits of a branch between two snapshots of it.
const SNAPSHOT_EVERY: u64 = 500;

/// A branch that somebody follows.
pub(super) struct Line {
    sequencer: Sequencer,
    fork: Seq,
    followers: BTreeSet<ClientId>,
    snapshot: Seq,
}

/// What is to be stored of a branch, and told when it is.
#[derive(Default)]
struct Decided {
    commits: Vec<Commit>,
    answered: BTreeSet<ClientId>,
    refused: Vec<(ClientId, Cseq, Refusal)>,
    again: Vec<(ClientId, Cseq)>,
}

impl Room {
    /// Answers what was asked about lines, in order; edits of a branch that follow each other are
    /// stored together.
    pub(super) async fn line_asks(&mut self, asks: Vec<(Seat, LineAsk)>) {
        let mut decided: BTreeMap<BranchId, Decided> = BTreeMap::new();
        for (seat, ask) in asks {
            match ask {
                LineAsk::Ops { branch, cseq, base, ops } => {
                    self.decide_line(seat, branch, (cseq, base, ops), decided.entry(branch).or_default());
                }
                ask => {
                    self.store_lines(std::mem::take(&mut decided)).await;
                    self.line_ask(seat, ask).await;
                }
            }
        }
        self.store_lines(decided).await;
    }

    async fn line_ask(&mut self, seat: Seat, ask: LineAsk) {
        match ask {
            LineAsk::Enter(branch) => {
                self.leave_lines(seat.client);
                self.enter_line(seat.client, branch).await;
            }
            LineAsk::Leave => self.leave_lines(seat.client),
            LineAsk::History { line, before, detail, limit } => {
                let limit = usize::from(limit).clamp(1, MAX_ENTRIES);
                self.look_up(seat.client, line, before, move |store, session, _| async move {
                    history(&store, &session, line, before, detail, limit).await
                });
            }
            LineAsk::State { line, seq } => {
                self.look_up(seat.client, line, Some(seq), move |store, session, records| async move {
                    let state = store.state_at(&session, &records, line, seq).await?;
                    Ok(state.map(|state| LineNews::state(line, seq, None, &state.encode())))
                });
            }
            LineAsk::Ops { .. } => {}
        }
    }

    /// Reads in a task of its own, so that nobody waits for somebody's look at the past.
    fn look_up<F>(
        &self,
        client: ClientId,
        line: BranchId,
        seq: Option<Seq>,
        read: impl FnOnce(Arc<Store>, String, Records) -> F,
    ) where
        F: Future<Output = Result<Option<Vec<Down>>, StoreError>> + Send + 'static,
    {
        let Some(member) = self.members.get(&client) else { return };
        let (outbound, store, session) = (member.outbound.clone(), self.store.clone(), self.session.clone());
        let records = self.sequencer.state().records().clone();
        let found = read(store, session.clone(), records);
        tokio::spawn(async move {
            let frames = match found.await {
                Ok(Some(frames)) => frames,
                Ok(None) => {
                    let reason = "there is no such branch or commit".to_owned();
                    vec![Down::Line(LineNews::Missing { line, seq, reason })]
                }
                Err(error) => {
                    tracing::error!(session, %error, "the past could not be read");
                    let reason = "the server could not read it; ask again in a moment".to_owned();
                    vec![Down::Line(LineNews::Missing { line, seq, reason })]
                }
            };
            outbound.send(frames.into_iter().flat_map(encoded).collect());
        });
    }

    async fn enter_line(&mut self, client: ClientId, branch: BranchId) {
        if let Err(reason) = self.load_line(branch).await {
            return self.tell(client, Down::Line(LineNews::Missing { line: branch, seq: None, reason }));
        }
        let Some(line) = self.lines.get_mut(&branch) else { return };
        line.followers.insert(client);
        let (state, acked) = (line.sequencer.state(), line.sequencer.acked(client));
        let frames = LineNews::state(branch, state.seq(), Some(acked), &state.encode());
        if let Some(member) = self.members.get(&client) {
            member.send(frames.into_iter().flat_map(encoded).collect());
        }
    }

    async fn load_line(&mut self, branch: BranchId) -> Result<(), String> {
        if self.lines.contains_key(&branch) {
            return Ok(());
        }
        let records = self.sequencer.state().records();
        let fork = records.branch(branch).map(|record| record.fork_seq);
        let recovered = self.store.recover_branch(&self.session, records, branch).await;
        match (recovered, fork) {
            (Ok(Some(recovered)), Some(fork)) => {
                let snapshot = recovered.state.seq();
                let sequencer = Sequencer::branch(recovered.state, recovered.clients);
                let followers = BTreeSet::new();
                self.lines.insert(branch, Line { sequencer, fork, followers, snapshot });
                Ok(())
            }
            (Ok(_), _) => Err("there is no such branch any more".to_owned()),
            (Err(error), _) => {
                tracing::error!(session = self.session, branch = branch.0, %error, "a branch cannot be read");
                Err("the server could not read the branch; ask again in a moment".to_owned())
            }
        }
    }

    /// A participant follows no branch any more.
    pub(super) fn leave_lines(&mut self, client: ClientId) {
        for line in self.lines.values_mut() {
            line.followers.remove(&client);
        }
    }

    fn decide_line(
        &mut self,
        seat: Seat,
        branch: BranchId,
        (cseq, base, ops): (Cseq, Seq, Vec<StampedOp>),
        decided: &mut Decided,
    ) {
        let client = seat.client;
        let Some(role) = self.member(seat).map(|member| member.role) else { return };
        let position = self.position();
        let line = self.lines.get_mut(&branch).filter(|line| line.followers.contains(&client));
        let Some(line) = line else {
            let reason = "you do not follow this branch; enter it first".to_owned();
            return self.tell(client, Down::Line(LineNews::Missing { line: branch, seq: None, reason }));
        };
        let answer = line.sequencer.submit(client, role, cseq, base, ops, position);
        if !matches!(answer, Err(Refusal::Gap { .. }) | Ok(Outcome::Duplicate { .. })) {
            decided.answered.insert(client);
        }
        match answer {
            Ok(Outcome::Committed(commit)) => decided.commits.push(commit),
            Ok(Outcome::Duplicate { .. }) => decided.again.push((client, cseq)),
            Err(refusal) => decided.refused.push((client, cseq, refusal)),
        }
    }

    async fn store_lines(&mut self, decided: BTreeMap<BranchId, Decided>) {
        for (branch, decided) in decided {
            if !self.store_line(branch, decided.commits, &decided.answered).await {
                let message = "the server could not store your edits; send them again in a moment";
                decided.answered.iter().for_each(|who| self.complain(*who, ErrorCode::Unavailable, message));
                continue;
            }
            for (client, cseq, reason) in decided.refused {
                metrics::refused();
                self.tell(client, Down::Line(LineNews::Nack { branch, cseq, reason }));
            }
            for (client, cseq) in decided.again {
                self.tell_again(client, branch, cseq).await;
            }
        }
    }

    /// Stores a branch's commits and tells its followers. On failure the branch is as the store has
    /// it, and its followers get it anew.
    async fn store_line(
        &mut self,
        branch: BranchId,
        commits: Vec<Commit>,
        answered: &BTreeSet<ClientId>,
    ) -> bool {
        let Some(line) = self.lines.get_mut(&branch) else { return true };
        let record = |client: &ClientId| Some((*client, line.sequencer.client(*client)?.clone()));
        let records: Vec<_> = answered.iter().filter_map(record).collect();
        if commits.is_empty() && records.is_empty() {
            return true;
        }
        let stored = self.store.append_branch(&self.session, branch, line.fork, &commits, &records).await;
        if let Err(error) = stored {
            metrics::store_failed();
            tracing::error!(session = self.session, branch = branch.0, %error, "a branch could not be stored");
            let followers = self.lines.remove(&branch).map(|line| line.followers).unwrap_or_default();
            for client in followers {
                self.enter_line(client, branch).await;
            }
            return false;
        }
        if commits.is_empty() {
            return true;
        }
        metrics::committed(commits.len(), commits.iter().map(|commit| commit.ops.len()).sum());
        let frames: Vec<_> = LineNews::commits(branch, &commits).into_iter().flat_map(encoded).collect();
        for client in &line.followers {
            if let Some(member) = self.members.get(client) {
                member.send(frames.clone());
            }
        }
        true
    }

    async fn tell_again(&self, client: ClientId, branch: BranchId, cseq: Cseq) {
        match self.store.branch_commit_of(&self.session, branch, client, cseq).await {
            Ok(Some(commit)) => {
                self.tell(client, Down::Line(LineNews::Commits { branch, commits: vec![commit] }));
            }
            Ok(None) => {
                let reason = Refusal::Forgotten;
                self.tell(client, Down::Line(LineNews::Nack { branch, cseq, reason }));
            }
            Err(error) => tracing::error!(session = self.session, %error, "a commit could not be read"),
        }
    }

    /// When branches next need looking after.
    pub(super) fn lines_due(&self, now: Instant) -> Option<Instant> {
        let waits = |line: &Line| !line.sequencer.state().waiting().is_empty();
        self.lines.values().any(waits).then(|| now + LOOK)
    }

    /// Lets stamped edits take effect, and puts away branches that nobody follows or that were
    /// dropped, noting how far they came.
    pub(super) async fn tend_lines(&mut self) {
        if self.lines.is_empty() {
            return;
        }
        let position = self.position();
        let ids: Vec<_> = self.lines.keys().copied().collect();
        for id in ids {
            let Some(line) = self.lines.get_mut(&id) else { continue };
            if self.sequencer.state().records().branch(id).is_none() {
                self.lines.remove(&id);
                continue;
            }
            let alone = line.followers.is_empty();
            // Where the session stands, or nobody listens, a beat does not come: they take effect.
            let first = line.sequencer.state().waiting().first().map(|waiting| waiting.at);
            let upto = if alone {
                line.sequencer.state().waiting().last().map(|w| w.at)
            } else {
                position.or(first)
            };
            if let Some(commit) = upto.and_then(|upto| line.sequencer.promote(upto)) {
                self.store_line(id, vec![commit], &BTreeSet::new()).await;
            }
            self.rest_line(id, alone).await;
        }
    }

    /// Keeps a snapshot of a branch now and then; one that nobody follows is put away.
    async fn rest_line(&mut self, id: BranchId, alone: bool) {
        let Some(line) = self.lines.get_mut(&id) else { return };
        let seq = line.sequencer.state().seq();
        let due = (alone && seq > line.snapshot) || seq.0 >= line.snapshot.0 + SNAPSHOT_EVERY;
        if due {
            line.snapshot = seq;
            let bytes = line.sequencer.state().encode();
            if let Err(error) = self.store.save_branch_snapshot(&self.session, id, seq, &bytes).await {
                metrics::store_failed();
                tracing::error!(session = self.session, %error, "a branch's snapshot could not be stored");
            }
        }
        // Only now, so that work on a branch changes nothing for the others.
        if alone {
            self.lines.remove(&id);
            if let Some(commit) = self.sequencer.note_head(id, seq) {
                self.store_and_queue(vec![commit], &BTreeSet::new()).await;
            }
        }
    }
}

async fn history(
    store: &Store,
    session: &str,
    line: BranchId,
    before: Option<Seq>,
    detail: Detail,
    mut limit: usize,
) -> Result<Option<Vec<Down>>, StoreError> {
    let rows = store.rows_before(session, line, before, PAGE_COMMITS).await?;
    let people = store.people(session).await?;
    loop {
        let mut page = page(&rows, detail, limit);
        // Where the log begins later than with 1, as a branch's does, an empty page says so.
        if rows.is_empty() {
            page.before = None;
        }
        let told = |client: &ClientId| page.entries.iter().any(|entry| entry.author == *client);
        let names = people.iter().filter(|(client, _)| told(client)).cloned().collect();
        let frame = Down::Line(LineNews::History { line, page, names });
        match encode_down(&frame) {
            Err(WireError::TooLarge(_)) if limit > 1 => limit /= 2,
            _ => return Ok(Some(vec![frame])),
        }
    }
}
