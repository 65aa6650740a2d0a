//! How fast frames of edits leave: below what a server takes from one connection.
//!
//! Pure: time is passed in.

use crate::time::HostNanos;

/// Frames a second; a server takes 60.
const RATE: i64 = 50;
/// Frames that may leave at once after a quiet second.
const BURST: i64 = 50;
/// The time in which one more frame may leave, in ns.
const GAP: i64 = 1_000_000_000 / RATE;

/// Lets a burst through at once and what follows at [`RATE`]; an outbox that grew while the
/// connection was lost leaves at that pace.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpsPace {
    /// When all that left would have left at the even rate.
    even: i64,
}

impl OpsPace {
    /// Whether a frame may leave now.
    pub fn allows(&mut self, now: HostNanos) -> bool {
        self.even = self.even.max(now.0 - BURST * GAP);
        self.even + GAP <= now.0
    }

    /// A frame leaves.
    pub fn take(&mut self) {
        self.even += GAP;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_leaves_at_once_and_the_rest_at_the_rate() {
        let mut pace = OpsPace::default();
        let mut leave = |ms: i64| {
            let now = HostNanos(77_000_000_000 + ms * 1_000_000);
            (0..200).take_while(|_| pace.allows(now).then(|| pace.take()).is_some()).count()
        };
        assert_eq!(leave(0), 50);
        assert_eq!(leave(10), 0);
        assert_eq!((11..=1010).map(&mut leave).sum::<usize>(), 50);
        assert_eq!(leave(9_000), 50);
    }
}
