//! The echo.

use super::math::{bound, cos_turns, sin_turns, snap};
use super::{QUANTUM, Quantum, RATE};

/// The longest echo.
pub const DELAY_MAX_SECONDS: f32 = 2.0;

const LENGTH: usize = 96_000 + QUANTUM;
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
            fresh: true,
        }
    }

    /// Forgets what it heard, in constant time; the next quantum begins with its settings.
    pub fn reset(&mut self) {
        self.fresh = true;
        (self.write, self.written, self.quiet) = (0, 0, LENGTH);
        (self.crossing_left, self.feedback, self.mix) = (0, 0.0, 0.0);
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
            (self.feedback, self.mix) = (feedback, mix);
        }
        if mix == 0.0 && self.mix == 0.0 {
            self.reset();
            self.fresh = false;
            return;
        }
        self.fresh = false;
        self.head_for(time_s);
        const SHARE: f32 = 1.0 / QUANTUM as f32;
        let (dry, wet) = balance(self.mix);
        let (dry_to, wet_to) = balance(mix);
        let (dry_step, wet_step) = ((dry_to - dry) * SHARE, (wet_to - wet) * SHARE);
        let feedback_step = (feedback - self.feedback) * SHARE;
        for (n, sample) in io.iter_mut().enumerate() {
            let back = (QUANTUM - 1 - n) as f32;
            let echo = self.echo();
            self.put(snap(*sample + (feedback - feedback_step * back) * echo));
            *sample = (dry_to - dry_step * back) * *sample + (wet_to - wet_step * back) * echo;
        }
        (self.feedback, self.mix) = (feedback, mix);
    }

    fn head_for(&mut self, time_s: f32) {
        let samples = (bound(time_s, 0.01, DELAY_MAX_SECONDS) * RATE + 0.5) as usize;
        if self.is_silent() {
            (self.tap, self.next_tap, self.crossing_left) = (samples, samples, 0);
        } else if self.crossing_left == 0 && samples != self.tap {
            (self.next_tap, self.crossing_left) = (samples, CROSSING);
        }
    }

    #[inline]
    fn echo(&mut self) -> f32 {
        if self.crossing_left == 0 {
            return self.ago(self.tap);
        }
        self.crossing_left -= 1;
        if self.crossing_left == 0 {
            self.tap = self.next_tap;
            return self.ago(self.tap);
        }
        let old = self.crossing_left as f32 * (1.0 / CROSSING as f32);
        let (from, to) = (self.ago(self.tap), self.ago(self.next_tap));
        to + (from - to) * old
    }

    #[inline]
    fn ago(&self, samples: usize) -> f32 {
        if samples > self.written {
            return 0.0;
        }
        let at = self.write + LENGTH - samples;
        self.line[if at >= LENGTH { at - LENGTH } else { at }]
    }

    #[inline]
    fn put(&mut self, value: f32) {
        self.line[self.write] = value;
        self.write = if self.write + 1 == LENGTH { 0 } else { self.write + 1 };
        self.written = (self.written + 1).min(LENGTH);
        self.quiet = if value == 0.0 { (self.quiet + 1).min(LENGTH) } else { 0 };
    }
}

impl Default for Delay {
    fn default() -> Delay {
        Delay::new()
    }
}

/// Gains of input and echo at a mix: equal power, exactly (1, 0) at 0 and (0, 1) at 1.
fn balance(mix: f32) -> (f32, f32) {
    if mix <= 0.0 {
        (1.0, 0.0)
    } else if mix >= 1.0 {
        (0.0, 1.0)
    } else {
        (cos_turns(mix * 0.25), sin_turns(mix * 0.25))
    }
}
