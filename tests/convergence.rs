//! Replicas converge: random clients, delays, retries, lost connections, restarts. Everything
//! travels as bytes. A failure prints its plan.

#[path = "support/registers.rs"]
mod registers;
#[path = "convergence/world.rs"]
mod world;

use antiphon::param::TrackIndex;
use antiphon::pattern::{
    Chord, ChordChange, ChordKind, ClipField, ClipSource, Condition, ContextField, Edit, Grid, GridEdit,
    Metre, MetreChange, Name, Order, PatternField, PatternIndex, Register, SceneField, SectionField, Song,
    StepField, StepRegister, TrackField, TrackId, Trig,
};
use antiphon::session::{
    ClientId, Cseq, MAX_SNAPSHOT, NewTrack, Op, Outcome, Refusal, Role, Seq, Sequencer, SnapshotError,
    StampedOp, State,
};
use antiphon::time::{Beats, SessionNanos, Tempo, TempoMap};
use proptest::prelude::*;

use crate::world::{World, act, bar, slot, write};

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn replicas_converge_and_nothing_lands_twice(plan in prop::collection::vec(act(), 1..120)) {
        let mut world = World::new();
        plan.iter().for_each(|act| world.act(act));
        world.settle();
    }

    #[test]
    fn damaged_snapshots_are_refused_by_name(
        at in any::<prop::sample::Index>(), bit in 0..8u8, cut in any::<prop::sample::Index>(),
    ) {
        let whole = busy_state().encode();
        let mut damaged = whole.clone();
        damaged[at.index(whole.len())] ^= 1 << bit;
        prop_assert!(State::decode(&damaged).is_err());
        prop_assert!(State::decode(&whole[..cut.index(whole.len())]).is_err());
    }

    #[test]
    fn forged_snapshots_never_panic(
        at in any::<prop::sample::Index>(), value in any::<u8>(), more in prop::collection::vec(any::<u8>(), 0..8),
    ) {
        // Damage below a checksum that fits.
        let whole = busy_state().encode();
        let mut body = whole[..whole.len() - 8].to_vec();
        let place = 5 + at.index(body.len() - 5);
        body.splice(place..=place, std::iter::once(value).chain(more));
        body.extend(xxhash_rust::xxh3::xxh3_64(&body).to_le_bytes());
        if let Ok(state) = State::decode(&body) {
            // What reads is a sound state.
            prop_assert_eq!(State::decode(&state.encode()).expect("a state").digest(), state.digest());
        }
    }
}

/// A state in which everything a snapshot holds is present.
fn busy_state() -> State {
    let mut sequencer = Sequencer::new(State::new());
    let ops = |ops: Vec<(Edit, Option<u8>)>| -> Vec<StampedOp> {
        ops.into_iter().map(|(edit, at)| StampedOp { op: Op::Edit(edit), at: at.map(bar) }).collect()
    };
    let frames = (0..16u8).map(|n| ops(vec![(write(n, n), None), (write(n, n + 1), Some(n % 3))]));
    for (n, ops) in (1..).zip(frames) {
        submit(&mut sequencer, 1 + n % 2, n.div_ceil(2), ops).expect("accepted");
    }
    sequencer.start(bar(2), SessionNanos(7));
    sequencer.state().clone()
}

fn submit(sequencer: &mut Sequencer, who: u64, cseq: u64, ops: Vec<StampedOp>) -> Result<Outcome, Refusal> {
    let timeline = sequencer.state().timeline();
    let position = timeline.playing.then_some(timeline.tick);
    sequencer.submit(ClientId(who as u32), Role::Editor, Cseq(cseq), Seq(0), ops, position)
}

fn now(edit: Edit) -> StampedOp {
    StampedOp { op: Op::Edit(edit), at: None }
}

#[test]
fn a_snapshot_says_what_is_wrong_with_it() {
    let whole = busy_state().encode();
    let error = |bytes: &[u8]| State::decode(bytes).expect_err("damaged");
    assert_eq!(error(&[]), SnapshotError::NotASnapshot(0));
    let mut newer = whole.clone();
    newer[4] = 9;
    assert_eq!(error(&newer), SnapshotError::Version(9));
    let mut damaged = whole.clone();
    damaged[20] ^= 1;
    assert_eq!(error(&damaged), SnapshotError::Checksum);
    assert!(matches!(error(&vec![0; MAX_SNAPSHOT + 1]), SnapshotError::TooLarge(_)));
}

#[test]
fn a_frame_lands_whole_or_not_at_all() {
    let mut sequencer = Sequencer::new(State::new());
    let before = sequencer.state().digest();
    let bad = Edit::Param { slot: slot(0), value: f32::NAN };
    let refused = submit(&mut sequencer, 1, 1, vec![now(write(1, 3)), now(bad)]).expect_err("refused");
    assert!(matches!(refused, Refusal::Invalid { index: 1, .. }), "{refused}");
    assert_eq!(sequencer.state().digest(), before);
    assert_eq!(submit(&mut sequencer, 1, 1, vec![now(write(1, 3))]), Err(refused), "a retry gets the answer");
}

#[test]
fn clients_write_neither_tempo_maps_nor_transport() {
    let mut sequencer = Sequencer::new(State::new());
    let own = [
        Op::TempoMap(sequencer.state().tempo_map().clone()),
        Op::Timeline(sequencer.state().timeline()),
        Op::Promote(Beats::ZERO),
    ];
    for (n, op) in (1..).zip(own) {
        let refused = submit(&mut sequencer, 1, n, vec![StampedOp { op, at: None }]);
        assert!(matches!(refused, Err(Refusal::Invalid { index: 0, .. })), "{refused:?}");
    }
    let gap = submit(&mut sequencer, 1, 9, vec![now(write(1, 3))]);
    assert_eq!(gap, Err(Refusal::Gap { expected: 4, got: 9 }));
    assert!(submit(&mut sequencer, 1, 4, vec![now(write(1, 3))]).is_ok(), "a gap is no answer");
    let many = vec![now(write(1, 3)); antiphon::session::MAX_OPS + 1];
    assert_eq!(submit(&mut sequencer, 1, 5, many), Err(Refusal::TooMany(256)));
    assert!(matches!(submit(&mut sequencer, 1, 6, vec![]), Err(Refusal::Invalid { .. })));
}

#[test]
fn a_tempo_begins_at_the_next_bar_line() {
    let tempo = |bpm| StampedOp { op: Op::RequestTempo(Tempo::from_bpm(bpm).expect("a tempo")), at: None };
    let mut sequencer = Sequencer::new(State::new());
    submit(&mut sequencer, 1, 1, vec![tempo(90.0)]).expect("accepted");
    let map = sequencer.state().tempo_map();
    assert_eq!((map.revision, map.segments().len(), map.tempo_at(Beats::ZERO).bpm()), (1, 1, 90.0));
    sequencer.start(Beats::quarters(6), SessionNanos(0));
    submit(&mut sequencer, 1, 2, vec![tempo(140.0)]).expect("accepted");
    let map = sequencer.state().tempo_map();
    assert_eq!(map.revision, 2);
    assert_eq!(map.tempo_at(Beats::quarters(8) + Beats(-1)).bpm(), 90.0);
    assert_eq!(map.tempo_at(Beats::quarters(8)).bpm(), 140.0);
    let later = StampedOp { at: Some(Beats::quarters(17)), ..tempo(100.0) };
    submit(&mut sequencer, 1, 3, vec![later]).expect("accepted");
    assert_eq!(sequencer.state().tempo_map().segments()[2].tick, Beats::quarters(20));
    let two = submit(&mut sequencer, 1, 4, vec![tempo(100.0), tempo(101.0)]);
    assert!(matches!(two, Err(Refusal::Invalid { index: 1, .. })));
}

#[test]
fn a_write_on_arrival_ends_what_waits_for_its_register() {
    let mut sequencer = Sequencer::new(State::new());
    let wait = |value, at| StampedOp { op: Op::Edit(write(0, value)), at: Some(bar(at)) };
    submit(&mut sequencer, 1, 1, vec![wait(3, 2), wait(5, 1)]).expect("accepted");
    assert_eq!(sequencer.state().pending().count(), 2);
    assert!(sequencer.promote(bar(0)).is_none());
    assert!(sequencer.promote(bar(1)).is_some());
    assert_eq!(sequencer.state().read(Register::Param(slot(0))), write(0, 5));
    submit(&mut sequencer, 2, 1, vec![now(write(0, 7))]).expect("accepted");
    assert_eq!(sequencer.state().pending().count(), 0);
    assert!(sequencer.promote(bar(9)).is_none());
    assert_eq!(sequencer.state().stamp(Register::Param(slot(0))).author, ClientId(2));
}

#[test]
fn what_waits_is_bounded() {
    let mut sequencer = Sequencer::new(State::new());
    let wait = |n: u8| StampedOp { op: Op::Edit(write(0, 3)), at: Some(bar(n)) };
    for cseq in 1..=4 {
        submit(&mut sequencer, 1, cseq, vec![wait(1); 256]).expect("accepted");
    }
    assert_eq!(submit(&mut sequencer, 1, 5, vec![wait(1)]), Err(Refusal::PendingFull));
    let away = StampedOp { op: Op::Edit(write(0, 3)), at: Some(Beats(-1)) };
    sequencer.promote(bar(1));
    assert!(matches!(submit(&mut sequencer, 1, 6, vec![away]), Err(Refusal::Invalid { .. })));
}

/// A cell that another writes is not lost to a rotation that has not seen it, and stamps say so.
#[test]
fn a_rotation_takes_along_what_its_author_had_not_seen() {
    let mut sequencer = Sequencer::new(State::new());
    let track = TrackIndex::new(0).expect("a track");
    let pattern = PatternIndex::FIRST;
    let cell = |step| Edit::Step { track, pattern, step, field: StepField::On(true) };
    submit(&mut sequencer, 1, 1, vec![now(cell(0))]).expect("accepted");
    submit(&mut sequencer, 2, 1, vec![now(cell(4))]).expect("accepted");
    let rotate = Op::Grid(GridEdit { track, pattern, grid: Grid::Rotate(1) });
    submit(&mut sequencer, 1, 2, vec![StampedOp { op: rotate, at: None }]).expect("accepted");
    let state = sequencer.state();
    let on: Vec<usize> = (0..16).filter(|at| state.song().tracks[0].playing().steps[*at].on).collect();
    assert_eq!(on, [1, 5]);
    let stamp = |step| state.stamp(Register::Step(track, pattern, step, StepRegister::On));
    for step in [0, 1, 4, 5] {
        assert_eq!((stamp(step).seq, stamp(step).author), (Seq(3), ClientId(1)), "step {step}");
    }
    assert_eq!(stamp(2).seq, Seq(0));
}

/// Two who add a track at once get two, each with its id; a removed one returns under its own.
#[test]
fn tracks_added_at_once_are_two_and_a_removed_one_returns() {
    let mut sequencer = Sequencer::new(State::new());
    let place = TrackIndex::new(0).expect("a track");
    let add = |client: u32, counter| {
        let (id, name) = (TrackId { client, counter }, Name::new("tom").expect("a name"));
        let new = NewTrack { id, name, order: Order::of_place(0), place };
        StampedOp { op: Op::AddTrack(new), at: None }
    };
    submit(&mut sequencer, 1, 1, vec![add(1, 1)]).expect("accepted");
    submit(&mut sequencer, 2, 1, vec![add(2, 1)]).expect("accepted");
    let at = |sequencer: &Sequencer, client| {
        sequencer.state().song().track_with_id(TrackId { client, counter: 1 }).expect("it is there")
    };
    let (one, other) = (at(&sequencer, 1), at(&sequencer, 2));
    assert_ne!(one, other);
    assert!(submit(&mut sequencer, 1, 2, vec![add(1, 1)]).is_err(), "an id comes once");
    let alive = |alive| now(Edit::Track { track: one, field: TrackField::Alive(alive) });
    submit(&mut sequencer, 1, 3, vec![alive(false)]).expect("accepted");
    submit(&mut sequencer, 2, 2, vec![add(2, 2)]).expect("accepted");
    submit(&mut sequencer, 1, 4, vec![alive(true)]).expect("accepted");
    assert_eq!(at(&sequencer, 1), one);
    assert_eq!(sequencer.state().song().alive().count(), 3);
    for counter in 3..16 {
        submit(&mut sequencer, 2, u64::from(counter), vec![add(2, counter)]).expect("there is room");
    }
    let full = submit(&mut sequencer, 2, 16, vec![add(2, 16)]).expect_err("sixteen are there");
    assert!(full.to_string().contains("sixteen"), "{full}");
}

#[test]
fn a_register_that_once_did_not_goes_round() -> Result<(), TestCaseError> {
    goes_round(350_020_197, 782)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_register_goes_round(seed in any::<u32>(), every in 37..2003usize) {
        goes_round(seed, every)?;
    }
}

/// Every register reads, is written and is told apart, in a song, in its difference to another and in
/// a snapshot.
fn goes_round(seed: u32, every: usize) -> Result<(), TestCaseError> {
    let mut song = Song::new();
    let mut written = std::collections::BTreeMap::new();
    for (n, register) in Register::all().enumerate().filter(|(n, _)| n % every == seed as usize % every) {
        let edit = registers::write(&song, register, seed.wrapping_add(n as u32) % 1_000_000);
        prop_assert_eq!(edit.check(), Ok(edit));
        let edit = edit.check().expect("within bounds");
        prop_assert_eq!(edit.register(), register);
        song.apply(&edit);
        prop_assert_eq!(song.read(register), edit);
        if edit != Song::new().read(register) {
            written.insert(register, edit);
        }
    }
    let edits: Vec<Edit> = written.into_values().collect();
    prop_assert_eq!(&song.edits(), &edits);
    let mut back = Song::new();
    edits.iter().for_each(|edit| back.apply(edit));
    prop_assert!(back == song && back.digest() == song.digest());
    prop_assert_eq!(Song::new().edits_since(&song).len(), edits.len());
    let state = State::with_song(song, TempoMap::default());
    let read = State::decode(&state.encode()).expect("a state");
    prop_assert!(read == state && read.digest() == state.digest());
    Ok(())
}

/// What lies outside a register's bounds is refused, by name.
#[test]
fn bounds_are_kept() {
    let (track, pattern) = (TrackIndex::new(0).expect("a track"), PatternIndex::FIRST);
    let step = |field| Edit::Step { track, pattern, step: 0, field };
    let metre = |count, unit, bar| Edit::Metre {
        place: 0,
        change: Some(MetreChange { bar, metre: Metre { count, unit } }),
    };
    let nth = |nth, of| step(StepField::Condition(Condition { when: Trig::Nth { nth, of }, not: false }));
    let chord = |beat, root, bass| {
        let chord = Chord { root, kind: ChordKind::Minor, bass };
        Edit::Chord { place: 0, change: Some(ChordChange { beat, chord }) }
    };
    let bad = [
        (step(StepField::Velocity(1.1)), "step.velocity"),
        (step(StepField::Note(Some(128))), "step.note"),
        (step(StepField::Gate(0)), "step.gate"),
        (step(StepField::Gate(6401)), "step.gate"),
        (nth(0, 4), "step.condition"),
        (nth(5, 4), "step.condition"),
        (nth(1, 65), "step.condition"),
        (step(StepField::Condition(Condition { when: Trig::Always, not: true })), "step.condition"),
        (step(StepField::Also([None, Some(200), None])), "step.also"),
        (Edit::Step { track, pattern, step: 64, field: StepField::On(true) }, "no step 64"),
        (Edit::Pattern { track, pattern, field: PatternField::Length(65) }, "pattern.length"),
        (Edit::Lock { track, pattern, step: 0, lane: 8, value: None }, "no lane 8"),
        (Edit::Lock { track, pattern, step: 0, lane: 0, value: Some(f32::NAN) }, "lock"),
        (Edit::Scene { scene: 16, field: SceneField::Alive(true) }, "no scene 16"),
        (Edit::Clip { clip: 0, field: ClipField::Source(ClipSource::Scene(16)) }, "clip.source"),
        (Edit::Clip { clip: 0, field: ClipField::Length(0) }, "clip.length"),
        (Edit::Section { section: 32, field: SectionField::Alive(true) }, "no section 32"),
        (metre(0, 4, 0), "metre"),
        (metre(4, 3, 0), "metre"),
        (metre(4, 4, 65_536), "metre"),
        (chord(0, 12, None), "chord"),
        (chord(0, 0, Some(12)), "chord"),
        (Edit::Context(ContextField::Key(12)), "key"),
        (Edit::Context(ContextField::Complexity(f32::NAN)), "complexity"),
    ];
    for (edit, said) in bad {
        let error = edit.check().expect_err("it is out of bounds").to_string();
        assert!(error.contains(said), "{edit:?}: {error}");
    }
}
