//! A sequencer, replicas that follow it, and a log.

use antiphon::param::{Owner, Param, Slot, TrackIndex};
use antiphon::pattern::{Edit, PatternIndex, Register, StepField, TrackField};
use antiphon::session::{
    Catchup, ClientId, Commit, Conflict, Cseq, Op, Outcome, Refusal, Replica, Role, Seq, Sequencer,
    StampedOp, State, Strategy,
};
use antiphon::time::{Beats, Tempo};

pub struct Room {
    pub sequencer: Sequencer,
    pub log: Vec<Commit>,
    pub people: Vec<Replica>,
    pub roles: Vec<Role>,
    pub position: Option<Beats>,
    begin: State,
}

pub fn id(who: usize) -> ClientId {
    ClientId(who as u32 + 1)
}

pub fn now(op: Op) -> StampedOp {
    StampedOp { op, at: None }
}

pub fn level() -> Slot {
    Slot::new(Owner::Master, Param::Level)
}

pub fn set(value: f32) -> StampedOp {
    now(Op::Edit(Edit::Param { slot: level(), value }))
}

pub fn cell(step: u8, on: bool) -> StampedOp {
    now(Op::Edit(Edit::Step { track: track(0), pattern: pattern(), step, field: StepField::On(on) }))
}

pub fn note(step: u8, value: f32) -> StampedOp {
    now(Op::Edit(Edit::Step {
        track: track(0),
        pattern: pattern(),
        step,
        field: StepField::Note(key(value)),
    }))
}

pub fn alive(n: usize, alive: bool) -> StampedOp {
    now(Op::Edit(Edit::Track { track: track(n), field: TrackField::Alive(alive) }))
}

pub fn tempo(bpm: f64) -> StampedOp {
    now(Op::RequestTempo(Tempo::from_bpm(bpm).expect("a tempo")))
}

/// A note from a fraction, so that all writes can be told by one.
pub fn key(part: f32) -> Option<u8> {
    Some((part * 100.0 + 0.5) as u8)
}

pub fn pattern() -> PatternIndex {
    PatternIndex::default()
}

pub fn track(n: usize) -> TrackIndex {
    TrackIndex::new(n).expect("a track")
}

impl Room {
    pub fn new(people: usize) -> Room {
        let state = State::new();
        let mut room = Room {
            sequencer: Sequencer::new(state.clone()),
            log: Vec::new(),
            people: Vec::new(),
            roles: vec![Role::Editor; people],
            position: None,
            begin: state,
        };
        for who in 0..people {
            let mut replica = Replica::new(room.begin.clone());
            replica.welcome(id(who), Cseq(0), Catchup::Delta(Vec::new())).expect("a welcome");
            room.people.push(replica);
        }
        room
    }

    /// A person writes, locally.
    pub fn make(&mut self, who: usize, ops: Vec<StampedOp>) -> Cseq {
        self.people[who].edit(ops).expect("good ops").0
    }

    /// What a person has made goes to the sequencer; the answers come back later.
    pub fn submit(&mut self, who: usize) -> Result<Vec<Seq>, (Cseq, Refusal)> {
        let mut seqs = Vec::new();
        while let Some(frame) = self.people[who].next_to_send().cloned() {
            let (role, position) = (self.roles[who], self.position);
            match self.sequencer.submit(id(who), role, frame.cseq, frame.base, frame.ops, position) {
                Ok(Outcome::Committed(commit)) => {
                    seqs.push(commit.seq);
                    self.log.push(commit);
                }
                Ok(Outcome::Duplicate { .. }) => {}
                Err(refusal) => {
                    // What comes before is heard before.
                    self.hear(who);
                    self.people[who].nack(frame.cseq);
                    return Err((frame.cseq, refusal));
                }
            }
        }
        Ok(seqs)
    }

    /// A person hears of every commit so far.
    pub fn hear(&mut self, who: usize) {
        for commit in &self.log {
            self.people[who].commit(commit).expect("it follows");
        }
    }

    pub fn hear_all(&mut self) {
        (0..self.people.len()).for_each(|who| self.hear(who));
    }

    /// Makes, submits, and lets everybody hear.
    pub fn write(&mut self, who: usize, ops: Vec<StampedOp>) -> Result<(), Refusal> {
        self.make(who, ops);
        let answer = self.submit(who);
        self.hear_all();
        answer.map(drop).map_err(|(_, refusal)| refusal)
    }

    /// Everybody writes without having seen the others; they reach the sequencer in this order.
    pub fn collide(&mut self, order: &[usize], what: impl Fn(usize) -> Vec<StampedOp>) {
        for who in order {
            self.make(*who, what(*who));
        }
        for who in order {
            self.submit(*who).expect("accepted");
        }
        self.hear_all();
    }

    pub fn strategy(&mut self, matter: antiphon::session::Matter, strategy: Strategy) {
        self.write(0, vec![now(Op::Strategy { matter, strategy })]).expect("an editor may");
    }

    pub fn state(&self) -> &State {
        self.sequencer.state()
    }

    pub fn level(&self) -> f32 {
        self.state().song().params[level().index()]
    }

    pub fn read(&self, register: Register) -> Edit {
        self.state().read(register)
    }

    pub fn cards(&self) -> &[Conflict] {
        self.state().rulings().conflicts.cards()
    }

    /// Replicas, snapshot and log are one.
    pub fn check(&mut self) {
        self.hear_all();
        let digest = self.state().digest();
        for replica in &self.people {
            assert_eq!(replica.confirmed().digest(), digest);
            assert!(replica.unsaved() > 0 || *replica.view() == *self.state().song(), "nothing hangs over");
        }
        let half = self.log.len() / 2;
        let mut state = self.begin.clone();
        self.log[..half].iter().for_each(|commit| drop(state.apply(commit).expect("it follows")));
        let mut state = State::decode(&state.encode()).expect("a snapshot");
        self.log[half..].iter().for_each(|commit| drop(state.apply(commit).expect("it follows")));
        assert!(state == *self.state(), "snapshot and log are the live state");
    }
}

/// Every order of 0 to n − 1.
pub fn orders(n: usize) -> Vec<Vec<usize>> {
    if n == 0 {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for order in orders(n - 1) {
        for at in 0..n {
            let mut longer = order.clone();
            longer.insert(at, n - 1);
            all.push(longer);
        }
    }
    all
}
