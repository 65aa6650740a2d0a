//! The session's reference: whose clock session time is, and how it goes on after a restart.
//!
//! Session time is the reference's raw clock and an offset. A reference that begins again (a
//! restart, a failover to another machine, a sleep) names a new epoch and places its offset by a
//! stored anchor, which is as good as the wall clock. Peers who were there carry the old epoch's
//! time on in hold-over; they measure the new epoch beside it and tell how far the old one is ahead.
//! What the path adds one way stands in both and falls out of the difference, so the phase comes
//! back closer than either bound. The best bounded of those that agree is taken, once.
//!
//! **Several nodes on one session clock.** One node is a session's reference. Any other measures it
//! as a client does, with a [`super::SharedClock`] of its own, and answers probes by that map: it
//! names the reference's epoch and its own certified bound ([`ClockEpoch::bound_ns`]), which its
//! clients add to theirs. Taking over is [`Reference::again`] with the map as anchor.
//!
//! Pure: reads no clock and draws nothing; the owner passes raw time and epochs in.

use serde::{Deserialize, Serialize};

use super::{HostNanos, SessionNanos, TOLERANCE};

const SECOND: i64 = 1_000_000_000;
/// After the first recollection others have this long.
const GATHER: i64 = 3 * SECOND / 2;
/// A reference that nobody remembers keeps its anchor after this long; the longest pause between
/// two tries of a client is shorter.
const PATIENCE: i64 = 45 * SECOND;
/// A recollection that would move session time further is not believed, in ns.
const FURTHEST: i64 = 3_600 * SECOND;
/// Recollections kept.
const MOST: usize = 256;

/// What a reference tells of its clock, before the stamps that count by it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockEpoch {
    /// Names the clock: random, new whenever the reference cannot say how it goes on.
    pub epoch: u64,
    /// Whether it is placed for good; until then it may still move to where its peers remember it.
    pub settled: bool,
    /// How many ns more it reads than the epoch told before on the same connection; 0 where the
    /// receiver has to measure.
    pub shifted_ns: i64,
    /// How far the teller's own stamps may lie from the reference's, in ns: for the reference itself
    /// the step of its raw clock that may hide, [`TOLERANCE`] or more.
    pub bound_ns: u32,
}

/// How a peer remembers the epoch before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recollection {
    /// The epoch it speaks of.
    pub epoch: u64,
    /// That epoch's time less the present one's, in ns.
    pub ahead_ns: i64,
    /// Certified: the truth lies no further away, in ns.
    pub certified_ns: u64,
    /// Estimated bound, in ns.
    pub estimated_ns: u64,
}

/// The clock of a session server's sessions.
#[derive(Clone, Debug)]
pub struct Reference {
    now: ClockEpoch,
    /// Session − raw time.
    offset: i64,
    /// The epoch that peers may remember.
    before: Option<u64>,
    /// When the present epoch began, raw time.
    begun: HostNanos,
    first_recollection: Option<HostNanos>,
    recollections: Vec<Recollection>,
}

impl Reference {
    /// A reference that nobody has met before: session time reads `session` at `raw`.
    pub fn first(raw: HostNanos, session: SessionNanos, epoch: u64) -> Reference {
        let bound_ns = TOLERANCE as u32;
        let now = ClockEpoch { epoch, settled: true, bound_ns, ..ClockEpoch::default() };
        Reference {
            now,
            offset: session.0 - raw.0,
            before: None,
            begun: raw,
            first_recollection: None,
            recollections: Vec::new(),
        }
    }

    /// A reference that goes on after the epoch `before`, at `session` as far as it can tell.
    pub fn again(raw: HostNanos, session: SessionNanos, epoch: u64, before: u64) -> Reference {
        let mut reference = Reference::first(raw, session, epoch);
        reference.now.settled = false;
        reference.before = Some(before);
        reference
    }

    /// Session time at a raw time.
    pub fn session(&self, raw: HostNanos) -> SessionNanos {
        SessionNanos(raw.0 + self.offset)
    }

    /// What to tell of the present epoch to somebody new.
    pub fn epoch(&self) -> ClockEpoch {
        ClockEpoch { shifted_ns: 0, ..self.now }
    }

    /// The epoch to begin after, should the reference end now: not one that was never settled.
    pub fn lasting_epoch(&self) -> u64 {
        self.before.unwrap_or(self.now.epoch)
    }

    /// The raw clock has missed so many ns (the machine slept, or the clock was set back; less than 0
    /// where it was set forward): a new epoch, placed by that figure until a peer remembers better.
    pub fn missed(&mut self, raw: HostNanos, ns: i64, epoch: u64) {
        let session = self.session(raw) + ns;
        *self = Reference::again(raw, session, epoch, self.lasting_epoch());
    }

    /// How large a step of the raw clock may hide, in ns; whether that is news.
    pub fn hide(&mut self, ns: i64) -> bool {
        let bound_ns = u32::try_from(ns.max(TOLERANCE)).unwrap_or(u32::MAX);
        std::mem::replace(&mut self.now.bound_ns, bound_ns) != bound_ns
    }

    /// A peer's recollection; those of other epochs, or too far off, are not believed.
    pub fn recall(&mut self, recollection: Recollection, raw: HostNanos) {
        let speaks_of = self.before == Some(recollection.epoch) && !self.now.settled;
        let plausible = (-FURTHEST..=FURTHEST).contains(&recollection.ahead_ns)
            && recollection.certified_ns < FURTHEST as u64;
        if speaks_of && plausible && self.recollections.len() < MOST {
            self.first_recollection.get_or_insert(raw);
            self.recollections.push(recollection);
        }
    }

    /// When [`Reference::settle`] has something to do; `None` once it is settled.
    pub fn due(&self) -> Option<HostNanos> {
        let since = |at: HostNanos, ns| HostNanos(at.0 + ns);
        (!self.now.settled).then(|| match self.first_recollection {
            Some(first) => since(first, GATHER),
            None => since(self.begun, PATIENCE),
        })
    }

    /// Settles if that is due: under a new epoch where peers remember the one before, else under
    /// the present one. Returns what to tell those who measure it.
    pub fn settle(&mut self, raw: HostNanos, epoch: u64) -> Option<ClockEpoch> {
        if self.due().is_none_or(|due| raw < due) {
            return None;
        }
        self.now.settled = true;
        self.now.shifted_ns = 0;
        if let Some(best) = best(&self.recollections) {
            self.offset += best.ahead_ns;
            (self.now.epoch, self.now.shifted_ns) = (epoch, best.ahead_ns);
        }
        self.before = None;
        self.recollections = Vec::new();
        Some(self.now)
    }
}

/// The best bounded of the recollections that agree with the most others: each is an interval that
/// holds the truth, so those of the true time have a point in common (Marzullo, 1984).
fn best(all: &[Recollection]) -> Option<Recollection> {
    let certified = |one: &Recollection| one.certified_ns as i64;
    let agreeing = |one: &Recollection| {
        let agrees = |other: &&Recollection| {
            (one.ahead_ns - other.ahead_ns).abs() <= certified(one) + certified(other)
        };
        all.iter().filter(agrees).count()
    };
    let most = all.iter().map(agreeing).max()?;
    let agreed = all.iter().filter(|one| agreeing(one) == most);
    agreed.min_by_key(|one| (one.estimated_ns, one.certified_ns)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    fn remembers(ahead_ns: i64, estimated_ns: u64, certified_ns: u64) -> Recollection {
        Recollection { epoch: 7, ahead_ns, certified_ns, estimated_ns }
    }

    fn begun_again() -> Reference {
        Reference::again(HostNanos(0), SessionNanos(100), 8, 7)
    }

    #[test]
    fn the_best_bounded_of_those_who_agree_places_the_new_epoch() {
        let mut reference = begun_again();
        reference.recall(remembers(-5 * MS, 300_000, 20_000_000), HostNanos(10));
        reference.recall(remembers(-5 * MS + 40_000, 20_000, 400_000), HostNanos(11));
        // Sure of something that nobody else saw.
        reference.recall(remembers(900 * MS, 0, 0), HostNanos(12));
        assert_eq!(reference.settle(HostNanos(GATHER), 9), None);
        let told = reference.settle(HostNanos(GATHER + 10), 9).expect("due");
        let shifted_ns = -5 * MS + 40_000;
        assert_eq!(told, ClockEpoch { epoch: 9, settled: true, shifted_ns, bound_ns: TOLERANCE as u32 });
        assert_eq!(reference.session(HostNanos(0)), SessionNanos(100 + shifted_ns));
        assert_eq!((reference.due(), reference.lasting_epoch()), (None, 9));
    }

    #[test]
    fn what_nobody_remembers_stays_where_the_anchor_put_it() {
        let mut reference = begun_again();
        reference.recall(Recollection { epoch: 6, ..remembers(MS, 1, 1) }, HostNanos(1));
        reference.recall(remembers(i64::MIN, 1, 1), HostNanos(1));
        reference.recall(remembers(0, 0, u64::MAX), HostNanos(1));
        assert_eq!(reference.due(), Some(HostNanos(PATIENCE)));
        assert_eq!(reference.lasting_epoch(), 7, "a crash now must not forget the epoch that peers know");
        let told = reference.settle(HostNanos(PATIENCE), 9).expect("due");
        assert_eq!(told, ClockEpoch { epoch: 8, settled: true, shifted_ns: 0, bound_ns: TOLERANCE as u32 });
        assert_eq!(reference.session(HostNanos(0)), SessionNanos(100));
    }

    #[test]
    fn a_sleep_or_a_set_clock_is_a_restart() {
        let mut reference = Reference::first(HostNanos(0), SessionNanos(0), 7);
        reference.missed(HostNanos(50), 1_000, 8);
        assert_eq!(reference.session(HostNanos(50)), SessionNanos(1_050));
        assert!(!reference.epoch().settled);
        assert_eq!(reference.lasting_epoch(), 7);
    }
}
