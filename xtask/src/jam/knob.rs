//! Knob to sound: from a host's event in one studio to the first changed sample in the other's
//! output.
//!
//! Both ends are our own CLAP host, because its event and its samples have exact times. The
//! receiver holds one note that leans hard to one side; each move throws it to the other side,
//! which was exactly silent: the first sample there that is not zero is the first changed one.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::clap_host::Order;
use super::server::Server;
use super::studio::{BLOCK, ClapStudio, Place, RATE};

/// Between two moves.
const APART: Duration = Duration::from_millis(500);
/// After this a move counts as lost.
const PATIENCE: Duration = Duration::from_secs(5);
/// The sender's parameter as its host names it.
const PAN: &str = "1 Pan";

/// The latencies of isolated moves in ms, as heard and less one block each side.
pub struct Knob {
    /// From the hand to the sample.
    pub raw_ms: Vec<f64>,
    /// Less one block each side.
    pub added_ms: Vec<f64>,
    /// Late blocks of both hosts.
    pub late_blocks: u64,
}

/// Makes so many moves and hears them.
pub fn measure(place: &Place<'_>, server: &Server, moves: usize) -> Result<Knob> {
    let session = server.session()?;
    let song = place.out.join("knob.txt");
    std::fs::write(&song, include_str!("knob.txt")).context("writing the knob's song")?;
    let hands = place.profile("knob-hands")?;
    let song = song.to_string_lossy();
    let mut peer = place.peer("Knob hands", &hands, &session.link, &["--load", &song])?;
    super::wait_until_saved(&mut peer)?;

    let (from, to) = (place.profile("knob-from")?, place.profile("knob-to")?);
    let mut sender = ClapStudio::start(place, "Knob from", &from, &session.link, &[])?;
    let mut receiver = ClapStudio::start(place, "Knob to", &to, &session.link, &["--listen"])?;
    super::wait_until_online(server, &session, 3)?;
    // Long enough for the song to arrive, and for the receiver to know that it was silent.
    std::thread::sleep(APART);
    receiver.order(&Order::Note { key: 45, velocity: 0.8 })?;
    receiver.host.wait_for("heard", 0, PATIENCE).context("the held note does not sound")?;

    let mut knob = Knob { raw_ms: Vec::new(), added_ms: Vec::new(), late_blocks: 0 };
    let blocks_ms = 2.0 * f64::from(BLOCK) / f64::from(RATE) * 1e3;
    for count in 0..moves {
        let begun = Instant::now();
        // The note leans left at first.
        let (value, channel) = if count % 2 == 0 { (1.0, 1) } else { (0.0, 0) };
        let (sent, heard) = (sender.host.mark(), receiver.host.mark());
        sender.order(&Order::Set { param: PAN.to_owned(), value })?;
        let nanos = |event: serde_json::Value| event["host_ns"].as_i64().context("an event without its time");
        let moved = nanos(sender.host.wait_for("moved", sent, PATIENCE)?)?;
        let first = receiver.host.wait(&format!("move {count} to sound"), heard, PATIENCE, |event| {
            (event["event"] == "heard" && event["channel"] == channel).then(|| event.clone())
        })?;
        let raw = (nanos(first)? - moved) as f64 / 1e6;
        knob.raw_ms.push(raw);
        knob.added_ms.push(raw - blocks_ms);
        if (count + 1) % 50 == 0 {
            eprintln!("    {} of {moves} moves heard", count + 1);
        }
        // A little off the beat of any timer.
        let pause = APART + Duration::from_micros(137 * (count as u64 % 11));
        std::thread::sleep(pause.saturating_sub(begun.elapsed()));
    }
    knob.late_blocks = sender.finish()?.0 + receiver.finish()?.0;
    drop(peer);
    Ok(knob)
}
