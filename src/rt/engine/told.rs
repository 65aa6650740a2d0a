//! What an engine is told: messages, host parameters, live notes.
//!
//! Thread: audio. Realtime-safe: yes.

use super::{Driver, Engine};
use crate::dsp::{LIMITER_LATENCY, QUANTUM};
use crate::param::TrackIndex;
use crate::pattern::Voice;
use crate::rt::controls::Said;
use crate::rt::files::Named;
use crate::rt::instrument::voice_of;
use crate::rt::ports::{FromEngine, LiveNote, ParamMove, Room, ToEngine};
use crate::rt::renderer::TrackNote;
use crate::rt::timeline::{Anchor, Timing};
use crate::time::TempoMap;

/// Messages taken in at the start of a block.
const MAX_MESSAGES: usize = 512;

impl Engine {
    pub(super) fn take_messages(&mut self) {
        for _ in 0..MAX_MESSAGES {
            if !self.outbox.has_room() {
                return;
            }
            let Ok(message) = self.ports.from_session.pop() else { return };
            self.take_message(message);
        }
    }

    /// Takes in what is this machine's own (sample files, the own mix, controllers), as far as nothing
    /// else waits before it.
    pub(super) fn take_own(&mut self) {
        for _ in 0..MAX_MESSAGES {
            let own = |message: &ToEngine| {
                matches!(message, ToEngine::File { .. } | ToEngine::Room(_) | ToEngine::Mine(_))
            };
            if !self.outbox.has_room() || !self.ports.from_session.peek().is_ok_and(own) {
                return;
            }
            let Ok(message) = self.ports.from_session.pop() else { return };
            self.take_message(message);
        }
    }

    fn take_message(&mut self, message: ToEngine) {
        match message {
            ToEngine::Edit { edit, at } => {
                if !self.renderer.take_edit(&mut self.material, edit, at) {
                    self.outbox.count_overfull();
                }
            }
            ToEngine::Song(song) => {
                let old = std::mem::replace(&mut self.material.song, song);
                self.renderer.note_song(&self.material.song);
                self.outbox.retire_song(old);
            }
            ToEngine::TempoMap(map) => {
                let old = self.exchange_map(map);
                self.outbox.retire_map(old);
            }
            ToEngine::Start { tick, frame } => self.start = Some((tick, frame)),
            ToEngine::Timeline { tick, at } => {
                let running = self.driver == Driver::Clock;
                self.lock.play((tick, at), &self.material.map, self.frame, running);
            }
            ToEngine::Clock { map, latency_ns } => self.lock.set_clock(map, latency_ns),
            ToEngine::Mode { mode, offset } => self.lock.set_mode(mode, offset),
            ToEngine::Stop => {
                self.start = None;
                self.lock.stop(self.driver == Driver::Clock);
                if self.driver == Driver::Session {
                    self.driver = Driver::Nobody;
                }
            }
            ToEngine::Focus(track) => self.focus = track,
            ToEngine::Echo { track, note, velocity, at } => {
                let velocity = if velocity.is_finite() { velocity.clamp(0.0, 1.0) } else { 0.0 };
                let note = TrackNote { track, note: note.min(127), velocity };
                if !self.renderer.take_echo(at, note) {
                    self.outbox.count_dropped();
                }
            }
            ToEngine::Renew { bar } => self.renderer.take_renewal(&self.material, i64::from(bar)),
            ToEngine::Metronome(level) => self.metronome.level = level.clamp(0.0, 1.0),
            ToEngine::File { place, file } => self.put_file(place, file),
            ToEngine::Room(room) => {
                let left_over = match room {
                    Room::Controls(map) => self.exchange_controls(map).map(Room::Controls),
                    room => self.renderer.take_room(&self.material.song, room),
                };
                left_over.into_iter().for_each(|room| self.outbox.retire_room(room));
            }
            ToEngine::Mine(edit) => self.renderer.write_own(edit),
        }
    }

    fn put_file(&mut self, place: u8, file: Option<Named>) {
        let old = self.renderer.put_file(&self.material.song, place, file);
        old.into_iter().for_each(|old| self.outbox.retire_file(old));
    }

    /// Plays by another map from here on, at the same tick.
    pub(super) fn exchange_map(&mut self, map: Box<TempoMap>) -> Box<TempoMap> {
        let stream = self.output.stream_at(self.frame);
        let anchor = self.renderer.timeline.map(|timeline| *timeline.rendered());
        let tick = anchor.map(|anchor| anchor.timing.tick_at(&self.material.map, anchor.song_at(stream)));
        let old = std::mem::replace(&mut self.material.map, map);
        // A change further on waits for its place.
        let passed = old.differs_from(&self.material.map).is_some_and(|at| self.renderer.has_passed(at));
        if let (Some(Anchor { timing: Timing::Session, .. }), Some(tick), true) = (anchor, tick, passed) {
            let song = Timing::Session.sample_at(&self.material.map, tick);
            self.renderer.retime(Anchor { stream, song, timing: Timing::Session }, &self.material.map);
        }
        old
    }

    pub(super) fn take_moves(&mut self, moves: &[ParamMove], frames: usize) {
        // Later by what is rendered ahead, so that the landing does not depend on the block's size.
        let ahead = (self.output.look_ahead() + LIMITER_LATENCY) as i64;
        for &ParamMove { frame, slot, value } in moves {
            let stream = self.output.stream_at(self.frame + i64::from(frame)) + ahead;
            self.renderer.take_move(&mut self.material, stream, slot, value);
        }
        if frames == 0 && !moves.is_empty() {
            self.renderer.land_moves(&mut self.material, i64::MAX);
        }
    }

    pub(super) fn take_notes(&mut self, notes: &[LiveNote]) {
        let ahead = (self.output.look_ahead() + LIMITER_LATENCY + QUANTUM) as i64;
        for live in notes {
            if self.is_controller(live.channel, live.note) {
                // A pad is struck; that it is let go moves nothing.
                if live.velocity > 0.0 {
                    let velocity = (live.velocity.clamp(0.0, 1.0) * 127.0 + 0.5) as u8;
                    self.control(live.frame, live.channel, Said::Note(live.note & 127, velocity.max(1)));
                }
                continue;
            }
            let heard = self.output.stream_at(self.frame + i64::from(live.frame));
            let Some(track) = self.track_of(live) else { continue };
            let velocity = if live.velocity.is_finite() { live.velocity.clamp(0.0, 1.0) } else { 0.0 };
            let note = live.note.min(127);
            self.renderer.take_live(heard + ahead, TrackNote { track, note, velocity });
            // Stamped with what its player hears, not with where it sounds here.
            if let Some(timeline) = &mut self.renderer.timeline {
                let anchor = timeline.heard_at(heard);
                let tick = anchor.timing.tick_at(&self.material.map, anchor.song_at(heard));
                let played = FromEngine::Played { track, note, velocity, tick };
                self.outbox.send(&mut self.ports.to_session, played);
            }
        }
    }

    /// The track that a live note plays.
    pub(super) fn track_of(&self, note: &LiveNote) -> Option<TrackIndex> {
        let drum = match note.note {
            35 | 36 => Some(Voice::Kick),
            38 | 40 => Some(Voice::Snare),
            39 => Some(Voice::Clap),
            42 | 44 => Some(Voice::ClosedHat),
            46 => Some(Voice::OpenHat),
            41 | 43 | 45 | 47 | 48 | 50 => Some(Voice::Tom),
            49 | 51 | 57 | 59 => Some(Voice::Cymbal),
            69 | 70 | 82 => Some(Voice::Shaker),
            37 | 60..=68 | 75..=77 => Some(Voice::Perc),
            _ => None,
        };
        if note.channel == 9 {
            let plays = |track: &crate::pattern::Track| Some(voice_of(track)) == drum;
            return self.material.song.alive().find(|(_, track)| plays(track)).map(|(at, _)| at);
        }
        let focused = self.material.song.track(self.focus).alive;
        if focused { Some(self.focus) } else { self.material.song.alive().next().map(|(at, _)| at) }
    }
}
