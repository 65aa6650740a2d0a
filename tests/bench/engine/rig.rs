//! An engine under way, and what its blocks take.

use std::hint::black_box;
use std::time::Duration;

use antiphon::pattern::Song;
use antiphon::rt::ports::{SessionPorts, ToEngine, ports};
use antiphon::rt::{Block, Drive, Engine, EngineConfig, MidiBuffer};
use antiphon::time::{Beats, CANONICAL_RATE, HostNanos, Tempo, TempoMap};

use crate::report::thread_time;

pub const RATE: usize = CANONICAL_RATE as usize;

/// An engine that plays a song from its beginning.
pub struct Rig {
    engine: Engine,
    session: SessionPorts,
    midi: MidiBuffer,
    left: Vec<f32>,
    right: Vec<f32>,
    /// The loudest sample so far, so that silence is not taken for speed.
    pub peak: f32,
}

impl Rig {
    pub fn new(song: &Song, block: usize) -> Rig {
        let (session, engine) = ports();
        let tempo = Box::new(TempoMap::constant(Tempo::from_bpm(124.0).expect("a tempo")));
        let config = EngineConfig { rate: RATE as f64, max_block: block };
        let mut rig = Rig {
            engine: Engine::new(config, Box::new(song.clone()), tempo, engine),
            session,
            midi: MidiBuffer::new(),
            left: vec![0.0; block],
            right: vec![0.0; block],
            peak: 0.0,
        };
        rig.tell(ToEngine::Start { tick: Beats::ZERO, frame: 0 });
        rig
    }

    /// Tells the engine something.
    pub fn tell(&mut self, message: ToEngine) {
        self.session.to_engine.push(message).expect("the ring has room");
    }

    /// Renders one block.
    pub fn block(&mut self) {
        self.engine.process(Block {
            left: &mut self.left,
            right: &mut self.right,
            now: HostNanos(0),
            drive: Drive::Session,
            params: &[],
            notes: &[],
            midi_out: &mut self.midi,
        });
        let loudest = |peak: f32, sample: &f32| peak.max(sample.abs());
        self.peak = black_box(&self.left).iter().fold(self.peak, loudest);
    }

    fn hear(&mut self) {
        while self.session.from_engine.pop().is_ok() {}
    }

    /// Renders so many seconds; what it took, in percent of the time that they last.
    pub fn percent(&mut self, seconds: f64) -> f64 {
        let blocks = (seconds * RATE as f64) as usize / self.left.len();
        let begun = thread_time();
        for _ in 0..blocks {
            self.block();
            self.hear();
        }
        percent_of(thread_time() - begun, blocks * self.left.len())
    }

    /// Renders so many seconds; what each block took, in percent of the time that it lasts.
    pub fn blocks(&mut self, seconds: f64) -> Vec<f64> {
        let frames = self.left.len();
        let count = (seconds * RATE as f64) as usize / frames;
        let mut took = Vec::with_capacity(count);
        for _ in 0..count {
            let begun = thread_time();
            self.block();
            took.push(percent_of(thread_time() - begun, frames));
            self.hear();
        }
        took
    }
}

/// A time in percent of what so many frames last.
pub fn percent_of(time: Duration, frames: usize) -> f64 {
    100.0 * time.as_secs_f64() / (frames as f64 / RATE as f64)
}
