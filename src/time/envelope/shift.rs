//! A clock that was set by less than the round trip.
//!
//! Nobody sets a raw clock, and no step of the wall clock touches it. It loses time while the machine
//! sleeps, which another clock counts, and where it steps alone another clock parts from it
//! ([`crate::time::CrossCheck`]). While a machine that is virtual stands without being told, all its
//! clocks stand: that alone looks like this, and before the first probe behind it nobody can know of it.
//!
//! Such a step contradicts no bound: the upper ones of before and the lower ones of after still
//! enclose something, and the truth may lie outside. But it shows: one side's bounds come in tighter
//! than any before, the other's are looser by as much, and no probe is as it was. One such probe is
//! a doubt, and asks for a burst; four in a row are a step. Until that is settled, what is certified holds either way. A route that grows shorter one way and
//! as much longer the other looks the same; then forgetting costs a burst and no more.

use super::bounds::Estimate;
use super::{HARD, Probe};
use crate::time::{ClockMap, HostNanos};

/// Probes of a window that is believed.
const BELIEVED: u32 = 10;
/// Doubtful probes in a row that make a step.
pub(super) const DOUBTS: usize = 4;
/// What a window's rate may err by until the next probe, at least; a short window's may err by more.
const RATE_ERROR: f64 = 10e-6;
/// The least step that is looked for, in ns, beside thrice the scatter of the side that tightens and
/// this share of the way: a step of less than the way leaves the truth inside the bounds.
const LEAST: f64 = 20_000.0;
const WAY: f64 = 0.4;

/// The window as it was last believed.
#[derive(Clone, Copy, Debug)]
struct Believed {
    map: ClockMap,
    above: f64,
    below: f64,
    least_up: f64,
    least_down: f64,
    rate_error: f64,
}

/// Watches probes for a small step.
#[derive(Clone, Debug, Default)]
pub(super) struct ShiftWatch {
    believed: Option<Believed>,
    doubts: usize,
}

impl ShiftWatch {
    /// Judges a probe against the window before it, and gives how many in a row are doubtful.
    pub fn judge(&mut self, probe: &Probe) -> usize {
        let doubtful = self.believed.is_some_and(|believed| believed.is_contradicted(probe));
        self.doubts = if doubtful { self.doubts + 1 } else { 0 };
        self.doubts
    }

    /// Takes a new estimate for the window to judge by, while nothing is in doubt.
    pub fn believe(&mut self, estimate: &Estimate) {
        if self.doubts > 0 || estimate.map.probes < BELIEVED {
            return;
        }
        let Estimate { map, above, below, scatter, span } = *estimate;
        let rate_error = (3.0 * scatter.excess / span.max(1.0)).max(RATE_ERROR).min(HARD + map.rate.abs());
        let least = |spread: f64| LEAST + 3.0 * spread + WAY * (0.5 * (above + below)).max(0.0);
        let (least_up, least_down) = (least(scatter.up), least(scatter.down));
        self.believed = Some(Believed { map, above, below, least_up, least_down, rate_error });
    }
}

impl Believed {
    /// Whether both sides moved the same way, one of them past all that the window saw.
    fn is_contradicted(&self, probe: &Probe) -> bool {
        let middle = HostNanos(probe.t1.0 + (probe.t4 - probe.t1) / 2);
        let offset = self.map.offset_at(middle);
        let upper = (probe.t2.0 - probe.t1.0 - offset) as f64 - self.above;
        let lower = (probe.t3.0 - probe.t4.0 - offset) as f64 + self.below;
        let strayed = self.rate_error * (middle - self.map.at).abs() as f64;
        let forward = lower > self.least_down + strayed && upper > 0.8 * lower;
        let back = upper < -(self.least_up + strayed) && lower < 0.8 * upper;
        forward || back
    }
}
