//! A peer on virtual clocks: it measures the session's clock over a model of a network, by a model
//! of a crystal, with the client's own estimator and in the client's own rhythm.
//!
//! True time is the server's, in ns. Include it beside `network_model`.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::collections::VecDeque;

use antiphon::time::{
    BURST, ClockEpoch, ClockMap, ClockNews, HostNanos, Look, Probe, Recollection, SessionNanos, SharedClock,
};

use crate::network_model::{Crystal, Dice, Network, Path, Way};

pub const MS: i64 = 1_000_000;
pub const SECOND: i64 = 1_000 * MS;
/// Between two looks of a peer at its clocks, where nothing says more often.
const LOOK: i64 = 50 * MS;

/// A peer and its way to the server.
pub struct VirtualPeer {
    pub crystal: Crystal,
    pub path: Path,
    pub clock: SharedClock,
    dice: Dice,
    /// Probes that have left: when they are back, and their stamps but the last.
    under_way: VecDeque<(i64, Probe)>,
    burst: u32,
    next_probe: i64,
    next_look: i64,
    /// Between two looks at its clocks, in ns: a client's thread looks every 5 ms at least.
    pub looks: i64,
    /// Whether it compares its clocks at all.
    pub cross_checks: bool,
    /// Its thread is held up until then.
    pub held_until: i64,
    eyes: Dice,
    /// Whether probes leave at all.
    pub connected: bool,
    /// What has befallen its clock.
    pub news: Vec<ClockNews>,
    /// Its answer to a reference that has begun again.
    pub recollection: Option<Recollection>,
}

impl VirtualPeer {
    /// A peer that joins at a true time: its clock a crystal of so many ppm of thermal sine, good
    /// for so many seconds.
    pub fn join(network: Network, seed: u64, seconds: u32, thermal_ppm: f64, at: i64) -> VirtualPeer {
        let crystal = Crystal::new(seed ^ 0xC10C, seconds, thermal_ppm);
        VirtualPeer::with(crystal, Path::new(network, seed, 0.0), seed, at)
    }

    /// A peer of these parts that joins at a true time.
    pub fn with(crystal: Crystal, path: Path, seed: u64, at: i64) -> VirtualPeer {
        let mut peer = VirtualPeer {
            crystal,
            path,
            clock: SharedClock::new(),
            dice: Dice::new(!seed),
            under_way: VecDeque::new(),
            burst: BURST,
            next_probe: at,
            next_look: at,
            looks: LOOK,
            cross_checks: true,
            held_until: 0,
            eyes: Dice::new(seed ^ 0xE1E5),
            connected: true,
            news: Vec::new(),
            recollection: None,
        };
        let epoch = ClockEpoch { epoch: 1, settled: true, ..ClockEpoch::default() };
        peer.told(epoch, at);
        peer
    }

    /// Its host time at a true time.
    pub fn host(&self, now: i64) -> HostNanos {
        HostNanos(self.crystal.host(now))
    }

    /// Its clocks side by side at a true time; now and then the reader is held up between two reads.
    fn read(&mut self, now: i64) -> Look {
        let apart =
            self.eyes.uniform(60.0, 1_000.0) as i64 + if self.eyes.happens(0.001) { 7_000 } else { 0 };
        let between = (apart as f64 * self.eyes.uniform(-0.5, 0.5)) as i64;
        let host = self.host(now);
        let beside = if self.cross_checks { self.crystal.beside(now + between) } else { host.0 };
        Look { now: host, beside, apart, slept: self.crystal.slept(now) }
    }

    /// Somebody wants to know, at a true time: looks at the clocks.
    pub fn see(&mut self, now: i64) {
        let look = self.read(now);
        self.clock.look(look);
        self.after(now);
    }

    /// Session time as a function of host time, as it stands.
    pub fn map(&self) -> Option<ClockMap> {
        self.clock.map()
    }

    /// How far the estimate lies from the session's true time, in ns.
    pub fn error(&self, now: i64, session: i64) -> Option<i64> {
        let host = self.host(now);
        self.map().map(|map| map.session(host).0 - session)
    }

    /// The reference tells of its epoch, over a connection that is fresh: no probe is under way.
    pub fn told(&mut self, epoch: ClockEpoch, now: i64) {
        self.under_way.clear();
        self.clock.told(epoch, self.host(now));
        self.after(now);
    }

    /// Lets true time pass. `session` gives the session's time at a true time.
    pub fn advance(&mut self, to: i64, session: impl Fn(i64) -> i64) {
        loop {
            let back = self.under_way.front().map_or(i64::MAX, |(back, _)| *back);
            let probes = if self.connected { self.next_probe } else { i64::MAX };
            let due = self.next_look.min(back).min(probes);
            if due > to {
                return;
            }
            // What comes while the machine sleeps is found when it wakes.
            let now = self.crystal.awake(due).max(self.held_until);
            if due == back {
                let (_, probe) = self.under_way.pop_front().expect("one is under way");
                let look = self.read(now);
                self.clock.probe(Probe { t4: look.now, ..probe }, look);
            } else if due == probes {
                self.send(now, &session);
            } else {
                self.see(now);
                self.next_look = now + self.looks;
            }
            self.after(now);
        }
    }

    fn send(&mut self, now: i64, session: impl Fn(i64) -> i64) {
        let arrived = self.path.arrival(Way::Up, now);
        let answered = arrived + self.dice.exponential(30_000.0) as i64;
        let back = self.path.arrival(Way::Down, answered);
        let probe = Probe {
            t1: self.host(now),
            t2: SessionNanos(session(arrived)),
            t3: SessionNanos(session(answered)),
            t4: HostNanos(0),
        };
        self.under_way.push_back((back, probe));
        self.burst = self.burst.saturating_sub(1);
        let pause = if self.burst > 0 { 50 * MS } else { (2e9 * self.dice.uniform(0.9, 1.1)) as i64 };
        self.next_probe = now + pause;
    }

    fn after(&mut self, now: i64) {
        if self.clock.take_burst() {
            (self.burst, self.next_probe) = (BURST, now);
        }
        self.news.extend(std::iter::from_fn(|| self.clock.take_news()));
        self.recollection = self.clock.take_recollection().or(self.recollection.take());
    }
}
