//! The limiter.

use antiphon::dsp::{LIMITER_LATENCY, Limiter, Noise, QUANTUM, Quantum};
use proptest::prelude::*;

use crate::measure::*;
use crate::voices::dump;

fn limit(limiter: &mut Limiter, left: &[f32], right: &[f32], ceiling_db: f32) -> [Vec<f32>; 2] {
    let mut out = [Vec::new(), Vec::new()];
    for (l, r) in left.chunks_exact(QUANTUM).zip(right.chunks_exact(QUANTUM)) {
        let mut l: Quantum = l.try_into().expect("a whole quantum");
        let mut r: Quantum = r.try_into().expect("a whole quantum");
        limiter.process(&mut l, &mut r, ceiling_db);
        out[0].extend_from_slice(&l);
        out[1].extend_from_slice(&r);
    }
    out
}

fn gain(db: f32) -> f64 {
    10f64.powf(f64::from(db) / 20.0)
}

#[test]
fn nothing_leaves_above_the_ceiling() {
    let mut noise = Noise::new(3);
    let loud: Vec<f32> = (0..9600).map(|_| noise.sample() * 6.0).collect();
    let spikes: Vec<f32> = (0..9600).map(|n| if n % 997 == 0 { 20.0 } else { 0.01 }).collect();
    let burst: Vec<f32> = sine(63.0, RATE, 3.0, 9600)
        .iter()
        .enumerate()
        .map(|(n, x)| if n % 3000 < 1500 { *x } else { 0.0 })
        .collect();
    for (name, signal) in [("noise", &loud), ("spikes", &spikes), ("burst", &burst)] {
        for ceiling_db in [0.0, -0.3, -12.0] {
            let [left, right] = limit(&mut Limiter::new(), signal, &vec![0.5; signal.len()], ceiling_db);
            // A millionth for the ceiling's own arithmetic.
            let top = gain(ceiling_db) * 1.000_001;
            assert!(peak(&left) <= top, "{name} at {ceiling_db} dB: {}", peak(&left));
            assert!(peak(&right) <= top, "{name} at {ceiling_db} dB, right: {}", peak(&right));
            dump(&format!("limiter-{name}{ceiling_db}"), &left);
        }
    }
}

#[test]
fn below_the_ceiling_every_bit_passes_late_by_the_stated_latency() {
    let signal = sine(997.0, RATE, 0.95, 9600);
    let [out, _] = limit(&mut Limiter::new(), &signal, &signal, -0.3);
    assert!(out[..LIMITER_LATENCY].iter().all(|x| *x == 0.0));
    assert_eq!(out[LIMITER_LATENCY..], signal[..9600 - LIMITER_LATENCY]);
}

#[test]
fn after_an_overload_the_gain_comes_back_to_exactly_1() {
    let mut limiter = Limiter::new();
    limit(&mut limiter, &[4.0; 320], &[0.0; 320], -0.3);
    let quiet = sine(997.0, RATE, 0.1, 96_000);
    let [out, _] = limit(&mut limiter, &quiet, &quiet, -0.3);
    let tail = 72_000;
    assert_eq!(out[tail + LIMITER_LATENCY..], quiet[tail..96_000 - LIMITER_LATENCY]);
    // Two thirds of the way back takes its 85 ms, not less: no pumping within a cycle of a bass.
    let early = peak(&out[480..960]) / 0.1;
    assert!(early < 0.45, "{early}");
}

#[test]
fn a_limited_bass_stays_clean() {
    let bass = sine(100.0, RATE, 2.0, 48_000);
    let [out, _] = limit(&mut Limiter::new(), &bass, &bass, -0.3);
    let steady = Spectrum::new(&out[24_000..24_000 + 16_384], RATE, Window::Steady);
    let fundamental = steady.strongest(80.0, 120.0).1;
    let third = db(steady.strongest(280.0, 320.0).1 / fundamental);
    assert!(third < -40.0, "third harmonic at {third:.1} dB");
    assert!(peak(&out[24_000..]) > 0.9 * gain(-0.3));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) })]

    #[test]
    fn no_signal_and_no_moving_ceiling_gets_past(
        seed in any::<u64>(),
        ceilings in prop::collection::vec(-24.0f32..0.0, 40),
    ) {
        let mut noise = Noise::new(seed);
        let mut limiter = Limiter::new();
        let mut in_flight = std::collections::VecDeque::from([1.0, 1.0]);
        for ceiling_db in ceilings {
            let mut left = [0.0; QUANTUM];
            let mut right = [0.0; QUANTUM];
            for (l, r) in left.iter_mut().zip(&mut right) {
                let x = noise.sample();
                *l = x * x * x * 8.0;
                *r = noise.sample() * 2.0;
            }
            limiter.process(&mut left, &mut right, ceiling_db);
            in_flight.push_back(gain(ceiling_db));
            let top = in_flight.pop_front().expect("two quanta are in flight") * 1.000_001;
            prop_assert!(peak(&left) <= top && peak(&right) <= top);
        }
    }
}
