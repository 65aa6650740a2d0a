//! Changes that take several frames.

use antiphon::session::{Area, Grant, Op, Refusal, Role, StampedOp};
use proptest::prelude::*;

use crate::room::{Room, id, note, now, track};

/// A note of a track.
fn of_track(n: usize, at: usize) -> StampedOp {
    let StampedOp { op: Op::Edit(mut edit), at } = note((at % 64) as u8, (at % 100) as f32 / 100.0) else {
        panic!("an edit")
    };
    if let antiphon::pattern::Edit::Step { track: of, .. } = &mut edit {
        *of = track(n);
    }
    StampedOp { op: Op::Edit(edit), at }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Others hear all of a long change, or all of it up to one of its frames: never one with a hole.
    #[test]
    fn a_long_change_lands_whole_or_up_to_where_it_was_refused(at in 0..900usize, lost in any::<bool>()) {
        let mut room = Room::new(2);
        room.roles[1] = Role::Owner;
        let grant = Some(Grant::ALL.without(Area::Track(track(5))));
        room.write(1, vec![now(Op::Permit { who: Some(id(0)), grant })]).expect("an owner may");
        let ops: Vec<StampedOp> = (0..900).map(|n| of_track(usize::from(n == at) * 5, n)).collect();
        room.make(0, ops);
        if lost {
            // The connection breaks between the frames, and they are numbered as before.
            let frame = room.people[0].next_to_send().cloned().expect("a frame");
            let role = room.roles[0];
            let _ = room.sequencer.submit(id(0), role, frame.cseq, frame.base, frame.ops, None).map(|outcome| {
                if let antiphon::session::Outcome::Committed(commit) = outcome {
                    room.log.push(commit);
                }
            });
            room.people[0].resend_from_start();
        }
        let mut refusals = Vec::new();
        while let Err((_, refusal)) = room.submit(0) {
            refusals.push(refusal);
        }
        let parts = 900usize.div_ceil(antiphon::session::MAX_OPS);
        let landed = room.log.iter().filter(|commit| commit.author == id(0)).count();
        prop_assert_eq!(landed, at / antiphon::session::MAX_OPS);
        prop_assert_eq!(refusals.len(), parts - landed);
        prop_assert!(matches!(refusals[0], Refusal::NotPermitted { .. }), "{}", &refusals[0]);
        for refusal in &refusals[1..] {
            prop_assert!(refusal.to_string().contains("the part before"), "{refusal}");
        }
        let ops: usize = room.log.iter().filter(|commit| commit.author == id(0)).map(|commit| commit.ops.len()).sum();
        prop_assert_eq!(ops, landed * antiphon::session::MAX_OPS, "its headers are in no commit");
        room.check();
    }
}

#[test]
fn a_frame_that_nobody_made_is_no_part_before() {
    let mut room = Room::new(1);
    let written = [
        antiphon::session::Written::Frame(antiphon::session::Cseq(40)),
        antiphon::session::Written::Commit(antiphon::session::Seq(0)),
    ];
    for written in written {
        let refusal = room.write(0, vec![now(Op::Follows(written)), note(1, 0.5)]).expect_err("refused");
        assert!(refusal.to_string().contains("the part before"), "{refusal}");
    }
    let only = room.people[0].edit(vec![now(Op::Generated)]).expect_err("nothing to do");
    assert!(only.to_string().contains("holds no op"));
    room.check();
}
