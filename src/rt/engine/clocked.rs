//! The engine on the shared clock: in at the next step, held in phase by the resampler's ratio.
//!
//! Thread: audio. Realtime-safe: yes. No tick is moved: the canonical timeline is rendered
//! untouched, and only its way to the device bends.

use super::{Driver, Engine};
use crate::dsp::{LIMITER_LATENCY, STEP_PARTS};
use crate::rt::engine::MidiBuffer;
use crate::rt::ports::{FromEngine, HostTransport, Lock, Sync};
use crate::rt::session_lock::FAR;
use crate::rt::timeline::Timing;
use crate::time::{Beats, HostNanos};

const PARTS: i128 = STEP_PARTS as i128;
/// An entry that is missed by no more than this (1 ms) is made all the same.
const MISSED: i128 = 48 * PARTS;

impl Engine {
    /// Takes the block's stamp, unless the host bounces: its pace is then no clock.
    pub(super) fn stamp(&mut self, now: HostNanos) {
        if self.held {
            self.lock.clock.reset();
        } else {
            self.lock.clock.stamp(self.frame, now);
        }
    }

    /// Plays by the shared clock.
    pub(super) fn follow_clock(&mut self, midi: &mut MidiBuffer) {
        self.renderer.loop_range = None;
        self.by_clock = true;
        (self.start, self.halt) = (None, None);
        if self.driver != Driver::Clock {
            self.stop(self.frame, 0, midi);
        }
        // Without a clock nothing begins, and what plays counts on.
        let Some(mut target) = self.lock.song_at(&self.material.map, self.frame) else { return };
        let slope = self.lock.slope(&self.material.map, self.frame);
        let mut enters = self.driver != Driver::Clock && self.lock.entry.is_none();
        if let Some((tick, at)) = self.lock.next {
            match self.lock.frame_at(at) {
                Some(frame) if frame >= self.frame => (self.start, enters) = (Some((tick, frame)), false),
                _ => {
                    // Heard of too late: in at the next step, from wherever it plays.
                    self.lock.take_next();
                    target = self.lock.song_at(&self.material.map, self.frame).unwrap_or(target);
                    enters = true;
                }
            }
        }
        if enters {
            let step = self.tick_from(target).ceil_to(Beats::SIXTEENTH);
            self.lock.entry = self.lock.first_tick().map(|first| first.max(step));
        }
        if self.driver == Driver::Clock {
            self.keep_in_phase(target, slope);
        }
        if let (Some(tick), None) = (self.lock.entry, self.start) {
            self.aim(tick, target, slope);
        }
    }

    /// The first tick whose sample lies at or after a place.
    fn tick_from(&self, place: i128) -> Beats {
        Timing::Session.first_tick_from(&self.material.map, ((place + PARTS - 1) >> 44) as i64)
    }

    /// Sets the frame at which to come in at a tick.
    fn aim(&mut self, tick: Beats, target: i128, slope: f64) {
        let away = i128::from(self.material.map.sample_at(tick).0) * PARTS - target;
        if away < -MISSED {
            self.lock.entry = None;
            return;
        }
        // The last frame at or before it; far ones need no precision, and are aimed at anew.
        let ahead = (away.max(0) as f64 / slope) as i64;
        self.start = Some((tick, self.frame + ahead));
    }

    /// Bends the ratio towards the clock's place; where that lies too far, goes on from the next bar.
    fn keep_in_phase(&mut self, target: i128, slope: f64) {
        let Some(timeline) = &mut self.renderer.timeline else { return };
        let heard = timeline.heard_at(self.output.stream_at(self.frame));
        let own = self.output.place_at(self.frame) + i128::from(heard.song - heard.stream) * PARTS;
        let off = (target - own) as f64 / STEP_PARTS as f64;
        if off.abs() > FAR && self.lock.entry.is_none() {
            self.lock.entry = Some(self.renderer.line_from(self.tick_from(own.max(target) + PARTS)));
        }
        if let Some(bar) = self.lock.entry {
            // Ahead of the clock: nothing from that bar on is played before its time.
            let left = i128::from(self.material.map.sample_at(bar).0) * PARTS - own;
            self.halt = Some(self.frame + (left.max(0) as f64 / slope) as i64);
            self.output.set_step(self.frame, slope);
            self.lock.told.0 = off;
            return;
        }
        let step = self.lock.corrected(slope, off);
        self.output.set_step(self.frame, step);
    }

    /// Comes in on the clock at a frame of the block.
    pub(super) fn enter_clock(&mut self, tick: Beats, frame: i64, offset: u32, midi: &mut MidiBuffer) {
        self.lock.take_next();
        self.lock.entry = None;
        self.halt = None;
        let song = self.material.map.sample_at(tick).0;
        let slope = self.lock.slope(&self.material.map, self.frame);
        let from = i128::from(song) * PARTS;
        let late = self.lock.song_at(&self.material.map, frame).map_or(0, |place| place - from);
        // A frame or so before the tick's place, or a little behind it.
        let late = late.clamp(-8 * PARTS, 2 * MISSED);
        self.renderer.follow_song_bars(&self.material.song);
        self.driver = Driver::Clock;
        let first = self.renderer.begin_run(&mut self.material, Timing::Session, song);
        self.output.begin_fitted(frame, first as i128 * PARTS + late, slope, LIMITER_LATENCY);
        self.lock.told = (0.0, 0.0);
        self.position_due = self.frame;
        self.midi.end_all(offset, midi);
    }

    /// An engine without a host, in mode Host or Lead: a frame for the timeline, once.
    pub(super) fn schedule(&mut self) {
        if !self.lock.unscheduled || self.held {
            return;
        }
        let timeline = self.lock.next.or(self.lock.timeline());
        if let Some((tick, at)) = timeline
            && let Some(frame) = self.lock.frame_at(at)
        {
            self.start = Some((tick, frame));
            self.lock.unscheduled = false;
            self.lock.take_next();
        }
    }

    /// Tells how it stands with the shared clock.
    pub(super) fn tell_sync(&mut self, host: Option<&HostTransport>) {
        let map = &self.material.map;
        let place = self.lock.song_at(map, self.frame);
        let session = place.map(|place| Timing::Session.tick_at(map, (place >> 44) as i64));
        let position = host.filter(|host| host.playing).and_then(|host| host.quarters);
        let position = position.and_then(Beats::from_quarters_f64).map(|tick| tick + self.lock.offset);
        let locks =
            matches!(self.lock.mode(), crate::rt::ports::Mode::Follow | crate::rt::ports::Mode::Session);
        let lock = match self.lock.clock.prefetch_ns() {
            Some(late_ns) if locks && host.is_some() => Lock::Refused { late_ns },
            _ if !locks || self.held => Lock::Off,
            _ if self.driver == Driver::Clock => {
                let (off, ratio) = self.lock.told;
                Lock::Locked { off_ns: (off * 1e9 / 48_000.0) as i64, ppm: (ratio * 1e6) as f32 }
            }
            _ => Lock::Waiting,
        };
        let sync = Sync {
            lock,
            phase: position.zip(session).map(|(host, session)| host - session),
            host_micro_bpm: host
                .and_then(|host| crate::time::Tempo::from_host_bpm(host.bpm?))
                .map(|t| t.micro_bpm()),
            heard: self.lock.heard(self.frame),
        };
        self.outbox.send(&mut self.ports.to_session, FromEngine::Sync(sync));
    }
}
