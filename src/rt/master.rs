//! The way from the sum of the tracks to the output: buses, inserts, space, fader, limiter.
//!
//! Thread: audio. Realtime-safe: yes, but for [`Master::new`].

use super::buses::Buses;
use super::fader::Fader;
use super::inserts::Inserts;
use super::space::Space;
use crate::dsp::{Limiter, QUANTUM, Quantum, Smoother};
use crate::param::{MAX_TRACKS, Param};

/// A master's chain. There is one for everybody's mix, and one more where a musician has a mix of
/// their own.
pub(super) struct Master {
    buses: Buses,
    inserts: Inserts<2>,
    space: Space,
    fader: Fader,
    ceiling: Smoother,
    limiter: Limiter,
}

impl Master {
    /// Allocates.
    pub(super) fn new() -> Master {
        Master {
            buses: Buses::new(),
            inserts: Inserts::new(),
            space: Space::new(),
            fader: Fader::new(),
            ceiling: Smoother::new(0.0),
            limiter: Limiter::new(),
        }
    }

    /// Heads for the master's values, to arrive after `ramp` samples.
    pub(super) fn head_for(&mut self, param: &impl Fn(Param) -> f32, ramp: u32) {
        self.buses.head_for(param, ramp);
        self.inserts.head_for(param, ramp);
        self.space.head_for(param, ramp);
        self.fader.head_for(param, ramp);
        self.ceiling.set(param(Param::Ceiling), ramp);
    }

    pub(super) fn reset(&mut self) {
        self.buses.reset();
        self.inserts.reset();
        self.space.reset();
        self.limiter.reset();
    }

    /// A run begins: the next quantum's first sample is this one of the song.
    pub(super) fn begin(&mut self, sample: i64) {
        self.inserts.begin(sample);
        self.space.begin(sample);
    }

    /// The song goes on from elsewhere; what only sways sways on.
    pub(super) fn seek(&mut self, sample: i64) {
        self.inserts.modulation.seek(sample);
    }

    /// Seconds of a beat, for what is as long as the song says.
    pub(super) fn follow(&mut self, beat_s: f32) {
        (self.inserts.beat_s, self.buses.beat_s) = (beat_s, beat_s);
    }

    /// Whether silence in gives silence out from here on.
    pub(super) fn is_silent(&self) -> bool {
        self.buses.is_silent() && self.inserts.is_silent() && self.space.is_silent()
    }

    /// Takes a track's two sides, after its fader, into a bus; see [`Buses::send`].
    pub(super) fn send(&mut self, bus: usize, sides: [&Quantum; 2], (from, to): (f32, f32)) {
        self.buses.send(bus, sides, from, to);
    }

    /// From the sum of the tracks to what the limiter hears.
    pub(super) fn gather(&mut self, left: &mut Quantum, right: &mut Quantum, voices: &[Quantum; MAX_TRACKS]) {
        self.buses.add_to(left, right);
        let key = self.inserts.side.map(|side| &voices[side]);
        self.inserts.process([&mut *left, &mut *right], false, key);
        if self.space.is_off() {
            self.space.rest();
        } else {
            self.space.process(left, right);
        }
        let gains = self.fader.quantum(self.inserts.pan_sway());
        for (side, gains) in [left, right].into_iter().zip(&gains) {
            side.iter_mut().zip(gains).for_each(|(sample, gain)| *sample *= gain);
        }
    }

    /// The limiter, at the master's ceiling and no higher than `most_db`.
    pub(super) fn limit(&mut self, left: &mut Quantum, right: &mut Quantum, most_db: f32) {
        let ceiling = self.ceiling.advance_by(QUANTUM as u32);
        self.limiter.process(left, right, ceiling.min(most_db));
    }
}
