//! What becomes of steps afterwards: their frames are committed, refused or numbered anew, and their
//! tracks move.
//!
//! Invariant: a refused undo puts back what it was to undo, in its place; what wrote nothing is part
//! of no step.

use std::collections::VecDeque;

use super::{Before, Entry, Meant, Outcome, Step, UndoStack};
use crate::pattern::{Edit, Register};
use crate::session::replica::Move;
use crate::session::{Cseq, Seq, Stamp, Subject, Written};

impl UndoStack {
    /// A frame of mine became a commit. `met` is what each subject held until then and by whose
    /// write, `outcome` what the commit did to it; `all` names every subject where the commit may have
    /// written others than were expected.
    pub(in crate::session) fn landed(
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
    pub(in crate::session) fn promoted(&mut self, seq: Seq, register: Register, before: Edit) {
        for entry in self.entries() {
            let waited = entry.waits.is_some_and(|(edit, _)| edit.register() == register);
            if waited && entry.landed == Some(seq) && !entry.cancelled {
                entry.before = Before::Edit(before);
                entry.waits = None;
            }
        }
    }

    /// A frame of mine was refused: what it undid can be undone again.
    pub(in crate::session) fn refused(&mut self, cseq: Cseq) {
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

    /// I am told that a frame of mine became a commit, and not what it met.
    pub(in crate::session) fn told(&mut self, cseq: Cseq, seq: Seq) {
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
    pub(in crate::session) fn renumber(&mut self, new: impl Fn(Cseq) -> Option<Cseq>) {
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

    /// The state came anew, perhaps over another line of commits: a write of mine that still holds
    /// is known by the commit that holds it now, of which I have not seen what it met. `holds` tells
    /// the old commit and the new.
    pub(in crate::session) fn reanchor(&mut self, holds: impl Fn(Subject) -> Option<(Seq, Seq)>) {
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

    /// Tracks are elsewhere now: what was written of them goes along. `anew`: the whole state came
    /// anew, and places may mean others than before.
    pub(in crate::session) fn retrack(&mut self, moves: &[Move], anew: bool) {
        self.walk(|entry, _| {
            if let Some(Move { track, to, .. }) = entry.go_along(moves)
                && anew
            {
                entry.means = Some(Meant { track, here: to.is_some() });
            }
        });
    }

    /// Tracks that were nowhere show again.
    pub(in crate::session) fn found(&mut self, moves: &[Move]) {
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
