//! Two studios in two processes, each behind a delaying network of its own, and what their recordings
//! hold: when each kick sounded, in true time.
//!
//! Peers and server share this machine's raw clock. A peer's device is paced by it, so many
//! millionths off, and says when its first frame was due: that ties every frame of its recording to
//! true time. A peer on the spot, without a network, tells the session's time.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::io::Write;
use std::path::Path;

use serde_json::Value;

use crate::delaying_proxy::Proxy;
use crate::network_model::Network;
use crate::peer::{Peer, number};
use crate::recording::Recording;
use crate::server_process::Server;

/// Eighth notes that ring out before the next.
const GROOVE: &str = "TEMPO 126\nseq kick: x.x.x.x.x.x.x.x.\ndecay kick: 0.2\n";
/// Between two kicks, and a bar of them, in ns.
const GAP: f64 = 60e9 / 126.0 / 2.0;
const BAR: usize = 8;
/// Answers before a clock counts as known: more than the first burst.
const BURST: i64 = 12;

/// What lies between the studios.
#[derive(Clone, Copy)]
pub struct Duo {
    pub network: Network,
    pub seed: u64,
    /// How much longer the first one's way up is than its way down, in ns.
    pub longer_up: f64,
    pub seconds: u64,
}

/// What was heard; all times in ns.
pub struct Heard {
    /// How far the two sounded each kick apart.
    pub apart: Vec<f64>,
    /// How far from the session's own time each of them sounded them.
    pub off: [Vec<f64>; 2],
    /// How far off each one's clock was, once a bar.
    pub clocks: [Vec<f64>; 2],
    /// The least certified bound that each of them told while it played.
    pub certified: [i64; 2],
    /// How well the session's own time is known here.
    pub unknown: i64,
    /// Kicks that should have sounded, in each.
    pub kicks: usize,
    pub missed: usize,
    pub doubled: usize,
    /// Bars with one input in both, those of them that sound unlike, and bars with unlike input.
    pub bars: usize,
    pub unlike: usize,
    pub unlike_input: usize,
}

/// A peer's device.
struct Device {
    name: &'static str,
    rate: &'static str,
    block: &'static str,
    skew: &'static str,
    mode: &'static str,
}

const DEVICES: [Device; 2] = [
    Device { name: "near", rate: "48000", block: "64", skew: "100", mode: "follow" },
    Device { name: "far", rate: "44100", block: "512", skew: "-100", mode: "session" },
];

impl Duo {
    /// Lets both play, and listens.
    pub fn play(self) -> Heard {
        let server = Server::start();
        let direct = server.link(&server.session("editor"));
        let (truth, unknown) = truth(&direct);
        let folder = tempfile::tempdir().expect("a folder");
        let groove = folder.path().join("groove");
        let mut file = std::fs::File::create(&groove).expect("a file");
        file.write_all(GROOVE.as_bytes()).expect("a written file");
        let files = DEVICES.map(|device| folder.path().join(device.name).with_extension("wav"));
        let mut peers: Vec<Peer> = (0..2)
            .map(|n| {
                let longer_up = if n == 0 { self.longer_up } else { 0.0 };
                let seed = self.seed + 17 * n as u64;
                let proxy = Proxy::skewed(&server.address, self.network, seed, longer_up);
                let link = direct.replace(&server.address, &proxy.address);
                let (device, file) = (&DEVICES[n], plain(&files[n]));
                let mut arguments = vec!["--rate", device.rate, "--block", device.block];
                arguments.extend(["--skew", device.skew, "--mode", device.mode, "--record", file]);
                if n == 0 {
                    arguments.extend(["--load", plain(&groove)]);
                }
                Peer::join(&link, device.name, &arguments)
            })
            .collect();
        for peer in &mut peers {
            peer.state_when(|notation| notation.contains("TEMPO 126") && notation.contains("kick"));
            peer.answer_when("clock", "clock", |line| line["probes"].as_i64() >= Some(BURST));
        }
        let bars = ((self.seconds as f64 * 1e9 / GAP) as usize / BAR).max(2);
        peers[0].order("play");
        let starts = |line: &Value| (line["playing"] == true).then(|| number(line, "at"));
        let at = peers[0].until("timeline", starts);
        let (mut certified, mut clocks) = ([i64::MAX; 2], [Vec::new(), Vec::new()]);
        for bar in 0..=bars as i64 {
            for (n, peer) in peers.iter_mut().enumerate() {
                peer.until("fingerprint", |line| (number(line, "bar") >= bar).then_some(()));
                peer.order("clock");
                let clock = peer.until("clock", |line| Some(line.clone()));
                certified[n] = number(&clock, "bound_ns").min(certified[n]);
                clocks[n].push((number(&clock, "offset_ns") - truth) as f64);
            }
        }
        let told: Vec<Vec<Value>> = peers.iter().map(|peer| peer.told.clone()).collect();
        assert!(peers.into_iter().all(Peer::quit), "both end well");

        let starts = at - truth;
        let sounded = [0, 1].map(|n| kicks(&files[n], &told[n], starts, bars * BAR));
        let missed = sounded.iter().flatten().filter(|times| times.is_empty()).count();
        let doubled = sounded.iter().flatten().filter(|times| times.len() > 1).count();
        let first = |n: usize, kick: usize| sounded[n][kick].first().copied();
        let both = (0..bars * BAR).filter_map(|kick| Some(first(0, kick)? - first(1, kick)?));
        let off = [0, 1].map(|n| (0..bars * BAR).filter_map(|kick| first(n, kick)).collect());
        let mut heard = Heard {
            apart: both.map(f64::abs).collect(),
            off,
            clocks,
            certified,
            unknown,
            kicks: bars * BAR,
            missed,
            doubled,
            bars: 0,
            unlike: 0,
            unlike_input: 0,
        };
        heard.compare_bars(&told[0], &told[1]);
        heard
    }
}

impl Heard {
    fn compare_bars(&mut self, one: &[Value], other: &[Value]) {
        let bars = |told: &[Value]| -> Vec<Value> {
            told.iter().filter(|line| line["event"] == "fingerprint").cloned().collect()
        };
        let other = bars(other);
        for bar in bars(one) {
            let Some(same) = other.iter().find(|line| line["bar"] == bar["bar"]) else { continue };
            if bar["input_key"] == same["input_key"] {
                self.bars += 1;
                let alike = bar["master"] == same["master"] && bar["tracks"] == same["tracks"];
                self.unlike += usize::from(!alike);
            } else {
                self.unlike_input += 1;
            }
        }
    }

    /// The furthest that one of them sounded from the session's own time.
    pub fn furthest(&self, n: usize) -> f64 {
        furthest(&self.off[n])
    }

    /// The furthest that its clock alone was off.
    pub fn clock_furthest(&self, n: usize) -> f64 {
        furthest(&self.clocks[n])
    }
}

fn furthest(off: &[f64]) -> f64 {
    off.iter().fold(0.0, |most, off| off.abs().max(most))
}

/// Session − host time as a peer on the spot has it, and how far that may be off.
pub fn truth(link: &str) -> (i64, i64) {
    let mut near = Peer::join(link, "on the spot", &["--quiet"]);
    let clock = near.answer_when("clock", "clock", |line| line["probes"].as_i64() >= Some(BURST));
    assert!(near.quit());
    (number(&clock, "offset_ns"), number(&clock, "bound_ns"))
}

fn plain(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}

/// When each kick of a recording sounded, in ns after its own time; `starts` is the first one's.
fn kicks(file: &Path, told: &[Value], starts: i64, count: usize) -> Vec<Vec<f64>> {
    let recording = Recording::of(file, told);
    let mut kicks = vec![Vec::new(); count];
    for at in recording.onsets() {
        let at = at - starts as f64;
        let kick = (at / GAP).round();
        if let Some(times) = kicks.get_mut(kick as usize).filter(|_| kick >= 0.0) {
            times.push(at - kick * GAP);
        }
    }
    kicks
}
