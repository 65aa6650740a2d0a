//! Whole sessions under virtual time, drawn from a seed: 3 to 100 studios and a server over a
//! network that delays, loses, repeats and reorders frames and parts studios from the server, with
//! kills of both sides, listeners and hostile clients. No sockets: every frame travels as bytes.
//!
//! `ANTIPHON_SCHEDULES` sets how many schedules run (40, optimised 400), `ANTIPHON_SEED` replays the one that a
//! failure named. `cargo xtask simulate` runs 10,000 of them, optimised.

#[path = "simulation/chance.rs"]
mod chance;
#[path = "simulation/hostile.rs"]
mod hostile;
#[path = "simulation/laws.rs"]
mod laws;
#[path = "simulation/plan.rs"]
mod plan;
#[path = "simulation/server.rs"]
mod server;
#[path = "simulation/studio.rs"]
mod studio;
#[path = "simulation/world.rs"]
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::plan::{Bug, Plan};
use crate::world::{Toll, World};

/// Schedules without `ANTIPHON_SCHEDULES`.
const SCHEDULES: u64 = if cfg!(debug_assertions) { 40 } else { 400 };

/// Lives through a schedule and checks every law; the error is what broke.
fn live(seed: u64, bug: Option<Bug>) -> Result<Toll, String> {
    let run = catch_unwind(AssertUnwindSafe(|| {
        let mut world = World::new(Plan::drawn(seed, bug));
        world.run();
        world.settle();
        laws::check(&world);
        world.toll()
    }));
    run.map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("a panic").to_owned()
    })
}

fn from_environment(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} must be a whole number, not {text:?}")))
}

/// Silences the panics that a test provokes on this thread.
fn quietly<T>(run: impl FnOnce() -> T) -> T {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let done = run();
    std::panic::set_hook(hook);
    done
}

#[test]
fn every_schedule_keeps_every_law() {
    if let Some(seed) = from_environment("ANTIPHON_SEED") {
        let toll = live(seed, None).unwrap_or_else(|law| panic!("schedule {seed}: {law}"));
        println!("schedule {seed}: {toll:?}");
        return;
    }
    let schedules = from_environment("ANTIPHON_SCHEDULES").unwrap_or(SCHEDULES);
    let workers = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let total = std::thread::scope(|scope| {
        let part = |worker: u64| {
            let mut total = Toll::default();
            for seed in (worker..schedules).step_by(workers as usize) {
                let toll = live(seed, None).unwrap_or_else(|law| {
                    panic!("schedule {seed}: {law}\nreplay it with ANTIPHON_SEED={seed}")
                });
                total.add(&toll);
                if schedules > 1000 && worker == 0 && seed % 500 == 0 {
                    eprintln!("{seed} of {schedules} schedules");
                }
            }
            total
        };
        let threads: Vec<_> = (0..workers).map(|worker| scope.spawn(move || part(worker))).collect();
        let mut total = Toll::default();
        for thread in threads {
            total.add(&thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        total
    });
    println!("{schedules} schedules: {total:#?}");
    total.assert_lively();
}

/// A simulation that cannot fail proves nothing.
#[test]
fn planted_bugs_are_found() {
    for bug in Bug::ALL {
        let found = quietly(|| (0..200).find_map(|seed| live(seed, Some(bug)).err().map(|law| (seed, law))));
        let (seed, law) = found.unwrap_or_else(|| panic!("{bug:?} went unnoticed in 200 schedules"));
        println!("{bug:?}: schedule {seed}: {law}");
    }
}

/// Schedules that have broken a law once.
#[test]
fn what_was_found_stays_mended() {
    const FOUND: &[u64] = &[170];
    for seed in FOUND {
        live(*seed, None).unwrap_or_else(|law| panic!("schedule {seed}: {law}"));
    }
}

#[test]
fn a_schedule_replays_exactly() {
    for seed in [3, 17, 64] {
        let once = live(seed, None).expect("it holds");
        let again = live(seed, None).expect("it holds");
        assert_eq!(once, again);
    }
}
