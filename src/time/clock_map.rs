//! Session time as a function of host time.

use super::envelope::{HARD, RHO};
use super::{HostNanos, SessionNanos};

/// Session time as a function of host time, as one estimate gives it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClockMap {
    /// When it was made.
    pub at: HostNanos,
    /// Session − host time then, in ns.
    pub offset_ns: i64,
    /// What the offset gains in a host second, in seconds.
    pub rate: f64,
    /// Certified: the truth lay no further from the offset than this, in ns.
    pub bound_ns: i64,
    /// Estimated: on a path as long one way as the other, the truth usually lay within this, in ns.
    /// Never more than what is certified.
    pub estimated_ns: i64,
    /// Median round trip of the window, in ns.
    pub rtt_ns: i64,
    /// Probes in the window.
    pub probes: u32,
}

impl ClockMap {
    /// A map of two equal clocks.
    pub const IDENTITY: ClockMap = ClockMap {
        at: HostNanos(0),
        offset_ns: 0,
        rate: 0.0,
        bound_ns: 0,
        estimated_ns: 0,
        rtt_ns: 0,
        probes: 0,
    };

    /// Session − host time at a host time, in ns.
    pub fn offset_at(&self, host: HostNanos) -> i64 {
        self.offset_ns + nearest((host - self.at) as f64 * self.rate)
    }

    /// Session time at a host time.
    pub fn session(&self, host: HostNanos) -> SessionNanos {
        SessionNanos(host.0 + self.offset_at(host))
    }

    /// Host time at a session time.
    pub fn host(&self, session: SessionNanos) -> HostNanos {
        // (host − at) · (1 + rate) = session − at − offset
        let span = session.0 - self.at.0 - self.offset_ns;
        HostNanos(self.at.0 + span - nearest(span as f64 * (self.rate / (1.0 + self.rate))))
    }

    /// How far the truth can lie from [`ClockMap::offset_at`] at a host time, in ns: grows by the
    /// worst that two crystals can do, 100 ppm beside the fitted rate.
    pub fn bound_at(&self, host: HostNanos) -> i64 {
        let age = (host - self.at).abs() as f64;
        self.bound_ns + nearest(age * (HARD + self.rate.abs())) + 1
    }

    /// The estimated bound at a host time, in ns: grows by 2 ppm, the wander that the rate does not
    /// follow.
    pub fn estimated_at(&self, host: HostNanos) -> i64 {
        let age = (host - self.at).abs() as f64;
        (self.estimated_ns + nearest(age * RHO)).min(self.bound_at(host))
    }

    /// The same map by a session clock that reads so many ns more.
    pub fn ahead_by(self, ns: i64) -> ClockMap {
        ClockMap { offset_ns: self.offset_ns + ns, ..self }
    }
}

/// To whole ns: `f64::round` is banned on this floor.
pub(super) fn nearest(ns: f64) -> i64 {
    if ns < 0.0 { (ns - 0.5) as i64 } else { (ns + 0.5) as i64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_and_session_are_inverse() {
        let offset_ns = -7_000_000_000_123;
        let map = ClockMap { at: HostNanos(1_000), offset_ns, rate: 80e-6, ..ClockMap::IDENTITY };
        for host in [0, 1_000, 77_777_777_777, 600_000_000_000] {
            let back = map.host(map.session(HostNanos(host)));
            assert!((back.0 - host).abs() <= 1, "{host} came back as {}", back.0);
        }
    }

    #[test]
    fn bounds_grow_with_age_and_the_estimated_stays_inside() {
        let map = ClockMap { bound_ns: 400_000, estimated_ns: 50_000, rate: 20e-6, ..ClockMap::IDENTITY };
        let minute = HostNanos(60_000_000_000);
        assert_eq!(map.bound_at(minute), 400_000 + 7_200_000 + 1);
        assert_eq!(map.estimated_at(minute), 50_000 + 120_000);
        let narrow = ClockMap { bound_ns: 10, ..map };
        assert_eq!(narrow.estimated_at(HostNanos(0)), 11);
    }
}
