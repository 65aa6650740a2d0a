//! The limiter at the end of the master.

use super::math::{bound, db_to_gain};
use super::{QUANTUM, Quantum};

/// Samples by which the limiter's output lags its input: two quanta, 1.3 ms. The engine renders
/// that much ahead.
pub const LIMITER_LATENCY: usize = 2 * QUANTUM;

/// Samples the gain takes to fall.
const FALL: usize = LIMITER_LATENCY;
/// Ring of everything in flight: a power of two above [`LIMITER_LATENCY`].
const RING: usize = 128;
/// 1 in the gain's fixed point. Whole numbers, so that the running sum never drifts and the gain
/// comes back to exactly 1.
const ONE: u32 = 1 << 24;
/// The gain rises by 1/2¹² of what is missing each sample: 85 ms.
const RISE: u32 = 12;

/// A stereo peak limiter with look-ahead.
///
/// Each sample needs a gain of ceiling / peak. The least gain within the look-ahead is held, rises
/// back slowly, and is averaged over the look-ahead; the average over a window whose every entry is
/// no greater than what a sample needs is itself no greater. So no sample leaves above its ceiling,
/// the gain bends without corners, and below the ceiling the input passes bit for bit. The ceiling
/// travels with the sample it was set for. *Thread: audio. Realtime-safe: yes.*
#[derive(Clone, Debug)]
pub struct Limiter {
    left: [f32; RING],
    right: [f32; RING],
    ceilings: [f32; RING],
    needed: [u32; RING],
    /// Counts of samples whose needed gain may yet be the least: rising in count and in gain.
    least: [u32; RING],
    least_from: u32,
    least_to: u32,
    gains: [u32; RING],
    gain: u32,
    sum: u32,
    count: u32,
}

impl Limiter {
    /// At rest.
    pub fn new() -> Limiter {
        Limiter {
            left: [0.0; RING],
            right: [0.0; RING],
            ceilings: [1.0; RING],
            needed: [ONE; RING],
            least: [0; RING],
            least_from: 0,
            least_to: 0,
            gains: [ONE; RING],
            gain: ONE,
            sum: ONE * FALL as u32,
            count: 0,
        }
    }

    /// Forgets what it heard. Realtime-safe: yes (3 KB).
    pub fn reset(&mut self) {
        *self = Limiter::new();
    }

    /// Limits a quantum in place; what comes out went in [`LIMITER_LATENCY`] samples before.
    /// `ceiling_db` is −24 to 0.
    pub fn process(&mut self, left: &mut Quantum, right: &mut Quantum, ceiling_db: f32) {
        let ceiling = db_to_gain(bound(ceiling_db, -60.0, 0.0));
        for (l, r) in left.iter_mut().zip(right.iter_mut()) {
            let now = self.count as usize % RING;
            (self.left[now], self.right[now], self.ceilings[now]) = (*l, *r, ceiling);
            self.need(l.abs().max(r.abs()), ceiling);
            let gain = self.average();
            let then = (now + RING - LIMITER_LATENCY) % RING;
            // The bound only ever meets the last bit's rounding.
            let top = self.ceilings[then];
            *l = (self.left[then] * gain).clamp(-top, top);
            *r = (self.right[then] * gain).clamp(-top, top);
            self.count = self.count.wrapping_add(1);
        }
    }

    /// Notes the gain the newest sample needs, and moves the held gain.
    #[inline]
    fn need(&mut self, peak: f32, ceiling: f32) {
        let needs = if peak > ceiling { (ceiling / peak * ONE as f32) as u32 } else { ONE };
        self.needed[self.count as usize % RING] = needs;
        let gain_at = |limiter: &Limiter, place: u32| {
            limiter.needed[limiter.least[place as usize % RING] as usize % RING]
        };
        while self.least_to != self.least_from && gain_at(self, self.least_to.wrapping_sub(1)) >= needs {
            self.least_to = self.least_to.wrapping_sub(1);
        }
        self.least[self.least_to as usize % RING] = self.count;
        self.least_to = self.least_to.wrapping_add(1);
        let oldest = self.least[self.least_from as usize % RING];
        if self.count.wrapping_sub(oldest) > LIMITER_LATENCY as u32 {
            self.least_from = self.least_from.wrapping_add(1);
        }
        let least = gain_at(self, self.least_from);
        if least <= self.gain {
            self.gain = least;
        } else {
            self.gain = (self.gain + ((least - self.gain) >> RISE) + 1).min(least);
        }
    }

    /// The held gain, averaged over the last [`FALL`] samples.
    #[inline]
    fn average(&mut self) -> f32 {
        let now = self.count as usize % RING;
        self.gains[now] = self.gain;
        self.sum = self.sum + self.gain - self.gains[(now + RING - FALL) % RING];
        self.sum as f32 * (1.0 / (ONE as f32 * FALL as f32))
    }
}

impl Default for Limiter {
    fn default() -> Limiter {
        Limiter::new()
    }
}
