//! Edits that wait for their beat.
//!
//! Thread: audio. Realtime-safe: yes. Invariant: sorted by tick; equal ticks keep their order of
//! arrival.

use crate::param::TrackIndex;
use crate::pattern::groove::{self, Groove};
use crate::pattern::{Edit, PatternIndex, Song, Step, StepField};
use crate::time::Beats;

/// Edits the table holds; the next one lands at once and is reported.
pub(super) const PENDING: usize = 256;

/// How much earlier than its place a step may sound.
const EARLIEST: Beats = Beats(Beats::SIXTEENTH.0 / 2 + groove::EARLIEST.0);

/// An edit and its beat.
#[derive(Clone, Copy)]
struct Entry {
    at: Beats,
    edit: Edit,
    /// Whether steps from `at` on that sound before it are already played by it.
    foreseen: bool,
}

/// The table.
pub(super) struct Pending {
    entries: [Entry; PENDING],
    length: usize,
}

impl Pending {
    pub(super) fn new() -> Pending {
        let rest = Entry { at: Beats::ZERO, edit: Edit::Seed(0), foreseen: false };
        Pending { entries: [rest; PENDING], length: 0 }
    }

    /// Lets an edit wait; `false` where the table is full.
    pub(super) fn insert(&mut self, at: Beats, edit: Edit) -> bool {
        if self.length == PENDING {
            return false;
        }
        let place = self.entries[..self.length].partition_point(|entry| entry.at <= at);
        self.entries.copy_within(place..self.length, place + 1);
        self.entries[place] = Entry { at, edit, foreseen: false };
        self.length += 1;
        true
    }

    /// Takes the first edit due before a tick.
    pub(super) fn take_before(&mut self, tick: Beats) -> Option<(Beats, Edit)> {
        let first = self.entries[..self.length].first().copied().filter(|entry| entry.at < tick)?;
        self.entries.copy_within(1..self.length, 0);
        self.length -= 1;
        Some((first.at, first.edit))
    }

    /// Foresees the next edit of a step that may sound before its place and before `until`: from
    /// now on [`Pending::cell`] knows it. The caller folds it into the input key.
    pub(super) fn foresee(&mut self, song: &Song, until: Beats) -> Option<Edit> {
        let near = self.entries[..self.length].partition_point(|entry| entry.at < until + EARLIEST);
        let next = (0..near).find(|&n| !self.entries[n].foreseen && self.is_early(song, n))?;
        self.entries[next].foreseen = true;
        Some(self.entries[next].edit)
    }

    /// Whether an entry writes to a cell that sounds early, now or once the table has landed.
    fn is_early(&self, song: &Song, entry: usize) -> bool {
        let Edit::Step { track, pattern, step, .. } = self.entries[entry].edit else { return false };
        let is = song.pattern(track, pattern).steps.get(usize::from(step)).is_some_and(|cell| cell.micro < 0);
        let becomes = |other: &Entry| match other.edit {
            Edit::Step { track: t, pattern: p, step: s, field: StepField::Micro(micro) } => {
                (t, p, s) == (track, pattern, step) && micro < 0
            }
            _ => false,
        };
        is || !Groove::of(song, track).is_straight() || self.entries[..self.length].iter().any(becomes)
    }

    /// A cell as it will be at a tick: under the edits that are foreseen for it.
    pub(super) fn cell(
        &self,
        track: TrackIndex,
        pattern: PatternIndex,
        index: u8,
        mut cell: Step,
        tick: Beats,
    ) -> Step {
        for entry in self.entries[..self.length].iter().take_while(|entry| entry.at <= tick) {
            if let Edit::Step { track: t, pattern: p, step, field } = entry.edit
                && entry.foreseen
                && (t, p, step) == (track, pattern, index)
            {
                field.write(&mut cell);
            }
        }
        cell
    }

    /// Drops what waits to write the register that an edit has just written.
    pub(super) fn cancel(&mut self, edit: &Edit) {
        let register = edit.register();
        let mut kept = 0;
        for at in 0..self.length {
            if self.entries[at].edit.register() != register {
                self.entries[kept] = self.entries[at];
                kept += 1;
            }
        }
        self.length = kept;
    }

    pub(super) fn clear(&mut self) {
        self.length = 0;
    }
}

/// Whether an edit would change the song.
pub(super) fn changes(song: &Song, edit: &Edit) -> bool {
    song.read(edit.register()) != *edit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_wait_in_order_and_a_full_table_says_so() {
        let mut pending = Pending::new();
        for n in 0..PENDING as i64 {
            assert!(pending.insert(Beats((n * 7) % 64), Edit::Seed(n as u32)));
        }
        assert!(!pending.insert(Beats(0), Edit::Seed(0)));
        let mut before = (Beats(-1), 0);
        while let Some((at, Edit::Seed(n))) = pending.take_before(Beats(64)) {
            assert!((at, n) > before, "{at:?} {n} after {before:?}");
            before = (at, n);
        }
        assert!(pending.take_before(Beats(i64::MAX)).is_none());
    }

    #[test]
    fn an_equal_value_changes_nothing() {
        let song = Song::new();
        assert!(!changes(&song, &Edit::Seed(0)));
        assert!(changes(&song, &Edit::Seed(1)));
        for register in crate::pattern::Register::all() {
            assert!(!changes(&song, &song.read(register)), "{register:?}");
        }
    }
}
