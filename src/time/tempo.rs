//! Tempo as an integer, so that every peer computes the same positions.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A tempo in millionths of a beat (quarter note) a minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Tempo(u64);

/// A tempo that cannot be played.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
#[error("tempo {0} BPM is outside 40 to 300 BPM")]
pub struct TempoError(pub f64);

impl Tempo {
    /// 120 BPM.
    pub const DEFAULT: Tempo = Tempo(120_000_000);
    /// The slowest tempo a session may have: 40 BPM.
    pub const MIN: Tempo = Tempo(40_000_000);
    /// The fastest tempo a session may have: 300 BPM.
    pub const MAX: Tempo = Tempo(300_000_000);

    /// A session's tempo from BPM.
    ///
    /// # Errors
    /// Outside 40 to 300 BPM, or not finite.
    pub fn from_bpm(bpm: f64) -> Result<Tempo, TempoError> {
        match Tempo::from_host_bpm(bpm) {
            Some(tempo) if (Tempo::MIN..=Tempo::MAX).contains(&tempo) => Ok(tempo),
            _ => Err(TempoError(bpm)),
        }
    }

    /// A host's tempo, which may lie outside a session's range: 1 to 1000 BPM, else `None`.
    pub fn from_host_bpm(bpm: f64) -> Option<Tempo> {
        (1.0..=1000.0).contains(&bpm).then_some(Tempo((bpm * 1e6 + 0.5) as u64))
    }

    /// In millionths of a BPM.
    pub const fn micro_bpm(self) -> u64 {
        self.0
    }

    /// From millionths of a BPM, checked as [`Tempo::from_bpm`] is.
    ///
    /// # Errors
    /// Outside 40 to 300 BPM.
    pub fn from_micro_bpm(micro_bpm: u64) -> Result<Tempo, TempoError> {
        let tempo = Tempo(micro_bpm);
        if (Tempo::MIN..=Tempo::MAX).contains(&tempo) { Ok(tempo) } else { Err(TempoError(tempo.bpm())) }
    }

    /// In BPM, for display and hosts.
    pub fn bpm(self) -> f64 {
        self.0 as f64 / 1e6
    }
}

impl Default for Tempo {
    fn default() -> Tempo {
        Tempo::DEFAULT
    }
}
