//! Each voice against the target in its documentation.

use antiphon::dsp::{
    Body, EnvShape, HatKind, HatVoice, KickVoice, QUANTUM, SnareVoice, Strike, SynthVoice, Voice,
};

use crate::measure::*;

/// Full velocity, natural decay, a fixed seed.
pub fn strike(pitch_hz: f32, velocity: f32) -> Strike {
    Strike { pitch_hz, velocity, decay: 1.0, seed: 7, length: None }
}

/// A voice's samples from its stroke on.
pub fn render<B: Body>(voice: &mut Voice<B>, seconds: f64) -> Vec<f32> {
    let quanta = (seconds * RATE) as usize / QUANTUM;
    let mut samples = Vec::with_capacity(quanta * QUANTUM);
    for _ in 0..quanta {
        let mut quantum = [0.0; QUANTUM];
        voice.render_add(0, QUANTUM, &mut quantum);
        samples.extend_from_slice(&quantum);
    }
    samples
}

/// Writes a sound where `ANTIPHON_DUMP` asks for it.
pub fn dump(name: &str, samples: &[f32]) {
    if let Some(folder) = std::env::var_os("ANTIPHON_DUMP") {
        let bytes: Vec<u8> = samples.iter().flat_map(|x| x.to_le_bytes()).collect();
        std::fs::write(std::path::Path::new(&folder).join(format!("{name}.f32")), bytes)
            .expect("the folder can be written");
    }
}

pub fn kick(velocity: f32) -> Vec<f32> {
    let mut voice = KickVoice::new();
    voice.strike(strike(KickVoice::PITCH_HZ, velocity));
    render(&mut voice, 1.5)
}

pub fn snare(velocity: f32) -> Vec<f32> {
    let mut voice = SnareVoice::new();
    voice.strike(strike(SnareVoice::PITCH_HZ, velocity));
    render(&mut voice, 1.5)
}

pub fn hat(kind: HatKind, velocity: f32) -> Vec<f32> {
    let mut voice = HatVoice::new(kind);
    voice.strike(strike(HatVoice::PITCH_HZ, velocity));
    render(&mut voice, 1.5)
}

pub fn synth(pitch_hz: f32, velocity: f32) -> Vec<f32> {
    let mut voice = SynthVoice::new();
    voice.strike(Strike { length: Some(24_000), ..strike(pitch_hz, velocity) }, EnvShape::DEFAULT);
    render(&mut voice, 1.5)
}

fn whole(sound: &[f32]) -> Spectrum {
    Spectrum::new(sound, RATE, Window::Flat)
}

#[track_caller]
fn lies(what: &str, value: f64, range: std::ops::Range<f64>) {
    println!("{what}: {value:.4}");
    assert!(range.contains(&value), "{what} is {value:.4}, the target {range:?}");
}

#[test]
fn the_kick_meets_its_target() {
    let sound = kick(1.0);
    dump("kick", &sound);
    let spectrum = whole(&sound);
    lies("peak", peak(&sound), 0.6..0.85);
    lies("-20 dB", seconds_to(&sound, 20.0), 0.16..0.30);
    lies("-60 dB", seconds_to(&sound, 60.0), 0.45..0.80);
    lies("strongest", spectrum.strongest(0.0, RATE).0, 42.0..65.0);
    lies("centroid", spectrum.centroid(), 40.0..150.0);
    lies("DC", db(mean(&sound) / peak(&sound)), -300.0..-50.0);
    let soft = kick(0.3);
    dump("kick-soft", &soft);
    let duller = whole(&soft).share_above(1000.0) / spectrum.share_above(1000.0);
    lies("share above 1 kHz at 0.3 against 1", 10.0 * duller.log10(), -60.0..-3.0);
}

#[test]
fn the_snare_meets_its_target() {
    let sound = snare(1.0);
    dump("snare", &sound);
    let spectrum = whole(&sound);
    lies("peak", peak(&sound), 0.55..0.75);
    lies("-20 dB", seconds_to(&sound, 20.0), 0.09..0.20);
    lies("-60 dB", seconds_to(&sound, 60.0), 0.25..0.60);
    lies("strongest below 1 kHz", spectrum.strongest(0.0, 1000.0).0, 165.0..215.0);
    lies("centroid", spectrum.centroid(), 2000.0..5000.0);
    lies("share above 1 kHz", spectrum.share_above(1000.0), 0.35..0.75);
    let soft = snare(0.3);
    dump("snare-soft", &soft);
    lies("centroid at 0.3 against 1", whole(&soft).centroid() / spectrum.centroid(), 0.1..0.7);
}

#[test]
fn the_hats_meet_their_target() {
    for (kind, to_20, to_60) in
        [(HatKind::Closed, 0.025..0.06, 0.08..0.18), (HatKind::Open, 0.15..0.35, 0.45..1.0)]
    {
        let sound = hat(kind, 1.0);
        dump(&format!("{kind:?}"), &sound);
        let spectrum = whole(&sound);
        for seed in 0..12 {
            let mut voice = HatVoice::new(kind);
            voice.strike(Strike { seed, ..strike(HatVoice::PITCH_HZ, 1.0) });
            lies("peak, whatever the seed", peak(&render(&mut voice, 0.03)), 0.25..0.55);
        }
        lies("-20 dB", seconds_to(&sound, 20.0), to_20);
        lies("-60 dB", seconds_to(&sound, 60.0), to_60);
        lies("strongest", spectrum.strongest(0.0, RATE).0, 6_000.0..12_000.0);
        lies("centroid", spectrum.centroid(), 7_000.0..12_000.0);
        lies("share below 3 kHz", 1.0 - spectrum.share_above(3000.0), 0.0..0.01);
        let soft = hat(kind, 0.3);
        lies("centroid at 0.3 against 1", whole(&soft).centroid() / spectrum.centroid(), 0.5..0.95);
    }
}

#[test]
fn the_synth_meets_its_target() {
    let sound = synth(110.0, 1.0);
    dump("synth", &sound);
    dump("synth-soft", &synth(110.0, 0.3));
    dump("synth-high", &synth(440.0, 1.0));
    for seed in 0..12 {
        let mut voice = SynthVoice::new();
        voice.strike(Strike { seed, ..strike(110.0, 1.0) }, EnvShape::DEFAULT);
        lies("peak, whatever the seed", peak(&render(&mut voice, 0.1)), 0.45..0.75);
    }
    let first = sound.iter().position(|x| f64::from(x.abs()) > 0.5 * peak(&sound));
    lies("half level", first.expect("it sounds") as f64 / RATE, 0.0..0.015);
    // The note is let go after half a second.
    lies("-60 dB", seconds_to(&sound, 60.0), 0.5..0.75);
    let held = Spectrum::new(&sound[4800..4800 + 16_384], RATE, Window::Steady);
    let strongest = held.strongest(0.0, RATE).0;
    assert!((strongest - 110.0).abs() < 3.0 || (strongest - 55.0).abs() < 3.0, "{strongest} Hz");
    let part = |from: f64| {
        let from = (from * RATE) as usize;
        Spectrum::new(&sound[from..from + 2400], RATE, Window::Steady).centroid()
    };
    lies("centroid at 0 s against 0.4 s", part(0.0) / part(0.4), 1.3..10.0);
    lies("DC", mean(&sound[..24_000]), -0.01..0.01);
}

#[test]
fn a_high_synth_note_aliases_little() {
    let hz = 1_244.5;
    let mut voice = SynthVoice::new();
    let held = EnvShape { sustain: 1.0, ..EnvShape::DEFAULT };
    voice.strike(strike(hz as f32, 1.0), held);
    let sound = render(&mut voice, 0.5);
    let steady = Spectrum::new(&sound[4800..4800 + 16_384], RATE, Window::Steady);
    // Both oscillators' partials, and the sub's.
    let partials: Vec<f64> = (0..40).map(|n| hz * 0.5 * f64::from(n)).collect();
    let (at, level) = steady.strongest_away_from(&partials, 120.0, 20_000.0);
    let alias = db(level / steady.strongest(0.0, RATE).1);
    assert!(alias < -50.0, "{alias:.1} dB at {at:.0} Hz");
}

#[test]
fn decay_stretches_every_drum() {
    let at = |decay: f32| {
        let mut kick = KickVoice::new();
        kick.strike(Strike { decay, ..strike(KickVoice::PITCH_HZ, 1.0) });
        let mut hat = HatVoice::new(HatKind::Open);
        hat.strike(Strike { decay, ..strike(HatVoice::PITCH_HZ, 1.0) });
        let mut snare = SnareVoice::new();
        snare.strike(Strike { decay, ..strike(SnareVoice::PITCH_HZ, 1.0) });
        [render(&mut kick, 1.5), render(&mut hat, 1.5), render(&mut snare, 1.5)]
            .map(|sound| seconds_to(&sound, 40.0))
    };
    let (short, long) = (at(0.5), at(1.5));
    for (short, long) in short.iter().zip(&long) {
        lies("1.5 against 0.5", long / short, 2.0..4.0);
    }
}

#[test]
fn each_seed_has_its_noise_and_each_pitch_its_place() {
    let with = |seed, pitch_hz| {
        let mut voice = SnareVoice::new();
        voice.strike(Strike { seed, ..strike(pitch_hz, 1.0) });
        render(&mut voice, 0.5)
    };
    assert_ne!(with(1, 185.0), with(2, 185.0));
    assert_eq!(with(1, 185.0), with(1, 185.0));
    lies("up a fifth", whole(&with(1, 277.5)).strongest(0.0, 1000.0).0, 260.0..300.0);
}
