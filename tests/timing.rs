//! The shared clock's estimator over models of real networks: its certificate is never wrong, and
//! its error stays within the bars.

#[path = "support/network_model.rs"]
mod network_model;

use std::collections::VecDeque;

use antiphon::time::{Envelope, HostNanos, Probe, SessionNanos, Verdict};
use network_model::{Crystal, Dice, Network, Path, Way};

const MS: i64 = 1_000_000;
const SECOND: i64 = 1_000_000_000;
/// How often the truth is compared with the estimate.
const LOOK: i64 = 100 * MS;

/// What is tried.
#[derive(Clone, Copy, Debug)]
struct Trial {
    network: Network,
    seconds: u32,
    thermal_ppm: f64,
    /// More floor on the way up, in ns.
    skewed_floor: f64,
    /// The session's clock is set forward or back by so many ns at so many seconds.
    step: Option<(i64, i64)>,
}

impl Trial {
    fn new(network: Network, seconds: u32) -> Trial {
        Trial { network, seconds, thermal_ppm: 1.0, skewed_floor: 0.0, step: None }
    }
}

/// What a run showed.
struct Run {
    /// At the end.
    error_ns: i64,
    bound_ns: i64,
    rate_error: f64,
    steps: u32,
}

/// A client that probes as ours does: 10 probes 50 ms apart, then one every 2 s ± 10 %, and a burst
/// again after a step. Fails where the truth lies outside the certificate.
fn run(trial: Trial, seed: u64) -> Run {
    let crystal = Crystal::new(seed ^ 0xC10C, trial.seconds, trial.thermal_ppm);
    let mut path = Path::new(trial.network, seed, trial.skewed_floor);
    let mut dice = Dice::new(!seed);
    let session = |now: i64| match trial.step {
        Some((at, by)) if now >= at * SECOND => now + by,
        _ => now,
    };
    let mut envelope = Envelope::new();
    let mut under_way: VecDeque<(i64, i64, Probe)> = VecDeque::new();
    let (mut burst, mut next_probe, mut next_look) = (10, SECOND, SECOND);
    let (mut steps, mut stepped_at) = (0, None);
    let end = i64::from(trial.seconds) * SECOND;
    loop {
        let arrives = under_way.front().map_or(i64::MAX, |(back, ..)| *back);
        let now = next_probe.min(next_look).min(arrives);
        if now >= end {
            break;
        }
        if now == arrives {
            let (_, arrived, probe) = under_way.pop_front().expect("one is under way");
            match envelope.add(probe) {
                Verdict::Kept => {}
                Verdict::Stepped => {
                    (steps, burst, next_probe) = (steps + 1, 10, now);
                }
                Verdict::Impossible => panic!("seed {seed}: {probe:?} is possible: {trial:?}"),
            }
            if trial.step.is_some_and(|(at, _)| arrived >= at * SECOND) {
                stepped_at = stepped_at.or(Some(now));
            }
        } else if now == next_probe {
            let arrived = path.arrival(Way::Up, now);
            let answered = arrived + dice.exponential(30_000.0) as i64;
            let back = path.arrival(Way::Down, answered);
            let probe = Probe {
                t1: HostNanos(crystal.host(now)),
                t2: SessionNanos(session(arrived)),
                t3: SessionNanos(session(answered)),
                t4: HostNanos(crystal.host(back)),
            };
            under_way.push_back((back, arrived, probe));
            burst = (burst - 1).max(0);
            next_probe += match burst {
                0 => (2e9 * dice.uniform(0.9, 1.1)) as i64,
                _ => 50 * MS,
            };
        } else {
            next_look += LOOK;
            // Between a step and the first probe that saw it nobody can know.
            let unknowable = trial.step.is_some_and(|(at, _)| now >= at * SECOND) && stepped_at.is_none();
            if let Some(map) = envelope.map().filter(|_| !unknowable) {
                let host = HostNanos(crystal.host(now));
                let error = map.offset_at(host) - (session(now) - host.0);
                let bound = map.bound_at(host);
                assert!(
                    error.abs() <= bound,
                    "seed {seed}: {error} ns off with a certificate of ± {bound} ns at {now}: {trial:?}"
                );
            }
        }
    }
    let map = envelope.map().expect("probes came back");
    let (host, later) = (crystal.host(end), crystal.host(end + SECOND));
    Run {
        error_ns: (map.offset_at(HostNanos(host)) - (session(end) - host)).abs(),
        bound_ns: map.bound_at(HostNanos(host)),
        rate_error: (map.rate - (SECOND - (later - host)) as f64 / 1e9).abs(),
        steps,
    }
}

fn percentile(sorted: &[i64], percent: usize) -> i64 {
    sorted[(sorted.len() * percent).div_ceil(100) - 1]
}

/// The errors after a minute over seeds, sorted.
fn errors_after_a_minute(network: Network, seeds: std::ops::Range<u64>) -> Vec<i64> {
    let runs: Vec<Run> = seeds.map(|seed| run(Trial::new(network, 60), seed)).collect();
    let mut errors: Vec<i64> = runs.iter().map(|run| run.error_ns).collect();
    errors.sort_unstable();
    let bound = runs.iter().map(|run| run.bound_ns).max().unwrap_or(0);
    println!(
        "{network:?}: error p50 {} µs, p99 {} µs, worst {} µs; certified ± {} µs at worst",
        percentile(&errors, 50) / 1000,
        percentile(&errors, 99) / 1000,
        percentile(&errors, 100) / 1000,
        bound / 1000
    );
    errors
}

#[test]
fn after_a_minute_on_a_lan_the_clock_errs_less_than_a_tenth_of_a_millisecond() {
    assert!(percentile(&errors_after_a_minute(Network::Lan, 0..100), 99) < 100_000);
}

#[test]
fn after_a_minute_on_wi_fi_the_clock_errs_less_than_0_4_ms() {
    assert!(percentile(&errors_after_a_minute(Network::WiFi, 0..100), 99) < 400_000);
}

#[test]
fn after_a_minute_on_a_wan_the_clock_errs_less_than_0_4_ms() {
    assert!(percentile(&errors_after_a_minute(Network::Wan, 0..100), 99) < 400_000);
}

#[test]
fn after_a_minute_on_4g_the_clock_errs_less_than_1_ms_in_the_median() {
    assert!(percentile(&errors_after_a_minute(Network::Mobile, 0..100), 50) < 1_000_000);
}

const NETWORKS: [Network; 4] = [Network::Lan, Network::WiFi, Network::Wan, Network::Mobile];

#[test]
fn the_certificate_holds_on_a_path_longer_one_way_under_a_harsh_crystal() {
    for network in NETWORKS {
        for seed in 100..110 {
            for side in [2.0, -0.9] {
                let skewed_floor = side * network.floor();
                let trial = Trial { thermal_ppm: 4.0, skewed_floor, ..Trial::new(network, 120) };
                let run = run(trial, seed);
                assert_eq!(run.steps, 0, "seed {seed}: no clock was set: {trial:?}");
            }
        }
    }
}

#[test]
fn a_set_clock_is_noticed_by_the_first_probe_after_it() {
    for network in NETWORKS {
        for seed in 200..210 {
            for by in [1_500 * MS, -1_500 * MS] {
                let trial = Trial { step: Some((30, by)), ..Trial::new(network, 60) };
                let run = run(trial, seed);
                assert_eq!(run.steps, 1, "seed {seed}: {trial:?}");
            }
        }
    }
}

#[test]
fn the_fitted_rate_follows_the_crystal() {
    for seed in 300..310 {
        let run = run(Trial::new(Network::Lan, 120), seed);
        assert!(run.rate_error < 2e-6, "seed {seed}: {} ppm off", run.rate_error * 1e6);
    }
}
