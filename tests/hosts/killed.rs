//! `kill -9` of a host's process in the middle of its edits, of the server, and of both.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use antiphon::param::{Owner, Param, Slot, TrackIndex};
use antiphon::pattern::Edit;
use antiphon::session::{Commit, Op};
use serde_json::Value;

use super::server::Server;
use crate::clap::{Happening, Host, Plan, RATE};

const PATIENCE: Duration = Duration::from_secs(60);
/// A hand that has rested for a quarter of a second has made its edit.
const REST: Duration = Duration::from_millis(400);
/// Names the part that the same test program plays in a process of its own.
const ROLE: &str = "ANTIPHON_TEST_HOST";
const THE_HOST: &str = "session::killed::a_host_to_be_killed";

fn slot() -> Slot {
    Slot::new(Owner::Track(TrackIndex::new(0).expect("a track")), Param::Pan)
}

/// What the host's hand sets first, second, …: a value that names its place.
fn value(n: usize) -> f32 {
    (n + 1) as f32 / 128.0
}

/// A host that automates one parameter: a new value, a rest, the next, for ever.
#[test]
#[ignore = "no test by itself: `a_killed_host_loses_nothing`, below, runs it three times as a process of its own, \
            in every run of `cargo xtask test`"]
fn a_host_to_be_killed() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let mut host = Host::active(RATE, 512);
    let id = host.param("1 Pan");
    let first: usize = role.parse().expect("a number");
    for n in first.. {
        let moved = Instant::now();
        let mut plan = Plan::stopped(512);
        // The host's own range is 0 to 1.
        let travel = f64::from(slot().spec().travel_of(value(n)));
        plan.happenings = vec![(0, Happening::Param { id, value: travel })];
        host.play(&plan);
        while moved.elapsed() < REST {
            host.play(&Plan::stopped(512));
            // A device's pace, not a wait: without it this would starve the threads it feeds.
            std::thread::sleep(Duration::from_millis(5));
        }
        println!("rested {n}");
    }
}

struct Process {
    child: Child,
    lines: Receiver<String>,
}

impl Process {
    fn start(profile: &Path, link: &str, first: usize) -> Process {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", THE_HOST, "--ignored", "--nocapture"])
            .env(ROLE, first.to_string())
            .env("ANTIPHON_HOME", profile)
            .env("ANTIPHON_LINK", link)
            .env("ANTIPHON_EVENTS", "1")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let stdout = child.stdout.take().expect("its output is a pipe");
        let (told, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if told.send(line).is_err() {
                    return;
                }
            }
        });
        Process { child, lines }
    }

    /// Waits until so many hands have rested; the last one's number.
    fn rests(&self, count: usize) -> usize {
        let number = |line: String| line.strip_prefix("rested ").and_then(|n| n.parse().ok());
        let mut last = None;
        let mut seen = 0;
        while seen < count {
            let line = self.lines.recv_timeout(PATIENCE).expect("the host goes on");
            if let Some(n) = number(line) {
                (last, seen) = (Some(n), seen + 1);
            }
        }
        last.expect("one at least")
    }

    fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the plugins of a profile were told to be saved: frame and place.
fn acked(profile: &Path) -> BTreeMap<u64, u64> {
    let mut acked = BTreeMap::new();
    for entry in std::fs::read_dir(profile).expect("a folder").flatten() {
        if !entry.file_name().to_string_lossy().starts_with("events-") {
            continue;
        }
        let text = std::fs::read_to_string(entry.path()).expect("text");
        // The last line may be cut off.
        for line in text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
            if line["event"] == "acked" {
                acked.insert(
                    line["cseq"].as_u64().expect("a number"),
                    line["seq"].as_u64().expect("a number"),
                );
            }
        }
    }
    acked
}

/// The values that a log gives the parameter, in order.
fn written(commits: &[Commit]) -> Vec<f32> {
    let edits = commits.iter().flat_map(|commit| &commit.ops).filter_map(|op| match &op.op {
        Op::Promote(_) => None,
        op => op.edit(),
    });
    edits
        .filter_map(|edit| match edit {
            Edit::Param { slot: written, value } if written == slot() && value > 0.0 => Some(value),
            _ => None,
        })
        .collect()
}

#[test]
fn a_killed_host_loses_nothing() {
    let mut server = Server::start();
    let invite = server.session("editor");
    let profile = tempfile::tempdir().expect("a folder");
    let link = server.link(&invite);
    let mut host = Process::start(profile.path(), &link, 0);
    host.rests(6);

    // The host alone, in the middle of its edits.
    host.kill();
    let mut host = Process::start(profile.path(), &link, 20);
    host.rests(4);

    // The server, while the host goes on; then the host too, with what nobody has answered.
    server.kill();
    let last = host.rests(4);
    host.kill();
    server.restart_in_place();
    let again = Process::start(profile.path(), &link, 40);
    again.rests(4);
    let deadline = Instant::now() + PATIENCE;
    let holds = |server: &Server| {
        let values = written(&server.dump(&invite.session).0);
        values.contains(&value(last)) && values.iter().any(|v| *v >= value(40))
    };
    while !holds(&server) {
        assert!(
            Instant::now() < deadline,
            "what waited in the journal never came: {:?}",
            written(&server.dump(&invite.session).0)
        );
        std::thread::yield_now();
    }
    drop(again);

    let (commits, _) = server.dump(&invite.session);
    let values = written(&commits);
    assert!(values.is_sorted_by(|a, b| a < b), "each once and in order: {values:?}");
    let told = acked(profile.path());
    assert!(told.len() >= 8, "{told:?}");
    for (cseq, seq) in told {
        let stored = &commits[seq as usize - 1];
        assert_eq!((stored.seq.0, stored.cseq.0), (seq, cseq), "what was promised stands where it was told");
    }
}
