//! One person's undo and redo.
//!
//! A step is what one command, gesture or drag wrote: for each register what it held before, and
//! the write by which it is known. Undoing a step sends the inverse, marked with the writes it
//! undoes; the sequencer accepts it while those are still the registers' last. The inverse is a step
//! of its own on the other stack: redo is its inverse.
//!
//! What a register held before is taken from the view when the edit is made, and corrected from the
//! confirmed state when its commit comes: another's write may have come between.

use std::collections::VecDeque;

use super::header::each_track_of;
use super::replica::Move;
use super::{Cseq, Op, Revert, Seq, Stamp, StampedOp, Subject, Written};
use crate::param::TrackIndex;
use crate::pattern::{Edit, Register, TrackId};
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

    /// A frame of mine became a commit. `met` is what each subject held until then and by whose
    /// write, `outcome` what the commit did to it; `all` names every subject where the commit may have
    /// written others than were expected.
    pub(super) fn landed(
        &mut self,
        cseq: Cseq,
        commit: Stamp,
        met: impl Fn(Subject) -> (Before, Stamp),
        outcome: impl Fn(Subject) -> Outcome,
        all: impl Iterator<Item = Subject>,
    ) {
        let (frame, now) = (Written::Frame(cseq), Written::Commit(commit.seq));
        // What was lifted to an undo under way, on the belief that my own write lay below.
        let mut sink = Vec::new();
        self.walk(|entry, above| {
            let subject = entry.before.subject();
            let opens = entry.first == Some(cseq);
            let outcome = (opens || entry.written == frame).then(|| outcome(subject));
            if outcome.is_some_and(|outcome| outcome != Outcome::Withheld) {
                entry.landed = Some(commit.seq);
            }
            if opens {
                entry.first = None;
                // Accepted: nothing is to be put back any more.
                entry.origin = None;
                let (held, stamp) = met(subject);
                let mine = stamp.author == commit.author && stamp.seq > Seq(0);
                let below = mine.then_some(Written::Commit(stamp.seq));
                match outcome {
                    Some(Outcome::Wrote) => {
                        if let (Some(above), Some(believed), None) = (above, entry.below, below) {
                            sink.push((subject, above, believed));
                        }
                        (entry.before, entry.below, entry.waits) = (held, below, None);
                    }
                    Some(Outcome::Waits) => entry.below = None,
                    Some(Outcome::Cancelled) => entry.cancelled = true,
                    Some(Outcome::Withheld) | None => {}
                }
            }
            if entry.written == frame
                && let Some(seq) = entry.landed
            {
                entry.written = Written::Commit(seq);
            }
            if entry.below == Some(frame) {
                entry.below = Some(now);
            }
        });
        for (subject, above, believed) in sink {
            let frame = Written::Frame(above);
            self.walk(|entry, _| {
                let lifted = entry.written == frame && entry.first != Some(above);
                if lifted && entry.before.subject() == subject {
                    entry.written = believed;
                }
            });
        }
        self.complete(commit, met, all);
        // What was withheld for somebody to pick wrote nothing that could be undone.
        self.drop_entries(|entry| entry.written == frame);
        self.unanswered.retain(Step::is_unanswered);
    }

    /// What an op on a whole pattern has written beyond what was expected belongs to its step.
    fn complete(
        &mut self,
        commit: Stamp,
        met: impl Fn(Subject) -> (Before, Stamp),
        all: impl Iterator<Item = Subject>,
    ) {
        let now = Written::Commit(commit.seq);
        let steps = self.done.iter_mut().rev();
        let Some(step) = steps.into_iter().find(|step| step.entries.iter().any(|e| e.written == now)) else {
            return;
        };
        for subject in all {
            if step.entries.iter().any(|entry| entry.before.subject() == subject) {
                continue;
            }
            let (before, stamp) = met(subject);
            let mine = stamp.author == commit.author && stamp.seq > Seq(0);
            let mut entry = Entry::new(before, Cseq(0), mine.then_some(Written::Commit(stamp.seq)));
            (entry.written, entry.first, entry.landed) = (now, None, Some(commit.seq));
            step.entries.push(entry);
        }
    }

    /// An edit of mine that waited has taken effect: what the register held until then.
    pub(super) fn promoted(&mut self, seq: Seq, register: Register, before: Edit) {
        for entry in self.entries() {
            let waited = entry.waits.is_some_and(|(edit, _)| edit.register() == register);
            if waited && entry.landed == Some(seq) && !entry.cancelled {
                entry.before = Before::Edit(before);
                entry.waits = None;
            }
        }
    }

    /// A frame of mine was refused: what it undid can be undone again.
    pub(super) fn refused(&mut self, cseq: Cseq) {
        let frame = Written::Frame(cseq);
        let back_to_done = take_origins(&mut self.undone, cseq);
        let back_to_done = back_to_done.or_else(|| take_origins(&mut self.unanswered, cseq));
        let back_to_undone = take_origins(&mut self.done, cseq);
        let origins: Vec<_> =
            [&back_to_done, &back_to_undone].into_iter().flatten().flat_map(|s| &s.entries).collect();
        let below: Vec<_> = origins.iter().map(|origin| (origin.before.subject(), origin.below)).collect();
        self.walk(|entry, _| {
            if entry.first == Some(cseq) {
                entry.first = None;
            }
            if entry.written == frame
                && let Some(seq) = entry.landed
            {
                entry.written = Written::Commit(seq);
            }
            if entry.below == Some(frame) {
                let subject = entry.before.subject();
                entry.below = below.iter().find(|(other, _)| *other == subject).and_then(|(_, below)| *below);
            }
        });
        self.drop_entries(|entry| entry.written == frame);
        // Several undos may be refused one after the other: each step goes back to its place.
        if let Some(step) = back_to_done {
            put_back(&mut self.done, step, |other, nth| other < nth);
        }
        if let Some(step) = back_to_undone {
            put_back(&mut self.undone, step, |other, nth| other > nth);
        }
    }

    /// The state came anew, perhaps over another line of commits: a write of mine that still holds
    /// is known by the commit that holds it now, of which I have not seen what it met. `holds` tells
    /// the old commit and the new.
    pub(super) fn reanchor(&mut self, holds: impl Fn(Subject) -> Option<(Seq, Seq)>) {
        self.walk(|entry, _| {
            if let Written::Commit(seq) | Written::Unseen(seq) = entry.written
                // Of one that has moved, the old state says nothing at its place.
                && entry.means.is_none()
                && let Some((old, new)) = holds(entry.before.subject())
                && seq == old
            {
                entry.written = Written::Unseen(new);
                entry.landed = Some(new);
            }
        });
    }

    /// I am told that a frame of mine became a commit, and not what it met.
    pub(super) fn told(&mut self, cseq: Cseq, seq: Seq) {
        let (frame, now) = (Written::Frame(cseq), Written::Unseen(seq));
        self.walk(|entry, _| {
            if entry.first == Some(cseq) {
                (entry.first, entry.origin) = (None, None);
            }
            if entry.written == frame {
                (entry.written, entry.landed) = (now, Some(seq));
            }
            if entry.below == Some(frame) {
                entry.below = Some(now);
            }
        });
    }

    /// My frames have new numbers.
    pub(super) fn renumber(&mut self, new: impl Fn(Cseq) -> Option<Cseq>) {
        let map = |written: &mut Written| {
            if let Written::Frame(cseq) = written
                && let Some(cseq) = new(*cseq)
            {
                *written = Written::Frame(cseq);
            }
        };
        self.walk(|entry, _| {
            map(&mut entry.written);
            entry.below.iter_mut().for_each(map);
            entry.first = entry.first.map(|first| new(first).unwrap_or(first));
        });
    }

    /// Tracks are elsewhere now: what was written of them goes along. `anew`: the whole state came
    /// anew, and places may mean others than before.
    pub(super) fn retrack(&mut self, moves: &[Move], anew: bool) {
        self.walk(|entry, _| {
            if let Some(Move { track, to, .. }) = entry.go_along(moves)
                && anew
            {
                entry.means = Some(Meant { track, here: to.is_some() });
            }
        });
    }

    /// Tracks that were nowhere show again.
    pub(super) fn found(&mut self, moves: &[Move]) {
        self.walk(|entry, _| {
            if entry.is_astray()
                && let Some(Move { track, .. }) = entry.go_along(moves)
            {
                entry.means = Some(Meant { track, here: true });
            }
        });
    }

    /// Looks at every entry, and at those that an undo under way would put back: with these comes
    /// the undo's frame.
    fn walk(&mut self, mut look: impl FnMut(&mut Entry, Option<Cseq>)) {
        for entry in self.entries() {
            let (mut at, mut above) = (Some(entry), None);
            while let Some(entry) = at {
                let frame = entry.first;
                look(entry, above);
                above = frame;
                at = entry.origin.as_deref_mut();
            }
        }
    }

    fn drop_entries(&mut self, gone: impl Fn(&Entry) -> bool) {
        for stack in [&mut self.done, &mut self.undone, &mut self.unanswered] {
            stack.iter_mut().for_each(|step| step.entries.retain(|entry| !gone(entry)));
            stack.retain(|step| !step.entries.is_empty());
        }
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

/// Puts a step, or a part of one, back among the others. Parts come in the order of an inverse: the
/// last writes first.
fn put_back(stack: &mut VecDeque<Step>, mut step: Step, before: impl Fn(u64, u64) -> bool) {
    let at = stack.partition_point(|other| before(other.nth, step.nth));
    match stack.get_mut(at).filter(|other| other.nth == step.nth) {
        Some(rest) => {
            step.entries.append(&mut rest.entries);
            rest.entries = step.entries;
        }
        None => stack.insert(at, step),
    }
}

/// Takes the entries of a refused frame out of a stack and returns what they were to undo, in the
/// order in which it was made.
fn take_origins(stack: &mut VecDeque<Step>, cseq: Cseq) -> Option<Step> {
    let mut back = None;
    for step in stack.iter_mut() {
        let refused = |entry: &mut Entry| entry.first == Some(cseq) && entry.origin.is_some();
        let taken = step.entries.extract_if(.., refused);
        let mut origins: Vec<Entry> = taken.filter_map(|entry| entry.origin.map(|origin| *origin)).collect();
        if !origins.is_empty() {
            origins.reverse();
            back = Some(Step { id: None, nth: step.nth, entries: origins });
        }
    }
    stack.retain(|step| !step.entries.is_empty());
    back
}
