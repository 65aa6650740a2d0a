//! Between a host's process call and the engine.
//!
//! Thread: audio, except for making and rebuilding. Invariant: no allocation, lock, log or drop of
//! heap memory in [`Adapter::process`]; the one clock read is the raw monotonic clock's stamp.
//!
//! nice-plug splits a host's block at each parameter change, so that automation is accurate to the
//! sample; a *block* here is such a piece. nice-plug then adds a piece's offset once more to a
//! position that came with a transport event inside the host's block; [`Follow`] takes it off.

mod follow;
mod notes;
mod pace;

use nice_plug::prelude::*;

use self::follow::Follow;
use self::notes::NotesIn;
use self::pace::Pace;
use super::desk::Handoff;
use super::params::{HOST_PARAM_COUNT, HostParams};
use crate::client::HostClock;
use crate::param::{Owner, Param as Row, Slot};
use crate::pattern::Song;
use crate::rt::ports::{EnginePorts, HostTransport, ParamMove};
use crate::rt::{Block, Drive, Engine, EngineConfig, MidiBuffer};
use crate::time::{Clock, TempoMap};

/// One instance's engine and the fixed room around it.
pub struct Adapter {
    config: EngineConfig,
    /// Empty only while it is rebuilt.
    engine: Option<Engine>,
    notes: NotesIn,
    moves: [ParamMove; HOST_PARAM_COUNT],
    midi_out: Box<MidiBuffer>,
    pace: Pace,
    follow: Follow,
    /// The host said that it renders offline.
    offline: bool,
}

impl Adapter {
    /// An adapter around a new engine. *Thread: any but audio.*
    pub fn new(config: EngineConfig, song: Song, tempo_map: TempoMap, ports: EnginePorts) -> Adapter {
        let rest = ParamMove { frame: 0, slot: Slot::new(Owner::Master, Row::Level), value: 0.0 };
        Adapter {
            config,
            engine: Some(Engine::new(config, Box::new(song), Box::new(tempo_map), ports)),
            notes: NotesIn::new(),
            moves: [rest; HOST_PARAM_COUNT],
            midi_out: Box::new(MidiBuffer::new()),
            pace: Pace::default(),
            follow: Follow::default(),
            offline: false,
        }
    }

    /// Prepares for a rate and block size: the engine is rebuilt over the same song and rings
    /// where they changed. *Thread: any but audio.*
    pub fn prepare(&mut self, config: EngineConfig, offline: bool) {
        self.offline = offline;
        self.pace = Pace::default();
        self.follow = Follow::default();
        if config != self.config
            && let Some(engine) = self.engine.take()
        {
            let (song, tempo_map, ports) = engine.into_parts();
            self.engine = Some(Engine::new(config, song, tempo_map, ports));
            self.config = config;
        }
    }

    /// Frames by which the output lags. *Thread: any but audio.*
    pub fn latency_frames(&self) -> u32 {
        self.engine.as_ref().map_or(0, Engine::latency_frames)
    }

    /// Silences everything, as hosts ask by `reset`. *Realtime-safe: yes.*
    pub fn reset(&mut self) {
        self.notes = NotesIn::new();
        self.follow = Follow::default();
        if let Some(engine) = &mut self.engine {
            engine.reset();
        }
    }

    /// Fills one block. *Thread: audio. Realtime-safe: yes.*
    pub fn process<P: Plugin>(
        &mut self,
        output: &mut [&mut [f32]],
        params: &HostParams,
        handoff: &Handoff,
        context: &mut impl ProcessContext<P>,
    ) {
        // The one layout has two channels, and the engine is away only while it is rebuilt.
        let (Some(engine), [left, right]) = (&mut self.engine, output) else {
            return;
        };
        let now = HostClock.now();
        let frames = left.len();

        handoff.take(|project| {
            if let (Some(song), Some(tempo_map)) = (project.song.take(), project.tempo_map.take()) {
                let (song, tempo_map) = engine.replace(song, tempo_map);
                project.song = Some(song);
                project.tempo_map = Some(tempo_map);
            }
        });

        // The network is ignored for a bounce: what others do meanwhile waits.
        let bouncing = self.pace.bouncing(now, frames, self.config.rate);
        engine.hold_session(self.offline || bouncing);

        while let Some(event) = context.next_event() {
            match notes::said(&event) {
                Some((timing, channel, said)) => {
                    engine.control(timing.min(frames.saturating_sub(1) as u32), channel, said);
                }
                None => self.notes.take(&event, frames),
            }
        }
        let moves = &mut self.moves;
        let mut moved = 0;
        params.take_moves(now, |one| {
            moves[moved] = one;
            moved += 1;
        });

        let transport = self.follow.transport(context.transport(), frames, self.config);
        engine.process(Block {
            left,
            right,
            now,
            drive: Drive::Host(transport),
            params: &self.moves[..moved],
            notes: self.notes.block(),
            midi_out: &mut self.midi_out,
        });
        self.notes.turn_over();
        send_notes(&self.midi_out, context);
    }
}

/// Gives the engine's notes to the host; a host without room for them loses them, as it asked.
fn send_notes<P: Plugin>(notes: &MidiBuffer, context: &mut impl ProcessContext<P>) {
    use nice_plug::midi::{Channel, Key, VoiceID};
    for note in notes.notes() {
        let (timing, voice_id) = (note.frame, VoiceID::Wildcard);
        let (channel, key) = (Channel::Number(note.channel), Key::Number(note.note));
        let event = if note.velocity > 0.0 {
            NoteEvent::NoteOn { timing, voice_id, channel, key, velocity: note.velocity }
        } else {
            NoteEvent::NoteOff { timing, voice_id, channel, key, velocity: 0.0 }
        };
        let _ = context.try_send_event(event);
    }
}

/// What the engine needs to know of a host's transport.
fn host_transport(transport: &Transport) -> HostTransport {
    let metre = transport.time_sig_numerator.zip(transport.time_sig_denominator);
    HostTransport {
        playing: transport.playing,
        quarters: transport.pos_beats(),
        bpm: transport.tempo,
        metre: metre.and_then(|(beats, unit)| Some((beats.try_into().ok()?, unit.try_into().ok()?))),
        loop_range: transport.loop_range_beats(),
    }
}
