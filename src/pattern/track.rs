//! A track: who plays, and its steps.

use serde::{Deserialize, Serialize};

use super::Name;

/// The most steps a pattern holds.
pub const MAX_STEPS: usize = 64;

/// One cell of the grid. A step is a sixteenth note long.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Whether it sounds.
    pub on: bool,
    /// 0 to 1; the notation's `X` is 1, `x` 0.7, `o` 0.3.
    pub velocity: f32,
    /// MIDI note 0 to 127; `None` plays the track's pitch.
    pub note: Option<u8>,
    /// 0 to 1: how often it sounds, decided by [`super::chance()`].
    pub probability: f32,
    /// Equal strokes within the step, 1 to 8.
    pub ratchet: u8,
    /// Early or late, −50 to 50 hundredths of a step.
    pub micro: i8,
}

impl Step {
    /// A rest, as every cell is at first.
    pub const REST: Step =
        Step { on: false, velocity: 0.7, note: None, probability: 1.0, ratchet: 1, micro: 0 };
}

/// What a short pattern does at its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Overflow {
    /// Begins again.
    #[default]
    Loop,
    /// Rests until the song's longest pattern begins again.
    Rest,
}

/// The pitch of a track.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Pitch {
    /// MIDI note 0 to 127.
    Note(u8),
    /// 20 to 20000 Hz.
    Hertz(f32),
}

/// One track of a song: a fixed-size record. Its parameters lie in the song's bank.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Track {
    /// Whether the track is part of the song.
    pub alive: bool,
    /// The notation's id.
    pub name: Name,
    /// The sample's or voice's name; empty takes the id's default voice.
    pub sample: Name,
    /// The pitch of steps without a note of their own; `None` takes the voice's.
    pub pitch: Option<Pitch>,
    /// Steps in the pattern, 1 to 64.
    pub length: u8,
    /// What it does at its end.
    pub overflow: Overflow,
    /// The steps a groove moves: bit n for step n. All odd ones (counted from 0) at first.
    pub groove_steps: u64,
    /// The groove's template; empty for none.
    pub groove_template: Name,
    /// The grid; cells past `length` are kept but do not sound.
    pub steps: [Step; MAX_STEPS],
}

impl Track {
    /// The groove mask of a track nobody has touched: the off-beat sixteenths.
    pub const ODD_STEPS: u64 = 0xAAAA_AAAA_AAAA_AAAA;

    /// An unused track.
    pub const UNUSED: Track = Track {
        alive: false,
        name: Name::EMPTY,
        sample: Name::EMPTY,
        pitch: None,
        length: 16,
        overflow: Overflow::Loop,
        groove_steps: Track::ODD_STEPS,
        groove_template: Name::EMPTY,
        steps: [Step::REST; MAX_STEPS],
    };
}
