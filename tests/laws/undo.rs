//! Undo and redo.

use std::collections::BTreeMap;

use antiphon::param::{Owner, Param, Slot};
use antiphon::pattern::{Edit, Register, StepField, StepRegister, TrackRegister};
use antiphon::session::{
    Answer, Answered, Catchup, ClientId, Commit, ConflictKind, Cseq, How, MAX_STEPS_BACK, Op, Refusal, Seq,
    StampedOp, StepId, Subject, Written,
};
use antiphon::time::Beats;
use proptest::prelude::*;

use crate::room::{Room, alive, cell, id, level, note, now, orders, pattern, set, tempo, track};

fn pitch(step: u8) -> Register {
    Register::Step(track(0), pattern(), step, StepRegister::Note)
}

impl Room {
    fn undo(&mut self, who: usize, how: How) -> Result<bool, Refusal> {
        let some = self.people[who].undo(how).is_some();
        self.answer(who).map(|()| some)
    }

    fn redo(&mut self, who: usize, how: How) -> Result<bool, Refusal> {
        let some = self.people[who].redo(how).is_some();
        self.answer(who).map(|()| some)
    }

    fn answer(&mut self, who: usize) -> Result<(), Refusal> {
        let answer = self.submit(who);
        self.hear_all();
        answer.map(drop).map_err(|(_, refusal)| refusal)
    }

    fn steps(&self, who: usize) -> (usize, usize) {
        self.people[who].steps().depth()
    }
}

#[test]
fn undo_takes_back_a_whole_command_and_redo_brings_it_again() {
    let mut room = Room::new(1);
    room.write(0, vec![set(0.2), cell(1, true)]).expect("accepted");
    let first = room.state().song().clone();
    room.write(0, vec![set(0.7), cell(1, false), cell(2, true), tempo(90.0)]).expect("accepted");
    let second = room.state().song().clone();
    room.undo(0, How::Checked).expect("mine");
    assert!(*room.state().song() == first);
    assert_eq!(room.state().tempo_map().tempo_at(Beats::ZERO).bpm(), 120.0);
    room.redo(0, How::Checked).expect("mine");
    assert!(*room.state().song() == second);
    assert_eq!(room.state().tempo_map().tempo_at(Beats::ZERO).bpm(), 90.0);
    room.undo(0, How::Checked).expect("mine");
    room.undo(0, How::Checked).expect("mine");
    assert!(*room.state().song() == antiphon::pattern::Song::new());
    assert_eq!(room.undo(0, How::Checked), Ok(false));
    assert_eq!(room.steps(0), (0, 2));
    room.check();
}

#[test]
fn a_drag_over_several_frames_is_one_step() {
    let mut room = Room::new(1);
    for step in 0..6 {
        room.people[0].edit_in(Some(StepId(7)), vec![cell(step, true)]).expect("an edit");
        room.answer(0).expect("accepted");
    }
    room.people[0].edit_in(Some(StepId(8)), vec![cell(9, true)]).expect("an edit");
    room.answer(0).expect("accepted");
    assert_eq!(room.steps(0), (2, 0));
    room.undo(0, How::Checked).expect("mine");
    room.undo(0, How::Checked).expect("mine");
    assert!(*room.state().song() == antiphon::pattern::Song::new());
    // More ops than a frame holds are one step as well.
    let many: Vec<StampedOp> = (0..600).map(|n| note((n % 64) as u8, (n % 100) as f32 / 100.0)).collect();
    room.write(0, many).expect("accepted");
    assert_eq!(room.steps(0), (1, 0));
    room.undo(0, How::Checked).expect("mine");
    assert!(*room.state().song() == antiphon::pattern::Song::new());
    room.check();
}

#[test]
fn what_somebody_has_changed_since_is_stale_and_names_them_unless_overridden() {
    let mut room = Room::new(3);
    room.write(0, vec![set(0.2), cell(1, true)]).expect("accepted");
    room.write(1, vec![set(0.6)]).expect("accepted");
    let before = room.state().digest();
    let refusal = room.undo(0, How::Checked).expect_err("stale");
    let Refusal::StaleUndo { subject, by, seq, .. } = refusal else { panic!("{refusal}") };
    let changed = room.log.iter().find(|commit| commit.author == id(1)).expect("a commit").seq;
    assert_eq!((subject, by, seq), (Subject::Register(Register::Param(level())), id(1), changed));
    assert_eq!(room.state().digest(), before, "not even the cell");
    assert_eq!(room.steps(0), (1, 0), "it can be undone still");
    room.undo(0, How::Force).expect("overridden");
    assert_eq!(room.level(), level().spec().default);
    room.redo(0, How::Checked).expect("mine");
    assert_eq!(room.level(), 0.6, "what was there before the undo");
    room.check();
}

#[test]
fn a_stale_step_can_be_skipped() {
    let mut room = Room::new(2);
    room.write(0, vec![cell(1, true)]).expect("accepted");
    room.write(0, vec![set(0.2)]).expect("accepted");
    room.write(1, vec![set(0.6)]).expect("accepted");
    room.undo(0, How::Checked).expect_err("stale");
    assert_eq!(room.undo(0, How::Skip), Ok(false));
    room.undo(0, How::Checked).expect("the one before");
    assert_eq!(room.level(), 0.6);
    assert!(!room.state().song().track(track(0)).patterns[0].steps[1].on);
    room.check();
}

#[test]
fn steps_below_stand_again_when_the_ones_above_are_undone() {
    let mut room = Room::new(1);
    let values = [0.1, 0.2, 0.3, 0.4];
    values.iter().for_each(|value| room.write(0, vec![set(*value)]).expect("accepted"));
    for _ in 0..3 {
        for expected in [0.3, 0.2, 0.1, level().spec().default] {
            assert_eq!(room.undo(0, How::Checked), Ok(true));
            assert_eq!(room.level(), expected);
        }
        for expected in values {
            assert_eq!(room.redo(0, How::Checked), Ok(true));
            assert_eq!(room.level(), expected);
        }
    }
    room.check();
}

#[test]
fn undo_of_a_delete_brings_the_same_track_back() {
    let mut room = Room::new(2);
    room.write(1, vec![alive(2, true), cell(4, true)]).expect("accepted");
    room.write(0, vec![alive(2, false)]).expect("accepted");
    room.undo(0, How::Checked).expect("mine");
    let track = room.state().song().track(track(2));
    assert!(track.alive);
    assert_eq!(
        room.state().stamp(Register::Track(crate::room::track(2), TrackRegister::Alive)).author,
        id(0)
    );
    room.check();
}

#[test]
fn undo_into_a_merge_takes_out_ones_own_hand_in_any_order() {
    let alone = |hands: &[usize]| {
        let mut room = Room::new(3);
        room.write(0, vec![set(0.5)]).expect("accepted");
        room.hear_all();
        if !hands.is_empty() {
            room.collide(hands, |who| vec![set([0.1, 0.9, 0.4][who])]);
        }
        room.level()
    };
    for order in orders(3) {
        for out in orders(3) {
            let mut room = Room::new(3);
            room.write(0, vec![set(0.5)]).expect("accepted");
            room.collide(&order, |who| vec![set([0.1, 0.9, 0.4][who])]);
            let merged = room.level();
            let mut left = vec![0, 1, 2];
            for who in &out {
                assert_eq!(room.undo(*who, How::Checked), Ok(true));
                left.retain(|other| other != who);
                let expected = alone(&left);
                assert!((room.level() - expected).abs() < 1e-6, "{order:?} {left:?}: {}", room.level());
            }
            assert_eq!(room.level(), 0.5, "as before them all");
            for who in &out {
                assert_eq!(room.redo(*who, How::Checked), Ok(true));
            }
            assert_eq!(room.level(), merged, "each hand back in its place");
            // A later, informed write ends it.
            room.write(0, vec![set(0.77)]).expect("accepted");
            assert!(matches!(room.undo(1, How::Checked), Err(Refusal::StaleUndo { .. })));
            room.check();
        }
    }
}

#[test]
fn undo_works_before_the_answer_comes_and_without_a_connection() {
    let mut room = Room::new(2);
    let cell_on = |room: &Room| room.people[0].view().track(track(0)).patterns[0].steps[3].on;
    room.make(0, vec![set(0.2)]);
    room.make(0, vec![set(0.4), cell(3, true)]);
    room.people[0].undo(How::Checked).expect("a step");
    assert_eq!(room.people[0].view().params[level().index()], 0.2);
    assert!(!cell_on(&room));
    room.people[0].undo(How::Checked).expect("a step");
    assert_eq!(room.people[0].view().params[level().index()], level().spec().default);
    room.people[0].redo(How::Checked).expect("a step");
    room.people[0].redo(How::Checked).expect("a step");
    assert!(cell_on(&room));
    room.people[0].undo(How::Checked).expect("a step");
    room.answer(0).expect("all accepted");
    assert_eq!(room.level(), 0.2);
    // And with what is answered behind it.
    room.undo(0, How::Checked).expect("mine");
    room.redo(0, How::Checked).expect("mine");
    room.redo(0, How::Checked).expect("mine");
    assert_eq!(room.level(), 0.4);
    room.check();
}

#[test]
fn undo_works_after_a_new_connection_with_what_was_answered_meanwhile() {
    for full in [false, true] {
        let mut room = Room::new(2);
        room.make(0, vec![set(0.2)]);
        room.make(0, vec![set(0.4)]);
        room.people[0].undo(How::Checked).expect("a step");
        // The first two reach the sequencer; no answer reaches us.
        let frames: Vec<_> = std::iter::from_fn(|| room.people[0].next_to_send().cloned()).take(2).collect();
        for frame in frames {
            let answer = room.sequencer.submit(id(0), room.roles[0], frame.cseq, frame.base, frame.ops, None);
            let Ok(antiphon::session::Outcome::Committed(commit)) = answer else { panic!("{answer:?}") };
            room.log.push(commit);
        }
        room.people[0].disconnect();
        room.people[0].undo(How::Checked).expect("a step, offline");
        let catchup = match full {
            true => Catchup::Full(Box::new(room.state().clone())),
            false => Catchup::Delta(room.log.clone()),
        };
        let acked = room.sequencer.acked(id(0));
        room.people[0].welcome(id(0), acked, catchup).expect("a welcome");
        room.answer(0).expect("both undos");
        assert_eq!(room.level(), level().spec().default, "full: {full}");
        room.redo(0, How::Checked).expect("mine");
        assert_eq!(room.level(), 0.2, "full: {full}");
        room.check();
    }
}

#[test]
fn an_edit_that_waits_for_its_beat_waits_no_more_and_waits_again() {
    let later = |value| StampedOp {
        op: Op::Edit(Edit::Param { slot: level(), value }),
        at: Some(Beats::quarters(4)),
    };
    let mut room = Room::new(2);
    room.write(0, vec![set(0.5)]).expect("accepted");
    room.write(1, vec![later(0.9)]).expect("accepted");
    room.write(0, vec![later(0.1)]).expect("accepted");
    assert_eq!(room.state().pending().count(), 2);
    room.undo(0, How::Checked).expect("mine");
    assert_eq!(room.state().pending().count(), 1, "the other's waits on");
    room.redo(0, How::Checked).expect("mine");
    assert_eq!(room.state().pending().count(), 2);
    let commit = room.sequencer.promote(Beats::quarters(4)).expect("due");
    room.log.push(commit);
    room.hear_all();
    assert_eq!(room.level(), 0.1);
    room.undo(0, How::Checked).expect("mine");
    assert_eq!(room.level(), 0.9, "what it replaced at its beat");
    room.redo(0, How::Checked).expect("mine");
    assert_eq!(room.level(), 0.1);
    room.check();
}

#[test]
fn undo_of_a_tempo_is_stale_after_anothers() {
    let mut room = Room::new(2);
    room.write(0, vec![tempo(90.0)]).expect("accepted");
    room.write(1, vec![tempo(100.0)]).expect("accepted");
    let stale = room.undo(0, How::Checked);
    assert!(matches!(stale, Err(Refusal::StaleUndo { subject: Subject::Tempo, .. })), "{stale:?}");
    room.undo(0, How::Force).expect("overridden");
    assert_eq!(room.state().tempo_map().tempo_at(Beats::ZERO).bpm(), 120.0);
    room.check();
}

#[test]
fn the_stack_is_bounded() {
    let mut room = Room::new(1);
    for n in 0..MAX_STEPS_BACK + 20 {
        room.write(0, vec![set((n % 10) as f32 / 10.0)]).expect("accepted");
    }
    assert_eq!(room.steps(0), (MAX_STEPS_BACK, 0));
}

#[test]
fn what_was_withheld_for_a_pick_cannot_be_undone() {
    use antiphon::session::{Matter, Strategy};
    let mut room = Room::new(2);
    room.strategy(Matter::Continuous, Strategy::Manual);
    room.collide(&[0, 1], |who| vec![set([0.1, 0.9][who])]);
    assert_eq!(room.cards()[0].kind, ConflictKind::Waiting);
    assert_eq!(room.undo(1, How::Checked), Ok(false));
    assert_eq!(room.level(), 0.1);
    room.check();
}

#[test]
fn who_insisted_goes_on_undoing_below_it() {
    let mut room = Room::new(2);
    room.write(0, vec![note(3, 0.2)]).expect("accepted");
    let first = room.read(pitch(3));
    room.write(0, vec![note(3, 0.4)]).expect("accepted");
    room.write(1, vec![note(3, 0.6)]).expect("accepted");
    assert!(matches!(room.undo(0, How::Checked), Err(Refusal::StaleUndo { .. })));
    room.undo(0, How::Force).expect("insisted");
    assert_eq!(room.read(pitch(3)), first);
    room.undo(0, How::Checked).expect("what stood between was gone over knowingly");
    assert!(matches!(room.read(pitch(3)), Edit::Step { field: StepField::Note(None), .. }));
    room.check();
}

#[test]
fn a_refused_undo_comes_back_though_redo_was_forgotten_meanwhile() {
    let mut room = Room::new(2);
    room.write(0, vec![note(3, 0.2)]).expect("accepted");
    room.make(0, vec![note(3, 0.4)]);
    room.people[0].undo(How::Checked);
    // A new command: what was undone cannot be done again.
    room.make(0, vec![set(0.9)]);
    room.make(1, vec![note(3, 0.6)]);
    room.submit(1).expect("accepted");
    assert!(matches!(room.submit(0), Err((Cseq(3), Refusal::StaleUndo { .. }))));
    room.answer(0).expect("the rest");
    assert_eq!(room.steps(0), (3, 0));
    room.undo(0, How::Checked).expect("the new command");
    room.undo(0, How::Checked).expect("what the refused one was to undo");
    let Edit::Step { field: StepField::Note(held), .. } = room.read(pitch(3)) else { panic!("a note") };
    assert_eq!(held, Some(60), "what the other wrote meanwhile");
    room.check();
}

#[derive(Clone, Debug)]
enum Act {
    Write(usize, u8, u8),
    Undo(usize, bool),
    Redo(usize),
    Submit(usize),
    Hear(usize),
}

fn acts() -> impl proptest::strategy::Strategy<Value = Vec<Act>> {
    let who = 0..3usize;
    let act = prop_oneof![
        5 => (who.clone(), 0..4u8, 0..10u8).prop_map(|(who, what, value)| Act::Write(who, what, value)),
        4 => (who.clone(), any::<bool>()).prop_map(|(who, force)| Act::Undo(who, force)),
        3 => who.clone().prop_map(Act::Redo),
        4 => who.clone().prop_map(Act::Submit),
        4 => who.prop_map(Act::Hear),
    ];
    prop::collection::vec(act, 1..80)
}

fn value(what: u8, value: u8) -> StampedOp {
    let part = f32::from(value) / 10.0;
    match what {
        0 => set(part),
        1 => note(3, part),
        2 => cell(3, value.is_multiple_of(2)),
        _ => now(Op::Edit(Edit::Param { slot: Slot::new(Owner::Master, Param::Pan), value: part })),
    }
}

/// What a register held, and by whose write.
#[derive(Debug)]
struct Held {
    value: Edit,
    by: ClientId,
    seq: Seq,
    cseq: Cseq,
    /// Those who have insisted on going over it.
    dismissed: Vec<ClientId>,
}

impl Held {
    fn new(value: Edit, commit: &Commit) -> Held {
        Held { value, by: commit.author, seq: commit.seq, cseq: commit.cseq, dismissed: Vec::new() }
    }

    fn stands_before(&self, author: ClientId) -> bool {
        self.by != author && !self.dismissed.contains(&author)
    }
}

/// Somebody insists on taking back a write of theirs: what came over it stands before them no more.
fn insist(past: &mut [Held], author: ClientId, written: Written) {
    let undone = past.iter().position(|held| match written {
        Written::Frame(cseq) => held.by == author && held.cseq == cseq,
        Written::Commit(seq) | Written::Unseen(seq) => held.seq == seq,
    });
    past[undone.unwrap_or(0)..].iter_mut().for_each(|held| held.dismissed.push(author));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, ..ProptestConfig::default() })]

    /// Whatever is written, undone, forced and redone in whatever order: nothing panics, all agree,
    /// and an accepted checked undo never takes away what another wrote last, nor puts back a value
    /// that is older than what another wrote since, whatever its author had seen of that. What its
    /// author had insisted on going over is in the way no more.
    #[test]
    fn undo_among_others_converges_and_takes_nothing_of_theirs(plan in acts()) {
        let mut room = Room::new(3);
        for act in plan {
            match act {
                Act::Write(who, what, n) => { room.make(who, vec![value(what, n)]); }
                Act::Undo(who, force) => {
                    let how = if force { How::Force } else { How::Checked };
                    let _ = room.people[who].undo(how);
                }
                Act::Redo(who) => drop(room.people[who].redo(How::Checked)),
                Act::Submit(who) => while let Err((_, refusal)) = room.submit(who) {
                    prop_assert!(matches!(refusal, Refusal::StaleUndo { .. }), "{refusal}");
                },
                Act::Hear(who) => room.hear(who),
            }
        }
        for who in 0..3 {
            while room.submit(who).is_err() {}
        }
        room.check();
        let mut state = antiphon::session::State::new();
        // Of registers that do not merge: what each has held, and by whose write.
        let mut held: BTreeMap<Register, Vec<Held>> = BTreeMap::new();
        for commit in &room.log {
            for op in &commit.ops {
                let exact = op.op.edit().filter(|edit| matches!(edit, Edit::Step { .. }));
                if let Some(value) = exact {
                    let register = value.register();
                    let began = || vec![Held::new(state.read(register), &Commit { author: ClientId(0), seq: Seq(0), ..commit.clone() })];
                    let past = held.entry(register).or_insert_with(began);
                    if let Op::Revert(revert) = &op.op {
                        if revert.force {
                            insist(past, commit.author, revert.written);
                        } else {
                            let others = past.iter().rposition(|held| held.stands_before(commit.author));
                            let since = &past[others.unwrap_or(0)..];
                            let stood = since.iter().any(|held| held.value == value);
                            prop_assert!(stood, "{commit:?} puts back what is older than {since:?}");
                        }
                    }
                    past.push(Held::new(value, commit));
                }
                if let Op::Revert(revert) = &op.op
                    && !revert.force
                {
                    let register = revert.edit.register();
                    let last = state.stamp(register);
                    let merged = state.rulings().overlap(register).is_some_and(|o| o.hands.iter().any(|h| h.author == commit.author));
                    prop_assert!(last.author == commit.author || merged, "{commit:?} over {last:?}");
                }
            }
            state.apply(commit).expect("it follows");
        }
    }

    /// Alone, n undos and n redos are the identity, and each undo restores the state before its step.
    #[test]
    fn alone_undo_is_the_inverse(writes in prop::collection::vec((0..4u8, 0..10u8), 1..20), back in 1..20usize) {
        let mut room = Room::new(1);
        let mut songs = vec![room.state().song().clone()];
        for (what, n) in &writes {
            room.write(0, vec![value(*what, *n)]).expect("accepted");
            songs.push(room.state().song().clone());
        }
        let back = back.min(writes.len());
        for n in 0..back {
            room.undo(0, How::Checked).expect("mine");
            prop_assert!(*room.state().song() == songs[writes.len() - 1 - n]);
        }
        for n in (0..back).rev() {
            room.redo(0, How::Checked).expect("mine");
            prop_assert!(*room.state().song() == songs[writes.len() - n]);
        }
        room.check();
    }
}

#[test]
fn registers_of_a_cell_are_undone_apart() {
    let mut room = Room::new(2);
    room.write(0, vec![note(3, 0.9)]).expect("accepted");
    room.write(1, vec![cell(3, true)]).expect("accepted");
    room.undo(0, How::Checked).expect("another field of the same cell");
    let cell = room.state().song().track(track(0)).patterns[0].steps[3];
    assert!(cell.on);
    assert!(!matches!(room.read(pitch(3)), Edit::Step { field: StepField::Note(Some(90)), .. }));
    room.check();
}

/// What a write went over unseen is known to its author once it has heard of it, and to its undo.
#[test]
fn an_undo_that_does_not_know_what_it_uncovers_waits_until_it_does() {
    let mut room = Room::new(2);
    room.write(0, vec![note(3, 0.1)]).expect("accepted");
    room.write(0, vec![note(3, 0.2)]).expect("accepted");
    // Another's write reaches the sequencer first, and is not heard.
    room.make(1, vec![note(3, 0.5)]);
    room.submit(1).expect("accepted");
    room.make(0, vec![note(3, 0.3)]);
    room.submit(0).expect("accepted");
    let other = room.log[2].seq;
    for _ in 0..3 {
        room.people[0].undo(How::Checked).expect("a step");
    }
    let mut refusals = Vec::new();
    while let Err((_, refusal)) = room.submit(0) {
        refusals.push(refusal);
    }
    let Refusal::StaleUndo { by, seq, .. } = refusals[0] else { panic!("{refusals:?}") };
    assert_eq!((by, seq, refusals.len()), (id(1), other, 3));
    let register = Register::Step(track(0), pattern(), 3, StepRegister::Note);
    let holds = |room: &Room| match room.read(register) {
        Edit::Step { field: StepField::Note(note), .. } => note,
        other => panic!("{other:?}"),
    };
    assert_eq!((holds(&room), room.steps(0).0), (Some(30), 3));
    room.undo(0, How::Checked).expect("it is known by now");
    assert_eq!(holds(&room), Some(50), "theirs, not one's own older one");
    room.undo(0, How::Checked).expect_err("what lies below is theirs");
    room.check();
}

/// Whole states tell no story: what a frame went over stays a belief.
#[test]
fn a_welcome_tells_of_each_frame_what_became_of_it() {
    let mut room = Room::new(2);
    room.write(0, vec![note(3, 0.1)]).expect("accepted");
    let mine = [
        room.make(0, vec![note(3, 0.3)]),
        room.make(0, vec![now(Op::Resolve { id: 9, choice: None })]),
        room.make(0, vec![note(4, 0.4)]),
    ];
    let waiting = room.make(0, vec![note(5, 0.5)]);
    room.make(1, vec![note(3, 0.6)]);
    room.submit(1).expect("accepted");
    let frames: Vec<_> =
        room.people[0].outbox().map(|(cseq, base, ops)| (cseq, base, ops.to_vec())).collect();
    for (cseq, base, ops) in frames.into_iter().take(3) {
        let role = room.roles[0];
        if let Ok(antiphon::session::Outcome::Committed(commit)) =
            room.sequencer.submit(id(0), role, cseq, base, ops, None)
        {
            room.log.push(commit);
        }
    }
    let record = room.sequencer.client(id(0)).expect("known").clone();
    let answers = mine.map(|cseq| (cseq, record.answer(cseq).expect("kept").clone()));
    assert!(matches!(answers[1].1, Answer::Refused(Refusal::Invalid { .. })));
    let answered = Answered { last: mine[2], answers: answers.to_vec() };
    room.people[0].disconnect();
    let state = Box::new(room.state().clone());
    let welcomed = room.people[0].welcome(id(0), answered, Catchup::Full(state)).expect("a welcome");
    let committed: Vec<Cseq> = welcomed.acked.iter().map(|(cseq, _)| *cseq).collect();
    assert_eq!(committed, [mine[0], mine[2]]);
    let [(refused, Refusal::Invalid { reason, .. })] = &welcomed.refused[..] else {
        panic!("{:?}", welcomed.refused)
    };
    assert!(*refused == mine[1] && reason.contains("no open conflict"), "{reason}");
    assert!(welcomed.settled.is_empty());
    assert_eq!(room.people[0].outbox().map(|(cseq, _, _)| cseq).collect::<Vec<_>>(), [waiting]);
    room.answer(0).expect("accepted");
    // The last two can be undone; of the first nobody here has seen what it went over.
    room.undo(0, How::Checked).expect("mine");
    room.undo(0, How::Checked).expect("mine");
    room.undo(0, How::Checked).expect_err("stale");
    room.check();
}
