//! What a schedule is made of, drawn from its seed.

use antiphon::session::Role;

use crate::chance::Chance;

/// Virtual time in ns.
pub type Nanos = u64;
pub const MS: Nanos = 1_000_000;
pub const SECOND: Nanos = 1_000 * MS;

/// Mistakes that the simulation must find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// The server tells of commits before they are stored.
    AckBeforeCommit,
    /// A studio takes an edit back because no answer came in time.
    RollbackOnTimeout,
    /// The server forgets, when it restarts, which frames it has answered.
    ForgottenAnswers,
    /// A studio numbers a frame anew when it sends it again.
    FreshNumbers,
}

impl Bug {
    pub const ALL: [Bug; 4] =
        [Bug::AckBeforeCommit, Bug::RollbackOnTimeout, Bug::ForgottenAnswers, Bug::FreshNumbers];
}

/// How the network treats frames.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    /// The least delay.
    pub floor: Nanos,
    /// The mean of what comes on top.
    pub spread: Nanos,
    /// Of every frame.
    pub lost: f64,
    pub repeated: f64,
    /// Whether a frame may overtake another.
    pub reorders: bool,
}

/// Somebody who takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Honest(Role),
    Hostile(Role),
}

impl Part {
    pub fn role(self) -> Role {
        match self {
            Part::Honest(role) | Part::Hostile(role) => role,
        }
    }
}

/// A schedule.
#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    pub bug: Option<Bug>,
    pub parts: Vec<Part>,
    pub weather: Weather,
    /// How long everybody is busy, before all heals.
    pub length: Nanos,
    /// Mean time between two acts of one studio.
    pub pause: Nanos,
    /// Mean time between two calamities.
    pub calm: Nanos,
    /// How long the server's store takes for a transaction.
    pub store: Nanos,
}

impl Plan {
    pub fn drawn(seed: u64, bug: Option<Bug>) -> Plan {
        let mut chance = Chance::new(seed ^ 0xa17_1b40);
        let people = match seed % 100 {
            99 => 100,
            24 | 49 | 74 => chance.between(20, 40),
            _ => chance.between(3, 9),
        };
        let parts = (0..people).map(|who| part(who, &mut chance)).collect();
        let weather = Weather {
            floor: chance.pick(&[0, 1, 19, 80]) * MS,
            spread: chance.pick(&[1, 10, 60, 400]) * MS,
            lost: chance.pick(&[0.0, 0.0, 0.01, 0.1]),
            repeated: chance.pick(&[0.0, 0.02, 0.1]),
            reorders: chance.happens(0.5),
        };
        // Large sessions are as busy as a server may be; they need not be long.
        let length = if people > 10 { 6 } else { chance.between(10, 40) } * SECOND;
        Plan {
            seed,
            bug,
            parts,
            weather,
            length,
            pause: chance.pick(&[300, 1000, 3000]) * MS * if people > 10 { 4 } else { 1 },
            calm: chance.pick(&[800, 3_000, 12_000]) * MS,
            store: chance.pick(&[1, 5, 120]) * MS,
        }
    }
}

/// The first two always edit; of the others some listen and some mean harm.
fn part(who: u64, chance: &mut Chance) -> Part {
    match (who, chance.below(10)) {
        (0, _) => Part::Honest(Role::Owner),
        (1, _) | (_, 0..=6) => Part::Honest(Role::Editor),
        (_, 7) => Part::Honest(Role::Listener),
        (_, 8) => Part::Hostile(Role::Editor),
        _ => Part::Hostile(Role::Listener),
    }
}
