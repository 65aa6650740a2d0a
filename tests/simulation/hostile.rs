//! Somebody who was let in and means harm, or whose program is broken.

use antiphon::param::{Owner, Param, Slot, TrackIndex};
use antiphon::pattern::{Edit, PatternIndex, StepField, TrackId};
use antiphon::session::{Cseq, Op, Seq, StampedOp, Timeline, Written};
use antiphon::time::{Beats, SessionNanos, TempoMap};
use antiphon::wire::{self, Down, Gesture, Hello, Up};

use crate::chance::Chance;
use crate::studio::{Frames, on_arrival, up, write};

pub struct Hostile {
    pub who: usize,
    pub connection: u32,
    /// The next frame that the server would take, as far as the answers tell.
    cseq: u64,
    /// A frame seen before, to be sent again.
    kept: Option<Vec<u8>>,
}

impl Hostile {
    pub fn new(who: usize) -> Hostile {
        Hostile { who, connection: 0, cseq: 1, kept: None }
    }

    /// Comes in.
    pub fn hello(&mut self, chance: &mut Chance) -> Frames {
        self.connection += 1;
        vec![up(&Up::Hello(Hello {
            version: wire::VERSION,
            engine_version: 1,
            client_key: [self.who as u8; 16],
            secret: String::new(),
            name: "\u{202e}?".to_owned(),
            last_seq: Seq(chance.pick(&[0, 0, 3, u64::MAX])),
            unanswered: Cseq(chance.pick(&[0, 1, 7, u64::MAX])),
        }))]
    }

    pub fn hear(&mut self, bytes: &[u8]) {
        match wire::decode_down(bytes) {
            Ok(Down::Welcome(welcome)) => self.cseq = welcome.acked.0 + 1,
            Ok(Down::Nack { cseq, reason }) if reason.is_final() => {
                self.cseq = self.cseq.max(cseq.0.saturating_add(1));
            }
            _ => {}
        }
    }

    pub fn act(&mut self, chance: &mut Chance) -> Frames {
        let bytes = match chance.below(8) {
            0 => (0..chance.below(200)).map(|_| chance.bits() as u8).collect(),
            1 => self.damaged(chance),
            2 => self.kept.clone().unwrap_or_default(),
            3 => {
                up(&Up::Gesture(vec![Gesture { slot: level(), value: chance.pick(&[f32::NAN, -7.0, 1e30]) }]))
            }
            4 => {
                let more = chance.happens(0.5).then(|| write(chance));
                self.ops([forbidden(chance)].into_iter().chain(more).collect(), chance)
            }
            5 => self.ops(vec![write(chance); chance.between(0, 600) as usize], chance),
            6 => up(&Up::Start { tick: Beats(chance.pick(&[i64::MIN, -1, i64::MAX])) }),
            _ => {
                let good = write(chance);
                self.ops(vec![good], chance)
            }
        };
        self.kept = Some(bytes.clone());
        vec![bytes]
    }

    fn damaged(&mut self, chance: &mut Chance) -> Vec<u8> {
        let good = write(chance);
        let mut bytes = self.ops(vec![good], chance);
        for _ in 0..chance.between(1, 4) {
            let at = chance.below(bytes.len() as u64) as usize;
            match chance.below(3) {
                0 => bytes[at] = chance.bits() as u8,
                1 => bytes.truncate(at.max(1)),
                _ => bytes.insert(at, chance.bits() as u8),
            }
        }
        bytes
    }

    /// A frame of ops: mostly with the number it should have.
    fn ops(&mut self, ops: Vec<StampedOp>, chance: &mut Chance) -> Vec<u8> {
        let cseq = match chance.below(8) {
            0 => chance.pick(&[0, 1, self.cseq + 1, self.cseq + 1000, u64::MAX]),
            _ => self.cseq,
        };
        if cseq == self.cseq {
            self.cseq += 1;
        }
        let base = Seq(chance.pick(&[0, 1, 1000, u64::MAX]));
        let frame = Up::Ops { cseq: Cseq(cseq), base, ops };
        wire::encode_up(&frame).unwrap_or_default()
    }
}

fn level() -> Slot {
    Slot::new(Owner::Master, Param::Level)
}

/// An op that nobody may make.
fn forbidden(chance: &mut Chance) -> StampedOp {
    let track = TrackIndex::new(0).expect("a track");
    let step =
        |step, field| on_arrival(Op::Edit(Edit::Step { track, pattern: PatternIndex::FIRST, step, field }));
    match chance.below(10) {
        0 => on_arrival(Op::TempoMap(TempoMap::default())),
        1 => {
            on_arrival(Op::Timeline(Timeline { playing: true, tick: Beats(-5), at: SessionNanos(i64::MIN) }))
        }
        2 => on_arrival(Op::Promote(Beats(i64::MAX))),
        3 => on_arrival(Op::Edit(Edit::Param { slot: level(), value: f32::INFINITY })),
        4 => step(200, StepField::On(true)),
        5 => step(0, StepField::Velocity(f32::NAN)),
        6 => step(0, StepField::Ratchet(0)),
        7 => on_arrival(Op::Means { place: track, id: TrackId { client: 1, counter: 1 } }),
        8 => on_arrival(Op::Follows(Written::Frame(Cseq(chance.pick(&[0, 1, u64::MAX]))))),
        _ => StampedOp { op: Op::Edit(Edit::Seed(1)), at: Some(Beats(i64::MIN)) },
    }
}
