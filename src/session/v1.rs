//! What the first version wrote, and how it comes forward: one pattern a track, 80 parameters an
//! owner, stored owner by owner.
//!
//! These types never change. What they say is checked after it has come forward.

use serde::Deserialize;

use super::snapshot;
use super::{ClientId, Cseq, Op, Seq, StampedOp, Timeline};
use crate::param::{Owner, Param, Slot, TrackIndex};
use crate::pattern::{self, Name, Overflow, PatternField, PatternIndex, Pitch, StepField, TrackField};
use crate::time::{Beats, Tempo, TempoMap};

/// Parameters of each owner in the first version.
const PARAMS: u16 = 80;

#[derive(Deserialize)]
pub(super) struct Body {
    seq: Seq,
    timeline: Timeline,
    tempo_map: TempoMap,
    stamps: Vec<(u64, ClientId)>,
    registers: Vec<(u16, Edit)>,
    waiting: Vec<Waiting>,
}

#[derive(Deserialize)]
struct Waiting {
    at: Beats,
    seq: Seq,
    author: ClientId,
    index: u32,
    edit: Edit,
}

#[derive(Deserialize)]
pub(super) struct Commit {
    seq: Seq,
    author: ClientId,
    cseq: Cseq,
    ops: Vec<Stamped>,
}

#[derive(Deserialize)]
struct Stamped {
    op: OldOp,
    at: Option<Beats>,
}

#[derive(Deserialize)]
enum OldOp {
    Edit(Edit),
    RequestTempo(Tempo),
    TempoMap(TempoMap),
    Timeline(Timeline),
    Promote(Beats),
}

#[derive(Clone, Copy, Deserialize)]
pub(super) enum Edit {
    Seed(u32),
    Param { slot: u16, value: f32 },
    Step { track: TrackIndex, step: u8, field: Cell },
    Track { track: TrackIndex, field: Whole },
}

#[derive(Clone, Copy, Deserialize)]
pub(super) enum Cell {
    On(bool),
    Velocity(f32),
    Note(Option<u8>),
    Probability(f32),
    Ratchet(u8),
    Micro(i8),
}

#[derive(Clone, Copy, Deserialize)]
pub(super) enum Whole {
    Alive(bool),
    Name(Name),
    Sample(Name),
    Pitch(Option<Pitch>),
    Length(u8),
    Overflow(Overflow),
    GrooveSteps(u64),
    GrooveTemplate(Name),
}

impl From<Edit> for pattern::Edit {
    fn from(old: Edit) -> pattern::Edit {
        let pattern = PatternIndex::FIRST;
        match old {
            Edit::Seed(seed) => pattern::Edit::Seed(seed),
            Edit::Param { slot, value } => pattern::Edit::Param { slot: slot_of(slot), value },
            Edit::Step { track, step, field } => {
                let field = match field {
                    Cell::On(on) => StepField::On(on),
                    Cell::Velocity(velocity) => StepField::Velocity(velocity),
                    Cell::Note(note) => StepField::Note(note),
                    Cell::Probability(probability) => StepField::Probability(probability),
                    Cell::Ratchet(ratchet) => StepField::Ratchet(ratchet),
                    Cell::Micro(micro) => StepField::Micro(micro),
                };
                pattern::Edit::Step { track, pattern, step, field }
            }
            Edit::Track { track, field } => {
                let field = match field {
                    Whole::Length(length) => {
                        let field = PatternField::Length(length);
                        return pattern::Edit::Pattern { track, pattern, field };
                    }
                    Whole::Alive(alive) => TrackField::Alive(alive),
                    Whole::Name(name) => TrackField::Name(name),
                    Whole::Sample(sample) => TrackField::Sample(sample),
                    Whole::Pitch(pitch) => TrackField::Pitch(pitch),
                    Whole::Overflow(overflow) => TrackField::Overflow(overflow),
                    Whole::GrooveSteps(steps) => TrackField::GrooveSteps(steps),
                    Whole::GrooveTemplate(name) => TrackField::GrooveTemplate(name),
                };
                pattern::Edit::Track { track, field }
            }
        }
    }
}

/// Slots then lay owner by owner; one past the last stays one that is not.
fn slot_of(old: u16) -> Slot {
    let owner = match TrackIndex::new(usize::from(old / PARAMS)) {
        Some(track) => Some(Owner::Track(track)),
        None => (usize::from(old / PARAMS) == crate::param::MAX_TRACKS).then_some(Owner::Master),
    };
    let param = Param::ALL[usize::from(old % PARAMS)];
    owner.map_or(Slot::NONE, |owner| Slot::new(owner, param))
}

impl From<Commit> for super::Commit {
    fn from(old: Commit) -> super::Commit {
        let op = |old: OldOp| match old {
            OldOp::Edit(edit) => Op::Edit(edit.into()),
            OldOp::RequestTempo(tempo) => Op::RequestTempo(tempo),
            OldOp::TempoMap(map) => Op::TempoMap(map),
            OldOp::Timeline(timeline) => Op::Timeline(timeline),
            OldOp::Promote(upto) => Op::Promote(upto),
        };
        let ops = old.ops.into_iter().map(|stamped| StampedOp { op: op(stamped.op), at: stamped.at });
        super::Commit { seq: old.seq, author: old.author, cseq: old.cseq, ops: ops.collect() }
    }
}

impl From<Body> for snapshot::Body {
    fn from(old: Body) -> snapshot::Body {
        let mut registers: Vec<(u32, pattern::Edit)> =
            old.registers.into_iter().map(|(place, edit)| (u32::from(place), edit.into())).collect();
        registers.sort_by_key(|(_, edit)| edit.register());
        let waiting = old.waiting.into_iter().map(|waiting| snapshot::WaitingBody {
            at: waiting.at,
            seq: waiting.seq,
            author: waiting.author,
            index: waiting.index,
            edit: waiting.edit.into(),
        });
        snapshot::Body {
            seq: old.seq,
            timeline: old.timeline,
            tempo_map: old.tempo_map,
            stamps: old.stamps,
            registers,
            waiting: waiting.collect(),
            chat: Vec::new(),
            records: super::Records::default(),
            rulings: super::Rulings::default(),
        }
    }
}
