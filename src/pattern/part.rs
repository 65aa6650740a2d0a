//! How a track takes part: whom it silences, what its notes follow, where they go.
//!
//! Thread: any. Realtime-safe: yes; plain values.

use serde::{Deserialize, Serialize};

/// The last choke group.
pub const CHOKE_GROUPS: u8 = 8;

/// Which tracks fall silent when a track is struck.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Choke {
    /// As a drum kit does: a closed hat silences the open hats of the kit.
    #[default]
    Kit,
    /// None, and none silences it.
    Alone,
    /// Every other track of the group, 1 to [`CHOKE_GROUPS`].
    Group(u8),
}

/// What a track's notes are moved to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Follow {
    /// They are played as written.
    #[default]
    Off,
    /// The nearest note of the song's key and scale, the lower of two.
    Scale,
    /// The nearest note of the chord that holds; of the scale before the first chord.
    Chord,
    /// As far from the chord's bass as they are written from the key's tonic.
    Root,
}

/// Where a track's notes go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum MidiMode {
    /// To the track's voice and to MIDI.
    #[default]
    Both,
    /// To MIDI alone.
    Midi,
    /// To the track's voice alone.
    Internal,
}

impl Choke {
    /// Whether there is such a group.
    pub(super) fn is_sound(self) -> bool {
        match self {
            Choke::Group(group) => (1..=CHOKE_GROUPS).contains(&group),
            Choke::Kit | Choke::Alone => true,
        }
    }
}

impl Follow {
    /// Every mode with its name.
    pub const ALL: [(&str, Follow); 4] =
        [("off", Follow::Off), ("scale", Follow::Scale), ("chord", Follow::Chord), ("root", Follow::Root)];
}

impl MidiMode {
    /// Every mode with its name.
    pub const ALL: [(&str, MidiMode); 3] =
        [("both", MidiMode::Both), ("midi", MidiMode::Midi), ("internal", MidiMode::Internal)];

    /// Whether notes go to the track's voice.
    pub fn sounds(self) -> bool {
        self != MidiMode::Midi
    }

    /// Whether notes go to MIDI.
    pub fn is_sent(self) -> bool {
        self != MidiMode::Internal
    }
}
