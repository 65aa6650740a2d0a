//! The shared clock's place in the song, frame by frame.
//!
//! Device frame → host time by [`SampleClock`], → session time by the client's [`ClockMap`], → song
//! sample by the session's timeline and tempo map. Song samples are counted in parts of which
//! [`STEP_PARTS`] are one.
//!
//! Thread: audio. Realtime-safe: yes, but for [`SessionLock::new`].

use super::SampleClock;
use super::ports::Mode;
use crate::dsp::STEP_PARTS;
use crate::time::{Beats, CANONICAL_RATE, ClockMap, HostNanos, SessionNanos, TempoMap};

/// Up to this difference (5 ms) the ratio strays by at most [`GENTLE`], up to [`FAR`] by [`FIRM`].
const NEAR: f64 = 240.0;
/// Beyond this difference (20 ms) the position jumps at the next bar.
pub(super) const FAR: f64 = 960.0;
const GENTLE: f64 = 500e-6;
const FIRM: f64 = 5_000e-6;
/// A difference is taken back in about this many canonical samples: half a second.
const PATIENCE: f64 = 24_000.0;
/// A device whose rate lies further than this from its nominal one is no device.
const RATE_LIMIT: f64 = 0.01;

/// Tick `tick` of the song sounds at session time `at`.
pub(super) type Timeline = (Beats, SessionNanos);

/// What the engine knows of the session's clock and transport.
pub(super) struct SessionLock {
    pub(super) clock: SampleClock,
    map: Option<ClockMap>,
    /// From a frame's turn at the device to its sound, in ns.
    latency_ns: i64,
    /// The mode asked for.
    mode: Mode,
    /// Whole bars between the host's song position and ours.
    pub(super) offset: Beats,
    /// The session plays.
    timeline: Option<Timeline>,
    /// It goes on by this one once its time has come.
    pub(super) next: Option<Timeline>,
    /// The tick at which to come in, or to go on from elsewhere.
    pub(super) entry: Option<Beats>,
    /// An engine without a host has not yet been given a frame for the timeline.
    pub(super) unscheduled: bool,
    /// The session was stopped under a host that still rolls: silence, until that plays anew.
    pub(super) quiet: bool,
    nominal: f64,
    /// What was last found: the difference in samples, and the ratio's deviation.
    pub(super) told: (f64, f64),
}

impl SessionLock {
    /// For a device of this rate in Hz.
    pub(super) fn new(rate: f64) -> SessionLock {
        SessionLock {
            clock: SampleClock::new(rate),
            map: None,
            latency_ns: 0,
            mode: Mode::Host,
            offset: Beats::ZERO,
            timeline: None,
            next: None,
            entry: None,
            unscheduled: false,
            quiet: false,
            nominal: STEP_PARTS as f64 * f64::from(CANONICAL_RATE) / rate,
            told: (0.0, 0.0),
        }
    }

    pub(super) fn set_clock(&mut self, map: ClockMap, latency_ns: i64) {
        (self.map, self.latency_ns) = (Some(map), latency_ns.clamp(-1_000_000_000, 1_000_000_000));
    }

    pub(super) fn set_mode(&mut self, mode: Mode, offset: Beats) {
        (self.mode, self.offset, self.entry) = (mode, offset, None);
        self.unscheduled = self.timeline.is_some();
    }

    /// The mode asked for.
    pub(super) fn mode(&self) -> Mode {
        self.mode
    }

    /// The mode in force: by the host's own grid while it bounces, or renders when it likes.
    pub(super) fn mode_in_force(&self, held: bool, hosted: bool) -> Mode {
        let locks = matches!(self.mode, Mode::Follow | Mode::Session);
        let refused = locks && hosted && self.clock.prefetch_ns().is_some();
        if held || refused { Mode::Host } else { self.mode }
    }

    pub(super) fn session_plays(&self) -> bool {
        self.timeline.is_some()
    }

    /// The session plays by a timeline. Where it goes on otherwise than it does, that begins when its
    /// time comes.
    pub(super) fn play(&mut self, timeline: Timeline, map: &TempoMap, frame: i64, running: bool) {
        (self.unscheduled, self.quiet) = (true, false);
        let place = |lock: &SessionLock, timeline| lock.song_by(timeline, map, frame);
        let off = self.timeline.and_then(|old| Some(place(self, timeline)? - place(self, old)?));
        let far = off.is_none_or(|off| off.unsigned_abs() as f64 > FAR * STEP_PARTS as f64);
        if running && far {
            self.next = Some(timeline);
        } else {
            (self.timeline, self.next) = (Some(timeline), None);
            self.entry = if running { self.entry } else { None };
        }
    }

    /// The session stands.
    pub(super) fn stop(&mut self, running: bool) {
        self.quiet = running;
        (self.timeline, self.next, self.entry, self.unscheduled) = (None, None, None, false);
    }

    /// What was to come has come.
    pub(super) fn take_next(&mut self) {
        if let Some(next) = self.next.take() {
            (self.timeline, self.entry) = (Some(next), None);
        }
    }

    /// When a frame is heard.
    pub(super) fn heard(&self, frame: i64) -> Option<HostNanos> {
        Some(HostNanos(self.clock.due(frame)?.0 + self.latency_ns))
    }

    /// The frame heard at a session time, rounded down.
    pub(super) fn frame_at(&self, at: SessionNanos) -> Option<i64> {
        self.clock.frame_at(HostNanos(self.map?.host(at).0 - self.latency_ns))
    }

    /// The song's place, in parts of a sample, that is heard with a frame.
    pub(super) fn song_at(&self, map: &TempoMap, frame: i64) -> Option<i128> {
        self.song_by(self.timeline?, map, frame)
    }

    fn song_by(&self, (tick, at): Timeline, map: &TempoMap, frame: i64) -> Option<i128> {
        let session = self.map?.session(self.heard(frame)?);
        let ns = i128::from(map.nanos_at(tick).0) + i128::from(session.0) - i128::from(at.0);
        Some(ns * i128::from(CANONICAL_RATE) * i128::from(STEP_PARTS) / 1_000_000_000)
    }

    /// How the session plays.
    pub(super) fn timeline(&self) -> Option<Timeline> {
        self.timeline
    }

    /// Where the timeline begins.
    pub(super) fn first_tick(&self) -> Option<Beats> {
        self.timeline.map(|(tick, _)| tick)
    }

    /// How far the song moves on with each of the next frames, in parts of a sample.
    pub(super) fn slope(&self, map: &TempoMap, frame: i64) -> f64 {
        // Over a second, so that whole nanoseconds do not show.
        let ahead = i64::from(CANONICAL_RATE);
        let ends = self.song_at(map, frame).zip(self.song_at(map, frame + ahead));
        let slope = ends.map_or(self.nominal, |(from, to)| (to - from) as f64 / ahead as f64);
        if (slope / self.nominal - 1.0).abs() < RATE_LIMIT { slope } else { self.nominal }
    }

    /// The ratio that takes back a difference of so many samples.
    pub(super) fn corrected(&mut self, slope: f64, samples: f64) -> f64 {
        let limit = if samples.abs() <= NEAR { GENTLE } else { FIRM };
        let stray = (samples / PATIENCE).clamp(-limit, limit);
        self.told = (samples, slope * (1.0 + stray) / self.nominal - 1.0);
        slope * (1.0 + stray)
    }
}
