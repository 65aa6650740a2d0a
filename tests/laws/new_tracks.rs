//! Tracks that are edited before anybody has confirmed them.

use antiphon::param::{Owner, Param, Slot, TrackIndex};
use antiphon::pattern::{Edit, Name, Order, TrackField, TrackId};
use antiphon::session::{
    Answer, Answered, Catchup, Commit, Cseq, How, Moved, NewTrack, Op, Outcome, Refusal, Replica, Role, Seq,
    Sequencer, StampedOp, State,
};
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

fn level(place: TrackIndex, value: f32) -> StampedOp {
    let slot = Slot::new(Owner::Track(place), Param::Level);
    now(Op::Edit(Edit::Param { slot, value }))
}

fn levels(replica: &Replica, place: TrackIndex) -> f32 {
    replica.view().params[Slot::new(Owner::Track(place), Param::Level).index()]
}

fn commit(sequencer: &mut Sequencer, who: usize, cseq: Cseq, ops: &[StampedOp]) -> Commit {
    match sequencer.submit(id(who), Role::Editor, cseq, Seq(0), ops.to_vec(), None) {
        Ok(Outcome::Committed(commit)) => commit,
        other => panic!("{other:?}"),
    }
}

/// One who was apart, has added a track there, and holds its level; and the session, in which another
/// stands in that place.
struct Return {
    away: Replica,
    session: Sequencer,
    bell: TrackId,
    /// What was made apart, as it is sent to the session.
    frames: Vec<Vec<StampedOp>>,
}

const HELD: f32 = 0.25;

impl Return {
    fn of() -> Return {
        let (mut apart, mut session) = (Sequencer::new(State::new()), Sequencer::new(State::new()));
        let mut away = Replica::new(State::new());
        away.welcome(id(0), Cseq(0), Catchup::Delta(Vec::new())).expect("a welcome");
        let (bell, op) = add(0, 1);
        away.edit(vec![op]).expect("there is room");
        let at = away.view().track_with_id(bell).expect("it shows");
        away.edit(vec![level(at, 0.5)]).expect("good ops");
        let frames: Vec<Vec<StampedOp>> = away.outbox().map(|(_, _, ops)| ops.to_vec()).collect();
        while let Some(frame) = away.next_to_send().cloned() {
            let commit = commit(&mut apart, 0, frame.cseq, &frame.ops);
            away.commit(&commit).expect("it follows");
        }
        // Made of a place that no longer is a guess, and not yet answered.
        let name = TrackField::Name(Name::new("bell").expect("a name"));
        away.edit(vec![now(Op::Edit(Edit::Track { track: at, field: name }))]).expect("good ops");
        away.gesture(id(0), Slot::new(Owner::Track(at), Param::Level), HELD);
        commit(&mut session, 1, Cseq(1), &[add(1, 1).1]);
        assert!(session.state().song().track(at).alive, "both took one place");
        away.moved_tracks();
        Return { away, session, bell, frames }
    }

    fn welcome(&mut self) {
        let answers = vec![(Cseq(1), Answer::Committed(Seq(1))), (Cseq(2), Answer::Committed(Seq(2)))];
        let state = Box::new(self.session.state().clone());
        let answered = Answered { last: Cseq(2), answers };
        self.away.welcome(id(0), answered, Catchup::Full(state)).expect("a welcome");
    }

    /// The session takes what was made apart.
    fn take(&mut self) -> Vec<Commit> {
        let frames = self.frames.iter().zip(1..);
        frames.map(|(ops, cseq)| commit(&mut self.session, 0, Cseq(cseq), ops)).collect()
    }

    /// The session takes what waits, and what is taken back, of the track that was meant.
    fn check(mut self) {
        let place = self.away.view().track_with_id(self.bell).expect("it shows");
        let tom = levels(&self.away, track(0));
        self.send();
        let song = self.session.state().song();
        assert_eq!((song.track(place).name.as_str(), song.track(track(0)).name.as_str()), ("bell", ""));
        // The name, then the level.
        for _ in 0..2 {
            self.away.undo(How::Force).expect("a step");
        }
        self.send();
        let song = self.session.state().song();
        assert_eq!((song.track(place).name.as_str(), song.track(track(0)).name.as_str()), ("", ""));
        assert_eq!((levels(&self.away, place), levels(&self.away, track(0))), (tom, tom));
        assert!(*self.away.view() == *song, "nothing hangs over");
    }

    fn send(&mut self) {
        while let Some(frame) = self.away.next_to_send().cloned() {
            let commit = commit(&mut self.session, 0, frame.cseq, &frame.ops);
            self.away.commit(&commit).expect("it follows");
        }
    }
}

#[test]
fn what_is_held_of_a_track_added_apart_comes_home_with_it() {
    let mut home = Return::of();
    let tom = levels(&home.away, track(1));
    home.take();
    home.welcome();
    let to = home.away.view().track_with_id(home.bell).expect("it shows");
    assert_eq!(to, track(1));
    let moved = Moved { track: home.bell, from: Some(track(0)), to: Some(to) };
    assert_eq!(home.away.moved_tracks(), [[moved]]);
    let held: Vec<_> = home.away.gestures().collect();
    assert_eq!(held, [(Slot::new(Owner::Track(to), Param::Level), id(0), HELD)]);
    assert_eq!((levels(&home.away, to), levels(&home.away, track(0))), (HELD, tom));
    home.away.end_gesture(held[0].0);
    home.check();
}

#[test]
fn a_track_that_comes_home_behind_the_welcome_is_followed_then() {
    for as_commits in [true, false] {
        let mut home = Return::of();
        let tom = levels(&home.away, track(1));
        home.welcome();
        let lost = Moved { track: home.bell, from: Some(track(0)), to: None };
        assert_eq!(home.away.moved_tracks(), [[lost]]);
        assert_eq!(home.away.gestures().count(), 0, "it lets go of what stands there");
        assert_eq!(levels(&home.away, track(0)), tom);
        assert_eq!(home.away.view().track(track(0)).name, Name::default());
        match as_commits {
            true => home.take().iter().for_each(|commit| drop(home.away.commit(commit).expect("it follows"))),
            false => {
                for (ops, cseq) in home.frames.clone().into_iter().zip(1..) {
                    home.away.neighbour(Cseq(cseq), ops);
                }
            }
        }
        let found = Moved { track: home.bell, from: None, to: Some(track(1)) };
        assert_eq!(home.away.moved_tracks(), [[found]]);
        assert_eq!((levels(&home.away, track(1)), levels(&home.away, track(0))), (0.5, tom));
        if as_commits {
            home.check();
        }
    }
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
