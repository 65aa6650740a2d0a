//! Who decides over the position, and how it stands between host and session.
//!
//! Plain data; any thread.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::time::{Beats, HostNanos};

/// Who decides over an engine's song position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Mode {
    /// The host's grid. Without a host, the session's timeline, placed once and then counted.
    #[default]
    Host,
    /// The host's transport is the gate, the shared clock the place; by the host's grid while the
    /// session stands.
    Follow,
    /// The shared clock, whatever the host does.
    Session,
    /// As [`Mode::Host`]; the session is told.
    Lead,
}

/// How it stands between the engine and the shared clock.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Lock {
    /// The mode asks for none.
    #[default]
    Off,
    /// Not yet: the clock is not known, the session stands, or the host does.
    Waiting,
    /// In phase.
    Locked {
        /// How far the clock's place is ahead of what sounds, in ns.
        off_ns: i64,
        /// The ratio's distance from the nominal one.
        ppm: f32,
    },
    /// The host renders when it likes, up to this much from a device's pace: no stamp tells when a
    /// sample sounds. It plays by the host's grid.
    Refused {
        /// In ns.
        late_ns: i64,
    },
}

/// A look at the shared clock from the audio thread.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sync {
    /// The lock.
    pub lock: Lock,
    /// φ: the host's song position less the session's; `None` while either stands.
    pub phase: Option<Beats>,
    /// The host's tempo.
    pub host_micro_bpm: Option<u64>,
    /// When the frame of the last [`super::ports::FromEngine::Position`] is heard.
    pub heard: Option<HostNanos>,
}

/// No such mode.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("'{0}' is no mode; there are: host, follow, session, lead")]
pub struct ModeError(String);

impl Mode {
    /// All modes.
    pub const ALL: [Mode; 4] = [Mode::Host, Mode::Follow, Mode::Session, Mode::Lead];

    /// Its word in commands.
    pub const fn word(self) -> &'static str {
        match self {
            Mode::Host => "host",
            Mode::Follow => "follow",
            Mode::Session => "session",
            Mode::Lead => "lead",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Mode {
    type Err = ModeError;
    fn from_str(word: &str) -> Result<Mode, ModeError> {
        let known = Mode::ALL.into_iter().find(|mode| mode.word() == word);
        known.ok_or_else(|| ModeError(word.to_owned()))
    }
}

/// How a host's tempo stands to the session's. Nothing is changed by it; both are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TempoMatch {
    /// The same, to 0.1 %.
    Match,
    /// The host plays at half the session's tempo.
    Half,
    /// The host plays at twice the session's tempo.
    Double,
    /// Neither.
    Mismatch,
}

impl TempoMatch {
    /// Of a host's and a session's tempo, in µBPM.
    pub fn of(host: u64, session: u64) -> TempoMatch {
        let near = |tempo: u64| tempo.abs_diff(session) <= session / 1000;
        match () {
            () if near(host) => TempoMatch::Match,
            () if near(host.saturating_mul(2)) => TempoMatch::Half,
            () if near(host / 2) => TempoMatch::Double,
            () => TempoMatch::Mismatch,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_and_double_time_are_told_from_a_mismatch() {
        let of = |host: f64| TempoMatch::of((host * 1e6) as u64, 120_000_000);
        assert_eq!(
            [120.0, 120.1, 60.0, 240.0].map(of),
            [TempoMatch::Match, TempoMatch::Match, TempoMatch::Half, TempoMatch::Double]
        );
        assert_eq!([121.0, 90.0, 180.0, 1.0].map(of), [TempoMatch::Mismatch; 4]);
    }

    #[test]
    fn every_mode_has_its_word() {
        for mode in Mode::ALL {
            assert_eq!(mode.word().parse(), Ok(mode));
        }
        assert!("Host".parse::<Mode>().is_err());
    }
}
