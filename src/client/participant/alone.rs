//! Playing alone: what a killed instance left behind, and what this one would leave.

use super::Participant;
use super::lines::wall_ms;
use crate::client::Event;
use crate::client::hands::Hands;
use crate::client::lines::kept::Found;
use crate::client::solo::{Restored, Solo, past_of};
use crate::client::studio::Studio;
use crate::pattern::Song;
use crate::session::{Commit, SessionFile};
use crate::time::{Clock, HostNanos, SessionNanos, TempoMap};

impl Participant {
    /// Begins to play alone with a song. Where an instance that had it was killed, what it had made
    /// of it since is taken up; the engine must then be told everything. Says whether it was.
    pub(super) fn alone_with(&mut self, song: Song, tempo_map: TempoMap) -> bool {
        self.end_alone();
        let found = Solo::take_up(self.profile.folder(), &song, &tempo_map, wall_ms());
        let Some(Restored { solo, state, commits, lines, faults }) = found else {
            return self.begin_alone(song, tempo_map);
        };
        let now = self.clock.now();
        self.studio = Studio::alone_with(state);
        self.solo.resume(solo);
        self.new_lines();
        self.lines.local = lines;
        if self.studio.timeline().playing {
            // What played, played by a clock that is gone.
            let tick = self.studio.timeline().tick;
            if let Some((commit, _)) = self.studio.stop(SessionNanos(now.0), tick) {
                self.keep_alone(&commit);
            }
        }
        for fault in faults {
            self.events.tell(Event::SetAside(fault), now);
        }
        self.shown.notice =
            Some(format!("An instance was killed: {commits} edits it had made since were restored."));
        self.events.tell(Event::Restored { commits }, now);
        true
    }

    /// Begins where no killed instance has left anything: with the branches and versions of the one
    /// that last ended with this song, if there are any. Says whether the engine must be told.
    fn begin_alone(&mut self, song: Song, tempo_map: TempoMap) -> bool {
        let past = past_of(self.profile.folder(), &song, &tempo_map).unwrap_or_else(|fault| {
            self.events.tell(Event::SetAside(fault), self.clock.now());
            None
        });
        let known = past.is_some();
        self.studio = match &past {
            Some(Found { head, me: Some(me), .. }) => Studio::alone_as(*me, head.clone()),
            Some(Found { head, .. }) => Studio::alone_with(head.clone()),
            None => Studio::alone(song, tempo_map),
        };
        self.solo.start(self.studio.confirmed().clone());
        self.new_lines();
        if let Some(Found { lines, .. }) = past {
            self.lines.local = lines;
            let tick = self.studio.timeline().tick;
            if self.studio.timeline().playing
                && let Some((commit, _)) = self.studio.stop(SessionNanos(self.clock.now().0), tick)
            {
                self.confirmed(&commit);
            }
        }
        known
    }

    /// A groove played alone ends here: what it has of branches and versions stays for whoever
    /// begins with its song.
    pub(super) fn end_alone(&mut self) {
        let records = self.main().confirmed().records();
        let worth = !(records.branches().is_empty() && records.versions().is_empty());
        if self.main().is_alone() && worth {
            let file = self.session_file();
            if let Some(why) = self.solo.leave_lines(self.profile.folder(), &self.lines.local, &file) {
                self.complain(why);
            }
        }
        self.solo.end();
    }

    /// Writes what has changed of branches and versions beside the journal.
    pub(super) fn keep_lines(&mut self, now: HostNanos) {
        if self.solo.lines_are_due(now, &self.lines.local) {
            let file = self.session_file();
            if let Some(why) = self.solo.save_lines(&self.lines.local, &file) {
                self.complain(why);
            }
        }
    }

    /// This machine's own session as its file holds it.
    pub(super) fn session_file(&self) -> SessionFile {
        let me = (self.main().me(), self.name.clone());
        self.lines.local.file(self.name.clone(), me, self.main().confirmed())
    }

    /// Replaces the song of an instance that plays alone: a project was loaded.
    pub(super) fn load(&mut self, song: Song, tempo_map: TempoMap) {
        if self.studio.is_alone() {
            self.alone_with(song, tempo_map);
            self.hands = Hands::default();
            self.tell_everything();
        }
    }

    /// Keeps a commit of the instance's own, and tells that it is kept.
    pub(super) fn keep_alone(&mut self, commit: &Commit) {
        if let Some(why) = self.solo.keep(self.profile.folder(), commit, self.studio.confirmed()) {
            self.complain(why);
        } else if commit.cseq.0 > 0 {
            let now = self.clock.now();
            self.events.tell(Event::Kept { ticket: commit.cseq }, now);
        }
    }
}
