//! What `Engine::process` costs, in percent of the time a block lasts, by the processor time of its
//! own thread.
//!
//! Beside it, in the same run: a patch of as many tracks by `fundsp`, and a plain loop of one `libm`
//! sine and two biquads a track, which is about the least that a track with an oscillator, a filter and
//! an equaliser could do.

mod beside;
pub mod instructions;
mod rig;
mod songs;

use std::hint::black_box;

use antiphon::param::{Owner, Param, Slot, TrackIndex};
use antiphon::pattern::Song;
use antiphon::rt::personal::PersonalEdit;
use antiphon::rt::ports::{Room, ToEngine};
use antiphon::rt::{Engine, OwnEffects};

use self::beside::Patch;
use self::rig::{RATE, Rig, percent_of};
use crate::heap;
use crate::report::{Report, Row, median, percentile, thread_time};

const SECONDS: f64 = 2.0;
const ROUNDS: usize = 5;
/// SPEC's target, for 16 busy tracks with effects in blocks of 64.
const BAR: f64 = 5.0;
/// Seconds whose every block is timed.
const TIMED: f64 = 20.0;
/// A block that takes longer than it lasts is heard.
const DEADLINE: f64 = 100.0;

pub fn measure(report: &mut Report) {
    measure_blocks(report);
    measure_worst(report);
    measure_memory(report);
    measure_parts(report);
    measure_own_mix(report);
    instructions::measure(report);
}

fn row(report: &mut Report, case: impl Into<String>, value: f64, unit: &'static str) {
    report.add(Row { case: case.into(), value, unit, beside: None, bar: None });
}

/// Sixteen tracks in blocks of every size.
fn measure_blocks(report: &mut Report) {
    let song = songs::busy(16, true);
    let mut patch = Patch::new(16);
    patch.percent(SECONDS); // warm
    for block in [32, 64, 128, 256, 512, 1024] {
        let (mut rig, mut engine, mut fundsp) = (warm(&song, block), Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            engine.push(rig.percent(SECONDS));
            fundsp.push(patch.percent(SECONDS));
        }
        let case = format!("16 busy tracks, blocks of {block}");
        let beside = Some(("16 such tracks by fundsp 0.20", median(fundsp)));
        let bar = (block == 64).then_some(BAR);
        report.add(Row { case, value: median(engine), unit: "% of real time", beside, bar });
    }
    let (mut rig, mut engine, mut plain) = (warm(&songs::busy(16, false), 64), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        engine.push(rig.percent(SECONDS));
        plain.push(plain_percent(16));
    }
    let beside = Some(("a sine and two biquads a track", median(plain)));
    let case = "16 tracks without effects, blocks of 64".to_owned();
    report.add(Row { case, value: median(engine), unit: "% of real time", beside, bar: None });
}

fn warm(song: &Song, block: usize) -> Rig {
    let mut rig = Rig::new(song, block);
    rig.percent(SECONDS);
    assert!(rig.peak > 0.01, "the engine is silent: there is nothing to measure");
    rig
}

/// Single blocks against the time that they last. What interrupts the thread counts in part: where
/// others use the machine the worst block is theirs as well.
fn measure_worst(report: &mut Report) {
    for (song, name) in
        [(songs::busy(16, true), "16 busy tracks"), (songs::tied(), "16 tracks of ties that ask back")]
    {
        // From the start on: that block is among them.
        let took = Rig::new(&song, 64).blocks(TIMED);
        for (part, bar, which) in
            [(0.5, None, "half"), (0.999, None, "all but 1 in 1000"), (1.0, Some(DEADLINE), "all")]
        {
            let case = format!("{name}, {which} of the blocks of 64 within");
            report.add(Row {
                case,
                value: percentile(&took, part),
                unit: "% of deadline",
                beside: None,
                bar,
            });
        }
    }
}

/// What an engine holds.
fn measure_memory(report: &mut Report) {
    const MIB: f64 = 1_048_576.0;
    let song = Song::new();
    let before = heap::held();
    let rig = Rig::new(&song, 64);
    let held = (heap::held() - before) as f64;
    row(report, "an engine in place", size_of::<Engine>() as f64 / 1024.0, "KiB");
    row(report, "an engine of 16 tracks and its rings, on the heap", held / MIB, "MiB");
    row(report, "a sixteenth of it", held / MIB / 16.0, "MiB");
    let before = heap::held();
    drop(rig);
    let left = held - (before - heap::held()) as f64;
    assert!(left.abs() < 1024.0, "{left} bytes of an engine stay");
}

/// What one track of each voice costs, and each module on a track of noisy eighths, beyond the same
/// song without it: four tracks at a time, divided by four.
fn measure_parts(report: &mut Report) {
    const VOICES: [&str; 13] = [
        "kick", "snare", "hat", "open", "clap", "tom", "perc", "shaker", "cymbal", "lead", "bass", "pad",
        "fm",
    ];
    const MODULES: [&str; 14] = [
        "filter ID: freq=3000 Q=2",
        "distort ID: amount=.4 mix=.3",
        "eq ID: low=1 mid=-1 high=1",
        "comp ID: threshold=-30",
        "comp ID: threshold=-30 side=1",
        "amp ID: gain=1",
        "phaser ID: mix=.4",
        "delay ID: time=.2 mix=.2",
        "chorus ID: mix=.4",
        "reverb ID: mix=.3",
        "lfo ID.amp: rate=3",
        "lfo ID.filter.freq: rate=3",
        "send ID: reverb=.3",
        "send ID: delay=.3",
    ];
    let cost = |song: &Song| {
        let mut rig = Rig::new(song, 64);
        rig.percent(SECONDS);
        median((0..ROUNDS).map(|_| rig.percent(SECONDS)).collect())
    };
    let empty = cost(&Song::new());
    row(report, "no track, blocks of 64", empty, "% of real time");
    for voice in VOICES {
        let value = (cost(&songs::four(voice, "")) - empty) / 4.0;
        row(report, format!("a track of {voice}, eighths"), value, "% of real time");
    }
    let plain = cost(&songs::four("hat", ""));
    for module in MODULES {
        let value = (cost(&songs::four("hat", module)) - plain) / 4.0;
        row(report, format!("{} on it", module.replace("ID", "track")), value, "% of real time");
    }
}

/// What a mix of one's own costs beyond the busy song without it: the second sum, and a module on each
/// of its tracks.
fn measure_own_mix(report: &mut Report) {
    let song = songs::busy(16, true);
    let owner = |at| Owner::Track(TrackIndex::all().nth(at).expect("sixteen tracks"));
    let switched = |owner, param| PersonalEdit::Param { slot: Slot::new(owner, param), value: 1.0 };
    let rig = |edits: &[PersonalEdit]| {
        let mut rig = Rig::new(&song, 64);
        if !edits.is_empty() {
            rig.tell(ToEngine::Room(Room::Mix(Box::default())));
        }
        for edit in edits {
            if let PersonalEdit::Param { slot, .. } = edit {
                rig.tell(ToEngine::Room(Room::Effects(Box::new(OwnEffects::new(slot.owner())))));
            }
            rig.tell(ToEngine::Mine(*edit));
        }
        rig.percent(SECONDS);
        rig
    };
    let trim = [PersonalEdit::Trim { owner: owner(0), db: -3.0 }];
    let eqs: Vec<PersonalEdit> = (0..16).map(|at| switched(owner(at), Param::EqLow)).collect();
    let mut rigs = [rig(&[]), rig(&trim), rig(&eqs)];
    // In turns, as they are compared with each other.
    let mut beyond = [Vec::new(), Vec::new()];
    for _ in 0..2 * ROUNDS {
        let [without, trim, eqs] = rigs.each_mut().map(|rig| rig.percent(SECONDS));
        beyond[0].push(trim - without);
        beyond[1].push(eqs - without);
    }
    let [trim, eqs] = beyond.map(median);
    row(report, "a mix of one's own, one trim", trim, "% of real time");
    row(report, "a mix of one's own, an equaliser on 16 tracks", eqs, "% of real time");
}

/// The plain loop's cost for as much sound.
fn plain_percent(tracks: usize) -> f64 {
    let mut phases = vec![0.0f32; tracks];
    let mut filters = vec![[[0.0f32; 2]; 2]; tracks];
    let frames = (RATE as f64 * SECONDS) as usize;
    let begun = thread_time();
    for _ in 0..frames {
        let mut sum = 0.0;
        for (phase, filters) in phases.iter_mut().zip(&mut filters) {
            *phase = (*phase + 0.01) % std::f32::consts::TAU;
            let sine = libm::sinf(*phase);
            sum += filters.iter_mut().fold(sine, biquad);
        }
        black_box(sum);
    }
    percent_of(thread_time() - begun, frames)
}

/// A resonant low pass, transposed direct form II.
fn biquad(input: f32, state: &mut [f32; 2]) -> f32 {
    let output = 0.02 * input + state[0];
    state[0] = 0.04 * input + 1.6 * output + state[1];
    state[1] = 0.02 * input - 0.68 * output;
    output
}
