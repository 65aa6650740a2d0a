//! The log of a machine that plays alone, in memory.
//!
//! A server keeps the log in its store; without one the machine's own is kept here, bounded: when
//! it holds more than [`MAX_ROWS`], the oldest commits become part of the state it begins from.

use std::collections::VecDeque;

use super::history::{PAGE_COMMITS, Row, page};
use super::{ApplyError, Commit, Detail, Page, Seq, State};

/// The most commits kept.
pub const MAX_ROWS: usize = 16_384;
/// How many are folded into the origin at a time.
const FOLD: usize = 1_024;

/// A log, and the state before it.
#[derive(Clone, Debug)]
pub struct Past {
    origin: Box<State>,
    rows: VecDeque<Row>,
}

impl Past {
    /// A log that begins now.
    pub fn new(origin: State) -> Past {
        Past { origin: Box::new(origin), rows: VecDeque::new() }
    }

    /// The state before the first commit that is kept.
    pub fn origin(&self) -> &State {
        &self.origin
    }

    /// The commits that are kept, in order.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter()
    }

    /// The last commit.
    pub fn seq(&self) -> Seq {
        self.rows.back().map_or(self.origin.seq(), |row| row.commit.seq)
    }

    /// Takes the next commit; one that does not follow is passed over.
    pub fn push(&mut self, at_ms: i64, commit: Commit) {
        if commit.seq.0 != self.seq().0 + 1 {
            return;
        }
        self.rows.push_back(Row { at_ms, commit });
        if self.rows.len() > MAX_ROWS {
            for row in self.rows.drain(..FOLD) {
                // They were applied once before.
                let _ = self.origin.apply(&row.commit);
            }
        }
    }

    /// The state after a commit; `None` where that lies before what is kept, or in the future.
    ///
    /// # Errors
    /// The log does not replay.
    pub fn state_at(&self, seq: Seq) -> Result<Option<State>, ApplyError> {
        if seq < self.origin.seq() || seq > self.seq() {
            return Ok(None);
        }
        let mut state = (*self.origin).clone();
        for row in self.rows.iter().take_while(|row| row.commit.seq <= seq) {
            state.apply(&row.commit)?;
        }
        Ok(Some(state))
    }

    /// The commits after `base`, in order.
    pub fn since(&self, base: Seq) -> impl Iterator<Item = &Commit> {
        self.rows.iter().map(|row| &row.commit).filter(move |commit| commit.seq > base)
    }

    /// The history before a commit (`None`: the latest).
    pub fn page(&self, before: Option<Seq>, detail: Detail, limit: usize) -> Page {
        let end =
            before.map_or(self.rows.len(), |before| self.rows.partition_point(|row| row.commit.seq < before));
        let start = end.saturating_sub(PAGE_COMMITS as usize);
        let rows: Vec<Row> = self.rows.range(start..end).cloned().collect();
        let mut found = page(&rows, detail, limit);
        if start == 0 && found.before == rows.first().map(|row| row.commit.seq) {
            found.before = None;
        }
        found
    }
}
