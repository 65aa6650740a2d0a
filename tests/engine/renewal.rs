//! A fault is found in its bar and healed at a line, where every engine begins anew.

use antiphon::pattern::{Song, text};
use antiphon::rt::ports::{BarFingerprint, ToEngine};
use antiphon::time::{Beats, Tempo, TempoMap};

use crate::rig::*;

const BPM: f64 = 240.0;
/// Samples of a bar at 48 kHz.
const BAR: usize = 48_000;

/// What rings on through every bar line: a pad of four notes, echoes and a hall.
const SUSTAINED: &str = "\
TEMPO 240
seq pad: X.......
rate pad: 4n
step pad.0: gate=800 also=60,64,67
seq lead: x.x.x.xx
delay lead: time=.3 feedback=.8 mix=.5
seq kick: X...X...
seq hat: xxxxxxxx
reverb master: mix=.3 decay=4
";

fn map() -> TempoMap {
    TempoMap::constant(Tempo::from_bpm(BPM).expect("a tempo"))
}

fn sustained() -> Song {
    text::read(SUSTAINED).expect("the song reads").song
}

/// An engine that starts with a bar and is told some messages on the way, each after so many frames.
fn played(song: &Song, from: i64, bars: usize, sizes: &[usize], told: &[(usize, i32)]) -> Rig {
    let mut rig = Rig::new(48_000.0, song, &map());
    run(&mut rig, from, bars, sizes, told);
    rig
}

fn run(rig: &mut Rig, from: i64, bars: usize, sizes: &[usize], told: &[(usize, i32)]) {
    rig.tell(ToEngine::Start { tick: Beats::quarters(4 * from), frame: 0 });
    for (at, bar) in told {
        rig.run_session(at - rig.left.len(), sizes);
        rig.tell(ToEngine::Renew { bar: *bar });
    }
    rig.run_session(BAR * bars + 4_000 - rig.left.len(), sizes);
}

fn numbers(bars: &[BarFingerprint]) -> Vec<i32> {
    bars.iter().map(|bar| bar.bar).collect()
}

#[test]
fn from_the_line_on_it_is_an_engine_that_starts_there() {
    let song = sustained();
    let fresh = played(&song, 3, 2, &[64], &[]);
    let mut first = None;
    for sizes in [&[64][..], &[1], &[17, 4096, 333]] {
        let renewed = played(&song, 0, 5, sizes, &[(BAR + 100, 3)]);
        assert_eq!(numbers(&renewed.bars), [0, 1, 3, 4], "the bar before the line is told no more");
        assert_eq!(renewed.bars[2..], fresh.bars[..], "in blocks of {sizes:?}");
        assert!(renewed.left[3 * BAR..5 * BAR] == fresh.left[..2 * BAR]);
        let first = first.get_or_insert_with(|| (renewed.left.clone(), renewed.right.clone()));
        assert!(first.0 == renewed.left && first.1 == renewed.right, "in blocks of {sizes:?}");
    }
}

#[test]
fn a_fault_that_lasts_is_named_in_its_bar_and_gone_behind_the_line() {
    let song = sustained();
    let lead = song.alive().position(|(_, held)| held.name.as_str() == "lead").expect("a lead");
    let faulty = |told: &[(usize, i32)]| {
        let mut rig = Rig::new(48_000.0, &song, &map());
        rig.engine.plant_lasting_flip(track(lead), BAR as i64 + 700);
        run(&mut rig, 0, 5, &[64], told);
        rig
    };
    let differ = |right: &Rig, wrong: &Rig| -> Vec<(i32, Vec<usize>)> {
        let pairs = right.bars.iter().zip(&wrong.bars);
        pairs
            .map(|(a, b)| {
                assert_eq!((a.bar, a.input_key), (b.bar, b.input_key));
                (a.bar, (0..16).filter(|at| a.tracks[*at] != b.tracks[*at]).collect())
            })
            .collect()
    };
    let lasting = differ(&played(&song, 0, 5, &[64], &[]), &faulty(&[]));
    let expected = |bars: &[(i32, bool)]| -> Vec<(i32, Vec<usize>)> {
        bars.iter().map(|(bar, wrong)| (*bar, if *wrong { vec![lead] } else { vec![] })).collect()
    };
    let all = [(0, false), (1, true), (2, true), (3, true), (4, true)];
    assert_eq!(lasting, expected(&all), "unhealed it goes on");
    // Bar 1 is told as bar 2 begins; the next line is bar 3's.
    let heals = [(2 * BAR + 4_800, 3)];
    let healed = differ(&played(&song, 0, 5, &[64], &heals), &faulty(&heals));
    assert_eq!(healed, expected(&[(0, false), (1, true), (3, false), (4, false)]));
}

/// The largest second difference: a click's corner stands out in it as in few other measures.
fn sharpest(samples: &[f32]) -> f32 {
    samples.windows(3).map(|w| (w[2] - 2.0 * w[1] + w[0]).abs()).fold(0.0, f32::max)
}

#[test]
fn the_seam_does_not_click() {
    // Without drums: nothing sharp hides a click.
    let song = text::read(
        "TEMPO 240\nseq pad: X.......\nrate pad: 4n\nstep pad.0: gate=800 also=60,64,67\n\
         reverb pad: mix=.5 decay=6\nreverb master: mix=.3 decay=4\n",
    )
    .expect("the song reads")
    .song;
    let held = played(&song, 0, 4, &[64], &[]);
    let renewed = played(&song, 0, 4, &[64], &[(BAR, 2)]);
    let line = 2 * BAR;
    assert!(held.left[..line - 576] == renewed.left[..line - 576], "untouched up to 12 ms before the line");
    for side in [|rig: &Rig| rig.left.clone(), |rig: &Rig| rig.right.clone()] {
        let (held, renewed) = (side(&held), side(&renewed));
        let around = sharpest(&held[line - BAR / 2..line + BAR / 2]);
        let seam = sharpest(&renewed[line - 1_000..line + 1_000]);
        println!("second difference: {seam} at the seam, {around} around it");
        assert!(seam <= 1.1 * around, "{seam} at the seam, {around} around it");
        let quiet = renewed[line - 64..line].iter().fold(0.0f32, |most, sample| most.max(sample.abs()));
        assert_eq!(quiet, 0.0, "the old sound has gone when the new one begins");
    }
}

#[test]
fn a_line_too_near_passed_or_behind_the_loop_counts_as_the_next_that_is_not() {
    let song = sustained();
    // 200 samples before the line, and for a bar long gone.
    let near = played(&song, 0, 4, &[64], &[(2 * BAR - 200, 2)]);
    assert_eq!(numbers(&near.bars), [0, 1, 3]);
    let gone = played(&song, 0, 4, &[64], &[(BAR + 5_000, -7)]);
    assert_eq!(numbers(&gone.bars), [0, 2, 3]);
    let fresh = played(&song, 2, 2, &[64], &[]);
    assert_eq!(gone.bars[1..], fresh.bars[..]);

    // A host's loop of bar 1 alone.
    let fresh = played(&song, 1, 1, &[64], &[]);
    for sizes in [&[64][..], &[1000]] {
        let mut rig = Rig::new(48_000.0, &song, &map());
        let mut quarters = 4.0;
        let mut renewed = false;
        let mut sizes = sizes.iter().cycle();
        while rig.left.len() < 5 * BAR + 4_000 {
            if rig.left.len() > 2 * BAR + 1_000 && !std::mem::replace(&mut renewed, true) {
                rig.tell(ToEngine::Renew { bar: 9 });
            }
            let host = Host { rate: 48_000.0, bpm: BPM, quarters, frame: rig.frame, round: |q| q };
            let mut transport = host.transport(rig.frame);
            transport.loop_range = Some((4.0, 8.0));
            let frames = *sizes.next().expect("sizes");
            rig.block(frames, antiphon::rt::Drive::Host(transport));
            quarters += frames as f64 / 12_000.0;
            quarters = if quarters >= 8.0 { quarters - 4.0 } else { quarters };
        }
        assert_eq!(numbers(&rig.bars), [1, 1, 1, 1]);
        let sound = |bar: &BarFingerprint| (bar.tracks, bar.master);
        assert_eq!(sound(&rig.bars[2]), sound(&fresh.bars[0]), "the round after the line is as a start's");
        assert_ne!(sound(&rig.bars[1]), sound(&rig.bars[2]));
    }
}
