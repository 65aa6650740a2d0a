//! What my pending ops write over the confirmed state, one after the other.

use super::Replica;
use crate::pattern::{Edit, Register};
use crate::time::Beats;

/// My pending writes.
pub(super) struct Overlay {
    /// In their order: on arrival, or waiting for a beat.
    pub(super) edits: Vec<(Edit, Option<Beats>)>,
    /// Registers written by ops whose writes follow from what is before them. When anything before
    /// changes, so may these.
    pub(super) expanded: Vec<Register>,
}

impl Replica {
    /// My pending writes as they come to on the present confirmed state. Where an op needs to be
    /// expanded, it is on a copy that holds all before it.
    pub(super) fn overlay(&self) -> Overlay {
        let ops = || self.neighbours.iter().chain(&self.outbox).flat_map(|frame| &frame.ops);
        let mut overlay = Overlay { edits: Vec::new(), expanded: Vec::new() };
        let mut copy = ops().any(|op| op.op.is_expanded()).then(|| self.confirmed.clone());
        for op in ops() {
            let edits = match (&op.op, &mut copy) {
                (op, _) if op.edit().is_some() => op.edit().into_iter().collect(),
                (op, Some(copy)) if op.is_expanded() => {
                    let edits = copy.expand(op);
                    overlay.expanded.extend(edits.iter().map(Edit::register));
                    edits
                }
                _ => continue,
            };
            if let (Some(copy), None) = (&mut copy, op.at) {
                edits.iter().for_each(|edit| copy.song.apply(edit));
            }
            overlay.edits.extend(edits.into_iter().map(|edit| (edit, op.at)));
        }
        overlay
    }
}
