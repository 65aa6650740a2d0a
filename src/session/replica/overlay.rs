//! What my pending ops write over the confirmed state, one after the other.

use std::collections::BTreeMap;

use super::newcomers::Newcomer;
use super::{Frame, Replica};
use crate::pattern::{Edit, Register, TrackId};
use crate::session::{Cseq, Op, StampedOp, State, header};
use crate::time::Beats;

/// My pending writes.
pub(super) struct Overlay {
    /// In their order: on arrival, or waiting for a beat.
    pub(super) edits: Vec<(Edit, Option<Beats>)>,
    /// Registers written by ops whose writes follow from what is before them. When anything before
    /// changes, so may these.
    pub(super) expanded: Vec<Register>,
    /// Where tracks that are asked for would be.
    pub(super) new_tracks: BTreeMap<TrackId, Newcomer>,
}

impl Replica {
    /// My pending writes as they come to on the present confirmed state. Where an op needs to be
    /// expanded, or speaks of a new track, it is on a copy that holds all before it.
    pub(super) fn overlay(&self) -> Overlay {
        let frames = || {
            let others = self.neighbours.iter().map(|frame| (frame, None));
            others.chain(self.outbox.iter().map(|frame| (frame, Some(frame.cseq))))
        };
        let mut overlay = Overlay { edits: Vec::new(), expanded: Vec::new(), new_tracks: BTreeMap::new() };
        let depends = |op: &StampedOp| op.op.is_expanded() || matches!(op.op, Op::Means { .. });
        if frames().any(|(frame, _)| frame.ops.iter().any(depends)) {
            let mut copy = self.confirmed.clone();
            frames().for_each(|(frame, cseq)| overlay.take_on(&mut copy, frame, cseq));
            // One that I have taken back meanwhile is none.
            overlay.new_tracks.retain(|id, new| copy.song().track_with_id(*id) == Some(new.place));
        } else {
            let ops = frames().flat_map(|(frame, _)| &frame.ops);
            overlay.edits.extend(ops.filter_map(|op| Some((op.op.edit()?, op.at))));
        }
        overlay
    }
}

impl Overlay {
    /// Takes a frame on a copy that holds all before it. One that speaks of a track that will not
    /// be writes nothing: it will be refused.
    fn take_on(&mut self, copy: &mut State, frame: &Frame, cseq: Option<Cseq>) {
        let Ok(places) = header::places(&frame.ops, copy.song()) else { return };
        let mut ops = frame.ops.clone();
        header::settle(&mut ops, &places);
        for StampedOp { op, at } in &ops {
            let edits = match op.edit() {
                Some(edit) => vec![edit],
                None => copy.expand(op),
            };
            if let Op::AddTrack(new) = op
                && let Some(place) = copy.place_for_track(new.place)
            {
                self.new_tracks.insert(new.id, Newcomer { place, asked: cseq });
            }
            if op.is_expanded() || !places.is_empty() {
                self.expanded.extend(edits.iter().map(Edit::register));
            }
            if at.is_none() && !edits.is_empty() {
                copy.foresee(&edits);
            }
            self.edits.extend(edits.into_iter().map(|edit| (edit, *at)));
        }
    }
}
