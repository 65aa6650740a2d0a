//! The one parameter table: what every parameter is called, how far it goes, and how it merges.
//!
//! Host parameters, wire, editor and text notation all read it. Thread: any. Invariant: an `id`
//! never changes its meaning once released; new parameters go to the end of [`Param`].

mod table;

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use table::{PARAM_COUNT, Param};

/// The most tracks a song has.
pub const MAX_TRACKS: usize = 16;
/// Owners of parameters: every track, then the master.
pub const OWNER_COUNT: usize = MAX_TRACKS + 1;
/// Parameter slots of a session.
pub const SLOT_COUNT: usize = OWNER_COUNT * PARAM_COUNT;

/// A track's place in the song, 0 to 15.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TrackIndex(u8);

impl TrackIndex {
    /// The track at a place; `None` past the last.
    pub fn new(index: usize) -> Option<TrackIndex> {
        (index < MAX_TRACKS).then_some(TrackIndex(index as u8))
    }

    /// Every track's place, in order.
    pub fn all() -> impl Iterator<Item = TrackIndex> {
        (0..MAX_TRACKS as u8).map(TrackIndex)
    }

    /// As an index. Saturates, so that a value decoded from a frame can never leave the song.
    pub fn get(self) -> usize {
        usize::from(self.0).min(MAX_TRACKS - 1)
    }

    /// Whether the value (perhaps decoded from a frame) names a track.
    pub fn is_valid(self) -> bool {
        usize::from(self.0) < MAX_TRACKS
    }
}

/// Whose parameter it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Owner {
    /// A track.
    Track(TrackIndex),
    /// The master.
    Master,
}

impl Owner {
    /// Its row in the parameter bank.
    pub fn row(self) -> usize {
        match self {
            Owner::Track(track) => track.get(),
            Owner::Master => MAX_TRACKS,
        }
    }
}

/// One parameter of one owner: its index in the parameter bank and on the wire. Parameters lie one
/// after the other, each with all its owners, so that a new one moves no other's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Slot(u16);

impl Slot {
    /// No slot: what a number that names none is read as. Not valid.
    pub const NONE: Slot = Slot(u16::MAX);

    /// The slot of an owner's parameter.
    pub fn new(owner: Owner, param: Param) -> Slot {
        Slot((param as usize * OWNER_COUNT + owner.row()) as u16)
    }

    /// The slot at a bank index; `None` past the last.
    pub fn from_index(index: usize) -> Option<Slot> {
        (index < SLOT_COUNT).then_some(Slot(index as u16))
    }

    /// Every slot, in order.
    pub fn all() -> impl Iterator<Item = Slot> {
        (0..SLOT_COUNT as u16).map(Slot)
    }

    /// As an index into the bank. Saturates, as [`TrackIndex::get`] does.
    pub fn index(self) -> usize {
        usize::from(self.0).min(SLOT_COUNT - 1)
    }

    /// Whether the value (perhaps decoded from a frame) names a slot.
    pub fn is_valid(self) -> bool {
        usize::from(self.0) < SLOT_COUNT
    }

    /// Whose it is.
    pub fn owner(self) -> Owner {
        match TrackIndex::new(self.index() % OWNER_COUNT) {
            Some(track) => Owner::Track(track),
            None => Owner::Master,
        }
    }

    /// Which of its owner's parameters.
    pub fn param(self) -> Param {
        Param::ALL[self.index() / OWNER_COUNT]
    }

    /// Its row of the table.
    pub fn spec(self) -> &'static ParamSpec {
        self.param().spec()
    }
}

/// What a number stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A bare number or fraction.
    None,
    /// A fader position, shown in dB: 0.8 is 0 dB, gain = (value / 0.8)².
    Fader,
    /// Decibels.
    Decibels,
    /// Hertz.
    Hertz,
    /// Seconds.
    Seconds,
    /// Semitones.
    Semitones,
    /// A ratio n : 1.
    Ratio,
    /// Off (0) or on (1).
    Switch,
    /// One of these words; the value is the word's index.
    Words(&'static [&'static str]),
}

/// How a knob's travel maps to the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taper {
    /// In proportion.
    Linear,
    /// In equal ratios; the range lies above 0.
    Log,
    /// In whole numbers.
    Stepped,
}

/// How two people's simultaneous changes become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merge {
    /// A weighted mean in tapered units.
    Mean,
    /// The last commit wins.
    LastWrite,
}

/// One row of the table.
#[derive(Debug)]
pub struct ParamSpec {
    /// Stable id within its owner, as in `kick.filter.freq`; the part before the dot is the
    /// notation's module.
    pub id: &'static str,
    /// What a person reads.
    pub name: &'static str,
    /// Least value.
    pub min: f32,
    /// Greatest value.
    pub max: f32,
    /// The value of a parameter nobody has touched; it changes nothing in the sound.
    pub default: f32,
    /// The value where the notation names the module and leaves this parameter out.
    pub stated: f32,
    /// What the number stands for.
    pub unit: Unit,
    /// How a knob's travel maps to it.
    pub taper: Taper,
    /// How simultaneous changes merge.
    pub merge: Merge,
    /// Musical importance, 0 to 1: how much a merge leans to the later hand.
    pub importance: f32,
}

/// A value outside a parameter's range.
#[derive(Clone, Debug, PartialEq, Error)]
#[error("{id} = {value} is outside {min} to {max}")]
pub struct OutOfRange {
    /// The parameter's id.
    pub id: &'static str,
    /// What was asked for.
    pub value: f32,
    /// Least value.
    pub min: f32,
    /// Greatest value.
    pub max: f32,
}

impl ParamSpec {
    /// Checks a value from outside; stepped parameters take whole numbers only.
    ///
    /// # Errors
    /// Outside the range, not finite, or a fraction where whole numbers are asked for.
    pub fn check(&self, value: f32) -> Result<f32, OutOfRange> {
        let whole = self.taper != Taper::Stepped || value == (value as i32) as f32;
        if value >= self.min && value <= self.max && whole {
            // −0 and 0 are one value, so that equal states have equal bits.
            Ok(if value == 0.0 { 0.0 } else { value })
        } else {
            Err(OutOfRange { id: self.id, value, min: self.min, max: self.max })
        }
    }

    /// A knob's travel (0 to 1) as a value.
    pub fn value_at(&self, travel: f32) -> f32 {
        let travel = travel.clamp(0.0, 1.0);
        let value = match self.taper {
            Taper::Linear => self.min + (self.max - self.min) * travel,
            Taper::Log => self.min * libm::powf(self.max / self.min, travel),
            Taper::Stepped => libm::roundf(self.min + (self.max - self.min) * travel),
        };
        value.clamp(self.min, self.max)
    }

    /// A value as a knob's travel (0 to 1).
    pub fn travel_of(&self, value: f32) -> f32 {
        let value = value.clamp(self.min, self.max);
        let travel = match self.taper {
            Taper::Log => libm::logf(value / self.min) / libm::logf(self.max / self.min),
            Taper::Linear | Taper::Stepped => (value - self.min) / (self.max - self.min),
        };
        travel.clamp(0.0, 1.0)
    }

    /// The notation's module this belongs to: `filter` of `filter.freq`, or the whole id.
    pub fn module(&self) -> &'static str {
        self.id.rsplit_once('.').map_or(self.id, |(module, _)| module)
    }

    /// A value with its unit, as a person reads it.
    pub fn display(&self, value: f32) -> impl fmt::Display + use<> {
        Shown { unit: self.unit, value, stepped: self.taper == Taper::Stepped }
    }
}

/// Gain of a fader position: (value / 0.8)², so 0.8 is unity and 1.0 is +3.9 dB.
pub fn fader_gain(value: f32) -> f32 {
    let ratio = value * 1.25;
    ratio * ratio
}

struct Shown {
    unit: Unit,
    value: f32,
    stepped: bool,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.value;
        match self.unit {
            Unit::Fader if value <= 0.0 => f.write_str("−∞ dB"),
            Unit::Fader => write!(f, "{:+.1} dB", 20.0 * libm::log10f(fader_gain(value))),
            Unit::Decibels => write!(f, "{value:+.1} dB"),
            Unit::Hertz if value >= 1000.0 => write!(f, "{:.2} kHz", value / 1000.0),
            Unit::Hertz => write!(f, "{value:.1} Hz"),
            Unit::Seconds if value < 1.0 => write!(f, "{:.1} ms", value * 1000.0),
            Unit::Seconds => write!(f, "{value:.2} s"),
            Unit::Semitones => write!(f, "{value:+.2} st"),
            Unit::Ratio => write!(f, "{value:.1} : 1"),
            Unit::Switch => f.write_str(if value >= 0.5 { "on" } else { "off" }),
            Unit::Words(words) => f.write_str(words.get(value as usize).unwrap_or(&"?")),
            Unit::None if self.stepped => write!(f, "{value:+}"),
            Unit::None => write!(f, "{value:.2}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sound() {
        let mut ids = std::collections::BTreeSet::new();
        for param in Param::ALL {
            let spec = param.spec();
            assert!(ids.insert(spec.id), "{} stands twice", spec.id);
            assert!(spec.check(spec.default).is_ok(), "{} default", spec.id);
            assert!(spec.check(spec.stated).is_ok(), "{} stated", spec.id);
            assert!(spec.taper != Taper::Log || spec.min > 0.0, "{} log range", spec.id);
            let back = spec.value_at(spec.travel_of(spec.default));
            assert!((back - spec.default).abs() <= 1e-3 * (spec.max - spec.min), "{} travel", spec.id);
            assert_eq!(Param::by_id(spec.id), Some(param));
        }
    }

    #[test]
    fn every_slot_finds_its_owner_and_parameter() {
        for slot in Slot::all() {
            assert_eq!(Slot::new(slot.owner(), slot.param()), slot);
        }
    }
}
