//! How often frames go out, by the number of people: what keeps a participant below 1 KB/s.
//!
//! Framing dominates: every packet costs about 70 bytes beside its payload, and about as much for
//! its acknowledgement the other way.

use std::time::Duration;

/// After this much quiet the next edit or gesture goes out at once, however many people there are.
pub const QUIET: Duration = Duration::from_millis(100);

/// How long a hand's moves gather before they go out, at the client and at the server; the latest
/// of each parameter survives. The first after [`QUIET`] never waits.
pub fn gesture_interval(people: usize) -> Duration {
    Duration::from_millis(match people {
        0..=8 => 125,
        9..=16 => 150,
        17..=32 => 200,
        _ => 250,
    })
}

/// How long the server gathers commits before they go out: nothing for up to 4 people, then as
/// long as gestures, so that both share their packets. The first after [`QUIET`] never waits.
pub fn commit_interval(people: usize) -> Duration {
    if people <= 4 { Duration::ZERO } else { gesture_interval(people) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_grow_with_the_people() {
        assert!(commit_interval(4).is_zero());
        assert!((5..200).all(|people| commit_interval(people) == gesture_interval(people)));
        assert!((1..200).map(gesture_interval).is_sorted());
    }
}
