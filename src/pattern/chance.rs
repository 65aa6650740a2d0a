//! Seeded chance: a hash of where a step stands, never a sequence, so that bars 33 to 40 started
//! alone roll the same dice as in the whole song.

use crate::param::TrackIndex;

/// Mixes two words into one: splitmix64's finaliser (Steele, Lea and Flood, 2014) over their sum.
///
/// Realtime-safe: yes.
pub fn hash(seed: u64, value: u64) -> u64 {
    let mut z =
        seed.wrapping_add(value.wrapping_mul(0x9E37_79B9_7F4A_7C15)).wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The die of one step, uniform in 0 (included) to 1 (excluded), by song seed, track and the tick at
/// which the step stands. `salt` tells the dice of several patterns there apart.
///
/// Realtime-safe: yes.
pub fn chance(seed: u32, track: TrackIndex, tick: i64, salt: u32) -> f32 {
    let place = hash(hash(u64::from(seed), track.get() as u64), tick as u64);
    (hash(place, u64::from(salt)) >> 40) as f32 / (1u32 << 24) as f32
}
