//! Rounds of a pattern as plain steps: what conditions and chance made of it, made to stay.
//!
//! Thread: any but audio (allocates). Invariant: a track plays the captured steps as it played the
//! rounds they were captured from, strokes, notes and timing alike.

use thiserror::Error;

use super::score::{AsWritten, Score, Span, Stroke};
use super::{
    Bars, Condition, Edit, Locks, MAX_STEPS, Pattern, PatternField, PatternIndex, Register, Song, Step,
};
use crate::param::TrackIndex;
use crate::time::Beats;

/// Why nothing was captured.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CaptureError {
    /// No such track.
    #[error("there is no such track")]
    NoTrack,
    /// Too many steps.
    #[error("{cycles} rounds of {length} steps are more than a pattern's {MAX_STEPS}; at most {most} fit")]
    TooLong {
        /// What was asked for.
        cycles: usize,
        /// The pattern's steps.
        length: usize,
        /// The rounds that fit.
        most: usize,
    },
}

/// The edits that make of a track's playing pattern, in the pattern `to`, so many rounds of it as
/// plain steps: those that hold `tick`, counted so that the captured rounds come where they came.
/// Conditions and probabilities are gone; steps that did not sound rest. A pattern that rests at its
/// end is captured without its rest.
///
/// # Errors
/// The rounds are more than 64 steps, or none.
pub fn capture(
    song: &Song,
    track: TrackIndex,
    to: PatternIndex,
    tick: Beats,
    cycles: usize,
) -> Result<Vec<Edit>, CaptureError> {
    let held = song.track(track);
    if !held.alive {
        return Err(CaptureError::NoTrack);
    }
    let pattern = held.playing();
    let length = usize::from(pattern.length).clamp(1, MAX_STEPS);
    if cycles == 0 || cycles * length > MAX_STEPS {
        return Err(CaptureError::TooLong { cycles, length, most: MAX_STEPS / length });
    }
    // As the track would play by itself: an arrangement has no say here, a short pattern no rest.
    let mut plain = song.clone();
    plain.context.arranged = false;
    plain.tracks[track.get()].overflow = super::Overflow::Loop;
    let whole = Beats(pattern.rate.step().0 * (length * cycles) as i64);
    let from = tick.max(Beats::ZERO).floor_to(whole);
    let mut captured = Box::new(Pattern { length: (length * cycles) as u8, ..*pattern });
    captured.steps = [Step::REST; MAX_STEPS];
    captured.locks = [Locks::NONE; MAX_STEPS];
    let bars = Bars::in_song(&plain);
    let reach = (from - super::score::EARLIEST, from + whole + super::score::LATEST);
    let score = Score::new(&plain, &bars, &AsWritten, reach);
    let span = Span { from: reach.0, to: reach.1, end: None, origin: false };
    score.strokes(track, &span, |stroke: Stroke| {
        let place = (stroke.place - from).0.div_euclid(pattern.rate.step().0);
        if let Ok(place) = usize::try_from(place)
            && place < length * cycles
        {
            let plain = Step { probability: 1.0, condition: Condition::ALWAYS, ..stroke.step };
            captured.steps[place] = plain;
            captured.locks[place] = pattern.locks[usize::from(stroke.cell)];
        }
    });
    let mut after = plain;
    after.tracks[track.get()].patterns[to.get()] = *captured;
    let registers = Register::of_pattern(track, to);
    let changed = registers.filter(|register| after.read(*register) != song.read(*register));
    let mut edits: Vec<Edit> = changed.map(|register| after.read(register)).collect();
    // The length first, so that no half-captured pattern is heard longer than it is.
    let is_head = |edit: &Edit| matches!(edit, Edit::Pattern { field: PatternField::Length(_), .. });
    edits.sort_by_key(|edit| !is_head(edit));
    Ok(edits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::Trig;

    fn strokes(song: &Song, from: i64, to: i64) -> Vec<(i64, i64, i64, Option<u8>, u8)> {
        let bars = Bars::in_song(song);
        let span = Span { from: Beats(from), to: Beats(to), end: None, origin: false };
        let score = Score::new(song, &bars, &AsWritten, (span.from, span.to));
        let mut found = Vec::new();
        score.strokes(TrackIndex::new(1).expect("a track"), &span, |s| {
            found.push((s.tick.0, s.sounds.0, s.ends.0, s.step.note, s.stroke));
        });
        found.sort_unstable();
        found
    }

    #[test]
    fn captured_rounds_sound_as_they_did() {
        let track = TrackIndex::new(1).expect("a track");
        let mut song = Song::new();
        song.seed = 11;
        song.tracks[1].alive = true;
        let pattern = song.tracks[1].playing_mut();
        pattern.length = 7;
        for (at, step) in pattern.steps.iter_mut().enumerate() {
            step.on = at % 3 != 1;
            step.probability = [1.0, 0.5, 0.3][at % 3];
            step.ratchet = 1 + (at % 4) as u8;
            step.micro = [0, 20, -30][at % 3];
            step.note = Some(40 + at as u8);
            step.condition.when =
                [Trig::Always, Trig::First, Trig::Previous, Trig::Nth { nth: 2, of: 3 }][at % 4];
        }
        let whole = 9 * 7 * Beats::SIXTEENTH.0;
        let before = strokes(&song, whole, 2 * whole);
        let at = Beats(whole + 5_000_000);
        let edits = capture(&song, track, PatternIndex::FIRST, at, 9).expect("63 steps");
        edits.iter().for_each(|edit| song.apply(&edit.check().expect("within its bounds")));
        assert_eq!(song.tracks[1].playing().length, 63);
        assert!(song.tracks[1].playing().steps.iter().all(|step| step.probability == 1.0));
        assert!(before.len() > 12, "{}", before.len());
        assert_eq!(strokes(&song, whole, 2 * whole), before);
        assert_eq!(
            capture(&song, track, PatternIndex::FIRST, at, 2),
            Err(CaptureError::TooLong { cycles: 2, length: 63, most: 1 })
        );
    }
}
