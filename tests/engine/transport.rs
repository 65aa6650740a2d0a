//! Hosts: rounded positions, tempo changes, loops, locates, stops.

use std::collections::BTreeMap;

use antiphon::param::{Owner, Param};
use antiphon::pattern::{Overflow, Song};
use antiphon::rt::Drive;
use antiphon::rt::ports::{FromEngine, HostTransport, ToEngine};
use antiphon::time::{Beats, Tempo, TempoMap};
use proptest::prelude::*;

use crate::rig::*;

fn map(bpm: f64) -> TempoMap {
    TempoMap::constant(Tempo::from_bpm(bpm).expect("a tempo"))
}

type Rounding = fn(f64) -> f64;

/// A song whose notes cost almost nothing: every track but one is silent at once.
fn dense() -> Song {
    let mut song = Song::new();
    for at in 0..16 {
        add(&mut song, at, "hat", "ooooooooooooooo");
        song.tracks[at].overflow = Overflow::Loop;
        for (n, cell) in song.tracks[at].playing_mut().steps.iter_mut().enumerate() {
            cell.ratchet = 1 + ((n + at) % 8) as u8;
            cell.micro = ((n * 7 + at * 13) % 101) as i8 - 50;
        }
        set(&mut song, Owner::Track(track(at)), Param::Decay, 0.1);
    }
    song
}

/// The steepest step between two samples.
fn steepest(samples: &[f32]) -> f32 {
    samples.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max)
}

/// Notes by track and tick, each with how often it began.
fn counts(onsets: &[Onset]) -> BTreeMap<(usize, i64), usize> {
    let mut counts = BTreeMap::new();
    for onset in onsets {
        *counts.entry((onset.track, onset.tick)).or_default() += 1;
    }
    counts
}

#[test]
fn rounded_positions_neither_miss_nor_double_a_note() {
    let roundings: [(_, Rounding); 4] = [
        ("exact", |quarters| quarters),
        ("2^-31 beats", |quarters| (quarters * 2f64.powi(31)).round() / 2f64.powi(31)),
        ("f32", |quarters| f64::from(quarters as f32)),
        ("1/1920 beat", |quarters| (quarters * 1920.0).round() / 1920.0),
    ];
    let song = dense();
    for (name, round) in roundings {
        let bpm = 297.3;
        let mut rig = Rig::new(48_000.0, &song, &map(120.0));
        let host = Host { round, quarters: 1024.0, ..Host::from_start(48_000.0, bpm) };
        let frames = frames_of(5.0, 48_000.0, bpm);
        rig.run_host(frames, &[64, 300, 1, 511], &host);
        let counts = counts(&rig.onsets);
        assert!(counts.values().all(|count| *count == 1), "{name}: a note came twice");
        let span = at(1024.0).0..at(1028.5).0;
        let step = Beats::SIXTEENTH.0;
        let mut expected = 0;
        for absolute in span.start / step..span.end / step {
            for track in 0..16 {
                let cell = &song.tracks[track].playing().steps[absolute.rem_euclid(15) as usize];
                for stroke in 0..i64::from(cell.ratchet) {
                    let tick = absolute * step + step * stroke / i64::from(cell.ratchet);
                    assert!(counts.contains_key(&(track, tick)), "{name}: track {track} lost {tick}");
                    expected += 1;
                }
            }
        }
        assert!(expected > 1200);
    }
}

#[test]
fn a_tempo_change_moves_what_follows_and_nothing_else() {
    let mut song = Song::new();
    add(&mut song, 0, "kick", "XxXxXxXx");
    let mut rig = Rig::new(48_000.0, &song, &map(120.0));
    let (mut quarters, mut expected) = (0.0, Vec::new());
    for (n, bpm) in [120.0, 90.0, 140.5, 120.0, 61.0].into_iter().enumerate() {
        let blocks = [100, 130, 77, 201, 140][n];
        for _ in 0..blocks {
            let host = HostTransport {
                playing: true,
                quarters: Some(quarters),
                bpm: Some(bpm),
                metre: Some((4, 4)),
                loop_range: None,
            };
            let per_frame = bpm / 60.0 / 48_000.0;
            let first = (quarters * 4.0 - 1e-9).ceil() as i64;
            for step in first..((quarters + 480.0 * per_frame) * 4.0 - 1e-9).ceil() as i64 {
                let frame = rig.frame + ((step as f64 / 4.0 - quarters) / per_frame).round() as i64;
                expected.push((frame, step * Beats::SIXTEENTH.0));
            }
            rig.block(480, Drive::Host(host));
            quarters += 480.0 * per_frame;
        }
    }
    assert_eq!(rig.onsets.len(), expected.len());
    for (onset, (frame, tick)) in rig.onsets.iter().zip(&expected) {
        assert_eq!(onset.tick, *tick);
        // A note within the 1.3 ms rendered ahead of a change keeps the old tempo's place.
        assert!((onset.frame - frame).abs() <= 2, "{onset:?} expected at {frame}");
    }
}

#[test]
fn a_loop_wraps_inside_the_block_on_its_sample() {
    let song = groove();
    let bpm = 240.0;
    let length = 4.0;
    let loop_frames = frames_of(length, 48_000.0, bpm) as i64;
    let mut rig = Rig::new(48_000.0, &song, &map(bpm));
    while rig.frame < 4 * loop_frames {
        let into = rig.frame % loop_frames;
        let host = HostTransport {
            playing: true,
            quarters: Some(4.0 + into as f64 / 48_000.0 * bpm / 60.0),
            bpm: Some(bpm),
            metre: Some((4, 4)),
            loop_range: Some((4.0, 4.0 + length)),
        };
        rig.block(1000, Drive::Host(host));
    }
    let pass = |n: i64| -> Vec<_> {
        let within = rig.onsets.iter().filter(|o| o.frame / loop_frames == n);
        within.map(|o| (o.frame % loop_frames, o.tick, o.track)).collect()
    };
    assert!(pass(0).len() > 10);
    assert_eq!(pass(0), pass(1));
    assert_eq!(pass(1), pass(2));
    let bars: Vec<_> = rig.bars.iter().map(|bar| bar.bar).collect();
    assert_eq!(bars[..3], [1, 1, 1]);
    assert_eq!(rig.bars[0].start.0, loop_frames);
    assert_ne!(rig.bars[0].input_key, rig.bars[1].input_key, "a wrap is chained into the key");
}

#[test]
fn a_stop_ends_the_notes_and_lets_the_tails_ring() {
    let mut song = Song::new();
    add(&mut song, 0, "kick", "X...............");
    add(&mut song, 1, "bass", "................");
    song.tracks[1].playing_mut().steps[1].on = true;
    let mut rig = Rig::new(48_000.0, &song, &map(120.0));
    let host = Host::from_start(48_000.0, 120.0);
    // Up to the very frame of the bass's note: it must not sound.
    rig.run_host(6000, &[500], &host);
    assert_eq!(rig.onsets.len(), 1);
    let before = rig.left.len();
    for _ in 0..20 {
        rig.block(100, Drive::Host(HostTransport { playing: false, ..host.transport(6000) }));
    }
    assert_eq!(rig.onsets.len(), 1, "a note after the stop");
    assert!(rig.left[before..before + 500].iter().any(|sample| sample.abs() > 1e-4), "the tail rings");
    assert!(steepest(&rig.left[before - 100..]) < 0.02, "a click: {}", steepest(&rig.left[before - 100..]));
    let positions = rig.others.iter().filter_map(|message| match message {
        FromEngine::Position { tick, .. } => Some(*tick),
        _ => None,
    });
    assert_eq!(positions.collect::<Vec<_>>().last().copied(), Some(None));
}

#[test]
fn a_locate_fades_what_sounded() {
    let mut song = Song::new();
    add(&mut song, 0, "kick", "X...............");
    let mut rig = Rig::new(48_000.0, &song, &map(120.0));
    rig.run_host(3000, &[500], &Host::from_start(48_000.0, 120.0));
    rig.run_host(3000, &[500], &Host { quarters: 1.5, frame: 3000, ..Host::from_start(48_000.0, 120.0) });
    assert!(rig.left[2900..3000].iter().any(|sample| sample.abs() > 0.05));
    assert!(steepest(&rig.left[2900..]) < 0.02, "a click: {}", steepest(&rig.left[2900..]));
    assert!(rig.left[3300..].iter().all(|sample| *sample == 0.0));
}

#[test]
fn a_host_without_a_position_is_told_once_and_played_on() {
    let song = groove();
    let mut rig = Rig::new(48_000.0, &song, &map(120.0));
    let mut host = Host::from_start(48_000.0, 120.0).transport(0);
    host.quarters = None;
    for _ in 0..100 {
        rig.block(480, Drive::Host(host));
    }
    let faults = rig.others.iter().filter(|message| matches!(message, FromEngine::Fault(_)));
    assert_eq!(faults.count(), 1);
    assert!(rig.onsets.len() > 8);
}

#[test]
fn a_late_start_enters_at_the_next_step_in_phase() {
    let song = groove();
    for rate in [48_000.0, 44_100.0] {
        let mut early = Rig::new(rate, &song, &map(120.0));
        early.tell(ToEngine::Start { tick: at(4.0), frame: 1000 });
        early.run_session(60_000, &[256]);
        let mut late = Rig::new(rate, &song, &map(120.0));
        late.run_session(10_240, &[256]);
        late.tell(ToEngine::Start { tick: at(4.0), frame: 1000 });
        late.run_session(60_000 - 10_240, &[256]);
        let first = late.onsets[0];
        assert!(first.frame >= 10_240);
        assert_eq!(early.onsets[0], Onset { frame: 1000, tick: at(4.0).0, track: early.onsets[0].track });
        let expected: Vec<_> = early.onsets.iter().filter(|o| o.frame >= first.frame).collect();
        assert_eq!(late.onsets.len(), expected.len());
        for (got, want) in late.onsets.iter().zip(expected) {
            assert_eq!((got.tick, got.track), (want.tick, want.track));
            assert!((got.frame - want.frame).abs() <= 1, "{got:?} against {want:?}");
        }
    }
}

/// Frames at 48 kHz that are rendered when a block begins: the limiter's look-ahead, and what is left
/// of a quantum. No change of tempo reaches a note in them; they are 2 ms.
const AHEAD: i64 = 96;

/// A tempo that held up to a frame, and the host's position there.
#[derive(Clone, Copy, Debug)]
struct Before {
    frame: i64,
    quarters: f64,
    bpm: f64,
}

#[test]
fn a_host_that_begins_on_its_loop_s_end_plays_on_behind_it() {
    let mut rig = Rig::new(48_000.0, &groove(), &map(120.0));
    let mut quarters = 6.0;
    for _ in 0..20 {
        quarters = play_block(&mut rig, 61, quarters, 120.0, Some((4.0, 6.0)), None).expect("in place");
    }
    let hats = rig.onsets.iter().filter(|onset| onset.track == 2);
    assert_eq!(hats.map(|onset| (onset.frame, onset.tick)).collect::<Vec<_>>(), [(0, at(6.0).0)]);
}

#[test]
fn a_note_sounds_once_though_its_host_steps_back_a_little() {
    let mut rig = Rig::new(48_000.0, &groove(), &map(120.0));
    let host = Host::from_start(48_000.0, 120.0);
    rig.run_host(63, &[21], &host);
    rig.run_host(2000, &[61], &Host { frame: 63, ..host });
    assert_eq!(rig.onsets.iter().filter(|onset| onset.tick == 0 && onset.track == 2).count(), 1);
}

#[test]
fn a_note_rendered_before_a_tempo_change_keeps_its_place_and_comes_once() {
    let mut rig = Rig::new(48_000.0, &groove(), &map(120.0));
    let (mut quarters, bpm) = (47.0 / 3.0, 294.142_857);
    for _ in 0..2 {
        quarters = play_block(&mut rig, 376, quarters, bpm, None, None).expect("in place");
    }
    let before = Before { frame: rig.frame, quarters, bpm };
    for _ in 0..20 {
        quarters = play_block(&mut rig, 65, quarters, 40.0, None, Some(before)).expect("in place");
    }
    let hats = rig.onsets.iter().filter(|onset| (onset.track, onset.tick) == (4, at(15.75).0));
    let frames: Vec<_> = hats.map(|onset| onset.frame - before.frame).collect();
    assert_eq!(frames, [64]);
}

/// Frames at 48 kHz by which a host may step without having located: 4 ms. What sounded before such
/// a step back does not sound again; the engine's own place may be off by a fourth of them.
const STEP: f64 = 192.0;

/// A host's small step back: up to where its notes have sounded, in quarters, and whether the engine
/// may have taken it for a locate all the same.
#[derive(Clone, Copy, Debug)]
struct SteppedBack {
    heard: f64,
    perhaps_located: bool,
}

/// What comes of a host's move to `to`, while it plays at `quarters`.
fn stepped_back(quarters: f64, to: f64, bpm: f64, earlier: Option<SteppedBack>) -> Option<SteppedBack> {
    let frames = (quarters - to).abs() / (bpm / 60.0 / 48_000.0);
    let heard = earlier.map_or(quarters, |earlier| earlier.heard.max(quarters));
    let perhaps_located = frames > 0.6 * STEP || earlier.is_some_and(|earlier| earlier.perhaps_located);
    (frames <= 1.4 * STEP).then_some(SteppedBack { heard, perhaps_located })
}

/// What a host does next.
#[derive(Clone, Copy, Debug)]
enum Move {
    Play { blocks: usize, frames: usize },
    Locate { quarters: f64 },
    Stop { frames: usize },
    Tempo { bpm: f64 },
    Loop { start: f64, length: f64 },
    NoLoop,
    Reset,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        4 => (1usize..12, 1usize..1500).prop_map(|(blocks, frames)| Move::Play { blocks, frames }),
        2 => (0i32..200).prop_map(|quarter| Move::Locate { quarters: f64::from(quarter) / 3.0 }),
        1 => (0usize..700).prop_map(|frames| Move::Stop { frames }),
        1 => (40.0f64..300.0).prop_map(|bpm| Move::Tempo { bpm }),
        1 => (0i32..8, 1i32..8).prop_map(|(start, length)| Move::Loop {
            start: f64::from(start),
            length: f64::from(length) / 2.0,
        }),
        1 => Just(Move::NoLoop),
        1 => Just(Move::Reset),
    ];
    prop::collection::vec(one, 1..25)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// However a host moves: each onset lies where the host's position says, none is missed, and
    /// every note of the host's ends once.
    #[test]
    fn notes_are_placed_and_paired_under_any_transport(moves in moves()) {
        let song = groove();
        let mut rig = Rig::new(48_000.0, &song, &map(120.0));
        let (mut quarters, mut bpm, mut range) = (0.0, 120.0, None);
        let (mut crossings, mut breaks) = (Vec::new(), Vec::new());
        let mut changes: Vec<Before> = Vec::new();
        let mut before: Option<Before> = None;
        let (mut plays, mut back) = (false, None::<SteppedBack>);
        for step in moves {
            // A jump from a loop's end to its start cannot be told from a wrap, and is none.
            let frames = |to: f64| (quarters - to).abs() / (bpm / 60.0 / 48_000.0);
            let is_wrap = |start, length| frames(start + length) <= 1.4 * STEP;
            if plays && matches!(step, Move::Loop { start, length } if is_wrap(start, length)) {
                continue;
            }
            if !matches!(step, Move::Play { .. }) {
                breaks.push(rig.frame);
            }
            match step {
                Move::Tempo { .. } if before.is_some_and(|last| last.frame == rig.frame) => {}
                Move::Tempo { .. } => before = Some(Before { frame: rig.frame, quarters, bpm }),
                Move::Play { .. } | Move::NoLoop => {}
                _ => before = None,
            }
            changes.extend(before);
            back = match step {
                Move::Locate { quarters: to } | Move::Loop { start: to, .. } if plays => {
                    stepped_back(quarters, to, bpm, back)
                }
                Move::Locate { .. } | Move::Loop { .. } | Move::Stop { .. } | Move::Reset => None,
                Move::Play { .. } | Move::Tempo { .. } | Move::NoLoop => back,
            };
            plays = match step {
                Move::Play { .. } => true,
                Move::Stop { .. } | Move::Reset => false,
                _ => plays,
            };
            match step {
                Move::Locate { quarters: to } => quarters = to,
                Move::Tempo { bpm: to } => bpm = to,
                Move::Loop { start, length } => {
                    range = Some((start, start + length));
                    quarters = start;
                }
                Move::NoLoop => range = None,
                Move::Reset => rig.engine.reset(),
                Move::Stop { frames } => rig.block(frames, Drive::Host(HostTransport::default())),
                Move::Play { blocks, frames } => {
                    for _ in 0..blocks {
                        cross(&mut crossings, rig.frame, frames, quarters, bpm, range, back);
                        let was = quarters;
                        quarters = play_block(&mut rig, frames, quarters, bpm, range, before)?;
                        back = back.filter(|back| was < quarters && quarters < back.heard);
                    }
                }
            }
        }
        rig.block(64, Drive::Host(HostTransport::default()));
        breaks.push(rig.frame - 64);
        for &(frame, tick, perhaps_heard) in &crossings {
            // Up to the slowest after the fastest tempo, what was rendered ahead may have been its place.
            let rendered = |o: &Onset| {
                changes.iter().any(|last| {
                    let slowed = AHEAD * 300 / 40 + 60;
                    (last.frame..=last.frame + AHEAD).contains(&o.frame)
                        && (last.frame..=last.frame + slowed).contains(&frame)
                })
            };
            // What lies at its place on another lap is that lap's.
            let elsewhere = |o: &Onset| {
                crossings.iter().any(|other| other.1 == tick && (o.frame - other.0).abs() <= 60)
            };
            let near = |o: &Onset| (o.frame - frame).abs() <= 60 || (rendered(o) && !elsewhere(o));
            let met = |o: &Onset| o.track == 2 && o.tick == tick && near(o);
            let near_break = breaks.iter().any(|at| *at > frame && *at - frame <= 60);
            let count = rig.onsets.iter().filter(|onset| met(onset)).count();
            let may_miss = near_break || perhaps_heard;
            prop_assert!(count == 1 || (may_miss && count == 0), "tick {tick} at {frame}: {count} times");
        }
        let mut sounding = std::collections::BTreeSet::new();
        for (frame, note) in &rig.midi {
            let key = (note.channel, note.note);
            if note.velocity > 0.0 {
                prop_assert!(sounding.insert(key), "{key:?} began twice, at {frame}");
            } else {
                prop_assert!(sounding.remove(&key), "{key:?} ended twice, at {frame}");
            }
        }
        prop_assert!(sounding.is_empty(), "{sounding:?} never ended");
    }
}

/// The frames within a block at which the host's position crosses a step that surely sounds: the
/// hat's first, every other quarter; and whether it may have been heard before a small step back. What
/// surely has is no crossing.
fn cross(
    crossings: &mut Vec<(i64, i64, bool)>,
    first: i64,
    frames: usize,
    quarters: f64,
    bpm: f64,
    range: Option<(f64, f64)>,
    back: Option<SteppedBack>,
) {
    let per_frame = bpm / 60.0 / 48_000.0;
    let (mut at, mut done, mut back) = (quarters, 0.0, back);
    while done < frames as f64 {
        let left = frames as f64 - done;
        let wrap =
            range.filter(|(_, end)| at < end - 1e-9).map(|(start, end)| ((end - at) / per_frame, start));
        let length = wrap.map_or(left, |(frames, _)| frames.min(left));
        let mut hit = (at / 2.0 - 1e-9).ceil() * 2.0;
        while hit < at + length * per_frame - 1e-9 {
            let frame = first + (done + (hit - at) / per_frame).round() as i64;
            let heard = back.filter(|back| hit < back.heard - 1e-9);
            if heard.is_none_or(|heard| heard.perhaps_located) {
                crossings.push((frame, (hit * 705_600.0) as i64, heard.is_some()));
            }
            hit += 2.0;
        }
        done += length;
        back = back.filter(|_| wrap.is_none_or(|(frames, _)| frames > left));
        at = wrap.filter(|(frames, _)| *frames <= left).map_or(at + length * per_frame, |(_, start)| start);
    }
}

/// One block of a host that loops on the sample; checks where its notes began.
fn play_block(
    rig: &mut Rig,
    frames: usize,
    quarters: f64,
    bpm: f64,
    range: Option<(f64, f64)>,
    before: Option<Before>,
) -> Result<f64, TestCaseError> {
    let per_frame = bpm / 60.0 / 48_000.0;
    let host = HostTransport {
        playing: true,
        quarters: Some(quarters),
        bpm: Some(bpm),
        metre: Some((4, 4)),
        loop_range: range,
    };
    let (from, known) = (rig.frame, rig.onsets.len());
    rig.block(frames, Drive::Host(host));
    let wraps = |position: f64| match range {
        Some((start, end)) if quarters < end && position >= end - 1e-9 => {
            start + (position - end) % (end - start)
        }
        _ => position,
    };
    for onset in &rig.onsets[known..] {
        let since = (onset.frame - from) as f64;
        let position = wraps(quarters + since * per_frame);
        // Micro-timing in the groove: up to 0.3 of a step; beyond it, 1 ms of drift is borne.
        let fits = |position: f64, per_frame: f64, late: f64| {
            let off = (onset.tick as f64 / 705_600.0 - position) / per_frame;
            let micro = if onset.track < 2 { 0.3 * 0.25 / per_frame } else { 0.0 };
            let wrapped = range.map_or(0.0, |(start, end)| (end - start) / per_frame);
            let near = |off: f64| (-micro - 49.0 - late..=micro + 49.0).contains(&off);
            [0.0, wrapped, -wrapped].iter().any(|lap| near(off + lap))
        };
        // In what was rendered before a change: as the old tempo has it, or as soon as it can be.
        let rendered = before.filter(|last| onset.frame - last.frame <= AHEAD).is_some_and(|last| {
            let old = last.bpm / 60.0 / 48_000.0;
            let then = wraps(last.quarters + (onset.frame - last.frame) as f64 * old);
            fits(then, old, 0.0) || fits(position, per_frame, AHEAD as f64)
        });
        let placed = rendered || fits(position, per_frame, 0.0);
        prop_assert!(placed, "{onset:?} is far from the host's position {position}");
    }
    Ok(wraps(quarters + frames as f64 * per_frame))
}
