//! A peer's copy: confirmed state under the overlay of its own pending ops.

mod astray;
mod landing;
mod making;
mod neighbours;
mod newcomers;
mod overlay;
mod plan;
mod viewing;
mod welcoming;

use std::collections::{BTreeMap, VecDeque};

pub use self::astray::Moved;
pub(super) use self::newcomers::Move;
use self::newcomers::Newcomer;
pub use self::welcoming::{Answered, Catchup, Welcomed};
use super::header::body;
use super::undo::UndoStack;
use super::{
    ApplyError, Change, ClientId, Commit, Cseq, Op, Revert, Seq, StampedOp, State, Timeline, Written,
};
use crate::param::{Slot, TrackIndex};
use crate::pattern::{Edit, Register, Song, TrackId};
use crate::time::{Beats, Tempo, TempoMap};

/// Follows a session: what is confirmed, what of mine is not, and what to show and play meanwhile.
///
/// My own edit shows at once; a remote value never shows under it; only a refusal takes it back.
/// Every call that changes the view returns what an engine must be told, in order, so that it comes
/// to hold the view and the edits that wait for their beat ([`Replica::waiting`]).
#[derive(Clone, Debug)]
pub struct Replica {
    confirmed: State,
    view: Song,
    /// Registers that ops of mine write which only their place in the session can expand.
    expanded: Vec<Register>,
    /// What waits in the view, by register, in order of beat.
    waiting: BTreeMap<Register, Vec<(Beats, Edit)>>,
    gestures: BTreeMap<Slot, (ClientId, f32)>,
    /// `None` until a sequencer has welcomed this replica: its frames' numbers are its own guess.
    client: Option<ClientId>,
    next_cseq: Cseq,
    outbox: VecDeque<Frame>,
    /// Other instances' frames that nobody has answered, in order.
    neighbours: Vec<Frame>,
    /// Frames of the outbox handed out by [`Replica::next_to_send`].
    sent: usize,
    /// Whether a welcome has come on the present connection.
    welcomed: bool,
    undo: UndoStack,
    /// Candidates that are tried here alone.
    auditioned: BTreeMap<Register, Edit>,
    /// Tracks that no commit has confirmed.
    new_tracks: BTreeMap<TrackId, Newcomer>,
    /// Tracks that a state which took the place of another has not, and where they stood.
    astray: Vec<(TrackId, TrackIndex)>,
    /// Tracks that are elsewhere now, by when they moved.
    moved: Vec<Vec<Moved>>,
}

/// A frame of my ops that nobody has answered yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// Its number.
    pub cseq: Cseq,
    /// The last commit I had seen when I made it.
    pub base: Seq,
    /// What it changes.
    pub ops: Vec<StampedOp>,
}

impl Replica {
    /// A replica of a state, with nothing of its own.
    pub fn new(state: State) -> Replica {
        let mut replica = Replica {
            view: state.song().clone(),
            confirmed: state,
            expanded: Vec::new(),
            waiting: BTreeMap::new(),
            gestures: BTreeMap::new(),
            client: None,
            next_cseq: Cseq(1),
            outbox: VecDeque::new(),
            neighbours: Vec::new(),
            sent: 0,
            welcomed: false,
            undo: UndoStack::default(),
            auditioned: BTreeMap::new(),
            new_tracks: BTreeMap::new(),
            astray: Vec::new(),
            moved: Vec::new(),
        };
        replica.rebuild();
        replica
    }

    /// A replica as its journal kept it: the client its frames are numbered under, the frames that
    /// nobody has answered, in order, and the number of the next.
    pub fn restore(
        state: State,
        client: ClientId,
        next_cseq: Cseq,
        outbox: impl IntoIterator<Item = Frame>,
    ) -> Replica {
        let mut replica = Replica::new(state);
        replica.client = Some(client);
        replica.outbox = outbox.into_iter().collect();
        let after_last = replica.outbox.back().map_or(1, |frame| frame.cseq.0 + 1);
        replica.next_cseq = Cseq(next_cseq.0.max(after_last));
        replica.rebuild();
        replica
    }

    /// The song to show and to play: confirmed, then what is pending of mine, then gestures.
    pub fn view(&self) -> &Song {
        &self.view
    }

    /// Edits of the view that wait for their beat, by register, each register's in order of beat.
    pub fn waiting(&self) -> impl Iterator<Item = (Beats, &Edit)> {
        self.waiting.values().flatten().map(|(at, edit)| (*at, edit))
    }

    /// The confirmed state.
    pub fn confirmed(&self) -> &State {
        &self.confirmed
    }

    /// The last commit applied.
    pub fn seq(&self) -> Seq {
        self.confirmed.seq()
    }

    /// The tempo map.
    pub fn tempo_map(&self) -> &TempoMap {
        self.confirmed.tempo_map()
    }

    /// The session's transport.
    pub fn timeline(&self) -> Timeline {
        self.confirmed.timeline()
    }

    /// Who I am in the session, once welcomed.
    pub fn client(&self) -> Option<ClientId> {
        self.client
    }

    /// My steps.
    pub fn steps(&self) -> &UndoStack {
        &self.undo
    }

    /// My frames that nobody has answered, in order: number, base, ops.
    pub fn outbox(&self) -> impl Iterator<Item = (Cseq, Seq, &[StampedOp])> {
        self.outbox.iter().map(|frame| (frame.cseq, frame.base, frame.ops.as_slice()))
    }

    /// The next frame of the outbox that has not been handed out since the last
    /// [`Replica::resend_from_start`] or welcome. Before the connection's welcome there is none: it
    /// tells which frames have been answered already, and numbers may change under it.
    pub fn next_to_send(&mut self) -> Option<&Frame> {
        let frame = self.outbox.get(self.sent).filter(|_| self.welcomed)?;
        self.sent += 1;
        Some(frame)
    }

    /// The connection is lost: nothing is handed out until the next welcome, and others' gestures,
    /// whose end nobody would tell, are over.
    pub fn disconnect(&mut self) -> Vec<Change> {
        self.welcomed = false;
        let mine = |author: &ClientId| Some(*author) == self.client;
        let ended: Vec<Slot> =
            self.gestures.iter().filter(|(_, (author, _))| !mine(author)).map(|(slot, _)| *slot).collect();
        self.gestures.retain(|slot, _| !ended.contains(slot));
        self.refresh(ended.into_iter().map(Register::Param).collect())
    }

    /// Hands the whole outbox out again, with the same numbers: a time without an answer proves
    /// nothing, and the sequencer answers a retry as it did the first time.
    pub fn resend_from_start(&mut self) {
        self.sent = 0;
    }

    /// Ops of mine that no commit has confirmed.
    pub fn unsaved(&self) -> usize {
        self.outbox.iter().chain(&self.neighbours).map(|frame| body(&frame.ops).count()).sum()
    }

    /// Applies a commit. One of mine confirms its frame and changes nothing that shows; one that
    /// has been applied before is passed over.
    ///
    /// # Errors
    /// Commits are missing before it, or it breaks a bound; ask for a welcome again.
    pub fn commit(&mut self, commit: &Commit) -> Result<Vec<Change>, ApplyError> {
        if commit.seq <= self.confirmed.seq() {
            return Ok(Vec::new());
        }
        let mut touched = Vec::new();
        let changes = self.absorb(commit, &mut touched)?;
        let mut told = self.refresh(touched);
        told.extend(changes);
        Ok(told)
    }

    /// Takes back a refused frame, and that alone.
    pub fn nack(&mut self, cseq: Cseq) -> Vec<Change> {
        match self.take_frame(cseq) {
            Some(frame) => {
                self.undo.refused(cseq);
                self.refresh(registers(&frame.ops))
            }
            None => Vec::new(),
        }
    }

    /// Names writes that the outbox's undos speak of anew.
    fn name_writes(&mut self, new: impl Fn(Written) -> Option<Written>) {
        self.outbox.iter_mut().flat_map(|frame| &mut frame.ops).for_each(|op| op.name_write(&new));
    }

    fn take_frame(&mut self, cseq: Cseq) -> Option<Frame> {
        let place = self.outbox.iter().position(|frame| frame.cseq == cseq)?;
        self.sent -= usize::from(place < self.sent);
        self.outbox.remove(place)
    }
}

fn last_tempo(map: &TempoMap) -> Tempo {
    map.segments().last().map_or(Tempo::DEFAULT, |segment| segment.tempo)
}

impl StampedOp {
    /// Names the write that an undo, or a part of a long frame, speaks of anew, where that is told.
    pub fn name_write(&mut self, new: impl Fn(Written) -> Option<Written>) {
        if let Op::Revert(Revert { written, .. }) | Op::RevertTempo { written, .. } | Op::Follows(written) =
            &mut self.op
            && let Some(named) = new(*written)
        {
            *written = named;
        }
    }

    /// The register it writes or speaks of, if it does.
    pub fn register(&self) -> Option<Register> {
        match &self.op {
            Op::Cancel { register, .. } => Some(*register),
            op => op.edit().map(|edit| edit.register()),
        }
    }
}

fn registers(ops: &[StampedOp]) -> Vec<Register> {
    ops.iter().filter_map(StampedOp::register).collect()
}

fn slot_of(register: Register) -> Option<Slot> {
    match register {
        Register::Param(slot) => Some(slot),
        _ => None,
    }
}
