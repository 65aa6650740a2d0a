//! A commit is taken in; one of mine tells my steps what it met.

use std::collections::BTreeMap;

use super::{Replica, last_tempo, registers, slot_of};
use crate::pattern::{Edit, Register};
use crate::session::state::Applied;
use crate::session::undo::{Before, Outcome};
use crate::session::{
    ApplyError, Change, ClientId, Commit, Op, Seq, Stamp, StampedOp, State, Subject, Written,
};

impl Replica {
    /// Takes the next commit into the confirmed state and notes the registers whose view may have
    /// changed. Returns what else an engine must be told.
    pub(super) fn absorb(
        &mut self,
        commit: &Commit,
        touched: &mut Vec<Register>,
    ) -> Result<Vec<Change>, ApplyError> {
        let mine = self.client == Some(commit.author);
        let before = mine.then(|| Met::of(&self.confirmed, &commit.ops));
        let landing = self.confirmed.landing(&commit.ops, self.client);
        let Applied { mut changes, written, promoted, .. } = self.confirmed.take(commit)?;
        touched.extend(registers(&commit.ops));
        touched.extend(&written);
        if mine && let Some(frame) = self.take_frame(commit.cseq) {
            touched.extend(registers(&frame.ops));
        }
        if !self.new_tracks.is_empty() {
            // Steps are known by where their tracks are.
            let new = self.overlay().new_tracks;
            self.follow(new, touched);
        }
        if let Some(before) = before {
            self.landed(commit, &before, &written);
        }
        for (seq, register, before) in landing {
            self.undo.promoted(seq, register, before);
        }
        let landed = promoted.iter().map(|due| due.edit.register());
        let written: Vec<Register> = written.into_iter().chain(landed).collect();
        for register in &written {
            self.auditioned.remove(register);
        }
        for slot in written.into_iter().filter_map(slot_of) {
            // Under my own hand nothing moves; another's gesture has found its end.
            if self.gestures.get(&slot).is_some_and(|(author, _)| Some(*author) != self.client) {
                self.gestures.remove(&slot);
            }
        }
        for due in promoted {
            let register = due.edit.register();
            self.land(register, due.at, due.edit);
            touched.push(register);
        }
        changes.retain(|change| matches!(change, Change::TempoMap(_) | Change::Timeline(_)));
        Ok(changes)
    }

    /// A frame of mine became a commit: my steps and what waits to leave know it by that.
    fn landed(&mut self, commit: &Commit, before: &Met, written: &[Register]) {
        let stamp = Stamp { seq: commit.seq, author: commit.author };
        let outcomes = outcomes(&commit.ops, written);
        let confirmed = &self.confirmed;
        let met =
            |subject| before.get(subject).unwrap_or_else(|| (confirmed.holds(subject), Stamp::default()));
        let outcome = |subject| outcomes.get(&subject).copied().unwrap_or(Outcome::Withheld);
        let expanded = commit.ops.iter().any(|op| op.op.is_expanded());
        let all = outcomes.keys().copied().filter(|_| expanded);
        self.undo.landed(commit.cseq, stamp, met, outcome, all);
        let frame = Written::Frame(commit.cseq);
        self.name_writes(|written| (written == frame).then_some(Written::Unseen(commit.seq)));
    }
}

/// What subjects a commit writes held before it, and by whose write.
enum Met {
    Subjects(BTreeMap<Subject, (Before, Stamp)>),
    /// Where the commit's writes follow from what it meets.
    State(Box<State>),
}

impl Met {
    fn of(state: &State, ops: &[StampedOp]) -> Met {
        match ops.iter().any(|op| op.op.is_expanded()) {
            true => Met::State(Box::new(state.clone())),
            false => Met::Subjects(state.met_by(ops)),
        }
    }

    fn get(&self, subject: Subject) -> Option<(Before, Stamp)> {
        match self {
            Met::Subjects(subjects) => subjects.get(&subject).copied(),
            Met::State(state) => Some((state.holds(subject), state.last_write(subject))),
        }
    }
}

/// What a commit did to each subject it speaks of.
fn outcomes(ops: &[StampedOp], written: &[Register]) -> BTreeMap<Subject, Outcome> {
    let outcome = |op: &StampedOp| match &op.op {
        Op::Cancel { register, .. } => Some((Subject::Register(*register), Outcome::Cancelled)),
        Op::TempoMap(_) => Some((Subject::Tempo, Outcome::Wrote)),
        other => {
            let done = if op.at.is_some() { Outcome::Waits } else { Outcome::Wrote };
            Some((Subject::Register(other.edit()?.register()), done))
        }
    };
    let expanded = written.iter().map(|register| (Subject::Register(*register), Outcome::Wrote));
    expanded.chain(ops.iter().filter_map(outcome)).collect()
}

impl State {
    /// What a subject holds; of the tempo, what was asked for last.
    pub(super) fn holds(&self, subject: Subject) -> Before {
        match subject {
            Subject::Register(register) => Before::Edit(self.read(register)),
            Subject::Tempo => Before::Tempo(last_tempo(self.tempo_map())),
        }
    }

    pub(super) fn last_write(&self, subject: Subject) -> Stamp {
        match subject {
            Subject::Register(register) => self.stamp(register),
            Subject::Tempo => self.rulings().tempo.stamp(),
        }
    }

    /// What a commit's ops meet: each subject's value and last write.
    fn met_by(&self, ops: &[StampedOp]) -> BTreeMap<Subject, (Before, Stamp)> {
        let subjects = outcomes(ops, &[]).into_keys();
        subjects.map(|subject| (subject, (self.holds(subject), self.last_write(subject)))).collect()
    }

    /// Waiting edits of one author that a commit's ops let take effect: their commit, the register,
    /// and what it holds until then.
    fn landing(&self, ops: &[StampedOp], author: Option<ClientId>) -> Vec<(Seq, Register, Edit)> {
        let mut held = BTreeMap::new();
        let mut landing = Vec::new();
        for op in ops {
            let Op::Promote(upto) = op.op else { continue };
            for due in self.waiting().iter().filter(|waiting| waiting.at <= upto) {
                let register = due.edit.register();
                let before = held.insert(register, due.edit).unwrap_or_else(|| self.read(register));
                if Some(due.stamp.author) == author {
                    landing.push((due.stamp.seq, register, before));
                }
            }
        }
        landing
    }
}
