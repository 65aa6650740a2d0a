//! Tempo from taps: the median of the intervals between them.
//!
//! Pure: times are passed in.

use std::collections::VecDeque;

use crate::time::{HostNanos, Tempo};

/// A pause longer than this begins anew; no session is slower than 40 BPM, 1.5 s a beat.
const RESET: i64 = 2_000_000_000;
/// Intervals kept.
const WINDOW: usize = 8;

/// The taps of one hand.
#[derive(Clone, Debug, Default)]
pub struct Taps {
    last: Option<HostNanos>,
    intervals: VecDeque<i64>,
}

impl Taps {
    /// Takes a tap. From the second on it gives the tempo of their median interval, to a tenth of a
    /// BPM, within 40 to 300.
    pub fn tap(&mut self, now: HostNanos) -> Option<Tempo> {
        let since = self.last.replace(now).map(|last| now - last);
        match since {
            Some(since) if (1..=RESET).contains(&since) => {
                self.intervals.push_back(since);
                if self.intervals.len() > WINDOW {
                    self.intervals.pop_front();
                }
            }
            _ => self.intervals.clear(),
        }
        let bpm = 60e9 / self.median()? as f64;
        let tenth = (bpm * 10.0).round() / 10.0;
        Tempo::from_bpm(tenth.clamp(Tempo::MIN.bpm(), Tempo::MAX.bpm())).ok()
    }

    fn median(&self) -> Option<i64> {
        let mut sorted: Vec<i64> = self.intervals.iter().copied().collect();
        sorted.sort_unstable();
        let middle = sorted.len() / 2;
        match sorted.len() {
            0 => None,
            n if n % 2 == 0 => Some((sorted[middle - 1] + sorted[middle]) / 2),
            _ => Some(sorted[middle]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    fn tapped(at_ms: &[i64]) -> Option<f64> {
        let mut taps = Taps::default();
        at_ms.iter().map(|ms| taps.tap(HostNanos(ms * MS))).last().flatten().map(Tempo::bpm)
    }

    #[test]
    fn two_taps_give_a_tempo_and_one_slip_does_not_spoil_it() {
        assert_eq!(tapped(&[100]), None);
        assert_eq!(tapped(&[100, 600]), Some(120.0));
        assert_eq!(tapped(&[0, 500, 1000, 1700, 2000, 2500]), Some(120.0));
    }

    #[test]
    fn a_pause_begins_anew_and_old_taps_are_forgotten() {
        assert_eq!(tapped(&[0, 500, 1000, 3001]), None);
        assert_eq!(tapped(&[0, 500, 1000, 3001, 3401]), Some(150.0));
        let mut slower: Vec<i64> = (0..20).map(|n| n * 300).collect();
        slower.extend((1..=8).map(|n| 19 * 300 + n * 600));
        assert_eq!(tapped(&slower), Some(100.0));
    }

    #[test]
    fn what_nobody_plays_is_bounded() {
        assert_eq!(tapped(&[0, 10, 20]), Some(300.0));
        assert_eq!(tapped(&[0, 1990]), Some(40.0));
        assert_eq!(tapped(&[50, 50]), None);
    }
}
