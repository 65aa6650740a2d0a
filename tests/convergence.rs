//! Replicas converge: random clients, delays, retries, lost connections, restarts. Everything
//! travels as bytes. A failure prints its plan.

#[path = "convergence/world.rs"]
mod world;

use antiphon::pattern::{Edit, Register};
use antiphon::session::{
    ClientId, Cseq, MAX_SNAPSHOT, Op, Outcome, Refusal, Role, Seq, Sequencer, SnapshotError, StampedOp, State,
};
use antiphon::time::{Beats, SessionNanos, Tempo};
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
    let frames = (0..8u8).map(|n| ops(vec![(write(n, n), None), (write(n, n + 1), Some(n % 3))]));
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
