//! The notation's words and how they map to the parameter table.

use crate::param::{Param, Taper, Unit};
use crate::pattern::{CHOKE_GROUPS, Choke, Condition, Follow, MidiMode, Overflow, TrackField, Trig};

/// Statements that are more than a parameter.
pub(super) const SPECIAL: [&str; 26] = [
    "TEMPO",
    "SEED",
    "KEY",
    "STYLE",
    "MOOD",
    "COMPLEXITY",
    "ARRANGEMENT",
    "FILL",
    "track",
    "seq",
    "step",
    "note",
    "overflow",
    "pattern",
    "rate",
    "lanes",
    "solo",
    "choke",
    "follow",
    "midi",
    "metre",
    "chord",
    "scene",
    "clip",
    "section",
    "lfo",
];

/// What an LFO moves: as the notation says it, and the table's module.
pub(super) const LFO_TARGETS: [(&str, &str); 7] = [
    ("amp", "lfo.amp"),
    ("pan", "lfo.pan"),
    ("filter.freq", "lfo.freq"),
    ("filter.Q", "lfo.q"),
    ("delay.time", "lfo.time"),
    ("delay.feedback", "lfo.feedback"),
    ("delay.mix", "lfo.mix"),
];

/// The masks that a groove's `steps` names.
pub(super) const STEP_SETS: [(&str, u64); 4] =
    [("odd", 0xAAAA_AAAA_AAAA_AAAA), ("even", 0x5555_5555_5555_5555), ("all", u64::MAX), ("none", 0)];

/// What a pattern does at its end.
pub(super) const OVERFLOWS: [(&str, Overflow); 2] = [("loop", Overflow::Loop), ("rest", Overflow::Rest)];

/// The cells of a `seq`, with their velocities.
pub(super) const CELLS: [(char, f32); 3] = [('X', 1.0), ('x', 0.7), ('o', 0.3)];

/// The parameters of a module, in the table's order.
pub(super) fn params_of(module: &str) -> impl Iterator<Item = Param> {
    Param::ALL.into_iter().filter(move |param| param.spec().module() == module)
}

/// The table's own spelling of a module with parameters of its own (`filter`, not `pan`).
pub(super) fn module_named(keyword: &str) -> Option<&'static str> {
    let dotted = |param: &Param| param.spec().id.len() > param.spec().module().len();
    params_of(keyword).find(dotted).map(|param| param.spec().module())
}

/// A parameter that is a statement of its own, such as `pan`.
pub(super) fn value_named(keyword: &str) -> Option<Param> {
    Param::by_id(keyword).filter(|param| !param.spec().id.contains('.'))
}

/// Every keyword, for advice.
pub(super) fn keywords() -> Vec<&'static str> {
    let mut words = SPECIAL.to_vec();
    for param in Param::ALL {
        let module = param.spec().module();
        if !words.contains(&module) && !module.starts_with("lfo.") {
            words.push(module);
        }
    }
    words
}

/// A parameter's key within its module, as the notation writes it.
pub(super) fn key_of(param: Param) -> &'static str {
    match param.spec().id.rsplit_once('.') {
        Some((_, "q")) => "Q",
        Some((_, key)) => key,
        None => param.spec().id,
    }
}

/// Reads a parameter's value.
pub(super) fn value_of(param: Param, word: &str) -> Option<f32> {
    let spec = param.spec();
    match spec.unit {
        Unit::Words(words) => words.iter().position(|w| *w == word).map(|at| at as f32),
        Unit::Switch => match word {
            "on" | "1" | "true" => Some(1.0),
            "off" | "0" | "false" => Some(0.0),
            _ => None,
        },
        _ => word.parse().ok().and_then(|value| spec.check(value).ok()),
    }
}

/// What a parameter's value may be, as a person reads it.
pub(super) fn range_of(param: Param) -> String {
    let spec = param.spec();
    match spec.unit {
        Unit::Words(words) => one_of(words),
        Unit::Switch => "on or off".to_owned(),
        _ if spec.taper == Taper::Stepped => format!("a whole number from {} to {}", spec.min, spec.max),
        _ => format!("a number from {} to {}", spec.min, spec.max),
    }
}

/// Writes a parameter's value so that it reads back bit for bit.
pub(super) fn say(param: Param, value: f32) -> String {
    match param.spec().unit {
        Unit::Words(words) => words.get(value as usize).map_or_else(|| value.to_string(), |w| (*w).into()),
        Unit::Switch => on_off(value >= 0.5).to_owned(),
        _ => value.to_string(),
    }
}

/// The conditions that are words.
const TRIGS: [(&str, Trig); 5] = [
    ("always", Trig::Always),
    ("first", Trig::First),
    ("previous", Trig::Previous),
    ("neighbour", Trig::Neighbour),
    ("fill", Trig::Fill),
];

/// The inverse of a condition.
const NOT: &str = "not-";

/// A condition in words: "2:4", "not-first".
pub(super) fn said_condition(condition: Condition) -> String {
    let when = match condition.when {
        Trig::Nth { nth, of } => format!("{nth}:{of}"),
        word => TRIGS.iter().find(|(_, trig)| *trig == word).map_or("always", |(said, _)| said).to_owned(),
    };
    if condition.not { format!("{NOT}{when}") } else { when }
}

/// Reads a condition.
pub(super) fn condition_of(word: &str) -> Option<Condition> {
    let (not, rest) = word.strip_prefix(NOT).map_or((false, word), |rest| (true, rest));
    let when = match rest.split_once(':') {
        Some((nth, of)) => Trig::Nth { nth: nth.parse().ok()?, of: of.parse().ok()? },
        None => TRIGS.iter().find(|(said, _)| *said == rest)?.1,
    };
    let sound = match when {
        Trig::Nth { nth, of } => (1..=64).contains(&of) && (1..=of).contains(&nth),
        Trig::Always => !not,
        _ => true,
    };
    sound.then_some(Condition { when, not })
}

/// Further notes in words: "64,67", "none".
pub(super) fn said_notes(notes: [Option<u8>; 3]) -> String {
    let last = notes.iter().rposition(Option::is_some).map_or(0, |at| at + 1);
    let said = |note: &Option<u8>| note.map_or("none".to_owned(), |note| note.to_string());
    if last == 0 { "none".to_owned() } else { notes[..last].iter().map(said).collect::<Vec<_>>().join(",") }
}

/// Reads up to three further notes.
pub(super) fn notes_of(word: &str) -> Option<[Option<u8>; 3]> {
    let mut notes = [None; 3];
    for (at, said) in word.split(',').enumerate() {
        let note = notes.get_mut(at)?;
        if said != "none" {
            *note = Some(said.parse().ok().filter(|note| *note < 128)?);
        }
    }
    Some(notes)
}

/// What a field of a track that is a statement of its own holds; `None` where it is none.
pub(super) fn said_own(field: &TrackField) -> Option<(&'static str, String)> {
    Some(match field {
        TrackField::Solo(on) => ("solo", on_off(*on).to_owned()),
        TrackField::Choke(Choke::Kit) => ("choke", "kit".to_owned()),
        TrackField::Choke(Choke::Alone) => ("choke", "none".to_owned()),
        TrackField::Choke(Choke::Group(group)) => ("choke", group.to_string()),
        TrackField::Follow(follow) => {
            let said = Follow::ALL.iter().find(|(_, value)| value == follow);
            ("follow", said.map_or("off", |(word, _)| word).to_owned())
        }
        _ => return None,
    })
}

/// Reads a track's field that is a statement of its own: `solo`, `choke` or `follow`.
///
/// # Errors
/// What was expected.
pub fn own_of(keyword: &str, word: &str) -> Result<TrackField, String> {
    match keyword {
        "solo" => match word {
            "on" | "" => Ok(TrackField::Solo(true)),
            "off" => Ok(TrackField::Solo(false)),
            _ => Err("on or off".to_owned()),
        },
        "choke" => match (word, word.parse()) {
            ("kit", _) => Ok(TrackField::Choke(Choke::Kit)),
            ("none", _) => Ok(TrackField::Choke(Choke::Alone)),
            (_, Ok(group @ 1..=CHOKE_GROUPS)) => Ok(TrackField::Choke(Choke::Group(group))),
            _ => Err(format!("kit, none or a group from 1 to {CHOKE_GROUPS}")),
        },
        _ => {
            let follow = Follow::ALL.iter().find(|(said, _)| *said == word);
            follow
                .map(|(_, follow)| TrackField::Follow(*follow))
                .ok_or_else(|| one_of(&Follow::ALL.map(|(said, _)| said)))
        }
    }
}

/// A MIDI mode in a word.
pub(super) fn said_midi(mode: MidiMode) -> &'static str {
    MidiMode::ALL.iter().find(|(_, value)| *value == mode).map_or("both", |(said, _)| said)
}

/// A switch in words.
pub(super) fn on_off(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

/// "a, b or c".
pub(super) fn one_of(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

/// Advice where a word nearly names one of `known`.
pub(super) fn nearest(word: &str, known: &[&str]) -> Option<String> {
    let lower = word.to_lowercase();
    let nearest = known.iter().min_by_key(|known| distance(&known.to_lowercase(), &lower))?;
    if nearest.to_lowercase() == lower {
        return Some(format!("case matters here: write '{nearest}'"));
    }
    let near = distance(&nearest.to_lowercase(), &lower) <= 2.min(lower.chars().count() / 2);
    near.then(|| format!("did you mean '{nearest}'?"))
}

/// Edits between two short words (Levenshtein); long ones are far from everything.
fn distance(a: &str, b: &str) -> usize {
    if a.len().max(b.len()) > 64 {
        return usize::MAX;
    }
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.iter().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let swapped = diagonal + usize::from(from != to);
            diagonal = row[j + 1];
            row[j + 1] = swapped.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
