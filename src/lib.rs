//! Antiphon: one groove, played together from many studios.
//!
//! Every peer holds the same small musical state, receives the same ordered edits, agrees on the
//! same clock and renders the same audio itself. State travels; audio does not.
//!
//! The crate is built in floors; a module imports only from floors below its own
//! (`cargo xtask tidy` checks it):
//!
//! | floor | module | holds |
//! | --- | --- | --- |
//! | 0 | [`time`] | ticks, tempo, session and host time, canonical sample positions, the clock estimator |
//! | 0 | [`param`] | the one parameter table |
//! | 0 | [`dsp`] | oscillators, filters, envelopes, voices, effects, the resampler |
//! | 1 | [`pattern`] | the song as plain data, its edits, groove, chance, the text notation |
//! | 2 | [`session`] | ops, commits, the sequencer, the replica |
//! | 2 | [`rt`] | the engine on the audio thread and its ports |
//! | 3 | [`wire`] | frames and their bytes; no I/O |
//! | 4 | `client` | network thread, reconnect, outbox, clock probe (feature `client`) |
//! | 4 | `server` | rooms, store, HTTP (feature `server`) |
//! | 5 | `plugin` | host parameters, adapter, editor (feature `plugin`) |
//!
//! Absences that hold: `rt` does not know that replicas exist; `session` reads no clock and draws
//! no randomness; `server` links neither `rt` nor `dsp`; only [`rt::ports`] crosses the audio
//! thread's boundary.
#![warn(missing_docs)]

pub mod dsp;
pub mod param;
pub mod pattern;
pub mod rt;
pub mod session;
pub mod time;
pub mod wire;

#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "plugin")]
pub mod plugin;
#[cfg(feature = "server")]
pub mod server;

#[cfg(feature = "plugin")]
use crate::plugin::Antiphon;
#[cfg(feature = "plugin")]
nice_plug::nice_export_clap!(Antiphon);
#[cfg(feature = "plugin")]
nice_plug::nice_export_vst3!(Antiphon);
