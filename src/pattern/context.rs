//! What the music is in: metre, key, scale, style, mood, complexity, chords.

use serde::{Deserialize, Serialize};

use super::Name;
use super::schema::fields;
use crate::time::Beats;

/// Changes of metre a song may have.
pub const MAX_METRES: usize = 32;
/// Changes of chord a song may have.
pub const MAX_CHORDS: usize = 128;
/// The last beat a chord may begin at.
pub const MAX_CHORD_BEAT: u32 = 1 << 20;

/// A time signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Metre {
    /// Units in a bar, 1 to 32.
    pub count: u8,
    /// What counts as one: 1, 2, 4, 8, 16 or 32 for a whole note to a thirty-second.
    pub unit: u8,
}

/// A metre, and the bar from which it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MetreChange {
    /// The bar, from 0.
    pub bar: u32,
    /// The metre.
    pub metre: Metre,
}

/// A chord's kind, by its name in lead sheets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum ChordKind {
    #[default]
    Major,
    Minor,
    Diminished,
    Augmented,
    Seventh,
    MajorSeventh,
    MinorSeventh,
    HalfDiminished,
    DiminishedSeventh,
    Suspended2,
    Suspended4,
    Sixth,
    MinorSixth,
    Ninth,
    Power,
}

/// A chord.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Chord {
    /// Its root as a pitch class, 0 (C) to 11 (B).
    pub root: u8,
    /// Its kind.
    pub kind: ChordKind,
    /// Another bass note than the root, as a pitch class.
    pub bass: Option<u8>,
}

/// A chord, and the beat from which it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ChordChange {
    /// The beat (quarter note), from 0.
    pub beat: u32,
    /// The chord.
    pub chord: Chord,
}

/// The notes a key is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Scale {
    #[default]
    Major,
    Minor,
    HarmonicMinor,
    MelodicMinor,
    Dorian,
    Phrygian,
    Lydian,
    Mixolydian,
    Locrian,
    MajorPentatonic,
    MinorPentatonic,
    Blues,
    WholeTone,
    Chromatic,
}

/// What a musician would say before the first note, and how the song as a whole is played.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Context {
    /// The tonic as a pitch class, 0 (C) to 11 (B).
    pub key: u8,
    /// The scale.
    pub scale: Scale,
    /// The style, in a word.
    pub style: Name,
    /// The mood, in a word.
    pub mood: Name,
    /// How much is going on, 0 to 1.
    pub complexity: f32,
    /// Whether clips decide which patterns play where; else each track plays the one it has chosen.
    pub arranged: bool,
    /// Whether a fill is played: steps with the condition sound.
    pub fill: bool,
    /// The steps that the master's groove moves: bit n for step n.
    pub groove_steps: u64,
    /// The master's groove's template; empty for none.
    pub groove_template: Name,
}

fields! {
    /// A field of a [`Context`] with its new value.
    ContextField,
    /// The fields of a context, as keys.
    ContextRegister of Context, count CONTEXT_FIELDS;
    Key(u8) key, "key", Whole(0, 11), Discrete, 0.9;
    Scale(Scale) scale, "scale", Any, Discrete, 0.8;
    Style(Name) style, "style", Word, Text, 0.4;
    Mood(Name) mood, "mood", Word, Text, 0.3;
    Complexity(f32) complexity, "complexity", Real(0.0, 1.0), Continuous, 0.3;
    Arranged(bool) arranged, "arrangement", Any, Discrete, 0.9;
    Fill(bool) fill, "fill", Any, Discrete, 0.6;
    GrooveSteps(u64) groove_steps, "groove.steps", Any, Discrete, 0.4;
    GrooveTemplate(Name) groove_template, "groove.name", Word, Text, 0.4;
}

impl Metre {
    /// Four quarters.
    pub const COMMON: Metre = Metre { count: 4, unit: 4 };

    /// The length of a bar.
    pub fn bar(self) -> Beats {
        Beats(Beats::quarters(4).0 / i64::from(self.unit.max(1)) * i64::from(self.count))
    }

    /// Whether there is such a metre.
    pub fn is_sound(self) -> bool {
        (1..=32).contains(&self.count) && self.unit.is_power_of_two() && self.unit <= 32
    }
}

impl MetreChange {
    pub(super) fn is_sound(self) -> bool {
        self.bar <= super::MAX_BARS && self.metre.is_sound()
    }
}

impl ChordChange {
    pub(super) fn is_sound(self) -> bool {
        let Chord { root, bass, .. } = self.chord;
        self.beat <= MAX_CHORD_BEAT && root < 12 && bass.is_none_or(|bass| bass < 12)
    }
}

impl ChordKind {
    /// Every kind with the suffix that a lead sheet gives it.
    pub const ALL: [(&str, ChordKind); 15] = [
        ("", ChordKind::Major),
        ("m", ChordKind::Minor),
        ("dim", ChordKind::Diminished),
        ("aug", ChordKind::Augmented),
        ("7", ChordKind::Seventh),
        ("maj7", ChordKind::MajorSeventh),
        ("m7", ChordKind::MinorSeventh),
        ("m7b5", ChordKind::HalfDiminished),
        ("dim7", ChordKind::DiminishedSeventh),
        ("sus2", ChordKind::Suspended2),
        ("sus4", ChordKind::Suspended4),
        ("6", ChordKind::Sixth),
        ("m6", ChordKind::MinorSixth),
        ("9", ChordKind::Ninth),
        ("5", ChordKind::Power),
    ];
}

impl Scale {
    /// Every scale with its name.
    pub const ALL: [(&str, Scale); 14] = [
        ("major", Scale::Major),
        ("minor", Scale::Minor),
        ("harmonic-minor", Scale::HarmonicMinor),
        ("melodic-minor", Scale::MelodicMinor),
        ("dorian", Scale::Dorian),
        ("phrygian", Scale::Phrygian),
        ("lydian", Scale::Lydian),
        ("mixolydian", Scale::Mixolydian),
        ("locrian", Scale::Locrian),
        ("major-pentatonic", Scale::MajorPentatonic),
        ("minor-pentatonic", Scale::MinorPentatonic),
        ("blues", Scale::Blues),
        ("whole-tone", Scale::WholeTone),
        ("chromatic", Scale::Chromatic),
    ];

    /// Its notes above the tonic: bit n for n semitones.
    pub fn notes(self) -> u16 {
        let degrees: &[u8] = match self {
            Scale::Major => &[0, 2, 4, 5, 7, 9, 11],
            Scale::Minor => &[0, 2, 3, 5, 7, 8, 10],
            Scale::HarmonicMinor => &[0, 2, 3, 5, 7, 8, 11],
            Scale::MelodicMinor => &[0, 2, 3, 5, 7, 9, 11],
            Scale::Dorian => &[0, 2, 3, 5, 7, 9, 10],
            Scale::Phrygian => &[0, 1, 3, 5, 7, 8, 10],
            Scale::Lydian => &[0, 2, 4, 6, 7, 9, 11],
            Scale::Mixolydian => &[0, 2, 4, 5, 7, 9, 10],
            Scale::Locrian => &[0, 1, 3, 5, 6, 8, 10],
            Scale::MajorPentatonic => &[0, 2, 4, 7, 9],
            Scale::MinorPentatonic => &[0, 3, 5, 7, 10],
            Scale::Blues => &[0, 3, 5, 6, 7, 10],
            Scale::WholeTone => &[0, 2, 4, 6, 8, 10],
            Scale::Chromatic => &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
        };
        degrees.iter().fold(0, |notes, degree| notes | 1 << degree)
    }
}

impl Context {
    /// What a song is in while nobody has said.
    pub const UNSAID: Context = Context {
        key: 0,
        scale: Scale::Major,
        style: Name::EMPTY,
        mood: Name::EMPTY,
        complexity: 0.5,
        arranged: false,
        fill: false,
        groove_steps: super::Track::ODD_STEPS,
        groove_template: Name::EMPTY,
    };
}
