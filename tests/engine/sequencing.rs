//! What patterns keep is what is played: rates, conditions, ties, locks, scenes, arrangement, MIDI.

use antiphon::param::{Owner, Param, Slot};
use antiphon::pattern::{Edit, PatternIndex, Song, TrackField, text};
use antiphon::rt::ports::ToEngine;
use antiphon::time::{Beats, Tempo, TempoMap};

use crate::rig::*;

const BPM: f64 = 240.0;
const RATE: f64 = 48_000.0;
/// Frames of a sixteenth.
const STEP: i64 = 3_000;

fn map() -> TempoMap {
    TempoMap::constant(Tempo::from_bpm(BPM).expect("a tempo"))
}

fn song(source: &str) -> Song {
    text::read(source).unwrap_or_else(|found| panic!("{found:?}")).song
}

fn play(song: &Song, from_bar: i64, bars: f64) -> Rig {
    let mut rig = Rig::new(RATE, song, &map());
    rig.tell(ToEngine::Start { tick: Beats::quarters(4 * from_bar), frame: 0 });
    rig.run_session(frames_of(4.0 * bars, RATE, BPM), &[64, 500, 17]);
    rig
}

/// Begin (in steps), length (in steps), channel and note of each MIDI note.
fn notes(rig: &Rig) -> Vec<(f64, f64, u8, u8)> {
    let ends = |at: usize, channel: u8, note: u8| {
        let later = rig.midi[at + 1..].iter();
        later.clone().find(|(_, m)| m.channel == channel && m.note == note).map(|(frame, _)| *frame)
    };
    let begun = rig.midi.iter().enumerate().filter(|(_, (_, midi))| midi.velocity > 0.0);
    begun
        .map(|(at, (frame, midi))| {
            let end = ends(at, midi.channel, midi.note).unwrap_or(i64::MAX);
            let steps = |frames: i64| (frames as f64 / STEP as f64 * 100.0).round() / 100.0;
            (steps(*frame), steps(end.saturating_sub(*frame)), midi.channel, midi.note)
        })
        .collect()
}

const RICH: &str = "\
TEMPO 240
SEED 9
seq kick: X...x.X.x...
step kick.4: probability=.5
step kick.6: when=previous
rate kick: 8t
seq snare: ....X..x
step snare.7: when=2:3 ratchet=3
step snare.4: when=not-first
seq hat: xxxxx
step hat.2: when=neighbour
overflow hat: rest
seq bass: x..x.x..
seq bass.2: xx
rate bass.2: 4n
step bass.2.1: when=1:2 gate=50
step bass.3: also=48,52
follow bass: chord
lanes bass: filter.freq
step bass.0: lock1=300
chord 1: Am
chord 2: F beat=16
groove hat: type=humanize amount=1 steps=all
scene 1: one kick=1 bass=2
clip 1: scene=1 bar=1 bars=3
clip 2: pattern=bass.1 bar=2 bars=8
clip 3: pattern=snare.1 bar=1 bars=12
clip 4: pattern=kick.1 bar=5 bars=5
clip 5: pattern=hat.1 bar=4 bars=9
";

#[test]
fn bars_alone_play_what_they_play_in_the_whole_song_arranged_or_not() {
    for arranged in [false, true] {
        let mut song = song(RICH);
        song.context.arranged = arranged;
        let (whole, alone) = (play(&song, 0, 8.0), play(&song, 5, 3.0));
        let first = Beats::quarters(20).0;
        let shift = frames_of(20.0, RATE, BPM) as i64;
        let told = |rig: &Rig, shift: i64| -> Vec<_> {
            let within = rig.onsets.iter().filter(|o| o.tick >= first && o.tick < Beats::quarters(31).0);
            let mut told: Vec<_> = within.map(|o| (o.tick, o.track, o.frame - shift)).collect();
            told.sort_unstable();
            told
        };
        assert!(told(&alone, 0).len() > 30, "{}", told(&alone, 0).len());
        assert_eq!(told(&whole, shift), told(&alone, 0), "arranged: {arranged}");
    }
}

#[test]
fn locks_ties_and_launches_give_the_same_bits_for_every_block() {
    let mut song = song(RICH);
    song.context.arranged = true;
    let launch = |track_at: usize, pattern| {
        let field = TrackField::Pattern(PatternIndex::new(pattern).expect("a pattern"));
        Edit::Track { track: track(track_at), field }
    };
    let play = |sizes: &[usize]| {
        let mut rig = Rig::new(RATE, &song, &map());
        rig.tell(ToEngine::Start { tick: Beats::ZERO, frame: 0 });
        let off = Edit::Context(antiphon::pattern::ContextField::Arranged(false));
        let fill = Edit::Context(antiphon::pattern::ContextField::Fill(true));
        for (edit, quarters) in [(launch(3, 1), 13.0), (off, 8.0), (launch(0, 1), 10.5), (fill, 6.25)] {
            rig.tell(ToEngine::Edit { edit, at: Some(at(quarters)) });
        }
        rig.run_session(frames_of(16.2, RATE, BPM), sizes);
        rig
    };
    let whole = play(&[64]);
    assert_eq!(whole.bars.len(), 4);
    for sizes in [&[4_096][..], &[17, 300, 1], &[512]] {
        let other = play(sizes);
        assert_eq!(whole.bars, other.bars, "in {sizes:?}");
        let differs = whole.onsets.iter().zip(&other.onsets).find(|(one, other)| one != other);
        assert_eq!((differs, whole.onsets.len()), (None, other.onsets.len()), "in {sizes:?}");
        let midi = |rig: &Rig| -> Vec<_> {
            rig.midi.iter().map(|(frame, midi)| (*frame, midi.channel, midi.note, midi.velocity)).collect()
        };
        assert_eq!(midi(&whole), midi(&other), "in {sizes:?}");
    }
}

#[test]
fn ties_gates_and_chords_are_heard_as_long_as_they_are_written() {
    let song = song(
        "TEMPO 240\nseq lead: x.x.x.......x...\nnote lead: 60\nstep lead.0: tie=on\nstep lead.2: tie=on\n\
         step lead.4: note=64 gate=250\nstep lead.12: also=67,72 gate=50\n",
    );
    let rig = play(&song, 0, 1.1);
    let chord = [(12.0, 0.5, 0, 60), (12.0, 0.5, 0, 67), (12.0, 0.5, 0, 72)];
    assert_eq!(notes(&rig)[..5], [[(0.0, 4.0, 0, 60), (4.0, 2.5, 0, 64)].as_slice(), &chord].concat());
}

#[test]
fn a_run_that_begins_within_a_tied_note_begins_it() {
    let drone = song("TEMPO 240\nseq pad: x...............\nstep pad.0: tie=on note=50\n");
    let whole = play(&drone, 0, 3.2);
    assert_eq!(whole.midi.iter().filter(|(_, midi)| midi.velocity > 0.0).count(), 1, "one note for ever");
    let alone = play(&drone, 2, 1.0);
    assert_eq!(notes(&alone)[0].0, 0.0);
    assert!(alone.left[4_800..].iter().any(|sample| sample.abs() > 0.01));
}

#[test]
fn a_lock_holds_from_its_step_to_the_next_and_leaves_the_slot_alone() {
    let source = "TEMPO 240\nseq kick: X...X...\nlanes kick: level\n";
    let plain = play(&song(source), 0, 1.0);
    let locked = play(&song(&format!("{source}step kick.0: lock1=0\n")), 0, 1.0);
    let second = 4 * STEP as usize;
    let peak = |samples: &[f32]| samples.iter().fold(0.0f32, |peak, sample| peak.max(sample.abs()));
    assert!(peak(&plain.left[..second]) > 0.3);
    // The smoother takes 5 ms from the default.
    assert!(peak(&locked.left[480..second - 480]) < 1e-3, "{}", peak(&locked.left[480..second - 480]));
    assert!(peak(&locked.left[second..2 * second]) > 0.3, "the next step sounds by its own value");
    assert_eq!(locked.engine.param(Slot::new(Owner::Track(track(0)), Param::Level)), 0.8);
}

#[test]
fn a_scene_is_launched_by_all_its_tracks_at_one_tick() {
    let song = song(
        "TEMPO 240\nseq kick: X...............\nseq kick.2: X.X.............\nseq hat: ....x...........\n\
         seq hat.3: x...............\nstep hat.3.0: micro=-40\n",
    );
    let mut rig = Rig::new(RATE, &song, &map());
    rig.tell(ToEngine::Start { tick: Beats::ZERO, frame: 0 });
    let field = |pattern| TrackField::Pattern(PatternIndex::new(pattern).expect("a pattern"));
    for (index, pattern) in [(0, 1), (1, 2)] {
        let edit = Edit::Track { track: track(index), field: field(pattern) };
        rig.tell(ToEngine::Edit { edit, at: Some(at(4.0)) });
    }
    rig.run_session(frames_of(7.0, RATE, BPM), &[64, 333]);
    let sixteenth = Beats::SIXTEENTH.0;
    let mut told: Vec<_> = rig.onsets.iter().map(|o| (o.tick / sixteenth, o.track, o.frame)).collect();
    told.sort_unstable();
    let early = 16 * STEP - STEP * 2 / 5;
    assert_eq!(told, [(0, 0, 0), (4, 1, 4 * STEP), (16, 0, 16 * STEP), (16, 1, early), (18, 0, 18 * STEP)]);
}

#[test]
fn midi_goes_where_its_track_says_and_follows_the_chords() {
    let mut song = song(
        "TEMPO 240\nseq bass: x...x...x...x...\nnote bass: 45\nmidi bass: midi channel=10\nfollow bass: root\n\
         KEY A minor\nchord 1: F beat=1\nchord 2: G/B beat=2\nseq pad: x...\nmidi pad: internal\n",
    );
    let rig = play(&song, 0, 0.9);
    let told: Vec<_> = notes(&rig).iter().map(|(_, _, channel, note)| (*channel, *note)).collect();
    assert_eq!(told, [(9, 45), (9, 41), (9, 47), (9, 47)]);
    song.tracks[1].alive = false;
    assert!(play(&song, 0, 0.9).left.iter().all(|sample| *sample == 0.0), "MIDI alone is silent here");
}

#[test]
fn a_solo_silences_the_others_and_a_group_chokes() {
    let base = "TEMPO 240\nseq pad: x...............\nstep pad.0: gate=1600\nseq rim: ....x...........\n\
                sample rim: snare\ndecay rim: .1\n";
    let level = |rig: &Rig, from: i64, to: i64| {
        let span = &rig.left[(from * STEP) as usize..(to * STEP) as usize];
        span.iter().fold(0.0f32, |peak, sample| peak.max(sample.abs()))
    };
    let plain = play(&song(base), 0, 0.9);
    assert!(level(&plain, 9, 12) > 0.05);
    let choked = play(&song(&format!("{base}choke pad: 2\nchoke rim: 2\n")), 0, 0.9);
    assert!(level(&choked, 1, 4) > 0.05);
    assert!(level(&choked, 9, 12) < level(&plain, 9, 12) / 20.0, "{}", level(&choked, 9, 12));
    assert_eq!(notes(&choked)[0].1, 4.0, "its MIDI note ends, too");
    let solo = play(&song(&format!("{base}solo rim\n")), 0, 0.9);
    assert!(level(&solo, 1, 4) < 1e-3 && level(&solo, 4, 5) > 0.05);
    assert!(notes(&solo).iter().all(|(_, _, channel, _)| *channel == 1));
}
