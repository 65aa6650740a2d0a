//! What an engine tells: notes as they are heard, its place, levels.
//!
//! Thread: audio. Realtime-safe: yes.

use super::{Drive, Engine, MidiBuffer};
use crate::rt::player::What;
use crate::rt::ports::{FromEngine, Meter};
use crate::rt::timeline::Timing;
use crate::rt::transport;
use crate::time::HostNanos;

impl Engine {
    /// Tells what is heard before a frame; the block's frames end at `end`.
    pub(super) fn tell_news(&mut self, before: i64, end: usize, midi: &mut MidiBuffer) {
        // The first stream sample whose nearest frame is `before` or later.
        let mut stream = self.output.stream_at(before) - 2;
        while self.output.frame_of(stream) < before {
            stream += 1;
        }
        while let Some(news) = self.renderer.players.take_news_before(stream) {
            let frame = self.output.frame_of(news.stream);
            let offset = (frame - self.frame).clamp(0, end as i64 - 1) as u32;
            let (channel, velocity, lamp) = match news.what {
                What::End { .. } => {
                    self.midi.end(news.track, news.note, offset, midi);
                    continue;
                }
                What::Live { velocity, channel } => (channel, velocity, Some((None, self.last_tick))),
                What::Echo { tick, velocity, channel } => (channel, velocity, Some((None, tick))),
                What::Step { cell, tick, velocity, channel, lamp } => {
                    (channel, velocity, lamp.then_some((Some(cell), tick)))
                }
            };
            if let Some(channel) = channel
                && !self.midi.begin((news.track, channel), (news.note, velocity), offset, midi)
            {
                self.outbox.count_dropped();
            }
            let Some((step, tick)) = lamp else { continue };
            let heard = self.lock.heard(frame);
            let lamp = FromEngine::NoteOn { track: news.track, step, tick, frame, heard };
            self.outbox.send(&mut self.ports.to_session, lamp);
        }
    }

    pub(super) fn tell_position(&mut self, now: HostNanos, drive: &Drive) {
        let stream = self.output.stream_at(self.frame);
        let map = &self.material.map;
        let heard = self.renderer.timeline.as_mut().map(|timeline| timeline.heard_at(stream));
        let tick = heard.map(|heard| heard.timing.tick_at(map, heard.song_at(stream)));
        self.last_tick = tick.unwrap_or(self.last_tick);
        if self.frame < self.position_due {
            return;
        }
        self.position_due = self.frame + (self.rate / 40.0) as i64;
        let host = match drive {
            Drive::Host(host) => transport::timing_for(map, self.last_tick, host.bpm),
            Drive::Session => None,
        };
        let timing = heard.map(|heard| heard.timing).or(host).unwrap_or(Timing::Session);
        let micro_bpm = timing.tempo_at(map, self.last_tick).micro_bpm();
        let position = FromEngine::Position { tick, micro_bpm, frame: self.frame, now };
        self.outbox.send(&mut self.ports.to_session, position);
        self.tell_sync(if let Drive::Host(host) = drive { Some(host) } else { None });
    }

    pub(super) fn tell_meter(&mut self) {
        if self.frame < self.meter_due {
            return;
        }
        self.meter_due = self.frame + (self.rate / 40.0) as i64;
        let (tracks, master) = std::mem::take(&mut self.renderer.peaks);
        self.outbox.send(&mut self.ports.to_session, FromEngine::Meter(Meter { tracks, master }));
    }
}
