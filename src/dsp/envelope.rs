//! Envelopes.

use super::math::{bound, exp2, snap};
use super::{QUANTUM, Quantum, RATE};

/// An exponential decay.
///
/// Realtime-safe: yes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Decay {
    level: f32,
    ratio: f32,
}

impl Decay {
    /// From a level, falling 60 dB in so many seconds (at least 0.1 ms).
    pub fn new(level: f32, seconds_to_60_db: f32) -> Decay {
        // 60 dB are log2(1000) = 9.96578 halvings.
        let samples = (seconds_to_60_db * RATE).max(4.8);
        Decay { level, ratio: exp2(-9.965_784 / samples) }
    }

    /// The next quantum; 0 from the quantum on that would begin below [`super::math::TINY`]. Even
    /// the shortest decay falls by no more than 2⁻⁶⁷ in a quantum, so no denormal appears before.
    #[inline]
    pub fn quantum(&mut self) -> Quantum {
        // Four samples side by side, each four on from the last.
        let square = self.ratio * self.ratio;
        let fourth = square * square;
        let second = self.level * self.ratio;
        let mut lanes = [self.level, second, self.level * square, second * square];
        let mut out = [0.0; QUANTUM];
        for four in out.chunks_exact_mut(lanes.len()) {
            four.copy_from_slice(&lanes);
            lanes.iter_mut().for_each(|lane| *lane *= fourth);
        }
        self.level = snap(lanes[0]);
        out
    }

    /// Where it is.
    #[inline]
    pub fn level(&self) -> f32 {
        self.level
    }
}

/// An envelope as the notation states it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EnvShape {
    /// Seconds from silence to full level, in a straight line.
    pub attack_s: f32,
    /// Seconds from full level to sustain, along an exponential.
    pub decay_s: f32,
    /// Level while held, 0 to 1.
    pub sustain: f32,
    /// Seconds from any level to silence, along an exponential.
    pub release_s: f32,
}

impl EnvShape {
    /// The synth's own shape, where no envelope is stated.
    pub const DEFAULT: EnvShape = EnvShape { attack_s: 0.003, decay_s: 0.45, sustain: 0.55, release_s: 0.16 };

    /// The shape inside the table's ranges; what is no number takes the range's foot.
    pub(super) fn bounded(self) -> EnvShape {
        EnvShape {
            attack_s: bound(self.attack_s, 0.001, 2.0),
            decay_s: bound(self.decay_s, 0.001, 2.0),
            sustain: bound(self.sustain, 0.0, 1.0),
            release_s: bound(self.release_s, 0.01, 5.0),
        }
    }
}

impl Default for EnvShape {
    fn default() -> EnvShape {
        EnvShape::DEFAULT
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Stage {
    Attack,
    Decay,
    Sustain,
    Release,
    Over,
}

/// Attack, decay, sustain, release; every stage ends on its sample, exactly at its level.
///
/// Realtime-safe: yes.
#[derive(Clone, Copy, Debug)]
pub struct Adsr {
    stage: Stage,
    left: u32,
    /// 1 / samples of the attack.
    rise: f32,
    /// The exponential's own state, 1 at a stage's start.
    curve: f32,
    ratio: f32,
    /// Level at the stage's start and end.
    from: f32,
    to: f32,
    level: f32,
    shape: EnvShape,
}

/// Decay and release cover 8 halvings (48 dB) of an exponential, bent to end exactly.
const HALVINGS: f32 = 8.0;
const CURVE_END: f32 = 1.0 / 256.0;

impl Adsr {
    /// At rest.
    pub const fn new() -> Adsr {
        Adsr {
            stage: Stage::Over,
            left: 0,
            rise: 0.0,
            curve: 0.0,
            ratio: 0.0,
            from: 0.0,
            to: 0.0,
            level: 0.0,
            shape: EnvShape::DEFAULT,
        }
    }

    /// Begins a note, from silence.
    pub fn strike(&mut self, shape: EnvShape) {
        self.shape = shape;
        self.level = 0.0;
        self.enter(Stage::Attack, 1.0, shape.attack_s);
        self.rise = 1.0 / self.left as f32;
    }

    /// Lets go of the note.
    pub fn release(&mut self) {
        if !matches!(self.stage, Stage::Release | Stage::Over) {
            self.enter(Stage::Release, 0.0, self.shape.release_s);
        }
    }

    fn enter(&mut self, stage: Stage, to: f32, seconds: f32) {
        self.stage = stage;
        self.from = self.level;
        self.to = to;
        self.left = ((seconds * RATE) as u32).max(24);
        self.curve = 1.0;
        self.ratio = exp2(-HALVINGS / self.left as f32);
    }

    /// Gives the next samples its level, 0 to 1. However they are cut into calls, they come out
    /// the same.
    #[inline]
    pub fn shape(&mut self, samples: &mut [f32]) {
        let mut rest = samples;
        while !rest.is_empty() {
            let stage_left = match self.stage {
                Stage::Over | Stage::Sustain => usize::MAX,
                Stage::Attack | Stage::Decay | Stage::Release => self.left as usize,
            };
            let (now, later) = rest.split_at_mut(stage_left.min(rest.len()));
            self.shape_within_stage(now);
            rest = later;
        }
    }

    #[inline]
    fn shape_within_stage(&mut self, samples: &mut [f32]) {
        match self.stage {
            Stage::Over => samples.fill(0.0),
            Stage::Sustain => samples.iter_mut().for_each(|sample| *sample *= self.level),
            Stage::Attack => {
                for sample in samples {
                    self.left -= 1;
                    self.level = 1.0 - self.left as f32 * self.rise;
                    *sample *= self.level;
                }
                if self.left == 0 {
                    self.level = self.to;
                    self.enter(Stage::Decay, self.shape.sustain, self.shape.decay_s);
                }
            }
            Stage::Decay | Stage::Release => {
                let height = (self.from - self.to) * (1.0 / (1.0 - CURVE_END));
                for sample in samples {
                    self.left -= 1;
                    self.curve *= self.ratio;
                    let level = self.to + height * (self.curve - CURVE_END);
                    self.level = if self.left == 0 { self.to } else { level };
                    *sample *= self.level;
                }
                if self.left == 0 {
                    let holds = self.stage == Stage::Decay && self.to > 0.0;
                    self.stage = if holds { Stage::Sustain } else { Stage::Over };
                }
            }
        }
    }

    /// Whether the note has ended.
    pub fn is_over(&self) -> bool {
        self.stage == Stage::Over
    }
}

impl Default for Adsr {
    fn default() -> Adsr {
        Adsr::new()
    }
}
