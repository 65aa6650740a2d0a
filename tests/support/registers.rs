//! Values for any register of a song.

use antiphon::param::{Param, TrackIndex};
use antiphon::pattern::{
    Choke, ChordChange, ChordKind, ClipField, ClipSource, Condition, ContextField, Edit, Follow, MAX_GATE,
    Metre, MetreChange, MidiMode, Name, Order, Overflow, PatternField, PatternIndex, Pitch, Rate, Register,
    Scale, SceneField, SectionField, Song, StepField, TrackField, TrackId, Trig,
};

/// A write of a register within its bounds, one of many by `n`.
pub fn write(song: &Song, register: Register, n: u32) -> Edit {
    let mut edit = song.read(register);
    let unit = (n % 1000) as f32 / 999.0;
    let whole = |from: u32, to: u32| from + n % (to - from + 1);
    let flag = n % 2 == 1;
    let word = Name::new(&format!("w-{n}")).expect("a name");
    let index = PatternIndex::new(n as usize % 8).expect("a pattern");
    let track = TrackIndex::new(n as usize % 16).expect("a track");
    match &mut edit {
        Edit::Seed(seed) => *seed = n,
        Edit::Param { slot, value } => *value = slot.spec().value_at(unit),
        Edit::Step { field, .. } => match field {
            StepField::On(on) => *on = flag,
            StepField::Velocity(value) | StepField::Probability(value) => *value = unit,
            StepField::Note(note) => *note = flag.then_some(whole(0, 127) as u8),
            StepField::Ratchet(count) => *count = whole(1, 8) as u8,
            StepField::Micro(micro) => *micro = whole(0, 100) as i8 - 50,
            StepField::Tie(tie) => *tie = flag,
            StepField::Gate(gate) => *gate = whole(1, u32::from(MAX_GATE)) as u16,
            StepField::Condition(condition) => *condition = condition_of(n),
            StepField::Also(notes) => *notes = [Some(whole(0, 127) as u8), None, flag.then_some(127)],
        },
        Edit::Track { field, .. } => match field {
            TrackField::Alive(alive) => *alive = flag,
            TrackField::Id(id) => *id = TrackId { client: n, counter: n / 3 },
            TrackField::Order(order) => *order = Order(n),
            TrackField::Name(name) | TrackField::Sample(name) | TrackField::GrooveTemplate(name) => {
                *name = word;
            }
            TrackField::Pitch(pitch) if flag => *pitch = Some(Pitch::Note(whole(0, 127) as u8)),
            TrackField::Pitch(pitch) => *pitch = Some(Pitch::Hertz(20.0 + unit * 900.0)),
            TrackField::Pattern(pattern) => *pattern = index,
            TrackField::Overflow(overflow) => *overflow = if flag { Overflow::Rest } else { Overflow::Loop },
            TrackField::GrooveSteps(steps) => *steps = u64::from(n) << 20,
            TrackField::Solo(solo) => *solo = flag,
            TrackField::Choke(choke) if flag => *choke = Choke::Group(whole(1, 8) as u8),
            TrackField::Choke(choke) => *choke = Choke::Alone,
            TrackField::Follow(follow) => *follow = Follow::ALL[n as usize % Follow::ALL.len()].1,
            TrackField::Midi(mode) => *mode = MidiMode::ALL[n as usize % MidiMode::ALL.len()].1,
            TrackField::Channel(channel) => *channel = flag.then_some(whole(0, 15) as u8),
            TrackField::File(file) => *file = flag.then_some(antiphon::pattern::FileId([n as u8; 32])),
        },
        Edit::Pattern { field, .. } => match field {
            PatternField::Length(length) => *length = whole(1, 64) as u8,
            PatternField::Rate(rate) => *rate = Rate::ALL[n as usize % Rate::ALL.len()].1,
        },
        Edit::Lock { value, .. } => *value = (!n.is_multiple_of(3)).then_some(unit * 12_000.0),
        Edit::Lane { param, .. } => {
            *param = (!n.is_multiple_of(3)).then_some(Param::ALL[n as usize % Param::ALL.len()]);
        }
        Edit::Scene { field, .. } => match field {
            SceneField::Alive(alive) => *alive = flag,
            SceneField::Name(name) => *name = word,
        },
        Edit::SceneTrack { pattern, .. } => *pattern = (!n.is_multiple_of(3)).then_some(index),
        Edit::Clip { field, .. } => match field {
            ClipField::Alive(alive) => *alive = flag,
            ClipField::Source(source) if flag => *source = ClipSource::Pattern(track, index),
            ClipField::Source(source) => *source = ClipSource::Scene(whole(0, 15) as u8),
            ClipField::Start(bar) => *bar = whole(0, 65_535),
            ClipField::Length(bars) => *bars = whole(1, 65_535),
        },
        Edit::Section { field, .. } => match field {
            SectionField::Alive(alive) => *alive = flag,
            SectionField::Name(name) => *name = word,
            SectionField::Start(bar) => *bar = whole(0, 65_535),
            SectionField::Length(bars) => *bars = whole(1, 65_535),
        },
        Edit::Metre { change, .. } => {
            let metre = Metre { count: whole(1, 32) as u8, unit: 1 << (n % 6) };
            *change = (!n.is_multiple_of(3)).then_some(MetreChange { bar: whole(0, 65_535), metre });
        }
        Edit::Chord { change, .. } => {
            let kind = ChordKind::ALL[n as usize % ChordKind::ALL.len()].1;
            let chord = antiphon::pattern::Chord { root: whole(0, 11) as u8, kind, bass: flag.then_some(7) };
            *change = (!n.is_multiple_of(3)).then_some(ChordChange { beat: whole(0, 1 << 20), chord });
        }
        Edit::Context(field) => match field {
            ContextField::Key(key) => *key = whole(0, 11) as u8,
            ContextField::Scale(scale) => *scale = Scale::ALL[n as usize % Scale::ALL.len()].1,
            ContextField::Style(name) | ContextField::Mood(name) => *name = word,
            ContextField::Complexity(value) => *value = unit,
            ContextField::Arranged(on) | ContextField::Fill(on) => *on = flag,
            ContextField::GrooveSteps(steps) => *steps = u64::from(n) << 20,
            ContextField::GrooveTemplate(name) => *name = word,
        },
    }
    edit
}

fn condition_of(n: u32) -> Condition {
    let of = 1 + (n / 7 % 64) as u8;
    let when = [
        Trig::Always,
        Trig::Nth { nth: 1 + (n / 11) as u8 % of, of },
        Trig::First,
        Trig::Previous,
        Trig::Neighbour,
        Trig::Fill,
    ][n as usize % 6];
    Condition { when, not: n / 6 % 2 == 1 && when != Trig::Always }
}
