//! Whether the host renders faster than time passes: an offline bounce, whatever it calls it.

use crate::time::HostNanos;

/// A judgement is made over this much audio or time, whichever is over first, in ns.
const WINDOW: i64 = 250_000_000;
/// The first one is made over less.
const FIRST: i64 = 50_000_000;

/// Compares rendered audio with the clock.
#[derive(Debug, Default)]
pub struct Pace {
    since: Option<HostNanos>,
    last: HostNanos,
    rendered: i64,
    faster: Option<bool>,
}

impl Pace {
    /// Counts a block of `frames` that begins `now`; true while the last window held more than
    /// twice as much audio as time, and before the first: a bounce that nobody announced begins with
    /// its first note, while nothing live has been heard so early. *Realtime-safe: yes.*
    pub fn bouncing(&mut self, now: HostNanos, frames: usize, rate: f64) -> bool {
        let paused = now - std::mem::replace(&mut self.last, now) >= WINDOW;
        if self.since.is_none() || paused {
            // A host that did not ask for a while goes on as it did before.
            (self.since, self.rendered) = (Some(now), 0);
        }
        let passed = now - self.since.unwrap_or(now);
        let window = if self.faster.is_some() { WINDOW } else { FIRST };
        if passed >= window || self.rendered >= window {
            self.faster = Some(self.rendered > 2 * passed);
            (self.since, self.rendered) = (Some(now), 0);
        }
        self.rendered += (frames as f64 * 1e9 / rate) as i64;
        self.faster.unwrap_or(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds of audio in blocks of 512, each taking `pace` of its own length.
    fn run(pace_meter: &mut Pace, now: &mut i64, seconds: f64, pace: f64) -> bool {
        let length = 512.0 / 48_000.0;
        let mut bouncing = false;
        for _ in 0..(seconds / length) as usize {
            bouncing = pace_meter.bouncing(HostNanos(*now), 512, 48_000.0);
            *now += (length * pace * 1e9) as i64;
        }
        bouncing
    }

    #[test]
    fn only_rendering_ahead_of_time_is_a_bounce() {
        let (mut pace, mut now) = (Pace::default(), 0);
        assert!(!run(&mut pace, &mut now, 2.0, 1.0));
        assert!(run(&mut pace, &mut now, 2.0, 0.05));
        assert!(!run(&mut pace, &mut now, 2.0, 1.0));
        assert!(!run(&mut pace, &mut now, 2.0, 0.9));
    }

    #[test]
    fn a_bounce_is_one_from_its_first_block_on_and_a_pause_changes_nothing() {
        let block = |pace: &mut Pace, now: i64| pace.bouncing(HostNanos(now), 512, 48_000.0);
        let (mut pace, mut now) = (Pace::default(), 7_000_000_000);
        assert!(block(&mut pace, now), "nobody knows yet");
        assert!(run(&mut pace, &mut now, 3.0, 0.05));
        now += 5_000_000_000;
        assert!(block(&mut pace, now), "the next render");
        assert!(run(&mut pace, &mut now, 3.0, 0.05));
        let (mut pace, mut now) = (Pace::default(), 7_000_000_000);
        assert!(!run(&mut pace, &mut now, 0.1, 1.0));
        now += 5_000_000_000;
        assert!(!block(&mut pace, now), "the host stood, and goes on live");
    }
}
