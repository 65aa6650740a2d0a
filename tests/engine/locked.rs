//! Transport laws under the shared clock: however session, host and clock move, notes pair, no tick
//! is replayed, and none is lost but where the law lets it be.

use std::collections::{BTreeMap, BTreeSet};

use antiphon::pattern::Song;
use antiphon::rt::Drive;
use antiphon::rt::ports::{HostTransport, Mode, ToEngine};
use antiphon::time::{Beats, ClockMap, HostNanos, SessionNanos, Tempo, TempoMap};
use proptest::prelude::*;

use crate::rig::*;

const MS: i64 = 1_000_000;
const RATE: f64 = 48_000.0;
/// How late a callback comes at most.
const LATE: i64 = 200_000;

/// What happens next.
#[derive(Clone, Copy, Debug)]
enum Move {
    /// Time passes.
    Play { blocks: usize, frames: usize },
    /// The host stops for so many blocks.
    HostStops { blocks: usize },
    /// The host's position moves: it decides nothing here.
    HostLocates { quarters: f64 },
    /// The host loops, and its position with it.
    HostLoops { length: f64 },
    /// The session stops for so many blocks.
    SessionStops { blocks: usize },
    /// The session starts, or goes on, from a tick further on, so many ms from now: before now, it is
    /// joined late.
    SessionStarts { further: i64, in_ms: i64 },
    /// The tempo steps, so many ticks behind the place that sounds.
    Tempo { bpm: f64, in_ticks: i64 },
    /// The clock is lost, found again, or another epoch begins: the map moves by so many µs.
    ClockMoves { by_us: i64 },
    /// The host says `reset`.
    Reset,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        8 => (5usize..60, 16usize..1500).prop_map(|(blocks, frames)| Move::Play { blocks, frames }),
        1 => (1usize..30).prop_map(|blocks| Move::HostStops { blocks }),
        1 => (0i32..200).prop_map(|n| Move::HostLocates { quarters: f64::from(n) / 3.0 }),
        1 => (1i32..8).prop_map(|n| Move::HostLoops { length: f64::from(n) / 2.0 }),
        1 => (1usize..30).prop_map(|blocks| Move::SessionStops { blocks }),
        1 => (0i64..6, -400i64..400).prop_map(|(further, in_ms)| Move::SessionStarts { further, in_ms }),
        1 => (60.0f64..280.0, 0i64..400_000).prop_map(|(bpm, in_ticks)| Move::Tempo { bpm, in_ticks }),
        2 => prop_oneof![-900i64..900, -15_000i64..15_000, -90_000i64..90_000]
            .prop_map(|by_us| Move::ClockMoves { by_us }),
        1 => Just(Move::Reset),
    ];
    prop::collection::vec(one, 2..16)
}

/// Every step of one track, and others that pair in harder ways.
fn song() -> Song {
    let mut song = Song::new();
    add(&mut song, 0, "hat", "xxxxxxxx");
    add(&mut song, 1, "bass", "x.x..xx.");
    add(&mut song, 2, "snare", "..X.");
    song.tracks[1].playing_mut().steps[2].gate = 250;
    song.tracks[1].playing_mut().steps[5].tie = true;
    song.tracks[2].playing_mut().steps[2].ratchet = 3;
    song
}

struct World {
    rig: Rig,
    map: TempoMap,
    clock: ClockMap,
    timeline: Option<(Beats, i64)>,
    host: HostTransport,
    hosted: bool,
    draw: u64,
    /// Frames at which something let ticks be left out, and whether they may come again after it.
    breaks: Vec<(i64, bool)>,
}

impl World {
    fn new(mode: Mode, hosted: bool) -> World {
        let map = TempoMap::constant(Tempo::from_bpm(160.0).expect("a tempo"));
        let mut rig = Rig::new(RATE, &song(), &map);
        rig.tell(ToEngine::Mode { mode, offset: Beats::ZERO });
        let clock = ClockMap::IDENTITY.ahead_by(7_000_000_000);
        rig.tell(ToEngine::Clock { map: clock, latency_ns: 3 * MS });
        let host = HostTransport {
            playing: true,
            quarters: Some(3.3),
            bpm: Some(160.0),
            metre: Some((4, 4)),
            loop_range: None,
        };
        World { rig, map, clock, timeline: None, host, hosted, draw: 1, breaks: Vec::new() }
    }

    fn now(&self) -> i64 {
        (self.rig.frame as f64 * 1e9 / RATE) as i64
    }

    fn session_now(&self) -> i64 {
        self.clock.session(HostNanos(self.now())).0
    }

    /// The tick that the session's timeline has reached.
    fn place(&self) -> Option<Beats> {
        let (tick, at) = self.timeline?;
        let ns = self.map.nanos_at(tick).0 + self.session_now() - at;
        Some(self.map.tick_at_nanos(SessionNanos(ns)))
    }

    fn play(&mut self, blocks: usize, frames: usize) {
        for _ in 0..blocks {
            self.draw = self.draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let late = (self.draw >> 33) as i64 % LATE;
            self.rig.now = Some(HostNanos(self.now() + late));
            let drive = if self.hosted { Drive::Host(self.host) } else { Drive::Session };
            self.rig.block(frames, drive);
            self.rig.left.clear();
            self.rig.right.clear();
            if let Some(quarters) = self.host.quarters.as_mut().filter(|_| self.host.playing) {
                *quarters += frames as f64 / RATE * 160.0 / 60.0;
                if let Some((start, end)) = self.host.loop_range.filter(|(_, end)| *quarters >= *end) {
                    *quarters = start + (*quarters - end);
                }
            }
        }
    }

    fn broken(&mut self, again: bool) {
        self.breaks.push((self.rig.frame, again));
    }

    fn start(&mut self, tick: Beats, in_ms: i64) {
        let at = self.session_now() + in_ms * MS;
        self.timeline = Some((tick, at));
        self.rig.tell(ToEngine::Timeline { tick, at: SessionNanos(at) });
        self.broken(true);
    }

    fn make(&mut self, step: Move) {
        match step {
            Move::Play { blocks, frames } => self.play(blocks, frames),
            Move::HostStops { blocks } if self.hosted => {
                self.broken(false);
                self.host.playing = false;
                self.play(blocks, 256);
                self.host.playing = true;
                self.broken(false);
            }
            Move::HostLocates { quarters } => self.host.quarters = Some(quarters),
            Move::HostLoops { length } => {
                let start = self.host.quarters.unwrap_or(0.0);
                self.host.loop_range = Some((start, start + length));
            }
            Move::SessionStops { blocks } if self.timeline.is_some() => {
                self.broken(true);
                (self.timeline, self.host.playing) = (None, false);
                self.rig.tell(ToEngine::Stop);
                self.play(blocks, 256);
                self.host.playing = true;
            }
            Move::HostStops { .. } | Move::SessionStops { .. } => {}
            Move::SessionStarts { further, in_ms } => {
                let tick = self.place().unwrap_or(Beats::ZERO).ceil_to(Beats::quarters(4));
                self.start(tick + Beats::quarters(further), in_ms);
            }
            Move::Tempo { bpm, in_ticks } => {
                let tick = self.place().unwrap_or(Beats::ZERO) + Beats(in_ticks + 200_000);
                let tempo = Tempo::from_bpm(bpm).expect("a tempo");
                if let Ok(map) = self.map.with_tempo(tick, tempo) {
                    self.rig.tell(ToEngine::TempoMap(Box::new(map.clone())));
                    self.map = map;
                }
            }
            Move::ClockMoves { by_us } => {
                self.clock = self.clock.ahead_by(by_us * 1000);
                self.rig.tell(ToEngine::Clock { map: self.clock, latency_ns: 3 * MS });
                if by_us.abs() > 19_000 {
                    self.broken(false);
                }
            }
            Move::Reset => {
                self.broken(false);
                self.rig.engine.reset();
            }
        }
    }
}

/// Where no break lies near: how long before or after an onset one may have caused a gap. A clock that
/// jumps is followed at the next bar.
const REACH: i64 = 3 * 48_000;

fn check(world: &World) -> Result<(), TestCaseError> {
    let mut last: BTreeMap<usize, (i64, i64)> = BTreeMap::new();
    for onset in &world.rig.onsets {
        let before = last.insert(onset.track, (onset.tick, onset.frame));
        let Some((tick, frame)) = before else { continue };
        let between = |again: bool| {
            let mut breaks = world.breaks.iter();
            breaks.any(|(at, of)| (frame - REACH..=onset.frame).contains(at) && (*of || !again))
        };
        prop_assert!(onset.tick > tick || between(true), "track {}: {tick} again at {onset:?}", onset.track);
        let lost = onset.track == 0 && onset.tick != tick + Beats::SIXTEENTH.0;
        prop_assert!(!lost || between(false), "{tick} at {frame} was followed by {onset:?}");
    }
    let mut sounding = BTreeSet::new();
    for (frame, note) in &world.rig.midi {
        let key = (note.channel, note.note);
        if note.velocity > 0.0 {
            prop_assert!(sounding.insert(key), "{key:?} began twice, at {frame}");
        } else {
            prop_assert!(sounding.remove(&key), "{key:?} ended twice, at {frame}");
        }
    }
    prop_assert!(sounding.is_empty(), "{sounding:?} never ended");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(debug_assertions) { 12 } else { 500 }, ..ProptestConfig::default() })]

    #[test]
    fn notes_pair_and_no_tick_comes_twice_under_the_shared_clock(
        moves in moves(), follow in any::<bool>(), hosted in any::<bool>(), joined_ms in -3_000i64..100,
    ) {
        let mut world = World::new(if follow { Mode::Follow } else { Mode::Session }, hosted);
        world.play(60, 256);
        // By the host's own grid until then.
        let before = world.rig.onsets.len();
        // Below 0 the session has played for so long: a late join.
        world.start(Beats::quarters(4), joined_ms);
        world.play(40, 300);
        for step in moves {
            world.make(step);
        }
        world.play(10, 300);
        world.rig.tell(ToEngine::Stop);
        world.broken(true);
        world.host.playing = false;
        world.play(2, 300);
        check(&world)?;
        let first = world.rig.onsets.get(before).map(|onset| onset.tick);
        let reached = Beats::quarters(4).0 + -joined_ms.min(0) * 705_600 * 160 / 60_000;
        prop_assert!(first.is_some_and(|first| first >= reached), "{first:?} before {reached}: a burst");
    }
}
