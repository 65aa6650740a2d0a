//! What is known of every register: its name, bounds, class, strategy, importance and priority.
//!
//! One row a register, beside the field it describes (`fields!`); parameters take theirs from
//! [`crate::param`]. Conflicts, history and the sequencer read nothing else.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Name, Pitch};
use crate::param::{Merge, Param};

/// What kind of thing a register holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Class {
    /// A number on a scale: a mean of two values is a value.
    Continuous,
    /// One of several: a switch, a choice, a place, a count.
    Discrete,
    /// Words.
    Text,
    /// Whether a thing exists: inserted, removed.
    Existence,
}

/// What becomes of two people's concurrent writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Strategy {
    /// The last commit wins; in a merge, the side that comes back.
    LastWrite,
    /// Both count: the weighted mean, in a knob's travel; else the last commit.
    Merge,
    /// The value that plays stays until somebody chooses.
    Manual,
}

/// In which order writes are served where they have to wait; the first first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// A person's edit.
    Edit,
    /// A generator's result.
    Generated,
    /// A parameter's move.
    Parameter,
    /// A cursor, a focus.
    Cursor,
}

/// What a register may hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bounds {
    /// Everything its type can say.
    Any,
    /// Whole numbers, both ends included.
    Whole(i64, i64),
    /// Finite numbers, both ends included.
    Real(f32, f32),
    /// A word, see [`Name`].
    Word,
    /// What the type itself knows, in words.
    Own(&'static str),
}

/// A register's row of the schema.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spec {
    /// Stable name: "step.velocity", "clip.start", a parameter's id.
    pub name: &'static str,
    /// What it may hold.
    pub bounds: Bounds,
    /// What kind of thing it is.
    pub class: Class,
    /// Musical importance, 0 to 1.
    pub importance: f32,
}

impl Strategy {
    /// As scripts write it.
    pub fn word(self) -> &'static str {
        match self {
            Strategy::LastWrite => "last",
            Strategy::Merge => "merge",
            Strategy::Manual => "manual",
        }
    }
}

impl Class {
    /// What becomes of concurrent writes where a session has not decided otherwise.
    pub fn strategy(self) -> Strategy {
        match self {
            Class::Continuous => Strategy::Merge,
            Class::Discrete | Class::Text | Class::Existence => Strategy::LastWrite,
        }
    }
}

impl Spec {
    /// A parameter's row, from its own table.
    pub(super) fn of_param(param: Param) -> Spec {
        let spec = param.spec();
        let class = match spec.merge {
            Merge::Mean => Class::Continuous,
            Merge::LastWrite => Class::Discrete,
        };
        Spec { name: spec.id, bounds: Bounds::Real(spec.min, spec.max), class, importance: spec.importance }
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bounds::Any => f.write_str("what it may be"),
            Bounds::Whole(min, max) => write!(f, "{min} to {max}"),
            Bounds::Real(min, max) => write!(f, "{min} to {max}"),
            Bounds::Word => f.write_str("a word of at most 24 letters"),
            Bounds::Own(said) => f.write_str(said),
        }
    }
}

/// What a field holds.
pub(super) trait Value: Copy {
    /// Whether it lies within bounds.
    fn fits(self, bounds: Bounds) -> bool;

    /// The same value in the bits all peers store: 0 for −0.
    fn canonical(self) -> Self {
        self
    }
}

macro_rules! whole {
    ($($kind:ty),*) => {$(
        impl Value for $kind {
            fn fits(self, bounds: Bounds) -> bool {
                match bounds {
                    Bounds::Whole(min, max) => (min..=max).contains(&i64::from(self)),
                    _ => true,
                }
            }
        }
    )*};
}
whole!(u8, i8, u16, u32);

impl Value for f32 {
    fn fits(self, bounds: Bounds) -> bool {
        match bounds {
            Bounds::Real(min, max) => (min..=max).contains(&self),
            _ => self.is_finite(),
        }
    }

    fn canonical(self) -> f32 {
        if self == 0.0 { 0.0 } else { self }
    }
}

impl<T: Value> Value for Option<T> {
    fn fits(self, bounds: Bounds) -> bool {
        self.is_none_or(|value| value.fits(bounds))
    }

    fn canonical(self) -> Option<T> {
        self.map(T::canonical)
    }
}

impl<T: Value, const N: usize> Value for [T; N] {
    fn fits(self, bounds: Bounds) -> bool {
        self.into_iter().all(|value| value.fits(bounds))
    }

    fn canonical(self) -> [T; N] {
        self.map(T::canonical)
    }
}

/// Types that hold nothing but sound values.
macro_rules! always_sound {
    ($($kind:ty),* $(,)?) => {$(
        impl Value for $kind {
            fn fits(self, _: Bounds) -> bool {
                true
            }
        }
    )*};
}
always_sound!(
    bool,
    u64,
    Name,
    Param,
    super::FileId,
    super::Overflow,
    super::Rate,
    super::Scale,
    super::TrackId,
    super::Order,
    super::PatternIndex,
    super::Follow,
    super::MidiMode,
);

impl Value for Pitch {
    fn fits(self, _: Bounds) -> bool {
        match self {
            Pitch::Note(note) => note < 128,
            Pitch::Hertz(hertz) => (20.0..=20_000.0).contains(&hertz),
        }
    }
}

impl Value for super::Condition {
    fn fits(self, _: Bounds) -> bool {
        self.is_sound()
    }
}

impl Value for super::Choke {
    fn fits(self, _: Bounds) -> bool {
        self.is_sound()
    }
}

impl Value for super::ClipSource {
    fn fits(self, _: Bounds) -> bool {
        self.is_sound()
    }
}

impl Value for super::MetreChange {
    fn fits(self, _: Bounds) -> bool {
        self.is_sound()
    }
}

impl Value for super::ChordChange {
    fn fits(self, _: Bounds) -> bool {
        self.is_sound()
    }
}

/// Makes of one table: the enum of a record's fields with their values, the enum of their keys, and
/// their rows of the schema.
macro_rules! fields {
    (
        $(#[$about:meta])* $field:ident, $(#[$about_key:meta])* $key:ident of $record:ty, count $count:ident;
        $($variant:ident($kind:ty) $member:ident, $name:literal, $bounds:expr, $class:ident, $importance:literal;)*
    ) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        pub enum $field {
            $(#[doc = concat!("`", $name, "`.")] $variant($kind),)*
        }

        $(#[$about_key])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $key {
            $(#[doc = concat!("`", $name, "`.")] $variant,)*
        }

        pub(super) const $count: usize = [$($key::$variant),*].len();

        impl $field {
            /// Every field of a record.
            pub fn all(record: &$record) -> [$field; $count] {
                [$($field::$variant(record.$member)),*]
            }

            /// One field of a record.
            ///
            /// Realtime-safe: yes.
            pub fn read(record: &$record, key: $key) -> $field {
                match key {
                    $($key::$variant => $field::$variant(record.$member),)*
                }
            }

            /// Writes it to a record.
            ///
            /// Realtime-safe: yes.
            pub fn write(self, record: &mut $record) {
                match self {
                    $($field::$variant(value) => record.$member = value,)*
                }
            }

            /// Its key.
            pub fn register(&self) -> $key {
                match self {
                    $($field::$variant(_) => $key::$variant,)*
                }
            }

            /// Within its bounds, and in canonical bits.
            pub(super) fn check(self) -> Result<$field, $crate::pattern::EditError> {
                use $crate::pattern::schema::Value;
                let spec = self.register().spec();
                match self {
                    $($field::$variant(value) if value.fits(spec.bounds) => {
                        Ok($field::$variant(value.canonical()))
                    })*
                    _ => Err($crate::pattern::EditError::Field { field: spec.name, range: spec.bounds }),
                }
            }
        }

        impl $key {
            /// Every key, in order.
            pub const ALL: [$key; $count] = [$($key::$variant),*];

            /// Its row of the schema.
            pub(super) fn spec(self) -> $crate::pattern::Spec {
                use $crate::pattern::{Bounds::*, Class, Spec};
                match self {
                    $($key::$variant => Spec {
                        name: $name,
                        bounds: $bounds,
                        class: Class::$class,
                        importance: $importance,
                    },)*
                }
            }
        }
    };
}
pub(super) use fields;
