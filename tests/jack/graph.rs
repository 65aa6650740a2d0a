//! A private JACK server without a device, and a client of it that records MIDI.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use antiphon::client::HostClock;
use antiphon::time::Clock;
use jack::{AsyncClient, Client, ClientOptions, Control, MidiIn, Port, ProcessHandler, ProcessScope};
use rtrb::{Consumer, Producer, RingBuffer};

const DEADLINE: Duration = Duration::from_secs(60);
/// Names of servers.
const PLACES: u32 = 4;

/// A message as it was received.
#[derive(Clone, Copy, Debug)]
pub struct Heard {
    /// Host time of its frame.
    pub host_ns: i64,
    /// Its frame in its cycle.
    pub frame: u32,
    pub bytes: [u8; 3],
}

/// A server and the recorder in it.
pub struct Graph {
    name: String,
    server: Child,
    /// Goes before the server does.
    recorder: Option<AsyncClient<(), Recorder>>,
    incoming: Consumer<Heard>,
    heard: Vec<Heard>,
}

impl Graph {
    /// Starts a server under a name that no other one has, and the recorder.
    pub fn start() -> Graph {
        let (name, server) = serve();
        // SAFETY: the test's only thread so far; libjack reads it when a client opens.
        unsafe { std::env::set_var("JACK_DEFAULT_SERVER", &name) };
        let client = open().expect("it was there a moment ago");
        let input = client.register_port("in", MidiIn::default()).expect("a port");
        let (recorded, incoming) = RingBuffer::new(65_536);
        let recorder = client.activate_async((), Recorder { input, recorded }).expect("the recorder runs");
        Graph { name, server, recorder: Some(recorder), incoming, heard: Vec::new() }
    }

    /// What lets a process find this server.
    pub fn environment(&self) -> [(&str, &str); 2] {
        [("JACK_DEFAULT_SERVER", &self.name), ("JACK_NO_START_SERVER", "1")]
    }

    /// Everything received, once it is as wanted.
    pub fn until(&mut self, what: &str, wanted: impl Fn(&[Heard]) -> bool) -> Vec<Heard> {
        let until = Instant::now() + DEADLINE;
        loop {
            self.heard.extend(std::iter::from_fn(|| self.incoming.pop().ok()));
            if wanted(&self.heard) {
                return self.heard.clone();
            }
            let last = &self.heard[self.heard.len().saturating_sub(4)..];
            assert!(Instant::now() < until, "{what} did not come; of {}: {last:?}", self.heard.len());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Begins a new recording.
    pub fn forget(&mut self) {
        self.heard.clear();
    }
}

impl Drop for Graph {
    fn drop(&mut self) {
        drop(self.recorder.take().map(AsyncClient::deactivate));
        end(&mut self.server);
    }
}

/// A server that runs. There is a handful of names, as JACK forgets a server that was killed only when
/// another takes its name, and knows of eight.
fn serve() -> (String, Child) {
    let until = Instant::now() + DEADLINE;
    for place in (0..PLACES).cycle() {
        let name = format!("antiphon-test-{place}");
        let mut server = Command::new("jackd")
            .args(["--no-realtime", "--name", &name, "--timeout", "5000", "--sync"])
            .args(["-d", "dummy", "--rate", "48000", "--period", "256"])
            .env("JACK_NO_AUDIO_RESERVATION", "1")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("jackd starts (Debian's jackd2; `cargo xtask test` installs it)");
        // SAFETY: the test's only thread so far; libjack reads it when a client opens.
        unsafe { std::env::set_var("JACK_DEFAULT_SERVER", &name) };
        // One whose name is taken ends at once.
        while server.try_wait().expect("a child").is_none() {
            if open().is_some() && server.try_wait().expect("a child").is_none() {
                return (name, server);
            }
            if Instant::now() > until {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        end(&mut server);
        assert!(Instant::now() < until, "jackd does not come up");
    }
    unreachable!("the places go round")
}

fn end(server: &mut Child) {
    if let Ok(process) = libc::pid_t::try_from(server.id()) {
        // SAFETY: a child that was not waited for; it ends in good order, and JACK forgets it.
        unsafe { libc::kill(process, libc::SIGTERM) };
    }
    let until = Instant::now() + Duration::from_secs(5);
    while server.try_wait().is_ok_and(|ended| ended.is_none()) && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = server.kill();
    let _ = server.wait();
}

/// A client, if the server is there.
fn open() -> Option<Client> {
    Client::new("recorder", ClientOptions::NO_START_SERVER).ok().map(|(client, _)| client)
}

/// How much more host time reads than JACK's clock, in ns; read again where something came between.
fn side_by_side(client: &Client) -> i64 {
    let read = |_| {
        let (before, jack, after) = (HostClock.now().0, client.time() as i64 * 1_000, HostClock.now().0);
        (after - before, before - jack)
    };
    (0..4).map(read).min().expect("some").1
}

/// Stamps what comes with the host time of its frame.
struct Recorder {
    input: Port<MidiIn>,
    recorded: Producer<Heard>,
}

impl ProcessHandler for Recorder {
    fn process(&mut self, client: &Client, scope: &ProcessScope) -> Control {
        let Ok(cycle) = scope.cycle_times() else { return Control::Continue };
        let jack_to_host = side_by_side(client);
        let begins = cycle.current_usecs as i64 * 1_000 + jack_to_host;
        let period = i64::from(scope.n_frames()) * 1_000_000_000 / i64::from(client.sample_rate());
        let lasts = (cycle.next_usecs as i64 - cycle.current_usecs as i64) * 1_000;
        // Until it knows its device, JACK guesses.
        let lasts = if (period / 2..period * 2).contains(&lasts) { lasts } else { period };
        for message in self.input.iter(scope) {
            let mut bytes = [0; 3];
            let length = message.bytes.len().min(3);
            bytes[..length].copy_from_slice(&message.bytes[..length]);
            let host_ns = begins + i64::from(message.time) * lasts / i64::from(scope.n_frames());
            let _ = self.recorded.push(Heard { host_ns, frame: message.time, bytes });
        }
        Control::Continue
    }
}
