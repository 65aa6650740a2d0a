//! Equal input gives equal samples, and unequal samples are told.

use antiphon::rt::ports::ToEngine;
use antiphon::time::{Beats, Tempo, TempoMap};

use crate::rig::*;

const BPM: f64 = 240.0;

fn map() -> TempoMap {
    TempoMap::constant(Tempo::from_bpm(BPM).expect("a tempo"))
}

fn play_from(bar: i64, bars: usize, sizes: &[usize]) -> Rig {
    let mut rig = Rig::new(48_000.0, &groove(), &map());
    rig.tell(ToEngine::Start { tick: Beats::quarters(4 * bar), frame: 0 });
    rig.run_session(frames_of(4.0 * bars as f64 + 0.1, 48_000.0, BPM), sizes);
    rig
}

#[test]
fn a_bar_started_alone_plays_the_notes_of_the_whole_song() {
    let bar_frames = frames_of(4.0, 48_000.0, BPM) as i64;
    let whole = play_from(0, 8, &[512]);
    let alone = play_from(4, 4, &[512]);
    let first = Beats::quarters(16).0;
    let notes = |rig: &Rig, shift: i64| -> Vec<_> {
        let within = rig.onsets.iter().filter(|o| (first..2 * first).contains(&o.tick));
        let mut notes: Vec<_> = within.map(|o| (o.tick, o.track, o.frame - shift)).collect();
        notes.sort_unstable();
        notes
    };
    assert!(notes(&alone, 0).len() > 60);
    assert_eq!(notes(&whole, 4 * bar_frames), notes(&alone, 0));
    let again = play_from(4, 4, &[17, 300]);
    assert_eq!(alone.bars, again.bars);
    assert_eq!(alone.bars.iter().map(|bar| bar.bar).collect::<Vec<_>>(), [4, 5, 6, 7]);
    assert_eq!(alone.bars[0].start, map().sample_at(Beats(first)));
    assert_ne!(whole.bars[4].input_key, alone.bars[0].input_key, "another origin is another key");
}

#[test]
fn a_run_in_a_used_engine_equals_one_in_a_new_engine() {
    let fresh = play_from(2, 2, &[64]);
    let mut used = play_from(0, 3, &[100]);
    let at = used.frame + 1234;
    let before = used.bars.len();
    used.tell(ToEngine::Start { tick: Beats::quarters(8), frame: at });
    used.run_session(frames_of(8.5, 48_000.0, BPM), &[64]);
    assert_eq!(used.bars[before..], fresh.bars[..]);
    let fade = 240;
    let (from, length) = (at as usize + fade, 20_000);
    assert!(used.left[from..from + length] == fresh.left[fade..fade + length]);
}

#[test]
fn one_bit_is_told_within_its_bar_with_its_track() {
    let right = play_from(0, 3, &[64]);
    let mut wrong = Rig::new(48_000.0, &groove(), &map());
    let in_bar_one = map().sample_at(Beats::quarters(6)).0 + 77;
    wrong.engine.plant_bit_flip(track(4), in_bar_one);
    wrong.tell(ToEngine::Start { tick: Beats::ZERO, frame: 0 });
    wrong.run_session(frames_of(12.1, 48_000.0, BPM), &[64]);
    let differ: Vec<_> = (right.bars.iter().zip(&wrong.bars))
        .filter(|(a, b)| a.input_key == b.input_key)
        .flat_map(|(a, b)| {
            let tracks = (0..16).filter(|at| a.tracks[*at] != b.tracks[*at]);
            tracks.map(|at| (a.bar, at)).collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(differ, [(1, 4)]);
}

/// The song's fingerprints as first rendered; debug and release builds, and other machines, must
/// give the same. A change of sound raises `ENGINE_VERSION` and renews the file
/// (`ANTIPHON_GOLDEN=write`).
#[test]
fn the_golden_song_has_its_golden_fingerprints() {
    let rig = play_from(0, 4, &[64]);
    let mut text = format!("engine version {}\n", antiphon::rt::ENGINE_VERSION);
    for bar in &rig.bars {
        text += &format!("bar {} key {:016x} master {:016x}", bar.bar, bar.input_key, bar.master);
        bar.tracks[..5].iter().for_each(|track| text += &format!(" {track:016x}"));
        text += "\n";
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/fingerprints.txt");
    if std::env::var_os("ANTIPHON_GOLDEN").is_some_and(|mode| mode == "write") {
        std::fs::write(path, &text).expect("the golden file is written");
    }
    let golden = std::fs::read_to_string(path).expect("the golden file");
    assert_eq!(text, golden);
}
