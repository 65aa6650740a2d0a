use super::*;
use crate::client::LineCommand;
use crate::client::decisions::Decision;
use crate::session::{BranchId, Detail, SessionFile, What};

const FILLS: BranchId = BranchId(1);

impl Rig {
    fn line(&mut self, command: LineCommand) {
        self.participant.command(Command::Line(command));
        self.participant.poll();
    }

    fn seed(&mut self, seed: u32) {
        self.edit(Edit::Seed(seed), When::Now);
        self.participant.poll();
    }

    fn fork(&mut self, name: &str) {
        self.line(LineCommand::Fork { name: name.into(), at: None });
    }

    fn view(&self) -> View {
        self.participant.view()
    }

    fn export(&mut self) -> Vec<u8> {
        let (answer, answered) = crossbeam::channel::bounded(1);
        self.participant.command(Command::Export(answer));
        answered.recv().expect("an answer").expect("a file")
    }
}

#[test]
fn alone_a_branch_is_auditioned_and_merged_as_in_a_session() {
    let mut rig = Rig::new();
    rig.seed(1);
    rig.fork("fills");
    let main = rig.participant.studio.digest();
    rig.line(LineCommand::Audition(FILLS));
    assert_eq!(rig.view().lines.audition, Some(FILLS));
    rig.told();
    rig.seed(7);
    let slot = Slot::new(Owner::Master, Param::Level);
    rig.edit(Edit::Param { slot, value: 0.25 }, When::Now);
    rig.participant.poll();
    assert_eq!((rig.view().song.seed, rig.view().unsaved), (7, 0));
    assert!(rig.told().iter().any(|m| matches!(m, ToEngine::Edit { edit: Edit::Seed(7), .. })));

    rig.line(LineCommand::Audition(BranchId::MAIN));
    assert_eq!(rig.view().song.seed, 1);
    assert!(rig.told().iter().any(|m| matches!(m, ToEngine::Song(song) if song.seed == 1)));
    // How far the branch came is told; the song is untouched.
    rig.participant.poll();
    assert_eq!(rig.view().lines.branches[0].head.0, rig.view().lines.branches[0].fork_seq.0 + 2);
    assert_ne!(rig.participant.studio.digest(), main, "a record has been added");
    assert_eq!(rig.view().song.params[slot.index()], slot.spec().default);

    rig.line(LineCommand::Merge(FILLS));
    assert_eq!((rig.view().song.seed, rig.view().song.params[slot.index()]), (7, 0.25));
    let before = rig.view().song.clone();
    rig.line(LineCommand::Merge(FILLS));
    assert_eq!(rig.view().song, before, "nothing more has been done on the branch");
    rig.line(LineCommand::Drop(FILLS));
    assert!(rig.view().lines.branches.is_empty());
}

#[test]
fn what_happens_in_the_session_is_not_heard_over_an_audition() {
    let mut rig = Rig::new();
    rig.fork("fills");
    rig.line(LineCommand::Audition(FILLS));
    rig.told();
    rig.participant.on_main(|it| it.edit(&[Edit::Seed(9)], When::Now, HostNanos(0)));
    assert!(rig.told().is_empty());
    assert_eq!(rig.view().song.seed, 0);
    // The transport stays the session's.
    rig.participant.command(Command::Start(Beats::ZERO));
    assert!(rig.view().lines.audition.is_some());
    assert!(rig.told().iter().any(|message| matches!(message, ToEngine::Timeline { .. })));
    rig.line(LineCommand::Audition(BranchId::MAIN));
    assert_eq!(rig.view().song.seed, 9);
    rig.line(LineCommand::Audition(FILLS));
    rig.participant.command(Command::Line(LineCommand::Drop(FILLS)));
    rig.participant.poll();
    assert_eq!((rig.view().lines.audition, rig.view().song.seed), (None, 9));
}

#[test]
fn restoring_gives_the_song_of_then_and_leaves_the_past_whole() {
    let mut rig = Rig::new();
    rig.seed(3);
    rig.line(LineCommand::Name { name: "first".into(), at: None });
    let then = rig.view().song.clone();
    rig.seed(4);
    let slot = Slot::new(Owner::Master, Param::Pan);
    rig.edit(Edit::Param { slot, value: 0.5 }, When::Now);
    let seq = rig.view().seq;
    rig.line(LineCommand::RestoreVersion("first".into()));
    assert_eq!(rig.view().song, then);
    assert_eq!(rig.view().seq.0, seq.0 + 1, "an edit like any other");
    rig.line(LineCommand::Restore { line: BranchId::MAIN, seq });
    assert_eq!(rig.view().song.seed, 4);
    rig.line(LineCommand::Restore { line: BranchId::MAIN, seq: crate::session::Seq(999) });
    assert!(rig.view().notice.is_some());

    rig.line(LineCommand::History { before: None, detail: Detail::Significant, limit: 50 });
    let history = rig.view().lines.history;
    assert!(history.entries.iter().any(|entry| matches!(entry.what, What::Record(_))));
    assert!(history.names.values().all(|name| name == "test"));
}

/// The song of then and its tempo are one step, however many frames they took.
#[test]
fn restoring_is_undone_at_once_and_gives_back_what_was() {
    let mut rig = Rig::new();
    rig.line(LineCommand::Name { name: "empty".into(), at: None });
    let track = crate::param::TrackIndex::new(3).expect("a track");
    let pattern = crate::pattern::PatternIndex::FIRST;
    let cell = |step, field| Edit::Step { track, pattern, step, field };
    let edits: Vec<Edit> = (0..64)
        .flat_map(|step| {
            use crate::pattern::StepField::{Gate, Micro, Note, On, Ratchet, Velocity};
            let fields = [On(true), Velocity(0.5), Note(Some(step)), Ratchet(2), Micro(5), Gate(50)];
            fields.map(|field| cell(step, field))
        })
        .collect();
    assert!(edits.len() > crate::session::MAX_OPS);
    rig.participant.command(Command::Edit { edits, when: When::Now });
    rig.participant.command(Command::Tempo(crate::time::Tempo::from_bpm(93.0).expect("a tempo")));
    rig.participant.poll();
    let (song, tempo) = (rig.view().song.clone(), rig.participant.studio.tempo_map().segments().to_vec());
    let steps = rig.participant.studio.steps();
    rig.line(LineCommand::RestoreVersion("empty".into()));
    assert_eq!(rig.view().song, Song::new());
    assert_eq!(rig.participant.studio.tempo_map().segments(), TempoMap::default().segments());
    assert_eq!(rig.participant.studio.steps(), (steps.0 + 1, 0));
    rig.participant.command(Command::Decide(Decision::Undo(crate::session::How::Checked)));
    rig.participant.poll();
    assert_eq!(rig.view().song, song);
    assert_eq!(rig.participant.studio.tempo_map().segments(), tempo);
}

/// What the session leaves to a person, a branch that comes back leaves too: a card for everybody.
#[test]
fn a_merge_under_the_manual_strategy_proposes_what_both_changed() {
    use crate::session::{Matter, Op, StampedOp};
    let mut rig = Rig::new();
    let strategy = Op::Strategy { matter: Matter::Discrete, strategy: crate::pattern::Strategy::Manual };
    rig.participant.ops(vec![StampedOp { op: strategy, at: None }]);
    rig.fork("fills");
    rig.line(LineCommand::Audition(FILLS));
    rig.seed(7);
    let slot = Slot::new(Owner::Master, Param::Level);
    rig.edit(Edit::Param { slot, value: 0.25 }, When::Now);
    rig.line(LineCommand::Audition(BranchId::MAIN));
    rig.seed(9);
    rig.line(LineCommand::Merge(FILLS));
    assert_eq!((rig.view().song.seed, rig.view().song.params[slot.index()]), (9, 0.25));
    let cards = rig.participant.studio.confirmed().rulings().conflicts.cards().to_vec();
    let [card] = &cards[..] else { panic!("{cards:?}") };
    // One person is on both sides here: of theirs the card holds what is wanted, beside what holds.
    assert_eq!(card.candidates.len(), 1);
    let pick = Op::Resolve { id: card.id, choice: Some(0) };
    rig.participant.ops(vec![StampedOp { op: pick, at: None }]);
    rig.participant.poll();
    assert_eq!(rig.view().song.seed, 7);
}

#[test]
fn a_file_carries_everything_and_goes_on_where_it_was() {
    let mut rig = Rig::new();
    rig.seed(1);
    rig.fork("fills");
    rig.line(LineCommand::Audition(FILLS));
    rig.seed(2);
    rig.line(LineCommand::Audition(BranchId::MAIN));
    rig.participant.poll();
    rig.line(LineCommand::Name { name: "here".into(), at: None });
    let bytes = rig.export();
    let digest = rig.participant.studio.digest();
    assert_eq!(SessionFile::decode(&bytes).expect("a session").encode(), bytes);

    let mut other = Rig::new();
    other.seed(40);
    other.line(LineCommand::Import(bytes.clone()));
    assert_eq!(other.participant.studio.digest(), digest);
    assert_eq!(other.export(), bytes, "the same session, the same bytes");
    other.line(LineCommand::Audition(FILLS));
    assert_eq!(other.view().song.seed, 2);
    other.seed(5);
    assert_eq!((other.view().song.seed, other.view().unsaved), (5, 0));
    // Whoever goes on with it is somebody else.
    let people = SessionFile::decode(&other.export()).expect("a session").people;
    assert_eq!(people.len(), 2);
    let mut damaged = bytes;
    damaged[40] ^= 1;
    other.line(LineCommand::Import(damaged));
    assert_eq!(other.view().song.seed, 5);
    assert!(other.view().notice.is_some_and(|notice| notice.contains("damaged")));
}
