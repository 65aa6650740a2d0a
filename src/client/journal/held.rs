//! What a journal's records come to.

use std::collections::{BTreeMap, VecDeque};

use super::Record;
use crate::session::{ClientId, Commit, Cseq, Role, Seq, StampedOp, State};

/// A frame of this machine's that the session has not answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Waiting {
    /// Its number.
    pub cseq: Cseq,
    /// The last commit it had seen.
    pub base: Seq,
    /// What it changes.
    pub ops: Vec<StampedOp>,
    /// The instance that made it; 0 for none.
    pub instance: u64,
    /// The instance's own number for it.
    pub ticket: Cseq,
    /// Whether the branch has taken it, and its instance knows.
    pub kept: bool,
}

/// How far an instance's frames have come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Instance {
    /// The last that was taken.
    pub taken: Cseq,
    /// The last that was answered.
    pub answered: Cseq,
}

/// Instances that are remembered; the oldest by number go first. None lives that long.
const INSTANCES: usize = 256;

/// What this machine holds of one groove.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Held {
    /// What it is of.
    pub of: String,
    /// Who this machine is in the session, what it may do, and its next frame's number.
    pub me: Option<(ClientId, Role, Cseq)>,
    /// The session's confirmed state.
    pub confirmed: Option<State>,
    /// The machine's own branch of it.
    pub branch: Option<State>,
    /// Whether the branch alone holds what was edited.
    pub long: bool,
    /// The branch's commits since the journal was last written whole.
    pub kept: Vec<Commit>,
    /// Unanswered frames, in order.
    pub waiting: VecDeque<Waiting>,
    /// How far each instance's frames have come.
    pub instances: BTreeMap<u64, Instance>,
}

impl Held {
    /// Replays records. What cannot follow from what stands is told and passed over: whatever was
    /// damaged before it, the frames that wait are kept.
    pub fn replay(records: Vec<Record>) -> (Held, Vec<String>) {
        let (mut held, mut faults) = (Held::default(), Vec::new());
        for record in records {
            if let Err(fault) = held.take(record) {
                // One damage makes all that follows from it fail alike.
                if faults.len() < 8 {
                    faults.push(fault);
                }
            }
        }
        held.settle();
        (held, faults)
    }

    fn take(&mut self, record: Record) -> Result<(), String> {
        match record {
            Record::Of(of) => self.of = of,
            Record::Me { client, role, next } => self.me = Some((client, role, next)),
            Record::Confirmed(bytes) => {
                let state = State::decode(&bytes).map_err(|e| format!("the confirmed state: {e}"))?;
                self.confirmed = Some(state);
            }
            Record::Commit(commit) => {
                let state = self.confirmed.as_mut().ok_or("a commit without the state before it")?;
                if commit.seq > state.seq() {
                    state.apply(&commit).map_err(|e| e.to_string())?;
                }
            }
            Record::Taken { cseq, base, ops, instance, ticket } => {
                self.took(instance, ticket);
                if let Some((_, _, next)) = &mut self.me {
                    *next = (*next).max(Cseq(cseq.0 + 1));
                }
                self.waiting.push_back(Waiting { cseq, base, ops, instance, ticket, kept: false });
            }
            Record::Answered(cseq) => {
                if let Some(place) = self.waiting.iter().position(|frame| frame.cseq == cseq)
                    && let Some(frame) = self.waiting.remove(place)
                {
                    self.answered(frame.instance, frame.ticket);
                }
            }
            Record::Forked => {
                self.branch = self.confirmed.clone();
                self.kept.clear();
            }
            Record::Branch(bytes) => {
                let state = State::decode(&bytes).map_err(|e| format!("the branch's state: {e}"))?;
                self.branch = Some(state);
            }
            Record::Kept { commit, frame, instance, ticket } => {
                self.took(instance, ticket);
                self.answered(instance, ticket);
                for waiting in self.waiting.iter_mut().filter(|waiting| Some(waiting.cseq) == frame) {
                    waiting.kept = true;
                }
                let branch = self.branch.as_mut().ok_or("a commit without the branch it belongs to")?;
                branch.apply(&commit).map_err(|e| e.to_string())?;
                self.kept.push(commit);
            }
            Record::Long => {
                self.long = true;
            }
            Record::Home => {
                (self.branch, self.long) = (None, false);
            }
            Record::Instance { instance, taken, answered } => {
                self.took(instance, taken);
                self.answered(instance, answered);
            }
        }
        Ok(())
    }

    fn took(&mut self, instance: u64, ticket: Cseq) {
        if instance != 0 {
            let known = self.instances.entry(instance).or_default();
            known.taken = known.taken.max(ticket);
        }
    }

    fn answered(&mut self, instance: u64, ticket: Cseq) {
        if instance != 0 {
            let known = self.instances.entry(instance).or_default();
            known.answered = known.answered.max(ticket);
        }
    }

    fn settle(&mut self) {
        if self.branch.is_some() {
            for frame in &mut self.waiting {
                let known = self.instances.get(&frame.instance).copied().unwrap_or_default();
                frame.kept |= frame.instance == 0 || frame.ticket <= known.answered;
            }
        }
        while self.instances.len() > INSTANCES {
            self.instances.pop_first();
        }
    }

    /// The records that come to the same.
    pub fn records(&self) -> Vec<Record> {
        let mut records = vec![Record::Of(self.of.clone())];
        records.extend(self.me.map(|(client, role, next)| Record::Me { client, role, next }));
        records.extend(self.confirmed.as_ref().map(|state| Record::Confirmed(state.encode())));
        records.extend(self.waiting.iter().map(|frame| Record::Taken {
            cseq: frame.cseq,
            base: frame.base,
            ops: frame.ops.clone(),
            instance: frame.instance,
            ticket: frame.ticket,
        }));
        records.extend(self.branch.as_ref().map(|state| Record::Branch(state.encode())));
        records.extend(self.long.then_some(Record::Long));
        records.extend(self.instances.iter().map(|(instance, known)| Record::Instance {
            instance: *instance,
            taken: known.taken,
            answered: known.answered,
        }));
        records
    }
}
