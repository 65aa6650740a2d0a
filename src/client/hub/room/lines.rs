//! Branches and the past as a room passes them on: to the server, or, where there is none, to the
//! machine's own lines.

use std::path::Path;

use super::Room;
use crate::client::hub::speech::FromHub;
use crate::client::lines::Asker;
use crate::client::lines::kept::{self, LinesFile};
use crate::session::{BranchId, Commit, SessionFile};
use crate::time::Clock;
use crate::wire::{Down, LineAsk, LineNews, Up};

/// The most bytes of a session file in one speech.
const PART: usize = 256 * 1024;

impl Room {
    /// A groove that needs no server keeps its own lines, beside its journal.
    pub(super) fn open_lines(&mut self, folder: &Path, commits: &[Commit]) {
        let Some(branch) = self.branch.as_ref().filter(|_| self.link.is_local()) else { return };
        let (path, older) = self.files(folder, "lines");
        let from = std::iter::once(&path).chain(&older).find(|path| path.exists()).unwrap_or(&path);
        let (lines, fault) = kept::resume(from, commits, branch.state(), wall_ms());
        self.lines_file = Some(LinesFile::beside(path));
        self.lines = Some(lines);
        self.news.extend(fault.map(FromHub::SetAside));
        self.save_lines();
        older.iter().for_each(|older| drop(std::fs::remove_file(older)));
    }

    /// Writes the machine's own lines down, whatever there is.
    pub(super) fn save_lines(&mut self) {
        let file = self.session_file();
        if let (Some(lines), Some(kept), Some(file)) = (&self.lines, &mut self.lines_file, file)
            && let Some(why) = kept.save(lines, &file)
        {
            self.notice(why);
        }
    }

    fn session_file(&self) -> Option<SessionFile> {
        let (lines, branch) = (self.lines.as_ref()?, self.branch.as_ref()?);
        let me = (self.replica.client().unwrap_or(super::SELF), self.name.clone());
        Some(lines.file(self.link.session.clone(), me, branch.state()))
    }

    pub(super) fn note_line(&mut self, commit: &Commit) {
        if let Some(lines) = &mut self.lines {
            lines.note(wall_ms(), commit);
        }
    }

    /// What an instance asks about lines. The machine follows one branch at a time: the instance
    /// that follows it is asked to leave it before another may.
    pub(super) fn line_ask(&mut self, seat: u64, instance: u64, ask: LineAsk) {
        let held = self.auditor.filter(|auditor| {
            *auditor != instance && self.members.values().any(|member| member.instance == *auditor)
        });
        if held.is_none() {
            self.auditor = self.auditor.filter(|auditor| *auditor == instance);
        }
        match &ask {
            LineAsk::Enter(branch) if held.is_some() => {
                let reason = "another instance on this machine auditions a branch; let it come back first";
                return self.answer(seat, missing(*branch, reason));
            }
            LineAsk::Enter(_) => self.auditor = Some(instance),
            LineAsk::Leave | LineAsk::Ops { .. } if held.is_some() => return,
            LineAsk::Leave => self.auditor = None,
            _ => {}
        }
        let position = self.position();
        match &mut self.lines {
            Some(lines) => {
                let client = self.replica.client().unwrap_or(super::SELF);
                let asker = Asker { client, role: self.role, now_ms: wall_ms(), position };
                for news in lines.ask(ask, asker) {
                    self.answer(seat, news);
                }
            }
            None => self.network.send(&Up::Line(ask)),
        }
    }

    /// The machine's own session as a file. One that a server keeps is not the hub's to write: it
    /// answers with no bytes.
    pub(super) fn export(&mut self, seat: u64) {
        let bytes = self.session_file().map(|file| file.encode()).unwrap_or_default();
        let mut parts = bytes.chunks(PART).peekable();
        while let Some(part) = parts.next() {
            let (bytes, more) = (part.to_vec(), parts.peek().is_some());
            self.tell(seat, FromHub::File { bytes, more });
        }
        if bytes.is_empty() {
            self.tell(seat, FromHub::File { bytes, more: false });
        }
    }

    fn answer(&mut self, seat: u64, news: Down) {
        self.tell(seat, FromHub::Down(Box::new(news)));
    }

    /// What the server tells about lines: edits and states of the branch that is followed are for
    /// whoever follows it.
    pub(super) fn line_news(&mut self, news: LineNews) {
        if self.apart_news(&news) {
            return;
        }
        let followers = matches!(
            news,
            LineNews::Commits { .. } | LineNews::Nack { .. } | LineNews::State { acked: Some(_), .. }
        );
        let told = FromHub::Down(Box::new(Down::Line(news)));
        match self.auditor.filter(|_| followers) {
            Some(instance) => self.tell_instance(instance, told),
            None if followers => {}
            None => self.tell_all(&told),
        }
    }

    /// Stamped edits of the machine's own branches take effect, and while nobody follows one, the
    /// records say how far they came.
    pub(super) fn tend_lines(&mut self) {
        let position = self.position();
        let Some(lines) = &mut self.lines else { return };
        let promoted = position.map(|position| lines.promote(position, wall_ms())).unwrap_or_default();
        for news in promoted {
            if let Down::Line(news) = news {
                self.line_news(news);
            }
        }
        if self.auditor.is_none() {
            self.note_heads();
        }
        let now = self.clock.now();
        if let (Some(lines), Some(kept)) = (&self.lines, &mut self.lines_file)
            && kept.is_due(now, lines)
        {
            self.save_lines();
        }
    }

    fn note_heads(&mut self) {
        let (Some(lines), Some(branch)) = (&self.lines, &self.branch) else { return };
        if let Some((id, head)) = lines.ahead(branch.state().records()) {
            self.note_head(id, head);
        }
    }
}

fn missing(line: BranchId, reason: &str) -> Down {
    Down::Line(LineNews::Missing { line, seq: None, reason: reason.to_owned() })
}

fn wall_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as i64)
}
