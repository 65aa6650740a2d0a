//! The truth lies within what is certified, whatever the path and the clocks do.

use antiphon::time::ClockNews;

use crate::NETWORKS;
use crate::network_model::{Crystal, Network, Path};
use crate::virtual_peer::{MS, SECOND, VirtualPeer};

/// How often the truth is compared with the estimate.
const LOOK: i64 = 100 * MS;

/// Lets a peer live and fails where the certificate is wrong, but for a stretch in which nobody can
/// know: from `blind.0` on until `blind.1` says that it is over.
fn live(
    peer: &mut VirtualPeer,
    (from, to): (i64, i64),
    session: impl Fn(i64) -> i64,
    blind: impl Fn(i64, &VirtualPeer) -> bool,
    what: &str,
) {
    for now in (from..to).step_by(LOOK as usize) {
        peer.advance(now, &session);
        let Some(map) = peer.map() else { continue };
        let error = peer.error(now, session(now)).expect("a map").abs();
        let bound = map.bound_at(peer.host(now));
        assert!(
            error <= bound || blind(now, peer),
            "{what}: {error} ns off with a certificate of ± {bound} ns at {now}"
        );
    }
}

fn never(_: i64, _: &VirtualPeer) -> bool {
    false
}

fn steps(peer: &VirtualPeer) -> usize {
    peer.news.iter().filter(|news| **news == ClockNews::Stepped).count()
}

#[test]
fn it_holds_on_a_path_longer_one_way_under_a_harsh_crystal() {
    for network in NETWORKS {
        for seed in 100..125 {
            for side in [2.0, -0.9] {
                let path = Path::new(network, seed, side * network.floor());
                let mut peer = VirtualPeer::with(Crystal::new(seed, 130, 4.0), path, seed, SECOND);
                let what = format!("{network:?}, seed {seed}, side {side}");
                live(&mut peer, (SECOND, 120 * SECOND), |now| now, never, &what);
                assert_eq!(steps(&peer), 0, "{what}: no clock was set");
            }
        }
    }
}

#[test]
fn it_holds_where_the_route_changes() {
    for network in NETWORKS {
        let floor = network.floor();
        for seed in 300..310 {
            for (up, down) in [(3.0, 0.0), (0.0, 3.0), (-0.9, 0.0), (0.0, -0.9), (2.0, 2.0), (0.8, -0.8)] {
                let mut path = Path::new(network, seed, 0.0);
                path.reroute(40 * SECOND, up * floor, down * floor);
                let mut peer = VirtualPeer::with(Crystal::new(seed, 130, 4.0), path, seed, SECOND);
                let what = format!("{network:?}, seed {seed}, by {up} up and {down} down");
                live(&mut peer, (SECOND, 120 * SECOND), |now| now, never, &what);
            }
        }
    }
}

#[test]
fn it_holds_through_a_sleep_of_the_machine() {
    for network in NETWORKS {
        for seed in 400..415 {
            for slept in [50 * MS, 3 * SECOND, 600 * SECOND] {
                let mut crystal = Crystal::new(seed, 800, 4.0);
                // Now and then with a probe under way.
                let asleep = 30 * SECOND + (seed as i64 % 5) * 70 * MS;
                crystal.sleep(asleep, slept);
                let mut peer = VirtualPeer::with(crystal, Path::new(network, seed, 0.0), seed, SECOND);
                let what = format!("{network:?}, seed {seed}, {slept} ns asleep");
                live(&mut peer, (SECOND, asleep), |now| now, never, &what);
                let woken = asleep + slept;
                peer.advance(woken, |now| now);
                live(&mut peer, (woken + LOOK, woken + 60 * SECOND), |now| now, never, &what);
                let woke = |news: &&ClockNews| matches!(news, ClockNews::Woke { .. });
                assert_eq!(peer.news.iter().filter(woke).count(), 1, "{what}");
                assert!(peer.map().is_some_and(|map| map.probes > 10), "{what}");
            }
        }
    }
}

#[test]
fn a_clock_set_by_more_than_the_round_trip_is_noticed_by_the_first_probe_after_it() {
    for network in NETWORKS {
        for seed in 200..215 {
            for by in [1_500 * MS, -1_500 * MS] {
                let mut peer = VirtualPeer::join(network, seed, 70, 1.0, SECOND);
                let session = |now| if now >= 30 * SECOND { now + by } else { now };
                let blind = |now, peer: &VirtualPeer| now >= 30 * SECOND && steps(peer) == 0;
                let what = format!("{network:?}, seed {seed}, set by {by} ns");
                live(&mut peer, (SECOND, 60 * SECOND), session, blind, &what);
                assert_eq!(steps(&peer), 1, "{what}");
            }
        }
    }
}

/// Until the next probe is back, and a little.
const ONE_PROBE: i64 = 2_500 * MS;
/// A full queue hides a step; sixteen probes tell it all the same.
const HIDDEN: i64 = 36 * SECOND;

/// All clocks of one machine stand still together, the peer's or the reference's, and by less than the
/// round trip: that contradicts no bound, and nobody can know of it before the first probe that shows it.
/// Until when the certificate was wrong, in ns after the step, if it ever was.
fn frozen(network: Network, seed: u64, by: i64) -> Option<i64> {
    const AT: i64 = 30 * SECOND;
    const END: i64 = 90 * SECOND;
    let mut peer = VirtualPeer::join(network, seed, 130, 1.0, SECOND);
    let session = |now| if now >= AT { now + by } else { now };
    let what = format!("{network:?}, seed {seed}, set by {by} ns");
    live(&mut peer, (SECOND, AT), session, never, &what);
    let mut wrong = None;
    for now in (AT..END).step_by((50 * MS) as usize) {
        peer.advance(now, session);
        let (error, map) = (peer.error(now, session(now)), peer.map().expect("a map"));
        if error.expect("a map").abs() > map.bound_at(peer.host(now)) {
            wrong = Some(now - AT);
        }
    }
    assert!(steps(&peer) <= 1, "{what}: no step is counted twice");
    wrong
}

#[test]
fn where_all_clocks_freeze_alike_the_first_probes_tell_or_it_stays_within_the_certificate() {
    for network in NETWORKS {
        let own = [0.3, 0.9, 1.4, 1.9].map(|floors| (floors * network.floor()) as i64);
        let small = [100_000, 300_000, MS, 3 * MS, 10 * MS, 20 * MS];
        let (mut wrong, mut trials) = (Vec::new(), 0);
        for seed in 500..504 {
            for by in own.into_iter().chain(small).flat_map(|by| [by, -by]) {
                wrong.extend(frozen(network, seed, by));
                trials += 1;
            }
        }
        wrong.sort_unstable();
        let longest = wrong.last().copied().unwrap_or(0);
        let median = wrong.get(wrong.len() / 2).copied().unwrap_or(0);
        println!(
            "{network:?}: the certificate was wrong in {} of {trials} trials, until {:.2} s after the step, median {:.2} s",
            wrong.len(),
            longest as f64 / 1e9,
            median as f64 / 1e9
        );
        let most = if network == Network::Mobile { HIDDEN } else { ONE_PROBE };
        assert!(longest <= most, "{network:?}: {longest} ns");
    }
}

#[test]
fn the_fitted_rate_follows_the_crystal() {
    for seed in 300..310 {
        let mut peer = VirtualPeer::join(crate::network_model::Network::Lan, seed, 130, 1.0, SECOND);
        let end = 120 * SECOND;
        peer.advance(end, |now| now);
        let second = peer.host(end + SECOND) - peer.host(end);
        let error = (peer.map().expect("a map").rate - (SECOND - second) as f64 / 1e9).abs();
        assert!(error < 2e-6, "seed {seed}: {} ppm off", error * 1e6);
    }
}
