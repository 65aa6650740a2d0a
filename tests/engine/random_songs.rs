//! Whole songs by chance: whatever the registers hold, the engine gives numbers under the ceiling, the
//! same for every block, pairs its notes and comes to silence.
//!
//! `ANTIPHON_RANDOM_SONGS` says how many (8); a failure names its seed, which
//! `ANTIPHON_RANDOM_SONG` plays alone.

use antiphon::param::{Owner, Param, Slot, TrackIndex};
use antiphon::pattern::{MidiMode, Name, PatternIndex, Register, Song, StepRegister, TrackRegister};
use antiphon::rt::ports::ToEngine;
use antiphon::time::{Beats, Tempo, TempoMap};

use crate::registers;
use crate::rig::*;

const RATE: f64 = 48_000.0;
/// Tracks that play.
const TRACKS: usize = 3;
const SONGS: u64 = 8;
/// A bar and a little more at 300 bpm.
const FRAMES: usize = 42_000;
const VOICES: [&str; 13] = [
    "kick", "snare", "closed", "open", "clap", "tom", "perc", "shaker", "cymbal", "synth", "bass", "pad",
    "fm",
];

/// Splitmix64.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) as u32
    }

    fn is(&mut self, of_1000: u32) -> bool {
        self.roll() % 1_000 < of_1000
    }
}

/// How often of a thousand a register is written.
fn share(register: Register) -> u32 {
    match register {
        Register::Step(track, pattern, step, field) if pattern.get() < 2 && step < 16 => match field {
            _ if track.get() >= TRACKS => 0,
            StepRegister::On => 900,
            _ => 350,
        },
        Register::Lock(track, pattern, step, _) if pattern.get() < 2 && step < 16 && track.get() < TRACKS => {
            150
        }
        Register::Step(..) | Register::Lock(..) => 3,
        Register::Track(_, TrackRegister::Alive | TrackRegister::Id | TrackRegister::Name) => 0,
        Register::Track(_, TrackRegister::Solo) => 50,
        Register::Param(slot) if slot.param() == Param::Mute => 50,
        Register::Clip(place, _) if place > 8 => 0,
        _ => 400,
    }
}

fn random(seed: u64) -> Box<Song> {
    let mut dice = Dice(seed);
    let mut song = Box::new(Song::new());
    for register in Register::all() {
        if dice.is(share(register)) {
            let edit = registers::write(&song, register, dice.roll());
            song.apply(&edit.check().expect("within its bounds"));
        }
    }
    for (n, at) in TrackIndex::all().enumerate().take(TRACKS) {
        let track = &mut song.tracks[at.get()];
        track.alive = true;
        track.name = Name::new(&format!("t{n}")).expect("a name");
        track.sample = Name::new(VOICES[dice.roll() as usize % VOICES.len()]).expect("a name");
    }
    // What silences a whole song or track is true as well, and hides all the rest: it is rarer.
    if !dice.is(100) {
        song.context.arranged = false;
    }
    for track in &mut song.tracks[..TRACKS] {
        track.pattern = PatternIndex::new(dice.roll() as usize % 2).expect("a pattern");
        if !dice.is(200) {
            (track.file, track.midi) = (None, MidiMode::Both);
        }
    }
    let owners = || TrackIndex::all().map(Owner::Track).chain([Owner::Master]);
    for owner in owners() {
        let level = &mut song.params[Slot::new(owner, Param::Level).index()];
        *level = level.max(0.5);
    }
    set(&mut song, Owner::Master, Param::Mute, 0.0);
    // Long tails are true, and long: here they are short, so that silence comes while one waits.
    let short = [
        (Param::Decay, 0.6),
        (Param::EnvAttack, 0.05),
        (Param::EnvRelease, 0.3),
        (Param::DelayFeedback, 0.5),
        (Param::DelayTime, 0.1),
        (Param::DelaySync, 0.0),
        (Param::ReverbDecay, 0.4),
        (Param::LfoFeedbackDepth, 0.0),
    ];
    for owner in owners() {
        for (param, most) in short {
            let value = &mut song.params[Slot::new(owner, param).index()];
            *value = value.min(most);
        }
    }
    for track in song.tracks.iter_mut() {
        // And no lane goes round them.
        for lane in track.lanes.iter_mut() {
            *lane = lane.filter(|param| short.iter().all(|(long, _)| param != long));
        }
    }
    song
}

fn play(song: &Song, sizes: &[usize]) -> Rig {
    let tempo = Tempo::from_bpm(300.0).expect("a tempo");
    let mut rig = Rig::new(RATE, song, &TempoMap::constant(tempo));
    rig.tell(ToEngine::Start { tick: Beats::ZERO, frame: 0 });
    rig.run_session(FRAMES, sizes);
    rig
}

fn loudest(samples: &[f32]) -> f32 {
    assert!(samples.iter().all(|sample| sample.is_finite()), "no number");
    samples.iter().fold(0.0, |most, sample| sample.abs().max(most))
}

/// Gives the loudest sample.
fn holds(seed: u64) -> f32 {
    let song = random(seed);
    let mut rig = play(&song, &[512]);
    let other = play(&song, &[64, 1, 333, 17]);
    assert!(rig.left == other.left && rig.right == other.right, "seed {seed}: the blocks are heard");
    let hashes = |rig: &Rig| {
        rig.bars.iter().map(|bar| (bar.bar, bar.input_key, bar.master, bar.tracks)).collect::<Vec<_>>()
    };
    assert_eq!(hashes(&rig), hashes(&other), "seed {seed}");

    rig.tell(ToEngine::Stop);
    let mut waited = 0;
    loop {
        let from = rig.left.len();
        rig.run_session(4_800, &[480]);
        waited += 4_800;
        if rig.left[from..].iter().chain(&rig.right[from..]).all(|sample| *sample == 0.0) {
            break;
        }
        let peak = loudest(&rig.left[from..]);
        assert!(waited < 12 * 48_000, "seed {seed}: {peak:e} after 12 s");
    }
    let ceiling = song.param(Owner::Master, Param::Ceiling);
    let most = 10f32.powf(0.05 * ceiling) * (1.0 + 1e-5);
    let peak = loudest(&rig.left).max(loudest(&rig.right));
    assert!(peak <= most, "seed {seed}: {peak} above a ceiling of {ceiling} dB");

    let mut held = [[false; 128]; 16];
    for (frame, midi) in &rig.midi {
        let note = &mut held[usize::from(midi.channel)][usize::from(midi.note)];
        assert_eq!(*note, midi.velocity == 0.0, "seed {seed} at {frame}: {midi:?}");
        *note = midi.velocity > 0.0;
    }
    assert!(held.iter().flatten().all(|note| !note), "seed {seed}: a note hangs");
    peak
}

#[test]
fn songs_by_chance_keep_every_law() {
    let number = |name| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    if let Some(seed) = number("ANTIPHON_RANDOM_SONG") {
        holds(seed);
        return;
    }
    let count = number("ANTIPHON_RANDOM_SONGS").unwrap_or(SONGS);
    let mut heard = 0;
    for seed in 0..count {
        let peak = holds(seed);
        println!("seed {seed}: {peak}");
        heard += u64::from(peak > 1e-4);
    }
    assert!(2 * heard > count, "{heard} of {count} songs sound at all");
}
