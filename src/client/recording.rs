//! A recording of everything an engine was told, and in front of which block: what plays it again
//! gives the same samples.
//!
//! The engine reads no clock and draws no chance, so its output is a function of what it is told:
//! the song and tempo map it begins with, the messages each block takes in, the keys pressed in it,
//! and when it was asked for. A file is that, in order: a head, then records, each behind its length.
//! One whose end is missing is played as far as it goes.
//!
//! Thread: the recorder's own; a device hands records over without waiting. Some 7 KB/s at blocks of
//! 64 frames.

use std::io::{Read, Write};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::param::{Owner, TrackIndex};
use crate::pattern::{Edit, FileId, Song};
use crate::rt::controls::{ControlMap, Mapping, Said};
use crate::rt::personal::PersonalEdit;
use crate::rt::ports::SampleFile;
use crate::rt::ports::{LiveNote, Mode, Room, ToEngine, ports};
use crate::rt::{Block, Drive, ENGINE_VERSION, Engine, EngineConfig, MidiBuffer, OwnEffects};
use crate::time::{Beats, ClockMap, HostNanos, SessionNanos, TempoMap};
use crate::wire::{decode_sample_file, encode_sample_file};

/// What a file begins with.
const MAGIC: [u8; 8] = *b"antiphon";
/// The version of its form.
const FORM: u32 = 1;
/// The longest record: a song of every register is shorter.
const MAX_RECORD: u32 = 64 << 20;
/// The most frames a block has.
const MAX_BLOCK: u32 = 8_192;

/// What an engine begins with.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    form: u32,
    engine_version: u32,
    rate: u32,
    block: u32,
    song: Vec<Edit>,
    map: TempoMap,
    /// When the first block was due.
    begun: i64,
}

/// One record.
#[derive(Debug, Serialize, Deserialize)]
enum Record {
    /// The engine was told something before the next block.
    Told(Told),
    /// A block was asked for, so many ns after it was due by the rate alone.
    Block { late: i64, notes: Vec<(u32, u8, u8, f32)> },
    /// A controller moved in the next block.
    Control { frame: u32, channel: u8, said: Said },
}

/// A message as it is written.
#[derive(Debug, Serialize, Deserialize)]
enum Told {
    Edit {
        edit: Edit,
        at: Option<Beats>,
    },
    Song(Vec<Edit>),
    TempoMap(TempoMap),
    Start {
        tick: Beats,
        frame: i64,
    },
    Timeline {
        tick: Beats,
        at: SessionNanos,
    },
    Clock {
        map: Map,
        latency_ns: i64,
    },
    Mode {
        mode: Mode,
        offset: Beats,
    },
    Stop,
    Focus(TrackIndex),
    Echo {
        track: TrackIndex,
        note: u8,
        velocity: f32,
        at: Beats,
    },
    Metronome(f32),
    Renew {
        bar: i32,
    },
    /// A sample file, whole: a recording lacks nothing.
    File {
        place: u8,
        file: Option<(FileId, Vec<u8>)>,
    },
    OwnMix,
    OwnEffects(Owner),
    Mine(PersonalEdit),
    Controls(Vec<Mapping>, bool),
}

/// A clock's map; host time has no meaning elsewhere, but here it is the recording's own.
#[derive(Debug, Serialize, Deserialize)]
struct Map {
    at: i64,
    offset_ns: i64,
    rate: f64,
    bound_ns: i64,
    estimated_ns: i64,
    rtt_ns: i64,
    probes: u32,
}

impl From<ClockMap> for Map {
    fn from(map: ClockMap) -> Map {
        let ClockMap { at, offset_ns, rate, bound_ns, estimated_ns, rtt_ns, probes } = map;
        Map { at: at.0, offset_ns, rate, bound_ns, estimated_ns, rtt_ns, probes }
    }
}

impl From<Map> for ClockMap {
    fn from(map: Map) -> ClockMap {
        let Map { at, offset_ns, rate, bound_ns, estimated_ns, rtt_ns, probes } = map;
        ClockMap { at: HostNanos(at), offset_ns, rate, bound_ns, estimated_ns, rtt_ns, probes }
    }
}

/// What a device hands over.
pub enum Heard {
    /// A message that the next block takes in.
    Message(ToEngine),
    /// A controller moves at the next block's first frame: its channel and what it did.
    Control(u8, Said),
    /// A block: when it was asked for, and the keys pressed in it.
    Block(HostNanos, Vec<LiveNote>),
}

/// Why a recording was not played.
#[derive(Debug, Error)]
pub enum ReplayError {
    /// No recording, or a damaged one.
    #[error("this is no recording of a session: {0}")]
    Unsound(&'static str),
    /// Of another engine.
    #[error(
        "engine version {found} has made this recording and sounds otherwise than this one, {ENGINE_VERSION}"
    )]
    Version {
        /// Which.
        found: u32,
    },
    /// The file or the output failed.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// A recording being written.
pub struct Recorder<W> {
    out: W,
    rate: u32,
    block: u32,
    begun: i64,
    blocks: u64,
}

impl<W: Write> Recorder<W> {
    /// Begins a recording of an engine that plays `song` under `map`, asked for blocks of one size.
    ///
    /// # Errors
    /// The output cannot be written.
    pub fn begin(
        mut out: W,
        (rate, block): (u32, u32),
        song: &Song,
        map: &TempoMap,
        begun: HostNanos,
    ) -> std::io::Result<Recorder<W>> {
        out.write_all(&MAGIC)?;
        let (song, map, begun) = (song.edits(), map.clone(), begun.0);
        let head = Head { form: FORM, engine_version: ENGINE_VERSION, rate, block, song, map, begun };
        write(&mut out, &head)?;
        Ok(Recorder { out, rate, block, begun, blocks: 0 })
    }

    /// Writes what a device hands over.
    ///
    /// # Errors
    /// The output cannot be written.
    pub fn take(&mut self, heard: Heard) -> std::io::Result<()> {
        let record = match heard {
            Heard::Message(message) => Record::Told(told(message)),
            Heard::Control(channel, said) => Record::Control { frame: 0, channel, said },
            Heard::Block(now, notes) => {
                let late = now.0 - due(self.begun, self.blocks, self.block, self.rate);
                self.blocks += 1;
                let notes = notes.iter().map(|note| (note.frame, note.channel, note.note, note.velocity));
                Record::Block { late, notes: notes.collect() }
            }
        };
        write(&mut self.out, &record)
    }

    /// Writes what waits.
    ///
    /// # Errors
    /// The output cannot be written.
    pub fn finish(mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}

/// When a block is due by the rate alone.
fn due(begun: i64, blocks: u64, block: u32, rate: u32) -> i64 {
    let frame = i128::from(blocks) * i128::from(block);
    begun.saturating_add((frame * 1_000_000_000 / i128::from(rate.max(1))) as i64)
}

fn write(out: &mut impl Write, record: &impl Serialize) -> std::io::Result<()> {
    let bytes = postcard::to_stdvec(record).map_err(std::io::Error::other)?;
    out.write_all(&(bytes.len() as u32).to_le_bytes())?;
    out.write_all(&bytes)
}

fn told(message: ToEngine) -> Told {
    match message {
        ToEngine::Edit { edit, at } => Told::Edit { edit, at },
        ToEngine::Song(song) => Told::Song(song.edits()),
        ToEngine::TempoMap(map) => Told::TempoMap(*map),
        ToEngine::Start { tick, frame } => Told::Start { tick, frame },
        ToEngine::Timeline { tick, at } => Told::Timeline { tick, at },
        ToEngine::Clock { map, latency_ns } => Told::Clock { map: map.into(), latency_ns },
        ToEngine::Mode { mode, offset } => Told::Mode { mode, offset },
        ToEngine::Stop => Told::Stop,
        ToEngine::Focus(track) => Told::Focus(track),
        ToEngine::Echo { track, note, velocity, at } => Told::Echo { track, note, velocity, at },
        ToEngine::Metronome(level) => Told::Metronome(level),
        ToEngine::Renew { bar } => Told::Renew { bar },
        ToEngine::File { place, file } => {
            let file = file.map(|(id, file)| (id, encode_sample_file(&file.words())));
            Told::File { place, file }
        }
        ToEngine::Room(Room::Mix(_)) => Told::OwnMix,
        ToEngine::Room(Room::Effects(effects)) => Told::OwnEffects(effects.owner()),
        ToEngine::Room(Room::Controls(map)) => {
            Told::Controls(map.mappings().copied().collect(), map.is_learning())
        }
        ToEngine::Mine(edit) => Told::Mine(edit),
    }
}

/// A message as it was, of what passes the checks that it passed then.
fn message(told: Told) -> Result<ToEngine, ReplayError> {
    let unsound = |_| ReplayError::Unsound("an edit is outside its bounds");
    Ok(match told {
        Told::Edit { edit, at } => ToEngine::Edit { edit: edit.check().map_err(unsound)?, at },
        Told::Song(edits) => ToEngine::Song(Box::new(song(&edits)?)),
        Told::TempoMap(map) => ToEngine::TempoMap(Box::new(sound_map(map)?)),
        Told::Start { tick, frame } => ToEngine::Start { tick: sound(tick)?, frame },
        Told::Timeline { tick, at } => ToEngine::Timeline { tick: sound(tick)?, at },
        Told::Clock { map, latency_ns } => ToEngine::Clock { map: map.into(), latency_ns },
        Told::Mode { mode, offset } => ToEngine::Mode { mode, offset: sound(offset)? },
        Told::Stop => ToEngine::Stop,
        Told::Focus(track) => ToEngine::Focus(track),
        Told::Echo { track, note, velocity, at } => ToEngine::Echo { track, note, velocity, at: sound(at)? },
        Told::Metronome(level) => ToEngine::Metronome(level),
        Told::Renew { bar } => ToEngine::Renew { bar },
        Told::File { place, file } => {
            let unsound = |_| ReplayError::Unsound("a sample file cannot be read");
            let made =
                |bytes: &[u8]| decode_sample_file(bytes).map(|words| Arc::new(SampleFile::new(&words)));
            let file = file.map(|(id, bytes)| made(&bytes).map(|file| (id, file)));
            ToEngine::File { place, file: file.transpose().map_err(unsound)? }
        }
        Told::OwnMix => ToEngine::Room(Room::Mix(Box::default())),
        Told::OwnEffects(owner) => ToEngine::Room(Room::Effects(Box::new(OwnEffects::new(owner)))),
        Told::Controls(mappings, learning) => {
            let sound = mappings.iter().all(Mapping::is_sound);
            let map = sound.then(|| Box::new(ControlMap::new(&mappings, learning)));
            let map = map.ok_or(ReplayError::Unsound("a controller is none"))?;
            ToEngine::Room(Room::Controls(map))
        }
        Told::Mine(edit) => {
            let unsound = |_| ReplayError::Unsound("an edit of the own mix is outside its bounds");
            ToEngine::Mine(edit.check().map_err(unsound)?)
        }
    })
}

fn sound(tick: Beats) -> Result<Beats, ReplayError> {
    let within = (-Beats::FURTHEST..=Beats::FURTHEST).contains(&tick);
    within.then_some(tick).ok_or(ReplayError::Unsound("a position lies outside any song"))
}

fn sound_map(map: TempoMap) -> Result<TempoMap, ReplayError> {
    let within = map.segments().iter().all(|segment| sound(segment.tick).is_ok());
    let sound = within && map.check().is_ok();
    sound.then_some(map).ok_or(ReplayError::Unsound("a tempo map contradicts itself"))
}

fn song(edits: &[Edit]) -> Result<Song, ReplayError> {
    let mut song = Song::new();
    for edit in edits {
        let edit = edit.check().map_err(|_| ReplayError::Unsound("an edit is outside its bounds"))?;
        song.apply(&edit);
    }
    Ok(song)
}

/// The next record of a file; `None` at its end, or where its end is missing.
fn read<T: for<'de> Deserialize<'de>>(input: &mut impl Read) -> Result<Option<T>, ReplayError> {
    let mut length = [0; 4];
    if input.read_exact(&mut length).is_err() {
        return Ok(None);
    }
    let length = u32::from_le_bytes(length);
    if length > MAX_RECORD {
        return Err(ReplayError::Unsound("a record is longer than any"));
    }
    // Grows with what there is, whatever a damaged length says.
    let mut bytes = Vec::new();
    input.take(u64::from(length)).read_to_end(&mut bytes)?;
    if bytes.len() < length as usize {
        return Ok(None);
    }
    let record = postcard::from_bytes(&bytes).map_err(|_| ReplayError::Unsound("a record cannot be read"))?;
    Ok(Some(record))
}

/// A block's samples, left and right.
pub type Sides<'a> = (&'a [f32], &'a [f32]);

/// A recording, played again.
pub struct Replay<R> {
    input: R,
    head: Head,
    engine: Engine,
    session: crate::rt::ports::SessionPorts,
    blocks: u64,
    left: Vec<f32>,
    right: Vec<f32>,
    midi: Box<MidiBuffer>,
    notes: Vec<LiveNote>,
}

impl<R: Read> Replay<R> {
    /// Opens a recording.
    ///
    /// # Errors
    /// It is none, or of another engine version.
    pub fn open(mut input: R) -> Result<Replay<R>, ReplayError> {
        let mut magic = [0; MAGIC.len()];
        let read_magic = input.read_exact(&mut magic);
        if read_magic.is_err() || magic != MAGIC {
            return Err(ReplayError::Unsound("it begins otherwise"));
        }
        let head = read::<Head>(&mut input)?.ok_or(ReplayError::Unsound("it has no head"))?;
        if head.form != FORM {
            return Err(ReplayError::Unsound("a later Antiphon has written it"));
        }
        if head.engine_version != ENGINE_VERSION {
            return Err(ReplayError::Version { found: head.engine_version });
        }
        if !(8_000..=384_000).contains(&head.rate) || !(1..=MAX_BLOCK).contains(&head.block) {
            return Err(ReplayError::Unsound("no device has such a rate or block"));
        }
        let (session, engine_ports) = ports();
        let config = EngineConfig { rate: f64::from(head.rate), max_block: head.block as usize };
        let map = Box::new(sound_map(head.map.clone())?);
        let engine = Engine::new(config, Box::new(song(&head.song)?), map, engine_ports);
        let frames = head.block as usize;
        let (left, right) = (vec![0.0; frames], vec![0.0; frames]);
        let midi = Box::new(MidiBuffer::new());
        Ok(Replay { input, head, engine, session, blocks: 0, left, right, midi, notes: Vec::new() })
    }

    /// The rate it was recorded at, in Hz.
    pub fn rate(&self) -> u32 {
        self.head.rate
    }

    /// The next block's samples, left and right; `None` at the recording's end.
    ///
    /// # Errors
    /// A record that cannot be read.
    pub fn next_block(&mut self) -> Result<Option<Sides<'_>>, ReplayError> {
        loop {
            match read::<Record>(&mut self.input)? {
                None => return Ok(None),
                Some(Record::Told(told)) => {
                    // The ring had room for it then.
                    let room = self.session.to_engine.push(message(told)?);
                    room.map_err(|_| ReplayError::Unsound("more was told at once than an engine takes"))?;
                }
                Some(Record::Control { frame, channel, said }) => self.engine.control(frame, channel, said),
                Some(Record::Block { late, notes }) => {
                    self.play(late, &notes);
                    return Ok(Some((&self.left, &self.right)));
                }
            }
        }
    }

    fn play(&mut self, late: i64, notes: &[(u32, u8, u8, f32)]) {
        let now = due(self.head.begun, self.blocks, self.head.block, self.head.rate).saturating_add(late);
        self.blocks += 1;
        self.notes.clear();
        self.notes.extend(notes.iter().map(|&(frame, channel, note, velocity)| LiveNote {
            frame: frame.min(self.head.block - 1),
            channel: channel & 15,
            note,
            velocity,
        }));
        self.engine.process(Block {
            left: &mut self.left,
            right: &mut self.right,
            now: HostNanos(now),
            drive: Drive::Session,
            params: &[],
            notes: &self.notes,
            midi_out: &mut self.midi,
        });
        while self.session.from_engine.pop().is_ok() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::{StepField, text};

    const GROOVE: &str = "TEMPO 160\nseq kick: X...x...\nseq lead: x..x..x.\nstep lead.3: probability=.5\n\
                          groove hat: amount=.4\nseq hat: xxxxxxxx\n";

    /// What an engine plays that is told things between its blocks, and the recording of it.
    fn recorded() -> (Vec<f32>, Vec<u8>) {
        let song = text::read(GROOVE).expect("a groove").song;
        let map = TempoMap::default();
        let (mut session, engine_ports) = ports();
        let config = EngineConfig { rate: 44_100.0, max_block: 100 };
        let mut engine = Engine::new(config, Box::new(song.clone()), Box::new(map.clone()), engine_ports);
        let mut file = Vec::new();
        let begun = HostNanos(5_000_000_000);
        let mut recorder = Recorder::begin(&mut file, (44_100, 100), &song, &map, begun).expect("memory");
        let (mut left, mut right, mut sound) = (vec![0.0; 100], vec![0.0; 100], Vec::new());
        let mut midi = MidiBuffer::new();
        let step = |step, on| Edit::Step {
            track: TrackIndex::all().next().expect("a track"),
            pattern: crate::pattern::PatternIndex::FIRST,
            step,
            field: StepField::On(on),
        };
        let mut script = vec![
            (0, ToEngine::Clock { map: ClockMap::IDENTITY, latency_ns: 3_000_000 }),
            (0, ToEngine::Timeline { tick: Beats::ZERO, at: SessionNanos(5_200_000_000) }),
            (90, ToEngine::Edit { edit: step(2, true), at: None }),
            (90, ToEngine::Edit { edit: step(5, true), at: Some(Beats::quarters(4)) }),
            (120, ToEngine::Clock { map: ClockMap::IDENTITY.ahead_by(2_000_000), latency_ns: 3_000_000 }),
            (300, ToEngine::Song(Box::new(text::read(GROOVE).expect("a groove").song))),
        ]
        .into_iter()
        .peekable();
        for block in 0..700i64 {
            while let Some((_, message)) = script.next_if(|(at, _)| *at <= block) {
                recorder.take(Heard::Message(message.clone())).expect("memory");
                session.to_engine.push(message).expect("room");
            }
            let now = HostNanos(begun.0 + block * 100_000_000 / 44_100 * 1_000 + (block * 7_919) % 90_000);
            let key = LiveNote { frame: 0, channel: 0, note: 60, velocity: 0.6 };
            let notes = if block % 200 == 150 { vec![key] } else { Vec::new() };
            recorder.take(Heard::Block(now, notes.clone())).expect("memory");
            engine.process(Block {
                left: &mut left,
                right: &mut right,
                now,
                drive: Drive::Session,
                params: &[],
                notes: &notes,
                midi_out: &mut midi,
            });
            while session.from_engine.pop().is_ok() {}
            sound.extend(left.iter().chain(&right).copied());
        }
        recorder.finish().expect("memory");
        (sound, file)
    }

    fn replayed(file: &[u8]) -> Result<Vec<f32>, ReplayError> {
        let mut replay = Replay::open(file)?;
        let mut sound = Vec::new();
        while let Some((left, right)) = replay.next_block()? {
            sound.extend(left.iter().chain(right).copied());
        }
        Ok(sound)
    }

    #[test]
    fn a_recording_played_again_is_the_same_to_the_bit() {
        let (sound, file) = recorded();
        assert!(sound.iter().any(|sample| sample.abs() > 0.1));
        assert!(replayed(&file).expect("a recording") == sound);
        let cut = replayed(&file[..file.len() - 3]).expect("its end is missing");
        assert!(sound.starts_with(&cut) && cut.len() + 200 == sound.len());
    }

    #[test]
    fn a_damaged_recording_is_an_error_at_worst() {
        let (_, file) = recorded();
        assert!(matches!(replayed(b"antiphon"), Err(ReplayError::Unsound(_))));
        assert!(matches!(replayed(b""), Err(ReplayError::Unsound(_))));
        let mut state = 3u64;
        for _ in 0..12 {
            let mut broken = file[..4_000].to_vec();
            for _ in 0..3 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let at = (state >> 33) as usize % broken.len();
                broken[at] = (state >> 20) as u8;
            }
            let _ = replayed(&broken);
        }
    }
}
