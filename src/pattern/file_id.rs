//! Which file a sampler plays: a name that the file's content gives.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

/// The SHA-256 of a sample file in its canonical form (`wire::sample_file`): equal on every machine
/// for equal sound, and the sound's own check.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub [u8; 32]);

/// Text that is no [`FileId`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("a sample file is named by the 64 hexadecimal digits of its content's SHA-256")]
pub struct FileIdError;

impl FileId {
    /// The beginning of its digits, enough for a person to tell files apart.
    pub fn short(&self) -> String {
        self.0[..4].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Display for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.short())
    }
}

impl FromStr for FileId {
    type Err = FileIdError;

    fn from_str(text: &str) -> Result<FileId, FileIdError> {
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return Err(FileIdError);
        }
        let digit = |byte: u8| char::from(byte).to_digit(16).ok_or(FileIdError);
        let mut id = [0; 32];
        for (to, pair) in id.iter_mut().zip(digits.chunks_exact(2)) {
            *to = (digit(pair[0])? << 4 | digit(pair[1])?) as u8;
        }
        Ok(FileId(id))
    }
}

impl Serialize for FileId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match serializer.is_human_readable() {
            true => serializer.collect_str(self),
            false => self.0.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for FileId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<FileId, D::Error> {
        if !deserializer.is_human_readable() {
            return <[u8; 32]>::deserialize(deserializer).map(FileId);
        }
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_read_as_they_are_written() {
        let id = FileId(std::array::from_fn(|at| at as u8 * 7));
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.to_string().to_uppercase().parse(), Ok(id));
        for wrong in ["", "12", &"g".repeat(64), &"0".repeat(63), &"é".repeat(32)] {
            assert_eq!(wrong.parse::<FileId>(), Err(FileIdError), "{wrong}");
        }
    }
}
