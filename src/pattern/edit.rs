//! One change of one register of the song.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{MAX_STEPS, Name, Overflow, Pitch, Step, Track};
use crate::param::{OutOfRange, Slot, TrackIndex};

/// A write of one register: small, `Copy`, the same on the wire and on the audio thread.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Edit {
    /// The seed of all chance.
    Seed(u32),
    /// A parameter.
    Param {
        /// Whose and which.
        slot: Slot,
        /// Its new value, within the table's range.
        value: f32,
    },
    /// A cell of the grid.
    Step {
        /// The track.
        track: TrackIndex,
        /// The cell, 0 to 63.
        step: u8,
        /// What of it, and its new value.
        field: StepField,
    },
    /// A track.
    Track {
        /// The track.
        track: TrackIndex,
        /// What of it, and its new value.
        field: TrackField,
    },
}

/// A field of a [`Step`] with its new value.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum StepField {
    /// [`Step::on`].
    On(bool),
    /// [`Step::velocity`].
    Velocity(f32),
    /// [`Step::note`].
    Note(Option<u8>),
    /// [`Step::probability`].
    Probability(f32),
    /// [`Step::ratchet`].
    Ratchet(u8),
    /// [`Step::micro`].
    Micro(i8),
}

/// A field of a [`Track`] with its new value.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum TrackField {
    /// [`Track::alive`].
    Alive(bool),
    /// [`Track::name`].
    Name(Name),
    /// [`Track::sample`].
    Sample(Name),
    /// [`Track::pitch`].
    Pitch(Option<Pitch>),
    /// [`Track::length`].
    Length(u8),
    /// [`Track::overflow`].
    Overflow(Overflow),
    /// [`Track::groove_steps`].
    GrooveSteps(u64),
    /// [`Track::groove_template`].
    GrooveTemplate(Name),
}

/// What an [`Edit`] writes to: the key of the session's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Register {
    /// The seed.
    Seed,
    /// A field of a track.
    Track(TrackIndex, TrackRegister),
    /// A field of a cell.
    Step(TrackIndex, u8, StepRegister),
    /// A parameter.
    Param(Slot),
}

/// The fields of a cell, as keys.
#[allow(missing_docs)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum StepRegister {
    On,
    Velocity,
    Note,
    Probability,
    Ratchet,
    Micro,
}

/// The fields of a track, as keys.
#[allow(missing_docs)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum TrackRegister {
    Alive,
    Name,
    Sample,
    Pitch,
    Length,
    Overflow,
    GrooveSteps,
    GrooveTemplate,
}

/// Why an edit was refused.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum EditError {
    /// A track past the last.
    #[error("there is no track {0}: tracks are 0 to 15")]
    NoTrack(usize),
    /// A parameter slot past the last.
    #[error("there is no such parameter slot")]
    NoSlot,
    /// A step past the last.
    #[error("there is no step {0}: steps are 0 to 63")]
    NoStep(u8),
    /// A parameter outside its range.
    #[error(transparent)]
    Param(#[from] OutOfRange),
    /// Another field outside its range.
    #[error("{field} is outside {range}")]
    Field {
        /// Which.
        field: &'static str,
        /// What it may be.
        range: &'static str,
    },
}

impl Edit {
    /// What it writes to.
    pub fn register(&self) -> Register {
        match *self {
            Edit::Seed(_) => Register::Seed,
            Edit::Param { slot, .. } => Register::Param(slot),
            Edit::Step { track, step, field } => Register::Step(track, step, field.register()),
            Edit::Track { track, field } => Register::Track(track, field.register()),
        }
    }

    /// Checks an edit from outside and returns it in canonical bits (no −0).
    ///
    /// # Errors
    /// Says which bound it breaks.
    pub fn check(self) -> Result<Edit, EditError> {
        match self {
            Edit::Seed(_) => Ok(self),
            Edit::Param { slot, value } => {
                if !slot.is_valid() {
                    return Err(EditError::NoSlot);
                }
                Ok(Edit::Param { slot, value: slot.spec().check(value)? })
            }
            Edit::Step { track, step, field } => {
                check_track(track)?;
                if usize::from(step) >= MAX_STEPS {
                    return Err(EditError::NoStep(step));
                }
                Ok(Edit::Step { track, step, field: field.check()? })
            }
            Edit::Track { track, field } => {
                check_track(track)?;
                field.check()?;
                Ok(self)
            }
        }
    }
}

fn check_track(track: TrackIndex) -> Result<(), EditError> {
    if track.is_valid() { Ok(()) } else { Err(EditError::NoTrack(track.get())) }
}

fn within(holds: bool, field: &'static str, range: &'static str) -> Result<(), EditError> {
    if holds { Ok(()) } else { Err(EditError::Field { field, range }) }
}

impl StepField {
    /// Every field of a cell.
    pub fn all(step: &Step) -> [StepField; 6] {
        [
            StepField::On(step.on),
            StepField::Velocity(step.velocity),
            StepField::Note(step.note),
            StepField::Probability(step.probability),
            StepField::Ratchet(step.ratchet),
            StepField::Micro(step.micro),
        ]
    }

    /// Writes it to a cell.
    ///
    /// Realtime-safe: yes.
    pub fn write(self, cell: &mut Step) {
        match self {
            StepField::On(on) => cell.on = on,
            StepField::Velocity(velocity) => cell.velocity = velocity,
            StepField::Note(note) => cell.note = note,
            StepField::Probability(probability) => cell.probability = probability,
            StepField::Ratchet(ratchet) => cell.ratchet = ratchet,
            StepField::Micro(micro) => cell.micro = micro,
        }
    }

    /// Its key.
    pub fn register(&self) -> StepRegister {
        match self {
            StepField::On(_) => StepRegister::On,
            StepField::Velocity(_) => StepRegister::Velocity,
            StepField::Note(_) => StepRegister::Note,
            StepField::Probability(_) => StepRegister::Probability,
            StepField::Ratchet(_) => StepRegister::Ratchet,
            StepField::Micro(_) => StepRegister::Micro,
        }
    }

    fn check(self) -> Result<StepField, EditError> {
        let unit = 0.0..=1.0;
        match self {
            StepField::On(_) => {}
            StepField::Velocity(v) => within(unit.contains(&v), "velocity", "0 to 1")?,
            StepField::Note(note) => within(note.is_none_or(|n| n < 128), "note", "0 to 127")?,
            StepField::Probability(p) => within(unit.contains(&p), "probability", "0 to 1")?,
            StepField::Ratchet(n) => within((1..=8).contains(&n), "ratchet", "1 to 8")?,
            StepField::Micro(m) => within((-50..=50).contains(&m), "micro-timing", "−50 to 50")?,
        }
        Ok(match self {
            StepField::Velocity(0.0) => StepField::Velocity(0.0),
            StepField::Probability(0.0) => StepField::Probability(0.0),
            other => other,
        })
    }
}

impl TrackField {
    /// Every field of a track but its steps.
    pub fn all(track: &Track) -> [TrackField; 8] {
        [
            TrackField::Alive(track.alive),
            TrackField::Name(track.name),
            TrackField::Sample(track.sample),
            TrackField::Pitch(track.pitch),
            TrackField::Length(track.length),
            TrackField::Overflow(track.overflow),
            TrackField::GrooveSteps(track.groove_steps),
            TrackField::GrooveTemplate(track.groove_template),
        ]
    }

    /// Its key.
    pub fn register(&self) -> TrackRegister {
        match self {
            TrackField::Alive(_) => TrackRegister::Alive,
            TrackField::Name(_) => TrackRegister::Name,
            TrackField::Sample(_) => TrackRegister::Sample,
            TrackField::Pitch(_) => TrackRegister::Pitch,
            TrackField::Length(_) => TrackRegister::Length,
            TrackField::Overflow(_) => TrackRegister::Overflow,
            TrackField::GrooveSteps(_) => TrackRegister::GrooveSteps,
            TrackField::GrooveTemplate(_) => TrackRegister::GrooveTemplate,
        }
    }

    fn check(&self) -> Result<(), EditError> {
        match *self {
            TrackField::Pitch(Some(Pitch::Note(note))) => within(note < 128, "pitch", "0 to 127"),
            TrackField::Pitch(Some(Pitch::Hertz(hertz))) => {
                within((20.0..=20_000.0).contains(&hertz), "pitch", "20 to 20000 Hz")
            }
            TrackField::Length(n) => {
                within((1..=MAX_STEPS).contains(&usize::from(n)), "length", "1 to 64 steps")
            }
            _ => Ok(()),
        }
    }
}
