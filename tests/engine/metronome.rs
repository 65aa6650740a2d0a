//! The metronome: on the beats of the metre, and nowhere else.

use antiphon::pattern::{Bars, Metre, Song};
use antiphon::rt::Drive;
use antiphon::rt::ports::{Mode, ToEngine};
use antiphon::time::{Beats, ClockMap, HostNanos, SessionNanos, Tempo, TempoMap};

use crate::rig::{Host, Rig, groove};

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

/// Two machines on one clock, other rates and blocks, hosts that roll meanwhile: two bars of clicks,
/// and the first note on the bar.
#[test]
fn on_the_shared_clock_a_count_in_clicks_for_everybody_until_the_pattern_begins() {
    const START_NS: i64 = 4_500_000_000;
    let map = TempoMap::constant(Tempo::from_bpm(120.0).expect("a tempo"));
    for (mode, rate, size) in [(Mode::Session, 48_000.0, 256), (Mode::Follow, 44_100.0, 441)] {
        let mut rig = Rig::new(rate, &groove(), &map);
        rig.tell(ToEngine::Mode { mode, offset: Beats::ZERO });
        rig.tell(ToEngine::Clock { map: ClockMap::IDENTITY, latency_ns: 0 });
        rig.tell(ToEngine::Metronome(1.0));
        rig.tell(ToEngine::Timeline { tick: Beats::ZERO, at: SessionNanos(START_NS) });
        let host = Host { quarters: 11.3, ..Host::from_start(rate, 133.0) };
        while (rig.frame as f64) < 4.7 * rate {
            // Callbacks come late by up to 0.2 ms.
            let late = rig.frame * 7_919 % 200_000;
            rig.now = Some(HostNanos((rig.frame as f64 * 1e9 / rate) as i64 + late));
            rig.block(size, Drive::Host(host.transport(rig.frame)));
        }
        let (mut found, mut quiet) = (Vec::new(), 100);
        for (frame, sample) in rig.left.iter().enumerate() {
            if sample.abs() > 0.01 && quiet >= 100 {
                found.push(frame as f64 / rate);
            }
            quiet = if sample.abs() > 0.01 { 0 } else { quiet + 1 };
        }
        let start = START_NS as f64 / 1e9;
        let counted: Vec<f64> = found.into_iter().filter(|at| *at < start - 0.1).collect();
        assert_eq!(counted.len(), 8, "{mode:?}: {counted:?}");
        for (beat, at) in counted.iter().enumerate() {
            let ideal = start - 4.0 + beat as f64 / 2.0;
            assert!((at - ideal).abs() < 0.002, "{mode:?}: {at} for {ideal}");
        }
        let first = rig.onsets.first().expect("a note");
        assert_eq!(first.tick, 0);
        assert!((first.frame as f64 / rate - start).abs() < 0.002, "{mode:?}: {first:?}");
    }
}
