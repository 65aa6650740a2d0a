//! The notes a track holds, and which of its voices plays them.
//!
//! Thread: audio. Realtime-safe: yes. Invariant: a note that began ends once.

use crate::time::Beats;

/// Voices of a track.
pub(super) const VOICES: usize = 8;
/// Strokes remembered, so that an edit of micro-timing never sounds one twice.
const RECENT: usize = 32;

/// When a note ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Until {
    /// At a song position.
    Tick(Beats),
    /// When the musician lets go.
    Live,
    /// When the musician elsewhere lets go, at this position at the latest.
    Echo(Beats),
}

/// A note that sounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Held {
    pub(super) note: u8,
    pub(super) until: Until,
    /// It goes on into the pattern's next step that sounds.
    pub(super) tied: bool,
    /// Whether MIDI may have been told of it, and must be told of its end.
    pub(super) told: bool,
    /// The stream sample on which it began.
    pub(super) began: i64,
}

/// A track's notes, one a voice.
#[derive(Clone, Copy)]
pub(super) struct Notes {
    held: [Option<Held>; VOICES],
    /// When each voice was last struck.
    struck: [u64; VOICES],
    strikes: u64,
    recent: [i64; RECENT],
    recent_at: usize,
}

impl Notes {
    pub(super) fn new() -> Notes {
        Notes {
            held: [None; VOICES],
            struck: [0; VOICES],
            strikes: 0,
            recent: [i64::MIN; RECENT],
            recent_at: 0,
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        *self = Notes::new();
    }

    /// Whether a stroke of the step at a place is new; it is remembered.
    pub(super) fn is_new(&mut self, place: Beats, stroke: u8) -> bool {
        let name = place.0.wrapping_mul(8) + i64::from(stroke);
        if self.recent.contains(&name) {
            return false;
        }
        self.recent[self.recent_at] = name;
        self.recent_at = (self.recent_at + 1) % RECENT;
        true
    }

    /// Forgets the strokes: the song position went back.
    pub(super) fn forget_strokes(&mut self) {
        self.recent = [i64::MIN; RECENT];
    }

    /// The voice for a new note among the first `voices`: that of the same note, else a free one
    /// (the one struck longest ago), else the oldest. What it held before is given back.
    pub(super) fn begin(&mut self, held: Held, voices: usize) -> (u8, Option<Held>) {
        let same = (0..voices).find(|&v| self.held[v].is_some_and(|old| old.note == held.note));
        let voice = same.unwrap_or_else(|| {
            // `voices` is at least 1.
            (0..voices).min_by_key(|&v| (self.held[v].is_some(), self.struck[v])).unwrap_or(0)
        });
        self.strikes += 1;
        self.struck[voice] = self.strikes;
        (voice as u8, self.held[voice].replace(held))
    }

    /// Lets a tied note go on; `false` where none of that pitch is held.
    pub(super) fn extend(&mut self, note: u8, until: Until, tied: bool) -> bool {
        let same = |held: &&mut Held| held.note == note && held.tied;
        let held = self.held.iter_mut().flatten().find(same);
        held.map(|held| (held.until, held.tied) = (until, tied)).is_some()
    }

    /// Whether a tied note is held.
    pub(super) fn has_tied(&self) -> bool {
        self.held.iter().flatten().any(|held| held.tied)
    }

    /// Tied notes end at a position at the latest: what they were tied to is no more.
    pub(super) fn cut_ties(&mut self, at: Beats) {
        for held in self.held.iter_mut().flatten().filter(|held| held.tied) {
            held.tied = false;
            if let Until::Tick(until) = &mut held.until {
                *until = at.min(*until);
            }
        }
    }

    /// Takes the notes that end by a rule, one a call.
    pub(super) fn end_where(&mut self, ends: impl Fn(&Held) -> bool) -> Option<(u8, Held)> {
        let voice = self.held.iter().position(|held| held.is_some_and(|held| ends(&held)))?;
        self.held[voice].take().map(|held| (voice as u8, held))
    }
}
