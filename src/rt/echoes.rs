//! Notes that others play live, waiting for the place one bar later at which they sound here.
//!
//! Thread: audio. Realtime-safe: yes, but for [`Echoes::new`]. Invariant: sorted by tick, ends
//! before beginnings, then by track, note and velocity, so that peers who were told the same notes
//! in another order play them alike.

use super::renderer::TrackNote;
use crate::param::TrackIndex;
use crate::time::Beats;

/// Notes that may wait; further ones are dropped and counted.
pub(super) const ECHOES: usize = 512;
/// A note whose end never comes ends after this long.
pub(super) const LONGEST: Beats = Beats::quarters(16);

/// The notes that wait.
pub(super) struct Echoes {
    notes: [(Beats, TrackNote); ECHOES],
    length: usize,
}

impl Echoes {
    /// None. Allocates.
    pub(super) fn new() -> Box<Echoes> {
        let track = TrackIndex::all().next().expect("a song has tracks");
        let rest = (Beats::ZERO, TrackNote { track, note: 0, velocity: 0.0 });
        Box::new(Echoes { notes: [rest; ECHOES], length: 0 })
    }

    /// Lets a note wait for its tick; `false` where there is no room.
    pub(super) fn insert(&mut self, at: Beats, note: TrackNote) -> bool {
        if self.length == ECHOES {
            return false;
        }
        let rank = |at: Beats, note: &TrackNote| {
            (at, note.velocity > 0.0, note.track.get(), note.note, note.velocity.to_bits())
        };
        let key = rank(at, &note);
        let place = self.notes[..self.length].partition_point(|(at, other)| rank(*at, other) <= key);
        self.notes.copy_within(place..self.length, place + 1);
        self.notes[place] = (at, note);
        self.length += 1;
        true
    }

    /// Takes the first note due before a tick.
    pub(super) fn take_before(&mut self, tick: Beats) -> Option<(Beats, TrackNote)> {
        let first = self.notes[..self.length].first().copied().filter(|(at, _)| *at < tick)?;
        self.notes.copy_within(1..self.length, 0);
        self.length -= 1;
        Some(first)
    }

    /// The position goes from `end` back to `start`: what lies behind the end sounds in the next
    /// round.
    pub(super) fn wrap(&mut self, start: Beats, end: Beats) {
        for (at, _) in self.notes[..self.length].iter_mut().filter(|(at, _)| *at >= end) {
            *at = *at - (end - start);
        }
    }

    pub(super) fn clear(&mut self) {
        self.length = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(track: usize, note: u8, velocity: f32) -> TrackNote {
        TrackNote { track: TrackIndex::new(track).expect("a track"), note, velocity }
    }

    fn all(echoes: &mut Echoes) -> Vec<(i64, u8, bool)> {
        std::iter::from_fn(|| echoes.take_before(Beats(i64::MAX)))
            .map(|(at, note)| (at.0, note.note, note.velocity > 0.0))
            .collect()
    }

    #[test]
    fn the_order_of_arrival_does_not_matter() {
        let notes =
            [(5, note(0, 60, 0.5)), (5, note(0, 60, 0.0)), (3, note(1, 62, 0.5)), (5, note(0, 59, 0.5))];
        let (mut one, mut other) = (Echoes::new(), Echoes::new());
        notes.iter().for_each(|(at, note)| assert!(one.insert(Beats(*at), *note)));
        notes.iter().rev().for_each(|(at, note)| assert!(other.insert(Beats(*at), *note)));
        let played = all(&mut one);
        assert_eq!(played, [(3, 62, true), (5, 60, false), (5, 59, true), (5, 60, true)]);
        assert_eq!(all(&mut other), played);
    }

    #[test]
    fn a_full_table_says_so_and_a_loop_takes_its_notes_along() {
        let mut echoes = Echoes::new();
        assert!((0..ECHOES as i64).all(|at| echoes.insert(Beats(at), note(0, 60, 1.0))));
        assert!(!echoes.insert(Beats(0), note(0, 60, 1.0)));
        echoes.clear();
        echoes.insert(Beats(70), note(0, 60, 1.0));
        echoes.wrap(Beats(0), Beats(64));
        assert_eq!(all(&mut echoes), [(6, 60, true)]);
    }
}
