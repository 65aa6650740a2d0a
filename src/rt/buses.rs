//! The sends' reverb and delay, one of each for all tracks.
//!
//! Thread: audio. Realtime-safe: yes, but for [`Buses::new`]. Invariant: a bus that is sent nothing
//! and has rung out adds nothing, at next to no cost.

use super::ramp::quantum_on;
use super::synced::{BEAT_S, echo_s};
use crate::dsp::{PingPong, QUANTUM, Quantum, Reverb, Smoother, line};
use crate::param::Param;

/// What the tracks send to, for all together: a reverb and a delay whose echoes change sides, wet
/// alone, by the master's decay, pre-delay, time, sync and feedback.
pub(super) struct Buses {
    reverb: Reverb,
    echoes: PingPong,
    decay: Smoother,
    predelay: f32,
    time: f32,
    sync: f32,
    /// Seconds of a beat.
    pub(super) beat_s: f32,
    feedback: Smoother,
    /// Whether each is switched on, and what it gets in this quantum.
    open: [Smoother; 2],
    inputs: [[Quantum; 2]; 2],
    used: [bool; 2],
}

impl Buses {
    /// Allocates.
    pub(super) fn new() -> Buses {
        Buses {
            reverb: Reverb::new(),
            echoes: PingPong::new(),
            decay: Smoother::new(2.5),
            predelay: 0.0,
            time: 0.25,
            sync: 0.0,
            beat_s: BEAT_S,
            feedback: Smoother::new(0.0),
            open: [Smoother::new(1.0); 2],
            inputs: [[[0.0; QUANTUM]; 2]; 2],
            used: [false; 2],
        }
    }

    /// Heads for the master's values, to arrive after `ramp` samples.
    pub(super) fn head_for(&mut self, param: &impl Fn(Param) -> f32, ramp: u32) {
        self.decay.set(param(Param::ReverbDecay), ramp);
        self.predelay = param(Param::ReverbPredelay);
        (self.time, self.sync) = (param(Param::DelayTime), param(Param::DelaySync));
        self.feedback.set(param(Param::DelayFeedback), ramp);
        for (open, switch) in self.open.iter_mut().zip([Param::ReverbEnabled, Param::DelayEnabled]) {
            open.set(if param(switch) >= 0.5 { 1.0 } else { 0.0 }, ramp);
        }
    }

    pub(super) fn reset(&mut self) {
        self.reverb.reset();
        self.echoes.reset();
        self.used = [false; 2];
    }

    /// Whether they give nothing until they are sent something.
    pub(super) fn is_silent(&self) -> bool {
        self.reverb.is_silent() && self.echoes.is_silent()
    }

    /// Adds a track's two sides, after its fader, along a send's two ends; bus 0 is the reverb, 1 the
    /// delay.
    pub(super) fn send(&mut self, bus: usize, sides: [&Quantum; 2], from: f32, to: f32) {
        let [left, right] = &mut self.inputs[bus];
        if !self.used[bus] {
            (*left, *right, self.used[bus]) = ([0.0; QUANTUM], [0.0; QUANTUM], true);
        }
        let amount = line(from, to);
        for n in 0..QUANTUM {
            left[n] += amount[n] * sides[0][n];
            right[n] += amount[n] * sides[1][n];
        }
    }

    /// Adds what the buses give to the master's two sides.
    pub(super) fn add_to(&mut self, left: &mut Quantum, right: &mut Quantum) {
        let decay = quantum_on(&mut self.decay);
        let feedback = quantum_on(&mut self.feedback);
        let before = self.open.map(|open| open.value());
        let open = self.open.each_mut().map(quantum_on);
        let used = std::mem::take(&mut self.used);
        let silent = [self.reverb.is_silent(), self.echoes.is_silent()];
        let time = echo_s(self.sync, self.beat_s).unwrap_or(self.time);
        for bus in 0..2 {
            if !used[bus] {
                if silent[bus] {
                    continue;
                }
                self.inputs[bus] = [[0.0; QUANTUM]; 2];
            }
            let [to_left, to_right] = &mut self.inputs[bus];
            if bus == 0 {
                self.reverb.process(to_left, to_right, decay, self.predelay, 1.0);
            } else {
                self.echoes.process(to_left, to_right, time, feedback);
            }
            let amount = line(before[bus], open[bus]);
            for n in 0..QUANTUM {
                left[n] += amount[n] * to_left[n];
                right[n] += amount[n] * to_right[n];
            }
        }
    }
}
