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

    /// So many samples along a slope.
    #[inline]
    pub fn along(self, slope: Coefficients, samples: f32) -> Coefficients {
        Coefficients { g: self.g + slope.g * samples, k: self.k + slope.k * samples }
    }
}

impl Coefficients {
    /// What the filter's arithmetic needs of them.
    #[inline]
    pub fn tuned(self) -> Tuning {
        let Coefficients { g, k } = self;
        let twice = 2.0 / (1.0 + g * (g + k));
        Tuning { loss: twice * g * (g + k), turn: twice * g, pull: twice * g * g, k }
    }
}

/// [`Coefficients`] as the filter's states move by them, each twice what the output hears.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tuning {
    /// Of the first state, by itself.
    loss: f32,
    /// Of each state by the other, and of the first by the input.
    turn: f32,
    /// Of the second state, towards the input.
    pull: f32,
    k: f32,
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
/// rev. 2.1.2, chapter 4), solved for their next states, so that one sample waits for the last
/// through three operations only. Stable for every g > 0 and k > 0, however they move.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Core {
    s1: f32,
    s2: f32,
}

impl Core {
    /// One that has heard this value for ever: so a filter joins a sounding signal, which is no step
    /// to it then.
    fn resting(value: f32) -> Core {
        Core { s1: 0.0, s2: value }
    }

    /// The next sample. Whoever ticks it calls [`Core::settle`] at least every 32 samples.
    #[inline]
    pub fn tick(&mut self, x: f32, Tuning { loss, turn, pull, k }: Tuning) -> Responses {
        let away = x - self.s2;
        let s1 = (self.s1 - loss * self.s1) + turn * away;
        let s2 = (self.s2 + turn * self.s1) + pull * away;
        // A trapezoidal integrator gives the mean of its states before and after.
        let (band, low) = (0.5 * (self.s1 + s1), 0.5 * (self.s2 + s2));
        (self.s1, self.s2) = (s1, s2);
        Responses { low, band, high: x - k * band - low }
    }

    /// Falls silent below [`TINY`].
    #[inline]
    pub fn settle(&mut self) {
        // Together: alone, a small s1 that keeps turning s2 would vanish and leave it hanging.
        if self.s1.abs() + self.s2.abs() < TINY {
            (self.s1, self.s2) = (0.0, 0.0);
        }
    }

    /// Whether silence in gives silence out.
    #[inline]
    pub fn is_silent(&self) -> bool {
        self.s1 == 0.0 && self.s2 == 0.0
    }
}

/// A one-pole filter by the same transform, for cutoffs above 1 kHz.
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

    /// What lies below the cutoff, in place.
    #[inline]
    pub fn lowpass(&mut self, io: &mut Quantum) {
        let (keep, take) = (1.0 - 2.0 * self.share, 2.0 * self.share);
        for sample in io {
            let s = keep * self.s + take * *sample;
            *sample = 0.5 * (self.s + s);
            self.s = s;
        }
        self.s = snap(self.s);
    }

    /// Whether silence in gives silence out.
    #[inline]
    pub fn is_silent(&self) -> bool {
        self.s == 0.0
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
/// quantum. *Thread: audio. Realtime-safe: yes.*
#[derive(Clone, Debug)]
pub struct Svf {
    core: Core,
    at: Coefficients,
    /// The cutoff that `at` stands for.
    cutoff_hz: f32,
    mix: Mix,
    /// Nothing was heard since the last reset.
    fresh: bool,
}

impl Svf {
    /// At rest.
    pub fn new() -> Svf {
        let at = Coefficients::new(20_000.0, 1.0);
        Svf { core: Core::default(), at, cutoff_hz: 20_000.0, mix: Mix::THROUGH, fresh: true }
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
        if from == Mix::THROUGH && !self.fresh {
            self.core = Core::resting(snap(io[0]));
        }
        if from == Mix::THROUGH || self.fresh {
            self.cutoff_hz = bound(cutoff[0], 20.0, 20_000.0);
            self.at = Coefficients::new(self.cutoff_hz, q);
        }
        if from == to && self.at.k == 1.0 / q && self.rests_at(cutoff) {
            self.rest(io, to);
            (self.mix, self.fresh) = (to, false);
            return;
        }
        let (k_from, k_step) = (self.at.k, (1.0 / q - self.at.k) * (1.0 / QUANTUM as f32));
        for (group, samples) in io.as_chunks_mut::<CONTROL>().0.iter_mut().enumerate() {
            let last = (group + 1) * CONTROL;
            let k = if last < QUANTUM { k_from + k_step * last as f32 } else { 1.0 / q };
            let there = self.head_for(bound(cutoff[last - 1], 20.0, 20_000.0), k);
            let (band, low) = self.run(samples, there);
            for n in 0..CONTROL {
                let share = (group * CONTROL + n + 1) as f32 * (1.0 / QUANTUM as f32);
                let mix = from.towards(to, share);
                samples[n] = snap(mix.input * samples[n] + mix.band * band[n] + mix.low * low[n]);
            }
        }
        (self.mix, self.fresh) = (to, false);
    }

    /// Whether every reading of the cutoff is the one that the coefficients stand for.
    fn rests_at(&self, cutoff: &Quantum) -> bool {
        let readings = cutoff.as_chunks::<CONTROL>().0.iter().map(|group| group[CONTROL - 1]);
        readings.fold(true, |rests, hz| rests & (bound(hz, 20.0, 20_000.0) == self.cutoff_hz))
    }

    /// A quantum along which nothing moves: bit for bit what [`Svf::run`] and the crossing give then.
    fn rest(&mut self, io: &mut Quantum, mix: Mix) {
        let (tuning, k) = (self.at.tuned(), self.at.k);
        for samples in io.as_chunks_mut::<CONTROL>().0 {
            for sample in samples {
                let heard = self.core.tick(snap(*sample), tuning);
                let (band, low) = (k * heard.band, heard.low);
                *sample = snap(mix.input * *sample + mix.band * band + mix.low * low);
            }
            self.core.settle();
        }
    }

    /// The coefficients of a cutoff; where it rests, they are known.
    fn head_for(&mut self, cutoff_hz: f32, k: f32) -> Coefficients {
        if cutoff_hz == self.cutoff_hz {
            return Coefficients { k, ..self.at };
        }
        self.cutoff_hz = cutoff_hz;
        Coefficients { k, ..Coefficients::new(cutoff_hz, 1.0) }
    }

    /// Band (at 0 dB) and low of a group of samples, on the way to its coefficients.
    #[inline]
    fn run(&mut self, samples: &[f32; CONTROL], there: Coefficients) -> ([f32; CONTROL], [f32; CONTROL]) {
        let slope = self.at.slope_to(there, CONTROL as u32);
        let from = self.at;
        let at: [Coefficients; CONTROL] = std::array::from_fn(|n| from.along(slope, n as f32 + 1.0));
        let tuning = at.map(Coefficients::tuned);
        let (mut band, mut low) = ([0.0; CONTROL], [0.0; CONTROL]);
        for n in 0..CONTROL {
            let heard = self.core.tick(snap(samples[n]), tuning[n]);
            (band[n], low[n]) = (at[n].k * heard.band, heard.low);
        }
        self.core.settle();
        // Exactly, so that rounding never adds up.
        self.at = there;
        (band, low)
    }

    /// Forgets what it heard; the next quantum begins with its settings, without crossing over.
    /// Realtime-safe: yes.
    pub fn reset(&mut self) {
        *self = Svf::new();
    }

    /// Whether silence in gives silence out from here on.
    pub fn is_silent(&self) -> bool {
        self.core.is_silent()
    }
}

impl Default for Svf {
    fn default() -> Svf {
        Svf::new()
    }
}
