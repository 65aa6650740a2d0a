//! Session time on this machine: a reference over the raw monotonic clock, kept through restarts.
//!
//! Thread: any. The store keeps where session time stood by the wall clock, at most half a minute
//! ago; a server that comes back goes on from there and then takes the place that its peers
//! remember ([`Reference`]).

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use rand::Rng;
use tokio::sync::watch;

use super::store::{Store, StoreError};
use crate::time::{Clock, ClockEpoch, HostNanos, RawClock, Recollection, Reference, SessionNanos};

/// How often the machine's sleep is looked for, and a reference that has gathered settles.
const LOOK: Duration = Duration::from_millis(250);
/// How often the place in session time is stored.
const KEEP: Duration = Duration::from_secs(30);
/// The machine has slept when its clocks part by more than this between two looks, in ns.
const NAP: i64 = 1_000_000;

/// The clock of every session of this process.
#[derive(Clone, Debug)]
pub struct ServerClock {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    reference: Mutex<Reference>,
    stamps: watch::Sender<Stamps>,
}

/// How raw time becomes session time in one epoch.
#[derive(Clone, Copy, Debug)]
pub struct Stamps {
    /// The epoch, as it is told to whoever measured the one before it.
    told: ClockEpoch,
    /// That one.
    before: Option<u64>,
    /// Session − raw time.
    offset: i64,
}

impl Stamps {
    /// Session time now.
    pub fn now(&self) -> SessionNanos {
        SessionNanos(RawClock.now().0 + self.offset)
    }

    /// What to tell of them to somebody who was last told of `known`.
    pub fn told_after(&self, known: Option<&Stamps>) -> ClockEpoch {
        let follows = self.before.is_some() && known.map(|known| known.told.epoch) == self.before;
        ClockEpoch { shifted_ns: if follows { self.told.shifted_ns } else { 0 }, ..self.told }
    }
}

/// Where session time stood when it was last stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// The epoch that peers may remember.
    pub epoch: u64,
    /// Session time.
    pub session: SessionNanos,
    /// The wall clock then, ns since 1970.
    pub wall: i64,
}

impl ServerClock {
    /// A clock that goes on from where the store left it; in a new store session time begins when
    /// the store was made.
    ///
    /// # Errors
    /// The store fails.
    pub async fn start(store: &Store) -> Result<ServerClock, StoreError> {
        let (raw, wall) = (RawClock.now(), wall_nanos());
        let reference = match store.clock_anchor().await? {
            Some(anchor) => {
                // A wall clock that was set back does not take session time with it.
                let session = anchor.session + (wall - anchor.wall).max(0);
                Reference::again(raw, session, random(), anchor.epoch)
            }
            None => {
                let made = store.created_at().await?;
                Reference::first(raw, SessionNanos((wall - made).max(0)), random())
            }
        };
        Ok(ServerClock::of(reference))
    }

    fn of(reference: Reference) -> ServerClock {
        let stamps = Stamps { told: reference.epoch(), before: None, offset: offset(&reference) };
        let (stamps, _) = watch::channel(stamps);
        ServerClock { shared: Arc::new(Shared { reference: Mutex::new(reference), stamps }) }
    }

    /// Session time now.
    pub fn now(&self) -> SessionNanos {
        self.shared.stamps.borrow().now()
    }

    /// Names the clock as it is now.
    pub fn epoch(&self) -> u64 {
        self.shared.stamps.borrow().told.epoch
    }

    /// How to stamp, and word of every change of it.
    pub fn stamps(&self) -> watch::Receiver<Stamps> {
        self.shared.stamps.subscribe()
    }

    /// A peer's recollection of the epoch before.
    pub fn recall(&self, recollection: Recollection) {
        self.shared.reference.lock().recall(recollection, RawClock.now());
    }

    fn anchor(&self) -> Anchor {
        let reference = self.shared.reference.lock();
        let session = reference.session(RawClock.now());
        Anchor { epoch: reference.lasting_epoch(), session, wall: wall_nanos() }
    }

    /// Settles, notices when the machine has slept, and stores where session time stands. Never
    /// ends.
    pub async fn keep(&self, store: &Store) {
        let mut slept = RawClock.slept();
        let mut kept: Option<tokio::time::Instant> = None;
        loop {
            let sleep = RawClock.slept() - slept;
            slept += sleep;
            let changed = (sleep > NAP && self.woke(sleep)) || self.settle(RawClock.now());
            if changed || kept.is_none_or(|kept| kept.elapsed() >= KEEP) {
                self.store_anchor(store).await;
                kept = Some(tokio::time::Instant::now());
            }
            // No system tells of a sleep or a step; they are looked for.
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Stores where session time stands.
    pub async fn store_anchor(&self, store: &Store) {
        if let Err(error) = store.keep_clock_anchor(self.anchor()).await {
            tracing::warn!(%error, "the place in session time is not stored");
        }
    }

    fn woke(&self, sleep: i64) -> bool {
        let mut reference = self.shared.reference.lock();
        reference.slept(RawClock.now(), sleep, random());
        tracing::warn!(sleep, "the machine has slept; session time goes on from what its peers remember");
        self.publish(&reference, reference.epoch(), None);
        true
    }

    fn settle(&self, now: HostNanos) -> bool {
        let mut reference = self.shared.reference.lock();
        let before = reference.epoch().epoch;
        let Some(told) = reference.settle(now, random()) else { return false };
        tracing::info!(shifted_ns = told.shifted_ns, "session time is settled");
        self.publish(&reference, told, Some(before));
        true
    }

    fn publish(&self, reference: &Reference, told: ClockEpoch, before: Option<u64>) {
        self.shared.stamps.send_replace(Stamps { told, before, offset: offset(reference) });
    }
}

fn offset(reference: &Reference) -> i64 {
    reference.session(HostNanos(0)).0
}

fn wall_nanos() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as i64)
}

fn random() -> u64 {
    rand::rng().next_u64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn session_time_goes_on_over_a_restart_and_takes_the_place_that_peers_remember() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path()).await.expect("a store");
        let first = ServerClock::start(&store).await.expect("a clock");
        assert!(first.stamps().borrow().told.settled);
        first.store_anchor(&store).await;
        let second = ServerClock::start(&store).await.expect("a clock");
        let known = *second.stamps().borrow();
        assert!(!known.told.settled && second.epoch() != first.epoch());
        let off = second.now() - first.now();
        assert!(off.abs() < 100_000_000, "{off} ns by the wall clock");
        // A server that dies before it has settled forgets nothing.
        second.store_anchor(&store).await;
        assert_eq!(store.clock_anchor().await.expect("read").map(|at| at.epoch), Some(first.epoch()));

        let ahead_ns = 5_000_000;
        let epoch = first.epoch();
        second.recall(Recollection { epoch, ahead_ns, certified_ns: 10, estimated_ns: 1 });
        assert!(!second.settle(RawClock.now()));
        assert!(second.settle(HostNanos(RawClock.now().0 + 60_000_000_000)));
        let stamps = *second.stamps().borrow();
        assert_eq!(stamps.told_after(Some(&known)).shifted_ns, ahead_ns);
        assert_eq!(stamps.told_after(None).shifted_ns, 0);
        assert_eq!(stamps.offset - known.offset, ahead_ns);
        second.store_anchor(&store).await;
        assert_eq!(store.clock_anchor().await.expect("read").map(|at| at.epoch), Some(second.epoch()));
    }
}
