//! Notes that others play live: each at its own tick, the same everywhere, and never without end.

use antiphon::pattern::Song;
use antiphon::rt::Drive;
use antiphon::rt::ports::{FromEngine, LiveNote, ToEngine};
use antiphon::time::{Beats, Tempo, TempoMap};

use crate::rig::*;

const RATE: f64 = 48_000.0;

fn map() -> TempoMap {
    TempoMap::constant(Tempo::from_bpm(300.0).expect("a tempo"))
}

/// Two tracks without a step.
fn quiet() -> Song {
    let mut song = Song::new();
    add(&mut song, 0, "snare", "................");
    add(&mut song, 1, "lead", "................");
    song
}

fn echo(at_track: usize, note: u8, velocity: f32, at: Beats) -> ToEngine {
    ToEngine::Echo { track: track(at_track), note, velocity, at }
}

fn started(song: &Song) -> Rig {
    let mut rig = Rig::new(RATE, song, &map());
    rig.tell(ToEngine::Start { tick: Beats::ZERO, frame: 0 });
    rig.run_session(64, &[64]);
    rig
}

#[test]
fn a_note_of_anothers_sounds_exactly_at_its_tick() {
    let mut rig = started(&quiet());
    let tick = at(5.0) + Beats(1_234);
    rig.tell(echo(0, 60, 0.9, tick));
    rig.run_session(frames_of(7.0, RATE, 300.0), &[64, 333, 17]);
    // 9600 samples a quarter.
    let expected = (tick.0 as f64 * 9_600.0 / 705_600.0).round() as i64;
    assert_eq!(rig.onsets, [Onset { frame: expected, tick: tick.0, track: 0 }]);
    let expected = expected as usize;
    assert!(rig.left[..expected].iter().all(|sample| *sample == 0.0), "silence before it");
    let attack = &rig.left[expected..expected + 96];
    assert!(attack.iter().any(|sample| sample.abs() > 0.01), "sound from it on");
}

#[test]
fn peers_told_in_another_order_and_in_other_blocks_keep_one_key() {
    let notes =
        [(1, 60, 0.5, 4.3), (1, 64, 0.5, 4.3), (0, 60, 0.9, 6.1), (1, 60, 0.0, 5.0), (1, 64, 0.0, 8.2)];
    let play = |sizes: &[usize], reversed: bool| {
        let mut rig = started(&groove_with_lead());
        let mut told: Vec<_> = notes
            .iter()
            .map(|(track, note, velocity, quarters)| echo(*track, *note, *velocity, at(*quarters)))
            .collect();
        if reversed {
            told.reverse();
        }
        told.into_iter().for_each(|message| rig.tell(message));
        rig.run_session(frames_of(17.0, RATE, 300.0), sizes);
        rig.bars
    };
    let (one, other) = (play(&[64], false), play(&[1000, 3], true));
    assert!(one.len() >= 3);
    assert_eq!(one, other);
    let mut without = started(&groove_with_lead());
    without.run_session(frames_of(17.0, RATE, 300.0), &[64]);
    assert_eq!(without.bars[0], one[0], "before the notes nothing differs");
    assert_ne!(without.bars[1].input_key, one[1].input_key, "they are an input");
}

fn groove_with_lead() -> Song {
    let mut song = quiet();
    add(&mut song, 2, "kick", "X...x...X...x..o");
    song
}

#[test]
fn what_comes_too_late_is_silent_and_what_never_ends_ends() {
    let mut rig = started(&quiet());
    rig.run_session(frames_of(2.0, RATE, 300.0), &[64]);
    rig.tell(echo(1, 60, 0.9, at(1.0)));
    rig.tell(echo(1, 62, 0.9, at(3.0)));
    rig.run_session(frames_of(2.0, RATE, 300.0), &[64]);
    assert_eq!(rig.onsets.len(), 1, "a beginning that has passed is dropped");
    rig.run_session(frames_of(30.0, RATE, 300.0), &[64]);
    let tail = &rig.left[rig.left.len() - 4_800..];
    assert!(tail.iter().all(|sample| sample.abs() < 1e-3), "it ended by itself");
    // While nothing plays, nothing waits.
    rig.tell(ToEngine::Stop);
    rig.block(64, Drive::Session);
    rig.tell(echo(1, 60, 0.9, at(500.0)));
    rig.block(64, Drive::Session);
    assert_eq!(rig.onsets.len(), 1);
}

#[test]
fn a_live_note_is_told_with_the_tick_that_was_heard() {
    let mut rig = started(&quiet());
    // Frame 9600 is heard at the second quarter.
    rig.run_session(9_536, &[64]);
    let key = |frame, velocity| LiveNote { frame, channel: 0, note: 60, velocity };
    rig.block_with(256, Drive::Session, &[], &[key(0, 0.8), key(128, 0.0)]);
    let told: Vec<_> = rig
        .others
        .iter()
        .filter_map(|message| match message {
            FromEngine::Played { note: 60, velocity, tick, .. } => Some((*velocity, tick.0)),
            _ => None,
        })
        .collect();
    // 73.5 ticks a sample: the heard tick to within one.
    let later = at(1.0).0 + 128 * 147 / 2;
    assert_eq!(told.len(), 2);
    assert!((told[0].1 - at(1.0).0).abs() <= 74 && (told[1].1 - later).abs() <= 74, "{told:?}");
    let mut stopped = Rig::new(RATE, &quiet(), &map());
    stopped.block_with(256, Drive::Session, &[], &[key(0, 0.8)]);
    assert!(!stopped.others.iter().any(|message| matches!(message, FromEngine::Played { .. })));
}
