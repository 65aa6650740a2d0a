//! What stands at the head of a frame and says how the rest of it is meant.
//!
//! A frame may call a track by a place that was a guess when it was made ([`Op::Means`]), go on
//! where another frame ended ([`Op::Follows`]), or be a generator's work ([`Op::Generated`]). The
//! sequencer reads these and commits none of them: a commit speaks of places alone.

use std::collections::BTreeMap;

use super::decide::Bench;
use super::{Op, Refusal, StampedOp, Wanted};
use crate::param::{MAX_TRACKS, Owner, Slot, TrackIndex};
use crate::pattern::{ClipField, ClipSource, Edit, Grid, Song, TrackId};

/// The most headers of a frame: one for each track, and the other two.
pub const MAX_HEADERS: usize = MAX_TRACKS + 2;

/// By the place that a frame calls it by, where a track is.
pub(super) type Places = BTreeMap<TrackIndex, TrackIndex>;

impl Op {
    /// Whether it says how its frame is meant, and changes nothing itself.
    pub fn is_header(&self) -> bool {
        matches!(self, Op::Means { .. } | Op::Follows(_) | Op::Generated)
    }
}

/// The ops of a frame that are no headers.
pub(super) fn body(ops: &[StampedOp]) -> impl Iterator<Item = &StampedOp> {
    ops.iter().filter(|op| !op.op.is_header())
}

/// The tracks that a frame calls by guessed places, and where a song has them.
///
/// # Errors
/// The op that speaks of a track the song has not.
pub(super) fn places(ops: &[StampedOp], song: &Song) -> Result<Places, usize> {
    let mut places = Places::new();
    for (index, op) in ops.iter().enumerate() {
        if let Op::Means { place, id } = op.op {
            places.insert(place, song.track_with_id(id).ok_or(index)?);
        }
    }
    Ok(places)
}

/// Lets ops speak of tracks where they are.
pub(super) fn settle(ops: &mut [StampedOp], places: &Places) {
    if places.is_empty() {
        return;
    }
    let mut settle = |track: &mut TrackIndex| *track = places.get(track).copied().unwrap_or(*track);
    ops.iter_mut().for_each(|op| op.each_track(&mut settle));
}

impl Bench<'_> {
    /// Reads a frame's headers: its ops speak of places that are so from here on.
    ///
    /// # Errors
    /// A track that does not exist, or a part before this one that was refused.
    pub(super) fn read_headers(&self, ops: &mut [StampedOp]) -> Result<(), Refusal> {
        let refuse = |index: usize, reason: &str| {
            Err(Refusal::Invalid { index: index as u32, reason: reason.to_owned() })
        };
        for (index, op) in ops.iter().enumerate().filter(|(_, op)| op.op.is_header()) {
            let lands = match op.op {
                Op::Follows(written) => self.seq_of(written).is_some_and(|seq| seq.0 > 0),
                _ => true,
            };
            if op.at.is_some() {
                return refuse(index, "what stands at the head of a frame waits for no beat");
            }
            if !lands {
                return refuse(index, "the part before this one was refused");
            }
        }
        match places(ops, self.state.song()) {
            Ok(places) => settle(ops, &places),
            Err(index) => return refuse(index, "the track that this speaks of does not exist"),
        }
        Ok(())
    }
}

impl StampedOp {
    /// Looks at every place of a track that a client's op speaks of, but for a new track's wish.
    pub(super) fn each_track(&mut self, look: &mut dyn FnMut(&mut TrackIndex)) {
        match &mut self.op {
            Op::Edit(edit) | Op::Propose(Wanted::Edit(edit)) => each_track_of(edit, look),
            Op::Revert(revert) => each_track_of(&mut revert.edit, look),
            Op::Drag(drag) => each_track_of_slot(&mut drag.slot, look),
            Op::Grid(grid) => {
                look(&mut grid.track);
                match &mut grid.grid {
                    Grid::Copy { track, .. } | Grid::Replace { track, .. } | Grid::Merge { track, .. } => {
                        look(track);
                    }
                    Grid::Rotate(_)
                    | Grid::Insert { .. }
                    | Grid::Remove { .. }
                    | Grid::Clear { .. }
                    | Grid::Fill { .. }
                    | Grid::Euclid { .. } => {}
                }
            }
            _ => {}
        }
    }

    /// Whether it speaks of a track's place.
    pub(super) fn speaks_of(&self, place: TrackIndex) -> bool {
        let mut speaks = false;
        self.clone().each_track(&mut |track| speaks |= *track == place);
        speaks
    }
}

/// Looks at every place of a track that a write speaks of.
pub(super) fn each_track_of(edit: &mut Edit, look: &mut dyn FnMut(&mut TrackIndex)) {
    match edit {
        Edit::Param { slot, .. } => each_track_of_slot(slot, look),
        Edit::Step { track, .. }
        | Edit::Track { track, .. }
        | Edit::Pattern { track, .. }
        | Edit::Lock { track, .. }
        | Edit::Lane { track, .. }
        | Edit::SceneTrack { track, .. }
        | Edit::Clip { field: ClipField::Source(ClipSource::Pattern(track, _)), .. } => look(track),
        Edit::Clip { .. }
        | Edit::Seed(_)
        | Edit::Scene { .. }
        | Edit::Section { .. }
        | Edit::Metre { .. }
        | Edit::Chord { .. }
        | Edit::Context(_) => {}
    }
}

fn each_track_of_slot(slot: &mut Slot, look: &mut dyn FnMut(&mut TrackIndex)) {
    if let Owner::Track(mut track) = slot.owner() {
        let before = track;
        look(&mut track);
        if track != before {
            *slot = Slot::new(Owner::Track(track), slot.param());
        }
    }
}

/// The header by which a frame says which track it means by a place.
pub(super) fn means(place: TrackIndex, id: TrackId) -> StampedOp {
    StampedOp { op: Op::Means { place, id }, at: None }
}
