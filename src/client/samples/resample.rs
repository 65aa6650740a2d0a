//! From any rate to 48 kHz, offline and at leisure.

use std::f64::consts::PI;

/// Zero crossings of the sinc on either side.
const CROSSINGS: f64 = 64.0;
/// Places between two input samples that the kernel is designed for.
const PHASES: usize = 512;
/// The window's shape: side lobes below −95 dB.
const KAISER: f64 = 9.5;
/// Where the band ends, in parts of the lower rate: half less half the window's transition.
const EDGE: f64 = 0.476;

/// Sound of a rate at 48 kHz: a windowed sinc, flat to 19.8 kHz from 44.1 kHz, aliases and images
/// below −90 dB. At 48 kHz as it is.
pub fn to_canonical(sound: &[f64], rate: u32) -> Vec<f64> {
    const CANONICAL: u64 = 48_000;
    let rate = u64::from(rate);
    if rate == CANONICAL || sound.is_empty() {
        return sound.to_vec();
    }
    let scale = (CANONICAL as f64 / rate as f64).min(1.0);
    let half = libm::ceil(CROSSINGS / scale) as usize;
    let taps = 2 * half;
    let table = table(half, EDGE * scale);
    let frames = (sound.len() as u64 * CANONICAL).div_ceil(rate);
    let output = |n: u64| {
        let place = n * rate;
        let (whole, rest) = ((place / CANONICAL) as usize, place % CANONICAL);
        let phase = rest as f64 / CANONICAL as f64 * PHASES as f64;
        let (row, between) = (phase as usize, phase - libm::floor(phase));
        let (low, high) = (&table[row * taps..][..taps], &table[(row + 1) * taps..][..taps]);
        // Tap t weighs the input at whole + t − half + 1.
        let first = (half - 1).saturating_sub(whole);
        let last = (sound.len() + half - 1).saturating_sub(whole).min(taps);
        let weight = |tap: usize| low[tap] + (high[tap] - low[tap]) * between;
        (first..last).map(|tap| sound[whole + tap + 1 - half] * weight(tap)).sum()
    };
    (0..frames).map(output).collect()
}

/// The kernel's rows, one a phase and one more; each row's sum is 1.
fn table(half: usize, edge: f64) -> Vec<f64> {
    let mut table = Vec::with_capacity((PHASES + 1) * 2 * half);
    for phase in 0..=PHASES {
        let row = (0..2 * half).map(|tap| {
            let x = (tap as f64 - (half - 1) as f64) - phase as f64 / PHASES as f64;
            let across = (x / half as f64).clamp(-1.0, 1.0);
            let window = bessel(KAISER * libm::sqrt(1.0 - across * across)) / bessel(KAISER);
            let turn = 2.0 * PI * edge * x;
            window * if x == 0.0 { 1.0 } else { libm::sin(turn) / turn }
        });
        let row: Vec<f64> = row.collect();
        let sum: f64 = row.iter().sum();
        table.extend(row.iter().map(|weight| weight / sum));
    }
    table
}

/// The modified Bessel function of the first kind, order 0, by its series.
fn bessel(x: f64) -> f64 {
    let (mut sum, mut term) = (1.0, 1.0);
    for n in 1..48 {
        let half = x / (2.0 * f64::from(n));
        term *= half * half;
        sum += term;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The level of what is no part of a tone, in dB below it, away from the ends.
    fn noise_db(rate: u32, hertz: f64) -> f64 {
        let tone = |rate: f64, n: usize| libm::sin(2.0 * PI * hertz * n as f64 / rate);
        let sound: Vec<f64> = (0..rate as usize / 5).map(|n| tone(f64::from(rate), n)).collect();
        let out = to_canonical(&sound, rate);
        assert_eq!(out.len(), 9_600);
        let middle = 2_000..7_000;
        let error: f64 = middle.clone().map(|n| (out[n] - tone(48_000.0, n)).powi(2)).sum();
        let power: f64 = middle.map(|n| tone(48_000.0, n).powi(2)).sum();
        10.0 * (error / power).log10()
    }

    #[test]
    fn tones_keep_their_pitch_level_and_place() {
        for (rate, hertz) in [(44_100, 1_000.0), (44_100, 18_000.0), (96_000, 15_000.0), (22_050, 9_000.0)] {
            let noise = noise_db(rate, hertz);
            assert!(noise < -80.0, "{hertz} Hz at {rate} Hz: {noise:.1} dB");
        }
    }

    #[test]
    fn what_48_khz_cannot_hold_is_taken_away() {
        let sound: Vec<f64> =
            (0..19_200).map(|n| libm::sin(2.0 * PI * 30_000.0 * n as f64 / 96_000.0)).collect();
        let out = to_canonical(&sound, 96_000);
        let loudest = out[2_000..7_000].iter().fold(0.0, |peak: f64, sample| peak.max(sample.abs()));
        assert!(loudest < 1e-4, "{loudest}");
    }
}
