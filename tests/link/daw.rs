//! A Link program that is none of ours: `daw.cpp`, built on Debian's `ableton-link-dev`.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use crate::lan::Lan;

/// How long a test waits for a moment that is as wanted.
const DEADLINE: Duration = Duration::from_secs(20);

/// What the program sees at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// On the raw monotonic clock, in µs.
    pub t_us: i64,
    /// In a bar of four quarters.
    pub phase: f64,
    /// In BPM.
    pub tempo: f64,
    /// Whether the LAN plays.
    pub playing: bool,
    /// Other Link programs.
    pub peers: u32,
}

impl Moment {
    fn read(line: &str) -> Option<Moment> {
        let mut words = line.split(' ');
        Some(Moment {
            t_us: words.next()?.parse().ok()?,
            phase: words.next()?.parse().ok()?,
            tempo: words.next()?.parse().ok()?,
            playing: words.next()? == "1",
            peers: words.next()?.parse().ok()?,
        })
    }
}

/// A running program. Killed when dropped.
pub struct Daw {
    child: Child,
    orders: ChildStdin,
    moments: Receiver<Moment>,
    /// Every moment taken so far.
    pub all: Vec<Moment>,
}

impl Daw {
    /// Starts it on a LAN with a tempo of its own.
    pub fn start(lan: &Lan, bpm: f64) -> Daw {
        let mut command = Command::new(program());
        command.arg(bpm.to_string());
        let mut child = lan.spawn(command);
        let orders = child.stdin.take().expect("its input is a pipe");
        let stdout = child.stdout.take().expect("its output is a pipe");
        let (moment, moments) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = moment.send(Moment::read(&line).unwrap_or_else(|| panic!("no moment: {line}")));
            }
        });
        Daw { child, orders, moments, all: Vec::new() }
    }

    /// Turns its tempo, or starts or stops it.
    pub fn order(&mut self, order: &str) {
        writeln!(self.orders, "{order}").expect("it listens");
    }

    /// The next moment; `None` when it has ended.
    pub fn next(&mut self) -> Option<Moment> {
        let moment = self.moments.recv_timeout(DEADLINE).ok()?;
        self.all.push(moment);
        Some(moment)
    }

    /// Waits for a moment that is as wanted.
    pub fn next_when(&mut self, what: &str, wanted: impl Fn(&Moment) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        while !self.next().is_some_and(|moment| wanted(&moment)) {
            assert!(Instant::now() < deadline, "{what}: its last moment is {:?}", self.all.last());
        }
    }
}

impl Drop for Daw {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program, built once a run.
fn program() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/link/daw.cpp");
        // Tests may run as processes side by side: each builds its own.
        let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("daw-{}", std::process::id()));
        let built = Command::new("g++")
            .args(["-std=c++14", "-O1", "-w", "-DLINK_PLATFORM_LINUX=1", "-DLINK_PLATFORM_UNIX=1"])
            .arg("-DASIO_STANDALONE")
            .arg(&source)
            .arg("-o")
            .arg(&program)
            .arg("-lpthread")
            .status();
        let built = built.expect("g++ runs (packages g++ and ableton-link-dev)").success();
        assert!(built, "{} is built: is ableton-link-dev installed?", source.display());
        program
    })
}
