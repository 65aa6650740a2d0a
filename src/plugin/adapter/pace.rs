//! Whether the host renders faster than time passes: an offline bounce, whatever it calls it.

use crate::time::HostNanos;

/// A judgement is made over this much audio or time, whichever is over first, in ns.
const WINDOW: i64 = 250_000_000;

/// Compares rendered audio with the clock.
#[derive(Debug, Default)]
pub struct Pace {
    since: Option<HostNanos>,
    rendered: i64,
    faster: bool,
}

impl Pace {
    /// Counts a block of `frames` that begins `now`; true while the last window held more than
    /// twice as much audio as time. *Realtime-safe: yes.*
    pub fn bouncing(&mut self, now: HostNanos, frames: usize, rate: f64) -> bool {
        let since = *self.since.get_or_insert(now);
        let passed = now - since;
        if passed >= WINDOW || self.rendered >= WINDOW {
            self.faster = self.rendered > 2 * passed;
            self.since = Some(now);
            self.rendered = 0;
        }
        self.rendered += (frames as f64 * 1e9 / rate) as i64;
        self.faster
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
}
