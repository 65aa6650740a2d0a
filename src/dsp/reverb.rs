//! The reverb.

use super::delay::Balance;
use super::line::{Feed, Line, Tap};
use super::math::{bound, exp2, sin_half_turns};
use super::{QUANTUM, Quantum, RATE};

/// The longest pre-delay.
pub const REVERB_MAX_PREDELAY: f32 = 0.1;

/// Delay lines of the network.
const LINES: usize = 8;
/// Their lengths in samples: primes, so that echoes meet late.
const LENGTHS: [usize; LINES] = [1201, 1433, 1709, 1987, 2293, 2579, 2957, 3323];
/// Diffusers before the network, of each side.
const DIFFUSERS: usize = 4;
const SPREADS: [[usize; DIFFUSERS]; 2] = [[142, 107, 379, 277], [151, 113, 367, 293]];
const SPREAD: f32 = 0.62;
/// Samples by which the lines wander, so that no mode rings alone.
const WANDER: f32 = 5.0;
/// What each pass takes off the treble: a mean of two neighbours, so much of the older.
const DULL: f32 = 0.18;
/// What all lines hold may be this at most (−140 dB) where the tail is cut.
const CUT: f32 = 1e-7;
/// What that and the wandering cost at 1 kHz, given back in each pass.
const GIVEN_BACK: f32 = 1.002;
/// The network's gain for a tail that carries the energy that went in.
const LEVEL: f32 = 1.5;

/// A stereo reverb: a feedback delay network of eight lines behind diffusers (Jot and Chaigne,
/// "Digital delay networks for designing artificial reverberators", AES 90, 1991).
///
/// `decay` is the time in which the middle frequencies fall by 60 dB; treble falls faster. Whatever
/// the decay, the tail carries about as much energy as what made it. `mix` is equal power. At mix 0
/// the input passes bit for bit, and the lines forget. *Thread: audio, but for [`Reverb::new`].
/// Realtime-safe: yes.*
#[derive(Debug)]
pub struct Reverb {
    before: [Line; 2],
    taps: [Tap; 2],
    feeds: [Feed; 2],
    diffusers: [[Line; DIFFUSERS]; 2],
    lines: [Line; LINES],
    /// The sample before each line's next, for the mean.
    last: [f32; LINES],
    wander: [f32; LINES],
    decay_s: f32,
    gains: [f32; LINES],
    level: f32,
    mix: f32,
    balance: Balance,
    /// Quanta since the last reset: what the wandering follows.
    count: u32,
    /// Quanta in a row in which next to nothing was written.
    quiet: u32,
    /// Nothing was heard since the last reset.
    fresh: bool,
    /// It has been left out since, and remembers nothing.
    passed: bool,
}

/// Quanta that the longest way through lines and diffusers takes.
const LONGEST: u32 = (3323 + 142 + 107 + 379 + 277) / QUANTUM as u32 + 4;

impl Reverb {
    /// Empty. Allocates.
    pub fn new() -> Reverb {
        let predelay = (REVERB_MAX_PREDELAY * RATE) as usize + QUANTUM;
        Reverb {
            before: std::array::from_fn(|_| Line::new(predelay)),
            taps: [Tap::new(QUANTUM); 2],
            feeds: [Feed::OPEN; 2],
            diffusers: SPREADS.map(|side| side.map(Line::new)),
            lines: LENGTHS.map(|length| Line::new(length + 16)),
            last: [0.0; LINES],
            wander: [0.0; LINES],
            decay_s: 0.0,
            gains: [0.0; LINES],
            level: 0.0,
            mix: 0.0,
            balance: Balance::DRY,
            count: 0,
            quiet: LONGEST,
            fresh: true,
            passed: false,
        }
    }

    /// Forgets what it heard, in constant time; the next quantum begins with its settings.
    pub fn reset(&mut self) {
        self.forget();
        self.feeds = [Feed::OPEN; 2];
        (self.mix, self.balance, self.fresh, self.passed) = (0.0, Balance::DRY, true, false);
    }

    /// A quantum that it was left out of, as its mix is 0.
    pub fn pass(&mut self) {
        if !self.passed {
            self.reset();
            (self.fresh, self.passed) = (false, true);
        }
    }

    fn forget(&mut self) {
        self.before.iter_mut().for_each(Line::reset);
        self.diffusers.iter_mut().flatten().for_each(Line::reset);
        self.lines.iter_mut().for_each(Line::reset);
        (self.last, self.count, self.quiet) = ([0.0; LINES], 0, LONGEST);
    }

    /// Whether silence in gives silence out from here on.
    pub fn is_silent(&self) -> bool {
        self.quiet >= LONGEST && self.before.iter().all(Line::is_silent)
    }

    /// A quantum in place: `decay_s` 0.1 to 10 s, `predelay_s` 0 to 0.1 s, `mix` 0 to 1.
    pub fn process(
        &mut self,
        left: &mut Quantum,
        right: &mut Quantum,
        decay_s: f32,
        predelay_s: f32,
        mix: f32,
    ) {
        let mix = bound(mix, 0.0, 1.0);
        let to = if mix == self.mix { self.balance } else { Balance::of(mix) };
        if self.fresh {
            (self.mix, self.balance) = (mix, to);
        }
        if mix == 0.0 && self.mix == 0.0 {
            self.pass();
            return;
        }
        if self.mix == 0.0 {
            self.feeds.iter_mut().for_each(Feed::enter);
        }
        let gains_before = (self.gains, self.level);
        self.take(decay_s);
        let (gains, level) = if self.fresh { (self.gains, self.level) } else { gains_before };
        let wet = self.wet([&*left, &*right], predelay_s, gains, level);
        let from = self.balance;
        for (io, wet) in [left, right].into_iter().zip(wet) {
            for n in 0..QUANTUM {
                let share = left_of(n);
                let at = |from: f32, to: f32| to - (to - from) * share;
                io[n] = at(from.dry, to.dry) * io[n] + at(from.wet, to.wet) * wet[n];
            }
        }
        (self.mix, self.balance, self.fresh, self.passed) = (mix, to, false, false);
    }

    /// What a decay means for each line's gain, and for the level of all.
    fn take(&mut self, decay_s: f32) {
        let decay_s = bound(decay_s, 0.1, 10.0);
        if decay_s == self.decay_s {
            return;
        }
        self.decay_s = decay_s;
        // 60 dB are log2(1000) = 9.96578 halvings.
        let per_sample = -9.965_784 / (decay_s * RATE);
        self.gains = LENGTHS.map(|length| GIVEN_BACK * exp2(per_sample * length as f32));
        let kept = self.gains.iter().fold(0.0, |sum, gain| sum + gain * gain) * (1.0 / LINES as f32);
        self.level = LEVEL * ((1.0 - kept).max(0.0) / kept.max(0.01)).sqrt();
    }

    /// The tail alone; gains and level move from those given to their own.
    fn wet(
        &mut self,
        input: [&Quantum; 2],
        predelay_s: f32,
        gains: [f32; LINES],
        level: f32,
    ) -> [Quantum; 2] {
        let diffused = self.diffuse(input, predelay_s);
        let mut heard = [[0.0; QUANTUM]; LINES];
        for at in 0..LINES {
            heard[at] = self.hear(at, gains[at]);
        }
        let mut wet = [[0.0; QUANTUM]; 2];
        for n in 0..QUANTUM {
            let level = self.level - (self.level - level) * left_of(n);
            // Signs in no order, so that the sides have little in common.
            wet[0][n] = level * ((heard[0][n] - heard[2][n]) + (heard[4][n] + heard[6][n]));
            wet[1][n] = level * ((heard[1][n] + heard[3][n]) + (heard[5][n] - heard[7][n]));
        }
        hadamard(&mut heard);
        let mut most: f32 = 0.0;
        for at in 0..LINES {
            let side = &diffused[at % 2];
            for n in 0..QUANTUM {
                heard[at][n] = super::math::snap(heard[at][n] + 0.5 * side[n]);
                most = most.max(heard[at][n].abs());
            }
            self.lines[at].put(&heard[at]);
        }
        self.count = self.count.wrapping_add(1);
        let silent_in = self.before.iter().all(Line::is_silent);
        self.quiet = if most < CUT && silent_in { self.quiet.saturating_add(1) } else { 0 };
        if self.quiet >= LONGEST {
            self.forget();
        }
        wet
    }

    /// The input after its pre-delay, its edges spread by all-passes.
    #[inline]
    fn diffuse(&mut self, input: [&Quantum; 2], predelay_s: f32) -> [Quantum; 2] {
        let samples = (bound(predelay_s, 0.0, REVERB_MAX_PREDELAY) * RATE) as usize;
        let mut sides = [[0.0; QUANTUM]; 2];
        for side in 0..2 {
            // At least a quantum lies between, since what comes is written before it is read.
            self.taps[side].head_for(QUANTUM + samples, &self.before[side]);
            let fed = self.feeds[side].of(input[side]);
            self.before[side].put(&fed.map(super::math::snap));
            let mut io = self.taps[side].read(&self.before[side]);
            for line in &mut self.diffusers[side] {
                let past = line.ago(line.longest());
                let mut put = [0.0; QUANTUM];
                for n in 0..QUANTUM {
                    put[n] = super::math::snap(io[n] + SPREAD * past[n]);
                    io[n] = past[n] - SPREAD * put[n];
                }
                line.put(&put);
            }
            sides[side] = io;
        }
        sides
    }

    /// A line's next quantum, after its loss.
    #[inline]
    fn hear(&mut self, at: usize, gain_before: f32) -> Quantum {
        let turns =
            self.count.wrapping_mul(1_100_000 + 170_000 * at as u32).wrapping_add(at as u32 * 0x2000_0000);
        let wander = WANDER * sin_half_turns(turns as i32 as f32 * (1.0 / 2_147_483_648.0));
        let middle = LENGTHS[at] as f32 + WANDER;
        let past = self.lines[at].between(middle + self.wander[at], middle + wander);
        self.wander[at] = wander;
        let gain = self.gains[at];
        let mut out = [0.0; QUANTUM];
        let mut before = self.last[at];
        for n in 0..QUANTUM {
            let gain = gain - (gain - gain_before) * left_of(n);
            out[n] = gain * (past[n] + DULL * (before - past[n]));
            before = past[n];
        }
        self.last[at] = before;
        out
    }
}

impl Default for Reverb {
    fn default() -> Reverb {
        Reverb::new()
    }
}

/// The share of a quantum that is left after its sample n.
#[inline]
fn left_of(n: usize) -> f32 {
    (QUANTUM - 1 - n) as f32 * (1.0 / QUANTUM as f32)
}

/// Mixes the lines without loss: each comes back as a sum of all, in one order.
#[inline]
fn hadamard(lines: &mut [Quantum; LINES]) {
    for span in [1, 2, 4] {
        for pair in lines.chunks_exact_mut(2 * span) {
            let (firsts, seconds) = pair.split_at_mut(span);
            for (a, b) in firsts.iter_mut().flatten().zip(seconds.iter_mut().flatten()) {
                (*a, *b) = (*a + *b, *a - *b);
            }
        }
    }
    for line in lines {
        for sample in line {
            *sample *= std::f32::consts::FRAC_1_SQRT_2 * 0.5;
        }
    }
}
