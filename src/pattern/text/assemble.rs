//! From statements to a song.

use std::collections::{BTreeMap, BTreeSet};

use super::MAX_PROBLEMS;
use super::diagnostic::{Diagnostic, Severity};
use super::document::{Document, Said};
use super::keys;
use super::statement::{Scope, Statement};
use super::whole::Whole;
use crate::param::{MAX_TRACKS, Owner, Param, Slot, TrackIndex};
use crate::pattern::{Edit, Name, Song, groove, voice_of};
use crate::time::Tempo;

/// What a document stands for; problems that need the whole text are added to `found`.
pub(super) fn assemble(document: &Document, found: &mut Vec<Diagnostic>) -> (Song, Tempo) {
    let said: Vec<(usize, &Said)> =
        document.lines.iter().filter_map(|line| Some((line.number, line.said.as_ref()?))).collect();
    let mut assembly = Assembly { song: Song::new(), tempo: Tempo::DEFAULT, places: BTreeMap::new(), found };
    assembly.place_tracks(&said);
    let last = assembly.last_of_each(&said);
    // A cell's own fields come over its letter, wherever the two stand.
    let (steps, others): (Vec<_>, Vec<_>) =
        last.iter().partition(|(_, said)| matches!(said.statement, Statement::Step { .. }));
    for (line, said) in others.into_iter().chain(steps) {
        if let Statement::Whole(whole) = &said.statement {
            assembly.apply_whole(whole, line, said);
        } else {
            assembly.apply(&said.statement);
        }
    }
    assembly.remark(&last);
    assembly.remark_voices(&last);
    (assembly.song, assembly.tempo)
}

struct Assembly<'a> {
    song: Song,
    tempo: Tempo,
    places: BTreeMap<Name, TrackIndex>,
    found: &'a mut Vec<Diagnostic>,
}

impl Assembly<'_> {
    fn note(&mut self, severity: Severity, line: usize, at: (usize, usize), message: String) {
        // Warnings end first, so that an error always finds room.
        let most = if severity == Severity::Warning { MAX_PROBLEMS } else { 10 * MAX_PROBLEMS };
        if self.found.len() >= most {
            return;
        }
        let (column, width) = at;
        self.found.push(Diagnostic { severity, line, column, width, message, help: None });
    }

    /// Tracks that state a place take it; the others fill the free ones in order of appearance.
    fn place_tracks(&mut self, said: &[(usize, &Said)]) {
        let mut taken: [Option<Name>; MAX_TRACKS] = [None; MAX_TRACKS];
        for (line, said) in said.iter().rev() {
            let Statement::Place { track, place } = said.statement else { continue };
            if self.places.contains_key(&track) {
                continue; // a later statement has placed it
            }
            if let Some(other) = taken[place.get()] {
                let message = format!("place {} belongs to '{other}' already", place.get() + 1);
                self.note(Severity::Error, *line, said.whole, message);
            }
            taken[place.get()] = Some(track);
            self.places.insert(track, place);
        }
        let mut refused = BTreeSet::new();
        let named = said.iter().flat_map(|(line, said)| {
            said.statement.tracks().into_iter().map(move |track| (line, said, track))
        });
        for (line, said, track) in named {
            if self.places.contains_key(&track) || refused.contains(&track) {
                continue;
            }
            match TrackIndex::all().find(|place| taken[place.get()].is_none()) {
                Some(place) => {
                    taken[place.get()] = Some(track);
                    self.places.insert(track, place);
                }
                None => {
                    refused.insert(track);
                    let message = format!("expected at most {MAX_TRACKS} tracks, found one more: '{track}'");
                    self.note(Severity::Error, *line, said.scope, message);
                }
            }
        }
        for (track, place) in &self.places {
            let record = &mut self.song.tracks[place.get()];
            (record.alive, record.name) = (true, *track);
        }
    }

    /// The statements that hold: of several with one key, the last.
    fn last_of_each<'d>(&mut self, said: &[(usize, &'d Said)]) -> Vec<(usize, &'d Said)> {
        let last: BTreeMap<_, usize> =
            said.iter().map(|(line, said)| (said.statement.key(), *line)).collect();
        let mut held = Vec::new();
        for (line, said) in said {
            let by = last[&said.statement.key()];
            if by == *line {
                held.push((*line, *said));
            } else {
                let message = format!("'{}' is replaced by line {by}", said.statement.head());
                self.note(Severity::Warning, *line, said.whole, message);
            }
        }
        held
    }

    fn owner(&self, scope: Scope) -> Option<Owner> {
        match scope {
            Scope::Master => Some(Owner::Master),
            Scope::Track(name) => self.places.get(&name).map(|place| Owner::Track(*place)),
        }
    }

    fn apply(&mut self, statement: &Statement) {
        match statement {
            Statement::Tempo(tempo) => self.tempo = *tempo,
            Statement::Seed(seed) => self.song.seed = *seed,
            _ => {
                // Tracks past the sixteenth have been refused.
                let Some(owner) = statement.scope().and_then(|scope| self.owner(scope)) else { return };
                match owner {
                    Owner::Track(track) => self.apply_to_track(track, statement),
                    Owner::Master => self.apply_to_master(statement),
                }
                self.apply_params(owner, statement);
            }
        }
    }

    fn apply_whole(&mut self, whole: &Whole, line: usize, said: &Said) {
        let places = &self.places;
        if let Err(name) = whole.apply(&mut self.song, |name| places.get(&name).copied()) {
            let message = format!("expected a track of this text, found '{name}'");
            self.note(Severity::Error, line, said.whole, message);
        }
    }

    fn apply_to_track(&mut self, track: TrackIndex, statement: &Statement) {
        let record = &mut self.song.tracks[track.get()];
        match statement {
            Statement::Seq { pattern, cells, .. } => {
                let pattern = &mut record.patterns[pattern.get()];
                pattern.length = cells.len() as u8;
                pattern.steps[..cells.len()].copy_from_slice(cells);
            }
            Statement::Step { pattern, step, fields, locks, .. } => {
                let (pattern, step) = (*pattern, *step);
                for field in fields {
                    self.song.apply(&Edit::Step { track, pattern, step, field: *field });
                }
                for (lane, value) in locks {
                    self.song.apply(&Edit::Lock { track, pattern, step, lane: *lane, value: Some(*value) });
                }
            }
            Statement::Rate { pattern, rate, .. } => record.patterns[pattern.get()].rate = *rate,
            Statement::Plays { pattern, .. } => record.pattern = *pattern,
            Statement::Lanes { lanes, .. } => record.lanes = *lanes,
            Statement::Own { field, .. } => field.write(record),
            Statement::Midi { mode, channel, .. } => (record.midi, record.channel) = (*mode, *channel),
            Statement::Note { pitch, .. } => record.pitch = Some(*pitch),
            Statement::Overflow { overflow, .. } => record.overflow = *overflow,
            Statement::Module { module, sample, steps, template, file, .. } => {
                if *module == "sample" {
                    record.file = *file;
                }
                record.sample = sample.unwrap_or(record.sample);
                record.groove_steps = steps.unwrap_or(record.groove_steps);
                record.groove_template = template.unwrap_or(record.groove_template);
            }
            _ => {}
        }
    }

    fn apply_to_master(&mut self, statement: &Statement) {
        let context = &mut self.song.context;
        if let Statement::Module { steps, template, .. } = statement {
            context.groove_steps = steps.unwrap_or(context.groove_steps);
            context.groove_template = template.unwrap_or(context.groove_template);
        }
    }

    fn apply_params(&mut self, owner: Owner, statement: &Statement) {
        match statement {
            Statement::Value { param, value, .. } => self.set(owner, *param, *value),
            Statement::Module { module, values, side, .. } => {
                for param in keys::params_of(module) {
                    self.set(owner, param, param.spec().stated);
                }
                for (param, value) in values {
                    self.set(owner, *param, *value);
                }
                if let Some(place) = side.and_then(|track| self.places.get(&track)) {
                    self.set(owner, Param::CompSide, place.get() as f32 + 1.0);
                }
            }
            _ => {}
        }
    }

    fn set(&mut self, owner: Owner, param: Param, value: f32) {
        self.song.params[Slot::new(owner, param).index()] = value;
    }

    /// What reads, but does not sound as a person may think.
    fn remark(&mut self, said: &[(usize, &Said)]) {
        for (line, said) in said {
            let Statement::Module { scope, module, values, template, side, .. } = &said.statement else {
                continue;
            };
            if let Some(track) = side.filter(|track| !self.places.contains_key(track)) {
                let message = format!("expected a track of this text, found '{track}'");
                self.note(Severity::Error, *line, said.whole, message);
            }
            if *scope == Scope::Master && matches!(*module, "send" | "voice") {
                let message = format!("the master has no {module}; give it to a track");
                self.note(Severity::Warning, *line, said.whole, message);
            }
            let templated = values.iter().any(|(param, value)| *param == Param::GrooveType && *value == 4.0);
            if templated && template.is_none() {
                let message = "a groove of type template needs name=".to_owned();
                self.note(Severity::Warning, *line, said.whole, message);
            }
            let unknown = template.as_ref().filter(|name| groove::template(name).is_none());
            if let Some(name) = unknown.filter(|_| templated) {
                let names: Vec<&str> = groove::templates().collect();
                let message = format!(
                    "there is no groove template '{name}', so it is straight; there are: {}",
                    names.join(", ")
                );
                self.note(Severity::Warning, *line, said.whole, message);
            }
        }
    }

    /// Tracks that play another voice than their text asks for: said at the `sample` statement,
    /// else where the track first appears.
    fn remark_voices(&mut self, said: &[(usize, &Said)]) {
        for (name, place) in self.places.clone() {
            let sample = self.song.track(place).sample;
            let choice = voice_of(self.song.track(place));
            if !choice.stands_in {
                continue;
            }
            let about = said.iter().filter(|(_, said)| said.statement.scope() == Some(Scope::Track(name)));
            let names_sample =
                |said: &Said| matches!(said.statement, Statement::Module { sample: Some(_), .. });
            let place = about.clone().find(|(_, said)| names_sample(said)).or_else(|| about.clone().next());
            let Some((line, said)) = place else { continue };
            let wanted = if sample.is_empty() { name } else { sample };
            let message = format!(
                "there is no voice '{wanted}' yet; '{name}' plays the {} instead",
                choice.voice.name()
            );
            self.note(Severity::Warning, *line, said.whole, message);
        }
    }
}
