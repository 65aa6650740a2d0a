//! Device frames against host time.
//!
//! The engine tells with each position which frame its block starts at and when that is due. A
//! callback can come late but never early, so the truth lies on the lower envelope of the stamps.
//! Pure: fed with stamps.

use std::collections::VecDeque;

use crate::time::HostNanos;

const SECOND: i64 = 1_000_000_000;
/// Stamps kept: about 12 s at 20 a second.
const WINDOW: usize = 256;
/// The stretch over which the rate is told from the stamps before a device's is taken for granted.
const SETTLE: i64 = SECOND / 2;
/// Stamps older than this bound the envelope no longer: a crystal 100 ppm off has moved 0.2 ms.
const ENVELOPE: i64 = 2 * SECOND;
/// Rates that devices have, in Hz.
const RATES: [f64; 10] =
    [8_000.0, 11_025.0, 16_000.0, 22_050.0, 32_000.0, 44_100.0, 48_000.0, 88_200.0, 96_000.0, 192_000.0];

/// The map of one device.
#[derive(Default)]
pub struct DeviceClock {
    stamps: VecDeque<(i64, HostNanos)>,
}

impl DeviceClock {
    /// Takes a block's stamp. A frame that lies behind the last one means a new engine: the map
    /// begins again. Says whether the engine is new.
    pub fn stamp(&mut self, frame: i64, now: HostNanos) -> bool {
        let is_new = self.stamps.back().is_some_and(|(last, _)| frame < *last);
        if self.stamps.back().is_some_and(|(last, at)| frame < *last || now < *at) {
            self.stamps.clear();
        }
        if self.stamps.back().is_some_and(|(last, _)| *last == frame) {
            return is_new;
        }
        self.stamps.push_back((frame, now));
        if self.stamps.len() > WINDOW {
            self.stamps.pop_front();
        }
        is_new
    }

    /// The frame that is due at a host time.
    pub fn frame_at(&self, host: HostNanos) -> Option<i64> {
        let (frame, at, rate) = self.anchor()?;
        let span = (host - at) as f64 * rate / SECOND as f64;
        Some(frame + (span + 0.5).floor() as i64)
    }

    /// When a frame is due.
    pub fn host_at(&self, frame: i64) -> Option<HostNanos> {
        let (anchor, at, rate) = self.anchor()?;
        Some(HostNanos(at.0 + ((frame - anchor) as f64 * SECOND as f64 / rate).round() as i64))
    }

    /// The device's rate in Hz: a usual one where the stamps lie within 1 % of it, else measured.
    pub fn rate(&self) -> Option<f64> {
        let (first, last) = (self.stamps.front()?, self.stamps.back()?);
        if last.1 - first.1 < SETTLE {
            return None;
        }
        let count = self.stamps.len() as f64;
        let mean_frame = self.stamps.iter().map(|(f, _)| (f - first.0) as f64).sum::<f64>() / count;
        let mean_ns = self.stamps.iter().map(|(_, t)| (*t - first.1) as f64).sum::<f64>() / count;
        let (mut cross, mut square) = (0.0, 0.0);
        for (frame, at) in &self.stamps {
            let dt = (*at - first.1) as f64 - mean_ns;
            cross += dt * ((frame - first.0) as f64 - mean_frame);
            square += dt * dt;
        }
        let measured = cross / square * SECOND as f64;
        let usual = RATES.into_iter().find(|rate| (measured / rate - 1.0).abs() < 0.01);
        Some(usual.unwrap_or(measured))
    }

    /// The stamp that came least late of the recent ones.
    fn anchor(&self) -> Option<(i64, HostNanos, f64)> {
        let rate = self.rate()?;
        let newest = self.stamps.back()?;
        let lateness = |(frame, at): &(i64, HostNanos)| {
            (*at - newest.1) as f64 - (frame - newest.0) as f64 * SECOND as f64 / rate
        };
        let recent = self.stamps.iter().rev().take_while(|(_, at)| newest.1 - *at <= ENVELOPE);
        let best = recent.min_by(|a, b| lateness(a).total_cmp(&lateness(b)))?;
        Some((best.0, best.1, rate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_callbacks_do_not_move_the_map() {
        let (mut clock, mut noise) = (DeviceClock::default(), 7u64);
        for block in 0..400i64 {
            noise = crate::pattern::hash(noise, 1);
            let late = (noise % 4_000_000) as i64;
            let due = block * 2048 * SECOND / 44_100;
            clock.stamp(block * 2048, HostNanos(5 * SECOND + due + late));
        }
        assert_eq!(clock.rate(), Some(44_100.0));
        let due = clock.host_at(44_100 * 20).expect("a map") - HostNanos(25 * SECOND);
        assert!((0..400_000).contains(&due), "{due} ns late");
        let frame = clock.frame_at(HostNanos(25 * SECOND)).expect("a map");
        assert!((44_100 * 20 - frame).abs() < 20, "{frame}");
    }

    #[test]
    fn a_new_engine_begins_a_new_map() {
        let mut clock = DeviceClock::default();
        for n in 0..20 {
            clock.stamp(n * 4800, HostNanos(n * SECOND / 10));
        }
        assert!(clock.rate().is_some());
        clock.stamp(0, HostNanos(3 * SECOND));
        assert!(clock.rate().is_none());
    }
}
