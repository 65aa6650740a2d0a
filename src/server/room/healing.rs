//! Bars that differ are healed: those who told of them begin anew with a coming bar.
//!
//! A fault of memory goes with what remembered it. An engine that is truly another differs again:
//! then everybody's sound would dip at every other bar, so each time the wait before the next attempt
//! doubles.

use std::time::Duration;

use tokio::time::Instant;

use super::Room;
use crate::pattern::Bars;
use crate::server::metrics;
use crate::time::TempoMap;
use crate::wire::{BarFingerprint, Down};

/// The least between the end of a bar that differs and the line: what it takes for both to be told,
/// and to tell.
const AHEAD_NS: i64 = 1_500_000_000;
/// The wait after the first attempt, and the longest.
const FIRST_WAIT: Duration = Duration::from_secs(10);
const LONGEST_WAIT: Duration = Duration::from_secs(640);
/// The bars of the metre that are looked at for one far enough ahead.
const SHORTEST_BARS: i64 = 64;

/// When it was tried.
#[derive(Default)]
pub(super) struct Healing {
    last: Option<(Instant, Duration)>,
}

impl Healing {
    /// Whether to try now; then it counts as tried.
    fn may(&mut self, now: Instant) -> bool {
        let wait = match self.last {
            None => FIRST_WAIT,
            Some((at, wait)) if now < at + wait => return false,
            // It held for long enough to be another fault.
            Some((at, wait)) if now >= at + wait * 8 => FIRST_WAIT,
            Some((_, wait)) => (wait * 2).min(LONGEST_WAIT),
        };
        self.last = Some((now, wait));
        true
    }
}

/// The bar after one that differs to begin anew with: the next but one, where that is far enough.
fn bar_to_heal(bars: &Bars, map: &TempoMap, differs: i32) -> i32 {
    let next = i64::from(differs) + 1;
    let told = map.nanos_at(bars.bar(next).start);
    let far = |bar: &i64| map.nanos_at(bars.bar(*bar).start) - told >= AHEAD_NS;
    let bar = (next + 1..next + SHORTEST_BARS).find(far).unwrap_or(next + SHORTEST_BARS);
    i32::try_from(bar).unwrap_or(differs)
}

impl Room {
    /// Lets those who told of a bar that differs begin anew.
    pub(super) fn heal(&mut self, print: &BarFingerprint) {
        if !self.healing.may(Instant::now()) {
            return;
        }
        let state = self.sequencer.state();
        let bar = bar_to_heal(&Bars::in_song(state.song()), state.tempo_map(), print.bar);
        tracing::info!(session = self.session, differs = print.bar, bar, "differing engines begin anew");
        metrics::renewed();
        let tellers: Vec<_> = self.comparison.tellers(print).collect();
        for client in tellers {
            self.tell(client, Down::Renew { bar });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::Metre;
    use crate::time::Tempo;

    #[test]
    fn each_attempt_that_did_not_help_doubles_the_wait() {
        let (mut healing, begun) = (Healing::default(), Instant::now());
        let tried: Vec<u64> =
            (0..2_000).filter(|second| healing.may(begun + Duration::from_secs(*second))).collect();
        assert_eq!(tried, [0, 10, 30, 70, 150, 310, 630, 1270, 1910]);
        let later = begun + Duration::from_secs(1910 + 640 * 8);
        assert!(healing.may(later), "another fault");
        assert!(healing.may(later + FIRST_WAIT), "waits as the first did");
    }

    #[test]
    fn the_line_is_the_next_that_everybody_hears_of_in_time() {
        let bar = |bpm, count, unit| {
            let map = TempoMap::constant(Tempo::from_bpm(bpm).expect("a tempo"));
            bar_to_heal(&Bars::of(Metre { count, unit }), &map, 17)
        };
        assert_eq!(bar(120.0, 4, 4), 19);
        assert_eq!(bar(240.0, 4, 4), 20);
        assert_eq!(bar(300.0, 4, 4), 20);
        assert_eq!(bar(300.0, 1, 8), 33);
    }
}
