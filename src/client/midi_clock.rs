//! MIDI clock from the shared clock: 24 pulses a quarter note, song position, start and stop.
//!
//! The pulses are those of the session's tempo map, so two studios' machines run in phase; none is
//! missed or doubled while the session plays on, whatever the estimate of its clock does. A player
//! that comes late or jumps enters at the next sixteenth by song position and continue.
//!
//! Pure: fed with times, answers with messages and when they are due. Messages as in the MIDI 1.0
//! detailed specification, "System Real Time" and "Song Position Pointer".

use crate::session::Timeline;
use crate::time::{Beats, ClockMap, HostNanos, TICKS_PER_BEAT, TempoMap};

/// Ticks between two pulses: exact, as there are 24 to a quarter.
const PULSE: i64 = TICKS_PER_BEAT / 24;
/// The song position counts sixteenths, in 14 bits.
const SIXTEENTH: i64 = Beats::SIXTEENTH.0;
const LAST_POSITION: i64 = (1 << 14) - 1;
/// A start, or a song position, precedes its first pulse by this much, for machines that need time
/// to obey.
const AHEAD: i64 = 2_000_000;
/// Pulses later than this are dropped, and the player enters anew: the machine slept.
const LATE: i64 = 250_000_000;

/// A message of MIDI clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockMessage {
    /// A 24th of a quarter note.
    Pulse,
    /// From the beginning; the next pulse is its first beat.
    Start,
    /// From the song position.
    Continue,
    /// Stop.
    Stop,
    /// The song position in sixteenths.
    Position(u16),
}

impl ClockMessage {
    /// Its bytes.
    pub fn bytes(self) -> ([u8; 3], usize) {
        match self {
            ClockMessage::Pulse => ([0xF8, 0, 0], 1),
            ClockMessage::Start => ([0xFA, 0, 0], 1),
            ClockMessage::Continue => ([0xFB, 0, 0], 1),
            ClockMessage::Stop => ([0xFC, 0, 0], 1),
            ClockMessage::Position(position) => {
                ([0xF2, (position & 0x7F) as u8, (position >> 7 & 0x7F) as u8], 3)
            }
        }
    }
}

/// What the session plays, and when that is here.
pub struct Session<'a> {
    /// Its transport.
    pub timeline: Timeline,
    /// Its tempo map.
    pub tempo_map: &'a TempoMap,
    /// Its clock; `None` while it is not known.
    pub clock: Option<ClockMap>,
}

impl Session<'_> {
    fn tick_at(&self, host: HostNanos) -> Option<Beats> {
        Some(self.timeline.tick_at(self.tempo_map, self.clock?.session(host)))
    }

    fn host_at(&self, tick: Beats) -> Option<HostNanos> {
        Some(self.clock?.host(self.timeline.time_of(self.tempo_map, tick)))
    }
}

/// What waits to be sent, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// The message.
    pub message: ClockMessage,
    /// When it belongs.
    pub at: HostNanos,
}

/// The player of one MIDI output.
#[derive(Debug, Default)]
pub struct MidiClock {
    playing: Option<Playing>,
}

#[derive(Clone, Copy, Debug)]
struct Playing {
    timeline: Timeline,
    /// What comes next.
    stage: Stage,
    /// The next pulse, counted from the song's beginning.
    pulse: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Start, or the song position.
    Entry,
    /// Continue.
    Go,
    /// Pulses.
    Running,
}

impl MidiClock {
    /// Whether the other side has been told to play.
    pub fn is_playing(&self) -> bool {
        self.playing.is_some_and(|playing| playing.stage != Stage::Entry)
    }

    /// The next message due by `now`; else when to ask again, `None` for when something changes. To
    /// be called until it gives no message.
    ///
    /// # Errors
    /// There is nothing to send now.
    pub fn next(&mut self, session: &Session, now: HostNanos) -> Result<Due, Option<HostNanos>> {
        let timeline = session.timeline;
        if self.playing.is_some_and(|playing| playing.timeline != timeline) {
            return self.leave(now);
        }
        if !timeline.playing {
            return Err(None);
        }
        let playing = match self.playing {
            Some(playing) => playing,
            None => self.enter(session, now).ok_or(None)?,
        };
        let due = session.host_at(Beats(playing.pulse * PULSE)).ok_or(None)?;
        if now - due > LATE {
            return self.leave(now);
        }
        let at = if playing.stage == Stage::Running { due } else { HostNanos(due.0 - AHEAD) };
        if at > now {
            return Err(Some(at));
        }
        let sixteenth = playing.pulse * PULSE / SIXTEENTH;
        let (message, after) = match playing.stage {
            Stage::Entry if sixteenth == 0 => (ClockMessage::Start, Stage::Running),
            Stage::Entry => (ClockMessage::Position(sixteenth.min(LAST_POSITION) as u16), Stage::Go),
            Stage::Go => (ClockMessage::Continue, Stage::Running),
            Stage::Running => (ClockMessage::Pulse, Stage::Running),
        };
        let pulse = playing.pulse + i64::from(playing.stage == Stage::Running);
        self.playing = Some(Playing { stage: after, pulse, ..playing });
        Ok(Due { message, at })
    }

    /// Ends what was begun: with a stop, where the other side knows of it.
    fn leave(&mut self, now: HostNanos) -> Result<Due, Option<HostNanos>> {
        match self.playing.take() {
            Some(playing) if playing.stage != Stage::Entry => {
                Ok(Due { message: ClockMessage::Stop, at: now })
            }
            // Asked again at once, for what comes instead.
            _ => Err(Some(now)),
        }
    }

    /// The player's place in a session that plays or is about to: at its start, or on the next
    /// sixteenth.
    fn enter(&mut self, session: &Session, now: HostNanos) -> Option<Playing> {
        let there = session.tick_at(HostNanos(now.0 + AHEAD))?.max(session.timeline.tick);
        let entry = there.ceil_to(Beats(SIXTEENTH));
        let playing = Playing { timeline: session.timeline, stage: Stage::Entry, pulse: entry.0 / PULSE };
        self.playing = Some(playing);
        Some(playing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Tempo;

    const MS: i64 = 1_000_000;
    const SECOND: i64 = 1000 * MS;

    struct World {
        timeline: Timeline,
        map: TempoMap,
        clock: ClockMap,
        midi: MidiClock,
        now: i64,
        sent: Vec<Due>,
    }

    fn tempo(bpm: f64) -> Tempo {
        Tempo::from_bpm(bpm).expect("a tempo")
    }

    impl World {
        fn new(bpm: f64) -> World {
            World {
                timeline: Timeline::default(),
                map: TempoMap::constant(tempo(bpm)),
                clock: ClockMap { offset_ns: 77 * SECOND, ..ClockMap::IDENTITY },
                midi: MidiClock::default(),
                now: 0,
                sent: Vec::new(),
            }
        }

        fn play(&mut self, tick: Beats, in_ms: i64) {
            let at = self.clock.session(HostNanos(self.now + in_ms * MS));
            self.timeline = Timeline { playing: true, tick, at };
        }

        fn run(&mut self, ms: i64) {
            for _ in 0..ms {
                let session =
                    Session { timeline: self.timeline, tempo_map: &self.map, clock: Some(self.clock) };
                while let Ok(due) = self.midi.next(&session, HostNanos(self.now)) {
                    assert!(due.at.0 <= self.now);
                    self.sent.push(due);
                }
                self.now += MS;
            }
        }

        fn pulses(&self) -> Vec<i64> {
            let pulses = self.sent.iter().filter(|due| due.message == ClockMessage::Pulse);
            pulses.map(|due| due.at.0).collect()
        }
    }

    #[test]
    fn twenty_four_pulses_a_beat_lie_on_the_sessions_ticks() {
        let mut world = World::new(125.0);
        world.play(Beats::ZERO, 300);
        world.run(10_300);
        assert_eq!(world.sent[0], Due { message: ClockMessage::Start, at: HostNanos(298 * MS) });
        let pulses = world.pulses();
        // 480 ms a beat, 20 ms a pulse: 500 in ten seconds.
        assert_eq!(pulses.len(), 500);
        for (n, at) in pulses.iter().enumerate() {
            assert_eq!(*at, 300 * MS + n as i64 * 20 * MS, "pulse {n}");
        }
    }

    #[test]
    fn no_pulse_is_missed_or_doubled_over_tempo_steps_and_a_clock_that_is_corrected() {
        let mut world = World::new(120.0);
        world.map = world.map.with_tempo(Beats::quarters(8), tempo(97.3)).expect("a map");
        world.map = world.map.with_tempo(Beats::quarters(16), tempo(180.0)).expect("a map");
        world.play(Beats::ZERO, 100);
        for n in 0..200 {
            world.run(50);
            world.clock.offset_ns += [40_000, -90_000, 300_000, -260_000][n % 4];
        }
        let played = Session { timeline: world.timeline, tempo_map: &world.map, clock: Some(world.clock) }
            .tick_at(HostNanos(world.now))
            .expect("a place");
        let pulses = world.pulses().len() as i64;
        assert!((pulses - played.0 / PULSE).abs() <= 1, "{pulses} of {}", played.0 / PULSE);
        assert_eq!(world.sent.len() as i64, pulses + 1, "and one start");
    }

    #[test]
    fn a_late_player_and_one_that_jumps_enter_by_song_position() {
        let mut world = World::new(120.0);
        world.play(Beats::ZERO, -2_510);
        world.run(700);
        // 2.51 s are 20.08 sixteenths.
        let messages: Vec<ClockMessage> = world.sent.iter().map(|due| due.message).collect();
        assert_eq!(messages[..2], [ClockMessage::Position(21), ClockMessage::Continue]);
        assert_eq!(world.pulses()[0], 115 * MS);
        world.sent.clear();
        world.play(Beats::quarters(64), 500);
        world.run(700);
        let others: Vec<ClockMessage> =
            world.sent.iter().map(|due| due.message).filter(|m| *m != ClockMessage::Pulse).collect();
        use ClockMessage::{Continue, Position, Stop};
        assert_eq!(others, [Stop, Position(256), Continue]);
        world.sent.clear();
        world.timeline.playing = false;
        world.run(100);
        assert_eq!(world.sent.iter().map(|due| due.message).collect::<Vec<_>>(), [Stop]);
    }

    #[test]
    fn a_machine_that_slept_stops_and_enters_anew() {
        let mut world = World::new(120.0);
        world.play(Beats::ZERO, 100);
        world.run(1_000);
        world.sent.clear();
        world.now += 60 * SECOND;
        world.run(200);
        let messages: Vec<ClockMessage> = world.sent.iter().map(|due| due.message).collect();
        assert!(matches!(
            messages[..3],
            [ClockMessage::Stop, ClockMessage::Position(_), ClockMessage::Continue]
        ));
        assert!(messages.len() < 20, "no burst of what was missed: {messages:?}");
    }

    #[test]
    fn a_song_position_is_two_bytes_of_seven_bits() {
        assert_eq!(ClockMessage::Position(256).bytes(), ([0xF2, 0, 2], 3));
        assert_eq!(ClockMessage::Position(LAST_POSITION as u16).bytes(), ([0xF2, 0x7F, 0x7F], 3));
    }
}
