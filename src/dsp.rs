//! Sound: smoothers, voices, effects, the limiter and the resampler.
//!
//! Thread: audio; objects are built elsewhere. Invariant (the determinism contract): equal calls
//! give equal bits on every machine. Therefore only + − × ÷ √, comparisons and casts, our own
//! polynomials or `libm`; sums in a fixed order; chance by hashing; states below [`math::TINY`]
//! snap to 0, so that flush-to-zero changes nothing; every smoother arrives. Everything but the
//! resampler's far side works at 48 kHz only, in quanta of 32 samples.
//!
//! Conventions of the effects: a setting given as one number a quantum is what the quantum ends
//! with; the effect moves there in a straight line from what the last quantum ended with.

mod character;
mod chorus;
mod clap;
mod compressor;
mod cymbal;
mod delay;
mod drive;
mod envelope;
mod eq;
mod fm;
mod hat;
mod kaiser;
mod kick;
mod lfo;
mod limiter;
mod line;
pub mod math;
mod noise;
mod oscillator;
mod perc;
mod phaser;
mod resampler;
mod reverb;
mod sample_file;
mod sampler;
mod shaker;
mod smooth;
mod snare;
mod steady;
mod svf;
mod synth;
mod tom;
mod voice;
mod width;

pub use character::Character;
pub use chorus::Chorus;
pub use clap::{Clap, ClapVoice};
pub use compressor::{CompSettings, Compressor, Levels};
pub use cymbal::{Cymbal, CymbalVoice};
pub use delay::{DELAY_MAX_SECONDS, Delay, PingPong};
pub use drive::Drive;
pub use envelope::{Adsr, Decay, EnvShape};
pub use eq::{EQ_BELL_Q, EQ_HZ, Eq};
pub use fm::{Fm, FmVoice};
pub use hat::{Hat, HatKind, HatVoice};
pub use kick::{Kick, KickVoice};
pub use lfo::{Lfo, Wave};
pub use limiter::{LIMITER_LATENCY, Limiter};
pub use noise::Noise;
pub use oscillator::{Phase, saw, square};
pub use perc::{Perc, PercVoice};
pub use phaser::{PHASER_STAGES, Phaser};
pub use resampler::{RateError, Resampler, STEP_PARTS};
pub use reverb::{REVERB_MAX_PREDELAY, Reverb};
pub use sample_file::{Reading, SampleFile};
pub use sampler::{Excerpt, Play, Sampler, SamplerVoice};
pub use shaker::{Shaker, ShakerVoice};
pub use smooth::{Smoother, line};
pub use snare::{Snare, SnareVoice};
pub use steady::Steady;
pub use svf::{FilterKind, Svf};
pub use synth::{Patch, Synth, SynthVoice};
pub use tom::{Tom, TomVoice};
pub use voice::{Body, CHOKE_SAMPLES, Strike, Voice};
pub use width::{WIDTH_LONGEST, Width};

/// The canonical rate in Hz, as the arithmetic here needs it.
pub const RATE: f32 = 48_000.0;

/// Samples in a quantum, the grain of every render.
pub const QUANTUM: usize = 32;

/// One quantum of one channel.
pub type Quantum = [f32; QUANTUM];
