//! A headless peer for scripts: engine, replica and clock in one program.
//!
//! It takes one command a line on standard input ([`Order`]) and tells what happens as one JSON
//! object a line on standard output; each names its kind in `event` and its host time in `host_ns`.
//! Its device is a thread paced by the raw monotonic clock, so that it plays in real time without
//! an audio device.

mod control_order;
mod decision_order;
mod device;
mod mine_order;
mod order;
mod past;
mod people_order;
mod preset_order;
mod shape;

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use crossbeam::channel::{Receiver, unbounded};
use rtrb::RingBuffer;
use serde_json::{Value, json};

use self::control_order::ControlOrder;
use self::device::{Device, Keeping, Keys, Pace, Told};
pub use self::order::Order;
use self::people_order::PeopleOrder;
use super::decisions::rulings_json;
use super::events::{clock_json, fingerprint_json, to_json};
#[cfg(feature = "midi")]
use super::midi_out;
use super::people::Wish;
use super::{
    Client, ClientConfig, Code, Command, Connection, Event, HostClock, LineCommand, Link, Reach, Taps, When,
};
use crate::param::TrackIndex;
use crate::pattern::{MAX_METRES, Song, capture, text};
use crate::rt::ports::{BarFingerprint, Mode, TO_ENGINE_CAPACITY, ports};
use crate::rt::{Engine, EngineConfig};
use crate::time::{Beats, Clock, TempoMap};

/// How long a peer waits for a session file.
const EXPORT: std::time::Duration = std::time::Duration::from_secs(10);

/// The options of `antiphon peer`.
#[derive(clap::Args, Debug)]
pub struct PeerArgs {
    /// The invite link, https://host:port/s/SESSION#SECRET; a short code, https://host:port/c/CODE; or
    /// local:NAME, a groove that the peers of one profile share without a server.
    #[arg(required_unless_present = "solo")]
    pub link: Option<String>,
    /// Play alone, until told to `join`.
    #[arg(long, conflicts_with = "link")]
    pub solo: bool,
    /// Let plain HTTP leave this machine: whoever carries it can read and change it.
    #[arg(long, env = "ANTIPHON_INSECURE_PLAINTEXT")]
    pub insecure_plaintext: bool,
    /// What others read.
    #[arg(long, default_value = "peer")]
    pub name: String,
    /// The profile folder: identity and secrets. A temporary one where it is left out, so that two
    /// peers on one machine are two participants.
    #[arg(long)]
    pub profile: Option<PathBuf>,
    /// Write what sounds to a 32-bit float WAV file.
    #[arg(long, value_name = "OUT.wav")]
    pub record: Option<PathBuf>,
    /// Record what the engine is told, and when: `antiphon replay` plays it again to the same samples.
    #[arg(long, value_name = "OUT.told")]
    pub record_session: Option<PathBuf>,
    /// Make the session's song that of a notation file, once joined.
    #[arg(long, value_name = "FILE")]
    pub load: Option<PathBuf>,
    /// The device's rate in Hz.
    #[arg(long, default_value_t = 48_000, value_parser = clap::value_parser!(u32).range(8_000..=384_000))]
    pub rate: u32,
    /// Frames a block.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=8_192))]
    pub block: u32,
    /// How far the device's clock strays from its rate, in millionths, as real devices' do.
    #[arg(long, default_value_t = 0.0, value_name = "PPM", allow_negative_numbers = true, value_parser = skew)]
    pub skew: f64,
    /// How long a frame takes from its turn to its sound, in ms: what lies behind the device's
    /// callback. Kept in the profile.
    #[arg(long, value_name = "MS")]
    pub latency: Option<f64>,
    /// Who decides over the position: host, follow, session or lead. Without it: follow.
    #[arg(long)]
    pub mode: Option<Mode>,
    /// Flip a bit of what a track's effects are fed with, at a sample of the song: a fault, for tests.
    #[arg(long, hide = true, value_name = "TRACK:SAMPLE", value_parser = flip)]
    pub flip_bit: Option<(TrackIndex, i64)>,
    /// Tell no onsets and fingerprints.
    #[arg(long)]
    pub quiet: bool,
    /// Send MIDI clock to the output port whose name holds this; without a name, from a port of our
    /// own that others connect to.
    #[cfg(feature = "midi")]
    #[arg(long, value_name = "PORT", num_args = 0..=1, default_missing_value = "")]
    pub midi_clock: Option<String>,
}

/// Runs until `quit`, the end of standard input, or a refusal.
///
/// # Errors
/// No link, no profile folder, no file to record to, or standard output is gone.
pub fn run(args: PeerArgs) -> anyhow::Result<ExitCode> {
    let code = args.link.as_deref().and_then(|link| link.parse::<Code>().ok());
    let link = args.link.as_deref().filter(|_| code.is_none());
    let link: Option<Link> = link.map(str::parse).transpose()?;
    // Held until the end: dropping it removes the folder.
    let temporary = TemporaryProfile::new(args.profile.is_none())?;
    let profile = args.profile.clone().unwrap_or_else(|| temporary.folder.clone());
    let (mut session, engine_ports) = ports();
    let config = EngineConfig { rate: f64::from(args.rate), max_block: args.block as usize };
    let (song, tempo_map) = (Song::new(), TempoMap::default());
    let mut engine = Engine::new(config, Box::new(song.clone()), Box::new(tempo_map.clone()), engine_ports);
    if let Some((track, sample)) = args.flip_bit {
        engine.plant_lasting_flip(track, sample);
    }
    let pace = Pace { rate: args.rate, block: args.block as usize, skew_ppm: args.skew };
    let mut keep = Keeping { sound: args.record.as_deref(), session: None };
    if let Some(path) = &args.record_session {
        let (to_device, from) = RingBuffer::new(TO_ENGINE_CAPACITY);
        let to = std::mem::replace(&mut session.to_engine, to_device);
        keep.session = Some(Told { path, from, to, song: &song, map: &tempo_map });
    }
    let (device, keys) = Device::start(engine, pace, keep)?;
    if args.record.is_some() {
        tell(json!({"event": "recording", "first_frame_ns": device.begun.0, "rate": args.rate,
            "skew_ppm": args.skew}))?;
    }
    let reach = Reach { insecure_plaintext: args.insecure_plaintext };
    let client = Client::spawn(
        ClientConfig { profile: profile.clone(), name: args.name.clone(), link, song, tempo_map, reach },
        session,
    )?;
    #[cfg(feature = "midi")]
    let midi_clock = match &args.midi_clock {
        Some(port) => Some(midi_out::send_clock(client.watch(), midi_out::port::open(port)?)?),
        None => None,
    };
    code.into_iter().for_each(|code| client.send(Command::People(Wish::Join(code))));
    client.send(Command::Mode(args.mode));
    args.latency.into_iter().for_each(|ms| client.send(Command::DeviceLatency(ms)));
    let mut peer = Peer {
        client,
        quiet: args.quiet,
        load: args.load,
        last_bar: None,
        taps: Taps::default(),
        keys,
        profile,
    };
    let ended = peer.listen(&orders());
    // Goodbye first, then silence.
    drop(peer);
    #[cfg(feature = "midi")]
    midi_clock.into_iter().for_each(midi_out::Sending::end);
    device.stop()?;
    ended
}

/// What a crystal may stray, in millionths.
fn skew(text: &str) -> Result<f64, String> {
    let skew = text.parse::<f64>().ok().filter(|skew| skew.abs() <= 1_000.0);
    skew.ok_or_else(|| format!("'{text}' is no skew: it lies between -1000 and 1000"))
}

/// A track's place, from 0, and a sample.
fn flip(text: &str) -> Result<(TrackIndex, i64), String> {
    let parts = text.split_once(':');
    let flip = parts.and_then(|(track, at)| Some((TrackIndex::new(track.parse().ok()?)?, at.parse().ok()?)));
    flip.ok_or_else(|| format!("'{text}' is no track and sample"))
}

/// A profile folder that nobody asked for by name, removed at the end.
struct TemporaryProfile {
    folder: PathBuf,
    made: bool,
}

impl TemporaryProfile {
    fn new(wanted: bool) -> anyhow::Result<TemporaryProfile> {
        let name = format!("antiphon-peer-{}-{:08x}", std::process::id(), rand::random::<u32>());
        let folder = std::env::temp_dir().join(name);
        if wanted {
            std::fs::create_dir_all(&folder)
                .with_context(|| format!("the profile folder {} cannot be made", folder.display()))?;
        }
        Ok(TemporaryProfile { folder, made: wanted })
    }
}

impl Drop for TemporaryProfile {
    fn drop(&mut self) {
        if self.made {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

/// Standard input's lines; the channel closes at its end.
fn orders() -> Receiver<String> {
    let (sender, receiver) = unbounded();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { return };
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

struct Peer {
    client: Client,
    quiet: bool,
    /// A file to load as soon as the session has welcomed us.
    load: Option<PathBuf>,
    keys: Keys,
    last_bar: Option<BarFingerprint>,
    taps: Taps,
    /// Where presets are kept.
    profile: PathBuf,
}

impl Peer {
    fn listen(&mut self, orders: &Receiver<String>) -> anyhow::Result<ExitCode> {
        let events = self.client.events().clone();
        loop {
            crossbeam::select! {
                recv(events) -> event => {
                    // The session's thread lives as long as its client.
                    let event = event.context("the session's thread has ended")?;
                    if self.heard(event)? {
                        return Ok(ExitCode::FAILURE);
                    }
                }
                recv(orders) -> line => match line.as_deref().map(str::trim) {
                    Ok("") => {}
                    Ok("quit") | Err(_) => return Ok(ExitCode::SUCCESS),
                    Ok(line) => self.obey(line)?,
                }
            }
        }
    }

    /// Tells an event; says whether it is the end.
    fn heard(&mut self, event: Event) -> anyhow::Result<bool> {
        let mut end = false;
        match &event {
            Event::Connection(Connection::Online) => {
                if let Some(file) = self.load.take() {
                    tell(to_json(&event))?;
                    self.load(&file)?;
                    return Ok(false);
                }
            }
            Event::Connection(Connection::Refused(_)) | Event::CodeRefused(_) => end = true,
            Event::Fingerprint(bar) => self.last_bar = Some(*bar),
            _ => {}
        }
        let noisy = matches!(event, Event::Fingerprint(_) | Event::Onset { .. });
        if !(noisy && self.quiet) {
            tell(to_json(&event))?;
        }
        Ok(end)
    }

    fn obey(&mut self, line: &str) -> anyhow::Result<()> {
        let view = self.client.view_after_commands();
        let order = match Order::read(line, &view.song) {
            Ok(order) => order,
            Err(error) => return tell(json!({"event": "error", "message": error.to_string()})),
        };
        match order {
            Order::Set(edit) => self.client.send(Command::Gesture(edit)),
            Order::Edit(edit, when) => self.client.send(Command::Edit { edits: vec![edit], when }),
            Order::Edits(edits, when) => self.client.send(Command::Edit { edits, when }),
            Order::Capture { track, cycles, to } => {
                let tick = view.position.unwrap_or(Beats::ZERO);
                match capture(&view.song, track, to, tick, usize::from(cycles)) {
                    Ok(edits) => self.client.send(Command::Edit { edits, when: When::Now }),
                    Err(error) => tell(json!({"event": "error", "message": error.to_string()}))?,
                }
            }
            Order::Grid(grid) => self.client.send(Command::Grid(grid)),
            Order::AddTrack(name) => self.client.send(Command::AddTrack(name)),
            Order::Tempo(tempo) => self.client.send(Command::Tempo(tempo)),
            Order::Metre(metre, bar) => match view.metre_change(bar, metre) {
                Some(edit) => self.client.send(Command::Edit { edits: vec![edit], when: When::Now }),
                None => {
                    let message = format!("a song has at most {MAX_METRES} changes of metre");
                    tell(json!({"event": "error", "message": message}))?;
                }
            },
            Order::Ramp(tempo, bars) => self.client.send(Command::Ramp { tempo, bars }),
            Order::CountIn(tick, bars) => self.client.send(Command::CountIn { tick, bars }),
            Order::Metronome(level) => self.client.send(Command::Metronome(level)),
            Order::Tap => {
                let tempo = self.taps.tap(HostClock.now());
                tempo.into_iter().for_each(|tempo| self.client.send(Command::Tempo(tempo)));
                tell(json!({"event": "tap", "tempo": tempo.map(|tempo| tempo.bpm())}))?;
            }
            Order::Play(tick) => self.client.send(Command::Start(tick)),
            Order::Join(link) => self.client.send(Command::Join(link)),
            Order::Leave => self.client.send(Command::Leave),
            Order::Stop => self.client.send(Command::Stop),
            Order::Mode(mode) => self.client.send(Command::Mode(mode)),
            Order::Load(file) => self.load(Path::new(&file))?,
            Order::Line(command) => self.client.send(Command::Line(command)),
            Order::Export(file) => self.export(&file)?,
            Order::Import(file) => match std::fs::read(&file) {
                Ok(bytes) => self.client.send(Command::Line(LineCommand::Import(bytes))),
                Err(error) => {
                    tell(json!({"event": "error", "message": format!("{file} cannot be read: {error}")}))?
                }
            },
            Order::Sample(track, file) => {
                self.client.send(Command::Sample { track, path: PathBuf::from(file) });
            }
            Order::Chat(line) => self.client.send(Command::Chat(line)),
            Order::Hash => self.client.send(Command::Digest),
            Order::State => {
                let tempo = view.tempo_map.tempo_at(crate::time::Beats::ZERO);
                let notation = text::write(&view.song, tempo);
                let unsaid = text::unsaid(&view.song);
                tell(json!({"event": "state", "seq": view.seq.0, "unsaved": view.unsaved,
                    "notation": notation, "unsaid": unsaid}))?;
            }
            Order::Fingerprint => match &self.last_bar {
                Some(bar) => tell(fingerprint_json(bar))?,
                None => tell(json!({"event": "error", "message": "no bar has sounded yet"}))?,
            },
            Order::Peers => {
                let peers = view.peers.iter().map(|peer| {
                    let state = &peer.state;
                    json!({"client": peer.client.0, "name": peer.name, "online": peer.online,
                        "role": peer.role, "away": peer.away, "cursor": state.cursor, "focus": state.focus,
                        "host_bpm": state.host_tempo.map(|tempo| tempo.bpm()), "playing": state.playing,
                        "rtt_us": state.rtt_us, "clock_bound_us": state.clock_bound_us,
                        "clock_estimated_us": state.clock_estimated_us, "trim_us": state.trim_us,
                        "device_latency_us": state.device_latency_us})
                });
                tell(json!({"event": "peers", "peers": peers.collect::<Vec<_>>()}))?;
            }
            Order::People(PeopleOrder::Note(track, note, velocity, ms)) => {
                // The focus travels by another ring than the note: it is waited for.
                self.client.send(Command::Focus(track));
                self.client.view_after_commands();
                self.keys.press(note, velocity, ms);
            }
            Order::People(order) => match order.command(&view) {
                Ok(command) => self.client.send(command),
                Err(error) => tell(json!({"event": "error", "message": error.to_string()}))?,
            },
            Order::Preset(order) => match order.carry_out(&self.client, &view, &self.profile) {
                Ok(told) => told.into_iter().try_for_each(tell)?,
                Err(error) => tell(json!({"event": "error", "message": error.to_string()}))?,
            },
            Order::Decision(order) => match order.wish(&view) {
                Ok(Some(decision)) => self.client.send(Command::Decide(decision)),
                Ok(None) => {
                    let name = |client| {
                        let peer = view.peers.iter().find(|peer| peer.client == client);
                        peer.map_or_else(|| format!("participant {}", client.0), |peer| peer.name.clone())
                    };
                    tell(rulings_json(&view.rulings, &view.song, name))?;
                }
                Err(error) => tell(json!({"event": "error", "message": error.to_string()}))?,
            },
            Order::Control(ControlOrder::Tell) => tell(ControlOrder::told(&view))?,
            Order::Control(ControlOrder::Change(command)) => self.client.send(Command::Control(command)),
            Order::Control(ControlOrder::Say(channel, said)) => self.keys.control(channel, said),
            Order::Mine(order) => order.carry_out(&self.client, &view).into_iter().try_for_each(tell)?,
            Order::Clock => tell(clock_json(&self.client.view_after_commands().clock))?,
            Order::Trim(ms) => self.client.send(Command::Trim(ms)),
            Order::Latency(ms) => self.client.send(Command::DeviceLatency(ms)),
        }
        Ok(())
    }

    /// Writes the whole session to a file.
    fn export(&self, file: &str) -> anyhow::Result<()> {
        let (answer, answered) = crossbeam::channel::bounded(1);
        self.client.send(Command::Export(answer));
        let late = || Err("the session did not answer; try again in a moment".to_owned());
        let bytes = answered.recv_timeout(EXPORT).unwrap_or_else(|_| late());
        let written = bytes.and_then(|bytes| {
            std::fs::write(file, &bytes).map_err(|error| format!("{file} cannot be written: {error}"))?;
            Ok(bytes.len())
        });
        tell(match written {
            Ok(bytes) => json!({"event": "exported", "file": file, "bytes": bytes}),
            Err(message) => json!({"event": "error", "message": message}),
        })
    }

    /// Makes the session's song that of a file, by edits.
    fn load(&self, file: &Path) -> anyhow::Result<()> {
        let name = file.display().to_string();
        let source = match std::fs::read_to_string(file) {
            Ok(source) => source,
            Err(error) => {
                let message = format!("{name} cannot be read: {error}");
                return tell(json!({"event": "error", "message": message}));
            }
        };
        let reading = match text::read(&source) {
            Ok(reading) => reading,
            Err(found) => {
                let message = text::report(&found, &source, &name);
                return tell(json!({"event": "error", "message": message}));
            }
        };
        if !reading.warnings.is_empty() {
            let message = text::report(&reading.warnings, &source, &name);
            tell(json!({"event": "warning", "message": message}))?;
        }
        let view = self.client.view_after_commands();
        self.client.send(Command::Tempo(reading.tempo));
        let mut song = reading.song;
        song.know_tracks_of(&view.song);
        let edits = song.edits_since(&view.song);
        if !edits.is_empty() {
            self.client.send(Command::Edit { edits, when: When::Now });
        }
        Ok(())
    }
}

fn tell(mut line: Value) -> anyhow::Result<()> {
    line["host_ns"] = json!(HostClock.now().0);
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).context("standard output is gone")
}
