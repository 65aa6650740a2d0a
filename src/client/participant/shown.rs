//! The view that others read.

use std::sync::Arc;

use parking_lot::RwLock;

use super::Participant;
use crate::client::observers::Observers;
use crate::client::people::People;
use crate::client::{ClockStatus, Connection, ControlsView, Peer, View};
use crate::time::{Clock, HostNanos};

/// The least time between two views.
const GAP: i64 = 4_000_000;

/// What the view shows beyond state and engine, and when it was last published.
pub struct Shown {
    view: Option<Arc<RwLock<Arc<View>>>>,
    observers: Arc<Observers>,
    stale: bool,
    published: Option<HostNanos>,
    /// The connection.
    pub connection: Connection,
    /// The session's link without its secret.
    pub session: Option<String>,
    /// The others.
    pub peers: Vec<Peer>,
    /// The shared clock.
    pub clock: ClockStatus,
    /// The last refusal or error.
    pub notice: Option<String>,
    /// What is known of the people.
    pub people: People,
}

impl Default for Shown {
    fn default() -> Shown {
        Shown {
            view: None,
            observers: Arc::default(),
            stale: true,
            published: None,
            connection: Connection::Solo,
            session: None,
            peers: Vec::new(),
            clock: ClockStatus::default(),
            notice: None,
            people: People::default(),
        }
    }
}

impl Shown {
    /// The view no longer shows what is.
    pub fn stale(&mut self) {
        self.stale = true;
    }
}

impl Participant {
    /// Where views are published from now on.
    pub(super) fn publish_to(&mut self) -> Arc<RwLock<Arc<View>>> {
        let view = Arc::new(RwLock::new(Arc::new(self.view())));
        self.shown.view = Some(view.clone());
        view
    }

    /// Those who look at a part of the view.
    pub fn observers(&self) -> Arc<Observers> {
        self.shown.observers.clone()
    }

    /// Publishes a view if something changed: the first change at once, a burst every 4 ms.
    pub(super) fn publish(&mut self, now: HostNanos) {
        let shown = &self.shown;
        if !shown.stale || shown.published.is_some_and(|last| now - last < GAP) {
            return;
        }
        let fresh = Arc::new(self.view());
        if let Some(view) = &self.shown.view {
            let before = std::mem::replace(&mut *view.write(), fresh.clone());
            self.shown.observers.compare(&before, &fresh);
        }
        self.shown.published = Some(now);
        self.events.flush();
        self.shown.stale = false;
    }

    /// What there is to see now.
    pub(super) fn view(&self) -> View {
        let shown = &self.shown;
        View {
            song: self.studio.song().clone(),
            tempo_map: self.studio.tempo_map().clone(),
            timeline: self.studio.timeline(),
            seq: self.studio.seq(),
            rulings: self.studio.confirmed().rulings().clone(),
            steps: self.studio.steps(),
            client: self.studio.client(),
            role: self.studio.role(),
            connection: shown.connection.clone(),
            session: shown.session.clone(),
            unsaved: self.session.unsaved(self.studio.unsaved()),
            peers: shown.peers.clone(),
            clock: shown.clock,
            notice: shown.notice.clone(),
            people: shown.people.clone(),
            audio: self.engine.audio,
            position: self.engine.position(),
            engine_micro_bpm: self.engine.micro_bpm,
            meter: self.engine.meter,
            lamps: self.engine.lamps,
            metronome: self.engine.metronome,
            missing_files: self.samples.missing(),
            personal: self.mine.mix.clone(),
            controls: ControlsView {
                mappings: self.controls.mappings.clone(),
                learning: self.controls.learning,
            },
            recording: self.session.company.live.armed(),
            lines: self.lines_view(),
            transport: self.transport_view(self.clock.now()),
        }
    }
}
