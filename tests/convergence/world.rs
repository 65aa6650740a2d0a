//! Studios, a server, and what may happen between them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use antiphon::param::{Owner, Param, Slot, TrackIndex};
use antiphon::pattern::{
    ClipField, ContextField, Edit, Grid, GridEdit, Metre, MetreChange, Name, Order, PatternField,
    PatternIndex, Register, Song, StepField, Track, TrackField, TrackId, TrackRegister,
};
use antiphon::session::{
    Answered, Catchup, Change, ClientId, ClientRecord, Commit, Cseq, NewTrack, Op, Outcome, Refusal, Replica,
    Role, Seq, Sequencer, StampedOp, State, Text,
};
use antiphon::time::{Beats, SessionNanos, Tempo};
use antiphon::wire::{self, Down, Snapshot, Up, Welcome};
use proptest::prelude::*;

const CLIENTS: usize = 4;

#[derive(Clone, Debug)]
pub enum Act {
    /// A client edits: these registers (few, so that they collide), perhaps at a bar.
    Edit {
        who: usize,
        what: Vec<(u8, u8, Option<u8>)>,
    },
    /// A client works on the whole pattern that all of them edit.
    Grid {
        who: usize,
        grid: Grid,
    },
    /// A client adds a track where it may.
    AddTrack {
        who: usize,
        wish: u8,
    },
    /// A client edits the track it added last, confirmed or not.
    EditNew {
        who: usize,
        what: u8,
        value: u8,
    },
    /// A client says something.
    Say {
        who: usize,
    },
    Tempo {
        who: usize,
        bpm: u8,
    },
    Gesture {
        who: usize,
        slot: u8,
        value: u8,
    },
    EndGesture {
        who: usize,
        slot: u8,
    },
    /// The server reads up to n frames of a client.
    Up {
        who: usize,
        n: u8,
    },
    /// A client reads up to n frames.
    Down {
        who: usize,
        n: u8,
    },
    /// A client is impatient and sends everything again.
    Resend {
        who: usize,
    },
    /// A frame on its way down comes twice.
    Echo {
        who: usize,
    },
    /// The connection breaks; `kept` frames still reach the server.
    Lose {
        who: usize,
        kept: u8,
    },
    Join {
        who: usize,
        full: bool,
    },
    Start {
        bar: u8,
    },
    Stop,
    Promote {
        bar: u8,
    },
    /// The server is killed and comes back from its snapshot and records.
    Restart,
}

pub fn act() -> impl Strategy<Value = Act> {
    let who = 0..CLIENTS;
    let write = (0..16u8, 0..12u8, prop::option::weighted(0.3, 0..4u8));
    prop_oneof![
        8 => (who.clone(), prop::collection::vec(write, 1..4)).prop_map(|(who, what)| Act::Edit { who, what }),
        2 => (who.clone(), grid()).prop_map(|(who, grid)| Act::Grid { who, grid }),
        1 => (who.clone(), 0..6u8).prop_map(|(who, wish)| Act::AddTrack { who, wish }),
        2 => (who.clone(), 0..4u8, 0..12u8).prop_map(|(who, what, value)| Act::EditNew { who, what, value }),
        1 => who.clone().prop_map(|who| Act::Say { who }),
        1 => (who.clone(), 40..200u8).prop_map(|(who, bpm)| Act::Tempo { who, bpm }),
        3 => (who.clone(), 0..3u8, 0..12u8).prop_map(|(who, slot, value)| Act::Gesture { who, slot, value }),
        1 => (who.clone(), 0..3u8).prop_map(|(who, slot)| Act::EndGesture { who, slot }),
        8 => (who.clone(), 1..4u8).prop_map(|(who, n)| Act::Up { who, n }),
        8 => (who.clone(), 1..6u8).prop_map(|(who, n)| Act::Down { who, n }),
        1 => who.clone().prop_map(|who| Act::Resend { who }),
        1 => who.clone().prop_map(|who| Act::Echo { who }),
        2 => (who.clone(), 0..3u8).prop_map(|(who, kept)| Act::Lose { who, kept }),
        3 => (who, any::<bool>()).prop_map(|(who, full)| Act::Join { who, full }),
        1 => (0..4u8).prop_map(|bar| Act::Start { bar }),
        1 => Just(Act::Stop),
        2 => (0..4u8).prop_map(|bar| Act::Promote { bar }),
        1 => Just(Act::Restart),
    ]
}

fn grid() -> impl Strategy<Value = Grid> {
    let (other, pattern) = (TrackIndex::new(5).expect("a track"), PatternIndex::FIRST);
    prop_oneof![
        (-3..4i8).prop_map(Grid::Rotate),
        (0..4u8, 1..3u8).prop_map(|(at, count)| Grid::Insert { at, count }),
        (0..4u8, 1..3u8).prop_map(|(at, count)| Grid::Remove { at, count }),
        (0..4u8, 1..3u8).prop_map(|(from, count)| Grid::Clear { from, count }),
        (0..9u8, 0..9u8).prop_map(|(pulses, rotation)| Grid::Euclid { pulses, rotation, velocity: 0.5 }),
        Just(Grid::Merge { track: other, pattern }),
        Just(Grid::Replace { track: track(), pattern: PatternIndex::new(1).expect("a pattern") }),
    ]
}

pub fn slot(n: u8) -> Slot {
    let params = [Param::FilterFreq, Param::Level, Param::Pan];
    Slot::new(Owner::Track(track()), params[usize::from(n) % 3])
}

fn track() -> TrackIndex {
    TrackIndex::new(0).expect("a track")
}

fn param(n: u8, value: u8) -> Edit {
    let slot = slot(n);
    Edit::Param { slot, value: slot.spec().value_at(f32::from(value) / 12.0) }
}

pub fn write(register: u8, value: u8) -> Edit {
    let (track, pattern) = (track(), PatternIndex::FIRST);
    let other = TrackIndex::new(5).expect("a track");
    match register {
        0..=2 => param(register, value),
        3 => Edit::Step { track, pattern, step: 3, field: StepField::On(value < 6) },
        4 => Edit::Step { track, pattern, step: 3, field: StepField::Velocity(f32::from(value) / 12.0) },
        5 => Edit::Step { track, pattern, step: 63, field: StepField::Note(Some(value)) },
        6 => Edit::Track {
            track,
            field: TrackField::Name(Name::new(["a", "b", ""][usize::from(value) % 3]).expect("a name")),
        },
        7 => Edit::Pattern { track, pattern, field: PatternField::Length(value % 64 + 1) },
        8 => Edit::Lock { track, pattern, step: 3, lane: 7, value: (value < 9).then_some(f32::from(value)) },
        9 => Edit::Clip { clip: 2, field: ClipField::Start(u32::from(value)) },
        10 => Edit::Step { track: other, pattern, step: value, field: StepField::On(true) },
        11 => Edit::Track { track: other, field: TrackField::Alive(value < 9) },
        12 => Edit::Context(ContextField::Key(value % 12)),
        13 => Edit::SceneTrack { scene: 1, track, pattern: PatternIndex::new(usize::from(value)) },
        14 => Edit::Step {
            track,
            pattern: PatternIndex::new(1).expect("a pattern"),
            step: value,
            field: StepField::Tie(true),
        },
        _ => Edit::Metre {
            place: 0,
            change: Some(MetreChange { bar: 0, metre: Metre { count: value + 1, unit: 8 } }),
        },
    }
}

pub fn bar(n: u8) -> Beats {
    Beats::quarters(4 * i64::from(n))
}

/// What an engine makes of the changes it is told.
#[derive(Clone, Default)]
struct Engine {
    song: Song,
    waiting: BTreeMap<Register, Vec<(Beats, Edit)>>,
}

impl Engine {
    fn hear(&mut self, replica: &Replica, changes: &[Change]) {
        for change in changes {
            match change {
                Change::Edit { edit, at: None } => {
                    self.song.apply(edit);
                    self.waiting.remove(&edit.register());
                }
                Change::Edit { edit, at: Some(at) } => {
                    let list = self.waiting.entry(edit.register()).or_default();
                    let place = list.partition_point(|(other, _)| other <= at);
                    list.insert(place, (*at, *edit));
                }
                Change::Song => {
                    self.song = replica.view().clone();
                    self.waiting.clear();
                }
                Change::TempoMap(_) | Change::Timeline(_) => {}
            }
        }
    }

    fn land(&mut self, at: Beats, edit: &Edit) {
        let Some(list) = self.waiting.get_mut(&edit.register()) else { return };
        if let Some(place) = list.iter().position(|entry| *entry == (at, *edit)) {
            list.remove(place);
            self.song.apply(edit);
        }
    }
}

struct Studio {
    replica: Replica,
    engine: Engine,
    online: bool,
    up: VecDeque<Vec<u8>>,
    down: VecDeque<Vec<u8>>,
    /// Every frame this studio made, by a number that each carries in one of its ops.
    made: BTreeSet<u64>,
    refused: usize,
}

pub struct World {
    sequencer: Sequencer,
    log: Vec<Commit>,
    studios: Vec<Studio>,
    tags: u64,
    /// The track that each studio added last.
    newest: [Option<TrackId>; CLIENTS],
    /// Whether a track has found no place.
    full: bool,
}

fn id(who: usize) -> ClientId {
    ClientId(who as u32 + 1)
}

/// The last client only listens.
fn role(who: usize) -> Role {
    if who + 1 == CLIENTS { Role::Listener } else { Role::Editor }
}

impl World {
    pub fn new() -> World {
        let studio = || Studio {
            replica: Replica::new(State::new()),
            engine: Engine::default(),
            online: false,
            up: VecDeque::new(),
            down: VecDeque::new(),
            made: BTreeSet::new(),
            refused: 0,
        };
        World {
            sequencer: Sequencer::new(State::new()),
            log: Vec::new(),
            studios: (0..CLIENTS).map(|_| studio()).collect(),
            tags: 0,
            newest: [None; CLIENTS],
            full: false,
        }
    }

    pub fn act(&mut self, act: &Act) {
        match act {
            Act::Edit { who, what } => {
                self.tags += 1;
                // A field of its own for each studio, so that the tag takes part in no contest.
                let tag = Edit::Clip { clip: 100 + *who as u8, field: ClipField::Start(self.tags as u32) };
                let mut ops = vec![StampedOp { op: Op::Edit(tag), at: None }];
                ops.extend(what.iter().map(|&(register, value, at)| StampedOp {
                    op: Op::Edit(write(register, value)),
                    at: at.map(bar),
                }));
                self.studios[*who].made.insert(self.tags);
                self.edit(*who, ops);
            }
            Act::Grid { who, grid } => {
                let op = Op::Grid(GridEdit { track: track(), pattern: PatternIndex::FIRST, grid: *grid });
                self.edit(*who, vec![StampedOp { op, at: None }]);
            }
            Act::AddTrack { who, wish } => {
                self.tags += 1;
                let id = TrackId { client: *who as u32 + 1, counter: self.tags as u32 };
                let place = TrackIndex::new(usize::from(*wish)).expect("a track");
                let name = Name::new("new").expect("a name");
                let order = Order::between(None, None);
                let op = Op::AddTrack(NewTrack { id, name, order, place });
                self.newest[*who] = Some(id);
                self.edit(*who, vec![StampedOp { op, at: None }]);
            }
            Act::EditNew { who, what, value } => self.edit_new(*who, *what, *value),
            Act::Say { who } => {
                let commit = self.sequencer.say(id(*who), Text::new("so").expect("a line"));
                self.publish(commit);
            }
            Act::Tempo { who, bpm } => {
                let tempo = Tempo::from_bpm(f64::from(*bpm)).expect("a tempo");
                self.edit(*who, vec![StampedOp { op: Op::RequestTempo(tempo), at: None }]);
            }
            Act::Gesture { who, slot: n, value } => {
                let Edit::Param { slot, value } = param(*n, *value) else { unreachable!() };
                // Of a track that is new nobody else is told.
                let alone = self.studios[*who].replica.is_unsettled(track());
                for (at, studio) in self.studios.iter_mut().enumerate() {
                    if studio.online
                        && (at == *who || !alone)
                        && (at == *who || self.sequencer.state().seq() > Seq(0))
                    {
                        let changes = studio.replica.gesture(id(*who), slot, value);
                        studio.engine.hear(&studio.replica, &changes);
                    }
                }
            }
            Act::EndGesture { who, slot: n } => {
                let studio = &mut self.studios[*who];
                let changes = studio.replica.end_gesture(slot(*n));
                studio.engine.hear(&studio.replica, &changes);
            }
            Act::Up { who, n } => (0..*n).for_each(|_| self.read_up(*who)),
            Act::Down { who, n } => (0..*n).for_each(|_| self.read_down(*who)),
            Act::Resend { who } => {
                self.studios[*who].replica.resend_from_start();
                self.send(*who);
            }
            Act::Echo { who } => {
                let down = &mut self.studios[*who].down;
                // A welcome comes once; commits may be told again.
                if let Some(first) = down.front().filter(|bytes| bytes[0] == 1).cloned() {
                    down.push_back(first);
                }
            }
            Act::Lose { who, kept } => self.lose(*who, usize::from(*kept)),
            Act::Join { who, full } => self.join(*who, *full),
            Act::Start { bar: n } => {
                let commit = self.sequencer.start(bar(*n), SessionNanos(1_000));
                self.publish(commit);
            }
            Act::Stop => {
                let commit = self.sequencer.stop(SessionNanos(2_000), bar(1));
                self.publish(commit);
            }
            Act::Promote { bar: n } => {
                if let Some(commit) = self.sequencer.promote(bar(*n)) {
                    self.publish(commit);
                }
            }
            Act::Restart => self.restart(),
        }
        match act {
            Act::Edit { who, .. } | Act::Grid { who, .. } | Act::AddTrack { who, .. } => self.check(*who),
            Act::Tempo { who, .. } | Act::EndGesture { who, .. } | Act::EditNew { who, .. } => {
                self.check(*who)
            }
            Act::Up { .. } | Act::Resend { .. } | Act::Echo { .. } | Act::Join { .. } => {}
            Act::Down { who, .. } | Act::Lose { who, .. } => self.check(*who),
            Act::Say { .. } | Act::Start { .. } | Act::Stop | Act::Promote { .. } => {}
            Act::Gesture { .. } | Act::Restart => (0..CLIENTS).for_each(|who| self.check(who)),
        }
    }

    fn edit_new(&mut self, who: usize, what: u8, value: u8) {
        let replica = &self.studios[who].replica;
        let Some(track) = self.newest[who].and_then(|id| replica.view().track_with_id(id)) else { return };
        let pattern = PatternIndex::FIRST;
        let slot = Slot::new(Owner::Track(track), Param::Pan);
        let set = slot.spec().value_at(f32::from(value) / 12.0);
        match what {
            0 => {
                // In hand, and heard by nobody else until its place is known.
                let studio = &mut self.studios[who];
                let changes = studio.replica.gesture(id(who), slot, set);
                studio.engine.hear(&studio.replica, &changes);
            }
            1 => self.edit(who, vec![StampedOp { op: Op::Edit(Edit::Param { slot, value: set }), at: None }]),
            2 => {
                let field = TrackField::GrooveSteps(u64::from(value));
                self.edit(who, vec![StampedOp { op: Op::Edit(Edit::Track { track, field }), at: None }]);
            }
            _ => {
                let edit = Edit::Step { track, pattern, step: value, field: StepField::On(true) };
                let op = Op::Edit(edit);
                self.edit(who, vec![StampedOp { op, at: value.is_multiple_of(3).then(|| bar(value % 4)) }]);
            }
        }
    }

    fn edit(&mut self, who: usize, ops: Vec<StampedOp>) {
        let studio = &mut self.studios[who];
        let (_, changes) = studio.replica.edit(ops).expect("a good edit");
        studio.engine.hear(&studio.replica, &changes);
        self.send(who);
    }

    fn send(&mut self, who: usize) {
        let studio = &mut self.studios[who];
        while let Some(frame) = studio.replica.next_to_send() {
            let frame = Up::Ops { cseq: frame.cseq, base: frame.base, ops: frame.ops.clone() };
            studio.up.push_back(wire::encode_up(&frame).expect("it fits"));
        }
    }

    fn tell(&mut self, who: usize, frame: Down) {
        if self.studios[who].online {
            let frames = wire::frames(frame).expect("it fits");
            self.studios[who].down.extend(frames);
        }
    }

    fn publish(&mut self, commit: Commit) {
        self.log.push(commit.clone());
        (0..CLIENTS).for_each(|who| self.tell(who, Down::Commits(vec![commit.clone()])));
    }

    fn read_up(&mut self, who: usize) {
        let Some(bytes) = self.studios[who].up.pop_front() else { return };
        let Ok(Up::Ops { cseq, base, ops }) = wire::decode_up(&bytes) else { panic!("not ops") };
        let timeline = self.sequencer.state().timeline();
        let position = timeline.playing.then_some(timeline.tick);
        let adds = ops.iter().any(|op| matches!(op.op, Op::AddTrack(_)));
        match self.sequencer.submit(id(who), role(who), cseq, base, ops, position) {
            Ok(Outcome::Committed(commit)) => self.publish(commit),
            Ok(Outcome::Duplicate { seq }) => {
                assert!(seq.0 > 0, "the answer to {cseq:?} is kept");
                let commit = self.log[seq.0 as usize - 1].clone();
                assert_eq!((commit.author, commit.cseq), (id(who), cseq), "the stored answer");
                self.tell(who, Down::Commits(vec![commit]));
            }
            Err(reason) => {
                let full =
                    adds && matches!(&reason, Refusal::Invalid { reason, .. } if reason.contains("sixteen"));
                self.full |= full;
                let lost =
                    matches!(&reason, Refusal::Invalid { reason, .. } if reason.contains("does not exist"));
                let listens = reason == Refusal::Role(Role::Listener);
                assert!(full || listens || self.full && lost, "{reason}");
                self.tell(who, Down::Nack { cseq, reason });
            }
        }
    }

    fn read_down(&mut self, who: usize) {
        let Some(bytes) = self.studios[who].down.pop_front() else { return };
        let studio = &mut self.studios[who];
        match wire::decode_down(&bytes).expect("a frame") {
            Down::Commits(commits) => {
                for commit in commits {
                    if commit.seq > studio.replica.seq() {
                        land(&mut studio.engine, studio.replica.confirmed(), &commit);
                    }
                    let before = studio.replica.view().clone();
                    let mine = studio.replica.client() == Some(commit.author);
                    let mut sent = studio.replica.outbox();
                    // What the sequencer made something else of (a merge, a metre) may well show.
                    let as_sent = sent.any(|(cseq, _, ops)| cseq == commit.cseq && ops == commit.ops);
                    drop(sent);
                    let changes = studio.replica.commit(&commit).expect("the next commit");
                    if mine && as_sent {
                        assert!(before == *studio.replica.view(), "my own commit changes nothing that shows");
                    }
                    studio.engine.hear(&studio.replica, &changes);
                }
            }
            Down::Nack { cseq, .. } => {
                studio.refused += 1;
                let changes = studio.replica.nack(cseq);
                studio.engine.hear(&studio.replica, &changes);
            }
            Down::Welcome(welcome) => {
                let catchup = match welcome.state {
                    Snapshot::Delta(commits) => Catchup::Delta(commits),
                    Snapshot::Full { bytes, .. } => {
                        Catchup::Full(Box::new(State::decode(&bytes).expect("a state")))
                    }
                    Snapshot::Parts { .. } => panic!("small states travel whole"),
                };
                if let Catchup::Delta(commits) = &catchup {
                    let mut state = studio.replica.confirmed().clone();
                    for commit in commits.iter().filter(|commit| commit.seq > studio.replica.seq()) {
                        land(&mut studio.engine, &state, commit);
                        state.apply(commit).expect("it follows");
                    }
                }
                let answered = Answered { last: welcome.acked, answers: welcome.answers };
                let welcomed = studio.replica.welcome(welcome.client, answered, catchup).expect("it follows");
                studio.engine.hear(&studio.replica, &welcomed.changes);
                self.send(who);
            }
            other => panic!("unexpected {other:?}"),
        }
    }

    fn lose(&mut self, who: usize, kept: usize) {
        self.studios[who].up.truncate(kept);
        (0..kept).for_each(|_| self.read_up(who));
        let studio = &mut self.studios[who];
        studio.online = false;
        let changes = studio.replica.disconnect();
        studio.engine.hear(&studio.replica, &changes);
        studio.up.clear();
        studio.down.clear();
    }

    fn join(&mut self, who: usize, full: bool) {
        if self.studios[who].online {
            return;
        }
        self.studios[who].online = true;
        let state = self.sequencer.state();
        let seen = self.studios[who].replica.seq();
        let state = match full {
            true => Snapshot::Full { seq: state.seq(), bytes: state.encode() },
            false => Snapshot::Delta(self.log[seen.0 as usize..].to_vec()),
        };
        let acked = self.sequencer.acked(id(who));
        let record = self.sequencer.client(id(who));
        let kept = |cseq| Some((cseq, record?.answer(cseq)?.clone()));
        let answers = (1..=acked.0).filter_map(|cseq| kept(Cseq(cseq))).collect();
        let welcome = Welcome { client: id(who), role: role(who), clock_epoch: 1, acked, answers, state };
        self.tell(who, Down::Welcome(welcome));
    }

    fn restart(&mut self) {
        (0..CLIENTS).for_each(|who| self.lose(who, 0));
        let state = State::decode(&self.sequencer.state().encode()).expect("a state");
        let records = (0..CLIENTS).filter_map(|who| {
            let record = self.sequencer.client(id(who))?;
            let bytes = postcard::to_stdvec(record).expect("bytes");
            Some((id(who), postcard::from_bytes::<ClientRecord>(&bytes).expect("a record")))
        });
        self.sequencer = Sequencer::restore(state, records.collect::<Vec<_>>());
    }

    /// What holds after every step that a studio notices.
    fn check(&self, who: usize) {
        let Studio { replica, engine, .. } = &self.studios[who];
        let (view, waiting) = expected(replica);
        assert!(*replica.view() == view, "the view is confirmed under mine under gestures");
        let named = |(at, edit): (Beats, Edit)| format!("{at:?} {edit:?}");
        let told: BTreeSet<_> = replica.waiting().map(|(at, edit)| named((at, *edit))).collect();
        let due: BTreeSet<_> = waiting.into_iter().map(named).collect();
        assert_eq!(told, due, "what waits in the view");
        assert!(engine.song == view, "the engine holds the view");
        let heard = engine.waiting.values().flatten().map(|(at, edit)| (*at, *edit));
        let held = replica.waiting().map(|(at, edit)| (at, *edit));
        assert!(heard.eq(held), "the engine waits for what the view waits for");
    }

    /// Everything arrives; then all are the same.
    pub fn settle(&mut self) {
        for who in 0..CLIENTS {
            self.join(who, who % 2 == 0);
        }
        for _ in 0..3 {
            for who in 0..CLIENTS {
                while !self.studios[who].up.is_empty() || !self.studios[who].down.is_empty() {
                    self.read_down(who);
                    self.read_up(who);
                }
            }
        }
        for who in 0..CLIENTS {
            let held: Vec<Slot> = self.studios[who].replica.gestures().map(|(slot, _, _)| slot).collect();
            for slot in held {
                let studio = &mut self.studios[who];
                let changes = studio.replica.end_gesture(slot);
                studio.engine.hear(&studio.replica, &changes);
                self.check(who);
            }
            let studio = &self.studios[who];
            assert_eq!(studio.replica.unsaved(), 0, "all is answered");
            assert_eq!(studio.replica.confirmed().digest(), self.sequencer.state().digest());
            assert!(
                studio.replica.view() == studio.replica.confirmed().song(),
                "the view is what is confirmed"
            );
        }
        self.check_log();
    }

    /// Each frame landed exactly once, in its author's order; snapshot and log are one.
    fn check_log(&self) {
        for who in 0..CLIENTS {
            let mine = || self.log.iter().filter(|commit| commit.author == id(who));
            assert!(mine().zip(mine().skip(1)).all(|(a, b)| a.cseq < b.cseq));
            let tags: Vec<u64> = mine()
                .flat_map(|commit| &commit.ops)
                .filter_map(|op| match op.op {
                    Op::Edit(Edit::Clip { clip, field: ClipField::Start(tag) })
                        if usize::from(clip) == 100 + who =>
                    {
                        Some(u64::from(tag))
                    }
                    _ => None,
                })
                .collect();
            let made = &self.studios[who].made;
            match role(who) {
                Role::Listener => assert!(tags.is_empty() && mine().next().is_none()),
                // With a track that finds no place, what was written of it is refused.
                _ if self.full => assert!(tags.iter().all(|tag| made.contains(tag)) && tags.is_sorted()),
                _ => assert!(tags.iter().eq(made), "each once, in order: {tags:?} of {made:?}"),
            }
        }
        let half = self.log.len() / 2;
        let mut replayed = State::new();
        self.log[..half].iter().for_each(|commit| drop(replayed.apply(commit).expect("it applies")));
        let mut stored = State::decode(&replayed.encode()).expect("a state");
        assert_eq!(stored.digest(), replayed.digest());
        self.log[half..].iter().for_each(|commit| drop(stored.apply(commit).expect("it applies")));
        assert!(stored == *self.sequencer.state(), "snapshot and log are the live state");
    }
}

/// The engine lets confirmed edits take effect when their beat comes.
fn land(engine: &mut Engine, confirmed: &State, commit: &Commit) {
    for op in &commit.ops {
        if let Op::Promote(upto) = op.op {
            for waiting in confirmed.waiting().iter().filter(|waiting| waiting.at <= upto) {
                engine.land(waiting.at, &waiting.edit);
            }
        }
    }
}

/// What an op that its place expands comes to, from first principles.
fn expanded(op: &Op, song: &Song, confirmed: &State, pending: &BTreeMap<TrackIndex, u64>) -> Vec<Edit> {
    let new = match op {
        Op::Grid(grid) => return grid.expand(song),
        Op::AddTrack(new) => new,
        _ => return Vec::new(),
    };
    let free = TrackIndex::all().filter(|at| !song.track(*at).alive);
    let since = |at: &TrackIndex| match pending.get(at) {
        Some(nth) => Seq(confirmed.seq().0 + nth),
        None => confirmed.stamp(Register::Track(*at, TrackRegister::Alive)).seq,
    };
    let Some(place) = free.min_by_key(|at| (since(at), *at != new.place, *at)) else { return Vec::new() };
    let mut after = song.clone();
    let NewTrack { id, name, order, .. } = *new;
    after.tracks[place.get()] = Track { alive: true, id, name, order, ..Track::UNUSED };
    for param in Param::ALL {
        after.params[Slot::new(Owner::Track(place), param).index()] = param.spec().default;
    }
    after.scenes.iter_mut().for_each(|scene| scene.patterns[place.get()] = None);
    let mut edits = after.edits_since(song);
    let fields =
        [TrackRegister::Alive, TrackRegister::Id, TrackRegister::Order, TrackRegister::Name].into_iter();
    edits.extend(fields.map(|field| after.read(Register::Track(place, field))));
    edits
}

/// The view from first principles.
fn expected(replica: &Replica) -> (Song, Vec<(Beats, Edit)>) {
    let mut song = replica.confirmed().song().clone();
    let mut waiting: Vec<(Beats, Edit)> =
        replica.confirmed().pending().map(|(at, edit)| (at, *edit)).collect();
    let mut mine = BTreeSet::new();
    // When my pending ops let a place's track come or go.
    let (mut nth, mut pending) = (0, BTreeMap::new());
    for (_, _, ops) in replica.outbox() {
        // A frame says which tracks it means; without one of them it will be refused.
        let meant = |op: &StampedOp| match op.op {
            Op::Means { place, id } => Some((place, song.track_with_id(id))),
            _ => None,
        };
        let places: Vec<_> = ops.iter().filter_map(meant).collect();
        if places.iter().any(|(_, at)| at.is_none()) {
            continue;
        }
        let settled = |track: TrackIndex| {
            let known = places.iter().find(|(place, _)| *place == track);
            known.map_or(track, |(_, at)| at.expect("looked up"))
        };
        for StampedOp { op, at } in ops {
            let edits = match op {
                Op::Edit(edit) => vec![elsewhere(*edit, &settled)],
                Op::Grid(GridEdit { track, pattern, grid }) => {
                    let mut grid = *grid;
                    if let Grid::Merge { track, .. } | Grid::Replace { track, .. } = &mut grid {
                        *track = settled(*track);
                    }
                    let op = Op::Grid(GridEdit { track: settled(*track), pattern: *pattern, grid });
                    expanded(&op, &song, replica.confirmed(), &pending)
                }
                op => expanded(op, &song, replica.confirmed(), &pending),
            };
            if let Some(at) = at {
                waiting.extend(edits.into_iter().map(|edit| (*at, edit)));
                continue;
            }
            nth += u64::from(!edits.is_empty());
            for edit in edits {
                if let Edit::Track { track, field: TrackField::Alive(_) } = edit {
                    pending.insert(track, nth);
                }
                song.apply(&edit);
                waiting.retain(|(_, other)| other.register() != edit.register());
                mine.insert(edit.register());
            }
        }
    }
    for (slot, author, value) in replica.gestures() {
        if Some(author) == replica.client() || !mine.contains(&Register::Param(slot)) {
            song.apply(&Edit::Param { slot, value });
        }
    }
    (song, waiting)
}

/// A write of a track that is elsewhere.
fn elsewhere(edit: Edit, settled: &impl Fn(TrackIndex) -> TrackIndex) -> Edit {
    match edit {
        Edit::Param { slot, value } => match slot.owner() {
            Owner::Track(at) => {
                Edit::Param { slot: Slot::new(Owner::Track(settled(at)), slot.param()), value }
            }
            Owner::Master => edit,
        },
        Edit::Step { track, pattern, step, field } => {
            Edit::Step { track: settled(track), pattern, step, field }
        }
        Edit::Track { track, field } => Edit::Track { track: settled(track), field },
        Edit::Pattern { track, pattern, field } => Edit::Pattern { track: settled(track), pattern, field },
        Edit::Lock { track, pattern, step, lane, value } => {
            Edit::Lock { track: settled(track), pattern, step, lane, value }
        }
        Edit::SceneTrack { scene, track, pattern } => {
            Edit::SceneTrack { scene, track: settled(track), pattern }
        }
        other => other,
    }
}
