//! What a window of probes says together.

use std::collections::VecDeque;

use super::{HARD, LEAST_EXCESS, Probe, RATE_LIMIT, RHO, SIGMA, STEP};
use crate::time::clock_map::nearest;
use crate::time::{ClockMap, HostNanos, golden_section};

/// Probes from which the spread of the tightest bounds is told.
const SPREAD_FROM: usize = 8;
/// The place, from the tightest, of the bound that tells the spread.
const SPREAD_PLACE: usize = 3;

/// One probe's bounds on the offset, relative to the first probe's, and its ages, in ns.
struct Bound {
    upper: f64,
    lower: f64,
    /// Since the probe's middle.
    age: f64,
    /// Since it was sent: at least the age of either bound.
    full_age: f64,
}

/// How a window scatters, in ns. Changes slowly.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scatter {
    /// The mean one-way excess over the floor.
    pub excess: f64,
    /// How far the tightest few upper and lower bounds lie apart.
    pub up: f64,
    pub down: f64,
    /// The median round trip.
    pub rtt: i64,
}

/// A window's estimate, and what a later probe is judged by.
pub(super) struct Estimate {
    pub map: ClockMap,
    /// How far the tightest upper bound lies above the offset, and the lower below, in ns.
    pub above: f64,
    pub below: f64,
    pub scatter: Scatter,
    /// How long the window is, in ns.
    pub span: f64,
}

/// Why a window has no estimate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Contradiction {
    /// At no rate that a crystal wanders by as it should.
    Soft,
    /// At no rate at all.
    Hard,
}

/// A window of probes as bounds.
pub(super) struct Bounds {
    at: HostNanos,
    origin: i64,
    bounds: Vec<Bound>,
    /// The bounds that are the tightest at some rate, as (age, bound).
    uppers: Vec<(f64, f64)>,
    lowers: Vec<(f64, f64)>,
}

impl Bounds {
    /// The bounds of a window that is not empty.
    pub fn of(probes: &VecDeque<Probe>) -> Bounds {
        let (first, last) = (probes[0], probes[probes.len() - 1]);
        let origin = first.t2.0 - first.t1.0;
        let bound = |probe: &Probe| Bound {
            upper: (probe.t2.0 - probe.t1.0 - origin) as f64,
            lower: (probe.t3.0 - probe.t4.0 - origin) as f64,
            age: (last.t4 - probe.t1) as f64 - 0.5 * (probe.t4 - probe.t1) as f64,
            full_age: (last.t4 - probe.t1) as f64,
        };
        let bounds: Vec<Bound> = probes.iter().map(bound).collect();
        let uppers = lower_hull(bounds.iter().map(|bound| (bound.age, bound.upper)));
        let mut lowers = lower_hull(bounds.iter().map(|bound| (bound.age, -bound.lower)));
        lowers.iter_mut().for_each(|(_, lower)| *lower = -*lower);
        Bounds { at: last.t4, origin, bounds, uppers, lowers }
    }

    /// The estimate as of the last probe.
    pub fn estimate(&self, scatter: Scatter) -> Result<Estimate, Contradiction> {
        let weight = self.bounds.len() as f64 / scatter.excess;
        let likelihood = |rate: f64| {
            let (upper, lower) = self.aged(rate);
            (upper - lower) * weight - rate * rate / (2.0 * SIGMA * SIGMA)
        };
        let rate = golden_section(likelihood, -RATE_LIMIT, RATE_LIMIT, 40);
        let (upper, lower) = self.aged(rate);
        let (highest, lowest) = self.certain();
        if lowest > highest {
            return Err(Contradiction::Hard);
        }
        if lower > upper + STEP {
            return Err(Contradiction::Soft);
        }
        let offset = (0.5 * (upper + lower)).max(lowest).min(highest);
        let bound = (highest - offset).max(offset - lowest);
        let known = self.bounds.len() >= SPREAD_FROM;
        let estimated = if known { LEAST_EXCESS + 1.25 * (scatter.up + scatter.down) } else { bound };
        let map = ClockMap {
            at: self.at,
            offset_ns: self.origin + nearest(offset),
            rate,
            bound_ns: nearest(bound) + 1,
            estimated_ns: nearest(estimated.min(bound)) + 1,
            rtt_ns: scatter.rtt,
            probes: self.bounds.len() as u32,
        };
        let span = self.bounds[0].full_age;
        Ok(Estimate { map, above: upper - offset, below: offset - lower, scatter, span })
    }

    /// How the window scatters, were the rate this.
    pub fn scatter(&self, probes: &VecDeque<Probe>, rate: f64) -> Scatter {
        let mut trips: Vec<i64> = probes.iter().map(Probe::round_trip).collect();
        let middle = trips.len() / 2;
        let rtt = *trips.select_nth_unstable(middle).1;
        let up = spread(self.bounds.iter().map(|bound| bound.upper + (rate + RHO) * bound.age));
        let down = spread(self.bounds.iter().map(|bound| -bound.lower - (rate - RHO) * bound.age));
        Scatter { excess: self.mean_excess(rate), up, down, rtt }
    }

    /// The tightest upper and lower bound now, were the rate this.
    fn aged(&self, rate: f64) -> (f64, f64) {
        let upper = self.uppers.iter().map(|(age, upper)| upper + (rate + RHO) * age);
        let lower = self.lowers.iter().map(|(age, lower)| lower + (rate - RHO) * age);
        (upper.fold(f64::INFINITY, f64::min), lower.fold(f64::NEG_INFINITY, f64::max))
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

/// How far the tightest few bounds lie apart: about as far as the tightest itself lies from the
/// floor. All that is known, where there are few.
fn spread(aged: impl Iterator<Item = f64>) -> f64 {
    let mut aged: Vec<f64> = aged.collect();
    let place = SPREAD_PLACE.min(aged.len() - 1);
    let (tighter, at, _) = aged.select_nth_unstable_by(place, f64::total_cmp);
    *at - tighter.iter().copied().fold(*at, f64::min)
}

/// The points that are the lowest along some slope: Andrew's monotone chain, its lower half.
fn lower_hull(points: impl Iterator<Item = (f64, f64)>) -> Vec<(f64, f64)> {
    let mut points: Vec<(f64, f64)> = points.collect();
    if !points.is_sorted_by(|a, b| a.0 >= b.0) {
        points.sort_by(|a, b| b.0.total_cmp(&a.0));
    }
    let mut hull: Vec<(f64, f64)> = Vec::with_capacity(16);
    for point in points {
        while let [.., a, b] = hull[..] {
            // Ages fall: `b` stays where it lies below the line from `a` to the point.
            let turn = (b.0 - a.0) * (point.1 - a.1) - (b.1 - a.1) * (point.0 - a.0);
            if turn < 0.0 {
                break;
            }
            hull.pop();
        }
        hull.push(point);
    }
    hull
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hull_keeps_the_lowest_point_of_every_slope() {
        let mut noise = 7u64;
        let mut draw = || {
            noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (noise >> 40) as f64
        };
        for count in [1, 2, 3, 7, 320] {
            let points: Vec<(f64, f64)> = (0..count).map(|n| (1e9 * f64::from(count - n), draw())).collect();
            let hull = lower_hull(points.iter().copied());
            for slope in -20..=20 {
                let slope = f64::from(slope) * 15e-6;
                let lowest = |points: &[(f64, f64)]| {
                    points.iter().map(|(x, y)| y + slope * x).fold(f64::INFINITY, f64::min)
                };
                assert_eq!(lowest(&points), lowest(&hull), "{count} points, slope {slope}");
            }
        }
    }
}
