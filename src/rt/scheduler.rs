//! Which strokes of a track fall into a span of ticks, under the edits that are known ahead.
//!
//! The song is asked as it will be at each step's own place ([`Pending`] knows what waits), and for
//! steps before a switch of patterns that sound behind it, as it was ([`Switched`]). Thread: audio.
//! Realtime-safe: yes.

use super::pending::Pending;
use crate::param::{MAX_TRACKS, TrackIndex};
use crate::pattern::score::Outlook;
use crate::pattern::{Edit, PatternIndex, Song, Step, TrackField};
use crate::time::Beats;

/// The last switches of a run: of each track's pattern, and of the arrangement.
pub(super) struct Switched {
    /// When, and which it was before.
    patterns: [Option<(Beats, PatternIndex)>; MAX_TRACKS],
    arranged: Option<(Beats, bool)>,
}

impl Switched {
    pub(super) fn new() -> Switched {
        Switched { patterns: [None; MAX_TRACKS], arranged: None }
    }

    /// Forgets them: the position went elsewhere.
    pub(super) fn clear(&mut self) {
        *self = Switched::new();
    }

    /// Notes an edit that is about to be written at a tick; gives the track whose pattern it
    /// switches.
    pub(super) fn note(&mut self, song: &Song, edit: &Edit, tick: Beats) -> Option<TrackIndex> {
        use crate::pattern::ContextField;
        match *edit {
            Edit::Track { track, field: TrackField::Pattern(_) } => {
                self.patterns[track.get()] = Some((tick, song.track(track).pattern));
                Some(track)
            }
            Edit::Context(ContextField::Arranged(_)) => {
                self.arranged = Some((tick, song.context.arranged));
                None
            }
            _ => None,
        }
    }
}

/// What the engine knows beyond the song.
pub(super) struct Ahead<'a> {
    pub(super) pending: &'a Pending,
    pub(super) switched: &'a Switched,
}

impl Outlook for Ahead<'_> {
    fn cell(&self, at: (TrackIndex, PatternIndex, u8), held: Step, tick: Beats) -> Step {
        self.pending.cell(at, held, tick)
    }

    fn chosen(&self, song: &Song, track: TrackIndex, tick: Beats) -> (PatternIndex, Beats, Beats) {
        let before = self.switched.patterns[track.get()];
        let held = song.track(track).pattern;
        self.pending.value_at(before, held, tick, |edit| match *edit {
            Edit::Track { track: of, field: TrackField::Pattern(pattern) } if of == track => Some(pattern),
            _ => None,
        })
    }

    fn arranged(&self, song: &Song, tick: Beats) -> (bool, Beats, Beats) {
        use crate::pattern::ContextField;
        let held = song.context.arranged;
        self.pending.value_at(self.switched.arranged, held, tick, |edit| match edit {
            Edit::Context(ContextField::Arranged(arranged)) => Some(*arranged),
            _ => None,
        })
    }

    fn fill(&self, song: &Song, tick: Beats) -> bool {
        use crate::pattern::ContextField;
        let fill = |edit: &Edit| match edit {
            Edit::Context(ContextField::Fill(fill)) => Some(*fill),
            _ => None,
        };
        self.pending.value_at(None, song.context.fill, tick, fill).0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::score::{Score, Span};
    use crate::pattern::{Bars, ContextField};

    fn song() -> Song {
        let mut song = Song::new();
        song.tracks[0].alive = true;
        for (index, pattern) in song.tracks[0].patterns.iter_mut().enumerate() {
            for (at, step) in pattern.steps.iter_mut().enumerate() {
                (step.on, step.note) = (true, Some(10 * index as u8));
                step.micro = [-40, 40][at % 2];
            }
        }
        song
    }

    /// Notes and the cells they are of, in order of sounding, step by step of the plan.
    fn played(song: &mut Song, edit: Edit, at: i64, from: i64, to: i64) -> Vec<(i64, u8)> {
        let track = TrackIndex::new(0).expect("the first track");
        let (mut pending, mut switched) = (Pending::new(), Switched::new());
        assert!(pending.insert(Beats(at), edit));
        let (bars, mut found, mut next) = (Bars::default(), Vec::new(), Beats(from));
        let mut plan = |song: &Song, pending: &Pending, switched: &Switched, to: Beats, next: &mut Beats| {
            let span = Span { from: *next, to, end: None, origin: false };
            let ahead = Ahead { pending, switched };
            Score::new(song, &bars, &ahead, (*next, to)).strokes(track, &span, |s| {
                found.push((s.place.0 / Beats::SIXTEENTH.0, s.step.note.expect("a note")));
            });
            *next = to;
        };
        while next.0 < to {
            let until = Beats(next.0 + 5_000);
            while pending.foresee(song, until).is_some() {}
            while let Some((at, edit)) = pending.take_before(until) {
                plan(song, &pending, &switched, at, &mut next);
                switched.note(song, &edit, at);
                song.apply(&edit);
            }
            plan(song, &pending, &switched, until, &mut next);
        }
        found.sort_unstable();
        found
    }

    #[test]
    fn a_launch_divides_the_steps_by_their_places_not_by_where_they_sound() {
        let track = TrackIndex::new(0).expect("the first track");
        let second = PatternIndex::new(2).expect("a pattern");
        let step = Beats::SIXTEENTH.0;
        let edit = Edit::Track { track, field: TrackField::Pattern(second) };
        let notes = played(&mut song(), edit, 8 * step, step / 2, 16 * step);
        let expected: Vec<(i64, u8)> = (1..16).map(|n| (n, if n < 8 { 0 } else { 20 })).collect();
        // The steps before and behind the stretch lie half outside it.
        let inside: Vec<_> = notes.into_iter().filter(|(n, _)| (1..16).contains(n)).collect();
        assert_eq!(inside, expected);
    }

    #[test]
    fn an_arrangement_takes_over_at_its_tick() {
        let mut song = song();
        song.clips[0].alive = true;
        song.clips[0].source = crate::pattern::ClipSource::Pattern(
            TrackIndex::new(0).expect("the first track"),
            PatternIndex::new(1).expect("a pattern"),
        );
        song.clips[0].length = 1;
        let step = Beats::SIXTEENTH.0;
        let edit = Edit::Context(ContextField::Arranged(true));
        let notes = played(&mut song, edit, 8 * step, step / 2, 24 * step);
        let inside: Vec<_> = notes.into_iter().filter(|(n, _)| (1..24).contains(n)).collect();
        let expected: Vec<(i64, u8)> = (1..16).map(|n| (n, if n < 8 { 0 } else { 10 })).collect();
        assert_eq!(inside, expected, "behind the clip it rests");
    }
}
