//! The machine's raw monotonic clock.

use crate::time::{Clock, HostNanos};

/// Host time: `CLOCK_MONOTONIC_RAW` on Linux, Android and Apple systems, `std`'s monotonic clock
/// elsewhere (on Windows that is the performance counter, which nobody slews either).
///
/// A read costs some tens of ns and makes no system call where the kernel maps its clock; a plugin
/// may stamp its blocks with it.
#[derive(Clone, Copy, Debug, Default)]
pub struct HostClock;

impl Clock for HostClock {
    fn now(&self) -> HostNanos {
        HostNanos(raw_nanos())
    }
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn raw_nanos() -> i64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is a valid timespec, and the clock's id is one these systems have.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_RAW, &mut now) };
    #[allow(clippy::unnecessary_cast, reason = "the fields are narrower on 32-bit systems")]
    let nanos = now.tv_sec as i64 * 1_000_000_000 + now.tv_nsec as i64;
    nanos
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn raw_nanos() -> i64 {
    use std::sync::OnceLock;
    use std::time::Instant;
    static ZERO: OnceLock<Instant> = OnceLock::new();
    ZERO.get_or_init(Instant::now).elapsed().as_nanos() as i64
}
