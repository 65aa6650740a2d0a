//! White noise as a hash of a seed and a count.

use super::{QUANTUM, Quantum};

/// Noise of one note: sample n is a hash of (seed, n), so it depends on nothing played before.
///
/// Realtime-safe: yes.
#[derive(Clone, Copy, Debug)]
pub struct Noise {
    seed: u64,
    count: u64,
}

impl Noise {
    /// The noise of a seed, from its first sample.
    pub const fn new(seed: u64) -> Noise {
        Noise { seed, count: 0 }
    }

    /// The next sample: uniform in −1 to 1 (RMS −4.8 dB).
    #[inline]
    pub fn sample(&mut self) -> f32 {
        let [first, second] = pair(self.seed, self.count / 2);
        self.count += 1;
        if self.count % 2 == 1 { first } else { second }
    }

    /// The next quantum of samples, of a noise that has given whole quanta until now.
    #[inline]
    pub(super) fn quantum(&mut self) -> Quantum {
        debug_assert!(self.count.is_multiple_of(2), "noise is read in whole quanta or by the sample");
        let mut out = [0.0; QUANTUM];
        for (n, two) in out.chunks_exact_mut(2).enumerate() {
            two.copy_from_slice(&pair(self.seed, self.count / 2 + n as u64));
        }
        self.count += QUANTUM as u64;
        out
    }
}

/// Samples 2n and 2n + 1: the halves of one word as signed fractions, the upper first.
#[inline]
fn pair(seed: u64, n: u64) -> [f32; 2] {
    let word = word(seed, n);
    [(word >> 32) as i32, word as i32].map(|half| half as f32 * (1.0 / 2_147_483_648.0))
}

/// Splitmix64's `n`th output (Steele, Lea and Flood, 2014), addressed by count.
#[inline]
pub(super) fn word(seed: u64, n: u64) -> u64 {
    let mut z = seed.wrapping_add(n.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
