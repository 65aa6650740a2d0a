//! What went in, and what came out, in numbers two peers can compare.
//!
//! Thread: audio. Realtime-safe: yes.

use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::ENGINE_VERSION;
use super::ports::BarFingerprint;
use crate::dsp::{QUANTUM, Quantum};
use crate::param::MAX_TRACKS;
use crate::pattern::Edit;
use crate::time::{SamplePos, TempoSegment};

/// A rolling hash over everything that went into a run's sound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct InputKey(u64);

/// What a key folds in, each under its own word.
#[derive(Clone, Copy, Debug)]
pub(super) enum Input {
    /// A song took over: its digest, which holds its seed.
    Song(u64),
    /// Ticks become samples by another rule.
    Timing(u64),
    /// The song position went on from elsewhere: a loop's wrap.
    Wrap,
    /// A register was written.
    Edit(Edit),
    /// A waiting edit of a step that sounds before its place is known from here on.
    Foreseen(Edit),
    /// The files of these tracks, bit n for track n, are missing here from now on.
    Missing(u16),
    /// A live note began (velocity > 0) or ended on a track.
    Live { track: u8, note: u8, velocity: f32 },
}

impl InputKey {
    /// The key of a run from a song sample.
    pub(super) fn origin(song: u64, timing: u64, origin: i64, bars: u64) -> InputKey {
        InputKey(u64::from(ENGINE_VERSION)).fold(song).fold(timing).fold(origin as u64).fold(bars)
    }

    /// This key with an input that landed at a song sample.
    pub(super) fn with(self, input: Input, song: i64) -> InputKey {
        let placed = self.fold(song as u64);
        match input {
            Input::Song(digest) => placed.fold(1).fold(digest),
            Input::Timing(digest) => placed.fold(2).fold(digest),
            Input::Wrap => placed.fold(3),
            Input::Edit(edit) => placed.fold(4).fold(edit_digest(&edit)),
            Input::Foreseen(edit) => placed.fold(6).fold(edit_digest(&edit)),
            Input::Missing(tracks) => placed.fold(7).fold(u64::from(tracks)),
            Input::Live { track, note, velocity } => placed
                .fold(5)
                .fold(u64::from(track) << 8 | u64::from(note))
                .fold(u64::from(velocity.to_bits())),
        }
    }

    pub(super) fn value(self) -> u64 {
        self.0
    }

    fn fold(self, value: u64) -> InputKey {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.0.to_le_bytes());
        bytes[8..].copy_from_slice(&value.to_le_bytes());
        InputKey(xxh3_64(&bytes))
    }
}

/// The hash of an edit's bytes on the wire.
fn edit_digest(edit: &Edit) -> u64 {
    let mut bytes = [0; 64];
    // The longest edit, of a sample file, takes 36 bytes.
    let bytes = postcard::to_slice(edit, &mut bytes).expect("an edit fits into 64 bytes");
    xxh3_64(bytes)
}

/// The hash of a stretch of constant tempo: what a tempo map says of ticks in it.
pub(super) fn tempo_digest(segment: &TempoSegment) -> u64 {
    let mut hash = Xxh3::new();
    hash.update(&segment.tick.0.to_le_bytes());
    hash.update(&segment.ns.to_le_bytes());
    hash.update(&segment.tempo.micro_bpm().to_le_bytes());
    hash.digest()
}

/// Feeds canonical samples to a hash as their bits.
fn feed(hash: &mut Xxh3, samples: &[f32]) {
    let mut bytes = [0; 4 * QUANTUM];
    for (to, sample) in bytes.chunks_exact_mut(4).zip(samples) {
        to.copy_from_slice(&sample.to_bits().to_le_bytes());
    }
    hash.update(&bytes[..4 * samples.len()]);
}

/// A bar whose tracks are hashed and whose master still comes out of the limiter.
#[derive(Clone, Copy)]
struct Closing {
    bar: i32,
    start: i64,
    tracks: [u64; MAX_TRACKS],
    /// The stream sample after the bar's last.
    end: i64,
}

/// The bar being hashed.
#[derive(Clone, Copy)]
struct Open {
    bar: i32,
    /// Its first song sample.
    start: i64,
    /// Its first stream sample.
    from: i64,
}

/// Hashes bars as they are rendered. Tracks come as they are rendered, the master later by the
/// limiter's look-ahead; a bar is given out when its master is complete.
pub(super) struct BarHasher {
    tracks: [Xxh3; MAX_TRACKS],
    master: Xxh3,
    /// `None` in a bar not rendered from its start.
    open: Option<Open>,
    closing: Option<Closing>,
    /// The master hashes from this stream sample on.
    master_from: Option<i64>,
}

impl BarHasher {
    pub(super) fn new() -> BarHasher {
        BarHasher {
            tracks: std::array::from_fn(|_| Xxh3::new()),
            master: Xxh3::new(),
            open: None,
            closing: None,
            master_from: None,
        }
    }

    /// Forgets every bar.
    pub(super) fn clear(&mut self) {
        (self.open, self.closing, self.master_from) = (None, None, None);
    }

    /// A bar begins at a stream sample; the one before it is complete.
    pub(super) fn begin_bar(&mut self, bar: i32, song: i64, stream: i64) {
        self.end_bar(stream);
        self.open = Some(Open { bar, start: song, from: stream });
        if self.closing.is_none() {
            self.master.reset();
            self.master_from = Some(stream);
        }
    }

    /// The open bar ends before a stream sample, complete.
    pub(super) fn end_bar(&mut self, stream: i64) {
        if let Some(Open { bar, start, .. }) = self.open.take() {
            let tracks = std::array::from_fn(|at| self.tracks[at].digest());
            self.closing = Some(Closing { bar, start, tracks, end: stream });
        }
        self.tracks.iter_mut().for_each(Xxh3::reset);
    }

    /// The open bar breaks off incomplete.
    pub(super) fn break_off(&mut self) {
        self.open = None;
        self.tracks.iter_mut().for_each(Xxh3::reset);
        if self.closing.is_none() {
            self.master_from = None;
        }
    }

    /// Samples of a track, in the open bar.
    pub(super) fn feed_track(&mut self, track: usize, samples: &[f32]) {
        if self.open.is_some() {
            feed(&mut self.tracks[track], samples);
        }
    }

    /// The master's samples from a stream sample on; gives out a bar that they complete.
    pub(super) fn feed_master(
        &mut self,
        stream: i64,
        left: &Quantum,
        right: &Quantum,
        key: InputKey,
    ) -> Option<BarFingerprint> {
        let within = |at: i64| (at - stream).clamp(0, QUANTUM as i64) as usize;
        let mut complete = None;
        if let Some(closing) = self.closing.take_if(|closing| closing.end <= stream + QUANTUM as i64) {
            let (from, end) = (within(self.master_from?), within(closing.end));
            feed(&mut self.master, &left[from..end]);
            feed(&mut self.master, &right[from..end]);
            complete = Some(BarFingerprint {
                bar: closing.bar,
                input_key: key.value(),
                tracks: closing.tracks,
                master: self.master.digest(),
                start: SamplePos(closing.start),
            });
            self.master.reset();
            self.master_from = self.open.map(|open| open.from);
        }
        if let Some(from) = self.master_from.map(within) {
            // Where a bar is closing, what comes after its end belongs to the next.
            let end = self.closing.map_or(QUANTUM, |closing| within(closing.end));
            feed(&mut self.master, &left[from..end.max(from)]);
            feed(&mut self.master, &right[from..end.max(from)]);
        }
        complete
    }
}
