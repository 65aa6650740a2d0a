//! The determinism contract, note ends, and the arithmetic below.

use antiphon::dsp::{
    Body, CHOKE_SAMPLES, Character, Chorus, ClapVoice, CompSettings, Compressor, CymbalVoice, Delay, Drive,
    EnvShape, Eq, FilterKind, FmVoice, HatKind, HatVoice, KickVoice, Levels, Limiter, Patch, PercVoice,
    Phaser, QUANTUM, Quantum, Resampler, Reverb, ShakerVoice, Smoother, SnareVoice, Strike, Svf, SynthVoice,
    TomVoice, Voice, math,
};
use proptest::prelude::*;

use crate::measure::*;
use crate::voices::{
    clap, cymbal, fm, hat, kick, note, perc, render, sampler, shaker, snare, strike, synth, tom,
};

/// The bits of a sound as one number.
fn hash(sound: &[f32]) -> u64 {
    let bytes: Vec<u8> = sound.iter().flat_map(|x| x.to_bits().to_le_bytes()).collect();
    xxhash_rust::xxh3::xxh3_64(&bytes)
}

/// One second of every voice.
fn first_seconds() -> Vec<(&'static str, Vec<f32>)> {
    let mut sounds = vec![
        ("kick", kick(1.0)),
        ("kick-soft", kick(0.3)),
        ("snare", snare(1.0)),
        ("snare-soft", snare(0.3)),
        ("closed-hat", hat(HatKind::Closed, 1.0)),
        ("open-hat", hat(HatKind::Open, 1.0)),
        ("synth-110", synth(110.0, 1.0)),
        ("synth-440-soft", synth(440.0, 0.3)),
        ("clap", clap(strike(ClapVoice::PITCH_HZ, 1.0))),
        ("tom", tom(strike(TomVoice::PITCH_HZ, 1.0))),
        ("perc", perc(strike(PercVoice::PITCH_HZ, 1.0))),
        ("shaker", shaker(strike(ShakerVoice::PITCH_HZ, 1.0))),
        ("cymbal", cymbal(strike(CymbalVoice::PITCH_HZ, 1.0))),
        ("bass", note(Patch::Bass, strike(55.0, 1.0), 24_000, 1.0)),
        ("pad", note(Patch::Pad, strike(220.0, 0.8), 24_000, 1.0)),
        ("fm", fm(strike(220.0, 1.0), 24_000, 1.0)),
        ("sampler", sampler(0.7)),
        ("sampler-high", sampler(3.1)),
    ];
    sounds.iter_mut().for_each(|(_, sound)| sound.truncate(48_000));
    sounds
}

/// A change here is a change of sound: grow `rt::ENGINE_VERSION` with it. To accept the new sound,
/// run with `ANTIPHON_REWRITE_GOLDEN=1`.
#[test]
fn voices_and_effects_sound_as_they_did() {
    let names = first_seconds().into_iter().map(|(name, _)| name).chain(["effects"]);
    let now: String = names.zip(everything()).map(|(name, hash)| format!("{name} {hash:016x}\n")).collect();
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/voices.txt");
    if std::env::var_os("ANTIPHON_REWRITE_GOLDEN").is_some() {
        std::fs::write(&path, &now).expect("the golden file can be written");
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default().replace("\r\n", "\n");
    assert_eq!(now, golden, "the sound changed; ANTIPHON_REWRITE_GOLDEN=1 accepts it");
}

#[test]
fn a_note_sounds_alike_wherever_its_quantum_is_split() {
    let whole = kick(1.0);
    for cut in [1, 13, 31] {
        let mut voice = KickVoice::new();
        voice.strike(strike(KickVoice::PITCH_HZ, 1.0));
        let mut out = Vec::new();
        for _ in 0..40 {
            let mut quantum = [0.0; QUANTUM];
            voice.render_add(0, cut, &mut quantum);
            voice.render_add(cut, QUANTUM, &mut quantum);
            out.extend(quantum);
        }
        assert_eq!(out, whole[..out.len()]);
    }
    // Begun inside a quantum, it is the same note from there on, and adds to what is there.
    let mut voice = KickVoice::new();
    voice.strike(strike(KickVoice::PITCH_HZ, 1.0));
    let mut quantum = [0.5; QUANTUM];
    voice.render_add(20, QUANTUM, &mut quantum);
    assert_eq!(quantum[..20], [0.5; 20]);
    assert_eq!(quantum[25], 0.5 + whole[5]);
}

#[test]
fn a_choked_voice_is_silent_in_3_ms_without_a_click() {
    let mut voice = HatVoice::new(HatKind::Open);
    voice.strike(strike(HatVoice::PITCH_HZ, 1.0));
    render(&mut voice, 0.05);
    voice.choke();
    let after = render(&mut voice, 0.02);
    assert!(after[CHOKE_SAMPLES as usize..].iter().all(|x| *x == 0.0));
    assert!(peak(&after[120..144]) < 0.2 * peak(&after[..24]));
    assert!(voice.is_silent());
    // A choke of silence does nothing to the next note.
    voice.choke();
    voice.strike(strike(HatVoice::PITCH_HZ, 1.0));
    assert_eq!(render(&mut voice, 1.5), hat(HatKind::Open, 1.0));
}

#[test]
fn a_stroke_on_a_sounding_voice_does_not_click() {
    let mut voice = KickVoice::new();
    voice.strike(strike(KickVoice::PITCH_HZ, 0.2));
    // To the body's crest.
    let mut before = render(&mut voice, 0.09);
    let crest = before.iter().rposition(|x| x.abs() > 0.03).expect("it sounds");
    before.truncate(crest + 1);
    let mut voice = KickVoice::new();
    voice.strike(strike(KickVoice::PITCH_HZ, 0.2));
    for n in 0..=crest {
        voice.render_add(n % QUANTUM, n % QUANTUM + 1, &mut [0.0; QUANTUM]);
    }
    voice.strike(Strike { velocity: 0.0, ..strike(KickVoice::PITCH_HZ, 0.0) });
    let after = render(&mut voice, 0.01);
    assert!((after[0] - before[crest]).abs() < 0.02 * before[crest].abs() + 1e-4);
    assert_eq!(after[200], 0.0);
}

#[test]
fn lengths_release_on_their_sample() {
    let shape = EnvShape { attack_s: 0.001, decay_s: 0.01, sustain: 1.0, release_s: 0.01 };
    let mut by_length = SynthVoice::new();
    by_length.strike(Strike { length: Some(4800), ..strike(110.0, 1.0) }, shape);
    let mut by_hand = SynthVoice::new();
    by_hand.strike(strike(110.0, 1.0), shape);
    let mut out = render(&mut by_hand, 0.1);
    by_hand.release();
    out.extend(render(&mut by_hand, 0.1));
    assert_eq!(render(&mut by_length, 0.2), out);
    assert!(by_length.is_silent() && out[4800 + 480..].iter().all(|x| *x == 0.0));
    assert!(peak(&out[4000..4800]) > 0.1);
}

#[test]
fn every_tail_ends_in_exact_silence() {
    for (name, sound) in [
        ("kick", kick(1.0)),
        ("snare", snare(1.0)),
        ("closed", hat(HatKind::Closed, 1.0)),
        ("open", hat(HatKind::Open, 1.0)),
        ("synth", synth(110.0, 1.0)),
        ("clap", clap(strike(ClapVoice::PITCH_HZ, 1.0))),
        ("perc", perc(strike(PercVoice::PITCH_HZ, 1.0))),
        ("shaker", shaker(strike(ShakerVoice::PITCH_HZ, 1.0))),
        ("bass", note(Patch::Bass, strike(55.0, 1.0), 24_000, 1.5)),
        ("fm", fm(strike(220.0, 1.0), 24_000, 1.5)),
    ] {
        let last = sound.iter().rposition(|x| *x != 0.0).expect("it sounds");
        assert!(last < 65_000, "{name} still sounds");
        assert!(sound[last].abs() < 1e-3, "{name} ends in a step of {}", sound[last]);
    }
    let mut filter = Svf::new();
    let mut drive = Drive::new();
    let mut io = [0.5; QUANTUM];
    for _ in 0..2500 {
        filter.process(&mut io, FilterKind::Lowpass, &[100.0; QUANTUM], 10.0);
        drive.process(&mut io, 0.5, 0.5, 1.0);
        io = [0.0; QUANTUM];
    }
    assert!(filter.is_silent() && drive.is_silent());
}

#[test]
fn smoothers_arrive_exactly_and_on_time() {
    let mut smoother = Smoother::new(0.1);
    smoother.set(0.7, 100);
    let values: Vec<f32> = (0..100).map(|_| smoother.advance()).collect();
    assert!(values.windows(2).all(|w| w[0] < w[1]));
    assert!(values[98] < 0.7);
    assert_eq!((values[99], smoother.is_settled()), (0.7, true));
    let mut quantum = [0.0; QUANTUM];
    smoother.set(-3.0, 40);
    smoother.fill(&mut quantum);
    assert!(!smoother.is_settled());
    smoother.fill(&mut quantum);
    assert_eq!(quantum[7..], [-3.0; 25]);
    smoother.set(f32::NAN, 10);
    assert_eq!((smoother.value(), smoother.is_settled()), (-3.0, true));
    smoother.set(1.0, 10);
    smoother.advance_by(5);
    let half_way = smoother.value();
    smoother.set(2.0, 10);
    assert_eq!(smoother.value(), half_way);
    smoother.snap(0.25);
    assert_eq!((smoother.advance(), smoother.is_settled()), (0.25, true));
}

#[test]
fn the_functions_err_no_more_than_they_say() {
    let within = |from: f64, to: f64| (0..=20_000).map(move |n| from + (to - from) * f64::from(n) / 20_000.0);
    let most = |errors: &mut dyn Iterator<Item = f64>| errors.fold(0.0, |most: f64, e| most.max(e.abs()));
    let turn = std::f64::consts::TAU;
    let sine = most(
        &mut within(-1.0, 1.0)
            .map(|x| f64::from(math::sin_turns(x as f32)) - (turn * f64::from(x as f32)).sin()),
    );
    let cosine = most(
        &mut within(-1.0, 1.0)
            .map(|x| f64::from(math::cos_turns(x as f32)) - (turn * f64::from(x as f32)).cos()),
    );
    let half = most(
        &mut within(-1.0, 1.0)
            .map(|x| f64::from(math::sin_half_turns(x as f32)) - (turn / 2.0 * f64::from(x as f32)).sin()),
    );
    let tangent =
        most(&mut within(1e-4, 0.45).map(|x| {
            f64::from(math::tan_half_turns(x as f32)) / (turn / 2.0 * f64::from(x as f32)).tan() - 1.0
        }));
    let power = most(
        &mut within(-20.0, 20.0).map(|x| f64::from(math::exp2(x as f32)) / f64::from(x as f32).exp2() - 1.0),
    );
    let natural = most(
        &mut within(-80.0, 80.0).map(|x| f64::from(math::exp(x as f32)) / f64::from(x as f32).exp() - 1.0),
    );
    println!("sin {sine:e} cos {cosine:e} sin_half {half:e} tan {tangent:e} exp2 {power:e} exp {natural:e}");
    assert!(half < 2e-7 && sine < 4e-7 && cosine < 4e-7 && tangent < 2e-6 && power < 3e-7 && natural < 1e-5);
    assert_eq!((math::db_to_gain(0.0), math::db_to_gain(-120.0)), (1.0, 0.0));
    assert!((math::db_to_gain(-6.0) - 0.501_187).abs() < 1e-6);
    assert!((math::midi_hz(69.0) - 440.0).abs() < 1e-4 && (math::midi_hz(36.0) - 65.406).abs() < 1e-3);
    assert_eq!(math::pan_gains(0.0), (1.0, 1.0));
    assert_eq!((math::pan_gains(1.0).1, math::pan_gains(-1.0).0), (1.0, 1.0));
    assert!(math::pan_gains(1.0).0.abs() < 1e-6);
}

/// Runs with the processor's flush-to-zero and denormals-are-zero modes on.
#[cfg(target_arch = "x86_64")]
#[inline(never)]
fn flushing_denormals<T>(run: impl FnOnce() -> T) -> T {
    let mut saved: u32 = 0;
    // SAFETY: stores and loads this thread's MXCSR from and to live locals; the bits set (FTZ, bit
    // 15; DAZ, bit 6) exist on every x86-64, and the old value returns before anything else runs.
    unsafe { std::arch::asm!("stmxcsr [{}]", in(reg) &mut saved, options(nostack)) };
    let flushing = saved | 0x8040;
    unsafe { std::arch::asm!("ldmxcsr [{}]", in(reg) &flushing, options(nostack)) };
    let result = run();
    unsafe { std::arch::asm!("ldmxcsr [{}]", in(reg) &saved, options(nostack)) };
    result
}

/// One hash a voice, and one of every effect on a stroke and the silence after it.
fn everything() -> Vec<u64> {
    let mut hashes: Vec<u64> = first_seconds().iter().map(|(_, sound)| hash(sound)).collect();
    let mut signal = snare(1.0);
    signal.truncate(9600);
    signal.extend([0.0; 19_200]);
    let mut filters = [
        (FilterKind::Lowpass, 60.0, 0.1),
        (FilterKind::Highpass, 9000.0, 0.5),
        (FilterKind::Bandpass, 700.0, 30.0),
    ]
    .map(|(kind, cutoff, q)| (Svf::new(), kind, cutoff, q));
    let (mut drive, mut delay, mut limiter) = (Drive::new(), Delay::new(), Limiter::new());
    let (mut eq, mut comp, mut phaser) = (Eq::new(), Compressor::new(), Phaser::new());
    let (mut chorus, mut reverb) = (Chorus::new(), Reverb::new());
    let squeeze =
        CompSettings { threshold_db: -30.0, ratio: 5.0, attack_s: 0.002, release_s: 0.1, knee_db: 10.0 };
    let mut resampler = Resampler::new(44_100.0).expect("a device's rate");
    let mut sound = Vec::new();
    for chunk in signal.chunks_exact(QUANTUM) {
        let mut io: Quantum = chunk.try_into().expect("a whole quantum");
        for (filter, kind, cutoff, q) in &mut filters {
            let mut own = io;
            filter.process(&mut own, *kind, &[*cutoff; QUANTUM], *q);
            sound.extend(own);
        }
        drive.process(&mut io, 0.9, 0.7, 1.0);
        delay.process(&mut io, 0.01, 0.2, 0.4);
        eq.process(&mut io, [6.0, -3.0, -9.0]);
        let levels = Levels::of([&io]);
        comp.process([&mut io], &levels, squeeze, 1.0);
        let sway = math::sin_turns(sound.len() as f32 * 1e-5);
        phaser.process(&mut io, sway, 0.7, 6, 0.5);
        chorus.process(&mut io, sway, 0.7, 0.5);
        let mut right = io;
        reverb.process(&mut io, &mut right, 0.7, 0.01, 0.4);
        sound.extend(right);
        limiter.process(&mut io, &mut right, -12.0);
        sound.extend(io);
        resampler.push(&io, &right);
        while resampler.needed(8) == 0 {
            let (mut left, mut right) = ([0.0; 8], [0.0; 8]);
            resampler.pull(&mut left, &mut right);
            sound.extend(left);
        }
    }
    hashes.push(hash(&sound));
    let denormals = sound.iter().filter(|x| x.is_subnormal()).count();
    assert_eq!(denormals, 0);
    hashes
}

#[cfg(target_arch = "x86_64")]
#[test]
fn flush_to_zero_changes_no_bit() {
    assert_eq!(everything(), flushing_denormals(everything));
}

fn any_float() -> impl Strategy<Value = f32> {
    prop_oneof![4 => -2.0f32..20.0, 1 => any::<f32>(), 1 => Just(f32::NAN), 1 => Just(f32::INFINITY)]
}

fn stays_finite<B: Body>(voice: &mut Voice<B>) -> Result<(), TestCaseError> {
    let sound = render(voice, 0.02);
    prop_assert!(sound.iter().all(|x| x.is_finite() && x.abs() < 8.0), "peak {}", peak(&sound));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]

    #[test]
    fn no_stroke_makes_a_voice_leave_the_numbers(
        pitch_hz in prop_oneof![1.0f32..24_000.0, any_float()],
        velocity in any_float(),
        decay in any_float(),
        seed in any::<u64>(),
        length in prop::option::of(0u32..500),
        env in [any_float(), any_float(), any_float(), any_float()],
        knobs in [any_float(), any_float(), any_float(), any_float(), any_float(), any_float(), any_float(), any_float(), any_float()],
    ) {
        let [tone, punch, noise, bend, drive, spread, sub, glide_s, ratio] = knobs;
        let character = Character { tone, punch, noise, bend, drive, spread, sub, glide_s, ratio };
        let strike = Strike { pitch_hz, velocity, decay, seed, length, character };
        let mut kick = KickVoice::new();
        kick.strike(strike);
        stays_finite(&mut kick)?;
        let mut snare = SnareVoice::new();
        snare.strike(strike);
        stays_finite(&mut snare)?;
        let mut hat = HatVoice::new(HatKind::Open);
        hat.strike(strike);
        stays_finite(&mut hat)?;
        let mut clap = ClapVoice::new();
        clap.strike(strike);
        stays_finite(&mut clap)?;
        let mut tom = TomVoice::new();
        tom.strike(strike);
        stays_finite(&mut tom)?;
        let mut perc = PercVoice::new();
        perc.strike(strike);
        stays_finite(&mut perc)?;
        let mut shaker = ShakerVoice::new();
        shaker.strike(strike);
        stays_finite(&mut shaker)?;
        let mut cymbal = CymbalVoice::new();
        cymbal.strike(strike);
        stays_finite(&mut cymbal)?;
        let [attack_s, decay_s, sustain, release_s] = env;
        let shape = EnvShape { attack_s, decay_s, sustain, release_s };
        for patch in [Patch::Lead, Patch::Bass, Patch::Pad] {
            let mut synth = SynthVoice::of(patch);
            synth.strike(Strike { pitch_hz: 60.0, ..strike }, shape);
            stays_finite(&mut synth)?;
            synth.slide(strike, shape);
            stays_finite(&mut synth)?;
        }
        let mut fm = FmVoice::new();
        fm.strike(strike, shape);
        stays_finite(&mut fm)?;
    }

    #[test]
    fn no_setting_makes_an_effect_leave_the_numbers(
        settings in prop::collection::vec((0usize..4, [any_float(), any_float(), any_float(), any_float()], 20.0f32..20_000.0), 1..12),
    ) {
        let (mut filter, mut drive, mut delay, mut limiter) =
            (Svf::new(), Drive::new(), Delay::new(), Limiter::new());
        let kinds = [FilterKind::Lowpass, FilterKind::Highpass, FilterKind::Bandpass, FilterKind::Notch];
        let mut noise = antiphon::dsp::Noise::new(1);
        for (kind, [a, b, c, d], cutoff) in settings {
            let mut io: Quantum = std::array::from_fn(|_| noise.sample());
            let mut cutoffs = [cutoff; QUANTUM];
            cutoffs[15] = a;
            filter.process(&mut io, kinds[kind], &cutoffs, b);
            prop_assert!(io.iter().all(|x| x.is_finite()), "filter {a} {b}");
            drive.process(&mut io, c, d, 1.0);
            prop_assert!(io.iter().all(|x| x.is_finite()), "drive {c} {d}");
            delay.process(&mut io, a, b, c);
            prop_assert!(io.iter().all(|x| x.is_finite()), "delay {a} {b} {c}");
            let mut right = io;
            limiter.process(&mut io, &mut right, d);
            prop_assert!(peak(&io) <= 1.0 && peak(&right) <= 1.0);
        }
    }
}
