//! Sample position against host time: the lower envelope of a device's callbacks.
//!
//! A callback can come late but never early, so the truth lies on the lower envelope of the stamps.
//! With x the device's time (frames at its nominal rate) and y = stamp − x, the line y = a + b·x
//! under all stamps that lies highest at their mean is the likeliest for late callbacks of an
//! exponential law (Moon, Skelly, Towsley 1999); everything is counted from the newest stamp, so
//! that no long position is squared. A prior of ± 50 ppm holds b while the stamps are few, and 2 ppm
//! of ageing lets the line follow a crystal's wander.
//!
//! Hosts that split their blocks call several times at once: a callback counts only where more than
//! half of the samples' own time has passed since the last that counted. Hosts that prefetch call whenever
//! they like: their stamps lie so far above the envelope that nobody can tell when a sample sounds,
//! and [`SampleClock::prefetch_ns`] says so.
//!
//! Thread: audio. Realtime-safe: yes; fixed memory (240 stretches of half a second), some ns a
//! callback and some 20 µs twice a second. Pure: fed with stamps.

use crate::time::{HostNanos, golden_section};

const SECOND: f64 = 1e9;
/// A stretch of which the earliest stamp is kept, in ns of device time.
const STRETCH: f64 = 0.5 * SECOND;
/// Stretches kept: 120 s.
const STRETCHES: usize = 240;
/// Wander that the rate does not follow.
const RHO: f64 = 2e-6;
/// How far a device's rate usually lies from its nominal one.
const SIGMA: f64 = 50e-6;
/// How far it can lie from it.
const RATE_LIMIT: f64 = 1_000e-6;
/// Before so much device time nobody can say anything, in ns.
const SETTLE: f64 = 0.2 * SECOND;
/// Stamps that all lie this far above the line for [`LOST`] stretches mean that the device has lost
/// time: a dropout, a suspended host. In ns.
const STEP: f64 = 1_000_000.0;
const LOST: usize = 4;
/// The least mean lateness the fit believes in, in ns.
const LEAST_EXCESS: f64 = 1_000.0;
/// Callbacks over which prefetching is judged.
const JUDGED: u32 = 256;
/// Beyond two blocks, a callback this much late was none that a device asked for, in ns.
const BEYOND: f64 = 2_000_000.0;

/// The earliest stamp of a stretch: device time and lateness against the nominal rate, in ns from
/// the clock's own zero.
#[derive(Clone, Copy, Debug, Default)]
struct Stamp {
    x: f64,
    y: f64,
}

/// What ties a device's frames to host time.
#[derive(Debug)]
pub struct SampleClock {
    ns_a_frame: f64,
    /// The first stamp: x and y count from it.
    zero: Option<(i64, HostNanos)>,
    stretches: [Stamp; STRETCHES],
    /// The oldest kept, and how many are.
    first: usize,
    kept: usize,
    /// The earliest of the stretch under way, and when that ends.
    earliest: Option<Stamp>,
    stretch_ends: f64,
    /// The last callback that counted.
    last: (i64, HostNanos),
    /// The line: y = a at device time `x`, rising by `rate` a ns.
    line: Line,
    /// Of the last callbacks, which came too late for a device (bit n % 64 of word n / 64).
    late: [u64; JUDGED as usize / 64],
    judged: u32,
    /// The mean of frames between two counted callbacks.
    block: f64,
    worst: f64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Line {
    x: f64,
    a: f64,
    rate: f64,
}

impl Line {
    fn at(&self, x: f64) -> f64 {
        self.a + self.rate * (x - self.x)
    }
}

impl SampleClock {
    /// The clock of a device of this nominal rate in Hz.
    pub fn new(rate: f64) -> SampleClock {
        SampleClock {
            ns_a_frame: SECOND / rate,
            zero: None,
            stretches: [Stamp::default(); STRETCHES],
            first: 0,
            kept: 0,
            earliest: None,
            stretch_ends: 0.0,
            last: (0, HostNanos(0)),
            line: Line::default(),
            late: [0; JUDGED as usize / 64],
            judged: 0,
            block: 0.0,
            worst: 0.0,
        }
    }

    /// Forgets everything.
    pub fn reset(&mut self) {
        *self = SampleClock::new(SECOND / self.ns_a_frame);
    }

    /// Takes a callback's stamp: the block that begins with `frame` was asked for at `now`.
    pub fn stamp(&mut self, frame: i64, now: HostNanos) {
        let Some((first, zero)) = self.zero else {
            (self.zero, self.last) = (Some((frame, now)), (frame, now));
            return self.count(Stamp::default(), 0);
        };
        let (frames, passed) = (frame - self.last.0, now - self.last.1);
        if frames < 0 || passed < 0 {
            self.reset();
            return self.stamp(frame, now);
        }
        // Half of the samples' own time must have passed, else it is a piece of the same block.
        if frames == 0 || (passed as f64) <= 0.5 * frames as f64 * self.ns_a_frame {
            return;
        }
        self.last = (frame, now);
        let x = (frame - first) as f64 * self.ns_a_frame;
        self.count(Stamp { x, y: (now - zero) as f64 - x }, frames);
    }

    fn count(&mut self, stamp: Stamp, frames: i64) {
        self.judge(stamp, frames);
        let over = stamp.y - self.line.at(stamp.x);
        let earlier = |other: &Stamp| over < other.y - self.line.at(other.x);
        if self.earliest.as_ref().is_none_or(earlier) {
            self.earliest = Some(stamp);
        }
        if stamp.x >= self.stretch_ends {
            self.close_stretch(stamp.x);
            self.fit(stamp.x);
        } else if over < 0.0 || self.kept < 2 {
            // Earlier than thought: believed at once.
            self.fit(stamp.x);
        }
    }

    fn close_stretch(&mut self, x: f64) {
        self.stretch_ends = x + STRETCH;
        let Some(stamp) = self.earliest.take() else { return };
        if self.kept == STRETCHES {
            (self.first, self.kept) = ((self.first + 1) % STRETCHES, STRETCHES - 1);
        }
        self.stretches[(self.first + self.kept) % STRETCHES] = stamp;
        self.kept += 1;
        let newest = self.kept.saturating_sub(LOST);
        let lost = |stamp: Stamp| stamp.y - self.line.at(stamp.x) > STEP;
        if newest > 0 && (newest..self.kept).all(|n| lost(self.stretch(n))) {
            self.first = (self.first + newest) % STRETCHES;
            self.kept = LOST;
        }
    }

    fn stretch(&self, n: usize) -> Stamp {
        self.stretches[(self.first + n) % STRETCHES]
    }

    fn stamps(&self) -> impl Iterator<Item = Stamp> + '_ {
        (0..self.kept).map(|n| self.stretch(n)).chain(self.earliest)
    }

    /// Lays the line anew, as of device time `now`.
    fn fit(&mut self, now: f64) {
        let (mut count, mut mean, mut excess) = (0.0, 0.0, 0.0);
        for stamp in self.stamps() {
            count += 1.0;
            mean += stamp.x - now;
            excess += (stamp.y - self.line.at(stamp.x)).max(0.0);
        }
        let (mean, weight) = (mean / count, count / (excess / count).max(LEAST_EXCESS));
        let likelihood = |rate: f64| {
            let highest = self.level(rate, now) + rate * mean;
            highest * weight - rate * rate / (2.0 * SIGMA * SIGMA)
        };
        let rate = golden_section(likelihood, -RATE_LIMIT, RATE_LIMIT, 30);
        self.line = Line { x: now, a: self.level(rate, now), rate };
    }

    /// How high a line of this rate lies at `now`.
    fn level(&self, rate: f64, now: f64) -> f64 {
        self.stamps().fold(f64::INFINITY, |level, stamp| {
            let age = now - stamp.x;
            level.min(stamp.y + rate * age + RHO * age)
        })
    }

    /// Judges whether a counted callback came when a device would have asked.
    fn judge(&mut self, stamp: Stamp, frames: i64) {
        let share = if self.block == 0.0 { 1.0 } else { 1.0 / 16.0 };
        self.block += (frames as f64 - self.block) * share;
        let over = stamp.y - self.line.at(stamp.x);
        let is_late = over > 2.0 * self.block * self.ns_a_frame + BEYOND;
        let (word, bit) = (self.judged as usize % JUDGED as usize / 64, self.judged % 64);
        self.late[word] = self.late[word] & !(1 << bit) | u64::from(is_late) << bit;
        self.judged = if self.judged == 2 * JUDGED - 1 { JUDGED } else { self.judged + 1 };
        self.worst = if is_late { self.worst.max(over) } else { self.worst * 0.999 };
    }

    /// Where more than one in twenty of the last 256 callbacks came over two blocks and 2 ms late:
    /// by how much the latest did, in ns. The host then renders when it likes, and no stamp tells
    /// when a sample sounds.
    pub fn prefetch_ns(&self) -> Option<i64> {
        let late: u32 = self.late.iter().map(|word| word.count_ones()).sum();
        (self.judged >= JUDGED / 4 && late * 20 > self.judged.min(JUDGED)).then_some(self.worst as i64)
    }

    /// Whether enough callbacks have come to tell the time.
    pub fn is_settled(&self) -> bool {
        self.zero.is_some() && self.line.x >= SETTLE
    }

    /// When a frame is due, in host time; `None` before 0.2 s of callbacks.
    pub fn due(&self, frame: i64) -> Option<HostNanos> {
        let (first, zero) = self.zero.filter(|_| self.is_settled())?;
        let x = (frame - first) as f64 * self.ns_a_frame;
        Some(HostNanos(zero.0 + floor(x + self.line.at(x) + 0.5)))
    }

    /// The last frame that is due at or before a host time.
    pub fn frame_at(&self, host: HostNanos) -> Option<i64> {
        let (first, zero) = self.zero.filter(|_| self.is_settled())?;
        // host − zero = x + a + rate · (x − x₀)
        let span = (host - zero) as f64 - self.line.a + self.line.rate * self.line.x;
        Some(first + floor(span / (1.0 + self.line.rate) / self.ns_a_frame))
    }

    /// What the device's frames last longer than by its nominal rate, in parts.
    pub fn rate(&self) -> f64 {
        self.line.rate
    }
}

fn floor(value: f64) -> i64 {
    let whole = value as i64;
    if (whole as f64) > value { whole - 1 } else { whole }
}

#[cfg(test)]
mod tests;
