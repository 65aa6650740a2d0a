//! MIDI clock through a real JACK server: what `antiphon peer` sends is received by another program of
//! the graph, frame by frame, and compared with when the session has each pulse.
//!
//! Needs `jackd` (Debian's `jackd2`), which `cargo xtask test` sees to. The server is private and has no
//! device.
#![cfg(all(feature = "midi", feature = "server", target_os = "linux"))]

#[path = "jack/graph.rs"]
mod graph;
#[path = "support/peer.rs"]
#[allow(dead_code, reason = "each test binary uses its part")]
mod peer;
#[path = "support/server.rs"]
mod server_process;

use std::time::{Duration, Instant};

use antiphon::client::{Client, ClientConfig, Reach, View};
use antiphon::pattern::Song;
use antiphon::rt::ports::ports;
use antiphon::time::{Beats, TICKS_PER_BEAT, TempoMap};

use graph::{Graph, Heard};
use peer::{Peer, number};
use server_process::Server;

const DEADLINE: Duration = Duration::from_secs(60);
const START: u8 = 0xFA;
const CONTINUE: u8 = 0xFB;
const STOP: u8 = 0xFC;
const PULSE: u8 = 0xF8;
const POSITION: u8 = 0xF2;
/// Pulses of a beat, and of a sixteenth.
const BEAT: i64 = 24;
const SIXTEENTH: i64 = 6;

/// Another participant of the session, which says when a pulse belongs.
struct Witness {
    client: Client,
    _profile: tempfile::TempDir,
}

impl Witness {
    fn join(link: &str) -> Witness {
        let profile = tempfile::tempdir().expect("a folder");
        let (session, _engine) = ports();
        let config = ClientConfig {
            profile: profile.path().to_owned(),
            name: "witness".into(),
            link: Some(link.parse().expect("a link")),
            song: Song::new(),
            tempo_map: TempoMap::default(),
            reach: Reach::default(),
        };
        Witness { client: Client::spawn(config, session).expect("a client"), _profile: profile }
    }

    /// The view, once it is as wanted.
    fn when(&self, what: &str, wanted: impl Fn(&View) -> bool) -> std::sync::Arc<View> {
        let until = Instant::now() + DEADLINE;
        loop {
            let view = self.client.view_after_commands();
            if wanted(&view) {
                return view;
            }
            assert!(Instant::now() < until, "the witness never saw {what}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// A pulse that was received: how far from where the session has it, in ns, and whether its sender was in
/// time. One that came late leaves at its cycle's first frame.
struct Received {
    off: i64,
    in_time: bool,
}

/// The pulses of one stretch of play; every message of the clock is where MIDI wants it.
fn received(heard: &[Heard], view: &View) -> Vec<Received> {
    let map = view.clock.map.expect("a clock");
    let mut next = None;
    let mut received = Vec::new();
    for message in heard {
        match message.bytes[0] {
            START => next = Some(0),
            POSITION => {
                let sixteenth = i64::from(message.bytes[1]) | i64::from(message.bytes[2]) << 7;
                next = Some(sixteenth * SIXTEENTH);
            }
            PULSE => {
                let pulse = next.as_mut().expect("a start or a position before the first pulse");
                let tick = Beats(*pulse * TICKS_PER_BEAT / BEAT);
                let due = map.host(view.timeline.time_of(&view.tempo_map, tick));
                received.push(Received { off: message.host_ns - due.0, in_time: message.frame > 0 });
                *pulse += 1;
            }
            CONTINUE | STOP => {}
            other => panic!("{other:#x} is no message of a clock"),
        }
    }
    received
}

/// Prints how far off pulses were, and holds them to the law that no scheduler can break: none is early,
/// and each whose sender was in time is where the session has it, as far as two clocks can agree.
fn judge(what: &str, received: &[Received], agree: i64) {
    let mut sorted: Vec<i64> = received.iter().map(|one| one.off.abs() / 1_000).collect();
    sorted.sort_unstable();
    let at = |share: f64| sorted[((sorted.len() - 1) as f64 * share) as usize];
    let in_time = received.iter().filter(|one| one.in_time).count();
    println!(
        "{what}: {in_time} of {} pulses in time; off by µs: p50 {}, p90 {}, p99 {}, most {}",
        sorted.len(),
        at(0.5),
        at(0.9),
        at(0.99),
        at(1.0)
    );
    assert!(in_time > 0, "{what}");
    for (n, one) in received.iter().enumerate() {
        assert!(one.off > -agree, "{what}, pulse {n}: {} ns early", -one.off);
        assert!(!one.in_time || one.off < agree, "{what}, pulse {n}: {} ns off", one.off);
    }
}

/// How far the clocks of a peer and of the witness may lie apart, and what is rounded on the way to a
/// frame, in ns.
fn agree(peer: &mut Peer, view: &View) -> i64 {
    peer.order("clock");
    let clock = peer.until("clock", |line| Some(line.clone()));
    view.clock.bound_ns + number(&clock, "bound_ns") + 1_000_000
}

fn pulses(heard: &[Heard]) -> usize {
    heard.iter().filter(|message| message.bytes[0] == PULSE).count()
}

/// The messages but the pulses, and but where the player found itself held up for a quarter of a second
/// and entered anew.
fn others(heard: &[Heard]) -> Vec<[u8; 3]> {
    let mut others: Vec<[u8; 3]> =
        heard.iter().map(|message| message.bytes).filter(|bytes| bytes[0] != PULSE).collect();
    let anew = |three: &[[u8; 3]]| three[0][0] == STOP && three[1][0] == POSITION && three[2][0] == CONTINUE;
    while let Some(at) = others.windows(3).position(anew) {
        println!("held up: the player entered anew");
        others.drain(at..at + 3);
    }
    others
}

#[test]
fn a_peers_midi_clock_leaves_at_the_frames_where_the_session_has_it() {
    let mut graph = Graph::start();
    let server = Server::start();
    let link = server.link(&server.session("editor"));
    let witness = Witness::join(&link);
    let arguments = ["--quiet", "--mode", "session", "--midi-clock", "jack:recorder"];
    let mut peer = Peer::start_in(&link, "player", &arguments, &graph.environment());
    peer.until("connected", |_| Some(()));
    peer.answer_when("clock", "clock", |line| number(line, "probes") >= 10);
    peer.order("tempo 124");
    witness.when("the tempo", |view| {
        (view.tempo_map.tempo_at(Beats::ZERO).bpm() - 124.0).abs() < 1e-3
            && view.clock.map.is_some_and(|map| map.probes >= 10)
    });

    peer.order("play");
    let begun = graph.until("two bars", |heard| pulses(heard) >= 8 * BEAT as usize);
    assert_eq!(others(&begun), [[START, 0, 0]]);
    let view = witness.when("play", |view| view.timeline.playing);
    assert_eq!(view.timeline.tick, Beats::ZERO);
    judge("124 bpm", &received(&begun, &view), agree(&mut peer, &view));

    // Well before the bar line at which it takes effect, so that no pulse is on its way already.
    graph.until("a beat more", |heard| pulses(heard) >= 9 * BEAT as usize);
    peer.order("tempo 171");
    let view = witness.when("the other tempo", |view| view.tempo_map.segments().len() > 1);
    let faster = graph.until("three more bars", |heard| pulses(heard) >= 20 * BEAT as usize);
    assert_eq!(others(&faster), [[START, 0, 0]], "a change of tempo interrupts nothing");
    judge("124, then 171 bpm", &received(&faster, &view), agree(&mut peer, &view));

    peer.order("stop");
    let stopped = graph.until("a stop", |heard| heard.last().is_some_and(|last| last.bytes[0] == STOP));
    assert_eq!(others(&stopped), [[START, 0, 0], [STOP, 0, 0]]);
    graph.forget();
    peer.order("play bar 5");
    let again = graph.until("a bar", |heard| pulses(heard) >= 4 * BEAT as usize);
    // Sixty-four sixteenths are four bars.
    assert_eq!(others(&again), [[POSITION, 64, 0], [CONTINUE, 0, 0]]);
    let view = witness.when("play", |view| view.timeline.playing);
    judge("from bar 5", &received(&again, &view), agree(&mut peer, &view));

    // Who ends leaves no machine running.
    assert!(peer.quit());
    graph.until("a stop", |heard| heard.last().is_some_and(|last| last.bytes[0] == STOP));
}

#[test]
fn without_a_jack_server_a_peer_says_so() {
    let mut peer = Peer::start_in(
        "--solo",
        "player",
        &["--midi-clock", "jack"],
        &[("JACK_DEFAULT_SERVER", "antiphon-none"), ("JACK_NO_START_SERVER", "1")],
    );
    assert_ne!(peer.exit_code(), Some(0));
}
