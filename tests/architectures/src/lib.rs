//! Renders the songs of `songs/` and hashes what came out, for machines to compare.
//!
//! Equal engine input must give equal samples, whatever the processor, the optimiser, the block
//! sizes and flush-to-zero. `cargo xtask architectures` builds this for x86-64, aarch64 and wasm32.

mod flush;

use std::sync::Arc;

use antiphon::dsp::SampleFile;
use antiphon::pattern::{FileId, Song, text};
use antiphon::rt::ports::{FromEngine, SessionPorts, ToEngine, ports};
use antiphon::rt::{Block, Drive, Engine, EngineConfig, MidiBuffer};
use antiphon::time::{Beats, CANONICAL_RATE, HostNanos, TempoMap};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// The songs, by name.
pub const SONGS: [(&str, &str); 6] = [
    ("house", include_str!("../songs/house.txt")),
    ("techno", include_str!("../songs/techno.txt")),
    ("hiphop", include_str!("../songs/hiphop.txt")),
    ("jungle", include_str!("../songs/jungle.txt")),
    ("ambient", include_str!("../songs/ambient.txt")),
    ("odd", include_str!("../songs/odd.txt")),
];

/// Ways to cut a render into blocks. The last is random, by a fixed seed.
pub const BLOCKS: [&str; 6] = ["1", "17", "64", "512", "4096", "random"];

/// The sample file that a song plays.
const FILE: FileId = FileId([0x5a; 32]);

/// A falling square and noise of whole numbers, 0.4 s long.
fn sample_file() -> SampleFile {
    let mut noise = 12_345u32;
    let word = |at: i32| {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let fall = 19_200 - at;
        let square = if at / 109 % 2 == 0 { 250 } else { -250 };
        (square + (noise >> 24) as i32 - 128) * fall
    };
    SampleFile::new(&(0..19_200).map(word).collect::<Vec<_>>())
}

const MAX_BLOCK: usize = 4096;
const BAR: Beats = Beats::quarters(4);

/// What to render, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    /// Which of [`SONGS`].
    pub song: usize,
    /// The first bar of 4/4, from 0: the run's origin.
    pub from: u32,
    /// How many bars.
    pub bars: u32,
    /// From this bar on, notes are hashed.
    pub notes_from: u32,
    /// Which of [`BLOCKS`].
    pub blocks: usize,
    /// Whether the processor takes denormals for 0; without effect on WebAssembly, which cannot.
    pub flush: bool,
}

/// What came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// A hash of the bars' fingerprints, with their input keys.
    pub sound: u64,
    /// A hash of the notes: track, tick and sample from the run's origin or `notes_from` on.
    pub notes: u64,
    /// How many notes there were.
    pub count: u32,
}

/// Renders a case.
///
/// # Panics
/// A number of the case is out of its list's range, or a song does not read.
pub fn render(case: Case) -> Outcome {
    let (name, source) = SONGS[case.song];
    let reading = text::read(source).unwrap_or_else(|problems| panic!("{name}: {problems:?}"));
    let map = TempoMap::constant(reading.tempo);
    let frames = |bar: u32| map.sample_at(Beats(BAR.0 * i64::from(bar))).0;
    let mut run = Run::new(&reading.song, &map, case);
    let end = (frames(case.from + case.bars) - frames(case.from)) as u64;
    flush::with(case.flush, || {
        while run.frame < end {
            let frames = run.block_size().min((end - run.frame) as usize);
            run.process(frames);
        }
        // The engine closes a bar when it renders past its end: within a second, or never.
        let patience = end + u64::from(CANONICAL_RATE);
        while run.bars < case.bars && run.frame < patience {
            run.process(64);
        }
    });
    assert!(run.bars >= case.bars, "{name}: {} bars of {} were told", run.bars, case.bars);
    run.notes.sort_unstable();
    let mut hash = Xxh3::new();
    let origin = frames(case.notes_from) - frames(case.from);
    for (frame, tick, track) in &run.notes {
        [frame - origin, *tick, *track].iter().for_each(|word| hash.update(&word.to_le_bytes()));
    }
    Outcome { sound: run.sound.digest(), notes: hash.digest(), count: run.notes.len() as u32 }
}

/// A song under way.
struct Run {
    engine: Engine,
    session: SessionPorts,
    midi: MidiBuffer,
    left: Vec<f32>,
    right: Vec<f32>,
    frame: u64,
    case: Case,
    drawn: u64,
    bars: u32,
    sound: Xxh3,
    notes: Vec<(i64, i64, i64)>,
}

impl Run {
    fn new(song: &Song, map: &TempoMap, case: Case) -> Run {
        let (mut session, engine) = ports();
        let tick = Beats(BAR.0 * i64::from(case.from));
        let file = ToEngine::File { place: 0, file: Some((FILE, Arc::new(sample_file()))) };
        session.to_engine.push(file).expect("a new ring has room");
        session.to_engine.push(ToEngine::Start { tick, frame: 0 }).expect("a new ring has room");
        let config = EngineConfig { rate: f64::from(CANONICAL_RATE), max_block: MAX_BLOCK };
        Run {
            engine: Engine::new(config, Box::new(song.clone()), Box::new(map.clone()), engine),
            session,
            midi: MidiBuffer::new(),
            left: vec![0.0; MAX_BLOCK],
            right: vec![0.0; MAX_BLOCK],
            frame: 0,
            case,
            drawn: 0,
            bars: 0,
            sound: Xxh3::new(),
            notes: Vec::new(),
        }
    }

    fn block_size(&mut self) -> usize {
        BLOCKS[self.case.blocks].parse().unwrap_or_else(|_| {
            self.drawn += 1;
            1 + (xxh3_64(&self.drawn.to_le_bytes()) % MAX_BLOCK as u64) as usize
        })
    }

    fn process(&mut self, frames: usize) {
        let now = self.frame * 1_000_000_000 / u64::from(CANONICAL_RATE);
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
        self.hear();
    }

    fn hear(&mut self) {
        let (from, bars) = (self.case.from, self.case.bars);
        let notes = BAR.0 * i64::from(self.case.notes_from)..BAR.0 * i64::from(from + bars);
        while let Ok(message) = self.session.from_engine.pop() {
            match message {
                FromEngine::Fingerprint(bar) if self.bars < bars => {
                    self.bars += 1;
                    self.sound.update(&bar.bar.to_le_bytes());
                    self.sound.update(&bar.start.0.to_le_bytes());
                    let hashes = [bar.input_key, bar.master];
                    let hashes = hashes.iter().chain(&bar.tracks);
                    hashes.for_each(|hash| self.sound.update(&hash.to_le_bytes()));
                }
                FromEngine::NoteOn { track, tick, frame, .. } if notes.contains(&tick.0) => {
                    self.notes.push((frame, tick.0, track.get() as i64));
                }
                _ => {}
            }
        }
    }
}

impl std::str::FromStr for Case {
    type Err = String;

    /// Six numbers separated by colons, in the order of the fields; `flush` is 0 or 1.
    fn from_str(text: &str) -> Result<Case, String> {
        let numbers: Result<Vec<u32>, _> = text.split(':').map(str::parse).collect();
        let numbers = numbers.map_err(|error| format!("{text}: {error}"))?;
        let [song, from, bars, notes_from, blocks, flush] = numbers[..] else {
            return Err(format!("{text}: six numbers were expected"));
        };
        let (song, blocks) = (song as usize, blocks as usize);
        Ok(Case { song, from, bars, notes_from, blocks, flush: flush != 0 })
    }
}

/// For WebAssembly: the address of three words, the sound's hash, the notes' hash and their count.
/// They are never freed.
#[unsafe(no_mangle)]
pub extern "C" fn outcome(
    song: u32,
    from: u32,
    bars: u32,
    notes_from: u32,
    blocks: u32,
    flush: u32,
) -> *const [u64; 3] {
    let (song, blocks) = (song as usize, blocks as usize);
    let outcome = render(Case { song, from, bars, notes_from, blocks, flush: flush != 0 });
    Box::leak(Box::new([outcome.sound, outcome.notes, u64::from(outcome.count)]))
}
