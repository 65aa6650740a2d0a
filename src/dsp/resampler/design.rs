//! The resampler's filter: a Kaiser-windowed sinc, tabled by phase.

use std::f64::consts::PI;

use super::LANES;
use crate::dsp::kaiser::{kaiser, sinc};

/// Rates whose exact phases are more than this share a finer table, read between its rows.
const MOST_EXACT: u64 = 1024;
/// Rows of the shared table: linear reading between them errs by less than −115 dB.
const ROWS: usize = 1024;
/// Shape of the Kaiser window: 110 dB.
const BETA: f64 = 11.2;

/// The filter's coefficients: a row of taps a phase.
#[derive(Debug)]
pub(super) struct Table {
    pub taps: usize,
    rows: usize,
    exact: bool,
    coefficients: Box<[f32]>,
}

impl Table {
    /// No filter: one tap of 1.
    pub fn through() -> Table {
        Table { taps: 1, rows: 1, exact: true, coefficients: vec![1.0].into_boxed_slice() }
    }

    /// Taps before the one at the output's position, rounded down.
    pub fn before(&self) -> usize {
        (self.taps - 1) / 2
    }

    /// For an output rate whose position has `phases` exact fractions.
    pub fn design(millihertz: u64, phases: u64) -> Table {
        // Frequencies as fractions of the input rate. The stop band begins at the lower of both
        // Nyquist frequencies, the pass band ends at 18 kHz or in proportion below it.
        let rate = millihertz as f64 / 48_000_000.0;
        let stop = 0.5 * rate.min(1.0);
        let pass = (18.0 / 48.0) * (rate / (44.1 / 48.0)).min(1.0);
        let width = stop - pass;
        // Kaiser's rule for 110 dB: (A − 8) / (2.285 · 2π · width) taps.
        let taps = ((102.0 / (2.285 * 2.0 * PI * width)) as usize + 1).next_multiple_of(LANES);
        let exact = phases <= MOST_EXACT;
        let rows = if exact { phases as usize } else { ROWS };
        let cutoff = (pass + stop) / 2.0;
        let mut coefficients = Vec::with_capacity((rows + 1) * taps);
        for row in 0..=rows {
            let phase = row as f64 / rows as f64;
            let start = coefficients.len();
            let half = taps as f64 / 2.0;
            let mut sum = 0.0;
            let kernel: Vec<f64> = (0..taps)
                .map(|tap| {
                    let t = tap as f64 - (half - 1.0) - phase;
                    let value = 2.0 * cutoff * sinc(2.0 * cutoff * t) * kaiser(t / half, BETA);
                    sum += value;
                    value
                })
                .collect();
            // Every row passes a constant with gain 1.
            coefficients.extend(kernel.iter().map(|value| (value / sum) as f32));
            debug_assert_eq!(coefficients.len() - start, taps);
        }
        Table { taps, rows, exact, coefficients: coefficients.into_boxed_slice() }
    }

    /// One output of both channels from `taps` inputs each, at phase `rest / parts`.
    #[inline]
    pub fn apply(&self, rest: u64, parts: u64, left: &[f32], right: &[f32]) -> (f32, f32) {
        if self.taps == 1 {
            return (left[0], right[0]);
        }
        if self.exact {
            let row = self.row(rest as usize);
            return (dot(left, row), dot(right, row));
        }
        let place = rest * self.rows as u64;
        let (row, share) = ((place / parts) as usize, (place % parts) as f32 / parts as f32);
        let (low, high) = (self.row(row), self.row(row + 1));
        let between = |samples| {
            let low = dot(samples, low);
            low + (dot(samples, high) - low) * share
        };
        (between(left), between(right))
    }

    fn row(&self, row: usize) -> &[f32] {
        &self.coefficients[row * self.taps..(row + 1) * self.taps]
    }
}

/// Σ a·b in [`LANES`] lanes, added pairwise at the end.
#[inline]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0f32; LANES];
    for (a, b) in a.chunks_exact(LANES).zip(b.chunks_exact(LANES)) {
        for lane in 0..LANES {
            lanes[lane] += a[lane] * b[lane];
        }
    }
    let [a, b, c, d, e, f, g, h] = lanes;
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}
