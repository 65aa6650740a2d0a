//! Kaiser's window and the sinc it cuts out: what filters of fixed length are designed by.
//!
//! Thread: any but audio, where tables are made. Invariant: equal bits on every machine.

use std::f64::consts::PI;

/// sin(πx) / (πx).
pub(super) fn sinc(x: f64) -> f64 {
    if x.abs() < 1e-9 { 1.0 } else { libm::sin(PI * x) / (PI * x) }
}

/// The window at x within ±1, 0 outside (Kaiser, "Nonrecursive digital filter design using the
/// I₀-sinh window function", ISCAS 1974). The greater its shape, the lower its side lobes and the
/// wider its main one: 8 for −80 dB, 11.2 for −110 dB.
pub(super) fn kaiser(x: f64, shape: f64) -> f64 {
    let inside = 1.0 - x * x;
    if inside <= 0.0 { 0.0 } else { bessel(shape * inside.sqrt()) / bessel(shape) }
}

/// The modified Bessel function of the first kind and order 0, by its power series.
fn bessel(x: f64) -> f64 {
    let (mut sum, mut term) = (1.0, 1.0);
    for n in 1..60 {
        let half = x / (2.0 * f64::from(n));
        term *= half * half;
        sum += term;
    }
    sum
}
