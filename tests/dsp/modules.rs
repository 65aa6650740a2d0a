//! Equaliser, compressor, chorus, phaser, reverb, LFO.

use antiphon::dsp::{
    Chorus, CompSettings, Compressor, EQ_BELL_Q, EQ_HZ, Eq, Levels, Lfo, Noise, Phaser, QUANTUM, Quantum,
    Reverb, Wave,
};
use proptest::prelude::*;

use crate::effects::{impulse, through};
use crate::measure::*;

/// Magnitude of an analogue shelf or bell of so many dB, both frequencies warped as the trapezoidal
/// integrator warps them (Bristow-Johnson's prototypes).
fn band(place: usize, gain_db: f64, hz: f64) -> f64 {
    let warp = |hz: f64| (std::f64::consts::PI * hz / RATE).tan();
    let w = warp(hz) / warp(f64::from(EQ_HZ[place]));
    let a = 10f64.powf(gain_db / 40.0);
    let size = |real: f64, imaginary: f64| real.hypot(imaginary);
    let q = if place == 1 { f64::from(EQ_BELL_Q) } else { std::f64::consts::FRAC_1_SQRT_2 };
    let s = a.sqrt() / q * w;
    match place {
        0 => a * size(a - w * w, s) / size(1.0 - a * w * w, s),
        1 => size(1.0 - w * w, w * a / q) / size(1.0 - w * w, w / (a * q)),
        _ => a * size(1.0 - a * w * w, s) / size(a - w * w, s),
    }
}

#[test]
fn the_equaliser_answers_as_its_analogue_prototype() {
    for gains in [[9.0, 0.0, 0.0], [0.0, -9.0, 0.0], [0.0, 0.0, 6.0], [-6.0, 3.0, -9.0], [9.0, 9.0, 9.0]] {
        let mut eq = Eq::new();
        let response = through(&impulse(16_384), |io| eq.process(io, gains));
        let spectrum = Spectrum::new(&response, RATE, Window::Flat);
        for hz in
            [23.4375, 99.609375, 199.21875, 750.0, 1201.171875, 3000.0, 9000.0, 14_000.390_625, 20_003.906_25]
        {
            let theory: f64 = (0..3).map(|place| db(band(place, f64::from(gains[place]), hz))).sum();
            let off = db(spectrum.at(hz)) - theory;
            assert!(off.abs() < 0.1, "{gains:?}: {off:+.3} dB off {theory:.2} at {hz} Hz");
        }
    }
}

#[test]
fn a_flat_equaliser_passes_every_bit_and_a_moved_one_does_not_click() {
    let signal = sine(60.0, RATE, 0.5, 48_000);
    let mut eq = Eq::new();
    assert_eq!(through(&signal, |io| eq.process(io, [0.0; 3])), signal);
    let mut quantum = 0;
    let out = through(&signal, |io| {
        // 5 ms from one setting to the next, as the engine moves them.
        let along = (quantum % 100).min(8) as f32 / 8.0;
        let (from, to) = if quantum / 100 % 2 == 0 { (-9.0, 9.0) } else { (9.0, -9.0) };
        quantum += 1;
        eq.process(io, [0.0, from + (to - from) * along, from + (to - from) * along]);
    });
    // Above the tone there is nothing but what the moves add.
    let spectrum = Spectrum::new(&out[..32_768], RATE, Window::Steady);
    let added = db(spectrum.strongest(2_000.0, 24_000.0).1 / spectrum.strongest(0.0, 200.0).1);
    assert!(added < -70.0, "{added:.1} dB");
}

const SQUEEZE: CompSettings =
    CompSettings { threshold_db: -24.0, ratio: 4.0, attack_s: 0.001, release_s: 0.02, knee_db: 0.0 };

fn squeezed(signal: &[f32], settings: CompSettings) -> Vec<f32> {
    let mut comp = Compressor::new();
    through(signal, |io| {
        let levels = Levels::of([&*io]);
        comp.process([io], &levels, settings, 1.0);
    })
}

/// Level out less level in of a steady tone, in dB.
fn gain_at(level_db: f64, settings: CompSettings) -> f64 {
    let signal = sine(1500.0, RATE, 10f64.powf(level_db / 20.0), 48_000);
    let out = squeezed(&signal, settings);
    db(rms(&out[36_000..]) / rms(&signal[36_000..]))
}

#[test]
fn the_compressor_follows_its_curve() {
    for (settings, least) in [
        (SQUEEZE, 0.5),
        (CompSettings { ratio: 20.0, threshold_db: -40.0, ..SQUEEZE }, 0.6),
        (CompSettings { knee_db: 30.0, ..SQUEEZE }, 0.5),
        (CompSettings { attack_s: 0.05, release_s: 0.3, ..SQUEEZE }, 0.5),
    ] {
        for level in [-60.0, -40.0, -30.0, -24.0, -18.0, -9.0, 0.0] {
            let (knee, ratio) = (f64::from(settings.knee_db), f64::from(settings.ratio));
            let over = level - f64::from(settings.threshold_db);
            let theory = match over {
                _ if 2.0 * over <= -knee => 0.0,
                _ if 2.0 * over < knee => (1.0 - 1.0 / ratio) * (over + knee / 2.0).powi(2) / (2.0 * knee),
                _ => (1.0 - 1.0 / ratio) * over,
            };
            let off = gain_at(level, settings) + theory;
            assert!(off.abs() < least, "{settings:?} at {level} dB: {off:+.2} dB off −{theory:.2}");
        }
    }
    let loud = sine(997.0, RATE, 0.9, 4800);
    assert_eq!(squeezed(&loud, CompSettings { ratio: 1.0, ..SQUEEZE }), loud);
    let soft = sine(997.0, RATE, 0.05, 4800);
    assert_eq!(squeezed(&soft, SQUEEZE), soft);
}

#[test]
fn the_compressor_takes_its_time() {
    // A level that jumps from under the threshold to 24 dB above it and back.
    for (attack_s, release_s) in [(0.005, 0.1), (0.05, 0.3), (0.2, 1.0)] {
        let mut comp = Compressor::new();
        let settings = CompSettings { attack_s, release_s, ratio: 4.0, ..SQUEEZE };
        let full = 18.0;
        let mut seconds_until = |level: f32, reached: &dyn Fn(f32) -> bool| {
            let mut quanta = 0;
            while !reached(comp.reduction_db()) && quanta < 6000 {
                let levels = Levels::of([&[level; QUANTUM]]);
                comp.process::<0>([], &levels, settings, 1.0);
                quanta += 1;
            }
            f64::from(quanta) * QUANTUM as f64 / RATE
        };
        let turned = 1.0 - (-1.0f32).exp();
        let attack = seconds_until(1.0, &|reduction| reduction >= full * turned);
        assert!((attack / f64::from(attack_s) - 1.0).abs() < 0.2, "attack {attack_s} s takes {attack:.4} s");
        seconds_until(1.0, &|reduction| reduction > full - 0.1);
        // The level is held for some hundredths of a second first.
        let release = seconds_until(0.0, &|reduction| reduction <= full * (1.0 - turned));
        let over = release - f64::from(release_s);
        assert!((-0.01..0.06).contains(&over), "release {release_s} s takes {release:.4} s");
    }
}

#[test]
fn a_key_ducks_what_it_does_not_hold() {
    let pad = sine(330.0, RATE, 0.3, 24_000);
    let mut comp = Compressor::new();
    let mut quantum = 0;
    let out = through(&pad, |io| {
        let key = if (300..450).contains(&quantum) { [0.9; QUANTUM] } else { [0.0; QUANTUM] };
        quantum += 1;
        comp.process([io], &Levels::of([&key]), SQUEEZE, 1.0);
    });
    assert_eq!(out[..9600], pad[..9600]);
    let ducked = db(rms(&out[12_000..14_000]) / rms(&pad[12_000..14_000]));
    assert!((-18.0..-16.5).contains(&ducked), "{ducked:.2} dB");
    let back = db(rms(&out[20_000..24_000]) / rms(&pad[20_000..24_000]));
    assert!(back.abs() < 0.3, "{back:.2} dB");
}

/// An effect's answer to an impulse: left and right.
fn room(decay_s: f32, predelay_s: f32, seconds: f64) -> [Vec<f32>; 2] {
    let mut reverb = Reverb::new();
    let samples = (seconds * RATE) as usize / QUANTUM * QUANTUM;
    let mut sides = [Vec::new(), Vec::new()];
    for chunk in impulse(samples).chunks_exact(QUANTUM) {
        let mut left: Quantum = chunk.try_into().expect("a whole quantum");
        let mut right = left;
        reverb.process(&mut left, &mut right, decay_s, predelay_s, 1.0);
        sides[0].extend(left);
        sides[1].extend(right);
    }
    sides
}

/// The time a response takes to fall by 60 dB, from its slope between −5 and −35 dB (Schroeder's
/// backward integral, ISO 3382), of what a band-pass around 1 kHz leaves of it.
fn t60(response: &[f32]) -> f64 {
    use antiphon::dsp::{FilterKind, Svf};
    let mut filter = Svf::new();
    filter.process(&mut [0.0; QUANTUM], FilterKind::Bandpass, &[1000.0; QUANTUM], 1.4);
    let band = through(response, |io| filter.process(io, FilterKind::Bandpass, &[1000.0; QUANTUM], 1.4));
    let mut left: Vec<f64> = band
        .iter()
        .rev()
        .scan(0.0, |sum, &x| {
            *sum += f64::from(x) * f64::from(x);
            Some(*sum)
        })
        .collect();
    left.reverse();
    let at = |down: f64| left.iter().position(|&x| x < left[0] * 10f64.powf(-down / 10.0)).expect("it falls");
    (at(35.0) - at(5.0)) as f64 / RATE * 2.0
}

#[test]
fn the_reverb_decays_in_its_time_and_keeps_the_energy() {
    for decay in [0.3f32, 0.6, 1.2, 2.5, 5.0, 10.0] {
        let sides = room(decay, 0.0, 1.2 * f64::from(decay) + 0.5);
        crate::voices::dump(&format!("reverb-{decay}"), &sides[0]);
        for side in &sides {
            let measured = t60(side);
            let energy = 10.0 * side.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().log10();
            println!("decay {decay}: T60 {measured:.3} s, energy {energy:+.2} dB");
            assert!((measured / f64::from(decay) - 1.0).abs() < 0.08, "decay {decay}: {measured:.3} s");
            assert!((-4.5..2.0).contains(&energy), "decay {decay}: {energy:+.2} dB");
        }
        let (l, r) = (&sides[0], &sides[1]);
        let together: f64 = l.iter().zip(r).map(|(l, r)| f64::from(l * r)).sum();
        let apart = together / (rms(l) * rms(r) * l.len() as f64);
        assert!(apart.abs() < 0.2, "the sides have {apart:.2} in common");
    }
}

#[test]
fn the_reverb_waits_its_predelay_and_ends_in_exact_silence() {
    let first = |response: &[f32]| response.iter().position(|x| *x != 0.0).expect("it sounds") as f64 / RATE;
    let base = first(&room(0.5, 0.0, 0.5)[0]);
    for predelay in [0.01f32, 0.05, 0.1] {
        let waits = first(&room(0.5, predelay, 0.5)[0]) - base;
        assert!((waits - f64::from(predelay)).abs() < 1e-4, "{predelay} s: {waits:.5} s");
    }
    let mut reverb = Reverb::new();
    let [mut left, mut right] = [[0.5; QUANTUM]; 2];
    reverb.process(&mut left, &mut right, 0.4, 0.02, 0.5);
    let mut quanta = 0;
    while !reverb.is_silent() {
        [left, right] = [[0.0; QUANTUM]; 2];
        reverb.process(&mut left, &mut right, 0.4, 0.02, 0.5);
        quanta += 1;
        assert!(quanta < 3000, "a tail of 0.4 s is over within 2 s");
    }
    assert!(quanta > 700);
    reverb.process(&mut left, &mut right, 0.4, 0.02, 0.5);
    [left, right] = [[0.0; QUANTUM]; 2];
    reverb.process(&mut left, &mut right, 0.4, 0.02, 0.5);
    assert_eq!((left, right), ([0.0; QUANTUM], [0.0; QUANTUM]));
}

#[test]
fn the_reverb_rings_evenly() {
    // Late in a long tail no mode stands out: the strongest bin lies little over the mean of its
    // neighbourhood, as in Gaussian noise.
    let [left, _] = room(5.0, 0.0, 3.0);
    let part = &left[72_000..72_000 + 32_768];
    let spectrum = Spectrum::new(part, RATE, Window::Steady);
    for hz in [300.0, 600.0, 1200.0, 2400.0] {
        let (_, most) = spectrum.strongest(hz, hz * 1.26);
        let bins = hz * 0.26 / (RATE / 32_768.0);
        let mean = (spectrum.power(hz, hz * 1.26) / bins).sqrt();
        let over = db(most / mean);
        println!("{hz} Hz: {over:.1} dB over the mean");
        assert!(over < 15.0, "{hz} Hz: a mode stands {over:.1} dB over the mean");
    }
}

#[test]
fn the_phaser_takes_out_a_frequency_for_every_two_stages() {
    for stages in [2, 4, 6, 8, 12] {
        let mut phaser = Phaser::new();
        let response = through(&impulse(16_384), |io| phaser.process(io, 0.0, 0.6, stages, 0.5));
        let spectrum = Spectrum::new(&response, RATE, Window::Flat);
        // n first-order all-passes at 800 Hz turn by −180° · k where each turns by 180° · k / n.
        let warp = |hz: f64| (std::f64::consts::PI * hz / RATE).tan();
        for notch in 0..stages / 2 {
            let turn = std::f64::consts::PI * (2 * notch + 1) as f64 / stages as f64;
            let hz = (warp(800.0) * (turn / 2.0).tan()).atan() * RATE / std::f64::consts::PI;
            let deep = db(spectrum.at(hz));
            assert!(deep < -18.0, "{stages} stages: {deep:.1} dB at {hz:.0} Hz");
        }
        assert!(db(spectrum.at(6.0)).abs() < 0.2 && db(spectrum.at(23_900.0)).abs() < 0.2);
    }
    let signal = sine(441.0, RATE, 0.5, 48_000);
    let slope = signal.windows(2).map(|w| (w[1] - w[0]).abs()).fold(0.0, f32::max);
    let mut phaser = Phaser::new();
    let (mut quantum, mut lfo) = (0, Lfo::new());
    lfo.set_hz(2.0);
    let out = through(&signal, |io| {
        lfo.advance();
        let stages = [4, 12, 2, 8][quantum / 60 % 4];
        let mix = if quantum / 90 % 2 == 0 { (quantum % 90).min(8) as f32 / 8.0 } else { 1.0 };
        quantum += 1;
        phaser.process(io, lfo.sine(0), 1.0, stages, mix);
    });
    let jump = out.windows(2).map(|w| (w[1] - w[0]).abs()).fold(0.0, f32::max);
    assert!(jump < 2.0 * slope, "{jump} against the tone's {slope}");
}

#[test]
fn the_chorus_delays_by_its_middle_and_sways_around_it() {
    for (sway, samples) in [(0.0, 432), (1.0, 432 + 144), (-1.0, 432 - 144)] {
        let mut chorus = Chorus::new();
        let out = through(&impulse(2048), |io| chorus.process(io, sway, 0.5, 1.0));
        let at = out.iter().enumerate().max_by(|a, b| a.1.abs().total_cmp(&b.1.abs())).expect("samples").0;
        assert!(at.abs_diff(samples) <= 1, "{sway}: {at}");
    }
    // A tone wanders in pitch: side bands appear at the rate, and nothing far away.
    let signal = sine(1000.0, RATE, 0.5, 65_536);
    let (mut chorus, mut lfo) = (Chorus::new(), Lfo::new());
    lfo.set_hz(1.5);
    let out = through(&signal, |io| {
        lfo.advance();
        chorus.process(io, lfo.sine(0), 0.4, 1.0);
    });
    let spectrum = Spectrum::new(&out[16_384..16_384 + 32_768], RATE, Window::Steady);
    let strongest = spectrum.strongest(900.0, 1100.0).1;
    let far = db(spectrum.strongest_away_from(&[1000.0], 250.0, 24_000.0).1 / strongest);
    assert!(far < -65.0, "{far:.1} dB away from the tone");
    let mut chorus = Chorus::new();
    assert_eq!(through(&signal[..4800], |io| chorus.process(io, 0.3, 1.0, 0.0)), signal[..4800]);
}

#[test]
fn an_lfos_phase_is_its_rate_times_the_position() {
    for wave in [Wave::Sine, Wave::Triangle, Wave::Square, Wave::Saw] {
        for hz in [0.1f32, 1.0, 3.7, 20.0] {
            let (mut whole, mut late) = (Lfo::new(), Lfo::new());
            whole.set_hz(hz);
            late.set_hz(hz);
            whole.begin(0);
            late.begin(48_000 * 3);
            let values: Vec<f32> = (0..9000).map(|_| whole.quantum(wave)).collect();
            let alone: Vec<f32> = (0..4500).map(|_| late.quantum(wave)).collect();
            let same = values[4500..].iter().zip(&alone).skip(6).all(|(a, b)| a == b);
            assert!(same, "{wave:?} {hz} Hz begun late differs");
            let most = values.windows(2).map(|w| (w[1] - w[0]).abs()).fold(0.0, f32::max);
            assert!(most < 0.34, "{wave:?} {hz} Hz jumps by {most}");
            assert!(peak(&values) <= 1.0);
            // A quarter turn in.
            let at = (f64::from(0.25 / hz) * RATE / QUANTUM as f64) as usize;
            let expected = match wave {
                Wave::Sine | Wave::Triangle | Wave::Square => 1.0,
                Wave::Saw => -0.5,
            };
            assert!((values[at] - expected).abs() < 0.1, "{wave:?} {hz} Hz: {}", values[at]);
        }
    }
}

fn any_float() -> impl Strategy<Value = f32> {
    prop_oneof![4 => -2.0f32..20.0, 1 => any::<f32>(), 1 => Just(f32::NAN), 1 => Just(f32::INFINITY)]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]

    #[test]
    fn no_setting_makes_a_module_leave_the_numbers(
        settings in prop::collection::vec(([any_float(), any_float(), any_float(), any_float(), any_float()], 0usize..20), 1..12),
    ) {
        let (mut eq, mut comp, mut chorus) = (Eq::new(), Compressor::new(), Chorus::new());
        let (mut phaser, mut reverb, mut lfo) = (Phaser::new(), Reverb::new(), Lfo::new());
        let mut noise = Noise::new(1);
        for ([a, b, c, d, e], stages) in settings {
            let mut io: Quantum = std::array::from_fn(|_| noise.sample());
            eq.process(&mut io, [a, b, c]);
            prop_assert!(io.iter().all(|x| x.is_finite()), "eq {a} {b} {c}");
            let levels = Levels::of([&io]);
            let settings = CompSettings { threshold_db: a, ratio: b, attack_s: c, release_s: d, knee_db: e };
            comp.process([&mut io], &levels, settings, e);
            prop_assert!(io.iter().all(|x| x.is_finite()), "comp {settings:?}");
            phaser.process(&mut io, a, b, stages, c);
            prop_assert!(io.iter().all(|x| x.is_finite()), "phaser {a} {b} {stages} {c}");
            lfo.set_hz(d);
            lfo.seek(i64::from(a as i32) << 20);
            let sway = lfo.quantum(Wave::Saw);
            prop_assert!(sway.abs() <= 1.0);
            chorus.process(&mut io, b, sway, c);
            prop_assert!(io.iter().all(|x| x.is_finite()), "chorus {b} {sway} {c}");
            let mut right = io;
            reverb.process(&mut io, &mut right, a, b, c);
            prop_assert!(io.iter().chain(&right).all(|x| x.is_finite()), "reverb {a} {b} {c}");
        }
    }
}
