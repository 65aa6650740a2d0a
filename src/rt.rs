//! The engine on the audio thread.
//!
//! Thread: audio, for everything reachable from [`Engine::process`]. Invariant (the determinism
//! contract): the same engine input gives the same canonical samples, whatever the block size, the
//! device's rate and the machine.

mod buses;
pub mod controls;
mod cues;
mod echoes;
mod engine;
mod fader;
mod files;
mod fingerprint;
mod inserts;
mod instrument;
mod locked;
mod master;
mod metronome;
mod midi;
mod mixer;
mod mode;
mod modulation;
mod notes;
mod outbox;
mod output;
mod own_mix;
mod pending;
pub mod personal;
mod player;
pub mod ports;
mod ramp;
mod renderer;
mod sample_clock;
mod scheduler;
mod session_lock;
mod sides;
mod space;
mod stems;
mod synced;
mod timed;
mod timeline;
mod transport;

pub use engine::{Block, Drive, Engine, EngineConfig, MAX_MIDI_OUT, MidiBuffer};
pub use files::FILES;
pub use instrument::own_note;
pub use own_mix::{OwnEffects, OwnMix};
pub use player::notes_of;
pub use sample_clock::SampleClock;
pub use stems::Stems;

/// Part of every input key: grows with each change that alters a sample.
pub const ENGINE_VERSION: u32 = 5;
