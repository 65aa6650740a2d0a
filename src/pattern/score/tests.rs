//! The laws of scores: each stroke once, however a span is cut, and the same wherever one starts.

use super::*;
use crate::param::{Owner, Param, Slot};
use crate::pattern::{Condition, Name, Track};

fn first() -> TrackIndex {
    TrackIndex::new(0).expect("the first track")
}

fn song(edit: impl Fn(&mut Track)) -> Song {
    let mut song = Song::new();
    song.tracks[0].alive = true;
    edit(&mut song.tracks[0]);
    song
}

fn strokes(song: &Song, track: TrackIndex, from: i64, to: i64, chunk: i64, origin: bool) -> Vec<Stroke> {
    let bars = Bars::in_song(song);
    let mut found = Vec::new();
    let mut at = from;
    while at < to {
        let next = (at + chunk).min(to);
        let span = Span { from: Beats(at), to: Beats(next), end: None, origin: origin && at == from };
        Score::new(song, &bars, &AsWritten, (span.from, span.to)).strokes(track, &span, |s| found.push(s));
        at = next;
    }
    found.sort_by_key(|s| (s.place, s.stroke));
    found
}

fn gather(song: &Song, from: i64, to: i64, chunk: i64, origin: bool) -> Vec<(i64, u8, i64)> {
    let strokes = strokes(song, first(), from, to, chunk, origin);
    strokes.iter().map(|s| (s.place.0, s.stroke, s.sounds.0)).collect()
}

const BAR: i64 = 4 * crate::time::TICKS_PER_BEAT;
const STEP: i64 = Beats::SIXTEENTH.0;

/// A song with everything that decides over a stroke.
fn rich() -> Song {
    let mut song = song(|_| {});
    (song.seed, song.tracks[1].alive) = (5, true);
    let trigs = [
        Trig::Always,
        Trig::Nth { nth: 2, of: 3 },
        Trig::Previous,
        Trig::First,
        Trig::Neighbour,
        Trig::Always,
        Trig::Fill,
    ];
    for track in 0..2 {
        for (index, pattern) in song.tracks[track].patterns.iter_mut().enumerate() {
            pattern.length = [7, 16, 5, 12, 31, 64, 1, 3][index];
            pattern.rate = Rate::ALL[(index + track) % 8].1;
            for (at, step) in pattern.steps.iter_mut().enumerate() {
                step.on = at % 5 != 3;
                step.probability = [1.0, 0.6, 1.0][at % 3];
                step.condition = Condition { when: trigs[(at + track) % 7], not: at % 11 == 1 };
                step.condition.not &= step.condition.when != Trig::Always;
                step.ratchet = [1, 1, 2, 1, 5][at % 5];
                step.micro = [0, -50, 50, 13, -7][at % 5];
                step.tie = at % 4 == 2;
                step.gate = [100, 30, 250][at % 3];
            }
        }
    }
    for (at, source) in [(0, 0), (1, 2), (2, 5), (3, 1), (4, 7)] {
        song.clips[at] = crate::pattern::Clip {
            alive: true,
            source: crate::pattern::ClipSource::Pattern(
                TrackIndex::new(at % 2).expect("a track"),
                PatternIndex::new(source).expect("a pattern"),
            ),
            start: at as u32 * 2,
            length: 3,
        };
    }
    for (param, value) in [(Param::GrooveAmount, 0.8), (Param::GrooveType, 1.0)] {
        song.params[Slot::new(Owner::Track(first()), param).index()] = value;
    }
    song
}

#[test]
fn any_cut_of_a_span_gives_the_same_strokes_of_anything() {
    let mut song = rich();
    for (pattern, overflow, arranged) in [
        (0, Overflow::Loop, false),
        (3, Overflow::Rest, false),
        (5, Overflow::Loop, true),
        (6, Overflow::Rest, true),
    ] {
        for track in 0..2 {
            song.tracks[track].pattern = PatternIndex::new(pattern).expect("a pattern");
            song.tracks[track].overflow = overflow;
        }
        song.context.arranged = arranged;
        for track in [first(), TrackIndex::new(1).expect("a track")] {
            let whole = strokes(&song, track, 0, 8 * BAR, 8 * BAR, false);
            assert!(whole.len() > 8, "{} strokes of pattern {pattern}", whole.len());
            let names: std::collections::BTreeSet<_> = whole.iter().map(|s| (s.place, s.stroke)).collect();
            assert_eq!(names.len(), whole.len(), "none doubled");
            for chunk in [1001, 17_640, 176_399] {
                assert!(strokes(&song, track, 0, 8 * BAR, chunk, false) == whole, "cut by {chunk}");
            }
            let tail = strokes(&song, track, 4 * BAR, 8 * BAR, 8 * BAR, false);
            let late: Vec<_> = whole.into_iter().filter(|s| s.sounds.0 >= 4 * BAR).collect();
            assert!(tail == late, "started alone");
        }
    }
}

#[test]
fn every_groove_gives_each_stroke_once_however_the_span_is_cut() {
    for (kind, subdivision) in [(0.0, 0.0), (0.0, 2.0), (1.0, 2.0), (2.0, 1.0), (3.0, 0.0), (4.0, 2.0)] {
        let mut grooved = song(|track| {
            track.groove_template = Name::new("samba").expect("a name");
            for (at, step) in track.playing_mut().steps.iter_mut().enumerate() {
                (step.on, step.ratchet) = (true, 1 + (at % 3) as u8);
                step.micro = [0, -50, 50, 13][at % 4];
            }
        });
        for owner in [Owner::Master, Owner::Track(first())] {
            for (param, value) in [
                (Param::GrooveAmount, 1.0),
                (Param::GrooveType, kind),
                (Param::GrooveSubdivision, subdivision),
            ] {
                grooved.params[Slot::new(owner, param).index()] = value;
            }
        }
        let whole = gather(&grooved, 0, 8 * BAR, 8 * BAR, false);
        // Every stroke whose place is well inside the span.
        let inside = (8..120).map(|step: i64| 1 + step.rem_euclid(16) % 3).sum::<i64>();
        let within = whole.iter().filter(|(place, ..)| (8 * STEP..120 * STEP).contains(place));
        assert_eq!(within.count() as i64, inside);
        for chunk in [1001, 17_640, 176_399] {
            assert_eq!(gather(&grooved, 0, 8 * BAR, chunk, false), whole);
        }
    }
}

#[test]
fn early_strokes_of_the_first_step_are_kept() {
    let song = song(|track| {
        track.playing_mut().steps[0] = Step { on: true, micro: -30, ..Step::REST };
    });
    assert_eq!(gather(&song, BAR, BAR + 100, 50, true).len(), 1);
    assert_eq!(gather(&song, BAR, BAR + 100, 50, false).len(), 0);
}

#[test]
fn a_resting_pattern_waits_for_the_longest() {
    let mut song = song(|track| {
        track.playing_mut().steps[0].on = true;
        track.playing_mut().length = 4;
        track.overflow = Overflow::Rest;
    });
    song.tracks[1].alive = true;
    assert_eq!(gather(&song, 0, 2 * BAR, BAR, false).len(), 2);
    // A longer one of thirty-seconds is no longer.
    song.tracks[1].playing_mut().rate = Rate::ThirtySecond;
    song.tracks[1].playing_mut().length = 32;
    assert_eq!(gather(&song, 0, 2 * BAR, BAR, false).len(), 2);
    song.tracks[0].overflow = Overflow::Loop;
    assert_eq!(gather(&song, 0, 2 * BAR, BAR, false).len(), 8);
}

#[test]
fn rates_make_a_polymeter() {
    let song = song(|track| {
        let pattern = track.playing_mut();
        (pattern.rate, pattern.length, pattern.steps[0].on) = (Rate::EighthTriplet, 5, true);
    });
    let places: Vec<i64> = gather(&song, 0, 5 * BAR, BAR, false).iter().map(|(place, ..)| *place).collect();
    // Twelve to the bar, every fifth sounds.
    assert_eq!(places, (0..12).map(|n| n * 5 * BAR / 12).collect::<Vec<_>>());
}

#[test]
fn conditions_follow_the_rounds_and_each_other() {
    let mut song = song(|track| {
        let pattern = track.playing_mut();
        pattern.length = 4;
        let mut step = |at: usize, when, not| {
            pattern.steps[at] = Step { on: true, condition: Condition { when, not }, ..Step::REST };
        };
        step(0, Trig::Nth { nth: 2, of: 4 }, false);
        step(1, Trig::Previous, false);
        step(2, Trig::First, true);
        step(3, Trig::Fill, false);
    });
    song.tracks[1].alive = true;
    song.tracks[1].order = crate::pattern::Order::of_place(1);
    let follower = song.tracks[1].playing_mut();
    follower.length = 4;
    let condition = Condition { when: Trig::Neighbour, not: false };
    follower.steps[0] = Step { on: true, condition, ..Step::REST };
    let cells = |song: &Song, track: usize| -> Vec<i64> {
        let track = TrackIndex::new(track).expect("a track");
        strokes(song, track, 0, 8 * 4 * STEP, BAR, false).iter().map(|s| s.place.0 / STEP).collect()
    };
    let mut expected: Vec<i64> = vec![4, 5, 20, 21];
    expected.extend((1..8).map(|round| 4 * round + 2));
    expected.sort_unstable();
    assert_eq!(cells(&song, 0), expected);
    assert_eq!(cells(&song, 1), [4, 20], "with the neighbour's step of the same moment");
    song.context.fill = true;
    assert_eq!(cells(&song, 0).iter().filter(|cell| *cell % 4 == 3).count(), 8);
}

#[test]
fn tied_steps_are_one_note_and_gates_are_lengths() {
    let song = song(|track| {
        let pattern = track.playing_mut();
        pattern.length = 8;
        let mut step = |at: usize, tie, gate| {
            pattern.steps[at] = Step { on: true, tie, gate, ..Step::REST };
        };
        step(0, true, 100);
        step(2, true, 100);
        step(5, false, 150);
        step(7, false, 25);
    });
    let found = strokes(&song, first(), 0, 16 * STEP, BAR, false);
    let notes: Vec<_> =
        found.iter().map(|s| (s.place.0 / STEP, s.joined, s.tied, (s.ends - s.sounds).0)).collect();
    let tied = |from: i64| (5 - from) * STEP + STEP * 3 / 2;
    let round = |at: i64| {
        [
            (at, false, true, tied(0)),
            (at + 2, true, true, tied(2)),
            (at + 5, true, false, STEP * 3 / 2),
            (at + 7, false, false, STEP / 4),
        ]
    };
    assert_eq!(notes, [round(0), round(8)].concat());
}

#[test]
fn the_arrangement_places_patterns_and_rests_elsewhere() {
    use crate::pattern::{Clip, ClipSource, Scene};
    let mut song = song(|track| {
        for (index, pattern) in track.patterns.iter_mut().enumerate() {
            pattern.length = 3;
            pattern.steps[0] = Step { on: true, note: Some(index as u8), ..Step::REST };
        }
    });
    song.context.arranged = true;
    let pattern = |at| PatternIndex::new(at).expect("a pattern");
    song.scenes[2] = Scene { alive: true, ..Scene::UNUSED };
    song.scenes[2].patterns[0] = Some(pattern(3));
    let clip = |source, start, length| Clip { alive: true, source, start, length };
    song.clips[9] = clip(ClipSource::Scene(2), 1, 4);
    song.clips[4] = clip(ClipSource::Pattern(first(), pattern(5)), 2, 1);
    let found = strokes(&song, first(), 0, 7 * BAR, BAR, false);
    let by_bar = |bar: i64| -> Vec<_> {
        let within = found.iter().filter(|s| s.place.0.div_euclid(BAR) == bar);
        within.map(|s| ((s.place.0 - bar * BAR) / STEP, s.step.note.expect("a note"))).collect()
    };
    assert!(by_bar(0).is_empty() && by_bar(5).is_empty() && by_bar(6).is_empty());
    assert_eq!(by_bar(1), (0..6).map(|n| (3 * n, 3)).collect::<Vec<_>>(), "from the clip's beginning");
    assert_eq!(by_bar(2), (0..6).map(|n| (3 * n, 5)).collect::<Vec<_>>(), "a track's own clip goes first");
    assert_eq!(by_bar(3)[0], (1, 3), "the scene goes on where it would be");
}

#[test]
fn asking_back_is_the_same_however_often_it_was_asked() {
    // Rows that ask back, longer than what is remembered, with a decision here and there; tied, so that
    // one stroke asks through all of them.
    for decided in [0, 3, 40, 63] {
        for of in 1..4 {
            let mut song = song(|_| {});
            (song.seed, song.tracks[1].alive) = (5, true);
            for track in 0..2 {
                let pattern = &mut song.tracks[track].patterns[0];
                pattern.length = 64 - track as u8;
                for (at, step) in pattern.steps.iter_mut().enumerate() {
                    let asks = if at % 2 == track { Trig::Previous } else { Trig::Neighbour };
                    let when = if at == decided { Trig::Nth { nth: 1, of } } else { asks };
                    (step.on, step.tie) = (true, true);
                    step.condition = Condition { when, not: at % 3 == 1 };
                }
            }
            let bars = Bars::in_song(&song);
            let score = Score::new(&song, &bars, &AsWritten, (Beats(0), Beats(8 * BAR)));
            let groove = Groove::of(&song, first());
            let lay = score.lay(first(), Beats(0));
            let player = || score.player(first(), lay.pattern.expect("a pattern"), &lay, Beats(0), &groove);
            let one = player();
            // Forwards, backwards and across, against one that has seen nothing.
            let counts = (0..200).chain((0..200).rev()).chain((0..200).map(|n| (n * 71) % 200));
            for count in counts {
                let at = one.rounds.counted(count);
                assert_eq!(one.sounds(at), player().sounds(at), "cell {count}, decided by {decided} of {of}");
            }
        }
    }
}
