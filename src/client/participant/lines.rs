//! Branches, history and restoring: which line this machine follows, and what it asks about the
//! past.
//!
//! While a branch is auditioned, the studio in front ([`Participant::studio`]) is the branch's: it is
//! what shows, sounds and is edited here. The session's own stays behind it and goes on following
//! the session; what happens there is not told to the engine. Nothing of an audition leaves this
//! machine but the branch's own edits: no gestures, no fingerprints.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Participant;
use super::past::{Export, Known, Question};
use crate::client::lines::{Asker, LocalLines};
use crate::client::studio::Studio;
use crate::client::view::{HistoryView, LinesView};
use crate::client::{Connection, Event, LineCommand};
use crate::session::{BranchId, Catchup, Commit, Cseq, MAX_ENTRIES, Op, Record, Role, Seq, StampedOp, State};
use crate::time::{Clock, HostNanos};
use crate::wire::{Down, Gather, LineAsk, LineNews, Up};

/// Without an answer for this long, a branch's frames are sent again.
const ANSWER: i64 = 5_000_000_000;

/// What this machine knows of lines beyond the session's own.
pub struct LinesSide {
    /// Without a session: the machine's own.
    pub(super) local: LocalLines,
    pub(super) audition: Option<Audition>,
    /// The branch whose state is on its way.
    pub(super) entering: Option<BranchId>,
    pub(super) gather: Gather,
    pub(super) questions: Vec<Question>,
    pub(super) history: Arc<HistoryView>,
    /// A session file that is on its way, and who asked for it.
    pub(super) export: Option<Export>,
    /// The studio in front stands aside for the session's own: the engine is told of its transport
    /// alone.
    pub(super) muted: bool,
}

/// A branch in front.
pub(super) struct Audition {
    branch: BranchId,
    /// The session's own studio; while that is in front, the branch's.
    behind: Studio,
    /// When each of the branch's frames last left.
    sent: BTreeMap<Cseq, HostNanos>,
}

impl LinesSide {
    pub(super) fn new(state: State) -> LinesSide {
        LinesSide {
            local: LocalLines::new(state),
            audition: None,
            entering: None,
            gather: Gather::default(),
            questions: Vec::new(),
            history: Arc::default(),
            export: None,
            muted: false,
        }
    }

    /// The branch in front.
    pub(super) fn branch(&self) -> Option<BranchId> {
        self.audition.as_ref().map(|audition| audition.branch)
    }
}

impl Participant {
    /// Begins with a state of which nothing else is known: another session, or none.
    pub(super) fn new_lines(&mut self) {
        self.lines = LinesSide::new(self.studio.confirmed().clone());
    }

    /// Does something with the session's own studio, whatever is in front.
    pub(super) fn on_main<T>(&mut self, act: impl FnOnce(&mut Participant) -> T) -> T {
        if self.lines.muted {
            return act(self);
        }
        match &mut self.lines.audition {
            None => act(self),
            Some(audition) => {
                std::mem::swap(&mut self.studio, &mut audition.behind);
                self.lines.muted = true;
                let done = act(self);
                // Leaving a session takes the audition with it.
                if let Some(audition) = &mut self.lines.audition {
                    std::mem::swap(&mut self.studio, &mut audition.behind);
                }
                self.lines.muted = false;
                done
            }
        }
    }

    pub(super) fn main(&self) -> &Studio {
        match &self.lines.audition {
            Some(audition) if !self.lines.muted => &audition.behind,
            _ => &self.studio,
        }
    }

    pub(super) fn line_command(&mut self, command: LineCommand) {
        match command {
            LineCommand::Fork { name, at } => {
                let (parent, at) = at.unwrap_or_else(|| self.here());
                self.record(Record::Fork { id: BranchId::MAIN, parent, at, name });
            }
            LineCommand::Name { name, at } => {
                let (branch, seq) = at.unwrap_or_else(|| self.here());
                self.record(Record::Name { name, branch, seq });
            }
            LineCommand::Unname(name) => self.record(Record::Unname(name)),
            LineCommand::Drop(branch) => {
                if self.lines.branch() == Some(branch) && !self.come_back() {
                    return;
                }
                self.record(Record::Drop(branch));
            }
            LineCommand::Audition(BranchId::MAIN) => drop(self.come_back()),
            LineCommand::Audition(branch) => self.audition(branch),
            LineCommand::Merge(branch) => self.merge_branch(branch),
            LineCommand::Restore { line, seq } => self.question(Question::Restore { line, seq }),
            LineCommand::RestoreVersion(name) => {
                match self.main().confirmed().records().version(&name).map(|v| (v.branch, v.seq)) {
                    Some((line, seq)) => self.question(Question::Restore { line, seq }),
                    None => self.complain(format!("there is no version '{name}'")),
                }
            }
            LineCommand::History { before, detail, limit } => {
                let line = self.lines.branch().unwrap_or(BranchId::MAIN);
                let limit = limit.clamp(1, MAX_ENTRIES as u16);
                self.ask_line(LineAsk::History { line, before, detail, limit });
            }
            LineCommand::Import(bytes) => self.import(&bytes),
        }
    }

    /// Where the line in front is.
    pub(super) fn here(&self) -> (BranchId, Seq) {
        (self.lines.branch().unwrap_or(BranchId::MAIN), self.studio.seq())
    }

    pub(super) fn record(&mut self, record: Record) {
        if !self.may_ask() {
            return;
        }
        self.on_main(|it| it.ops(vec![StampedOp { op: Op::Record(record), at: None }]));
    }

    /// Whether somebody is there who keeps branches and the past.
    pub(super) fn may_ask(&mut self) -> bool {
        let may = self.main().is_alone() || self.is_kept();
        if !may {
            let message = "branches and the past are kept by the session's server, which is away; \
                           try again when it is back";
            self.complain(message.into());
        }
        may
    }

    /// Whether the session has its server, or needs none.
    pub(super) fn is_kept(&self) -> bool {
        matches!(self.shown.connection, Connection::Online | Connection::Solo)
    }

    pub(super) fn ask_line(&mut self, ask: LineAsk) {
        if !self.may_ask() {
            return;
        }
        if !self.main().is_alone() {
            return self.on_main(|it| it.ask(Up::Line(ask)));
        }
        let position = self.engine.position_at(self.clock.now());
        let asker = Asker { client: self.main().me(), role: Role::Owner, now_ms: wall_ms(), position };
        for answer in self.lines.local.ask(ask, asker) {
            if let Down::Line(news) = answer {
                self.line_news(news);
            }
        }
    }

    fn audition(&mut self, branch: BranchId) {
        if self.main().confirmed().records().branch(branch).is_none() {
            return self.complain(format!("there is no branch {}", branch.0));
        }
        if self.lines.branch() == Some(branch) || !self.come_back() {
            return;
        }
        self.settle_hands(HostNanos(i64::MAX));
        self.lines.entering = Some(branch);
        self.ask_line(LineAsk::Enter(branch));
    }

    /// Goes back to the session's own line; says whether that is where it is now.
    pub(super) fn come_back(&mut self) -> bool {
        self.lines.entering = None;
        if self.lines.audition.is_none() {
            return true;
        }
        self.settle_hands(HostNanos(i64::MAX));
        self.speak_branch(self.clock.now());
        if self.studio.unsaved() > 0 {
            self.complain("edits of the branch are not saved yet; try again in a moment".into());
            return false;
        }
        self.ask_line(LineAsk::Leave);
        self.put_in_front(None);
        true
    }

    /// The session's own line is in front, whatever was: this machine goes elsewhere.
    pub(super) fn forget_audition(&mut self) {
        self.lines.entering = None;
        if self.lines.audition.is_some() {
            self.put_in_front(None);
        }
    }

    /// Puts a branch, or the session's own line again, in front.
    pub(super) fn put_in_front(&mut self, branch: Option<(BranchId, Studio)>) {
        let tempo = self.studio.tempo_map().clone();
        if let Some(audition) = self.lines.audition.take() {
            self.studio = audition.behind;
        }
        if let Some((branch, studio)) = branch {
            let behind = std::mem::replace(&mut self.studio, studio);
            self.lines.audition = Some(Audition { branch, behind, sent: BTreeMap::new() });
        }
        // No hand is held on it: what has moved behind the branch moves none.
        drop(self.studio.moved_tracks());
        self.lines.history = Arc::default();
        self.tell_everything();
        let timeline = self.main().timeline();
        if timeline.playing && tempo != *self.studio.tempo_map() {
            // Another tempo map leads elsewhere: the engine finds its place anew.
            self.engine.scheduled = Some(timeline);
        }
        let now = self.clock.now();
        self.events.tell(Event::Line { branch: self.lines.branch(), seq: self.studio.seq() }, now);
        self.shown.stale();
    }

    /// The session has welcomed this machine anew: whoever follows a branch says so again.
    pub(super) fn follow_again(&mut self) {
        let branch = self.lines.branch().or(self.lines.entering);
        if let Some(branch) = branch {
            self.lines.entering = Some(branch);
            self.ask(Up::Line(LineAsk::Enter(branch)));
        }
        self.lines.questions.clear();
    }

    /// A commit of the session's own line.
    pub(super) fn note_line(&mut self, commit: &Commit) {
        let alone = self.main().is_alone();
        if alone {
            self.lines.local.note(wall_ms(), commit);
        }
        let now = self.clock.now();
        for op in &commit.ops {
            if let Op::Record(record) = &op.op {
                let (record, seq) = (record.clone(), commit.seq);
                self.events.tell(Event::Record { seq, author: commit.author, record }, now);
            }
        }
    }

    /// What is told about lines.
    pub(super) fn line_news(&mut self, news: LineNews) {
        let now = self.clock.now();
        match news {
            LineNews::State { line, seq, acked, offset, size, bytes } => {
                let whole = match self.lines.gather.take(offset, size, &bytes) {
                    Ok(Some(whole)) => whole,
                    Ok(None) => return,
                    Err(error) => return self.complain(error.to_string()),
                };
                match (State::decode(&whole), acked) {
                    (Ok(state), Some(acked)) => self.entered(line, state, acked),
                    (Ok(state), None) => self.state_came(line, seq, state),
                    (Err(error), _) => self.complain(error.to_string()),
                }
            }
            LineNews::Commits { branch, commits } if self.lines.branch() == Some(branch) => {
                for commit in &commits {
                    self.branch_commit(branch, commit);
                }
            }
            LineNews::Nack { branch, cseq, reason } if self.lines.branch() == Some(branch) => {
                self.forget_sent(cseq);
                if !reason.is_final() {
                    return self.studio.resend();
                }
                let changes = self.studio.nack(cseq);
                self.tell_engine(changes);
                self.shown.notice = Some(reason.to_string());
                self.events.tell(Event::Refused { cseq, reason: reason.to_string() }, now);
            }
            LineNews::History { line, page, names } => self.history_came(line, page, names),
            LineNews::Missing { line, seq, reason } => self.missing(line, seq, reason),
            // Of a branch that was left.
            LineNews::Commits { .. } | LineNews::Nack { .. } => {}
        }
        self.shown.stale();
    }

    fn entered(&mut self, branch: BranchId, state: State, acked: Cseq) {
        if self.lines.entering != Some(branch) {
            return;
        }
        self.lines.entering = None;
        let main = self.main();
        let alone = main.is_alone();
        let (client, role) = if alone { (main.me(), Role::Owner) } else { (main.client(), main.role()) };
        let catchup = Catchup::Full(Box::new(state.clone()));
        if self.lines.branch() == Some(branch) {
            // The same branch over a new connection: what was not answered goes on waiting.
            if let Ok(welcomed) = self.studio.welcome(client, role, acked, catchup) {
                self.tell_engine(welcomed.changes);
            }
            return;
        }
        let mut studio = Studio::following(state.clone(), alone);
        if studio.welcome(client, role, acked, catchup).is_ok() {
            self.put_in_front(Some((branch, studio)));
        }
    }

    fn branch_commit(&mut self, branch: BranchId, commit: &Commit) {
        let now = self.clock.now();
        match self.studio.commit(commit) {
            Ok(changes) => {
                if commit.author == self.studio.me() {
                    self.forget_sent(commit.cseq);
                    self.events.tell(Event::Acked { cseq: commit.cseq, seq: commit.seq }, now);
                }
                self.tell_engine(changes);
                self.events.tell(Event::Applied(commit.seq), now);
            }
            // Commits are missing: its whole state comes anew.
            Err(_) => {
                self.lines.entering = Some(branch);
                self.ask_line(LineAsk::Enter(branch));
            }
        }
    }

    fn forget_sent(&mut self, cseq: Cseq) {
        if let Some(audition) = &mut self.lines.audition {
            audition.sent.remove(&cseq);
        }
    }

    fn missing(&mut self, line: BranchId, seq: Option<Seq>, reason: String) {
        let concerns = |known: &Known| known.line == line && Some(known.seq) == seq;
        self.lines.questions.retain(|question| match question {
            Question::Restore { line: l, seq: s } => !(*l == line && Some(*s) == seq),
            Question::Merge { base, mine, .. } => !(concerns(base) || concerns(mine)),
        });
        if seq.is_none() && self.lines.entering == Some(line) {
            self.lines.entering = None;
        } else if seq.is_none() && self.lines.branch() == Some(line) {
            // The server does not know that this machine follows it.
            self.lines.entering = Some(line);
            return self.ask_line(LineAsk::Enter(line));
        }
        self.complain(reason);
    }

    /// Sends what waits for the branch in front, and looks after the machine's own branches.
    pub(super) fn speak_branch(&mut self, now: HostNanos) {
        if self.main().is_alone() {
            self.tend_local(now);
        }
        let Some(branch) = self.lines.branch() else { return };
        if self.main().confirmed().records().branch(branch).is_none() {
            self.complain(format!("branch {} was dropped; this is the session's own line", branch.0));
            return self.put_in_front(None);
        }
        let Some(audition) = &mut self.lines.audition else { return };
        let overdue = self.studio.oldest_unanswered().and_then(|cseq| audition.sent.get(&cseq));
        if overdue.is_some_and(|sent| now - *sent > ANSWER) {
            self.studio.resend();
        }
        let reached = |it: &Participant| it.main().is_alone() || (it.is_kept() && it.network.has_room());
        while self.lines.entering.is_none() && reached(self) {
            let Some(frame) = self.studio.next_to_send() else { return };
            let (cseq, base, ops) = (frame.cseq, frame.base, frame.ops.clone());
            if let Some(audition) = &mut self.lines.audition {
                audition.sent.insert(cseq, now);
            }
            self.ask_line(LineAsk::Ops { branch, cseq, base, ops });
        }
    }

    fn tend_local(&mut self, now: HostNanos) {
        self.keep_lines(now);
        if let Some(position) = self.engine.position_at(now) {
            for answer in self.lines.local.promote(position, wall_ms()) {
                if let Down::Line(news) = answer {
                    self.line_news(news);
                }
            }
        }
        // Between two looks only: a branch that is being edited moves on all the time.
        if self.lines.audition.is_none()
            && let Some((id, head)) = self.lines.local.ahead(self.studio.confirmed().records())
            && let Some(authored) = self.studio.note_head(id, head)
        {
            self.authored(authored);
        }
    }

    /// What there is to see of lines.
    pub(super) fn lines_view(&self) -> LinesView {
        let records = self.main().confirmed().records();
        LinesView {
            branches: records.branches().to_vec(),
            versions: records.versions().to_vec(),
            audition: self.lines.branch(),
            main_seq: self.main().seq(),
            history: self.lines.history.clone(),
        }
    }
}

pub(super) fn wall_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as i64)
}
