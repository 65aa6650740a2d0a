//! The truth lies within what is certified, whatever the path and the clocks do.

use antiphon::time::ClockNews;

use crate::NETWORKS;
use crate::network_model::{Crystal, Path};
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

/// Such a step contradicts no bound; nobody can know of it before a burst has shown it.
#[test]
fn a_clock_set_by_less_than_the_round_trip_is_noticed_by_a_burst_or_stays_within_the_certificate() {
    const END: i64 = 180 * SECOND;
    let (mut longest, mut unnoticed) = (0, 0);
    for network in NETWORKS {
        for seed in 500..515 {
            for floors in [0.3, 0.9, 1.4, 1.9, -0.3, -0.9, -1.4, -1.9] {
                let by = (floors * network.floor()) as i64;
                let mut peer = VirtualPeer::join(network, seed, 190, 1.0, SECOND);
                let session = |now| if now >= 30 * SECOND { now + by } else { now };
                let what = format!("{network:?}, seed {seed}, set by {by} ns");
                let blind = |now, peer: &VirtualPeer| now >= 30 * SECOND && steps(peer) == 0;
                live(&mut peer, (SECOND, END), session, blind, &what);
                let error = peer.error(END, session(END)).expect("a map").abs();
                let bound = peer.map().expect("a map").bound_at(peer.host(END));
                assert!(error <= bound, "{what}: {error} ns off, certified ± {bound} ns, never noticed");
                unnoticed += usize::from(steps(&peer) == 0);
                longest = longest.max(steps(&peer));
            }
        }
    }
    println!("{unnoticed} of 480 were too small to notice, and within the certificate");
    assert_eq!(longest, 1, "no step is counted twice");
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
