//! Offline rendering: a song through the engine, faster than realtime, with no clock and no network.
//!
//! Thread: any but audio. Invariant: the same song, tempo and rate give the same samples, whatever
//! the block size.

use std::sync::Arc;

use crate::param::TrackIndex;
use crate::pattern::{FileId, Song};
use crate::rt::ports::SampleFile;
use crate::rt::ports::{BarFingerprint, FromEngine, ToEngine, ports};
use crate::rt::{Block, Drive, Engine, EngineConfig, FILES, MidiBuffer, Stems};
use crate::time::{Beats, HostNanos, Tempo, TempoMap};

/// A sample file by its name.
pub type NamedFile = (FileId, Arc<SampleFile>);

/// A bar is 4/4.
const BEATS_A_BAR: u128 = 4;

/// How to render.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RenderConfig {
    /// Bars of 4/4 from the song's beginning.
    pub bars: u32,
    /// Output rate in Hz, 8000 to 384000.
    pub rate: u32,
    /// Frames a block, at least 1.
    pub block: usize,
}

impl RenderConfig {
    /// The frames that the bars last, rounded up.
    pub fn frames(&self, tempo: Tempo) -> u64 {
        let seconds_at_1_micro_bpm = u128::from(self.bars) * BEATS_A_BAR * 60 * 1_000_000;
        (seconds_at_1_micro_bpm * u128::from(self.rate)).div_ceil(u128::from(tempo.micro_bpm())) as u64
    }
}

/// Renders a song: each block's left and right samples go to `sound`, and the fingerprint of each
/// of the bars is given back, in order. Of `files`, the first [`FILES`] are held; a track whose file
/// is not among them is silent.
///
/// # Errors
/// The first error of `sound`.
pub fn render<E>(
    song: &Song,
    files: &[NamedFile],
    tempo: Tempo,
    config: RenderConfig,
    mut sound: impl FnMut(&[f32], &[f32]) -> Result<(), E>,
) -> Result<Vec<BarFingerprint>, E> {
    render_stems(song, files, tempo, config, &mut sound, None::<fn(TrackIndex, &mut Stems) -> Result<(), E>>)
}

/// The same, and what each track plays by itself goes to `stem`, block by block: stereo, at 48 kHz
/// whatever the rate, after the track's inserts and before its fader, pan, mute and sends. Where
/// nothing is sent and the master leaves all as it is, the stems times their faders' and pans' gains
/// add up to the mix.
///
/// # Errors
/// The first error of `sound` or `stem`.
pub fn render_stems<E>(
    song: &Song,
    files: &[NamedFile],
    tempo: Tempo,
    config: RenderConfig,
    mut sound: impl FnMut(&[f32], &[f32]) -> Result<(), E>,
    mut stem: Option<impl FnMut(TrackIndex, &mut Stems) -> Result<(), E>>,
) -> Result<Vec<BarFingerprint>, E> {
    let mut offline = Offline::new(song, files, tempo, config);
    if stem.is_some() {
        offline.engine.collect_stems(Stems::new(2 * config.block));
    }
    let end = config.frames(tempo);
    while offline.frame < end {
        let frames = (end - offline.frame).min(config.block as u64) as usize;
        offline.process(frames);
        sound(&offline.left[..frames], &offline.right[..frames])?;
        if let (Some(stem), Some(stems)) = (&mut stem, offline.engine.stems()) {
            song.alive().try_for_each(|(track, _)| stem(track, stems))?;
        }
    }
    // The engine closes a bar when it renders past its end: within a second, or never.
    let patience = end + u64::from(config.rate);
    while offline.bars.len() < config.bars as usize && offline.frame < patience {
        offline.process(config.block);
    }
    offline.bars.truncate(config.bars as usize);
    Ok(offline.bars)
}

struct Offline {
    engine: Engine,
    session: crate::rt::ports::SessionPorts,
    midi: MidiBuffer,
    left: Vec<f32>,
    right: Vec<f32>,
    rate: u32,
    frame: u64,
    bars: Vec<BarFingerprint>,
}

impl Offline {
    fn new(song: &Song, files: &[NamedFile], tempo: Tempo, config: RenderConfig) -> Offline {
        let (mut session, engine) = ports();
        for (place, file) in (0..FILES as u8).zip(files) {
            let file = ToEngine::File { place, file: Some(file.clone()) };
            session.to_engine.push(file).expect("a new ring has room");
        }
        let start = ToEngine::Start { tick: Beats::ZERO, frame: 0 };
        session.to_engine.push(start).expect("a new ring has room");
        let block = config.block.max(1);
        let engine = Engine::new(
            EngineConfig { rate: f64::from(config.rate), max_block: block },
            Box::new(song.clone()),
            Box::new(TempoMap::constant(tempo)),
            engine,
        );
        Offline {
            engine,
            session,
            midi: MidiBuffer::new(),
            left: vec![0.0; block],
            right: vec![0.0; block],
            rate: config.rate,
            frame: 0,
            bars: Vec::new(),
        }
    }

    fn process(&mut self, frames: usize) {
        let now = u128::from(self.frame) * 1_000_000_000 / u128::from(self.rate);
        self.engine.process(Block {
            left: &mut self.left[..frames],
            right: &mut self.right[..frames],
            now: HostNanos(now as i64),
            drive: Drive::Session,
            params: &[],
            notes: &[],
            midi_out: &mut self.midi,
        });
        self.frame += frames as u64;
        while let Ok(message) = self.session.from_engine.pop() {
            if let FromEngine::Fingerprint(bar) = message {
                self.bars.push(bar);
            }
        }
    }
}
