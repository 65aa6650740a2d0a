//! The host's position, with nice-plug's double offset taken off.
//!
//! A transport event inside a host's block carries the position *at the event*; nice-plug adds the
//! event's distance from the block's beginning again. Our own count of samples tells such a
//! position from a real jump: it lies ahead of where the count is by exactly the samples since one
//! of the last pieces began, and a real locate hardly ever does.

use nice_plug::prelude::Transport;

use super::host_transport;
use crate::rt::EngineConfig;
use crate::rt::ports::HostTransport;

/// Pieces of one host block that are remembered; more transport events in one block are rare.
const PIECES: usize = 16;

/// Counts on from the host's position, piece by piece.
#[derive(Debug, Default)]
pub struct Follow {
    /// Where the next piece should begin in quarter notes, while the host plays.
    expected: Option<f64>,
    /// Frames of the last pieces, newest first.
    pieces: [usize; PIECES],
}

impl Follow {
    /// The transport at the beginning of a piece of `frames`. *Realtime-safe: yes.*
    pub fn transport(&mut self, told: &Transport, frames: usize, config: EngineConfig) -> HostTransport {
        let mut transport = host_transport(told);
        let quarters_a_frame = transport.bpm.map_or(0.0, |bpm| bpm / (60.0 * config.rate));
        if let (true, Some(quarters), Some(expected)) = (transport.playing, transport.quarters, self.expected)
            && self.is_offset_twice((quarters - expected) / quarters_a_frame, config.max_block)
        {
            transport.quarters = Some(expected);
        }
        self.expected = match transport.quarters {
            Some(quarters) if transport.playing => Some(quarters + frames as f64 * quarters_a_frame),
            _ => None,
        };
        self.pieces.rotate_right(1);
        self.pieces[0] = frames;
        transport
    }

    /// Whether being `ahead` frames of our own count is what a doubled offset looks like.
    fn is_offset_twice(&self, ahead: f64, max_block: usize) -> bool {
        let mut since = 0;
        self.pieces.iter().take_while(|&&frames| frames > 0).any(|frames| {
            since += frames;
            since < max_block && (ahead - since as f64).abs() < 0.5
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: EngineConfig = EngineConfig { rate: 48_000.0, max_block: 512 };

    fn playing(quarters: f64) -> Transport {
        let mut transport = Transport::new(48_000.0);
        transport.playing = true;
        transport.tempo = Some(120.0);
        transport.pos_beats = Some(quarters);
        transport
    }

    #[test]
    fn a_doubled_offset_is_taken_off_and_a_jump_is_kept() {
        let frame = 120.0 / 60.0 / 48_000.0;
        let mut follow = Follow::default();
        follow.transport(&playing(0.0), 512, CONFIG);
        // The next host block, split at 100 by a transport event that says where frame 100 is.
        follow.transport(&playing(512.0 * frame), 100, CONFIG);
        let split = follow.transport(&playing(712.0 * frame), 412, CONFIG);
        assert!((split.quarters.unwrap() - 612.0 * frame).abs() < 1e-9);
        let next = follow.transport(&playing(1024.0 * frame), 512, CONFIG);
        assert_eq!(next.quarters, Some(1024.0 * frame));
        let jump = follow.transport(&playing(8.0), 512, CONFIG);
        assert_eq!(jump.quarters, Some(8.0));
    }
}
