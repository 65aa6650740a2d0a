//! An owner's LFOs: one for each of what they move.
//!
//! Thread: audio. Realtime-safe: yes. Invariant: without a depth an LFO moves nothing and costs next
//! to nothing; its phase is a function of the song's position, see [`Lfo`].

use super::ramp::RAMP;
use crate::dsp::{Lfo, QUANTUM, Smoother, Wave};
use crate::param::Param;

/// What an LFO moves.
#[derive(Clone, Copy)]
pub(super) enum Target {
    Amp,
    Pan,
    Freq,
    Q,
    Time,
    Feedback,
    Mix,
}

const TARGETS: usize = 7;
/// Switch, rate, depth and wave of each target, in [`Target`]'s order.
const PARAMS: [[Param; 4]; TARGETS] = [
    [Param::LfoAmpEnabled, Param::LfoAmpRate, Param::LfoAmpDepth, Param::LfoAmpWave],
    [Param::LfoPanEnabled, Param::LfoPanRate, Param::LfoPanDepth, Param::LfoPanWave],
    [Param::LfoFreqEnabled, Param::LfoFreqRate, Param::LfoFreqDepth, Param::LfoFreqWave],
    [Param::LfoQEnabled, Param::LfoQRate, Param::LfoQDepth, Param::LfoQWave],
    [Param::LfoTimeEnabled, Param::LfoTimeRate, Param::LfoTimeDepth, Param::LfoTimeWave],
    [Param::LfoFeedbackEnabled, Param::LfoFeedbackRate, Param::LfoFeedbackDepth, Param::LfoFeedbackWave],
    [Param::LfoMixEnabled, Param::LfoMixRate, Param::LfoMixDepth, Param::LfoMixWave],
];

/// One LFO on its way to a target.
#[derive(Clone, Copy)]
struct Mover {
    lfo: Lfo,
    wave: Wave,
    depth: Smoother,
    /// Depth at the last quantum's end, and depth × wave.
    deep: f32,
    value: f32,
}

/// All of an owner's.
pub(super) struct Modulation {
    movers: [Mover; TARGETS],
}

impl Modulation {
    pub(super) fn new() -> Modulation {
        let depth = Smoother::new(0.0);
        let still = Mover { lfo: Lfo::new(), wave: Wave::Sine, depth, deep: 0.0, value: 0.0 };
        Modulation { movers: [still; TARGETS] }
    }

    /// Heads for an owner's values, to arrive after `ramp` samples.
    pub(super) fn head_for(&mut self, param: &impl Fn(Param) -> f32, ramp: u32) {
        for (mover, [switch, rate, depth, wave]) in self.movers.iter_mut().zip(PARAMS) {
            mover.lfo.set_hz(param(rate));
            mover.wave = match param(wave) as u32 {
                0 => Wave::Sine,
                1 => Wave::Triangle,
                2 => Wave::Square,
                _ => Wave::Saw,
            };
            let depth = if param(switch) >= 0.5 { param(depth) } else { 0.0 };
            mover.depth.set(depth, ramp.min(RAMP));
        }
    }

    /// A run begins: the next quantum's first sample is this one of the song.
    pub(super) fn begin(&mut self, song: i64) {
        self.movers.iter_mut().for_each(|mover| mover.lfo.begin(song));
    }

    /// The song goes on from elsewhere: the next quantum's first sample is this one.
    pub(super) fn seek(&mut self, song: i64) {
        self.movers.iter_mut().for_each(|mover| mover.lfo.seek(song));
    }

    /// A quantum on.
    pub(super) fn advance(&mut self) {
        for mover in &mut self.movers {
            mover.deep = mover.depth.advance_by(QUANTUM as u32);
            if mover.deep == 0.0 {
                mover.lfo.advance();
                mover.value = 0.0;
            } else {
                mover.value = mover.deep * mover.lfo.quantum(mover.wave);
            }
        }
    }

    /// Depth and depth × wave at the quantum's end; both 0 where nothing moves.
    pub(super) fn of(&self, target: Target) -> (f32, f32) {
        let mover = &self.movers[target as usize];
        (mover.deep, mover.value)
    }
}
