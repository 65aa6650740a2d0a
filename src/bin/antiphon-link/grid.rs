//! What the LAN should show now: the session's tempo, its place in the bar, and its transport.
//!
//! Pure: times are passed in.

use antiphon::pattern::Bars;
use antiphon::session::Timeline;
use antiphon::time::{Beats, SessionNanos, Tempo, TempoMap};

/// The session's transport, tempo and bars as replicas hold them.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// The transport.
    pub timeline: Timeline,
    /// The tempo map.
    pub tempo_map: TempoMap,
    /// The bars.
    pub bars: Bars,
}

/// The session's grid at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grid {
    /// The tempo that holds.
    pub tempo: Tempo,
    /// The bar's length in quarter notes: Link's quantum.
    pub quantum: f64,
    /// Quarter notes since the bar's beginning; `None` while stopped. Before a start that lies ahead
    /// it counts down to the start's position.
    pub beat: Option<f64>,
}

impl Score {
    /// The grid at a session time.
    pub fn at(&self, now: SessionNanos) -> Grid {
        let Score { timeline, tempo_map, bars } = self;
        let within = |tick: Beats| {
            let bar = bars.at(tick);
            (bar.length().as_quarters_f64(), (tick - bar.start).as_quarters_f64())
        };
        let since = now - timeline.at;
        if !timeline.playing || since < 0 {
            // Before a start its tempo and bar hold, whatever the map says of what comes earlier.
            let tempo = tempo_map.tempo_at(timeline.tick);
            let (quantum, beat) = within(timeline.tick);
            return Grid { tempo, quantum, beat: timeline.playing.then(|| beat + quarters(since, tempo)) };
        }
        let song = tempo_map.nanos_at(timeline.tick) + since;
        let tick = tempo_map.tick_at_nanos(song);
        let segment = tempo_map.segment_at(tick);
        let (quantum, beat) = within(tick);
        // The rest of a tick, which is 0.7 µs at 120 BPM.
        let rest = quarters(song - segment.nanos_at(tick), segment.tempo);
        Grid { tempo: segment.tempo, quantum, beat: Some(beat + rest) }
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
        let score = Score { timeline, tempo_map, bars: Bars::default() };
        let at = |half_seconds: i64| {
            let grid = score.at(SessionNanos(half_seconds * SECOND / 2));
            (grid.tempo.bpm(), grid.beat.expect("it plays"))
        };
        assert_eq!(at(19), (120.0, -1.0));
        assert_eq!(at(20), (120.0, 0.0));
        assert_eq!(at(23), (120.0, 3.0));
        assert_eq!(at(24), (60.0, 0.0));
        assert_eq!(at(27), (60.0, 1.5));
        let seven = Score { bars: Bars::of(antiphon::pattern::Metre { count: 7, unit: 8 }), ..score.clone() };
        let grid = seven.at(SessionNanos(12 * SECOND));
        // Quarter 8 is an eighth into the third bar.
        assert_eq!((grid.quantum, grid.beat), (3.5, Some(1.0)));
        let stopped = Score { timeline: Timeline { playing: false, ..timeline }, ..score };
        assert_eq!(stopped.at(SessionNanos(0)), Grid { tempo: bpm(120.0), quantum: 4.0, beat: None });
    }
}
