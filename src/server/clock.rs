//! Session time on this machine: a reference over the raw monotonic clock, kept through restarts.
//!
//! Thread: any. The store keeps where session time stood by the wall clock, at most half a minute
//! ago; a server that comes back goes on from there and then takes the place that its peers
//! remember ([`Reference`]). Every stamp looks at the machine's clocks side by side: one that has
//! stepped ([`CrossCheck`]) ends the epoch before anything is stamped by it.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use rand::Rng;
use tokio::sync::watch;

use super::store::{Store, StoreError};
use crate::time::{
    Clock, ClockEpoch, CrossCheck, HostNanos, Parting, RawClock, Recollection, Reference, SessionNanos,
};

/// How often the machine's clocks are looked at beside each other, and a reference that has gathered
/// settles; more often while it is not known how they run.
const LOOK: Duration = Duration::from_millis(50);
const FIRST_LOOK: Duration = Duration::from_millis(5);
/// How long peers are told of what may have hidden in a pause of the looks: until what they know rests
/// on probes of after it (sixteen, 2 s apart), in ns.
const DOUBT: i64 = 60_000_000_000;
/// How often the place in session time is stored.
const KEEP: Duration = Duration::from_secs(30);
/// The machine has slept when its clocks part by more than this between two looks, in ns.
const NAP: i64 = 1_000_000;

/// The clock of every session of this process.
#[derive(Clone)]
pub struct ServerClock {
    shared: Arc<Shared>,
}

struct Shared {
    clock: Box<dyn Clock + Sync>,
    kept: Mutex<Kept>,
    stamps: watch::Sender<Stamps>,
}

/// The reference, and how its raw clock runs.
struct Kept {
    reference: Reference,
    check: CrossCheck,
    /// What the machine had slept at the last look.
    slept: i64,
    /// Until when peers are told of more than the tolerance, raw time.
    doubted_until: Option<HostNanos>,
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
        ServerClock::start_by(Box::new(RawClock), store).await
    }

    /// The same by another raw clock.
    ///
    /// # Errors
    /// The store fails.
    pub async fn start_by(clock: Box<dyn Clock + Sync>, store: &Store) -> Result<ServerClock, StoreError> {
        let (raw, wall) = (clock.now(), wall_nanos());
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
        Ok(ServerClock::of(clock, reference))
    }

    fn of(clock: Box<dyn Clock + Sync>, reference: Reference) -> ServerClock {
        let stamps = Stamps { told: reference.epoch(), before: None, offset: offset(&reference) };
        let (stamps, _) = watch::channel(stamps);
        let slept = clock.slept();
        let kept = Kept { reference, check: CrossCheck::new(), slept, doubted_until: None };
        ServerClock { shared: Arc::new(Shared { clock, kept: Mutex::new(kept), stamps }) }
    }

    /// Session time now.
    pub fn now(&self) -> SessionNanos {
        let raw = self.look();
        self.shared.kept.lock().reference.session(raw)
    }

    /// Session time now by stamps that somebody goes by; `None` where they hold no longer.
    pub fn stamp(&self, by: &Stamps) -> Option<SessionNanos> {
        let raw = self.look();
        (self.epoch() == by.told.epoch).then(|| SessionNanos(raw.0 + by.offset))
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
        self.shared.kept.lock().reference.recall(recollection, self.shared.clock.now());
    }

    fn anchor(&self) -> Anchor {
        let session = self.now();
        let epoch = self.shared.kept.lock().reference.lasting_epoch();
        Anchor { epoch, session, wall: wall_nanos() }
    }

    /// Looks at the machine's clocks, settles, and stores where session time stands. Never ends.
    pub async fn keep(&self, store: &Store) {
        let mut kept: Option<(tokio::time::Instant, u64)> = None;
        loop {
            let now = self.look();
            self.settle(now);
            let epoch = self.epoch();
            if kept.is_none_or(|(at, of)| of != epoch || at.elapsed() >= KEEP) {
                self.store_anchor(store).await;
                kept = Some((tokio::time::Instant::now(), epoch));
            }
            // No system tells of a sleep or a step; they are looked for.
            let knows = self.shared.kept.lock().check.knows_rate();
            tokio::time::sleep(if knows { LOOK } else { FIRST_LOOK }).await;
        }
    }

    /// Looks at the machine's clocks: what is stamped after it counts by an epoch that goes on as it
    /// says. Gives raw time.
    fn look(&self) -> HostNanos {
        let mut kept = self.shared.kept.lock();
        let look = self.shared.clock.look();
        let now = look.now;
        let parting = kept.check.look(look);
        let sleep = look.slept - kept.slept;
        kept.slept = look.slept;
        match parting {
            _ if sleep > NAP => {
                tracing::warn!(sleep, "the machine has slept; session time goes on as its peers remember");
                self.begin_again(&mut kept, now, sleep);
            }
            Some(Parting { seen: true, gained_ns, .. }) => {
                tracing::warn!(
                    gained_ns,
                    "the raw clock was set; session time goes on as its peers remember"
                );
                self.begin_again(&mut kept, now, -gained_ns);
            }
            Some(Parting { by_ns, .. }) => {
                kept.doubted_until = Some(HostNanos(now.0 + DOUBT));
                if i64::from(kept.reference.epoch().bound_ns) < by_ns {
                    self.hide(&mut kept, by_ns);
                }
            }
            None if kept.doubted_until.take_if(|until| now >= *until).is_some() => self.hide(&mut kept, 0),
            None => {}
        }
        now
    }

    fn begin_again(&self, kept: &mut Kept, now: HostNanos, missed: i64) {
        kept.reference.missed(now, missed, random());
        self.publish(&kept.reference, kept.reference.epoch(), None);
    }

    fn hide(&self, kept: &mut Kept, ns: i64) {
        if kept.reference.hide(ns) {
            self.publish(&kept.reference, kept.reference.epoch(), None);
        }
    }

    /// Stores where session time stands.
    pub async fn store_anchor(&self, store: &Store) {
        if let Err(error) = store.keep_clock_anchor(self.anchor()).await {
            tracing::warn!(%error, "the place in session time is not stored");
        }
    }

    fn settle(&self, now: HostNanos) -> bool {
        let mut kept = self.shared.kept.lock();
        let before = kept.reference.epoch().epoch;
        let Some(told) = kept.reference.settle(now, random()) else { return false };
        tracing::info!(shifted_ns = told.shifted_ns, "session time is settled");
        self.publish(&kept.reference, told, Some(before));
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

    /// A virtual machine: what its clocks read, and how much more the raw one, in ns.
    #[derive(Clone, Default)]
    struct Settable(Arc<Mutex<(i64, i64)>>);

    impl Settable {
        fn pass(&self, ns: i64) {
            self.0.lock().0 += ns;
        }

        fn set(&self, by: i64) {
            self.0.lock().1 += by;
        }
    }

    impl Clock for Settable {
        fn now(&self) -> HostNanos {
            self.look().now
        }

        fn look(&self) -> crate::time::Look {
            let (now, set) = *self.0.lock();
            crate::time::Look { now: HostNanos(now + set), beside: now, apart: 100, slept: 0 }
        }
    }

    async fn settable(store: &Store) -> (Settable, ServerClock) {
        let raw = Settable::default();
        let clock = ServerClock::start_by(Box::new(raw.clone()), store).await.expect("a clock");
        for _ in 0..400 {
            clock.look();
            raw.pass(5_000_000);
        }
        (raw, clock)
    }

    #[tokio::test]
    async fn a_raw_clock_that_is_set_stamps_nothing_by_the_old_epoch_and_session_time_goes_on() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path()).await.expect("a store");
        let (raw, clock) = settable(&store).await;
        for by in [100_000, 3_000_000, -3_000_000, 200_000_000_000, -900_000] {
            let stamps = *clock.stamps().borrow();
            let before = clock.stamp(&stamps).expect("it holds");
            raw.set(by);
            raw.pass(4_000_000);
            assert_eq!(clock.stamp(&stamps), None, "set by {by}");
            let fresh = *clock.stamps().borrow();
            assert!(fresh.told.epoch != stamps.told.epoch && !fresh.told.settled);
            let after = clock.stamp(&fresh).expect("it holds");
            assert!((after - before - 4_000_000).abs() < 10_000 + by.abs() / 1_000, "set by {by}");
        }
    }

    #[tokio::test]
    async fn peers_are_told_of_what_a_pause_of_the_looks_leaves_open() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path()).await.expect("a store");
        let (raw, clock) = settable(&store).await;
        let before = *clock.stamps().borrow();
        raw.pass(3_000_000_000);
        clock.look();
        let after = *clock.stamps().borrow();
        assert_eq!((after.told.epoch, after.told.settled), (before.told.epoch, true));
        assert!((300_000..400_000).contains(&after.told.bound_ns), "{}", after.told.bound_ns);
        for _ in 0..2_000 {
            raw.pass(50_000_000);
            clock.look();
        }
        assert_eq!(clock.stamps().borrow().told, before.told);
    }
}
