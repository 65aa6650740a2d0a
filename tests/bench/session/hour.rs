//! An hour's worth of jamming on real components, driven fast: what it leaves in memory.
//!
//! A server process and four `antiphon peer` processes, an hour of the reference jam's edits in
//! about a minute: 7,200 discrete ones, and a fader's drag for every fourth. Before it, as many as fill
//! every list that has a bound.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::process::{Server, Usage};
use crate::report::{Report, Row};

const PEERS: usize = 4;
/// Half an edit a second each.
const EDITS: usize = 3600 * PEERS / 2;
/// What lists that have a bound need to reach it: a peer grows no more after some 9,600 edits.
const WARM_UP: usize = 2_500 * PEERS;
/// Edits a second: a server takes 60 from each.
const RATE: u32 = 160;
const PATIENCE: Duration = Duration::from_secs(60);
const QUIET: Duration = Duration::from_secs(1);
/// Looks at a process's memory, and between two of them.
const LOOKS: usize = 20;
const LOOK: Duration = Duration::from_millis(50);
const GROOVE: &str =
    "TEMPO 124\nseq kick: X...x...X...x...\nseq hat: x.o.x.o.x.o.x.oo\nseq bass: x..x..x.\nseq lead: x...\n";

struct Peer {
    child: Child,
    orders: ChildStdin,
    acked: Arc<AtomicU64>,
    _profile: TempDir,
}

impl Peer {
    fn start(link: &str, number: usize) -> Peer {
        let profile = tempfile::tempdir().expect("a folder");
        let mut child = Command::new(env!("CARGO_BIN_EXE_antiphon"))
            .args(["peer", link, "--name", &format!("Peer {number}"), "--profile"])
            .arg(profile.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the peer starts");
        let orders = child.stdin.take().expect("its input is a pipe");
        let stdout = child.stdout.take().expect("its output is a pipe");
        let acked = Arc::new(AtomicU64::new(0));
        let count = acked.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if line.contains("\"event\":\"acked\"") {
                    count.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        Peer { child, orders, acked, _profile: profile }
    }

    fn order(&mut self, order: &str) {
        writeln!(self.orders, "{order}").expect("the peer listens");
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Measures the growth in an hour's edits, once every bounded list is full.
pub fn measure(report: &mut Report) {
    let server = Server::start();
    let link = server.session();
    let mut peers: Vec<Peer> = (0..PEERS).map(|number| Peer::start(&link, number)).collect();
    let groove = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(&groove, GROOVE).expect("it is written");
    peers[0].order(&format!("load {}", groove.path().display()));
    settle(&peers);
    peers[0].order("play");
    jam(&mut peers, 0..WARM_UP);
    let memory = |peers: &[Peer]| -> Vec<u64> {
        let own = peers.iter().map(|peer| held(peer.child.id()));
        std::iter::once(held(server.process())).chain(own).collect()
    };
    let before = memory(&peers);
    jam(&mut peers, WARM_UP..WARM_UP + EDITS);
    let after = memory(&peers);
    let growth: Vec<f64> = after.iter().zip(&before).map(|(a, b)| *a as f64 - *b as f64).collect();
    let mut row = |case: &str, value: f64, bar| {
        report.add(Row { case: format!("an hour's edits: {case}"), value, unit: "KB", beside: None, bar });
    };
    row("server's memory", after[0] as f64, None);
    row("server's growth", growth[0], Some(1024.0));
    row("a peer's memory", after[1..].iter().copied().max().unwrap_or(0) as f64, None);
    row("a peer's growth, the most", growth[1..].iter().copied().fold(f64::MIN, f64::max), Some(1024.0));
}

/// What a process holds, in KB: the least of some looks, as a copy of a song that is on its way
/// between two threads has half a megabyte.
fn held(process: u32) -> u64 {
    let look = |_| {
        std::thread::sleep(LOOK);
        Usage::of(process).memory_kb
    };
    (0..LOOKS).map(look).min().unwrap_or(0)
}

fn jam(peers: &mut [Peer], edits: std::ops::Range<usize>) {
    let begun = Instant::now();
    for (n, edit) in edits.enumerate() {
        let due = begun + Duration::from_secs(1) * n as u32 / RATE;
        // The musicians' pace.
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let peer = &mut peers[edit % PEERS];
        let step = edit / PEERS % 16;
        match edit / PEERS % 4 {
            0 => peer.order(&format!("velocity kick {step} 0.{}", 1 + edit % 9)),
            1 => peer.order(&format!("step hat {step} {}", if edit / 64 % 2 == 0 { "on" } else { "off" })),
            2 => peer.order(&format!("set bass.level 0.{}", 1 + edit % 9)),
            _ => peer.order(&format!("set lead.filter.freq {}", 100 + edit % 5000)),
        }
    }
    settle(peers);
}

/// Waits until a second has brought no more answers.
fn settle(peers: &[Peer]) {
    let deadline = Instant::now() + PATIENCE;
    let (mut seen, mut since) = (acked(peers), Instant::now());
    while since.elapsed() < QUIET && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(50));
        let now = acked(peers);
        if now != seen {
            (seen, since) = (now, Instant::now());
        }
    }
}

fn acked(peers: &[Peer]) -> u64 {
    peers.iter().map(|peer| peer.acked.load(Ordering::Relaxed)).sum()
}
