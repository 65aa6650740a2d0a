//! A song in the canonical form.

use std::collections::BTreeSet;

use super::document::Document;
use super::keys::{self, CELLS};
use super::statement::{Scope, Statement};
use super::whole;
use crate::param::{Owner, Param, TrackIndex};
use crate::pattern::{
    LANES, MAX_STEPS, Name, Overflow, Pattern, PatternIndex, Rate, Song, Step, StepField, Track, TrackField,
};
use crate::time::Tempo;

/// Says a song: reading it back gives the same song and tempo, bit for bit, but for what
/// [`unsaid`] lists; that stands in comments at the top.
pub fn write(song: &Song, tempo: Tempo) -> String {
    let mut text = String::new();
    for line in unsaid(song) {
        text.push_str(&format!("# not said here: {line}\n"));
    }
    let mut say = |statement: Statement| text.push_str(&format!("{statement}\n"));
    say(Statement::Tempo(tempo));
    if song.seed != 0 {
        say(Statement::Seed(song.seed));
    }
    let names = names(song);
    let name_of = |track| names.iter().find(|(at, _)| *at == track).map(|(_, name)| *name);
    let (early, late): (Vec<_>, Vec<_>) =
        whole::statements(song, name_of).into_iter().partition(|whole| whole.place().1.is_none());
    early.into_iter().for_each(|whole| say(Statement::Whole(whole)));
    for (ordinal, (at, name)) in names.iter().copied().enumerate() {
        let mut statements = track_statements(song, at, name);
        if at.get() != ordinal {
            statements.insert(0, Statement::Place { track: name, place: at });
        }
        text.push('\n');
        statements.iter().for_each(|statement| text.push_str(&format!("{statement}\n")));
    }
    let master = param_statements(song, Owner::Master, Scope::Master, None);
    if !master.is_empty() {
        text.push('\n');
        master.iter().for_each(|statement| text.push_str(&format!("{statement}\n")));
    }
    if !late.is_empty() {
        text.push('\n');
        late.iter().for_each(|whole| text.push_str(&format!("{whole}\n")));
    }
    // Patterns that follow each other stand in columns.
    Document::parse(&text, &mut Vec::new()).canonical()
}

/// What a song holds and the notation cannot say.
pub fn unsaid(song: &Song) -> Vec<String> {
    let mut unsaid = Vec::new();
    for (at, name) in names(song) {
        let track = song.track(at);
        if track.name != name {
            let place = at.get() + 1;
            unsaid.push(format!("track {place} is called '{}'; it is written as '{name}'", track.name));
        }
    }
    let fresh = Song::new();
    for at in TrackIndex::all().filter(|at| !song.track(*at).alive) {
        let owner = Owner::Track(at);
        let touched = Param::ALL.into_iter().any(|p| song.param(owner, p) != fresh.param(owner, p));
        let (id, order) = (song.track(at).id, song.track(at).order);
        if touched || *song.track(at) != (Track { id, order, ..*fresh.track(at) }) {
            unsaid.push(format!("what the removed track {} keeps", at.get() + 1));
        }
    }
    unsaid.extend(whole::unsaid(song));
    unsaid
}

/// The tracks in use with ids that the notation can tell apart.
fn names(song: &Song) -> Vec<(TrackIndex, Name)> {
    let mut taken = BTreeSet::new();
    let usable = |name: &Name| !name.is_empty() && name.as_str() != "master";
    let own: BTreeSet<Name> = song.alive().map(|(_, track)| track.name).collect();
    let spare = |taken: &BTreeSet<Name>| {
        let free = |name: &Name| !taken.contains(name) && !own.contains(name);
        // There are more numbers than tracks.
        (1..).filter_map(|n| Name::new(&format!("track{n}")).ok()).find(free).unwrap_or_default()
    };
    let mut names = Vec::new();
    for (at, track) in song.alive() {
        let own_name = Some(track.name).filter(|name| usable(name) && !taken.contains(name));
        let name = own_name.unwrap_or_else(|| spare(&taken));
        taken.insert(name);
        names.push((at, name));
    }
    names
}

fn track_statements(song: &Song, at: TrackIndex, name: Name) -> Vec<Statement> {
    let track = song.track(at);
    let mut statements = Vec::new();
    for (pattern, held) in PatternIndex::all().zip(&track.patterns) {
        // A track is there because a statement names it; its first pattern does.
        if pattern == PatternIndex::FIRST || *held != Pattern::EMPTY {
            statements.push(seq(held, pattern, name));
        }
        let cells = (0..MAX_STEPS).filter_map(|step| step_statement(held, pattern, name, step));
        statements.extend(cells);
        if held.rate != Rate::Sixteenth {
            statements.push(Statement::Rate { track: name, pattern, rate: held.rate });
        }
    }
    if track.pattern != PatternIndex::FIRST {
        statements.push(Statement::Plays { track: name, pattern: track.pattern });
    }
    if track.lanes.iter().any(Option::is_some) {
        statements.push(Statement::Lanes { track: name, lanes: track.lanes });
    }
    let fresh = Track::UNUSED;
    let said = TrackField::all(track).into_iter().zip(TrackField::all(&fresh));
    let own = said.filter(|(field, fresh)| field != fresh && keys::said_own(field).is_some());
    statements.extend(own.map(|(field, _)| Statement::Own { track: name, field }));
    if (track.midi, track.channel) != (fresh.midi, fresh.channel) {
        statements.push(Statement::Midi { track: name, mode: track.midi, channel: track.channel });
    }
    if track.overflow != Overflow::Loop {
        statements.push(Statement::Overflow { track: name, overflow: track.overflow });
    }
    if let Some(pitch) = track.pitch {
        statements.push(Statement::Note { track: name, pitch });
    }
    statements.extend(param_statements(song, Owner::Track(at), Scope::Track(name), Some(track)));
    statements
}

fn seq(held: &Pattern, pattern: PatternIndex, name: Name) -> Statement {
    let cells: Vec<Step> = held.steps[..usize::from(held.length).clamp(1, MAX_STEPS)].to_vec();
    let letter = |cell: &Step| if cell.on { letter_of(cell.velocity).0 } else { '.' };
    Statement::Seq { track: name, pattern, text: cells.iter().map(letter).collect(), cells }
}

/// The letter whose velocity comes nearest.
fn letter_of(velocity: f32) -> (char, f32) {
    let far = |(_, level): &(char, f32)| (level - velocity).abs();
    CELLS.into_iter().min_by(|a, b| far(a).total_cmp(&far(b))).unwrap_or(CELLS[0])
}

/// What a cell's letter does not say.
fn step_statement(held: &Pattern, pattern: PatternIndex, name: Name, at: usize) -> Option<Statement> {
    let cell = &held.steps[at];
    let by_letter = match cell.on && at < usize::from(held.length) {
        true => Step { on: true, velocity: letter_of(cell.velocity).1, ..Step::REST },
        false => Step::REST,
    };
    let fields = StepField::all(cell).into_iter().zip(StepField::all(&by_letter));
    let fields: Vec<_> = fields.filter(|(own, letter)| own != letter).map(|(own, _)| own).collect();
    let lanes = 0..LANES as u8;
    let locks: Vec<_> = lanes.filter_map(|lane| Some((lane, held.locks[at].get(lane)?))).collect();
    let empty = fields.is_empty() && locks.is_empty();
    (!empty).then_some(Statement::Step { track: name, pattern, step: at as u8, fields, locks })
}

/// Every module with a value that is not the default, in the table's order.
fn param_statements(song: &Song, owner: Owner, scope: Scope, track: Option<&Track>) -> Vec<Statement> {
    let mut modules: Vec<&'static str> = Vec::new();
    for param in Param::ALL {
        let module = param.spec().module();
        if !modules.contains(&module) {
            modules.push(module);
        }
    }
    modules.into_iter().filter_map(|module| module_statement(song, owner, scope, track, module)).collect()
}

fn module_statement(
    song: &Song,
    owner: Owner,
    scope: Scope,
    track: Option<&Track>,
    module: &'static str,
) -> Option<Statement> {
    let touched = |param: Param| song.param(owner, param) != param.spec().default;
    if let Some(param) = keys::value_named(module) {
        return touched(param).then(|| Statement::Value { scope, param, value: song.param(owner, param) });
    }
    let context = &song.context;
    let groove = track.map_or((context.groove_steps, context.groove_template), |track| {
        (track.groove_steps, track.groove_template)
    });
    let track = track.unwrap_or(&Track::UNUSED);
    let sample = Some(track.sample).filter(|name| module == "sample" && !name.is_empty());
    let steps = Some(groove.0).filter(|mask| module == "groove" && *mask != Track::ODD_STEPS);
    let template = Some(groove.1).filter(|name| module == "groove" && !name.is_empty());
    let file = track.file.filter(|_| module == "sample");
    let kept = keys::params_of(module).any(touched) || sample.is_some() || file.is_some() || steps.is_some();
    // What goes without saying is left out: a module that is named is on, a sample is whole and its
    // gain 0, a compressor hears itself, a delay has a time of its own.
    let quiet = |param: &Param| {
        matches!(keys::key_of(*param), "enabled" | "gain" | "side" | "sync") || module == "sample"
    };
    let said = |param: &Param| !quiet(param) || song.param(owner, *param) != param.spec().stated;
    let values = keys::params_of(module).filter(said).map(|param| (param, song.param(owner, param)));
    (kept || template.is_some()).then(|| Statement::Module {
        scope,
        module,
        values: values.collect(),
        sample,
        steps,
        template,
        side: None,
        file,
    })
}
