//! What a track's voices are told within one quantum, in order of sample.
//!
//! Thread: audio. Realtime-safe: yes.

/// Cues a track may get in a quantum; a quantum is 0.67 ms, so more are no music.
const CUES: usize = 64;
/// Places kept free for ends: of eight notes held, of eight just begun, and two chokes.
const ENDS: usize = 18;

/// One instruction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Cue {
    /// Let go of a voice's note.
    Release { voice: u8 },
    /// Silence what rings: another track of the choke group was struck.
    Choke,
    /// Begin a note. `legato`: the track's note before it is tied to it, and ends here; a voice that
    /// plays one note at a time goes on to the new pitch without beginning anew.
    Strike { voice: u8, pitch_hz: f32, velocity: f32, seed: u64, legato: bool },
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

/// The end of a note that begins on the very sample.
const AFTER_ALL: u8 = 3;

/// The cues of a track in a quantum, by offset, then ends first, then in order of arrival.
#[derive(Clone, Copy)]
pub(super) struct CueList {
    cues: [(u8, Cue); CUES],
    ranks: [u8; CUES],
    length: usize,
}

impl CueList {
    pub(super) fn new() -> CueList {
        CueList { cues: [(0, Cue::Choke); CUES], ranks: [0; CUES], length: 0 }
    }

    pub(super) fn clear(&mut self) {
        self.length = 0;
    }

    pub(super) fn as_slice(&self) -> &[(u8, Cue)] {
        &self.cues[..self.length]
    }

    /// Whether a note may still be added: places for ends are kept free.
    pub(super) fn has_room(&self) -> bool {
        self.length + ENDS <= CUES
    }

    pub(super) fn insert(&mut self, offset: u8, cue: Cue) {
        self.place(offset, cue, cue.rank());
    }

    /// The end of a note that begins on this sample: it comes behind its beginning.
    pub(super) fn insert_after(&mut self, offset: u8, cue: Cue) {
        self.place(offset, cue, AFTER_ALL);
    }

    fn place(&mut self, offset: u8, cue: Cue, rank: u8) {
        if self.length == CUES {
            return;
        }
        let held = self.cues[..self.length].iter().zip(&self.ranks);
        let place = held.take_while(|((at, _), held)| (*at, **held) <= (offset, rank)).count();
        self.cues.copy_within(place..self.length, place + 1);
        self.ranks.copy_within(place..self.length, place + 1);
        (self.cues[place], self.ranks[place]) = ((offset, cue), rank);
        self.length += 1;
    }
}
