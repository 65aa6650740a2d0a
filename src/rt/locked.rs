//! Parameters that steps have locked: what sounds instead of what a slot holds, from the step's
//! onset to the onset of the track's next step.
//!
//! Thread: audio. Realtime-safe: yes. Invariant: the song itself is not touched; a slot takes its
//! own value again with the first step that does not lock it.

use std::ops::Deref;

use crate::param::{MAX_TRACKS, Owner, Param, TrackIndex};
use crate::pattern::{LANES, PatternIndex, Song};

/// What a track's last step locks.
type Locks = [Option<(Param, f32)>; LANES];

/// The locks in force.
pub(super) struct Locked {
    tracks: [Locks; MAX_TRACKS],
    /// Tracks whose locks have changed: bit n for track n.
    changed: u32,
}

impl Locked {
    pub(super) fn new() -> Locked {
        Locked { tracks: [[None; LANES]; MAX_TRACKS], changed: 0 }
    }

    /// No lock is in force; the caller lets every parameter take its own value.
    pub(super) fn clear(&mut self) {
        *self = Locked::new();
    }

    /// A step of a track sounds: its locks are in force from now on, and no others.
    pub(super) fn take_step(&mut self, song: &Song, track: TrackIndex, step: (PatternIndex, u8)) {
        let held = song.track(track);
        let locks = std::array::from_fn(|lane| held.lock(step.0, step.1, lane as u8));
        if locks != self.tracks[track.get()] {
            self.tracks[track.get()] = locks;
            self.changed |= 1 << track.get();
        }
    }

    /// The tracks whose locks have changed since the last call.
    pub(super) fn take_changed(&mut self) -> u32 {
        std::mem::take(&mut self.changed)
    }

    fn value(&self, owner: Owner, param: Param) -> Option<f32> {
        let Owner::Track(track) = owner else { return None };
        let of_param = |lock: &(Param, f32)| (lock.0 == param).then_some(lock.1);
        self.tracks[track.get()].iter().flatten().find_map(of_param)
    }
}

/// A song as it sounds: under the locks in force.
#[derive(Clone, Copy)]
pub(super) struct Sounding<'a> {
    song: &'a Song,
    locked: Option<&'a Locked>,
}

impl<'a> Sounding<'a> {
    /// Without a lock.
    pub(super) fn plain(song: &'a Song) -> Sounding<'a> {
        Sounding { song, locked: None }
    }

    pub(super) fn under(song: &'a Song, locked: &'a Locked) -> Sounding<'a> {
        Sounding { song, locked: Some(locked) }
    }

    /// What a parameter sounds as.
    pub(super) fn param(&self, owner: Owner, param: Param) -> f32 {
        let locked = self.locked.and_then(|locked| locked.value(owner, param));
        locked.unwrap_or_else(|| self.song.param(owner, param))
    }
}

impl Deref for Sounding<'_> {
    type Target = Song;
    fn deref(&self) -> &Song {
        self.song
    }
}
