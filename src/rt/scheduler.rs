//! Which strokes of a track fall into a span of ticks.
//!
//! A pattern is asked about a half-open span; nothing is remembered here, so any bar gives the
//! same notes whether it is reached or started from. Thread: audio. Realtime-safe: yes.

use super::pending::Pending;
use crate::param::TrackIndex;
use crate::pattern::groove::{self, Groove};
use crate::pattern::{Overflow, Song, Step, Track, chance};
use crate::time::Beats;

/// A span of sounding ticks, `from` included, `to` not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Span {
    pub(super) from: Beats,
    pub(super) to: Beats,
    /// Steps from this tick on do not belong to it, however early they sound: a loop's end.
    pub(super) end: Option<Beats>,
    /// A run begins at `from`: early strokes of the steps from there on are part of it.
    pub(super) origin: bool,
}

/// One stroke of one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Stroke {
    /// Steps since the song's beginning.
    pub(super) absolute: i64,
    /// The cell of the grid.
    pub(super) cell: u8,
    /// Which of the step's strokes.
    pub(super) stroke: u8,
    /// The position it belongs to.
    pub(super) tick: Beats,
    /// The position at which it sounds: `tick` moved by the groove and the step's micro-timing.
    pub(super) sounds: Beats,
    /// Its length.
    pub(super) length: Beats,
    /// The step as it is played.
    pub(super) step: Step,
}

/// The steps after which resting patterns begin again: the longest pattern's length.
pub(super) fn cycle(song: &Song) -> i64 {
    song.alive().map(|(_, track)| i64::from(track.playing().length)).max().unwrap_or(16).max(1)
}

/// Gives out the strokes of a track in a span, step by step. `cycle` is [`cycle`]'s; a step that
/// sounds early is played as the edits `pending` for its place make it.
pub(super) fn strokes(
    song: &Song,
    pending: &Pending,
    track: TrackIndex,
    cycle: i64,
    span: &Span,
    mut give: impl FnMut(Stroke),
) {
    let held = song.track(track);
    let pattern = held.playing();
    let groove = Groove::of(song, track);
    let (early, late) = match groove.is_straight() {
        true => (Beats::ZERO, Beats::ZERO),
        false => (groove::EARLIEST, groove::LATEST),
    };
    // A step's strokes sound from half a step before it to half a step after its end, and as much
    // earlier or later as the groove may move it.
    let step = Beats::SIXTEENTH.0;
    let first = (span.from.0 - late.0 - step - step / 2).div_euclid(step);
    let last = (span.to.0 - 1 + early.0 + step / 2).div_euclid(step);
    for absolute in first..=last {
        let nominal = Beats(absolute * step);
        if span.end.is_some_and(|end| nominal >= end) {
            return;
        }
        let Some(cell) = cell_of(held, absolute, cycle) else { continue };
        let state = pending.cell(track, held.pattern, cell, pattern.steps[usize::from(cell)], nominal);
        let sounds = || chance(song.seed, track, absolute, 0) < state.probability;
        if !state.on || !sounds() {
            continue;
        }
        let count = i64::from(state.ratchet.clamp(1, 8));
        let micro = Beats(i64::from(state.micro.clamp(-50, 50)) * (step / 100));
        let moved = groove.offset(absolute, cell) + micro;
        for stroke in 0..count {
            let tick = nominal + Beats(step * stroke / count);
            let sounds = tick + moved;
            let early = span.origin && sounds < span.from && nominal >= span.from;
            if early || (sounds >= span.from && sounds < span.to) {
                let length = Beats(step / count);
                let stroke = stroke as u8;
                give(Stroke { absolute, cell, stroke, tick, sounds, length, step: state });
            }
        }
    }
}

fn cell_of(track: &Track, absolute: i64, cycle: i64) -> Option<u8> {
    let length = i64::from(track.playing().length).clamp(1, crate::pattern::MAX_STEPS as i64);
    let cell = match track.overflow {
        Overflow::Loop => absolute.rem_euclid(length),
        Overflow::Rest => absolute.rem_euclid(cycle),
    };
    (cell < length).then_some(cell as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn song(edit: impl Fn(&mut Track)) -> Song {
        let mut song = Song::new();
        song.tracks[0].alive = true;
        edit(&mut song.tracks[0]);
        song
    }

    fn gather(song: &Song, from: i64, to: i64, chunk: i64, origin: bool) -> Vec<(i64, u8, i64)> {
        let track = TrackIndex::new(0).expect("the first track");
        let mut found = Vec::new();
        let mut at = from;
        while at < to {
            let next = (at + chunk).min(to);
            let span = Span { from: Beats(at), to: Beats(next), end: None, origin: origin && at == from };
            let pending = Pending::new();
            strokes(song, &pending, track, cycle(song), &span, |s| {
                found.push((s.absolute, s.stroke, s.sounds.0))
            });
            at = next;
        }
        found
    }

    #[test]
    fn any_cut_of_a_span_gives_the_same_strokes() {
        let song = song(|track| {
            let pattern = track.playing_mut();
            pattern.length = 7;
            for (at, step) in pattern.steps.iter_mut().enumerate() {
                step.on = at % 2 == 0;
                step.ratchet = 1 + (at % 8) as u8;
                step.micro = [0, -50, 50, 13, -7][at % 5];
                step.probability = 0.8;
            }
        });
        let bar = Beats::quarters(4).0;
        let mut whole = gather(&song, 0, 8 * bar, 8 * bar, false);
        whole.sort_unstable();
        assert!(whole.len() > 100);
        for chunk in [1001, 17_640, 176_399] {
            let mut cut = gather(&song, 0, 8 * bar, chunk, false);
            cut.sort_unstable();
            assert_eq!(cut, whole);
        }
    }

    #[test]
    fn every_groove_gives_each_stroke_once_however_the_span_is_cut() {
        use crate::param::{Owner, Param, Slot};
        let track = TrackIndex::new(0).expect("the first track");
        for (kind, subdivision) in [(0.0, 0.0), (0.0, 2.0), (1.0, 2.0), (2.0, 1.0), (3.0, 0.0), (4.0, 2.0)] {
            let mut grooved = song(|track| {
                track.groove_template = crate::pattern::Name::new("samba").expect("a name");
                for (at, step) in track.playing_mut().steps.iter_mut().enumerate() {
                    (step.on, step.ratchet) = (true, 1 + (at % 3) as u8);
                    step.micro = [0, -50, 50, 13][at % 4];
                }
            });
            for owner in [Owner::Master, Owner::Track(track)] {
                for (param, value) in [
                    (Param::GrooveAmount, 1.0),
                    (Param::GrooveType, kind),
                    (Param::GrooveSubdivision, subdivision),
                ] {
                    grooved.params[Slot::new(owner, param).index()] = value;
                }
            }
            let bar = Beats::quarters(4).0;
            let mut whole = gather(&grooved, 0, 8 * bar, 8 * bar, false);
            whole.sort_unstable();
            let steps: std::collections::BTreeSet<_> =
                whole.iter().map(|(step, stroke, _)| (step, stroke)).collect();
            assert_eq!(steps.len(), whole.len(), "none doubled");
            // Every stroke whose place is well inside the span.
            let inside = (8..120).map(|step: i64| 1 + step.rem_euclid(16) % 3).sum::<i64>();
            assert_eq!(whole.iter().filter(|(step, _, _)| (8..120).contains(step)).count() as i64, inside);
            for chunk in [1001, 17_640, 176_399] {
                let mut cut = gather(&grooved, 0, 8 * bar, chunk, false);
                cut.sort_unstable();
                assert_eq!(cut, whole);
            }
        }
    }

    #[test]
    fn early_strokes_of_the_first_step_are_kept() {
        let song = song(|track| {
            track.playing_mut().steps[0] = Step { on: true, micro: -30, ..Step::REST };
        });
        let bar = Beats::quarters(4).0;
        assert_eq!(gather(&song, bar, bar + 100, 50, true).len(), 1);
        assert_eq!(gather(&song, bar, bar + 100, 50, false).len(), 0);
    }

    #[test]
    fn a_resting_pattern_waits_for_the_longest() {
        let mut song = song(|track| {
            track.playing_mut().steps[0].on = true;
            track.playing_mut().length = 4;
            track.overflow = Overflow::Rest;
        });
        song.tracks[1].alive = true;
        let bar = Beats::quarters(4).0;
        assert_eq!(gather(&song, 0, 2 * bar, bar, false).len(), 2);
        song.tracks[0].overflow = Overflow::Loop;
        assert_eq!(gather(&song, 0, 2 * bar, bar, false).len(), 8);
    }
}
