//! What a leader's host does, as words to the session.
//!
//! Told are play, stop, a locate or a loop's turn, another tempo, and the drift of the host's device
//! once it shows; not every jitter. A word is a position and the time at which it is heard, and holds
//! until the next. Nothing is told before the host plays: coming in changes nothing. What others do to
//! the transport or the tempo stays until the host does something itself.
//!
//! Thread: the session's own.

use std::collections::VecDeque;

use super::{Lead, Timeline};
use crate::time::{Beats, SessionNanos, TICKS_PER_BEAT, Tempo};

const MS: i64 = 1_000_000;
/// The host went elsewhere, rather than its device drifting: what followers take back smoothly.
const ELSEWHERE: i64 = 20 * MS;
/// The least time between two words, but for play and stop.
const GAP: i64 = 100 * MS;
/// The least time between two words about the tempo.
const TEMPO_GAP: i64 = 500 * MS;
/// A drift of this much is told, this often.
const DRIFT: i64 = MS;
const DRIFT_GAP: i64 = 2_000 * MS;
/// Tempo and drift are medians of this long.
const STRETCH: i64 = 1_000 * MS;
/// Looks that a stretch holds at most.
const LOOKS: usize = 64;
/// Tempos nearer than this, in µBPM, are one.
const SAME: u64 = 2_000;
/// A word that the session has not shown after this long is said once more.
const LOST: i64 = 2_000 * MS;

/// Where a host is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HostPlace {
    /// The song position; `None` while it stands.
    pub tick: Option<Beats>,
    /// When that is heard.
    pub at: SessionNanos,
    /// The tempo that it tells.
    pub tempo: Tempo,
}

/// Makes words of a host's places.
#[derive(Clone, Debug, Default)]
pub struct Leader {
    armed: bool,
    /// The host's way since the last word; what others did since changes nothing of it.
    told: Option<Lead>,
    spoke: SessionNanos,
    /// The session has shown the last word; it has been said twice.
    seen: bool,
    again: bool,
    recent: VecDeque<(Beats, SessionNanos, Tempo)>,
}

impl Leader {
    /// Leads from now on, also where the host plays already: somebody chose so.
    pub fn arm(&mut self) {
        self.armed = true;
    }

    /// The session is back: what was said meanwhile may be lost.
    pub fn returned(&mut self) {
        (self.seen, self.again) = (false, false);
        self.spoke = SessionNanos(i64::MIN / 2);
    }

    /// Looks at the host, beside the session's transport and its tempo now; returns what to tell.
    pub fn look(&mut self, place: HostPlace, session: Timeline, tempo: Tempo) -> Option<Lead> {
        let told = self.told;
        let ours = told.is_some_and(|told| shows(session, told) && (!told.playing || tempo == told.tempo));
        self.seen |= ours;
        let overruled = self.seen && !ours;
        let lost = !self.seen && !self.again && place.at - self.spoke > LOST;
        let Some(tick) = place.tick.filter(|tick| *tick >= Beats::ZERO) else {
            return self.stands(place, lost);
        };
        if !self.armed {
            return None;
        }
        let Some(told) = told.filter(|told| told.playing) else {
            return Some(self.tell(tick, place.at, round(place.tempo)));
        };
        let off = off(told, tick, place.at);
        if self.jumps(tick, place.at) {
            self.recent.clear();
        }
        self.note(tick, place);
        let since = place.at - self.spoke;
        let (tempo, settled) = self.tempo();
        if off.abs() > ELSEWHERE {
            let tempo = if settled { tempo } else { round(place.tempo) };
            return (since >= GAP).then(|| self.tell(tick, place.at, tempo));
        }
        if settled && tempo.micro_bpm().abs_diff(told.tempo.micro_bpm()) >= SAME && since >= TEMPO_GAP {
            return Some(self.tell(tick, place.at, tempo));
        }
        if lost {
            let word = self.tell(tick, place.at, told.tempo);
            self.again = true;
            return Some(word);
        }
        if !settled || since < DRIFT_GAP {
            return None;
        }
        let (drift, tick, at) = self.drift(told)?;
        if drift.abs() < DRIFT {
            return None;
        }
        if overruled {
            self.told = Some(Lead { tick, at, ..told });
            return None;
        }
        Some(self.tell(tick, at, told.tempo))
    }

    /// The host stands.
    fn stands(&mut self, place: HostPlace, lost: bool) -> Option<Lead> {
        self.armed = true;
        let told = self.told?;
        let tick = match self.recent.back() {
            Some((tick, ..)) if told.playing => *tick,
            _ => told.tick,
        };
        self.recent.clear();
        if !told.playing && !lost {
            return None;
        }
        let stop = Lead { playing: false, tick, at: place.at, tempo: told.tempo };
        (self.told, self.spoke, self.seen, self.again) = (Some(stop), place.at, false, !told.playing);
        Some(stop)
    }

    fn tell(&mut self, tick: Beats, at: SessionNanos, tempo: Tempo) -> Lead {
        let word = Lead { playing: true, tick, at, tempo };
        (self.told, self.spoke, self.seen, self.again) = (Some(word), at, false, false);
        word
    }

    /// Whether a place is none that the one before goes on to.
    fn jumps(&self, tick: Beats, at: SessionNanos) -> bool {
        self.recent.back().is_some_and(|&(from, then, tempo)| {
            off(Lead { playing: true, tick: from, at: then, tempo }, tick, at).abs() > ELSEWHERE
        })
    }

    fn note(&mut self, tick: Beats, place: HostPlace) {
        self.recent.push_back((tick, place.at, place.tempo));
        while self.recent.len() > LOOKS
            || self.recent.front().is_some_and(|(_, at, _)| place.at - *at > STRETCH)
        {
            self.recent.pop_front();
        }
    }

    /// The median of what the host tells; where it moves otherwise by more than 1 %, as measured. And
    /// whether the stretch is long enough to say so.
    fn tempo(&self) -> (Tempo, bool) {
        let mut tempos: Vec<Tempo> = self.recent.iter().map(|(.., tempo)| *tempo).collect();
        tempos.sort_unstable();
        let Some(median) = tempos.get(tempos.len() / 2).copied() else { return (Tempo::DEFAULT, false) };
        let ends = self.recent.front().zip(self.recent.back());
        let (ticks, ns) = ends.map_or((0, 0), |(from, to)| (to.0.0 - from.0.0, to.1 - from.1));
        if ns < STRETCH * 9 / 10 {
            return (round(median), false);
        }
        let measured = ticks as f64 / TICKS_PER_BEAT as f64 * 60e9 / ns as f64;
        let mean = tempos.iter().map(|tempo| tempo.bpm()).sum::<f64>() / tempos.len() as f64;
        let strays = (measured / mean - 1.0).abs() > 0.01;
        let measured = Tempo::from_bpm(libm::round(measured * 10.0) / 10.0);
        (measured.ok().filter(|_| strays).unwrap_or(round(median)), true)
    }

    /// The median of how far the host lies from the last word, and where that was.
    fn drift(&self, told: Lead) -> Option<(i64, Beats, SessionNanos)> {
        let offs = self.recent.iter().map(|(tick, at, _)| (off(told, *tick, *at), *tick, *at));
        let mut offs: Vec<_> = offs.collect();
        offs.sort_unstable();
        offs.get(offs.len() / 2).copied()
    }
}

/// Whether the session's transport is a word.
fn shows(session: Timeline, word: Lead) -> bool {
    session == Timeline { playing: word.playing, tick: word.tick, at: word.at }
}

/// How far a place lies ahead of a word, in ns.
fn off(word: Lead, tick: Beats, at: SessionNanos) -> i64 {
    let ticks = i128::from(tick.0) - i128::from(word.tick.0);
    let beat = i128::from(word.tempo.micro_bpm()) * i128::from(TICKS_PER_BEAT);
    let ns = ticks * 60_000_000_000_000_000 / beat - i128::from(at - word.at);
    ns.clamp(i128::from(i64::MIN / 2), i128::from(i64::MAX / 2)) as i64
}

/// In thousandths of a BPM.
fn round(tempo: Tempo) -> Tempo {
    Tempo::from_micro_bpm((tempo.micro_bpm() + 500) / 1_000 * 1_000).unwrap_or(tempo)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    /// A host with a session that does as told.
    struct Rig {
        leader: Leader,
        session: Timeline,
        tempo: Tempo,
        at: i64,
        quarters: Option<f64>,
        words: Vec<Lead>,
    }

    fn bpm(bpm: f64) -> Tempo {
        Tempo::from_bpm(bpm).expect("a tempo")
    }

    impl Rig {
        fn new() -> Rig {
            Rig {
                leader: Leader::default(),
                session: Timeline::default(),
                tempo: Tempo::DEFAULT,
                at: 50 * SECOND,
                quarters: None,
                words: Vec::new(),
            }
        }

        /// So many seconds, in which the host tells `told` and goes by `goes`.
        fn run(&mut self, seconds: f64, told: f64, goes: f64) {
            for _ in 0..(seconds * 40.0) as usize {
                let tick = self.quarters.and_then(Beats::from_quarters_f64);
                let place = HostPlace { tick, at: SessionNanos(self.at), tempo: bpm(told) };
                if let Some(word) = self.leader.look(place, self.session, self.tempo) {
                    self.session = Timeline { playing: word.playing, tick: word.tick, at: word.at };
                    self.tempo = if word.playing { word.tempo } else { self.tempo };
                    self.words.push(word);
                }
                self.at += SECOND / 40;
                self.quarters = self.quarters.map(|quarters| quarters + goes / 60.0 / 40.0);
            }
        }
    }

    #[test]
    fn coming_in_tells_nothing_until_the_host_starts() {
        let mut rig = Rig::new();
        rig.quarters = Some(9.0);
        rig.run(3.0, 99.0, 99.0);
        rig.quarters = None;
        rig.run(3.0, 99.0, 99.0);
        assert_eq!(rig.words, [], "neither what plays already, nor that it stops");
        rig.quarters = Some(4.0);
        rig.run(5.0, 99.0, 99.0);
        rig.quarters = None;
        rig.run(5.0, 99.0, 99.0);
        let told: Vec<_> = rig.words.iter().map(|word| (word.playing, word.tempo)).collect();
        assert_eq!(told, [(true, bpm(99.0)), (false, bpm(99.0))]);
        assert_eq!(rig.words[0].tick, Beats::quarters(4));
    }

    #[test]
    fn a_jitter_is_no_tempo_and_a_drift_is_told_now_and_then() {
        let mut rig = Rig::new();
        rig.leader.arm();
        rig.quarters = Some(0.0);
        for n in 0..2_400 {
            let jitter = if n % 7 == 0 { 0.3 } else { 0.0 };
            // 100 ppm fast.
            rig.run(0.025, 120.0 + jitter, 120.012);
        }
        assert!(rig.words.iter().skip(1).all(|word| word.tempo == bpm(120.0)), "{:?}", rig.words);
        assert!((4..8).contains(&rig.words.len()), "6 ms in a minute are {} words", rig.words.len());
    }

    #[test]
    fn a_locate_and_another_tempo_are_told_and_a_false_tempo_is_measured() {
        let mut rig = Rig::new();
        rig.leader.arm();
        rig.quarters = Some(0.0);
        rig.run(3.0, 120.0, 120.0);
        rig.quarters = Some(64.0);
        rig.run(3.0, 120.0, 120.0);
        assert_eq!(rig.words.len(), 2);
        assert_eq!(rig.words[1].tick, Beats::quarters(64));
        rig.run(3.0, 124.5, 124.5);
        assert_eq!(rig.words.last().map(|word| word.tempo), Some(bpm(124.5)));
        let last = *rig.words.last().expect("words");
        let place = Beats::from_quarters_f64(rig.quarters.expect("it plays")).expect("a place");
        assert!(off(last, place, SessionNanos(rig.at)).abs() <= DRIFT);
        rig.run(5.0, 124.5, 100.0);
        assert_eq!(rig.words.last().map(|word| word.tempo), Some(bpm(100.0)));
        assert!(rig.words.len() < 60, "{} words", rig.words.len());
    }

    #[test]
    fn what_others_do_stays_until_the_host_does_something() {
        let mut rig = Rig::new();
        rig.leader.arm();
        rig.quarters = Some(0.0);
        rig.run(3.0, 120.0, 120.0);
        rig.session = Timeline { playing: false, tick: Beats::quarters(4), at: SessionNanos(rig.at) };
        rig.run(120.0, 120.0, 120.03);
        assert_eq!(rig.words.len(), 1, "a drift is no deed");
        rig.quarters = Some(2.0);
        rig.run(1.0, 120.0, 120.0);
        assert_eq!(rig.words.len(), 2);
    }

    #[test]
    fn a_lost_word_is_said_once_more() {
        let mut rig = Rig::new();
        rig.leader.arm();
        let mut words = 0;
        for n in 0..400 {
            let place = HostPlace {
                tick: Beats::from_quarters_f64(f64::from(n) / 20.0),
                at: SessionNanos(rig.at + i64::from(n) * SECOND / 40),
                tempo: bpm(120.0),
            };
            words += usize::from(rig.leader.look(place, Timeline::default(), Tempo::DEFAULT).is_some());
        }
        assert_eq!(words, 2);
    }
}
