//! A sample file that one studio brings: missing elsewhere until the server hands it on, then the
//! same sound.

use std::f64::consts::TAU;
use std::path::Path;

use serde_json::Value;

use crate::peer::{Peer, number, text};
use crate::playing::heard_bar;
use crate::server_process::Server;

fn write_tone(path: &Path, frames: u32) {
    let spec = hound::WavSpec {
        channels: 2,
        sample_rate: 44_100,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = hound::WavWriter::create(path, spec).expect("a file");
    for at in 0..frames {
        let fall = 1.0 - f64::from(at) / f64::from(frames);
        let sample = ((f64::from(at) * 330.0 / 44_100.0 * TAU).sin() * fall * 20_000.0) as i16;
        file.write_sample(sample).expect("written");
        file.write_sample(sample / 2).expect("written");
    }
    file.finalize().expect("written");
}

fn standing(peer: &mut Peer, hash: &str, wanted: &str) {
    peer.until("sample", |line| {
        (text(line, "hash") == hash && text(line, "standing") == wanted).then_some(())
    });
}

/// What a peer told of a bar that it played with a key.
fn bar_of<'a>(peer: &'a Peer, bar: i64, key: &str) -> Option<&'a Value> {
    peer.all("fingerprint").filter(|line| number(line, "bar") == bar).find(|line| line["input_key"] == key)
}

#[test]
fn a_sample_travels_and_sounds_the_same() {
    let server = Server::start();
    let link = server.link(&server.session("editor"));
    let folder = tempfile::tempdir().expect("a folder");
    let tone = folder.path().join("my tone.wav");
    write_tone(&tone, 9_000);
    let mut a = Peer::join(&link, "a", &[]);
    let mut b = Peer::join(&link, "b", &[]);
    a.order("track add vox");
    a.state_when(|notation| notation.contains("seq vox"));
    a.order("tempo 240");
    a.order("euclid vox 5");
    a.order(&format!("sample vox {}", tone.display()));
    let hash = a.until("sampled", |line| Some(text(line, "hash").to_owned()));
    let said = format!("sample vox: my-tone hash={hash}");
    standing(&mut b, &hash, "missing");
    standing(&mut b, &hash, "here");
    b.state_when(|notation| notation.contains(&said));
    let kept = b.profile().join("samples").join(format!("{hash}.wav"));
    let own = a.profile().join("samples").join(format!("{hash}.wav"));
    assert_eq!(std::fs::read(&kept).expect("b has it"), std::fs::read(own).expect("a has it"));

    // A newcomer fetches it, too, whoever else is there.
    assert!(a.quit(), "a ends well");
    let mut c = Peer::join(&link, "c", &[]);
    standing(&mut c, &hash, "here");
    b.order("play");
    heard_bar(&mut c, 3);
    heard_bar(&mut b, 3);
    let same = b.all("fingerprint").any(|line| {
        let (bar, key) = (number(line, "bar"), text(line, "input_key"));
        bar_of(&c, bar, key).is_some_and(|other| {
            assert_eq!((&line["master"], &line["tracks"]), (&other["master"], &other["tracks"]), "bar {bar}");
            line["tracks"][0] != line["tracks"][9]
        })
    });
    assert!(same, "no bar was compared");

    // Taken away, undone; a bad file says so.
    b.order("sample vox none");
    c.state_when(|notation| !notation.contains("hash="));
    b.order("undo");
    c.state_when(|notation| notation.contains(&said));
    b.order(&format!("sample vox {}", folder.path().join("gone.wav").display()));
    let message = b.until("error", |line| line["message"].as_str().map(str::to_owned));
    assert!(message.contains("gone.wav"), "{message}");
    assert!(b.quit() && c.quit(), "both end well");
}

#[test]
fn a_recorded_session_with_a_sample_plays_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("a plain path").to_owned();
    let tone = folder.path().join("tone.wav");
    write_tone(&tone, 4_000);
    let (session, first, again) = (path("session"), path("first.wav"), path("again.wav"));
    let mut peer = Peer::start("--solo", "a", &["--record", &first, "--record-session", &session]);
    peer.order("track add vox");
    peer.state_when(|notation| notation.contains("seq vox"));
    peer.order("euclid vox 4");
    peer.order(&format!("sample vox {}", tone.display()));
    peer.until("sampled", |_| Some(()));
    peer.order("play");
    heard_bar(&mut peer, 1);
    assert!(peer.quit(), "it ends well");
    let replay = std::process::Command::new(env!("CARGO_BIN_EXE_antiphon"))
        .args(["replay", &session, &again])
        .status()
        .expect("it starts");
    assert!(replay.success());
    let samples = |path: &str| -> Vec<f32> {
        let mut reader = hound::WavReader::open(path).expect("a WAV");
        reader.samples().map(|sample| sample.expect("a sample")).collect()
    };
    let (live, replayed) = (samples(&first), samples(&again));
    assert!(live.iter().any(|sample| sample.abs() > 0.05), "it was heard");
    let length = live.len().min(replayed.len());
    assert!(length > 48_000 && live[..length] == replayed[..length]);
}
