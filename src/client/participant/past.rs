//! The past: history, what the song was, and branches that come back. States of the past are asked
//! for, and what they are wanted for waits here.

use std::sync::Arc;

use crossbeam::channel::Sender;

use super::Participant;
use super::lines::LinesSide;
use crate::client::lines::LocalLines;
use crate::client::studio::Studio;
use crate::client::view::HistoryView;
use crate::client::{Event, MergeReport};
use crate::pattern::Edit;
use crate::session::{
    BranchId, ClientId, HistoryEntry, MAX_CARDS, MAX_FILE, Matter, MergeRules, Op, Record, Seq, SessionFile,
    StampedOp, State, Wanted, three_way,
};
use crate::time::{Beats, Clock, HostNanos};
use crate::wire::LineAsk;

/// Lines of history held for the view.
const HELD: usize = 1_000;
/// Questions about the past under way at a time.
const QUESTIONS: usize = 8;

/// What states of the past are wanted for.
pub(super) enum Question {
    /// Make the line followed what another was.
    Restore { line: BranchId, seq: Seq },
    /// Bring a branch back.
    Merge { branch: BranchId, base: Known, mine: Known },
}

/// A state that is asked for.
pub(super) struct Known {
    pub(super) line: BranchId,
    pub(super) seq: Seq,
    state: Option<Box<State>>,
}

/// A session file that is on its way.
pub(super) struct Export {
    bytes: Vec<u8>,
    answer: Sender<Result<Vec<u8>, String>>,
}

impl Participant {
    pub(super) fn question(&mut self, question: Question) {
        if !self.may_ask() {
            return;
        }
        if self.lines.questions.len() >= QUESTIONS {
            return self.complain("the past is still being read; try again in a moment".into());
        }
        let wanted: Vec<(BranchId, Seq)> = match &question {
            Question::Restore { line, seq } => vec![(*line, *seq)],
            Question::Merge { base, mine, .. } => {
                [base, mine].iter().filter(|k| k.state.is_none()).map(|k| (k.line, k.seq)).collect()
            }
        };
        self.lines.questions.push(question);
        for (line, seq) in wanted {
            self.ask_line(LineAsk::State { line, seq });
        }
    }

    pub(super) fn history_came(
        &mut self,
        line: BranchId,
        page: crate::session::Page,
        names: Vec<(ClientId, String)>,
    ) {
        let now = self.clock.now();
        let held = &self.lines.history;
        let goes_on = held.line == line && held.before.is_some() && continues(&held.entries, &page.entries);
        let mut history = if goes_on { (**held).clone() } else { HistoryView { line, ..Default::default() } };
        let known = |id: ClientId| {
            let told = names.iter().find(|(client, _)| *client == id).map(|(_, name)| name.clone());
            told.unwrap_or_else(
                || if id == ClientId(0) { "the session".into() } else { self.author_name(id) },
            )
        };
        for entry in &page.entries {
            history.names.entry(entry.author).or_insert_with(|| known(entry.author));
        }
        self.events.tell(Event::History { line, page: page.clone(), names: history.names.clone() }, now);
        history.entries.extend(page.entries);
        history.before = page.before.filter(|_| history.entries.len() < HELD);
        self.lines.history = Arc::new(history);
    }

    pub(super) fn author_name(&self, id: ClientId) -> String {
        match self.main().is_alone() || id == self.main().client() {
            true => self.name.clone(),
            false => self.name_of(id),
        }
    }

    /// Begins to bring a branch back into the session's own line.
    pub(super) fn merge_branch(&mut self, branch: BranchId) {
        let records = self.main().confirmed().records();
        let Some(record) = records.branch(branch).cloned() else {
            return self.complain(format!("there is no branch {}", branch.0));
        };
        // A branch of a branch brings along what it began with.
        let mut root = record.clone();
        while let Some(parent) = records.branch(root.parent) {
            root = parent.clone();
        }
        let base = match record.merged {
            Some(merged) => Known { line: branch, seq: merged, state: None },
            None => Known { line: BranchId::MAIN, seq: root.fork_seq, state: None },
        };
        let mine = if self.lines.branch() == Some(branch) {
            self.settle_hands(HostNanos(i64::MAX));
            self.speak_branch(self.clock.now());
            if self.studio.unsaved() > 0 {
                return self.complain("edits of the branch are not saved yet; try again in a moment".into());
            }
            let state = self.studio.confirmed().clone();
            Known { line: branch, seq: state.seq(), state: Some(Box::new(state)) }
        } else {
            Known { line: branch, seq: record.head, state: None }
        };
        self.question(Question::Merge { branch, base, mine });
    }

    /// A state of the past came.
    pub(super) fn state_came(&mut self, line: BranchId, seq: Seq, state: State) {
        let mut ready = Vec::new();
        for mut question in std::mem::take(&mut self.lines.questions) {
            let done = match &mut question {
                Question::Restore { line: l, seq: s } => (*l, *s) == (line, seq),
                Question::Merge { base, mine, .. } => {
                    for known in [&mut *base, &mut *mine] {
                        if (known.line, known.seq) == (line, seq) {
                            known.state = Some(Box::new(state.clone()));
                        }
                    }
                    base.state.is_some() && mine.state.is_some()
                }
            };
            if done { ready.push(question) } else { self.lines.questions.push(question) }
        }
        for question in ready {
            match question {
                Question::Restore { .. } => self.restore(&state),
                Question::Merge { branch, base, mine } => {
                    if let (Some(base), Some(mine)) = (base.state, mine.state) {
                        self.merge(branch, &base, &mine);
                    }
                }
            }
        }
    }

    /// Makes the song in front what it was, by ordinary edits.
    pub(super) fn restore(&mut self, then: &State) {
        let now = self.clock.now();
        let edits = then.song().edits_since(self.studio.song());
        let registers = edits.len();
        for edit in &edits {
            if let Edit::Param { slot, .. } = edit {
                self.hands.release(*slot);
            }
        }
        let mut ops: Vec<Op> = edits.into_iter().map(Op::Edit).collect();
        let last = |map: &crate::time::TempoMap| {
            map.tempo_at(map.segments().last().map_or(Beats::ZERO, |segment| segment.tick))
        };
        let tempo = last(then.tempo_map());
        if tempo != last(self.studio.tempo_map()) {
            ops.push(Op::RequestTempo(tempo));
        }
        // Song and tempo are one step: one undo gives both back.
        if !ops.is_empty() {
            self.ops(ops.into_iter().map(|op| StampedOp { op, at: None }).collect());
        }
        self.events.tell(Event::Back { seq: then.seq(), registers }, now);
    }

    /// Brings a branch back: the merge is made of ordinary edits of the session's own line.
    pub(super) fn merge(&mut self, branch: BranchId, base: &State, mine: &State) {
        if self.lines.branch() == Some(branch) && !self.come_back() {
            return;
        }
        let head = mine.seq();
        let merge = self.on_main(|it| {
            let theirs = it.studio.confirmed();
            let strategy = |register| theirs.rulings().conflicts.strategy(Matter::of(register));
            let rules = MergeRules { strategy: &strategy, ..MergeRules::default() };
            let merge = three_way(base, theirs, mine, &rules);
            let mut ops: Vec<_> = merge.edits.iter().copied().map(Op::Edit).collect();
            ops.extend(merge.tempo.map(Op::RequestTempo));
            ops.push(Op::Record(Record::Merged { id: branch, head }));
            it.ops(ops.into_iter().map(|op| StampedOp { op, at: None }).collect());
            for proposals in merge.summary.proposals().chunks(MAX_CARDS) {
                let op = |wanted: &Wanted| StampedOp { op: Op::Propose(*wanted), at: None };
                it.ops(proposals.iter().map(op).collect());
            }
            merge
        });
        let report = MergeReport::of(&merge.summary);
        self.shown.notice = Some(format!("Branch {} is merged: {}.", branch.0, report.line));
        let now = self.clock.now();
        self.events.tell(Event::Merged(report), now);
    }

    /// The whole session as a file's bytes, if it is this machine's own.
    pub(super) fn export(&mut self, answer: Sender<Result<Vec<u8>, String>>) {
        if self.main().is_alone() {
            return drop(answer.try_send(Ok(self.session_file().encode())));
        }
        self.lines.export = Some(Export { bytes: Vec::new(), answer });
        self.network.export();
    }

    /// The next bytes of a session file.
    pub(super) fn file_came(&mut self, bytes: &[u8], more: bool) {
        let Some(export) = &mut self.lines.export else { return };
        export.bytes.extend_from_slice(bytes);
        if export.bytes.len() > MAX_FILE {
            self.lines.export = None;
        } else if !more && let Some(Export { bytes, answer }) = self.lines.export.take() {
            let message = "a session's file is written by its server: antiphon-server export";
            let _ = answer.try_send(if bytes.is_empty() { Err(message.into()) } else { Ok(bytes) });
        }
    }

    pub(super) fn import(&mut self, bytes: &[u8]) {
        if !self.main().is_alone() {
            let message = "leave the session first; antiphon-server import makes a session of a file";
            return self.complain(message.into());
        }
        match SessionFile::decode(bytes) {
            Ok(file) => {
                // Whoever imports is nobody of those who wrote it.
                let last = file.people.iter().map(|(client, _)| client.0);
                let wrote = file.main.log.iter().map(|row| row.commit.author.0);
                let me = ClientId(last.chain(wrote).max().unwrap_or(0).saturating_add(1));
                let (local, head) = LocalLines::of(file);
                self.end_alone();
                self.studio = Studio::alone_as(me, head.clone());
                self.solo.start(head.clone());
                self.lines = LinesSide { local, ..LinesSide::new(head) };
                self.hands = Default::default();
                self.tell_everything();
            }
            Err(error) => self.complain(error.to_string()),
        }
    }
}

/// Whether entries go on where the list ends.
fn continues(list: &[HistoryEntry], more: &[HistoryEntry]) -> bool {
    match (list.last(), more.first()) {
        (Some(last), Some(first)) => first.last < last.last,
        _ => true,
    }
}
