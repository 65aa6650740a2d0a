//! Tracks that are edited before anybody has confirmed them.

use antiphon::pattern::{Edit, Name, Order, TrackField, TrackId};
use antiphon::session::{How, NewTrack, Op, Refusal, StampedOp};
use proptest::prelude::*;

use crate::room::{Room, id, now, orders, track};

/// A new track of somebody's.
fn add(who: usize, counter: u32) -> (TrackId, StampedOp) {
    let new = TrackId { client: id(who).0, counter };
    let (name, order, place) = (Name::default(), Order::of_place(0), track(0));
    (new, now(Op::AddTrack(NewTrack { id: new, name, order, place })))
}

/// Names a track where its author sees it.
fn call(room: &mut Room, who: usize, new: TrackId, name: &str) {
    let track = room.people[who].view().track_with_id(new).expect("its author sees it");
    let field = TrackField::Name(Name::new(name).expect("a name"));
    room.make(who, vec![now(Op::Edit(Edit::Track { track, field }))]);
}

fn name(room: &Room, new: TrackId) -> String {
    let song = room.state().song();
    song.track(song.track_with_id(new).expect("it is there")).name.to_string()
}

/// Everybody sends what may leave and hears the answers, until all is answered.
fn settle(room: &mut Room, order: &[usize]) -> Vec<Refusal> {
    let mut refused = Vec::new();
    while room.people.iter().any(|replica| replica.unsaved() > 0 || replica.outbox().next().is_some()) {
        for who in order {
            refused.extend(room.submit(*who).err().map(|(_, refusal)| refusal));
        }
        room.hear_all();
    }
    refused
}

#[test]
fn two_who_add_a_track_and_edit_it_at_once_each_edit_their_own() {
    for order in orders(3) {
        let mut room = Room::new(3);
        let tracks: Vec<TrackId> = (0..3)
            .map(|who| {
                let (new, op) = add(who, 1);
                room.make(who, vec![op]);
                call(&mut room, who, new, &format!("of{who}"));
                new
            })
            .collect();
        assert!(settle(&mut room, &order).is_empty());
        for (who, new) in tracks.iter().enumerate() {
            assert_eq!(name(&room, *new), format!("of{who}"), "in order {order:?}");
        }
        room.check();
    }
}

#[test]
fn what_was_written_of_a_track_that_found_no_place_is_refused_with_it() {
    let mut room = Room::new(2);
    for counter in 1..16 {
        room.write(0, vec![add(0, counter).1]).expect("there is room");
    }
    let made: Vec<TrackId> = (0..2)
        .map(|who| {
            let (new, op) = add(who, 99);
            room.make(who, vec![op]);
            call(&mut room, who, new, &format!("of{who}"));
            new
        })
        .collect();
    assert_eq!(settle(&mut room, &[0, 1]).len(), 2, "the track, and what was written of it");
    assert_eq!(name(&room, made[0]), "of0");
    assert_eq!(room.state().song().track_with_id(made[1]), None);
    room.check();
}

#[test]
fn undo_follows_a_new_track_to_its_place() {
    let mut room = Room::new(2);
    let (mine, op) = add(0, 1);
    room.make(0, vec![op]);
    call(&mut room, 0, mine, "mine");
    room.write(1, vec![add(1, 1).1]).expect("accepted");
    assert!(settle(&mut room, &[0, 1]).is_empty());
    assert_eq!(name(&room, mine), "mine");
    let before = name(&room, TrackId { client: id(1).0, counter: 1 });
    room.people[0].undo(How::Checked).expect("a step");
    assert!(settle(&mut room, &[0]).is_empty());
    assert_eq!(name(&room, mine), "");
    room.people[0].undo(How::Checked).expect("a step");
    assert!(settle(&mut room, &[0]).is_empty());
    assert_eq!(room.state().song().track_with_id(mine), None);
    assert_eq!(name(&room, TrackId { client: id(1).0, counter: 1 }), before, "theirs is untouched");
    room.check();
}

#[test]
fn a_track_taken_back_before_it_was_confirmed_stands_in_nobodys_way() {
    let mut room = Room::new(1);
    let (first, op) = add(0, 1);
    room.make(0, vec![op]);
    room.people[0].undo(How::Checked).expect("a step");
    let (second, op) = add(0, 2);
    room.make(0, vec![op]);
    call(&mut room, 0, second, "second");
    assert!(settle(&mut room, &[0]).is_empty());
    assert_eq!((name(&room, second).as_str(), room.state().song().track_with_id(first)), ("second", None));
    room.check();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    /// Whatever is heard when: the last name that its author gave a track is its name.
    #[test]
    fn edits_of_new_tracks_reach_them(plan in prop::collection::vec((0..3usize, 0..6u8), 1..40)) {
        let mut room = Room::new(3);
        let mut made: Vec<(TrackId, String)> = Vec::new();
        for (n, (who, what)) in plan.into_iter().enumerate() {
            let own = made.iter().rposition(|(new, _)| new.client == id(who).0);
            match (what, own) {
                (0, _) if made.len() < 16 => {
                    let (new, op) = add(who, n as u32 + 1);
                    room.make(who, vec![op]);
                    made.push((new, String::new()));
                }
                (1..=3, Some(at)) => {
                    let given = format!("n{n}");
                    call(&mut room, who, made[at].0, &given);
                    made[at].1 = given;
                }
                (4, _) => drop(room.submit(who).expect("all is accepted")),
                _ => room.hear(who),
            }
        }
        prop_assert!(settle(&mut room, &[0, 1, 2]).is_empty());
        for (new, given) in made {
            prop_assert_eq!(name(&room, new), given);
        }
        room.check();
    }
}
