//! The echo.

use super::math::{bound, cos_turns, sin_turns, snap};
use super::{QUANTUM, Quantum, RATE};

/// The longest echo.
pub const DELAY_MAX_SECONDS: f32 = 2.0;

const LENGTH: usize = 96_000 + QUANTUM;
const SHARE: f32 = 1.0 / QUANTUM as f32;
/// Samples over which the echo crosses from an old time to a new one: 21 ms.
const CROSSING: u32 = 1024;

/// A delay line with feedback, for one channel.
///
/// Times are whole samples. A new time crosses over from the old tap to the new one, so the pitch
/// never bends; while it crosses, later times wait. `mix` is equal power. At mix 0 the input passes
/// bit for bit and the line forgets, at no cost. *Thread: audio, but for [`Delay::new`].
/// Realtime-safe: yes.*
#[derive(Debug)]
pub struct Delay {
    line: Box<[f32]>,
    write: usize,
    /// Samples written since the last reset; older cells are not read.
    written: usize,
    /// Zeros written in a row.
    quiet: usize,
    tap: usize,
    next_tap: usize,
    crossing_left: u32,
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
            line: vec![0.0; LENGTH].into_boxed_slice(),
            write: 0,
            written: 0,
            quiet: LENGTH,
            tap: 12_000,
            next_tap: 12_000,
            crossing_left: 0,
            feedback: 0.0,
            mix: 0.0,
            balance: Balance::DRY,
            fresh: true,
        }
    }

    /// Forgets what it heard, in constant time; the next quantum begins with its settings.
    pub fn reset(&mut self) {
        self.fresh = true;
        (self.write, self.written, self.quiet) = (0, 0, LENGTH);
        (self.crossing_left, self.feedback) = (0, 0.0);
        (self.mix, self.balance) = (0.0, Balance::DRY);
    }

    /// Whether silence in gives silence out from here on.
    pub fn is_silent(&self) -> bool {
        self.written == 0 || self.quiet >= LENGTH
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
        self.fresh = false;
        self.head_for(time_s);
        let to = if mix == self.mix { self.balance } else { Balance::of(mix) };
        let from = self.balance;
        let echo = self.echo();
        let mut written = [0.0; QUANTUM];
        for n in 0..QUANTUM {
            let at = |from: f32, to: f32| to - (to - from) * (SHARE * (QUANTUM - 1 - n) as f32);
            written[n] = snap(io[n] + at(self.feedback, feedback) * echo[n]);
            io[n] = at(from.dry, to.dry) * io[n] + at(from.wet, to.wet) * echo[n];
        }
        self.put(&written);
        (self.feedback, self.mix, self.balance) = (feedback, mix, to);
    }

    fn head_for(&mut self, time_s: f32) {
        let samples = (bound(time_s, 0.01, DELAY_MAX_SECONDS) * RATE + 0.5) as usize;
        if self.is_silent() {
            (self.tap, self.next_tap, self.crossing_left) = (samples, samples, 0);
        } else if self.crossing_left == 0 && samples != self.tap {
            (self.next_tap, self.crossing_left) = (samples, CROSSING);
        }
    }

    /// The next quantum of what the taps hear. The shortest echo is longer than a quantum, so all of
    /// it is in the line already.
    #[inline]
    fn echo(&mut self) -> Quantum {
        let mut echo = self.ago(self.tap);
        if self.crossing_left > 0 {
            let next = self.ago(self.next_tap);
            for n in 0..QUANTUM {
                let left = self.crossing_left.saturating_sub(n as u32 + 1);
                echo[n] = next[n] + (echo[n] - next[n]) * (left as f32 * (1.0 / CROSSING as f32));
            }
            self.crossing_left = self.crossing_left.saturating_sub(QUANTUM as u32);
            if self.crossing_left == 0 {
                self.tap = self.next_tap;
            }
        }
        echo
    }

    /// The quantum that was written so many samples ago; zeros from before the last reset.
    #[inline]
    fn ago(&self, samples: usize) -> Quantum {
        let at = self.write + LENGTH - samples;
        let at = if at >= LENGTH { at - LENGTH } else { at };
        let mut out = [0.0; QUANTUM];
        let straight = (LENGTH - at).min(QUANTUM);
        if straight == QUANTUM {
            out.copy_from_slice(&self.line[at..at + QUANTUM]);
        } else {
            out[..straight].copy_from_slice(&self.line[at..]);
            out[straight..].copy_from_slice(&self.line[..QUANTUM - straight]);
        }
        let before = samples.saturating_sub(self.written).min(QUANTUM);
        out[..before].fill(0.0);
        out
    }

    /// Writes a quantum; the line is a whole number of them long.
    #[inline]
    fn put(&mut self, values: &Quantum) {
        self.line[self.write..self.write + QUANTUM].copy_from_slice(values);
        self.write = if self.write + QUANTUM == LENGTH { 0 } else { self.write + QUANTUM };
        self.written = (self.written + QUANTUM).min(LENGTH);
        let zeros = values.iter().rev().take_while(|value| **value == 0.0).count();
        self.quiet = if zeros == QUANTUM { (self.quiet + QUANTUM).min(LENGTH) } else { zeros };
    }
}

impl Default for Delay {
    fn default() -> Delay {
        Delay::new()
    }
}

/// Gains of input and echo.
#[derive(Clone, Copy, Debug)]
struct Balance {
    dry: f32,
    wet: f32,
}

impl Balance {
    const DRY: Balance = Balance { dry: 1.0, wet: 0.0 };

    /// At a mix: equal power, exactly (1, 0) at 0 and (0, 1) at 1.
    fn of(mix: f32) -> Balance {
        if mix <= 0.0 {
            Balance::DRY
        } else if mix >= 1.0 {
            Balance { dry: 0.0, wet: 1.0 }
        } else {
            Balance { dry: cos_turns(mix * 0.25), wet: sin_turns(mix * 0.25) }
        }
    }
}
