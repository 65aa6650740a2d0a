//! Each voice against the target in its documentation.

use std::sync::Arc;

use antiphon::dsp::{
    Body, Character, ClapVoice, CymbalVoice, EnvShape, Excerpt, FmVoice, HatKind, HatVoice, KickVoice, Patch,
    PercVoice, QUANTUM, SampleFile, SamplerVoice, ShakerVoice, SnareVoice, Strike, SynthVoice, TomVoice,
    Voice,
};

use crate::measure::*;

/// Full velocity, natural decay, a fixed seed.
pub fn strike(pitch_hz: f32, velocity: f32) -> Strike {
    Strike { pitch_hz, velocity, decay: 1.0, seed: 7, length: None, character: Character::NEUTRAL }
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

pub fn clap(strike: Strike) -> Vec<f32> {
    let mut voice = ClapVoice::new();
    voice.strike(strike);
    render(&mut voice, 1.5)
}

pub fn tom(strike: Strike) -> Vec<f32> {
    let mut voice = TomVoice::new();
    voice.strike(strike);
    render(&mut voice, 2.0)
}

pub fn perc(strike: Strike) -> Vec<f32> {
    let mut voice = PercVoice::new();
    voice.strike(strike);
    render(&mut voice, 1.0)
}

pub fn shaker(strike: Strike) -> Vec<f32> {
    let mut voice = ShakerVoice::new();
    voice.strike(strike);
    render(&mut voice, 1.0)
}

pub fn cymbal(strike: Strike) -> Vec<f32> {
    let mut voice = CymbalVoice::new();
    voice.strike(strike);
    render(&mut voice, 6.0)
}

/// A note of a patch, held for so many samples.
pub fn note(patch: Patch, strike: Strike, samples: u32, seconds: f64) -> Vec<f32> {
    let mut voice = SynthVoice::of(patch);
    voice.strike(Strike { length: Some(samples), ..strike }, patch.shape());
    render(&mut voice, seconds)
}

pub fn fm(strike: Strike, samples: u32, seconds: f64) -> Vec<f32> {
    let mut voice = FmVoice::new();
    voice.strike(Strike { length: Some(samples), ..strike }, FmVoice::SHAPE);
    render(&mut voice, seconds)
}

/// A snare as a sample file, played so much faster than it is.
pub fn sampler(speed: f32) -> Vec<f32> {
    let words: Vec<i32> = snare(1.0).iter().map(|sample| (sample * 8_388_607.0) as i32).collect();
    let mut voice = SamplerVoice::new();
    let file = Arc::new(SampleFile::new(&words));
    voice.strike(strike(SamplerVoice::PITCH_HZ * speed, 1.0), &file, Excerpt::WHOLE, None);
    render(&mut voice, 1.0)
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
fn the_clap_meets_its_target() {
    let sound = clap(strike(ClapVoice::PITCH_HZ, 1.0));
    dump("clap", &sound);
    let spectrum = whole(&sound);
    for seed in 0..12 {
        let sound = clap(Strike { seed, ..strike(ClapVoice::PITCH_HZ, 1.0) });
        lies("peak, whatever the seed", peak(&sound), 0.4..0.75);
    }
    lies("-20 dB", seconds_to(&sound, 20.0), 0.08..0.20);
    lies("-60 dB", seconds_to(&sound, 60.0), 0.18..0.50);
    lies("strongest", spectrum.strongest(0.0, RATE).0, 700.0..1800.0);
    lies("centroid", spectrum.centroid(), 1000.0..3500.0);
    // Each of the three bursts has fallen by half before the next.
    let energy = |from_ms: f64, to_ms: f64| rms(&sound[(from_ms * 48.0) as usize..(to_ms * 48.0) as usize]);
    for burst in 0..3 {
        let from = 10.667 * f64::from(burst);
        lies("gap against burst", energy(from + 8.0, from + 10.5) / energy(from, from + 4.0), 0.0..0.5);
    }
}

#[test]
fn the_tom_meets_its_target() {
    let sound = tom(strike(TomVoice::PITCH_HZ, 1.0));
    dump("tom", &sound);
    let spectrum = whole(&sound);
    lies("peak", peak(&sound), 0.5..0.8);
    lies("-20 dB", seconds_to(&sound, 20.0), 0.18..0.40);
    lies("-60 dB", seconds_to(&sound, 60.0), 0.45..1.0);
    lies("strongest", spectrum.strongest(0.0, RATE).0, 100.0..130.0);
    lies("centroid", spectrum.centroid(), 100.0..260.0);
    lies("DC", db(mean(&sound) / peak(&sound)), -300.0..-50.0);
    let high = whole(&tom(strike(2.0 * TomVoice::PITCH_HZ, 1.0)));
    lies("an octave up", high.strongest(0.0, RATE).0, 200.0..260.0);
}

#[test]
fn the_perc_meets_its_target() {
    let sound = perc(strike(PercVoice::PITCH_HZ, 1.0));
    dump("perc", &sound);
    let spectrum = whole(&sound);
    lies("peak", peak(&sound), 0.45..0.75);
    lies("-20 dB", seconds_to(&sound, 20.0), 0.03..0.11);
    lies("-60 dB", seconds_to(&sound, 60.0), 0.12..0.35);
    lies("strongest", spectrum.strongest(0.0, RATE).0, 380.0..470.0);
    lies("centroid", spectrum.centroid(), 400.0..1600.0);
    lies("DC", db(mean(&sound) / peak(&sound)), -300.0..-50.0);
}

#[test]
fn the_shaker_meets_its_target() {
    let sound = shaker(strike(ShakerVoice::PITCH_HZ, 1.0));
    dump("shaker", &sound);
    let spectrum = whole(&sound);
    for seed in 0..12 {
        let sound = shaker(Strike { seed, ..strike(ShakerVoice::PITCH_HZ, 1.0) });
        lies("peak, whatever the seed", peak(&sound), 0.2..0.5);
    }
    let loudest = sound.chunks(96).map(rms).enumerate().max_by(|a, b| a.1.total_cmp(&b.1)).expect("chunks").0;
    lies("loudest", loudest as f64 * 0.002 + 0.001, 0.008..0.030);
    lies("-20 dB", seconds_to(&sound, 20.0), 0.05..0.11);
    lies("-60 dB", seconds_to(&sound, 60.0), 0.11..0.30);
    lies("centroid", spectrum.centroid(), 6000.0..11_000.0);
    lies("share below 2 kHz", 1.0 - spectrum.share_above(2000.0), 0.0..0.02);
}

#[test]
fn the_cymbal_meets_its_target() {
    let sound = cymbal(strike(CymbalVoice::PITCH_HZ, 1.0));
    dump("cymbal", &sound);
    let spectrum = whole(&sound);
    for seed in 0..12 {
        let sound = cymbal(Strike { seed, ..strike(CymbalVoice::PITCH_HZ, 1.0) });
        lies("peak, whatever the seed", peak(&sound[..9600]), 0.25..0.6);
    }
    lies("-20 dB", seconds_to(&sound, 20.0), 0.5..1.5);
    lies("-60 dB", seconds_to(&sound, 60.0), 1.5..4.0);
    lies("centroid", spectrum.centroid(), 5000.0..10_000.0);
    lies("share below 1.5 kHz", 1.0 - spectrum.share_above(1500.0), 0.0..0.03);
    let (early, late) = (whole(&sound[..4800]).centroid(), whole(&sound[48_000..57_600]).centroid());
    lies("centroid at the stroke against 1 s", early / late, 0.4..1.0);
}

#[test]
fn bass_pad_and_fm_meet_their_targets() {
    let bass = note(Patch::Bass, strike(55.0, 1.0), 24_000, 1.5);
    dump("bass", &bass);
    let spectrum = whole(&bass);
    lies("bass peak", peak(&bass), 0.45..0.8);
    lies("share below 120 Hz", 1.0 - spectrum.share_above(120.0), 0.5..0.98);
    lies("-60 dB", seconds_to(&bass, 60.0), 0.5..0.62);
    lies("DC", mean(&bass[..24_000]), -0.01..0.01);
    let pad = note(Patch::Pad, strike(220.0, 0.8), 96_000, 4.0);
    dump("pad", &pad);
    lies("pad peak at 0.8", peak(&pad), 0.2..0.35);
    let level = 0.5 * peak(&pad);
    let half = pad.iter().position(|x| f64::from(x.abs()) > level).expect("it sounds");
    lies("pad swells", half as f64 / RATE, 0.1..0.4);
    let levels: Vec<f64> = pad[24_000..96_000].chunks(2400).map(rms).collect();
    let (least, most) = levels.iter().fold((1.0, 0.0f64), |(least, most), x| (x.min(least), x.max(most)));
    lies("pad beats", db(most / least), 1.0..12.0);
    lies("-60 dB", seconds_to(&pad, 60.0), 2.5..3.3);
    let sound = fm(strike(220.0, 1.0), 48_000, 2.0);
    dump("fm", &sound);
    lies("fm peak", peak(&sound), 0.4..0.6);
    let part = |from: usize| Spectrum::new(&sound[from..from + 2400], RATE, Window::Steady).centroid();
    lies("centroid at 0 s against 0.6 s", part(0) / part(28_800), 1.2..10.0);
    lies("-60 dB", seconds_to(&sound, 60.0), 1.0..1.5);
    let held = Spectrum::new(&sound[9600..9600 + 16_384], RATE, Window::Steady);
    let partials: Vec<f64> = (0..90).map(|n| 220.0 * f64::from(n)).collect();
    let beside = db(held.strongest_away_from(&partials, 30.0, 24_000.0).1 / held.strongest(0.0, RATE).1);
    lies("fm beside its harmonics", beside, -300.0..-60.0);
    let shrill = fm(
        Strike { character: Character { tone: 1.0, ratio: 7.0, ..Character::NEUTRAL }, ..strike(880.0, 1.0) },
        48_000,
        1.0,
    );
    let held = Spectrum::new(&shrill[2400..2400 + 16_384], RATE, Window::Steady);
    let partials: Vec<f64> = (0..28).map(|n| 880.0 * f64::from(n)).collect();
    let (at, alias) = held.strongest_away_from(&partials, 60.0, 24_000.0);
    let alias = db(alias / held.strongest(0.0, RATE).1);
    assert!(alias < -35.0, "a shrill bell aliases by {alias:.1} dB at {at:.0} Hz");
}

#[test]
fn a_bound_bass_note_glides_without_a_click() {
    let mut voice = SynthVoice::of(Patch::Bass);
    let shape = Patch::Bass.shape();
    voice.slide(strike(55.0, 0.8), shape);
    let mut sound = render(&mut voice, 0.3);
    let character = Character { glide_s: 0.1, ..Character::NEUTRAL };
    voice.slide(Strike { character, ..strike(110.0, 0.8) }, shape);
    let bound = sound.len();
    sound.extend(render(&mut voice, 0.5));
    dump("bass-glide", &sound);
    let hz = |from: usize| {
        let spectrum = Spectrum::new(&sound[from..from + 9600], RATE, Window::Steady);
        spectrum.strongest(40.0, 140.0).0
    };
    lies("before", hz(bound - 9600), 50.0..60.0);
    lies("after", hz(bound + 9600), 105.0..115.0);
    let jump = |part: &[f32]| part.windows(2).map(|w| (w[1] - w[0]).abs()).fold(0.0, f32::max);
    let (before, at) = (jump(&sound[bound - 4800..bound]), jump(&sound[bound - 10..bound + 480]));
    assert!(at < 1.6 * before, "{at} against {before}");
    // A note that was let go begins anew.
    voice.release();
    let tail = render(&mut voice, 0.01);
    voice.slide(strike(110.0, 0.8), shape);
    let again = render(&mut voice, 0.05);
    let mut fresh = SynthVoice::of(Patch::Bass);
    fresh.slide(strike(110.0, 0.8), shape);
    assert!(tail[0] != 0.0 && again[200..] == render(&mut fresh, 0.05)[200..]);
}

#[test]
fn every_knob_of_every_voice_that_has_it_is_heard() {
    let turn = |edit: &dyn Fn(&mut Character)| {
        let mut character = Character::NEUTRAL;
        edit(&mut character);
        character
    };
    let knobs: [(&str, Character); 6] = [
        ("tone", turn(&|c| c.tone = 0.7)),
        ("punch", turn(&|c| c.punch = 0.7)),
        ("noise", turn(&|c| c.noise = 0.7)),
        ("bend", turn(&|c| c.bend = 0.7)),
        ("drive", turn(&|c| c.drive = 0.7)),
        ("spread", turn(&|c| c.spread = 0.7)),
    ];
    let kick = |s: Strike| {
        let mut voice = KickVoice::new();
        voice.strike(s);
        render(&mut voice, 0.5)
    };
    let snare = |s: Strike| {
        let mut voice = SnareVoice::new();
        voice.strike(s);
        render(&mut voice, 0.5)
    };
    let hat = |s: Strike| {
        let mut voice = HatVoice::new(HatKind::Closed);
        voice.strike(s);
        render(&mut voice, 0.5)
    };
    let lead = |s: Strike| note(Patch::Lead, s, 12_000, 0.5);
    let fm = |s: Strike| fm(s, 12_000, 0.5);
    type Play<'a> = &'a dyn Fn(Strike) -> Vec<f32>;
    let voices: [(&str, f32, Play, &str); 10] = [
        ("kick", KickVoice::PITCH_HZ, &kick, "tone punch noise bend drive"),
        ("snare", SnareVoice::PITCH_HZ, &snare, "tone punch noise bend drive spread"),
        ("hat", HatVoice::PITCH_HZ, &hat, "tone punch noise drive spread"),
        ("clap", ClapVoice::PITCH_HZ, &clap, "tone punch noise drive spread"),
        ("tom", TomVoice::PITCH_HZ, &tom, "tone punch noise bend drive spread"),
        ("perc", PercVoice::PITCH_HZ, &perc, "tone punch noise bend drive spread"),
        ("shaker", ShakerVoice::PITCH_HZ, &shaker, "tone punch noise drive"),
        ("cymbal", CymbalVoice::PITCH_HZ, &cymbal, "tone punch noise drive spread"),
        ("lead", 220.0, &lead, "tone punch noise bend drive spread"),
        ("fm", 220.0, &fm, "tone punch drive spread"),
    ];
    for (name, pitch_hz, play, has) in voices {
        let plain = play(strike(pitch_hz, 0.8));
        for (knob, character) in knobs {
            let turned = play(Strike { character, ..strike(pitch_hz, 0.8) });
            let heard = turned != plain;
            assert_eq!(heard, has.split(' ').any(|word| word == knob), "{knob} of the {name}");
            assert!(peak(&turned) < 1.6, "{knob} of the {name}: {}", peak(&turned));
        }
    }
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
        let with = |pitch_hz| Strike { decay, ..strike(pitch_hz, 1.0) };
        [
            render(&mut kick, 1.5),
            render(&mut hat, 1.5),
            render(&mut snare, 1.5),
            tom(with(TomVoice::PITCH_HZ)),
            perc(with(PercVoice::PITCH_HZ)),
            cymbal(with(CymbalVoice::PITCH_HZ)),
        ]
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
