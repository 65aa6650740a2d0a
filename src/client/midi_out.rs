//! Sends MIDI clock: a thread beside a client, paced by the raw monotonic clock.
//!
//! Thread: its own, realtime where the system allows it. It ends with its client, after a stop.

#[cfg(all(feature = "midi", target_os = "linux"))]
mod jack;

use std::thread::JoinHandle;
use std::time::Duration;

use super::midi_clock::{ClockMessage, Due, MidiClock, Session};
use super::{HostClock, Watch};
use crate::time::{Clock, ClockMap, HostNanos};

/// How long the thread sleeps at most, so that it soon sees what the session does.
const LOOK: Duration = Duration::from_millis(5);

/// Where MIDI messages go.
pub trait MidiSink: Send {
    /// How long before it is due a message wants to be here, in ns; 0 where it leaves as it comes.
    fn ahead(&self) -> i64 {
        0
    }

    /// Sends one whole message of three bytes at most, due at a host time.
    ///
    /// # Errors
    /// Why it could not leave, for a person.
    fn send(&mut self, message: &[u8], due: HostNanos) -> Result<(), String>;

    /// Lets what was handed over leave, before the sink goes.
    fn finish(&mut self) {}
}

/// A clock that is being sent. It ends with its client, whether this is kept or not.
pub struct Sending(JoinHandle<()>);

impl Sending {
    /// Waits for its end, which comes after its stop has left; for who has dropped the client and is
    /// about to end the process.
    pub fn end(self) {
        if self.0.join().is_err() {
            tracing::error!("the thread that sends MIDI clock had panicked");
        }
    }
}

/// Starts sending what a client's session plays, until the client is dropped.
///
/// # Errors
/// The thread cannot be started.
pub fn send_clock(watch: Watch, sink: Box<dyn MidiSink>) -> std::io::Result<Sending> {
    let thread = std::thread::Builder::new().name("antiphon-midi".into());
    thread.spawn(move || run(&watch, sink)).map(Sending)
}

fn run(watch: &Watch, mut sink: Box<dyn MidiSink>) {
    super::priority::prefer_realtime();
    let mut midi = MidiClock::default();
    let mut complained = false;
    let mut send = |sink: &mut dyn MidiSink, due: Due| {
        let (bytes, length) = due.message.bytes();
        if let Err(error) = sink.send(&bytes[..length], due.at)
            && !std::mem::replace(&mut complained, true)
        {
            tracing::warn!(error, "MIDI clock cannot be sent");
        }
    };
    while let Some(view) = watch.view() {
        // Alone, session time is host time.
        let alone = view.session.is_none();
        let clock = if alone { Some(ClockMap::IDENTITY) } else { view.clock.map };
        let session = Session { timeline: view.timeline, tempo_map: &view.tempo_map, clock };
        let ahead = sink.ahead();
        let until = loop {
            match midi.next(&session, HostNanos(HostClock.now().0 + ahead)) {
                Ok(due) => send(&mut *sink, due),
                Err(until) => break until,
            }
        };
        let wait = until.map(|at| Duration::from_nanos((at - HostClock.now() - ahead).max(0) as u64));
        // Until the next message is due; a changed session is noticed within a look.
        std::thread::sleep(wait.map_or(LOOK, |wait| wait.min(LOOK)));
    }
    if midi.is_playing() {
        send(&mut *sink, Due { message: ClockMessage::Stop, at: HostClock.now() });
    }
    sink.finish();
}

/// A MIDI port of the system.
#[cfg(feature = "midi")]
pub mod port {
    use anyhow::{Context, bail};
    use midir::{MidiOutput, MidiOutputConnection};

    use super::MidiSink;
    use crate::time::HostNanos;

    /// What others see.
    pub(super) const NAME: &str = "Antiphon";
    /// What of it.
    pub(super) const PORT: &str = "clock";

    /// Opens the output port whose name holds `wanted`; a port of our own for others to connect to
    /// where it is empty (not on Windows, which has none). On Linux `jack` is a port of our own in
    /// JACK, where messages leave at their very frame, and `jack:NAME` connects it to the port there
    /// whose name holds `NAME`.
    ///
    /// # Errors
    /// No MIDI system, no JACK server, no such port; the error names those there are.
    pub fn open(wanted: &str) -> anyhow::Result<Box<dyn MidiSink>> {
        #[cfg(target_os = "linux")]
        if let Some(wanted) =
            wanted.strip_prefix("jack").filter(|rest| rest.is_empty() || rest.starts_with(':'))
        {
            return super::jack::open(wanted.trim_start_matches(':'));
        }
        let output = MidiOutput::new(NAME).context("there is no MIDI system")?;
        if wanted.is_empty() {
            return own(output);
        }
        let named = |port: &midir::MidiOutputPort| output.port_name(port).unwrap_or_default();
        let ports = output.ports();
        let Some(port) = ports.iter().find(|port| named(port).contains(wanted)) else {
            let names: Vec<String> = ports.iter().map(named).collect();
            bail!("there is no MIDI output '{wanted}'; there are: {}", names.join(", "));
        };
        let connected = output.connect(port, PORT);
        Ok(Box::new(Port(connected.map_err(|error| anyhow::anyhow!("{wanted}: {error}"))?)))
    }

    #[cfg(unix)]
    fn own(output: MidiOutput) -> anyhow::Result<Box<dyn MidiSink>> {
        use midir::os::unix::VirtualOutput;
        let made = output.create_virtual(PORT);
        Ok(Box::new(Port(made.map_err(|error| anyhow::anyhow!("no MIDI port can be made: {error}"))?)))
    }

    #[cfg(not(unix))]
    fn own(_: MidiOutput) -> anyhow::Result<Box<dyn MidiSink>> {
        bail!("this system has no MIDI ports of a program's own; name one to send to")
    }

    struct Port(MidiOutputConnection);

    impl MidiSink for Port {
        fn send(&mut self, message: &[u8], _: HostNanos) -> Result<(), String> {
            self.0.send(message).map_err(|error| error.to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};

    use super::*;
    use crate::client::{Client, ClientConfig, Command};
    use crate::pattern::Song;
    use crate::rt::ports::ports;
    use crate::time::{Beats, Tempo, TempoMap};

    struct Stamped(Sender<(u8, i64)>);

    impl MidiSink for Stamped {
        fn send(&mut self, message: &[u8], _: HostNanos) -> Result<(), String> {
            let _ = self.0.send((message[0], HostClock.now().0));
            Ok(())
        }
    }

    #[test]
    fn pulses_leave_when_the_session_says() {
        let profile = tempfile::tempdir().expect("a folder");
        let (session, _engine) = ports();
        let config = ClientConfig {
            profile: profile.path().to_owned(),
            name: "clock".into(),
            link: None,
            song: Song::new(),
            tempo_map: TempoMap::constant(Tempo::from_bpm(150.0).expect("a tempo")),
            reach: crate::client::Reach::default(),
        };
        let client = Client::spawn(config, session).expect("a client");
        let (sender, sent) = channel();
        send_clock(client.watch(), Box::new(Stamped(sender))).expect("a thread");
        client.send(Command::Start(Beats::ZERO));
        let next = || sent.recv_timeout(Duration::from_secs(10)).expect("a message");
        assert_eq!(next().0, 0xFA);
        let pulses: Vec<(u8, i64)> = (0..240).map(|_| next()).collect();
        let timeline = client.view().timeline;
        // 400 ms a beat, 24 pulses to it.
        let ideal = |n: usize| timeline.at.0 + n as i64 * 400_000_000 / 24;
        let mut late: Vec<i64> = pulses.iter().enumerate().map(|(n, (_, at))| at - ideal(n)).collect();
        assert!(pulses.iter().all(|(message, _)| *message == 0xF8));
        late.sort_unstable();
        let (p50, p99, most) = (late[120] / 1000, late[237] / 1000, late[239] / 1000);
        println!("pulses late by µs: p50 {p50}, p99 {p99}, most {most}");
        assert!(late[0] > -1_000, "none is early by a microsecond: {} ns", late[0]);
        // A loaded machine may hold up a few; the middle tells whether the law holds.
        assert!(p50 < 2_000, "{p50} µs");
        drop(client);
        assert_eq!(
            std::iter::from_fn(|| sent.recv_timeout(Duration::from_secs(10)).ok()).last().map(|m| m.0),
            Some(0xFC)
        );
    }
}
