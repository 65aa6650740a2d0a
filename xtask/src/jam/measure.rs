//! Figures.

use serde::Serialize;

/// A value below which a share of all lies (nearest rank).
pub fn percentile(values: &[f64], share: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = ((sorted.len() as f64 * share).ceil() as usize).clamp(1, sorted.len().max(1));
    sorted.get(rank - 1).copied()
}

/// Half of them lie below `p50`, 99 of 100 below `p99`.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Spread {
    /// The median.
    pub p50: f64,
    /// 99 of 100.
    pub p99: f64,
    /// The largest.
    pub max: f64,
    /// How many.
    pub n: usize,
}

impl Spread {
    /// Of some values; none where there are none.
    pub fn of(values: &[f64]) -> Option<Spread> {
        Some(Spread {
            p50: percentile(values, 0.5)?,
            p99: percentile(values, 0.99)?,
            max: percentile(values, 1.0)?,
            n: values.len(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_ranks() {
        let values: Vec<f64> = (1..=200).rev().map(f64::from).collect();
        let spread = Spread::of(&values).expect("values");
        assert_eq!((spread.p50, spread.p99, spread.max, spread.n), (100.0, 198.0, 200.0, 200));
        assert!(Spread::of(&[]).is_none());
        assert_eq!(percentile(&[7.0], 0.99), Some(7.0));
    }
}
