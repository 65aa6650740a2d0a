//! History: the compressed view, states of the past, and the session file.

use antiphon::param::{Owner, Param, Slot, TrackIndex};
use antiphon::pattern::{Edit, PatternIndex, Song, StepField};
use antiphon::session::{
    BranchId, ClientId, Commit, Cseq, Detail, FileError, Line, Op, Outcome, Past, Record, Role, Row, Seq,
    Sequencer, SessionFile, StampedOp, State, What, page,
};
use antiphon::time::{Beats, SessionNanos, Tempo, TempoMap};
use proptest::prelude::*;

const ANA: ClientId = ClientId(1);
const BEN: ClientId = ClientId(2);

fn track(n: usize) -> TrackIndex {
    TrackIndex::new(n).expect("a track")
}

fn level(value: f32) -> Edit {
    Edit::Param { slot: Slot::new(Owner::Track(track(0)), Param::Level), value }
}

fn cell(n: usize, step: u8) -> Edit {
    Edit::Step { track: track(n), pattern: PatternIndex::FIRST, step, field: StepField::On(true) }
}

fn row(seq: u64, author: ClientId, at_ms: i64, edits: &[Edit]) -> Row {
    let ops = edits.iter().map(|edit| StampedOp { op: Op::Edit(*edit), at: None }).collect();
    Row { at_ms, commit: Commit { seq: Seq(seq), author, cseq: Cseq(seq), ops } }
}

#[test]
fn runs_of_one_person_become_one_line_whatever_others_do_between() {
    let mut rows = Vec::new();
    for n in 0..12u64 {
        rows.push(row(2 * n + 1, ANA, n as i64 * 700, &[cell(3, n as u8 * 5 % 16)]));
        rows.push(row(2 * n + 2, BEN, n as i64 * 700 + 100, &[level(n as f32 / 12.0)]));
    }
    rows.push(row(25, ANA, 60_000, &[cell(3, 0)]));
    let page = page(&rows, Detail::Significant, 50);
    assert_eq!(page.before, None);
    let lines: Vec<_> =
        page.entries.iter().map(|e| (e.author, e.first.0, e.last.0, e.what.words(&Song::new()))).collect();
    let expected = [
        (ANA, 25, 25, "changed step 1 of track 4".to_owned()),
        (BEN, 2, 24, "set track 1 level to +2.4 dB".to_owned()),
        (ANA, 1, 23, "painted 12 steps of track 4".to_owned()),
    ];
    assert_eq!(lines, expected);
}

#[test]
fn what_does_not_matter_is_left_out_and_comes_with_all() {
    let transport =
        Op::Timeline(antiphon::session::Timeline { playing: true, tick: Beats(0), at: SessionNanos(0) });
    let mut rows = vec![row(1, ANA, 0, &[level(0.5)])];
    for (n, op) in (2..).zip([transport, Op::Promote(Beats(0))]) {
        let ops = vec![StampedOp { op, at: None }];
        rows.push(Row { at_ms: 1, commit: Commit { seq: Seq(n), author: ClientId(0), cseq: Cseq(0), ops } });
    }
    assert_eq!(page(&rows, Detail::Significant, 50).entries.len(), 1);
    assert_eq!(page(&rows, Detail::All, 50).entries.len(), 3);
}

proptest! {
    #[test]
    fn pages_cover_every_commit_once(
        rows in prop::collection::vec((1..4u32, 0..4u8, 0..9_000i64), 1..80), limit in 1..12usize,
        detail in prop_oneof![Just(Detail::All), Just(Detail::Significant)],
    ) {
        let mut at_ms = 0;
        let rows: Vec<Row> = (1..).zip(rows).map(|(seq, (author, what, pause))| {
            at_ms += pause;
            let edit = if what == 0 { level(0.3) } else { cell(usize::from(what), seq as u8 % 64) };
            row(seq, ClientId(author), at_ms, &[edit])
        }).collect();
        let mut seen = 0u32;
        let mut before = Some(Seq(u64::MAX));
        while let Some(end) = before {
            let upto = rows.partition_point(|row| row.commit.seq < end);
            let got = page(&rows[..upto], detail, limit);
            prop_assert!(got.entries.len() <= limit);
            prop_assert!(got.before.is_none_or(|next| next < end), "the pages go on");
            for entry in &got.entries {
                prop_assert!(got.before.is_none_or(|next| entry.first >= next) && entry.last < end);
                seen += match entry.what {
                    What::Cells { .. } if detail == Detail::All => 1,
                    What::Cells { steps, .. } => steps.count_ones(),
                    _ if detail == Detail::All => 1,
                    _ => rows[entry.first.0 as usize - 1..entry.last.0 as usize].iter()
                        .filter(|row| row.commit.author == entry.author
                            && row.commit.ops[0].op == Op::Edit(level(0.3))).count() as u32,
                };
            }
            before = got.before;
        }
        // Steps repeat after 64 commits only, so that each painted one counts for its commit.
        if rows.len() < 64 { prop_assert_eq!(seen as usize, rows.len()); }
    }
}

/// A session's own line and its branches, as a server or a machine alone keeps them.
struct Session {
    main: Sequencer,
    past: Past,
    branches: Vec<(BranchId, Sequencer, Past)>,
    clock: i64,
    cseqs: Vec<u64>,
}

impl Session {
    fn new() -> Session {
        let mut song = Song::new();
        song.seed = 5;
        let origin = State::with_song(song, TempoMap::default());
        let past = Past::new(origin.clone());
        Session {
            main: Sequencer::new(origin),
            past,
            branches: Vec::new(),
            clock: 1_700_000_000_000,
            cseqs: vec![0; 99],
        }
    }

    fn line(&mut self, line: usize) -> (&mut Sequencer, &mut Past) {
        match line.checked_rem(self.branches.len() + 1).unwrap_or(0) {
            0 => (&mut self.main, &mut self.past),
            n => {
                let (_, sequencer, past) = &mut self.branches[n - 1];
                (sequencer, past)
            }
        }
    }

    fn submit(&mut self, line: usize, author: ClientId, op: Op) -> Option<Seq> {
        self.clock += 1_500;
        let clock = self.clock;
        let line = line % (self.branches.len() + 1);
        let slot = line * 3 + author.0 as usize;
        self.cseqs[slot] += 1;
        let cseq = Cseq(self.cseqs[slot]);
        let (sequencer, past) = self.line(line);
        let base = sequencer.state().seq();
        let ops = vec![StampedOp { op, at: None }];
        match sequencer.submit(author, Role::Editor, cseq, base, ops, None) {
            Ok(Outcome::Committed(commit)) => {
                let seq = commit.seq;
                past.push(clock, commit);
                Some(seq)
            }
            _ => None,
        }
    }

    fn fork(&mut self, parent: usize, author: ClientId, at: u64) {
        let parent = parent % (self.branches.len() + 1);
        let id = parent.checked_sub(1).map_or(BranchId::MAIN, |n| self.branches[n].0);
        let (_, past) = self.line(parent);
        let from = past.origin().seq().0;
        let at = Seq(from + at % (past.seq().0 - from + 1));
        let begin = past.state_at(at).expect("a log that replays").expect("kept");
        let fork =
            Record::Fork { id: BranchId(0), parent: id, at, name: format!("b{}", self.branches.len()) };
        if self.submit(0, author, Op::Record(fork)).is_some() {
            let branch = self.main.state().records().branches().last().expect("the one just forked").id;
            self.branches.push((branch, Sequencer::new(begin.clone()), Past::new(begin)));
        }
    }

    fn file(&self) -> SessionFile {
        let rows = |past: &Past| past.rows().cloned().collect::<Vec<_>>();
        SessionFile {
            name: "Jam".into(),
            people: vec![(ANA, "Ana".into()), (BEN, "Ben".into())],
            main: Line { origin: Box::new(self.past.origin().clone()), log: rows(&self.past) },
            head: Box::new(self.main.state().clone()),
            branches: self.branches.iter().map(|(id, _, past)| (*id, rows(past))).collect(),
        }
    }
}

type Act = (u8, usize, u32, u8);

fn session(acts: &[Act]) -> Session {
    let mut session = Session::new();
    for (kind, line, author, value) in acts.iter().copied() {
        let (author, unit) = (ClientId(author), f32::from(value) / 255.0);
        match kind {
            0..=5 => drop(session.submit(line, author, Op::Edit(level(unit)))),
            6..=8 => drop(session.submit(line, author, Op::Edit(cell(usize::from(value) % 16, value % 64)))),
            9 => {
                let tempo = Tempo::from_bpm(45.0 + f64::from(value)).expect("a tempo");
                session.submit(line, author, Op::RequestTempo(tempo));
            }
            10 if session.branches.len() < 8 => session.fork(line, author, u64::from(value)),
            _ => {
                let seq = session.main.state().seq();
                let name = Record::Name { name: format!("v{value}"), branch: BranchId::MAIN, seq };
                session.submit(0, author, Op::Record(name));
            }
        }
    }
    session
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    prop::collection::vec((0..12u8, 0..9usize, 1..3u32, any::<u8>()), 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn a_file_read_and_written_again_has_the_same_bytes(acts in acts()) {
        let session = session(&acts);
        let bytes = session.file().encode();
        let read = SessionFile::decode(&bytes).expect("a session");
        prop_assert_eq!(read.encode(), bytes);
        for (id, sequencer, _) in &session.branches {
            let state = read.state_at(*id, sequencer.state().seq()).expect("the branch's head");
            prop_assert_eq!(state.digest(), sequencer.state().digest());
        }
    }

    #[test]
    fn a_fork_begins_with_the_state_that_the_log_rebuilds_and_leaves_the_others_alone(acts in acts(), at in any::<u64>()) {
        let mut session = session(&acts);
        if session.branches.len() >= 20 { return Ok(()); }
        session.fork(0, ANA, at);
        let (main, song) = (session.main.state().digest(), session.main.state().song().clone());
        let (id, sequencer, _) = session.branches.last().expect("the fork");
        let record = session.main.state().records().branch(*id).expect("its record").clone();
        let mut rebuilt = session.past.origin().clone();
        for row in session.past.rows().take_while(|row| row.commit.seq <= record.fork_seq) {
            rebuilt.apply(&row.commit).expect("the log replays");
        }
        prop_assert_eq!(sequencer.state().digest(), rebuilt.digest());
        // Edits of the branch touch nothing else.
        let line = session.branches.len();
        for step in 0..8 {
            prop_assert!(session.submit(line, BEN, Op::Edit(cell(9, step))).is_some());
        }
        prop_assert_eq!(session.main.state().digest(), main);
        prop_assert_eq!(session.main.state().song(), &song);
    }

    #[test]
    fn restoring_gives_exactly_that_song(acts in acts(), at in any::<u64>()) {
        let mut session = session(&acts);
        let from = session.past.origin().seq().0;
        let at = Seq(from + at % (session.past.seq().0 - from + 1));
        let then = session.past.state_at(at).expect("replays").expect("kept");
        for edit in then.song().edits_since(&session.main.state().song().clone()) {
            prop_assert!(session.submit(0, ANA, Op::Edit(edit)).is_some());
        }
        prop_assert_eq!(session.main.state().song(), then.song());
    }

    #[test]
    fn damaged_files_are_refused(acts in acts(), at in any::<prop::sample::Index>(), bit in 0..8u8, cut in any::<prop::sample::Index>()) {
        let whole = session(&acts).file().encode();
        let mut damaged = whole.clone();
        damaged[at.index(whole.len())] ^= 1 << bit;
        prop_assert!(SessionFile::decode(&damaged).is_err());
        prop_assert!(SessionFile::decode(&whole[..cut.index(whole.len())]).is_err());
    }

    #[test]
    fn forged_files_never_panic(acts in acts(), at in any::<prop::sample::Index>(), bytes in prop::collection::vec(any::<u8>(), 1..6)) {
        // Damage below checksums that fit.
        let mut forged = session(&acts).file().encode();
        let place = 5 + at.index(forged.len() - 5);
        for (n, byte) in bytes.iter().enumerate() {
            if let Some(old) = forged.get_mut(place + n) { *old = *byte; }
        }
        let mut from = 5;
        while let Some(head) = forged.get(from..from + 17) {
            let length = u64::from_le_bytes(head[1..9].try_into().expect("eight")) as usize;
            let Some(body) = forged.get(from + 17..(from + 17).saturating_add(length)) else { break };
            let sum = xxhash_rust::xxh3::xxh3_64(body).to_le_bytes();
            forged[from + 9..from + 17].copy_from_slice(&sum);
            from += 17 + length;
        }
        if let Ok(file) = SessionFile::decode(&forged) {
            prop_assert_eq!(SessionFile::decode(&file.encode()).expect("sound").encode(), file.encode());
        }
    }
}

#[test]
fn a_file_says_what_is_wrong_with_it_and_where() {
    let whole = session(&[(0, 0, 1, 9), (10, 0, 1, 0), (0, 1, 2, 40)]).file().encode();
    let error = |bytes: &[u8]| SessionFile::decode(bytes).expect_err("damaged");
    assert_eq!(error(b"hello, world"), FileError::NotASession);
    let mut newer = whole.clone();
    newer[4] = 77;
    assert_eq!(error(&newer), FileError::Version(77));
    let mut damaged = whole.clone();
    *damaged.last_mut().expect("bytes") ^= 1;
    let message = error(&damaged).to_string();
    assert!(message.contains("branches") && message.contains("checksum"), "{message}");
    let message = error(&whole[..whole.len() - 1]).to_string();
    assert!(message.contains("bytes were written"), "{message}");
}

#[test]
fn a_log_in_memory_is_bounded_and_still_rebuilds_what_it_keeps() {
    let mut past = Past::new(State::new());
    let mut sequencer = Sequencer::new(State::new());
    for n in 1..=20_000u64 {
        let op = StampedOp { op: Op::Edit(level((n % 100) as f32 / 100.0)), at: None };
        let outcome = sequencer.submit(ANA, Role::Owner, Cseq(n), Seq(n - 1), vec![op], None);
        let Ok(Outcome::Committed(commit)) = outcome else { panic!("{outcome:?}") };
        past.push(n as i64, commit);
    }
    assert!(past.rows().count() <= 16_384);
    assert_eq!(
        past.state_at(Seq(20_000)).expect("replays").expect("kept").digest(),
        sequencer.state().digest()
    );
    assert_eq!(past.state_at(Seq(1)).expect("replays"), None);
}

/// What every version must be able to read: the bytes that this format's first version wrote.
#[test]
fn a_file_of_this_format_keeps_its_bytes_and_its_meaning() {
    let acts = [(0, 0, 1, 9), (6, 0, 2, 17), (9, 0, 1, 80), (10, 0, 1, 2), (3, 1, 2, 40), (11, 0, 2, 5)];
    let session = session(&acts);
    let now: String = session.file().encode().iter().map(|byte| format!("{byte:02x}")).collect();
    let path =
        format!("{}/tests/golden/session/v1.hex", std::env::var("CARGO_MANIFEST_DIR").expect("a root"));
    if std::env::var("ANTIPHON_GOLDEN").is_ok_and(|how| how == "write") {
        std::fs::create_dir_all(std::path::Path::new(&path).parent().expect("a folder")).expect("made");
        std::fs::write(&path, format!("{now}\n")).expect("written");
    }
    let golden = std::fs::read_to_string(&path).expect("the golden file of this version");
    let golden = golden.trim();
    let digits = golden.as_bytes().chunks(2);
    let bytes: Vec<u8> = digits
        .map(|two| u8::from_str_radix(std::str::from_utf8(two).expect("ASCII"), 16).expect("a byte"))
        .collect();
    let file = SessionFile::decode(&bytes).expect("an old file is read");
    assert_eq!(file.head.song(), session.main.state().song());
    assert_eq!(file.head.records(), session.main.state().records());
    assert_eq!(file.main.log.len(), session.past.rows().count());
    assert_eq!(golden, now, "the format changed, so FILE_VERSION must");
}
