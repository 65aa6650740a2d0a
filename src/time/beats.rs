//! Musical position in ticks.

use std::ops::{Add, AddAssign, Neg, Sub};

use serde::{Deserialize, Serialize};

/// Ticks in a quarter note: 960 PPQN and 5-, 7- and 9-tuplets are exact.
pub const TICKS_PER_BEAT: i64 = 705_600;

/// A musical position or length in ticks, [`TICKS_PER_BEAT`] a quarter note. Position 0 is the
/// first beat of bar 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Beats(pub i64);

impl Beats {
    /// Position 0.
    pub const ZERO: Beats = Beats(0);
    /// A sixteenth note.
    pub const SIXTEENTH: Beats = Beats(TICKS_PER_BEAT / 4);

    /// The furthest position from the beginning, either way: 2³² quarter notes, 68 years at 120 BPM.
    /// Up to it no computation of a tempo map overflows.
    pub const FURTHEST: Beats = Beats(TICKS_PER_BEAT << 32);

    /// `n` quarter notes.
    pub const fn quarters(n: i64) -> Beats {
        Beats(n * TICKS_PER_BEAT)
    }

    /// The nearest tick to a host's position in quarter notes; `None` where it is not finite or
    /// beyond [`Beats::FURTHEST`].
    pub fn from_quarters_f64(quarters: f64) -> Option<Beats> {
        let ticks = quarters * TICKS_PER_BEAT as f64;
        // `+ 0.5` and floor by cast: `f64::round` is banned in the realtime floors.
        (ticks.is_finite() && ticks.abs() < Beats::FURTHEST.0 as f64).then(|| {
            let below = ticks as i64;
            let below = if (below as f64) > ticks { below - 1 } else { below };
            Beats(if ticks - below as f64 >= 0.5 { below + 1 } else { below })
        })
    }

    /// This position in quarter notes, for display and for hosts.
    pub fn as_quarters_f64(self) -> f64 {
        self.0 as f64 / TICKS_PER_BEAT as f64
    }

    /// The first position at or after this one that lies on a multiple of `grid` (> 0).
    pub const fn ceil_to(self, grid: Beats) -> Beats {
        let rest = self.0.rem_euclid(grid.0);
        if rest == 0 { self } else { Beats(self.0 - rest + grid.0) }
    }

    /// The last position at or before this one that lies on a multiple of `grid` (> 0).
    pub const fn floor_to(self, grid: Beats) -> Beats {
        Beats(self.0 - self.0.rem_euclid(grid.0))
    }
}

impl Add for Beats {
    type Output = Beats;
    fn add(self, other: Beats) -> Beats {
        Beats(self.0 + other.0)
    }
}

impl AddAssign for Beats {
    fn add_assign(&mut self, other: Beats) {
        self.0 += other.0;
    }
}

impl Sub for Beats {
    type Output = Beats;
    fn sub(self, other: Beats) -> Beats {
        Beats(self.0 - other.0)
    }
}

impl Neg for Beats {
    type Output = Beats;
    fn neg(self) -> Beats {
        Beats(-self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_positions_round_to_the_nearest_tick() {
        assert_eq!(Beats::from_quarters_f64(1.0), Some(Beats(TICKS_PER_BEAT)));
        assert_eq!(Beats::from_quarters_f64(-0.25), Some(Beats(-TICKS_PER_BEAT / 4)));
        assert_eq!(Beats::from_quarters_f64(0.6 / TICKS_PER_BEAT as f64), Some(Beats(1)));
        assert_eq!(Beats::from_quarters_f64(f64::NAN), None);
        assert_eq!(Beats::from_quarters_f64(1e12), None);
    }

    #[test]
    fn grids_hold_on_both_sides_of_zero() {
        let bar = Beats::quarters(4);
        assert_eq!(Beats(1).ceil_to(bar), bar);
        assert_eq!(Beats(-1).ceil_to(bar), Beats::ZERO);
        assert_eq!(Beats(-1).floor_to(bar), -bar);
        assert_eq!(bar.ceil_to(bar), bar);
    }
}
