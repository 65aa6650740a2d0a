//! The shared clock as the participant keeps it: what comes by its socket, what is told of it, and
//! the map that the engine plays by.

use super::Participant;
use crate::client::clock_socket::ClockWord;
use crate::client::{ClockStatus, Event};
use crate::time::{Clock, ClockMap, ClockNews, HostNanos};

const SECOND: i64 = 1_000_000_000;
/// Between two tellings of the clock's figures where nothing befell it.
const FIGURES: i64 = 10 * SECOND;
/// Between two looks at the figures that grow while nobody answers.
const GROWTH: i64 = SECOND;

/// Stays while the warning does.
const HELD_OVER: &str = "the session's server has not answered for five minutes: this machine goes by its own \
                         clock, and drifts from the others by up to a millisecond in five minutes";

impl Participant {
    /// A word of the clock's socket, by way of the hub.
    pub fn clock_word(&mut self, word: ClockWord) {
        let look = self.clock.look();
        let now = look.now;
        match word {
            ClockWord::Epoch(epoch) => self.session.clock.told(epoch, now),
            ClockWord::Probe(probe) => self.session.clock.probe(probe, look),
        }
        self.clock_moved(now);
        self.show_clock(now);
    }

    /// Looks at the machine's clocks, and at how long nobody has answered.
    pub(super) fn look_at_clock(&mut self) {
        let look = self.clock.look();
        let now = look.now;
        self.session.clock.look(look);
        if self.studio.is_alone() || self.session.has_own_clock() {
            // Nothing is measured: what befalls the clocks is of no matter to anybody.
            while self.session.clock.take_news().is_some() {}
            self.session.clock.take_burst();
            return;
        }
        self.clock_moved(now);
        let held_over = self.session.clock.held_over(now).is_some();
        if held_over && now - self.session.clock_shown >= GROWTH {
            self.show_clock(now);
        }
    }

    /// Asks for what the clock wants, and tells what befell it.
    fn clock_moved(&mut self, now: HostNanos) {
        if self.session.clock.take_burst() {
            self.network.burst();
        }
        // The hub tells the server, once for the whole machine.
        let _ = self.session.clock.take_recollection();
        while let Some(news) = self.session.clock.take_news() {
            let (what, jump_ns) = match news {
                ClockNews::Stepped => ("stepped", None),
                ClockNews::Woke { .. } => ("woke", None),
                ClockNews::Parted { .. } => ("parted", None),
                ClockNews::HeldOver => ("held-over", None),
                ClockNews::HeldOverLong => ("held-over-long", None),
                ClockNews::Back => ("back", None),
                ClockNews::Anchored { jump_ns } => ("anchored", jump_ns),
            };
            tracing::debug!(?news, "the shared clock");
            self.show_clock(now);
            self.tell_clock(what, jump_ns, now);
            if news == ClockNews::HeldOverLong {
                self.shown.notice = Some(HELD_OVER.into());
            } else if self.shown.notice.as_deref() == Some(HELD_OVER) {
                self.shown.notice = None;
            }
        }
        if self.session.clock.map().is_some() && now - self.session.clock_told >= FIGURES {
            self.tell_clock("measured", None, now);
        }
    }

    fn tell_clock(&mut self, what: &'static str, jump_ns: Option<i64>, now: HostNanos) {
        self.session.clock_told = now;
        let status = self.shown.clock;
        self.events.tell(Event::Clock { what, status, jump_ns }, now);
    }

    fn show_clock(&mut self, now: HostNanos) {
        self.session.clock_shown = now;
        let (trim_ns, latency_ns) = (self.trim.ns(), self.trim.latency_ns());
        self.shown.clock = match self.session.clock.map() {
            None => ClockStatus { trim_ns, latency_ns, ..ClockStatus::default() },
            Some(map) => ClockStatus {
                offset_ns: Some(map.offset_at(now)),
                bound_ns: map.bound_at(now),
                estimated_ns: map.estimated_at(now),
                trim_ns,
                latency_ns,
                held_over_ns: self.session.clock.held_over(now),
                rtt_ns: map.rtt_ns,
                probes: map.probes,
                map: Some(map.ahead_by(-trim_ns)),
            },
        };
        self.shown.stale();
    }

    /// Session time as a function of host time, as this machine plays by it: trimmed. `None` until
    /// the first probe is back.
    pub(super) fn played_map(&self) -> Option<ClockMap> {
        self.session.clock.map().map(|map| map.ahead_by(-self.trim.ns()))
    }

    /// Sets the musician's trim.
    pub(super) fn set_trim(&mut self, ms: f64, now: HostNanos) {
        if let Err(error) = self.trim.set(ms) {
            self.complain(error.to_string());
        }
        self.show_clock(now);
    }

    /// Sets the latency of this machine's device.
    pub(super) fn set_latency(&mut self, ms: f64, now: HostNanos) {
        if let Err(error) = self.trim.set_latency(ms) {
            self.complain(error.to_string());
        }
        self.show_clock(now);
    }
}
