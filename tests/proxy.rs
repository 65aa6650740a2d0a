//! The shared clock over real WebSockets through a delaying network: real clients, a real server, and
//! one machine's raw clock for all, so that the truth is known.
#![cfg(all(feature = "client", feature = "server"))]

#[path = "support/delaying_proxy.rs"]
mod delaying_proxy;
#[path = "support/duo.rs"]
mod duo;
#[path = "support/far.rs"]
mod far;
#[path = "support/network_model.rs"]
mod network_model;
#[allow(dead_code, reason = "each test binary uses its part")]
#[path = "support/peer.rs"]
mod peer;
#[path = "support/recording.rs"]
mod recording;
#[path = "support/server.rs"]
mod server_process;

use std::time::Duration;

use duo::{Duo, Heard};
use network_model::Network;

/// How long is watched and listened; `ANTIPHON_PROXY_SECONDS` names another length.
fn seconds(usual: u64) -> u64 {
    let word = std::env::var("ANTIPHON_PROXY_SECONDS").ok();
    word.and_then(|word| word.parse().ok()).unwrap_or(usual)
}

#[test]
fn through_a_delaying_network_the_certificate_holds_and_the_error_is_the_models() {
    let watched = far::watch(Duration::from_secs(seconds(20)));
    println!("the truth is known to ± {} µs", watched.unknown / 1_000);
    for (network, looks) in watched.looks {
        for (error, bound) in &looks {
            let unknown = watched.unknown;
            assert!(
                *error <= bound + unknown,
                "{network:?}: {error} ns off, certified ± {bound} ns, truth known to ± {unknown} ns"
            );
        }
        let mut sorted: Vec<i64> = looks.iter().map(|(error, _)| *error).collect();
        sorted.sort_unstable();
        let at = |percent: usize| sorted[(sorted.len() * percent).div_ceil(100) - 1] / 1_000;
        let bound = looks.last().map_or(0, |(_, bound)| bound / 1_000);
        let (looks, p50, p99, most) = (sorted.len(), at(50), at(99), at(100));
        println!(
            "{network:?}: {looks} looks, p50 {p50} µs, p99 {p99} µs, most {most} µs, certified ± {bound} µs"
        );
    }
}

/// What must hold whatever the network: every kick once, one sound, and all within what is certified.
/// Returns the 99th percentile of the differences in ns.
fn judge(name: &str, heard: &Heard) -> f64 {
    let mut apart = heard.apart.clone();
    apart.sort_by(f64::total_cmp);
    let at = |percent: usize| apart[(apart.len() * percent).div_ceil(100).max(1) - 1];
    let us = |ns: f64| ns / 1e3;
    println!(
        "{name}: {} kicks apart p50 {:.0} µs, p99 {:.0} µs, most {:.0} µs; off the session at most \
         {:.0} and {:.0} µs (their clocks alone {:.0} and {:.0} µs), certified ± {} and {} µs; {} bars alike, {} of other input",
        heard.kicks,
        us(at(50)),
        us(at(99)),
        us(at(100)),
        us(heard.furthest(0)),
        us(heard.furthest(1)),
        us(heard.clock_furthest(0)),
        us(heard.clock_furthest(1)),
        heard.certified[0] / 1_000,
        heard.certified[1] / 1_000,
        heard.bars,
        heard.unlike_input,
    );
    assert_eq!((heard.missed, heard.doubled), (0, 0), "{name}: of {} kicks", heard.kicks);
    assert_eq!((heard.unlike, heard.unlike_input), (0, 0), "{name}: of {} bars", heard.bars);
    for n in 0..2 {
        let bound = heard.certified[n] + heard.unknown;
        assert!(heard.furthest(n) < bound as f64, "{name}: studio {n} leaves its certificate");
    }
    at(99)
}

#[test]
fn two_processes_on_strayed_devices_sound_together_across_a_wide_network() {
    let seconds = seconds(12);
    let heard = Duo { network: Network::Wan, seed: 3, longer_up: 0.0, seconds }.play();
    let p99 = judge("symmetric", &heard);
    // On a machine with time for them 0.5 ms; a busy one delays stamps and packets alike.
    assert!(p99 < 2e6, "{p99} ns");
}

#[test]
fn two_processes_on_a_path_of_23_and_15_ms_stay_inside_both_certificates() {
    let seconds = seconds(8);
    let heard = Duo { network: Network::Wan, seed: 5, longer_up: 8e6, seconds }.play();
    judge("23 and 15 ms", &heard);
    assert!(heard.furthest(0) > 3e6, "the path has no asymmetry");
}
