//! Frames as bytes.

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
    // postcard trusts no announced length beyond the bytes that are left.
    let (frame, rest) = postcard::take_from_bytes(bytes).map_err(WireError::Malformed)?;
    if rest.is_empty() { Ok(frame) } else { Err(WireError::Trailing(rest.len())) }
}
