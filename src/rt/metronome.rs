//! The metronome: clicks on the beats of the metre, higher on the first of a bar.
//!
//! Personal: added to the device's frames after the fingerprint and the resampler, so that nobody
//! else hears it and no hash knows of it. Thread: audio. Realtime-safe: yes, but for
//! [`Metronome::new`].

use super::output::Output;
use super::timeline::Timeline;
use super::timeline::Timing;
use crate::pattern::{Bar, Bars};
use crate::time::{Beats, TempoMap};

/// Clicks that may ring at a time.
const VOICES: usize = 4;
/// Beats looked at in one block.
const LINES: usize = 64;
/// How long a click rings.
const RING_S: f64 = 0.04;
const BEAT_HZ: f64 = 1000.0;
const BAR_HZ: f64 = 1500.0;

/// A click's oscillator: a decaying resonance (two poles).
#[derive(Clone, Copy, Default)]
struct Resonance {
    /// 2 r cos ω, and r².
    a: f32,
    b: f32,
    /// The first sample, for a peak of 1.
    kick: f32,
}

#[derive(Clone, Copy, Default)]
struct Click {
    sound: Resonance,
    gain: f32,
    /// Frames of the block before it begins.
    wait: usize,
    left: u32,
    last: [f32; 2],
}

/// The metronome.
pub(super) struct Metronome {
    /// 0 is off, 1 is full scale.
    pub(super) level: f32,
    beat: Resonance,
    bar: Resonance,
    ring: u32,
    clicks: [Click; VOICES],
    next: usize,
    /// The beat that clicked last, and at which frame.
    last: Option<(Beats, i64)>,
    /// Frames in which one beat cannot come twice.
    apart: i64,
}

impl Metronome {
    /// A metronome that is off, for a rate in Hz.
    pub(super) fn new(rate: f64) -> Metronome {
        let resonance = |hertz: f64| {
            let angle = 2.0 * std::f64::consts::PI * hertz / rate;
            // −60 dB at the ring's end.
            let radius = libm::exp(-6.9 / (RING_S * rate));
            Resonance {
                a: (2.0 * radius * libm::cos(angle)) as f32,
                b: (radius * radius) as f32,
                kick: libm::sin(angle) as f32,
            }
        };
        Metronome {
            level: 0.0,
            beat: resonance(BEAT_HZ),
            bar: resonance(BAR_HZ),
            ring: (RING_S * rate) as u32,
            clicks: [Click::default(); VOICES],
            next: 0,
            last: None,
            apart: (0.02 * rate) as i64,
        }
    }

    /// Strikes the beats of a running song that fall into `frames` from `frame` on.
    pub(super) fn follow(
        &mut self,
        timeline: &mut Timeline,
        output: &Output,
        map: &TempoMap,
        bars: &Bars,
        (frame, frames): (i64, usize),
    ) {
        if self.level <= 0.0 {
            return;
        }
        let stream = output.stream_at(frame);
        let anchor = timeline.heard_at(stream);
        // From a little before: a place that is rounded may lie on either side of the block's edge.
        let from = anchor.timing.first_tick_from(map, anchor.song_at(stream) - 4);
        let mut bar = bars.at(from);
        let mut line = next_beat(&bar, from);
        for _ in 0..LINES {
            if line >= bar.end() {
                bar = bars.bar(bar.number + 1);
                line = bar.start;
            }
            let at = output.frame_of(anchor.stream_at(anchor.timing.sample_at(map, line)));
            if at >= frame + frames as i64 {
                return;
            }
            if at >= frame - 4 {
                self.strike(line, at.max(frame), frame, line == bar.start);
            }
            line += beat_of(&bar);
        }
    }

    /// Strikes the beats that lead to a start of the song: `tick` sounds at frame `start`.
    pub(super) fn count_in(
        &mut self,
        (tick, start): (Beats, i64),
        output: &Output,
        map: &TempoMap,
        bars: &Bars,
        (frame, frames): (i64, usize),
    ) {
        if self.level <= 0.0 {
            return;
        }
        let bar = bars.at(tick);
        let sample = |tick| Timing::Session.sample_at(map, tick);
        for beat in 1..=LINES as i64 {
            let line = Beats(tick.0 - beat * beat_of(&bar).0);
            let at = start - output.frames_in(sample(tick) - sample(line));
            // On the shared clock the start is aimed at anew with each block: what moves to before
            // the block's edge is struck there.
            if at < frame - self.apart / 4 {
                return;
            }
            if at < frame + frames as i64 {
                self.strike(line, at.max(frame), frame, beat % i64::from(bar.metre.count.max(1)) == 0);
            }
        }
    }

    fn strike(&mut self, line: Beats, at: i64, frame: i64, first: bool) {
        if self.last.is_some_and(|(last, then)| last == line && (at - then).abs() < self.apart) {
            return;
        }
        self.last = Some((line, at));
        let sound = if first { self.bar } else { self.beat };
        let wait = (at - frame) as usize;
        self.clicks[self.next] = Click { sound, gain: self.level, wait, left: self.ring, last: [0.0; 2] };
        self.next = (self.next + 1) % VOICES;
    }

    /// Adds what rings to a block.
    pub(super) fn add(&mut self, left: &mut [f32], right: &mut [f32]) {
        for click in self.clicks.iter_mut().filter(|click| click.left > 0) {
            let wait = std::mem::take(&mut click.wait).min(left.len());
            for (l, r) in left[wait..].iter_mut().zip(&mut right[wait..]) {
                if click.left == 0 {
                    break;
                }
                let new = match click.last {
                    [0.0, 0.0] => click.sound.kick,
                    [one, two] => click.sound.a * one - click.sound.b * two,
                };
                click.last = [new, click.last[0]];
                click.left -= 1;
                *l += new * click.gain;
                *r += new * click.gain;
            }
        }
    }
}

/// A beat of a bar: its metre's unit.
fn beat_of(bar: &Bar) -> Beats {
    Beats(bar.length().0 / i64::from(bar.metre.count.max(1)))
}

/// The first beat of a bar at a tick or later.
fn next_beat(bar: &Bar, tick: Beats) -> Beats {
    bar.start + (tick - bar.start).ceil_to(beat_of(bar))
}
