//! One person's undo and redo.
//!
//! A step is what one command, gesture or drag wrote: for each register what it held before, and
//! the write by which it is known. Undoing a step sends the inverse, marked with the writes it
//! undoes; the sequencer accepts it while those are still the registers' last. The inverse is a step
//! of its own on the other stack: redo is its inverse.
//!
//! What a register held before is taken from the view when the edit is made, and corrected from the
//! confirmed state when its commit comes: another's write may have come between.

mod answers;

use std::collections::VecDeque;

use super::header::each_track_of;
use super::replica::Move;
use super::{Cseq, Op, Revert, Seq, Stamp, StampedOp, Subject, Written};
use crate::param::TrackIndex;
use crate::pattern::{Edit, TrackId};
use crate::time::{Beats, Tempo};

/// The most steps that can be undone.
pub const MAX_STEPS_BACK: usize = 500;

/// Names a drag whose edits come in several frames and are one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StepId(pub u64);

/// How to undo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// Unless somebody has changed it since.
    Checked,
    /// Whatever happened since.
    Force,
    /// Not at all: forget the step, and let the one before it be the next.
    Skip,
}

/// One command's writes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Step {
    id: Option<StepId>,
    /// Counts commands: undone and done again, it is the same.
    nth: u64,
    entries: Vec<Entry>,
}

impl Step {
    /// Whether anything of it can be taken back now.
    fn is_there(&self) -> bool {
        self.entries.iter().any(|entry| !entry.is_astray())
    }

    /// Whether it undoes what may have to be put back.
    fn is_unanswered(&self) -> bool {
        self.entries.iter().any(|entry| entry.origin.is_some())
    }

    /// What it wrote.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }
}

/// A value a subject held before.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Before {
    /// A register's.
    Edit(Edit),
    /// The tempo.
    Tempo(Tempo),
}

impl Before {
    fn subject(&self) -> Subject {
        match self {
            Before::Edit(edit) => Subject::Register(edit.register()),
            Before::Tempo(_) => Subject::Tempo,
        }
    }
}

/// One register's part of a step.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// What it held before.
    pub before: Before,
    /// The step's last write of it.
    pub written: Written,
    /// The step's first write of it, while that is unanswered.
    first: Option<Cseq>,
    /// The step's last write that has been committed.
    landed: Option<Seq>,
    /// My write before, if that was the register's last: once this is undone, it is so again.
    below: Option<Written>,
    /// An edit that waited for its beat.
    waits: Option<(Edit, Beats)>,
    /// An inverse that only ended such an edit's waiting: redo lets it wait again.
    cancelled: bool,
    /// Which track its place means, since a state came anew in which that was another's; without a
    /// place, while the track is nowhere.
    means: Option<Meant>,
    /// The entry that this one undoes, until the sequencer has accepted it.
    origin: Option<Box<Entry>>,
}

/// A track, and whether it is there.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Meant {
    track: TrackId,
    here: bool,
}

impl Entry {
    fn new(before: Before, cseq: Cseq, below: Option<Written>) -> Entry {
        Entry {
            before,
            written: Written::Frame(cseq),
            first: Some(cseq),
            landed: None,
            below,
            waits: None,
            cancelled: false,
            means: None,
            origin: None,
        }
    }

    /// Whether its track is nowhere.
    fn is_astray(&self) -> bool {
        self.means.is_some_and(|meant| !meant.here)
    }

    fn is_of(&self, subject: Subject) -> bool {
        !self.is_astray() && self.before.subject() == subject
    }

    /// Whether the place that a track has left meant that track here.
    fn follows(&self, moved: &Move) -> bool {
        let frame = match (self.means, self.written) {
            (Some(meant), _) => return meant.track == moved.track,
            (None, Written::Frame(cseq)) => Some(cseq),
            (None, Written::Commit(seq) | Written::Unseen(seq)) => {
                if moved.commits.is_some_and(|first| seq >= first) {
                    return true;
                }
                self.first
            }
        };
        frame.is_some_and(|frame| moved.since.is_none_or(|since| frame >= since))
    }

    /// Goes along with a track that has moved; says which.
    fn go_along(&mut self, moves: &[Move]) -> Option<Move> {
        let moves: Vec<Move> = moves.iter().copied().filter(|one| self.follows(one)).collect();
        let mut gone = None;
        let mut follow = |track: &mut TrackIndex| {
            if let Some(one) = moves.iter().find(|one| one.from == *track) {
                *track = one.to.unwrap_or(*track);
                gone = Some(*one);
            }
        };
        if let Before::Edit(edit) = &mut self.before {
            each_track_of(edit, &mut follow);
        }
        if let Some((edit, _)) = &mut self.waits {
            each_track_of(edit, &mut follow);
        }
        gone
    }

    /// The op that undoes it.
    fn inverse(&self, force: bool) -> StampedOp {
        if self.cancelled
            && let Some((edit, at)) = self.waits
        {
            return StampedOp { op: Op::Edit(edit), at: Some(at) };
        }
        let op = match self.before {
            Before::Edit(edit) => Op::Revert(Revert { edit, written: self.written, force }),
            Before::Tempo(tempo) => Op::RevertTempo { tempo, written: self.written, force },
        };
        StampedOp { op, at: None }
    }
}

/// What was done and can be undone; what was undone and can be done again.
#[derive(Clone, Debug, Default)]
pub struct UndoStack {
    done: VecDeque<Step>,
    undone: VecDeque<Step>,
    /// Undos that a new write has put out of redo's reach while they are unanswered: refused, what
    /// they were to undo can be undone again.
    unanswered: VecDeque<Step>,
    /// Commands so far.
    made: u64,
}

/// Ops on their way out, each with the entry it undoes.
pub(super) struct Inverse {
    pub(super) ops: Vec<StampedOp>,
    entries: Vec<Entry>,
    nth: u64,
    redo: bool,
}

impl UndoStack {
    /// How many steps can be undone and redone.
    pub fn depth(&self) -> (usize, usize) {
        let there = |steps: &VecDeque<Step>| steps.iter().filter(|step| step.is_there()).count();
        (there(&self.done), there(&self.undone))
    }

    /// The step that undo would take back.
    pub fn top(&self) -> Option<&Step> {
        self.done.iter().rfind(|step| step.is_there())
    }

    /// Notes a frame of mine. `met` is what each subject held before, in the view, and its last
    /// confirmed write; `joins` that the frame belongs to the step before it.
    pub(super) fn made(
        &mut self,
        step: Option<StepId>,
        cseq: Cseq,
        subjects: Vec<(Subject, Option<(Edit, Beats)>)>,
        met: impl Fn(Subject) -> (Before, Stamp),
        joins: bool,
    ) {
        if subjects.is_empty() {
            return;
        }
        self.unanswered.extend(self.undone.drain(..).filter(Step::is_unanswered));
        let same = self.done.back().is_some_and(|top| step.is_some() && top.id == step);
        let mut top = match joins || same {
            true => self.done.pop_back().unwrap_or_default(),
            false => {
                self.made += 1;
                Step { id: step, nth: self.made, entries: Vec::new() }
            }
        };
        for (subject, waits) in subjects {
            match top.entries.iter_mut().find(|entry| entry.is_of(subject)) {
                Some(entry) => entry.written = Written::Frame(cseq),
                None => {
                    let (before, stamp) = met(subject);
                    let held = |written: &Written| match written {
                        Written::Commit(seq) | Written::Unseen(seq) => *seq == stamp.seq,
                        Written::Frame(_) => true,
                    };
                    let mut entry = Entry::new(before, cseq, self.last_write(subject).filter(held));
                    entry.waits = waits;
                    top.entries.push(entry);
                }
            }
        }
        self.done.push_back(top);
        if self.done.len() > MAX_STEPS_BACK {
            self.done.pop_front();
        }
    }

    /// My newest write of a subject, by the steps that stand.
    fn last_write(&self, subject: Subject) -> Option<Written> {
        let entries = self.done.iter().rev().flat_map(|step| &step.entries);
        entries.into_iter().find(|entry| entry.is_of(subject)).map(|entry| entry.written)
    }

    /// Takes the next step back: the ops that do it.
    pub(super) fn undo(&mut self, how: How) -> Option<Inverse> {
        let step = take_last(&mut self.done)?;
        (how != How::Skip).then(|| inverse(step, how == How::Force, false))
    }

    /// Takes the last undo back.
    pub(super) fn redo(&mut self, how: How) -> Option<Inverse> {
        let step = take_last(&mut self.undone)?;
        (how != How::Skip).then(|| inverse(step, how == How::Force, true))
    }

    /// Notes the frames that an inverse became: `frames` gives each op's, in order, and `held` what
    /// each subject held until now, in the view.
    pub(super) fn reverted(
        &mut self,
        inverse: Inverse,
        frames: impl Iterator<Item = Cseq>,
        held: impl Fn(Subject) -> Before,
    ) {
        let mut step = Step { nth: inverse.nth, ..Step::default() };
        for (origin, cseq) in inverse.entries.into_iter().zip(frames) {
            let subject = origin.before.subject();
            let mut entry = Entry::new(held(subject), cseq, Some(origin.written));
            entry.waits = origin.waits;
            // The write below the one undone holds again, now by this frame.
            self.lift(subject, origin.below, Written::Frame(cseq));
            entry.origin = Some(Box::new(origin));
            step.entries.push(entry);
        }
        let stack = if inverse.redo { &mut self.done } else { &mut self.undone };
        stack.push_back(step);
        if stack.len() > MAX_STEPS_BACK {
            stack.pop_front();
        }
    }

    /// Every entry of a subject known by one write is known by another.
    fn lift(&mut self, subject: Subject, from: Option<Written>, to: Written) {
        let Some(from) = from else { return };
        for entry in self.entries().filter(|entry| entry.is_of(subject)) {
            if entry.written == from {
                entry.written = to;
            }
            if entry.below == Some(from) && entry.written != to {
                entry.below = Some(to);
            }
        }
    }

    fn entries(&mut self) -> impl Iterator<Item = &mut Entry> {
        let steps = self.done.iter_mut().chain(&mut self.undone).chain(&mut self.unanswered);
        steps.flat_map(|step| &mut step.entries)
    }
}

/// What a commit did to a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Wrote it.
    Wrote,
    /// Queued a write for its beat.
    Waits,
    /// Ended a write's waiting.
    Cancelled,
    /// Nothing: the value waits on a card.
    Withheld,
}

/// The last step of which anything can be taken back; what speaks of a track that is nowhere is
/// left out.
fn take_last(steps: &mut VecDeque<Step>) -> Option<Step> {
    let last = steps.iter().rposition(Step::is_there)?;
    let mut step = steps.remove(last)?;
    step.entries.retain(|entry| !entry.is_astray());
    Some(step)
}

fn inverse(step: Step, force: bool, redo: bool) -> Inverse {
    let nth = step.nth;
    let entries: Vec<Entry> = step.entries.into_iter().rev().collect();
    Inverse { ops: entries.iter().map(|entry| entry.inverse(force)).collect(), entries, nth, redo }
}
