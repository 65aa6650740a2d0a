//! Slow oscillators whose phase is a function of the song's position.

use super::math::{bound, sin_half_turns};
use super::{QUANTUM, RATE};

/// An LFO's form, each from −1 to 1 and beginning its turn at 0 but for the square, which begins at
/// 1, and the saw, which begins at −1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wave {
    /// A sine.
    #[default]
    Sine,
    /// Up, down and back in straight lines.
    Triangle,
    /// Half a turn up, half a turn down.
    Square,
    /// Up in a straight line.
    Saw,
}

/// How far an LFO's value moves in a quantum at most: an edge takes 4 ms, so that none clicks.
const MOST: f32 = 1.0 / 3.0;

/// A phase in 2⁻⁶⁴ turns that is rate × position after every [`Lfo::seek`].
///
/// A new rate goes on from the phase that the old one has reached. *Thread: audio. Realtime-safe:
/// yes.*
#[derive(Clone, Copy, Debug)]
pub struct Lfo {
    phase: u64,
    step: u64,
    value: f32,
    /// Its value may jump: nothing was heard of it yet.
    fresh: bool,
}

impl Lfo {
    /// At the song's beginning, standing.
    pub const fn new() -> Lfo {
        Lfo { phase: 0, step: 0, value: 0.0, fresh: true }
    }

    /// Sets the rate, 0 to 100 Hz.
    pub fn set_hz(&mut self, hz: f32) {
        const STEPS: f64 = 18_446_744_073_709_551_616.0 / RATE as f64;
        self.step = (f64::from(bound(hz, 0.0, 100.0)) * STEPS) as u64;
    }

    /// The next quantum begins at this sample of the song; the value goes there without a jump.
    pub fn seek(&mut self, song: i64) {
        self.phase = self.step.wrapping_mul(song as u64);
    }

    /// The next quantum begins at this sample of the song, and at its value.
    pub fn begin(&mut self, song: i64) {
        self.seek(song);
        self.fresh = true;
    }

    /// A quantum on; gives the value at its end.
    pub fn quantum(&mut self, wave: Wave) -> f32 {
        self.advance();
        let target = shape(wave, (self.phase >> 32) as u32);
        let far = if self.fresh { 4.0 } else { MOST };
        self.fresh = false;
        self.value += bound(target - self.value, -far, far);
        self.value
    }

    /// A quantum on.
    pub fn advance(&mut self) {
        self.phase = self.phase.wrapping_add(self.step.wrapping_mul(QUANTUM as u64));
    }

    /// A sine at its phase and a fraction of a turn (in 2⁻³² turns) further.
    pub fn sine(&self, ahead: u32) -> f32 {
        shape(Wave::Sine, ((self.phase >> 32) as u32).wrapping_add(ahead))
    }
}

impl Default for Lfo {
    fn default() -> Lfo {
        Lfo::new()
    }
}

fn shape(wave: Wave, place: u32) -> f32 {
    // −1 to 1 over the turn from half a turn before the place's beginning.
    let half_turns = place as i32 as f32 * (1.0 / 2_147_483_648.0);
    match wave {
        Wave::Sine => sin_half_turns(half_turns),
        Wave::Triangle => {
            let folded = if half_turns > 0.5 {
                1.0 - half_turns
            } else if half_turns < -0.5 {
                -1.0 - half_turns
            } else {
                half_turns
            };
            2.0 * folded
        }
        Wave::Square => {
            if half_turns >= 0.0 {
                1.0
            } else {
                -1.0
            }
        }
        Wave::Saw => place.wrapping_sub(1 << 31) as i32 as f32 * (1.0 / 2_147_483_648.0),
    }
}
