//! The commands of a headless peer for whole patterns and tracks.

use super::order::{Order, OrderError, cell_place, track, when_of};
use crate::client::When;
use crate::param::TrackIndex;
use crate::pattern::{
    ContextField, Edit, Grid, GridEdit, MAX_STEPS, MidiMode, Name, PatternIndex, Song, TrackField, text,
};

/// The commands read here.
const COMMANDS: [&str; 13] = [
    "rotate",
    "insert",
    "delete",
    "clear",
    "fill",
    "euclid",
    "copy",
    "overlay",
    "pattern",
    "track",
    "scene",
    "arrangement",
    "capture",
];

/// Whether a word is one of the commands read here.
pub(super) fn is_command(word: &str) -> bool {
    COMMANDS.contains(&word)
}

/// Reads a command against the song that it speaks of; patterns are counted from 1, steps from 0.
///
/// # Errors
/// Says what is wrong and what is expected.
pub(super) fn read(command: &str, words: &[&str], song: &Song) -> Result<Order, OrderError> {
    match (command, words) {
        ("rotate", [name, by]) => {
            let by = by.parse().map_err(|_| OrderError::Value((*by).to_owned()))?;
            of_playing(name, song, Grid::Rotate(by))
        }
        ("rotate", _) => Err(OrderError::Form("rotate kick 2")),
        ("insert", [name, at, count]) => {
            let (at, count) = (cell_place(at)?, steps(count)?);
            of_playing(name, song, Grid::Insert { at, count })
        }
        ("insert", _) => Err(OrderError::Form("insert kick 4 2")),
        ("delete", [name, at, count]) => {
            let (at, count) = (cell_place(at)?, steps(count)?);
            of_playing(name, song, Grid::Remove { at, count })
        }
        ("delete", _) => Err(OrderError::Form("delete kick 4 2")),
        ("clear", [name]) => of_playing(name, song, Grid::Clear { from: 0, count: MAX_STEPS as u8 }),
        ("clear", _) => Err(OrderError::Form("clear kick")),
        ("fill" | "arrangement", [said @ ("on" | "off"), when @ ..]) => {
            let on = *said == "on";
            let field = if command == "fill" { ContextField::Fill(on) } else { ContextField::Arranged(on) };
            Ok(Order::Edit(Edit::Context(field), when_of(when, "fill on|off [next]")?))
        }
        ("arrangement", _) => Err(OrderError::Form("arrangement on|off [next]")),
        ("scene", [which, when @ ..]) => {
            let edits = scene(which, song)?;
            Ok(Order::Edits(edits, when_of(when, "scene 2 [next]")?))
        }
        ("scene", _) => Err(OrderError::Form("scene 2 [next]")),
        ("capture", [name, cycles, to @ ..]) => {
            let track = track(name, song)?;
            let cycles = steps(cycles)?;
            let to = match to {
                [] => Ok(song.track(track).pattern),
                ["to", number] => pattern(number),
                _ => Err(OrderError::Form("capture kick 4 [to 2]")),
            }?;
            Ok(Order::Capture { track, cycles, to })
        }
        ("capture", _) => Err(OrderError::Form("capture kick 4 [to 2]")),
        ("fill", [name, every, from @ ..]) if from.len() <= 1 => {
            let from = from.first().map_or(Ok(0), |from| cell_place(from))?;
            let every = steps(every)?;
            of_playing(name, song, Grid::Fill { every, from, velocity: 0.7 })
        }
        ("fill", _) => Err(OrderError::Form("fill hat 2 [1]")),
        ("euclid", [name, pulses, rotation @ ..]) if rotation.len() <= 1 => {
            let rotation = rotation.first().map_or(Ok(0), |rotation| cell_place(rotation))?;
            let pulses = steps(pulses)?;
            of_playing(name, song, Grid::Euclid { pulses, rotation, velocity: 0.7 })
        }
        ("euclid", _) => Err(OrderError::Form("euclid hat 5 [2]")),
        ("copy" | "overlay", [name, from, to]) => {
            let (track, from, pattern) = (track(name, song)?, pattern(from)?, pattern(to)?);
            let grid = match command {
                "copy" => Grid::Replace { track, pattern: from },
                _ => Grid::Merge { track, pattern: from },
            };
            Ok(Order::Grid(GridEdit { track, pattern, grid }.check()?))
        }
        ("copy", _) => Err(OrderError::Form("copy kick 1 2")),
        ("overlay", _) => Err(OrderError::Form("overlay kick 1 2")),
        ("pattern", [name, number, when @ ..]) => {
            let (track, field) = (track(name, song)?, TrackField::Pattern(pattern(number)?));
            Ok(Order::Edit(
                Edit::Track { track, field },
                when_of(when, "pattern kick 2 [next [step|beat|4 bars]]")?,
            ))
        }
        ("pattern", _) => Err(OrderError::Form("pattern kick 2 [next]")),
        ("track", ["add", name]) => match Name::new(name) {
            Ok(name) if !name.is_empty() => Ok(Order::AddTrack(name)),
            _ => Err(OrderError::Value((*name).to_owned())),
        },
        ("track", ["remove", name]) => {
            let (track, field) = (track(name, song)?, TrackField::Alive(false));
            Ok(Order::Edit(Edit::Track { track, field }, When::Now))
        }
        ("track", [keyword @ ("solo" | "choke" | "follow"), name, value, when @ ..]) => {
            let track = track(name, song)?;
            let field = text::field_of(keyword, value);
            let field = field.map_err(|_| OrderError::Value((*value).to_owned()))?;
            Ok(Order::Edit(Edit::Track { track, field }, when_of(when, "track follow bass chord [next]")?))
        }
        ("track", ["midi", name, mode, channel @ ..]) if channel.len() <= 1 => {
            let track = track(name, song)?;
            Ok(Order::Edits(midi(track, mode, channel.first().copied())?, When::Now))
        }
        _ => Err(OrderError::Form("track add|remove tom, track solo|choke|follow|midi tom VALUE")),
    }
}

/// An operation on the pattern that a track plays.
fn of_playing(name: &str, song: &Song, grid: Grid) -> Result<Order, OrderError> {
    let track = track(name, song)?;
    let pattern = song.track(track).pattern;
    Ok(Order::Grid(GridEdit { track, pattern, grid }.check()?))
}

/// The patterns that a scene, by its number or its name, lets its tracks play.
fn scene(which: &str, song: &Song) -> Result<Vec<Edit>, OrderError> {
    let number = which.parse::<usize>().ok().and_then(|number| song.scenes.get(number.checked_sub(1)?));
    let named = || song.scenes.iter().find(|scene| scene.alive && scene.name.as_str() == which);
    let scene = number.filter(|scene| scene.alive).or_else(named);
    let scene = scene.ok_or_else(|| OrderError::Value(which.to_owned()))?;
    let patterns = TrackIndex::all().zip(scene.patterns).filter(|(track, _)| song.track(*track).alive);
    let edits = patterns
        .filter_map(|(track, pattern)| Some(Edit::Track { track, field: TrackField::Pattern(pattern?) }));
    Ok(edits.collect())
}

/// Where a track's notes go; without a channel, the one of its place.
fn midi(track: TrackIndex, mode: &str, channel: Option<&str>) -> Result<Vec<Edit>, OrderError> {
    let wrong = |word: &str| OrderError::Value(word.to_owned());
    let mode = MidiMode::ALL.iter().find(|(said, _)| *said == mode).ok_or_else(|| wrong(mode))?.1;
    let number = |word: &str| word.parse::<u8>().ok().filter(|channel| (1..=16).contains(channel));
    let channel = channel.map(|word| number(word).ok_or_else(|| wrong(word))).transpose()?;
    let fields = [TrackField::Midi(mode), TrackField::Channel(channel.map(|channel| channel - 1))];
    Ok(fields.map(|field| Edit::Track { track, field }).into())
}

fn steps(word: &str) -> Result<u8, OrderError> {
    let count = word.parse().ok().filter(|count| usize::from(*count) <= MAX_STEPS);
    count.ok_or_else(|| OrderError::Value(word.to_owned()))
}

fn pattern(word: &str) -> Result<PatternIndex, OrderError> {
    let number = word.parse::<usize>().ok().and_then(|number| PatternIndex::new(number.checked_sub(1)?));
    number.ok_or_else(|| OrderError::Value(word.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_read_as_they_are_written() {
        let song = crate::pattern::text::read("seq kick: X...\n").expect("a song").song;
        let track = TrackIndex::new(0).expect("a track");
        let order = |line: &str| Order::read(line, &song);
        let grid = |pattern: usize, grid| {
            let pattern = PatternIndex::new(pattern).expect("a pattern");
            Ok(Order::Grid(GridEdit { track, pattern, grid }))
        };
        assert_eq!(order("rotate kick -2"), grid(0, Grid::Rotate(-2)));
        let first = PatternIndex::FIRST;
        assert_eq!(order("copy kick 1 8"), grid(7, Grid::Replace { track, pattern: first }));
        assert_eq!(order("euclid kick 5 2"), grid(0, Grid::Euclid { pulses: 5, rotation: 2, velocity: 0.7 }));
        assert_eq!(order("track add tom"), Ok(Order::AddTrack(Name::new("tom").expect("a name"))));
        let now = |edit| Ok(Order::Edit(edit, When::Now));
        assert_eq!(order("fill on"), now(Edit::Context(ContextField::Fill(true))));
        let field = TrackField::Follow(crate::pattern::Follow::Chord);
        assert_eq!(order("track follow kick chord"), now(Edit::Track { track, field }));
        assert_eq!(order("capture kick 4"), Ok(Order::Capture { track, cycles: 4, to: first }));
        assert_eq!(order("track midi kick internal 17"), Err(OrderError::Value("17".to_owned())));
        let scened = text::read("seq kick: X...\nscene 3: drop kick=4\n").expect("a song").song;
        let launch = Order::read("scene drop next", &scened);
        let field = TrackField::Pattern(PatternIndex::new(3).expect("a pattern"));
        assert_eq!(launch, Ok(Order::Edits(vec![Edit::Track { track, field }], When::NextBar)));
        assert_eq!(Order::read("scene 3 next", &scened), launch);
        let unclear = [
            "rotate kick",
            "copy kick 1 9",
            "insert kick 64 1",
            "track add -",
            "insert kick 0 0",
            "pattern kick 0",
            "scene 1",
            "capture kick",
        ];
        for line in unclear {
            assert!(order(line).is_err(), "{line}");
        }
    }
}
