//! The song as plain data: tracks, patterns, parameter values, arrangement, musical context, and the
//! edits that change them.
//!
//! Thread: any; everything but [`text`], [`Grid`] and [`capture`] is fixed-size and allocation-free once made, so
//! that the engine holds a [`Song`] itself and applies the same [`Edit`]s as every replica.
//! Invariant: two songs with the same edits in the same order are equal, bit for bit.

mod arrangement;
mod bars;
mod capture;
mod chance;
mod context;
mod difference;
mod digest;
mod edit;
mod file_id;
mod grid;
pub mod groove;
mod harmony;
mod kit;
mod name;
mod part;
pub mod presets;
mod schema;
pub mod score;
mod song;
pub mod text;
mod track;

pub use arrangement::{
    Clip, ClipField, ClipRegister, ClipSource, MAX_BARS, MAX_CLIPS, MAX_SCENES, MAX_SECTIONS, Scene,
    SceneField, SceneRegister, Section, SectionField, SectionRegister,
};
pub use bars::{Bar, Bars, Metres};
pub use capture::{CaptureError, capture};
pub use chance::{chance, hash};
pub use context::{
    Chord, ChordChange, ChordKind, Context, ContextField, ContextRegister, MAX_CHORD_BEAT, MAX_CHORDS,
    MAX_METRES, Metre, MetreChange, Scale,
};
pub use edit::{Edit, EditError, Register};
pub use file_id::{FileId, FileIdError};
pub use grid::{Grid, GridEdit};
pub use kit::{Voice, VoiceChoice, default_voice, voice_named, voice_of};
pub use name::{Name, NameError};
pub use part::{CHOKE_GROUPS, Choke, Follow, MidiMode};
pub use schema::{Bounds, Class, Priority, Spec, Strategy};
pub use song::Song;
pub use track::{
    Condition, LANES, Locks, MAX_GATE, MAX_PATTERNS, MAX_STEPS, Order, Overflow, Pattern, PatternField,
    PatternIndex, PatternRegister, Pitch, Rate, Step, StepField, StepRegister, Track, TrackField, TrackId,
    TrackRegister, Trig,
};
