//! A musician's own mix: heard here, and in no hash.

use antiphon::param::{Owner, Param, Slot};
use antiphon::rt::personal::PersonalEdit;
use antiphon::rt::ports::{FromEngine, Room, ToEngine};
use antiphon::rt::{OwnEffects, OwnMix};
use antiphon::time::{Beats, Tempo, TempoMap};

use crate::rig::{Rig, groove, set, track};

const RATE: f64 = 48_000.0;

fn own(track_at: usize, param: Param, value: f32) -> PersonalEdit {
    PersonalEdit::Param { slot: Slot::new(Owner::Track(track(track_at)), param), value }
}

fn rooms(rig: &mut Rig) {
    rig.tell(ToEngine::Room(Room::Mix(Box::new(OwnMix::new()))));
    for owner in [Owner::Track(track(4)), Owner::Track(track(2)), Owner::Master] {
        rig.tell(ToEngine::Room(Room::Effects(Box::new(OwnEffects::new(owner)))));
    }
}

/// A groove in which tracks send, and the master works hard, with an own mix.
fn rig(edits: &[PersonalEdit]) -> Rig {
    let map = TempoMap::constant(Tempo::from_bpm(240.0).expect("a tempo"));
    let mut song = groove();
    set(&mut song, Owner::Track(track(1)), Param::SendReverb, 0.5);
    set(&mut song, Owner::Track(track(2)), Param::SendDelay, 0.5);
    set(&mut song, Owner::Master, Param::CompRatio, 4.0);
    set(&mut song, Owner::Master, Param::CompThreshold, -30.0);
    set(&mut song, Owner::Master, Param::Ceiling, -3.0);
    let mut rig = Rig::new(RATE, &song, &map);
    if !edits.is_empty() {
        rooms(&mut rig);
    }
    edits.iter().for_each(|edit| rig.tell(ToEngine::Mine(edit.check().expect("within its bounds"))));
    rig
}

fn play(rig: &mut Rig, frames: usize, sizes: &[usize]) {
    rig.tell(ToEngine::Start { tick: Beats::ZERO, frame: rig.frame });
    rig.run_session(frames, sizes);
}

fn everything() -> Vec<PersonalEdit> {
    vec![
        PersonalEdit::Mute { track: track(0), on: true },
        PersonalEdit::Trim { owner: Owner::Track(track(1)), db: -9.0 },
        PersonalEdit::Pan { track: track(3), pan: -0.7 },
        PersonalEdit::Trim { owner: Owner::Master, db: 9.0 },
        own(4, Param::FilterFreq, 300.0),
        own(4, Param::ReverbMix, 0.4),
        own(2, Param::EqHigh, 3.0),
        own(2, Param::DelayMix, 0.4),
        own(2, Param::LfoAmpDepth, 0.6),
        PersonalEdit::Param { slot: Slot::new(Owner::Master, Param::EqLow), value: 2.0 },
        PersonalEdit::Param { slot: Slot::new(Owner::Master, Param::ChorusMix), value: 0.3 },
    ]
}

#[test]
fn equal_songs_under_other_own_mixes_have_equal_fingerprints_and_other_sounds() {
    let (mut plain, mut mine) = (rig(&[]), rig(&everything()));
    play(&mut plain, 150_000, &[256]);
    play(&mut mine, 150_000, &[256]);
    assert!(plain.bars.len() >= 2);
    assert_eq!(plain.bars, mine.bars);
    assert_ne!(plain.left, mine.left);
    let ceiling = 10f32.powf(-3.0 / 20.0) * 1.000_01;
    let peak = mine.left.iter().chain(&mine.right).fold(0.0, |peak: f32, sample| peak.max(sample.abs()));
    assert!(peak <= ceiling, "{peak} passes the ceiling {ceiling}");
    assert!(peak > 0.5 * ceiling);
}

#[test]
fn an_own_mix_does_not_depend_on_the_block_size() {
    let take = |sizes: &[usize]| {
        let mut rig = rig(&everything());
        play(&mut rig, 60_000, sizes);
        (rig.left, rig.right)
    };
    let whole = take(&[4096]);
    for sizes in [&[1, 64][..], &[17], &[512, 3, 700]] {
        assert!(take(sizes) == whole, "blocks of {sizes:?}");
    }
}

#[test]
fn a_mute_a_solo_and_a_trim_do_what_they_say() {
    let energy = |edits: &[PersonalEdit]| {
        let mut rig = rig(edits);
        play(&mut rig, 30_000, &[256]);
        rig.left.iter().map(|sample| f64::from(sample * sample)).sum::<f64>()
    };
    let mute = |at: usize| PersonalEdit::Mute { track: track(at), on: true };
    let all: Vec<PersonalEdit> = (0..5).map(mute).collect();
    assert_eq!(energy(&all), 0.0, "what is muted leaves true silence, sends included");
    let others: Vec<PersonalEdit> = (1..5).map(mute).collect();
    let solo = [PersonalEdit::Solo { track: track(0), on: true }];
    assert_eq!(energy(&others), energy(&solo));
    let mut softer = solo.to_vec();
    softer.push(PersonalEdit::Trim { owner: Owner::Track(track(0)), db: -24.0 });
    assert!(energy(&softer) < 0.1 * energy(&solo));
}

#[test]
fn what_is_neutral_again_is_the_shared_mix_again_to_the_bit() {
    let (mut plain, mut mine) = (rig(&[]), rig(&everything()));
    play(&mut plain, 48_000, &[256]);
    play(&mut mine, 48_000, &[256]);
    for edit in everything() {
        let back = match edit {
            PersonalEdit::Mute { track, .. } => PersonalEdit::Mute { track, on: false },
            PersonalEdit::Trim { owner, .. } => PersonalEdit::Trim { owner, db: 0.0 },
            PersonalEdit::Pan { track, .. } => PersonalEdit::Pan { track, pan: 0.0 },
            PersonalEdit::Param { slot, .. } => {
                PersonalEdit::Param { slot, value: antiphon::rt::personal::neutral(slot) }
            }
            other => other,
        };
        mine.tell(ToEngine::Mine(back));
    }
    plain.run_session(48_000, &[256]);
    mine.run_session(48_000, &[256]);
    // The edit, what is rendered ahead of it, and 5 ms.
    let from = 48_000 + 256 + 512;
    assert_ne!(plain.left[40_000..48_000], mine.left[40_000..48_000]);
    assert_eq!(plain.left[from..], mine.left[from..]);
    assert_eq!(plain.right[from..], mine.right[from..]);
}

/// Of a sustained sound, each change is a ramp: no two samples lie further apart than the sound itself
/// and a ramp of 5 ms make them.
#[test]
fn every_change_is_smooth() {
    let map = TempoMap::constant(Tempo::from_bpm(120.0).expect("a tempo"));
    let mut song = antiphon::pattern::Song::new();
    crate::rig::add(&mut song, 0, "pad", "X...............");
    let slope = |edits: &[PersonalEdit]| {
        let mut rig = Rig::new(RATE, &song, &map);
        rooms(&mut rig);
        play(&mut rig, 24_000, &[64]);
        for edit in edits {
            rig.tell(ToEngine::Mine(*edit));
            rig.run_session(6_400, &[64]);
        }
        let steepest =
            |side: &[f32]| side.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max);
        steepest(&rig.left[12_000..]).max(steepest(&rig.right[12_000..]))
    };
    let still = slope(&[]);
    let first = track(0);
    let changes = [
        PersonalEdit::Mute { track: first, on: true },
        PersonalEdit::Mute { track: first, on: false },
        PersonalEdit::Trim { owner: Owner::Track(first), db: -24.0 },
        PersonalEdit::Trim { owner: Owner::Track(first), db: 0.0 },
        PersonalEdit::Solo { track: track(1), on: true },
        PersonalEdit::Solo { track: track(1), on: false },
        PersonalEdit::Pan { track: first, pan: 1.0 },
        PersonalEdit::Pan { track: first, pan: 0.0 },
        PersonalEdit::Trim { owner: Owner::Master, db: -24.0 },
        PersonalEdit::Trim { owner: Owner::Master, db: 0.0 },
    ];
    let moved = slope(&changes);
    assert!(moved <= 1.5 * still + 0.01, "{moved} where the sound itself has {still}");
}

#[test]
fn a_bounce_holds_everybodys_mix_unless_the_own_one_is_asked_for() {
    let bounce = |edits: &[PersonalEdit]| {
        let mut rig = rig(edits);
        rig.block(0, antiphon::rt::Drive::Session);
        rig.tell(ToEngine::Start { tick: Beats::ZERO, frame: 0 });
        rig.block(0, antiphon::rt::Drive::Session);
        rig.engine.hold_session(true);
        rig.run_session(20_000, &[512]);
        rig.left
    };
    let mute = PersonalEdit::Mute { track: track(0), on: true };
    assert_eq!(bounce(&[mute]), bounce(&[]));
    assert_ne!(bounce(&[mute, PersonalEdit::Bounce(true)]), bounce(&[]));
}

#[test]
fn room_that_is_not_needed_comes_back() {
    let mut rig = rig(&everything());
    rooms(&mut rig);
    rig.run_session(512, &[64]);
    let back = rig.others.iter().filter(|message| matches!(message, FromEngine::RetiredRoom(_))).count();
    assert_eq!(back, 4);
}
