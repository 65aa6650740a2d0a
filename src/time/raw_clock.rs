//! The machine's raw monotonic clock: the one that nobody slews or sets.
//!
//! Any thread; a plugin may stamp its blocks with it, outside the engine.

use super::{Clock, HostNanos};

/// Host time: `CLOCK_MONOTONIC_RAW` on Linux and Android, mach absolute time (`CLOCK_UPTIME_RAW`) on
/// Apple systems, the performance counter on Windows.
///
/// A read costs some tens of ns and makes no system call where the kernel maps its clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct RawClock;

impl Clock for RawClock {
    fn now(&self) -> HostNanos {
        HostNanos(system::raw_nanos())
    }

    fn slept(&self) -> i64 {
        system::slept_nanos()
    }
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
mod system {
    #[cfg(not(target_vendor = "apple"))]
    use libc::{CLOCK_BOOTTIME as COUNTING_SLEEP, CLOCK_MONOTONIC as AWAKE, CLOCK_MONOTONIC_RAW as RAW};
    #[cfg(target_vendor = "apple")]
    use libc::{CLOCK_MONOTONIC_RAW as COUNTING_SLEEP, CLOCK_UPTIME_RAW as AWAKE, CLOCK_UPTIME_RAW as RAW};

    /// Two reads of one clock closer together than this have the other's between them.
    const CLOSE: i64 = 100_000;
    /// Tries to have them so.
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

    /// The clock that counts sleep less the one that does not; both are slewed alike.
    pub fn slept_nanos() -> i64 {
        let mut closest = (i64::MAX, 0);
        for _ in 0..TRIES {
            let (before, counting, after) = (nanos_of(AWAKE), nanos_of(COUNTING_SLEEP), nanos_of(AWAKE));
            let apart = after - before;
            closest = closest.min((apart, counting - before - apart / 2));
            if apart < CLOSE {
                break;
            }
        }
        closest.1
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
mod system {
    use std::sync::OnceLock;
    use std::time::Instant;

    /// `std`'s monotonic clock: on Windows that is the performance counter, unslewed.
    pub fn raw_nanos() -> i64 {
        static ZERO: OnceLock<Instant> = OnceLock::new();
        ZERO.get_or_init(Instant::now).elapsed().as_nanos() as i64
    }

    /// The performance counter counts on while the machine sleeps.
    pub fn slept_nanos() -> i64 {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_only_grows_and_a_machine_awake_does_not_sleep() {
        let (first, slept) = (RawClock.now(), RawClock.slept());
        assert!(slept >= -1_000_000, "{slept}");
        for _ in 0..1_000 {
            assert!(RawClock.now() >= first);
            assert!((RawClock.slept() - slept).abs() < 1_000_000);
        }
    }
}
