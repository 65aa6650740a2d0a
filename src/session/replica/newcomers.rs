//! Tracks that no commit has confirmed, and where they show meanwhile.
//!
//! A new track gets its place where its commit lands. Until then it shows at the place it would get
//! now, which others' tracks may change. Frames made meanwhile call it by that place and say which
//! track they mean by it, so nothing has to wait for the answer; what is kept here by place (steps
//! to undo, parameters in hand) moves when the track does.

use std::collections::BTreeMap;

use super::{Frame, Moved, Replica};
use crate::param::{Owner, Slot, TrackIndex};
use crate::pattern::{Edit, Register, Song, TrackId, TrackRegister};
use crate::session::header::{self, body, means};
use crate::session::{Cseq, MAX_OPS, Op, Refusal, Seq, Stamp, StampedOp, State};

/// A track that no commit has confirmed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Newcomer {
    /// Where it shows.
    pub(super) place: TrackIndex,
    /// The frame of mine that asks for it; `None`: another instance's.
    pub(super) asked: Option<Cseq>,
}

/// A new track that shows elsewhere now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::session) struct Move {
    pub(in crate::session) track: TrackId,
    pub(in crate::session) from: TrackIndex,
    /// `None`: it never came to be.
    pub(in crate::session) to: Option<TrackIndex>,
    /// From which frame of mine on the place it left meant it; `None`: all that are unanswered.
    pub(in crate::session) since: Option<Cseq>,
    /// From which commit on it did; `None`: in none.
    pub(in crate::session) commits: Option<Seq>,
}

impl Replica {
    /// Whether a track is new and no commit has given it its place yet: nobody else could tell which
    /// one is meant.
    pub fn is_unsettled(&self, track: TrackIndex) -> bool {
        self.new_tracks.values().any(|new| new.place == track)
    }

    /// The tracks that have moved since this was asked last, in order; those of one list all at once.
    pub fn moved_tracks(&mut self) -> Vec<Vec<Moved>> {
        std::mem::take(&mut self.moved)
    }

    /// Says at the head of a frame, for each track that is new here, by which place the frame means
    /// it: as `song` has it.
    pub fn name_new_tracks(&self, song: &Song, ops: &mut Vec<StampedOp>) {
        let meant = |ops: &[StampedOp], id: TrackId| {
            ops.iter().any(|op| matches!(op.op, Op::Means { id: of, .. } if of == id))
        };
        let new: Vec<TrackId> = self.new_tracks.keys().copied().filter(|id| !meant(ops, *id)).collect();
        for id in new {
            if let Some(place) =
                song.track_with_id(id).filter(|place| ops.iter().any(|op| op.speaks_of(*place)))
            {
                ops.insert(0, means(place, id));
            }
        }
    }

    /// Headers that say which new tracks a frame means by their places here.
    pub(super) fn meant(&self, ops: &[StampedOp]) -> Vec<StampedOp> {
        let spoken = self.new_tracks.iter().filter(|(_, new)| ops.iter().any(|op| op.speaks_of(new.place)));
        spoken.map(|(id, new)| means(new.place, *id)).collect()
    }

    /// Ops that speak of tracks by places of their own, as they are called here.
    pub(super) fn settled_here(&self, mut ops: Vec<StampedOp>) -> Result<Vec<StampedOp>, Refusal> {
        if !ops.iter().any(|op| matches!(op.op, Op::Means { .. })) {
            return Ok(ops);
        }
        let places = header::places(&ops, &self.view).map_err(|index| Refusal::Invalid {
            index: index as u32,
            reason: "the track that this speaks of does not exist".to_owned(),
        })?;
        header::settle(&mut ops, &places);
        ops.retain(|op| !matches!(op.op, Op::Means { .. }));
        Ok(ops)
    }

    /// Takes note of where new tracks are now: what is kept by place here goes along.
    pub(super) fn follow(&mut self, new: BTreeMap<TrackId, Newcomer>, touched: &mut Vec<Register>) {
        let before = std::mem::replace(&mut self.new_tracks, new);
        let moved = before.iter().map(|(id, was)| self.moved_from(*id, *was));
        let moves: Vec<Move> = moved.filter(|one| one.to != Some(one.from)).collect();
        if moves.is_empty() {
            return;
        }
        self.undo.retrack(&moves, false);
        self.move_hands(&moves, touched);
        self.tell_moved(&moves);
    }

    /// Where a newcomer has gone.
    pub(super) fn moved_from(&self, track: TrackId, was: Newcomer) -> Move {
        Move { track, from: was.place, to: self.place_of(track), since: was.asked, commits: None }
    }

    /// Where a track is, confirmed or expected.
    pub(super) fn place_of(&self, track: TrackId) -> Option<TrackIndex> {
        let new = self.new_tracks.get(&track).map(|new| new.place);
        new.or_else(|| self.confirmed.song().track_with_id(track))
    }

    pub(super) fn tell_moved(&mut self, moves: &[Move]) {
        let told = |one: &Move| Moved { track: one.track, from: Some(one.from), to: one.to };
        self.moved.push(moves.iter().map(told).collect());
    }

    /// What my hand holds goes along with its track.
    pub(super) fn move_hands(&mut self, moves: &[Move], touched: &mut Vec<Register>) {
        let me = self.client;
        let target = |slot: &Slot| match slot.owner() {
            Owner::Track(track) => moves.iter().find(|one| one.from == track),
            Owner::Master => None,
        };
        let moved =
            self.gestures.extract_if(.., |slot, (author, _)| Some(*author) == me && target(slot).is_some());
        for (slot, held) in moved.collect::<Vec<_>>() {
            touched.push(Register::Param(slot));
            if let Some(to) = target(&slot).and_then(|one| one.to) {
                let slot = Slot::new(Owner::Track(to), slot.param());
                self.gestures.insert(slot, held);
                touched.push(Register::Param(slot));
            }
        }
    }
}

/// How many ops of a list (without headers) each frame takes. A new track ends its frame: what is
/// written of it follows in the next, by its id.
pub(super) fn frames(ops: &[StampedOp]) -> Vec<usize> {
    let mut sizes = Vec::new();
    let mut size = 0;
    for (at, op) in ops.iter().enumerate() {
        let adds = |op: &StampedOp| matches!(op.op, Op::AddTrack(_));
        if size == MAX_OPS || at > 0 && adds(&ops[at - 1]) && !adds(op) {
            sizes.push(std::mem::take(&mut size));
        }
        size += 1;
    }
    sizes.push(size);
    sizes
}

impl Frame {
    /// Whether ops can travel in one frame.
    pub fn holds(ops: &[StampedOp]) -> bool {
        let body: Vec<StampedOp> = body(ops).cloned().collect();
        !body.is_empty() && frames(&body).len() == 1
    }
}

impl State {
    /// Writes what is expected to land next. Where several new tracks are expected, each finds the
    /// places that those before it have left.
    pub(super) fn foresee(&mut self, edits: &[Edit]) {
        self.seq.0 += 1;
        for edit in edits {
            self.song.apply(edit);
            let register = edit.register();
            if matches!(register, Register::Track(_, TrackRegister::Alive)) {
                self.stamps.insert(register, Stamp { seq: self.seq, ..Stamp::default() });
            }
        }
    }
}
