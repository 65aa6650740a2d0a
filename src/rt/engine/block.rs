//! What an engine is built for, and a block as it is asked for.

use crate::rt::ports::{HostTransport, LiveNote, MidiOut, ParamMove};
use crate::time::HostNanos;

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
    /// A host's transport, of which [`Mode`](crate::rt::ports::Mode) says what it decides.
    Host(HostTransport),
    /// No host: the engine's own transport, moved by [`crate::rt::ports::ToEngine::Timeline`], `Start` and
    /// `Stop`.
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

    pub(in crate::rt) fn clear(&mut self) {
        self.length = 0;
    }

    /// `false` where it is full.
    pub(in crate::rt) fn push(&mut self, note: MidiOut) -> bool {
        let room = self.length < MAX_MIDI_OUT;
        if room {
            self.notes[self.length] = note;
            self.length += 1;
        }
        room
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
    /// Host time at which the block was asked for, stamped by the caller: the engine itself reads no
    /// clock. [`SampleClock`](crate::rt::SampleClock) makes of all stamps when a frame is due.
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
