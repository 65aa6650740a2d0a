//! This machine's raw monotonic clock, as the audio callback stamps its blocks with it.

use crate::time::HostNanos;

/// Now, on the clock that is neither slewed nor set. *Realtime-safe: yes (no system call where the
/// kernel maps its clock into the process).*
#[cfg(unix)]
pub fn now() -> HostNanos {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid place to write to; the clock exists on every Unix we build for.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_RAW, &mut time) };
    // Narrower on 32-bit machines.
    #[allow(clippy::unnecessary_cast)]
    HostNanos(time.tv_sec as i64 * 1_000_000_000 + time.tv_nsec as i64)
}

/// Now, on the performance counter. *Realtime-safe: yes.*
#[cfg(not(unix))]
pub fn now() -> HostNanos {
    use std::sync::OnceLock;
    use std::time::Instant;
    static START: OnceLock<Instant> = OnceLock::new();
    HostNanos(START.get_or_init(Instant::now).elapsed().as_nanos() as i64)
}
