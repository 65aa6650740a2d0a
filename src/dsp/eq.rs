//! The equaliser.

use super::math::{bound, exp2, snap};
use super::svf::{Coefficients, Core};
use super::{QUANTUM, Quantum};

/// Where the bands lie, in Hz: a shelf below, a bell, a shelf above.
pub const EQ_HZ: [f32; 3] = [160.0, 1_000.0, 5_000.0];
/// Q of the bell; the shelves have 1/√2.
pub const EQ_BELL_Q: f32 = 0.7;
const SHELF_Q: f32 = std::f32::consts::FRAC_1_SQRT_2;

/// Samples between two settings of moving bands.
const CONTROL: usize = 8;

/// Three bands for one channel: a low shelf, a bell and a high shelf (Simper, "Linear trapezoidal
/// state variable filters", 2014).
///
/// At 0 dB in every band the input passes bit for bit, at no cost. *Thread: audio. Realtime-safe:
/// yes.*
#[derive(Clone, Debug)]
pub struct Eq {
    cores: [Core; 3],
    bands: [Band; 3],
    gains_db: [f32; 3],
    /// Nothing was heard since the last reset.
    fresh: bool,
}

/// A band's filter, and how much of its input, band and low it gives.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Band {
    at: Coefficients,
    input: f32,
    band: f32,
    low: f32,
}

impl Band {
    /// The band at a place with a gain.
    fn of(place: usize, gain_db: f32) -> Band {
        // log2(10) / 40: the square root of the gain.
        let a = exp2(gain_db * 0.083_048_2);
        let root = exp2(gain_db * 0.041_524_1);
        let at = |scale: f32, q: f32| {
            let Coefficients { g, k } = Coefficients::new(EQ_HZ[place], q);
            Coefficients { g: g * scale, k }
        };
        match place {
            0 => {
                let at = at(1.0 / root, SHELF_Q);
                Band { at, input: 1.0, band: at.k * (a - 1.0), low: a * a - 1.0 }
            }
            1 => {
                let at = at(1.0, EQ_BELL_Q * a);
                Band { at, input: 1.0, band: at.k * (a * a - 1.0), low: 0.0 }
            }
            _ => {
                let at = at(root, SHELF_Q);
                Band { at, input: a * a, band: at.k * (1.0 - a) * a, low: 1.0 - a * a }
            }
        }
    }

    fn towards(self, to: Band, share: f32) -> Band {
        let along = |from: f32, to: f32| from + (to - from) * share;
        Band {
            at: Coefficients { g: along(self.at.g, to.at.g), k: along(self.at.k, to.at.k) },
            input: along(self.input, to.input),
            band: along(self.band, to.band),
            low: along(self.low, to.low),
        }
    }
}

impl Eq {
    /// At rest.
    pub fn new() -> Eq {
        Eq {
            cores: [Core::default(); 3],
            bands: std::array::from_fn(|place| Band::of(place, 0.0)),
            gains_db: [0.0; 3],
            fresh: true,
        }
    }

    /// Forgets what it heard; the next quantum begins with its settings. Realtime-safe: yes.
    pub fn reset(&mut self) {
        self.cores = [Core::default(); 3];
        self.fresh = true;
    }

    /// Whether silence in gives silence out from here on.
    pub fn is_silent(&self) -> bool {
        self.cores.iter().all(Core::is_silent)
    }

    /// Equalises a quantum in place; gains low, mid and high are −24 to 24 dB.
    pub fn process(&mut self, io: &mut Quantum, gains_db: [f32; 3]) {
        let gains_db = gains_db.map(|gain_db| bound(gain_db, -24.0, 24.0));
        if gains_db == [0.0; 3] && (self.gains_db == gains_db || self.fresh) {
            if self.gains_db != gains_db {
                *self = Eq::new();
            }
            self.cores = [Core::default(); 3];
            self.fresh = false;
            return;
        }
        let to: [Band; 3] = std::array::from_fn(|place| {
            let moves = gains_db[place] != self.gains_db[place];
            if moves { Band::of(place, gains_db[place]) } else { self.bands[place] }
        });
        if self.fresh {
            self.bands = to;
        }
        if self.bands == to {
            self.run(io, to, to);
        } else {
            let from = self.bands;
            let at = |group: usize| {
                let share = (group * CONTROL) as f32 * (1.0 / QUANTUM as f32);
                std::array::from_fn(|place| from[place].towards(to[place], share))
            };
            for (group, samples) in io.as_chunks_mut::<CONTROL>().0.iter_mut().enumerate() {
                self.run(samples, at(group), at(group + 1));
            }
        }
        self.cores.iter_mut().for_each(Core::settle);
        (self.bands, self.gains_db, self.fresh) = (to, gains_db, false);
    }

    /// The three bands side by side in time: each waits for the one before it by a sample's work.
    /// What they give moves with every sample, where they lie once a call.
    #[inline]
    fn run(&mut self, io: &mut [f32], from: [Band; 3], to: [Band; 3]) {
        let tunings = to.map(|band| band.at.tuned());
        let still = from == to;
        let share = 1.0 / io.len() as f32;
        for (n, sample) in io.iter_mut().enumerate() {
            let mut x = snap(*sample);
            for place in 0..3 {
                let heard = self.cores[place].tick(x, tunings[place]);
                let along = (n + 1) as f32 * share;
                let Band { input, band, low, .. } =
                    if still { to[place] } else { from[place].towards(to[place], along) };
                x = input * x + band * heard.band + low * heard.low;
            }
            *sample = snap(x);
        }
    }
}

impl Default for Eq {
    fn default() -> Eq {
        Eq::new()
    }
}
