//! One line into one statement.

use super::document::Said;
use super::keys::{self, CELLS, LFO_TARGETS, OVERFLOWS, STEP_SETS};
use super::scan::{Line, Pair, Word, pairs};
use super::statement::{Scope, Statement};
use super::whole;
use crate::param::{MAX_TRACKS, Param, TrackIndex};
use crate::pattern::text::Severity;
use crate::pattern::{
    LANES, Locks, MAX_GATE, MAX_STEPS, MidiMode, Name, PatternIndex, Pitch, Rate, Step, StepField,
};
use crate::time::Tempo;

/// Reads a line without its comment; its problems go to the line's list.
pub(super) fn parse(body: Word<'_>, line: &mut Line<'_, '_>) -> Option<Said> {
    let keyword = body.words().next()?;
    // `seq:kick` and the like: the keyword ends at a colon, too.
    let keyword = keyword.split(':').map_or(keyword, |(word, _)| word);
    let rest = body.part(keyword.text.len() + (keyword.at - body.at), body.text.len());
    let whole = line.span(body);
    if let Some(read) = match keyword.text {
        "TEMPO" => Some(tempo as fn(_, &mut _) -> _),
        "SEED" => Some(seed as fn(_, &mut _) -> _),
        _ => None,
    } {
        return Some(Said { statement: read(rest, line)?, whole, scope: whole });
    }
    if whole::ALONE.contains(&keyword.text) {
        let statement = Statement::Whole(whole::alone(keyword.text, rest, line)?);
        return Some(Said { statement, whole, scope: whole });
    }
    let Some(subject) = Subject::of(keyword.text) else {
        let known = keys::keywords();
        let help = keys::nearest(keyword.text, &known)
            .unwrap_or_else(|| format!("a statement begins with {}", keys::one_of(&known)));
        line.expected_with("a statement", keyword, Some(help));
        return None;
    };
    let (scope, tail) = head(keyword, rest, &subject, line)?;
    let statement = subject.read(scope, tail, line)?;
    Some(Said { statement, whole, scope: line.span(scope) })
}

/// Scope and tail of `keyword SCOPE: tail`.
fn head<'a>(
    keyword: Word<'a>,
    rest: Word<'a>,
    subject: &Subject,
    line: &mut Line<'_, '_>,
) -> Option<(Word<'a>, Word<'a>)> {
    let (scope, tail) = match rest.split(':') {
        Some((scope, tail)) => (scope, Some(tail)),
        None => (rest.words().next().unwrap_or(rest), None),
    };
    let extra = match tail {
        Some(_) => scope.words().nth(1),
        None => rest.words().nth(1),
    };
    if scope.text.is_empty() {
        let at = if rest.text.is_empty() { rest.end() } else { Word { text: ":", at: scope.at } };
        line.expected(&format!("{} after '{}'", subject.scope_said(), keyword.text), at);
        return None;
    }
    if let Some(extra) = extra {
        line.expected(&format!("':' after '{} {}'", keyword.text, scope.words().next()?.text), extra);
        return None;
    }
    match (tail, subject) {
        (Some(tail), _) => Some((scope, tail)),
        (None, Subject::Value(Param::Mute) | Subject::Own("solo")) => Some((scope, scope.end())),
        (None, _) => {
            line.expected(&format!("':' after '{} {}'", keyword.text, scope.text), rest.end());
            None
        }
    }
}

fn tempo(rest: Word<'_>, line: &mut Line<'_, '_>) -> Option<Statement> {
    let value = rest.text.parse().ok().and_then(|bpm| Tempo::from_bpm(bpm).ok());
    if value.is_none() {
        line.expected("a tempo from 40 to 300 BPM", rest);
    }
    value.map(Statement::Tempo)
}

fn seed(rest: Word<'_>, line: &mut Line<'_, '_>) -> Option<Statement> {
    let value = rest.text.parse().ok();
    if value.is_none() {
        line.expected("a whole number from 0 to 4294967295", rest);
    }
    value.map(Statement::Seed)
}

/// What a statement with a scope is about.
enum Subject {
    Place,
    Seq,
    Step,
    Note,
    Overflow,
    Plays,
    Rate,
    Lanes,
    Own(&'static str),
    Midi,
    Listed(&'static str),
    Lfo,
    Value(Param),
    Module(&'static str),
}

impl Subject {
    fn of(keyword: &str) -> Option<Subject> {
        match keyword {
            "track" => Some(Subject::Place),
            "seq" => Some(Subject::Seq),
            "step" => Some(Subject::Step),
            "note" => Some(Subject::Note),
            "overflow" => Some(Subject::Overflow),
            "pattern" => Some(Subject::Plays),
            "rate" => Some(Subject::Rate),
            "lanes" => Some(Subject::Lanes),
            "solo" => Some(Subject::Own("solo")),
            "choke" => Some(Subject::Own("choke")),
            "follow" => Some(Subject::Own("follow")),
            "midi" => Some(Subject::Midi),
            "lfo" => Some(Subject::Lfo),
            _ => {
                let listed = whole::LISTED.into_iter().find(|word| *word == keyword).map(Subject::Listed);
                listed.or_else(|| keys::value_named(keyword).map(Subject::Value)).or_else(|| {
                    keys::module_named(keyword).filter(|m| !m.starts_with("lfo")).map(Subject::Module)
                })
            }
        }
    }

    fn scope_said(&self) -> &'static str {
        match self {
            Subject::Lfo => "a target such as bass.filter.freq",
            Subject::Step => "a track and a step such as kick.3",
            Subject::Seq | Subject::Rate => "a track's id, perhaps with a pattern such as kick.2",
            Subject::Listed(_) => "a number from 1",
            Subject::Value(_) | Subject::Module(_) => "a track's id or 'master'",
            _ => "a track's id",
        }
    }

    fn read(&self, at: Word<'_>, tail: Word<'_>, line: &mut Line<'_, '_>) -> Option<Statement> {
        match self {
            Subject::Place => {
                let track = track(at, line)?;
                let place = tail.text.parse::<usize>().ok().filter(|place| *place >= 1);
                let place = place.and_then(|place| TrackIndex::new(place - 1));
                let place = place.or_else(|| {
                    line.expected(&format!("a place from 1 to {MAX_TRACKS}"), tail);
                    None
                })?;
                Some(Statement::Place { track, place })
            }
            Subject::Seq => {
                let (track, pattern) = track_pattern(at, line)?;
                seq(track, pattern, tail, line)
            }
            Subject::Plays => {
                let track = track(at, line)?;
                let pattern = whole::pattern(tail.text);
                if pattern.is_none() {
                    line.expected("a pattern from 1 to 8", tail);
                }
                pattern.map(|pattern| Statement::Plays { track, pattern })
            }
            Subject::Rate => {
                let (track, pattern) = track_pattern(at, line)?;
                let rate = Rate::ALL.iter().find(|(word, _)| *word == tail.text);
                if rate.is_none() {
                    line.expected(&keys::one_of(&Rate::ALL.map(|(word, _)| word)), tail);
                }
                rate.map(|(_, rate)| Statement::Rate { track, pattern, rate: *rate })
            }
            Subject::Lanes => lanes(track(at, line)?, tail, line),
            Subject::Own(keyword) => {
                let track = track(at, line)?;
                match keys::own_of(keyword, tail.text) {
                    Ok(field) => Some(Statement::Own { track, field }),
                    Err(expected) => {
                        line.expected(&expected, tail);
                        None
                    }
                }
            }
            Subject::Midi => midi(track(at, line)?, tail, line),
            Subject::Listed(keyword) => whole::listed(keyword, at, tail, line).map(Statement::Whole),
            Subject::Step => step(at, tail, line),
            Subject::Note => {
                let track = track(at, line)?;
                Some(Statement::Note { track, pitch: pitch(tail, line)? })
            }
            Subject::Overflow => {
                let track = track(at, line)?;
                let overflow = OVERFLOWS.iter().find(|(word, _)| *word == tail.text);
                if overflow.is_none() {
                    line.expected("loop or rest", tail);
                }
                overflow.map(|(_, overflow)| Statement::Overflow { track, overflow: *overflow })
            }
            Subject::Lfo => lfo(at, tail, line),
            Subject::Value(param) => {
                let scope = scope(at, line)?;
                // `mute hat` alone mutes.
                let silent = *param == Param::Mute && tail.text.is_empty();
                let value = if silent { Some(1.0) } else { value(*param, tail, line) }?;
                Some(Statement::Value { scope, param: *param, value })
            }
            Subject::Module(module) => module_statement(scope(at, line)?, module, tail, line),
        }
    }
}

/// A track's id.
fn track(word: Word<'_>, line: &mut Line<'_, '_>) -> Option<Name> {
    match scope(word, line)? {
        Scope::Track(name) => Some(name),
        Scope::Master => {
            line.expected("a track's id", word);
            None
        }
    }
}

fn scope(word: Word<'_>, line: &mut Line<'_, '_>) -> Option<Scope> {
    if word.text.eq_ignore_ascii_case("master") {
        return Some(Scope::Master);
    }
    name("an id", word, line).map(Scope::Track)
}

fn name(what: &str, word: Word<'_>, line: &mut Line<'_, '_>) -> Option<Name> {
    let name = Name::new(word.text).ok().filter(|name| !name.is_empty());
    if name.is_none() {
        let help = "a word of at most 24 letters, digits, '_' or '-', not beginning with '-'".to_owned();
        line.expected_with(what, word, Some(help));
    }
    name
}

/// A parameter's value, within its range.
fn value(param: Param, word: Word<'_>, line: &mut Line<'_, '_>) -> Option<f32> {
    let value = keys::value_of(param, word.text);
    if value.is_none() {
        line.expected(&keys::range_of(param), word);
    }
    value
}

fn seq(track: Name, pattern: PatternIndex, tail: Word<'_>, line: &mut Line<'_, '_>) -> Option<Statement> {
    let separates = |c: char| c == '|' || c.is_whitespace();
    let mut cells = Vec::new();
    let mut strange: Option<Word<'_>> = None;
    let mut wrong = false;
    for (at, c) in tail.text.char_indices() {
        let letter = CELLS.iter().find(|(letter, _)| *letter == c);
        let known = letter.is_some() || c == '.' || separates(c);
        if !known {
            wrong = true;
            let begin = strange.map_or(at, |word| word.at - tail.at);
            strange = Some(tail.part(begin, at + c.len_utf8()));
        }
        // A run of strange cells is one error.
        if let Some(word) = strange.filter(|_| known) {
            strange = None;
            line.expected(CELLS_SAID, word);
        }
        if !separates(c) {
            if cells.len() == MAX_STEPS {
                let count = tail.text.chars().filter(|c| !separates(*c)).count();
                let message = format!("expected at most {MAX_STEPS} cells, found {count}");
                line.note(Severity::Error, tail.part(at, tail.text.len()), message, None);
                return None;
            }
            cells.push(letter.map_or(Step::REST, |(_, velocity)| Step {
                on: true,
                velocity: *velocity,
                ..Step::REST
            }));
        }
    }
    if let Some(word) = strange {
        line.expected(CELLS_SAID, word);
    }
    if cells.is_empty() {
        line.expected(CELLS_SAID, tail);
    }
    let text = tail.words().map(|word| word.text).collect::<Vec<_>>().join(" ");
    (!wrong && !cells.is_empty()).then_some(Statement::Seq { track, pattern, text, cells })
}

const CELLS_SAID: &str = "a cell (X, x, o or .)";

fn pitch(word: Word<'_>, line: &mut Line<'_, '_>) -> Option<Pitch> {
    let split = word.text.len().saturating_sub(2);
    let hertz = word.text.get(split..).filter(|unit| unit.eq_ignore_ascii_case("hz"));
    let pitch = match hertz {
        Some(_) => {
            let value: Option<f32> = word.text[..split].trim_end().parse().ok();
            value.filter(|hertz| (20.0..=20_000.0).contains(hertz)).map(Pitch::Hertz)
        }
        None => word.text.parse().ok().filter(|note| *note < 128).map(Pitch::Note),
    };
    if pitch.is_none() {
        line.expected("a MIDI note from 0 to 127, or 20hz to 20000hz", word);
    }
    pitch
}

fn step(at: Word<'_>, tail: Word<'_>, line: &mut Line<'_, '_>) -> Option<Statement> {
    let (id, number) = at.split('.').unwrap_or((at, at.end()));
    let track = track(id, line)?;
    let (pattern, number) = match number.split('.') {
        Some((pattern, number)) => (self::pattern(pattern, line)?, number),
        None => (PatternIndex::FIRST, number),
    };
    let Some(step) = number.text.parse().ok().filter(|step| usize::from(*step) < MAX_STEPS) else {
        line.expected("a step from 0 to 63, as in kick.3", number);
        return None;
    };
    const KEYS: [&str; 10 + LANES] = [
        "on",
        "velocity",
        "note",
        "probability",
        "ratchet",
        "micro",
        "tie",
        "gate",
        "when",
        "also",
        "lock1",
        "lock2",
        "lock3",
        "lock4",
        "lock5",
        "lock6",
        "lock7",
        "lock8",
    ];
    let mut fields: [Option<StepField>; 10] = [None; 10];
    let mut locked: [Option<f32>; LANES] = [None; LANES];
    let (mut sound, mut seen) = (true, 0);
    for pair in pairs(tail) {
        let Some((index, word)) = known_pair(&KEYS, &mut seen, pair, line) else {
            sound = false;
            continue;
        };
        if let Some(lane) = index.checked_sub(fields.len()) {
            let value = word.text.parse().ok().filter(|value: &f32| value.abs() <= Locks::FURTHEST);
            // −0 and 0 are one value.
            locked[lane] = value.map(|value| if value == 0.0 { 0.0 } else { value });
            if value.is_none() {
                line.expected("a number from -20000 to 20000", word);
                sound = false;
            }
            continue;
        }
        match step_field(index, word.text) {
            Ok(field) => fields[index] = Some(field),
            Err(range) => {
                line.expected(range, word);
                sound = false;
            }
        }
    }
    let fields: Vec<_> = fields.into_iter().flatten().collect();
    let locks: Vec<_> = (0..).zip(locked).filter_map(|(lane, value)| Some((lane, value?))).collect();
    let empty = fields.is_empty() && locks.is_empty();
    if sound && empty {
        line.expected(&format!("key=value with {}", keys::one_of(&KEYS)), tail);
    }
    (sound && !empty).then_some(Statement::Step { track, pattern, step, fields, locks })
}

/// A pattern's number, from 1.
fn pattern(word: Word<'_>, line: &mut Line<'_, '_>) -> Option<PatternIndex> {
    let pattern = whole::pattern(word.text);
    if pattern.is_none() {
        line.expected("a pattern from 1 to 8", word);
    }
    pattern
}

/// A track's id, and a pattern behind a dot; the first without.
fn track_pattern(at: Word<'_>, line: &mut Line<'_, '_>) -> Option<(Name, PatternIndex)> {
    match at.split('.') {
        Some((id, number)) => Some((track(id, line)?, pattern(number, line)?)),
        None => Some((track(at, line)?, PatternIndex::FIRST)),
    }
}

/// The parameters that steps lock, a word a lane.
fn lanes(track: Name, tail: Word<'_>, line: &mut Line<'_, '_>) -> Option<Statement> {
    let mut lanes = [None; LANES];
    for (at, word) in tail.words().enumerate() {
        let Some(lane) = lanes.get_mut(at) else {
            line.expected(&format!("at most {LANES} parameters"), word);
            return None;
        };
        if word.text != "none" {
            *lane = Some(Param::by_id(word.text).or_else(|| {
                line.expected("a parameter such as level, pan or filter.freq, or none", word);
                None
            })?);
        }
    }
    if tail.text.is_empty() {
        line.expected("a parameter such as level, pan or filter.freq, or none", tail);
        return None;
    }
    Some(Statement::Lanes { track, lanes })
}

/// Where a track's notes go: a word, and perhaps a channel.
fn midi(track: Name, tail: Word<'_>, line: &mut Line<'_, '_>) -> Option<Statement> {
    let (mut mode, mut channel, mut seen) = (None, None, 0);
    for (at, pair) in pairs(tail).into_iter().enumerate() {
        if at == 0 && pair.value.is_none() {
            mode = MidiMode::ALL.iter().find(|(word, _)| *word == pair.key.text).map(|(_, mode)| *mode);
            if mode.is_none() {
                line.expected(&keys::one_of(&MidiMode::ALL.map(|(word, _)| word)), pair.key);
                return None;
            }
            continue;
        }
        let (_, word) = known_pair(&["channel"], &mut seen, pair, line)?;
        let number = word.text.parse::<u8>().ok().filter(|channel| (1..=16).contains(channel));
        if number.is_none() {
            line.expected("a channel from 1 to 16", word);
        }
        channel = Some(number? - 1);
    }
    if mode.is_none() && channel.is_none() {
        line.expected(&keys::one_of(&MidiMode::ALL.map(|(word, _)| word)), tail);
        return None;
    }
    Some(Statement::Midi { track, mode: mode.unwrap_or_default(), channel })
}

/// A cell's field, or what was expected of it.
fn step_field(index: usize, word: &str) -> Result<StepField, &'static str> {
    let unit = || {
        let value: Option<f32> = word.parse().ok();
        // −0 and 0 are one value.
        value.filter(|v| (0.0..=1.0).contains(v)).map(|v| if v == 0.0 { 0.0 } else { v })
    };
    let fraction = "a number from 0 to 1";
    match index {
        0 => keys::value_of(Param::Mute, word).map(|on| StepField::On(on >= 0.5)).ok_or("on or off"),
        1 => unit().map(StepField::Velocity).ok_or(fraction),
        2 if word == "none" => Ok(StepField::Note(None)),
        2 => {
            let note = word.parse().ok().filter(|note| *note < 128);
            note.map(|note| StepField::Note(Some(note))).ok_or("a MIDI note from 0 to 127, or none")
        }
        3 => unit().map(StepField::Probability).ok_or(fraction),
        4 => {
            let ratchet = word.parse().ok().filter(|n| (1..=8).contains(n));
            ratchet.map(StepField::Ratchet).ok_or("a whole number from 1 to 8")
        }
        5 => {
            let micro = word.parse().ok().filter(|n| (-50..=50).contains(n));
            micro.map(StepField::Micro).ok_or("a whole number from -50 to 50")
        }
        6 => keys::value_of(Param::Mute, word).map(|on| StepField::Tie(on >= 0.5)).ok_or("on or off"),
        7 => {
            let gate = word.parse().ok().filter(|n| (1..=MAX_GATE).contains(n));
            gate.map(StepField::Gate).ok_or("a whole number from 1 to 6400")
        }
        8 => {
            let said =
                "a round such as 1:4, always, first, previous, neighbour, fill, or not- and one of these";
            keys::condition_of(word).map(StepField::Condition).ok_or(said)
        }
        _ => keys::notes_of(word).map(StepField::Also).ok_or("up to three MIDI notes such as 64,67, or none"),
    }
}

fn lfo(at: Word<'_>, tail: Word<'_>, line: &mut Line<'_, '_>) -> Option<Statement> {
    let (id, target) = at.split('.').unwrap_or((at, at.end()));
    let scope = scope(id, line)?;
    let Some((_, module)) = LFO_TARGETS.iter().find(|(word, _)| word.eq_ignore_ascii_case(target.text))
    else {
        let targets = LFO_TARGETS.map(|(word, _)| word);
        line.expected(&format!("a target: {}.{}", id.text, keys::one_of(&targets)), target);
        return None;
    };
    module_statement(scope, module, tail, line)
}

/// The words of a module that are no parameters.
const STEPS: &str = "steps";
const TEMPLATE: &str = "name";
/// Of a compressor: a parameter, but that a track may be named by its id, too.
const SIDE: &str = "side";
/// Of a sample: the file that it is.
const HASH: &str = "hash";

fn module_statement(
    scope: Scope,
    module: &'static str,
    tail: Word<'_>,
    line: &mut Line<'_, '_>,
) -> Option<Statement> {
    let params: Vec<Param> = keys::params_of(module).collect();
    let mut keys: Vec<&str> = params.iter().map(|param| keys::key_of(*param)).collect();
    if module == "groove" {
        keys.extend([STEPS, TEMPLATE]);
    } else if module == "sample" && scope != Scope::Master {
        keys.push(HASH);
    }
    let mut said = vec![None; params.len()];
    let (mut sample, mut steps, mut template, mut side, mut file) = (None, None, None, None, None);
    let mut seen = 0;
    let errors = line.found.len();
    for (at, pair) in pairs(tail).into_iter().enumerate() {
        if module == "sample" && at == 0 && pair.value.is_none() {
            sample = sample_name(scope, pair.key, line);
            continue;
        }
        let Some((index, word)) = known_pair(&keys, &mut seen, pair, line) else { continue };
        match keys[index] {
            STEPS => steps = step_set(word, line),
            TEMPLATE => template = name("a template's name", word, line),
            HASH => match word.text.parse() {
                Ok(id) => file = Some(id),
                Err(_) => line.expected("the 64 hexadecimal digits of a sample file", word),
            },
            SIDE if keys::value_of(params[index], word.text).is_none() => {
                side = name("own, a track's id or its place from 1 to 16", word, line);
            }
            _ => said[index] = value(params[index], word, line),
        }
    }
    let values = params.into_iter().zip(said).filter_map(|(param, value)| Some((param, value?))).collect();
    let sound = line.found[errors..].iter().all(|problem| problem.severity != Severity::Error);
    sound.then_some(Statement::Module { scope, module, values, sample, steps, template, side, file })
}

fn sample_name(scope: Scope, word: Word<'_>, line: &mut Line<'_, '_>) -> Option<Name> {
    if scope == Scope::Master {
        line.expected("gain=, as the master plays no sample", word);
        return None;
    }
    name("a sample's name", word, line)
}

/// `odd`, `even`, `all`, `none`, or a list such as `1,3,5`.
fn step_set(word: Word<'_>, line: &mut Line<'_, '_>) -> Option<u64> {
    if let Some((_, mask)) = STEP_SETS.iter().find(|(name, _)| *name == word.text) {
        return Some(*mask);
    }
    let list = word.text.strip_prefix('[').and_then(|list| list.strip_suffix(']')).unwrap_or(word.text);
    let steps: Option<Vec<usize>> = list.split(',').map(|step| step.trim().parse().ok()).collect();
    let steps = steps.filter(|steps| steps.iter().all(|step| *step < MAX_STEPS));
    if steps.is_none() {
        line.expected("odd, even, all, none or a list of steps from 0 to 63 such as 1,3,5", word);
    }
    steps.map(|steps| steps.into_iter().fold(0, |mask, step| mask | 1 << step))
}

/// Which of `keys` a pair names, and its value.
/// `seen` remembers the keys of the statement, bit by bit: of a key said twice the later one holds.
fn known_pair<'a>(
    keys: &[&str],
    seen: &mut u64,
    pair: Pair<'a>,
    line: &mut Line<'_, '_>,
) -> Option<(usize, Word<'a>)> {
    // `Q` is written large in the notation and small in the parameter table.
    let same = |key: &&str| *key == pair.key.text || (*key == "Q" && pair.key.text == "q");
    let index = keys.iter().position(same);
    if let Some(index) = index {
        if *seen >> index & 1 == 1 {
            let message = format!("'{}' stands twice; this later one holds", pair.key.text);
            line.note(Severity::Warning, pair.key, message, None);
        }
        *seen |= 1 << index;
    }
    match (index, pair.value) {
        (Some(index), Some(value)) => return Some((index, value)),
        (Some(_), None) => line.expected(&format!("'{}=' and a value", pair.key.text), pair.key),
        (None, _) => {
            let help = keys::nearest(pair.key.text, keys);
            line.expected_with(&format!("key=value with {}", keys::one_of(keys)), pair.key, help);
        }
    }
    None
}
