//! Short names that fit on the audio thread.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

/// A word of at most 24 letters, digits, `_` or `-`, not beginning with `-`; stored in lower case.
/// The empty name means "none".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Name {
    length: u8,
    bytes: [u8; Name::MAX],
}

/// A word that cannot be a name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("'{0}' is not a name: at most 24 letters, digits, '_' or '-', not beginning with '-'")]
pub struct NameError(pub String);

impl Name {
    /// The most bytes a name holds.
    pub const MAX: usize = 24;
    /// No name.
    pub const EMPTY: Name = Name { length: 0, bytes: [0; Name::MAX] };

    /// Reads a name; `""` is [`Name::EMPTY`].
    ///
    /// # Errors
    /// Too long, or a character a name cannot hold.
    pub fn new(word: &str) -> Result<Name, NameError> {
        let fits = word.len() <= Name::MAX
            && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
            && !word.starts_with('-');
        if !fits {
            return Err(NameError(word.to_owned()));
        }
        let mut name = Name { length: word.len() as u8, ..Name::EMPTY };
        for (to, from) in name.bytes.iter_mut().zip(word.bytes()) {
            *to = from.to_ascii_lowercase();
        }
        Ok(name)
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        // Only `new` makes names, and it takes ASCII alone.
        std::str::from_utf8(&self.bytes[..usize::from(self.length)]).unwrap_or("")
    }

    /// Whether it is the empty name.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Name, D::Error> {
        let word = String::deserialize(deserializer)?;
        Name::new(&word).map_err(de::Error::custom)
    }
}
