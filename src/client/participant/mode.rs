//! Who decides over this instance's position, and what the engine is told of the shared clock.

use super::Participant;
use crate::client::view::TransportView;
use crate::rt::ports::{Mode, Sync, ToEngine};
use crate::session::{HostPlace, Leader};
use crate::time::{Beats, Clock, ClockMap, HostNanos, Tempo};
use crate::wire::Up;

/// The mode chosen, and what the engine has been told.
#[derive(Default)]
pub struct ModeSide {
    /// `None`: as it is with and without a session.
    chosen: Option<Mode>,
    /// Whole bars between the host's song position and ours, in modes Host and Lead.
    offset: Beats,
    told_mode: Option<(Mode, Beats)>,
    /// The map, and the device's latency in ns.
    told_clock: Option<(ClockMap, i64)>,
    /// The engine's last word.
    pub sync: Sync,
    /// What the session is told in mode Lead.
    pub leader: Leader,
}

impl ModeSide {
    /// The engine is a new one: it has been told nothing.
    pub fn forget_told(&mut self) {
        (self.told_mode, self.told_clock) = (None, None);
    }
}

impl Participant {
    /// Chooses a mode; `None` for what fits: Follow in a session, Host without one.
    pub(super) fn choose_mode(&mut self, mode: Option<Mode>) {
        let before = self.mode_in_use();
        self.mode.chosen = mode;
        if self.mode_in_use() != before {
            self.mode.leader = Leader::default();
            if self.session.is_open() {
                self.mode.leader.arm();
            }
        }
        self.tell_mode();
    }

    /// In mode Lead, tells the session what the host does. A bounce has no time, and tells nothing; nor
    /// does an engine without a host.
    pub(super) fn lead(&mut self) {
        let Sync { heard: Some(heard), host_micro_bpm: Some(tempo), .. } = self.mode.sync else { return };
        if self.mode_in_use() != Mode::Lead || self.main().is_alone() || !self.session.is_open() {
            return;
        }
        let (Some(at), Ok(tempo)) = (self.session_now(heard), Tempo::from_micro_bpm(tempo)) else { return };
        let place = HostPlace { tick: self.engine.position(), at, tempo };
        let session = self.main().timeline();
        let now = place.tick.unwrap_or(session.tick);
        let tempo = self.main().tempo_map().tempo_at(now);
        if let Some(word) = self.mode.leader.look(place, session, tempo) {
            self.on_main(|it| it.ask(Up::Lead(word)));
        }
    }

    /// Moves the host's position by whole bars, so that it comes nearest to the session's.
    pub(super) fn align(&mut self) {
        let seen = self.transport_view(self.clock.now());
        let (Some(phase), Some(left)) = (seen.sync.phase, seen.phase_in_bar(self.studio.song())) else {
            return self.complain("the host's bars can be aligned while host and session both play".into());
        };
        self.mode.offset = self.mode.offset - (phase - left);
        self.tell_mode();
    }

    /// The mode in use.
    pub(super) fn mode_in_use(&self) -> Mode {
        let fitting = if self.main().is_alone() { Mode::Host } else { Mode::Follow };
        self.mode.chosen.unwrap_or(fitting)
    }

    /// Tells the engine mode and clock, where they have changed.
    pub(super) fn tell_mode(&mut self) {
        let (mode, offset) = (self.mode_in_use(), self.mode.offset);
        if self.mode.told_mode != Some((mode, offset)) {
            self.mode.told_mode = Some((mode, offset));
            self.feed.push(ToEngine::Mode { mode, offset });
            self.shown.stale();
        }
        let map = match self.studio.is_alone() || self.session.has_own_clock() {
            true => Some(ClockMap::IDENTITY),
            false => self.played_map(),
        };
        // No interface that reaches us tells what lies behind a host's callback: the musician does.
        let clock = map.map(|map| (map, self.trim.latency_ns()));
        if let Some((map, latency_ns)) = clock.filter(|clock| self.mode.told_clock != Some(*clock)) {
            self.mode.told_clock = clock;
            self.feed.push(ToEngine::Clock { map, latency_ns });
        }
    }

    /// What there is to see of it.
    pub(super) fn transport_view(&self, now: HostNanos) -> TransportView {
        let timeline = self.studio.timeline();
        let map = self.studio.tempo_map();
        let session =
            self.session_now(now).filter(|_| timeline.playing).map(|session| timeline.tick_at(map, session));
        TransportView {
            mode: self.mode_in_use(),
            chosen: self.mode.chosen,
            sync: self.mode.sync,
            session_position: session,
        }
    }
}
