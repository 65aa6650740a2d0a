//! One peer's view of the session's clock: which epoch it goes by, and what it does where the
//! reference, the network or the machine itself fails.
//!
//! While the reference answers, the map is the [`Envelope`]'s. Without it the map goes on with the
//! fitted rate and its bounds grow: hold-over. When a reference begins again the old epoch's map
//! stays in use until the new one is settled and measured, so nothing that plays moves meanwhile.
//! After the machine has slept nothing measured before holds, not even a probe under way. Where its
//! clocks part ([`CrossCheck`]) what is certified covers it from that look on, and a burst measures
//! afresh.
//!
//! What a certificate rests on: the raw clock's rate is within ±100 ppm of the reference's; at least one
//! of the machine's clocks keeps running; of steps too small to tell, no two fall within sixteen probes.
//!
//! Pure: fed with time, so that it runs on virtual clocks.

use std::collections::VecDeque;

use super::{
    ClockEpoch, ClockMap, CrossCheck, Envelope, HostNanos, Look, Parting, Probe, Recollection, TOLERANCE,
    Verdict,
};

const MS: i64 = 1_000_000;
const SECOND: i64 = 1_000 * MS;
/// Probes of a burst.
pub const BURST: u32 = 10;
/// Without an answer for this long the clock is held over; probes come every 2 s.
pub const HELD_OVER: i64 = 10 * SECOND;
/// Held over for this long, a person is warned.
pub const WARNED: i64 = 300 * SECOND;
/// Between two looks the machine's sleep is told from its raw clock by at least this much.
const NAP: i64 = MS;
/// How far the clock that counts sleep may be slewed against the raw one.
const SLEW: f64 = 1e-3;
/// A gap in the peer's own looks after which it measures afresh, whatever the clocks say.
const GAP: i64 = 2 * SECOND;
/// The longest way a probe may take and still be believed after a clock was set back meanwhile.
const LONGEST_WAY: i64 = SECOND;
/// Probes by which alone a certificate holds, so that what may have hidden before them is of no matter.
const TRUSTED: u32 = 16;

/// What has befallen the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockNews {
    /// A clock was set: what was measured is forgotten.
    Stepped,
    /// The machine has slept: what was measured is forgotten.
    Woke {
        /// For how long, in ns.
        slept_ns: i64,
    },
    /// The machine's clocks have parted: one of them has stepped. What is certified covers it.
    Parted {
        /// By how much at most, in ns.
        by_ns: i64,
    },
    /// Nobody answers: the map goes on by itself.
    HeldOver,
    /// That has lasted for [`WARNED`].
    HeldOverLong,
    /// The reference answers again.
    Back,
    /// The map goes by a new epoch.
    Anchored {
        /// How far session time moved at the change, in ns; `None` where there was none before.
        jump_ns: Option<i64>,
    },
}

/// One epoch as it is measured.
#[derive(Clone, Debug)]
struct Measured {
    told: ClockEpoch,
    envelope: Envelope,
    /// Probes taken since the epoch was told or the envelope cleared.
    probes: u32,
    last: HostNanos,
    /// How large a step may hide, in ns, and for how many probes it is more than the tolerance.
    hidden: i64,
    hidden_for: u32,
}

impl Measured {
    fn new(told: ClockEpoch) -> Measured {
        Measured {
            told,
            envelope: Envelope::new(),
            probes: 0,
            last: HostNanos(i64::MIN),
            hidden: TOLERANCE,
            hidden_for: 0,
        }
    }

    fn map(&self) -> Option<ClockMap> {
        let more = i64::from(self.told.bound_ns) + self.hidden;
        self.envelope.map().map(|map| ClockMap { bound_ns: map.bound_ns.saturating_add(more), ..map })
    }

    /// The machine's clocks have parted, or were not looked at for too long to tell.
    fn part(&mut self, parting: Parting) {
        if parting.seen {
            self.envelope.part(parting.by_ns);
            self.probes = 0;
            self.last = HostNanos(self.last.0.saturating_add(parting.gained_ns));
        } else {
            (self.hidden, self.hidden_for) = (self.hidden.max(parting.by_ns), TRUSTED);
        }
    }

    /// Takes a probe.
    fn add(&mut self, probe: Probe) -> Verdict {
        self.hidden_for = self.hidden_for.saturating_sub(1);
        if self.hidden_for == 0 {
            self.hidden = TOLERANCE;
        }
        self.envelope.add(probe)
    }

    /// Where the reference says how the epoch goes on.
    fn follow(&mut self, told: ClockEpoch) {
        if told.shifted_ns != 0 {
            self.envelope.shift(told.shifted_ns);
        }
        self.told = told;
    }
}

/// The session's clock as one peer knows it.
#[derive(Clone, Debug, Default)]
pub struct SharedClock {
    used: Option<Measured>,
    /// A new epoch on its way to be used.
    fresh: Option<Measured>,
    /// The epoch that the stamps of the present connection count by.
    stamps: Option<u64>,
    /// When it last looked, and what the machine had slept by then.
    looked: Option<(HostNanos, i64)>,
    cross_check: CrossCheck,
    /// Probes sent before this were under way while the machine slept or its clocks parted.
    awake_since: Option<HostNanos>,
    /// A burst that has to wait for that.
    burst_at: Option<HostNanos>,
    held_over: HoldOver,
    burst: bool,
    recollection: Option<Recollection>,
    news: VecDeque<ClockNews>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum HoldOver {
    #[default]
    No,
    Yes,
    Long,
}

impl SharedClock {
    /// A peer that knows nothing yet.
    pub fn new() -> SharedClock {
        SharedClock::default()
    }

    /// Session time, once the first probe is back.
    pub fn map(&self) -> Option<ClockMap> {
        self.used.as_ref()?.map()
    }

    /// The epoch that the map goes by.
    pub fn epoch(&self) -> Option<u64> {
        self.used.as_ref().map(|used| used.told.epoch)
    }

    /// For how many ns nobody has answered, where the clock is held over.
    pub fn held_over(&self, now: HostNanos) -> Option<i64> {
        let used = self.used.as_ref().filter(|_| self.held_over > HoldOver::No)?;
        Some(now - used.last)
    }

    /// Whether to send a burst of probes now; asked once.
    pub fn take_burst(&mut self) -> bool {
        std::mem::take(&mut self.burst)
    }

    /// What to tell a reference that has begun again; once an epoch.
    pub fn take_recollection(&mut self) -> Option<Recollection> {
        self.recollection.take()
    }

    /// What has happened since the last call.
    pub fn take_news(&mut self) -> Option<ClockNews> {
        self.news.pop_front()
    }

    /// Looks at the machine's own clocks. Whoever goes by what is certified looks first, so that a step
    /// is covered from the first look after it.
    pub fn look(&mut self, look: Look) {
        let Look { now, slept, .. } = look;
        let parting = self.cross_check.look(look);
        if let Some((before, slept_before)) = self.looked.replace((now, slept)) {
            let gap = now - before;
            if slept - slept_before > NAP + (gap as f64 * SLEW) as i64 {
                self.woke(now, slept - slept_before);
            } else {
                parting.into_iter().for_each(|parting| self.parted(now, parting));
                self.burst |= gap > GAP;
            }
        }
        if self.burst_at.take_if(|at| now >= *at).is_some() {
            self.burst = true;
        }
        let Some(used) = self.used.as_ref().filter(|used| used.map().is_some()) else { return };
        let quiet = now - used.last;
        let is = match quiet {
            WARNED.. => HoldOver::Long,
            HELD_OVER.. => HoldOver::Yes,
            _ => HoldOver::No,
        };
        if is > self.held_over {
            self.held_over = is;
            let long = is == HoldOver::Long;
            self.news.push_back(if long { ClockNews::HeldOverLong } else { ClockNews::HeldOver });
        }
    }

    fn parted(&mut self, now: HostNanos, parting: Parting) {
        self.used.iter_mut().chain(&mut self.fresh).for_each(|measured| measured.part(parting));
        if !parting.seen {
            return;
        }
        // Set back, the clock reads again what probes under way have left at.
        let known = HostNanos(now.0.saturating_add(parting.by_ns.min(LONGEST_WAY)));
        (self.awake_since, self.burst_at) = (Some(known), Some(known));
        self.recollection = None;
        self.burst = true;
        self.news.push_back(ClockNews::Parted { by_ns: parting.by_ns });
    }

    fn woke(&mut self, now: HostNanos, slept_ns: i64) {
        for measured in self.used.iter_mut().chain(&mut self.fresh) {
            measured.envelope.clear();
            measured.probes = 0;
        }
        self.awake_since = Some(now);
        self.recollection = None;
        self.burst = true;
        self.news.push_back(ClockNews::Woke { slept_ns });
    }

    /// The reference tells by which epoch the stamps that follow count.
    pub fn told(&mut self, told: ClockEpoch, now: HostNanos) {
        let before = self.stamps.replace(told.epoch);
        let known = |measured: &Option<Measured>, epoch: u64| {
            measured.as_ref().is_some_and(|measured| measured.told.epoch == epoch)
        };
        let goes_on = before.filter(|_| told.shifted_ns != 0).unwrap_or(told.epoch);
        if known(&self.used, goes_on) {
            // A word of the epoch in use: whatever else was measured is gone.
            self.fresh = None;
            self.used.as_mut().into_iter().for_each(|used| used.follow(told));
        } else if known(&self.fresh, goes_on) {
            self.fresh.as_mut().into_iter().for_each(|fresh| fresh.follow(told));
        } else {
            self.fresh = Some(Measured::new(ClockEpoch { shifted_ns: 0, ..told }));
            self.burst = true;
        }
        self.change_over(now);
    }

    /// A probe came back.
    pub fn probe(&mut self, probe: Probe, look: Look) {
        let now = look.now;
        self.look(look);
        if self.awake_since.is_some_and(|awake| probe.t1 < awake) {
            return;
        }
        let stamps = self.stamps;
        let measured = match &mut self.fresh {
            Some(fresh) => Some(fresh),
            None => self.used.as_mut(),
        };
        // Nobody said by which clock: not a reference that we know how to read.
        let Some(measured) = measured.filter(|measured| Some(measured.told.epoch) == stamps) else { return };
        match measured.add(probe) {
            Verdict::Kept => {}
            Verdict::Doubtful if measured.probes > 0 => self.burst = true,
            Verdict::Stepped => {
                measured.probes = 0;
                self.burst = true;
                self.news.push_back(ClockNews::Stepped);
            }
            Verdict::Doubtful | Verdict::Impossible => {}
        }
        measured.probes += 1;
        measured.last = now;
        if self.fresh.is_none() && std::mem::take(&mut self.held_over) > HoldOver::No {
            self.news.push_back(ClockNews::Back);
        }
        self.recollect(now);
        self.change_over(now);
    }

    /// Prepares what to tell an unsettled reference, as soon as the burst is complete.
    fn recollect(&mut self, now: HostNanos) {
        let Some(fresh) = self.fresh.as_ref().filter(|fresh| !fresh.told.settled) else { return };
        if fresh.probes != BURST {
            return;
        }
        let (Some(used), Some(old), Some(new)) = (&self.used, self.map(), fresh.map()) else { return };
        self.recollection = Some(Recollection {
            epoch: used.told.epoch,
            ahead_ns: old.offset_at(now) - new.offset_at(now),
            certified_ns: (old.bound_at(now) + new.bound_at(now)).unsigned_abs(),
            estimated_ns: (old.estimated_at(now) + new.estimated_at(now)).unsigned_abs(),
        });
    }

    /// Goes over to a new epoch: at once where there is nothing to lose, else when it is settled
    /// and measured.
    fn change_over(&mut self, now: HostNanos) {
        let Some(fresh) = &self.fresh else { return };
        let Some(new) = fresh.map() else { return };
        let old = self.map();
        if old.is_some() && !(fresh.told.settled && fresh.probes >= BURST) {
            return;
        }
        let jump_ns = old.map(|old| new.offset_at(now) - old.offset_at(now));
        self.used = self.fresh.take();
        self.held_over = HoldOver::No;
        self.news.push_back(ClockNews::Anchored { jump_ns });
    }
}

#[cfg(test)]
mod tests;
