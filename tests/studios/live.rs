//! Notes played live reach the others one bar later, in time, and become steps.

use crate::peer::{Peer, number, text};
use crate::server_process::Server;

/// 2 s a bar; the muted track's step tells where we are and is silent itself.
const GROOVE: &str = "TEMPO 120\n\
    seq kick: X...............\n\
    seq mark: .........x......\n\
    mute mark\n\
    seq snare: ................\n";
const BAR: i64 = 4 * 705_600;

#[test]
fn a_live_note_sounds_one_bar_later_at_its_sample_and_is_kept() {
    let server = Server::start();
    let invite = server.session("editor");
    let folder = tempfile::tempdir().expect("a folder");
    let (groove, tape) = (folder.path().join("groove.txt"), folder.path().join("b.wav"));
    std::fs::write(&groove, GROOVE).expect("a written file");
    let link = server.link(&invite);
    let mut a = Peer::join(&link, "a", &["--load", groove.to_str().expect("a path")]);
    let mut b = Peer::join(&link, "b", &["--record", tape.to_str().expect("a path")]);
    for peer in [&mut a, &mut b] {
        peer.state_when(|notation| notation.contains("snare") && notation.contains("mute mark"));
    }
    a.order("play");
    b.until("onset", |line| (line["track"] == 1).then_some(()));
    a.until("onset", |line| (line["track"] == 1).then_some(()));
    a.order("note snare 60 0.9 100");
    let tick = a.until("played-here", |line| Some(number(line, "tick")));
    let heard = b.until("played", |line| (line["velocity"] != 0).then(|| line.clone()));
    assert_eq!((text(&heard, "from"), number(&heard, "tick")), ("a", tick + BAR));
    let frame =
        b.until("onset", |line| (line["track"] == 2).then(|| (number(line, "tick"), number(line, "frame"))));
    assert_eq!(frame.0, tick + BAR);
    // Against the pattern's own onsets: 24000 frames a quarter.
    let kick = b.all("onset").find(|line| line["track"] == 0).expect("a kick").clone();
    let since = (frame.0 - number(&kick, "tick")) as f64 * 24_000.0 / 705_600.0;
    let expected = number(&kick, "frame") + since.round() as i64;
    // The device's clock is followed by up to 500 parts in a million.
    let bent = 1 + (since * 500e-6) as i64;
    assert!((frame.1 - expected).abs() <= bent, "at {}, expected {expected} ± {bent}", frame.1);

    a.order("keep grid");
    assert_eq!(a.until("kept-notes", |line| Some(number(line, "notes"))), 1);
    b.state_when(|notation| notation.contains("step snare.") && notation.contains("note=60"));
    assert!(a.quit() && b.quit());

    let mut wav = hound::WavReader::open(&tape).expect("a tape");
    let left: Vec<f32> = wav.samples::<f32>().step_by(2).map(|sample| sample.expect("a sample")).collect();
    // What fits the groove to the device's clock rings a few samples ahead of a stroke.
    let (at, ringing) = (frame.1 as usize, 64);
    let quiet = &left[at - 2_400..at - ringing];
    assert!(quiet.iter().all(|sample| sample.abs() < 1e-4), "silence before it");
    let around = &left[at - ringing..at + 480];
    let first = around.iter().position(|sample| sample.abs() > 1e-3).expect("sound from it on");
    assert!(first.abs_diff(ringing) <= 16, "{} samples off", first as i64 - ringing as i64);
}
