//! `cargo xtask jam`: the main job, on real parts.
//!
//! With a display and an audio device the standalone opens, joined, and the link is printed for the
//! others. Without them two hosts in two processes play the groove from the *bundled* plugin, and
//! everything that is promised is measured.

mod ardour;
pub mod clap_host;
mod clock;
mod groove;
mod knob;
mod measure;
mod peers;
mod plot;
mod process;
mod report;
mod server;
mod studio;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::bundle::{self, Bundle, Profile};
use crate::setup::{self, Need};
use crate::steps;
use measure::Spread;
use process::Process;
use report::Report;
use server::{Server, Session};
use studio::Place;

/// The options of `cargo xtask jam`.
#[derive(clap::Args, Default)]
pub struct Arguments {
    /// A groove in the text notation; the built-in one without it.
    file: Option<PathBuf>,
    /// Two hosts without a screen, even where there is one.
    #[arg(long)]
    headless: bool,
    /// One JSON object on standard output and nothing else there.
    #[arg(long)]
    json: bool,
    /// Where recordings, picture and logs go; `target/jam` without it.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Fewer moves of the knob: a check, not a measurement.
    #[arg(long)]
    short: bool,
}

/// Moves of the knob: what the percentiles need, and what a check needs.
const MOVES: usize = 200;
const MOVES_SHORT: usize = 20;
/// How long the two peers play.
const PEERS_S: f64 = 16.0;

/// `cargo xtask jam`.
pub fn run(arguments: &Arguments) -> Result<()> {
    let headless = arguments.headless || !has_screen() || !has_audio();
    let needs: &[Need] = if headless { &[Need::Build, Need::Hosts] } else { &[Need::Build] };
    steps::step("set up", || setup::ensure(needs))?;
    let bundle = bundle::bundle(Profile::Release)?;
    if headless { measured(arguments, &bundle) } else { on_screen(arguments, &bundle) }
}

/// The short jam, as a check over what is bundled already.
pub fn check(bundle: &Bundle) -> Result<()> {
    measured(&Arguments { headless: true, short: true, ..Arguments::default() }, bundle)
}

fn measured(arguments: &Arguments, bundle: &Bundle) -> Result<()> {
    let out = fresh_folder(arguments)?;
    let place = Place { bundle, out: &out };
    let groove_file = groove_file(arguments, bundle, &out)?;
    let moves = if arguments.short { MOVES_SHORT } else { MOVES };
    let mut report =
        Report { knob_ends: "two processes of our CLAP host, 48 kHz, 64 frames", ..Report::default() };
    let mut server = Server::start(&bundle.server, &out.join("data"), &place.logs())?;

    let played = steps::step("two hosts play one groove", || {
        groove::play(&place, &server, &groove_file, &mut report)
    })?;
    steps::step(&format!("knob to sound, {moves} moves"), || {
        let knob = knob::measure(&place, &server, moves)?;
        report.knob_to_sound_ms = Spread::of(&knob.added_ms).context("no move was heard")?;
        report.knob_to_sound_with_blocks_ms = Spread::of(&knob.raw_ms).context("no move was heard")?;
        report.late_blocks += knob.late_blocks;
        Ok(())
    })?;
    steps::step("two peers start together", || {
        let onsets = peers::measure(&place, &server, &groove_file, PEERS_S)?;
        report.onset_difference_us = Spread::of(&onsets.differences_us).context("no common onset")?;
        report.files.extend(onsets.files);
        Ok(())
    })?;
    server.stop()?;
    steps::step("the reopened store against what was acknowledged", || {
        groove::audit(&server, &played, &mut report)
    })?;

    report.judge(moves);
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{}", report.table(moves));
    }
    match report.missed.len() {
        0 => Ok(()),
        _ => bail!("missed: {}", report.missed.join("; ")),
    }
}

/// The standalone, joined, until it is closed.
fn on_screen(arguments: &Arguments, bundle: &Bundle) -> Result<()> {
    let out = fresh_folder(arguments)?;
    let place = Place { bundle, out: &out };
    let groove_file = groove_file(arguments, bundle, &out)?;
    let server = Server::start(&bundle.server, &out.join("data"), &place.logs())?;
    let session = server.session()?;
    let mut hands =
        place.peer("Groove", &place.profile("groove")?, &session.link, &["--load", &groove_file])?;
    wait_until_saved(&mut hands)?;
    hands.finish("quit", Duration::from_secs(10))?;
    match arguments.json {
        true => println!("{}", serde_json::json!({"link": session.link})),
        false => println!("invite others with this link:\n{}", session.link),
    }
    let profile = place.profile("standalone")?;
    let mut standalone = std::process::Command::new(bundle.standalone_program());
    standalone.env("ANTIPHON_HOME", profile).env("ANTIPHON_LINK", &session.link);
    steps::run(&mut standalone).context("the standalone")
}

/// An empty folder for this run.
fn fresh_folder(arguments: &Arguments) -> Result<PathBuf> {
    let out = arguments.out.clone().unwrap_or_else(|| steps::target().join("jam"));
    // Only what a jam makes is removed: the folder may be somebody's.
    for part in ["profiles", "logs", "data"] {
        let part = out.join(part);
        if part.exists() {
            std::fs::remove_dir_all(&part).with_context(|| format!("clearing {}", part.display()))?;
        }
    }
    std::fs::create_dir_all(out.join("logs")).with_context(|| format!("making {}", out.display()))?;
    std::path::absolute(&out).context("the output folder's path")
}

/// The groove as a file that has been checked.
fn groove_file(arguments: &Arguments, bundle: &Bundle, out: &Path) -> Result<String> {
    let file = match &arguments.file {
        Some(file) => std::path::absolute(file).context("the groove's path")?,
        None => {
            let file = out.join("groove.txt");
            std::fs::write(&file, include_str!("jam/groove.txt")).context("writing the groove")?;
            file
        }
    };
    let mut check = std::process::Command::new(&bundle.antiphon);
    steps::run(check.arg("check").arg(&file)).with_context(|| format!("{} is no groove", file.display()))?;
    Ok(file.to_string_lossy().into_owned())
}

/// Waits until everything a peer has loaded is acknowledged.
fn wait_until_saved(peer: &mut Process) -> Result<()> {
    let patience = Duration::from_secs(20);
    peer.wait_for("acked", 0, patience)?;
    let deadline = Instant::now() + patience;
    loop {
        let mark = peer.mark();
        peer.send("state")?;
        let state = peer.wait_for("state", mark, patience)?;
        if state["unsaved"] == 0 {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("{}: {} edits stay unsaved", peer.name(), state["unsaved"]);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Waits until so many participants are in a session.
fn wait_until_online(server: &Server, session: &Session, count: usize) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let participants = server.of(session, "participants")?;
        let all = participants.as_array().map(Vec::as_slice).unwrap_or_default();
        let online = all.iter().filter(|one| one["online"] == true).count();
        if online >= count {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("{online} of {count} participants have joined: {participants}");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn has_screen() -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    set("DISPLAY") || set("WAYLAND_DISPLAY")
}

/// Whether the system knows a sound card.
fn has_audio() -> bool {
    std::fs::read_to_string("/proc/asound/cards").is_ok_and(|cards| !cards.contains("no soundcards"))
}
