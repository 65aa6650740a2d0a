//! Tracks that play sample files.

use std::sync::Arc;

use antiphon::dsp::{QUANTUM, SampleFile, Steady};
use antiphon::param::{Owner, Param, Slot};
use antiphon::pattern::{Edit, FileId, PatternIndex, Song, TrackField};
use antiphon::rt::ports::{FromEngine, ToEngine};
use antiphon::rt::{Engine, EngineConfig};
use antiphon::time::{Beats, Tempo, TempoMap};

use crate::rig::*;

const BPM: f64 = 240.0;
const FILE: FileId = FileId([7; 32]);
const SIZES: [&[usize]; 6] = [&[1], &[17], &[64], &[512], &[4096], &[3, 700, 0, 33, 2048]];

fn map() -> TempoMap {
    TempoMap::constant(Tempo::from_bpm(BPM).expect("a tempo"))
}

/// A tone that falls, 0.2 s long.
fn words() -> Vec<i32> {
    let turn = |n: f64| (std::f64::consts::TAU * 440.0 * n / 48_000.0).sin() * (1.0 - n / 9_600.0);
    (0..9_600).map(|n| (turn(f64::from(n)) * 6_000_000.0) as i32).collect()
}

fn told(file: FileId, words: &[i32]) -> ToEngine {
    ToEngine::File { place: 3, file: Some((file, Arc::new(SampleFile::new(words)))) }
}

/// One stroke a bar, of a file at full velocity.
fn song() -> Song {
    let mut song = Song::new();
    add(&mut song, 0, "vox", "X...............");
    song.tracks[0].file = Some(FILE);
    song
}

fn start(song: &Song, file: Option<ToEngine>) -> Rig {
    let mut rig = Rig::new(48_000.0, song, &map());
    file.into_iter().for_each(|file| rig.tell(file));
    rig.tell(ToEngine::Start { tick: Beats::ZERO, frame: 0 });
    rig
}

fn play(song: &Song, bars: f64, sizes: &[usize]) -> Rig {
    let mut rig = start(song, Some(told(FILE, &words())));
    rig.run_session(frames_of(4.0 * bars, 48_000.0, BPM), sizes);
    rig
}

fn set_own(song: &mut Song, param: Param, value: f32) {
    set(song, Owner::Track(track(0)), param, value);
}

/// Where the sound ends.
fn last(rig: &Rig) -> usize {
    rig.left.iter().rposition(|sample| sample.abs() > 1e-5).map_or(0, |at| at + 1)
}

fn biggest_jump(samples: &[f32]) -> f32 {
    samples.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max)
}

#[test]
fn a_file_sounds_the_same_in_every_block() {
    let mut rich = song();
    add(&mut rich, 1, "again", "x.xo.xxx");
    rich.tracks[1].file = Some(FILE);
    rich.tracks[1].lanes[0] = Some(Param::SampleStart);
    rich.tracks[1].patterns[0].locks[2].set(0, Some(0.4));
    rich.tracks[1].patterns[0].steps[3].note = Some(67);
    rich.tracks[1].patterns[0].steps[5].also = [Some(64), Some(55), None];
    for (param, value) in [(Param::SamplePlay, 2.0), (Param::SampleReverse, 1.0), (Param::Tune, 3.5)] {
        set(&mut rich, Owner::Track(track(1)), param, value);
    }
    let whole = play(&rich, 2.2, SIZES[2]);
    assert_eq!(whole.bars.len(), 2);
    assert_ne!(whole.bars[0].tracks[1], whole.bars[1].tracks[1]);
    for sizes in SIZES {
        let cut = play(&rich, 2.2, sizes);
        assert_eq!(cut.bars, whole.bars, "{sizes:?}");
        assert!(cut.left == whole.left && cut.right == whole.right, "{sizes:?}");
    }
}

#[test]
fn at_its_own_pitch_it_is_the_file() {
    let rig = play(&song(), 0.9, &[64]);
    let begin = rig.left.iter().position(|sample| *sample != 0.0).expect("sound") - 1;
    // But for what is slower than sound, which every track lets go.
    let mut steady = Steady::new();
    let mut expected = Vec::new();
    for words in words().as_chunks::<QUANTUM>().0 {
        let mut quantum = words.map(|word| word as f32 / 8_388_608.0);
        steady.process(&mut quantum);
        expected.extend(quantum);
    }
    let scale = rig.left[begin + 1000] / expected[1000];
    for at in (0..9_500).step_by(7) {
        assert!((rig.left[begin + at] - expected[at] * scale).abs() < 2e-6, "sample {at}");
    }
    assert!((9_590..9_700).contains(&(last(&rig) - begin)), "{}", last(&rig) - begin);
}

#[test]
fn tune_excerpt_and_hold_decide_how_long_it_sounds() {
    let length = |change: &dyn Fn(&mut Song)| {
        let mut song = song();
        change(&mut song);
        last(&play(&song, 0.95, &[256]))
    };
    let whole = length(&|_| {});
    let near = |found: usize, parts: f64| (found as f64 / whole as f64 - parts).abs() < 0.02;
    assert!(near(length(&|song| set_own(song, Param::Tune, 12.0)), 0.5));
    assert!(near(length(&|song| set_own(song, Param::Tune, -12.0)), 2.0));
    assert!(near(length(&|song| song.tracks[0].patterns[0].steps[0].note = Some(72)), 0.5));
    assert!(near(length(&|song| set_own(song, Param::SampleEnd, 0.25)), 0.25));
    assert!(near(length(&|song| set_own(song, Param::SampleStart, 0.75)), 0.25));
    let backwards = length(&|song| set_own(song, Param::SampleReverse, 1.0));
    assert!(near(backwards, 1.0), "{backwards} of {whole}");
    // A step is 1/16 of a second at this tempo, 3000 frames, and the release 20 ms.
    let held = length(&|song| set_own(song, Param::SamplePlay, 1.0));
    assert!((3_700..4_100).contains(&held), "{held}");
    let looped = length(&|song| {
        set_own(song, Param::SamplePlay, 2.0);
        song.tracks[0].patterns[0].steps[0].gate = 1000;
    });
    assert!((30_700..31_100).contains(&looped), "{looped}");
    let enveloped = length(&|song| {
        set_own(song, Param::EnvEnabled, 1.0);
        set_own(song, Param::EnvSustain, 0.0);
        set_own(song, Param::EnvDecay, 0.05);
    });
    assert!((2_400..3_200).contains(&enveloped), "{enveloped}");
}

#[test]
fn a_loop_and_an_excerpt_do_not_click() {
    let mut song = song();
    song.tracks[0].patterns[0].steps[0].gate = 1000;
    let tone: Vec<i32> = (0..5_000)
        .map(|n| ((std::f64::consts::TAU * 220.0 * f64::from(n) / 48_000.0).cos() * 6e6) as i32)
        .collect();
    for (start_at, reverse) in [(0.013, 0.0), (0.2, 1.0)] {
        set_own(&mut song, Param::SamplePlay, 2.0);
        set_own(&mut song, Param::SampleStart, start_at);
        set_own(&mut song, Param::SampleReverse, reverse);
        let mut rig = start(&song, Some(told(FILE, &tone)));
        rig.run_session(40_000, &[512]);
        let peak = rig.left.iter().fold(0.0f32, |peak, sample| peak.max(sample.abs()));
        // The tone's own slope, 0.029 a sample at full level, and the fades' beside it.
        let jump = biggest_jump(&rig.left) / peak;
        assert!(jump < 0.06, "start {start_at}: {jump}");
    }
}

#[test]
fn a_missing_file_is_silent_and_another_key() {
    let song = song();
    let mut here = start(&song, Some(told(FILE, &words())));
    let mut lacks = start(&song, None);
    let mut wrong = start(&song, Some(told(FileId([8; 32]), &words())));
    for rig in [&mut here, &mut lacks, &mut wrong] {
        rig.run_session(frames_of(4.5, 48_000.0, BPM), &[512]);
    }
    assert!(lacks.left.iter().all(|sample| *sample == 0.0));
    assert_eq!(lacks.bars, wrong.bars);
    assert_ne!(here.bars[0].input_key, lacks.bars[0].input_key);
    // It comes while the song plays: heard from then on, the key settles with the next run.
    lacks.tell(told(FILE, &words()));
    lacks.run_session(frames_of(4.5, 48_000.0, BPM), &[512]);
    assert!(lacks.left.iter().any(|sample| *sample != 0.0));
    for rig in [&mut here, &mut lacks] {
        rig.bars.clear();
        let at = rig.frame + 100;
        rig.tell(ToEngine::Start { tick: Beats::ZERO, frame: at });
        rig.run_session(frames_of(4.5, 48_000.0, BPM), &[512]);
    }
    assert_eq!(here.bars, lacks.bars);
}

#[test]
fn switching_files_while_they_sound_does_not_click_and_gives_them_back() {
    let tone: Vec<i32> = (0..9_000)
        .map(|n| ((std::f64::consts::TAU * 110.0 * f64::from(n) / 48_000.0).sin() * 6e6) as i32)
        .collect();
    let mut song = song();
    add(&mut song, 0, "vox", "X...X...X...X...");
    let other = FileId([9; 32]);
    let mut rig = start(&song, Some(told(FILE, &tone)));
    rig.tell(ToEngine::File { place: 0, file: Some((other, Arc::new(SampleFile::new(&tone)))) });
    rig.run_session(4_000, &[64]);
    let own = |field| ToEngine::Edit { edit: Edit::Track { track: track(0), field }, at: None };
    // A stroke comes every 12000 frames: each change cuts one off in its middle.
    let changes = [
        own(TrackField::File(Some(other))),
        own(TrackField::File(Some(FILE))),
        ToEngine::File { place: 3, file: None },
        told(FILE, &tone),
    ];
    let sounds = changes.map(|message| {
        rig.tell(message);
        let from = rig.left.len() + 500;
        rig.run_session(12_000, &[64]);
        rig.left[from..].iter().any(|sample| *sample != 0.0)
    });
    assert_eq!(sounds, [true, true, false, true]);
    let peak = rig.left[..4_000].iter().fold(0.0f32, |peak, sample| peak.max(sample.abs()));
    // Voices taken away fade over 2 ms: 1/96 of the peak a sample, beside the tone's own slope.
    assert!(biggest_jump(&rig.left) < 0.05 * peak, "{} of {peak}", biggest_jump(&rig.left));
    let back = rig.others.iter().filter(|message| matches!(message, FromEngine::RetiredFile(_)));
    assert_eq!(back.count(), 1);
}

#[test]
fn an_engine_built_anew_keeps_its_files_and_one_held_takes_them() {
    let song = song();
    let mut rig = start(&song, Some(told(FILE, &words())));
    rig.run_session(2_000, &[64]);
    let (session, engine_ports) = antiphon::rt::ports::ports();
    let config = EngineConfig { rate: 48_000.0, max_block: 4096 };
    let spare = Engine::new(config, Box::new(song.clone()), Box::new(map()), engine_ports);
    let (song, map, ports) = std::mem::replace(&mut rig.engine, spare).into_parts();
    rig.engine = Engine::new(config, song, map, ports);
    drop(session);
    rig.tell(ToEngine::Start { tick: Beats::ZERO, frame: 0 });
    rig.frame = 0;
    rig.left.clear();
    rig.right.clear();
    rig.run_session(4_000, &[64]);
    assert!(rig.left.iter().any(|sample| *sample != 0.0), "the file is still there");

    rig.engine.hold_session(true);
    rig.others.clear();
    rig.tell(ToEngine::File { place: 3, file: None });
    let edit = Edit::Param { slot: Slot::new(Owner::Master, Param::Level), value: 0.1 };
    rig.tell(ToEngine::Edit { edit, at: None });
    rig.run_session(1_000, &[64]);
    assert!(rig.others.iter().any(|message| matches!(message, FromEngine::RetiredFile(_))));
    assert_ne!(rig.engine.param(Slot::new(Owner::Master, Param::Level)), 0.1);
}

#[test]
fn a_launch_of_another_pattern_keeps_the_file() {
    let mut song = song();
    song.tracks[0].patterns[1].steps[0].on = true;
    let mut rig = start(&song, Some(told(FILE, &words())));
    rig.run_session(frames_of(2.0, 48_000.0, BPM), &[64]);
    let field = TrackField::Pattern(PatternIndex::new(1).expect("a pattern"));
    rig.tell(ToEngine::Edit { edit: Edit::Track { track: track(0), field }, at: Some(Beats::quarters(4)) });
    let from = rig.left.len();
    rig.run_session(frames_of(3.0, 48_000.0, BPM), &[64]);
    assert!(rig.left[from..].iter().any(|sample| sample.abs() > 0.05));
}
