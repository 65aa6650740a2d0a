//! A real `antiphon peer`: its standard input to write to, and every line it has told.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// How long a test waits for a line before it fails.
pub const DEADLINE: Duration = Duration::from_secs(20);
/// How long a state that is not the wanted one may last before it is asked for again.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// A running peer with a profile of its own. Killed when dropped.
pub struct Peer {
    name: String,
    child: Child,
    orders: ChildStdin,
    lines: Receiver<Value>,
    /// Everything told so far.
    pub told: Vec<Value>,
    /// How much of it [`Peer::until`] has passed.
    passed: usize,
    folder: Option<TempDir>,
}

impl Peer {
    /// Starts a peer on a link.
    pub fn start(link: &str, name: &str, arguments: &[&str]) -> Peer {
        Peer::start_in(link, name, arguments, &[])
    }

    /// Starts a peer with variables of its environment.
    pub fn start_in(link: &str, name: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Peer {
        let profile = tempfile::tempdir().expect("a folder");
        let mut peer = Peer::spawn(profile.path(), link, name, arguments, environment);
        peer.folder = Some(profile);
        peer
    }

    /// Starts a peer of a profile that others share or have left behind; `link` may be `--solo`.
    #[allow(dead_code, reason = "each test binary uses its part")]
    pub fn of_profile(profile: &Path, link: &str, name: &str, arguments: &[&str]) -> Peer {
        Peer::spawn(profile, link, name, arguments, &[])
    }

    fn spawn(
        profile: &Path,
        link: &str,
        name: &str,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Peer {
        let mut child = Command::new(env!("CARGO_BIN_EXE_antiphon"))
            .envs(environment.iter().copied())
            .args(["peer", link, "--name", name, "--profile"])
            .arg(profile)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the peer starts");
        let orders = child.stdin.take().expect("its input is a pipe");
        let stdout = child.stdout.take().expect("its output is a pipe");
        let (line, lines) = channel();
        std::thread::spawn(move || {
            for text in BufReader::new(stdout).lines().map_while(Result::ok) {
                let told = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
                if line.send(told).is_err() {
                    return;
                }
            }
        });
        let name = name.to_owned();
        Peer { name, child, orders, lines, told: Vec::new(), passed: 0, folder: None }
    }

    /// Starts a peer and waits until the session has welcomed it.
    pub fn join(link: &str, name: &str, arguments: &[&str]) -> Peer {
        let mut peer = Peer::start(link, name, arguments);
        peer.until("connected", |_| Some(()));
        peer
    }

    /// Kills it as `kill -9` does, and takes in what it had told.
    #[allow(dead_code, reason = "each test binary uses its part")]
    pub fn kill(&mut self) {
        self.child.kill().expect("the peer runs");
        self.child.wait().expect("the peer ends");
        while self.hear(Instant::now() + DEADLINE) {}
    }

    /// Its process.
    #[allow(dead_code, reason = "each test binary uses its part")]
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// The folder of its own profile.
    #[allow(dead_code, reason = "each test binary uses its part")]
    pub fn profile(&self) -> &Path {
        self.folder.as_ref().expect("a profile of its own").path()
    }

    /// Gives a command.
    pub fn order(&mut self, order: &str) {
        writeln!(self.orders, "{order}").expect("the peer listens");
    }

    /// The next line of a kind, from where the last search ended, for which `wanted` has an answer.
    pub fn until<T>(&mut self, kind: &str, mut wanted: impl FnMut(&Value) -> Option<T>) -> T {
        let deadline = Instant::now() + DEADLINE;
        loop {
            while self.passed < self.told.len() {
                let line = &self.told[self.passed];
                self.passed += 1;
                if line["event"] == kind
                    && let Some(found) = wanted(line)
                {
                    return found;
                }
            }
            if !self.hear(deadline) {
                let last = &self.told[self.told.len().saturating_sub(12)..];
                panic!("{} told no {kind} as wanted; the last it told: {last:#?}", self.name);
            }
        }
    }

    /// Takes one more line; whether one came.
    fn hear(&mut self, deadline: Instant) -> bool {
        let left = deadline.saturating_duration_since(Instant::now());
        let line = self.lines.recv_timeout(left).ok();
        line.map(|line| self.told.push(line)).is_some()
    }

    /// Asks again and again, until an answer is as wanted.
    pub fn answer_when(&mut self, order: &str, kind: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + DEADLINE;
        loop {
            self.order(order);
            let answer = self.until(kind, |line| Some(line.clone()));
            if wanted(&answer) {
                return answer;
            }
            assert!(Instant::now() < deadline, "{} gives no {kind} as wanted, but {answer:#}", self.name);
            self.hear(Instant::now() + LOOK_AGAIN);
        }
    }

    /// Its song in notation, once that is as wanted and everything is saved.
    pub fn state_when(&mut self, wanted: impl Fn(&str) -> bool) -> String {
        let whole = |line: &Value| line["unsaved"] == 0 && wanted(text(line, "notation"));
        text(&self.answer_when("state", "state", whole), "notation").to_owned()
    }

    /// The digest of its confirmed state, once it holds a commit.
    #[allow(dead_code, reason = "each test binary uses its part")]
    pub fn hash_at(&mut self, seq: u64) -> String {
        let hash = self.answer_when("hash", "hash", |line| number(line, "seq") as u64 >= seq);
        assert_eq!(number(&hash, "seq") as u64, seq, "{} is at the commit", self.name);
        text(&hash, "digest").to_owned()
    }

    /// Every line of a kind told so far.
    #[allow(dead_code, reason = "each test binary uses its part")]
    pub fn all(&self, kind: &str) -> impl Iterator<Item = &Value> {
        self.told.iter().filter(move |line| line["event"] == kind)
    }

    #[allow(dead_code, reason = "each test binary uses its part")]
    /// Who it is in the session, as `other` sees it.
    pub fn client_seen_by(&self, other: &mut Peer) -> u32 {
        let find = |line: &Value| {
            let peers = line["peers"].as_array().expect("a list");
            peers.iter().find(|peer| peer["name"] == self.name).map(|peer| number(peer, "client"))
        };
        let seen = other.answer_when("peers", "peers", |line| find(line).is_some());
        find(&seen).expect("found before") as u32
    }

    /// Says `quit` and waits for its end; whether it ended well.
    pub fn quit(mut self) -> bool {
        self.order("quit");
        self.exit_code() == Some(0)
    }

    /// Waits for its end; its exit code.
    pub fn exit_code(&mut self) -> Option<i32> {
        let deadline = Instant::now() + DEADLINE;
        // Its output ends with it.
        while self.hear(deadline) {}
        assert!(Instant::now() < deadline, "{} does not end", self.name);
        self.child.wait().expect("the peer ends").code()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A field that holds a whole number.
pub fn number(line: &Value, field: &str) -> i64 {
    line[field].as_i64().unwrap_or_else(|| panic!("no {field} in {line}"))
}

/// A field that holds text.
pub fn text<'a>(line: &'a Value, field: &str) -> &'a str {
    line[field].as_str().unwrap_or_else(|| panic!("no {field} in {line}"))
}
