//! MIDI learn: a controller is taught what to move, and moves it for everybody or in the own mix.

use std::time::Instant;

use serde_json::Value;

use crate::Studios;
use crate::peer::{DEADLINE, Peer};

/// Gives orders again and again until an answer to another is as wanted: orders for the device and for
/// the session travel by ways of their own.
fn until(peer: &mut Peer, orders: &[&str], ask: &str, kind: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + DEADLINE;
    loop {
        orders.iter().for_each(|order| peer.order(order));
        let answer = peer.answer_when(ask, kind, |_| true);
        if wanted(&answer) {
            return answer;
        }
        assert!(Instant::now() < deadline, "in vain {orders:?}: {answer:#}");
    }
}

fn maps(answer: &Value) -> Vec<&str> {
    answer["maps"].as_array().map(|maps| maps.iter().filter_map(Value::as_str).collect()).unwrap_or_default()
}

#[test]
fn what_is_learned_moves_for_everybody_is_one_step_and_is_kept() {
    let mut studios = Studios::open(&[], &[]);
    let before = studios.b.state_when(|_| true);
    studios.a.order("learn kick.filter.freq absolute");
    let learned =
        until(&mut studios.a, &["control cc 74 10 channel 2"], "maps", "maps", |told| !maps(told).is_empty());
    assert_eq!(maps(&learned), ["map cc 74 channel 2 kick.filter.freq absolute"]);
    let moved =
        |told: &Value| told["notation"].as_str().is_some_and(|notation| notation.contains("filter kick"));
    until(&mut studios.a, &["control cc 74 64 channel 2"], "state", "state", moved);
    studios.b.state_when(|notation| notation.contains("filter kick"));
    // A hand at rest is one undo step.
    studios.a.state_when(|_| true);
    studios.a.order("undo");
    studios.b.state_when(|notation| notation == before);

    // A pair of 14 bits, for the own mix.
    studios.a.order("learn my hat.trim absolute");
    let pair = ["control cc 7 0", "control cc 39 0"];
    let learned = until(&mut studios.a, &pair, "maps", "maps", |told| maps(told).len() == 2);
    assert_eq!(maps(&learned)[1], "map cc 7+39 channel 1 my hat.trim absolute");
    let mine = until(&mut studios.a, &pair, "my", "mine", |told| told["neutral"] == false);
    assert_eq!(mine["writes"][0], "my trim hat -24");
    assert_eq!(studios.b.state_when(|_| true), before);
    studios.a.order("unmap all");
    studios.a.answer_when("maps", "maps", |told| maps(told).is_empty());
    studios.agree();
}

#[test]
fn mappings_survive_a_restart_and_work_at_once() {
    let profile = tempfile::tempdir().expect("a folder");
    let groove = profile.path().join("groove");
    std::fs::write(&groove, "seq kick: X...\nseq hat: x...\n").expect("a written file");
    let load = ["--load", groove.to_str().expect("a plain path")];
    let mut peer = Peer::of_profile(profile.path(), "--solo", "a", &[]);
    peer.order(&format!("load {}", load[1]));
    peer.state_when(|notation| notation.contains("hat"));
    for order in
        ["map bend hat.pan absolute", "map note 36 channel 10 my hat.mute", "map cc 5 hat.level relative"]
    {
        peer.order(order);
    }
    peer.answer_when("maps", "maps", |told| maps(told).len() == 3);
    peer.order("unmap cc 5");
    peer.answer_when("maps", "maps", |told| maps(told).len() == 2);
    assert!(peer.quit());
    let mut again = Peer::of_profile(profile.path(), "--solo", "a", &[]);
    again.order(&format!("load {}", load[1]));
    again.state_when(|notation| notation.contains("hat"));
    let told = again.answer_when("maps", "maps", |told| maps(told).len() == 2);
    assert_eq!(maps(&told)[0], "map bend channel 1 hat.pan absolute");
    let panned =
        |told: &Value| told["notation"].as_str().is_some_and(|notation| notation.contains("pan hat: 1"));
    until(&mut again, &["control bend 16383"], "state", "state", panned);
    // A pad turns over with each stroke, so one has to do.
    again.order("control note 36 100 channel 10");
    let deadline = Instant::now() + DEADLINE;
    while again.answer_when("my", "mine", |_| true)["neutral"] == true {
        assert!(Instant::now() < deadline, "the pad does nothing");
        std::thread::yield_now();
    }
    assert!(again.quit());
}
