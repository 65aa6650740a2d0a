//! What to do about the difference between the session's grid and the LAN's.
//!
//! The LAN follows: its tempo is put back to the session's, its phase is led there gently, and the
//! session's starts and stops are passed on. The other direction exists only where it is asked for:
//! then a tempo, a start or a stop that somebody on the LAN makes becomes a request to the session.
//! What the LAN brings by coming together (a peer that arrives with a tempo of its own) is never a
//! request.
//!
//! Pure: fed with what is seen, answers with what to do. Times are µs of Link's clock.

use antiphon::session::Timeline;
use antiphon::time::Tempo;

use crate::grid::Grid;

const MS: i64 = 1_000;
/// After the LAN's peers have changed, what changes on it for so long is its coming together.
const SETTLING: i64 = 2_000 * MS;
/// A phase this close, in µs, is left alone.
const CLOSE: f64 = 100.0;
/// A phase further off than this, in µs, jumps; anything less is led, by at most [`STRIDE`] µs
/// every [`STRIDE_GAP`].
const FAR: f64 = 20_000.0;
const STRIDE: f64 = 500.0;
const STRIDE_GAP: i64 = 250 * MS;
/// A tempo that somebody turns is asked for this often at most.
const ASK_GAP: i64 = 500 * MS;
/// How long the session may take to answer: two bars at 40 BPM. Then the LAN's tempo is put back.
const PATIENCE: i64 = 12_000 * MS;

/// Which requests may go from the LAN to the session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sends {
    /// Tempo.
    pub tempo: bool,
    /// Start and stop.
    pub transport: bool,
}

/// The LAN's grid as Link shows it here.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seen {
    /// When.
    pub now: i64,
    /// The other Link programs.
    pub peers: u64,
    /// The tempo in BPM, as Link keeps it: by whole µs a beat.
    pub bpm: f64,
    /// The place in the bar in quarter notes, for the grid's quantum.
    pub phase: f64,
    /// Whether the LAN plays.
    pub playing: bool,
}

/// What to tell Link, all at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Act {
    /// This tempo in BPM.
    pub tempo: Option<f64>,
    /// This beat.
    pub beat: Option<f64>,
    /// This transport, since this time.
    pub playing: Option<(bool, i64)>,
}

/// What the LAN wants of the session.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Wish {
    /// Another tempo.
    Tempo(Tempo),
    /// That it plays.
    Start,
    /// That it stops.
    Stop,
}

/// The state between two looks.
#[derive(Debug, Default)]
pub struct Bridge {
    /// What may go the other way.
    pub sends: Sends,
    settled_at: i64,
    peers: u64,
    /// µs a beat that Link shows while nobody else changes it.
    ours: Option<i64>,
    session_tempo: Option<Tempo>,
    wished: Option<Wished>,
    timeline: Option<Timeline>,
    playing: bool,
    led_at: i64,
}

/// A tempo on its way to the session.
#[derive(Clone, Copy, Debug)]
struct Wished {
    beat_us: i64,
    asked_at: i64,
}

impl Bridge {
    /// A bridge that has seen nothing.
    pub fn new(sends: Sends) -> Bridge {
        Bridge { sends, ..Bridge::default() }
    }

    /// One look: what to tell Link, and what to ask of the session. `timeline_at` is the timeline's
    /// own time on Link's clock.
    pub fn look(
        &mut self,
        seen: &Seen,
        grid: &Grid,
        timeline: Timeline,
        timeline_at: i64,
    ) -> (Act, Vec<Wish>) {
        if self.settled_at == 0 || self.peers != seen.peers {
            (self.settled_at, self.peers) = (seen.now + SETTLING, seen.peers);
        }
        let (mut act, mut wishes) = (Act::default(), Vec::new());
        self.transport(seen, timeline, timeline_at, &mut act, &mut wishes);
        let moved = self.tempo(seen, grid, &mut act, &mut wishes) || act.playing.is_some();
        if self.wished.is_none() {
            self.phase(seen, grid, moved, &mut act);
        }
        (act, wishes)
    }

    fn is_settled(&self, now: i64) -> bool {
        now >= self.settled_at
    }

    fn transport(&mut self, seen: &Seen, timeline: Timeline, at: i64, act: &mut Act, wishes: &mut Vec<Wish>) {
        let before = self.timeline.replace(timeline);
        // A session that stands still when we come does not stop the LAN.
        let news = before.map_or(timeline.playing, |before| before != timeline);
        if news {
            act.playing = Some((timeline.playing, at));
            self.playing = timeline.playing;
        } else if seen.playing != std::mem::replace(&mut self.playing, seen.playing)
            && self.sends.transport
            && self.is_settled(seen.now)
            && seen.playing != timeline.playing
        {
            wishes.push(if seen.playing { Wish::Start } else { Wish::Stop });
        }
    }

    /// Says whether the tempo is set anew.
    fn tempo(&mut self, seen: &Seen, grid: &Grid, act: &mut Act, wishes: &mut Vec<Wish>) -> bool {
        let (wanted, shown) = (beat_us(grid.tempo.bpm()), beat_us(seen.bpm));
        let answered = self.session_tempo.replace(grid.tempo) != Some(grid.tempo);
        if answered || (shown - wanted).abs() <= 1 {
            self.wished = None;
        }
        if (shown - wanted).abs() <= 1 {
            self.ours = Some(shown);
            return answered;
        }
        let strange = self.ours.is_some_and(|ours| (shown - ours).abs() > 1);
        if strange && !answered && self.sends.tempo && self.is_settled(seen.now) {
            let news = self.wished.is_none_or(|wished| (wished.beat_us - shown).abs() > 1);
            let soon = self.wished.is_some_and(|wished| seen.now - wished.asked_at < ASK_GAP);
            if news
                && !soon
                && let Ok(tempo) = Tempo::from_bpm(roundest(seen.bpm))
            {
                self.wished = Some(Wished { beat_us: shown, asked_at: seen.now });
                wishes.push(Wish::Tempo(tempo));
            }
        }
        if self.wished.is_some_and(|wished| seen.now - wished.asked_at < PATIENCE) {
            return false;
        }
        self.wished = None;
        self.ours = Some(wanted);
        act.tempo = Some(grid.tempo.bpm());
        true
    }

    fn phase(&mut self, seen: &Seen, grid: &Grid, moved: bool, act: &mut Act) {
        let Some(beat) = grid.beat else { return };
        let off = phase_error(seen, grid).unwrap_or(0.0);
        if moved || off.abs() > FAR {
            act.beat = Some(beat);
            self.led_at = seen.now;
        } else if off.abs() > CLOSE && seen.now - self.led_at >= STRIDE_GAP {
            // From where the LAN is, a stride towards where it should be.
            let left = off - off.clamp(-STRIDE, STRIDE);
            act.beat = Some(beat + left / beat_us(grid.tempo.bpm()) as f64);
            self.led_at = seen.now;
        }
    }
}

/// How far the LAN is ahead of the session, in µs, the shorter way round the bar; `None` while the
/// session has no place.
pub fn phase_error(seen: &Seen, grid: &Grid) -> Option<f64> {
    let beat = grid.beat?;
    let apart = (seen.phase - beat).rem_euclid(grid.quantum);
    let shorter = if apart > grid.quantum / 2.0 { apart - grid.quantum } else { apart };
    Some(shorter * beat_us(grid.tempo.bpm()) as f64)
}

/// The roundest BPM that Link would keep as this one: by its whole µs, 124 BPM reads 123.99999.
fn roundest(bpm: f64) -> f64 {
    let rounded = [1.0, 10.0, 100.0, 1000.0].map(|grain| (bpm * grain).round() / grain);
    rounded.into_iter().find(|near| beat_us(*near) == beat_us(bpm)).unwrap_or(bpm)
}

/// A beat's length in whole µs: the grain of Link's tempo.
fn beat_us(bpm: f64) -> i64 {
    (60e6 / bpm).round() as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::Score;
    use antiphon::pattern::Bars;
    use antiphon::time::{Beats, SessionNanos, TempoMap};

    /// A LAN of one timeline, whose clock runs at a rate of its own.
    struct Lan {
        now: i64,
        beat: f64,
        bpm: f64,
        playing: bool,
        peers: u64,
    }

    struct World {
        lan: Lan,
        bridge: Bridge,
        score: Score,
        /// Session time against Link's.
        rate: f64,
        jumps: u32,
        wishes: Vec<Wish>,
    }

    fn tempo(bpm: f64) -> Tempo {
        Tempo::from_bpm(bpm).expect("a tempo")
    }

    impl World {
        fn new(sends: Sends) -> World {
            let timeline = Timeline { playing: false, tick: Beats::ZERO, at: SessionNanos(0) };
            World {
                lan: Lan { now: 1_000_000, beat: 0.3, bpm: 60e6 / 571_429.0, playing: false, peers: 1 },
                bridge: Bridge::new(sends),
                score: Score { timeline, tempo_map: TempoMap::constant(tempo(124.0)), bars: Bars::default() },
                rate: 50e-6,
                jumps: 0,
                wishes: Vec::new(),
            }
        }

        fn session_now(&self) -> SessionNanos {
            SessionNanos((self.lan.now as f64 * 1000.0 * (1.0 + self.rate)) as i64)
        }

        fn play(&mut self) {
            self.score.timeline = Timeline { playing: true, tick: Beats::ZERO, at: self.session_now() };
        }

        fn run(&mut self, ms: i64) -> f64 {
            let mut worst: f64 = 0.0;
            for _ in 0..ms / 5 {
                self.lan.now += 5 * MS;
                self.lan.beat += self.lan.bpm * 5e-3 / 60.0;
                let grid = self.score.at(self.session_now());
                let seen = Seen {
                    now: self.lan.now,
                    peers: self.lan.peers,
                    bpm: self.lan.bpm,
                    phase: self.lan.beat.rem_euclid(grid.quantum),
                    playing: self.lan.playing,
                };
                worst = worst.max(phase_error(&seen, &grid).unwrap_or(0.0).abs());
                let (act, wishes) = self.bridge.look(&seen, &grid, self.score.timeline, self.lan.now);
                self.lan.bpm = act.tempo.map_or(self.lan.bpm, |bpm| 60e6 / beat_us(bpm) as f64);
                if let Some(beat) = act.beat {
                    self.jumps += u32::from((beat - self.lan.beat).rem_euclid(4.0).min(4.0) > 0.01);
                    self.lan.beat = beat;
                }
                self.lan.playing = act.playing.map_or(self.lan.playing, |(playing, _)| playing);
                self.wishes.extend(wishes);
            }
            worst
        }
    }

    #[test]
    fn the_lan_comes_to_the_sessions_tempo_and_stays_in_its_phase() {
        let mut world = World::new(Sends::default());
        world.run(100);
        assert_eq!(beat_us(world.lan.bpm), beat_us(124.0));
        assert!(!world.lan.playing, "a session that stands still starts nothing");
        world.play();
        world.run(10);
        assert!(world.lan.playing);
        // Clocks 50 ppm apart: 15 ms in five minutes, were nothing done.
        let worst = world.run(300_000);
        assert!(worst < 120.0, "{worst} µs off");
        assert_eq!(world.wishes, []);
    }

    #[test]
    fn a_small_error_is_led_and_a_large_one_jumps() {
        let mut world = World::new(Sends::default());
        world.play();
        world.run(5_000);
        world.lan.beat += 0.02;
        assert!(world.run(2_000) > 9_000.0, "10 ms are not taken at once");
        world.run(4_000);
        assert!(world.run(1_000) < 120.0, "but within 5 s");
        world.lan.beat += 1.0;
        world.run(10);
        assert!(world.run(1_000) < 120.0, "a beat is");
    }

    #[test]
    fn a_tempo_of_the_lan_is_put_back_unless_it_is_to_be_sent() {
        let mut world = World::new(Sends::default());
        world.play();
        world.run(5_000);
        world.lan.bpm = 130.0;
        world.run(10);
        assert_eq!((beat_us(world.lan.bpm), world.wishes.len()), (beat_us(124.0), 0));

        world.bridge.sends.tempo = true;
        world.lan.bpm = 60e6 / beat_us(130.0) as f64;
        world.run(1_000);
        assert_eq!(world.wishes, [Wish::Tempo(tempo(130.0))], "asked once, at its round number");
        assert_eq!(beat_us(world.lan.bpm), beat_us(130.0), "and left while the session decides");
        let since = world.session_now() - world.score.timeline.at;
        let there = world.score.tempo_map.tick_at_nanos(SessionNanos(since));
        let map = world.score.tempo_map.with_tempo(world.score.bars.line_after(there), tempo(130.0));
        world.score.tempo_map = map.expect("a map");
        world.run(4_000);
        assert!(world.run(5_000) < 120.0, "in phase at the new tempo");
        assert_eq!(world.wishes.len(), 1);

        world.lan.bpm = 125.0;
        world.run(PATIENCE / MS + 100);
        assert_eq!(beat_us(world.lan.bpm), beat_us(130.0), "a session that does not answer has its way");
    }

    #[test]
    fn who_comes_brings_no_tempo() {
        let mut world = World::new(Sends { tempo: true, transport: true });
        world.play();
        world.run(5_000);
        (world.lan.peers, world.lan.bpm, world.lan.beat) = (2, 90.0, 1.7);
        world.run(1_000);
        assert_eq!((beat_us(world.lan.bpm), world.wishes.len()), (beat_us(124.0), 0));
        assert!(world.run(1_000) < 120.0);
    }

    #[test]
    fn start_and_stop_go_to_the_session_only_by_request() {
        let mut world = World::new(Sends::default());
        world.run(5_000);
        world.lan.playing = true;
        world.run(100);
        assert_eq!((world.lan.playing, world.wishes.len()), (true, 0), "and a DAW may play on its own");
        world.lan.playing = false;
        world.run(100);
        world.bridge.sends.transport = true;
        world.lan.playing = true;
        world.run(100);
        assert_eq!(world.wishes, [Wish::Start]);
        world.play();
        world.run(100);
        world.lan.playing = false;
        world.run(100);
        assert_eq!(world.wishes, [Wish::Start, Wish::Stop]);
    }
}
