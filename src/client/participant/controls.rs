//! MIDI learn: what a controller is to move is asked for, and the first that is moved moves it.

use std::sync::Arc;

use super::Participant;
use crate::client::controls::{self, controller_words, target_words};
use crate::client::{ControlCommand, Event};
use crate::rt::controls::{ControlMap, Controller, Mapping, Said, Source, Takeover, Target, WIDE};
use crate::rt::ports::{Room, ToEngine};
use crate::time::HostNanos;

/// One half of a pair waits so long for the other.
const PAIR: i64 = 150_000_000;

/// The mappings, and what is being learned.
#[derive(Default)]
pub struct ControlSide {
    pub(super) mappings: Arc<Vec<Mapping>>,
    pub(super) learning: Option<(Target, Takeover)>,
    /// A control change that may be half of a pair.
    half: Option<(Controller, HostNanos)>,
}

impl ControlSide {
    /// With a profile's mappings.
    pub fn of(folder: &std::path::Path) -> ControlSide {
        ControlSide { mappings: Arc::new(controls::kept(folder)), ..ControlSide::default() }
    }
}

impl Participant {
    pub(super) fn control_command(&mut self, command: ControlCommand, now: HostNanos) {
        match command {
            ControlCommand::Learn(wanted) => {
                (self.controls.learning, self.controls.half) = (wanted, None);
                self.tell_controls();
            }
            ControlCommand::Map(mapping) if mapping.is_sound() => self.map(mapping, now),
            ControlCommand::Map(_) => self.complain("there is no such controller".to_owned()),
            ControlCommand::Forget(controller) => {
                let left = controls::without(&self.controls.mappings, controller);
                self.take_mappings(left);
            }
            ControlCommand::ForgetAll => self.take_mappings(Vec::new()),
        }
        self.shown.stale();
    }

    fn map(&mut self, mapping: Mapping, now: HostNanos) {
        (self.controls.learning, self.controls.half) = (None, None);
        self.take_mappings(controls::with(&self.controls.mappings, mapping));
        let controller = controller_words(mapping.controller);
        let target = target_words(mapping.target, self.studio.song());
        self.events.tell(Event::Mapped { controller, target }, now);
    }

    fn take_mappings(&mut self, mappings: Vec<Mapping>) {
        if let Err(error) = controls::keep(self.profile.folder(), &mappings) {
            self.complain(format!("{error:#}"));
        }
        self.controls.mappings = Arc::new(mappings);
        self.tell_controls();
    }

    /// Tells the engine, behind room for what of the own mix is moved.
    pub(super) fn tell_controls(&mut self) {
        let mappings = self.controls.mappings.clone();
        let learning = self.controls.learning.is_some();
        if mappings.is_empty() && !learning && !self.mine.knows_controls() {
            return;
        }
        for mapping in mappings.iter() {
            self.make_room_for(mapping.target);
        }
        self.mine.note_controls();
        self.feed.push(ToEngine::Room(Room::Controls(Box::new(ControlMap::new(&mappings, learning)))));
    }

    /// A controller has moved while one is to be learned.
    pub(super) fn controller_moved(&mut self, channel: u8, said: Said, now: HostNanos) {
        if self.controls.learning.is_none() {
            return;
        }
        let controller = Controller { channel, source: said.source() };
        let Said::Cc(number, _) = said else { return self.learned(controller, now) };
        match self.controls.half {
            Some((half, _)) if half == controller => {}
            Some((half, _)) if half.channel == channel && is_pair(half.source, number) => {
                let coarse = Source::Wide(number % WIDE);
                self.learned(Controller { source: coarse, ..half }, now);
            }
            _ if number < 2 * WIDE => self.controls.half = Some((controller, now)),
            _ => self.learned(controller, now),
        }
    }

    /// A half without the other is a control change of 7 bits.
    pub(super) fn look_at_controls(&mut self, now: HostNanos) {
        if let Some((controller, _)) = self.controls.half.filter(|(_, since)| now - *since >= PAIR) {
            self.learned(controller, now);
        }
    }

    fn learned(&mut self, controller: Controller, now: HostNanos) {
        if let Some((target, takeover)) = self.controls.learning {
            self.map(Mapping { controller, target, takeover }, now);
            self.shown.stale();
        }
    }
}

/// Whether two control changes are one number in 14 bits, whichever of them comes first.
fn is_pair(source: Source, number: u8) -> bool {
    matches!(source, Source::Cc(other) if number.abs_diff(other) == WIDE && number.min(other) < WIDE)
}
