//! The machine's raw monotonic clock: the one that nobody slews or sets.
//!
//! Any thread; a plugin may stamp its blocks with it, outside the engine.

use std::sync::OnceLock;

use super::{Clock, HostNanos, Look};

/// Host time: `CLOCK_MONOTONIC_RAW` on Linux and Android, mach absolute time (`CLOCK_UPTIME_RAW`) on
/// Apple systems, the performance counter on Windows.
///
/// Beside it stands `CLOCK_BOOTTIME` on Linux and Android, which the kernel keeps by itself and slews.
/// Apple's other clock that nobody sets counts by the same timer, and tells of sleep alone; on Windows
/// none is read.
///
/// A read costs some tens of ns and makes no system call where the kernel maps its clocks, a
/// [`Clock::look`] six times as much.
#[derive(Clone, Copy, Debug, Default)]
pub struct RawClock;

/// What this process goes by instead.
static REHEARSED: OnceLock<Box<dyn Clock + Sync>> = OnceLock::new();

impl RawClock {
    /// Puts another clock in the raw one's place for the whole process, once: so that a real client can
    /// be shown a clock that fails. Later calls change nothing.
    pub fn rehearse(clock: Box<dyn Clock + Sync>) {
        let _ = REHEARSED.set(clock);
    }

    /// The machine's own clocks, whatever is rehearsed.
    pub fn machine() -> Look {
        system::look()
    }
}

impl Clock for RawClock {
    fn now(&self) -> HostNanos {
        match REHEARSED.get() {
            Some(clock) => clock.now(),
            None => HostNanos(system::raw_nanos()),
        }
    }

    fn slept(&self) -> i64 {
        REHEARSED.get().map_or_else(system::slept_nanos, |clock| clock.slept())
    }

    fn look(&self) -> Look {
        REHEARSED.get().map_or_else(system::look, |clock| clock.look())
    }
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
mod system {
    #[cfg(not(target_vendor = "apple"))]
    use libc::{CLOCK_BOOTTIME as COUNTING_SLEEP, CLOCK_MONOTONIC as AWAKE, CLOCK_MONOTONIC_RAW as RAW};
    #[cfg(target_vendor = "apple")]
    use libc::{CLOCK_MONOTONIC_RAW as COUNTING_SLEEP, CLOCK_UPTIME_RAW as AWAKE, CLOCK_UPTIME_RAW as RAW};

    use crate::time::{HostNanos, Look};

    /// Two reads of one clock closer together than this have the other's between them.
    const CLOSE: i64 = 1_000;
    /// Tries to have them so; a preemption lies between the reads of one try, not of all.
    const TRIES: u32 = 8;

    fn nanos_of(clock: libc::clockid_t) -> i64 {
        let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: `now` is a valid timespec, and the clock's id is one these systems have.
        unsafe { libc::clock_gettime(clock, &mut now) };
        #[allow(clippy::unnecessary_cast, reason = "the fields are narrower on 32-bit systems")]
        let nanos = now.tv_sec as i64 * 1_000_000_000 + now.tv_nsec as i64;
        nanos
    }

    pub fn raw_nanos() -> i64 {
        nanos_of(RAW)
    }

    /// One clock and another at the same time: the first, the second, and how far apart they were read
    /// at most.
    fn side_by_side(one: libc::clockid_t, other: libc::clockid_t) -> (i64, i64, i64) {
        let mut closest = (0, 0, i64::MAX);
        for _ in 0..TRIES {
            let (before, beside, after) = (nanos_of(one), nanos_of(other), nanos_of(one));
            let apart = after - before;
            // Less than nothing, and it was set between the two.
            if (0..closest.2).contains(&apart) {
                closest = (before + apart / 2, beside, apart);
            }
            if closest.2 < CLOSE {
                break;
            }
        }
        closest
    }

    /// The clock that counts sleep less the one that does not; both are slewed alike.
    pub fn slept_nanos() -> i64 {
        let (awake, counting, _) = side_by_side(AWAKE, COUNTING_SLEEP);
        counting - awake
    }

    pub fn look() -> Look {
        let (now, beside, apart) = side_by_side(RAW, COUNTING_SLEEP);
        Look { now: HostNanos(now), beside, apart, slept: slept_nanos() }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
mod system {
    use std::sync::OnceLock;
    use std::time::Instant;

    use crate::time::{HostNanos, Look};

    /// `std`'s monotonic clock: on Windows that is the performance counter, unslewed.
    pub fn raw_nanos() -> i64 {
        static ZERO: OnceLock<Instant> = OnceLock::new();
        ZERO.get_or_init(Instant::now).elapsed().as_nanos() as i64
    }

    /// The performance counter counts on while the machine sleeps.
    pub fn slept_nanos() -> i64 {
        0
    }

    pub fn look() -> Look {
        let now = raw_nanos();
        Look { now: HostNanos(now), beside: now, apart: 0, slept: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{CrossCheck, TOLERANCE};

    #[test]
    fn it_only_grows_and_a_machine_awake_does_not_sleep() {
        let (first, slept) = (RawClock.now(), RawClock.slept());
        assert!(slept >= -1_000_000, "{slept}");
        for _ in 0..1_000 {
            assert!(RawClock.now() >= first);
            assert!((RawClock.slept() - slept).abs() < 1_000_000);
        }
    }

    #[test]
    fn the_machines_clocks_are_not_seen_to_part() {
        let mut check = CrossCheck::new();
        let until = RawClock.now().0 + 200_000_000;
        let (mut looks, mut widest) = (0, 0);
        while RawClock.now().0 < until {
            let look = RawClock.look();
            // A preemption of this very test makes a gap, not a step.
            let parting = check.look(look);
            assert!(parting.is_none_or(|parting| !parting.seen || look.apart > TOLERANCE), "{parting:?}");
            (looks, widest) = (looks + 1, look.apart.max(widest));
        }
        println!("{looks} looks of {} ns each, read {widest} ns apart at most", 200_000_000 / looks);
    }
}
