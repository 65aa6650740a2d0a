//! The resampler's quality and exactness.

use antiphon::dsp::{Noise, Resampler, STEP_PARTS};

use crate::measure::*;

/// `outputs` samples at the rate from a canonical signal given by position.
fn resample(rate: f64, outputs: usize, signal: impl Fn(i64) -> f32) -> Vec<f32> {
    let mut resampler = Resampler::new(rate).expect("a device's rate");
    let first = resampler.reset(0);
    pull(&mut resampler, first, outputs, &[64], signal).0
}

/// Pulls in blocks of the given lengths, round and round; gives the outputs and the position of
/// the next canonical sample.
fn pull(
    resampler: &mut Resampler,
    mut next: i64,
    outputs: usize,
    blocks: &[usize],
    signal: impl Fn(i64) -> f32,
) -> (Vec<f32>, i64) {
    let mut out = Vec::with_capacity(outputs);
    for block in blocks.iter().cycle() {
        let block = (*block).min(outputs - out.len());
        // Whole quanta, as an engine renders them.
        while resampler.needed(block) > 0 {
            let quantum: Vec<f32> = (next..next + 32).map(&signal).collect();
            resampler.push(&quantum, &quantum.iter().map(|x| -x).collect::<Vec<_>>());
            next += 32;
        }
        let (mut left, mut right) = (vec![0.0; block], vec![0.0; block]);
        resampler.pull(&mut left, &mut right);
        assert!(left.iter().zip(&right).all(|(l, r)| *l == -*r), "channels differ");
        out.extend(left);
        if out.len() == outputs {
            break;
        }
    }
    (out, next)
}

fn tone(hz: f64) -> impl Fn(i64) -> f32 {
    move |n| (0.5 * (std::f64::consts::TAU * hz * n as f64 / RATE).sin()) as f32
}

fn noise(n: i64) -> f32 {
    Noise::new(n as u64).sample()
}

/// Half the sum of the seven-term window, so that a tone of amplitude a reads a · this.
const TONE: f64 = 0.27105140069342 / 2.0;

/// About 85 ms, whatever the rate.
fn steady(rate: f64) -> usize {
    if rate > 100_000.0 {
        16_384
    } else if rate > 50_000.0 {
        8192
    } else {
        4096
    }
}

/// The spectrum of a tone in the steady part of its resampling.
fn tone_at(rate: f64, hz: f64) -> (Spectrum, f64) {
    let steady = steady(rate);
    let out = resample(rate, steady + 1024, tone(hz));
    (Spectrum::new(&out[1024..], rate, Window::Steady), 0.5 * TONE * steady as f64)
}

#[test]
fn the_passband_is_flat_to_18_khz() {
    for rate in [44_100.0, 88_200.0, 96_000.0, 192_000.0, 44_100.123] {
        for hz in [101.0, 1_000.0, 8_000.0, 13_000.0, 16_000.0, 18_000.0] {
            let (spectrum, full) = tone_at(rate, hz);
            let bin = rate / steady(rate) as f64;
            let power: f64 = spectrum.power(hz - 8.0 * bin, hz + 8.0 * bin);
            let reference = Spectrum::new(&sine(hz, rate, 0.5, steady(rate)), rate, Window::Steady)
                .power(hz - 8.0 * bin, hz + 8.0 * bin);
            let off = 10.0 * (power / reference).log10();
            assert!(off.abs() < 0.05, "{rate} Hz: {off:+.4} dB at {hz} Hz (full {full:.1})");
        }
    }
}

#[test]
fn images_and_aliases_lie_below_100_db() {
    for rate in [44_100.0, 88_200.0, 96_000.0, 192_000.0, 44_100.123, 22_050.0] {
        for hz in [997.0, 6_001.0, 17_500.0, 22_500.0, 23_700.0] {
            let (spectrum, full) = tone_at(rate, hz);
            let bin = rate / steady(rate) as f64;
            let (at, level) = spectrum.strongest_away_from(&[hz], 9.0 * bin, rate);
            let image = db(level / full);
            assert!(image < -100.0, "{rate} Hz, tone {hz} Hz: {image:.1} dB at {at:.0} Hz");
        }
    }
}

#[test]
fn the_block_split_changes_no_bit() {
    for rate in [44_100.0, 96_000.0, 8_000.0, 44_100.123] {
        let whole = resample(rate, 1500, noise);
        for blocks in [&[1][..], &[7, 64, 333], &[1024], &[17, 0, 1]] {
            let mut resampler = Resampler::new(rate).expect("a device's rate");
            let first = resampler.reset(0);
            let (split, _) = pull(&mut resampler, first, 1500, blocks, noise);
            assert_eq!(split, whole, "{rate} Hz, blocks {blocks:?}");
        }
    }
}

#[test]
fn an_outputs_samples_depend_on_its_position_alone() {
    for rate in [44_100.0, 96_000.0, 44_100.123] {
        let whole = resample(rate, 1500, noise);
        let mut resampler = Resampler::new(rate).expect("a device's rate");
        let first = resampler.reset(700);
        assert_eq!(first, (700.0 * RATE / rate) as i64);
        let (late, _) = pull(&mut resampler, first, 800, &[64], noise);
        // Once the filter holds nothing from before it began.
        assert_eq!(late[200..], whole[900..], "{rate} Hz");
    }
    // Far out, where a float would have lost the place.
    let mut resampler = Resampler::new(44_100.0).expect("a device's rate");
    assert_eq!(resampler.reset(441_000_000_000_000_441), 480_000_000_000_000_480);
    assert_eq!(resampler.reset(-1), -2);
}

#[test]
fn at_48_khz_every_bit_passes() {
    let mut resampler = Resampler::new(48_000.0).expect("a device's rate");
    assert_eq!((resampler.look_ahead(), resampler.reset(5)), (0, 5));
    let (out, _) = pull(&mut resampler, 5, 1000, &[17], noise);
    let expected: Vec<f32> = (5..1005).map(noise).collect();
    assert_eq!(out, expected);
}

#[test]
fn every_device_rate_runs_and_others_are_refused() {
    for rate in [8_000.0, 11_025.0, 16_000.0, 32_000.0, 47_999.9, 48_000.5, 176_400.0, 384_000.0] {
        let out = resample(rate, 600, |_| 0.25);
        let settled = &out[500..];
        assert!(settled.iter().all(|x| (x - 0.25).abs() < 1e-5), "{rate} Hz: {settled:?}");
    }
    for rate in [0.0, 7_999.0, 400_000.0, f64::NAN, f64::INFINITY, -48_000.0] {
        assert!(Resampler::new(rate).is_err(), "{rate}");
    }
}

#[test]
fn more_than_a_ring_of_samples_can_wait_and_none_is_lost() {
    let mut resampler = Resampler::new(96_000.0).expect("a device's rate");
    let first = resampler.reset(0);
    let many: Vec<f32> = (first..first + 8000).map(noise).collect();
    assert!(resampler.room() >= 8000);
    resampler.push(&many, &many);
    let (mut left, mut right) = (vec![0.0; 15_000], vec![0.0; 15_000]);
    assert_eq!(resampler.needed(15_000), 0);
    resampler.pull(&mut left, &mut right);
    assert_eq!(left[..1500], resample(96_000.0, 1500, noise));
}

/// A variable resampler that runs `ppm` from its nominal ratio.
fn strayed(rate: f64, ppm: f64) -> Resampler {
    let mut resampler = Resampler::variable(rate).expect("a device's rate");
    resampler.set_step((RATE / rate * (1.0 + ppm * 1e-6) * STEP_PARTS as f64) as u64);
    resampler
}

#[test]
fn a_variable_ratio_keeps_the_passband_and_the_stop_band() {
    for (rate, ppm) in [(48_000.0, 100.0), (48_000.0, -5_000.0), (44_100.0, 500.0), (96_000.0, -500.0)] {
        for hz in [997.0, 6_001.0, 13_000.0, 17_500.0, 18_000.0] {
            let (mut resampler, steady) = (strayed(rate, ppm), steady(rate));
            let out = pull(&mut resampler, 0, steady + 1024, &[64], tone(hz)).0;
            let heard = hz * (1.0 + ppm * 1e-6);
            let (spectrum, full) =
                (Spectrum::new(&out[1024..], rate, Window::Steady), 0.5 * TONE * steady as f64);
            let bin = rate / steady as f64;
            let (at, level) = spectrum.strongest_away_from(&[heard], 9.0 * bin, rate);
            assert!(
                db(level / full) < -100.0,
                "{rate} Hz {ppm} ppm, {hz} Hz: {:.1} dB at {at:.0}",
                db(level / full)
            );
            let power: f64 = spectrum.power(heard - 8.0 * bin, heard + 8.0 * bin);
            let reference = Spectrum::new(&sine(heard, rate, 0.5, steady), rate, Window::Steady)
                .power(heard - 8.0 * bin, heard + 8.0 * bin);
            let off = 10.0 * (power / reference).log10();
            assert!(off.abs() < 0.05, "{rate} Hz {ppm} ppm: {off:+.4} dB at {hz} Hz");
        }
    }
}

#[test]
fn a_change_of_ratio_makes_no_click() {
    let hz = 1_000.0;
    let mut resampler = strayed(48_000.0, 0.0);
    let (mut out, mut next) = (Vec::new(), 0);
    // The hardest that is ever asked for, back and forth at every block of 64.
    for block in 0..128 {
        let ppm = if block % 2 == 0 { 5_000.0 } else { -5_000.0 };
        resampler.set_step(((1.0 + ppm * 1e-6) * STEP_PARTS as f64) as u64);
        let (part, at) = pull(&mut resampler, next, 64, &[64], tone(hz));
        out.extend(part);
        next = at;
    }
    // A sine's second difference is its amplitude times (2π · hz / rate)²; a click's is far beyond.
    let bend = 0.5 * (std::f64::consts::TAU * hz * 1.005 / RATE).powi(2);
    let kink = 0.5 * std::f64::consts::TAU * hz / RATE * 0.01;
    let steepest =
        out[256..].windows(3).map(|w| f64::from(w[0] - 2.0 * w[1] + w[2]).abs()).fold(0.0, f64::max);
    assert!(steepest < 1.01 * (bend + kink), "{steepest} against {bend} and {kink}");
}

#[test]
fn a_variable_ratio_counts_exactly() {
    let step = |n: i64| ((1.0 + 1e-6 * (n % 900) as f64) * STEP_PARTS as f64) as u64;
    let play = |sizes: &[usize]| {
        let mut resampler = Resampler::variable(48_000.0).expect("a device's rate");
        resampler.reset_between(STEP_PARTS / 3);
        let (mut out, mut next) = (Vec::new(), 0);
        for n in 0..40 {
            resampler.set_step(step(n));
            let (part, at) = pull(&mut resampler, next, 100, sizes, noise);
            out.extend(part);
            next = at;
        }
        out
    };
    assert_eq!(play(&[100]), play(&[1, 7, 64]));
}
