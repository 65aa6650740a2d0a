//! Edits that wait for their beat.
//!
//! Thread: audio. Realtime-safe: yes. Invariant: sorted by tick; equal ticks keep their order of
//! arrival.

use crate::param::TrackIndex;
use crate::pattern::groove::Groove;
use crate::pattern::score::{EARLIEST, earliest};
use crate::pattern::{ContextField, Edit, Pattern, PatternIndex, Rate, Song, Step, StepField, TrackField};
use crate::time::Beats;

/// Edits the table holds; the next one lands at once and is reported.
pub(super) const PENDING: usize = 256;

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

    /// Foresees the next edit that a step before its place and before `until` may sound by: from now
    /// on [`Pending::cell`] and [`Pending::value_at`] know it. The caller folds it into the input
    /// key.
    pub(super) fn foresee(&mut self, song: &Song, until: Beats) -> Option<Edit> {
        let near = self.entries[..self.length].partition_point(|entry| entry.at < until + EARLIEST);
        let reaches = |n: &usize| {
            let Entry { at, edit, foreseen } = self.entries[*n];
            !foreseen && self.reach(song, &edit).is_some_and(|reach| at < until + reach)
        };
        let next = (0..near).find(reaches)?;
        self.entries[next].foreseen = true;
        Some(self.entries[next].edit)
    }

    /// How early an edit may be heard; `None` where not before its tick.
    fn reach(&self, song: &Song, edit: &Edit) -> Option<Beats> {
        match *edit {
            Edit::Step { track, pattern, step, .. } if self.is_early(song, (track, pattern, step)) => {
                let straight = Groove::of(song, track).is_straight();
                Some(earliest(song.pattern(track, pattern).rate, straight))
            }
            Edit::Track { track, field: TrackField::Pattern(next) } => {
                let straight = Groove::of(song, track).is_straight();
                let (old, new) = (song.track(track).playing(), song.pattern(track, next));
                let early = |held: &Pattern| held.steps.iter().any(|cell| cell.on && cell.micro < 0);
                let rate = if old.rate.step() > new.rate.step() { old.rate } else { new.rate };
                (!straight || early(old) || early(new)).then(|| earliest(rate, straight))
            }
            Edit::Context(ContextField::Arranged(_) | ContextField::Fill(_)) => {
                Some(earliest(Rate::Quarter, false))
            }
            _ => None,
        }
    }

    /// Whether a cell sounds early, now or once the table has landed.
    fn is_early(&self, song: &Song, (track, pattern, step): (TrackIndex, PatternIndex, u8)) -> bool {
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
    pub(super) fn cell(&self, at: (TrackIndex, PatternIndex, u8), mut cell: Step, tick: Beats) -> Step {
        for entry in self.entries[..self.length].iter().take_while(|entry| entry.at <= tick) {
            if let Edit::Step { track: t, pattern: p, step, field } = entry.edit
                && entry.foreseen
                && (t, p, step) == at
            {
                field.write(&mut cell);
            }
        }
        cell
    }

    /// A value as it is for steps at a tick, from when and until when: as it was before its last
    /// write, as it is held, or as the edits make it that are foreseen.
    pub(super) fn value_at<T: Copy>(
        &self,
        before: Option<(Beats, T)>,
        held: T,
        tick: Beats,
        written: impl Fn(&Edit) -> Option<T>,
    ) -> (T, Beats, Beats) {
        let (mut value, mut from) = (held, Beats(i64::MIN));
        if let Some((at, old)) = before {
            if tick < at {
                return (old, from, at);
            }
            from = at;
        }
        for entry in self.entries[..self.length].iter().filter(|entry| entry.foreseen) {
            let Some(next) = written(&entry.edit) else { continue };
            if entry.at > tick {
                return (value, from, entry.at);
            }
            (value, from) = (next, entry.at);
        }
        (value, from, Beats(i64::MAX))
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

    /// A run begins, whose key knows nothing of what was foreseen.
    pub(super) fn forget_foresight(&mut self) {
        self.entries[..self.length].iter_mut().for_each(|entry| entry.foreseen = false);
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
