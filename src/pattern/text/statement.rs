//! What one line says, and its canonical form.

use std::fmt::{self, Display, Formatter};

use super::keys::{self, LFO_TARGETS, OVERFLOWS, STEP_SETS};
use super::whole::Whole;
use crate::param::{Param, TrackIndex};
use crate::pattern::{
    FileId, LANES, MAX_STEPS, MidiMode, Name, Overflow, PatternIndex, Pitch, Rate, Step, StepField,
    TrackField,
};
use crate::time::Tempo;

/// What a statement is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// The sum of all tracks.
    Master,
    /// A track by its id.
    Track(Name),
}

/// One statement. Its [`Display`] is the canonical form.
#[derive(Clone, Debug, PartialEq)]
pub enum Statement {
    /// `TEMPO 124`.
    Tempo(Tempo),
    /// `SEED 7`: seeds all chance.
    Seed(u32),
    /// `track hat: 3`: the track's place, shown from 1, where order alone would give another.
    Place {
        /// The track.
        track: Name,
        /// Its place.
        place: TrackIndex,
    },
    /// `seq kick: X...x...`, `seq kick.2: x...`.
    Seq {
        /// The track.
        track: Name,
        /// Which of its patterns; the first goes without saying.
        pattern: PatternIndex,
        /// The cells as written, with single spaces and `|` between groups.
        text: String,
        /// The cells, 1 to 64.
        cells: Vec<Step>,
    },
    /// `step kick.3: velocity=0.55 probability=0.5`, `step kick.2.3: lock1=800`: what a cell's letter
    /// cannot say.
    Step {
        /// The track.
        track: Name,
        /// Which of its patterns; the first goes without saying.
        pattern: PatternIndex,
        /// The cell, from 0.
        step: u8,
        /// Its fields; those left out are as `seq` says.
        fields: Vec<StepField>,
        /// Its locks: lane from 0, value.
        locks: Vec<(u8, f32)>,
    },
    /// `rate kick: 8t`, `rate kick.2: 16n`: how long a pattern's steps are.
    Rate {
        /// The track.
        track: Name,
        /// Which of its patterns; the first goes without saying.
        pattern: PatternIndex,
        /// The rate.
        rate: Rate,
    },
    /// `pattern kick: 2`: which of its patterns a track plays.
    Plays {
        /// The track.
        track: Name,
        /// The pattern.
        pattern: PatternIndex,
    },
    /// `lanes bass: filter.freq none pan`: the parameters that steps may lock.
    Lanes {
        /// The track.
        track: Name,
        /// The parameters.
        lanes: [Option<Param>; LANES],
    },
    /// `solo kick`, `choke hat: 2`, `follow bass: chord`.
    Own {
        /// The track.
        track: Name,
        /// The field, one of these three.
        field: TrackField,
    },
    /// `midi bass: both channel=3`: where its notes go.
    Midi {
        /// The track.
        track: Name,
        /// Where.
        mode: MidiMode,
        /// On which channel, from 0; `None` takes the track's place.
        channel: Option<u8>,
    },
    /// What concerns the song as a whole.
    Whole(Whole),
    /// `note bass: 36` or `note bass: 55hz`.
    Note {
        /// The track.
        track: Name,
        /// Its pitch.
        pitch: Pitch,
    },
    /// `overflow kick: rest`.
    Overflow {
        /// The track.
        track: Name,
        /// What its pattern does at its end.
        overflow: Overflow,
    },
    /// A parameter that is a statement of its own: `pan hat: 0.3`.
    Value {
        /// Whose.
        scope: Scope,
        /// Which.
        param: Param,
        /// Its value.
        value: f32,
    },
    /// A module with its parameters: `filter bass: freq=800 Q=1`, `sample hat: closed gain=-1`.
    Module {
        /// Whose.
        scope: Scope,
        /// The table's name of it: `filter`, `lfo.amp`.
        module: &'static str,
        /// The parameters given, in the table's order; the others take the table's `stated`.
        values: Vec<(Param, f32)>,
        /// The sample's or voice's name.
        sample: Option<Name>,
        /// The steps a groove moves.
        steps: Option<u64>,
        /// The groove's template.
        template: Option<Name>,
        /// The track a compressor listens to, where it is said by its id.
        side: Option<Name>,
        /// The sample file that a track plays.
        file: Option<FileId>,
    },
}

/// What a statement replaces: a later one with the same key wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key(u8, Option<Scope>, &'static str, u16);

impl Statement {
    /// The track or master it names.
    pub fn scope(&self) -> Option<Scope> {
        match self {
            Statement::Tempo(_) | Statement::Seed(_) | Statement::Whole(_) => None,
            Statement::Place { track, .. }
            | Statement::Seq { track, .. }
            | Statement::Step { track, .. }
            | Statement::Note { track, .. }
            | Statement::Rate { track, .. }
            | Statement::Plays { track, .. }
            | Statement::Lanes { track, .. }
            | Statement::Own { track, .. }
            | Statement::Midi { track, .. }
            | Statement::Overflow { track, .. } => Some(Scope::Track(*track)),
            Statement::Value { scope, .. } | Statement::Module { scope, .. } => Some(*scope),
        }
    }

    /// The tracks it names: they exist by that.
    pub(super) fn tracks(&self) -> Vec<Name> {
        match (self, self.scope()) {
            (Statement::Whole(whole), _) => whole.tracks(),
            (_, Some(Scope::Track(track))) => vec![track],
            _ => Vec::new(),
        }
    }

    pub(super) fn key(&self) -> Key {
        let cell = |pattern: &PatternIndex, step: u8| (pattern.get() * MAX_STEPS) as u16 + u16::from(step);
        let (kind, word, step) = match self {
            Statement::Tempo(_) => (0, "", 0),
            Statement::Seed(_) => (1, "", 0),
            Statement::Place { .. } => (2, "", 0),
            Statement::Seq { pattern, .. } => (3, "", cell(pattern, 0)),
            Statement::Step { pattern, step, .. } => (4, "", cell(pattern, *step)),
            Statement::Note { .. } => (5, "", 0),
            Statement::Overflow { .. } => (6, "", 0),
            Statement::Value { param, .. } => (7, param.spec().id, 0),
            Statement::Module { module, .. } => (8, *module, 0),
            Statement::Rate { pattern, .. } => (9, "", cell(pattern, 0)),
            Statement::Plays { .. } => (10, "", 0),
            Statement::Lanes { .. } => (11, "", 0),
            Statement::Own { field, .. } => (13, keys::said_own(field).map_or("", |(word, _)| word), 0),
            Statement::Midi { .. } => (14, "", 0),
            Statement::Whole(whole) => {
                let (keyword, place) = whole.place();
                (12, keyword, place.map_or(0, u16::from))
            }
        };
        Key(kind, self.scope(), word, step)
    }

    /// Its keyword and what it is about: `filter bass`, `lfo bass.amp`, `TEMPO`.
    pub fn head(&self) -> String {
        let scope = self.scope().map(|scope| scope.to_string()).unwrap_or_default();
        let of = |pattern: &PatternIndex| match pattern.get() {
            0 => scope.clone(),
            at => format!("{scope}.{}", at + 1),
        };
        match self {
            Statement::Tempo(_) => "TEMPO".to_owned(),
            Statement::Seed(_) => "SEED".to_owned(),
            Statement::Place { .. } => format!("track {scope}"),
            Statement::Seq { pattern, .. } => format!("seq {}", of(pattern)),
            Statement::Step { pattern, step, .. } => format!("step {}.{step}", of(pattern)),
            Statement::Rate { pattern, .. } => format!("rate {}", of(pattern)),
            Statement::Plays { .. } => format!("pattern {scope}"),
            Statement::Lanes { .. } => format!("lanes {scope}"),
            Statement::Own { field, .. } => {
                format!("{} {scope}", keys::said_own(field).map_or("", |(word, _)| word))
            }
            Statement::Midi { .. } => format!("midi {scope}"),
            Statement::Whole(whole) => whole.head(),
            Statement::Note { .. } => format!("note {scope}"),
            Statement::Overflow { .. } => format!("overflow {scope}"),
            Statement::Value { param, .. } => format!("{} {scope}", param.spec().id),
            Statement::Module { module, .. } => {
                match LFO_TARGETS.iter().find(|(_, target)| target == module) {
                    Some((target, _)) => format!("lfo {scope}.{target}"),
                    None => format!("{module} {scope}"),
                }
            }
        }
    }
}

impl Display for Scope {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Scope::Master => f.write_str("master"),
            Scope::Track(name) => f.write_str(name.as_str()),
        }
    }
}

impl Display for Statement {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Statement::Whole(whole) = self {
            return whole.fmt(f);
        }
        f.write_str(&self.head())?;
        match self {
            Statement::Tempo(tempo) => write!(f, " {}", said_tempo(*tempo)),
            Statement::Seed(seed) => write!(f, " {seed}"),
            Statement::Place { place, .. } => write!(f, ": {}", place.get() + 1),
            Statement::Seq { text, .. } => write!(f, ": {text}"),
            Statement::Step { fields, locks, .. } => {
                f.write_str(":")?;
                fields.iter().try_for_each(|field| write!(f, " {}", said_field(field)))?;
                locks.iter().try_for_each(|(lane, value)| write!(f, " lock{}={value}", lane + 1))
            }
            Statement::Rate { rate, .. } => {
                let said = Rate::ALL.iter().find(|(_, value)| value == rate);
                write!(f, ": {}", said.map_or("16n", |(word, _)| word))
            }
            Statement::Plays { pattern, .. } => write!(f, ": {}", pattern.get() + 1),
            Statement::Lanes { lanes, .. } => {
                let last = lanes.iter().rposition(Option::is_some).map_or(0, |at| at + 1);
                f.write_str(":")?;
                let said = |lane: &Option<Param>| lane.map_or("none", |param| param.spec().id);
                lanes[..last.max(1)].iter().try_for_each(|lane| write!(f, " {}", said(lane)))
            }
            Statement::Own { field: TrackField::Solo(true), .. } => Ok(()),
            Statement::Own { field, .. } => {
                write!(f, ": {}", keys::said_own(field).map_or(String::new(), |(_, value)| value))
            }
            Statement::Midi { mode, channel, .. } => {
                write!(f, ": {}", keys::said_midi(*mode))?;
                channel.map_or(Ok(()), |channel| write!(f, " channel={}", channel + 1))
            }
            Statement::Whole(_) => Ok(()),
            Statement::Note { pitch: Pitch::Note(note), .. } => write!(f, ": {note}"),
            Statement::Note { pitch: Pitch::Hertz(hertz), .. } => write!(f, ": {hertz}hz"),
            Statement::Overflow { overflow, .. } => {
                let said = OVERFLOWS.iter().find(|(_, value)| value == overflow);
                write!(f, ": {}", said.map_or("loop", |(word, _)| word))
            }
            Statement::Value { param: Param::Mute, value, .. } if *value >= 0.5 => Ok(()),
            Statement::Value { param, value, .. } => write!(f, ": {}", keys::say(*param, *value)),
            Statement::Module { values, sample, steps, template, side, file, .. } => {
                f.write_str(":")?;
                if let Some(sample) = sample {
                    write!(f, " {sample}")?;
                }
                for (param, value) in values {
                    write!(f, " {}={}", keys::key_of(*param), keys::say(*param, *value))?;
                }
                if let Some(steps) = steps {
                    write!(f, " steps={}", said_steps(*steps))?;
                }
                side.map_or(Ok(()), |track| write!(f, " side={track}"))?;
                file.map_or(Ok(()), |file| write!(f, " hash={file}"))?;
                template.map_or(Ok(()), |name| write!(f, " name={name}"))
            }
        }
    }
}

/// Millionths of a BPM as the shortest decimal.
fn said_tempo(tempo: Tempo) -> String {
    let (whole, rest) = (tempo.micro_bpm() / 1_000_000, tempo.micro_bpm() % 1_000_000);
    if rest == 0 { whole.to_string() } else { format!("{whole}.{rest:06}").trim_end_matches('0').to_owned() }
}

/// One field of a cell as `key=value`.
fn said_field(field: &StepField) -> String {
    match field {
        StepField::On(on) => format!("on={}", keys::on_off(*on)),
        StepField::Velocity(velocity) => format!("velocity={velocity}"),
        StepField::Note(None) => "note=none".to_owned(),
        StepField::Note(Some(note)) => format!("note={note}"),
        StepField::Probability(probability) => format!("probability={probability}"),
        StepField::Ratchet(ratchet) => format!("ratchet={ratchet}"),
        StepField::Micro(micro) => format!("micro={micro}"),
        StepField::Tie(tie) => format!("tie={}", keys::on_off(*tie)),
        StepField::Gate(gate) => format!("gate={gate}"),
        StepField::Condition(condition) => format!("when={}", keys::said_condition(*condition)),
        StepField::Also(notes) => format!("also={}", keys::said_notes(*notes)),
    }
}

/// A groove's mask by its name, else as a list of steps from 0.
fn said_steps(mask: u64) -> String {
    match STEP_SETS.iter().find(|(_, set)| *set == mask) {
        Some((word, _)) => (*word).to_owned(),
        None => {
            let steps = (0..MAX_STEPS).filter(|step| mask >> step & 1 == 1);
            steps.map(|step| step.to_string()).collect::<Vec<_>>().join(",")
        }
    }
}
