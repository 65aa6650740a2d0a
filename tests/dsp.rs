//! The sound against its written targets.
//!
//! `ANTIPHON_DUMP=<folder>` also writes every measured sound as raw little-endian `f32`, to be
//! looked at.

#[path = "dsp/contract.rs"]
mod contract;
#[path = "dsp/effects.rs"]
mod effects;
#[path = "dsp/limiting.rs"]
mod limiting;
#[path = "support/measure.rs"]
mod measure;
#[path = "dsp/modules.rs"]
mod modules;
#[path = "dsp/resampling.rs"]
mod resampling;
#[path = "dsp/voices.rs"]
mod voices;
