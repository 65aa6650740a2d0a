//! Chorus and reverb of one owner, behind its inserts.
//!
//! Thread: audio. Realtime-safe: yes, but for [`Space::new`]. Invariant: off and rung out, it passes
//! its input bit for bit.

use super::inserts::switched;
use super::ramp::quantum_on;
use crate::dsp::{Chorus, Lfo, Quantum, Reverb, Smoother};
use crate::param::Param;

/// Chorus and reverb: what makes two sides of one.
pub(super) struct Space {
    chorus: [Chorus; 2],
    reverb: Reverb,
    sway: Lfo,
    chorus_depth: Smoother,
    chorus_mix: Smoother,
    decay: Smoother,
    predelay: f32,
    reverb_mix: Smoother,
}

impl Space {
    /// Allocates.
    pub(super) fn new() -> Space {
        let still = Smoother::new(0.0);
        Space {
            chorus: std::array::from_fn(|_| Chorus::new()),
            reverb: Reverb::new(),
            sway: Lfo::new(),
            chorus_depth: still,
            chorus_mix: still,
            decay: Smoother::new(2.5),
            predelay: 0.0,
            reverb_mix: still,
        }
    }

    /// Heads for an owner's values, to arrive after `ramp` samples.
    pub(super) fn head_for(&mut self, param: &impl Fn(Param) -> f32, ramp: u32) {
        let on = |switch, value| switched(param, switch, value, 0.0);
        self.sway.set_hz(param(Param::ChorusRate));
        self.chorus_depth.set(param(Param::ChorusDepth), ramp);
        self.chorus_mix.set(on(Param::ChorusEnabled, Param::ChorusMix), ramp);
        self.decay.set(param(Param::ReverbDecay), ramp);
        self.predelay = param(Param::ReverbPredelay);
        self.reverb_mix.set(on(Param::ReverbEnabled, Param::ReverbMix), ramp);
    }

    /// A run begins: the next quantum's first sample is this one of the song.
    pub(super) fn begin(&mut self, song: i64) {
        self.sway.begin(song);
    }

    pub(super) fn reset(&mut self) {
        self.chorus.iter_mut().for_each(Chorus::reset);
        self.reverb.reset();
    }

    /// Whether silence in gives silence out from here on.
    pub(super) fn is_silent(&self) -> bool {
        self.chorus.iter().all(Chorus::is_silent) && self.reverb.is_silent()
    }

    /// Whether it passes its input untouched, from here on.
    pub(super) fn is_off(&self) -> bool {
        let off = |mix: &Smoother| mix.is_settled() && mix.target() == 0.0;
        off(&self.chorus_mix) && off(&self.reverb_mix) && self.is_silent()
    }

    /// A quantum that it leaves alone: the values move on.
    pub(super) fn rest(&mut self) {
        for value in [&mut self.chorus_depth, &mut self.chorus_mix, &mut self.decay, &mut self.reverb_mix] {
            quantum_on(value);
        }
        self.sway.advance();
        if self.chorus_mix.value() == 0.0 {
            self.chorus.iter_mut().for_each(Chorus::pass);
        }
        if self.reverb_mix.value() == 0.0 {
            self.reverb.pass();
        }
    }

    pub(super) fn process(&mut self, left: &mut Quantum, right: &mut Quantum) {
        self.sway.advance();
        let (depth, mix) = (quantum_on(&mut self.chorus_depth), quantum_on(&mut self.chorus_mix));
        for (at, io) in [&mut *left, &mut *right].into_iter().enumerate() {
            let sway = if mix == 0.0 { 0.0 } else { self.sway.sine((at as u32) << 30) };
            self.chorus[at].process(io, sway, depth, mix);
        }
        let (decay, mix) = (quantum_on(&mut self.decay), quantum_on(&mut self.reverb_mix));
        self.reverb.process(left, right, decay, self.predelay, mix);
    }
}
