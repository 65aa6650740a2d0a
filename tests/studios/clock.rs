//! The shared clock in real processes. Peers and server read one machine's raw clock, so session
//! time less host time has one true value for all of them, and it may not move.

use serde_json::Value;

use crate::Studios;
use crate::peer::{Peer, number};
use crate::playing::{clock, heard_bar, together};
use crate::server_process::Server;

const MS: i64 = 1_000_000;

/// The clock's last change over to another epoch: how far session time jumped.
fn anchored(peer: &mut Peer) -> i64 {
    peer.until("clock-news", |line| {
        (line["what"] == "anchored" && !line["jump_ns"].is_null()).then(|| number(line, "jump_ns"))
    })
}

#[test]
fn a_killed_server_comes_back_in_phase() {
    let mut studios = Studios::open(&[], &["--rate", "44100", "--block", "512"]);
    let before = [clock(&mut studios.a).0, clock(&mut studios.b).0];
    studios.a.order("play");
    heard_bar(&mut studios.a, 0);
    heard_bar(&mut studios.b, 0);
    studios.server.kill();
    for peer in [&mut studios.a, &mut studios.b] {
        peer.until("offline", |_| Some(()));
    }
    studios.server.restart_in_place();
    let jumps = [anchored(&mut studios.a), anchored(&mut studios.b)];
    let after = [clock(&mut studios.a).0, clock(&mut studios.b).0];
    println!("session time jumped by {jumps:?} ns; offsets before {before:?} and after {after:?}");
    for (before, after) in before.iter().zip(&after) {
        assert!((after - before).abs() < MS, "{before} became {after}");
    }
    assert!(jumps.iter().all(|jump| jump.abs() < MS), "{jumps:?}");
    // Still together, by the new epoch.
    let bar = number(&last(&studios.a, "fingerprint"), "bar");
    heard_bar(&mut studios.a, bar + 3);
    heard_bar(&mut studios.b, bar + 3);
    together(&studios.a, &studios.b, 30);
    studios.agree();
}

fn last(peer: &Peer, kind: &str) -> Value {
    peer.all(kind).last().expect("one was told").clone()
}

#[test]
fn a_trim_is_kept_in_the_profile_and_told_to_the_others_and_to_metrics() {
    let server = Server::start();
    let link = server.link(&server.session("editor"));
    let mut a = Peer::join(&link, "a", &[]);
    let mut b = Peer::join(&link, "b", &[]);
    clock(&mut a);
    a.order("trim -12.5");
    a.answer_when("clock", "clock", |line| number(line, "trim_ns") == -12_500_000);
    let told = |line: &Value| {
        let peers = line["peers"].as_array().expect("a list");
        peers.iter().any(|peer| peer["name"] == "a" && peer["trim_us"] == -12_500)
    };
    b.answer_when("peers", "peers", told);
    a.order("trim 501");
    let refused = a.until("error", |line| Some(line["message"].to_string()));
    assert!(refused.contains("500 ms"), "{refused}");
    let metrics = server.get("/metrics").body;
    let trim = metrics.lines().find(|line| line.starts_with("antiphon_peer_clock_trim_seconds{"));
    assert!(metrics.contains("antiphon_peer_clock_certified_seconds{peer=\""), "{metrics}");
    assert!(trim.is_some(), "{metrics}");
    assert!(a.quit() && b.quit());
    let gone = || !server.get("/metrics").body.contains("antiphon_peer_clock_trim_seconds{");
    let deadline = std::time::Instant::now() + crate::peer::DEADLINE;
    while !gone() {
        assert!(std::time::Instant::now() < deadline, "who has gone has no series");
    }
}
