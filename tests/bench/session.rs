//! The reference jam on real sockets: a server process, and 4, 16 and 100 real clients.
//!
//! 4, 8 and 10 of them edit: half a discrete edit a second each; one in eight of the editors drags a
//! fader at 60 Hz. All are present and probe the clock. Beside it, in the same run, the same frames
//! through a bare WebSocket broadcast. Bytes are the kernel's, with all framing.

#[path = "session/bare.rs"]
mod bare;
#[path = "session/hour.rs"]
mod hour;
#[path = "session/process.rs"]
mod process;
#[path = "session/studio.rs"]
mod studio;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use antiphon::client::Connection;
use antiphon::session::ClientId;

use crate::report::{Report, Row, percentile};
use process::{Server, Usage};
use studio::{Heard, Studio};

/// How long the jam is measured.
const LENGTH: Duration = Duration::from_secs(20);
/// The probes of a clock's first burst; connections are at rest behind it.
const BURST: u32 = 10;
/// Between two looks at a condition: a hundred clients share these cores.
const LOOK: Duration = Duration::from_millis(20);
/// How long anything may take to arrive.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two discrete edits of one person.
const EDIT: Duration = Duration::from_secs(2);
/// Between two moves of a fader.
const MOVE: Duration = Duration::from_micros(16_667);
/// Edits made into quiet, before the jam.
const FIRST: usize = 20;
/// After so much quiet in the session, an edit is a first one.
const QUIET: Duration = Duration::from_millis(100);

/// Measures all three sizes, and what an hour leaves behind.
pub fn measure(report: &mut Report) {
    for (people, editors) in [(4, 4), (16, 8), (100, 10)] {
        let jam = Jam::played(people, editors);
        let bare = bare::played(people, editors, jam.payload);
        jam.tell(people, &bare, report);
    }
    hour::measure(report);
}

/// What one jam showed.
struct Jam {
    /// Bytes a second of each participant.
    up: Vec<f64>,
    down: Vec<f64>,
    /// From an edit's making to each other client's holding it, in ms: all, and first ones.
    latencies: Vec<f64>,
    first: Vec<f64>,
    /// Server's processor time for each frame that it delivered, in µs.
    cpu_us: f64,
    /// Server's memory for each participant, in KB.
    server_kb: f64,
    client_kb: f64,
    made: usize,
    lost: usize,
    doubled: usize,
    /// Whether all hold the same state, and the last value of every drag.
    equal: bool,
    /// Mean payload of a client's frame.
    payload: usize,
}

impl Jam {
    fn played(people: usize, editors: usize) -> Jam {
        let server = Server::start();
        let link = server.session();
        let (empty, own) = (server.usage(), Usage::of(std::process::id()));
        let mut studios: Vec<Studio> = (0..people).map(|n| Studio::join(n, &link)).collect();
        let deadline = Instant::now() + PATIENCE;
        while studios.iter().any(|studio| studio.client.view().connection != Connection::Online) {
            assert!(Instant::now() < deadline, "not all {people} have joined");
            std::thread::sleep(LOOK);
        }
        while studios.iter().any(|studio| studio.client.view().clock.probes < BURST) {
            assert!(Instant::now() < deadline, "not all {people} know the time");
            std::thread::sleep(LOOK);
        }
        let (full, grown) = (server.usage(), Usage::of(std::process::id()));
        first_moves(&mut studios[..editors]);
        let (bytes, frames) = (server.participants(&link), server.frames());
        let begun = Instant::now();
        let cpu = server.usage().cpu;
        play(&mut studios[..editors], begun);
        let seconds = begun.elapsed().as_secs_f64();
        let (bytes_after, frames_after) = (server.participants(&link), server.frames());
        let cpu = (server.usage().cpu - cpu).as_secs_f64();
        let rate = |read: fn(&process::Traffic) -> u64| -> Vec<f64> {
            let all = bytes_after.iter().zip(&bytes);
            all.map(|(after, before)| (read(after) - read(before)) as f64 / seconds).collect()
        };
        let made: usize = studios.iter().map(|studio| studio.made.len()).sum();
        wait_for_all(&mut studios);
        let log = server.log(&link);
        let (mut places, mut landed) = (BTreeMap::new(), 0);
        for studio in &studios {
            let found = studio.places(&log);
            landed += found.len().min(studio.made.len());
            places.extend(found.into_iter().zip(studio.made.iter().copied()));
        }
        // What the sequencer writes itself has no number.
        let numbered = log.iter().filter(|commit| commit.author != ClientId(0));
        let numbers: Vec<_> = numbered.map(|commit| (commit.author, commit.cseq)).collect();
        let different: BTreeSet<_> = numbers.iter().copied().collect();
        let (latencies, first) = latencies(&studios, &places);
        let delivered = (frames_after.down - frames.down).max(1);
        Jam {
            up: rate(|traffic| traffic.up),
            down: rate(|traffic| traffic.down),
            latencies,
            first,
            cpu_us: cpu * 1e6 / delivered as f64,
            server_kb: full.memory_kb.saturating_sub(empty.memory_kb) as f64 / people as f64,
            client_kb: grown.memory_kb.saturating_sub(own.memory_kb) as f64 / people as f64,
            made,
            lost: made - landed,
            doubled: numbers.len() - different.len(),
            equal: studio::agree(&mut studios),
            payload: ((frames_after.bytes_up - frames.bytes_up) / (frames_after.up - frames.up).max(1))
                as usize,
        }
    }

    fn tell(&self, people: usize, bare: &bare::Figures, report: &mut Report) {
        let case = |what: &str| format!("{people} people: {what}");
        let mut row = |what: &str, value: f64, unit, beside, bar| {
            report.add(Row { case: case(what), value, unit, beside, bar });
        };
        let most = |rates: &[f64]| rates.iter().copied().fold(0.0, f64::max);
        let mean = |rates: &[f64]| rates.iter().sum::<f64>() / rates.len() as f64;
        row("up, who sends most", most(&self.up), "B/s", None, Some(1000.0));
        row("up, mean", mean(&self.up), "B/s", None, Some(1000.0));
        row("down, who gets most", most(&self.down), "B/s", Some(("bare", bare.down)), Some(1000.0));
        row("down, mean", mean(&self.down), "B/s", None, Some(1000.0));
        for (what, all, bar) in [
            ("edit to every other, first after quiet", &self.first, Some(10.0)),
            ("edit to every other", &self.latencies, None),
        ] {
            if !all.is_empty() {
                row(&format!("{what}, p50"), percentile(all, 0.5), "ms", Some(("bare", bare.p50)), None);
                row(&format!("{what}, p99"), percentile(all, 0.99), "ms", Some(("bare", bare.p99)), bar);
            }
        }
        row("server's time a delivered frame", self.cpu_us, "us", Some(("bare", bare.cpu_us)), None);
        row("server's memory a participant", self.server_kb, "KB", None, None);
        row("memory a client", self.client_kb, "KB", None, None);
        row("edits", self.made as f64, "", None, None);
        row("lost", self.lost as f64, "", None, Some(0.5));
        row("doubled", self.doubled as f64, "", None, Some(0.5));
        row("peers that differ at the end", f64::from(!self.equal), "", None, Some(0.5));
    }
}

/// Edits with quiet around each.
fn first_moves(editors: &mut [Studio]) {
    for n in 0..FIRST {
        editors[n % editors.len()].edit();
        // The musicians' pace.
        std::thread::sleep(3 * QUIET);
    }
}

/// Edits and drags for as long as the jam is measured.
fn play(editors: &mut [Studio], begun: Instant) {
    let people = editors.len() as u32;
    let mut edits: Vec<Instant> = (0..people).map(|n| begun + EDIT * n / people).collect();
    // Not with the first edit: which of two comes first is nobody's to say.
    let mut moves = begun + QUIET;
    while begun.elapsed() < LENGTH {
        let now = Instant::now();
        for (editor, due) in editors.iter_mut().zip(&mut edits) {
            if *due <= now {
                editor.edit();
                *due += EDIT;
            }
        }
        if moves <= now {
            let phase = begun.elapsed().as_secs_f64();
            editors.iter_mut().step_by(8).for_each(|editor| editor.drag(phase));
            moves += MOVE;
        }
        let next = edits.iter().copied().fold(moves, Instant::min);
        // The musicians' pace.
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
}

/// Waits until every edit has been answered and has arrived everywhere.
fn wait_for_all(studios: &mut [Studio]) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        studios.iter_mut().for_each(Studio::listen);
        let last = studios.iter().map(|studio| studio.client.view().seq.0).max().unwrap_or(0);
        if studios.iter().all(|studio| studio.has_come_to(last)) || Instant::now() > deadline {
            return;
        }
        std::thread::sleep(LOOK);
    }
}

fn latencies(studios: &[Studio], made: &BTreeMap<u64, Instant>) -> (Vec<f64>, Vec<f64>) {
    let (mut all, mut first) = (Vec::new(), Vec::new());
    let times: Vec<Instant> = {
        let mut times: Vec<_> = studios.iter().flat_map(|studio| studio.acts.iter().copied()).collect();
        times.sort_unstable();
        times
    };
    for (seq, sent) in made {
        let before = times.partition_point(|time| time < sent);
        let quiet = before.checked_sub(1).is_none_or(|n| *sent - times[n] >= QUIET);
        for studio in studios {
            if let Some(Heard { at, .. }) = studio.heard(*seq).filter(|heard| !heard.own) {
                let ms = at.saturating_duration_since(*sent).as_secs_f64() * 1e3;
                all.push(ms);
                if quiet {
                    first.push(ms);
                }
            }
        }
    }
    (all, first)
}
