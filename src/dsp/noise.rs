//! White noise as a hash of a seed and a count.

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
        let word = word(self.seed, self.count);
        self.count += 1;
        // The top 32 bits as a signed fraction.
        ((word >> 32) as u32 as i32) as f32 * (1.0 / 2_147_483_648.0)
    }
}

/// Splitmix64's `n`th output (Steele, Lea and Flood, 2014), addressed by count.
#[inline]
pub(super) fn word(seed: u64, n: u64) -> u64 {
    let mut z = seed.wrapping_add(n.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
