//! The subtractive synthesizers.

use super::character::{Push, level, turned};
use super::math::{exp2, log2, semitones};
use super::noise::word;
use super::oscillator::{saw_at, sine_at, square_at};
use super::svf::{Coefficients, Core, Tuning};
use super::voice::velocity_gain;
use super::{Adsr, Body, Decay, EnvShape, Noise, Phase, QUANTUM, Quantum, RATE, Smoother, Strike, Voice};

/// A synthesizer: saws and a square a little apart, a sine below them and noise, through a clipper
/// and a resonant low-pass filter with an envelope of its own.
///
/// Target of the lead at velocity 1, 110 Hz, decay 1, its own shape: peak 0.45 to 0.75; half the
/// peak within 15 ms; released, 60 dB down within 250 ms; the pitch or the octave below is the
/// strongest partial; partials fall as the filter closes: the centroid of the first 50 ms is at
/// least 1.3 times that at 400 ms; aliases of a 1244.5 Hz note below 20 kHz lie 50 dB under its
/// strongest partial. The bass is darker and heavier: at 55 Hz half of the power lies below 120 Hz.
/// The pad swells to half its peak in 0.1 to 0.4 s and beats: its level wanders by 1 dB or more.
pub type SynthVoice = Voice<Synth>;

/// Below this pitch the lowest oscillator does not go an octave further down: a bass guitar's second
/// lowest string's E.
const LOW_E_HZ: f32 = 82.0;

/// Samples between two settings of the filter, counted from the note's start.
const CONTROL: usize = 16;

/// What a synthesizer is made for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Patch {
    /// A saw and a square: melodies, plucks, arpeggios.
    #[default]
    Lead,
    /// The same, darker, with more below.
    Bass,
    /// Three saws that beat against each other, and swell.
    Pad,
}

/// The figures of a patch.
#[derive(Debug)]
struct Recipe {
    saws: usize,
    saw: f32,
    square: f32,
    sub: f32,
    /// Semitones that the outer oscillators lie from the pitch.
    apart: f32,
    /// The filter's foot: Hz, and times the pitch at velocities 0 and 1.
    foot_hz: f32,
    foot: [f32; 2],
    /// What the envelope adds at velocities 0 and 1, and for how long.
    sweep_hz: [f32; 2],
    sweep_s: f32,
    q: f32,
    /// Into the clipper before the filter.
    drive: f32,
    gain: f32,
    shape: EnvShape,
}

const LEAD: Recipe = Recipe {
    saws: 1,
    saw: 0.56,
    square: 0.13,
    sub: 0.36,
    apart: 0.04,
    foot_hz: 260.0,
    foot: [2.3, 4.3],
    sweep_hz: [1_000.0, 8_000.0],
    sweep_s: 0.8,
    q: 1.4,
    drive: 0.0,
    gain: 0.5,
    shape: EnvShape::DEFAULT,
};

const BASS: Recipe = Recipe {
    saws: 1,
    saw: 0.42,
    square: 0.24,
    sub: 0.5,
    apart: 0.03,
    foot_hz: 120.0,
    foot: [2.0, 4.5],
    sweep_hz: [400.0, 4_200.0],
    sweep_s: 0.34,
    q: 1.9,
    drive: 0.3,
    gain: 0.5,
    shape: EnvShape { attack_s: 0.002, decay_s: 0.35, sustain: 0.65, release_s: 0.08 },
};

const PAD: Recipe = Recipe {
    saws: 3,
    saw: 0.3,
    square: 0.0,
    sub: 0.14,
    apart: 0.12,
    foot_hz: 480.0,
    foot: [2.5, 5.5],
    sweep_hz: [500.0, 3_000.0],
    sweep_s: 5.0,
    q: 0.8,
    drive: 0.0,
    // Four notes of a chord are as loud as a lead's one or two.
    gain: 0.34,
    shape: EnvShape { attack_s: 0.3, decay_s: 1.0, sustain: 0.8, release_s: 1.1 },
};

impl Patch {
    fn recipe(self) -> &'static Recipe {
        match self {
            Patch::Lead => &LEAD,
            Patch::Bass => &BASS,
            Patch::Pad => &PAD,
        }
    }

    /// The shape where no envelope is stated.
    pub fn shape(self) -> EnvShape {
        self.recipe().shape
    }
}

/// The sounding part of [`SynthVoice`].
#[derive(Clone, Debug)]
pub struct Synth {
    recipe: &'static Recipe,
    saws: [Phase; 3],
    square: Phase,
    sub: Phase,
    /// The lowest oscillator's frequency over the pitch.
    below: f32,
    noise: Noise,
    hz: f32,
    /// Frequencies of the outer oscillators over the pitch.
    apart: f32,
    sub_level: f32,
    noise_level: f32,
    bend: Decay,
    bend_by: f32,
    /// Semitones that are left of a glide.
    glide: Smoother,
    amp: Adsr,
    sweep: Decay,
    filter: Core,
    now: Coefficients,
    cutoff_hz: f32,
    sweep_hz: f32,
    q: f32,
    push: Push,
    gain: f32,
    held: bool,
}

impl SynthVoice {
    /// The natural pitch: A2.
    pub const PITCH_HZ: f32 = 110.0;

    /// A lead at rest.
    pub fn new() -> SynthVoice {
        SynthVoice::of(Patch::Lead)
    }

    /// At rest.
    pub fn of(patch: Patch) -> SynthVoice {
        Voice::with_body(Synth {
            recipe: patch.recipe(),
            saws: [Phase::default(); 3],
            square: Phase::default(),
            sub: Phase::default(),
            below: 0.5,
            noise: Noise::new(0),
            hz: SynthVoice::PITCH_HZ,
            apart: 1.0,
            sub_level: 0.0,
            noise_level: 0.0,
            bend: Decay::default(),
            bend_by: 0.0,
            glide: Smoother::new(0.0),
            amp: Adsr::new(),
            sweep: Decay::default(),
            filter: Core::default(),
            now: Coefficients::new(1_000.0, 0.7),
            cutoff_hz: 1_000.0,
            sweep_hz: 0.0,
            q: 1.0,
            push: Push::new(0.0),
            gain: 0.0,
            held: false,
        })
    }

    /// Begins a note with an envelope. `strike.decay` multiplies its decay and release.
    pub fn strike(&mut self, strike: Strike, shape: EnvShape) {
        let bounded = strike.bounded();
        let Strike { pitch_hz, velocity, decay, seed, length, character } = bounded;
        let body = &mut self.body;
        body.start_phases(seed);
        body.noise = Noise::new(seed);
        body.hz = pitch_hz;
        body.glide = Smoother::new(0.0);
        body.apart = semitones(body.recipe.apart * turned(character.spread, 2.5));
        // An octave below a low E nothing is heard, and much is moved.
        body.below = if pitch_hz < LOW_E_HZ { 1.0 } else { 0.5 };
        // Weight below basses; leads keep their octave.
        let weight = (110.0 / pitch_hz).clamp(0.2, 1.0) * level(character.sub);
        body.sub_level = body.recipe.sub * weight;
        body.noise_level = 0.4 * character.noise.max(0.0);
        body.bend_by = exp2(character.bend) - 1.0;
        body.bend = if character.bend == 0.0 { Decay::default() } else { Decay::new(1.0, 0.25 * decay) };
        body.tune();
        let shape = shape.bounded();
        body.amp.strike(EnvShape {
            decay_s: shape.decay_s * decay,
            release_s: shape.release_s * decay,
            ..shape
        });
        body.sweep = Decay::new(1.0, body.recipe.sweep_s * decay);
        body.filter = Core::default();
        body.open_filter(bounded);
        body.now = body.filter_at(1.0);
        body.push = Push::new((body.recipe.drive + character.drive).min(1.0));
        body.gain = body.recipe.gain * velocity_gain(velocity);
        body.held = true;
        self.begin(length);
    }

    /// Goes on to another note without beginning anew, in the time of its glide; begins it where
    /// none is held.
    pub fn slide(&mut self, strike: Strike, shape: EnvShape) {
        if self.is_silent() || self.is_choked() || !self.body.held {
            self.strike(strike, shape);
            return;
        }
        let bounded = strike.bounded();
        let body = &mut self.body;
        let left = body.glide.value() + 12.0 * log2(body.hz / bounded.pitch_hz);
        body.hz = bounded.pitch_hz;
        body.glide.snap(left);
        body.glide.set(0.0, (bounded.character.glide_s * RATE) as u32);
        body.open_filter(bounded);
    }
}

impl Synth {
    fn start_phases(&mut self, seed: u64) {
        self.sub = Phase::default();
        if self.recipe.saws > 1 {
            let place = |n: u64| Phase::starting_at(word(seed, n) as u32);
            (self.saws, self.square) = ([place(0), place(1), place(2)], place(3));
            return;
        }
        // Fundamentals begin in phase, give or take a fourteenth of a turn that differs from note
        // to note: alive, and yet every note is as loud.
        let away = Noise::new(seed).sample();
        self.saws = [Phase::starting_at(1 << 31); 3];
        self.square = Phase::starting_at((away * 3e8) as i32 as u32);
    }

    /// The filter for a note's pitch, velocity and character.
    fn open_filter(&mut self, Strike { pitch_hz, velocity, character, .. }: Strike) {
        let Recipe { foot_hz, foot, sweep_hz, q, .. } = self.recipe;
        let bright = turned(character.tone, 2.0);
        self.cutoff_hz = (foot_hz + pitch_hz * (foot[0] + (foot[1] - foot[0]) * velocity)) * bright;
        let by_velocity = sweep_hz[0] + (sweep_hz[1] - sweep_hz[0]) * velocity * velocity;
        self.sweep_hz = by_velocity * turned(character.punch, 1.5) * bright;
        self.q = *q;
    }

    fn filter_at(&self, sweep: f32) -> Coefficients {
        Coefficients::new(self.cutoff_hz + self.sweep_hz * sweep, self.q)
    }

    /// Sets every oscillator to where pitch, bend and glide have them.
    fn tune(&mut self) {
        let bent = 1.0 + self.bend_by * self.bend.level();
        let left = self.glide.value();
        let hz = self.hz * bent * if left == 0.0 { 1.0 } else { semitones(left) };
        let below = hz / self.apart;
        if self.recipe.saws == 1 {
            self.saws[0].set_hz(hz * self.apart);
        } else {
            let [first, second, third] = &mut self.saws;
            first.set_hz(hz * self.apart);
            second.set_hz(hz);
            third.set_hz(below);
        }
        self.square.set_hz(below);
        self.sub.set_hz(hz * self.below);
    }

    /// The oscillators, before clipper and filter.
    #[inline]
    fn source(&mut self) -> Quantum {
        let Recipe { saws, saw, square, .. } = *self.recipe;
        let sub = self.sub.quantum();
        let mut out: Quantum = std::array::from_fn(|n| self.sub_level * sine_at(sub[n]));
        for (at, phase) in self.saws[..saws].iter_mut().enumerate() {
            // The one in the middle leads, or the three would cancel as often as they add.
            let saw = if at == 1 { 1.6 * saw } else { saw };
            let (per_step, places) = (phase.per_step(), phase.quantum());
            out.iter_mut().zip(places).for_each(|(out, place)| *out += saw * saw_at(place, per_step));
        }
        if square > 0.0 {
            let (per_step, places) = (self.square.per_step(), self.square.quantum());
            out.iter_mut().zip(places).for_each(|(out, place)| *out += square * square_at(place, per_step));
        }
        if self.noise_level > 0.0 {
            let noise = self.noise.quantum();
            out.iter_mut().zip(noise).for_each(|(out, noise)| *out += self.noise_level * noise);
        }
        self.push.apply(&mut out);
        out
    }
}

impl Default for SynthVoice {
    fn default() -> SynthVoice {
        SynthVoice::new()
    }
}

impl Body for Synth {
    #[inline]
    fn quantum(&mut self) -> Quantum {
        if self.bend.level() != 0.0 || !self.glide.is_settled() {
            self.bend.quantum();
            self.glide.advance_by(QUANTUM as u32);
            self.tune();
        }
        let sweep = self.sweep.quantum();
        let mut out = self.source();
        for (group, samples) in out.as_chunks_mut::<CONTROL>().0.iter_mut().enumerate() {
            let there = self.filter_at(sweep[group * CONTROL]);
            let (from, slope) = (self.now, self.now.slope_to(there, CONTROL as u32));
            let mut tuning = [Tuning::default(); CONTROL];
            for (n, tuning) in tuning.iter_mut().enumerate() {
                *tuning = from.along(slope, n as f32 + 1.0).tuned();
            }
            for (sample, tuning) in samples.iter_mut().zip(tuning) {
                *sample = self.filter.tick(*sample, tuning).low * self.gain;
            }
            self.now = there;
        }
        self.filter.settle();
        out
    }

    #[inline]
    fn shape(&mut self, samples: &mut [f32]) {
        self.amp.shape(samples);
    }

    fn is_over(&self) -> bool {
        self.amp.is_over()
    }

    fn release(&mut self) {
        self.held = false;
        self.amp.release();
    }
}
