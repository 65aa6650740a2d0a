//! Where a new track goes, and what is written there.

use std::collections::BTreeSet;

use super::op::NewTrack;
use super::state::OpError;
use super::{Seq, State};
use crate::param::{Owner, Param, Slot, TrackIndex};
use crate::pattern::{
    Bounds, ClipField, ClipRegister, ClipSource, Edit, EditError, Register, Song, Track, TrackField, TrackId,
    TrackRegister,
};

/// What a commit's new tracks need: places and ids of their own. Places that the same commit frees
/// are not counted, a rule both sides can follow.
pub(super) struct NewTracks {
    free: usize,
    taken: BTreeSet<TrackId>,
}

impl NewTracks {
    pub(super) fn in_state(state: &State) -> NewTracks {
        let free = state.song().tracks.iter().filter(|track| !track.alive).count();
        NewTracks { free, taken: BTreeSet::new() }
    }

    pub(super) fn take(&mut self, state: &State, id: TrackId) -> Result<(), OpError> {
        if state.song().track_with_id(id).is_some() || !self.taken.insert(id) {
            return Err(OpError::TrackExists { client: id.client, counter: id.counter });
        }
        self.free = self.free.checked_sub(1).ok_or(OpError::TracksFull)?;
        Ok(())
    }
}

impl NewTrack {
    /// Checks a request from outside.
    ///
    /// # Errors
    /// Says which bound it breaks.
    pub fn check(&self) -> Result<(), EditError> {
        if !self.place.is_valid() {
            return Err(EditError::NoTrack(self.place.get()));
        }
        if self.id == TrackId::NONE {
            let range = Bounds::Own("a client and its count");
            return Err(EditError::Field { field: "track.id", range });
        }
        Ok(())
    }
}

impl State {
    /// The place where a new track would be stored: the one that has been free for longest, so that
    /// what was removed last can return; of those never used, the one it wishes for.
    pub fn place_for_track(&self, wish: TrackIndex) -> Option<TrackIndex> {
        let free = |place: &TrackIndex| !self.song.track(*place).alive;
        let since = |place: &TrackIndex| -> (Seq, bool, TrackIndex) {
            (self.stamp(Register::Track(*place, TrackRegister::Alive)).seq, *place != wish, *place)
        };
        TrackIndex::all().filter(free).min_by_key(since)
    }

    /// The edits that make a track of a free place, whatever it held before; none without a place.
    pub(super) fn edits_of_new_track(&self, track: &NewTrack) -> Vec<Edit> {
        let Some(place) = self.place_for_track(track.place) else { return Vec::new() };
        let mut edits = edits_of_fresh_place(&self.song, place);
        let fields = [
            TrackField::Alive(true),
            TrackField::Id(track.id),
            TrackField::Order(track.order),
            TrackField::Name(track.name),
        ];
        edits.extend(fields.map(|field| Edit::Track { track: place, field }));
        edits
    }
}

/// The edits that leave nothing at a track's place of what was there.
fn edits_of_fresh_place(song: &Song, place: TrackIndex) -> Vec<Edit> {
    let mut fresh = song.clone();
    fresh.tracks[place.get()] = Track::unused(place.get());
    for param in Param::ALL {
        fresh.params[Slot::new(Owner::Track(place), param).index()] = param.spec().default;
    }
    for scene in &mut fresh.scenes {
        scene.patterns[place.get()] = None;
    }
    let of_place = |clip: u8| match song.read(Register::Clip(clip, ClipRegister::Source)) {
        Edit::Clip { field: ClipField::Source(ClipSource::Pattern(track, _)), .. } => track == place,
        _ => false,
    };
    for clip in (0..=u8::MAX).filter(|clip| of_place(*clip)) {
        fresh.clips[usize::from(clip)].alive = false;
    }
    fresh.edits_since(song)
}
