//! Frames as bytes.

use postcard::Deserializer;
use postcard::de_flavors::{Flavor, Slice};
use serde::{Serialize, de::DeserializeOwned};
use thiserror::Error;

use super::{Down, MAX_FRAME, Up};

/// Why a frame cannot travel, or bytes are no frame.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum WireError {
    /// More than [`MAX_FRAME`] bytes.
    #[error("a frame of {0} bytes is too large: at most {MAX_FRAME}")]
    TooLarge(usize),
    /// The bytes are no frame of this kind.
    #[error("the bytes are no frame: {0}")]
    Malformed(postcard::Error),
    /// The bytes go on after the frame.
    #[error("{0} bytes follow the frame")]
    Trailing(usize),
    /// A part of a snapshot came out of turn, or there are more bytes than were announced.
    #[error("a part of a snapshot came out of turn")]
    Part,
}

/// A client's frame as bytes: its type byte, then postcard.
///
/// # Errors
/// Too large to travel.
pub fn encode_up(frame: &Up) -> Result<Vec<u8>, WireError> {
    encode(frame)
}

/// A server's frame as bytes.
///
/// # Errors
/// Too large to travel; [`super::frames`] splits what may be split.
pub fn encode_down(frame: &Down) -> Result<Vec<u8>, WireError> {
    encode(frame)
}

/// Reads a client's frame. Nothing musical is checked: the sequencer does that.
///
/// # Errors
/// Too large, not a frame, or more than a frame.
pub fn decode_up(bytes: &[u8]) -> Result<Up, WireError> {
    decode(bytes)
}

/// Reads a server's frame.
///
/// # Errors
/// As [`decode_up`].
pub fn decode_down(bytes: &[u8]) -> Result<Down, WireError> {
    decode(bytes)
}

fn encode(frame: &impl Serialize) -> Result<Vec<u8>, WireError> {
    // Both enums have fewer than 128 variants, so postcard's index is the one type byte.
    let bytes = postcard::to_stdvec(frame).map_err(WireError::Malformed)?;
    if bytes.len() > MAX_FRAME { Err(WireError::TooLarge(bytes.len())) } else { Ok(bytes) }
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, WireError> {
    if bytes.len() > MAX_FRAME {
        return Err(WireError::TooLarge(bytes.len()));
    }
    let mut reader = Deserializer::from_flavor(Wary(Slice::new(bytes)));
    let frame = T::deserialize(&mut reader).map_err(WireError::Malformed)?;
    let rest = reader.finalize().map_err(WireError::Malformed)?;
    if rest.is_empty() { Ok(frame) } else { Err(WireError::Trailing(rest.len())) }
}

/// Reads from a slice and promises nothing of how much is left, so that no list is given room for
/// more elements than have been read: a short frame that announces a long list costs nothing.
struct Wary<'de>(Slice<'de>);

impl<'de> Flavor<'de> for Wary<'de> {
    type Remainder = &'de [u8];
    type Source = &'de [u8];

    fn pop(&mut self) -> postcard::Result<u8> {
        self.0.pop()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(0)
    }

    fn try_take_n(&mut self, count: usize) -> postcard::Result<&'de [u8]> {
        self.0.try_take_n(count)
    }

    fn finalize(self) -> postcard::Result<&'de [u8]> {
        self.0.finalize()
    }
}
