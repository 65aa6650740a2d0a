//! What has been decided and agreed in a session beside its song: conflicts and strategies,
//! merges, the tempo's last decision, permissions. Area of the state, its digest and snapshot.

use serde::{Deserialize, Serialize};

use super::merge::{MAX_OVERLAPS, Overlap};
use super::{ClientId, Conflicts, Permissions, Seq, Stamp, Subject, TempoAsked, TempoRequest};
use crate::pattern::Register;
use crate::time::TempoMap;

/// The sequencer's shared records.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rulings {
    /// Cards and strategies.
    pub conflicts: Conflicts,
    /// Who may change what.
    pub permissions: Permissions,
    /// The tempo's last decision.
    pub tempo: TempoAsked,
    /// By register, at most [`MAX_OVERLAPS`].
    overlaps: Vec<Overlap>,
}

impl Rulings {
    /// What the last write of a register was mixed from, if it was.
    pub fn overlap(&self, register: Register) -> Option<&Overlap> {
        self.place(register).ok().map(|at| &self.overlaps[at])
    }

    fn place(&self, register: Register) -> Result<usize, usize> {
        self.overlaps.binary_search_by_key(&register, |overlap| overlap.register)
    }

    pub(super) fn mix(&mut self, overlap: Overlap) {
        match self.place(overlap.register) {
            Ok(at) => self.overlaps[at] = overlap,
            Err(at) => self.overlaps.insert(at, overlap),
        }
        if self.overlaps.len() > MAX_OVERLAPS {
            let oldest = (0..self.overlaps.len()).min_by_key(|at| self.overlaps[*at].seq);
            oldest.map(|at| self.overlaps.remove(at));
        }
    }

    /// Whether a write of a register changes anything here: most do not.
    pub(super) fn concern(&self, register: Register) -> bool {
        let waits = |card: &super::Conflict| card.kind.waits() && card.subject == Subject::Register(register);
        self.overlap(register).is_some() || self.conflicts.cards().iter().any(waits)
    }

    /// A register has been written: what waited for a pick about it is settled, and an earlier
    /// merge explains nothing any more.
    pub(super) fn wrote(&mut self, register: Register) {
        self.conflicts.settle(Subject::Register(register));
        if let Ok(at) = self.place(register) {
            self.overlaps.remove(at);
        }
    }

    /// A request for a tempo has been answered; `before` is the map it met.
    pub(super) fn asked(&mut self, stamp: Stamp, requests: &[TempoRequest], before: TempoMap) {
        if requests.len() <= 1 {
            self.tempo.before = before;
            self.conflicts.settle(Subject::Tempo);
        }
        self.tempo.stamp = stamp;
        self.tempo.requests = requests.to_vec();
    }

    /// Which part contradicts itself, if one does.
    pub(super) fn check(&self, last: Seq) -> Result<(), &'static str> {
        let sound = [
            (self.conflicts.is_sound(last), "conflicts"),
            (self.permissions.is_sound(), "permissions"),
            (self.tempo.is_sound(last), "tempo requests"),
            (self.overlaps_are_sound(last), "merges"),
        ];
        sound.iter().find(|(sound, _)| !sound).map_or(Ok(()), |(_, part)| Err(*part))
    }

    fn overlaps_are_sound(&self, last: Seq) -> bool {
        self.overlaps.len() <= MAX_OVERLAPS
            && self.overlaps.is_sorted_by(|a, b| a.register < b.register)
            && self.overlaps.iter().all(|overlap| overlap.is_sound(last))
    }

    /// Whether somebody's write of a register is part of its last merge, as this commit.
    pub(super) fn hand(
        &self,
        register: Register,
        written: Stamp,
        author: ClientId,
        seq: Seq,
    ) -> Option<&Overlap> {
        let overlap = self.overlap(register).filter(|overlap| overlap.seq == written.seq)?;
        overlap.hands.iter().any(|hand| hand.author == author && hand.seq == seq).then_some(overlap)
    }
}
