//! Concurrent writes: what holds, what is told, what depends on the order and what does not.

use antiphon::param::{Owner, Param, Slot};
use antiphon::pattern::{Edit, Register, StepField, StepRegister};
use antiphon::session::{
    ConflictKind, Curve, Drag, MAX_DECIDED, Matter, Op, Refusal, Role, Seq, Strategy, Wanted,
};
use proptest::prelude::*;

use crate::room::{Room, alive, cell, id, key, level, note, now, orders, pattern, set, track};

#[test]
fn a_weighted_mean_does_not_depend_on_the_order_of_arrival() {
    for writers in 2..=4 {
        let mut seen = Vec::new();
        for order in orders(writers) {
            let mut room = Room::new(writers);
            room.roles[1] = Role::Owner;
            room.collide(&order, |who| vec![set([0.1, 0.9, 0.35, 0.6][who])]);
            room.check();
            seen.push(room.level().to_bits());
            let [card] = room.cards() else { panic!("one card: {:?}", room.cards()) };
            assert_eq!((card.kind, card.candidates.len()), (ConflictKind::Merged, writers));
            assert_eq!(card.result, Wanted::Edit(Edit::Param { slot: level(), value: room.level() }));
        }
        assert!(seen.windows(2).all(|pair| pair[0] == pair[1]), "{writers}: {seen:?}");
    }
}

#[test]
fn nor_does_it_where_they_had_seen_different_things() {
    let mut seen = Vec::new();
    for order in orders(4) {
        let mut room = Room::new(4);
        // Unrelated commits, of which each has seen one more than the one before.
        for who in 0..4 {
            room.make(who, vec![set([0.1, 0.9, 0.35, 0.6][who])]);
            room.make(3, vec![cell(who as u8, true)]);
            room.submit(3).expect("accepted");
            (who + 1..4).for_each(|next| room.hear(next));
        }
        for who in order.into_iter().filter(|who| *who < 3) {
            room.submit(who).expect("accepted");
        }
        room.check();
        seen.push(room.level().to_bits());
    }
    assert!(seen.windows(2).all(|pair| pair[0] == pair[1]), "{seen:?}");
}

#[test]
fn one_hand_twice_counts_once_in_any_interleaving() {
    let mut seen = Vec::new();
    // Where the second of the first writer's two falls among three arrivals.
    for order in [[0, 0, 1], [0, 1, 0], [1, 0, 0]] {
        let mut room = Room::new(2);
        let mut values = [vec![0.1, 0.3].into_iter(), vec![0.9].into_iter()];
        for who in order {
            let value = values[who].next().expect("a value");
            room.make(who, vec![set(value)]);
            room.submit(who).expect("accepted");
        }
        room.check();
        seen.push(room.level());
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[1], seen[2]);
}

#[test]
fn a_later_look_replaces_and_ends_the_merge() {
    let mut room = Room::new(3);
    room.collide(&[0, 1], |who| vec![set([0.2, 0.6][who])]);
    assert!((room.level() - 0.4).abs() < 1e-5);
    room.write(2, vec![set(0.9)]).expect("accepted");
    assert_eq!(room.level(), 0.9);
    assert!(room.state().rulings().overlap(Register::Param(level())).is_none());
    room.check();
}

#[test]
fn equal_wishes_are_no_conflict() {
    for order in orders(3) {
        let mut room = Room::new(3);
        room.collide(&order, |_| vec![set(0.25), cell(3, true)]);
        assert_eq!((room.level(), room.cards().len()), (0.25, 0));
        room.check();
    }
}

#[test]
fn the_last_commit_of_a_discrete_value_wins_and_the_card_says_so() {
    for order in orders(3) {
        let mut room = Room::new(3);
        room.collide(&order, |who| vec![note(5, [0.2, 0.4, 0.8][who])]);
        room.check();
        let last = [0.2, 0.4, 0.8][order[2]];
        let register = Register::Step(track(0), pattern(), 5, StepRegister::Note);
        let held =
            Edit::Step { track: track(0), pattern: pattern(), step: 5, field: StepField::Note(key(last)) };
        assert_eq!(room.read(register), held);
        let [card] = room.cards() else { panic!("{:?}", room.cards()) };
        assert_eq!((card.kind, card.candidates.len()), (ConflictKind::Overwritten, 3));
        assert_eq!(card.result, Wanted::Edit(held));
        let authors: Vec<_> = card.candidates.iter().map(|candidate| candidate.author).collect();
        assert_eq!(authors, order.iter().map(|who| id(*who)).collect::<Vec<_>>());
    }
}

#[test]
fn gestures_that_overlap_merge_even_where_the_first_has_ended_before_the_second() {
    let drag = |value, since| {
        now(Op::Drag(Drag { slot: level(), value, since: Seq(since), curve: Curve::default() }))
    };
    let mut room = Room::new(2);
    room.write(0, vec![cell(0, true)]).expect("accepted");
    room.write(0, vec![drag(0.2, 1)]).expect("accepted");
    // The second hand took hold before that commit, and rests after it.
    room.write(1, vec![drag(0.6, 1)]).expect("accepted");
    assert!(room.level() > 0.4 && room.level() < 0.6, "{}: between, nearer to the later", room.level());
    assert_eq!(room.cards()[0].kind, ConflictKind::Merged);
    // One that took hold later knows what it replaces.
    room.write(0, vec![drag(0.9, 3)]).expect("accepted");
    assert_eq!(room.level(), 0.9);
    room.check();
}

#[test]
fn under_manual_what_holds_stays_until_somebody_picks() {
    for order in orders(3) {
        let mut room = Room::new(4);
        room.strategy(Matter::Continuous, Strategy::Manual);
        room.collide(&order, |who| vec![set([0.1, 0.5, 0.9][who])]);
        let first = [0.1, 0.5, 0.9][order[0]];
        assert_eq!(room.level(), first);
        let card = room.cards()[0].clone();
        assert_eq!((card.kind, card.candidates.len()), (ConflictKind::Waiting, 3));
        assert_eq!(card.candidates[0].author, id(order[0]));
        // A late joiner sees it.
        let late = antiphon::session::State::decode(&room.state().encode()).expect("a state");
        assert_eq!(late.rulings().conflicts.cards(), room.cards());
        room.write(3, vec![now(Op::Resolve { id: card.id, choice: Some(2) })]).expect("accepted");
        assert_eq!(room.level(), [0.1, 0.5, 0.9][order[2]]);
        assert!(room.cards().is_empty());
        assert_eq!(room.state().rulings().conflicts.resolved(), 1);
        let again = room.write(2, vec![now(Op::Resolve { id: card.id, choice: None })]);
        assert!(matches!(again, Err(Refusal::Invalid { .. })), "{again:?}");
        room.check();
    }
}

#[test]
fn a_later_look_settles_what_waits() {
    let mut room = Room::new(3);
    room.strategy(Matter::Discrete, Strategy::Manual);
    room.collide(&[0, 1], |who| vec![note(2, [0.3, 0.6][who])]);
    assert_eq!(room.cards().len(), 1);
    room.write(2, vec![note(2, 0.9)]).expect("accepted");
    assert!(room.cards().is_empty());
    room.check();
}

#[test]
fn a_strategy_is_shared_and_can_be_changed_back() {
    let mut room = Room::new(2);
    room.strategy(Matter::Continuous, Strategy::LastWrite);
    room.collide(&[0, 1], |who| vec![set([0.2, 0.6][who])]);
    assert_eq!((room.level(), room.cards()[0].kind), (0.6, ConflictKind::Overwritten));
    room.strategy(Matter::Continuous, Strategy::Merge);
    room.collide(&[0, 1], |who| vec![set([0.2, 0.6][who])]);
    assert!((room.level() - 0.4).abs() < 1e-5);
    room.roles[1] = Role::Listener;
    let strategy = now(Op::Strategy { matter: Matter::Discrete, strategy: Strategy::Manual });
    assert!(matches!(room.write(1, vec![strategy]), Err(Refusal::Role(_))));
    room.check();
}

#[test]
fn cards_are_bounded_and_counted() {
    let mut room = Room::new(2);
    let cells = |on: bool| (0..64).map(|step| note(step, if on { 0.5 } else { 0.7 })).collect::<Vec<_>>();
    for round in 0..12 {
        room.collide(&[0, 1], |who| cells((who + round) % 2 == 0));
    }
    let conflicts = &room.state().rulings().conflicts;
    assert_eq!(conflicts.cards().len(), MAX_DECIDED);
    assert_eq!(conflicts.counts()[ConflictKind::Overwritten as usize], 12 * 64);
    room.check();
}

#[test]
fn a_frame_is_whole_whatever_is_decided_about_its_parts() {
    let mut room = Room::new(2);
    room.strategy(Matter::Continuous, Strategy::Manual);
    room.collide(&[0, 1], |who| vec![set([0.1, 0.9][who]), cell(who as u8, true), alive(who, true)]);
    // The fader waits; the rest of the same frame holds.
    assert_eq!(room.level(), 0.1);
    assert!(room.state().song().track(track(1)).alive);
    let before = room.state().digest();
    room.make(0, vec![cell(9, true), now(Op::Resolve { id: 99, choice: None })]);
    assert!(room.submit(0).is_err());
    assert_eq!(room.state().digest(), before);
    room.check();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn the_mean_lies_between_its_hands_and_forgets_their_order(
        values in prop::collection::vec(0.0..=1.0f32, 2..=4), n in 0..16usize, rotate in 0..4usize,
    ) {
        let params = [Param::FilterFreq, Param::Level, Param::Pan, Param::EnvAttack];
        let slot = Slot::new(Owner::Master, params[n % 4]);
        let write = |value: f32| vec![now(Op::Edit(Edit::Param { slot, value: slot.spec().value_at(value) }))];
        let mut order: Vec<usize> = (0..values.len()).collect();
        let mut results = Vec::new();
        for _ in 0..2 {
            let mut room = Room::new(values.len());
            room.collide(&order, |who| write(values[who]));
            room.check();
            results.push(room.state().song().params[slot.index()]);
            let turn = rotate % order.len();
            order.rotate_left(turn);
        }
        prop_assert_eq!(results[0].to_bits(), results[1].to_bits());
        let travel = slot.spec().travel_of(results[0]);
        let least = values.iter().copied().fold(1.0, f32::min);
        let most = values.iter().copied().fold(0.0, f32::max);
        prop_assert!(travel >= least - 1e-4 && travel <= most + 1e-4, "{least} {travel} {most}");
    }
}

/// What a merge leaves to a person: a card stands open for everybody, and what holds goes on.
#[test]
fn a_proposal_opens_a_card_and_changes_nothing_until_somebody_picks() {
    let mut room = Room::new(2);
    room.write(0, vec![set(0.2)]).expect("accepted");
    let wanted = Edit::Param { slot: level(), value: 0.7 };
    room.write(1, vec![now(Op::Propose(Wanted::Edit(wanted)))]).expect("accepted");
    assert_eq!(room.level(), 0.2);
    let [card] = room.cards() else { panic!("one card") };
    assert_eq!((card.kind, card.candidates.len()), (ConflictKind::Waiting, 2));
    let id = card.id;
    room.write(0, vec![now(Op::Resolve { id, choice: Some(1) })]).expect("accepted");
    assert_eq!((room.level(), room.cards().len()), (0.7, 0));
    room.write(1, vec![now(Op::Propose(Wanted::Edit(wanted)))]).expect("what holds already is no conflict");
    assert!(room.cards().is_empty());
    room.check();
}
