//! Frames to clients as bytes that many sockets share.

use tokio_tungstenite::tungstenite::Bytes;

use super::metrics;
use crate::wire::{Down, ErrorCode, frames};

/// A frame as it travels: encoded once, in several parts where it is too large for one, to be sent
/// with nothing between them.
pub fn encoded(down: Down) -> Vec<Bytes> {
    match frames(down) {
        Ok(parts) => parts.into_iter().map(Bytes::from).collect(),
        Err(error) => {
            // Every list that goes in has a bound that fits. Should one be wrong, the client
            // misses this frame, and nobody else is harmed.
            tracing::error!(%error, "a frame could not be encoded");
            Vec::new()
        }
    }
}

/// An error as a frame, counted.
pub fn error_frame(code: ErrorCode, message: impl Into<String>, fatal: bool) -> Vec<Bytes> {
    metrics::error(code);
    encoded(Down::Error { code, message: message.into(), fatal })
}
