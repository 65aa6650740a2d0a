//! The phaser.

use super::math::{bound, exp2, snap, tan_half_turns};
use super::{QUANTUM, Quantum, RATE};

/// The most all-pass stages.
pub const PHASER_STAGES: usize = 12;
/// The middle of the sweep in Hz.
const CENTRE_HZ: f32 = 800.0;
/// Octaves to either side at depth 1.
const REACH: f32 = 2.5;
/// Quanta over which one number of stages crosses to another: 5 ms.
const CROSSING: u32 = 8;

/// A chain of first-order all-passes whose corner wanders, for one channel; mixed half and half it
/// takes out one frequency for every two stages.
///
/// At mix 0 the input passes bit for bit. *Thread: audio. Realtime-safe: yes.*
#[derive(Clone, Debug)]
pub struct Phaser {
    states: [f32; PHASER_STAGES],
    corner: f32,
    mix: f32,
    stages: usize,
    next: usize,
    crossing_left: u32,
    /// Nothing was heard since the last reset.
    fresh: bool,
}

impl Phaser {
    /// At rest.
    pub const fn new() -> Phaser {
        Phaser {
            states: [0.0; PHASER_STAGES],
            corner: 0.0,
            mix: 0.0,
            stages: 4,
            next: 4,
            crossing_left: 0,
            fresh: true,
        }
    }

    /// Forgets what it heard; the next quantum begins with its settings.
    pub fn reset(&mut self) {
        *self = Phaser::new();
    }

    /// Whether silence in gives silence out from here on.
    pub fn is_silent(&self) -> bool {
        self.states == [0.0; PHASER_STAGES]
    }

    /// A quantum in place. `sway`, −1 to 1, is where the corner ends up of its reach, which `depth`
    /// (0 to 1) scales; `stages` 1 to 12; `mix` 0 to 1, the share of the wet.
    pub fn process(&mut self, io: &mut Quantum, sway: f32, depth: f32, stages: usize, mix: f32) {
        let mix = bound(mix, 0.0, 1.0);
        if mix == 0.0 && (self.mix == 0.0 || self.fresh) {
            *self = Phaser { fresh: false, ..Phaser::new() };
            return;
        }
        let hz = CENTRE_HZ * exp2(REACH * bound(depth, 0.0, 1.0) * bound(sway, -1.0, 1.0));
        let g = tan_half_turns(hz * (1.0 / RATE));
        let corner = (g - 1.0) / (g + 1.0);
        let stages = stages.clamp(1, PHASER_STAGES);
        if self.fresh || self.mix == 0.0 {
            (self.corner, self.stages, self.next) = (corner, stages, stages);
        }
        if self.fresh {
            self.mix = mix;
        }
        if self.crossing_left == 0 && stages != self.stages {
            (self.next, self.crossing_left) = (stages, CROSSING);
        }
        self.run(io, corner, mix);
        self.states = self.states.map(snap);
        (self.corner, self.mix, self.fresh) = (corner, mix, false);
    }

    fn run(&mut self, io: &mut Quantum, corner: f32, mix: f32) {
        let running = self.stages.max(self.next);
        let crossing = self.crossing_left as f32 * (1.0 / CROSSING as f32);
        for (n, sample) in io.iter_mut().enumerate() {
            let left = (QUANTUM - 1 - n) as f32 * (1.0 / QUANTUM as f32);
            let a = corner - (corner - self.corner) * left;
            let (mut x, mut by_stages, mut by_next) = (snap(*sample), 0.0, 0.0);
            for (stage, state) in self.states[..running].iter_mut().enumerate() {
                let y = a * x + *state;
                *state = x - a * y;
                x = y;
                by_stages = if stage + 1 == self.stages { y } else { by_stages };
                by_next = if stage + 1 == self.next { y } else { by_next };
            }
            let old = (crossing - (n + 1) as f32 * (1.0 / (QUANTUM as u32 * CROSSING) as f32)).max(0.0);
            let wet = by_next + (by_stages - by_next) * old;
            *sample += (mix - (mix - self.mix) * left) * (wet - *sample);
        }
        if self.crossing_left > 0 {
            self.crossing_left -= 1;
            if self.crossing_left == 0 {
                self.stages = self.next;
                self.states[self.stages..].fill(0.0);
            }
        }
    }
}

impl Default for Phaser {
    fn default() -> Phaser {
        Phaser::new()
    }
}
