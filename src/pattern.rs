//! The song as plain data: tracks, steps, parameter values, and the edits that change them.
//!
//! Thread: any; everything but [`text`] is fixed-size and allocation-free, so that the engine
//! holds a [`Song`] itself and applies the same [`Edit`]s as every replica. Invariant: two songs
//! with the same edits in the same order are equal, bit for bit.

mod chance;
mod edit;
mod kit;
mod name;
mod song;
pub mod text;
mod track;

pub use chance::{chance, hash};
pub use edit::{Edit, EditError, Register, StepField, StepRegister, TrackField, TrackRegister};
pub use kit::{Voice, VoiceChoice, default_voice, voice_named};
pub use name::{Name, NameError};
pub use song::Song;
pub use track::{MAX_STEPS, Overflow, Pitch, Step, Track};
