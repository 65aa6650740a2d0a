//! What a musician turns on a voice.

use super::Quantum;
use super::math::{bound, exp2, soft_clip};

/// The knobs of a voice, each 0 where the voice is as it was made. What a voice has no part for, it
/// leaves alone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Character {
    /// Darker (−1) to brighter (1): filters, and what is above them.
    pub tone: f32,
    /// Softer (−1) to harder (1): clicks, snaps, the sweep of a filter.
    pub punch: f32,
    /// Less (−1) to more (1) noise.
    pub noise: f32,
    /// How far the pitch falls to its place: less (−1) to more (1); of a synth, from below or above.
    pub bend: f32,
    /// Into the voice's own clipper, 0 to 1.
    pub drive: f32,
    /// Nearer together (−1) or farther apart (1): oscillators, modes, hands.
    pub spread: f32,
    /// Less (−1) to more (1) below.
    pub sub: f32,
    /// Seconds that a bound note of a bass takes to its pitch, 0 to 1.
    pub glide_s: f32,
    /// The modulator's frequency over the carrier's, 0.25 to 16.
    pub ratio: f32,
}

impl Character {
    /// As the voices were made.
    pub const NEUTRAL: Character = Character {
        tone: 0.0,
        punch: 0.0,
        noise: 0.0,
        bend: 0.0,
        drive: 0.0,
        spread: 0.0,
        sub: 0.0,
        glide_s: 0.06,
        ratio: 2.0,
    };

    /// With everything inside its range; what is no number takes the range's foot.
    pub(super) fn bounded(self) -> Character {
        let turn = |value: f32| bound(value, -1.0, 1.0);
        Character {
            tone: turn(self.tone),
            punch: turn(self.punch),
            noise: turn(self.noise),
            bend: turn(self.bend),
            drive: bound(self.drive, 0.0, 1.0),
            spread: turn(self.spread),
            sub: turn(self.sub),
            glide_s: bound(self.glide_s, 0.0, 1.0),
            ratio: bound(self.ratio, 0.25, 16.0),
        }
    }
}

impl Default for Character {
    fn default() -> Character {
        Character::NEUTRAL
    }
}

/// A knob as a factor: 1 in the middle, 2^octaves at its end.
#[inline]
pub(super) fn turned(knob: f32, octaves: f32) -> f32 {
    if knob == 0.0 { 1.0 } else { exp2(knob * octaves) }
}

/// A knob as a level: nothing at −1, all at 0, twice that at 1.
#[inline]
pub(super) fn level(knob: f32) -> f32 {
    1.0 + knob
}

/// A voice's own clipper.
#[derive(Clone, Copy, Debug)]
pub(super) struct Push {
    gain: f32,
    back: f32,
}

impl Push {
    /// None at 0; at 1 what is quiet rises by 14 dB. Full level stays where it is.
    pub fn new(drive: f32) -> Push {
        let gain = if drive > 0.0 { 0.25 * exp2(3.5 * drive) } else { 0.0 };
        Push { gain, back: if gain > 0.0 { 1.0 / soft_clip(gain) } else { 1.0 } }
    }

    /// Clips; at drive 0 nothing happens.
    #[inline]
    pub fn apply(self, io: &mut Quantum) {
        if self.gain > 0.0 {
            io.iter_mut().for_each(|sample| *sample = soft_clip(*sample * self.gain) * self.back);
        }
    }
}
