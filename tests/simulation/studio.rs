//! An honest studio: a real replica, a journal, and the manners of a client.

use std::collections::{BTreeMap, BTreeSet};

use antiphon::param::{Owner, Param, Slot, TrackIndex};
use antiphon::pattern::{
    ClipField, Edit, Grid, GridEdit, Name, Order, PatternIndex, StepField, Strategy, TrackField, TrackId,
};
use antiphon::session::{
    Answered, Area, Catchup, ClientId, Commit, Cseq, Frame, Grant, How, Matter, Moved, NewTrack, Op, Refusal,
    Replica, Seq, StampedOp, State, Wanted,
};
use antiphon::time::{Beats, Tempo};
use antiphon::wire::{self, Assembly, Down, Gesture, Hello, Snapshot, Up, Welcome};

use crate::chance::Chance;
use crate::plan::{Bug, MS, Nanos, SECOND};

/// Unanswered frames leave again after this long.
const ANSWER: Nanos = 5 * SECOND;
/// A hello without a welcome is given up after this long.
const WELCOME: Nanos = 3 * SECOND;

/// What a studio left on its disk.
struct Journal {
    /// The state it last saw whole, if it kept one.
    state: Option<Vec<u8>>,
    client: Option<ClientId>,
    next: Cseq,
    outbox: Vec<Frame>,
}

pub struct Studio {
    pub who: usize,
    pub replica: Replica,
    /// Counts connections; frames of earlier ones are not heard.
    pub connection: u32,
    pub welcomed: bool,
    hello: Option<Nanos>,
    retry: Nanos,
    sent: BTreeMap<Cseq, Nanos>,
    next: Cseq,
    cached: Option<Vec<u8>>,
    tags: u64,
    /// Every frame it made, by its tag.
    pub made: BTreeSet<u64>,
    /// Frames that were taken back, because a refusal said so or a welcome left them out.
    pub refused: BTreeSet<u64>,
    /// Commits it was told of as its own.
    pub promised: BTreeMap<u64, Seq>,
    hand: Option<(Slot, f32)>,
    /// The track it added last.
    newest: Option<TrackId>,
    /// Edits of a track that nobody had confirmed.
    pub edits_of_new: u64,
    /// Joins the parts of what is too large for one frame.
    parts: Assembly,
}

/// What goes out on the present connection.
pub type Frames = Vec<Vec<u8>>;

impl Studio {
    pub fn new(who: usize) -> Studio {
        Studio {
            who,
            replica: Replica::new(State::new()),
            connection: 0,
            welcomed: false,
            hello: None,
            retry: 0,
            sent: BTreeMap::new(),
            next: Cseq(1),
            cached: None,
            tags: 0,
            made: BTreeSet::new(),
            refused: BTreeSet::new(),
            promised: BTreeMap::new(),
            hand: None,
            newest: None,
            edits_of_new: 0,
            parts: Assembly::default(),
        }
    }

    /// Does something that a musician would.
    pub fn act(&mut self, chance: &mut Chance, now: Nanos) -> Frames {
        for moved in self.replica.moved_tracks() {
            let Some((slot, value)) = self.hand else { continue };
            let left = |one: &&Moved| one.from.map(Owner::Track) == Some(slot.owner());
            if let Some(one) = moved.iter().find(left) {
                self.hand = one.to.map(|to| (Slot::new(Owner::Track(to), slot.param()), value));
            }
        }
        if let Some((slot, value)) = self.hand.take() {
            return self.edit(vec![on_arrival(Op::Edit(Edit::Param { slot, value }))], now);
        }
        match chance.below(100) {
            0..=2 => {
                let tempo = Tempo::from_bpm(chance.between(40, 300) as f64).expect("a tempo");
                self.edit(vec![on_arrival(Op::RequestTempo(tempo))], now)
            }
            3..=5 if self.welcomed => {
                let tick = Beats::quarters(4 * chance.below(4) as i64);
                vec![up(&if chance.happens(0.7) { Up::Start { tick } } else { Up::Stop })]
            }
            6..=20 => self.drag(chance),
            21..=26 => self.revert(chance, now),
            27..=31 => {
                let op = self.rule(chance);
                self.edit(vec![on_arrival(op)], now)
            }
            32..=37 => self.edit_new(chance, now),
            38 => {
                // More than a frame holds.
                let writes = (0..chance.between(250, 600)).map(|_| write(chance)).collect();
                self.edit(writes, now)
            }
            39..=41 => {
                let writes = (0..chance.between(1, 30)).map(|_| write(chance));
                self.edit([on_arrival(Op::Generated)].into_iter().chain(writes).collect(), now)
            }
            _ => {
                let writes = (0..chance.between(1, 4)).map(|_| write(chance)).collect();
                self.edit(writes, now)
            }
        }
    }

    /// Works on the track that it added last, wherever that is; adds one where there is none.
    fn edit_new(&mut self, chance: &mut Chance, now: Nanos) -> Frames {
        let place = self.newest.and_then(|id| self.replica.view().track_with_id(id));
        let Some(track) = place else {
            let op = self.add_track(TrackIndex::new(chance.below(3) as usize).expect("a track"));
            return self.edit(vec![on_arrival(op)], now);
        };
        self.edits_of_new += u64::from(self.replica.is_unsettled(track));
        let slot = Slot::new(Owner::Track(track), Param::Pan);
        let value = slot.spec().value_at(chance.unit() as f32);
        let field = StepField::Note(Some(chance.below(128) as u8));
        let ops = match chance.below(4) {
            0 => vec![Op::Edit(Edit::Param { slot, value })],
            1 => vec![Op::Edit(Edit::Step { track, pattern: PatternIndex::FIRST, step: 3, field })],
            2 => {
                let pattern = PatternIndex::FIRST;
                vec![Op::Grid(GridEdit { track, pattern, grid: Grid::Rotate(1) })]
            }
            _ => {
                self.hand = Some((slot, value));
                self.replica.gesture(self.replica.client().unwrap_or_default(), slot, value);
                return Vec::new();
            }
        };
        self.edit(ops.into_iter().map(on_arrival).collect(), now)
    }

    fn add_track(&mut self, place: TrackIndex) -> Op {
        let id = TrackId { client: self.who as u32 + 1, counter: self.tags as u32 + 1 };
        self.newest = Some(id);
        let (name, order) = (Name::new("more").expect("a name"), Order::between(None, None));
        Op::AddTrack(NewTrack { id, name, order, place })
    }

    fn drag(&mut self, chance: &mut Chance) -> Frames {
        let slot = slot(chance);
        let value = slot.spec().value_at(chance.unit() as f32);
        self.hand = Some((slot, value));
        let me = self.replica.client().unwrap_or_default();
        self.replica.gesture(me, slot, value);
        match self.welcomed {
            true => vec![up(&Up::Gesture(vec![Gesture { slot, value }]))],
            false => Vec::new(),
        }
    }

    /// Undoes or redoes; now and then whatever happened since.
    fn revert(&mut self, chance: &mut Chance, now: Nanos) -> Frames {
        let how = chance.pick(&[How::Checked, How::Checked, How::Force, How::Skip]);
        let made = if chance.happens(0.6) { self.replica.undo(how) } else { self.replica.redo(how) };
        match made {
            Some((last, _)) => {
                self.next = Cseq(last.0 + 1);
                self.send(now)
            }
            None => Vec::new(),
        }
    }

    /// What changes more than a register: tracks, whole patterns, and what is agreed.
    fn rule(&mut self, chance: &mut Chance) -> Op {
        let track = TrackIndex::new(chance.below(3) as usize).expect("a track");
        let pattern = PatternIndex::new(1).expect("a pattern");
        let grid = |grid| Op::Grid(GridEdit { track, pattern, grid });
        match chance.below(8) {
            0 => grid(Grid::Rotate(chance.pick(&[-3, 1, 5]))),
            1 => grid(Grid::Clear { from: 2, count: 9 }),
            2 => grid(Grid::Insert { at: 1, count: 2 }),
            3 => self.add_track(track),
            4 => {
                let strategy = chance.pick(&[Strategy::LastWrite, Strategy::Merge, Strategy::Manual]);
                Op::Strategy { matter: chance.pick(&[Matter::Continuous, Matter::Discrete]), strategy }
            }
            5 => {
                let cards = self.replica.confirmed().rulings().conflicts.cards();
                let id = cards.first().map_or(1, |card| card.id);
                Op::Resolve { id, choice: chance.pick(&[None, Some(0), Some(1)]) }
            }
            6 => {
                let slot = slot(chance);
                let value = slot.spec().value_at(chance.unit() as f32);
                let tempo = Tempo::from_bpm(chance.between(40, 300) as f64).expect("a tempo");
                let edit = Wanted::Edit(Edit::Param { slot, value });
                Op::Propose(chance.pick(&[edit, Wanted::Tempo(tempo)]))
            }
            // Never of the song as a whole: everybody's tags must be free to land.
            _ => Op::Permit {
                who: Some(ClientId(chance.between(1, 5) as u32)),
                grant: chance.pick(&[None, Some(Grant::ALL.without(Area::Master).without(Area::Tempo))]),
            },
        }
    }

    /// Makes a frame of ops, tagged in a register of this studio's own.
    fn edit(&mut self, mut ops: Vec<StampedOp>, now: Nanos) -> Frames {
        self.tags += 1;
        ops.push(on_arrival(Op::Edit(tag(self.who, self.tags))));
        self.made.insert(self.tags);
        let (last, _) = self.replica.edit(ops).expect("a good edit");
        self.next = Cseq(last.0 + 1);
        self.send(now)
    }

    fn send(&mut self, now: Nanos) -> Frames {
        let mut frames = Vec::new();
        while let Some(Frame { cseq, base, ops }) = self.replica.next_to_send().cloned() {
            self.sent.insert(cseq, now);
            frames.push(up(&Up::Ops { cseq, base, ops }));
        }
        frames
    }

    /// Looks at what is overdue. `None`: nothing to do; a new connection begins with a hello.
    pub fn look(&mut self, now: Nanos, bug: Option<Bug>) -> Frames {
        if self.hello.is_some_and(|at| now - at >= WELCOME) {
            self.disconnect(now);
        }
        if self.hello.is_none() && !self.welcomed {
            return if now >= self.retry { self.connect(now) } else { Vec::new() };
        }
        let first = self.replica.outbox().next().map(|(cseq, _, _)| cseq);
        let overdue = first.filter(|cseq| self.sent.get(cseq).is_some_and(|at| now - at >= ANSWER));
        match (overdue.filter(|_| self.welcomed), bug) {
            (None, _) => Vec::new(),
            (Some(cseq), Some(Bug::RollbackOnTimeout)) => {
                self.replica.nack(cseq);
                Vec::new()
            }
            (Some(cseq), Some(Bug::FreshNumbers)) => {
                let ops = self.replica.outbox().next().expect("it is overdue").2.to_vec();
                self.replica.nack(cseq);
                let (last, _) = self.replica.edit(ops).expect("a good edit");
                self.next = Cseq(last.0 + 1);
                self.send(now)
            }
            (Some(_), _) => {
                self.replica.resend_from_start();
                self.send(now)
            }
        }
    }

    fn connect(&mut self, now: Nanos) -> Frames {
        self.connection += 1;
        self.hello = Some(now);
        vec![up(&Up::Hello(Hello {
            version: wire::VERSION,
            engine_version: 1,
            client_key: [self.who as u8; 16],
            secret: String::new(),
            name: format!("Studio {}", self.who),
            last_seq: self.replica.seq(),
            unanswered: self.replica.outbox().next().map_or(self.next, |(cseq, _, _)| cseq),
        }))]
    }

    /// The connection is lost.
    pub fn disconnect(&mut self, now: Nanos) {
        self.replica.disconnect();
        self.welcomed = false;
        self.hello = None;
        self.sent.clear();
        self.parts = Assembly::default();
        // Frames on their way belong to a connection that is gone.
        self.connection += 1;
        self.retry = now + 200 * MS;
    }

    /// Takes what the server said; the error ends the connection.
    pub fn hear(&mut self, bytes: &[u8], now: Nanos) -> Result<Frames, ()> {
        let frame = wire::decode_down(bytes).expect("the server speaks properly");
        // Parts that came out of turn end the connection, as those of a broken one do.
        let Some(frame) = self.parts.push(frame).map_err(drop)? else { return Ok(Vec::new()) };
        match frame {
            Down::Welcome(welcome) => self.welcome(welcome, now),
            // What is not for this state is for another life of this connection.
            _ if !self.welcomed => Ok(Vec::new()),
            Down::Commits(commits) => {
                for commit in &commits {
                    self.promise(commit);
                    self.replica.commit(commit).map_err(drop)?;
                }
                Ok(Vec::new())
            }
            Down::Nack { reason: Refusal::Gap { .. }, .. } => {
                self.replica.resend_from_start();
                Ok(self.send(now))
            }
            Down::Nack { cseq, .. } => {
                let mine = self.replica.outbox().find(|(number, _, _)| *number == cseq);
                self.refused.extend(mine.and_then(|(_, _, ops)| tag_in(self.who, ops)));
                self.replica.nack(cseq);
                Ok(Vec::new())
            }
            Down::Gestures { author, moves } => {
                for Gesture { slot, value } in moves {
                    self.replica.gesture(author, slot, value);
                }
                Ok(Vec::new())
            }
            Down::Error { .. } => Ok(Vec::new()),
            other => panic!("unexpected {other:?}"),
        }
    }

    fn welcome(&mut self, welcome: Welcome, now: Nanos) -> Result<Frames, ()> {
        if self.hello.take().is_none() {
            // It came twice.
            return Ok(Vec::new());
        }
        let catchup = match welcome.state {
            Snapshot::Delta(commits) => {
                commits.iter().for_each(|commit| self.promise(commit));
                Catchup::Delta(commits)
            }
            Snapshot::Full { bytes, .. } => {
                self.cached = Some(bytes.clone());
                Catchup::Full(Box::new(State::decode(&bytes).expect("a state")))
            }
            Snapshot::Parts { .. } => panic!("the parts have been joined"),
        };
        let waiting: BTreeMap<Cseq, Option<u64>> =
            self.replica.outbox().map(|(cseq, _, ops)| (cseq, tag_in(self.who, ops))).collect();
        let answered = Answered { last: welcome.acked, answers: welcome.answers };
        let welcomed = self.replica.welcome(welcome.client, answered, catchup).map_err(drop)?;
        assert!(welcomed.settled.is_empty(), "nobody says what became of {:?}", welcomed.settled);
        self.refused.extend(welcomed.refused.iter().filter_map(|(cseq, _)| waiting[cseq]));
        for (cseq, seq) in &welcomed.acked {
            if let Some(tag) = waiting.get(cseq).copied().flatten() {
                self.promised.insert(tag, *seq);
            }
        }
        self.next = Cseq(welcome.acked.0 + 1 + self.replica.outbox().count() as u64);
        self.welcomed = true;
        Ok(self.send(now))
    }

    /// What the server says of a frame of mine is a promise.
    fn promise(&mut self, commit: &Commit) {
        if self.replica.client() != Some(commit.author) {
            return;
        }
        let Some(tag) = tag_in(self.who, &commit.ops) else { return };
        let before = self.promised.insert(tag, commit.seq);
        assert!(before.is_none_or(|seq| seq == commit.seq), "frame {tag} was promised two places");
    }

    /// Killed and started again: what is not in the journal is gone.
    pub fn restart(&mut self, now: Nanos) {
        let outbox = self.replica.outbox();
        let outbox =
            outbox.map(|(cseq, base, ops)| Frame { cseq, base, ops: ops.to_vec() }).collect::<Vec<_>>();
        let journal =
            Journal { state: self.cached.clone(), client: self.replica.client(), next: self.next, outbox };
        let state = journal.state.map_or_else(State::new, |bytes| State::decode(&bytes).expect("a state"));
        self.hand = None;
        self.disconnect(now);
        self.replica = match journal.client {
            Some(client) => Replica::restore(state, client, journal.next, journal.outbox),
            None => {
                let mut replica = Replica::new(state);
                for frame in journal.outbox {
                    replica.edit(frame.ops).expect("a good edit");
                }
                replica
            }
        };
    }

    /// The musician lets go of everything.
    pub fn let_go(&mut self, now: Nanos) -> Frames {
        match self.hand.take() {
            Some((slot, value)) => self.edit(vec![on_arrival(Op::Edit(Edit::Param { slot, value }))], now),
            None => Vec::new(),
        }
    }

    /// Gestures whose end was lost on the way are over.
    pub fn end_gestures(&mut self) {
        let held: Vec<Slot> = self.replica.gestures().map(|(slot, _, _)| slot).collect();
        for slot in held {
            self.replica.end_gesture(slot);
        }
    }
}

pub fn up(frame: &Up) -> Vec<u8> {
    wire::encode_up(frame).expect("it fits")
}

pub fn on_arrival(op: Op) -> StampedOp {
    StampedOp { op, at: None }
}

/// A clip of the arrangement belongs to each studio, and nothing else touches it.
fn tag(who: usize, tag: u64) -> Edit {
    Edit::Clip { clip: who as u8, field: ClipField::Start(tag as u32) }
}

/// The tag that an op carries for a studio.
pub fn tag_of(who: usize, op: &Op) -> Option<u64> {
    match op {
        Op::Edit(Edit::Clip { clip, field: ClipField::Start(tag) }) if usize::from(*clip) == who => {
            Some(u64::from(*tag))
        }
        _ => None,
    }
}

/// The tag of a frame.
pub fn tag_in(who: usize, ops: &[StampedOp]) -> Option<u64> {
    ops.iter().find_map(|op| tag_of(who, &op.op))
}

/// Few, so that studios collide.
fn slot(chance: &mut Chance) -> Slot {
    let owner = chance.pick(&[Owner::Master, Owner::Track(TrackIndex::new(0).expect("a track"))]);
    Slot::new(owner, chance.pick(&[Param::Level, Param::FilterFreq, Param::DelayMix]))
}

/// A write that others may be making too, now and then for a later bar.
pub fn write(chance: &mut Chance) -> StampedOp {
    let track = TrackIndex::new(chance.below(3) as usize).expect("a track");
    let step = chance.below(4) as u8;
    let edit = match chance.below(10) {
        0..=3 => {
            let slot = slot(chance);
            Edit::Param { slot, value: slot.spec().value_at(chance.unit() as f32) }
        }
        4..=6 => Edit::Step {
            track,
            pattern: PatternIndex::FIRST,
            step,
            field: StepField::On(chance.happens(0.5)),
        },
        7 => Edit::Step {
            track,
            pattern: PatternIndex::FIRST,
            step,
            field: StepField::Note(Some(chance.below(128) as u8)),
        },
        8 => {
            let name = Name::new(chance.pick(&["kick", "bass", ""])).expect("a name");
            Edit::Track { track, field: TrackField::Name(name) }
        }
        _ => Edit::Track { track, field: TrackField::Alive(chance.happens(0.7)) },
    };
    let at = chance.happens(0.2).then(|| Beats::quarters(4 * chance.below(8) as i64));
    StampedOp { op: Op::Edit(edit), at }
}
