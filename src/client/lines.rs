//! The lines of history of a machine that needs no server: its log, its branches, and their answers.
//!
//! Speaks as a server does ([`LineAsk`], [`LineNews`]), so that whoever asks need not know who
//! answers. Pure: no I/O, time is passed in. Bounded: each log keeps its last commits
//! ([`Past`]).

pub mod kept;

use std::collections::BTreeMap;

use crate::session::{
    Branch, BranchId, ClientId, Commit, Line, Op, Outcome, Past, Record, Records, Role, Row, Seq, Sequencer,
    SessionFile, State,
};
use crate::time::Beats;
use crate::wire::{Down, LineAsk, LineNews};

/// A machine's own lines.
pub struct LocalLines {
    past: Past,
    branches: BTreeMap<BranchId, OwnBranch>,
    /// What the session was called, and who took part, where it came from a file.
    came_as: Option<(String, Vec<(ClientId, String)>)>,
    /// Counts what no journal holds: edits of branches, and what changed the records.
    changes: u64,
}

struct OwnBranch {
    sequencer: Sequencer,
    past: Past,
}

/// Who asks, and when.
#[derive(Clone, Copy, Debug)]
pub struct Asker {
    /// Who.
    pub client: ClientId,
    /// What it may do.
    pub role: Role,
    /// The wall clock, in ms since 1970.
    pub now_ms: i64,
    /// Where the machine plays.
    pub position: Option<Beats>,
}

impl LocalLines {
    /// Lines that begin now.
    pub fn new(state: State) -> LocalLines {
        LocalLines { past: Past::new(state), branches: BTreeMap::new(), came_as: None, changes: 0 }
    }

    /// The lines of a session file, and the state they have come to.
    pub fn of(file: SessionFile) -> (LocalLines, State) {
        let begins: Vec<_> = file
            .head
            .records()
            .branches()
            .iter()
            .filter_map(|branch| Some((branch.id, file.state_at(branch.parent, branch.fork_seq)?)))
            .collect();
        let SessionFile { name, people, main, head, branches } = file;
        let mut lines = LocalLines::new(*main.origin);
        lines.came_as = Some((name, people));
        main.log.into_iter().for_each(|Row { at_ms, commit }| lines.past.push(at_ms, commit));
        for ((id, begin), (_, log)) in begins.into_iter().zip(branches) {
            let mut past = Past::new(begin.clone());
            let mut state = begin;
            for Row { at_ms, commit } in log {
                if state.apply(&commit).is_ok() {
                    past.push(at_ms, commit);
                }
            }
            lines.branches.insert(id, OwnBranch { sequencer: Sequencer::branch(state, []), past });
        }
        (lines, *head)
    }

    /// The whole session as its file holds it; `head` is where its own line has come to. One that
    /// came from a file keeps its name, and `me` is in it from my first commit on.
    pub fn file(&self, name: String, me: (ClientId, String), head: &State) -> SessionFile {
        let (name, people) = match &self.came_as {
            None => (name, vec![me]),
            Some((name, people)) if !self.wrote(me.0) || people.iter().any(|(known, _)| *known == me.0) => {
                (name.clone(), people.clone())
            }
            Some((name, people)) => (name.clone(), people.iter().cloned().chain([me]).collect()),
        };
        let rows = |past: &Past| past.rows().cloned().collect::<Vec<_>>();
        let main = Line { origin: Box::new(self.past.origin().clone()), log: rows(&self.past) };
        let branches = head.records().branches().iter().map(|branch| {
            let own = self.branches.get(&branch.id);
            (branch.id, own.map(|own| rows(&own.past)).unwrap_or_default())
        });
        SessionFile { name, people, main, head: Box::new(head.clone()), branches: branches.collect() }
    }

    fn wrote(&self, author: ClientId) -> bool {
        let logs = std::iter::once(&self.past).chain(self.branches.values().map(|own| &own.past));
        logs.flat_map(Past::rows).any(|row| row.commit.author == author)
    }

    /// Takes in commits of the session's own line that followed, as far as they are known, up to where
    /// it has come. Where some are missing, its log begins there anew; branches stay as they are.
    pub fn go_on(&mut self, commits: &[Commit], head: &State, at_ms: i64) {
        for commit in commits.iter().filter(|commit| commit.seq <= head.seq()) {
            if commit.seq.0 == self.past.seq().0 + 1 {
                self.note(at_ms, commit);
            }
        }
        if self.past.seq() != head.seq() {
            self.past = Past::new(head.clone());
        }
        self.branches.retain(|id, _| head.records().branch(*id).is_some());
    }

    /// Grows with everything that no journal holds.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// Takes note of a commit of the session's own line.
    pub fn note(&mut self, at_ms: i64, commit: &Commit) {
        self.past.push(at_ms, commit.clone());
        for op in &commit.ops {
            self.changes += u64::from(matches!(op.op, Op::Record(_)));
            match &op.op {
                Op::Record(Record::Fork { id, parent, at, .. }) => {
                    // Now, while the log still reaches back to it.
                    if let Some(state) = self.state_at(*parent, *at) {
                        let past = Past::new(state.clone());
                        self.branches
                            .insert(*id, OwnBranch { sequencer: Sequencer::branch(state, []), past });
                    }
                }
                Op::Record(Record::Drop(id)) => drop(self.branches.remove(id)),
                _ => {}
            }
        }
    }

    /// A line's state after a commit, as far back as its log is kept.
    fn state_at(&self, line: BranchId, seq: Seq) -> Option<State> {
        self.past_of(line)?.state_at(seq).ok().flatten()
    }

    fn past_of(&self, line: BranchId) -> Option<&Past> {
        match line {
            BranchId::MAIN => Some(&self.past),
            line => self.branches.get(&line).map(|own| &own.past),
        }
    }

    /// How far a branch has come beyond what the records tell.
    pub fn ahead(&self, records: &Records) -> Option<(BranchId, Seq)> {
        let told = |branch: &Branch| {
            let seq = self.branches.get(&branch.id)?.sequencer.state().seq();
            (seq > branch.head).then_some((branch.id, seq))
        };
        records.branches().iter().find_map(told)
    }

    /// Answers as a server would.
    pub fn ask(&mut self, ask: LineAsk, asker: Asker) -> Vec<Down> {
        match ask {
            LineAsk::Enter(branch) => match self.branches.get(&branch) {
                Some(own) => {
                    let (state, acked) = (own.sequencer.state(), own.sequencer.acked(asker.client));
                    LineNews::state(branch, state.seq(), Some(acked), &state.encode())
                }
                None => vec![missing(branch, None)],
            },
            LineAsk::Leave => Vec::new(),
            LineAsk::Ops { branch, cseq, base, ops } => {
                let Some(own) = self.branches.get_mut(&branch) else { return vec![missing(branch, None)] };
                match own.sequencer.submit(asker.client, asker.role, cseq, base, ops, asker.position) {
                    Ok(Outcome::Committed(commit)) => {
                        self.changes += 1;
                        own.past.push(asker.now_ms, commit.clone());
                        LineNews::commits(branch, &[commit])
                    }
                    Ok(Outcome::Duplicate { seq }) => {
                        let again: Vec<_> =
                            own.past.since(Seq(seq.0.saturating_sub(1))).take(1).cloned().collect();
                        LineNews::commits(branch, &again)
                    }
                    Err(reason) => vec![Down::Line(LineNews::Nack { branch, cseq, reason })],
                }
            }
            LineAsk::History { line, before, detail, limit } => match self.past_of(line) {
                Some(past) => {
                    let page = past.page(before, detail, usize::from(limit));
                    vec![Down::Line(LineNews::History { line, page, names: Vec::new() })]
                }
                None => vec![missing(line, before)],
            },
            LineAsk::State { line, seq } => match self.state_at(line, seq) {
                Some(state) => LineNews::state(line, seq, None, &state.encode()),
                None => vec![missing(line, Some(seq))],
            },
        }
    }

    /// Branches' edits that wait for their beat take effect.
    pub fn promote(&mut self, upto: Beats, now_ms: i64) -> Vec<Down> {
        let mut told = Vec::new();
        for (id, own) in &mut self.branches {
            if let Some(commit) = own.sequencer.promote(upto) {
                self.changes += 1;
                own.past.push(now_ms, commit.clone());
                told.extend(LineNews::commits(*id, &[commit]));
            }
        }
        told
    }
}

fn missing(line: BranchId, seq: Option<Seq>) -> Down {
    let reason = "it is not kept here any more: a machine alone keeps its last 16,000 commits".to_owned();
    Down::Line(LineNews::Missing { line, seq, reason })
}
