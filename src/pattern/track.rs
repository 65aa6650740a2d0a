//! A track: who plays, its patterns, and their steps.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::schema::fields;
use super::{Choke, FileId, Follow, MidiMode, Name};
use crate::param::Param;

/// The most steps a pattern holds.
pub const MAX_STEPS: usize = 64;
/// Patterns of a track.
pub const MAX_PATTERNS: usize = 8;
/// Parameters of a track that its steps may lock.
pub const LANES: usize = 8;
/// The longest note, in hundredths of a step.
pub const MAX_GATE: u16 = 6400;

/// One cell of the grid.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Whether it sounds.
    pub on: bool,
    /// 0 to 1; the notation's `X` is 1, `x` 0.7, `o` 0.3.
    pub velocity: f32,
    /// MIDI note 0 to 127; `None` plays the track's pitch.
    pub note: Option<u8>,
    /// 0 to 1: how often it sounds, decided by [`super::chance()`].
    pub probability: f32,
    /// Equal strokes within the step, 1 to 8.
    pub ratchet: u8,
    /// Early or late, −50 to 50 hundredths of a step.
    pub micro: i8,
    /// Holds on into the next sounding step instead of beginning it anew.
    pub tie: bool,
    /// How long it is held, 1 to [`MAX_GATE`] hundredths of a step.
    pub gate: u16,
    /// In which rounds of the pattern it sounds.
    pub condition: Condition,
    /// Further notes of a chord, beside `note`.
    pub also: [Option<u8>; 3],
}

/// When a step sounds at all, before chance has its say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Condition {
    /// The rounds it names.
    pub when: Trig,
    /// Every other round instead; never with [`Trig::Always`].
    pub not: bool,
}

/// Rounds of a pattern.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Trig {
    /// Every round.
    #[default]
    Always,
    /// The `nth` of every `of` rounds, counted from 1; `of` up to 64. Rounds are counted from the
    /// song's beginning, in an arrangement from the clip's.
    Nth {
        /// Which.
        nth: u8,
        /// Of how many.
        of: u8,
    },
    /// The first round since the song's beginning, in an arrangement since the clip's.
    First,
    /// If the track's last step before it with a condition or a probability sounded, of the 64 cells
    /// before it and no further back than the rounds are counted. Steps with `Previous` or
    /// `Neighbour` are passed over.
    Previous,
    /// The same of the track shown before this one, a step of the same moment included.
    Neighbour,
    /// While a fill is played: [`super::Context::fill`].
    Fill,
}

/// The locks of one cell: a value a lane, in the units of the lane's parameter.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Locks([u32; LANES]);

/// How long a pattern's steps are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Rate {
    Quarter,
    QuarterTriplet,
    Eighth,
    EighthTriplet,
    #[default]
    Sixteenth,
    SixteenthTriplet,
    ThirtySecond,
    ThirtySecondTriplet,
}

/// Up to 64 steps: what a track plays at a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pattern {
    /// Steps in it, 1 to 64.
    pub length: u8,
    /// How long they are.
    pub rate: Rate,
    /// The grid; cells past `length` are kept but do not sound.
    pub steps: [Step; MAX_STEPS],
    /// The cells' locks.
    pub locks: [Locks; MAX_STEPS],
}

/// One of a track's patterns, 0 to 7.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PatternIndex(u8);

/// Who a track is, whatever its place: the client that made it and that client's count. (0, 0) is a
/// track that came with a song.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TrackId {
    /// The client's number in its session.
    pub client: u32,
    /// Its count of tracks, from 1.
    pub counter: u32,
}

/// Where a track stands among the others: a fraction of 2³². Equals are told apart by place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Order(pub u32);

/// What a short pattern does at its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Overflow {
    /// Begins again.
    #[default]
    Loop,
    /// Rests until the song's longest pattern begins again.
    Rest,
}

/// The pitch of a track.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Pitch {
    /// MIDI note 0 to 127.
    Note(u8),
    /// 20 to 20000 Hz.
    Hertz(f32),
}

/// One track of a song: a fixed-size record. Its parameters lie in the song's bank.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Track {
    /// Whether the track is part of the song.
    pub alive: bool,
    /// Who it is, through removal and return.
    pub id: TrackId,
    /// Where it is shown.
    pub order: Order,
    /// The notation's id.
    pub name: Name,
    /// The voice's name; empty takes the id's default voice. Of a track with a file, the file's.
    pub sample: Name,
    /// The sample file that it plays instead of a voice of ours.
    pub file: Option<FileId>,
    /// The pitch of steps without a note of their own; `None` takes the voice's.
    pub pitch: Option<Pitch>,
    /// Which of its patterns plays.
    pub pattern: PatternIndex,
    /// What a pattern does at its end.
    pub overflow: Overflow,
    /// The steps a groove moves: bit n for step n. All odd ones (counted from 0) at first.
    pub groove_steps: u64,
    /// The groove's template; empty for none.
    pub groove_template: Name,
    /// The parameters that steps may lock.
    pub lanes: [Option<Param>; LANES],
    /// While any track is, the others that are not are silent for everybody.
    pub solo: bool,
    /// Whom it silences when it is struck.
    pub choke: Choke,
    /// What its notes are moved to.
    pub follow: Follow,
    /// Where its notes go.
    pub midi: MidiMode,
    /// The MIDI channel of its notes, 0 to 15; `None` takes the track's place.
    pub channel: Option<u8>,
    /// Its patterns.
    pub patterns: [Pattern; MAX_PATTERNS],
}

fields! {
    /// A field of a [`Step`] with its new value.
    StepField,
    /// The fields of a cell, as keys.
    StepRegister of Step, count STEP_FIELDS;
    On(bool) on, "step.on", Any, Discrete, 0.9;
    Velocity(f32) velocity, "step.velocity", Real(0.0, 1.0), Continuous, 0.6;
    Note(Option<u8>) note, "step.note", Whole(0, 127), Discrete, 0.8;
    Probability(f32) probability, "step.probability", Real(0.0, 1.0), Continuous, 0.5;
    Ratchet(u8) ratchet, "step.ratchet", Whole(1, 8), Discrete, 0.5;
    Micro(i8) micro, "step.micro", Whole(-50, 50), Discrete, 0.3;
    Tie(bool) tie, "step.tie", Any, Discrete, 0.5;
    Gate(u16) gate, "step.gate", Whole(1, MAX_GATE as i64), Discrete, 0.4;
    Condition(Condition) condition, "step.condition", Own("rounds of 1 to 64, and no inverse of every round"), Discrete, 0.5;
    Also([Option<u8>; 3]) also, "step.also", Whole(0, 127), Discrete, 0.6;
}

fields! {
    /// A field of a [`Pattern`] with its new value.
    PatternField,
    /// The fields of a pattern but its cells, as keys.
    PatternRegister of Pattern, count PATTERN_FIELDS;
    Length(u8) length, "pattern.length", Whole(1, MAX_STEPS as i64), Discrete, 0.9;
    Rate(Rate) rate, "pattern.rate", Any, Discrete, 0.9;
}

fields! {
    /// A field of a [`Track`] with its new value.
    TrackField,
    /// The fields of a track but its patterns and lanes, as keys.
    TrackRegister of Track, count TRACK_FIELDS;
    Alive(bool) alive, "track.alive", Any, Existence, 1.0;
    Id(TrackId) id, "track.id", Any, Discrete, 1.0;
    Order(Order) order, "track.order", Any, Discrete, 0.1;
    Name(Name) name, "track.name", Word, Text, 0.4;
    Sample(Name) sample, "track.sample", Word, Text, 0.9;
    Pitch(Option<Pitch>) pitch, "track.pitch", Own("note 0 to 127 or 20 to 20000 Hz"), Discrete, 0.8;
    Pattern(PatternIndex) pattern, "track.pattern", Any, Discrete, 1.0;
    Overflow(Overflow) overflow, "track.overflow", Any, Discrete, 0.5;
    GrooveSteps(u64) groove_steps, "track.groove.steps", Any, Discrete, 0.4;
    GrooveTemplate(Name) groove_template, "track.groove.name", Word, Text, 0.4;
    Solo(bool) solo, "track.solo", Any, Discrete, 0.8;
    Choke(Choke) choke, "track.choke", Own("a group from 1 to 8, the kit's, or none"), Discrete, 0.4;
    Follow(Follow) follow, "track.follow", Any, Discrete, 0.6;
    Midi(MidiMode) midi, "track.midi", Any, Discrete, 0.5;
    Channel(Option<u8>) channel, "track.midi.channel", Whole(0, 15), Discrete, 0.3;
    File(Option<FileId>) file, "track.file", Any, Discrete, 0.9;
}

impl Step {
    /// A rest, as every cell is at first.
    pub const REST: Step = Step {
        on: false,
        velocity: 0.7,
        note: None,
        probability: 1.0,
        ratchet: 1,
        micro: 0,
        tie: false,
        gate: 100,
        condition: Condition::ALWAYS,
        also: [None; 3],
    };
}

impl Condition {
    /// Every round.
    pub const ALWAYS: Condition = Condition { when: Trig::Always, not: false };

    /// Whether it says what can be.
    pub(super) fn is_sound(self) -> bool {
        match self.when {
            Trig::Always => !self.not,
            Trig::Nth { nth, of } => (1..=64).contains(&of) && (1..=of).contains(&nth),
            _ => true,
        }
    }
}

impl Locks {
    /// No lane locked.
    pub const NONE: Locks = Locks([u32::MAX; LANES]);
    /// How far a locked value may lie from 0; the parameter's own range holds when it is played.
    pub const FURTHEST: f32 = 20_000.0;

    /// A lane's value.
    pub fn get(&self, lane: u8) -> Option<f32> {
        let bits = self.0[usize::from(lane).min(LANES - 1)];
        (bits != u32::MAX).then(|| f32::from_bits(bits))
    }

    /// All lanes as bytes, equal where the locks are.
    pub(super) fn bytes(&self) -> [u8; 4 * LANES] {
        let mut bytes = [0; 4 * LANES];
        for (to, bits) in bytes.chunks_exact_mut(4).zip(self.0) {
            to.copy_from_slice(&bits.to_le_bytes());
        }
        bytes
    }

    /// Sets or clears a lane's value, which is finite.
    pub fn set(&mut self, lane: u8, value: Option<f32>) {
        self.0[usize::from(lane).min(LANES - 1)] = value.map_or(u32::MAX, f32::to_bits);
    }
}

impl std::fmt::Debug for Locks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries((0..LANES as u8).map(|lane| self.get(lane))).finish()
    }
}

impl Rate {
    /// Every rate with its name: "16n", triplets "16t".
    pub const ALL: [(&str, Rate); 8] = [
        ("4n", Rate::Quarter),
        ("4t", Rate::QuarterTriplet),
        ("8n", Rate::Eighth),
        ("8t", Rate::EighthTriplet),
        ("16n", Rate::Sixteenth),
        ("16t", Rate::SixteenthTriplet),
        ("32n", Rate::ThirtySecond),
        ("32t", Rate::ThirtySecondTriplet),
    ];

    /// The length of a step.
    pub fn step(self) -> crate::time::Beats {
        let quarter = crate::time::Beats::quarters(1).0;
        crate::time::Beats(match self {
            Rate::Quarter => quarter,
            Rate::QuarterTriplet => quarter * 2 / 3,
            Rate::Eighth => quarter / 2,
            Rate::EighthTriplet => quarter / 3,
            Rate::Sixteenth => quarter / 4,
            Rate::SixteenthTriplet => quarter / 6,
            Rate::ThirtySecond => quarter / 8,
            Rate::ThirtySecondTriplet => quarter / 12,
        })
    }
}

impl Pattern {
    /// Sixteen rests.
    pub const EMPTY: Pattern = Pattern {
        length: 16,
        rate: Rate::Sixteenth,
        steps: [Step::REST; MAX_STEPS],
        locks: [Locks::NONE; MAX_STEPS],
    };
}

impl PatternIndex {
    /// A track's first pattern.
    pub const FIRST: PatternIndex = PatternIndex(0);

    /// The pattern at a place; `None` past the last.
    pub fn new(index: usize) -> Option<PatternIndex> {
        (index < MAX_PATTERNS).then_some(PatternIndex(index as u8))
    }

    /// Every pattern's place, in order.
    pub fn all() -> impl Iterator<Item = PatternIndex> {
        (0..MAX_PATTERNS as u8).map(PatternIndex)
    }

    /// As an index.
    pub fn get(self) -> usize {
        usize::from(self.0)
    }
}

impl Serialize for PatternIndex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(self.0)
    }
}

impl<'de> Deserialize<'de> for PatternIndex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<PatternIndex, D::Error> {
        let index = u8::deserialize(deserializer)?;
        let place = PatternIndex::new(usize::from(index));
        place.ok_or_else(|| de::Error::custom(format_args!("there is no pattern {index}: they are 0 to 7")))
    }
}

impl TrackId {
    /// A track that came with a song.
    pub const NONE: TrackId = TrackId { client: 0, counter: 0 };
}

impl Order {
    /// Where the track at a place stands while nobody has moved it.
    pub const fn of_place(place: usize) -> Order {
        Order((place as u32 + 1) << 27)
    }

    /// Between two tracks, `None` for either end. Where there is no room left it equals `before`,
    /// and the place decides.
    pub fn between(before: Option<Order>, after: Option<Order>) -> Order {
        let low = before.map_or(0, |order| u64::from(order.0));
        let high = after.map_or(1 << 32, |order| u64::from(order.0));
        Order(((low + high.max(low)) / 2) as u32)
    }
}

impl Track {
    /// The groove mask of a track nobody has touched: the off-beat sixteenths.
    pub const ODD_STEPS: u64 = 0xAAAA_AAAA_AAAA_AAAA;

    /// An unused track.
    pub const UNUSED: Track = Track {
        alive: false,
        id: TrackId::NONE,
        order: Order(0),
        name: Name::EMPTY,
        sample: Name::EMPTY,
        file: None,
        pitch: None,
        pattern: PatternIndex::FIRST,
        overflow: Overflow::Loop,
        groove_steps: Track::ODD_STEPS,
        groove_template: Name::EMPTY,
        lanes: [None; LANES],
        solo: false,
        choke: Choke::Kit,
        follow: Follow::Off,
        midi: MidiMode::Both,
        channel: None,
        patterns: [Pattern::EMPTY; MAX_PATTERNS],
    };

    /// The unused track at a place.
    pub const fn unused(place: usize) -> Track {
        let mut track = Track::UNUSED;
        track.order = Order::of_place(place);
        track
    }

    /// The pattern that plays.
    pub fn playing(&self) -> &Pattern {
        &self.patterns[self.pattern.get()]
    }

    /// The pattern that plays, to be changed.
    pub fn playing_mut(&mut self) -> &mut Pattern {
        &mut self.patterns[self.pattern.get()]
    }

    /// What a cell locks a lane's parameter to, within the parameter's range.
    pub fn lock(&self, pattern: PatternIndex, step: u8, lane: u8) -> Option<(Param, f32)> {
        let param = (*self.lanes.get(usize::from(lane))?)?;
        let value = self.patterns[pattern.get()].locks.get(usize::from(step))?.get(lane)?;
        Some((param, value.clamp(param.spec().min, param.spec().max)))
    }
}
