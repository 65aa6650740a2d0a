//! Soft distortion.

use super::math::{bound, exp2, snap, soft_clip};
use super::{QUANTUM, Quantum, line};

/// A soft clipper for one channel.
///
/// It runs at twice the rate, with first-order antiderivative anti-aliasing besides (Parker et al.,
/// "Reducing the aliasing of nonlinear waveshaping using continuous-time convolution", DAFx 2016).
/// `amount` 0 to 1 raises the gain into the clipper by up to 27 dB; the level after it is brought
/// back so that a constant −6 dB would keep its level. Dry and wet take the same way, so no `mix`
/// combs. That way is 3 samples long: `presence` crosses over into it. At presence 0 the input passes
/// bit for bit. *Thread: audio. Realtime-safe: yes.*
#[derive(Clone, Debug)]
pub struct Drive {
    up: HalfBand,
    down: HalfBand,
    /// The last sample at twice the rate, before and after the gain.
    dry: f32,
    pushed: f32,
    amount: f32,
    /// What `amount` means.
    push: Push,
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
            push: Push::NONE,
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

    /// Drives a quantum in place. `amount`, `mix` and `presence`, 0 to 1, are those of its end;
    /// `presence` says how much of all this is there: 1 is on, 0 is off.
    pub fn process(&mut self, io: &mut Quantum, amount: f32, mix: f32, presence: f32) {
        let amount = bound(amount, 0.0, 1.0);
        let (mix, presence) = (bound(mix, 0.0, 1.0), bound(presence, 0.0, 1.0));
        if self.fresh {
            (self.mix, self.presence) = (mix, presence);
        }
        if presence == 0.0 && self.presence == 0.0 {
            *self = Drive { fresh: false, ..Drive::new() };
            return;
        }
        let to = if amount == self.amount { self.push } else { Push::of(amount) };
        if self.fresh || self.presence == 0.0 {
            self.push = to;
        }
        if !self.fresh && self.presence == 0.0 {
            self.enter(snap(io[0]));
        }
        let settings = Settings {
            gain: line(self.push.gain, to.gain),
            level: line(self.push.level, to.level),
            wet: line(self.mix, mix),
        };
        let mut twice = self.up.split(io);
        self.shape(&mut twice, &settings);
        let driven = self.down.join(&twice);
        let here = line(self.presence, presence);
        for n in 0..QUANTUM {
            io[n] += here[n] * (driven[n] - io[n]);
        }
        (self.amount, self.push, self.mix, self.presence) = (amount, to, mix, presence);
        self.fresh = false;
    }

    /// Joins a sounding signal as if it had always stood where it stands now: from zero, the filters
    /// would hear a step, and ring.
    fn enter(&mut self, now: f32) {
        (self.up, self.down) = (HalfBand::resting(now), HalfBand::resting(now));
        (self.dry, self.pushed) = (now, now * self.push.gain);
    }

    /// The clipper, at twice the rate.
    #[inline]
    fn shape(&mut self, io: &mut [Twice; QUANTUM], Settings { gain, level, wet }: &Settings) {
        let mut pushed = [[0.0; 2]; QUANTUM];
        for n in 0..QUANTUM {
            pushed[n] = [io[n][0] * gain[n], io[n][1] * gain[n]];
        }
        let (mut was, mut was_pushed) = (self.dry, self.pushed);
        (self.dry, self.pushed) = (io[QUANTUM - 1][1], pushed[QUANTUM - 1][1]);
        for n in 0..QUANTUM {
            let ([first, second], [first_pushed, second_pushed]) = (io[n], pushed[n]);
            let before = [was, first];
            let before_pushed = [was_pushed, first_pushed];
            (was, was_pushed) = (second, second_pushed);
            for half in 0..2 {
                // The dry signal takes the same half-sample average that the antiderivative implies.
                let dry = 0.5 * (io[n][half] + before[half]);
                let clipped = level[n] * clip_mean(before_pushed[half], pushed[n][half]);
                io[n][half] = dry + wet[n] * (clipped - dry);
            }
        }
    }
}

/// The settings at each sample of a quantum.
struct Settings {
    gain: Quantum,
    level: Quantum,
    wet: Quantum,
}

impl Default for Drive {
    fn default() -> Drive {
        Drive::new()
    }
}

/// What an amount means.
#[derive(Clone, Copy, Debug)]
struct Push {
    /// Gain into the clipper.
    gain: f32,
    /// Gain after it.
    level: f32,
}

impl Push {
    /// That of amount 0.
    const NONE: Push = Push { gain: 1.0, level: 0.5 / soft_clip(0.5) };

    fn of(amount: f32) -> Push {
        let gain = exp2(4.5 * amount);
        Push { gain, level: 0.5 / soft_clip(0.5 * gain) }
    }
}

/// The mean of [`soft_clip`] between two inputs: the difference of its antiderivative over their
/// distance, arranged without branches so that nothing cancels when they lie close. Of each input,
/// the part within ±1 follows the curve and the part beyond lies on the flat top.
#[inline]
fn clip_mean(a: f32, b: f32) -> f32 {
    const TOP: f32 = 8.0 / 15.0;
    let (bent_a, bent_b) = (within_1(a), within_1(b));
    let (flat_a, flat_b) = (a - bent_a, b - bent_b);
    let bent = mean_inside(bent_a, bent_b);
    let span = b - a;
    let span = if span == 0.0 { 1.0 } else { span };
    bent + (TOP * (flat_b.abs() - flat_a.abs()) - bent * (flat_b - flat_a)) / span
}

#[inline]
fn within_1(x: f32) -> f32 {
    let x = if x > -1.0 { x } else { -1.0 };
    if x < 1.0 { x } else { 1.0 }
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
/// Both chains run side by side; each stage is a first-order all-pass, y = c·(x − y′) + x′, summed so
/// that a sample waits for the last through two operations only.
#[derive(Clone, Debug, Default)]
struct HalfBand {
    /// The last input, and the last output of each stage, of both chains.
    past: [Twice; STAGES + 1],
}

/// Two samples at twice the rate, in order; or one of the even and one of the odd chain.
type Twice = [f32; 2];

const STAGES: usize = 3;
/// Coefficients of each stage: even and odd chain.
const ALLPASS: [Twice; STAGES] =
    [[0.044_296_928, 0.164_569_56], [0.331_371_37, 0.515_803_3], [0.702_645_4, 0.895_142_4]];
/// Samples between two looks for silence: the least coefficient, this many times over, takes no
/// state from [`math::TINY`](super::math::TINY) to the denormals.
const WATCH: usize = 8;

impl HalfBand {
    /// One that has heard this value for ever.
    fn resting(value: f32) -> HalfBand {
        HalfBand { past: [[value; 2]; STAGES + 1] }
    }

    /// A quantum in, its samples at twice the rate out.
    #[inline]
    fn split(&mut self, io: &Quantum) -> [Twice; QUANTUM] {
        let mut twice = [[0.0; 2]; QUANTUM];
        twice.iter_mut().zip(io).for_each(|(twice, x)| *twice = [snap(*x); 2]);
        self.run(&mut twice);
        twice
    }

    /// A quantum at twice the rate in, its samples out.
    #[inline]
    fn join(&mut self, twice: &[Twice; QUANTUM]) -> Quantum {
        let mut chains = [[0.0; 2]; QUANTUM];
        for (chains, [first, second]) in chains.iter_mut().zip(twice) {
            *chains = [snap(*second), snap(*first)];
        }
        self.run(&mut chains);
        let mut out = [0.0; QUANTUM];
        out.iter_mut().zip(&chains).for_each(|(out, [even, odd])| *out = 0.5 * (even + odd));
        out
    }

    #[inline]
    fn run(&mut self, io: &mut [Twice; QUANTUM]) {
        for group in io.as_chunks_mut::<WATCH>().0 {
            let mut past = self.past;
            for chains in group {
                let mut x = *chains;
                for stage in 0..STAGES {
                    let c = ALLPASS[stage];
                    let mut y = [0.0; 2];
                    for lane in 0..2 {
                        y[lane] = (c[lane] * x[lane] + past[stage][lane]) - c[lane] * past[stage + 1][lane];
                    }
                    past[stage] = x;
                    x = y;
                }
                past[STAGES] = x;
                *chains = x;
            }
            self.past = past.map(|lanes| lanes.map(snap));
        }
    }

    fn is_silent(&self) -> bool {
        self.past.iter().all(|lanes| *lanes == [0.0; 2])
    }
}
