//! Playing together: the same notes at the same time, and the same samples.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::Studios;
use crate::peer::{Peer, number};

/// How far two peers' onsets may lie apart, in ns.
const APART: i64 = 5_000_000;
/// Ticks of a bar.
const BAR: i64 = 4 * 705_600;

/// Session − host time and its certificate, once the first burst of probes is back.
pub fn clock(peer: &mut Peer) -> (i64, i64) {
    let clock = peer.answer_when("clock", "clock", |line| number(line, "probes") >= 10);
    (number(&clock, "offset_ns"), number(&clock, "bound_ns"))
}

/// Waits for a bar's fingerprint.
pub fn heard_bar(peer: &mut Peer, bar: i64) {
    peer.until("fingerprint", |line| (number(line, "bar") == bar).then_some(()));
}

/// Each onset's session time, by track and tick; none sounds twice.
fn onsets(peer: &Peer) -> BTreeMap<(i64, i64), i64> {
    let mut onsets = BTreeMap::new();
    for line in peer.all("onset") {
        let note = (number(line, "track"), number(line, "tick"));
        assert_eq!(onsets.insert(note, number(line, "session_ns")), None, "{note:?} sounds once");
    }
    onsets
}

/// Two peers sound the same notes, at least so many, at the same time.
pub fn together(a: &Peer, b: &Peer, least: usize) {
    let (at_a, at_b) = (onsets(a), onsets(b));
    let mut apart: Vec<i64> =
        at_a.iter().filter_map(|(note, at)| Some((at_b.get(note)? - at).abs())).collect();
    apart.sort_unstable();
    assert!(apart.len() >= least, "{} onsets in both", apart.len());
    let (median, most) = (apart[apart.len() / 2], apart[apart.len() - 1]);
    println!("{} onsets, apart: median {} µs, most {} µs", apart.len(), median / 1000, most / 1000);
    assert!(most < APART, "{most} ns apart");
}

/// Each bar's key and hashes.
fn bars(peer: &Peer) -> BTreeMap<i64, (Value, Value, Value)> {
    let bar = |line: &Value| {
        (number(line, "bar"), (line["input_key"].clone(), line["master"].clone(), line["tracks"].clone()))
    };
    peer.all("fingerprint").map(bar).collect()
}

#[test]
fn a_start_sounds_at_the_same_time_and_with_the_same_samples_in_both() {
    // Another rate and block: the fingerprint stands before the resampler.
    let mut studios = Studios::open(&[], &["--rate", "44100", "--block", "512"]);
    let (clock_a, clock_b) = (clock(&mut studios.a), clock(&mut studios.b));
    // Both peers and the server read one machine's clock, so the truth is the same for both.
    let between = (clock_a.0 - clock_b.0).abs();
    println!("clocks {between} ns apart, certified ± {} and ± {} ns", clock_a.1, clock_b.1);
    assert!(between <= clock_a.1 + clock_b.1);
    studios.a.order("play bar 2");
    heard_bar(&mut studios.a, 1);
    // For the bar after the one that sounds now: both hear of it before.
    studios.a.order("step hat 1 on next");
    heard_bar(&mut studios.a, 5);
    heard_bar(&mut studios.b, 5);
    studios.b.order("stop");
    studios.a.until("timeline", |line| (line["playing"] == false).then_some(()));

    together(&studios.a, &studios.b, 60);

    let (of_a, of_b) = (bars(&studios.a), bars(&studios.b));
    let mut equal = Vec::new();
    for (bar, (key, master, tracks)) in &of_a {
        let Some((other_key, other_master, other_tracks)) = of_b.get(bar) else { continue };
        if key == other_key {
            assert_eq!((master, tracks), (other_master, other_tracks), "bar {bar} of one input");
            equal.push(*bar);
        }
    }
    println!("bars with equal input: {equal:?}");
    assert!(equal.len() >= 5, "equal input in bars {equal:?} of {:?}", of_a.keys());
    assert_ne!(of_a[&1].2[1], of_a[&5].2[1], "the hat's new step sounds");
    studios.agree();
}

#[test]
fn a_flipped_bit_is_named_with_its_bar_and_track_and_healed_at_a_line() {
    // In bar 3, while the bass plays: the master's echoes carry it on.
    let mut studios = Studios::open(&[], &["--block", "512", "--flip-bit", "2:145000"]);
    clock(&mut studios.a);
    clock(&mut studios.b);
    studios.a.order("play");
    let mut lines = Vec::new();
    for peer in [&mut studios.a, &mut studios.b] {
        let differs = peer.until("differs", |line| Some(line.clone()));
        assert_eq!((number(&differs, "bar"), &differs["parts"]), (3, &serde_json::json!(["bass"])));
        lines.push(peer.until("differs", |line| line["renews"].as_i64()));
        let healed = peer.until("healed", |line| Some(line.clone()));
        assert_eq!((number(&healed, "differed"), number(&healed, "renewed")), (3, lines[0]));
        heard_bar(peer, lines[0] + 2);
    }
    assert_eq!(lines, [6, 6], "the next line that both hear of in time");
    let (of_a, of_b) = (bars(&studios.a), bars(&studios.b));
    assert_eq!(of_a[&2], of_b[&2]);
    assert_ne!(of_a[&3], of_b[&3]);
    for bar in 6..=8 {
        assert_eq!(of_a[&bar], of_b[&bar], "bar {bar}, behind the line");
    }
    let renewals = "antiphon_renewals_total 1";
    assert!(studios.server.get("/metrics").body.contains(renewals), "once was enough");
    studios.a.order("stop");
    studios.a.until("timeline", |line| (line["playing"] == false).then_some(()));
    studios.agree();
}

#[test]
fn a_late_joiner_enters_in_phase() {
    let mut studios = Studios::open(&[], &[]);
    clock(&mut studios.a);
    studios.a.order("play");
    heard_bar(&mut studios.a, 0);
    let link = studios.server.link(&studios.invite);
    let mut late = Peer::join(&link, "late", &["--rate", "96000", "--block", "256"]);
    let first = late.until("onset", |line| Some(number(line, "tick")));
    assert!(first > BAR, "it enters where the others are, at tick {first}");
    let bar = first / BAR + 2;
    heard_bar(&mut late, bar);
    heard_bar(&mut studios.a, bar);
    together(&studios.a, &late, 30);
    assert!(late.quit());
    studios.agree();
}
