//! The metronome: on the beats of the metre, and nowhere else.

use antiphon::pattern::{Bars, Metre, Song};
use antiphon::rt::ports::ToEngine;
use antiphon::time::{Beats, Tempo, TempoMap};

use crate::rig::{Rig, groove};

/// Frames at which a silent song's clicks begin, and whether they are a bar's.
fn clicks(rate: f64, song: &Song, start: (Beats, i64), frames: usize, sizes: &[usize]) -> Vec<i64> {
    let map = TempoMap::constant(Tempo::from_bpm(120.0).expect("a tempo"));
    let mut rig = Rig::new(rate, song, &map);
    rig.tell(ToEngine::Metronome(1.0));
    rig.tell(ToEngine::Start { tick: start.0, frame: start.1 });
    rig.run_session(frames, sizes);
    let mut begun = Vec::new();
    let mut quiet = 100;
    for (frame, sample) in rig.left.iter().enumerate() {
        if sample.abs() > 0.01 && quiet >= 100 {
            begun.push(frame as i64);
        }
        quiet = if sample.abs() > 0.01 { 0 } else { quiet + 1 };
    }
    begun
}

#[test]
fn clicks_stand_on_the_beats_for_every_block_and_rate_and_count_in() {
    let mut song = Song::new();
    let seven = Bars::change(&song, 1, Metre { count: 7, unit: 8 }).expect("a place");
    song.apply(&seven);
    for (rate, sizes) in [(48_000.0, &[64][..]), (44_100.0, &[512, 33, 1][..]), (96_000.0, &[4096][..])] {
        let second = rate as i64;
        // A second ahead: two beats of the bar in front of the start.
        let found = clicks(rate, &song, (Beats::ZERO, second), 5 * second as usize, sizes);
        let mut wanted: Vec<i64> = (0..2).map(|beat| beat * second / 2).collect();
        wanted.extend((0..4).map(|beat| second + beat * second / 2));
        wanted.extend((0..8).map(|eighth| 3 * second + eighth * second / 4));
        assert_eq!(found.len(), wanted.len(), "{rate}: {found:?}");
        for (at, ideal) in found.iter().zip(&wanted) {
            assert!((at - ideal).abs() <= 3, "{rate}: {at} for {ideal}");
        }
    }
}

#[test]
fn it_is_in_no_fingerprint() {
    let map = TempoMap::constant(Tempo::from_bpm(240.0).expect("a tempo"));
    let play = |level: f32| {
        let mut rig = Rig::new(48_000.0, &groove(), &map);
        rig.tell(ToEngine::Metronome(level));
        rig.tell(ToEngine::Start { tick: Beats::ZERO, frame: 0 });
        rig.run_session(150_000, &[256]);
        (rig.bars, rig.left)
    };
    let (with, without) = (play(0.7), play(0.0));
    assert_eq!(with.0, without.0);
    assert!(with.0.len() >= 2);
    assert_ne!(with.1, without.1);
}
