//! The way to the engine: what waits for room in the ring.

use std::collections::VecDeque;

use rtrb::{Producer, PushError};

use crate::pattern::Edit;
use crate::rt::ports::ToEngine;
use crate::time::Beats;

/// Messages that may wait for the ring. An engine that stands still for longer is told the whole
/// song when it moves again.
const BACKLOG: usize = 8192;

/// The session's end of the ring towards the engine.
///
/// Full ring: messages wait here in order and are tried again. Full backlog: the edits in it are
/// dropped and [`Feed::flush`] asks for the whole song.
pub struct Feed {
    ring: Producer<ToEngine>,
    backlog: VecDeque<ToEngine>,
    overflowed: bool,
}

impl Feed {
    /// A feed into a ring.
    pub fn new(ring: Producer<ToEngine>) -> Feed {
        Feed { ring, backlog: VecDeque::new(), overflowed: false }
    }

    /// Tells an edit: at once, or for its beat.
    pub fn edit(&mut self, edit: Edit, at: Option<Beats>) {
        self.push(ToEngine::Edit { edit, at });
    }

    /// Tells a message.
    pub fn push(&mut self, message: ToEngine) {
        if self.backlog.is_empty() {
            if let Err(PushError::Full(message)) = self.ring.push(message) {
                self.backlog.push_back(message);
            }
            return;
        }
        if self.backlog.len() >= BACKLOG {
            // What [`Feed::flush`] asks for brings the rest anew.
            let anew = |waiting: &ToEngine| {
                matches!(
                    waiting,
                    ToEngine::Edit { .. } | ToEngine::Song(_) | ToEngine::TempoMap(_) | ToEngine::Focus(_)
                )
            };
            self.backlog.retain(|waiting| !anew(waiting));
            self.backlog.truncate(BACKLOG / 2);
            self.overflowed = true;
        }
        self.backlog.push_back(message);
    }

    /// Moves what waits into the ring, as far as it has room. Says whether edits had to be dropped:
    /// the engine must then be told everything.
    #[must_use]
    pub fn flush(&mut self) -> bool {
        while let Some(message) = self.backlog.pop_front() {
            if let Err(PushError::Full(message)) = self.ring.push(message) {
                self.backlog.push_front(message);
                return false;
            }
        }
        std::mem::take(&mut self.overflowed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rt::ports::{TO_ENGINE_CAPACITY, ports};

    fn seeds(ring: &mut rtrb::Consumer<ToEngine>) -> Vec<u32> {
        std::iter::from_fn(|| ring.pop().ok())
            .map(|message| match message {
                ToEngine::Edit { edit: Edit::Seed(seed), at: None } => seed,
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn a_full_ring_keeps_the_order() {
        let (session, mut engine) = ports();
        let mut feed = Feed::new(session.to_engine);
        let count = TO_ENGINE_CAPACITY as u32 + 10;
        (0..count).for_each(|seed| feed.edit(Edit::Seed(seed), None));
        let mut came = seeds(&mut engine.from_session);
        assert!(!feed.flush());
        came.extend(seeds(&mut engine.from_session));
        assert_eq!(came, (0..count).collect::<Vec<_>>());
    }

    #[test]
    fn a_long_standstill_asks_for_the_whole_song_once() {
        let (session, mut engine) = ports();
        let mut feed = Feed::new(session.to_engine);
        (0..(TO_ENGINE_CAPACITY + BACKLOG + 5) as u32).for_each(|seed| feed.edit(Edit::Seed(seed), None));
        assert!(!feed.flush());
        let _ = seeds(&mut engine.from_session);
        assert!(feed.flush());
        assert!(!feed.flush());
    }
}
