//! Soft distortion.

use super::math::{bound, exp2, snap, soft_clip};
use super::{QUANTUM, Quantum};

/// A soft clipper for one channel.
///
/// It runs at twice the rate, with first-order antiderivative anti-aliasing besides (Parker et al.,
/// "Reducing the aliasing of nonlinear waveshaping using continuous-time convolution", DAFx 2016).
/// `amount` 0 to 1 raises the gain into the clipper by up to 27 dB; the level after it is brought
/// back so that a constant −6 dB would keep its level. Dry and wet take the same way, so no `mix`
/// combs. At mix 0 the input passes bit for bit. *Thread: audio. Realtime-safe: yes.*
#[derive(Clone, Debug)]
pub struct Drive {
    up: HalfBand,
    down: HalfBand,
    /// The last sample at twice the rate, before and after the gain.
    dry: f32,
    pushed: f32,
    amount: f32,
    mix: f32,
    presence: f32,
    /// Nothing was heard since the last reset.
    fresh: bool,
}

impl Drive {
    /// At rest.
    pub fn new() -> Drive {
        Drive {
            up: HalfBand::default(),
            down: HalfBand::default(),
            dry: 0.0,
            pushed: 0.0,
            amount: 0.0,
            mix: 0.0,
            presence: 0.0,
            fresh: true,
        }
    }

    /// Forgets what it heard; the next quantum begins with its settings. Realtime-safe: yes.
    pub fn reset(&mut self) {
        *self = Drive::new();
    }

    /// Whether silence in gives silence out from here on.
    pub fn is_silent(&self) -> bool {
        self.up.is_silent() && self.down.is_silent() && self.dry == 0.0
    }

    /// Drives a quantum in place.
    pub fn process(&mut self, io: &mut Quantum, amount: f32, mix: f32) {
        let (amount, mix) = (bound(amount, 0.0, 1.0), bound(mix, 0.0, 1.0));
        let presence = if mix > 0.0 { 1.0 } else { 0.0 };
        if self.fresh {
            (self.mix, self.presence) = (mix, presence);
        }
        if presence == 0.0 && self.presence == 0.0 {
            *self = Drive { fresh: false, ..Drive::new() };
            return;
        }
        if self.fresh || self.presence == 0.0 {
            self.amount = amount;
        }
        let mut gain = Ramp::new(push(self.amount), push(amount));
        let mut level = Ramp::new(level_after(self.amount), level_after(amount));
        let mut wet = Ramp::new(self.mix, mix);
        let mut here = Ramp::new(self.presence, presence);
        for sample in io.iter_mut() {
            let (gain, level, wet, here) = (gain.next(), level.next(), wet.next(), here.next());
            let [first, second] = self.up.split(*sample);
            let first = self.shape(first, gain, level, wet);
            let second = self.shape(second, gain, level, wet);
            let driven = self.down.join(first, second);
            *sample += here * (driven - *sample);
        }
        (self.amount, self.mix, self.presence) = (amount, mix, presence);
        self.fresh = false;
    }

    /// One sample at twice the rate.
    #[inline]
    fn shape(&mut self, x: f32, gain: f32, level: f32, wet: f32) -> f32 {
        let (was, was_pushed) = (self.dry, self.pushed);
        (self.dry, self.pushed) = (x, x * gain);
        // The dry signal takes the same half-sample average that the antiderivative implies.
        let dry = 0.5 * (x + was);
        dry + wet * (level * clip_mean(was_pushed, self.pushed) - dry)
    }
}

impl Default for Drive {
    fn default() -> Drive {
        Drive::new()
    }
}

/// Gain into the clipper.
fn push(amount: f32) -> f32 {
    exp2(4.5 * amount)
}

/// Gain after it.
fn level_after(amount: f32) -> f32 {
    0.5 / soft_clip(0.5 * push(amount))
}

/// A straight line over one quantum that ends exactly.
struct Ramp {
    to: f32,
    step: f32,
    left: f32,
}

impl Ramp {
    fn new(from: f32, to: f32) -> Ramp {
        Ramp { to, step: (to - from) * (1.0 / QUANTUM as f32), left: QUANTUM as f32 }
    }

    #[inline]
    fn next(&mut self) -> f32 {
        self.left -= 1.0;
        self.to - self.step * self.left
    }
}

/// The mean of [`soft_clip`] between two inputs: the difference of its antiderivative over their
/// distance, factored so that nothing cancels when they lie close.
#[inline]
fn clip_mean(a: f32, b: f32) -> f32 {
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    let (bent_low, bent_high) = (low.clamp(-1.0, 1.0), high.clamp(-1.0, 1.0));
    let bent = mean_inside(bent_low, bent_high);
    if bent_low == low && bent_high == high {
        return bent;
    }
    let span = high - low;
    if span <= 0.0 || bent_high == bent_low {
        return soft_clip(high);
    }
    const TOP: f32 = 8.0 / 15.0;
    let above = (high - bent_high) * TOP - (bent_low - low) * TOP;
    ((bent_high - bent_low) * bent + above) / span
}

/// The same within ±1: x − 2x³/3 + x⁵/5 integrates to x²/2 − x⁴/6 + x⁶/30.
#[inline]
fn mean_inside(a: f32, b: f32) -> f32 {
    let (aa, bb) = (a * a, b * b);
    (a + b) * (0.5 - (aa + bb) * (1.0 / 6.0) + (aa * aa + aa * bb + bb * bb) * (1.0 / 30.0))
}

/// An elliptic half-band filter of two all-pass chains, 20 kHz pass and 96 dB stop at 28 kHz of
/// 96 kHz (Valenzuela and Constantinides, "Digital signal processing schemes for efficient
/// interpolation and decimation", IEE Proc. 130, 1983).
///
/// Both chains run side by side; each stage is a first-order all-pass y = c·(x − y′) + x′.
#[derive(Clone, Debug, Default)]
struct HalfBand {
    /// The last input, and the last output of each stage, of both chains.
    past: [[f32; 2]; STAGES + 1],
}

const STAGES: usize = 3;
/// Coefficients of each stage: even and odd chain.
const ALLPASS: [[f32; 2]; STAGES] =
    [[0.044_296_928, 0.164_569_56], [0.331_371_37, 0.515_803_3], [0.702_645_4, 0.895_142_4]];

impl HalfBand {
    /// One sample in, two at twice the rate out.
    #[inline]
    fn split(&mut self, x: f32) -> [f32; 2] {
        self.tick([x, x])
    }

    /// Two samples at twice the rate in, one out.
    #[inline]
    fn join(&mut self, first: f32, second: f32) -> f32 {
        let [even, odd] = self.tick([second, first]);
        0.5 * (even + odd)
    }

    #[inline]
    fn tick(&mut self, input: [f32; 2]) -> [f32; 2] {
        let mut x = input;
        for (stage, c) in ALLPASS.iter().enumerate() {
            let mut y = [0.0; 2];
            for lane in 0..2 {
                y[lane] = snap(c[lane] * (x[lane] - self.past[stage + 1][lane]) + self.past[stage][lane]);
            }
            self.past[stage] = x;
            x = y;
        }
        self.past[STAGES] = x;
        x
    }

    fn is_silent(&self) -> bool {
        self.past.iter().all(|lanes| *lanes == [0.0; 2])
    }
}
