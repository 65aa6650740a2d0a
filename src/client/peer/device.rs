//! A device made of a thread and a clock: it asks the engine for blocks as a sound card would.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;
use crossbeam::channel::Sender;
use rtrb::{Consumer, Producer, RingBuffer};

use crate::client::HostClock;
use crate::client::recording::{Heard, Recorder};
use crate::pattern::Song;
use crate::rt::controls::Said;
use crate::rt::ports::{LiveNote, ToEngine};
use crate::rt::{Block, Drive, Engine, MidiBuffer};
use crate::time::{Clock, HostNanos, TempoMap};

/// Seconds of sound that may wait to be written.
const RECORD_AHEAD: usize = 4;
/// Keys that may be down at a time.
const PRESSED: usize = 64;
/// How often the writer looks for sound.
const WRITER_NAP: Duration = Duration::from_millis(20);

/// How a device asks for blocks.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// In Hz.
    pub rate: u32,
    /// Frames a block.
    pub block: usize,
    /// How far its crystal strays, in millionths: above 0 it runs slow.
    pub skew_ppm: f64,
}

impl Pace {
    /// When a frame is due, in ns after the first.
    fn due(&self, frame: i128) -> i64 {
        let nominal = (frame * 1_000_000_000 / i128::from(self.rate)) as i64;
        nominal + (nominal as f64 * self.skew_ppm * 1e-6) as i64
    }
}

/// What is kept of what a device plays.
#[derive(Default)]
pub struct Keeping<'a> {
    /// A WAV file of what sounds.
    pub sound: Option<&'a Path>,
    /// A recording of what the engine is told.
    pub session: Option<Told<'a>>,
}

/// The way of the engine's messages over the device, which records them.
pub struct Told<'a> {
    /// The recording's file.
    pub path: &'a Path,
    /// Where messages come from.
    pub from: Consumer<ToEngine>,
    /// Where the engine finds them.
    pub to: Producer<ToEngine>,
    /// What the engine begins with.
    pub song: &'a Song,
    /// By which tempo.
    pub map: &'a TempoMap,
}

/// A running device.
pub struct Device {
    ending: Arc<AtomicBool>,
    player: JoinHandle<()>,
    writers: Vec<JoinHandle<anyhow::Result<()>>>,
    /// When its first frame was due: frame n is due n frames of its own clock later.
    pub begun: HostNanos,
}

impl Device {
    /// Starts it; sound is kept as 32-bit float.
    ///
    /// # Errors
    /// The file cannot be made, or a thread cannot be started.
    pub fn start(engine: Engine, pace: Pace, keep: Keeping<'_>) -> anyhow::Result<(Device, Keys)> {
        let rate = pace.rate;
        let ending = Arc::new(AtomicBool::new(false));
        let (mut sound, mut writers) = (None, Vec::new());
        if let Some(path) = keep.sound {
            let (producer, consumer) = RingBuffer::new(rate as usize * 2 * RECORD_AHEAD);
            writers.push(start_writer(path, rate, consumer)?);
            sound = Some(producer);
        }
        let (pressed, keys) = RingBuffer::new(PRESSED);
        let begun = HostClock.now();
        let mut told = None;
        if let Some(Told { path, from, to, song, map }) = keep.session {
            let shown = path.display().to_string();
            let file = std::fs::File::create(path).with_context(|| format!("cannot record to {shown}"))?;
            let device = (rate, pace.block as u32);
            let recorder = Recorder::begin(std::io::BufWriter::new(file), device, song, map, begun)?;
            let (heard, waiting) = crossbeam::channel::unbounded();
            let written = move || {
                waiting
                    .into_iter()
                    .try_fold(recorder, |mut recorder, heard| recorder.take(heard).map(|()| recorder))
            };
            let write = move || {
                let finished = written().and_then(Recorder::finish);
                finished.with_context(|| format!("cannot record to {shown}"))
            };
            writers.push(std::thread::Builder::new().name("antiphon-told".into()).spawn(write)?);
            told = Some((from, to, heard));
        }
        let player = Player {
            engine,
            pace,
            begun,
            sound,
            told,
            ending: ending.clone(),
            keys,
            held: Vec::with_capacity(PRESSED),
            notes: Vec::with_capacity(2 * PRESSED),
        };
        let player = std::thread::Builder::new().name("antiphon-device".into()).spawn(|| player.run())?;
        Ok((Device { ending, player, writers, begun }, Keys { pressed }))
    }

    /// Stops it and finishes its files.
    ///
    /// # Errors
    /// A file could not be written.
    pub fn stop(self) -> anyhow::Result<()> {
        self.ending.store(true, Ordering::Release);
        self.player.join().map_err(|_| anyhow::anyhow!("the device's thread has panicked"))?;
        for writer in self.writers {
            writer.join().map_err(|_| anyhow::anyhow!("the recording's thread has panicked"))??;
        }
        Ok(())
    }
}

/// The keys of the device's keyboard.
pub struct Keys {
    pressed: Producer<Key>,
}

/// What is done on the device's keyboard.
#[derive(Clone, Copy)]
enum Key {
    /// A key is pressed, for so many ms.
    Press { note: u8, velocity: f32, ms: u32 },
    /// A controller moves.
    Control { channel: u8, said: Said },
}

impl Keys {
    /// Presses a key at once; one that finds 64 waiting is not heard.
    pub fn press(&mut self, note: u8, velocity: f32, ms: u32) {
        let _ = self.pressed.push(Key::Press { note, velocity, ms });
    }

    /// Moves a controller at once, or strikes a mapped pad; one that finds 64 waiting is not felt.
    pub fn control(&mut self, channel: u8, said: Said) {
        let _ = self.pressed.push(Key::Control { channel, said });
    }
}

struct Player {
    engine: Engine,
    pace: Pace,
    begun: HostNanos,
    /// Interleaved samples towards the writer; a full ring loses sound, not time.
    sound: Option<Producer<f32>>,
    /// Messages on their way to the engine, and who records them.
    told: Option<(Consumer<ToEngine>, Producer<ToEngine>, Sender<Heard>)>,
    ending: Arc<AtomicBool>,
    keys: Consumer<Key>,
    /// Keys that are down, each until a frame.
    held: Vec<(u8, i128)>,
    notes: Vec<LiveNote>,
}

impl Player {
    /// What the keyboard does in the block that begins at a frame.
    fn take_keys(&mut self, frame: i128) {
        self.notes.clear();
        for (note, _) in self.held.extract_if(.., |(_, until)| *until <= frame) {
            self.notes.push(LiveNote { frame: 0, channel: 0, note, velocity: 0.0 });
        }
        while self.held.len() < PRESSED
            && let Ok(key) = self.keys.pop()
        {
            match key {
                Key::Press { note, velocity, ms } => {
                    self.held.push((note, frame + i128::from(ms) * i128::from(self.pace.rate) / 1000));
                    self.notes.push(LiveNote { frame: 0, channel: 0, note, velocity });
                }
                Key::Control { channel, said } => {
                    if let Some((.., heard)) = &self.told {
                        let _ = heard.send(Heard::Control(channel, said));
                    }
                    self.engine.control(0, channel, said);
                }
            }
        }
    }

    /// Hands the engine what it is told in front of a block, and the recorder the same. Copying a
    /// whole song takes some 0.1 ms, which a device without a sound card can spare.
    fn pass_on(&mut self, now: HostNanos) {
        let Some((from, to, heard)) = &mut self.told else { return };
        while !to.is_full()
            && let Ok(message) = from.pop()
        {
            // The recorder's thread ends with this one.
            let _ = heard.send(Heard::Message(message.clone()));
            let _ = to.push(message);
        }
        let _ = heard.send(Heard::Block(now, self.notes.clone()));
    }

    fn run(mut self) {
        crate::client::priority::prefer_realtime();
        let clock = HostClock;
        let (mut left, mut right) = (vec![0.0; self.pace.block], vec![0.0; self.pace.block]);
        let mut midi_out = MidiBuffer::new();
        let mut frame: i128 = 0;
        while !self.ending.load(Ordering::Acquire) {
            // From the beginning, not from the block before: no error adds up.
            let due = HostNanos(self.begun.0 + self.pace.due(frame));
            if let Ok(early) = u64::try_from(due - clock.now()) {
                std::thread::sleep(Duration::from_nanos(early));
            }
            self.take_keys(frame);
            let now = clock.now();
            self.pass_on(now);
            self.engine.process(Block {
                left: &mut left,
                right: &mut right,
                now,
                drive: Drive::Session,
                params: &[],
                notes: &self.notes,
                midi_out: &mut midi_out,
            });
            if let Some(sound) = &mut self.sound {
                let frames = left.iter().zip(&right).flat_map(|(left, right)| [*left, *right]);
                for sample in frames {
                    let _ = sound.push(sample);
                }
            }
            frame += self.pace.block as i128;
        }
    }
}

/// Writes until the player's end of the ring is gone.
fn start_writer(
    path: &Path,
    rate: u32,
    mut sound: Consumer<f32>,
) -> anyhow::Result<JoinHandle<anyhow::Result<()>>> {
    let spec = hound::WavSpec {
        channels: 2,
        sample_rate: rate,
        bits_per_sample: 32,
        sample_format: hound::SampleFormat::Float,
    };
    let shown = path.display().to_string();
    let mut file =
        hound::WavWriter::create(path, spec).with_context(|| format!("cannot record to {shown}"))?;
    let write = move || {
        loop {
            // Asked before the ring is emptied: what comes after it is still there next time.
            let last = sound.is_abandoned();
            while let Ok(sample) = sound.pop() {
                file.write_sample(sample).with_context(|| format!("cannot record to {shown}"))?;
            }
            if last {
                return file.finalize().with_context(|| format!("cannot finish {shown}"));
            }
            // A ring's consumer is not woken by a player that may not make system calls.
            std::thread::sleep(WRITER_NAP);
        }
    };
    Ok(std::thread::Builder::new().name("antiphon-record".into()).spawn(write)?)
}
