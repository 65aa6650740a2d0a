//! The studio's LAN through Ableton Link.

use antiphon::client::HostClock;
use antiphon::time::{Clock, HostNanos};
use rusty_link::{AblLink, SessionState};

use crate::bridge::{Act, Seen};

/// This machine's place in the LAN's Link session.
pub struct Lan {
    link: AblLink,
    state: SessionState,
}

impl Lan {
    /// Joins the LAN's Link session, or begins one.
    pub fn join(bpm: f64) -> Lan {
        let link = AblLink::new(bpm);
        link.enable_start_stop_sync(true);
        link.enable(true);
        Lan { link, state: SessionState::new() }
    }

    /// Host time as Link's clock reads it, in µs. On Linux both read CLOCK_MONOTONIC_RAW; elsewhere
    /// the tightest of three readings ties them.
    pub fn clock(&self) -> Tie {
        let read = || {
            let before = HostClock.now().0;
            let link_us = self.link.clock_micros();
            let after = HostClock.now().0;
            (after - before, Tie { host_ns: before + (after - before) / 2, link_us })
        };
        [read(), read(), read()].into_iter().min_by_key(|(width, _)| *width).expect("three readings").1
    }

    /// The LAN's grid now, for a bar of so many quarter notes. What follows is committed against it.
    pub fn look(&mut self, now: i64, quantum: f64) -> Seen {
        self.link.capture_app_session_state(&mut self.state);
        Seen {
            now,
            peers: self.link.num_peers(),
            bpm: self.state.tempo(),
            phase: self.state.phase_at_time(now, quantum),
            playing: self.state.is_playing(),
        }
    }

    /// Tells the LAN, as of the last look.
    pub fn commit(&mut self, act: &Act, now: i64, quantum: f64) {
        if *act == Act::default() {
            return;
        }
        if let Some(bpm) = act.tempo {
            self.state.set_tempo(bpm, now);
        }
        if let Some(beat) = act.beat {
            self.state.force_beat_at_time(beat, now, quantum);
        }
        if let Some((playing, at)) = act.playing {
            self.state.set_is_playing(playing, at);
        }
        self.link.commit_app_session_state(&self.state);
    }
}

impl Drop for Lan {
    fn drop(&mut self) {
        // Says goodbye to the LAN.
        self.link.enable(false);
    }
}

/// One moment on both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Tie {
    /// On the host's, in ns.
    pub host_ns: i64,
    /// On Link's, in µs.
    pub link_us: i64,
}

impl Tie {
    /// A moment of Link's clock in host time.
    pub fn host(&self, link_us: i64) -> HostNanos {
        HostNanos(self.host_ns + (link_us - self.link_us) * 1000)
    }

    /// A moment of host time on Link's clock.
    pub fn link(&self, host: HostNanos) -> i64 {
        self.link_us + (host.0 - self.host_ns).div_euclid(1000)
    }
}
