//! Tracks in a state that takes the place of another: what was added apart from a session lies
//! elsewhere in it, or comes to it only behind the welcome.
//!
//! What is kept here by place goes along by id. A track that the new state has not is looked for
//! until it shows again; meanwhile nothing that was meant for it reaches what stands in its place.

use std::collections::BTreeMap;

use super::Replica;
use super::newcomers::{Move, Newcomer};
use crate::param::{MAX_TRACKS, TrackIndex};
use crate::pattern::{Edit, Register, TrackId, TrackRegister};
use crate::session::header::{each_track_of, means};
use crate::session::{Op, StampedOp, State};

/// The most tracks that are looked for; beyond it those lost first are given up.
const MAX_ASTRAY: usize = 4 * MAX_TRACKS;

/// A track that is elsewhere now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Which.
    pub track: TrackId,
    /// The place it left; `None`: it was nowhere, and shows again.
    pub from: Option<TrackIndex>,
    /// Where it is; `None`: nowhere, at least for now.
    pub to: Option<TrackIndex>,
}

impl Replica {
    /// A state has taken the place of `before`, of the same session: what is kept by place goes along
    /// with its tracks, also with those that `before` had confirmed.
    pub(super) fn rehouse(&mut self, before: &State, new: BTreeMap<TrackId, Newcomer>) {
        let newcomers = std::mem::replace(&mut self.new_tracks, new);
        let mut moves: Vec<Move> = newcomers.iter().map(|(id, was)| self.moved_from(*id, *was)).collect();
        let guessed = |place| newcomers.values().any(|new| new.place == place);
        for from in TrackIndex::all().filter(|place| !guessed(*place)) {
            let track = before.song().track(from).id;
            if track != TrackId::NONE && !newcomers.contains_key(&track) {
                let commits = Some(before.stamp(Register::Track(from, TrackRegister::Id)).seq);
                moves.push(Move { track, from, to: self.place_of(track), since: None, commits });
            }
        }
        moves.retain(|one| one.to != Some(one.from));
        if moves.is_empty() {
            return;
        }
        self.name_moved(&moves);
        self.undo.retrack(&moves, true);
        // The whole view is about to be brought up to date.
        self.move_hands(&moves, &mut Vec::new());
        self.move_trials(&moves);
        self.tell_moved(&moves);
        self.astray.extend(moves.iter().filter(|one| one.to.is_none()).map(|one| (one.track, one.from)));
        let given_up = self.astray.len().saturating_sub(MAX_ASTRAY);
        self.astray.drain(..given_up);
    }

    /// Frames that wait say which track they mean by a place that it has left.
    fn name_moved(&mut self, moves: &[Move]) {
        // Of newcomers they say so already.
        let confirmed: Vec<&Move> = moves.iter().filter(|one| one.commits.is_some()).collect();
        for frame in &mut self.outbox {
            for one in &confirmed {
                let named = |op: &StampedOp| matches!(op.op, Op::Means { place, .. } if place == one.from);
                if !frame.ops.iter().any(named) && frame.ops.iter().any(|op| op.speaks_of(one.from)) {
                    frame.ops.insert(0, means(one.from, one.track));
                }
            }
        }
    }

    /// What is tried of a track goes along with it.
    fn move_trials(&mut self, moves: &[Move]) {
        let moved = |mut edit: Edit| {
            let mut lost = false;
            each_track_of(&mut edit, &mut |track| {
                if let Some(one) = moves.iter().find(|one| one.from == *track) {
                    lost |= one.to.is_none();
                    *track = one.to.unwrap_or(*track);
                }
            });
            (!lost).then(|| (edit.register(), edit))
        };
        self.auditioned = std::mem::take(&mut self.auditioned).into_values().filter_map(moved).collect();
    }

    /// Tracks that were nowhere and show again.
    pub(super) fn find_astray(&mut self) {
        let place = |track| self.view.track_with_id(track);
        let found: Vec<Move> = (self.astray.iter())
            .filter_map(|&(track, from)| {
                let to = Some(place(track)?);
                Some(Move { track, from, to, since: None, commits: None })
            })
            .collect();
        if found.is_empty() {
            return;
        }
        self.astray.retain(|(track, _)| !found.iter().any(|one| one.track == *track));
        self.undo.found(&found);
        self.moved.push(found.iter().map(|one| Moved { track: one.track, from: None, to: one.to }).collect());
    }
}
