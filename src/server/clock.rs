//! Session time: the raw monotonic clock, placed once at start.

use rand::Rng;

use crate::time::SessionNanos;

/// The clock of every session of this process: nanoseconds since the store was made, as the wall
/// clock had it when the process started, and from then on as the raw monotonic clock counts. So
/// a session that plays through a restart is near its place; [`ServerClock::epoch`] tells clients
/// to measure again.
#[derive(Clone, Copy, Debug)]
pub struct ServerClock {
    /// Session time − raw time.
    offset: i64,
    /// Random for each start of the server.
    pub epoch: u64,
}

impl ServerClock {
    /// A clock whose zero lies at `zero` ns since 1970.
    pub fn start(zero: i64) -> ServerClock {
        let wall = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |since| since.as_nanos() as i64);
        ServerClock { offset: (wall - zero).max(0) - raw_nanos(), epoch: rand::rng().next_u64() }
    }

    /// Session time now.
    pub fn now(&self) -> SessionNanos {
        SessionNanos(raw_nanos() + self.offset)
    }
}

/// The machine's raw monotonic clock: never slewed, never set.
#[cfg(target_os = "linux")]
fn raw_nanos() -> i64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is a valid place for the answer; the clock id exists on every Linux we run on.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_RAW, &mut now) };
    now.tv_sec * 1_000_000_000 + now.tv_nsec
}

#[cfg(not(target_os = "linux"))]
fn raw_nanos() -> i64 {
    use std::sync::OnceLock;
    use std::time::Instant;
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_nanos() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_time_only_grows_and_epochs_differ() {
        let clock = ServerClock::start(0);
        let first = clock.now();
        assert!(clock.now() >= first);
        assert_ne!(clock.epoch, ServerClock::start(0).epoch);
    }
}
