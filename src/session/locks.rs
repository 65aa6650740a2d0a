//! Soft locks: who has which part of the song in hand.
//!
//! A lock keeps nobody out. It is taken by touching a part, lasts for [`LOCK_NANOS`] after the last
//! touch, and whoever touches a part that another holds goes ahead, while both are told. Pure: time
//! is passed in, in nanoseconds of any one clock.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{ClientId, Op, StampedOp};
use crate::param::{Owner, Slot, TrackIndex};
use crate::pattern::{Edit, MAX_STEPS};

/// How long a lock outlasts the hand's last touch, in ns.
pub const LOCK_NANOS: i64 = 4_000_000_000;
/// Locks held at a time; a further one is not kept.
pub const MAX_LOCKS: usize = 512;

/// A frame of more ops than this is no hand's.
const BY_HAND: usize = 16;

/// A part of the song that somebody can have in hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Part {
    /// A whole track.
    Track(TrackIndex),
    /// One cell: its track and step.
    Cell(TrackIndex, u8),
    /// One parameter.
    Param(Slot),
}

impl Part {
    /// The part that an edit touches; `None` for what belongs to nobody, as the seed.
    pub fn of(edit: &Edit) -> Option<Part> {
        match *edit {
            Edit::Step { track, step, .. } | Edit::Lock { track, step, .. } => Some(Part::Cell(track, step)),
            Edit::Param { slot, .. } => Some(Part::Param(slot)),
            _ => edit.register().track().map(Part::Track),
        }
    }

    /// The track that holds the part; `None` for the master's parameters.
    pub fn track(&self) -> Option<TrackIndex> {
        match *self {
            Part::Track(track) | Part::Cell(track, _) => Some(track),
            Part::Param(slot) => match slot.owner() {
                Owner::Track(track) => Some(track),
                Owner::Master => None,
            },
        }
    }

    /// Whether it names something that there is: a part from a frame may name anything.
    pub fn is_valid(&self) -> bool {
        match *self {
            Part::Track(_) => true,
            Part::Cell(_, step) => usize::from(step) < MAX_STEPS,
            Part::Param(slot) => slot.is_valid(),
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Hold {
    client: ClientId,
    until: i64,
    /// The last other person who touched it meanwhile: both are told once of each.
    told: Option<ClientId>,
}

/// The locks of a session.
#[derive(Clone, Debug, Default)]
pub struct Locks {
    held: BTreeMap<Part, Hold>,
}

impl Locks {
    /// The parts that a person's ops touch; none where they are many, as when a song is loaded.
    pub fn parts_of(ops: &[StampedOp]) -> impl Iterator<Item = Part> + '_ {
        let by_hand = if ops.len() <= BY_HAND { ops } else { &[] };
        by_hand.iter().filter_map(|stamped| match &stamped.op {
            Op::Edit(edit) => Part::of(edit),
            _ => None,
        })
    }

    /// Somebody touches a part at `now`. It becomes theirs, or stays theirs for longer, unless
    /// another holds it or the track it belongs to; that one is given back, the first time this
    /// person touches it.
    pub fn touch(&mut self, client: ClientId, part: Part, now: i64) -> Option<ClientId> {
        self.expire(now);
        let whole = part.track().map(Part::Track).filter(|whole| *whole != part);
        for place in [Some(part), whole].into_iter().flatten() {
            if let Some(hold) = self.held.get_mut(&place).filter(|hold| hold.client != client) {
                let first = hold.told.replace(client) != Some(client);
                return first.then_some(hold.client);
            }
        }
        let told = self.held.get(&part).and_then(|hold| hold.told);
        if told.is_some() || self.held.contains_key(&part) || self.held.len() < MAX_LOCKS {
            self.held.insert(part, Hold { client, until: now.saturating_add(LOCK_NANOS), told });
        }
        None
    }

    /// Somebody lets go of a part; says whether it was theirs.
    pub fn release(&mut self, client: ClientId, part: Part) -> bool {
        let theirs = self.held.get(&part).is_some_and(|hold| hold.client == client);
        if theirs {
            self.held.remove(&part);
        }
        theirs
    }

    /// Somebody has gone: all that was theirs is free.
    pub fn release_all(&mut self, client: ClientId) {
        self.held.retain(|_, hold| hold.client != client);
    }

    /// Who holds a part at `now`.
    pub fn holder(&self, part: Part, now: i64) -> Option<ClientId> {
        self.held.get(&part).filter(|hold| hold.until > now).map(|hold| hold.client)
    }

    /// What is held at `now`, in order.
    pub fn held(&self, now: i64) -> impl Iterator<Item = (Part, ClientId)> + '_ {
        self.held.iter().filter(move |(_, hold)| hold.until > now).map(|(part, hold)| (*part, hold.client))
    }

    /// Forgets what is held no longer; says whether there was any.
    pub fn expire(&mut self, now: i64) -> bool {
        let before = self.held.len();
        self.held.retain(|_, hold| hold.until > now);
        self.held.len() < before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANA: ClientId = ClientId(1);
    const BEN: ClientId = ClientId(2);
    const SECOND: i64 = 1_000_000_000;

    fn track(n: usize) -> TrackIndex {
        TrackIndex::new(n).expect("a track")
    }

    #[test]
    fn a_lock_lasts_while_it_is_renewed_and_then_expires() {
        let mut locks = Locks::default();
        let part = Part::Track(track(0));
        assert_eq!(locks.touch(ANA, part, 0), None);
        assert_eq!(locks.touch(ANA, part, 3 * SECOND), None);
        assert_eq!(locks.holder(part, 6 * SECOND), Some(ANA));
        assert_eq!(locks.holder(part, 7 * SECOND), None);
        assert!(locks.expire(7 * SECOND) && !locks.expire(7 * SECOND));
        assert_eq!(locks.touch(BEN, part, 8 * SECOND), None);
        assert_eq!(locks.holder(part, 8 * SECOND), Some(BEN));
    }

    #[test]
    fn another_hand_takes_nothing_away_and_is_told_once() {
        let mut locks = Locks::default();
        let (whole, cell) = (Part::Track(track(3)), Part::Cell(track(3), 5));
        locks.touch(ANA, whole, 0);
        assert_eq!(locks.touch(BEN, cell, 1), Some(ANA));
        assert_eq!(locks.touch(BEN, cell, 2), None);
        assert_eq!(locks.touch(BEN, Part::Cell(track(4), 5), 3), None);
        assert_eq!(locks.holder(whole, 4), Some(ANA));
        locks.release_all(ANA);
        assert_eq!(locks.touch(BEN, cell, 5), None);
        assert_eq!(locks.held(6).count(), 2);
    }

    #[test]
    fn the_number_of_locks_is_bounded() {
        let mut locks = Locks::default();
        for n in 0..16 {
            for step in 0..MAX_STEPS as u8 {
                locks.touch(ANA, Part::Cell(track(n), step), 0);
            }
        }
        assert_eq!(locks.held(0).count(), MAX_LOCKS);
        assert!(!Part::Cell(track(0), 64).is_valid());
    }
}
