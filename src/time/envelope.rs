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

mod bounds;
mod shift;

use std::collections::VecDeque;

use self::bounds::{Bounds, Contradiction, Scatter};
use self::shift::{DOUBTS, ShiftWatch};
use super::{ClockMap, HostNanos, SessionNanos};

/// Probes older than this are forgotten.
const WINDOW: i64 = 600_000_000_000;
/// Probes kept.
const CAPACITY: usize = 320;
/// Wander that the fitted rate does not follow.
pub(super) const RHO: f64 = 2e-6;
/// How far rates usually lie apart.
const SIGMA: f64 = 30e-6;
/// How far rates can lie apart, for the fit.
const RATE_LIMIT: f64 = 300e-6;
/// How far rates can lie apart, for the certificate.
pub(super) const HARD: f64 = 100e-6;
/// Bounds that contradict each other by more than this mean that a clock was set, or that a crystal
/// wandered more than ρ: the older half of the window goes until the rest agrees.
const STEP: f64 = 20_000.0;
/// The last so many probes alone must certify what is certified: a clock that was set unannounced, and
/// by too little to be noticed, makes it wrong for no longer than they take (about half a minute).
const TRUSTED: usize = 16;
/// Probes of a window that may shed older ones rather than begin again.
const ENOUGH: usize = 10;
/// Probes of a window whose scatter is told anew every so many probes.
const SETTLED: usize = 64;
const REFRESH: u32 = 8;
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
    /// It is part of the window, but looks as if a clock had been set by less than the round trip: a
    /// burst of probes will tell.
    Doubtful,
    /// It contradicts the window: a clock was set. The window begins again with it, and a burst of
    /// probes should follow.
    Stepped,
    /// Its stamps contradict each other.
    Impossible,
}

/// The estimator of one pair of clocks.
#[derive(Clone, Debug, Default)]
pub struct Envelope {
    probes: VecDeque<Probe>,
    map: Option<ClockMap>,
    scatter: Option<Scatter>,
    /// Probes until the scatter is told anew.
    until_refresh: u32,
    watch: ShiftWatch,
    /// The first probe that looked as if a clock had been set, where that is still open.
    doubted: Option<HostNanos>,
    /// Probes since the host's clock was seen to part from another, while older ones are kept.
    since_parting: Option<usize>,
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

    /// Forgets everything: a clock was set, or the machine has slept.
    pub fn clear(&mut self) {
        *self = Envelope::default();
    }

    /// The session's clock reads so many ns more than it did, and says so: what was measured holds.
    pub fn shift(&mut self, ns: i64) {
        for probe in &mut self.probes {
            (probe.t2, probe.t3) = (probe.t2 + ns, probe.t3 + ns);
        }
        self.map = self.map.map(|map| map.ahead_by(ns));
        self.watch = ShiftWatch::default();
    }

    /// The host's clock may have stepped by up to so many ns, either way: what is certified holds that
    /// much more at once, then by what is measured from here on alone, which soon takes the window's
    /// place. No probe that was under way meanwhile may follow.
    pub fn part(&mut self, by_ns: i64) {
        if self.probes.is_empty() {
            return;
        }
        self.since_parting = Some(0);
        (self.watch, self.doubted) = (ShiftWatch::default(), None);
        if let Some(map) = &mut self.map {
            map.bound_ns = map.bound_ns.saturating_add(by_ns);
        }
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
        let doubts = self.watch.judge(&probe);
        self.probes.push_back(probe);
        self.since_parting = self.since_parting.map(|since| since + 1);
        if self.since_parting == Some(ENOUGH) {
            self.begin_again(ENOUGH);
        }
        if doubts >= DOUBTS {
            self.begin_again(DOUBTS);
            return Verdict::Stepped;
        }
        while self.probes.len() > CAPACITY
            || self.probes.front().is_some_and(|first| probe.t4 - first.t4 > WINDOW)
        {
            self.probes.pop_front();
        }
        if !self.fit_or_shed() {
            self.begin_again(1);
            return Verdict::Stepped;
        }
        if doubts > 0 {
            self.doubted.get_or_insert(probe.t1);
        }
        self.widen();
        if doubts > 0 { Verdict::Doubtful } else { Verdict::Kept }
    }

    /// Lets what is certified hold also by the last few probes alone, and by those since the first
    /// doubtful one: were a clock set unannounced before them, the truth lies there.
    fn widen(&mut self) {
        let Some(map) = &mut self.map else { return };
        let bound = |probes: &mut dyn Iterator<Item = &Probe>| {
            let (mut upper, mut lower) = (i64::MAX, i64::MAX);
            for probe in probes {
                let slack = ((map.at - probe.t1) as f64 * HARD) as i64 + 1;
                upper = upper.min(probe.t2.0 - probe.t1.0 - map.offset_ns + slack);
                lower = lower.min(map.offset_ns - (probe.t3.0 - probe.t4.0) + slack);
            }
            upper.max(lower)
        };
        let alone = self.since_parting.unwrap_or(TRUSTED).min(TRUSTED);
        let known = map.bound_ns.max(bound(&mut self.probes.iter().rev().take(alone)));
        let since =
            |from: HostNanos| bound(&mut self.probes.iter().rev().take_while(|probe| probe.t1 >= from));
        let doubted = self.doubted.map(since).filter(|doubted| *doubted > known);
        if doubted.is_none() {
            self.doubted = None;
        }
        map.bound_ns = doubted.unwrap_or(known);
    }

    /// Makes the estimate, and forgets the older half of the window where a crystal has wandered
    /// from it; false where what is left would be too little: a clock was set.
    fn fit_or_shed(&mut self) -> bool {
        loop {
            match self.fit() {
                Ok(()) => return true,
                Err(Contradiction::Hard) => return false,
                Err(Contradiction::Soft) => {
                    let older = self.probes.len() / 2;
                    if self.probes.len() - older < ENOUGH {
                        return false;
                    }
                    self.probes.drain(..older);
                    self.scatter = None;
                }
            }
        }
    }

    /// Keeps the last few probes alone.
    fn begin_again(&mut self, kept: usize) {
        let older = self.probes.len().saturating_sub(kept);
        self.probes.drain(..older);
        (self.map, self.scatter, self.watch, self.doubted) = (None, None, ShiftWatch::default(), None);
        self.since_parting = None;
        if self.fit().is_err() {
            // The step lies among them: the last one alone contradicts nothing.
            self.probes.drain(..self.probes.len() - 1);
            let _ = self.fit();
        }
    }

    fn fit(&mut self) -> Result<(), Contradiction> {
        let bounds = Bounds::of(&self.probes);
        self.until_refresh = self.until_refresh.saturating_sub(1);
        let scatter = match self.scatter {
            Some(scatter) if self.until_refresh > 0 && self.probes.len() >= SETTLED => scatter,
            _ => {
                self.until_refresh = REFRESH;
                bounds.scatter(&self.probes, self.map.map_or(0.0, |map| map.rate))
            }
        };
        self.scatter = Some(scatter);
        let estimate = bounds.estimate(scatter)?;
        self.watch.believe(&estimate);
        self.map = Some(estimate.map);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFSET: i64 = -7_000_000_000_123;
    const MS: i64 = 1_000_000;

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
        assert!(map.estimated_ns <= map.bound_ns + 1);
        assert_eq!(map.rtt_ns, 800_000);
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

    #[test]
    fn a_clock_set_by_less_than_the_round_trip_is_noticed_by_the_fourth_probe() {
        for by in [25 * MS, -25 * MS] {
            let mut envelope = Envelope::new();
            for n in 0..50 {
                let late = n % 7 * 40_000;
                let before = probe(n * 2_000_000_000, 20 * MS + late, 20 * MS + 3 * late, OFFSET);
                assert_eq!(envelope.add(before), Verdict::Kept);
            }
            let mut add = |n: i64| {
                envelope.add(probe(100_000 * MS + n * 50 * MS, 20 * MS + n * 50_000, 20 * MS, OFFSET + by))
            };
            let doubtful = [0, 1, 2].map(&mut add);
            let last_but_one = envelope.map().expect("a map");
            let verdicts = [
                doubtful[0],
                doubtful[1],
                doubtful[2],
                envelope.add(probe(100_150 * MS, 20 * MS + 150_000, 20 * MS, OFFSET + by)),
            ];
            assert_eq!(verdicts[..3], [Verdict::Doubtful; 3]);
            assert!(
                (last_but_one.offset_ns - OFFSET - by).abs() <= last_but_one.bound_ns,
                "certified for both"
            );
            assert_eq!(verdicts[3], Verdict::Stepped);
            let map = envelope.map().expect("a map");
            assert_eq!(map.probes, 4);
            assert!((map.offset_ns - OFFSET - by).abs() < map.bound_ns);
        }
    }

    #[test]
    fn a_parting_widens_at_once_and_then_only_what_is_measured_after_it_counts() {
        for by in [3 * MS, -3 * MS, 0] {
            let mut envelope = Envelope::new();
            for n in 0..50 {
                envelope.add(probe(n * 2_000_000_000, 20 * MS, 20 * MS, OFFSET));
            }
            let before = envelope.map().expect("a map");
            envelope.part(3 * MS + 100);
            assert_eq!(envelope.map().expect("a map").bound_ns, before.bound_ns + 3 * MS + 100);
            for n in 1..=ENOUGH as i64 {
                envelope.add(probe(100_000 * MS + n * 50 * MS, 20 * MS, 20 * MS, OFFSET + by));
                let map = envelope.map().expect("a map");
                assert!((map.offset_ns - OFFSET - by).abs() <= map.bound_ns, "{by}, probe {n}");
            }
            let map = envelope.map().expect("a map");
            assert_eq!(map.probes, ENOUGH as u32);
            assert!((map.offset_ns - OFFSET - by).abs() < 50_000, "{}", map.offset_ns - OFFSET - by);
        }
    }

    #[test]
    fn a_shift_that_is_told_keeps_what_was_measured() {
        let mut envelope = Envelope::new();
        for n in 0..20 {
            envelope.add(probe(n * 2_000_000_000, 300_000, 300_000, OFFSET));
        }
        let before = envelope.map().expect("a map");
        envelope.shift(7 * MS);
        assert_eq!(envelope.map(), Some(before.ahead_by(7 * MS)));
        assert_eq!(envelope.add(probe(41_000 * MS, 300_000, 300_000, OFFSET + 7 * MS)), Verdict::Kept);
    }
}
