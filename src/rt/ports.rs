//! The only ways across the audio thread's boundary.

use std::sync::Arc;

use rtrb::{Consumer, Producer, RingBuffer};
use serde::{Deserialize, Serialize};

use super::controls::Said;
use super::files::Files;
pub use super::mode::{Lock, Mode, ModeError, Sync, TempoMatch};
pub use super::own_mix::Room;
use super::personal::PersonalEdit;
pub use crate::dsp::SampleFile;
use crate::param::{MAX_TRACKS, Slot, TrackIndex};
use crate::pattern::{Edit, FileId, Song};
use crate::time::{Beats, ClockMap, HostNanos, SamplePos, SessionNanos, TempoMap};

/// Messages the ring towards the engine holds. A sender that finds it full keeps the message and
/// tries again; nothing is dropped.
pub const TO_ENGINE_CAPACITY: usize = 4096;
/// Messages the ring from the engine holds. When it is full, meters, lamps and fingerprints are
/// dropped and counted ([`FromEngine::Fault`] tells later), a moved parameter stays dirty and is
/// told next block, and a retired box waits in the engine.
pub const FROM_ENGINE_CAPACITY: usize = 4096;

/// To the engine, from the session's thread.
#[derive(Clone, Debug)]
pub enum ToEngine {
    /// Write one register: at the next quantum, or at the quantum that holds tick `at` where `at`
    /// lies ahead; where the position has already passed `at`, at the next bar.
    ///
    /// A parameter moves with its quantum. Of the notes, those before `at` are played as they were
    /// and those from `at` on by the edit: by where they sound, but for a step that micro-timing
    /// lets sound before its place, which belongs to its place. While stopped, an edit with `at`
    /// waits; a run that begins behind `at` begins with it. Behind the end of a host's loop it
    /// lands when the loop wraps. A later write of the same register without `at` cancels it.
    Edit {
        /// The write, checked.
        edit: Edit,
        /// When.
        at: Option<Beats>,
    },
    /// Replace the whole song at the next quantum; cancels waiting edits. The old one comes back
    /// in [`FromEngine::RetiredSong`].
    Song(Box<Song>),
    /// Replace the tempo map at the next quantum. The old one comes back.
    TempoMap(Box<TempoMap>),
    /// Let the engine's own transport (mode Session) run so that tick `tick` sounds at device
    /// frame `frame` (counted from the engine's first block). A frame that has passed enters at the
    /// next step, in phase. A new run origin.
    Start {
        /// The song position.
        tick: Beats,
        /// The device frame at which it sounds.
        frame: i64,
    },
    /// The session plays: tick `tick` sounds at session time `at`. What it means is the mode's to
    /// say. Needs [`ToEngine::Clock`]; while the session plays already, a timeline that goes on
    /// otherwise begins when its time comes.
    Timeline {
        /// The song position.
        tick: Beats,
        /// When it sounds.
        at: SessionNanos,
    },
    /// Session time by host time, as it is now known.
    Clock {
        /// The map.
        map: ClockMap,
        /// From a frame's turn at the device to its sound, in ns within ±1 s: the host's output
        /// latency where it is known, and the user's trim.
        latency_ns: i64,
    },
    /// Who decides over the position.
    Mode {
        /// The mode.
        mode: Mode,
        /// Added to the host's song position in [`Mode::Host`] and [`Mode::Lead`]: whole bars.
        offset: Beats,
    },
    /// The session stands: stop the engine's own transport; all notes off.
    Stop,
    /// The track that live notes play, see [`LiveNote`].
    Focus(TrackIndex),
    /// A note that somebody else plays live, to sound exactly at tick `at`: others hear it one bar
    /// after its player did. It is an input of the sound: peers who hold the same notes before their
    /// ticks keep equal keys; its player, who heard it a bar earlier, settles at the next run.
    ///
    /// Where the position has passed `at`, a beginning is dropped and an end acts at once. What
    /// waits is forgotten when a run begins or ends; in a host's loop it goes round. A note without
    /// an end ends after 16 beats. Full (512): dropped and counted.
    Echo {
        /// On which track.
        track: TrackIndex,
        /// MIDI note, 0 to 127.
        note: u8,
        /// 0 to 1; 0 is the note's end.
        velocity: f32,
        /// When.
        at: Beats,
    },
    /// How loud the metronome is, 0 (off) to 1. It is nobody else's: no fingerprint, no bounce.
    Metronome(f32),
    /// Begin anew with a bar, from a clean state: what no two engines should hear differently, and
    /// yet do, is healed so. What sounds fades out in the 10 ms before the bar's line; from there on
    /// the engine gives what one gives that starts there, a new run origin: notes that are held, live
    /// ones too, have ended. A bar too near, or passed, counts as the next that is not; one that the
    /// host's loop never reaches as the loop's next round. Without a run nothing happens. The bar
    /// before the line is told no fingerprint.
    Renew {
        /// The bar, counted from 0 by the bars that the engine plays by.
        bar: i32,
    },
    /// Hold a sample file, or none, at a place below [`super::FILES`]; told before the edits that name
    /// it. Tracks find theirs by name at the next quantum, what played the one before fades; a track
    /// whose file is at no place is silent. Which tracks those are is an input of the sound. What was
    /// there comes back in [`FromEngine::RetiredFile`]: nothing else on the audio thread may hold the
    /// last of it. Taken in while the session is held, too, where nothing waits before it.
    File {
        /// Where.
        place: u8,
        /// The file and its name.
        file: Option<(FileId, Arc<SampleFile>)>,
    },
    /// Room for the musician's own mix, or for effects in it; what is not needed comes back in
    /// [`FromEngine::RetiredRoom`].
    Room(Room),
    /// An edit of the musician's own mix, behind the room that it needs. It is nobody else's: no
    /// fingerprint.
    Mine(PersonalEdit),
}

/// From the engine, to the session's thread.
#[derive(Debug)]
pub enum FromEngine {
    /// A host parameter moved (automation or knob) and already sounds here.
    ParamMoved {
        /// Which.
        slot: Slot,
        /// To what.
        value: f32,
    },
    /// A song to drop.
    RetiredSong(Box<Song>),
    /// A tempo map to drop.
    RetiredTempoMap(Box<TempoMap>),
    /// A sample file to drop.
    RetiredFile(Arc<SampleFile>),
    /// Room to drop.
    RetiredRoom(Room),
    /// A controller moved something of the musician's own mix, and it sounds already. May be dropped
    /// when the ring is full; the next one tells.
    MineMoved(PersonalEdit),
    /// A controller moved while one is to be learned.
    Controller {
        /// MIDI channel, 0 to 15.
        channel: u8,
        /// What it did.
        said: Said,
    },
    /// A note of the pattern (or played live) began.
    NoteOn {
        /// On which track.
        track: TrackIndex,
        /// The step, 0 to 63; `None` for a live note.
        step: Option<u8>,
        /// The song position it belongs to.
        tick: Beats,
        /// The device frame at which it sounds, counted from the engine's first block.
        frame: i64,
        /// When that is heard; `None` while the device's clock is not known.
        heard: Option<HostNanos>,
    },
    /// The musician played a live note here, or let it go, while the song played. May be dropped when
    /// the ring is full.
    Played {
        /// On which track.
        track: TrackIndex,
        /// MIDI note, 0 to 127.
        note: u8,
        /// 0 to 1; 0 is the note's end.
        velocity: f32,
        /// The song position that was heard when it was played.
        tick: Beats,
    },
    /// How it stands with the shared clock; follows each [`FromEngine::Position`].
    Sync(Sync),
    /// A bar has been rendered.
    Fingerprint(BarFingerprint),
    /// Where the engine is, at least 20 times a second while it runs.
    Position {
        /// Song position at the block's start; `None` when stopped.
        tick: Option<Beats>,
        /// Tempo in use.
        micro_bpm: u64,
        /// The device frame of the block's start.
        frame: i64,
        /// Host time at which that frame is due, as the block was stamped.
        now: HostNanos,
    },
    /// Levels since the last meter, 20 to 60 times a second.
    Meter(Meter),
    /// Something went wrong on the audio thread and was survived.
    Fault(Fault),
}

/// Peak levels, linear.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Meter {
    /// Each track after its inserts.
    pub tracks: [f32; MAX_TRACKS],
    /// The main output, left and right.
    pub master: [f32; 2],
}

/// What one bar sounded like, in numbers two peers can compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BarFingerprint {
    /// The bar, counted from 0 at the song's beginning.
    pub bar: i32,
    /// A hash of everything that went into the sound: engine version, seed, song at the run's
    /// origin, tempo map, run origin, and every message since with its landing sample. Equal keys
    /// must mean equal hashes; unequal keys are not compared.
    pub input_key: u64,
    /// Each track after its inserts.
    pub tracks: [u64; MAX_TRACKS],
    /// The master before the personal layer and the resampler.
    pub master: u64,
    /// The canonical sample (since the song's beginning) at which the bar began.
    pub start: SamplePos,
}

/// A fault survived on the audio thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// More edits waited for their beat than the engine holds; this many landed at once instead.
    PendingFull(u32),
    /// The ring out was full; this many lamps, meters or fingerprints were dropped.
    OutFull(u32),
    /// The host gave no usable position while playing; the engine counts on by itself.
    NoPosition,
}

/// The session's ends of the rings.
pub struct SessionPorts {
    /// Towards the engine.
    pub to_engine: Producer<ToEngine>,
    /// From the engine.
    pub from_engine: Consumer<FromEngine>,
}

/// The engine's ends of the rings.
pub struct EnginePorts {
    /// From the session.
    pub from_session: Consumer<ToEngine>,
    /// Towards the session.
    pub to_session: Producer<FromEngine>,
    /// The sample files that an engine before this one was told to hold.
    pub(super) files: Files,
}

/// A pair of rings between one engine and one session thread.
pub fn ports() -> (SessionPorts, EnginePorts) {
    let (to_engine, from_session) = RingBuffer::new(TO_ENGINE_CAPACITY);
    let (to_session, from_engine) = RingBuffer::new(FROM_ENGINE_CAPACITY);
    (
        SessionPorts { to_engine, from_engine },
        EnginePorts { from_session, to_session, files: Files::default() },
    )
}

/// A note from the host's MIDI, within a block.
///
/// Channel 10 plays the drum tracks by General MIDI note (36 kick, 38 snare, 42 closed hat, 46 open
/// hat: the first alive track with that voice); every other channel plays the focused track.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LiveNote {
    /// Frame within the block.
    pub frame: u32,
    /// MIDI channel, 0 to 15.
    pub channel: u8,
    /// MIDI note, 0 to 127.
    pub note: u8,
    /// 0 to 1; 0 is the note's end.
    pub velocity: f32,
}

/// A note of the pattern for the host, within a block, on its track's channel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MidiOut {
    /// Frame within the block, less than the block's length.
    pub frame: u32,
    /// MIDI channel, 0 to 15.
    pub channel: u8,
    /// MIDI note, 0 to 127.
    pub note: u8,
    /// 0 to 1; 0 is the note's end. Every note that began ends: on its length, on stop, on a jump.
    pub velocity: f32,
}

/// A host parameter's new value within a block; it lands on the quantum that holds it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ParamMove {
    /// Frame within the block.
    pub frame: u32,
    /// Which.
    pub slot: Slot,
    /// To what, within the table's range.
    pub value: f32,
}

/// What the host says of its transport at a block's start.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct HostTransport {
    /// Whether it plays.
    pub playing: bool,
    /// Its song position in quarter notes, as precise as the host gives it.
    pub quarters: Option<f64>,
    /// Its tempo in BPM.
    pub bpm: Option<f64>,
    /// Its time signature.
    pub metre: Option<(u8, u8)>,
    /// The active loop in quarter notes, start and end.
    pub loop_range: Option<(f64, f64)>,
}
