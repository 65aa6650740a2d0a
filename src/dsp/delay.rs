//! The echo.

use super::line::{Feed, HUSHED, Line, Tap};
use super::math::{bound, cos_turns, sin_turns};
use super::{QUANTUM, Quantum, RATE};

/// The longest echo.
pub const DELAY_MAX_SECONDS: f32 = 2.0;

const SHARE: f32 = 1.0 / QUANTUM as f32;

/// A delay line with feedback, for one channel.
///
/// Times are whole samples. A new time crosses over from the old tap to the new one, so the pitch
/// never bends; while it crosses, later times wait. `mix` is equal power. At mix 0 the input passes
/// bit for bit and the line forgets, at no cost. *Thread: audio, but for [`Delay::new`].
/// Realtime-safe: yes.*
#[derive(Debug)]
pub struct Delay {
    line: Line,
    tap: Tap,
    feed: Feed,
    feedback: f32,
    mix: f32,
    /// What `mix` means.
    balance: Balance,
    /// Nothing was heard since the last reset.
    fresh: bool,
}

impl Delay {
    /// An empty line of [`DELAY_MAX_SECONDS`]. Allocates.
    pub fn new() -> Delay {
        Delay {
            line: Line::new((DELAY_MAX_SECONDS * RATE) as usize),
            tap: Tap::new(12_000),
            feed: Feed::OPEN,
            feedback: 0.0,
            mix: 0.0,
            balance: Balance::DRY,
            fresh: true,
        }
    }

    /// Forgets what it heard, in constant time; the next quantum begins with its settings.
    pub fn reset(&mut self) {
        self.fresh = true;
        self.line.reset();
        (self.feed, self.feedback) = (Feed::OPEN, 0.0);
        (self.mix, self.balance) = (0.0, Balance::DRY);
    }

    /// Whether silence in gives silence out from here on.
    pub fn is_silent(&self) -> bool {
        self.line.is_silent()
    }

    /// Echoes a quantum in place: `time_s` 0.01 to 2 seconds, `feedback` 0 to 0.95, `mix` 0 to 1.
    pub fn process(&mut self, io: &mut Quantum, time_s: f32, feedback: f32, mix: f32) {
        let mix = bound(mix, 0.0, 1.0);
        let feedback = bound(feedback, 0.0, 0.95);
        if self.fresh {
            (self.feedback, self.mix, self.balance) = (feedback, mix, Balance::of(mix));
        }
        if mix == 0.0 && self.mix == 0.0 {
            self.reset();
            self.fresh = false;
            return;
        }
        if self.mix == 0.0 {
            self.feed.enter();
        }
        self.fresh = false;
        self.tap.head_for((bound(time_s, 0.01, DELAY_MAX_SECONDS) * RATE + 0.5) as usize, &self.line);
        let to = if mix == self.mix { self.balance } else { Balance::of(mix) };
        let from = self.balance;
        let echo = self.tap.read(&self.line);
        let fed = self.feed.of(io);
        let mut written = [0.0; QUANTUM];
        for n in 0..QUANTUM {
            let at = |from: f32, to: f32| to - (to - from) * (SHARE * (QUANTUM - 1 - n) as f32);
            written[n] = hush(fed[n] + at(self.feedback, feedback) * echo[n]);
            io[n] = at(from.dry, to.dry) * io[n] + at(from.wet, to.wet) * echo[n];
        }
        self.line.put(&written);
        (self.feedback, self.mix, self.balance) = (feedback, mix, to);
    }
}

impl Default for Delay {
    fn default() -> Delay {
        Delay::new()
    }
}

/// Two delay lines that feed each other: what comes in sounds on the left first, then on the right,
/// and so on, each echo `feedback` times the last. Wet alone.
///
/// Times as in [`Delay`]. *Thread: audio, but for [`PingPong::new`]. Realtime-safe: yes.*
#[derive(Debug)]
pub struct PingPong {
    lines: [Line; 2],
    taps: [Tap; 2],
    feedback: f32,
    /// Nothing was heard since the last reset.
    fresh: bool,
}

impl PingPong {
    /// Two empty lines of [`DELAY_MAX_SECONDS`]. Allocates.
    pub fn new() -> PingPong {
        PingPong {
            lines: std::array::from_fn(|_| Line::new((DELAY_MAX_SECONDS * RATE) as usize)),
            taps: [Tap::new(12_000); 2],
            feedback: 0.0,
            fresh: true,
        }
    }

    /// Forgets what it heard, in constant time; the next quantum begins with its settings.
    pub fn reset(&mut self) {
        self.lines.iter_mut().for_each(Line::reset);
        self.fresh = true;
    }

    /// Whether silence in gives silence out from here on.
    pub fn is_silent(&self) -> bool {
        self.lines.iter().all(Line::is_silent)
    }

    /// What goes in comes back as its echoes: `time_s` 0.01 to 2 seconds, `feedback` 0 to 0.95.
    pub fn process(&mut self, left: &mut Quantum, right: &mut Quantum, time_s: f32, feedback: f32) {
        let feedback = bound(feedback, 0.0, 0.95);
        let from = if self.fresh { feedback } else { self.feedback };
        let samples = (bound(time_s, 0.01, DELAY_MAX_SECONDS) * RATE + 0.5) as usize;
        let heard: [Quantum; 2] = std::array::from_fn(|side| {
            self.taps[side].head_for(samples, &self.lines[side]);
            self.taps[side].read(&self.lines[side])
        });
        let mut written = [[0.0; QUANTUM]; 2];
        for n in 0..QUANTUM {
            let feedback = feedback - (feedback - from) * (SHARE * (QUANTUM - 1 - n) as f32);
            // One side is as loud as both were.
            let both = std::f32::consts::FRAC_1_SQRT_2 * (left[n] + right[n]);
            written[0][n] = hush(both + feedback * heard[1][n]);
            written[1][n] = hush(feedback * heard[0][n]);
        }
        self.lines.iter_mut().zip(&written).for_each(|(line, written)| line.put(written));
        [*left, *right] = heard;
        (self.feedback, self.fresh) = (feedback, false);
    }
}

impl Default for PingPong {
    fn default() -> PingPong {
        PingPong::new()
    }
}

/// Ends what only rings on far below hearing.
#[inline]
fn hush(value: f32) -> f32 {
    if value.abs() < HUSHED { 0.0 } else { value }
}

/// Gains of an effect's input and of what it makes of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Balance {
    pub dry: f32,
    pub wet: f32,
}

impl Balance {
    pub const DRY: Balance = Balance { dry: 1.0, wet: 0.0 };

    /// At a mix: equal power, exactly (1, 0) at 0 and (0, 1) at 1.
    pub fn of(mix: f32) -> Balance {
        if mix <= 0.0 {
            Balance::DRY
        } else if mix >= 1.0 {
            Balance { dry: 0.0, wet: 1.0 }
        } else {
            Balance { dry: cos_turns(mix * 0.25), wet: sin_turns(mix * 0.25) }
        }
    }
}
