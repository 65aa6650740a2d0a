//! What all voices share: being struck, released, choked, and starting inside a quantum.
//!
//! Peaks are chosen so that kick, bass and hat together at velocity 1 stay below 2: the limiter then
//! has 5 dB to do at most on such a stroke, and a kit at full level is balanced as it comes.

use super::math::{bound, soft_clip};
use super::{Character, QUANTUM, Quantum};

/// Samples a choked voice takes to fall silent: 3 ms.
pub const CHOKE_SAMPLES: u32 = 144;

/// Samples over which a stroke on a sounding voice fades the old stroke's last value: 2 ms.
const SEAM_SAMPLES: u32 = 96;

/// A note as a voice hears it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Strike {
    /// Pitch in Hz; each voice states its own natural pitch as `PITCH_HZ`.
    pub pitch_hz: f32,
    /// 0 to 1: level and brightness.
    pub velocity: f32,
    /// Multiplies the voice's decay times, 0.1 to 4.
    pub decay: f32,
    /// Seeds the note's noise.
    pub seed: u64,
    /// Samples until the note is released by itself; `None` waits for [`Voice::release`]. Drums
    /// ring out and ignore it.
    pub length: Option<u32>,
    /// What the musician has turned on the voice.
    pub character: Character,
}

impl Strike {
    /// The stroke with everything inside its range; what is no number takes the range's foot.
    pub(super) fn bounded(self) -> Strike {
        Strike {
            pitch_hz: bound(self.pitch_hz, 10.0, 16_000.0),
            velocity: bound(self.velocity, 0.0, 1.0),
            decay: bound(self.decay, 0.1, 4.0),
            character: self.character.bounded(),
            ..self
        }
    }
}

/// The part of a voice that makes its sound, in quanta counted from the note's own start: so a note
/// is the same wherever it begins, and its arithmetic runs over whole arrays.
pub trait Body {
    /// The note's next quantum.
    fn quantum(&mut self) -> Quantum;
    /// Shapes samples on their way out by what a note's end changes, to the sample. Cuts into calls
    /// must change nothing.
    fn shape(&mut self, _samples: &mut [f32]) {}
    /// Whether it has rung out; asked after each quantum.
    fn is_over(&self) -> bool;
    /// The note's end; drums ring out.
    fn release(&mut self) {}
}

/// A voice: one note at a time, of fixed size.
///
/// Striking it while it sounds neither clicks nor needs a second voice: the old sound's last value
/// fades below the new one. *Thread: audio. Realtime-safe: yes, all of it.*
#[derive(Clone, Debug)]
pub struct Voice<B> {
    pub(super) body: B,
    /// The body's newest quantum, and how much of it has been given out.
    quantum: Quantum,
    given: usize,
    sounding: bool,
    length: Option<u32>,
    choke: Option<u32>,
    last: f32,
    seam: f32,
    seam_left: u32,
}

impl<B: Body> Voice<B> {
    pub(super) fn with_body(body: B) -> Voice<B> {
        Voice {
            body,
            quantum: [0.0; QUANTUM],
            given: QUANTUM,
            sounding: false,
            length: None,
            choke: None,
            last: 0.0,
            seam: 0.0,
            seam_left: 0,
        }
    }

    /// Begins a note; the body has been set by the caller.
    pub(super) fn begin(&mut self, length: Option<u32>) {
        self.seam = self.last;
        self.seam_left = if self.last == 0.0 { 0 } else { SEAM_SAMPLES };
        self.given = QUANTUM;
        self.sounding = true;
        self.length = length;
        self.choke = None;
    }

    /// Lets go of the note; drums ring out.
    pub fn release(&mut self) {
        self.length = None;
        self.body.release();
    }

    /// Ends the note within [`CHOKE_SAMPLES`], without a click.
    pub fn choke(&mut self) {
        if self.sounding && self.choke.is_none() {
            self.choke = Some(CHOKE_SAMPLES);
        }
    }

    /// Adds the samples `from..to` of the quantum. Sub-ranges of one quantum are rendered in
    /// order, so that a note can begin or end on any sample.
    pub fn render_add(&mut self, from: usize, to: usize, out: &mut Quantum) {
        let out = &mut out[from..to];
        if out.is_empty() {
            return;
        }
        if self.is_silent() {
            self.last = 0.0;
            return;
        }
        let mut own = [0.0; QUANTUM];
        let own = &mut own[..out.len()];
        self.sound(own);
        self.fade_seam(own);
        self.last = own[own.len() - 1];
        out.iter_mut().zip(own).for_each(|(out, own)| *out += *own);
    }

    /// Whether it is falling silent before its time.
    pub(super) fn is_choked(&self) -> bool {
        self.choke.is_some()
    }

    /// Whether it gives nothing but zeros until it is struck.
    pub fn is_silent(&self) -> bool {
        !self.sounding && self.seam_left == 0
    }

    /// Silences it at once.
    pub fn reset(&mut self) {
        (self.sounding, self.length, self.choke) = (false, None, None);
        (self.last, self.seam, self.seam_left) = (0.0, 0.0, 0);
    }

    /// The note's next samples into `own`, which holds zeros.
    fn sound(&mut self, mut own: &mut [f32]) {
        while self.sounding && !own.is_empty() {
            if self.length == Some(0) {
                self.length = None;
                self.body.release();
            }
            if self.given == QUANTUM {
                (self.quantum, self.given) = (self.body.quantum(), 0);
            }
            let until = |end: Option<u32>| end.map_or(QUANTUM, |left| left as usize);
            let run = (QUANTUM - self.given).min(own.len()).min(until(self.length)).min(until(self.choke));
            let (now, later) = own.split_at_mut(run);
            now.copy_from_slice(&self.quantum[self.given..self.given + run]);
            self.body.shape(now);
            self.given += run;
            self.length = self.length.map(|left| left - run as u32);
            self.fade_choke(now);
            if self.choke == Some(0) || (self.given == QUANTUM && self.body.is_over()) {
                self.sounding = false;
            }
            own = later;
        }
    }

    fn fade_choke(&mut self, samples: &mut [f32]) {
        if let Some(left) = &mut self.choke {
            for sample in samples {
                *left -= 1;
                *sample *= *left as f32 * (1.0 / CHOKE_SAMPLES as f32);
            }
        }
    }

    fn fade_seam(&mut self, samples: &mut [f32]) {
        for sample in samples.iter_mut().take(self.seam_left as usize) {
            self.seam_left -= 1;
            *sample += self.seam * (self.seam_left as f32 * (1.0 / SEAM_SAMPLES as f32));
        }
    }
}

/// A quantum at a gain.
#[inline]
pub(super) fn scaled(mut out: Quantum, gain: f32) -> Quantum {
    out.iter_mut().for_each(|sample| *sample *= gain);
    out
}

/// A quantum at a gain behind a clipper, with another before it.
#[inline]
pub(super) fn clipped(mut out: Quantum, before: f32, gain: f32) -> Quantum {
    out.iter_mut().for_each(|sample| *sample = soft_clip(before * *sample) * gain);
    out
}

/// Velocity as a gain: 0.7 is −4.8 dB, 0.3 is −15 dB.
#[inline]
pub(super) fn velocity_gain(velocity: f32) -> f32 {
    velocity * (0.4 + 0.6 * velocity)
}

/// A drum whose loudest part has fallen below this has rung out (−100 dB).
pub(super) const RUNG_OUT: f32 = 1e-5;
