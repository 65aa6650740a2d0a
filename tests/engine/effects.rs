//! The modules of the notation, heard end to end: from a text to the engine's sound.

use antiphon::param::{Owner, Param, Slot};
use antiphon::pattern::{Edit, Song, text};
use antiphon::rt::ports::ToEngine;
use antiphon::time::{Beats, Tempo, TempoMap};

use crate::rig::*;

const BPM: f64 = 120.0;

fn song(source: &str) -> Song {
    text::read(source).expect("a groove that reads").song
}

fn play(song: &Song) -> Rig {
    play_at(song, BPM)
}

fn play_at(song: &Song, bpm: f64) -> Rig {
    let map = TempoMap::constant(Tempo::from_bpm(bpm).expect("a tempo"));
    let mut rig = Rig::new(48_000.0, song, &map);
    rig.tell(ToEngine::Start { tick: Beats::ZERO, frame: 0 });
    rig
}

fn sound(source: &str, beats: f64) -> [Vec<f32>; 2] {
    let mut rig = play(&song(source));
    rig.run_session(frames_of(beats, 48_000.0, BPM), &[64]);
    [rig.left, rig.right]
}

fn rms(signal: &[f32]) -> f64 {
    (signal.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / signal.len() as f64).sqrt()
}

/// The greatest difference between what a second difference of the signal is and what it was
/// shortly before: what a click would stand out in.
fn roughest(signal: &[f32]) -> f32 {
    signal.windows(3).map(|w| (w[2] - 2.0 * w[1] + w[0]).abs()).fold(0.0, f32::max)
}

const BASE: &str = "TEMPO 120\nseq kick: X...X...\nseq bass: x.x.x.x.\nnote bass: 36\nseq hat: xxxxxxxx\n";

const MODULES: [&str; 17] = [
    "eq bass: low=2 mid=-1 high=-3",
    "eq master: low=1 high=-2",
    "comp bass: threshold=-30 ratio=8",
    "comp bass: threshold=-30 ratio=8 side=1",
    "comp master: threshold=-24",
    "filter bass: type=highpass freq=400",
    "delay bass: time=.1 mix=.4",
    "reverb hat: mix=.4 decay=1 predelay=.01",
    "reverb master: mix=.2",
    "distort bass: amount=.8 mix=.6",
    "chorus bass: mix=.5",
    "phaser hat: stages=6 mix=.5",
    "amp kick: gain=-2",
    "lfo bass.amp: rate=6 depth=.8",
    "lfo hat.pan: rate=2 depth=1 wave=triangle",
    "lfo bass.filter.freq: rate=3 depth=.5",
    "lfo master.amp: rate=4 depth=.5 wave=square",
];

#[test]
fn every_module_is_heard_and_passes_every_bit_when_it_is_off() {
    let plain = sound(BASE, 2.0);
    for module in MODULES {
        let with = |more: &str| sound(&format!("{BASE}filter bass: freq=1200\n{module}{more}\n"), 2.0);
        let based = if module.starts_with("filter") { plain.clone() } else { with(" enabled=off") };
        let heard = with("");
        let difference: Vec<f32> = heard[0].iter().zip(&based[0]).map(|(a, b)| a - b).collect();
        let far = 20.0 * (rms(&difference) / rms(&based[0])).log10();
        assert!(far > -40.0, "{module} changes the sound by {far:.1} dB only");
        if module.starts_with("filter") {
            assert!(with(" enabled=off") == plain, "{module}");
        } else {
            let without = sound(&format!("{BASE}filter bass: freq=1200\n"), 2.0);
            assert!(based == without, "{module} leaves a trace while it is off");
        }
    }
}

#[test]
fn the_block_size_changes_no_bit_of_any_module() {
    let source = format!(
        "{BASE}filter bass: freq=1200\n{}\nsend hat: reverb=.5 delay=.3\nlfo bass.delay.mix: rate=3\n",
        MODULES.iter().filter(|module| !module.ends_with("ratio=8")).copied().collect::<Vec<_>>().join("\n")
    );
    let song = song(&source);
    let whole = |sizes: &[usize]| {
        let mut rig = play(&song);
        rig.run_session(frames_of(4.2, 48_000.0, BPM), sizes);
        (rig.bars, rig.left, rig.right)
    };
    let reference = whole(&[512]);
    assert!(!reference.0.is_empty());
    for sizes in [&[1][..], &[17], &[64, 333, 5], &[4096]] {
        assert!(whole(sizes) == reference, "blocks of {sizes:?}");
    }
}

#[test]
fn modules_switch_without_a_click() {
    // A low tone alone, of 18,000 samples, on which any step stands out.
    let base = song(
        "seq lead: X...............\nnote lead: 33\n\
         env lead: attack=.01 decay=.01 sustain=1 release=.5\nfilter lead: freq=300\nlevel lead: .25\n",
    );
    let mut rig = play_at(&base, 40.0);
    rig.run_session(17_000, &[64]);
    let quiet = roughest(&rig.left[4096..]);
    let lead = Owner::Track(track(0));
    let moves: [&[(Param, f32)]; 8] = [
        &[(Param::EqLow, 3.0), (Param::EqMid, -3.0)],
        &[(Param::CompRatio, 8.0), (Param::CompThreshold, -40.0)],
        &[(Param::ChorusMix, 0.5)],
        &[(Param::PhaserMix, 0.5)],
        &[(Param::ReverbMix, 0.5)],
        &[(Param::DelayMix, 0.5)],
        &[(Param::SendReverb, 1.0), (Param::SendDelay, 1.0)],
        &[(Param::Pan, -1.0), (Param::LfoAmpDepth, 1.0), (Param::LfoPanDepth, 1.0)],
    ];
    for values in moves {
        let mut rig = play_at(&base, 40.0);
        rig.run_session(4096, &[64]);
        for turn in 0..6 {
            for (param, value) in values {
                let value = if turn % 2 == 0 { *value } else { param.spec().default };
                let edit = Edit::Param { slot: Slot::new(lead, *param), value };
                rig.tell(ToEngine::Edit { edit, at: None });
            }
            rig.run_session(2200, &[64]);
        }
        let rough = roughest(&rig.left[4096..]).max(roughest(&rig.right[4096..]));
        println!("{:?}: {rough:e} against {quiet:e}", values[0].0);
        assert!(rough < 3.0 * quiet + 2e-4, "{:?}: {rough:e} against {quiet:e}", values[0].0);
    }
}

#[test]
fn a_kick_ducks_the_pad_by_the_sidechain() {
    let source = |side: &str| {
        format!(
            "TEMPO 120\nseq kick: X.......X.......\nmute kick\nseq pad: X...............\n\
             note pad: 60\nenv pad: attack=.01 decay=.01 sustain=1 release=.5\n\
             comp pad: threshold=-40 ratio=20 attack=.001 release=.05 knee=0{side}\n"
        )
    };
    let [own, _] = sound(&source(" enabled=off"), 0.24);
    let [ducked, _] = sound(&source(" side=kick"), 0.24);
    let down = 20.0 * (rms(&ducked[1000..4000]) / rms(&own[1000..4000])).log10();
    assert!(down < -20.0, "the muted kick ducks by {down:.1} dB");
    assert!(sound(&source(" side=1"), 0.24)[0] == ducked);
    assert!(text::read(&source(" side=snare")).is_err());
}

#[test]
fn sends_reach_their_buses_and_end_in_silence() {
    let source = |send: &str| {
        format!(
            "TEMPO 120\nseq snare: X...............\nreverb master: mix=0 decay=.5\n\
             delay master: mix=0 time=.4 feedback=0\n{send}\n"
        )
    };
    let dry = sound(&source(""), 3.0);
    assert!(dry[0][40_000..].iter().all(|x| *x == 0.0));
    let [left, right] = sound(&source("send snare: delay=.5"), 3.0);
    let echo = 20.0 * (rms(&left[19_200..24_000]) / rms(&dry[0][..4_800])).log10();
    // On one side it is as loud as on both: half the level, twice the power.
    assert!((-4.5..-2.0).contains(&echo), "the echo of half the level lies at {echo:.1} dB");
    let (one, other) = (rms(&left[19_200..24_000]), rms(&right[19_200..24_000]));
    assert!(other < 0.05 * one, "the first echo is heard on the right: {other} against {one}");
    let fed = source("send snare: delay=.5").replace("feedback=0", "feedback=.5");
    let [left, right] = sound(&fed, 3.0);
    let second = 20.0 * (rms(&right[38_400..43_200]) / rms(&left[19_200..24_000])).log10();
    assert!((-6.5..-5.5).contains(&second), "the second echo lies {second:.1} dB under the first");
    let (one, other) = (rms(&right[38_400..43_200]), rms(&left[38_400..43_200]));
    assert!(other < 0.05 * one, "the second echo is heard on the left: {other} against {one}");
    let [left, right] = sound(&source("send snare: reverb=.5"), 3.0);
    assert!(rms(&left[20_000..24_000]) > 1e-4 && left != right);
    assert!(left[70_000..].iter().chain(&right[70_000..]).all(|x| *x == 0.0), "the tail never ends");
    let shut = sound(&source("send snare: reverb=.5\nreverb master: enabled=off mix=0"), 3.0);
    assert!(shut == dry, "a switched off bus is heard");
}

#[test]
fn an_lfo_is_the_same_however_the_song_is_reached() {
    let song = song(&format!(
        "{BASE}lfo bass.amp: rate=2.7 depth=1\nlfo master.pan: rate=.9 depth=1\nlfo bass.filter.freq: depth=.3\nfilter bass: freq=900\nchorus hat: mix=.5\n"
    ));
    let from = |bar: i64| {
        let mut rig = Rig::new(48_000.0, &song, &TempoMap::constant(Tempo::from_bpm(BPM).expect("a tempo")));
        rig.tell(ToEngine::Start { tick: Beats::quarters(4 * bar), frame: 0 });
        rig.run_session(frames_of(4.0 * (3 - bar) as f64, 48_000.0, BPM), &[256]);
        rig.left
    };
    let (whole, late) = (from(0), from(1));
    let bar = frames_of(4.0, 48_000.0, BPM);
    // Tails and the limiter differ at first; what repeats from the second bar on is alike.
    let (a, b) = (&whole[2 * bar..2 * bar + 40_000], &late[bar..bar + 40_000]);
    let difference: Vec<f32> = a.iter().zip(b).map(|(a, b)| a - b).collect();
    let far = 20.0 * (rms(&difference) / rms(a)).log10();
    assert!(far < -60.0, "{far:.1} dB apart");
}
