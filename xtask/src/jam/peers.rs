//! Two headless peers that start together on a scheduled bar.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::process::Process;
use super::server::Server;
use super::studio::Place;

/// The differences of two peers' onsets, in µs of session time.
pub struct Onsets {
    /// One for each note that both began.
    pub differences_us: Vec<f64>,
    /// Both recordings.
    pub files: Vec<PathBuf>,
}

/// Starts two peers together and lets them play.
pub fn measure(place: &Place<'_>, server: &Server, groove: &str, seconds: f64) -> Result<Onsets> {
    let session = server.session()?;
    let (one, two) = (place.profile("peer-one")?, place.profile("peer-two")?);
    let recording = |name: &str| place.out.join(name).to_string_lossy().into_owned();
    let files = [recording("peer-one.wav"), recording("peer-two.wav")];
    let mut first =
        place.peer("Peer one", &one, &session.link, &["--load", groove, "--record", &files[0]])?;
    super::wait_until_saved(&mut first)?;
    let second = place.peer("Peer two", &two, &session.link, &["--record", &files[1]])?;
    super::wait_until_online(server, &session, 2)?;
    // The burst of probes at the join: 10, 50 ms apart.
    std::thread::sleep(Duration::from_millis(1_500));
    let marks = [first.mark(), second.mark()];
    first.send("play")?;
    second.wait("the start", marks[1], Duration::from_secs(10), |event| {
        (event["event"] == "timeline" && event["playing"] == true).then_some(())
    })?;
    std::thread::sleep(Duration::from_secs_f64(seconds));
    first.send("stop")?;
    let onsets = [onsets(&first, marks[0])?, onsets(&second, marks[1])?];
    let differences_us: Vec<f64> = onsets[0]
        .iter()
        .filter_map(|(note, at)| Some((*at - onsets[1].get(note)?).abs() as f64 / 1e3))
        .collect();
    if differences_us.is_empty() {
        bail!("the peers began no note together ({} and {})", onsets[0].len(), onsets[1].len());
    }
    let mut peers = [first, second];
    for peer in &mut peers {
        peer.finish("quit", Duration::from_secs(10))?;
    }
    Ok(Onsets { differences_us, files: files.map(PathBuf::from).to_vec() })
}

/// Session time in ns of each note, by track and tick.
fn onsets(peer: &Process, mark: usize) -> Result<HashMap<(i64, i64), i64>> {
    let told = peer.since(mark);
    let notes = told.iter().filter(|event| event["event"] == "onset");
    notes
        .map(|event| note(event).with_context(|| format!("{}: an odd onset: {event}", peer.name())))
        .collect()
}

fn note(event: &Value) -> Option<((i64, i64), i64)> {
    Some(((event["track"].as_i64()?, event["tick"].as_i64()?), event["session_ns"].as_i64()?))
}
