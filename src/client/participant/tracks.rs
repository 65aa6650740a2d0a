//! New tracks.

use super::Participant;
use crate::param::TrackIndex;
use crate::pattern::{Name, Order, TrackId};
use crate::session::{NewTrack, Op, StampedOp};
use crate::time::HostNanos;

impl Participant {
    /// Asks for a track at the end. Its id is one that no other instance of this participant gives:
    /// they share its number, so the count goes by the milliseconds of the machine's clock.
    pub(super) fn add_track(&mut self, name: Name, now: HostNanos) {
        let song = self.studio.song();
        let client = self.studio.client().0.max(1);
        let mut id = TrackId { client, counter: (now.0 / 1_000_000) as u32 };
        while id == TrackId::NONE || song.track_with_id(id).is_some() {
            id.counter = id.counter.wrapping_add(1);
        }
        let last = song.in_order().last().map(|at| song.track(*at).order);
        let free = TrackIndex::all().find(|at| !song.track(*at).alive);
        let Some(place) = free else {
            return self.complain("all sixteen tracks are in use; remove one first".to_owned());
        };
        let new = NewTrack { id, name, order: Order::between(last, None), place };
        self.ops(vec![StampedOp { op: Op::AddTrack(new), at: None }]);
    }
}
