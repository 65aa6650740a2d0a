//! What the LAN should show now: the session's tempo, its place in the bar, and its transport.
//!
//! Pure: times are passed in.

use antiphon::session::Timeline;
use antiphon::time::{Beats, SessionNanos, Tempo, TempoMap};

/// A bar of four quarters: Link's quantum.
const BAR: Beats = Beats::quarters(4);

/// The session's transport and tempo as replicas hold them.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// The transport.
    pub timeline: Timeline,
    /// The tempo map.
    pub tempo_map: TempoMap,
}

/// The session's grid at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grid {
    /// The tempo that holds.
    pub tempo: Tempo,
    /// The bar's length in quarter notes.
    pub quantum: f64,
    /// Quarter notes since the song's beginning; `None` while stopped. Before a start that lies
    /// ahead it counts down to the start's position.
    pub beat: Option<f64>,
}

impl Score {
    /// The grid at a session time.
    pub fn at(&self, now: SessionNanos) -> Grid {
        let Score { timeline, tempo_map } = self;
        let quantum = BAR.as_quarters_f64();
        if !timeline.playing {
            return Grid { tempo: tempo_map.tempo_at(timeline.tick), quantum, beat: None };
        }
        let begun = tempo_map.nanos_at(timeline.tick);
        let since = now - timeline.at;
        if since < 0 {
            // The tempo of the start holds before it, whatever the map says of earlier bars.
            let tempo = tempo_map.tempo_at(timeline.tick);
            let beat = timeline.tick.as_quarters_f64() + quarters(since, tempo);
            return Grid { tempo, quantum, beat: Some(beat) };
        }
        let song = begun + since;
        let tick = tempo_map.tick_at_nanos(song);
        let segment = tempo_map.segment_at(tick);
        let beat = segment.tick.as_quarters_f64() + quarters(song.0 - segment.ns, segment.tempo);
        Grid { tempo: segment.tempo, quantum, beat: Some(beat) }
    }
}

/// The quarter notes in so many ns.
fn quarters(ns: i64, tempo: Tempo) -> f64 {
    ns as f64 * tempo.bpm() / 60e9
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    fn bpm(bpm: f64) -> Tempo {
        Tempo::from_bpm(bpm).expect("a tempo")
    }

    #[test]
    fn the_grid_follows_the_tempo_map_and_counts_down_to_a_start() {
        let tempo_map = TempoMap::constant(bpm(120.0)).with_tempo(Beats::quarters(8), bpm(60.0));
        let tempo_map = tempo_map.expect("a map");
        let timeline = Timeline { playing: true, tick: Beats::quarters(4), at: SessionNanos(10 * SECOND) };
        let score = Score { timeline, tempo_map };
        let at = |half_seconds: i64| {
            let grid = score.at(SessionNanos(half_seconds * SECOND / 2));
            (grid.tempo.bpm(), grid.beat.expect("it plays"))
        };
        assert_eq!(at(19), (120.0, 3.0));
        assert_eq!(at(20), (120.0, 4.0));
        assert_eq!(at(23), (120.0, 7.0));
        assert_eq!(at(24), (60.0, 8.0));
        assert_eq!(at(27), (60.0, 9.5));
        let stopped = Score { timeline: Timeline { playing: false, ..timeline }, ..score };
        assert_eq!(stopped.at(SessionNanos(0)), Grid { tempo: bpm(120.0), quantum: 4.0, beat: None });
    }
}
