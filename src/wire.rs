//! Frames and their bytes. No I/O.
//!
//! One WebSocket carries binary frames: a type byte, then postcard. Thread: any.

mod frame;

pub use frame::{
    Down, ErrorCode, Gesture, Hello, Participant, PresenceState, Role, Snapshot, Up, Welcome, WireCommit,
};

/// The protocol's version; a server refuses others with [`ErrorCode::Version`].
pub const VERSION: u16 = 1;
/// The most bytes a frame may have.
pub const MAX_FRAME: usize = 64 * 1024;
/// The most ops a frame may hold.
pub const MAX_OPS: usize = 256;
