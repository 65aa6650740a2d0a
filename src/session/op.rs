//! Ops and commits.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::header::body;
use super::{
    Area, Conflict, ConflictKind, Curve, Grant, Matter, Overlap, Record, Strategy, Subject, TempoRequest,
    Text, Wanted,
};
use crate::param::{Slot, TrackIndex};
use crate::pattern::{Edit, GridEdit, Name, Order, Priority, Register, TrackId};
use crate::time::{Beats, SessionNanos, Tempo, TempoMap};

/// The most ops a frame may hold.
pub const MAX_OPS: usize = 256;

/// The most bytes of a commit: it travels in one frame.
pub const MAX_COMMIT: usize = 60 * 1024;

/// The most bars over which a tempo may change gradually.
pub const MAX_RAMP_BARS: u16 = 256;

/// A participant of one session, numbered by its sequencer from 1; 0 is the sequencer itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ClientId(pub u32);

/// A commit's place in the session, gapless from 1; 0 is the empty session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Seq(pub u64);

/// A client's own count of the frames of ops it sent, from 1: what makes a retry harmless.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Cseq(pub u64);

/// What a participant may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Role {
    /// Hears and sees.
    Listener,
    /// Edits.
    Editor,
    /// Edits and invites.
    Owner,
}

/// One change of shared state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Op {
    /// Write one register of the song.
    Edit(Edit),
    /// A client asks for a tempo; the sequencer answers with [`Op::TempoMap`] in its place.
    RequestTempo(Tempo),
    /// The tempo map from now on; the sequencer alone writes it.
    TempoMap(TempoMap),
    /// Where and whether the session plays; the sequencer alone writes it.
    Timeline(Timeline),
    /// Ops stamped for ticks up to this one have taken effect; the sequencer alone writes it.
    Promote(Beats),
    /// A change of the branches and named versions; at most one a frame.
    Record(Record),
    /// An operation on a whole pattern, expanded on the pattern as it is at its commit, so that no
    /// cell edit before it is lost.
    Grid(GridEdit),
    /// A new track; the state gives it a free place.
    AddTrack(NewTrack),
    /// Somebody said something; the sequencer alone writes it.
    Said {
        /// Who.
        client: ClientId,
        /// What.
        text: Text,
    },
    /// The end of a gesture: a parameter's final value, and how the hand came there.
    Drag(Drag),
    /// Undo: what the register held before, accepted while its last write is the one undone.
    Revert(Revert),
    /// Undo of a tempo, by the same rule.
    RevertTempo {
        /// The tempo before.
        tempo: Tempo,
        /// The write that is undone.
        written: Written,
        /// Whatever happened since.
        force: bool,
    },
    /// Picks a candidate of a card, or (`None`) puts the card away as it is.
    Resolve {
        /// The card.
        id: u32,
        /// The candidate's place on it.
        choice: Option<u8>,
    },
    /// How a class of values is decided from now on.
    Strategy {
        /// The class.
        matter: Matter,
        /// The strategy.
        strategy: Strategy,
    },
    /// What everybody (`None`) or one person may change; without a grant, the rule ends. Owners only.
    Permit {
        /// Who.
        who: Option<ClientId>,
        /// What they may change.
        grant: Option<Grant>,
    },
    /// Undo of an edit that still waits for its beat: it waits no more. The sequencer alone writes it.
    Cancel {
        /// The register.
        register: Register,
        /// The commit it came with.
        seq: Seq,
    },
    /// What the parameter just written was mixed from; the sequencer alone writes it.
    Merged(Overlap),
    /// What was decided about concurrent writes of this commit; the sequencer alone writes it.
    Conflicts {
        /// At most [`super::MAX_CARDS`].
        cards: Vec<Conflict>,
        /// What found no room among them, counted.
        more: Vec<(ConflictKind, u32)>,
    },
    /// The requests that the tempo was decided from; the sequencer alone writes it.
    TempoAsked(Vec<TempoRequest>),
    /// A client asks for a gradual change of tempo from the next bar line on; the sequencer answers
    /// with [`Op::TempoMap`] in its place, so that only steps travel.
    RequestRamp {
        /// The tempo at its end.
        tempo: Tempo,
        /// Its length, 1 to [`MAX_RAMP_BARS`] bars.
        bars: u16,
    },
    /// A client wants a value and leaves it to a person: the sequencer answers with a card on which
    /// it stands beside what holds.
    Propose(Wanted),
    /// At the head of a frame: by this place it means the track of this id, whose place was not
    /// decided when the frame was made.
    Means {
        /// The place by which the frame calls it.
        place: TrackIndex,
        /// Which track.
        id: TrackId,
    },
    /// At the head of a frame: it goes on where another of its author's ended, and is refused where
    /// that was. So of a change of many frames others hear all, or all up to one of them.
    Follows(Written),
    /// At the head of a frame: a generator made it, so it is served after what people do by hand.
    Generated,
}

/// How urgent a frame is: as its most urgent op. A gesture's end waits behind edits, and a
/// generator's result behind what people do.
pub fn priority(ops: &[StampedOp]) -> Priority {
    let generated = ops.iter().any(|op| op.op == Op::Generated);
    let of = |op: &StampedOp| match &op.op {
        Op::Drag(_) => Priority::Parameter,
        other => other.edit().map_or(Priority::Edit, |edit| edit.register().priority()),
    };
    let own = body(ops).map(of).min().unwrap_or(Priority::Edit);
    if generated { own.max(Priority::Generated) } else { own }
}

/// The end of a gesture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Drag {
    /// The parameter.
    pub slot: Slot,
    /// Its final value.
    pub value: f32,
    /// The last commit seen when the hand took hold: gestures that overlap are concurrent.
    pub since: Seq,
    /// How the hand moved.
    pub curve: Curve,
}

/// An inverse.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Revert {
    /// What the register held before.
    pub edit: Edit,
    /// The write that is undone.
    pub written: Written,
    /// Whatever happened since.
    pub force: bool,
}

/// A write of one's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Written {
    /// By this commit.
    Commit(Seq),
    /// By this frame, which was not answered when this was written.
    Frame(Cseq),
    /// By this commit, which its author had not seen when this was written, or has only been told
    /// of: what the register held before is a belief.
    Unseen(Seq),
}

/// A track that somebody asks for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewTrack {
    /// Who it will be, through removal and return; no track of the session has it yet.
    pub id: TrackId,
    /// What it is called.
    pub name: Name,
    /// Where it is shown.
    pub order: Order,
    /// Where it should be stored, if nobody has used that place yet.
    pub place: TrackIndex,
}

impl Op {
    /// Whether what it writes depends on its place in the session: the state expands it.
    pub fn is_expanded(&self) -> bool {
        matches!(self, Op::Grid(_) | Op::AddTrack(_))
    }

    /// The write of a register that it makes, if it makes one.
    pub fn edit(&self) -> Option<Edit> {
        match self {
            Op::Edit(edit) => Some(*edit),
            Op::Drag(drag) => Some(Edit::Param { slot: drag.slot, value: drag.value }),
            Op::Revert(revert) => Some(revert.edit),
            _ => None,
        }
    }
}

/// The session's own transport: tick `tick` sounds at session time `at`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeline {
    /// Whether it plays.
    pub playing: bool,
    /// The position that sounds at `at`.
    pub tick: Beats,
    /// When.
    pub at: SessionNanos,
}

impl Timeline {
    /// The position at a time; before `at` it lies before `tick`, as if it had always played.
    pub fn tick_at(&self, map: &TempoMap, time: SessionNanos) -> Beats {
        map.tick_at_nanos(map.nanos_at(self.tick) + (time - self.at))
    }

    /// When a position sounds.
    pub fn time_of(&self, map: &TempoMap, tick: Beats) -> SessionNanos {
        self.at + (map.nanos_at(tick) - map.nanos_at(self.tick))
    }
}

/// Where a leader's host is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lead {
    /// Whether it plays.
    pub playing: bool,
    /// The position heard at `at`.
    pub tick: Beats,
    /// When.
    pub at: SessionNanos,
    /// The tempo that it goes on by; without meaning where it stands.
    pub tempo: Tempo,
}

/// An op, perhaps stamped for a beat.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StampedOp {
    /// The change.
    pub op: Op,
    /// The tick from which it holds; `None`: on arrival.
    pub at: Option<Beats>,
}

/// A frame of ops as the sequencer accepted it: whole, at one place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Commit {
    /// Its place.
    pub seq: Seq,
    /// Who sent it.
    pub author: ClientId,
    /// The author's own count.
    pub cseq: Cseq,
    /// What it changes.
    pub ops: Vec<StampedOp>,
}

/// Why a frame of ops was refused; nothing of it took effect.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
pub enum Refusal {
    /// The role does not allow it.
    #[error("a {0:?} may not make this edit; ask the session's owner for an editor's invite")]
    Role(Role),
    /// An op breaks a bound.
    #[error("op {index} of the frame: {reason}")]
    Invalid {
        /// Which op of the frame.
        index: u32,
        /// What is wrong with it.
        reason: String,
    },
    /// More ops in one frame than allowed.
    #[error("a frame holds at most {0} ops")]
    TooMany(u32),
    /// A client's count jumped; it should send the missing frames first.
    #[error("frame {got} came where frame {expected} was expected")]
    Gap {
        /// The next count the sequencer waits for.
        expected: u64,
        /// What came.
        got: u64,
    },
    /// Too many ops wait for their beat.
    #[error("too many edits wait for their beat; send this one again later")]
    PendingFull,
    /// The owner keeps this area.
    #[error("op {index} of the frame: you may not change {area}; the session's owner decides who may")]
    NotPermitted {
        /// Which op of the frame.
        index: u32,
        /// Which area.
        area: Area,
    },
    /// An undo of something that has been changed since.
    #[error("participant {} has changed it since (commit {}); undo anyway to override", by.0, seq.0)]
    StaleUndo {
        /// Which op of the frame.
        index: u32,
        /// What was to be undone.
        subject: Subject,
        /// Who changed it since.
        by: ClientId,
        /// In which commit; 0 where it never came to hold.
        seq: Seq,
    },
    /// Refused so long ago that nobody remembers why.
    #[error("it was refused while nobody listened; the reason is no longer kept")]
    Forgotten,
}

impl Refusal {
    /// Whether this is the frame's answer for good. After [`Refusal::Gap`] the frame is still
    /// waited for: send the outbox from its start, or join again.
    pub fn is_final(&self) -> bool {
        !matches!(self, Refusal::Gap { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::param::{Owner, Param};

    #[test]
    fn a_frame_is_as_urgent_as_what_people_wait_for() {
        let of = |ops: Vec<Op>| {
            priority(&ops.into_iter().map(|op| StampedOp { op, at: None }).collect::<Vec<_>>())
        };
        let slot = Slot::new(Owner::Master, Param::Level);
        let (seed, level) = (Op::Edit(Edit::Seed(1)), Op::Edit(Edit::Param { slot, value: 0.5 }));
        assert_eq!(of(vec![seed.clone()]), Priority::Edit);
        assert_eq!(of(vec![level.clone(), seed.clone()]), Priority::Edit);
        assert_eq!(of(vec![Op::Generated, seed]), Priority::Generated);
        assert_eq!(of(vec![level.clone()]), Priority::Parameter);
        assert_eq!(of(vec![Op::Generated, level]), Priority::Parameter);
        assert!(Priority::Edit < Priority::Generated && Priority::Parameter < Priority::Cursor);
    }
}
