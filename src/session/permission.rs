//! Who may change which area of a session.
//!
//! Roles come with the invite; within them the owner may give everybody, or one person, some areas
//! alone: a drummer edits the drums, nobody but the owner changes the tempo. The record is shared
//! state and the sequencer checks every op against it.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{ClientId, Role};
use crate::param::{MAX_TRACKS, TrackIndex};
use crate::pattern::Register;

/// The most people with a grant of their own.
pub const MAX_GRANTS: usize = 128;

/// What a grant speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Area {
    /// A track: its name, voice, cells, pattern, effects.
    Track(TrackIndex),
    /// The master's effects and level.
    Master,
    /// What belongs to no track: arrangement, context, seed, new tracks, strategies.
    Song,
    /// The tempo.
    Tempo,
    /// Start and stop.
    Transport,
}

impl Area {
    /// The area that a register belongs to.
    pub fn of(register: Register) -> Area {
        match (register.track(), register) {
            (Some(track), _) => Area::Track(track),
            (None, Register::Param(_)) => Area::Master,
            (None, _) => Area::Song,
        }
    }

    /// Every area, tracks first.
    pub fn all() -> impl Iterator<Item = Area> {
        let rest = [Area::Master, Area::Song, Area::Tempo, Area::Transport];
        TrackIndex::all().map(Area::Track).chain(rest)
    }

    fn bit(self) -> u32 {
        1 << match self {
            Area::Track(track) => track.get(),
            Area::Master => MAX_TRACKS,
            Area::Song => MAX_TRACKS + 1,
            Area::Tempo => MAX_TRACKS + 2,
            Area::Transport => MAX_TRACKS + 3,
        }
    }
}

impl fmt::Display for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Area::Track(track) => write!(f, "track {}", track.get() + 1),
            Area::Master => f.write_str("the master"),
            Area::Song => f.write_str("the song as a whole"),
            Area::Tempo => f.write_str("the tempo"),
            Area::Transport => f.write_str("the transport"),
        }
    }
}

/// The areas somebody may change: one bit each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant(u32);

impl Grant {
    /// Every area.
    pub const ALL: Grant = Grant((1 << (MAX_TRACKS + 4)) - 1);
    /// No area.
    pub const NONE: Grant = Grant(0);

    /// This and one area more.
    pub fn with(self, area: Area) -> Grant {
        Grant(self.0 | area.bit())
    }

    /// This without one area.
    pub fn without(self, area: Area) -> Grant {
        Grant(self.0 & !area.bit())
    }

    /// Whether it holds a area.
    pub fn allows(self, area: Area) -> bool {
        self.0 & area.bit() != 0
    }

    /// Whether the value (perhaps decoded from a frame) names known areas alone.
    pub fn is_valid(self) -> bool {
        self.0 & !Grant::ALL.0 == 0
    }
}

impl Default for Grant {
    fn default() -> Grant {
        Grant::ALL
    }
}

/// What everybody may change, and who has a grant of their own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permissions {
    everybody: Grant,
    people: BTreeMap<ClientId, Grant>,
}

impl Permissions {
    /// Whether somebody of a role may change a area. An owner may change all, a listener nothing.
    pub fn allow(&self, client: ClientId, role: Role, area: Area) -> bool {
        self.grant(client, role).allows(area)
    }

    /// The areas that somebody of a role may change.
    pub fn grant(&self, client: ClientId, role: Role) -> Grant {
        match role {
            Role::Owner => Grant::ALL,
            Role::Listener => Grant::NONE,
            Role::Editor => self.people.get(&client).copied().unwrap_or(self.everybody),
        }
    }

    /// What those without a grant of their own may change.
    pub fn everybody(&self) -> Grant {
        self.everybody
    }

    /// Those with a grant of their own.
    pub fn people(&self) -> impl Iterator<Item = (ClientId, Grant)> {
        self.people.iter().map(|(client, grant)| (*client, *grant))
    }

    /// Gives a grant to somebody or (`None`) to everybody; without a grant, takes it back.
    pub(super) fn set(&mut self, who: Option<ClientId>, grant: Option<Grant>) {
        match (who, grant) {
            (None, grant) => self.everybody = grant.unwrap_or_default(),
            (Some(client), Some(grant)) => drop(self.people.insert(client, grant)),
            (Some(client), None) => drop(self.people.remove(&client)),
        }
    }

    /// Whether so many more grants find room.
    pub(super) fn has_room(&self, more: usize) -> bool {
        self.people.len() + more <= MAX_GRANTS
    }

    pub(super) fn is_sound(&self) -> bool {
        self.has_room(0) && self.everybody.is_valid() && self.people.values().all(|grant| grant.is_valid())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_area_has_its_own_bit() {
        let mut grant = Grant::NONE;
        for area in Area::all() {
            assert!(!grant.allows(area), "{area}");
            grant = grant.with(area);
        }
        assert_eq!(grant, Grant::ALL);
        assert_eq!(Area::all().fold(grant, Grant::without), Grant::NONE);
        assert!(!Grant(1 << 31).is_valid());
    }
}
