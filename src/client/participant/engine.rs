//! What comes from the engine, and the session's transport on its way there.

use std::collections::{BTreeMap, BTreeSet};

use super::Participant;
use crate::client::{AudioMatch, Event};
use crate::param::{MAX_TRACKS, Slot, TrackIndex};
use crate::pattern::Edit;
use crate::rt::ports::{FromEngine, Meter, ToEngine};
use crate::session::Timeline;
use crate::time::{Beats, Clock, HostNanos, SessionNanos, TICKS_PER_BEAT};

/// Messages taken from the ring in one look, so that a flood cannot keep the thread from its other
/// work.
const ONE_LOOK: usize = 8192;
/// A playing engine tells its position 20 times a second; one that tells nothing for this long has
/// been suspended by its host, and its position goes nowhere.
const SILENCE: i64 = 2_000_000_000;
/// A host's move may still have crossed an edit that was told this long ago.
const CROSSING: i64 = 250_000_000;

/// The engine as its messages tell of it.
#[derive(Default)]
pub struct EngineSide {
    /// The last block's frame: one that lies behind it means a new engine.
    frame: i64,
    position: Option<(Beats, HostNanos)>,
    /// Tempo in use, µBPM.
    pub micro_bpm: u64,
    /// Levels.
    pub meter: Option<Meter>,
    /// The step each track last sounded.
    pub lamps: [Option<u8>; MAX_TRACKS],
    /// A transport change the engine has not been told yet: the clocks are not known.
    pub scheduled: Option<Timeline>,
    /// Whether equal input gave equal samples.
    pub audio: AudioMatch,
    /// How loud the metronome is.
    pub metronome: f32,
    /// The track that live notes play, once somebody chose.
    pub focus: Option<TrackIndex>,
    /// When the engine was last told to write a parameter.
    told: BTreeMap<Slot, HostNanos>,
    /// Parameters that the host moved while such a write may have been on its way: the engine may
    /// hold either value, and is told again when the hand rests.
    pub crossed: BTreeSet<Slot>,
}

impl EngineSide {
    /// Whether it plays.
    pub fn plays(&self) -> bool {
        self.position.is_some()
    }

    /// The song position as last told.
    pub fn position(&self) -> Option<Beats> {
        self.position.map(|(tick, _)| tick)
    }

    /// The song position at a host time, carried on from the last message; `None` when stopped.
    pub fn position_at(&self, host: HostNanos) -> Option<Beats> {
        let (tick, at) = self.position?;
        let span = i128::from((host - at).max(0)) * i128::from(self.micro_bpm) * i128::from(TICKS_PER_BEAT);
        Some(tick + Beats((span / 60_000_000_000_000_000) as i64))
    }
}

impl Participant {
    /// Takes what the engine has told.
    pub(super) fn hear_engine(&mut self, now: HostNanos) {
        for _ in 0..ONE_LOOK {
            let Ok(message) = self.from_engine.pop() else { return };
            match message {
                FromEngine::ParamMoved { slot, value } => self.param_moved(slot, value, now),
                FromEngine::RetiredSong(song) => drop(song),
                FromEngine::RetiredTempoMap(map) => drop(map),
                FromEngine::RetiredFile(file) => drop(file),
                FromEngine::RetiredRoom(room) => drop(room),
                FromEngine::MineMoved(edit) => self.mine_moved(edit, now),
                FromEngine::Controller { channel, said } => self.controller_moved(channel, said, now),
                FromEngine::NoteOn { track, step, tick, frame, heard } => {
                    self.engine.lamps[track.get()] = step;
                    let session = heard.and_then(|host| self.session_time(host));
                    self.events.tell(Event::Onset { track, tick, frame, session }, now);
                    self.shown.stale();
                }
                FromEngine::Played { track, note, velocity, tick } => {
                    let me = self.studio.client();
                    self.session.company.live.played(me, track, note, velocity, tick, now);
                    self.events.tell(Event::PlayedHere { track, note, velocity, tick }, now);
                }
                FromEngine::Fingerprint(bar) => {
                    self.session.bars.push(bar);
                    self.events.tell(Event::Fingerprint(bar), now);
                }
                FromEngine::Position { tick, micro_bpm, frame, now: due } => {
                    if frame < std::mem::replace(&mut self.engine.frame, frame) {
                        self.tell_new_engine();
                    }
                    self.engine.micro_bpm = micro_bpm;
                    self.engine.position = tick.map(|tick| (tick, due));
                    if tick.is_none() {
                        self.engine.lamps = [None; MAX_TRACKS];
                    }
                    self.shown.stale();
                }
                FromEngine::Sync(sync) => {
                    self.mode.sync = sync;
                    self.lead();
                    self.shown.stale();
                }
                FromEngine::Meter(meter) => {
                    self.engine.meter = Some(meter);
                    self.shown.stale();
                }
                FromEngine::Fault(fault) => tracing::warn!(?fault, "the engine survived a fault"),
            }
        }
    }

    /// Takes a position for none that the engine has not told anew.
    pub(super) fn doze(&mut self, now: HostNanos) {
        if self.engine.position.is_some_and(|(_, at)| now - at > SILENCE) {
            self.engine.position = None;
            self.engine.lamps = [None; MAX_TRACKS];
            self.shown.stale();
        }
    }

    /// An engine was built over the song and the rings of the one before: it lacks what waited there.
    fn tell_new_engine(&mut self) {
        self.engine.focus.into_iter().for_each(|track| self.feed.push(ToEngine::Focus(track)));
        self.feed.push(ToEngine::Metronome(self.engine.metronome));
        self.tell_all_of_mine();
        for (at, edit) in self.studio.waiting() {
            self.feed.edit(edit, Some(at));
        }
        self.mode.forget_told();
        let timeline = self.studio.timeline();
        if timeline.playing {
            self.engine.scheduled = Some(timeline);
        }
    }

    /// Tells the engine an edit.
    pub(super) fn tell_edit(&mut self, edit: Edit, at: Option<Beats>) {
        if let (Edit::Param { slot, .. }, None) = (edit, at) {
            self.engine.told.insert(slot, self.clock.now());
        }
        self.feed.edit(edit, at);
    }

    /// A host parameter moved. It sounds already, so the engine is not told again; a value that the
    /// session expects is an echo.
    fn param_moved(&mut self, slot: Slot, value: f32, now: HostNanos) {
        let Ok(Edit::Param { slot, value }) = (Edit::Param { slot, value }).check() else {
            tracing::warn!(?slot, value, "a host parameter left its range");
            return;
        };
        if self.studio.song().params[slot.index()] == value {
            return;
        }
        self.stir();
        if self.engine.told.get(&slot).is_some_and(|told| now - *told < CROSSING) {
            self.engine.crossed.insert(slot);
        }
        self.hands.moved_since(slot, value, now, self.studio.seq());
        // The engine has it already.
        let _ = self.studio.own_gesture(slot, value);
        self.shown.stale();
    }

    /// The session's transport moved.
    pub(super) fn timeline_changed(&mut self, timeline: Timeline) {
        let now = self.clock.now();
        self.events.tell(Event::Timeline(timeline), now);
        self.engine.scheduled = Some(timeline);
        self.schedule();
    }

    /// Tells the engine a transport change, behind what it needs to know for it: a start in a session
    /// whose time nobody has measured yet would be read by another clock.
    pub(super) fn schedule(&mut self) {
        self.tell_mode();
        let measured = self.session_now(self.clock.now()).is_some();
        let Some(timeline) = self.engine.scheduled.take_if(|timeline| measured || !timeline.playing) else {
            return;
        };
        self.feed.push(match timeline.playing {
            true => ToEngine::Timeline { tick: timeline.tick, at: timeline.at },
            false => ToEngine::Stop,
        });
    }

    /// The session's time as it is to be heard now, under the trim.
    pub(super) fn session_now(&self, now: HostNanos) -> Option<SessionNanos> {
        match self.studio.is_alone() || self.session.has_own_clock() {
            true => Some(SessionNanos(now.0)),
            false => self.played_map().map(|map| map.session(now)),
        }
    }

    /// Host time as session time, whatever the trim: what sounds then, sounds there.
    fn session_time(&self, at: HostNanos) -> Option<SessionNanos> {
        match self.studio.is_alone() || self.session.has_own_clock() {
            true => Some(SessionNanos(at.0)),
            false => self.session.clock.map().map(|map| map.session(at)),
        }
    }
}
