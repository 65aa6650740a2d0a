//! Undo, conflicts, strategies, permissions.

use super::Participant;
use crate::client::Event;
use crate::client::decisions::{Decision, subject_words};
use crate::session::{Commit, How, Op, Refusal, StampedOp, StepId, Wanted};
use crate::time::Clock;

impl Participant {
    /// Does what a person asks about decisions.
    pub(super) fn decide(&mut self, decision: Decision) {
        let op = match decision {
            Decision::Undo(how) => return self.take_back(how, true),
            Decision::Redo(how) => return self.take_back(how, false),
            Decision::Audition(candidate) => return self.try_candidate(candidate),
            Decision::Resolve { id, choice } => {
                // What was tried is decided now.
                let changes = self.studio.audition(&[]);
                self.tell_engine(changes);
                Op::Resolve { id, choice }
            }
            Decision::Strategy { matter, strategy } => Op::Strategy { matter, strategy },
            Decision::Permit { who, grant } => Op::Permit { who, grant },
        };
        self.ops(vec![StampedOp { op, at: None }]);
    }

    fn take_back(&mut self, how: How, back: bool) {
        // A hand that still holds something leaves its step first.
        self.settle_hands(crate::time::HostNanos(i64::MAX));
        let position = self.engine.position_at(self.clock.now());
        let made = if back { self.studio.undo(how, position) } else { self.studio.redo(how, position) };
        match made {
            Some(made) => self.made(made),
            None if how == How::Skip => {}
            None => self.complain(format!("there is nothing to {}", if back { "undo" } else { "redo" })),
        }
    }

    /// Tries a candidate here alone.
    fn try_candidate(&mut self, candidate: Option<(u32, u8)>) {
        let mut edits = Vec::new();
        if let Some((id, choice)) = candidate {
            let card = self.studio.confirmed().rulings().conflicts.card(id).cloned();
            let wanted =
                card.and_then(|card| card.candidates.get(usize::from(choice)).map(|found| found.value));
            match wanted {
                Some(Wanted::Edit(edit)) => edits.push(edit),
                Some(Wanted::Tempo(_)) => {
                    return self.complain("a tempo cannot be tried alone: all play by one clock".to_owned());
                }
                None => return self.complain(format!("there is no candidate {choice} of a conflict {id}")),
            }
        }
        let changes = self.studio.audition(&edits);
        self.tell_engine(changes);
    }

    /// Edits that belong to one step with others of the same number.
    pub(super) fn stroke(&mut self, step: u64, ops: Vec<StampedOp>) {
        let position = self.engine.position_at(self.clock.now());
        match self.studio.edit_in(Some(StepId(step)), ops, position) {
            Ok(made) => self.made(made),
            Err(reason) => self.complain(reason),
        }
    }

    /// Tells of the cards that a commit brought.
    pub(super) fn tell_cards(&mut self, commit: &Commit) {
        let now = self.clock.now();
        for op in &commit.ops {
            let Op::Conflicts { cards, .. } = &op.op else { continue };
            for card in cards {
                let names = card.candidates.iter().map(|candidate| self.name_of(candidate.author)).collect();
                let about = subject_words(card.subject, self.studio.song());
                self.events.tell(Event::Conflict { card: Box::new(card.clone()), about, names }, now);
            }
        }
    }

    /// A refusal as a person reads it: with names for numbers.
    pub(super) fn refusal_words(&self, refusal: &Refusal) -> String {
        match refusal {
            Refusal::StaleUndo { subject, by, seq, .. } if seq.0 > 0 => {
                let what = subject_words(*subject, self.studio.song());
                let who = if *by == self.studio.client() {
                    "you have".to_owned()
                } else {
                    self.name_of(*by) + " has"
                };
                format!("{who} changed {what} since (commit {}); undo anyway to override", seq.0)
            }
            Refusal::StaleUndo { subject, .. } => {
                let what = subject_words(*subject, self.studio.song());
                format!("{what} has changed since in a way that is not remembered; undo anyway to override")
            }
            other => other.to_string(),
        }
    }
}
