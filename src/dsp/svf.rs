//! The state-variable filter, by topology-preserving transform.

use super::math::{TINY, bound, snap, tan_half_turns};
use super::{QUANTUM, Quantum, RATE};

/// What a filter lets through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FilterKind {
    /// Below the cutoff, 12 dB an octave.
    #[default]
    Lowpass,
    /// Above the cutoff, 12 dB an octave.
    Highpass,
    /// Around the cutoff, 0 dB at its peak.
    Bandpass,
    /// All but the cutoff.
    Notch,
}

/// The integrators' gain and the damping.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Coefficients {
    /// tan(π·cutoff / rate).
    pub g: f32,
    /// 1 / Q.
    pub k: f32,
}

impl Coefficients {
    /// For a cutoff in Hz (held within 10 to 22,000) and a Q.
    pub fn new(cutoff_hz: f32, q: f32) -> Coefficients {
        let g = tan_half_turns(bound(cutoff_hz, 10.0, 22_000.0) * (1.0 / RATE));
        Coefficients { g, k: 1.0 / q }
    }

    /// What to add each sample to arrive in so many.
    pub fn slope_to(self, to: Coefficients, samples: u32) -> Coefficients {
        let share = 1.0 / samples as f32;
        Coefficients { g: (to.g - self.g) * share, k: (to.k - self.k) * share }
    }

    /// One step along a slope.
    #[inline]
    pub fn plus(self, slope: Coefficients) -> Coefficients {
        Coefficients { g: self.g + slope.g, k: self.k + slope.k }
    }
}

/// The three responses of one sample.
#[derive(Clone, Copy, Debug)]
pub(super) struct Responses {
    pub low: f32,
    /// With gain Q at the cutoff; times 1 / Q it peaks at 0 dB.
    pub band: f32,
    pub high: f32,
}

/// The filter's memory: two trapezoidal integrators (Zavalishin, "The Art of VA Filter Design",
/// rev. 2.1.2, chapter 4). Stable for every g > 0 and k > 0, however they move.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Core {
    s1: f32,
    s2: f32,
}

impl Core {
    #[inline]
    pub fn tick(&mut self, x: f32, Coefficients { g, k }: Coefficients) -> Responses {
        let high = (x - (g + k) * self.s1 - self.s2) / (1.0 + g * (g + k));
        let band = self.s1 + g * high;
        let low = self.s2 + g * band;
        let (s1, s2) = (band + g * high, low + g * band);
        // Together: alone, a small s1 that keeps turning s2 would vanish and leave it hanging.
        (self.s1, self.s2) = if s1.abs() + s2.abs() < TINY { (0.0, 0.0) } else { (s1, s2) };
        Responses { low, band, high }
    }
}

/// A one-pole filter by the same transform.
#[derive(Clone, Copy, Debug)]
pub(super) struct OnePole {
    s: f32,
    share: f32,
}

impl OnePole {
    /// With a cutoff in Hz.
    pub fn new(cutoff_hz: f32) -> OnePole {
        let g = tan_half_turns(cutoff_hz * (1.0 / RATE));
        OnePole { s: 0.0, share: g / (1.0 + g) }
    }

    /// What lies below the cutoff.
    #[inline]
    pub fn lowpass(&mut self, x: f32) -> f32 {
        let v = (x - self.s) * self.share;
        let low = v + self.s;
        self.s = snap(low + v);
        low
    }
}

/// Samples between two settings of the coefficients.
const CONTROL: usize = 8;

/// How much of input, band and low the output holds.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Mix {
    input: f32,
    /// Of k · band.
    band: f32,
    low: f32,
}

impl Mix {
    const THROUGH: Mix = Mix { input: 1.0, band: 0.0, low: 0.0 };

    fn of(kind: FilterKind) -> Mix {
        // High = input − k·band − low.
        let (input, band, low) = match kind {
            FilterKind::Lowpass => (0.0, 0.0, 1.0),
            FilterKind::Highpass => (1.0, -1.0, -1.0),
            FilterKind::Bandpass => (0.0, 1.0, 0.0),
            FilterKind::Notch => (1.0, -1.0, 0.0),
        };
        Mix { input, band, low }
    }

    #[inline]
    fn towards(self, to: Mix, share: f32) -> Mix {
        Mix {
            input: self.input + (to.input - self.input) * share,
            band: self.band + (to.band - self.band) * share,
            low: self.low + (to.low - self.low) * share,
        }
    }
}

/// A 12 dB filter for one channel: low-, high-, band-pass or notch, 20 Hz to 20 kHz, Q 0.1 to 30.
///
/// A low-pass opened to 20 kHz is no filter at all: it passes its input bit for bit; that is
/// how it is switched off. Changes of kind, and into and out of that, cross over within one
/// quantum. *Thread: audio. Realtime-safe:
/// yes.*
#[derive(Clone, Debug)]
pub struct Svf {
    core: Core,
    at: Coefficients,
    mix: Mix,
    /// Nothing was heard since the last reset.
    fresh: bool,
}

impl Svf {
    /// At rest.
    pub fn new() -> Svf {
        let at = Coefficients::new(20_000.0, 1.0);
        Svf { core: Core::default(), at, mix: Mix::THROUGH, fresh: true }
    }

    /// Filters a quantum in place. `cutoff` is in Hz, per sample; it is read every eighth sample
    /// and the coefficients run straight between the readings. `q` is the quantum's last.
    pub fn process(&mut self, io: &mut Quantum, kind: FilterKind, cutoff: &Quantum, q: f32) {
        let open = kind == FilterKind::Lowpass && cutoff[QUANTUM - 1] >= 20_000.0;
        let to = if open { Mix::THROUGH } else { Mix::of(kind) };
        let from = if self.fresh { to } else { self.mix };
        if from == Mix::THROUGH && open {
            *self = Svf { fresh: false, ..Svf::new() };
            return;
        }
        let q = bound(q, 0.1, 30.0);
        if from == Mix::THROUGH || self.fresh {
            self.at = Coefficients::new(cutoff[0], q);
        }
        let (k_from, k_step) = (self.at.k, (1.0 / q - self.at.k) * (1.0 / QUANTUM as f32));
        for (group, samples) in io.chunks_exact_mut(CONTROL).enumerate() {
            let last = (group + 1) * CONTROL;
            let mut there = Coefficients::new(bound(cutoff[last - 1], 20.0, 20_000.0), q);
            if last < QUANTUM {
                there.k = k_from + k_step * last as f32;
            }
            let slope = self.at.slope_to(there, CONTROL as u32);
            for (n, sample) in samples.iter_mut().enumerate() {
                self.at = self.at.plus(slope);
                let Responses { low, band, .. } = self.core.tick(*sample, self.at);
                let share = (group * CONTROL + n + 1) as f32 * (1.0 / QUANTUM as f32);
                let mix = from.towards(to, share);
                *sample = mix.input * *sample + mix.band * (self.at.k * band) + mix.low * low;
            }
            // Exactly, so that rounding never adds up.
            self.at = there;
        }
        (self.mix, self.fresh) = (to, false);
    }

    /// Forgets what it heard; the next quantum begins with its settings, without crossing over.
    /// Realtime-safe: yes.
    pub fn reset(&mut self) {
        *self = Svf::new();
    }

    /// Whether silence in gives silence out from here on.
    pub fn is_silent(&self) -> bool {
        self.core.s1 == 0.0 && self.core.s2 == 0.0
    }
}

impl Default for Svf {
    fn default() -> Svf {
        Svf::new()
    }
}
