//! The one search for a maximum that both clocks' rates come from.
//!
//! Thread: any. Realtime-safe: yes, where the function is.

/// Where a concave function is highest within bounds. Each round narrows them by 0.618 (Kiefer,
/// 1953): 30 rounds to a part in 10⁶ of the span, 40 to a part in 10⁸.
pub(crate) fn golden_section(f: impl Fn(f64) -> f64, mut low: f64, mut high: f64, rounds: u32) -> f64 {
    const RATIO: f64 = 0.618_033_988_749_894_9;
    let (mut a, mut b) = (high - RATIO * (high - low), low + RATIO * (high - low));
    let (mut at_a, mut at_b) = (f(a), f(b));
    for _ in 0..rounds {
        if at_a > at_b {
            (high, b, at_b) = (b, a, at_a);
            a = high - RATIO * (high - low);
            at_a = f(a);
        } else {
            (low, a, at_a) = (a, b, at_b);
            b = low + RATIO * (high - low);
            at_b = f(b);
        }
    }
    0.5 * (low + high)
}
