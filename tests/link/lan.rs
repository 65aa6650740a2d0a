//! A LAN: a network namespace with nothing but a loopback, its one way out a forwarder to the
//! server.

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// What is done inside the namespace.
type Work = Box<dyn FnOnce() + Send>;

/// A thread that lives in the namespace; what it starts lives there too.
pub struct Lan {
    work: Sender<Work>,
    /// Where the server is reached from inside.
    pub address: String,
}

impl Lan {
    /// A new LAN from which a server outside can be reached.
    pub fn open(server: &str) -> Lan {
        let (work, works) = channel::<Work>();
        std::thread::spawn(move || works.into_iter().for_each(|work| work()));
        let mut lan = Lan { work, address: String::new() };
        let listener = lan.inside(|| {
            // SAFETY: changes the calling thread's namespace and touches no memory.
            let made = unsafe { libc::unshare(libc::CLONE_NEWNET) };
            let error = std::io::Error::last_os_error();
            assert!(
                made == 0,
                "a network namespace needs root (here: {error}); \
                 `unshare --map-root-user` gives it where user namespaces are allowed"
            );
            let up = Command::new("ip").args(["link", "set", "lo", "up"]).status();
            assert!(up.expect("`ip` runs (package iproute2)").success(), "the loopback comes up");
            TcpListener::bind("127.0.0.1:0").expect("a port of the namespace")
        });
        lan.address = listener.local_addr().expect("an address").to_string();
        let server = server.to_owned();
        // Accepts in the namespace, since the socket belongs there; connects outside.
        std::thread::spawn(move || {
            for inside in listener.incoming().map_while(Result::ok) {
                if let Ok(outside) = TcpStream::connect(&server) {
                    forward(inside, outside);
                }
            }
        });
        lan
    }

    /// Does something inside and waits for it.
    pub fn inside<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let (done, result) = channel();
        let work = move || drop(done.send(work()));
        self.work.send(Box::new(work)).expect("the namespace's thread runs");
        result.recv().expect("the work inside the namespace succeeds")
    }

    /// Starts a program inside, its standard input and output piped.
    pub fn spawn(&self, mut command: Command) -> Child {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        self.inside(move || command.spawn().expect("the program starts"))
    }
}

/// Carries bytes both ways until either end closes.
fn forward(inside: TcpStream, outside: TcpStream) {
    for stream in [&inside, &outside] {
        stream.set_nodelay(true).expect("a socket's option");
    }
    for (from, to) in [(&inside, &outside), (&outside, &inside)] {
        let (mut from, mut to) = (from.try_clone().expect("a socket"), to.try_clone().expect("a socket"));
        std::thread::spawn(move || {
            let _ = std::io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Both);
        });
    }
}

/// A running `antiphon-link`. Killed when dropped.
pub struct Bridge {
    child: Child,
    orders: ChildStdin,
    lines: Receiver<Value>,
    _profile: TempDir,
}

/// How long a test waits for a line.
const DEADLINE: Duration = Duration::from_secs(20);

impl Bridge {
    /// Starts it on a LAN.
    pub fn start(lan: &Lan, link: &str, arguments: &[&str]) -> Bridge {
        let profile = tempfile::tempdir().expect("a folder");
        let mut command = Command::new(env!("CARGO_BIN_EXE_antiphon-link"));
        command.args([link, "--profile"]).arg(profile.path()).args(arguments);
        let mut child = lan.spawn(command);
        let orders = child.stdin.take().expect("its input is a pipe");
        let stdout = child.stdout.take().expect("its output is a pipe");
        let (line, lines) = channel();
        std::thread::spawn(move || {
            for text in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = line.send(serde_json::from_str(&text).expect("a line of JSON"));
            }
        });
        Bridge { child, orders, lines, _profile: profile }
    }

    /// The next line of a kind that is as wanted.
    pub fn until(&mut self, kind: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + DEADLINE;
        let mut told = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else { panic!("no {kind} as wanted in {told:#?}") };
            if line["event"] == kind && wanted(&line) {
                return line;
            }
            told.push(line);
        }
    }

    /// Its own measure of session and LAN.
    pub fn status(&mut self) -> Value {
        writeln!(self.orders, "status").expect("it listens");
        self.until("status", |_| true)
    }

    /// Says `quit` and waits; whether it ended well.
    pub fn quit(&mut self) -> bool {
        writeln!(self.orders, "quit").expect("it listens");
        self.child.wait().expect("it ends").success()
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
