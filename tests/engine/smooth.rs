//! Every row of the table is smooth under a hand: what moves, moves in lines.

use antiphon::param::{Owner, Param, Slot, Taper};
use antiphon::pattern::{Edit, Song, text};
use antiphon::rt::ports::ToEngine;
use antiphon::time::{Beats, Tempo, TempoMap};

use crate::rig::*;

/// A low tone alone, on which any step stands out, through every module that is to be moved.
const TONE: &str = "\
seq lead: X...............
note lead: 33
env lead: attack=.01 decay=.01 sustain=1 release=.5
filter lead: freq=300
level lead: .25
";
/// The tone has begun, and every effect with it.
const BEGUN: usize = 4_000;
/// Frames between two moves: a host's automation in blocks of 64.
const MOVE: usize = 128;
const MOVES: usize = 24;

/// The corner, as a share of the peak, at which a fade begins that takes 5 ms: the steepest of the
/// table is `eq.low`, whose 18 dB in a straight line of decibels leave the loud end 2.07 times as
/// steeply as a straight line to nothing does.
const CORNER: f32 = 2.1 / 240.0;

/// The greatest second difference of a signal: what a step or a corner stands out in.
fn roughest(signal: &[f32]) -> f32 {
    signal.windows(3).map(|w| (w[2] - 2.0 * w[1] + w[0]).abs()).fold(0.0, f32::max)
}

/// The song with every parameter of a module as the notation states it, so that all are heard.
fn stated(owner: Owner, module: &str) -> Song {
    let mut song = text::read(TONE).expect("a song").song;
    for param in Param::ALL.into_iter().filter(|param| param.spec().module() == module) {
        let spec = param.spec();
        let mix = matches!(param, Param::Mute);
        let keep = mix || module == "filter" || module == "env" || module == "level";
        if !keep {
            set(&mut song, owner, param, spec.stated);
        }
    }
    if module == "filter" {
        set(&mut song, owner, Param::FilterFreq, 300.0);
    }
    if module == "send" {
        set(&mut song, owner, Param::SendReverb, 0.4);
        set(&mut song, owner, Param::SendDelay, 0.4);
    }
    song
}

/// The roughness and the peak of a render in which a parameter takes these values in turn.
fn rough(song: &Song, slot: Slot, values: impl Iterator<Item = f32>) -> (f32, f32) {
    let tempo = Tempo::from_bpm(40.0).expect("a tempo");
    let mut rig = Rig::new(48_000.0, song, &TempoMap::constant(tempo));
    rig.tell(ToEngine::Start { tick: Beats::ZERO, frame: 0 });
    rig.run_session(BEGUN, &[500]);
    for value in values {
        rig.tell(ToEngine::Edit { edit: Edit::Param { slot, value }, at: None });
        rig.run_session(MOVE, &[MOVE]);
    }
    let (left, right) = (&rig.left[BEGUN - 500..], &rig.right[BEGUN - 500..]);
    let peak = left.iter().chain(right).fold(0.0, |most: f32, sample| sample.abs().max(most));
    (roughest(left).max(roughest(right)), peak)
}

/// What is found too rough: id, roughness, and what it is held against.
fn sweep(owner: Owner, param: Param) -> Option<String> {
    let spec = param.spec();
    let song = stated(owner, spec.module());
    let slot = Slot::new(owner, param);
    let still = |value: f32| {
        let mut song = song.clone();
        set(&mut song, owner, param, value);
        rough(&song, slot, std::iter::repeat_n(value, MOVES / 2))
    };
    let ((low, low_peak), (high, high_peak)) = (still(spec.min), still(spec.max));
    let at = |n: usize| match spec.taper {
        // From one end to the other and back, at each move.
        Taper::Stepped if n % 8 < 4 => spec.min,
        Taper::Stepped => spec.max,
        _ => spec.value_at(1.0 - (2.0 * n as f32 / MOVES as f32 - 1.0).abs()),
    };
    let (moved, _) = rough(&song, slot, (0..=MOVES).map(at));
    let most = 2.5 * low.max(high) + CORNER * low_peak.max(high_peak);
    println!("{} {owner:?}: {moved:e}, still {low:e} and {high:e}", spec.id);
    (moved > most).then(|| format!("{} {owner:?}: {moved:e} above {most:e}", spec.id))
}

/// A part of the table, so that the parts are tried side by side.
fn part(nth: usize, owner: Owner) {
    let rows = Param::ALL.into_iter().enumerate().filter(|(n, _)| n % 3 == nth);
    let rough: Vec<String> = rows.filter_map(|(_, param)| sweep(owner, param)).collect();
    assert!(rough.is_empty(), "{}", rough.join("\n"));
}

#[test]
fn no_row_of_a_track_zips_first() {
    part(0, Owner::Track(track(0)));
}

#[test]
fn no_row_of_a_track_zips_second() {
    part(1, Owner::Track(track(0)));
}

#[test]
fn no_row_of_a_track_zips_third() {
    part(2, Owner::Track(track(0)));
}

#[test]
fn no_row_of_the_master_zips() {
    (0..3).for_each(|nth| part(nth, Owner::Master));
}

/// A synced echo follows the tempo, and its length is the word's.
#[test]
fn a_synced_echo_falls_on_its_note_in_every_tempo() {
    for (bpm, word, beats) in
        [(120.0, "1/8d", 0.75), (90.0, "1/4t", 2.0 / 3.0), (150.0, "1/16", 0.25), (60.0, "1/1", 2.0)]
    {
        for scope in ["delay hat: mix=1 feedback=0", "send hat: delay=1\ndelay master: mix=0 feedback=0"] {
            let source = format!(
                "seq hat: X...............................\nrate hat: 4n\nvoice hat: width=-1\n{scope} sync={word}\n"
            );
            let song = text::read(&source).unwrap_or_else(|found| panic!("{found:?}")).song;
            let mut rig =
                Rig::new(48_000.0, &song, &TempoMap::constant(Tempo::from_bpm(bpm).expect("a tempo")));
            rig.tell(ToEngine::Start { tick: Beats::ZERO, frame: 0 });
            rig.run_session(110_000, &[512]);
            let due = (beats * 60.0 / bpm * 48_000.0) as usize;
            // Sent, it is heard itself before its echo.
            let sent = scope.starts_with("send");
            if sent && due < 20_000 {
                continue;
            }
            let from = if sent { due / 2 } else { 0 };
            let first = rig.left.iter().enumerate().skip(from).find(|(_, x)| x.abs() > 1e-3);
            let first = first.expect("an echo").0;
            assert!(first.abs_diff(due) < 40, "{word} at {bpm}, {scope}: {first} for {due}");
        }
    }
}

/// A change of tempo under a sounding echo makes no click.
#[test]
fn a_tempo_that_changes_bends_no_echo() {
    let source = format!("{TONE}delay lead: mix=.5 feedback=.4 sync=1/16\n");
    let song = text::read(&source).expect("a song").song;
    let render = |bpms: &[f64]| {
        let map = |bpm: f64| TempoMap::constant(Tempo::from_bpm(bpm).expect("a tempo"));
        let mut rig = Rig::new(48_000.0, &song, &map(bpms[0]));
        rig.tell(ToEngine::Start { tick: Beats::ZERO, frame: 0 });
        rig.run_session(BEGUN, &[64]);
        for bpm in bpms {
            rig.tell(ToEngine::TempoMap(Box::new(map(*bpm))));
            rig.run_session(1_500, &[64]);
        }
        roughest(&rig.left[BEGUN - 500..])
    };
    let (still, moved) = (render(&[44.0, 44.0, 44.0, 44.0]), render(&[44.0, 41.0, 48.0, 43.0]));
    assert!(moved < 2.0 * still + 2e-4, "{moved:e} against {still:e}");
}
