//! Who moves the song position, and where runs begin and end.
//!
//! Thread: audio. Realtime-safe: yes.

use super::{Driver, Engine, MidiBuffer};
use crate::dsp::LIMITER_LATENCY;
use crate::rt::ports::{Fault, FromEngine, HostTransport, ParamMove};
use crate::rt::timeline::Timing;
use crate::rt::transport::{self, Placement};
use crate::time::Beats;

impl Engine {
    pub(super) fn follow_host(&mut self, host: &HostTransport, moves: &[ParamMove], midi: &mut MidiBuffer) {
        self.start = None;
        if !host.playing {
            return self.stop(self.frame, 0, midi);
        }
        let host = &transport::offset_by(host, self.lock.offset);
        if host.quarters.is_none() && !std::mem::replace(&mut self.told_no_position, true) {
            self.outbox.send(&mut self.ports.to_session, FromEngine::Fault(Fault::NoPosition));
        }
        if let Some(metre) = transport::metre_of(host) {
            self.renderer.follow_host_bars(metre);
        }
        let loop_range = transport::loop_of(host);
        let stream = self.output.stream_at(self.frame);
        let map = &self.material.map;
        let running = self.driver == Driver::Host;
        let placement = match &mut self.renderer.timeline {
            Some(timeline) if running => {
                let heard = timeline.heard_at(stream);
                let placement = transport::follow(map, host, loop_range, &heard, stream, self.rate);
                // A wrap that is rendered and not yet heard is heard first.
                if timeline.is_wrapping() && matches!(placement, Placement::Retime(_)) {
                    Placement::Keep
                } else {
                    placement
                }
            }
            _ => {
                let tick = host.quarters.and_then(Beats::from_quarters_f64).unwrap_or(self.last_tick);
                transport::begin(map, tick, host.bpm, self.rate)
            }
        };
        self.renderer.loop_range = loop_range;
        match placement {
            Placement::Keep => {}
            Placement::Begin { timing, song } => {
                // What the host sets where it begins is how it begins.
                for first in moves.iter().take_while(|first| first.frame == 0) {
                    self.renderer.take_move(&mut self.material, i64::MIN / 2, first.slot, first.value);
                }
                self.begin_run(Driver::Host, timing, song, self.frame);
                self.midi.end_all(0, midi);
            }
            Placement::Retime(anchor) => self.renderer.retime(anchor, &self.material.map),
        }
    }

    pub(super) fn follow_session(&mut self, midi: &mut MidiBuffer) {
        self.renderer.loop_range = None;
        if self.driver != Driver::Session {
            self.stop(self.frame, 0, midi);
        }
        let Some((tick, frame)) = self.start.filter(|(_, frame)| *frame < self.frame) else { return };
        // Late: in at the next step, in phase.
        let map = &self.material.map;
        let first = map.sample_at(tick).0;
        let now = first + self.output.samples_in(self.frame - frame);
        let step = Timing::Session.tick_at(map, now).ceil_to(Beats::SIXTEENTH);
        let at = frame + self.output.frames_in(map.sample_at(step).0 - first);
        self.start = Some((step, at.max(self.frame)));
    }

    /// The session's start is due at this frame of the block.
    pub(super) fn enter_session(&mut self, frame: i64, offset: u32, midi: &mut MidiBuffer) {
        if let Some((tick, _)) = self.start.take() {
            if self.by_clock {
                return self.enter_clock(tick, frame, offset, midi);
            }
            let song = self.material.map.sample_at(tick).0;
            self.renderer.follow_song_bars(&self.material.song);
            self.begin_run(Driver::Session, Timing::Session, song, frame);
            self.midi.end_all(offset, midi);
        }
    }

    pub(super) fn begin_run(&mut self, driver: Driver, timing: Timing, song: i64, frame: i64) {
        self.driver = driver;
        let offset = self.renderer.begin_run(&mut self.material, timing, song);
        self.output.begin(frame, offset as i64, LIMITER_LATENCY + offset);
        self.position_due = self.frame;
    }

    /// Ends the run at a frame of the block.
    pub(super) fn stop(&mut self, frame: i64, offset: u32, midi: &mut MidiBuffer) {
        (self.driver, self.halt) = (Driver::Nobody, None);
        self.told_no_position = false;
        if self.renderer.timeline.is_none() {
            return;
        }
        self.midi.end_all(offset, midi);
        if self.renderer.end_run() {
            self.output.jump(frame, self.renderer.head, LIMITER_LATENCY);
        }
        self.position_due = self.frame;
    }
}
