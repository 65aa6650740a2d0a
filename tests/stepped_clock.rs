//! A real client whose machine's raw clock steps, joined to a real server: what it certifies is true at
//! every look. Alone in its program, as the clock is the whole process's.
#![cfg(all(feature = "client", feature = "server"))]

#[path = "support/server.rs"]
mod server_process;

use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use antiphon::client::{Client, ClientConfig, Event, Reach};
use antiphon::pattern::Song;
use antiphon::rt::ports::ports;
use antiphon::time::{Clock, HostNanos, Look, RawClock, Tempo, TempoMap};

use server_process::Server;

const MS: i64 = 1_000_000;
const DEADLINE: Duration = Duration::from_secs(30);

/// The machine's clocks, the raw one set by so many ns.
struct Stepping(Arc<AtomicI64>);

impl Clock for Stepping {
    fn now(&self) -> HostNanos {
        self.look().now
    }

    fn slept(&self) -> i64 {
        RawClock::machine().slept
    }

    fn look(&self) -> Look {
        let look = RawClock::machine();
        Look { now: HostNanos(look.now.0 + self.0.load(SeqCst)), ..look }
    }
}

#[test]
fn a_client_whose_raw_clock_steps_certifies_the_truth_at_every_look() {
    let set = Arc::new(AtomicI64::new(0));
    RawClock::rehearse(Box::new(Stepping(set.clone())));
    let server = Server::start();
    let link = server.link(&server.session("editor")).parse().expect("a link");
    let profile = tempfile::tempdir().expect("a folder");
    let (session, _engine) = ports();
    let config = ClientConfig {
        profile: profile.path().to_owned(),
        name: "stepped".into(),
        link: Some(link),
        song: Song::new(),
        tempo_map: TempoMap::constant(Tempo::DEFAULT),
        reach: Reach::default(),
    };
    let client = Client::spawn(config, session).expect("a client");
    let parted = Arc::new(Mutex::new(0));
    // Session time less the machine's own raw clock, as the estimate and its certificate have it.
    let look = || {
        let clock = client.view_after_commands().clock;
        clock.map.map(|map| (map.offset_ns + set.load(SeqCst), clock.bound_ns, map))
    };
    let settled = |probes: u32| {
        let until = Instant::now() + DEADLINE;
        loop {
            match look() {
                Some((offset, bound, map)) if map.probes >= probes => return (offset, bound),
                _ => assert!(Instant::now() < until, "the clock is not measured"),
            }
            std::thread::yield_now();
        }
    };
    let hear = || {
        while let Ok(event) = client.events().try_recv() {
            if let Event::Clock { what: "parted", .. } = event {
                *parted.lock().expect("not poisoned") += 1;
            }
        }
    };
    let (truth, unknown) = settled(10);
    let mut looks = 0;
    for by in [MS, -MS, 7 * MS, -20 * MS, 150 * MS, 300_000] {
        set.fetch_add(by, SeqCst);
        // From the very first look after it until a burst has measured it afresh.
        let until = Instant::now() + DEADLINE;
        loop {
            let (offset, bound, map) = look().expect("it is never lost");
            assert!(
                (offset - truth).abs() <= bound + unknown,
                "set by {by}: {} ns off with ± {bound}",
                offset - truth
            );
            looks += 1;
            hear();
            if (offset - truth).abs() < unknown.max(MS) && bound < 2 * unknown.max(MS) && map.probes >= 10 {
                break;
            }
            assert!(Instant::now() < until, "set by {by}: not measured afresh, ± {bound}");
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    hear();
    println!("{looks} looks, parted {} times", parted.lock().expect("not poisoned"));
    // A thread held up for long may miss the smallest, and then widens without having seen.
    assert!(*parted.lock().expect("not poisoned") >= 3);
}
