//! Where the song stands on the stream of canonical samples.
//!
//! The *stream* counts the canonical samples rendered since the run's origin and only ever grows;
//! the *song sample* counts from the song's beginning. An anchor ties the two; locates, loops and
//! changes of tempo set a new one.
//!
//! Thread: audio. Realtime-safe: yes.

use crate::time::{Beats, SamplePos, Tempo, TempoMap, TempoSegment};

/// How ticks become song samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Timing {
    /// By the session's tempo map.
    Session,
    /// By the host's tempo, as if it had held from where the segment starts.
    Host(TempoSegment),
}

impl Timing {
    /// A host's tempo, as if it had held since the song's beginning.
    pub(super) fn host(tempo: Tempo) -> Timing {
        Timing::Host(TempoSegment { tick: Beats::ZERO, ns: 0, tempo })
    }

    /// The song sample nearest to a tick.
    pub(super) fn sample_at(&self, map: &TempoMap, tick: Beats) -> i64 {
        match self {
            Timing::Session => map.sample_at(tick).0,
            Timing::Host(segment) => segment.sample_at(tick).0,
        }
    }

    /// The first tick whose nearest song sample is `sample` or later.
    pub(super) fn first_tick_from(&self, map: &TempoMap, sample: i64) -> Beats {
        match self {
            Timing::Session => map.first_tick_from(SamplePos(sample)),
            Timing::Host(segment) => segment.first_tick_from(SamplePos(sample)),
        }
    }

    /// The tick in the middle of a song sample.
    pub(super) fn tick_at(&self, map: &TempoMap, sample: i64) -> Beats {
        let from = self.first_tick_from(map, sample);
        let to = self.first_tick_from(map, sample + 1);
        Beats(from.0 + (to.0 - from.0) / 2)
    }

    /// The stretch of tempo that holds at a tick.
    pub(super) fn segment_at(&self, map: &TempoMap, tick: Beats) -> TempoSegment {
        match self {
            Timing::Session => *map.segment_at(tick),
            Timing::Host(segment) => *segment,
        }
    }

    /// The tempo at a tick.
    pub(super) fn tempo_at(&self, map: &TempoMap, tick: Beats) -> Tempo {
        match self {
            Timing::Session => map.tempo_at(tick),
            Timing::Host(segment) => segment.tempo,
        }
    }

    /// A host's tempo from `tick` on, where this timing holds before it.
    pub(super) fn continued(&self, map: &TempoMap, tick: Beats, tempo: Tempo) -> Timing {
        let ns = match self {
            Timing::Session => map.nanos_at(tick).0,
            Timing::Host(segment) => segment.nanos_at(tick).0,
        };
        Timing::Host(TempoSegment { tick, ns, tempo })
    }
}

/// Song sample `song` is stream sample `stream`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Anchor {
    pub(super) stream: i64,
    pub(super) song: i64,
    pub(super) timing: Timing,
}

impl Anchor {
    /// The song sample of a stream sample.
    pub(super) fn song_at(&self, stream: i64) -> i64 {
        self.song + (stream - self.stream)
    }

    /// The stream sample of a song sample.
    pub(super) fn stream_at(&self, song: i64) -> i64 {
        self.stream + (song - self.song)
    }
}

/// Two anchors: what the listener hears, and what is rendered. They differ while a loop's wrap has
/// been rendered ahead of its hearing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Timeline {
    heard: Anchor,
    wrap: Option<Anchor>,
}

impl Timeline {
    pub(super) fn new(anchor: Anchor) -> Timeline {
        Timeline { heard: anchor, wrap: None }
    }

    /// The anchor of what is being rendered.
    pub(super) fn rendered(&self) -> &Anchor {
        self.wrap.as_ref().unwrap_or(&self.heard)
    }

    /// The anchor that holds at a stream sample, which only grows from call to call.
    pub(super) fn heard_at(&mut self, stream: i64) -> Anchor {
        if let Some(wrap) = self.wrap
            && wrap.stream <= stream
        {
            (self.heard, self.wrap) = (wrap, None);
        }
        self.heard
    }

    /// Whether a wrap has been rendered and not yet heard.
    pub(super) fn is_wrapping(&self) -> bool {
        self.wrap.is_some()
    }

    /// Sets the anchor from a stream sample that is rendered but not yet heard.
    pub(super) fn wrap(&mut self, anchor: Anchor) {
        self.heard = *self.rendered();
        self.wrap = Some(anchor);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_continued_tempo_keeps_the_place() {
        let map = TempoMap::default();
        let tick = Beats::quarters(7) + Beats(1234);
        let timing = Timing::Session.continued(&map, tick, Tempo::from_host_bpm(91.37).expect("a tempo"));
        assert!((timing.sample_at(&map, tick) - Timing::Session.sample_at(&map, tick)).abs() <= 1);
        let sample = timing.sample_at(&map, Beats::quarters(9));
        assert_eq!(timing.sample_at(&map, timing.tick_at(&map, sample)), sample);
    }
}
