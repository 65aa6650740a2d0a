//! Frames and their bytes: golden, bounded both ways, harmless when damaged.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fmt::Write as _;
use std::sync::LazyLock;

use antiphon::param::{MAX_TRACKS, Owner, Param, Slot, TrackIndex};
use antiphon::pattern::{
    Condition, Edit, Grid, GridEdit, Name, Order, Overflow, PatternIndex, Pitch, Register, Song, StepField,
    Track, TrackField, TrackId, Trig, text,
};
use antiphon::rt::ports::BarFingerprint;
use antiphon::session::{
    Answer, BranchId, ClientId, Commit, Cseq, Detail, HistoryEntry, Lead, MAX_CHAT, MAX_OPS, MAX_SNAPSHOT,
    NewTrack, Op, Page, Part, Record, Refusal, Role, Seq, Sequencer, StampedOp, State, Text, Timeline,
    Wanted, What, Written,
};
use antiphon::time::{Beats, ClockEpoch, Recollection, SamplePos, SessionNanos, Tempo, TempoMap};
use antiphon::wire::{
    Ask, Assembly, Down, ErrorCode, Gesture, Hello, Hidden, LineAsk, LineNews, MAX_FRAME, News, Participant,
    PlayedNote, PresenceState, Snapshot, Up, VERSION, Welcome, WireError, decode_down, decode_up,
    encode_down, encode_up, frames,
};
use proptest::prelude::*;

#[path = "support/registers.rs"]
mod registers;

/// Counts what the measuring thread holds.
struct Counting;

thread_local! {
    static HELD: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator unchanged; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = HELD.try_with(|held| {
            held.set(held.get().wrapping_add(layout.size()));
            let _ = PEAK.try_with(|peak| peak.set(peak.get().max(held.get())));
        });
        // SAFETY: the caller's layout, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        let _ = HELD.try_with(|held| held.set(held.get().saturating_sub(layout.size())));
        // SAFETY: allocated above with this layout.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most bytes `work` held beyond what it found.
fn peak_of<T>(work: impl FnOnce() -> T) -> usize {
    HELD.set(0);
    PEAK.set(0);
    drop(work());
    PEAK.get()
}

fn slot() -> Slot {
    Slot::new(Owner::Track(track(2)), Param::FilterFreq)
}

fn track(n: usize) -> TrackIndex {
    TrackIndex::new(n).expect("a track")
}

fn name(word: &str) -> Name {
    Name::new(word).expect("a name")
}

fn tempo(bpm: f64) -> Tempo {
    Tempo::from_bpm(bpm).expect("a tempo")
}

fn on_arrival(op: Op) -> StampedOp {
    StampedOp { op, at: None }
}

fn presence() -> PresenceState {
    PresenceState {
        cursor: Some((3, 17)),
        focus: Some(3),
        playing: true,
        host_tempo: Some(tempo(120.0)),
        rtt_us: 40_000,
        clock_bound_us: 150,
        clock_estimated_us: 40,
        trim_us: -12_500,
        device_latency_us: 11_600,
    }
}

static OPS: LazyLock<Vec<StampedOp>> = LazyLock::new(every_op);

/// One of every op and edit.
fn ops() -> Vec<StampedOp> {
    OPS.clone()
}

fn every_op() -> Vec<StampedOp> {
    let pattern = PatternIndex::new(7).expect("a pattern");
    let step = |field| Edit::Step { track: track(1), pattern, step: 5, field };
    let whole = |field| Edit::Track { track: track(15), field };
    let edits = [
        Edit::Seed(7),
        Edit::Param { slot: slot(), value: 800.0 },
        step(StepField::On(true)),
        step(StepField::Velocity(0.7)),
        step(StepField::Note(Some(60))),
        step(StepField::Probability(0.5)),
        step(StepField::Ratchet(3)),
        step(StepField::Micro(-20)),
        step(StepField::Tie(true)),
        step(StepField::Gate(150)),
        step(StepField::Condition(Condition { when: Trig::Nth { nth: 1, of: 4 }, not: true })),
        step(StepField::Also([Some(64), Some(67), None])),
        whole(TrackField::Alive(true)),
        whole(TrackField::Name(name("lead"))),
        whole(TrackField::Sample(name("closed"))),
        whole(TrackField::Pitch(Some(Pitch::Hertz(55.5)))),
        whole(TrackField::Pitch(Some(Pitch::Note(36)))),
        whole(TrackField::Id(TrackId { client: 3, counter: 1 })),
        whole(TrackField::Order(Order::of_place(3))),
        whole(TrackField::Pattern(pattern)),
        whole(TrackField::Overflow(Overflow::Rest)),
        whole(TrackField::GrooveSteps(Track::ODD_STEPS)),
        whole(TrackField::GrooveTemplate(name("mpc-60"))),
    ];
    let mut ops: Vec<_> = edits.map(|edit| on_arrival(Op::Edit(edit))).into();
    ops[1].at = Some(Beats::quarters(16));
    ops.push(on_arrival(Op::RequestTempo(tempo(124.5))));
    ops.push(on_arrival(Op::RequestRamp { tempo: tempo(140.0), bars: 8 }));
    let map = TempoMap::constant(tempo(124.5)).with_tempo(Beats::quarters(8), tempo(90.0));
    ops.push(on_arrival(Op::TempoMap(map.expect("a map"))));
    let timeline = Timeline { playing: true, tick: Beats::quarters(4), at: SessionNanos(2_500_000_000) };
    ops.push(on_arrival(Op::Timeline(timeline)));
    ops.push(on_arrival(Op::Promote(Beats::quarters(16))));
    let song = Song::new();
    let mut names: std::collections::BTreeSet<_> = edits.iter().map(|edit| edit.register().name()).collect();
    for register in Register::all().filter(|register| names.insert(register.name())) {
        if !matches!(register, Register::Param(_)) {
            ops.push(on_arrival(Op::Edit(registers::write(&song, register, 7_001))));
        }
    }
    let (first, other) = (PatternIndex::FIRST, track(9));
    let grids = [
        Grid::Rotate(-3),
        Grid::Insert { at: 4, count: 2 },
        Grid::Remove { at: 4, count: 2 },
        Grid::Clear { from: 0, count: 64 },
        Grid::Copy { track: other, pattern: first, from: 0, count: 16, to: 16 },
        Grid::Replace { track: other, pattern: first },
        Grid::Merge { track: other, pattern: first },
        Grid::Fill { every: 2, from: 1, velocity: 0.5 },
        Grid::Euclid { pulses: 5, rotation: 2, velocity: 1.0 },
    ];
    ops.extend(grids.map(|grid| on_arrival(Op::Grid(GridEdit { track: track(1), pattern, grid }))));
    let id = TrackId { client: 2, counter: 5 };
    let new = NewTrack { id, name: name("tom"), order: Order::of_place(4), place: track(4) };
    ops.push(on_arrival(Op::AddTrack(new)));
    let wanted = Edit::Param { slot: slot(), value: 700.0 };
    let written = [Written::Commit(Seq(7)), Written::Frame(Cseq(8)), Written::Unseen(Seq(9))];
    ops.extend(
        [Wanted::Edit(wanted), Wanted::Tempo(tempo(99.0))].map(|wanted| on_arrival(Op::Propose(wanted))),
    );
    ops.push(on_arrival(Op::Means { place: track(4), id }));
    ops.extend(written.map(|written| on_arrival(Op::Follows(written))));
    ops.push(on_arrival(Op::Generated));
    ops.push(on_arrival(Op::Said { client: ClientId(3), text: Text::new("höre").expect("a line") }));
    ops
}

fn commit() -> Commit {
    Commit { seq: Seq(300), author: ClientId(2), cseq: Cseq(41), ops: ops() }
}

fn ups() -> Vec<Up> {
    let hello = Hello {
        version: VERSION,
        engine_version: 1,
        client_key: [7; 16],
        secret: "s3cret".into(),
        name: "Ada".into(),
        last_seq: Seq(299),
        unanswered: Cseq(40),
    };
    let print = BarFingerprint {
        bar: 33,
        input_key: 0x0123_4567_89ab_cdef,
        tracks: std::array::from_fn(|n| n as u64 * 0x1111_1111),
        master: u64::MAX,
        start: SamplePos(3_168_000),
    };
    vec![
        Up::Hello(hello),
        Up::Ops { cseq: Cseq(41), base: Seq(299), ops: ops() },
        Up::Gesture(vec![Gesture { slot: slot(), value: 800.0 }]),
        Up::Presence(presence()),
        Up::Start { tick: Beats::quarters(64) },
        Up::Stop,
        Up::Fingerprints(vec![print]),
        Up::Probe { t1: -5 },
        Up::Chat("höre".into()),
        Up::Leave,
        Up::People(Ask::Role { client: ClientId(3), role: Role::Listener }),
        Up::People(Ask::Invite { role: Role::Editor, minutes: Some(60), uses: None }),
        Up::People(Ask::Revoke(0x89ab_cdef)),
        Up::People(Ask::Lock(Part::Cell(track(3), 5))),
        Up::People(Ask::Notes(vec![played()])),
        Up::Recall(Recollection { epoch: 9, ahead_ns: -1_500, certified_ns: 40_000, estimated_ns: 900 }),
        Up::Line(LineAsk::Enter(BranchId(3))),
        Up::Line(LineAsk::Leave),
        Up::Line(LineAsk::Ops { branch: BranchId(3), cseq: Cseq(2), base: Seq(299), ops: records() }),
        Up::Line(LineAsk::History {
            line: BranchId::MAIN,
            before: Some(Seq(300)),
            detail: Detail::Significant,
            limit: 50,
        }),
        Up::Line(LineAsk::State { line: BranchId(3), seq: Seq(12) }),
        Up::CountIn { tick: Beats::quarters(64), bars: 2 },
        Up::Lead(Lead {
            playing: true,
            tick: Beats::quarters(5),
            at: SessionNanos(7_000_000_123),
            tempo: tempo(124.5),
        }),
    ]
}

/// One of every record; a frame of a session holds one at most.
fn records() -> Vec<StampedOp> {
    let (id, at, head) = (BranchId(3), Seq(12), Seq(17));
    let records = [
        Record::Fork { id, parent: BranchId::MAIN, at, name: "fills".into() },
        Record::Drop(id),
        Record::Merged { id, head },
        Record::Head { id, head },
        Record::Name { name: "höre".into(), branch: id, seq: head },
        Record::Unname("höre".into()),
    ];
    records.map(|record| on_arrival(Op::Record(record))).into()
}

fn page() -> Page {
    let entry = |what| HistoryEntry {
        first: Seq(3),
        last: Seq(9),
        author: ClientId(2),
        at_ms: 1_700_000_000_000,
        until_ms: 1_700_000_004_000,
        what,
        importance: 0.5,
    };
    let whats = [
        What::Param { slot: slot(), value: 800.0 },
        What::Cells { track: track(1), steps: 0b1011 },
        What::Track(track(1)),
        What::Song { writes: 400 },
        What::Tempo(tempo(124.5)),
        What::Transport(Timeline::default()),
        What::Promoted(Beats::quarters(4)),
        What::Record(Record::Drop(BranchId(3))),
    ];
    Page { entries: whats.map(entry).into(), before: Some(Seq(3)) }
}

fn played() -> PlayedNote {
    PlayedNote { track: track(2), note: 60, velocity: 100, tick: Beats::quarters(6) }
}

fn welcome(state: Snapshot) -> Down {
    let answers =
        vec![(Cseq(39), Answer::Committed(Seq(7))), (Cseq(40), Answer::Refused(Refusal::Forgotten))];
    let (client, role) = (ClientId(2), Role::Editor);
    Down::Welcome(Welcome { client, role, clock_epoch: 9, acked: Cseq(40), answers, state })
}

fn downs() -> Vec<Down> {
    let refusals = [
        Refusal::Role(Role::Listener),
        Refusal::Invalid { index: 3, reason: "no".into() },
        Refusal::TooMany(256),
        Refusal::Gap { expected: 3, got: 5 },
        Refusal::PendingFull,
    ];
    let participant = Participant {
        client: ClientId(1),
        name: "Ben".into(),
        role: Role::Owner,
        online: true,
        away: false,
        state: presence(),
    };
    let codes = [
        ErrorCode::Version,
        ErrorCode::UnknownSession,
        ErrorCode::Unauthorized,
        ErrorCode::Malformed,
        ErrorCode::TooLarge,
        ErrorCode::RateLimit,
        ErrorCode::Unexpected,
        ErrorCode::Full,
        ErrorCode::Unavailable,
        ErrorCode::Expired,
        ErrorCode::Kicked,
    ];
    let error = |code| Down::Error { code, message: "why".into(), fatal: true };
    let mut downs = vec![
        welcome(Snapshot::Delta(vec![commit()])),
        welcome(Snapshot::Full { seq: Seq(300), bytes: vec![1, 2, 3] }),
        welcome(Snapshot::Parts { seq: Seq(300), size: 100_000 }),
        Down::Commits(vec![commit()]),
        Down::Gestures { author: ClientId(2), moves: vec![Gesture { slot: slot(), value: 800.0 }] },
        Down::Participants(vec![participant]),
        Down::Presence { client: ClientId(2), state: presence() },
        Down::Pong { t1: -5, t2: SessionNanos(1_000), t3: SessionNanos(1_030) },
        Down::Compared { bar: 33, differ: 1 << 16, other: ClientId(1) },
        Down::Renew { bar: 35 },
        Down::Chat { author: ClientId(2), text: "hello".into() },
        Down::Goaway { retry_ms: 2_000 },
        Down::Part(vec![4, 5, 6]),
        Down::People(News::Token { token: Hidden("t-s3cret".into()), seconds: 900 }),
        Down::People(News::Code { code: Hidden("k7m2qx".into()), seconds: 600 }),
        Down::People(News::Lock { client: ClientId(2), part: Part::Param(slot()) }),
        Down::People(News::Touched { part: Part::Track(track(3)), holder: ClientId(2), by: ClientId(1) }),
        Down::People(News::Notes { author: ClientId(2), notes: vec![played()] }),
        Down::Clock(ClockEpoch { epoch: 9, settled: true, shifted_ns: -7, bound_ns: 250 }),
        Down::Line(LineNews::State {
            line: BranchId(3),
            seq: Seq(17),
            acked: Some(Cseq(2)),
            offset: 0,
            size: 3,
            bytes: vec![1, 2, 3],
        }),
        Down::Line(LineNews::Commits { branch: BranchId(3), commits: vec![commit()] }),
        Down::Line(LineNews::Nack { branch: BranchId(3), cseq: Cseq(2), reason: Refusal::PendingFull }),
        Down::Line(LineNews::History {
            line: BranchId::MAIN,
            page: page(),
            names: vec![(ClientId(2), "Ben".into())],
        }),
        Down::Line(LineNews::Missing { line: BranchId(9), seq: Some(Seq(4)), reason: "gone".into() }),
    ];
    downs.extend(refusals.map(|reason| Down::Nack { cseq: Cseq(41), reason }));
    downs.extend(codes.map(error));
    downs
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string grows");
        text
    })
}

/// The bytes of this version: a change of format bumps [`VERSION`] and gets a new file; the old one
/// stays. `ANTIPHON_GOLDEN=write` writes a missing file.
#[test]
fn every_frame_keeps_its_bytes() {
    let mut now = String::new();
    for (at, up) in ups().iter().enumerate() {
        writeln!(now, "up {at} {}", hex(&encode_up(up).expect("it fits"))).expect("a string grows");
    }
    for (at, down) in downs().iter().enumerate() {
        writeln!(now, "down {at} {}", hex(&encode_down(down).expect("it fits"))).expect("a string grows");
    }
    let snapshot = State::with_song(song_of_each(), TempoMap::constant(tempo(124.5))).encode();
    writeln!(now, "snapshot {}", hex(&snapshot)).expect("a string grows");
    let file =
        format!("{}/tests/golden/wire/v{VERSION}.hex", std::env::var("CARGO_MANIFEST_DIR").expect("a root"));
    if std::env::var("ANTIPHON_GOLDEN").is_ok_and(|how| how == "write") {
        std::fs::write(&file, &now).expect("written");
    }
    let golden = std::fs::read_to_string(&file).expect("the golden file of this version");
    for (line, (was, is)) in golden.lines().zip(now.lines()).enumerate() {
        assert_eq!(was, is, "line {} of {file}: the format changed, so VERSION must", line + 1);
    }
    assert_eq!(golden.lines().count(), now.lines().count());
}

#[test]
fn every_frame_reads_back() {
    for up in ups() {
        assert_eq!(decode_up(&encode_up(&up).expect("it fits")), Ok(up));
    }
    for down in downs() {
        assert_eq!(decode_down(&encode_down(&down).expect("it fits")), Ok(down));
    }
}

#[test]
fn nothing_too_large_travels_or_is_read() {
    let long = Up::Chat("x".repeat(MAX_FRAME));
    assert!(matches!(encode_up(&long), Err(WireError::TooLarge(size)) if size > MAX_FRAME));
    assert_eq!(decode_up(&vec![0; MAX_FRAME + 1]), Err(WireError::TooLarge(MAX_FRAME + 1)));
    let mut bytes = encode_up(&Up::Stop).expect("it fits");
    bytes.push(0);
    assert_eq!(decode_up(&bytes), Err(WireError::Trailing(1)));
    assert!(matches!(decode_up(&[]), Err(WireError::Malformed(_))));
    assert!(matches!(decode_down(&[99]), Err(WireError::Malformed(_))));
}

/// The budget of a jam rests on these.
#[test]
fn common_frames_are_small() {
    let ops = |edit, at| Up::Ops {
        cseq: Cseq(5_000),
        base: Seq(70_000),
        ops: vec![StampedOp { op: Op::Edit(edit), at }],
    };
    let param = Edit::Param { slot: slot(), value: 812.5 };
    let step =
        Edit::Step { track: track(3), pattern: PatternIndex::FIRST, step: 17, field: StepField::On(true) };
    let bar = Some(Beats::quarters(4 * 200));
    let commits = |edit| {
        let ops = vec![on_arrival(Op::Edit(edit))];
        Down::Commits(vec![Commit { seq: Seq(70_001), author: ClientId(3), cseq: Cseq(5_000), ops }])
    };
    let moves = vec![Gesture { slot: slot(), value: 812.5 }];
    let sizes = [
        ("parameter op up", encode_up(&ops(param, None))),
        ("step op up", encode_up(&ops(step, None))),
        ("step op for a bar up", encode_up(&ops(step, bar))),
        ("parameter commit down", encode_down(&commits(param))),
        ("step commit down", encode_down(&commits(step))),
        ("gesture up", encode_up(&Up::Gesture(moves.clone()))),
        ("gesture down", encode_down(&Down::Gestures { author: ClientId(3), moves })),
        ("probe up", encode_up(&Up::Probe { t1: 3_600_000_000_000 })),
    ];
    for (what, bytes) in sizes {
        let size = bytes.expect("it fits").len();
        println!("{what}: {size} bytes");
        assert!(size <= 24, "{what}: {size} bytes");
    }
}

/// One register of each name differs from an untouched song's.
fn song_of_each() -> Song {
    let mut song = Song::new();
    let mut names = std::collections::BTreeSet::new();
    for register in Register::all().filter(|register| names.insert(register.name())) {
        let edit = registers::write(&song, register, 7_001);
        assert_eq!(edit.check(), Ok(edit));
        song.apply(&edit);
    }
    song
}

/// Nearly every register differs from an untouched song's.
fn song_of_everything() -> Song {
    let mut song = Song::new();
    for (n, register) in (7_001..).zip(Register::all()) {
        let edit = registers::write(&song, register, n);
        song.apply(&edit);
    }
    song
}

/// Every register written by one of tens of thousands of commits, a full chat, a full table of waiting edits, a full tempo map.
fn largest_session() -> State {
    let mut sequencer = Sequencer::new(State::new());
    let mut cseqs = [0; 16];
    let mut submit = |sequencer: &mut Sequencer, author: usize, ops: Vec<StampedOp>, at| {
        cseqs[author] += 1;
        let id = ClientId(u32::MAX - author as u32);
        let seq = sequencer.state().seq();
        sequencer.submit(id, Role::Editor, Cseq(cseqs[author]), seq, ops, at).expect("accepted");
    };
    let edits = song_of_everything().edits();
    for (n, edits) in edits.chunks(4).enumerate() {
        let ops = edits.iter().map(|edit| on_arrival(Op::Edit(*edit))).collect();
        submit(&mut sequencer, n % 16, ops, None);
    }
    for _ in 0..MAX_CHAT {
        sequencer.say(ClientId(1), Text::new("é".repeat(500)).expect("a line"));
    }
    for bar in 0..1023 {
        let ask = on_arrival(Op::RequestTempo(tempo(40.0 + f64::from(bar) / 10.0)));
        submit(&mut sequencer, 0, vec![ask], Some(Beats::quarters(4 * i64::from(bar))));
    }
    let wait = |n: usize| StampedOp {
        op: Op::Edit(Edit::Track {
            track: track(n % MAX_TRACKS),
            field: TrackField::Name(name("abcdefghijklmnopqrstuvwx")),
        }),
        at: Some(Beats(Beats::FURTHEST.0 - n as i64)),
    };
    for frame in 0..4 {
        submit(&mut sequencer, 1, (0..MAX_OPS).map(|n| wait(frame * MAX_OPS + n)).collect(), None);
    }
    sequencer.state().clone()
}

#[test]
fn the_largest_session_can_be_joined() {
    let state = largest_session();
    let bytes = state.encode();
    println!("the largest session: {} bytes", bytes.len());
    assert!(bytes.len() > MAX_FRAME && bytes.len() < MAX_SNAPSHOT);
    let full = welcome(Snapshot::Full { seq: state.seq(), bytes });
    let sent = frames(full.clone()).expect("it can travel");
    println!("in {} frames", sent.len());
    let mut assembly = Assembly::default();
    let mut arrived = None;
    for (n, bytes) in sent.iter().enumerate() {
        assert!(bytes.len() <= MAX_FRAME && arrived.is_none());
        if n == 2 {
            let mut broken = Assembly::default();
            let part = decode_down(bytes).expect("a frame");
            assert_eq!(broken.push(part), Err(WireError::Part), "a part nobody announced");
        }
        arrived = assembly.push(decode_down(bytes).expect("a frame")).expect("in turn");
    }
    assert!(arrived.as_ref() == Some(&full));
    let Some(Down::Welcome(Welcome { state: Snapshot::Full { bytes, .. }, .. })) = arrived else {
        panic!("a full state")
    };
    let held = State::decode(&bytes).expect("a state");
    assert_eq!(held.digest(), state.digest());
    assert!(held == state);
}

#[test]
fn a_groove_joins_in_one_small_frame() {
    let groove = include_str!("golden/base.txt");
    let song = text::read(groove).expect("a groove").song;
    let mut sequencer = Sequencer::new(State::new());
    for (n, edits) in (1..).zip(song.edits().chunks(MAX_OPS)) {
        let ops = edits.iter().map(|edit| on_arrival(Op::Edit(*edit))).collect();
        sequencer.submit(ClientId(1), Role::Owner, Cseq(n), Seq(0), ops, None).expect("accepted");
    }
    let bytes = sequencer.state().encode();
    println!("a groove of {} edits: {} bytes", song.edits().len(), bytes.len());
    assert!(bytes.len() < 4096);
}

#[test]
fn long_lists_of_commits_are_split_between_commits() {
    let commits: Vec<Commit> = (1..2000).map(|n| Commit { seq: Seq(n), ..commit() }).collect();
    let mut arrived = Vec::new();
    let sent = frames(Down::Commits(commits.clone())).expect("it can travel");
    assert!(sent.len() > 1);
    for bytes in sent {
        let Ok(Down::Commits(more)) = decode_down(&bytes) else { panic!("commits") };
        arrived.extend(more);
    }
    assert!(arrived == commits);
    assert!(matches!(frames(welcome(Snapshot::Delta(commits))), Err(WireError::TooLarge(_))));
}

/// The largest frame of ops that a sequencer takes, with the tempo map that takes its request's place.
#[test]
fn the_largest_commit_fits_a_frame() {
    let mut sequencer = Sequencer::new(State::new());
    let ask = |bpm| on_arrival(Op::RequestTempo(tempo(bpm)));
    for bar in 0..1022 {
        let at = Some(Beats::quarters(4 * i64::from(bar)));
        let asked = vec![ask(40.0 + f64::from(bar) / 10.0)];
        sequencer
            .submit(ClientId(1), Role::Owner, Cseq(bar as u64 + 1), Seq(0), asked, at)
            .expect("accepted");
    }
    let edit = Edit::Track { track: track(1), field: TrackField::Name(name("abcdefghijklmnopqrstuvwx")) };
    let mut ops = vec![StampedOp { op: Op::Edit(edit), at: Some(Beats::FURTHEST) }; MAX_OPS - 1];
    ops.push(ask(299.0));
    let end = Some(Beats::quarters(1 << 31));
    let outcome = sequencer.submit(ClientId(1), Role::Owner, Cseq(1023), Seq(0), ops, end).expect("accepted");
    let antiphon::session::Outcome::Committed(commit) = outcome else { panic!("new") };
    let size = encode_down(&Down::Commits(vec![commit])).expect("it fits").len();
    println!("the largest commit: {size} bytes");
}

/// A frame that promises more than it holds, for each list a frame has.
#[test]
fn a_short_frame_makes_no_large_allocation() {
    let mut worst = 0;
    for kind in 0..16 {
        for filler in [0u8, 1, 2, 3, 0x7f, 0xff] {
            for size in [16, 256, 4096, MAX_FRAME] {
                let mut bytes = vec![filler; size];
                bytes[0] = kind;
                // Lengths of about `size`, wherever one may stand.
                bytes[1..4].copy_from_slice(&[
                    (size - 4) as u8 | 0x80,
                    ((size - 4) >> 7) as u8 & 0x7f,
                    filler,
                ]);
                let up = peak_of(|| decode_up(&bytes));
                let down = peak_of(|| decode_down(&bytes));
                worst = worst.max(up.max(down).saturating_sub(1 << 10) / size);
                assert!(up.max(down) <= 1024 + 64 * size, "{kind} {filler} {size}: {up} {down}");
            }
        }
    }
    println!("at worst {worst} bytes held for a byte received");
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let held = peak_of(|| (decode_up(&bytes).is_ok(), decode_down(&bytes).is_ok()));
        prop_assert!(held <= 1024 + 64 * bytes.len(), "{held} bytes held for {}", bytes.len());
    }

    #[test]
    fn mutated_frames_never_panic(
        which in any::<prop::sample::Index>(),
        wounds in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut frames: Vec<Vec<u8>> = ups().iter().map(|up| encode_up(up).expect("it fits")).collect();
        frames.extend(downs().iter().map(|down| encode_down(down).expect("it fits")));
        let mut bytes = which.get(&frames).clone();
        for (at, value) in wounds {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let held = peak_of(|| {
            // What still reads may be applied: the state refuses what is no sound op.
            if let Ok(Down::Commits(commits)) = decode_down(&bytes) {
                let mut state = State::new();
                for (n, commit) in (1..).zip(commits) {
                    let _ = state.apply(&Commit { seq: Seq(n), ..commit });
                }
            }
            if let Ok(Up::Ops { cseq, base, ops }) = decode_up(&bytes) {
                let _ = Sequencer::new(State::new()).submit(ClientId(1), Role::Editor, cseq, base, ops, None);
            }
        });
        // A state itself holds some 500 KB.
        prop_assert!(held <= 1_500_000 + 64 * bytes.len(), "{held} bytes held for {}", bytes.len());
    }
}

/// What the first version wrote, still read and brought forward.
#[test]
fn the_first_version_is_still_read() {
    let golden = include_str!("golden/wire/v1.hex");
    let bytes = |head: &str| -> Vec<u8> {
        let line = golden.lines().find_map(|line| line.strip_prefix(head)).expect("a line of the file");
        let hex = line.trim();
        (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).expect("hex")).collect()
    };
    let state = State::decode(&bytes("snapshot ")).expect("a snapshot of the first version");
    let song = state.song();
    assert_eq!((song.seed, song.alive().count()), (u32::MAX, 16));
    for (at, track) in song.tracks.iter().enumerate() {
        assert_eq!(track.name, name(&format!("a-very-long-track-name{at}")));
        let pattern = track.playing();
        assert_eq!((pattern.length, track.overflow), (64, Overflow::Rest));
        let last = pattern.steps[63];
        assert_eq!((last.velocity, last.note, last.ratchet, last.micro), (0.174, Some(127), 8, -50));
        assert_eq!((last.gate, last.tie), (100, false));
    }
    for slot in Slot::all() {
        let value = slot.spec().value_at(0.37);
        let value = if value == slot.spec().default { slot.spec().max } else { value };
        // The first version's last parameter; what came later has its default.
        let value = if slot.param() > Param::Ceiling { slot.spec().default } else { value };
        assert_eq!(song.params[slot.index()], value, "{}", slot.spec().id);
    }
    assert_eq!(State::decode(&state.encode()).expect("a state").digest(), state.digest());
    // A log's row is a version byte and the commit; a frame of one commit is the type byte, a count
    // and the commit.
    let mut row = bytes("down 3 ");
    assert_eq!(row[..2], [1, 1]);
    row.remove(0);
    let commit = Commit::decode(&row).expect("a commit of the first version");
    assert_eq!((commit.seq, commit.author, commit.cseq), (Seq(300), ClientId(2), Cseq(41)));
    let edits: Vec<_> = commit.ops.iter().filter_map(StampedOp::register).map(Register::name).collect();
    assert_eq!(edits.len(), 17);
    assert!(edits.contains(&"filter.freq") && edits.contains(&"pattern.length"));
    assert!(matches!(commit.ops[0].op, Op::Edit(Edit::Seed(7))));
    assert_eq!(Commit::decode(&commit.encode()), Some(commit));
    assert_eq!(Commit::decode(&[9, 1, 2]), None);
}
