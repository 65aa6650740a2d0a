//! Edits: where they land, and what they do to the keys.

use antiphon::param::{Owner, Param, Slot};
use antiphon::pattern::{Edit, PatternIndex, Song, StepField, TrackField};
use antiphon::rt::Drive;
use antiphon::rt::ports::{BarFingerprint, FromEngine, LiveNote, ParamMove, ToEngine};
use antiphon::time::{Beats, Tempo, TempoMap};

use crate::rig::*;

const BPM: f64 = 300.0;

fn map() -> TempoMap {
    TempoMap::constant(Tempo::from_bpm(BPM).expect("a tempo"))
}

fn step(track_at: usize, step: u8, on: bool) -> Edit {
    Edit::Step { track: track(track_at), pattern: PatternIndex::FIRST, step, field: StepField::On(on) }
}

fn cutoff(value: f32) -> Edit {
    Edit::Param { slot: Slot::new(Owner::Track(track(4)), Param::FilterFreq), value }
}

fn same_keys(one: &[BarFingerprint], other: &[BarFingerprint]) -> Vec<bool> {
    for (a, b) in one.iter().zip(other) {
        assert!(a.input_key != b.input_key || a == b, "equal keys, other bars: {a:?} {b:?}");
    }
    one.iter().zip(other).map(|(a, b)| a.input_key == b.input_key).collect()
}

#[test]
fn edits_for_a_beat_land_on_the_same_sample_everywhere() {
    let play = |rate: f64, sizes: &[usize], sent_after: usize| {
        let mut rig = Rig::new(rate, &groove(), &map());
        rig.tell(ToEngine::Start { tick: Beats::ZERO, frame: 0 });
        rig.run_session(frames_of(sent_after as f64 / 10.0, rate, BPM), sizes);
        for (edit, quarters) in
            [(step(0, 1, true), 4.25), (cutoff(300.0), 5.1), (step(2, 4, false), 5.0), (cutoff(5000.0), 8.0)]
        {
            rig.tell(ToEngine::Edit { edit, at: Some(at(quarters)) });
        }
        rig.run_session(frames_of(13.0, rate, BPM), sizes);
        rig
    };
    let one = play(48_000.0, &[64], 10);
    let other = play(44_100.0, &[512, 9], 25);
    assert_eq!(one.bars.len(), 3);
    assert_eq!(one.bars[..3], other.bars[..3]);
    let on = |rig: &Rig| rig.onsets.iter().any(|o| o.tick == at(4.25).0 && o.track == 0);
    assert!(on(&one) && on(&other), "the step at exactly `at` is new");
    assert!(!one.onsets.iter().any(|o| o.tick == at(5.0).0 && o.track == 2));
    assert!(one.onsets.iter().any(|o| o.tick == at(1.0).0 && o.track == 2));
}

#[test]
fn an_early_step_is_played_as_its_place_will_be() {
    let play = |size: usize, sent_after: f64, edits: &[Edit]| {
        let mut rig = Rig::new(48_000.0, &groove(), &map());
        rig.tell(ToEngine::Start { tick: Beats::ZERO, frame: 0 });
        rig.run_session(frames_of(sent_after, 48_000.0, BPM), &[size]);
        for edit in edits {
            rig.tell(ToEngine::Edit { edit: *edit, at: Some(at(4.0)) });
        }
        rig.run_session(frames_of(8.5, 48_000.0, BPM), &[size]);
        rig
    };
    let on_two = |rig: &Rig| {
        let snare = rig.onsets.iter().filter(|o| o.track == 1 && o.tick == at(4.0).0);
        snare.map(|o| o.frame).collect::<Vec<_>>()
    };
    let pattern = PatternIndex::FIRST;
    let micro = |micro| Edit::Step { track: track(1), pattern, step: 0, field: StepField::Micro(micro) };
    let early = map().sample_at(at(4.0 - 0.25 * 0.4)).0;
    let added = [step(1, 0, true), micro(-40)];
    let (one, other) = (play(64, 1.0, &added), play(700, 2.5, &added));
    assert_eq!(on_two(&one), [early]);
    assert_eq!(one.bars, other.bars);
    // Delivered behind the early stroke's time, it is another input.
    let late = play(64, 3.95, &added);
    assert!(on_two(&late).is_empty());
    assert!(same_keys(&late.bars, &one.bars).iter().all(|same| !same));
}

#[test]
fn an_edit_whose_beat_has_passed_waits_for_the_bar() {
    let mut rig = Rig::new(48_000.0, &groove(), &map());
    rig.tell(ToEngine::Start { tick: Beats::ZERO, frame: 0 });
    rig.run_session(frames_of(2.0, 48_000.0, BPM), &[64]);
    rig.tell(ToEngine::Edit { edit: step(0, 14, true), at: Some(at(1.0)) });
    rig.tell(ToEngine::Edit { edit: cutoff(50.0), at: Some(at(1.0)) });
    rig.run_session(frames_of(1.9, 48_000.0, BPM), &[64]);
    let slot = Slot::new(Owner::Track(track(4)), Param::FilterFreq);
    assert_eq!(rig.engine.param(slot), 900.0);
    rig.run_session(frames_of(4.0, 48_000.0, BPM), &[64]);
    assert_eq!(rig.engine.param(slot), 50.0);
    let struck = |quarters| rig.onsets.iter().any(|o| o.tick == at(quarters).0 && o.track == 0);
    assert!(!struck(3.5) && struck(7.5));
}

#[test]
fn an_immediate_edit_unsettles_until_the_next_origin() {
    let mut rigs = [64, 480].map(|size| {
        let mut rig = Rig::new(48_000.0, &groove(), &map());
        rig.tell(ToEngine::Start { tick: Beats::ZERO, frame: 0 });
        rig.run_session(frames_of(4.5, 48_000.0, BPM), &[size]);
        rig.tell(ToEngine::Edit { edit: cutoff(300.0), at: None });
        // Nothing changes twice.
        rig.tell(ToEngine::Edit { edit: cutoff(300.0), at: None });
        rig
    });
    rigs[0].run_session(100, &[50]);
    for rig in &mut rigs {
        // The one hears of it a moment later.
        rig.run_session(frames_of(4.0, 48_000.0, BPM), &[64]);
        let frame = rig.frame;
        rig.tell(ToEngine::Start { tick: at(16.0), frame: frame + 333 });
        rig.run_session(frames_of(8.5, 48_000.0, BPM), &[100]);
    }
    let [one, other] = &rigs;
    assert_eq!(one.bars.iter().map(|bar| bar.bar).collect::<Vec<_>>(), [0, 1, 4, 5]);
    assert_eq!(same_keys(&one.bars, &other.bars)[2..], [true, true]);
    assert!(same_keys(&one.bars, &other.bars)[0]);
}

#[test]
fn an_edit_that_changes_nothing_leaves_the_key_alone() {
    let play = |edits: &[Edit]| {
        let mut rig = Rig::new(48_000.0, &groove(), &map());
        rig.tell(ToEngine::Start { tick: Beats::ZERO, frame: 0 });
        rig.run_session(1000, &[100]);
        for edit in edits {
            rig.tell(ToEngine::Edit { edit: *edit, at: None });
        }
        rig.run_session(frames_of(4.5, 48_000.0, BPM), &[100]);
        rig.bars
    };
    assert_eq!(play(&[]), play(&[cutoff(900.0), step(0, 0, true), Edit::Seed(7)]));
    assert_ne!(play(&[])[0].input_key, play(&[cutoff(901.0)])[0].input_key);
}

#[test]
fn a_host_parameter_sounds_in_any_block_alike_and_is_told() {
    let slot = Slot::new(Owner::Track(track(4)), Param::FilterFreq);
    let play = |size: usize| {
        let mut rig = Rig::new(48_000.0, &groove(), &map());
        let host = Host::from_start(48_000.0, BPM);
        while rig.frame < frames_of(4.5, 48_000.0, BPM) as i64 {
            let moves: Vec<_> = (rig.frame..rig.frame + size as i64)
                .filter(|frame| frame % 7000 == 6000)
                .map(|frame| ParamMove {
                    frame: (frame - rig.frame) as u32,
                    slot,
                    value: 200.0 + frame as f32 / 10.0,
                })
                .collect();
            rig.block_with(size, Drive::Host(host.transport(rig.frame)), &moves, &[]);
        }
        rig
    };
    let one = play(64);
    let other = play(1000);
    assert_eq!(one.bars[0], other.bars[0]);
    let told = |rig: &Rig| {
        let moved = |message: &FromEngine| matches!(message, FromEngine::ParamMoved { .. });
        rig.others.iter().filter(|message| moved(message)).count()
    };
    assert!(told(&one) >= 6, "{}", told(&one));
}

#[test]
fn a_full_table_lands_at_once_and_says_so() {
    let mut rig = Rig::new(48_000.0, &Song::new(), &map());
    rig.tell(ToEngine::Start { tick: Beats::ZERO, frame: 0 });
    rig.run_session(64, &[64]);
    for n in 0..260 {
        rig.tell(ToEngine::Edit { edit: Edit::Seed(n), at: Some(at(100.0 + f64::from(n))) });
    }
    rig.run_session(128, &[64]);
    let fault = antiphon::rt::ports::Fault::PendingFull(4);
    assert!(rig.others.iter().any(|m| matches!(m, FromEngine::Fault(f) if *f == fault)));
}

#[test]
fn a_removed_track_falls_silent_without_a_click() {
    let mut song = Song::new();
    add(&mut song, 0, "kick", "X...............");
    let mut rig = Rig::new(48_000.0, &song, &map());
    rig.tell(ToEngine::Start { tick: Beats::ZERO, frame: 0 });
    rig.run_session(3000, &[64]);
    let edit = Edit::Track { track: track(0), field: TrackField::Alive(false) };
    rig.tell(ToEngine::Edit { edit, at: None });
    rig.run_session(2000, &[64]);
    let after = &rig.left[2900..];
    assert!(after[..100].iter().any(|sample| sample.abs() > 0.05));
    let steepest = after.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max);
    assert!(steepest < 0.02, "a click: {steepest}");
    assert!(after[1200..].iter().all(|sample| *sample == 0.0));
}

#[test]
fn a_live_note_sounds_always_equally_late_and_ends() {
    let mut song = Song::new();
    add(&mut song, 0, "kick", "................");
    add(&mut song, 3, "lead", "................");
    for (size, played) in [(64, 640), (1000, 2000), (37, 74)] {
        let mut rig = Rig::new(48_000.0, &song, &map());
        rig.tell(ToEngine::Focus(track(3)));
        while rig.frame < 20_000 {
            let note = |channel, note, velocity| {
                let frame = (size / 2) as u32;
                LiveNote { frame, channel, note, velocity }
            };
            let notes = match rig.frame {
                at if at == played => vec![note(0, 60, 0.8), note(9, 36, 0.9)],
                at if at == played + size as i64 => vec![note(0, 60, 0.0)],
                _ => vec![],
            };
            rig.block_with(size, Drive::Session, &[], &notes);
        }
        let due = played + (size / 2) as i64;
        let heard: Vec<_> = rig.onsets.iter().map(|o| (o.track, o.frame - due)).collect();
        assert_eq!(heard, [(3, 96), (0, 96)], "in blocks of {size}");
        assert!(rig.left[(due + 96 + 10) as usize..][..500].iter().any(|sample| sample.abs() > 0.01));
        assert!(rig.left[..(due + 96) as usize].iter().all(|sample| *sample == 0.0));
    }
}
