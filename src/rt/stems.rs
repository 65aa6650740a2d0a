//! What each track plays, beside the mix: for renders that nobody waits for.
//!
//! Thread: whichever renders. Invariant: stems count canonical samples from the run's origin, and a
//! track's are what its fingerprint hashes.

use super::mixer::Mixed;
use crate::dsp::QUANTUM;
use crate::param::{MAX_TRACKS, TrackIndex};

/// Each track after its inserts, before fader, pan, mute and sends; canonical samples, 48 kHz.
pub struct Stems {
    /// Left and right, interleaved, by track.
    tracks: Vec<Vec<f32>>,
}

impl Stems {
    /// With room for so many samples between two looks. Allocates; where there is none, it allocates
    /// more, and so is no matter for an audio thread.
    pub fn new(room: usize) -> Box<Stems> {
        let track = || Vec::with_capacity(2 * (room + QUANTUM));
        Box::new(Stems { tracks: (0..MAX_TRACKS).map(|_| track()).collect() })
    }

    /// Takes what a track has played since the last look, left and right interleaved.
    pub fn take(&mut self, track: TrackIndex) -> impl Iterator<Item = f32> + '_ {
        self.tracks[track.get()].drain(..)
    }

    pub(super) fn clear(&mut self) {
        self.tracks.iter_mut().for_each(Vec::clear);
    }

    pub(super) fn push(&mut self, mixed: &Mixed, from: usize) {
        for (at, track) in self.tracks.iter_mut().enumerate() {
            let left = &mixed.tracks[at];
            let right = if mixed.wide & 1 << at != 0 { &mixed.rights[at] } else { left };
            track.extend(left[from..].iter().zip(&right[from..]).flat_map(|(left, right)| [*left, *right]));
        }
    }
}
