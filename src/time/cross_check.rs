//! The raw clock beside another of the same machine: a step of either shows at the next look.
//!
//! A raw clock that steps is not announced, and what is certified by it is wrong from then on. But the
//! machine has another clock, which is slewed and never set: where the two part by more than that one
//! may lawfully stray, one of them has stepped, and whoever looks knows it at once, before any probe.
//! What may hide below that is [`TOLERANCE`], and is part of every certificate.
//!
//! The law that the other clock keeps: it is slewed against the raw one by up to 1000 ppm (500 by NTP,
//! 500 by `adjtime`), and by other than it was over the last second by up to 100 ppm. One that is
//! slewed faster, as some daemons do after a start, passes for a clock that steps: that costs probes,
//! and no truth.
//!
//! What no clock of the machine can see is all of them standing still alike.
//!
//! Pure: fed with looks. Any thread; realtime-safe.

use super::Look;

/// A step that may hide from the cross-check, in ns: each certificate holds that much more.
pub const TOLERANCE: i64 = 50_000;
/// What a look may leave open. The rest of the tolerance is for a slew that changes at the very look
/// at which the raw clock steps: 2000 ppm of up to 12 ms.
const NOTICED: i64 = TOLERANCE / 2;
/// The most that the other clock is slewed by.
const SLEW: f64 = 1_000e-6;
/// How far its slew strays from what it was over the last second.
const STRAYS: f64 = 100e-6;
/// How long the clocks are watched for their rate to be known, in ns.
const LEARNED: i64 = 1_000_000_000;

/// What a look at the clocks could not rule out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parting {
    /// The raw clock may have stepped by as much since the look before, either way, in ns.
    pub by_ns: i64,
    /// How much more the raw clock gained than the other one, in ns.
    pub gained_ns: i64,
    /// Whether the clocks were seen to part; else nobody has looked for too long to tell.
    pub seen: bool,
}

/// Compares a machine's clocks from look to look.
#[derive(Clone, Copy, Debug, Default)]
pub struct CrossCheck {
    last: Option<Look>,
    /// Where the stretch began over which the rate is learned.
    since: Option<Look>,
    /// What the raw clock gains on the other one, in seconds a second, where it is known.
    rate: Option<f64>,
}

impl CrossCheck {
    /// Nothing seen yet.
    pub fn new() -> CrossCheck {
        CrossCheck::default()
    }

    /// Whether it has watched for long enough to know how the clocks run beside each other. Until then
    /// looks have to be 12 ms apart at most to leave nothing open, and 120 ms from then on.
    pub fn knows_rate(&self) -> bool {
        self.rate.is_some()
    }

    /// Compares with the look before; tells where a step of more than hides in the tolerance cannot be
    /// ruled out. *Realtime-safe: yes.*
    pub fn look(&mut self, look: Look) -> Option<Parting> {
        let last = self.last.replace(look);
        let (Some(last), Some(since)) = (last, self.since) else {
            self.since = Some(look);
            return None;
        };
        let elapsed = elapsed(&last, &look);
        let noise = (last.apart + look.apart) as f64;
        let (gained_ns, rate) = (gained(&last, &look) as f64, self.rate.unwrap_or(0.0));
        let parted = gained_ns - rate * elapsed;
        // Which of the two says how long it was is not known.
        let lawful = self.rate.map_or(SLEW, |_| STRAYS) * elapsed + (rate * gained_ns).abs() + noise;
        let by_ns = (parted.abs() + lawful) as i64;
        let open = by_ns > NOTICED;
        let seen = open && parted.abs() > lawful;
        let span = self::elapsed(&since, &look);
        if seen {
            (self.since, self.rate) = (Some(look), None);
        } else if span >= LEARNED as f64 {
            self.rate = Some((gained(&since, &look) as f64 / span).clamp(-SLEW, SLEW));
            self.since = Some(look);
        }
        open.then_some(Parting { by_ns, gained_ns: parted as i64, seen })
    }
}

/// How much more the raw clock gained than the other one, in ns.
fn gained(from: &Look, to: &Look) -> i64 {
    (to.now - from.now).saturating_sub(to.beside - from.beside)
}

/// How long it was by the clock that says more, in ns.
fn elapsed(from: &Look, to: &Look) -> f64 {
    (to.now - from.now).abs().max((to.beside - from.beside).abs()) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::HostNanos;

    const MS: i64 = 1_000_000;

    /// Clocks that are read at a true time: the other one slewed by so many ppm, the raw one set by
    /// so much.
    fn at(now: i64, slewed: i64, set: i64) -> Look {
        let beside = 77 * MS + now + now / 1_000_000 * slewed;
        Look { now: HostNanos(now + set), beside, apart: 200, slept: 0 }
    }

    #[test]
    fn a_lawful_slew_is_no_step_however_often_it_is_looked_at() {
        for (slewed, every) in [(0, 5), (500, 5), (-1000, 10), (1000, 10), (20, 40)] {
            let mut check = CrossCheck::new();
            for look in 0..1_000 {
                let parting = check.look(at(look * every * MS, slewed, 0));
                // Before the rate is known a wide gap leaves much open, and nothing is seen.
                assert!(parting.is_none_or(|parting| !parting.seen), "{slewed} ppm: {parting:?}");
                assert!(parting.is_none() || look * every <= 1_000, "{slewed} ppm, {look}: {parting:?}");
            }
        }
    }

    #[test]
    fn a_step_of_either_clock_shows_at_the_next_look() {
        for by in [60_000, 100_000, MS, 20 * MS, 3_600_000 * MS].into_iter().flat_map(|by| [by, -by]) {
            for raw in [true, false] {
                let mut check = CrossCheck::new();
                for look in 0..400 {
                    assert_eq!(check.look(at(look * 5 * MS, 300, 0)), None);
                }
                let mut after = at(2_000 * MS, 300, if raw { by } else { 0 });
                after.beside += if raw { 0 } else { by };
                let parting = check.look(after).expect("they parted");
                assert!(parting.seen && parting.by_ns >= by.abs(), "{by}: {parting:?}");
                let off = (parting.gained_ns - if raw { by } else { -by }).abs();
                assert!(off < 2_000 + by.abs() / 1_000, "{by}: {parting:?}");
            }
        }
    }

    #[test]
    fn what_is_not_told_of_lies_within_the_tolerance() {
        for by in (-TOLERANCE..=TOLERANCE).step_by(500) {
            for slewed in [-1000, 0, 1000] {
                let mut check = CrossCheck::new();
                for look in 0..400 {
                    check.look(at(look * 5 * MS, 0, 0));
                }
                let told = check.look(at(2_005 * MS, slewed, by)).map_or(TOLERANCE, |parting| parting.by_ns);
                assert!(told >= by.abs(), "{by}: {told}");
            }
        }
    }

    #[test]
    fn after_a_long_gap_nothing_is_seen_and_something_is_open() {
        let mut check = CrossCheck::new();
        for look in 0..400 {
            check.look(at(look * 5 * MS, 0, 0));
        }
        let parting = check.look(at(3_000 * MS, 0, 0)).expect("too long");
        assert!(!parting.seen && (100_000..110_000).contains(&parting.by_ns), "{parting:?}");
        assert_eq!(check.look(at(3_005 * MS, 0, 0)), None);
    }
}
