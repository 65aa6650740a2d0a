//! What two peers' devices gave out, by their recordings: a device's latency made up for, the
//! metronome and the count-in for who asked, and launches on the step, the beat and the bar.

use std::path::PathBuf;

use serde_json::Value;
use tempfile::TempDir;

use crate::peer::{Peer, number};
use crate::playing::{clock, heard_bar};
use crate::recording::Recording;
use crate::server_process::Server;

const MS: f64 = 1e6;
/// A sixteenth in ticks, and at 120 BPM in ns.
const STEP: i64 = 176_400;
const STEP_NS: f64 = 125.0 * MS;
/// How near a recorded onset lies to its place: what a threshold and two clocks of one machine leave.
const NEAR: f64 = 0.6 * MS;

/// Two peers of one session at 120 BPM, that record.
struct Pair {
    server: Server,
    a: Peer,
    b: Peer,
    folder: TempDir,
}

impl Pair {
    /// `a` loads the groove.
    fn open(groove: &str, a: &[&str], b: &[&str]) -> Pair {
        let server = Server::start();
        let link = server.link(&server.session("editor"));
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("groove");
        std::fs::write(&file, groove).expect("a written file");
        let [wav_a, wav_b] = ["a", "b"].map(|name| plain(folder.path().join(name).with_extension("wav")));
        let file = plain(file);
        let load = if groove.is_empty() { vec![] } else { vec!["--load", &file] };
        let mut a = Peer::join(&link, "a", &[&["--record", &wav_a][..], &load, a].concat());
        let mut b = Peer::join(&link, "b", &[&["--record", &wav_b][..], b].concat());
        for peer in [&mut a, &mut b] {
            peer.state_when(|notation| groove.is_empty() || notation.contains("kick"));
            clock(peer);
        }
        Pair { server, a, b, folder }
    }

    /// Ends both and gives their recordings.
    fn finish(self) -> [Recording; 2] {
        let told = [self.a.told.clone(), self.b.told.clone()];
        assert!(self.a.quit() && self.b.quit(), "both end well");
        let file = |name: &str| self.folder.path().join(name).with_extension("wav");
        [Recording::of(&file("a"), &told[0]), Recording::of(&file("b"), &told[1])]
    }
}

fn plain(path: PathBuf) -> String {
    path.to_str().expect("a plain path").to_owned()
}

/// When the session's transport starts, in host time.
fn starts(peer: &mut Peer) -> f64 {
    let (offset, _) = clock(peer);
    let at = peer.all("timeline").find(|line| line["playing"] == true).map(|line| number(line, "at"));
    (at.expect("it plays") - offset) as f64
}

/// Host time.
fn now(peer: &mut Peer) -> f64 {
    number(&peer.answer_when("clock", "clock", |_| true), "host_ns") as f64
}

/// A kick a quarter note, each rung out before the next.
const KICKS: &str = "TEMPO 120\nseq kick: X...X...X...X...\ndecay kick: 0.2\n";

#[test]
fn a_device_s_latency_shifts_what_it_gives_out_by_just_so_much() {
    let far = ["--rate", "44100", "--block", "512", "--mode", "session", "--latency", "37.5"];
    let mut pair = Pair::open(KICKS, &["--latency", "5"], &far);
    pair.a.order("play");
    heard_bar(&mut pair.b, 2);
    let told = now(&mut pair.b);
    pair.b.order("latency 12.25");
    pair.b.answer_when("clock", "clock", |line| number(line, "device_latency_ns") == 12_250_000);
    heard_bar(&mut pair.b, 6);
    let until = now(&mut pair.b);
    let seen = |line: &Value| {
        let peers = line["peers"].as_array().expect("a list");
        peers.iter().any(|peer| peer["name"] == "b" && peer["device_latency_us"] == 12_250)
    };
    pair.a.answer_when("peers", "peers", seen);
    let from = starts(&mut pair.a);
    let metrics = pair.server.get("/metrics").body;
    assert!(metrics.contains("antiphon_peer_device_latency_seconds{peer=\""), "{metrics}");
    pair.a.order("latency 501");
    let refused = pair.a.until("error", |line| Some(line["message"].to_string()));
    assert!(refused.contains("500 ms"), "{refused}");
    let [a, b] = pair.finish();
    // Where the change is made, b goes on from the next bar.
    let quarter = 4.0 * STEP_NS;
    let mut compared = [0, 0];
    for (n, at) in a.between(from - quarter / 2.0, until).into_iter().enumerate() {
        assert!(
            (at + 5.0 * MS - from - n as f64 * quarter).abs() < NEAR,
            "a's kick {n}, {} ns off",
            at - from
        );
        let others = b.between(at - quarter / 2.0, at + quarter / 2.0);
        let (before, after) = (at < told - 100.0 * MS, at > told + 5.0 * quarter);
        if before || after {
            let ahead = if before { 32.5 } else { 7.25 } * MS;
            assert_eq!(others.len(), 1, "kick {n}");
            assert!((at - others[0] - ahead).abs() < NEAR, "kick {n} is {} ns ahead", at - others[0]);
            compared[usize::from(after)] += 1;
        }
    }
    println!("{compared:?} kicks compared before and after");
    assert!(compared.iter().all(|kicks| *kicks >= 6), "{compared:?}");
}

#[test]
fn a_count_in_and_the_metronome_are_heard_by_who_asked_alone() {
    // Nothing else sounds: no track has a note.
    let mut pair = Pair::open("", &["--rate", "44100"], &["--block", "512"]);
    pair.a.order("metronome on");
    pair.a.order("count-in 2");
    for peer in [&mut pair.a, &mut pair.b] {
        heard_bar(peer, 1);
    }
    let from = starts(&mut pair.a);
    // b asks now, in the middle of the song.
    pair.b.order("metronome on");
    let asked = now(&mut pair.b);
    heard_bar(&mut pair.b, 3);
    let until = now(&mut pair.b);
    let [a, b] = pair.finish();
    let beat = 4.0 * STEP_NS;
    let places = |clicks: &[f64]| -> Vec<i64> {
        let place = |at: &f64| {
            let beats = ((at - from) / beat).round();
            assert!((at - from - beats * beat).abs() < NEAR, "a click {} ns off", at - from - beats * beat);
            beats as i64
        };
        clicks.iter().map(place).collect()
    };
    let clicks = places(&a.between(0.0, until));
    let all: Vec<i64> = (-8..-8 + clicks.len() as i64).collect();
    assert_eq!(clicks, all, "two bars before the start, and every beat from there on");
    assert!(clicks.len() >= 8 + 12, "{clicks:?}");
    let clicks = places(&b.between(0.0, until));
    let first = ((asked - from) / beat) as i64;
    assert!((first - 1..=first + 2).contains(&clicks[0]), "b asked at beat {first}: {clicks:?}");
    assert!(clicks.windows(2).all(|pair| pair[1] == pair[0] + 1), "{clicks:?}");
}

#[test]
fn a_pattern_is_launched_on_the_step_the_beat_or_the_bar_in_both() {
    let groove = "TEMPO 240\nseq kick: ................\nseq hat: x...............\n";
    let mut pair = Pair::open(groove, &[], &["--rate", "44100", "--block", "512"]);
    // The kick's second pattern plays each step.
    pair.a.order("pattern kick 2");
    (0..16).for_each(|step| pair.a.order(&format!("step kick {step} on")));
    pair.a.order("pattern kick 1");
    pair.a.order("play");
    heard_bar(&mut pair.a, 0);
    heard_bar(&mut pair.b, 0);
    let launches = [("next step", 1), ("next beat", 4), ("next", 16), ("next 2 bars", 32)];
    for (when, steps) in launches {
        pair.a.order(&format!("pattern kick 2 {when}"));
        let first = [&mut pair.a, &mut pair.b].map(kick_from);
        assert_eq!(first[0], first[1], "{when}: both begin with one tick");
        assert_eq!(first[0] % (steps * STEP), 0, "{when}");
        pair.a.order("pattern kick 1 next step");
        let last = [&mut pair.a, &mut pair.b].map(|peer| last_kick(peer, first[0]));
        assert_eq!(last[0], last[1], "and end with one, on the step");
        println!("{when}: from step {} to {}", first[0] / STEP, last[0] / STEP);
    }
    assert!(pair.a.quit() && pair.b.quit());
}

/// The tick of the next onset of the kick, track 0.
fn kick_from(peer: &mut Peer) -> i64 {
    peer.until("onset", |line| (number(line, "track") == 0).then(|| number(line, "tick")))
}

/// The kick's last onset before a bar without one.
fn last_kick(peer: &mut Peer, first: i64) -> i64 {
    let mut last = first;
    peer.until("onset", |line| {
        let tick = number(line, "tick");
        match number(line, "track") {
            0 => last = tick,
            _ if tick - last > 16 * STEP => return Some(last),
            _ => {}
        }
        None
    })
}
