//! Who looks at one part of the session is woken by that part alone.
//!
//! Thread: the session's own wakes; whoever observes waits on its own. A wake says that the part
//! is not what it was: the view has it. Wakes that nobody has taken yet are one wake.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam::channel::{Receiver, Sender, TrySendError, bounded};
use parking_lot::Mutex;

use super::View;
use crate::param::{Slot, TrackIndex};

/// A part of the session that can be looked at by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Path {
    /// One track: its fields, its steps and its parameters.
    Track(TrackIndex),
    /// One parameter.
    Param(Slot),
    /// Tempo and the session's transport.
    Transport,
    /// The shared clock's estimate.
    Clock,
    /// The others, and what they tell of themselves.
    Peers,
    /// The connection, and what is unsaved.
    Connection,
}

/// One observer: waits for its part to change.
pub struct Observer {
    woken: Receiver<()>,
    wakes: Arc<AtomicU64>,
}

impl Observer {
    /// A channel that has something in it when the part has changed since it was last emptied.
    pub fn woken(&self) -> &Receiver<()> {
        &self.woken
    }

    /// How often the part has changed, as published views show it.
    pub fn wakes(&self) -> u64 {
        self.wakes.load(Ordering::Acquire)
    }
}

struct Watch {
    path: Path,
    wake: Sender<()>,
    wakes: Arc<AtomicU64>,
}

/// All observers of one client.
#[derive(Default)]
pub struct Observers {
    watches: Mutex<Vec<Watch>>,
}

impl Observers {
    /// A new observer of a part.
    pub fn observe(&self, path: Path) -> Observer {
        let (wake, woken) = bounded(1);
        let wakes = Arc::new(AtomicU64::new(0));
        self.watches.lock().push(Watch { path, wake, wakes: wakes.clone() });
        Observer { woken, wakes }
    }

    /// Wakes those whose part differs between two views, and forgets those who are gone.
    pub fn compare(&self, before: &View, after: &View) {
        self.watches.lock().retain(|watch| {
            // An observer holds its count's other end.
            if Arc::strong_count(&watch.wakes) == 1 {
                return false;
            }
            if differs(watch.path, before, after) {
                watch.wakes.fetch_add(1, Ordering::AcqRel);
                return !matches!(watch.wake.try_send(()), Err(TrySendError::Disconnected(())));
            }
            true
        });
    }
}

fn differs(path: Path, before: &View, after: &View) -> bool {
    match path {
        Path::Track(track) => {
            before.song.track(track) != after.song.track(track)
                || Slot::all()
                    .filter(|slot| slot.owner() == crate::param::Owner::Track(track))
                    .any(|slot| before.song.params[slot.index()] != after.song.params[slot.index()])
        }
        Path::Param(slot) => before.song.params[slot.index()] != after.song.params[slot.index()],
        Path::Transport => before.tempo_map != after.tempo_map || before.timeline != after.timeline,
        Path::Clock => before.clock != after.clock,
        Path::Peers => before.peers != after.peers,
        Path::Connection => {
            (&before.connection, &before.session, before.unsaved)
                != (&after.connection, &after.session, after.unsaved)
        }
    }
}
