//! Two sides of one: width that a mono sum takes back without a trace.

use super::line::{Feed, Line};
use super::math::bound;
use super::svf::OnePole;
use super::{QUANTUM, Quantum};

/// The longest delay between the sides, in samples.
pub const WIDTH_LONGEST: usize = 704;

/// Below this, in Hz, both sides stay one: basses belong in the middle.
const FLOOR_HZ: f32 = 300.0;

/// A sound's own past, added to one side and taken off the other (Lauridsen, "Nogle forsøg med
/// forskellige former rum akustik gengivelse", Ingeniøren 47, 1954): the sides then differ in every
/// frequency above 300 Hz, while their sum is twice the input, bit for bit but for rounding.
///
/// At amount 0 the input passes on both sides and the line forgets. *Thread: audio, but for
/// [`Width::new`]. Realtime-safe: yes.*
#[derive(Debug)]
pub struct Width {
    line: Line,
    low: OnePole,
    feed: Feed,
    samples: usize,
    amount: f32,
    /// Nothing was heard since the last reset.
    fresh: bool,
}

impl Width {
    /// An empty line. Allocates.
    pub fn new() -> Width {
        Width {
            line: Line::new(WIDTH_LONGEST),
            low: OnePole::new(FLOOR_HZ),
            feed: Feed::OPEN,
            samples: QUANTUM,
            amount: 0.0,
            fresh: true,
        }
    }

    /// Forgets what it heard; the next quantum begins with its settings.
    pub fn reset(&mut self) {
        self.line.reset();
        (self.low, self.feed) = (OnePole::new(FLOOR_HZ), Feed::OPEN);
        (self.amount, self.fresh) = (0.0, true);
    }

    /// Whether silence in gives silence out from here on.
    pub fn is_silent(&self) -> bool {
        self.line.is_silent() && self.low.is_silent()
    }

    /// A quantum in; its left side comes back in place, its right in `right`. `amount`, 0 to 1, is
    /// how much of the past each side gets, and `samples` (32 to [`WIDTH_LONGEST`]) how long ago that
    /// was; another time waits for silence. `false` where both sides are one, and `right` is left alone.
    pub fn process(&mut self, left: &mut Quantum, right: &mut Quantum, samples: usize, amount: f32) -> bool {
        let amount = bound(amount, 0.0, 1.0);
        let samples = samples.clamp(QUANTUM, WIDTH_LONGEST);
        if self.is_silent() {
            self.samples = samples;
        }
        if self.fresh {
            self.amount = amount;
        }
        if amount == 0.0 && self.amount == 0.0 {
            self.reset();
            self.fresh = false;
            return false;
        }
        if self.amount == 0.0 && !self.fresh {
            self.feed.enter();
        }
        self.fresh = false;
        let mut past = self.line.ago(samples);
        self.line.put(&self.feed.of(left).map(super::math::snap));
        let mut low = past;
        self.low.lowpass(&mut low);
        let step = (amount - self.amount) * (1.0 / QUANTUM as f32);
        for n in 0..QUANTUM {
            let amount = amount - step * (QUANTUM - 1 - n) as f32;
            past[n] = amount * (past[n] - low[n]);
            right[n] = left[n] - past[n];
            left[n] += past[n];
        }
        self.amount = amount;
        true
    }
}

impl Default for Width {
    fn default() -> Width {
        Width::new()
    }
}
