//! What one musician changes of the sound for themselves alone: plain data, checked.
//!
//! Thread: any. Invariant: nothing here is part of the song, a hash or a fingerprint.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::param::{OutOfRange, Owner, Param, Slot, TrackIndex};

/// The least trim in dB.
pub const MIN_TRIM_DB: f32 = -24.0;
/// The greatest trim in dB.
pub const MAX_TRIM_DB: f32 = 12.0;

/// One write of a musician's own mix.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum PersonalEdit {
    /// A track, or with [`Owner::Master`] the whole own mix, louder or softer here.
    Trim {
        /// Whose.
        owner: Owner,
        /// [`MIN_TRIM_DB`] to [`MAX_TRIM_DB`].
        db: f32,
    },
    /// A track silent here, its sends included.
    Mute {
        /// Which.
        track: TrackIndex,
        /// Whether.
        on: bool,
    },
    /// Only such tracks are heard here.
    Solo {
        /// Which.
        track: TrackIndex,
        /// Whether.
        on: bool,
    },
    /// A track's balance here, on top of its pan.
    Pan {
        /// Which.
        track: TrackIndex,
        /// −1 (left alone) to 1 (right alone).
        pan: f32,
    },
    /// A parameter of an effect of one's own, see [`is_personal`].
    Param {
        /// Which.
        slot: Slot,
        /// To what, within the table's range.
        value: f32,
    },
    /// Whether the own mix is what a host's offline bounce gets; otherwise that gets everybody's.
    Bounce(bool),
}

/// Why an edit of one's own mix was refused.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum PersonalError {
    /// A number outside its range.
    #[error("a {what} of {value} lies outside {min} to {max}")]
    Range {
        /// What it is.
        what: &'static str,
        /// What was asked for.
        value: f32,
        /// Least value.
        min: f32,
        /// Greatest value.
        max: f32,
    },
    /// A parameter outside its range.
    #[error(transparent)]
    Param(#[from] OutOfRange),
    /// A parameter that is the song's alone.
    #[error(
        "{0} is the song's alone; of one's own are filter, distort, eq, comp, phaser, delay, chorus, reverb, \
         lfo (but for pan), and the master's limiter.ceiling"
    )]
    Shared(&'static str),
    /// A number that names no track.
    #[error("there is no such track")]
    Track,
}

/// Whether a slot has a counterpart of one's own: the effects of every track and the master, and the
/// master's ceiling.
pub fn is_personal(slot: Slot) -> bool {
    let module = slot.spec().module();
    let effects = ["filter", "distort", "eq", "comp", "phaser", "delay", "chorus", "reverb"];
    match slot.param() {
        Param::Ceiling => slot.owner() == Owner::Master,
        _ => effects.contains(&module) || module.starts_with("lfo.") && module != "lfo.pan",
    }
}

/// The value that changes nothing.
pub fn neutral(slot: Slot) -> f32 {
    if slot.param() == Param::Ceiling { slot.spec().max } else { slot.spec().default }
}

impl PersonalEdit {
    /// Checks an edit from outside.
    ///
    /// # Errors
    /// Says which bound it breaks.
    pub fn check(self) -> Result<PersonalEdit, PersonalError> {
        let within = |what, value: f32, min, max| {
            let held = value >= min && value <= max;
            // −0 and 0 are one value.
            let value = if value == 0.0 { 0.0 } else { value };
            held.then_some(value).ok_or(PersonalError::Range { what, value, min, max })
        };
        let sound = |track: TrackIndex| track.is_valid().then_some(track).ok_or(PersonalError::Track);
        Ok(match self {
            PersonalEdit::Trim { owner, db } => {
                if let Owner::Track(track) = owner {
                    sound(track)?;
                }
                PersonalEdit::Trim { owner, db: within("trim", db, MIN_TRIM_DB, MAX_TRIM_DB)? }
            }
            PersonalEdit::Mute { track, on } => PersonalEdit::Mute { track: sound(track)?, on },
            PersonalEdit::Solo { track, on } => PersonalEdit::Solo { track: sound(track)?, on },
            PersonalEdit::Pan { track, pan } => {
                PersonalEdit::Pan { track: sound(track)?, pan: within("pan", pan, -1.0, 1.0)? }
            }
            PersonalEdit::Param { slot, value } => {
                if !slot.is_valid() || !is_personal(slot) {
                    return Err(PersonalError::Shared(slot.spec().id));
                }
                PersonalEdit::Param { slot, value: slot.spec().check(value)? }
            }
            PersonalEdit::Bounce(on) => PersonalEdit::Bounce(on),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_songs_alone_or_out_of_range_is_refused() {
        let track = TrackIndex::new(3).expect("a track");
        let slot = |param| Slot::new(Owner::Track(track), param);
        let fine = [
            PersonalEdit::Trim { owner: Owner::Master, db: -24.0 },
            PersonalEdit::Pan { track, pan: 1.0 },
            PersonalEdit::Param { slot: slot(Param::FilterFreq), value: 800.0 },
            PersonalEdit::Param { slot: Slot::new(Owner::Master, Param::Ceiling), value: -6.0 },
        ];
        fine.into_iter().for_each(|edit| assert_eq!(edit.check(), Ok(edit)));
        for refused in [
            PersonalEdit::Trim { owner: Owner::Track(track), db: 12.5 },
            PersonalEdit::Trim { owner: Owner::Master, db: f32::NAN },
            PersonalEdit::Pan { track, pan: -1.1 },
            PersonalEdit::Param { slot: slot(Param::Level), value: 0.5 },
            PersonalEdit::Param { slot: slot(Param::LfoPanDepth), value: 0.5 },
            PersonalEdit::Param { slot: slot(Param::Ceiling), value: -6.0 },
            PersonalEdit::Param { slot: slot(Param::FilterFreq), value: 5.0 },
            PersonalEdit::Param { slot: Slot::NONE, value: 0.5 },
        ] {
            assert!(refused.check().is_err(), "{refused:?}");
        }
    }

    #[test]
    fn neutral_values_are_within_their_ranges() {
        for slot in Slot::all().filter(|slot| is_personal(*slot)) {
            let edit = PersonalEdit::Param { slot, value: neutral(slot) };
            assert_eq!(edit.check(), Ok(edit), "{}", slot.spec().id);
        }
    }
}
