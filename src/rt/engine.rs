//! One engine: a song in, samples out.

mod block;
mod clocked;
mod controlled;
mod driving;
mod telling;
mod told;

pub use block::{Block, Drive, EngineConfig, MAX_MIDI_OUT, MidiBuffer};

use super::controls::ControlMap;
use super::locked::Sounding;
use super::metronome::Metronome;
use super::midi::MidiGate;
use super::mixer::Planted;
use super::outbox::Outbox;
use super::output::Output;
use super::player::channel_of;
use super::ports::{EnginePorts, FromEngine, Mode, ParamMove};
use super::renderer::{Material, Renderer};
use super::session_lock::SessionLock;
use crate::param::{Slot, TrackIndex};
use crate::pattern::{Bars, Song};
use crate::time::{Beats, TempoMap};

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
    /// What the musician's controllers move, once there is any.
    controls: Option<Box<ControlMap>>,
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
        mut ports: EnginePorts,
    ) -> Engine {
        let material = Material { song, map: tempo_map };
        let renderer = Renderer::new(&material, std::mem::take(&mut ports.files));
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
            controls: None,
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
        if self.held {
            self.take_own();
        } else {
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
        self.renderer.bounce(hold);
    }

    /// Takes the engine apart, so that one for another rate or block size can be built over the
    /// same song and rings. *Thread: any but audio.*
    pub fn into_parts(mut self) -> (Box<Song>, Box<TempoMap>, EnginePorts) {
        self.ports.files = self.renderer.into_files();
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
        self.renderer.planted = Some((Planted::Output(track.get()), song_sample));
    }

    /// Flips a bit of what one track's effects are fed with, where they remember it. For tests.
    #[doc(hidden)]
    pub fn plant_lasting_flip(&mut self, track: TrackIndex, song_sample: i64) {
        self.renderer.planted = Some((Planted::Voices(track.get()), song_sample));
    }
}
