//! A private JACK server without a device, and a client of it that records MIDI.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use antiphon::client::HostClock;
use antiphon::time::Clock;
use jack::{AsyncClient, Client, ClientOptions, Control, MidiIn, Port, ProcessHandler, ProcessScope};
use rtrb::{Consumer, Producer, RingBuffer};

const DEADLINE: Duration = Duration::from_secs(60);

/// A message as it was received.
#[derive(Clone, Copy, Debug)]
pub struct Heard {
    /// Host time of its frame.
    pub host_ns: i64,
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
    /// Starts a server under a name of its own, and the recorder.
    pub fn start() -> Graph {
        let name = format!("antiphon-{}", std::process::id());
        let server = Command::new("jackd")
            .args(["--no-realtime", "--name", &name, "--timeout", "5000", "--sync"])
            .args(["-d", "dummy", "--rate", "48000", "--period", "256"])
            .env("JACK_NO_AUDIO_RESERVATION", "1")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("jackd starts (Debian's jackd2; `cargo xtask test` installs it)");
        // SAFETY: the test's only thread so far; libjack reads it when a client opens.
        unsafe { std::env::set_var("JACK_DEFAULT_SERVER", &name) };
        let client = open();
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
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// A client, as soon as the server is there.
fn open() -> Client {
    let until = Instant::now() + DEADLINE;
    loop {
        match Client::new("recorder", ClientOptions::NO_START_SERVER) {
            Ok((client, _)) => return client,
            Err(error) => assert!(Instant::now() < until, "jackd does not come up: {error}"),
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Stamps what comes with the host time of its frame.
struct Recorder {
    input: Port<MidiIn>,
    recorded: Producer<Heard>,
}

impl ProcessHandler for Recorder {
    fn process(&mut self, client: &Client, scope: &ProcessScope) -> Control {
        let Ok(cycle) = scope.cycle_times() else { return Control::Continue };
        let jack_to_host = HostClock.now().0 - client.time() as i64 * 1_000;
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
            let _ = self.recorded.push(Heard { host_ns, bytes });
        }
        Control::Continue
    }
}
