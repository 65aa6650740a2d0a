//! From canonical samples to the device's frames.
//!
//! Thread: audio. Realtime-safe: yes, but for [`Output::new`]. Frames are counted from the engine's
//! first block; a run ties one of them to a stream sample, and every other follows exactly: by the
//! nominal rates, or fitted to the device's clock by a ratio that moves.

use crate::dsp::{QUANTUM, Quantum, Resampler, STEP_PARTS};

const PARTS: i128 = STEP_PARTS as i128;

/// Seconds over which the sound before a jump fades: 5 ms.
const DECLICK_S: f64 = 0.005;

/// The output stage.
pub(super) struct Output {
    fixed: Resampler,
    fitted: Resampler,
    /// Present while the fitted resampler is at work.
    fit: Option<Fit>,
    /// The device's rate in mHz.
    millihertz: i128,
    /// This frame is that stream sample.
    frame: i64,
    stream: i64,
    /// Rendered samples that lie before the first to be heard.
    skip: usize,
    last: [f32; 2],
    fade: Fade,
    fade_frames: u32,
}

/// Frame `frame` lies at `place` on the stream, and each further one by `step` more, in parts of a
/// sample.
#[derive(Clone, Copy)]
struct Fit {
    frame: i64,
    place: i128,
    step: u64,
}

impl Fit {
    fn place_at(&self, frame: i64) -> i128 {
        self.place + i128::from(frame - self.frame) * i128::from(self.step)
    }
}

/// What is left of the sound before a jump.
#[derive(Clone, Copy)]
struct Fade {
    from: [f32; 2],
    left: u32,
    /// Goes on to `from` less the first new sample: the new sound is the old one, a moment later.
    meets: bool,
}

impl Output {
    /// Allocates. Rates outside 8 to 384 kHz are held inside.
    pub(super) fn new(rate: f64) -> Output {
        let rate = if rate.is_finite() { rate.clamp(8_000.0, 384_000.0) } else { 48_000.0 };
        let held = "the rate lies within 8 and 384 kHz";
        Output {
            fixed: Resampler::new(rate).expect(held),
            fitted: Resampler::variable(rate).expect(held),
            fit: None,
            millihertz: i128::from((rate * 1000.0 + 0.5) as i64),
            frame: 0,
            stream: 0,
            skip: 0,
            last: [0.0; 2],
            fade: Fade { from: [0.0; 2], left: 0, meets: false },
            fade_frames: (rate * DECLICK_S) as u32,
        }
    }

    /// Stream samples that are rendered before they are due.
    pub(super) fn look_ahead(&self) -> usize {
        self.resampler().look_ahead()
    }

    fn resampler(&self) -> &Resampler {
        if self.fit.is_some() { &self.fitted } else { &self.fixed }
    }

    fn resampler_mut(&mut self) -> &mut Resampler {
        if self.fit.is_some() { &mut self.fitted } else { &mut self.fixed }
    }

    /// A new run: stream sample `stream` sounds at `frame`, and the first `skip` samples pushed lie
    /// before it. What sounded fades out.
    pub(super) fn begin(&mut self, frame: i64, stream: i64, skip: usize) {
        self.fit = None;
        self.tie(frame, stream, skip);
        self.fade = Fade { from: self.last, left: self.fade_frames, meets: false };
    }

    /// A new run, fitted to the device's clock: `frame` lies at `place` on the stream (in parts of a
    /// sample, at least −`lag` samples) and each further one by `step` more; the first `lag` samples
    /// pushed lie before the stream's first.
    pub(super) fn begin_fitted(&mut self, frame: i64, place: i128, step: f64, lag: usize) {
        let step = step as u64;
        self.fit = Some(Fit { frame, place, step });
        self.fitted.set_step(step);
        self.skip = (place.div_euclid(PARTS) + lag as i128).max(0) as usize;
        self.fitted.reset_between(place.rem_euclid(PARTS) as u64);
        self.fade = Fade { from: self.last, left: self.fade_frames, meets: false };
    }

    /// From `frame` on, the next to be pulled, each frame moves on by so many parts of a sample.
    pub(super) fn set_step(&mut self, frame: i64, step: f64) {
        if let Some(fit) = &mut self.fit {
            *fit = Fit { frame, place: fit.place_at(frame), step: step as u64 };
            self.fitted.set_step(step as u64);
        }
    }

    /// Where a frame lies on the stream, in parts of a sample.
    pub(super) fn place_at(&self, frame: i64) -> i128 {
        match &self.fit {
            Some(fit) => fit.place_at(frame),
            None => i128::from(self.stream_at(frame)) * PARTS,
        }
    }

    /// What was rendered ahead is dropped: stream sample `stream`, which comes after `skip` more,
    /// sounds at `frame`.
    pub(super) fn jump(&mut self, frame: i64, stream: i64, skip: usize) {
        self.tie(frame, stream, skip);
        self.fade = Fade { from: self.last, left: self.fade_frames, meets: true };
    }

    fn tie(&mut self, frame: i64, stream: i64, skip: usize) {
        (self.frame, self.stream, self.skip) = (frame, stream, skip);
        if let Some(fit) = &mut self.fit {
            *fit = Fit { frame, place: i128::from(stream) * PARTS, step: fit.step };
        }
        self.resampler_mut().reset(0);
    }

    /// The stream sample due at a frame, rounded down.
    pub(super) fn stream_at(&self, frame: i64) -> i64 {
        if let Some(fit) = &self.fit {
            return fit.place_at(frame).div_euclid(PARTS) as i64;
        }
        let canonical = i128::from(frame - self.frame) * 48_000_000;
        self.stream + canonical.div_euclid(self.millihertz) as i64
    }

    /// The frame nearest to a stream sample.
    pub(super) fn frame_of(&self, stream: i64) -> i64 {
        if let Some(fit) = &self.fit {
            let away = 2 * (i128::from(stream) * PARTS - fit.place) + i128::from(fit.step);
            return fit.frame + away.div_euclid(2 * i128::from(fit.step)) as i64;
        }
        let exact = i128::from(stream - self.stream) * self.millihertz;
        self.frame + (2 * exact + 48_000_000).div_euclid(2 * 48_000_000) as i64
    }

    /// The frames that so many canonical samples last, to the nearest.
    pub(super) fn frames_in(&self, samples: i64) -> i64 {
        (2 * i128::from(samples) * self.millihertz + 48_000_000).div_euclid(2 * 48_000_000) as i64
    }

    /// The canonical samples that so many frames last, rounded down.
    pub(super) fn samples_in(&self, frames: i64) -> i64 {
        (i128::from(frames) * 48_000_000).div_euclid(self.millihertz) as i64
    }

    /// Whether more samples must be pushed before so many frames can be pulled.
    pub(super) fn is_hungry(&self, frames: usize) -> bool {
        self.resampler().needed(frames) > 0
    }

    /// Takes a rendered quantum.
    pub(super) fn push(&mut self, left: &Quantum, right: &Quantum) {
        let from = self.skip.min(QUANTUM);
        self.skip -= from;
        self.resampler_mut().push(&left[from..], &right[from..]);
    }

    /// Fills the next frames.
    pub(super) fn pull(&mut self, left: &mut [f32], right: &mut [f32]) {
        self.resampler_mut().pull(left, right);
        if self.fade.left > 0 {
            self.fade(left, right);
        }
        if let (Some(left), Some(right)) = (left.last(), right.last()) {
            self.last = [*left, *right];
        }
    }

    fn fade(&mut self, left: &mut [f32], right: &mut [f32]) {
        for (l, r) in left.iter_mut().zip(right) {
            if self.fade.meets {
                self.fade.from = [self.fade.from[0] - *l, self.fade.from[1] - *r];
                self.fade.meets = false;
            }
            if self.fade.left == 0 {
                return;
            }
            self.fade.left -= 1;
            let share = self.fade.left as f32 / self.fade_frames as f32;
            // Two sounds together may pass full scale; a moment's clipping is the lesser evil.
            *l = (*l + self.fade.from[0] * share * share).clamp(-1.0, 1.0);
            *r = (*r + self.fade.from[1] * share * share).clamp(-1.0, 1.0);
        }
    }

    /// Forgets what sounded.
    pub(super) fn silence(&mut self, frame: i64) {
        self.begin(frame, 0, crate::dsp::LIMITER_LATENCY);
        (self.last, self.fade.left) = ([0.0; 2], 0);
    }
}
