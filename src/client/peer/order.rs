//! The commands of a headless peer, one a line.

use thiserror::Error;

use super::control_order::ControlOrder;
use super::decision_order::DecisionOrder;
use super::mine_order::MineOrder;
use super::past;
use super::people_order::PeopleOrder;
use super::preset_order::PresetOrder;
use super::shape;
use crate::client::{LineCommand, Link, LinkError, When};
use crate::param::{Owner, Param, Slot, TrackIndex, Unit};
use crate::pattern::{
    Bars, Edit, EditError, GridEdit, MAX_BARS, MAX_STEPS, Metre, Name, PatternIndex, Section, Song,
    StepField, TrackField,
};
use crate::rt::ports::{Mode, ModeError};
use crate::session::MAX_RAMP_BARS;
use crate::time::{Beats, Tempo, TempoError};
use crate::wire::MAX_COUNT_IN;

/// What a line asks for. Steps are counted from 0, as in the notation; bars from 1.
#[derive(Clone, Debug, PartialEq)]
pub enum Order {
    /// `set kick.level 0.5`: a parameter, as a hand would move it.
    Set(Edit),
    /// `step kick 3 on|off [next]`, `velocity kick 3 0.7 [next]`; `next` waits for the next bar.
    Edit(Edit, When),
    /// `rotate kick 2`, `insert kick 4 2`, `delete kick 4 2`, `clear kick`, `fill hat 2 [1]`,
    /// `euclid hat 5 [2]`, `copy kick 1 2`, `overlay kick 1 2`; `pattern kick 2 [next]` and
    /// `track remove tom` are edits.
    Grid(GridEdit),
    /// Edits that go together: `scene 2 next`, `track midi bass midi 3`.
    Edits(Vec<Edit>, When),
    /// `capture kick 4 [to 2]`: rounds of the playing pattern as plain steps.
    Capture {
        /// The track.
        track: TrackIndex,
        /// How many rounds.
        cycles: u8,
        /// Into which pattern.
        to: PatternIndex,
    },
    /// `track add tom`.
    AddTrack(Name),
    /// `tempo 124`.
    Tempo(Tempo),
    /// `ramp 140 over 8 bars`: from the next bar on.
    Ramp(Tempo, u16),
    /// `tap`: the tempo of the hand that taps.
    Tap,
    /// `metronome on|off|0.4`: this peer's own.
    Metronome(f32),
    /// `metre 7/8 [bar N]`: from a bar on, the first where none is named.
    Metre(Metre, u32),
    /// `count-in 2 [bar N]`: start so many bars later, metronomes counting.
    CountIn(Beats, u8),
    /// `play [bar N | section NAME]`.
    Play(Beats),
    /// `stop`.
    Stop,
    /// `mode host|follow|session|lead|auto`.
    Mode(Option<Mode>),
    /// `join LINK`.
    Join(Link),
    /// `leave`: the song stays.
    Leave,
    /// `load FILE`.
    Load(String),
    /// `state`: the song in notation.
    State,
    /// `hash`: the confirmed state's digest.
    Hash,
    /// `fingerprint`: the last bar's.
    Fingerprint,
    /// `peers`: the others.
    Peers,
    /// `clock`: the shared clock's estimate.
    Clock,
    /// `trim MS`: sound later, or earlier.
    Trim(f64),
    /// `latency MS`: what lies behind the device's callback.
    Latency(f64),
    /// `sample vox FILE`: a sound file for a track; `sample vox none` is an edit.
    Sample(TrackIndex, String),
    /// `chat TEXT`.
    Chat(String),
    /// Something about the people.
    People(PeopleOrder),
    /// Something about branches, versions or the past.
    Line(LineCommand),
    /// `export FILE`: the whole session as one file, without a session on a server.
    Export(String),
    /// `import FILE`: go on with what a session file holds, without a session on a server.
    Import(String),
    /// Undo, conflicts, permissions.
    Decision(DecisionOrder),
    /// Sounds and grooves to begin with.
    Preset(PresetOrder),
    /// This peer's own mix.
    Mine(MineOrder),
    /// What controllers move.
    Control(ControlOrder),
}

/// Why a line was not understood.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum OrderError {
    /// No such command.
    #[error(
        "'{0}' is no command; there are: set, step, velocity, tempo, ramp, tap, metre, metronome, count-in, play, stop, mode, join, leave, load, state, hash, \
         fingerprint, peers, clock, trim, latency, chat, people, kick, role, invite, invites, revoke, code, lock, unlock, \
         follow, cursor, note, keep, record, fork, audition, merge, drop, name, unname, restore, history, export, import, rotate, insert, delete, clear, \
         fill, euclid, copy, overlay, pattern, track, sample, scene, arrangement, capture, undo, redo, conflicts, resolve, try, strategy, permit, presets, sound, groove, \
         save, randomize, my, learn, map, unmap, maps, control, quit"
    )]
    Unknown(String),
    /// A command in another form.
    #[error("it is written `{0}`")]
    Form(&'static str),
    /// No such track.
    #[error("there is no track '{name}'; there are: {tracks}")]
    Track {
        /// What was named.
        name: String,
        /// What could be.
        tracks: String,
    },
    /// No such parameter.
    #[error("there is no parameter '{0}'; they are written as in kick.level or master.delay.mix")]
    Param(String),
    /// No such step.
    #[error("'{0}' is no step: they are 0 to {last}", last = MAX_STEPS - 1)]
    Step(String),
    /// Not a number, or none of a parameter's words.
    #[error("'{0}' is no value here")]
    Value(String),
    /// Nobody has that name.
    #[error("nobody here is called '{0}'; `people` lists who is")]
    Nobody(String),
    /// Out of bounds.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// Out of the bounds of one's own mix.
    #[error(transparent)]
    Personal(#[from] crate::rt::personal::PersonalError),
    /// No mode.
    #[error(transparent)]
    Mode(#[from] ModeError),
    /// No link.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// Out of bounds.
    #[error(transparent)]
    Tempo(#[from] TempoError),
}

impl Order {
    /// Reads a line against the song that it speaks of.
    ///
    /// # Errors
    /// Says what is wrong and what is expected.
    pub fn read(line: &str, song: &Song) -> Result<Order, OrderError> {
        let (command, rest) = line.trim().split_once(char::is_whitespace).unwrap_or((line.trim(), ""));
        let rest = rest.trim();
        let words: Vec<&str> = rest.split_whitespace().collect();
        match (command, words.as_slice()) {
            ("set", [place, value]) => set(place, value, song),
            ("set", _) => Err(OrderError::Form("set kick.level 0.5")),
            ("step", [track, step, on, when @ ..]) => {
                let on = match *on {
                    "on" => true,
                    "off" => false,
                    _ => return Err(OrderError::Form("step kick 3 on|off [next]")),
                };
                cell(track, step, StepField::On(on), when, song)
            }
            ("step", _) => Err(OrderError::Form("step kick 3 on|off [next]")),
            ("velocity", [track, step, value, when @ ..]) => {
                cell(track, step, StepField::Velocity(number(value)?), when, song)
            }
            ("velocity", _) => Err(OrderError::Form("velocity kick 3 0.7 [next]")),
            ("tempo", [bpm]) => Ok(Order::Tempo(Tempo::from_bpm(f64::from(number(bpm)?))?)),
            ("metronome", ["on"]) => Ok(Order::Metronome(0.5)),
            ("metronome", ["off"]) => Ok(Order::Metronome(0.0)),
            ("metronome", [level]) => match number(level)? {
                level @ 0.0..=1.0 => Ok(Order::Metronome(level)),
                _ => Err(OrderError::Value((*level).to_owned())),
            },
            ("metronome", _) => Err(OrderError::Form("metronome on|off|0.4")),
            ("metre", [metre]) => Ok(Order::Metre(read_metre(metre)?, 0)),
            ("metre", [metre, "bar", bar]) => {
                let number = bar.parse::<u32>().ok().filter(|bar| (1..=MAX_BARS + 1).contains(bar));
                let number = number.ok_or_else(|| OrderError::Value((*bar).to_owned()))?;
                Ok(Order::Metre(read_metre(metre)?, number - 1))
            }
            ("metre", _) => Err(OrderError::Form("metre 7/8 [bar N]")),
            ("ramp", [bpm, "over", bars, "bars" | "bar"]) => {
                let bars = bars.parse().ok().filter(|bars| (1..=MAX_RAMP_BARS).contains(bars));
                let bars = bars.ok_or_else(|| OrderError::Value(rest.to_owned()))?;
                Ok(Order::Ramp(Tempo::from_bpm(f64::from(number(bpm)?))?, bars))
            }
            ("ramp", _) => Err(OrderError::Form("ramp 140 over 8 bars")),
            ("tap", []) => Ok(Order::Tap),
            ("tempo", _) => Err(OrderError::Form("tempo 124")),
            ("count-in", [bars, from @ ..]) => {
                let count = bars.parse::<u8>().ok().filter(|bars| (1..=MAX_COUNT_IN).contains(bars));
                let count = count.ok_or_else(|| OrderError::Value((*bars).to_owned()))?;
                let from = match from {
                    [] => Ok(1),
                    ["bar", bar] => bar.parse::<i64>().map_err(|_| OrderError::Value((*bar).to_owned())),
                    _ => return Err(OrderError::Form("count-in 2 [bar N]")),
                }?;
                let bar = from.clamp(1, 1_000_000) - 1;
                Ok(Order::CountIn(Bars::in_song(song).bar(bar).start, count))
            }
            ("count-in", _) => Err(OrderError::Form("count-in 2 [bar N]")),
            ("play", []) => Ok(Order::Play(Beats::ZERO)),
            ("play", ["bar", bar]) => match bar.parse::<i64>() {
                Ok(bar @ 1..=1_000_000) => Ok(Order::Play(Bars::in_song(song).bar(bar - 1).start)),
                _ => Err(OrderError::Value((*bar).to_owned())),
            },
            ("play", ["section", name]) => {
                let named = |section: &&Section| section.alive && section.name.as_str() == *name;
                let section = song.sections.iter().filter(named).min_by_key(|section| section.start);
                let section = section.ok_or_else(|| OrderError::Value((*name).to_owned()))?;
                Ok(Order::Play(Bars::in_song(song).bar(i64::from(section.start)).start))
            }
            ("play", _) => Err(OrderError::Form("play [bar N | section NAME]")),
            ("stop", []) => Ok(Order::Stop),
            ("mode", ["auto"]) => Ok(Order::Mode(None)),
            ("mode", [mode]) => Ok(Order::Mode(Some(mode.parse()?))),
            ("mode", _) => Err(OrderError::Form("mode host|follow|session|lead|auto")),
            ("join", [link]) => Ok(Order::Join(link.parse()?)),
            ("join", _) => Err(OrderError::Form("join LINK")),
            ("leave", []) => Ok(Order::Leave),
            ("load", [_, ..]) => Ok(Order::Load(rest.to_owned())),
            ("load", []) => Err(OrderError::Form("load FILE")),
            ("state", []) => Ok(Order::State),
            ("hash", []) => Ok(Order::Hash),
            ("fingerprint", []) => Ok(Order::Fingerprint),
            ("peers" | "people", []) => Ok(Order::Peers),
            ("clock", []) => Ok(Order::Clock),
            ("trim", [ms]) => Ok(Order::Trim(f64::from(number(ms)?))),
            ("latency", [ms]) => Ok(Order::Latency(f64::from(number(ms)?))),
            ("latency", _) => Err(OrderError::Form("latency 11.6")),
            ("trim", _) => Err(OrderError::Form("trim -2.5")),
            ("sample", [name, "none"]) => {
                let track = track(name, song)?;
                let fields = [TrackField::Sample(Name::EMPTY), TrackField::File(None)];
                Ok(Order::Edits(fields.map(|field| Edit::Track { track, field }).into(), When::Now))
            }
            ("sample", [name, _, ..]) => {
                let file = rest.split_once(char::is_whitespace).map_or("", |(_, file)| file.trim());
                Ok(Order::Sample(track(name, song)?, file.to_owned()))
            }
            ("sample", _) => Err(OrderError::Form("sample vox FILE | sample vox none")),
            ("my", words) => MineOrder::read(words, song).map(Order::Mine),
            ("chat", [_, ..]) => Ok(Order::Chat(rest.to_owned())),
            ("export", [_, ..]) => Ok(Order::Export(rest.to_owned())),
            ("import", [_, ..]) => Ok(Order::Import(rest.to_owned())),
            (command, words) if shape::is_command(command) => shape::read(command, words, song),
            (command, words) if past::is_command(command) => {
                past::read(command, words, rest).map(Order::Line)
            }
            _ if let Some(order) = DecisionOrder::read(command, &words, song) => order.map(Order::Decision),
            _ if let Some(order) = PresetOrder::read(command, &words, song) => order.map(Order::Preset),
            _ if let Some(order) = ControlOrder::read(command, &words, song) => order.map(Order::Control),
            _ => match PeopleOrder::read(command, &words, song) {
                Some(order) => order.map(Order::People),
                None => Err(OrderError::Unknown(line.trim().to_owned())),
            },
        }
    }
}

fn read_metre(word: &str) -> Result<Metre, OrderError> {
    let parts =
        word.split_once('/').and_then(|(count, unit)| Some((count.parse().ok()?, unit.parse().ok()?)));
    let metre = parts.map(|(count, unit)| Metre { count, unit }).filter(|metre| metre.is_sound());
    metre.ok_or_else(|| OrderError::Value(word.to_owned()))
}

fn set(place: &str, value: &str, song: &Song) -> Result<Order, OrderError> {
    let (slot, value) = slot_and_value(place, value, song)?;
    Ok(Order::Set(Edit::Param { slot, value }.check()?))
}

/// A slot as in `kick.filter.type`, and a number or word for it.
pub(super) fn slot_and_value(place: &str, value: &str, song: &Song) -> Result<(Slot, f32), OrderError> {
    let slot = slot(place, song)?;
    let word = match slot.spec().unit {
        Unit::Words(words) => words.iter().position(|word| *word == value).map(|at| at as f32),
        Unit::Switch => ["off", "on"].iter().position(|word| *word == value).map(|at| at as f32),
        _ => None,
    };
    Ok((slot, word.map_or_else(|| number(value), Ok)?))
}

/// A slot as in `kick.filter.freq` and `master.level`.
pub(super) fn slot(place: &str, song: &Song) -> Result<Slot, OrderError> {
    let unknown = || OrderError::Param(place.to_owned());
    let (owner, id) = place.split_once('.').ok_or_else(unknown)?;
    Ok(Slot::new(owner_named(owner, song)?, Param::by_id(&id.to_ascii_lowercase()).ok_or_else(unknown)?))
}

/// `master` or a track.
pub(super) fn owner_named(name: &str, song: &Song) -> Result<Owner, OrderError> {
    match name.eq_ignore_ascii_case("master") {
        true => Ok(Owner::Master),
        false => track(name, song).map(Owner::Track),
    }
}

fn cell(name: &str, step: &str, field: StepField, when: &[&str], song: &Song) -> Result<Order, OrderError> {
    let when = when_of(when, "step kick 3 on|off [next [step|beat|4 bars]]")?;
    let track = track(name, song)?;
    let step = cell_place(step)?;
    let pattern = song.track(track).pattern;
    let edit = Edit::Step { track, pattern, step, field };
    Ok(Order::Edit(edit.check()?, when))
}

/// A cell's place, from 0.
pub(super) fn cell_place(step: &str) -> Result<u8, OrderError> {
    let place = step.parse::<u8>().ok().filter(|at| usize::from(*at) < MAX_STEPS);
    place.ok_or_else(|| OrderError::Step(step.to_owned()))
}

/// The words behind an edit that say when.
pub(super) fn when_of(words: &[&str], form: &'static str) -> Result<When, OrderError> {
    match words {
        [] => Ok(When::Now),
        ["next"] | ["at", "next"] => Ok(When::NextBar),
        ["next", "step"] => Ok(When::NextStep),
        ["next", "beat"] => Ok(When::NextBeat),
        ["next", bars, "bars"] => {
            let every = bars.parse().ok().filter(|every| (1..=64).contains(every));
            every.map(When::NextBars).ok_or_else(|| OrderError::Value((*bars).to_owned()))
        }
        _ => Err(OrderError::Form(form)),
    }
}

pub(super) fn track(name: &str, song: &Song) -> Result<TrackIndex, OrderError> {
    song.track_named(name).ok_or_else(|| {
        let tracks: Vec<&str> = song.alive().map(|(_, track)| track.name.as_str()).collect();
        let tracks = if tracks.is_empty() { "none yet".to_owned() } else { tracks.join(", ") };
        OrderError::Track { name: name.to_owned(), tracks }
    })
}

pub(super) fn number(word: &str) -> Result<f32, OrderError> {
    word.parse()
        .ok()
        .filter(|value: &f32| value.is_finite())
        .ok_or_else(|| OrderError::Value(word.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::text;

    #[test]
    fn orders_are_read_and_errors_say_what_is_expected() {
        let song = text::read("seq kick: X...\nseq bass: x...\n").expect("a song").song;
        let read = |line: &str| Order::read(line, &song);
        let kick = song.track_named("kick").expect("a kick");
        let on = Edit::Step {
            track: kick,
            pattern: crate::pattern::PatternIndex::FIRST,
            step: 3,
            field: StepField::On(true),
        };
        assert_eq!(read("step kick 3 on"), Ok(Order::Edit(on, When::Now)));
        assert_eq!(read(" step KICK 3 on next "), Ok(Order::Edit(on, When::NextBar)));
        assert_eq!(read("step kick 3 on next beat"), Ok(Order::Edit(on, When::NextBeat)));
        assert_eq!(read("step kick 3 on next 4 bars"), Ok(Order::Edit(on, When::NextBars(4))));
        assert!(read("step kick 3 on next 0 bars").is_err());
        let kind = Slot::new(Owner::Master, Param::FilterType);
        assert_eq!(
            read("set master.filter.type notch"),
            Ok(Order::Set(Edit::Param { slot: kind, value: 3.0 }))
        );
        let tempo = Tempo::from_bpm(140.0).expect("a tempo");
        assert_eq!(read("ramp 140 over 8 bars"), Ok(Order::Ramp(tempo, 8)));
        assert_eq!(read("metre 7/8 bar 5"), Ok(Order::Metre(Metre { count: 7, unit: 8 }, 4)));
        assert!(read("metre 7/9").is_err());
        assert_eq!(read("play bar 3"), Ok(Order::Play(Beats::quarters(8))));
        assert_eq!(read("chat hello you"), Ok(Order::Chat("hello you".into())));
        for (line, part) in [
            ("jump", "is no command"),
            ("step tuba 3 on", "there are: kick, bass"),
            ("step kick 64 on", "0 to 63"),
            ("set kick.level 2", "outside 0 to 1"),
            ("set kick.loudness 1", "no parameter"),
            ("tempo 500", "40 to 300"),
            ("set kick.level NaN", "no value"),
        ] {
            let error = read(line).expect_err(line).to_string();
            assert!(error.contains(part), "{line}: {error}");
        }
    }
}
