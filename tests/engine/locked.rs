//! Transport laws under the shared clock: however session, host and clock move, notes pair, no tick
//! is replayed, and each sounds in its place, none missed, but where the law lets it be.

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
/// From a frame's turn to its sound.
const LATENCY: i64 = 3 * MS;
/// How far from its place an onset may lie: a clock that moves by up to 20 ms is followed gently.
const OFF: i64 = 25 * MS;
/// Beyond some 20 ms it is followed at the next bar.
const FAR: i64 = 19 * MS;
/// A bar at 60 BPM, and a little.
const BAR_MS: i64 = 4_500;

/// What happens next.
#[derive(Clone, Copy, Debug)]
enum Move {
    /// Time passes.
    Play { blocks: usize, frames: usize },
    /// The host stops for so many blocks.
    HostStops { blocks: usize },
    /// The host's position moves: it decides nothing, but in Follow while the session stands.
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

/// Something that lets ticks be left out.
#[derive(Clone, Copy)]
struct Break {
    /// In frames, both ends included.
    from: i64,
    until: i64,
    /// They may come again, too.
    again: bool,
}

struct World {
    rig: Rig,
    map: TempoMap,
    clock: ClockMap,
    timeline: Option<(Beats, i64)>,
    host: HostTransport,
    hosted: bool,
    follow: bool,
    draw: u64,
    breaks: Vec<Break>,
    /// By how much the clock has moved that may not have been followed yet, in ns, and since when.
    strayed: (i64, i64),
    /// The tick of the last onset on the track that plays each step.
    last_hat: i64,
    /// The first onset that was out of its place or missed.
    fault: Option<String>,
}

impl World {
    fn new(follow: bool, hosted: bool) -> World {
        let map = TempoMap::constant(Tempo::from_bpm(160.0).expect("a tempo"));
        let mut rig = Rig::new(RATE, &song(), &map);
        let mode = if follow { Mode::Follow } else { Mode::Session };
        rig.tell(ToEngine::Mode { mode, offset: Beats::ZERO });
        let clock = ClockMap::IDENTITY.ahead_by(7_000_000_000);
        rig.tell(ToEngine::Clock { map: clock, latency_ns: LATENCY });
        let host = HostTransport {
            playing: true,
            quarters: Some(3.3),
            bpm: Some(160.0),
            metre: Some((4, 4)),
            loop_range: None,
        };
        World {
            rig,
            map,
            clock,
            timeline: None,
            host,
            hosted,
            follow,
            draw: 1,
            breaks: Vec::new(),
            strayed: (0, 0),
            last_hat: 0,
            fault: None,
        }
    }

    fn host_ns(frame: i64) -> i64 {
        (frame as f64 * 1e9 / RATE) as i64
    }

    fn session_now(&self) -> i64 {
        self.clock.session(HostNanos(World::host_ns(self.rig.frame))).0
    }

    /// The place in the song, in ns, that the session's timeline gives a frame.
    fn place_at(&self, frame: i64) -> Option<i64> {
        let (tick, at) = self.timeline?;
        let heard = self.clock.session(HostNanos(World::host_ns(frame) + LATENCY)).0;
        Some(self.map.nanos_at(tick).0 + heard - at)
    }

    /// The tick that the session's timeline has reached.
    fn place(&self) -> Option<Beats> {
        Some(self.map.tick_at_nanos(SessionNanos(self.place_at(self.rig.frame)?)))
    }

    /// The host's own grid is in force: the session stands.
    fn is_host_s(&self) -> bool {
        self.hosted && self.follow && self.timeline.is_none()
    }

    /// The host's transport is the gate.
    fn is_gated(&self) -> bool {
        self.hosted && self.follow
    }

    fn play(&mut self, blocks: usize, frames: usize) {
        for _ in 0..blocks {
            self.draw = self.draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let late = (self.draw >> 33) as i64 % LATE;
            let from = self.rig.frame;
            self.rig.now = Some(HostNanos(World::host_ns(from) + late));
            let drive = if self.hosted { Drive::Host(self.host) } else { Drive::Session };
            let told = self.rig.onsets.len();
            self.rig.block(frames, drive);
            self.rig.left.clear();
            self.rig.right.clear();
            if let Some(quarters) = self.host.quarters.as_mut().filter(|_| self.host.playing) {
                *quarters += frames as f64 / RATE * 160.0 / 60.0;
                if let Some((start, end)) = self.host.loop_range.filter(|(_, end)| *quarters >= *end) {
                    *quarters = start + (*quarters - end);
                    if self.is_host_s() {
                        self.broken(from, 500, true);
                    }
                }
            }
            self.look(told);
        }
    }

    /// Looks whether each onset since the last look is in its place, and none is overdue.
    fn look(&mut self, told: usize) {
        let now = self.rig.frame;
        let mut last = None;
        for onset in self.rig.onsets[told..].iter().filter(|onset| onset.track == 0) {
            last = Some(onset.tick);
            let Some(place) = self.place_at(onset.frame).filter(|_| !self.is_broken(onset.frame)) else {
                continue;
            };
            let off = self.map.nanos_at(Beats(onset.tick)).0 - place;
            if off.abs() > OFF {
                self.fault.get_or_insert(format!("{onset:?} lies {off} ns from its place"));
            }
        }
        self.last_hat = last.unwrap_or(self.last_hat);
        let plays = if self.is_gated() { self.host.playing } else { self.timeline.is_some() };
        if !plays || self.is_broken(now) {
            return;
        }
        let tick = Beats(self.last_hat + Beats::SIXTEENTH.0);
        let overdue = match self.place_at(now) {
            Some(place) => place - self.map.nanos_at(tick).0,
            None => {
                let ahead = self.host.quarters.unwrap_or(0.0) - tick.as_quarters_f64();
                (ahead * 60e9 / 160.0) as i64
            }
        };
        if overdue > OFF {
            self.fault.get_or_insert(format!("at {now}, {tick:?} is overdue by {overdue} ns"));
        }
    }

    /// From a frame on, for so many ms, ticks may be left out.
    fn broken(&mut self, from: i64, ms: i64, again: bool) {
        self.breaks.push(Break { from, until: self.rig.frame + ms * 48, again });
    }

    fn is_broken(&self, frame: i64) -> bool {
        self.breaks.iter().any(|one| (one.from..=one.until).contains(&frame))
    }

    fn start(&mut self, tick: Beats, in_ms: i64) {
        let at = self.session_now() + in_ms * MS;
        self.timeline = Some((tick, at));
        self.rig.tell(ToEngine::Timeline { tick, at: SessionNanos(at) });
        self.broken(self.rig.frame, 500 + in_ms.max(0), true);
    }

    /// A song that starts, stops or goes on elsewhere, by whoever is its gate or its place. Who comes
    /// in anew knows no ticks of before, which a clock that moved back has once more.
    fn here(&mut self, again: bool) {
        self.broken(self.rig.frame, 500, again || self.strays() < 0);
    }

    /// By how much the clock has moved that may not have been followed yet: little by 400 ppm at
    /// least, much at the next bar.
    fn strays(&self) -> i64 {
        let (strayed, since) = self.strayed;
        let passed = World::host_ns(self.rig.frame - since);
        let left = if strayed.abs() <= FAR { strayed.abs() - passed / 2500 } else { strayed.abs() };
        if strayed.abs() > FAR && passed > BAR_MS * MS { 0 } else { left.max(0) * strayed.signum() }
    }

    fn make(&mut self, step: Move) {
        match step {
            Move::Play { blocks, frames } => self.play(blocks, frames),
            Move::HostStops { blocks } if self.hosted => {
                if self.is_gated() {
                    self.here(false);
                }
                self.host.playing = false;
                self.play(blocks, 256);
                self.host.playing = true;
                if self.is_gated() {
                    self.here(false);
                }
            }
            Move::HostLocates { quarters } => {
                self.host.quarters = Some(quarters);
                if self.is_host_s() {
                    self.here(true);
                }
            }
            Move::HostLoops { length } => {
                let start = self.host.quarters.unwrap_or(0.0);
                self.host.loop_range = Some((start, start + length));
            }
            Move::SessionStops { blocks } if self.timeline.is_some() => {
                self.here(true);
                (self.timeline, self.host.playing) = (None, false);
                self.rig.tell(ToEngine::Stop);
                self.play(blocks, 256);
                self.host.playing = true;
                self.here(true);
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
            Move::ClockMoves { by_us } => self.move_clock(by_us * 1000),
            Move::Reset => {
                self.here(false);
                self.rig.engine.reset();
            }
        }
    }

    fn move_clock(&mut self, by_ns: i64) {
        self.clock = self.clock.ahead_by(by_ns);
        self.rig.tell(ToEngine::Clock { map: self.clock, latency_ns: LATENCY });
        let (before, now) = (self.strays(), self.rig.frame);
        // What came before may have been followed by now.
        let far = [before, by_ns, before + by_ns].into_iter().any(|strayed| strayed.abs() > FAR);
        self.strayed = (by_ns.min(before + by_ns), now);
        if by_ns < 0 {
            self.breaks.iter_mut().filter(|one| one.until >= now).for_each(|one| one.again = true);
        }
        if far {
            self.broken(now, BAR_MS, false);
        }
    }
}

fn check(world: &World) -> Result<(), TestCaseError> {
    prop_assert!(world.fault.is_none(), "{}", world.fault.as_deref().unwrap_or_default());
    let mut last: BTreeMap<usize, (i64, i64)> = BTreeMap::new();
    for onset in &world.rig.onsets {
        let before = last.insert(onset.track, (onset.tick, onset.frame));
        let Some((tick, frame)) = before else { continue };
        let between = |again: bool| {
            let mut breaks = world.breaks.iter();
            breaks.any(|one| one.from <= onset.frame && one.until >= frame && (one.again || !again))
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

/// Lives through moves after a start that lies so many ms ahead; below 0 the session has played for
/// so long: a late join.
fn live(moves: &[Move], follow: bool, hosted: bool, joined_ms: i64) -> Result<(), TestCaseError> {
    let mut world = World::new(follow, hosted);
    // By the host's own grid until the session starts.
    world.here(false);
    world.play(60, 256);
    let before = world.rig.onsets.len();
    world.start(Beats::quarters(4), joined_ms);
    world.play(40, 300);
    for step in moves {
        world.make(*step);
    }
    world.play(10, 300);
    world.rig.tell(ToEngine::Stop);
    world.here(true);
    (world.timeline, world.host.playing) = (None, false);
    world.play(2, 300);
    check(&world)?;
    let first = world.rig.onsets.get(before).map(|onset| onset.tick);
    let reached = Beats::quarters(4).0 + -joined_ms.min(0) * 705_600 * 160 / 60_000;
    prop_assert!(first.is_some_and(|first| first >= reached), "{first:?} before {reached}: a burst");
    Ok(())
}

#[test]
fn a_host_that_locates_decides_where_the_session_stands() -> Result<(), TestCaseError> {
    let moves = [
        Move::SessionStops { blocks: 1 },
        Move::Play { blocks: 5, frames: 16 },
        Move::Play { blocks: 47, frames: 1387 },
        Move::Play { blocks: 41, frames: 936 },
        Move::Play { blocks: 36, frames: 1211 },
        Move::HostLocates { quarters: 32.0 + 2.0 / 3.0 },
    ];
    live(&moves, true, true, 0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 12 } else { 500 }))]

    #[test]
    fn notes_pair_and_no_tick_comes_twice_or_is_missed_under_the_shared_clock(
        moves in moves(), follow in any::<bool>(), hosted in any::<bool>(), joined_ms in -3_000i64..100,
    ) {
        live(&moves, follow, hosted, joined_ms)?;
    }
}
