//! What happened where two people wrote the same thing: a card for each case, and the strategies.
//!
//! A write is concurrent with another that came, from somebody else, after the last commit its
//! author had seen. The sequencer decides what holds, and logs the decision as a [`Conflict`]; every
//! replica keeps the last [`MAX_CONFLICTS`], so that late joiners see them too, and counts all.

use serde::{Deserialize, Serialize};

use super::state::check_edit;
use super::{ClientId, Seq};
use crate::pattern::{Class, Edit, Register, Strategy};
use crate::time::Tempo;

/// The most cards kept.
pub const MAX_CONFLICTS: usize = 256;
/// The most of them that wait for nobody: when one more comes, the oldest goes.
pub const MAX_DECIDED: usize = 64;
/// The most candidates on a card.
pub const MAX_CANDIDATES: usize = 8;
/// The most cards that one commit brings; what it brings beyond is counted only.
pub const MAX_CARDS: usize = 32;

/// What a strategy is chosen for: a class of registers, or the tempo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Matter {
    /// Numbers on a scale.
    Continuous,
    /// Switches, choices, places, counts.
    Discrete,
    /// Words.
    Text,
    /// Whether a thing exists.
    Existence,
    /// The tempo.
    Tempo,
}

impl Matter {
    /// All of them.
    pub const ALL: [Matter; 5] =
        [Matter::Continuous, Matter::Discrete, Matter::Text, Matter::Existence, Matter::Tempo];

    /// A register's.
    pub fn of(register: Register) -> Matter {
        match register.class() {
            Class::Continuous => Matter::Continuous,
            Class::Discrete => Matter::Discrete,
            Class::Text => Matter::Text,
            Class::Existence => Matter::Existence,
        }
    }

    /// The strategy unless somebody has chosen one.
    fn strategy(self) -> Strategy {
        match self {
            Matter::Continuous => Class::Continuous.strategy(),
            Matter::Discrete => Class::Discrete.strategy(),
            Matter::Text => Class::Text.strategy(),
            Matter::Existence => Class::Existence.strategy(),
            Matter::Tempo => Strategy::Merge,
        }
    }

    /// As scripts write it.
    pub fn word(self) -> &'static str {
        match self {
            Matter::Continuous => "continuous",
            Matter::Discrete => "discrete",
            Matter::Text => "text",
            Matter::Existence => "existence",
            Matter::Tempo => "tempo",
        }
    }
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ConflictKind {
    /// A later commit replaced a value its author had not seen.
    Overwritten,
    /// Several hands became a mean.
    Merged,
    /// Candidates wait for somebody to pick one.
    Waiting,
    /// Tempos too far apart: the current one stays, the candidates wait.
    Tempo,
}

impl ConflictKind {
    /// All of them.
    pub const ALL: [ConflictKind; 4] =
        [ConflictKind::Overwritten, ConflictKind::Merged, ConflictKind::Waiting, ConflictKind::Tempo];

    /// Whether somebody has to pick.
    pub fn waits(self) -> bool {
        matches!(self, ConflictKind::Waiting | ConflictKind::Tempo)
    }

    /// As scripts and metrics write it.
    pub fn word(self) -> &'static str {
        match self {
            ConflictKind::Overwritten => "overwritten",
            ConflictKind::Merged => "merged",
            ConflictKind::Waiting => "waiting",
            ConflictKind::Tempo => "tempo",
        }
    }
}

/// What a conflict or an undo is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Subject {
    /// A register of the song.
    Register(Register),
    /// The tempo.
    Tempo,
}

impl Subject {
    /// What its strategy is chosen for.
    pub fn matter(self) -> Matter {
        match self {
            Subject::Register(register) => Matter::of(register),
            Subject::Tempo => Matter::Tempo,
        }
    }
}

/// A value somebody wanted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Wanted {
    /// The register's, as the edit that would write it.
    Edit(Edit),
    /// A tempo.
    Tempo(Tempo),
}

impl Wanted {
    fn fits(&self, subject: Subject) -> bool {
        match (self, subject) {
            (Wanted::Edit(edit), Subject::Register(register)) => {
                edit.register() == register && check_edit(edit).is_ok()
            }
            (Wanted::Tempo(tempo), Subject::Tempo) => Tempo::from_micro_bpm(tempo.micro_bpm()).is_ok(),
            _ => false,
        }
    }
}

/// What one person wanted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Who.
    pub author: ClientId,
    /// What.
    pub value: Wanted,
}

/// A card: who wanted what, and what holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Conflict {
    /// Its number in the session.
    pub id: u32,
    /// The commit that decided it last.
    pub seq: Seq,
    /// What happened.
    pub kind: ConflictKind,
    /// About what.
    pub subject: Subject,
    /// Who wanted what, one each; the first is what was met.
    pub candidates: Vec<Candidate>,
    /// What holds.
    pub result: Wanted,
}

impl Conflict {
    /// Takes what somebody wants, in the place of what the same person wanted before.
    pub(super) fn add(&mut self, candidate: Candidate) {
        match self.candidates.iter().position(|other| other.author == candidate.author) {
            Some(at) => self.candidates[at] = candidate,
            None => {
                // The newest matters more than the one before it.
                self.candidates.truncate(MAX_CANDIDATES - 1);
                self.candidates.push(candidate);
            }
        }
    }

    pub(super) fn is_sound(&self, last: Seq) -> bool {
        self.seq <= last
            && (1..=MAX_CANDIDATES).contains(&self.candidates.len())
            && self.result.fits(self.subject)
            && self.candidates.iter().all(|candidate| candidate.value.fits(self.subject))
    }
}

/// The session's cards, their counts, and the strategies.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Conflicts {
    /// By number.
    cards: Vec<Conflict>,
    next: u32,
    /// By [`ConflictKind`], in its order.
    counts: [u64; 4],
    resolved: u64,
    /// By [`Matter`], in its order; `None`: its own.
    strategies: [Option<Strategy>; 5],
}

impl Conflicts {
    /// The cards, oldest first.
    pub fn cards(&self) -> &[Conflict] {
        &self.cards
    }

    /// A card by its number.
    pub fn card(&self, id: u32) -> Option<&Conflict> {
        self.cards.binary_search_by_key(&id, |card| card.id).ok().map(|at| &self.cards[at])
    }

    /// How often each kind has happened, in the order of [`ConflictKind::ALL`]; a card that grew
    /// counts once.
    pub fn counts(&self) -> [u64; 4] {
        self.counts
    }

    /// How many have been resolved by somebody.
    pub fn resolved(&self) -> u64 {
        self.resolved
    }

    /// How concurrent writes are decided.
    pub fn strategy(&self, matter: Matter) -> Strategy {
        self.strategies[matter as usize].unwrap_or(matter.strategy())
    }

    /// The number of the next card.
    pub(super) fn next(&self) -> u32 {
        self.next
    }

    /// The newest card about something.
    pub(super) fn about(&self, subject: Subject) -> Option<&Conflict> {
        self.cards.iter().rev().find(|card| card.subject == subject)
    }

    /// Takes a card, new or grown.
    pub(super) fn take(&mut self, card: &Conflict) {
        match self.cards.binary_search_by_key(&card.id, |other| other.id) {
            Ok(at) => {
                let before = self.cards[at].kind as usize;
                self.counts[before] = self.counts[before].saturating_sub(1);
                self.counts[card.kind as usize] += 1;
                self.cards[at] = card.clone();
            }
            Err(at) => {
                self.counts[card.kind as usize] += 1;
                self.cards.insert(at, card.clone());
                self.next = self.next.max(card.id.saturating_add(1));
            }
        }
        let decided = self.cards.iter().filter(|card| !card.kind.waits()).count();
        if decided > MAX_DECIDED || self.cards.len() > MAX_CONFLICTS {
            let oldest = self.cards.iter().position(|card| !card.kind.waits());
            self.cards.remove(oldest.unwrap_or(0));
        }
    }

    /// Counts what found no room among a commit's cards.
    pub(super) fn count(&mut self, kind: ConflictKind, more: u32) {
        self.counts[kind as usize] = self.counts[kind as usize].saturating_add(u64::from(more));
    }

    /// Somebody has picked, or put the card away.
    pub(super) fn resolve(&mut self, id: u32) {
        if let Ok(at) = self.cards.binary_search_by_key(&id, |card| card.id) {
            self.cards.remove(at);
            self.resolved += 1;
        }
    }

    /// A later write has settled what waited: nobody needs to pick any more.
    pub(super) fn settle(&mut self, subject: Subject) {
        self.cards.retain(|card| !(card.kind.waits() && card.subject == subject));
    }

    pub(super) fn choose(&mut self, matter: Matter, strategy: Strategy) {
        self.strategies[matter as usize] = Some(strategy);
    }

    pub(super) fn is_sound(&self, last: Seq) -> bool {
        self.cards.len() <= MAX_CONFLICTS
            && self.cards.is_sorted_by(|a, b| a.id < b.id)
            && self.cards.iter().all(|card| card.id < self.next && card.is_sound(last))
    }
}
