//! The two clocks a peer knows, and the trait that lets tests be virtual.

use std::ops::{Add, Sub};

use serde::{Deserialize, Serialize};

/// Nanoseconds of the session's clock since its epoch (the server's monotonic clock).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SessionNanos(pub i64);

/// Nanoseconds of this machine's raw monotonic clock; never the slewed or the wall clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostNanos(pub i64);

impl Add<i64> for SessionNanos {
    type Output = SessionNanos;
    fn add(self, ns: i64) -> SessionNanos {
        SessionNanos(self.0 + ns)
    }
}

impl Sub for SessionNanos {
    type Output = i64;
    fn sub(self, other: SessionNanos) -> i64 {
        self.0 - other.0
    }
}

impl Sub for HostNanos {
    type Output = i64;
    fn sub(self, other: HostNanos) -> i64 {
        self.0 - other.0
    }
}

/// One look at a machine's clocks, side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Host time.
    pub now: HostNanos,
    /// What another clock of the machine read then, in ns since whenever it likes.
    pub beside: i64,
    /// How far apart the two were read at most, in ns.
    pub apart: i64,
    /// How long the machine had slept in all, as [`Clock::slept`] counts.
    pub slept: i64,
}

/// A source of host time. Clocks are passed in, so that tests can be virtual.
pub trait Clock: Send {
    /// Now.
    fn now(&self) -> HostNanos;

    /// How long the machine has slept in all, in ns, which [`Clock::now`] does not count; only its
    /// growth means anything. 0 where the clock counts sleep, or no sleep can be told.
    fn slept(&self) -> i64 {
        0
    }

    /// The machine's clocks side by side. Where there is but one it stands beside itself, and no step
    /// of it is seen.
    fn look(&self) -> Look {
        let now = self.now();
        Look { now, beside: now.0, apart: 0, slept: self.slept() }
    }
}
