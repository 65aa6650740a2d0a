//! What I make: edits, undos and redos, queued in the outbox and shown at once.

use std::collections::BTreeMap;

use super::newcomers::frames;
use super::{Frame, Replica, last_tempo, registers, slot_of};
use crate::pattern::{Edit, Register};
use crate::session::decide::canonical;
use crate::session::state::{OpError, check_tick};
use crate::session::undo::{Before, How, Inverse, StepId};
use crate::session::{Change, Cseq, MAX_OPS, Op, Record, Refusal, StampedOp, Subject, Written};
use crate::time::{Beats, Tempo};

impl Replica {
    /// Makes an edit: shown at once, queued in the outbox. More than [`MAX_OPS`] ops become several
    /// frames, and so does what is written of a new track beside it; each is whole by itself, and
    /// lands only if those before it have ([`Op::Follows`]). The last one's number is returned.
    ///
    /// # Errors
    /// An op that the sequencer would refuse; nothing was changed.
    pub fn edit(&mut self, ops: Vec<StampedOp>) -> Result<(Cseq, Vec<Change>), Refusal> {
        self.edit_in(None, ops)
    }

    /// As [`Replica::edit`]; what is made under one `step` without another between is undone at once.
    ///
    /// # Errors
    /// As [`Replica::edit`].
    pub fn edit_in(
        &mut self,
        step: Option<StepId>,
        mut ops: Vec<StampedOp>,
    ) -> Result<(Cseq, Vec<Change>), Refusal> {
        for (index, op) in ops.iter_mut().enumerate() {
            check_own(op).map_err(|reason| Refusal::Invalid { index: index as u32, reason })?;
        }
        let (mut heads, mut ops): (Vec<_>, Vec<_>) =
            self.settled_here(ops)?.into_iter().partition(|op| op.op.is_header());
        if ops.is_empty() {
            return Err(Refusal::Invalid { index: 0, reason: "the frame holds no op".into() });
        }
        let writes = self.writes(&ops);
        let touched: Vec<Register> = writes.iter().flatten().map(|(edit, _)| edit.register()).collect();
        let held = self.held(&touched);
        let mut last = None;
        let mut writes = writes.as_slice();
        for size in frames(&ops) {
            let (chunk, wrote) = (ops.drain(..size).collect::<Vec<_>>(), &writes[..size]);
            writes = &writes[size..];
            if let Some(before) = last {
                heads.retain(|head| !matches!(head.op, Op::Follows(_)));
                heads.push(StampedOp { op: Op::Follows(Written::Frame(before)), at: None });
            }
            let subjects = subjects(&chunk, wrote);
            let adds = chunk.iter().any(|op| matches!(op.op, Op::AddTrack(_)));
            let cseq = self.send(heads.clone(), chunk);
            let met = |subject| (held.of(subject), self.confirmed.last_write(subject));
            self.undo.made(step, cseq, subjects, met, last.is_some());
            last = Some(cseq);
            if adds {
                let new = self.overlay().new_tracks;
                self.follow(new, &mut Vec::new());
            }
        }
        let changes = self.wrote(touched);
        Ok((last.unwrap_or(self.next_cseq), changes))
    }

    /// What each op writes over what is pending already.
    fn writes(&self, ops: &[StampedOp]) -> Vec<Vec<(Edit, Option<Beats>)>> {
        let mut copy = ops.iter().any(|op| op.op.is_expanded()).then(|| {
            let mut copy = self.confirmed.clone();
            let mine = self.overlay().edits.into_iter().filter(|(_, at)| at.is_none());
            mine.for_each(|(edit, _)| copy.foresee(&[edit]));
            copy
        });
        let writes = |op: &StampedOp| {
            let edits = match (&op.op, &copy) {
                (op, Some(copy)) if op.is_expanded() => copy.expand(op),
                (op, _) => op.edit().into_iter().collect(),
            };
            if let (Some(copy), None) = (&mut copy, op.at) {
                copy.foresee(&edits);
            }
            edits.into_iter().map(|edit| (edit, op.at)).collect()
        };
        ops.iter().map(writes).collect()
    }

    /// Queues one frame; at its head, which new tracks it means.
    fn send(&mut self, mut heads: Vec<StampedOp>, mut ops: Vec<StampedOp>) -> Cseq {
        let cseq = self.next_cseq;
        heads.extend(self.meant(&ops));
        if !heads.is_empty() {
            heads.append(&mut ops);
            ops = heads;
        }
        self.outbox.push_back(Frame { cseq, base: self.confirmed.seq(), ops });
        self.next_cseq.0 += 1;
        cseq
    }

    /// I have written these registers: my hand lets go, and what was tried there is over.
    fn wrote(&mut self, touched: Vec<Register>) -> Vec<Change> {
        for register in &touched {
            self.auditioned.remove(register);
            slot_of(*register).and_then(|slot| self.gestures.remove(&slot));
        }
        self.refresh(touched)
    }

    /// Takes my last step back: shown at once, queued in the outbox. `None` where there is none, or
    /// it was to be skipped. Refused as [`Refusal::StaleUndo`], it can be undone again.
    pub fn undo(&mut self, how: How) -> Option<(Cseq, Vec<Change>)> {
        let inverse = self.undo.undo(how)?;
        self.revert(inverse)
    }

    /// Takes my last undo back, likewise.
    pub fn redo(&mut self, how: How) -> Option<(Cseq, Vec<Change>)> {
        let inverse = self.undo.redo(how)?;
        self.revert(inverse)
    }

    fn revert(&mut self, inverse: Inverse) -> Option<(Cseq, Vec<Change>)> {
        let touched = registers(&inverse.ops);
        let held = self.held(&touched);
        let mut frames = Vec::with_capacity(inverse.ops.len());
        for chunk in inverse.ops.chunks(MAX_OPS) {
            let before =
                frames.last().map(|before| StampedOp { op: Op::Follows(Written::Frame(*before)), at: None });
            let cseq = self.send(before.into_iter().collect(), chunk.to_vec());
            frames.extend(chunk.iter().map(|_| cseq));
        }
        let last = *frames.last()?;
        self.undo.reverted(inverse, frames.into_iter(), |subject| held.of(subject));
        Some((last, self.wrote(touched)))
    }

    /// What registers, and the tempo, hold without gestures and trials.
    fn held(&self, touched: &[Register]) -> Held {
        let mut registers = touched.to_vec();
        registers.sort_unstable();
        registers.dedup();
        let plans = self.written(&registers, &self.overlay().edits).into_iter();
        let asked = self.outbox.iter().flat_map(|frame| &frame.ops).rev().find_map(|op| match op.op {
            Op::RequestTempo(tempo) | Op::RequestRamp { tempo, .. } | Op::RevertTempo { tempo, .. } => {
                Some(tempo)
            }
            _ => None,
        });
        Held {
            registers: plans.map(|(register, plan)| (register, plan.now)).collect(),
            tempo: asked.unwrap_or_else(|| last_tempo(self.tempo_map())),
        }
    }
}

/// What was held before an edit.
struct Held {
    registers: BTreeMap<Register, Edit>,
    tempo: Tempo,
}

impl Held {
    fn of(&self, subject: Subject) -> Before {
        match subject {
            Subject::Register(register) => match self.registers.get(&register) {
                Some(edit) => Before::Edit(*edit),
                None => unreachable!("every register of the frame was looked up"),
            },
            Subject::Tempo => Before::Tempo(self.tempo),
        }
    }
}

/// The subjects of a frame of mine, each with what waits for its beat.
fn subjects(
    ops: &[StampedOp],
    writes: &[Vec<(Edit, Option<Beats>)>],
) -> Vec<(Subject, Option<(Edit, Beats)>)> {
    let asks = |op: &Op| matches!(op, Op::RequestTempo(_) | Op::RequestRamp { .. } | Op::RevertTempo { .. });
    let tempo = ops.iter().filter(|op| asks(&op.op));
    let written = writes.iter().flatten();
    let written = written.map(|(edit, at)| (Subject::Register(edit.register()), at.map(|at| (*edit, at))));
    written.chain(tempo.map(|_| (Subject::Tempo, None))).collect()
}

/// Checks an op made here and puts it in canonical bits.
fn check_own(op: &mut StampedOp) -> Result<(), String> {
    if let Some(at) = op.at {
        if op.op.is_expanded() {
            return Err(OpError::NotStampable.to_string());
        }
        check_tick(at).map_err(|e| e.to_string())?;
    }
    match &op.op {
        Op::Edit(_)
        | Op::RequestTempo(_)
        | Op::RequestRamp { .. }
        | Op::Drag(_)
        | Op::Grid(_)
        | Op::AddTrack(_)
        | Op::Propose(_)
        | Op::Means { .. }
        | Op::Follows(_)
        | Op::Generated
        | Op::Revert(_)
        | Op::RevertTempo { .. }
        | Op::Resolve { .. }
        | Op::Strategy { .. }
        | Op::Permit { .. } => canonical(&mut op.op),
        Op::Record(record) if !matches!(record, Record::Head { .. }) => Ok(()),
        _ => Err("only the session itself writes this".into()),
    }
}
