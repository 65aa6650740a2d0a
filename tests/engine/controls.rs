//! Mapped controllers: what they move sounds as if the host had moved it.

use antiphon::param::{Owner, Param, Slot};
use antiphon::rt::OwnMix;
use antiphon::rt::controls::{ControlMap, Controller, Mapping, Said, Source, Takeover, Target};
use antiphon::rt::personal::PersonalEdit;
use antiphon::rt::ports::{FromEngine, LiveNote, ParamMove, Room, ToEngine};
use antiphon::rt::{Drive, Engine};
use antiphon::time::{Beats, TempoMap};

use crate::rig::{Rig, groove, track};

fn mapped(source: Source, target: Target, takeover: Takeover) -> ToEngine {
    let mapping = Mapping { controller: Controller { channel: 3, source }, target, takeover };
    assert!(mapping.is_sound());
    ToEngine::Room(Room::Controls(Box::new(ControlMap::new(&[mapping], false))))
}

fn cutoff() -> Slot {
    Slot::new(Owner::Track(track(4)), Param::FilterFreq)
}

/// Some blocks of a groove; `act` comes before each.
fn play(first: ToEngine, mut act: impl FnMut(&mut Engine, usize) -> Option<ParamMove>) -> Rig {
    let mut rig = Rig::new(44_100.0, &groove(), &TempoMap::default());
    rig.tell(ToEngine::Start { tick: Beats::ZERO, frame: 0 });
    rig.tell(first);
    rig.block(0, Drive::Session);
    for block in 0..120 {
        let moved = act(&mut rig.engine, block);
        rig.block_with(256, Drive::Session, moved.as_slice(), &[]);
    }
    rig
}

#[test]
fn a_controller_sounds_as_a_hosts_automation_does_and_is_told_as_it_is() {
    let value = |block: usize| ((block * 5) % 128) as u8;
    let controlled =
        play(mapped(Source::Cc(74), Target::Shared(cutoff()), Takeover::Absolute), |engine, block| {
            engine.control(70, 3, Said::Cc(74, value(block)));
            engine.control(70, 4, Said::Cc(74, 0));
            None
        });
    let automated = play(ToEngine::Metronome(0.0), |_, block| {
        let value = cutoff().spec().value_at(f32::from(value(block)) / 127.0);
        Some(ParamMove { frame: 70, slot: cutoff(), value })
    });
    assert_eq!(controlled.left, automated.left);
    let told = |rig: &Rig| {
        let moved = |message: &FromEngine| match message {
            FromEngine::ParamMoved { slot, value } => Some((*slot, *value)),
            _ => None,
        };
        rig.others.iter().filter_map(moved).collect::<Vec<_>>()
    };
    assert_eq!(told(&controlled), told(&automated));
    assert!(told(&controlled).len() > 100);
}

#[test]
fn a_mapped_pad_is_not_played_and_a_key_is() {
    let mut rig = Rig::new(48_000.0, &groove(), &TempoMap::default());
    rig.tell(ToEngine::Room(Room::Mix(Box::new(OwnMix::new()))));
    rig.tell(mapped(Source::Note(36), Target::Mute(track(2)), Takeover::PickUp));
    rig.block(64, Drive::Session);
    let key = |note, velocity| LiveNote { frame: 3, channel: 3, note, velocity };
    rig.block_with(4_096, Drive::Session, &[], &[key(36, 0.8), key(36, 0.0)]);
    assert!(rig.left.iter().all(|sample| *sample == 0.0), "the pad is no key");
    let mute = PersonalEdit::Mute { track: track(2), on: true };
    assert!(rig.others.iter().any(|told| matches!(told, FromEngine::MineMoved(edit) if *edit == mute)));
    rig.block_with(4_096, Drive::Session, &[], &[key(50, 0.8)]);
    assert!(rig.left.iter().any(|sample| sample.abs() > 0.01), "other keys play");
}

#[test]
fn while_one_is_learned_controllers_are_told_and_move_nothing() {
    let mapping = Mapping {
        controller: Controller { channel: 3, source: Source::Cc(74) },
        target: Target::Shared(cutoff()),
        takeover: Takeover::Absolute,
    };
    let learning = ToEngine::Room(Room::Controls(Box::new(ControlMap::new(&[mapping], true))));
    let rig = play(learning, |engine, _| {
        engine.control(0, 3, Said::Cc(74, 9));
        None
    });
    assert!(!rig.others.iter().any(|told| matches!(told, FromEngine::ParamMoved { .. })));
    let said =
        |told: &&FromEngine| matches!(told, FromEngine::Controller { channel: 3, said: Said::Cc(74, 9) });
    assert!(rig.others.iter().filter(said).count() > 100);
}
