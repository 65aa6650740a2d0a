//! The subtractive synthesizer.

use super::math::semitones;
use super::oscillator::{saw_at, sine_at, square_at};
use super::svf::{Coefficients, Core, Tuning};
use super::voice::velocity_gain;
use super::{Adsr, Body, Decay, EnvShape, Noise, Phase, QUANTUM, Quantum, Strike, Voice};

/// A synthesizer: a saw and a square a little apart and a sine below them, through a resonant
/// low-pass filter with an envelope of its own.
///
/// Target at velocity 1, 110 Hz, decay 1, the default shape: peak 0.45 to 0.75; half the peak within
/// 15 ms; released, 60 dB down within 250 ms; the pitch or the octave below is the strongest
/// partial; partials fall as the filter closes: the centroid of the first 50 ms is at least 1.3
/// times that at 400 ms; aliases of a 1244.5 Hz note below 20 kHz lie 50 dB under its strongest
/// partial.
pub type SynthVoice = Voice<Synth>;

/// Samples between two settings of the filter, counted from the note's start.
const CONTROL: usize = 16;

/// The sounding part of [`SynthVoice`].
#[derive(Clone, Debug)]
pub struct Synth {
    saw: Phase,
    square: Phase,
    sub: Phase,
    sub_level: f32,
    amp: Adsr,
    sweep: Decay,
    filter: Core,
    now: Coefficients,
    cutoff_hz: f32,
    sweep_hz: f32,
    gain: f32,
}

impl SynthVoice {
    /// The natural pitch: A2.
    pub const PITCH_HZ: f32 = 110.0;

    /// At rest.
    pub fn new() -> SynthVoice {
        Voice::with_body(Synth {
            saw: Phase::default(),
            square: Phase::default(),
            sub: Phase::default(),
            sub_level: 0.0,
            amp: Adsr::new(),
            sweep: Decay::default(),
            filter: Core::default(),
            now: Coefficients::new(1_000.0, 0.7),
            cutoff_hz: 1_000.0,
            sweep_hz: 0.0,
            gain: 0.0,
        })
    }

    /// Begins a note with an envelope. `strike.decay` multiplies its decay and release.
    pub fn strike(&mut self, strike: Strike, shape: EnvShape) {
        let Strike { pitch_hz, velocity, decay, seed, length } = strike.bounded();
        let body = &mut self.body;
        // Fundamentals begin in phase, give or take a fourteenth of a turn that differs from note
        // to note: alive, and yet every note is as loud.
        let mut place = Noise::new(seed);
        body.saw = Phase::starting_at(1 << 31);
        body.square = Phase::starting_at((place.sample() * 3e8) as i32 as u32);
        body.sub = Phase::default();
        body.saw.set_hz(pitch_hz * semitones(0.04));
        body.square.set_hz(pitch_hz * semitones(-0.04));
        body.sub.set_hz(pitch_hz * 0.5);
        // Weight below basses; leads keep their octave.
        body.sub_level = 0.36 * (110.0 / pitch_hz).clamp(0.2, 1.0);
        let shape = shape.bounded();
        body.amp.strike(EnvShape {
            decay_s: shape.decay_s * decay,
            release_s: shape.release_s * decay,
            ..shape
        });
        body.sweep = Decay::new(1.0, 0.8 * decay);
        body.filter = Core::default();
        body.cutoff_hz = 180.0 + pitch_hz * (2.0 + 2.0 * velocity);
        body.sweep_hz = 700.0 + 5_300.0 * velocity * velocity;
        body.now = body.filter_at(1.0);
        body.gain = 0.5 * velocity_gain(velocity);
        self.begin(length);
    }
}

impl Synth {
    fn filter_at(&self, sweep: f32) -> Coefficients {
        Coefficients::new(self.cutoff_hz + self.sweep_hz * sweep, 1.4)
    }

    /// The three oscillators, before the filter.
    #[inline]
    fn source(&mut self) -> Quantum {
        let (saw_step, square_step) = (self.saw.per_step(), self.square.per_step());
        let (saw, square, sub) = (self.saw.quantum(), self.square.quantum(), self.sub.quantum());
        let mut out = [0.0; QUANTUM];
        for n in 0..QUANTUM {
            out[n] = 0.56 * saw_at(saw[n], saw_step)
                + 0.13 * square_at(square[n], square_step)
                + self.sub_level * sine_at(sub[n]);
        }
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
        self.amp.release();
    }
}
