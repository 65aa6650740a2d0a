//! A reference that begins again, and a session without one.

use antiphon::time::{ClockEpoch, ClockNews, HostNanos, Reference, SessionNanos};

use crate::NETWORKS;
use crate::clock_trial::percentile;
use crate::network_model::{Crystal, Network, Path};
use crate::virtual_peer::{MS, SECOND, VirtualPeer};

/// When the server goes, and when it is back.
const DOWN: i64 = 120 * SECOND;
const BACK: i64 = DOWN + 20 * SECOND;
/// When peers are connected again.
const RECONNECTED: i64 = BACK + SECOND;

/// The jumps of session time that peers saw when a reference with another crystal, its anchor
/// `off` ns wrong, took the session over.
fn jumps(paths: &[(Network, f64)], seed: u64, off: i64) -> Vec<i64> {
    let mut peers: Vec<VirtualPeer> = (seed..)
        .zip(paths)
        .map(|(seed, (network, skewed))| {
            VirtualPeer::with(Crystal::new(seed, 300, 1.0), Path::new(*network, seed, *skewed), seed, SECOND)
        })
        .collect();
    for peer in &mut peers {
        peer.advance(DOWN, |now| now);
        peer.connected = false;
        peer.advance(RECONNECTED, |now| now);
        peer.connected = true;
        peer.news.clear();
    }
    let machine = Crystal::steady(30.0, 300);
    let raw = |now: i64| HostNanos(machine.host(now));
    let mut reference = Reference::again(raw(BACK), SessionNanos(BACK + off), 2, 1);
    for peer in &mut peers {
        peer.told(reference.epoch(), RECONNECTED);
    }
    let mut now = RECONNECTED;
    loop {
        now += 50 * MS;
        for peer in &mut peers {
            peer.advance(now, |now| reference.session(raw(now)).0);
            if let Some(recollection) = peer.recollection.take() {
                assert_eq!(recollection.epoch, 1);
                reference.recall(recollection, raw(now));
            }
        }
        if let Some(told) = reference.settle(raw(now), 3) {
            for peer in &mut peers {
                peer.clock.told(told, peer.host(now));
            }
            break;
        }
        assert!(now < RECONNECTED + 60 * SECOND, "it settles");
    }
    for peer in &mut peers {
        peer.advance(now + 5 * SECOND, |now| reference.session(raw(now)).0);
    }
    let jump = |peer: &VirtualPeer| {
        peer.news.iter().find_map(|news| match news {
            ClockNews::Anchored { jump_ns } => *jump_ns,
            _ => None,
        })
    };
    peers.iter().map(|peer| jump(peer).expect("it has changed over").abs()).collect()
}

#[test]
fn a_reference_that_begins_again_goes_on_in_phase() {
    let mut all = Vec::new();
    for seed in 0..25 {
        // An office, two homes and one far away whose path is 8 ms longer one way.
        let mixed =
            [(Network::Lan, 0.0), (Network::WiFi, 0.0), (Network::Wan, 0.0), (Network::Wan, 8.0 * MS as f64)];
        all.extend(jumps(&mixed, 1_000 + seed * 10, 170 * MS));
    }
    let mut all: Vec<f64> = all.iter().map(|ns| *ns as f64).collect();
    let (p50, worst) = (percentile(&mut all, 50.0) / 1e3, percentile(&mut all, 100.0) / 1e3);
    println!("phase jump of {} peers: p50 {p50:.0} µs, worst {worst:.0} µs", all.len());
    assert!(worst < 1_000.0);
}

#[test]
fn one_far_peer_alone_is_enough() {
    for seed in 0..25 {
        let far = [(Network::Wan, 8.0 * MS as f64)];
        let worst = jumps(&far, 3_000 + seed * 10, -40 * MS)[0];
        assert!(worst < MS, "seed {seed}: {worst} ns");
    }
}

#[test]
fn without_a_reference_the_clock_goes_on_and_its_certificate_holds() {
    for network in NETWORKS {
        let (mut minute, mut five) = (Vec::new(), Vec::new());
        for seed in 0..25 {
            let mut peer = VirtualPeer::join(network, 5_000 + seed, 1_000, 1.0, SECOND);
            let lost = 600 * SECOND;
            peer.advance(lost, |now| now);
            peer.connected = false;
            peer.advance(lost + SECOND, |now| now);
            let held = peer.error(lost, lost).expect("a map");
            for after in (10..=300).step_by(10) {
                let now = lost + after * SECOND;
                peer.advance(now, |now| now);
                let map = peer.map().expect("a map");
                let error = peer.error(now, now).expect("a map");
                assert!(error.abs() <= map.bound_at(peer.host(now)), "{network:?}, seed {seed}, {after} s");
                match after {
                    60 => minute.push((error - held).abs() as f64),
                    300 => five.push((error - held).abs() as f64),
                    _ => {}
                }
            }
            peer.advance(lost + 305 * SECOND, |now| now);
            assert_eq!(peer.news.last(), Some(&ClockNews::HeldOverLong), "{network:?}, seed {seed}");
            peer.connected = true;
            peer.advance(lost + 320 * SECOND, |now| now);
            assert_eq!(peer.news.last(), Some(&ClockNews::Back), "{network:?}, seed {seed}");
        }
        let figures = [&mut minute, &mut five].map(|drifts| {
            (percentile(drifts, 50.0) / 1e6, percentile(drifts, 95.0) / 1e6, percentile(drifts, 100.0) / 1e6)
        });
        assert!(figures[0].2 < 0.22 && figures[1].2 < 1.0, "{network:?}: {figures:.3?}");
        println!("{network:?}: drift after 60 s and 5 min (p50, p95, worst) in ms: {figures:.3?}");
    }
}

#[test]
fn a_peer_that_was_never_there_follows_the_reference_to_its_place() {
    let mut peer = VirtualPeer::join(Network::Wan, 77, 100, 1.0, SECOND);
    peer.told(ClockEpoch { epoch: 2, settled: false, ..ClockEpoch::default() }, 2 * SECOND);
    peer.advance(10 * SECOND, |now| now);
    let told = ClockEpoch { epoch: 3, settled: true, shifted_ns: 90 * MS, bound_ns: 0 };
    peer.told(told, 10 * SECOND);
    let error = peer.error(10 * SECOND, 10 * SECOND + 90 * MS).expect("a map").abs();
    assert!(error < MS, "{error}");
}
