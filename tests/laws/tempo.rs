//! Several ask for a tempo, or for a metre.

use antiphon::pattern::{Bars, Edit, MetreChange};
use antiphon::session::{ConflictKind, Matter, Op, Revert, StampedOp, Strategy, Wanted, Written};
use antiphon::time::{Beats, SessionNanos, Tempo};

use crate::room::{Room, now, orders, tempo};

fn bpm(room: &Room) -> f64 {
    room.state().tempo_map().tempo_at(room.state().timeline().tick).bpm()
}

#[test]
fn near_wishes_meet_in_any_order_and_half_time_is_folded() {
    for wishes in [[124.0, 126.0, 125.0], [140.0, 70.0, 141.0], [60.0, 61.0, 60.5]] {
        let mut seen = Vec::new();
        for order in orders(3) {
            let mut room = Room::new(3);
            room.collide(&order, |who| vec![tempo(wishes[who])]);
            room.check();
            seen.push(bpm(&room));
            assert!(room.cards().iter().all(|card| card.kind == ConflictKind::Merged));
        }
        assert!(seen.iter().all(|one| *one == seen[0]), "{wishes:?}: {seen:?}");
    }
}

#[test]
fn far_wishes_leave_what_plays_and_a_card_with_all_of_them() {
    for order in orders(3) {
        let mut room = Room::new(3);
        room.write(0, vec![tempo(110.0)]).expect("accepted");
        room.collide(&order, |who| vec![tempo([100.0, 130.0, 131.0][who])]);
        room.check();
        assert_eq!(bpm(&room), 110.0, "{order:?}");
        let [card] = room.cards() else { panic!("{:?}", room.cards()) };
        assert_eq!((card.kind, card.candidates.len()), (ConflictKind::Tempo, 3));
        let pick = Op::Resolve { id: card.id, choice: Some(0) };
        let Wanted::Tempo(picked) = card.candidates[0].value else { panic!("a tempo") };
        room.write(1, vec![now(pick)]).expect("accepted");
        assert_eq!(bpm(&room), picked.bpm());
        assert!(room.cards().is_empty());
        room.check();
    }
}

#[test]
fn while_it_plays_a_change_comes_on_a_bar_and_a_quarrel_before_that_bar_takes_it_back() {
    let mut room = Room::new(2);
    let start = room.sequencer.start(Beats::ZERO, SessionNanos(0));
    room.log.push(start);
    room.hear_all();
    room.position = Some(Beats::quarters(2));
    room.collide(&[0, 1], |who| vec![tempo([100.0, 140.0][who])]);
    let map = room.state().tempo_map();
    assert_eq!(map.tempo_at(Beats::quarters(4)), Tempo::DEFAULT, "what plays goes on");
    room.check();

    // Once the first wish sounds, it is what plays.
    room.make(0, vec![tempo(100.0)]);
    room.make(1, vec![tempo(140.0)]);
    room.submit(0).expect("accepted");
    room.position = Some(Beats::quarters(5));
    room.submit(1).expect("accepted");
    let map = room.state().tempo_map();
    assert_eq!(map.tempo_at(Beats::quarters(4)).bpm(), 100.0);
    assert_eq!(map.tempo_at(Beats::quarters(9)).bpm(), 100.0);
    room.check();
}

#[test]
fn the_strategy_of_tempo_is_kept_too() {
    let mut room = Room::new(2);
    room.strategy(Matter::Tempo, Strategy::LastWrite);
    room.collide(&[0, 1], |who| vec![tempo([100.0, 140.0][who])]);
    assert_eq!(bpm(&room), 140.0);
    room.strategy(Matter::Tempo, Strategy::Manual);
    room.collide(&[0, 1], |who| vec![tempo([100.0, 101.0][who])]);
    assert_eq!(bpm(&room), 140.0);
    assert!(room.cards().iter().any(|card| card.kind == ConflictKind::Tempo));
    // A later, informed wish settles it.
    room.write(0, vec![tempo(90.0)]).expect("accepted");
    assert_eq!(bpm(&room), 90.0);
    assert!(!room.cards().iter().any(|card| card.kind.waits()));
    room.check();
}

#[test]
fn a_ramp_begins_and_ends_on_bars_of_the_songs_metre_and_travels_as_steps() {
    use antiphon::pattern::Metre;
    let mut room = Room::new(1);
    let seven = Bars::change(room.state().song(), 0, Metre { count: 7, unit: 8 }).expect("a place");
    room.write(0, vec![now(Op::Edit(seven)), tempo(120.0)]).expect("accepted");
    let start = room.sequencer.start(Beats::ZERO, SessionNanos(0));
    room.log.push(start);
    let Some(commit) = room.log.last().cloned() else { panic!("a start") };
    room.people.iter_mut().for_each(|one| drop(one.commit(&commit).expect("the next commit")));
    room.position = Some(Beats::quarters(1));
    let ramp = Op::RequestRamp { tempo: Tempo::from_bpm(140.0).expect("a tempo"), bars: 4 };
    room.write(0, vec![now(ramp)]).expect("accepted");
    room.check();
    let map = room.state().tempo_map();
    let bar = Metre { count: 7, unit: 8 }.bar();
    assert_eq!(map.tempo_at(bar - Beats(1)).bpm(), 120.0);
    assert!(map.tempo_at(bar).bpm() > 120.0);
    assert_eq!(map.tempo_at(bar + bar + bar + bar + bar).bpm(), 140.0);
    assert!(map.tempo_at(bar + bar + bar + bar + bar - Beats(1)).bpm() < 140.0);
    let tempi: Vec<f64> = map.segments().iter().map(|segment| segment.tempo.bpm()).collect();
    assert!(tempi.windows(2).all(|pair| pair[0] < pair[1]), "{tempi:?}");
    assert_eq!(map.check(), Ok(()));
    // A tempo asked for now ends the rest of the ramp.
    room.position = Some(bar + bar);
    room.write(0, vec![tempo(100.0)]).expect("accepted");
    assert_eq!(room.state().tempo_map().segments().last().map(|last| last.tempo.bpm()), Some(100.0));
    assert_eq!(room.state().tempo_map().tempo_at(bar + bar + bar).bpm(), 100.0);
    room.check();
}

fn metre(count: u8, unit: u8) -> antiphon::pattern::Metre {
    antiphon::pattern::Metre { count, unit }
}

fn change(place: u8, change: Option<(u32, u8, u8)>) -> StampedOp {
    let change = change.map(|(bar, count, unit)| MetreChange { bar, metre: metre(count, unit) });
    now(Op::Edit(Edit::Metre { place, change }))
}

fn playing_room(people: usize) -> Room {
    let mut room = Room::new(people);
    let start = room.sequencer.start(Beats::ZERO, SessionNanos(0));
    room.log.push(start);
    room.hear_all();
    room
}

#[test]
fn while_it_plays_a_metre_begins_at_the_next_bar_and_an_undo_at_the_one_after() {
    let mut room = playing_room(2);
    room.write(0, vec![change(0, Some((0, 3, 4)))]).expect("accepted");
    assert_eq!(room.state().song().metre_at(0), metre(3, 4), "before it begins all is to come");

    room.position = Some(Beats::quarters(7));
    room.write(0, vec![change(1, Some((0, 7, 8)))]).expect("accepted");
    room.check();
    let bars = Bars::in_song(room.state().song());
    assert_eq!(bars.at(Beats::quarters(7)).number, 2);
    assert_eq!(bars.bar(3).start, Beats::quarters(9));
    assert_eq!(room.state().song().metre_at(3), metre(7, 8));

    room.position = Some(Beats::quarters(10));
    let undo = Edit::Metre { place: 1, change: None };
    let written = Written::Commit(room.state().seq());
    room.write(0, vec![now(Op::Revert(Revert { edit: undo, written, force: false }))]).expect("accepted");
    room.check();
    let metres: Vec<_> = (0..6).map(|bar| room.state().song().metre_at(bar)).collect();
    assert_eq!(metres, [[metre(3, 4); 3].as_slice(), &[metre(7, 8)], &[metre(3, 4); 2]].concat());

    // Stopped, a change holds from the bar it names.
    room.position = None;
    room.write(1, vec![change(0, Some((0, 5, 4)))]).expect("accepted");
    assert_eq!(room.state().song().metre_at(0), metre(5, 4));
    room.check();
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 64, ..Default::default() })]

    /// Whoever asks for whatever while it plays: bars that have sounded keep numbers and lines.
    #[test]
    fn no_metre_moves_a_bar_that_has_sounded(
        deeds in proptest::collection::vec(
            (
                0usize..3,
                0i64..30,
                proptest::collection::vec((0u8..32, proptest::option::of((0u32..24, 1u8..9, 0u32..4)), 0i64..9), 1..4),
            ),
            1..14,
        ),
    ) {
        let mut room = playing_room(3);
        let mut position = Beats::ZERO;
        room.position = Some(position);
        for (who, later, asked) in deeds {
            position += Beats(later * Beats::quarters(1).0 / 8);
            room.position = Some(position);
            let before = Bars::in_song(room.state().song());
            let ops = asked.into_iter().map(|(place, wanted, beats)| {
                let wanted = wanted.map(|(bar, count, unit)| (bar, count, 1 << unit));
                let at = (beats > 5).then(|| position + Beats::quarters(beats));
                StampedOp { at, ..change(place, wanted) }
            });
            let _ = room.write(who, ops.collect());
            let after = Bars::in_song(room.state().song());
            let heard = before.at(position);
            for number in 0..=heard.number {
                proptest::prop_assert_eq!(after.bar(number), before.bar(number));
            }
            proptest::prop_assert_eq!(after.at(position), heard);
            proptest::prop_assert_eq!(after.at(position).end(), heard.end());
            room.check();
        }
    }
}
