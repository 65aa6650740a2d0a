//! Filter, drive, delay, oscillators.

use antiphon::dsp::{Delay, Drive, FilterKind, Phase, QUANTUM, Quantum, Svf, saw, square};

use crate::measure::*;
use crate::voices::dump;

/// A signal through an effect, quantum by quantum.
pub fn through(signal: &[f32], mut effect: impl FnMut(&mut Quantum)) -> Vec<f32> {
    let mut out = Vec::with_capacity(signal.len());
    for chunk in signal.chunks_exact(QUANTUM) {
        let mut quantum: Quantum = chunk.try_into().expect("a whole quantum");
        effect(&mut quantum);
        out.extend_from_slice(&quantum);
    }
    out
}

pub fn impulse(samples: usize) -> Vec<f32> {
    let mut signal = vec![0.0; samples];
    signal[0] = 1.0;
    signal
}

/// The magnitude of the analogue prototype at a frequency, both warped as the trapezoidal
/// integrator warps them.
fn prototype(kind: FilterKind, cutoff: f64, q: f64, hz: f64) -> f64 {
    let warp = |hz: f64| (std::f64::consts::PI * hz / RATE).tan();
    let w = warp(hz) / warp(cutoff);
    let denominator = ((1.0 - w * w).powi(2) + (w / q).powi(2)).sqrt();
    let numerator = match kind {
        FilterKind::Lowpass => 1.0,
        FilterKind::Highpass => w * w,
        FilterKind::Bandpass => w / q,
        FilterKind::Notch => (1.0 - w * w).abs(),
    };
    numerator / denominator
}

const KINDS: [FilterKind; 4] =
    [FilterKind::Lowpass, FilterKind::Highpass, FilterKind::Bandpass, FilterKind::Notch];

#[test]
fn the_filter_answers_as_its_analogue_prototype() {
    for kind in KINDS {
        for (cutoff, q) in [(60.0, 0.7), (1000.0, 0.2), (1000.0, 8.0), (9000.0, 1.0), (19_000.0, 2.0)] {
            let mut filter = Svf::new();
            // One silent quantum brings it in from open.
            filter.process(&mut [0.0; QUANTUM], kind, &[cutoff; QUANTUM], q);
            let response = through(&impulse(16_384), |io| filter.process(io, kind, &[cutoff; QUANTUM], q));
            let spectrum = Spectrum::new(&response, RATE, Window::Flat);
            for hz in [23.4375, 99.609375, 750.0, 1201.171875, 3000.0, 9000.0, 14_000.390_625, 20_003.906_25]
            {
                let theory = prototype(kind, f64::from(cutoff), f64::from(q), hz);
                if db(theory) > -80.0 {
                    let off = db(spectrum.at(hz)) - db(theory);
                    assert!(off.abs() < 0.2, "{kind:?} {cutoff} Hz Q {q}: {off:+.3} dB off at {hz} Hz");
                }
            }
        }
    }
}

#[test]
fn an_open_lowpass_passes_every_bit() {
    let signal = sine(997.0, RATE, 0.7, 4800);
    let mut filter = Svf::new();
    let out = through(&signal, |io| filter.process(io, FilterKind::Lowpass, &[20_000.0; QUANTUM], 1.0));
    assert_eq!(out, signal);
}

#[test]
fn after_a_reset_every_effect_begins_with_its_settings() {
    // As if it had stood there through a silence before.
    let signal = sine(997.0, RATE, 0.5, 96);
    for primed in [false, true] {
        let (mut filter, mut drive, mut delay) = (Svf::new(), Drive::new(), Delay::new());
        let mut chain = |io: &mut Quantum| {
            filter.process(io, FilterKind::Highpass, &[4000.0; QUANTUM], 2.0);
            drive.process(io, 0.8, 0.6, 1.0);
            delay.process(io, 0.01, 0.5, 0.3);
        };
        if primed {
            chain(&mut [0.0; QUANTUM]);
        }
        let out = through(&signal, chain);
        let mut reference = (Svf::new(), Drive::new(), Delay::new());
        for _ in 0..2 {
            let mut silence = [0.0; QUANTUM];
            reference.0.process(&mut silence, FilterKind::Highpass, &[4000.0; QUANTUM], 2.0);
            reference.1.process(&mut silence, 0.8, 0.6, 1.0);
            reference.2.process(&mut silence, 0.01, 0.5, 0.3);
        }
        let expected = through(&signal, |io| {
            reference.0.process(io, FilterKind::Highpass, &[4000.0; QUANTUM], 2.0);
            reference.1.process(io, 0.8, 0.6, 1.0);
            reference.2.process(io, 0.01, 0.5, 0.3);
        });
        assert_eq!(out, expected, "primed: {primed}");
    }
}

#[test]
fn a_swept_filter_neither_bursts_nor_clicks() {
    let signal = sine(440.0, RATE, 0.5, 24_000);
    for q in [0.7, 30.0] {
        let mut filter = Svf::new();
        let mut n = 0;
        // Down and up again within 2 ms, over and over.
        let out = through(&signal, |io| {
            let mut cutoff = [0.0; QUANTUM];
            for value in &mut cutoff {
                let place = (n % 96) as f32 / 48.0;
                *value = 200.0 + 12_000.0 * (place - 1.0).abs();
                n += 1;
            }
            filter.process(io, FilterKind::Lowpass, &cutoff, q);
        });
        assert!(peak(&out) < 0.5 * 2.0 * f64::from(q).max(1.0), "Q {q}: {}", peak(&out));
    }
    // A change of kind moves no faster than the sine itself does, by a wide margin.
    let mut filter = Svf::new();
    let mut quantum = 0;
    let out = through(&signal, |io| {
        let kind = KINDS[quantum / 100 % 4];
        quantum += 1;
        filter.process(io, kind, &[600.0; QUANTUM], 0.7);
    });
    let jump = out.windows(2).map(|w| (w[1] - w[0]).abs()).fold(0.0, f32::max);
    assert!(jump < 0.06, "{jump}");
}

#[test]
fn drive_that_is_not_there_passes_every_bit() {
    let signal = sine(997.0, RATE, 0.7, 4800);
    let mut drive = Drive::new();
    assert_eq!(through(&signal, |io| drive.process(io, 1.0, 0.0, 0.0)), signal);
    // Also after having been on.
    through(&signal, |io| drive.process(io, 1.0, 1.0, 1.0));
    through(&signal[..64], |io| drive.process(io, 1.0, 0.0, 0.0));
    assert_eq!(through(&signal, |io| drive.process(io, 1.0, 0.0, 0.0)), signal);
}

#[test]
fn drive_adds_harmonics_but_few_aliases_and_keeps_the_level() {
    let hz = 4_997.0;
    let partials: Vec<f64> = (1..5).map(|n| hz * f64::from(n)).collect();
    let signal = sine(hz, RATE, 0.5, 24_000);
    for (amount, alias_db) in [(0.3, -80.0), (0.6, -60.0), (1.0, -40.0)] {
        let mut drive = Drive::new();
        let out = through(&signal, |io| drive.process(io, amount, 1.0, 1.0));
        dump(&format!("drive-{amount}"), &out);
        let steady = &out[4800..4800 + 16_384];
        let spectrum = Spectrum::new(steady, RATE, Window::Steady);
        let fundamental = spectrum.at(hz);
        let alias = db(spectrum.strongest_away_from(&partials, 60.0, 20_000.0).1 / fundamental);
        assert!(alias < alias_db, "amount {amount}: alias at {alias:.1} dB");
        println!("amount {amount}: strongest alias {alias:.1} dB");
        let level = db(rms(steady) / rms(&signal));
        assert!(level.abs() < 3.5, "amount {amount}: level {level:+.1} dB");
        assert!(mean(steady).abs() < 1e-3, "amount {amount}: DC {}", mean(steady));
    }
    let low = sine(200.0, RATE, 0.5, 24_000);
    let mut drive = Drive::new();
    let out = through(&low, |io| drive.process(io, 0.5, 1.0, 1.0));
    let spectrum = Spectrum::new(&out[4800..4800 + 16_384], RATE, Window::Steady);
    let third = db(spectrum.at(600.0) / spectrum.at(200.0));
    assert!((-30.0..-8.0).contains(&third), "third harmonic at {third:.1} dB");
}

#[test]
fn a_mix_of_drive_does_not_comb() {
    // At small levels the clipper is a gain; any dip would be the two ways' difference.
    let signal: Vec<f32> = impulse(8192).iter().map(|x| x * 1e-3).collect();
    let mut drive = Drive::new();
    through(&[0.0; 64], |io| drive.process(io, 0.0, 0.5, 1.0));
    let out = through(&signal, |io| drive.process(io, 0.0, 0.5, 1.0));
    let spectrum = Spectrum::new(&out, RATE, Window::Flat);
    let base = spectrum.at(100.0);
    for (hz, most) in [(1_000.0, 0.05), (5_000.0, 0.2), (10_000.0, 0.6), (15_000.0, 1.3)] {
        let off = db(spectrum.at(hz) / base);
        assert!((-most..0.05).contains(&off), "{off:+.2} dB at {hz} Hz");
    }
}

#[test]
fn echoes_come_on_their_sample_and_fade_by_the_feedback() {
    for (time_s, samples) in [(0.01, 480), (0.25, 12_000), (0.3337, 16_018)] {
        let mut delay = Delay::new();
        through(&[0.0; 64], |io| delay.process(io, time_s, 0.6, 1.0));
        let out = through(&impulse(70_400), |io| delay.process(io, time_s, 0.6, 1.0));
        let mut expected = 1.0;
        for echo in 1..=4 {
            let at = echo * samples;
            assert!((f64::from(out[at]) - expected).abs() < 1e-5, "{time_s} s echo {echo}: {}", out[at]);
            expected *= 0.6;
        }
        let sounding = out[..samples * 4 + 1].iter().filter(|x| **x != 0.0).count();
        assert_eq!(sounding, 4, "{time_s} s");
    }
}

#[test]
fn a_new_delay_time_crosses_without_a_click() {
    let signal = sine(441.0, RATE, 0.5, 48_000);
    let slope = signal.windows(2).map(|w| (w[1] - w[0]).abs()).fold(0.0, f32::max);
    let mut delay = Delay::new();
    let mut quantum = 0;
    let out = through(&signal, |io| {
        let time_s = if quantum < 700 { 0.1 } else { 0.0537 };
        quantum += 1;
        delay.process(io, time_s, 0.3, 1.0);
    });
    // Its beginning is the sine's own, cut on as it was put in.
    let jump = out[6000..].windows(2).map(|w| (w[1] - w[0]).abs()).fold(0.0, f32::max);
    assert!(jump < slope * 1.6, "{jump} against the tone's {slope}");
}

#[test]
fn delay_at_mix_0_passes_every_bit_and_reset_forgets() {
    let signal = sine(997.0, RATE, 0.7, 4800);
    let mut delay = Delay::new();
    assert_eq!(through(&signal, |io| delay.process(io, 0.1, 0.9, 0.0)), signal);
    through(&signal, |io| delay.process(io, 0.05, 0.9, 1.0));
    assert!(!delay.is_silent());
    delay.reset();
    assert!(delay.is_silent());
    let after = through(&[0.0; 9600], |io| delay.process(io, 0.05, 0.9, 1.0));
    assert!(after.iter().all(|x| *x == 0.0));
}

#[test]
fn a_delays_tail_ends_in_exact_silence() {
    let mut delay = Delay::new();
    through(&impulse(QUANTUM), |io| delay.process(io, 0.01, 0.3, 0.5));
    let tail = through(&vec![0.0; 480 * 40 / QUANTUM * QUANTUM], |io| delay.process(io, 0.01, 0.3, 0.5));
    assert!(tail[480 * 31..].iter().all(|x| *x == 0.0));
}

#[test]
fn oscillators_alias_little() {
    for (hz, alias_db) in [(110.0, -60.0), (440.0, -50.0), (1_244.5, -40.0)] {
        for (name, wave) in [("saw", saw as fn(&Phase) -> f32), ("square", square)] {
            let mut phase = Phase::default();
            phase.set_hz(hz as f32);
            let out: Vec<f32> = (0..16_384)
                .map(|_| {
                    let x = wave(&phase);
                    phase.advance();
                    x
                })
                .collect();
            let spectrum = Spectrum::new(&out, RATE, Window::Steady);
            let partials: Vec<f64> = (0..(24_000.0 / hz) as usize + 1).map(|n| hz * n as f64).collect();
            let (at, level) = spectrum.strongest_away_from(&partials, 24.0, 16_000.0);
            let alias = db(level / spectrum.strongest(20.0, 24_000.0).1);
            println!("{name} {hz} Hz: strongest alias {alias:.1} dB at {at:.0} Hz");
            assert!(alias < alias_db, "{name} {hz} Hz: {alias:.1} dB at {at:.0} Hz");
        }
    }
}
