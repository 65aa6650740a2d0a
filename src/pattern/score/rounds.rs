//! The rounds of a pattern: where each of its cells stands.
//!
//! Thread: any. Realtime-safe: yes.

use crate::time::Beats;

/// A cell in one of its rounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct At {
    /// Counted from the pattern's origin; before it they count down.
    pub(super) round: i64,
    pub(super) cell: u8,
    /// Where it stands.
    pub(super) tick: Beats,
}

/// A pattern that begins at an origin and again after each period.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rounds {
    pub(super) origin: Beats,
    pub(super) step: Beats,
    /// Cells, at least 1; together no longer than the period.
    pub(super) length: i64,
    pub(super) period: Beats,
}

impl Rounds {
    fn place(&self, round: i64, cell: i64) -> At {
        let tick = self.origin + Beats(round * self.period.0 + cell * self.step.0);
        At { round, cell: cell as u8, tick }
    }

    /// Which of all cells one is, counted from the first at the origin.
    pub(super) fn count(&self, at: At) -> i64 {
        at.round * self.length + i64::from(at.cell)
    }

    /// The cell of a count.
    pub(super) fn counted(&self, count: i64) -> At {
        self.place(count.div_euclid(self.length), count.rem_euclid(self.length))
    }

    /// Visits the cells that stand in `from..to`.
    pub(super) fn places(&self, from: Beats, to: Beats, mut visit: impl FnMut(At)) {
        let mut round = (from - self.origin).0.div_euclid(self.period.0);
        loop {
            let begins = self.place(round, 0).tick;
            if begins >= to {
                return;
            }
            let passed = (from - begins).0.max(0);
            let first = (passed + self.step.0 - 1) / self.step.0;
            for cell in first..self.length {
                let at = self.place(round, cell);
                if at.tick >= to {
                    return;
                }
                visit(at);
            }
            round += 1;
        }
    }

    /// The last cell that stands at a tick or before it, but none before the origin of a tick that
    /// is not.
    pub(super) fn at_or_before(&self, tick: Beats) -> Option<At> {
        let since = (tick - self.origin).0;
        let (round, within) = (since.div_euclid(self.period.0), since.rem_euclid(self.period.0));
        Some(self.place(round, (within / self.step.0).min(self.length - 1)))
    }

    /// The cell before another; none before the origin.
    pub(super) fn before(&self, at: At) -> Option<At> {
        match i64::from(at.cell) {
            0 if at.round == 0 => None,
            0 => Some(self.place(at.round - 1, self.length - 1)),
            cell => Some(self.place(at.round, cell - 1)),
        }
    }

    /// The cell behind another.
    pub(super) fn after(&self, at: At) -> At {
        match i64::from(at.cell) + 1 {
            cell if cell < self.length => self.place(at.round, cell),
            _ => self.place(at.round + 1, 0),
        }
    }
}
