//! Playing alone: what a killed instance left behind, and what this one would leave.

use super::Participant;
use crate::client::Event;
use crate::client::hands::Hands;
use crate::client::solo::{Restored, Solo};
use crate::client::studio::Studio;
use crate::pattern::Song;
use crate::session::Commit;
use crate::time::{Clock, SessionNanos, TempoMap};

impl Participant {
    /// Begins to play alone with a song. Where an instance that had it was killed, what it had made
    /// of it since is taken up; the engine must then be told everything. Says whether it was.
    pub(super) fn alone_with(&mut self, song: Song, tempo_map: TempoMap) -> bool {
        self.solo.end();
        let found = Solo::take_up(self.profile.folder(), &song, &tempo_map);
        let Some(Restored { solo, state, commits, faults }) = found else {
            self.studio = Studio::alone(song, tempo_map);
            self.solo.start(self.studio.confirmed().clone());
            self.new_lines();
            return false;
        };
        let now = self.clock.now();
        self.studio = Studio::alone_with(state);
        self.solo.resume(solo);
        self.new_lines();
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
