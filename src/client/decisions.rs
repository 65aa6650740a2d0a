//! What a person asks about decisions: undo, conflicts, strategies, permissions; and how they read.

use serde_json::{Value, json};

use crate::param::Owner;
use crate::pattern::{Edit, Register, Song, Strategy};
use crate::session::{ClientId, Conflict, Grant, How, Matter, Rulings, Subject, Wanted};

/// A wish about what was decided.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Decision {
    /// Take my last step back.
    Undo(How),
    /// Take my last undo back.
    Redo(How),
    /// Pick a candidate of a card, or put the card away.
    Resolve {
        /// The card.
        id: u32,
        /// The candidate's place on it.
        choice: Option<u8>,
    },
    /// Try a candidate here alone; `None` ends the trial.
    Audition(Option<(u32, u8)>),
    /// How a kind of values is decided from now on.
    Strategy {
        /// The kind.
        matter: Matter,
        /// The strategy.
        strategy: Strategy,
    },
    /// What everybody (`None`) or one person may change; without a grant the rule ends.
    Permit {
        /// Who.
        who: Option<ClientId>,
        /// What they may change.
        grant: Option<Grant>,
    },
}

/// What a register is, as a person reads it: "kick filter cutoff", "step 4 of kick: note".
pub fn register_words(register: Register, song: &Song) -> String {
    let name = |track: crate::param::TrackIndex| match song.track(track).name.as_str() {
        "" => format!("track {}", track.get() + 1),
        name => name.to_owned(),
    };
    match register {
        Register::Param(slot) => {
            let owner = match slot.owner() {
                Owner::Track(track) => name(track),
                Owner::Master => "master".to_owned(),
            };
            format!("{owner} {}", slot.spec().name.to_lowercase())
        }
        Register::Step(track, _, step, _) => {
            let field = register.name().rsplit('.').next().unwrap_or("");
            format!("step {} of {}: {field}", u32::from(step) + 1, name(track))
        }
        other => match other.track() {
            Some(track) => format!("{}: {}", name(track), other.name()),
            None => other.name().to_owned(),
        },
    }
}

/// What a card or an undo is about.
pub fn subject_words(subject: Subject, song: &Song) -> String {
    match subject {
        Subject::Register(register) => register_words(register, song),
        Subject::Tempo => "the tempo".to_owned(),
    }
}

/// A wanted value.
pub fn wanted_words(wanted: &Wanted) -> String {
    match wanted {
        Wanted::Tempo(tempo) => format!("{:.2} BPM", tempo.bpm()),
        Wanted::Edit(Edit::Param { slot, value }) => slot.spec().display(*value).to_string(),
        Wanted::Edit(edit) => value_of(edit),
    }
}

/// The innermost value of an edit as its debug form spells it: "true", "0.7", "Some(36)".
fn value_of(edit: &Edit) -> String {
    let whole = format!("{edit:?}");
    let from = whole.find("field: ").map(|at| at + 7).or_else(|| whole.find("change: ").map(|at| at + 8));
    let field = &whole[from.unwrap_or(0)..];
    let inner = field.split_once('(').map_or(field, |(_, inner)| inner);
    let inner = inner.trim_end_matches(['}', ' ']);
    inner.strip_suffix(')').unwrap_or(inner).to_owned()
}

/// A card as JSON.
pub fn card_json(card: &Conflict, song: &Song, name_of: impl Fn(ClientId) -> String) -> Value {
    let candidates = card.candidates.iter().map(
        |candidate| json!({"from": name_of(candidate.author), "client": candidate.author.0, "value": wanted_words(&candidate.value)}),
    );
    json!({
        "id": card.id,
        "seq": card.seq.0,
        "kind": card.kind.word(),
        "waits": card.kind.waits(),
        "about": subject_words(card.subject, song),
        "candidates": candidates.collect::<Vec<_>>(),
        "result": wanted_words(&card.result),
    })
}

/// All that is decided, as JSON: cards, counts, strategies, who may what.
pub fn rulings_json(rulings: &Rulings, song: &Song, name_of: impl Fn(ClientId) -> String) -> Value {
    let conflicts = &rulings.conflicts;
    let kinds = crate::session::ConflictKind::ALL;
    let counts: serde_json::Map<String, Value> = kinds
        .iter()
        .zip(conflicts.counts())
        .map(|(kind, count)| (kind.word().to_owned(), json!(count)))
        .collect();
    let strategies: serde_json::Map<String, Value> = Matter::ALL
        .iter()
        .map(|matter| (matter.word().to_owned(), json!(conflicts.strategy(*matter).word())))
        .collect();
    let people = rulings.permissions.people();
    let people: Vec<Value> = people
        .map(|(client, grant)| json!({"client": client.0, "name": name_of(client), "may": areas(grant)}))
        .collect();
    json!({
        "event": "conflicts",
        "cards": conflicts.cards().iter().map(|card| card_json(card, song, &name_of)).collect::<Vec<_>>(),
        "counts": counts,
        "resolved": conflicts.resolved(),
        "strategies": strategies,
        "everybody_may": areas(rulings.permissions.everybody()),
        "people_may": people,
    })
}

fn areas(grant: Grant) -> Vec<String> {
    crate::session::Area::all().filter(|area| grant.allows(*area)).map(|area| area.to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::{PatternIndex, StepField};

    #[test]
    fn values_read_as_people_write_them() {
        let track = crate::param::TrackIndex::new(0).expect("a track");
        let step =
            |field| Wanted::Edit(Edit::Step { track, pattern: PatternIndex::default(), step: 3, field });
        assert_eq!(wanted_words(&step(StepField::On(true))), "true");
        assert_eq!(wanted_words(&step(StepField::Note(Some(36)))), "Some(36)");
        let register = Register::Step(track, PatternIndex::default(), 3, StepField::On(true).register());
        assert_eq!(register_words(register, &Song::new()), "step 4 of track 1: on");
    }
}
