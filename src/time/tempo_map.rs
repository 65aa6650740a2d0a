//! From ticks to nanoseconds and canonical samples and back, exactly.
//!
//! Holds for ticks up to [`Beats::FURTHEST`]; results past 64 bits saturate.

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Beats, CANONICAL_RATE, SamplePos, SessionNanos, TICKS_PER_BEAT, Tempo};

/// ns in a minute × µBPM in a BPM: the numerator of one tick's length.
const NANO_MICRO: i128 = 60_000_000_000 * 1_000_000;
const NANOS: i128 = 1_000_000_000;

/// A stretch of constant tempo, from `tick` (at `ns` after the map's start) on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TempoSegment {
    /// Where it starts, in ticks.
    pub tick: Beats,
    /// Where it starts, in ns from the map's zero.
    pub ns: i64,
    /// Its tempo.
    pub tempo: Tempo,
}

impl TempoSegment {
    /// Ticks × ns a tick has this denominator.
    fn denominator(&self) -> i128 {
        i128::from(TICKS_PER_BEAT) * i128::from(self.tempo.micro_bpm())
    }

    /// The nanosecond of a tick: `ns + ceil(Δtick · 6·10¹⁶ / (705600 · µBPM))`.
    pub fn nanos_at(&self, tick: Beats) -> SessionNanos {
        let span = i128::from((tick - self.tick).0) * NANO_MICRO;
        SessionNanos(narrow(i128::from(self.ns) + div_ceil(span, self.denominator())))
    }

    /// The last tick at or before a nanosecond: the inverse of [`TempoSegment::nanos_at`].
    pub fn tick_at_nanos(&self, ns: SessionNanos) -> Beats {
        let span = (i128::from(ns.0) - i128::from(self.ns)) * self.denominator();
        Beats(narrow(i128::from(self.tick.0) + span.div_euclid(NANO_MICRO)))
    }

    /// The canonical sample nearest to a tick (halves go up), counted from the map's zero.
    pub fn sample_at(&self, tick: Beats) -> SamplePos {
        let (numerator, denominator) = self.sample_fraction(tick);
        SamplePos(narrow((2 * numerator + denominator).div_euclid(2 * denominator)))
    }

    /// The first tick whose nearest sample is `sample` or later. Events in samples `[a, b)` are
    /// those in ticks `[first_tick_from(a), first_tick_from(b))`.
    pub fn first_tick_from(&self, sample: SamplePos) -> Beats {
        // sample_at(t) >= s  ⇔  Δt·RATE·6e16 / (den·1e9) + ns·RATE/1e9 >= s − ½
        let rate = i128::from(CANONICAL_RATE);
        let den = self.denominator();
        let target = (2 * i128::from(sample.0) - 1) * NANOS - 2 * i128::from(self.ns) * rate;
        Beats(narrow(i128::from(self.tick.0) + div_ceil(target * den, 2 * rate * NANO_MICRO)))
    }

    /// A tick's exact sample position as a fraction.
    fn sample_fraction(&self, tick: Beats) -> (i128, i128) {
        let rate = i128::from(CANONICAL_RATE);
        let den = self.denominator();
        let exact_ns = i128::from(self.ns) * den + i128::from((tick - self.tick).0) * NANO_MICRO;
        (exact_ns * rate, den * NANOS)
    }
}

/// A session's tempo over its whole length: segments in order of tick, the first at tick 0.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TempoMap {
    /// Grows with each change; a change takes effect at a future tick.
    pub revision: u32,
    segments: Vec<TempoSegment>,
}

/// Why a tempo map was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TempoMapError {
    /// A map without segments, or one whose first does not start at tick 0, ns 0.
    #[error("a tempo map's first segment must start at tick 0")]
    Start,
    /// Segments out of order, or whose times contradict their ticks.
    #[error("tempo map segment {0} does not follow from the one before it")]
    Order(usize),
    /// A segment's tempo lies outside 40 to 300 BPM.
    #[error("tempo map segment {0} lies outside 40 to 300 BPM")]
    Tempo(usize),
    /// A segment starts further out than any song reaches.
    #[error("tempo map segment {0} lies more than 2^32 quarter notes into the song")]
    Furthest(usize),
    /// More segments than a session may have.
    #[error("a tempo map holds at most {max} segments", max = TempoMap::MAX_SEGMENTS)]
    TooLong,
}

impl TempoMap {
    /// The most segments a map may hold.
    pub const MAX_SEGMENTS: usize = 4096;

    /// One tempo throughout.
    pub fn constant(tempo: Tempo) -> TempoMap {
        TempoMap { revision: 0, segments: vec![TempoSegment { tick: Beats::ZERO, ns: 0, tempo }] }
    }

    /// Its segments, in order.
    pub fn segments(&self) -> &[TempoSegment] {
        &self.segments
    }

    /// This map with `tempo` from `tick` (≥ 0) on, later segments dropped, one revision further.
    ///
    /// # Errors
    /// When the map is full, or the tick lies past [`Beats::FURTHEST`].
    pub fn with_tempo(&self, tick: Beats, tempo: Tempo) -> Result<TempoMap, TempoMapError> {
        let mut segments: Vec<_> = self.segments.iter().copied().filter(|s| s.tick < tick).collect();
        if tick > Beats::FURTHEST {
            return Err(TempoMapError::Furthest(segments.len()));
        }
        match segments.last() {
            None => segments.push(TempoSegment { tick: Beats::ZERO, ns: 0, tempo }),
            Some(last) if segments.len() < Self::MAX_SEGMENTS => {
                segments.push(TempoSegment { tick, ns: last.nanos_at(tick).0, tempo });
            }
            Some(_) => return Err(TempoMapError::TooLong),
        }
        Ok(TempoMap { revision: self.revision + 1, segments })
    }

    /// Checks a map that came from outside.
    ///
    /// # Errors
    /// Says which law of [`TempoMap`] it breaks.
    pub fn check(&self) -> Result<(), TempoMapError> {
        if self.segments.len() > Self::MAX_SEGMENTS {
            return Err(TempoMapError::TooLong);
        }
        let first = self.segments.first().ok_or(TempoMapError::Start)?;
        if first.tick != Beats::ZERO || first.ns != 0 {
            return Err(TempoMapError::Start);
        }
        for (at, segment) in self.segments.iter().enumerate() {
            if Tempo::from_micro_bpm(segment.tempo.micro_bpm()).is_err() {
                return Err(TempoMapError::Tempo(at));
            }
            if segment.tick > Beats::FURTHEST {
                return Err(TempoMapError::Furthest(at));
            }
            let follows = at == 0 || {
                let before = &self.segments[at - 1];
                before.tick < segment.tick && before.nanos_at(segment.tick).0 == segment.ns
            };
            if !follows {
                return Err(TempoMapError::Order(at));
            }
        }
        Ok(())
    }

    /// The first tick from which two maps may differ; `None` where they are one.
    pub fn differs_from(&self, other: &TempoMap) -> Option<Beats> {
        let same = self.segments.iter().zip(&other.segments).take_while(|(one, other)| one == other).count();
        let next = |map: &TempoMap| map.segments.get(same).map(|segment| segment.tick);
        next(self).into_iter().chain(next(other)).min()
    }

    /// The first segment that starts after a tick.
    pub fn segment_after(&self, tick: Beats) -> Option<&TempoSegment> {
        self.segments.get(self.segments.partition_point(|s| s.tick <= tick).max(1))
    }

    /// The segment that holds a tick; ticks before 0 belong to the first.
    pub fn segment_at(&self, tick: Beats) -> &TempoSegment {
        let after = self.segments.partition_point(|s| s.tick <= tick);
        &self.segments[after.saturating_sub(1)]
    }

    /// The tempo at a tick.
    pub fn tempo_at(&self, tick: Beats) -> Tempo {
        self.segment_at(tick).tempo
    }

    /// The nanosecond of a tick, from the map's zero.
    pub fn nanos_at(&self, tick: Beats) -> SessionNanos {
        self.segment_at(tick).nanos_at(tick)
    }

    /// The last tick at or before a nanosecond.
    pub fn tick_at_nanos(&self, ns: SessionNanos) -> Beats {
        let after = self.segments.partition_point(|s| s.ns <= ns.0);
        self.segments[after.saturating_sub(1)].tick_at_nanos(ns)
    }

    /// The canonical sample nearest to a tick, from the map's zero.
    pub fn sample_at(&self, tick: Beats) -> SamplePos {
        self.segment_at(tick).sample_at(tick)
    }

    /// The first tick whose nearest sample is `sample` or later.
    pub fn first_tick_from(&self, sample: SamplePos) -> Beats {
        let after = self.segments.partition_point(|s| s.sample_at(s.tick) < sample);
        let segment = &self.segments[after.saturating_sub(1)];
        // Within its own stretch; the next segment's first tick bounds it.
        let tick = segment.first_tick_from(sample);
        self.segments.get(after).map_or(tick, |next| tick.min(next.tick))
    }
}

impl Default for TempoMap {
    fn default() -> TempoMap {
        TempoMap::constant(Tempo::DEFAULT)
    }
}

fn div_ceil(numerator: i128, denominator: i128) -> i128 {
    -(-numerator).div_euclid(denominator)
}

fn narrow(exact: i128) -> i64 {
    exact.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64
}
