//! A host or a session around one engine, and everything the engine said.

#![allow(dead_code)]

use antiphon::param::{Owner, Param, Slot, TrackIndex};
use antiphon::pattern::{Name, Pitch, Song};
use antiphon::rt::ports::{
    BarFingerprint, FromEngine, HostTransport, LiveNote, MidiOut, ParamMove, SessionPorts, ToEngine, ports,
};
use antiphon::rt::{Block, Drive, Engine, EngineConfig, MidiBuffer};
use antiphon::time::{Beats, HostNanos, TempoMap};

/// A note's beginning as told by the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Onset {
    pub frame: i64,
    pub tick: i64,
    pub track: usize,
}

/// An engine with all it has said.
pub struct Rig {
    pub engine: Engine,
    pub session: SessionPorts,
    pub frame: i64,
    pub left: Vec<f32>,
    pub right: Vec<f32>,
    pub bars: Vec<BarFingerprint>,
    pub onsets: Vec<Onset>,
    pub midi: Vec<(i64, MidiOut)>,
    pub others: Vec<FromEngine>,
    /// When the next block is asked for; a ns a frame without it, which no device's clock does.
    pub now: Option<HostNanos>,
    midi_buffer: Box<MidiBuffer>,
}

impl Rig {
    pub fn new(rate: f64, song: &Song, map: &TempoMap) -> Rig {
        let (session, engine_ports) = ports();
        let config = EngineConfig { rate, max_block: 4096 };
        let engine = Engine::new(config, Box::new(song.clone()), Box::new(map.clone()), engine_ports);
        Rig {
            engine,
            session,
            frame: 0,
            left: Vec::new(),
            right: Vec::new(),
            bars: Vec::new(),
            onsets: Vec::new(),
            midi: Vec::new(),
            others: Vec::new(),
            now: None,
            midi_buffer: Box::new(MidiBuffer::new()),
        }
    }

    pub fn tell(&mut self, message: ToEngine) {
        self.session.to_engine.push(message).expect("room in the ring");
    }

    pub fn block(&mut self, frames: usize, drive: Drive) {
        self.block_with(frames, drive, &[], &[]);
    }

    pub fn block_with(&mut self, frames: usize, drive: Drive, params: &[ParamMove], notes: &[LiveNote]) {
        let from = self.left.len();
        self.left.resize(from + frames, 0.0);
        self.right.resize(from + frames, 0.0);
        self.engine.process(Block {
            left: &mut self.left[from..],
            right: &mut self.right[from..],
            now: self.now.unwrap_or(HostNanos(self.frame)),
            drive,
            params,
            notes,
            midi_out: &mut self.midi_buffer,
        });
        self.midi.extend(self.midi_buffer.notes().iter().map(|note| {
            assert!((note.frame as usize) < frames.max(1), "a note at {} of {frames}", note.frame);
            (self.frame + i64::from(note.frame), *note)
        }));
        self.frame += frames as i64;
        while let Ok(message) = self.session.from_engine.pop() {
            match message {
                FromEngine::Fingerprint(bar) => self.bars.push(bar),
                FromEngine::NoteOn { track, tick, frame, .. } => {
                    self.onsets.push(Onset { frame, tick: tick.0, track: track.get() });
                }
                other => self.others.push(other),
            }
        }
    }

    /// Plays on the session's transport for so many frames, in blocks of these sizes in turn.
    pub fn run_session(&mut self, frames: usize, sizes: &[usize]) {
        let end = self.frame + frames as i64;
        let mut sizes = sizes.iter().cycle();
        while self.frame < end {
            let size = (*sizes.next().expect("sizes")).min((end - self.frame) as usize);
            self.block(size, Drive::Session);
        }
    }

    /// Plays under a host of constant tempo whose position at this engine's frame `at` is `tick`.
    pub fn run_host(&mut self, frames: usize, sizes: &[usize], host: &Host) {
        let end = self.frame + frames as i64;
        let mut sizes = sizes.iter().cycle();
        while self.frame < end {
            let size = (*sizes.next().expect("sizes")).min((end - self.frame) as usize);
            self.block(size, Drive::Host(host.transport(self.frame)));
        }
    }
}

/// A host of constant tempo.
#[derive(Clone, Copy)]
pub struct Host {
    pub rate: f64,
    pub bpm: f64,
    /// Position in quarters at frame `frame`.
    pub quarters: f64,
    pub frame: i64,
    pub round: fn(f64) -> f64,
}

impl Host {
    pub fn from_start(rate: f64, bpm: f64) -> Host {
        Host { rate, bpm, quarters: 0.0, frame: 0, round: |quarters| quarters }
    }

    pub fn transport(&self, frame: i64) -> HostTransport {
        let quarters = self.quarters + (frame - self.frame) as f64 / self.rate * self.bpm / 60.0;
        HostTransport {
            playing: true,
            quarters: Some((self.round)(quarters)),
            bpm: Some(self.bpm),
            metre: Some((4, 4)),
            loop_range: None,
        }
    }
}

pub fn track(index: usize) -> TrackIndex {
    TrackIndex::new(index).expect("a track")
}

/// Adds a track whose pattern is a string of `X`, `x`, `o` and `.`.
pub fn add(song: &mut Song, index: usize, name: &str, pattern: &str) {
    let track = &mut song.tracks[index];
    track.alive = true;
    track.name = Name::new(name).expect("a name");
    let held = track.playing_mut();
    held.length = pattern.len() as u8;
    for (cell, mark) in held.steps.iter_mut().zip(pattern.chars()) {
        cell.on = mark != '.';
        cell.velocity = match mark {
            'X' => 1.0,
            'x' => 0.7,
            _ => 0.3,
        };
    }
}

pub fn set(song: &mut Song, owner: Owner, param: Param, value: f32) {
    song.params[Slot::new(owner, param).index()] = value;
}

/// A small groove with a bit of everything.
pub fn groove() -> Song {
    let mut song = Song::new();
    song.seed = 7;
    add(&mut song, 0, "kick", "X...x...X...x..o");
    add(&mut song, 1, "snare", "....X.......X...");
    add(&mut song, 2, "hat", "x.x.xox.");
    add(&mut song, 3, "open", "..............x.");
    add(&mut song, 4, "bass", "x..x..x.x.o");
    song.tracks[4].pitch = Some(Pitch::Note(36));
    song.tracks[4].playing_mut().steps[3].note = Some(43);
    song.tracks[2].playing_mut().steps[5].probability = 0.5;
    song.tracks[2].playing_mut().steps[2].ratchet = 3;
    song.tracks[1].playing_mut().steps[4].micro = -20;
    song.tracks[0].playing_mut().steps[8].micro = 30;
    set(&mut song, Owner::Track(track(4)), Param::FilterFreq, 900.0);
    set(&mut song, Owner::Track(track(4)), Param::DistortMix, 0.3);
    set(&mut song, Owner::Track(track(1)), Param::DelayMix, 0.25);
    song
}

/// Frames in so many beats.
pub fn frames_of(beats: f64, rate: f64, bpm: f64) -> usize {
    (beats * 60.0 / bpm * rate) as usize
}

/// A position in ticks.
pub fn at(quarters: f64) -> Beats {
    Beats::from_quarters_f64(quarters).expect("a position")
}
