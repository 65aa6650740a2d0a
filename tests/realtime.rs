//! The audio thread neither allocates nor frees, whatever it is told and however it is called.
//!
//! The guard works in debug builds; a release build's `assert_no_alloc` lets everything pass.

#[path = "engine/rig.rs"]
mod rig;

use std::sync::Arc;

use antiphon::dsp::SampleFile;
use antiphon::param::{Owner, Param, Slot};
use antiphon::pattern::{
    Choke, Condition, ContextField, Edit, FileId, Follow, MidiMode, Name, PatternIndex, Song, StepField,
    TrackField, Trig, presets, text,
};
use antiphon::rt::controls::{ControlMap, Controller, Mapping, Said, Source, Takeover, Target};
use antiphon::rt::personal::{PersonalEdit, is_personal};
use antiphon::rt::ports::{
    FromEngine, HostTransport, LiveNote, Lock, Mode, ParamMove, Room, SessionPorts, ToEngine, ports,
};
use antiphon::rt::{Block, Drive, Engine, EngineConfig, MidiBuffer, OwnEffects};
use antiphon::time::{Beats, ClockMap, HostNanos, SessionNanos, Tempo, TempoMap};
use assert_no_alloc::{AllocDisabler, assert_no_alloc};
use rig::{add, groove, track};

#[global_allocator]
static ALLOCATOR: AllocDisabler = AllocDisabler;

struct Guarded {
    engine: Engine,
    session: SessionPorts,
    left: Vec<f32>,
    right: Vec<f32>,
    midi: Box<MidiBuffer>,
    frame: i64,
    /// Time that a frame takes, in ns.
    frame_ns: f64,
}

impl Guarded {
    fn new(rate: f64) -> Guarded {
        let (session, engine_ports) = ports();
        let song = Box::new(groove());
        let config = EngineConfig { rate, max_block: 4096 };
        Guarded {
            engine: Engine::new(config, song, Box::default(), engine_ports),
            session,
            left: vec![0.0; 4096],
            right: vec![0.0; 4096],
            midi: Box::new(MidiBuffer::new()),
            frame: 0,
            frame_ns: 1.0,
        }
    }

    fn process(&mut self, frames: usize, drive: Drive, params: &[ParamMove], notes: &[LiveNote]) {
        let Guarded { engine, left, right, midi, frame, frame_ns, .. } = self;
        let now = HostNanos((*frame as f64 * *frame_ns) as i64);
        let value = (*frame % 127) as u8;
        assert_no_alloc(|| {
            for said in [Said::Cc(7, value), Said::Cc(39, 1), Said::PitchBend(8_192), Said::Note(61, 99)] {
                engine.control(0, 0, said);
            }
            engine.process(Block {
                left: &mut left[..frames],
                right: &mut right[..frames],
                now,
                drive,
                params,
                notes,
                midi_out: midi,
            });
        });
        *frame += frames as i64;
        assert!(self.left[..frames].iter().all(|sample| sample.is_finite() && sample.abs() < 1.2));
    }
}

/// Everything that patterns keep, told on arrival and for a beat, and launches of patterns, scenes
/// and the arrangement.
fn launches() -> Vec<ToEngine> {
    let (at, pattern) = (track(4), PatternIndex::new(1).expect("a pattern"));
    let step = |field| Edit::Step { track: at, pattern, step: 0, field };
    let own = |field| Edit::Track { track: at, field };
    let edits = [
        step(StepField::On(true)),
        step(StepField::Tie(true)),
        step(StepField::Gate(300)),
        step(StepField::Also([Some(64), Some(67), Some(71)])),
        step(StepField::Condition(Condition { when: Trig::Previous, not: true })),
        Edit::Lane { track: at, lane: 0, param: Some(Param::FilterFreq) },
        Edit::Lock { track: at, pattern, step: 0, lane: 0, value: Some(700.0) },
        own(TrackField::Pattern(pattern)),
        own(TrackField::Choke(Choke::Group(2))),
        own(TrackField::Follow(Follow::Chord)),
        own(TrackField::Midi(MidiMode::Midi)),
        own(TrackField::Channel(Some(9))),
        own(TrackField::Solo(true)),
        Edit::Context(ContextField::Fill(true)),
        Edit::Context(ContextField::Arranged(true)),
        own(TrackField::Midi(MidiMode::Both)),
        own(TrackField::Solo(false)),
        own(TrackField::Pattern(PatternIndex::FIRST)),
        Edit::Context(ContextField::Arranged(false)),
    ];
    let told = edits.into_iter().enumerate().flat_map(|(n, edit)| {
        let later = ToEngine::Edit { edit, at: Some(Beats(n as i64 * 200_000)) };
        [ToEngine::Edit { edit, at: None }, later]
    });
    told.collect()
}

/// A song of which every step asks for much, with clips that place its patterns.
fn rich() -> Song {
    let mut source = "TEMPO 240\nARRANGEMENT on\nchord 1: F\n".to_owned();
    for track in 0..16 {
        source += &format!("seq t{track}: XxXxXxXx\nrate t{track}: 32t\nlanes t{track}: filter.freq pan\n");
        source += &format!("overflow t{track}: rest\nfollow t{track}: chord\nchoke t{track}: 2\n");
        source += &format!("clip {}: pattern=t{track}.1 bar=1 bars=2\n", track + 1);
        for step in 0..8 {
            let when = ["previous", "neighbour", "2:3", "not-first", "fill"][(step + track) % 5];
            source += &format!("step t{track}.{step}: tie=on also=64,67,71 when={when} lock1=900 lock2=.3\n");
        }
    }
    text::read(&source).expect("a song").song
}

#[test]
fn no_pattern_launch_or_lock_allocates() {
    let mut guarded = Guarded::new(48_000.0);
    guarded.session.to_engine.push(ToEngine::Start { tick: Beats::ZERO, frame: 0 }).expect("room");
    for (n, message) in launches().into_iter().enumerate() {
        guarded.session.to_engine.push(message).expect("room in the ring");
        guarded.process(700, Drive::Session, &[], &NOTES[..n % 4]);
        while guarded.session.from_engine.pop().is_ok() {}
    }
    guarded.session.to_engine.push(ToEngine::Song(Box::new(rich()))).expect("room in the ring");
    for n in 0..40 {
        let arranged = ContextField::Arranged(n % 2 == 0);
        let edit = Edit::Context(arranged);
        guarded.session.to_engine.push(ToEngine::Edit { edit, at: None }).expect("room in the ring");
        guarded.process(600, Drive::Session, &[], &[]);
        while guarded.session.from_engine.pop().is_ok() {}
    }
}

/// Loading, switching, missing and removing sample files, in every block.
#[test]
fn no_sample_file_allocates() {
    let mut guarded = Guarded::new(44_100.0);
    let (own, now) =
        (|field| Edit::Track { track: track(1), field }, |edit| ToEngine::Edit { edit, at: None });
    let files: Vec<_> = (1..4u8)
        .map(|n| {
            let words: Vec<i32> =
                (0..9_000).map(|at| (at * 977 * i32::from(n)) % 8_000_000 - 4_000_000).collect();
            (FileId([n; 32]), Arc::new(SampleFile::new(&words)))
        })
        .collect();
    let tell = |guarded: &mut Guarded, message| {
        guarded.session.to_engine.push(message).expect("room in the ring");
    };
    tell(&mut guarded, ToEngine::Start { tick: Beats::ZERO, frame: 0 });
    let mut sizes = sizes();
    for round in 0..60usize {
        let (id, file) = files[round % 3].clone();
        let place = (round % 2) as u8;
        let told = match round % 10 {
            // Before its name and after it, twice the same, gone while it plays, at no place.
            0..=2 => {
                vec![ToEngine::File { place, file: Some((id, file)) }, now(own(TrackField::File(Some(id))))]
            }
            3 => vec![now(own(TrackField::File(Some(id)))), ToEngine::File { place, file: Some((id, file)) }],
            4 => vec![ToEngine::File { place: 0, file: Some((id, file.clone())) }; 2],
            5 => vec![ToEngine::File { place: 0, file: None }, ToEngine::File { place: 1, file: None }],
            6 => vec![ToEngine::File { place: 200, file: Some((id, file)) }],
            7 => vec![now(own(TrackField::Alive(false))), now(own(TrackField::Alive(true)))],
            8 => vec![now(own(TrackField::File(None)))],
            _ => vec![ToEngine::Song(Box::new(groove()))],
        };
        told.into_iter().for_each(|message| tell(&mut guarded, message));
        for param in [Param::SampleStart, Param::SampleEnd, Param::SampleReverse, Param::SamplePlay] {
            let (slot, spec) = (Slot::new(Owner::Track(track(1)), param), param.spec());
            let value = [spec.max, spec.min, spec.default][round % 3];
            tell(&mut guarded, now(Edit::Param { slot, value }));
        }
        for _ in 0..4 {
            let frames = sizes.next().expect("endless");
            guarded.process(frames, Drive::Session, &[], &NOTES[..round % 4]);
        }
        guarded.engine.hold_session(round % 7 == 3);
        while guarded.session.from_engine.pop().is_ok() {}
    }
    drop(guarded);
    assert!(files.iter().all(|(_, file)| Arc::strong_count(file) == 1), "every file came back");
}

/// Room for a mix of one's own, and everything in it on, moved and off; then room that is not needed.
fn own_mix() -> Vec<ToEngine> {
    let at = track(4);
    let rooms = || {
        let mut rooms = vec![ToEngine::Room(Room::Mix(Box::default()))];
        for owner in [Owner::Track(at), Owner::Master] {
            rooms.push(ToEngine::Room(Room::Effects(Box::new(OwnEffects::new(owner)))));
        }
        rooms
    };
    let mut edits = vec![
        PersonalEdit::Mute { track: at, on: true },
        PersonalEdit::Mute { track: at, on: false },
        PersonalEdit::Solo { track: at, on: true },
        PersonalEdit::Trim { owner: Owner::Master, db: 12.0 },
        PersonalEdit::Pan { track: at, pan: -1.0 },
    ];
    for slot in Slot::all().filter(|slot| is_personal(*slot)) {
        if slot.owner() == Owner::Track(at) || slot.owner() == Owner::Master {
            let spec = slot.spec();
            edits.extend([spec.max, spec.min, spec.stated].map(|value| PersonalEdit::Param { slot, value }));
        }
    }
    let cutoff = Slot::new(Owner::Track(at), Param::FilterFreq);
    let mappings = [
        (Source::Cc(7), Target::Shared(cutoff), Takeover::Absolute),
        (Source::Wide(7), Target::Own(cutoff), Takeover::PickUp),
        (Source::PitchBend, Target::Trim(Owner::Master), Takeover::Absolute),
        (Source::Note(61), Target::Mute(at), Takeover::PickUp),
    ]
    .map(|(source, target, takeover)| Mapping {
        controller: Controller { channel: 0, source },
        target,
        takeover,
    });
    let mut messages = rooms();
    messages.push(ToEngine::Room(Room::Controls(Box::new(ControlMap::new(&mappings, true)))));
    messages.push(ToEngine::Room(Room::Controls(Box::new(ControlMap::new(&mappings, false)))));
    messages.extend(edits.into_iter().map(ToEngine::Mine));
    messages.extend(rooms());
    messages
}

fn messages() -> Vec<ToEngine> {
    let cutoff = Slot::new(Owner::Track(track(4)), Param::FilterFreq);
    let now = |edit| ToEngine::Edit { edit, at: None };
    let mut wide = groove();
    for at in 5..16 {
        add(&mut wide, at, "lead", "XxXxXxXx");
    }
    let map = TempoMap::default().with_tempo(Beats::quarters(2), Tempo::MAX).expect("a map");
    let mut messages = vec![
        now(Edit::Seed(3)),
        now(Edit::Param { slot: cutoff, value: 333.0 }),
        ToEngine::Edit { edit: Edit::Param { slot: cutoff, value: 4000.0 }, at: Some(Beats::quarters(1)) },
        ToEngine::Edit { edit: Edit::Param { slot: cutoff, value: 40.0 }, at: Some(Beats(-5)) },
        now(Edit::Step {
            track: track(0),
            pattern: PatternIndex::FIRST,
            step: 3,
            field: StepField::On(true),
        }),
        now(Edit::Step {
            track: track(0),
            pattern: PatternIndex::FIRST,
            step: 3,
            field: StepField::Ratchet(8),
        }),
        now(Edit::Track { track: track(9), field: TrackField::Alive(true) }),
        now(Edit::Track { track: track(9), field: TrackField::Name(Name::new("pad").expect("a name")) }),
        now(Edit::Track { track: track(9), field: TrackField::Sample(Name::new("snare").expect("a name")) }),
        now(Edit::Track { track: track(0), field: TrackField::Alive(false) }),
        now(Edit::Track { track: track(0), field: TrackField::Alive(true) }),
        ToEngine::Focus(track(4)),
        ToEngine::Echo { track: track(4), note: 60, velocity: 0.8, at: Beats::quarters(2) },
        ToEngine::Echo { track: track(4), note: 60, velocity: 0.0, at: Beats::quarters(3) },
        ToEngine::Start { tick: Beats::quarters(1), frame: 100 },
        ToEngine::Stop,
        ToEngine::Start { tick: Beats::ZERO, frame: -40_000 },
        ToEngine::TempoMap(Box::new(map)),
        ToEngine::Song(Box::new(wide)),
        ToEngine::Start { tick: Beats::quarters(3), frame: 30_000 },
        ToEngine::Renew { bar: -1 },
        ToEngine::TempoMap(Box::default()),
    ];
    // Every voice in turn, and every module of a track and of the master on, moved and off.
    for voice in antiphon::pattern::Voice::ALL {
        let word = voice.name().split(' ').next().expect("a word");
        let sample = TrackField::Sample(Name::new(word).expect("a name"));
        messages.push(now(Edit::Track { track: track(1), field: sample }));
    }
    for owner in [Owner::Track(track(4)), Owner::Master] {
        for param in Param::ALL {
            let spec = param.spec();
            for value in [spec.max, spec.min, spec.stated] {
                messages.push(now(Edit::Param { slot: Slot::new(owner, param), value }));
            }
        }
    }
    messages.extend(own_mix());
    messages.push(ToEngine::Song(Box::new(groove())));
    // More than the table of waiting edits holds.
    messages.extend((0..300).map(|n| ToEngine::Edit {
        edit: Edit::Param { slot: cutoff, value: 100.0 + n as f32 },
        at: Some(Beats::quarters(100 + n)),
    }));
    messages.push(ToEngine::Song(Box::new(groove())));
    messages
}

/// Block sizes: the edges, then anything.
fn sizes() -> impl Iterator<Item = usize> {
    let mut state = 12345u64;
    let random = std::iter::repeat_with(move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as usize % 2000
    });
    [0, 1, 17, 64, 512, 4096].into_iter().chain(random)
}

const NOTES: [LiveNote; 4] = [
    LiveNote { frame: 0, channel: 9, note: 36, velocity: 0.8 },
    LiveNote { frame: 0, channel: 9, note: 42, velocity: 0.8 },
    LiveNote { frame: 0, channel: 0, note: 60, velocity: 0.5 },
    LiveNote { frame: 0, channel: 0, note: 60, velocity: 0.0 },
];

#[test]
fn no_message_in_no_block_allocates_under_the_session() {
    let mut guarded = Guarded::new(44_100.0);
    let cutoff = Slot::new(Owner::Track(track(4)), Param::FilterFreq);
    let mut value = 100.0;
    let mut sizes = sizes();
    for message in messages() {
        guarded.session.to_engine.push(message).expect("room in the ring");
        value += 1.0;
        let moves = [ParamMove { frame: 0, slot: cutoff, value }];
        let frames = if guarded.frame > 150_000 { 16 } else { sizes.next().expect("endless") };
        guarded.process(frames, Drive::Session, &moves, &NOTES);
        while guarded.session.from_engine.pop().is_ok() {}
    }
}

/// Every row of the table to either end and back, on a track and on the master, while the song plays:
/// every switch, every word, every effect.
#[test]
fn no_row_of_the_table_allocates() {
    let mut guarded = Guarded::new(48_000.0);
    let start = ToEngine::Start { tick: Beats::ZERO, frame: 0 };
    guarded.session.to_engine.push(start).expect("room in the ring");
    for owner in [Owner::Track(track(4)), Owner::Master] {
        for param in Param::ALL {
            let (slot, spec) = (Slot::new(owner, param), param.spec());
            for value in [spec.max, spec.min, spec.stated] {
                let edit = Edit::Param { slot, value };
                let edit = ToEngine::Edit { edit, at: None };
                guarded.session.to_engine.push(edit).expect("room in the ring");
                guarded.process(48, Drive::Session, &[], &[]);
                while guarded.session.from_engine.pop().is_ok() {}
            }
        }
    }
}

/// Sounds and grooves of the factory, and sounds by chance, laid over a song that plays.
#[test]
fn no_preset_allocates() {
    let mut guarded = Guarded::new(48_000.0);
    let start = ToEngine::Start { tick: Beats::ZERO, frame: 0 };
    guarded.session.to_engine.push(start).expect("room in the ring");
    let mut song = groove();
    let lay = |guarded: &mut Guarded, song: &mut Song, edits: Vec<Edit>| {
        for few in edits.chunks(64) {
            for edit in few {
                song.apply(edit);
                let told = ToEngine::Edit { edit: *edit, at: None };
                guarded.session.to_engine.push(told).expect("room in the ring");
            }
            guarded.process(64, Drive::Session, &[], &[]);
            while guarded.session.from_engine.pop().is_ok() {}
        }
    };
    for sound in presets::sounds() {
        let edits = song.sound_edits(track(4), &presets::read(sound.text).expect("it reads"));
        lay(&mut guarded, &mut song, edits.expect("a track"));
    }
    for seed in 0..8 {
        let edits = song.random_sound_edits(track(2), seed);
        lay(&mut guarded, &mut song, edits);
    }
    for groove in presets::grooves() {
        // Where the song is full, the groove is refused.
        let edits = song.groove_edits(&presets::read(groove.text).expect("it reads"));
        lay(&mut guarded, &mut song, edits.unwrap_or_default());
    }
}

#[test]
fn no_host_makes_it_allocate() {
    let mut guarded = Guarded::new(48_000.0);
    let mut messages = messages().into_iter();
    let hosts = [
        HostTransport { playing: true, bpm: Some(120.0), ..HostTransport::default() },
        HostTransport { playing: true, quarters: Some(0.0), bpm: Some(120.0), ..HostTransport::default() },
        HostTransport { playing: true, quarters: Some(8.0), bpm: Some(99.0), ..HostTransport::default() },
        HostTransport {
            playing: true,
            quarters: Some(3.95),
            bpm: Some(120.0),
            metre: Some((7, 8)),
            loop_range: Some((2.0, 4.0)),
        },
        HostTransport { playing: true, quarters: Some(f64::NAN), bpm: Some(0.0), ..HostTransport::default() },
        HostTransport {
            playing: true,
            quarters: Some(1e15),
            bpm: Some(f64::INFINITY),
            metre: Some((0, 0)),
            loop_range: Some((f64::NAN, 1e15)),
        },
        HostTransport {
            playing: true,
            quarters: Some(4.29e9),
            bpm: Some(1000.0),
            ..HostTransport::default()
        },
        HostTransport {
            playing: true,
            quarters: Some(-4.29e9),
            bpm: Some(1.0),
            metre: Some((255, 255)),
            loop_range: Some((-4.29e9, 4.29e9)),
        },
        HostTransport { playing: true, quarters: Some(-3.7), bpm: Some(120.0), ..HostTransport::default() },
        HostTransport::default(),
    ];
    for (n, frames) in sizes().take(90).enumerate() {
        messages.by_ref().take(6).for_each(|message| {
            guarded.session.to_engine.push(message).expect("room in the ring");
        });
        guarded.process(frames, Drive::Host(hosts[n % hosts.len()]), &[], &NOTES[..n % 4]);
    }
}

/// Under the shared clock, in blocks of these sizes in turn: entry, corrections that bend and that
/// jump, timelines and modes that change, stops.
fn locked_in_blocks_of(sizes: impl Iterator<Item = usize>, host: Option<HostTransport>) -> usize {
    const SECOND: i64 = 1_000_000_000;
    let mut guarded = Guarded::new(48_000.0);
    // 80 ppm off the nominal rate.
    guarded.frame_ns = 1e9 / 48_000.0 * (1.0 + 80e-6);
    let tell = |guarded: &mut Guarded, message| guarded.session.to_engine.push(message).expect("room");
    let clock = |ns| ToEngine::Clock { map: ClockMap::IDENTITY.ahead_by(ns), latency_ns: 5_000_000 };
    let mode = |mode| ToEngine::Mode { mode, offset: Beats::quarters(4) };
    let timeline = |tick, at| ToEngine::Timeline { tick: Beats::quarters(tick), at: SessionNanos(at) };
    // After so many tenths of a second.
    let mut script = vec![
        (0, clock(0)),
        (0, mode(Mode::Follow)),
        (0, timeline(4, SECOND / 2)),
        (20, clock(3_000_000)),
        (24, clock(15_000_000)),
        (28, ToEngine::Renew { bar: 0 }),
        (30, clock(90_000_000)),
        (52, clock(-90_000_000)),
        (75, timeline(64, 8 * SECOND)),
        (84, timeline(64, 8 * SECOND + 2_000_000)),
        (86, mode(Mode::Session)),
        (88, ToEngine::Stop),
        (90, timeline(1, 8 * SECOND)),
        (94, mode(Mode::Lead)),
        (96, mode(Mode::Host)),
        (98, mode(Mode::Follow)),
    ]
    .into_iter()
    .peekable();
    let (mut locked, mut sizes) = (0, sizes);
    while guarded.frame < 48_000 * 11 {
        while let Some((_, message)) = script.next_if(|(tenths, _)| guarded.frame >= tenths * 4_800) {
            tell(&mut guarded, message);
        }
        let drive = match host {
            None => Drive::Session,
            Some(host) => {
                let quarters = Some(guarded.frame as f64 / 24_000.0);
                Drive::Host(HostTransport { quarters, ..host })
            }
        };
        guarded.process(sizes.next().expect("endless"), drive, &[], &NOTES[..0]);
        while let Ok(message) = guarded.session.from_engine.pop() {
            let is_locked = matches!(
                message,
                FromEngine::Sync(antiphon::rt::ports::Sync { lock: Lock::Locked { .. }, .. })
            );
            locked += usize::from(is_locked);
        }
    }
    locked
}

#[test]
fn the_shared_clock_makes_no_block_allocate() {
    let host =
        HostTransport { playing: true, bpm: Some(120.0), metre: Some((4, 4)), ..HostTransport::default() };
    // The edges and a random size, over and over: some 90 blocks of each in each run.
    let every = |seed: usize| {
        let random = sizes().skip(6 + seed);
        random.flat_map(|random| [0, 1, 17, 64, 512, random, 4096])
    };
    for (n, host) in [Some(host), None].into_iter().enumerate() {
        let locked = locked_in_blocks_of(every(100 * n), host);
        assert!(locked > 20, "blocks of every size: {locked} looks found it locked");
    }
    // All that happens, happens within blocks of one small size.
    let locked = locked_in_blocks_of([17, 0, 1].into_iter().cycle(), Some(host));
    assert!(locked > 20, "blocks of 17: {locked} looks found it locked");
}

#[test]
fn a_full_ring_out_loses_no_box_and_no_moved_parameter() {
    let mut guarded = Guarded::new(48_000.0);
    let slot = Slot::new(Owner::Master, Param::Level);
    let mut retired = 0;
    guarded.session.to_engine.push(ToEngine::Start { tick: Beats::ZERO, frame: 0 }).expect("room");
    // Positions and meters alone fill the ring.
    while !guarded.session.from_engine.slots().eq(&antiphon::rt::ports::FROM_ENGINE_CAPACITY) {
        let note = LiveNote { frame: 0, channel: 0, note: 60, velocity: 0.5 };
        guarded.process(64, Drive::Session, &[], &[note; 60]);
    }
    for _ in 0..12 {
        guarded.session.to_engine.push(ToEngine::Song(Box::new(Song::new()))).expect("room");
    }
    let moves = [ParamMove { frame: 0, slot, value: 0.25 }];
    guarded.process(512, Drive::Session, &moves, &[]);
    let mut moved = None;
    let mut lost = 0;
    for _ in 0..8 {
        while let Ok(message) = guarded.session.from_engine.pop() {
            match message {
                FromEngine::RetiredSong(_) => retired += 1,
                FromEngine::ParamMoved { slot: told, value } if told == slot => moved = Some(value),
                FromEngine::Fault(antiphon::rt::ports::Fault::OutFull(count)) => lost += count,
                _ => {}
            }
        }
        guarded.process(64, Drive::Session, &[], &[]);
    }
    assert_eq!(retired, 12);
    assert!(lost > 0, "what was dropped is told");
    assert_eq!(moved, Some(0.25));
}

#[test]
fn reset_and_replace_do_not_allocate() {
    let mut guarded = Guarded::new(48_000.0);
    guarded.session.to_engine.push(ToEngine::Start { tick: Beats::ZERO, frame: 0 }).expect("room");
    guarded.process(512, Drive::Session, &[], &NOTES);
    let (song, map) = (Box::new(groove()), Box::default());
    let engine = &mut guarded.engine;
    let old = assert_no_alloc(|| {
        engine.reset();
        engine.hold_session(true);
        engine.replace(song, map)
    });
    drop(old);
    guarded.process(512, Drive::Session, &[], &[]);
}

/// Run as a child by the test below.
#[test]
#[ignore = "aborts on purpose"]
fn injected_allocation() {
    let mut guarded = Guarded::new(48_000.0);
    let Guarded { engine, left, right, midi, .. } = &mut guarded;
    assert_no_alloc(|| {
        engine.process(Block {
            left: &mut left[..64],
            right: &mut right[..64],
            now: HostNanos(0),
            drive: Drive::Session,
            params: &[],
            notes: &[],
            midi_out: midi,
        });
        std::hint::black_box(Box::new(1));
    });
}

#[test]
#[cfg(debug_assertions)]
fn an_injected_allocation_aborts() {
    let itself = std::env::current_exe().expect("the test's own path");
    let mut child = std::process::Command::new(itself);
    child.args(["--exact", "injected_allocation", "--ignored", "--nocapture", "--test-threads=1"]);
    let output = child.output().expect("the child runs");
    assert!(!output.status.success(), "the guard let an allocation pass");
    assert!(String::from_utf8_lossy(&output.stdout).contains("running 1 test"));
    assert!(String::from_utf8_lossy(&output.stderr).contains("memory allocation"));
}
