//! The chorus.

use super::delay::Balance;
use super::line::{Feed, Line};
use super::math::bound;
use super::{QUANTUM, Quantum, RATE};

/// The middle of the moving delay.
const CENTRE: f32 = 0.009 * RATE;
/// How far it moves at depth 1.
const REACH: f32 = 0.006 * RATE;
const LONGEST: usize = 768;

/// One voice of a chorus, for one channel: a short delay that wanders, mixed by equal power.
///
/// At mix 0 the input passes bit for bit and the line forgets. *Thread: audio, but for
/// [`Chorus::new`]. Realtime-safe: yes.*
#[derive(Debug)]
pub struct Chorus {
    line: Line,
    feed: Feed,
    delay: f32,
    mix: f32,
    balance: Balance,
    /// Nothing was heard since the last reset.
    fresh: bool,
}

impl Chorus {
    /// An empty line. Allocates.
    pub fn new() -> Chorus {
        Chorus {
            line: Line::new(LONGEST),
            feed: Feed::OPEN,
            delay: CENTRE,
            mix: 0.0,
            balance: Balance::DRY,
            fresh: true,
        }
    }

    /// Forgets what it heard; the next quantum begins with its settings.
    pub fn reset(&mut self) {
        self.line.reset();
        self.feed = Feed::OPEN;
        (self.mix, self.balance, self.fresh) = (0.0, Balance::DRY, true);
    }

    /// A quantum that it was left out of, as its mix is 0.
    pub fn pass(&mut self) {
        self.reset();
        self.fresh = false;
    }

    /// Whether silence in gives silence out from here on.
    pub fn is_silent(&self) -> bool {
        self.line.is_silent()
    }

    /// A quantum in place. `sway`, −1 to 1, is where the delay ends up of its reach, which `depth`
    /// (0 to 1) scales; `mix` 0 to 1.
    pub fn process(&mut self, io: &mut Quantum, sway: f32, depth: f32, mix: f32) {
        let mix = bound(mix, 0.0, 1.0);
        let delay = CENTRE + REACH * bound(depth, 0.0, 1.0) * bound(sway, -1.0, 1.0);
        let to = if mix == self.mix { self.balance } else { Balance::of(mix) };
        if self.fresh {
            (self.delay, self.mix, self.balance) = (delay, mix, to);
        }
        if mix == 0.0 && self.mix == 0.0 {
            self.pass();
            self.delay = delay;
            return;
        }
        if self.mix == 0.0 {
            self.feed.enter();
        }
        let wet = self.line.bent(self.delay, delay);
        let fed = self.feed.of(io);
        self.line.put(&fed.map(super::math::snap));
        let from = self.balance;
        for n in 0..QUANTUM {
            let left = (QUANTUM - 1 - n) as f32 * (1.0 / QUANTUM as f32);
            let at = |from: f32, to: f32| to - (to - from) * left;
            io[n] = at(from.dry, to.dry) * io[n] + at(from.wet, to.wet) * wet[n];
        }
        (self.delay, self.mix, self.balance, self.fresh) = (delay, mix, to, false);
    }
}

impl Default for Chorus {
    fn default() -> Chorus {
        Chorus::new()
    }
}
