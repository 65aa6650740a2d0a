//! The shared clock's estimator: a two-sided aged envelope over probes.
//!
//! A probe leaves at host time t1, arrives at session time t2, is answered at t3 and comes back at
//! t4. Delays are never negative, so with θ = session − host time, U = t2 − t1 ≥ θ and
//! L = t3 − t4 ≤ θ: each probe bounds θ from both sides, and the tightest bounds of a window, aged
//! by the clocks' rate difference b and by ρ for its wander, enclose it. The rate is the b in
//! ±300 ppm that maximises (min U − max L) · n / μ − b² / 2σ²; μ is the mean one-way excess.
//!
//! With hard ageing of ±100 ppm instead of a fitted rate the enclosure is a certificate: no crystal
//! is worse, so the truth lies in it, and the estimate is clamped into it. Path asymmetry below that
//! bound cannot be seen from stamps by anybody.
//!
//! Pure: reads no clock.

use std::collections::VecDeque;

use super::{HostNanos, SessionNanos};

/// Probes older than this are forgotten.
const WINDOW: i64 = 600_000_000_000;
/// Probes kept.
const CAPACITY: usize = 320;
/// Wander that the fitted rate does not follow.
const RHO: f64 = 2e-6;
/// How far rates usually lie apart.
const SIGMA: f64 = 30e-6;
/// How far rates can lie apart, for the fit.
const RATE_LIMIT: f64 = 300e-6;
/// How far rates can lie apart, for the certificate.
const HARD: f64 = 100e-6;
/// Bounds that contradict each other by more than this mean that a clock was set.
const STEP: f64 = 20_000.0;
/// The least mean excess the fit believes in, in ns.
const LEAST_EXCESS: f64 = 1_000.0;

/// A probe's four stamps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Sent, host time.
    pub t1: HostNanos,
    /// Arrived, session time.
    pub t2: SessionNanos,
    /// Answered, session time.
    pub t3: SessionNanos,
    /// Back, host time.
    pub t4: HostNanos,
}

impl Probe {
    /// The time on the way, both ways together, in ns.
    pub fn round_trip(&self) -> i64 {
        (self.t4 - self.t1) - (self.t3 - self.t2)
    }
}

/// What became of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is part of the window.
    Kept,
    /// It contradicts the window: a clock was set. The window begins again with it, and a burst of
    /// probes should follow.
    Stepped,
    /// Its stamps contradict each other.
    Impossible,
}

/// Session time as a function of host time, as one estimate gives it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClockMap {
    /// When it was made.
    pub at: HostNanos,
    /// Session − host time then, in ns.
    pub offset_ns: i64,
    /// What the offset gains in a host second, in seconds.
    pub rate: f64,
    /// The truth lay no further from the offset than this, in ns.
    pub bound_ns: i64,
    /// Median round trip of the window, in ns.
    pub rtt_ns: i64,
    /// Probes in the window.
    pub probes: u32,
}

impl ClockMap {
    /// A map of two equal clocks.
    pub const IDENTITY: ClockMap =
        ClockMap { at: HostNanos(0), offset_ns: 0, rate: 0.0, bound_ns: 0, rtt_ns: 0, probes: 0 };

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

    /// How far the truth can lie from [`ClockMap::offset_at`] at a host time, in ns.
    pub fn bound_at(&self, host: HostNanos) -> i64 {
        let age = (host - self.at).abs() as f64;
        self.bound_ns + nearest(age * (HARD + self.rate.abs())) + 1
    }
}

/// The estimator of one pair of clocks.
#[derive(Clone, Debug, Default)]
pub struct Envelope {
    probes: VecDeque<Probe>,
    map: Option<ClockMap>,
}

impl Envelope {
    /// An estimator that has seen nothing.
    pub fn new() -> Envelope {
        Envelope::default()
    }

    /// The estimate as of the last probe.
    pub fn map(&self) -> Option<ClockMap> {
        self.map
    }

    /// Forgets everything: the reference has changed.
    pub fn clear(&mut self) {
        *self = Envelope::default();
    }

    /// Takes a probe and makes the estimate anew. Allocates; some tens of µs.
    pub fn add(&mut self, probe: Probe) -> Verdict {
        let backwards = probe.t4 < probe.t1 || probe.t3 < probe.t2;
        if backwards || probe.round_trip() < 0 {
            return Verdict::Impossible;
        }
        if self.probes.back().is_some_and(|last| probe.t4 < last.t4) {
            self.clear();
        }
        self.probes.push_back(probe);
        while self.probes.len() > CAPACITY
            || self.probes.front().is_some_and(|first| probe.t4 - first.t4 > WINDOW)
        {
            self.probes.pop_front();
        }
        let rate = self.map.map_or(0.0, |map| map.rate);
        match Bounds::of(&self.probes).estimate(rate) {
            Some(map) => {
                self.map = Some(ClockMap { rtt_ns: self.median_round_trip(), ..map });
                Verdict::Kept
            }
            None => {
                self.clear();
                self.add(probe);
                Verdict::Stepped
            }
        }
    }

    fn median_round_trip(&self) -> i64 {
        let mut trips: Vec<i64> = self.probes.iter().map(Probe::round_trip).collect();
        let middle = trips.len() / 2;
        *trips.select_nth_unstable(middle).1
    }
}

/// One probe's bounds on the offset, relative to the first probe's, and its ages, in ns.
struct Bound {
    upper: f64,
    lower: f64,
    /// Since the probe's middle.
    age: f64,
    /// Since it was sent: at least the age of either bound.
    full_age: f64,
}

struct Bounds {
    at: HostNanos,
    origin: i64,
    bounds: Vec<Bound>,
}

impl Bounds {
    fn of(probes: &VecDeque<Probe>) -> Bounds {
        let (first, last) = (probes[0], probes[probes.len() - 1]);
        let origin = first.t2.0 - first.t1.0;
        let bound = |probe: &Probe| Bound {
            upper: (probe.t2.0 - probe.t1.0 - origin) as f64,
            lower: (probe.t3.0 - probe.t4.0 - origin) as f64,
            age: (last.t4 - probe.t1) as f64 - 0.5 * (probe.t4 - probe.t1) as f64,
            full_age: (last.t4 - probe.t1) as f64,
        };
        Bounds { at: last.t4, origin, bounds: probes.iter().map(bound).collect() }
    }

    /// The estimate as of the last probe; `None` where the bounds contradict each other.
    fn estimate(&self, rate_before: f64) -> Option<ClockMap> {
        let weight = self.bounds.len() as f64 / self.mean_excess(rate_before);
        let likelihood = |rate: f64| {
            let (upper, lower) = self.aged(rate);
            (upper - lower) * weight - rate * rate / (2.0 * SIGMA * SIGMA)
        };
        let rate = golden_section(likelihood, -RATE_LIMIT, RATE_LIMIT);
        let (upper, lower) = self.aged(rate);
        let (highest, lowest) = self.certain();
        if lower > upper + STEP || lowest > highest {
            return None;
        }
        let offset = (0.5 * (upper + lower)).max(lowest).min(highest);
        Some(ClockMap {
            at: self.at,
            offset_ns: self.origin + nearest(offset),
            rate,
            bound_ns: nearest((highest - offset).max(offset - lowest)) + 1,
            rtt_ns: 0,
            probes: self.bounds.len() as u32,
        })
    }

    /// The tightest upper and lower bound now, were the rate this.
    fn aged(&self, rate: f64) -> (f64, f64) {
        self.bounds.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(upper, lower), bound| {
            let drift = rate * bound.age;
            let slack = RHO * bound.age;
            (upper.min(bound.upper + drift + slack), lower.max(bound.lower + drift - slack))
        })
    }

    /// The bounds that hold whatever the rate.
    fn certain(&self) -> (f64, f64) {
        self.bounds.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(upper, lower), bound| {
            let slack = HARD * bound.full_age;
            (upper.min(bound.upper + slack), lower.max(bound.lower - slack))
        })
    }

    /// The mean one-way excess over the floor, from its median, were the rate this.
    fn mean_excess(&self, rate: f64) -> f64 {
        let (upper, lower) = self.aged(rate);
        let ups = self.bounds.iter().map(|bound| bound.upper + rate * bound.age - upper);
        let downs = self.bounds.iter().map(|bound| lower - bound.lower - rate * bound.age);
        let mut excess: Vec<f64> = ups.chain(downs).collect();
        let middle = excess.len() / 2;
        let (_, median, _) = excess.select_nth_unstable_by(middle, f64::total_cmp);
        // An exponential law's mean is its median over ln 2.
        (1.44 * *median).max(LEAST_EXCESS)
    }
}

/// The maximum of a concave function within bounds, to a part in 10⁸ of them (Kiefer, 1953).
fn golden_section(f: impl Fn(f64) -> f64, mut low: f64, mut high: f64) -> f64 {
    const RATIO: f64 = 0.618_033_988_749_894_9;
    let (mut a, mut b) = (high - RATIO * (high - low), low + RATIO * (high - low));
    let (mut at_a, mut at_b) = (f(a), f(b));
    for _ in 0..40 {
        if at_a > at_b {
            (high, b, at_b) = (b, a, at_a);
            a = high - RATIO * (high - low);
            at_a = f(a);
        } else {
            (low, a, at_a) = (a, b, at_b);
            b = low + RATIO * (high - low);
            at_b = f(b);
        }
    }
    0.5 * (low + high)
}

fn nearest(ns: f64) -> i64 {
    if ns < 0.0 { (ns - 0.5) as i64 } else { (ns + 0.5) as i64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFSET: i64 = -7_000_000_000_123;

    fn probe(sent: i64, up: i64, down: i64, offset: i64) -> Probe {
        let arrived = sent + up;
        Probe {
            t1: HostNanos(sent),
            t2: SessionNanos(arrived + offset),
            t3: SessionNanos(arrived + 1_000 + offset),
            t4: HostNanos(arrived + 1_000 + down),
        }
    }

    #[test]
    fn one_probe_gives_the_middle_and_half_the_round_trip() {
        let mut envelope = Envelope::new();
        assert_eq!(envelope.add(probe(5_000_000, 300_000, 500_000, OFFSET)), Verdict::Kept);
        let map = envelope.map().expect("a map");
        assert!((map.offset_ns - OFFSET + 100_000).abs() < 10, "{}", map.offset_ns - OFFSET);
        assert!((map.bound_ns - 400_000).abs() < 1_000, "{}", map.bound_ns);
        assert_eq!(map.rtt_ns, 800_000);
    }

    #[test]
    fn host_and_session_are_inverse() {
        let map = ClockMap { at: HostNanos(1_000), offset_ns: OFFSET, rate: 80e-6, ..ClockMap::IDENTITY };
        for host in [0, 1_000, 77_777_777_777, 600_000_000_000] {
            let back = map.host(map.session(HostNanos(host)));
            assert!((back.0 - host).abs() <= 1, "{host} came back as {}", back.0);
        }
    }

    #[test]
    fn a_set_clock_is_noticed_and_impossible_stamps_are_not_believed() {
        let mut envelope = Envelope::new();
        for n in 0..50 {
            assert_eq!(envelope.add(probe(n * 2_000_000_000, 300_000, 300_000, OFFSET)), Verdict::Kept);
        }
        let after = probe(100_000_000_000, 300_000, 300_000, OFFSET + 5_000_000);
        assert_eq!(envelope.add(after), Verdict::Stepped);
        let map = envelope.map().expect("a map");
        assert_eq!((map.probes, map.offset_ns), (1, OFFSET + 5_000_000));
        let impossible = probe(101_000_000_000, 300_000, -400_000, OFFSET);
        assert_eq!(envelope.add(impossible), Verdict::Impossible);
    }
}
