//! What a track's voices are told within one quantum, in order of sample.
//!
//! Thread: audio. Realtime-safe: yes.

/// Cues a track may get in a quantum; a quantum is 0.67 ms, so more are no music.
const CUES: usize = 48;

/// One instruction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Cue {
    /// Let go of a voice's note.
    Release { voice: u8 },
    /// Silence what rings: another hat of the kit was struck.
    Choke,
    /// Begin a note.
    Strike { voice: u8, pitch_hz: f32, velocity: f32, seed: u64 },
}

impl Cue {
    /// Ends come before beginnings on the same sample.
    fn rank(&self) -> u8 {
        match self {
            Cue::Release { .. } => 0,
            Cue::Choke => 1,
            Cue::Strike { .. } => 2,
        }
    }
}

/// The cues of a track in a quantum, by offset, then ends first, then in order of arrival.
#[derive(Clone, Copy)]
pub(super) struct CueList {
    cues: [(u8, Cue); CUES],
    length: usize,
}

impl CueList {
    pub(super) fn new() -> CueList {
        CueList { cues: [(0, Cue::Choke); CUES], length: 0 }
    }

    pub(super) fn clear(&mut self) {
        self.length = 0;
    }

    pub(super) fn as_slice(&self) -> &[(u8, Cue)] {
        &self.cues[..self.length]
    }

    /// Whether a note may still be added: places for its end are kept free.
    pub(super) fn has_room(&self) -> bool {
        self.length + 18 <= CUES
    }

    pub(super) fn insert(&mut self, offset: u8, cue: Cue) {
        if self.length == CUES {
            return;
        }
        let key = (offset, cue.rank());
        let place = self.as_slice().partition_point(|(at, other)| (*at, other.rank()) <= key);
        self.cues.copy_within(place..self.length, place + 1);
        self.cues[place] = (offset, cue);
        self.length += 1;
    }
}
