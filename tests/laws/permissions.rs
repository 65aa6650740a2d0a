//! No op gets past a role or a grant.

use antiphon::param::{Owner, Param, Slot};
use antiphon::pattern::Edit;
use antiphon::session::{
    Area, Curve, Drag, Grant, How, MAX_GRANTS, Matter, Op, Refusal, Role, Seq, Strategy,
};

use crate::room::{Room, alive, cell, id, now, set, tempo, track};

fn permit(who: Option<usize>, grant: Option<Grant>) -> antiphon::session::StampedOp {
    now(Op::Permit { who: who.map(id), grant })
}

fn kept(answer: Result<(), Refusal>) -> Area {
    match answer {
        Err(Refusal::NotPermitted { area, .. }) => area,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_drummer_edits_the_drums_alone_and_only_the_owner_the_tempo() {
    let mut room = Room::new(3);
    room.roles[0] = Role::Owner;
    let drums = Grant::NONE.with(Area::Track(track(0)));
    room.write(0, vec![permit(None, Some(Grant::ALL.without(Area::Tempo)))]).expect("the owner may");
    room.write(0, vec![permit(Some(1), Some(drums))]).expect("the owner may");

    room.write(1, vec![cell(3, true)]).expect("the drums");
    assert_eq!(kept(room.write(1, vec![alive(1, true)])), Area::Track(track(1)));
    assert_eq!(kept(room.write(1, vec![cell(4, true), set(0.3)])), Area::Master);
    assert!(!room.state().song().track(track(0)).patterns[0].steps[4].on, "whole or not at all");
    let slot = Slot::new(Owner::Track(track(1)), Param::Level);
    let drag = Op::Drag(Drag { slot, value: 0.3, since: Seq(0), curve: Curve::default() });
    assert_eq!(kept(room.write(1, vec![now(drag)])), Area::Track(track(1)));
    assert_eq!(kept(room.write(1, vec![now(Op::Edit(Edit::Seed(4)))])), Area::Song);
    let strategy = Op::Strategy { matter: Matter::Discrete, strategy: Strategy::Manual };
    assert_eq!(kept(room.write(1, vec![now(strategy)])), Area::Song);
    for who in [1, 2] {
        assert_eq!(kept(room.write(who, vec![tempo(99.0)])), Area::Tempo);
        assert!(matches!(room.write(who, vec![permit(Some(who), None)]), Err(Refusal::Role(_))));
    }
    room.write(2, vec![set(0.3)]).expect("an editor without a grant of their own");
    room.write(0, vec![tempo(99.0), set(0.4)]).expect("the owner may all");
    room.write(0, vec![permit(Some(1), None)]).expect("the owner may");
    room.write(1, vec![set(0.5)]).expect("as everybody again");
    room.check();
}

#[test]
fn undo_and_picks_get_past_no_grant_either() {
    let mut room = Room::new(2);
    room.roles[0] = Role::Owner;
    room.strategy(Matter::Continuous, Strategy::Manual);
    room.write(1, vec![set(0.3)]).expect("accepted");
    room.collide(&[0, 1], |who| vec![set([0.5, 0.7][who])]);
    room.write(0, vec![permit(None, Some(Grant::NONE))]).expect("the owner may");
    let card = room.cards()[0].id;
    assert_eq!(kept(room.write(1, vec![now(Op::Resolve { id: card, choice: Some(1) })])), Area::Master);
    let level = room.level();
    for how in [How::Checked, How::Force] {
        room.people[1].undo(how).expect("a step");
        let (_, refusal) = room.submit(1).expect_err("refused");
        assert!(matches!(refusal, Refusal::NotPermitted { area: Area::Master, .. }), "{refusal}");
        assert_eq!(room.level(), level);
    }
    room.check();
}

#[test]
fn a_listener_does_nothing_and_grants_are_bounded() {
    let mut room = Room::new(2);
    room.roles = vec![Role::Owner, Role::Listener];
    room.write(0, vec![permit(Some(1), Some(Grant::ALL))]).expect("the owner may");
    for op in [set(0.3), cell(0, true), tempo(99.0), permit(None, None)] {
        assert!(matches!(room.write(1, vec![op]), Err(Refusal::Role(Role::Listener))));
    }
    for who in 1..=MAX_GRANTS + 1 {
        let answer = room.write(0, vec![permit(Some(who), Some(Grant::NONE))]);
        assert_eq!(answer.is_ok(), who <= MAX_GRANTS, "{who}: {answer:?}");
    }
    room.check();
}
