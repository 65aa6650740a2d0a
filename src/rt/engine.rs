//! One engine: a song in, samples out.

mod clocked;

use super::locked::Sounding;
use super::metronome::Metronome;
use super::midi::MidiGate;
use super::outbox::Outbox;
use super::output::Output;
use super::player::{What, channel_of};
use super::ports::{
    EnginePorts, Fault, FromEngine, HostTransport, LiveNote, Meter, MidiOut, Mode, ParamMove, ToEngine,
};
use super::renderer::{Material, Renderer, TrackNote};
use super::session_lock::SessionLock;
use super::timeline::{Anchor, Timing};
use super::transport::{self, Placement};
use crate::dsp::{LIMITER_LATENCY, QUANTUM};
use crate::param::{Slot, TrackIndex};
use crate::pattern::{Bars, Song, Voice};
use crate::time::{Beats, HostNanos, TempoMap};

/// What an engine is built for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EngineConfig {
    /// The device's rate in Hz, 8000 to 384000.
    pub rate: f64,
    /// The most frames a block has.
    pub max_block: usize,
}

/// Where the song position comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Drive {
    /// A host's transport, of which [`Mode`] says what it decides.
    Host(HostTransport),
    /// No host: the engine's own transport, moved by [`super::ports::ToEngine::Timeline`], `Start` and
    /// `Stop`.
    Session,
}

/// Notes for the host that one block may hold; more are counted and their ends are kept.
pub const MAX_MIDI_OUT: usize = 512;

/// The notes that one block gives to the host, in order of frame.
pub struct MidiBuffer {
    notes: [MidiOut; MAX_MIDI_OUT],
    length: usize,
}

impl MidiBuffer {
    /// An empty buffer.
    pub fn new() -> MidiBuffer {
        let rest = MidiOut { frame: 0, channel: 0, note: 0, velocity: 0.0 };
        MidiBuffer { notes: [rest; MAX_MIDI_OUT], length: 0 }
    }

    pub(super) fn clear(&mut self) {
        self.length = 0;
    }

    /// `false` where it is full.
    pub(super) fn push(&mut self, note: MidiOut) -> bool {
        let room = self.length < MAX_MIDI_OUT;
        if room {
            self.notes[self.length] = note;
            self.length += 1;
        }
        room
    }

    /// The notes.
    pub fn notes(&self) -> &[MidiOut] {
        &self.notes[..self.length]
    }
}

impl Default for MidiBuffer {
    fn default() -> MidiBuffer {
        MidiBuffer::new()
    }
}

/// One block to fill.
pub struct Block<'a> {
    /// Left output, at the device's rate.
    pub left: &'a mut [f32],
    /// Right output, of equal length.
    pub right: &'a mut [f32],
    /// Host time at which the block was asked for, stamped by the caller: the engine itself reads no
    /// clock. [`super::SampleClock`] makes of all stamps when a frame is due.
    pub now: HostNanos,
    /// Where the position comes from.
    pub drive: Drive,
    /// Host parameters that moved, in order of frame.
    pub params: &'a [ParamMove],
    /// Notes played live, in order of frame.
    pub notes: &'a [LiveNote],
    /// Cleared and filled with the notes for the host.
    pub midi_out: &'a mut MidiBuffer,
}

/// Messages taken in at the start of a block.
const MAX_MESSAGES: usize = 512;
/// Frames filled between two looks at the news, so that few wait.
const SPAN: usize = 256;

/// Who moves the song position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Driver {
    Nobody,
    Host,
    Session,
    Clock,
}

/// The engine.
pub struct Engine {
    rate: f64,
    material: Material,
    ports: EnginePorts,
    held: bool,
    renderer: Renderer,
    output: Output,
    outbox: Outbox,
    midi: MidiGate,
    /// The device frame of the next block's start.
    frame: i64,
    driver: Driver,
    lock: SessionLock,
    /// A start that is still to come, and whether it is the shared clock's.
    start: Option<(Beats, i64)>,
    by_clock: bool,
    /// The frame at which the shared clock lets the run end.
    halt: Option<i64>,
    /// Where the song last stood.
    last_tick: Beats,
    told_no_position: bool,
    focus: TrackIndex,
    metronome: Metronome,
    /// Device frames of the next position and meter.
    position_due: i64,
    meter_due: i64,
}

impl Engine {
    /// An engine that plays a song. Allocates all it will ever need. *Thread: any but audio.*
    pub fn new(
        config: EngineConfig,
        song: Box<Song>,
        tempo_map: Box<TempoMap>,
        ports: EnginePorts,
    ) -> Engine {
        let material = Material { song, map: tempo_map };
        let renderer = Renderer::new(&material);
        let mut output = Output::new(config.rate);
        output.silence(0);
        Engine {
            rate: config.rate.clamp(8_000.0, 384_000.0),
            material,
            ports,
            held: false,
            renderer,
            output,
            outbox: Outbox::new(),
            midi: MidiGate::new(),
            frame: 0,
            driver: Driver::Nobody,
            lock: SessionLock::new(config.rate.clamp(8_000.0, 384_000.0)),
            start: None,
            by_clock: false,
            halt: None,
            last_tick: Beats::ZERO,
            told_no_position: false,
            metronome: Metronome::new(config.rate.clamp(8_000.0, 384_000.0)),
            focus: TrackIndex::all().next().expect("a song has tracks"),
            position_due: 0,
            meter_due: 0,
        }
    }

    /// Fills one block. *Thread: audio. Realtime-safe: yes.*
    pub fn process(&mut self, block: Block<'_>) {
        let frames = block.left.len().min(block.right.len());
        block.midi_out.clear();
        self.midi.pay(block.midi_out);
        self.flush();
        if !self.held {
            self.take_messages();
        }
        let song = Sounding::plain(&self.material.song);
        self.midi.settle(|track| channel_of(&song, track), 0, block.midi_out);
        self.stamp(block.now);
        self.follow(&block.drive, block.params, block.midi_out);
        self.tell_position(block.now, &block.drive);
        self.take_moves(block.params, frames);
        self.take_notes(block.notes);
        let mut done = 0;
        while done < frames {
            if self.start.is_some_and(|(_, at)| at <= self.frame + done as i64) {
                self.enter_session(self.frame + done as i64, done as u32, block.midi_out);
            }
            if self.halt.is_some_and(|at| at <= self.frame + done as i64) {
                self.stop(self.frame + done as i64, done as u32, block.midi_out);
            }
            let next = self.start.map_or(i64::MAX, |(_, at)| at).min(self.halt.unwrap_or(i64::MAX));
            let to = (next.saturating_sub(self.frame)).clamp(0, frames as i64) as usize;
            let to = to.min(done + SPAN).min(frames);
            self.fill(&mut block.left[done..to], &mut block.right[done..to]);
            self.tell_news(self.frame + to as i64, to, block.midi_out);
            done = to;
        }
        self.click(&mut block.left[..frames], &mut block.right[..frames]);
        self.frame += frames as i64;
        self.tell_meter();
        self.flush();
    }

    /// Adds the metronome. A bounce has none.
    fn click(&mut self, left: &mut [f32], right: &mut [f32]) {
        if self.held {
            return;
        }
        let block = (self.frame, left.len());
        let (map, output) = (&self.material.map, &self.output);
        if let Some(timeline) = &mut self.renderer.timeline {
            self.metronome.follow(timeline, output, map, &self.renderer.metres, block);
        } else if let Some(start) = self.start {
            self.metronome.count_in(start, output, map, &Bars::in_song(&self.material.song), block);
        }
        self.metronome.add(left, right);
    }

    /// Lets whoever decides over the position decide.
    fn follow(&mut self, drive: &Drive, moves: &[ParamMove], midi: &mut MidiBuffer) {
        (self.by_clock, self.halt) = (false, None);
        let hosted = matches!(drive, Drive::Host(_));
        let (mode, plays) = (self.lock.mode_in_force(self.held, hosted), self.lock.session_plays());
        match (drive, mode) {
            (Drive::Host(host), Mode::Follow) if plays && host.playing => self.follow_clock(midi),
            (Drive::Host(host), Mode::Follow) if self.lock.quiet && host.playing => {
                self.stop(self.frame, 0, midi);
            }
            (Drive::Host(host), Mode::Host | Mode::Lead | Mode::Follow) => {
                (self.lock.entry, self.lock.quiet) = (None, false);
                self.follow_host(host, moves, midi);
            }
            (_, Mode::Session | Mode::Follow) if plays => self.follow_clock(midi),
            (Drive::Host(_), Mode::Session) => self.stop(self.frame, 0, midi),
            (Drive::Session, _) => {
                self.schedule();
                self.follow_session(midi);
            }
        }
    }

    fn fill(&mut self, left: &mut [f32], right: &mut [f32]) {
        while self.output.is_hungry(left.len()) {
            let given = self.renderer.quantum(&mut self.material);
            self.output.push(&given.left, &given.right);
            if let Some(bar) = given.bar {
                self.outbox.send(&mut self.ports.to_session, FromEngine::Fingerprint(bar));
            }
        }
        self.output.pull(left, right);
    }

    /// Sends what waits for room.
    fn flush(&mut self) {
        self.renderer.moved.flush(&mut self.ports.to_session, &self.material.song);
        self.outbox.flush(&mut self.ports.to_session);
    }

    fn take_messages(&mut self) {
        for _ in 0..MAX_MESSAGES {
            if !self.outbox.has_room() {
                return;
            }
            let Ok(message) = self.ports.from_session.pop() else { return };
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
                ToEngine::Metronome(level) => self.metronome.level = level.clamp(0.0, 1.0),
            }
        }
    }

    /// Plays by another map from here on, at the same tick.
    fn exchange_map(&mut self, map: Box<TempoMap>) -> Box<TempoMap> {
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

    fn take_moves(&mut self, moves: &[ParamMove], frames: usize) {
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

    fn take_notes(&mut self, notes: &[LiveNote]) {
        let ahead = (self.output.look_ahead() + LIMITER_LATENCY + QUANTUM) as i64;
        for live in notes {
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
    fn track_of(&self, note: &LiveNote) -> Option<TrackIndex> {
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
            let plays = |track: &crate::pattern::Track| Some(super::instrument::voice_of(track)) == drum;
            return self.material.song.alive().find(|(_, track)| plays(track)).map(|(at, _)| at);
        }
        let focused = self.material.song.track(self.focus).alive;
        if focused { Some(self.focus) } else { self.material.song.alive().next().map(|(at, _)| at) }
    }

    fn follow_host(&mut self, host: &HostTransport, moves: &[ParamMove], midi: &mut MidiBuffer) {
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

    fn follow_session(&mut self, midi: &mut MidiBuffer) {
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
    fn enter_session(&mut self, frame: i64, offset: u32, midi: &mut MidiBuffer) {
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

    fn begin_run(&mut self, driver: Driver, timing: Timing, song: i64, frame: i64) {
        self.driver = driver;
        let offset = self.renderer.begin_run(&mut self.material, timing, song);
        self.output.begin(frame, offset as i64, LIMITER_LATENCY + offset);
        self.position_due = self.frame;
    }

    /// Ends the run at a frame of the block.
    fn stop(&mut self, frame: i64, offset: u32, midi: &mut MidiBuffer) {
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

    /// Tells what is heard before a frame; the block's frames end at `end`.
    fn tell_news(&mut self, before: i64, end: usize, midi: &mut MidiBuffer) {
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

    fn tell_position(&mut self, now: HostNanos, drive: &Drive) {
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

    fn tell_meter(&mut self) {
        if self.frame < self.meter_due {
            return;
        }
        self.meter_due = self.frame + (self.rate / 40.0) as i64;
        let (tracks, master) = std::mem::take(&mut self.renderer.peaks);
        self.outbox.send(&mut self.ports.to_session, FromEngine::Meter(Meter { tracks, master }));
    }

    /// Takes a project's state over at once and gives the old song back, to be dropped elsewhere.
    /// *Thread: audio. Realtime-safe: yes.*
    pub fn replace(&mut self, song: Box<Song>, tempo_map: Box<TempoMap>) -> (Box<Song>, Box<TempoMap>) {
        let old_song = std::mem::replace(&mut self.material.song, song);
        self.renderer.note_song(&self.material.song);
        (old_song, self.exchange_map(tempo_map))
    }

    /// While held, the session's messages wait in their ring: an offline bounce hears nothing that
    /// others do meanwhile. *Thread: audio. Realtime-safe: yes.*
    pub fn hold_session(&mut self, hold: bool) {
        self.held = hold;
    }

    /// Takes the engine apart, so that one for another rate or block size can be built over the
    /// same song and rings. *Thread: any but audio.*
    pub fn into_parts(self) -> (Box<Song>, Box<TempoMap>, EnginePorts) {
        (self.material.song, self.material.map, self.ports)
    }

    /// What a parameter is set to now (its target; the sound follows smoothly).
    pub fn param(&self, slot: Slot) -> f32 {
        self.material.song.params[slot.index()]
    }

    /// Lets what each track plays be heard apart, from the next run's origin on. *Thread: any but
    /// audio; with stems the engine allocates.*
    pub fn collect_stems(&mut self, stems: Box<super::Stems>) {
        self.renderer.stems = Some(stems);
    }

    /// What the tracks have played, where it is collected.
    pub fn stems(&mut self) -> Option<&mut super::Stems> {
        self.renderer.stems.as_deref_mut()
    }

    /// Silences everything and forgets the position, as hosts ask by `reset`. Notes that a host was
    /// given end with the next block. *Thread: audio. Realtime-safe: yes.*
    pub fn reset(&mut self) {
        self.renderer.land_moves(&mut self.material, i64::MAX);
        self.renderer.silence(&self.material.song);
        self.output.silence(self.frame);
        self.midi.owe_all();
        (self.driver, self.start, self.last_tick) = (Driver::Nobody, None, Beats::ZERO);
        self.lock.entry = None;
    }

    /// Frames by which the output lags the host's position: 0, as the engine renders ahead.
    pub fn latency_frames(&self) -> u32 {
        0
    }

    /// Flips the lowest bit of one track's output at one song sample, to show that fingerprints
    /// tell. For tests.
    #[doc(hidden)]
    pub fn plant_bit_flip(&mut self, track: TrackIndex, song_sample: i64) {
        self.renderer.planted = Some((track.get(), song_sample));
    }
}
