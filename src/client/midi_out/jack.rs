//! MIDI clock through JACK: messages are handed over a little before they are due, and JACK's own
//! callback writes each at its frame.
//!
//! Thread: the sender's own on this side of the ring, JACK's realtime thread on the other. Invariant:
//! the callback allocates nothing, frees nothing and takes no lock; a full ring refuses what comes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use jack::{
    AsyncClient, Client, ClientOptions, ClientStatus, Control, LatencyType, MidiOut, NotificationHandler,
    Port, PortFlags, ProcessHandler, ProcessScope, RawMidi,
};
use rtrb::{Consumer, Producer, RingBuffer};

use super::MidiSink;
use super::port::{NAME, PORT};
use crate::client::HostClock;
use crate::time::{Clock, HostNanos};

/// What JACK calls a port of MIDI.
const MIDI: &str = "8 bit raw midi";
/// Messages that may wait for their frame: a second of the fastest clock.
const WAITING: usize = 512;
/// How late the sending thread may wake, in ns.
const LATE: i64 = 20_000_000;
/// Two reads of one clock closer together than this have the other's between them; tries to have them so.
const CLOSE: i64 = 5_000;
const TRIES: u32 = 4;
/// How far a cycle is believed to lie ahead of its turn, in ns.
const EARLIEST: i64 = 100_000_000;
/// How long the last stop may take to leave, and over how many cycles.
const FINISH: Duration = Duration::from_secs(1);
const FINISHED: u32 = 3;
/// A pulse's byte.
const PULSE: u8 = 0xF8;

/// A message on its way to its frame.
#[derive(Clone, Copy)]
struct Timed {
    due: HostNanos,
    bytes: [u8; 3],
    length: usize,
}

/// Opens a port of our own in JACK; connects it to the input whose name holds `wanted`, if that says
/// anything.
///
/// # Errors
/// No libjack, no server, no such input; the error names those there are.
pub fn open(wanted: &str) -> anyhow::Result<Box<dyn MidiSink>> {
    let (client, _) = Client::new(NAME, ClientOptions::NO_START_SERVER).map_err(explained)?;
    let inputs = client.ports(None, Some(MIDI), PortFlags::IS_INPUT);
    let input = inputs.iter().find(|name| !wanted.is_empty() && name.contains(wanted));
    if input.is_none() && !wanted.is_empty() {
        bail!("JACK has no MIDI input '{wanted}'; it has: {}", inputs.join(", "));
    }
    let port = client.register_port(PORT, MidiOut::default()).context("JACK gives no port")?;
    let own = port.name().context("JACK gives the port no name")?;
    let (messages, waiting) = RingBuffer::new(WAITING);
    let period = period_ns(client.buffer_size(), client.sample_rate());
    let shared = Arc::new(Shared { ahead: AtomicI64::new(2 * period + LATE), ..Shared::default() });
    let player = Player { port, waiting, shared: shared.clone() };
    let ending = Ending(shared.clone());
    let client = client.activate_async(ending, player).context("JACK does not start the port")?;
    if let Some(input) = input {
        client
            .as_client()
            .connect_ports_by_name(&own, input)
            .with_context(|| format!("JACK does not connect the port to {input}"))?;
    }
    Ok(Box::new(JackSink { _client: client, messages, shared }))
}

/// Why there is no JACK, and what to do.
fn explained(error: jack::Error) -> anyhow::Error {
    let server = std::env::var("JACK_DEFAULT_SERVER").unwrap_or_else(|_| "default".into());
    match error {
        jack::Error::LibraryError(why) => {
            anyhow::anyhow!("there is no JACK here ({why}): install libjack (jackd2) or pipewire-jack")
        }
        jack::Error::ClientError(_) => anyhow::anyhow!(
            "no JACK server '{server}' runs: start jackd or PipeWire with its JACK, or name another in \
             JACK_DEFAULT_SERVER"
        ),
        other => anyhow::anyhow!("JACK: {other}"),
    }
}

fn period_ns(frames: u32, rate: u32) -> i64 {
    i64::from(frames) * 1_000_000_000 / i64::from(rate.max(1))
}

/// Host time, and how much more it reads than JACK's clock, which counts µs of its own; in ns. Read
/// again where something came between. *Realtime-safe: yes.*
fn side_by_side(client: &Client) -> (i64, i64) {
    let mut closest = (i64::MAX, (0, 0));
    for _ in 0..TRIES {
        let (before, jack, after) = (HostClock.now().0, client.time() as i64 * 1_000, HostClock.now().0);
        closest = closest.min((after - before, (after, before + (after - before) / 2 - jack)));
        if closest.0 < CLOSE {
            break;
        }
    }
    closest.1
}

/// What both sides see.
#[derive(Default)]
struct Shared {
    /// How long before it is due a message wants to be here, in ns.
    ahead: AtomicI64,
    /// The server has ended.
    gone: AtomicBool,
    /// Nothing more comes: pulses that wait are dropped, and the rest leaves at once.
    over: AtomicBool,
    /// Cycles since then.
    cycles: AtomicU32,
}

/// The sender's side.
struct JackSink {
    _client: AsyncClient<Ending, Player>,
    messages: Producer<Timed>,
    shared: Arc<Shared>,
}

impl MidiSink for JackSink {
    fn ahead(&self) -> i64 {
        self.shared.ahead.load(Ordering::Relaxed)
    }

    fn send(&mut self, message: &[u8], due: HostNanos) -> Result<(), String> {
        if self.shared.gone.load(Ordering::Relaxed) {
            return Err("the JACK server has ended".into());
        }
        let length = message.len().min(3);
        let mut bytes = [0; 3];
        bytes[..length].copy_from_slice(&message[..length]);
        let timed = Timed { due, bytes, length };
        self.messages.push(timed).map_err(|_| "JACK takes no messages".into())
    }

    fn finish(&mut self) {
        self.shared.over.store(true, Ordering::Release);
        let until = Instant::now() + FINISH;
        let left = || self.shared.cycles.load(Ordering::Relaxed) >= FINISHED;
        while !left() && !self.shared.gone.load(Ordering::Relaxed) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Hears that the server has ended.
struct Ending(Arc<Shared>);

impl NotificationHandler for Ending {
    unsafe fn shutdown(&mut self, _: ClientStatus, _: &str) {
        self.0.gone.store(true, Ordering::Relaxed);
    }
}

/// JACK's side.
struct Player {
    port: Port<MidiOut>,
    waiting: Consumer<Timed>,
    shared: Arc<Shared>,
}

impl ProcessHandler for Player {
    /// *Thread: JACK's. Realtime-safe: yes.*
    fn process(&mut self, client: &Client, scope: &ProcessScope) -> Control {
        let (frames, rate) = (i64::from(scope.n_frames()), client.sample_rate());
        // What lies behind the port delays what leaves it now; a program in the same graph adds nothing.
        let (_, behind) = self.port.get_latency_range(LatencyType::Playback);
        let behind = period_ns(behind, rate);
        let period = period_ns(scope.n_frames(), rate);
        let mut writer = self.port.writer(scope);
        let Ok(cycle) = scope.cycle_times() else { return Control::Continue };
        let (now, jack_to_host) = side_by_side(client);
        let begins = cycle.current_usecs as i64 * 1_000 + jack_to_host;
        let lasts = (cycle.next_usecs as i64 - cycle.current_usecs as i64) * 1_000;
        // Until it knows its device, JACK guesses.
        let lasts = if (period / 2..period * 2).contains(&lasts) { lasts } else { period };
        // Where the device's timer is rough, JACK's smoothed cycle may begin later than now.
        let early = (begins - now).clamp(0, EARLIEST);
        self.shared.ahead.store(2 * period + behind + early + LATE, Ordering::Relaxed);
        let over = self.shared.over.load(Ordering::Acquire);
        if over {
            self.shared.cycles.fetch_add(1, Ordering::Relaxed);
        }
        let mut last = 0;
        while let Ok(timed) = self.waiting.peek() {
            let frame = ((timed.due.0 - behind - begins) * frames + lasts / 2).div_euclid(lasts);
            if over && timed.bytes[0] == PULSE {
                let _ = self.waiting.pop();
                continue;
            }
            if frame >= frames && !over {
                break;
            }
            // What is late leaves at once, in its order.
            last = if over { last } else { frame.max(last) };
            let message = RawMidi { time: last as u32, bytes: &timed.bytes[..timed.length] };
            if writer.write(&message).is_err() {
                // No room in this cycle: the next one has it.
                break;
            }
            let _ = self.waiting.pop();
        }
        Control::Continue
    }
}
