//! `antiphon-link`: puts a session's tempo, phase, start and stop onto the studio's LAN by Ableton
//! Link, so that the grid of every Link-aware DAW follows the session.
//!
//! Ableton Link is under the GPL, so this program is: GPL-2.0-or-later, and it alone of Antiphon's
//! programs. It is a process of its own, joins by an invite link as any participant does, and makes
//! no sound. It tells what happens as JSON lines on standard output and takes commands on standard
//! input: `status`, `send tempo on|off`, `send transport on|off`, `quit`.
//!
//! Thread: the main one looks at session and LAN every 5 ms; the client and Link have their own.

mod bridge;
mod grid;
mod lan;

use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use antiphon::client::events::to_json;
use antiphon::client::{
    Client, ClientConfig, Command, Connection, Event, Link, Reach, View, default_profile,
};
use antiphon::pattern::{Bars, Song};
use antiphon::rt::ports::{EnginePorts, ports};
use antiphon::time::{Beats, ClockMap, SessionNanos, TempoMap};
use anyhow::Context;
use bridge::{Bridge, Seen, Sends, Wish, phase_error};
use clap::Parser;
use crossbeam::channel::{Receiver, Sender, unbounded};
use grid::{Grid, Score};
use lan::Lan;
use serde_json::{Value, json};

/// How often session and LAN are looked at.
const LOOK: Duration = Duration::from_millis(5);

const VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "\nThis program contains Ableton Link and is free software under the GNU General Public License,\n\
     version 2 or later. Antiphon's other programs do not contain Link: MIT or Apache-2.0."
);

/// Put a session's tempo, phase, start and stop onto this LAN by Ableton Link.
#[derive(Parser)]
#[command(name = "antiphon-link", version = VERSION)]
struct Arguments {
    /// The invite link: http://host:port/s/SESSION#SECRET. A listener's is enough, unless something
    /// is to be sent.
    link: String,
    /// What others read.
    #[arg(long, default_value = "Link")]
    name: String,
    /// The profile folder: identity and secrets.
    #[arg(long)]
    profile: Option<PathBuf>,
    /// Ask the session for a tempo that somebody on the LAN sets. Otherwise it is put back.
    #[arg(long)]
    send_tempo: bool,
    /// Ask the session to start and stop when somebody on the LAN does.
    #[arg(long)]
    send_transport: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = tracing_subscriber::EnvFilter::try_from_env("ANTIPHON_LOG");
    let filter = filter.unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match run(arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("antiphon-link: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let link: Link = arguments.link.parse()?;
    let (session, engine) = ports();
    let config = ClientConfig {
        profile: arguments.profile.unwrap_or_else(default_profile),
        name: arguments.name,
        reach: Reach::of_environment(),
        link: Some(link),
        song: Song::new(),
        tempo_map: TempoMap::default(),
    };
    let client = Client::spawn(config, session)?;
    let sends = Sends { tempo: arguments.send_tempo, transport: arguments.send_transport };
    let bridge = Bridge::new(sends);
    let mut program = Program { client, engine, bridge, lan: None, told: None };
    program.go_on(&orders()?)
}

/// What a line on standard input, or a signal, asks for.
enum Order {
    Status,
    SendTempo(bool),
    SendTransport(bool),
    Quit,
    Unknown(String),
}

fn read(line: &str) -> Option<Order> {
    let words: Vec<&str> = line.split_whitespace().collect();
    Some(match words.as_slice() {
        [] => return None,
        ["status"] => Order::Status,
        ["send", "tempo", on @ ("on" | "off")] => Order::SendTempo(*on == "on"),
        ["send", "transport", on @ ("on" | "off")] => Order::SendTransport(*on == "on"),
        ["quit"] => Order::Quit,
        _ => Order::Unknown(line.trim().to_owned()),
    })
}

/// Orders from standard input and from signals. The end of standard input ends nothing: a service
/// has none.
fn orders() -> anyhow::Result<Receiver<Order>> {
    let (sender, receiver) = unbounded();
    let signals: Sender<Order> = sender.clone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::spawn(move || {
        runtime.block_on(ended());
        let _ = signals.send(Order::Quit);
    });
    std::thread::spawn(move || {
        let lines = std::io::stdin().lock().lines().map_while(Result::ok);
        for order in lines.filter_map(|line| read(&line)) {
            if sender.send(order).is_err() {
                return;
            }
        }
    });
    Ok(receiver)
}

/// Waits until the program is asked to end.
async fn ended() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => {
                tokio::select! {
                    _ = tokio::signal::ctrl_c() => {}
                    _ = terminate.recv() => {}
                }
            }
            Err(error) => {
                tracing::warn!(%error, "SIGTERM is not heard");
                let _ = tokio::signal::ctrl_c().await;
            }
        }
    }
    #[cfg(not(unix))]
    let _ = tokio::signal::ctrl_c().await;
}

/// What was last told of the LAN: peers, tempo in hundredths of a BPM, whether it plays.
type Told = (u64, i64, bool);

struct Program {
    client: Client,
    /// Nobody plays here; what the session tells an engine is taken and dropped.
    engine: EnginePorts,
    bridge: Bridge,
    /// Joined as soon as the session's tempo is known.
    lan: Option<Lan>,
    told: Option<Told>,
}

impl Program {
    fn go_on(&mut self, orders: &Receiver<Order>) -> anyhow::Result<ExitCode> {
        let events = self.client.events().clone();
        let mut welcomed = false;
        loop {
            crossbeam::select! {
                recv(events) -> event => {
                    let event = event.context("the session's thread has ended")?;
                    match event {
                        Event::Connection(Connection::Refused(_)) => {
                            tell(to_json(&event))?;
                            return Ok(ExitCode::FAILURE);
                        }
                        Event::Connection(Connection::Online) => welcomed = true,
                        _ => {}
                    }
                    let of_interest = matches!(
                        event,
                        Event::Connection(_) | Event::Timeline(_) | Event::Refused { .. } | Event::Error(_)
                    );
                    if of_interest {
                        tell(to_json(&event))?;
                    }
                }
                recv(orders) -> order => match order {
                    Ok(Order::Quit) => return Ok(ExitCode::SUCCESS),
                    Ok(order) => self.obey(order)?,
                    // The signals' thread holds the channel open.
                    Err(_) => return Ok(ExitCode::SUCCESS),
                },
                default(LOOK) => {}
            }
            while self.engine.from_session.pop().is_ok() {}
            if welcomed {
                self.look()?;
            }
        }
    }

    fn obey(&mut self, order: Order) -> anyhow::Result<()> {
        match order {
            Order::SendTempo(on) => self.bridge.sends.tempo = on,
            Order::SendTransport(on) => self.bridge.sends.transport = on,
            Order::Status => {
                let line = match self.measure() {
                    None => json!({"event": "status", "peers": 0}),
                    Some((seen, grid, bound_ns)) => json!({"event": "status", "peers": seen.peers,
                        "tempo": seen.bpm, "session_tempo": grid.tempo.bpm(), "playing": seen.playing,
                        "phase": seen.phase, "quantum": grid.quantum,
                        "phase_error_us": phase_error(&seen, &grid), "clock_bound_ns": bound_ns}),
                };
                return tell(line);
            }
            Order::Unknown(line) => {
                let message = format!(
                    "'{line}' is no command; there are: status, send tempo on|off, \
                     send transport on|off, quit"
                );
                return tell(json!({"event": "error", "message": message}));
            }
            Order::Quit => {}
        }
        Ok(())
    }

    /// The LAN's grid beside the session's, and the clock's certified bound.
    fn measure(&mut self) -> Option<(Seen, Grid, i64)> {
        let view = self.client.view();
        let map = view.clock.map?;
        let lan = self.lan.as_mut()?;
        let tie = lan.clock();
        let host = tie.host(tie.link_us);
        let score = score_of(&view);
        let grid = score.at(map.session(host));
        Some((lan.look(tie.link_us, grid.quantum), grid, map.bound_at(host)))
    }

    /// Compares session and LAN, and does what follows.
    fn look(&mut self) -> anyhow::Result<()> {
        let view = self.client.view();
        // Until the clocks are tied there is no phase to show.
        let Some(map) = view.clock.map else { return Ok(()) };
        let score = score_of(&view);
        let lan = self.lan.get_or_insert_with(|| {
            let tempo = score.tempo_map.tempo_at(score.timeline.tick);
            Lan::join(tempo.bpm())
        });
        let tie = lan.clock();
        let now = tie.link_us;
        let grid = score.at(map.session(tie.host(now)));
        let seen = lan.look(now, grid.quantum);
        let at = link_time(lan, &map, score.timeline.at);
        let (act, wishes) = self.bridge.look(&seen, &grid, score.timeline, at);
        lan.commit(&act, now, grid.quantum);
        self.note(&seen)?;
        for wish in wishes {
            tell(wish_json(&wish))?;
            self.client.send(match wish {
                Wish::Tempo(tempo) => Command::Tempo(tempo),
                Wish::Start => Command::Start(Beats::ZERO),
                Wish::Stop => Command::Stop,
            });
        }
        Ok(())
    }

    /// Tells what has changed on the LAN.
    fn note(&mut self, seen: &Seen) -> anyhow::Result<()> {
        let now: Told = (seen.peers, (seen.bpm * 100.0).round() as i64, seen.playing);
        if self.told.replace(now) == Some(now) {
            return Ok(());
        }
        tell(json!({"event": "lan", "peers": seen.peers, "tempo": seen.bpm, "playing": seen.playing}))
    }
}

fn score_of(view: &View) -> Score {
    Score { timeline: view.timeline, tempo_map: view.tempo_map.clone(), bars: Bars::in_song(&view.song) }
}

/// A session time on Link's clock.
fn link_time(lan: &Lan, map: &ClockMap, at: SessionNanos) -> i64 {
    lan.clock().link(map.host(at))
}

fn wish_json(wish: &Wish) -> Value {
    match wish {
        Wish::Tempo(tempo) => json!({"event": "asked", "tempo": tempo.bpm()}),
        Wish::Start => json!({"event": "asked", "transport": "start"}),
        Wish::Stop => json!({"event": "asked", "transport": "stop"}),
    }
}

fn tell(line: Value) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).context("standard output is gone")
}
