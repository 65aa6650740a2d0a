//! Frames and their bytes. No I/O.
//!
//! One WebSocket carries binary frames: a type byte, then postcard. Thread: any.

mod codec;
mod frame;
mod lines;
mod pace;
mod people;
mod sample_file;
mod split;

pub use codec::{WireError, decode_down, decode_up, encode_down, encode_up};
pub use frame::{Down, ErrorCode, Gesture, Hello, Participant, PresenceState, Role, Snapshot, Up, Welcome};
pub use lines::{Gather, LineAsk, LineNews};
pub use pace::{QUIET, commit_interval, gesture_interval};
pub use people::{Ask, GivenInvite, Hidden, InviteInfo, MAX_NOTES, News, PlayedNote};
pub use sample_file::{
    MAX_SAMPLE_FILE, SampleFileError, check_sample_file, decode_sample_file, encode_sample_file,
};
pub use split::{Assembly, frames};

pub use crate::rt::ports::BarFingerprint;
pub use crate::session::MAX_OPS;

/// The most bars of a count-in.
pub const MAX_COUNT_IN: u8 = 4;
/// The most answers in a welcome.
pub const MAX_ANSWERS: usize = 512;
/// How far a leader's time may lie from the server's, in ns.
pub const LEAD_REACH: i64 = 5_000_000_000;

/// The protocol's version; a server refuses others with [`ErrorCode::Version`].
pub const VERSION: u16 = 2;
/// The most bytes a frame may have.
pub const MAX_FRAME: usize = 64 * 1024;
