//! Two studios' LANs, each a network of its own that holds only a loopback, and one server between
//! them: what `antiphon-link` puts there is seen by programs built on Debian's Ableton Link.
//!
//! Needs `ableton-link-dev`, `g++`, and the right to make a network namespace (root, or
//! `unshare --map-root-user cargo ...`); `cargo xtask test` sees to them, or says that it cannot.
#![cfg(all(feature = "link", feature = "server", target_os = "linux"))]

#[path = "link/daw.rs"]
mod daw;
#[path = "link/lan.rs"]
mod lan;
#[path = "support/peer.rs"]
#[allow(dead_code, reason = "each test binary uses its part")]
mod peer;
#[path = "support/server.rs"]
mod server_process;

use std::time::{Duration, Instant};

use daw::{Daw, Moment};
use lan::{Bridge, Lan};
use peer::{Peer, number};
use server_process::{Invite, Server};

/// How far the grids of two LANs may lie apart, in µs: the clocks' bounds, what is left alone
/// (0.1 ms each), and Link's own measuring between two programs on a LAN.
const P99_APART: f64 = 1_000.0;
const MOST_APART: f64 = 3_000.0;
/// How long grids are compared.
const WATCHED: Duration = Duration::from_secs(12);
/// How long a LAN may take to do what is asked.
const DEADLINE: Duration = Duration::from_secs(20);

/// A server, a peer in the session, and two LANs with a DAW and a bridge in each.
struct World {
    server: Server,
    invite: Invite,
    peer: Peer,
    a: Studio,
    b: Studio,
}

struct Studio {
    bridge: Bridge,
    daw: Daw,
    _lan: Lan,
}

impl Studio {
    /// The DAW is there first, with a tempo of its own.
    fn open(server: &Server, invite: &Invite, bpm: f64, sends: &[&str]) -> Studio {
        let lan = Lan::open(&server.address);
        let daw = Daw::start(&lan, bpm);
        let link = format!("http://{}/s/{}#{}", lan.address, invite.session, invite.secret);
        let bridge = Bridge::start(&lan, &link, sends);
        Studio { bridge, daw, _lan: lan }
    }
}

impl World {
    fn open(sends: &[&str]) -> World {
        let server = Server::start();
        let invite = server.session("editor");
        let mut peer = Peer::join(&server.link(&invite), "peer", &[]);
        peer.order("tempo 124");
        peer.state_when(|notation| notation.contains("TEMPO 124"));
        let a = Studio::open(&server, &invite, 100.0, sends);
        let b = Studio::open(&server, &invite, 90.0, &[]);
        World { server, invite, peer, a, b }
    }

    fn both_when(&mut self, what: &str, wanted: impl Fn(&Moment) -> bool) {
        for (name, studio) in [("A", &mut self.a), ("B", &mut self.b)] {
            let until = Instant::now() + DEADLINE;
            while !studio.daw.next().is_some_and(|moment| wanted(&moment)) {
                let last = studio.daw.all.last();
                assert!(Instant::now() < until, "DAW {name}: {what}; its last moment is {last:?}");
            }
        }
    }
}

fn tempo(bpm: f64) -> impl Fn(&Moment) -> bool {
    // Link keeps whole µs a beat.
    move |moment| (moment.tempo - bpm).abs() < 1e-3 && moment.peers == 1
}

/// The shorter way round the bar from one phase to the other, in µs.
fn apart(a: f64, b: f64, bpm: f64) -> f64 {
    let around = (a - b).rem_euclid(4.0);
    around.min(4.0 - around) * 60e6 / bpm
}

/// Sorts, prints and bounds what was measured.
fn bounded(what: &str, mut apart: Vec<f64>) {
    apart.sort_by(f64::total_cmp);
    let at = |share: f64| apart[((apart.len() - 1) as f64 * share) as usize];
    let (p50, p99, most) = (at(0.5), at(0.99), at(1.0));
    println!("{what}: {} moments, µs apart: p50 {p50:.0}, p99 {p99:.0}, most {most:.0}", apart.len());
    assert!(p99 < P99_APART && most < MOST_APART, "{what}: {p99:.0} and {most:.0} µs");
}

#[test]
fn two_lans_have_the_sessions_tempo_and_phase_and_follow_its_transport() {
    let mut world = World::open(&[]);
    world.both_when("the session's tempo", tempo(124.0));
    world.peer.order("step kick 0 on");
    let groove = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(groove.path(), "TEMPO 124\nseq kick: X...X...X...X...\n").expect("a written file");
    world.peer.order(&format!("load {}", groove.path().display()));
    world.peer.answer_when("clock", "clock", |line| number(line, "probes") >= 10);
    world.peer.order("play");
    world.both_when("it plays", |moment| moment.playing);
    let begun = world.a.daw.all.last().expect("a moment").t_us;
    // A second for the start itself, which jumps.
    let from = begun + 1_500_000;
    let until = from + WATCHED.as_micros() as i64;
    world.both_when("time goes on", |moment| moment.t_us > until);

    let (a, b) = (&world.a.daw.all, &world.b.daw.all);
    let of_b = |t_us: i64| b.iter().find(|moment| moment.t_us == t_us);
    let pairs = a.iter().filter(|moment| (from..until).contains(&moment.t_us));
    let between: Vec<f64> =
        pairs.filter_map(|at_a| Some(apart(at_a.phase, of_b(at_a.t_us)?.phase, 124.0))).collect();
    assert!(between.len() > 400, "{} moments of both", between.len());
    bounded("LAN A and LAN B", between);

    // What the session's own peer sounds falls onto the LANs' beats.
    let clock = world.peer.answer_when("clock", "clock", |_| true);
    let offset = number(&clock, "offset_ns");
    let mut from_notes = Vec::new();
    for onset in world.peer.all("onset") {
        let host_us = (number(onset, "session_ns") - offset) as f64 / 1000.0;
        let phase = (number(onset, "tick") as f64 / 705_600.0).rem_euclid(4.0);
        for moments in [a, b] {
            let near = moments.iter().rev().find(|moment| moment.t_us as f64 <= host_us);
            if let Some(near) = near.filter(|moment| (from..until).contains(&moment.t_us)) {
                let there = near.phase + (host_us - near.t_us as f64) * 124.0 / 60e6;
                from_notes.push(apart(there, phase, 124.0));
            }
        }
    }
    assert!(from_notes.len() > 30, "{} notes", from_notes.len());
    bounded("notes and the LANs' beats", from_notes);

    // A step of the tempo on a bar; then a DAW that turns its own, which nobody asked to send.
    world.peer.order("tempo 140");
    world.both_when("the new tempo", tempo(140.0));
    world.a.daw.order("tempo 150");
    world.a.daw.next_when("its own tempo", tempo(150.0));
    world.both_when("the session's tempo again", tempo(140.0));
    let (commits, _) = world.server.dump(&world.invite.session);
    let asked = format!("{commits:?}").contains("150000000");
    assert!(!asked, "joining and turning a DAW's tempo ask the session for nothing");
    let status = world.a.bridge.status();
    println!("{status}");
    assert!(status["phase_error_us"].as_f64().expect("a phase").abs() < P99_APART);

    world.peer.order("stop");
    world.both_when("it stops", |moment| !moment.playing);
    assert!(world.peer.quit() && world.a.bridge.quit() && world.b.bridge.quit());
}

#[test]
fn a_lan_moves_the_session_only_by_request() {
    let mut world = World::open(&["--send-tempo", "--send-transport"]);
    world.both_when("the session's tempo", tempo(124.0));
    // Requests count once the LAN has come together.
    let settled = world.a.daw.all.last().expect("a moment").t_us + 2_500_000;
    world.both_when("time goes on", |moment| moment.t_us > settled);
    world.a.daw.order("tempo 126");
    world.a.bridge.until("asked", |line| line["tempo"] == 126.0);
    world.peer.state_when(|notation| notation.contains("TEMPO 126"));
    world.both_when("LAN A's tempo on both", tempo(126.0));
    world.a.daw.order("play");
    world.peer.until("timeline", |line| (line["playing"] == true).then_some(()));
    world.both_when("both play", |moment| moment.playing);
    world.a.daw.order("stop");
    world.peer.until("timeline", |line| (line["playing"] == false).then_some(()));
    world.both_when("both stop", |moment| !moment.playing);
    // B sends nothing.
    world.b.daw.order("play");
    world.b.daw.next_when("it plays", |moment| moment.playing);
    let later = world.a.daw.all.last().expect("a moment").t_us + 1_000_000;
    world.a.daw.next_when("a second", |moment| moment.t_us > later);
    assert!(!world.a.daw.all.last().expect("a moment").playing);
}

#[test]
fn the_program_says_that_it_is_under_the_gpl() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_antiphon-link")).arg("--version").output();
    let said = String::from_utf8(output.expect("the program runs").stdout).expect("text");
    assert!(said.contains("GNU General Public License"), "{said}");
}
