//! The insert effects of one owner, from filter to delay.
//!
//! Thread: audio. Realtime-safe: yes, but for the `new`s. Invariant: an effect that is off passes its
//! input bit for bit, at next to no cost; what switches or moves crosses over within
//! [`RAMP`](super::ramp::RAMP).

use super::modulation::{Modulation, Target};
use super::ramp::{quantum_on, scale_along};
use super::synced::{BEAT_S, echo_s};
use crate::dsp::math::{db_to_gain, exp2};
use crate::dsp::{
    CompSettings, Compressor, Delay, Drive, Eq, FilterKind, Levels, Lfo, Phaser, QUANTUM, Quantum, Smoother,
    Steady, Svf,
};
use crate::param::Param;

/// Octaves by which an LFO of depth 1 moves a cutoff to either side, and a resonance.
const FREQ_OCTAVES: f32 = 4.0;
const Q_OCTAVES: f32 = 2.0;
/// A phaser's numbers of stages, by the parameter's word.
const STAGES: [usize; 5] = [2, 4, 6, 8, 12];

/// The switch of a module over one of its values.
pub(super) fn switched(param: &impl Fn(Param) -> f32, switch: Param, value: Param, off: f32) -> f32 {
    if param(switch) >= 0.5 { param(value) } else { off }
}

/// Filter, drive, equaliser, compressor, gain, phaser and delay, on one or two channels.
pub(super) struct Inserts<const CHANNELS: usize> {
    filters: [Svf; CHANNELS],
    drives: [Drive; CHANNELS],
    eqs: [Eq; CHANNELS],
    comp: Compressor,
    phasers: [Phaser; CHANNELS],
    delays: [Delay; CHANNELS],
    steady: [Steady; CHANNELS],
    pub(super) modulation: Modulation,
    kind: FilterKind,
    cutoff: Smoother,
    q: Smoother,
    /// What LFOs make of cutoff and gain at the last quantum's end.
    swept: f32,
    trembling: f32,
    amount: Smoother,
    drive_mix: Smoother,
    drive_presence: Smoother,
    bands: [Smoother; 3],
    squeeze: CompSettings,
    presence: Smoother,
    /// The track whose voices the compressor listens to.
    pub(super) side: Option<usize>,
    gain: Smoother,
    sweep: Lfo,
    stages: usize,
    phaser_depth: Smoother,
    phaser_mix: Smoother,
    delay_time: f32,
    /// The length it has in the song's tempo, a word of `delay.sync`.
    delay_sync: f32,
    /// Seconds of a beat.
    pub(super) beat_s: f32,
    feedback: Smoother,
    delay_mix: Smoother,
}

impl<const CHANNELS: usize> Inserts<CHANNELS> {
    /// Allocates.
    pub(super) fn new() -> Self {
        let still = Smoother::new(0.0);
        Inserts {
            filters: std::array::from_fn(|_| Svf::new()),
            drives: std::array::from_fn(|_| Drive::new()),
            eqs: std::array::from_fn(|_| Eq::new()),
            comp: Compressor::new(),
            phasers: std::array::from_fn(|_| Phaser::new()),
            delays: std::array::from_fn(|_| Delay::new()),
            steady: [Steady::new(); CHANNELS],
            modulation: Modulation::new(),
            kind: FilterKind::Lowpass,
            cutoff: Smoother::new(20_000.0),
            q: Smoother::new(1.0),
            swept: 1.0,
            trembling: 1.0,
            amount: still,
            drive_mix: still,
            drive_presence: still,
            bands: [still; 3],
            squeeze: CompSettings {
                threshold_db: 0.0,
                ratio: 1.0,
                attack_s: 0.01,
                release_s: 0.25,
                knee_db: 30.0,
            },
            presence: still,
            side: None,
            gain: Smoother::new(1.0),
            sweep: Lfo::new(),
            stages: 4,
            phaser_depth: still,
            phaser_mix: still,
            delay_time: 0.25,
            delay_sync: 0.0,
            beat_s: BEAT_S,
            feedback: still,
            delay_mix: still,
        }
    }

    /// Heads for an owner's values, to arrive after `ramp` samples.
    pub(super) fn head_for(&mut self, param: &impl Fn(Param) -> f32, ramp: u32) {
        let on = |switch, value, off| switched(param, switch, value, off);
        self.kind = match on(Param::FilterEnabled, Param::FilterType, 0.0) as u32 {
            1 => FilterKind::Highpass,
            2 => FilterKind::Bandpass,
            3 => FilterKind::Notch,
            _ => FilterKind::Lowpass,
        };
        self.cutoff.set(on(Param::FilterEnabled, Param::FilterFreq, 20_000.0), ramp);
        self.q.set(param(Param::FilterQ), ramp);
        self.amount.set(param(Param::DistortAmount), ramp);
        let mix = on(Param::DistortEnabled, Param::DistortMix, 0.0);
        self.drive_mix.set(mix, ramp);
        self.drive_presence.set(if mix > 0.0 { 1.0 } else { 0.0 }, ramp);
        let bands = [Param::EqLow, Param::EqMid, Param::EqHigh];
        for (band, value) in self.bands.iter_mut().zip(bands) {
            band.set(3.0 * on(Param::EqEnabled, value, 0.0), ramp);
        }
        self.squeeze = CompSettings {
            threshold_db: param(Param::CompThreshold),
            ratio: param(Param::CompRatio),
            attack_s: param(Param::CompAttack),
            release_s: param(Param::CompRelease),
            knee_db: param(Param::CompKnee),
        };
        let squeezes = on(Param::CompEnabled, Param::CompRatio, 1.0) > 1.0;
        self.presence.set(if squeezes { 1.0 } else { 0.0 }, ramp);
        self.side = (param(Param::CompSide) as usize).checked_sub(1).filter(|_| squeezes);
        let steps = param(Param::SampleGain) + on(Param::AmpEnabled, Param::AmpGain, 0.0);
        self.gain.set(if steps == 0.0 { 1.0 } else { db_to_gain(3.0 * steps) }, ramp);
        self.sweep.set_hz(param(Param::PhaserRate));
        self.stages = STAGES[(param(Param::PhaserStages) as usize).min(STAGES.len() - 1)];
        self.phaser_depth.set(param(Param::PhaserDepth), ramp);
        self.phaser_mix.set(on(Param::PhaserEnabled, Param::PhaserMix, 0.0), ramp);
        (self.delay_time, self.delay_sync) = (param(Param::DelayTime), param(Param::DelaySync));
        self.feedback.set(param(Param::DelayFeedback), ramp);
        self.delay_mix.set(on(Param::DelayEnabled, Param::DelayMix, 0.0), ramp);
        self.modulation.head_for(param, ramp);
    }

    /// A run begins: the next quantum's first sample is this one of the song.
    pub(super) fn begin(&mut self, song: i64) {
        self.modulation.begin(song);
        self.sweep.begin(song);
    }

    pub(super) fn reset(&mut self) {
        self.filters.iter_mut().for_each(Svf::reset);
        self.drives.iter_mut().for_each(Drive::reset);
        self.eqs.iter_mut().for_each(Eq::reset);
        self.comp.reset();
        self.phasers.iter_mut().for_each(Phaser::reset);
        self.delays.iter_mut().for_each(Delay::reset);
        self.steady.iter_mut().for_each(Steady::reset);
        (self.swept, self.trembling) = (1.0, 1.0);
    }

    /// Whether silence in gives silence out from here on.
    pub(super) fn is_silent(&self) -> bool {
        self.is_silent_to_comp()
            && self.phasers.iter().all(Phaser::is_silent)
            && self.delays.iter().all(Delay::is_silent)
            && self.steady.iter().all(Steady::is_silent)
    }

    fn is_silent_to_comp(&self) -> bool {
        self.filters.iter().all(Svf::is_silent)
            && self.drives.iter().all(Drive::is_silent)
            && self.eqs.iter().all(Eq::is_silent)
    }

    /// A silent quantum: the values move on, and the compressor hears its key.
    pub(super) fn rest(&mut self, key: Option<&Quantum>) {
        let values = [
            &mut self.cutoff,
            &mut self.q,
            &mut self.amount,
            &mut self.drive_mix,
            &mut self.drive_presence,
            &mut self.gain,
            &mut self.phaser_depth,
            &mut self.phaser_mix,
            &mut self.feedback,
            &mut self.delay_mix,
        ];
        values.into_iter().chain(&mut self.bands).for_each(|value| {
            quantum_on(value);
        });
        self.modulation.advance();
        self.sweep.advance();
        self.compress([], key);
    }

    fn compress<const HEARD: usize>(&mut self, channels: [&mut Quantum; HEARD], key: Option<&Quantum>) {
        let presence = quantum_on(&mut self.presence);
        let levels = match key {
            _ if presence == 0.0 => Levels::of([]),
            Some(key) => Levels::of([key]),
            None => Levels::of(channels.iter().map(|channel| &**channel)),
        };
        self.comp.process(channels, &levels, self.squeeze, presence);
    }

    /// `silence` says that the input holds zeros alone; `key` is what the compressor listens to
    /// instead.
    pub(super) fn process(
        &mut self,
        mut channels: [&mut Quantum; CHANNELS],
        silence: bool,
        key: Option<&Quantum>,
    ) {
        self.modulation.advance();
        self.sweep.advance();
        self.colour(channels.each_mut().map(|io| &mut **io), silence);
        self.compress(channels.each_mut().map(|io| &mut **io), key);
        self.loudness(channels.each_mut().map(|io| &mut **io));
        let (depth, mix) = (quantum_on(&mut self.phaser_depth), quantum_on(&mut self.phaser_mix));
        let (time, feedback, delay_mix) = self.echo();
        for (at, io) in channels.into_iter().enumerate() {
            // A quarter turn apart, two channels turn about each other.
            let sway = if mix == 0.0 { 0.0 } else { self.sweep.sine((at as u32) << 30) };
            self.phasers[at].process(io, sway, depth, self.stages, mix);
            // What a track gives has nothing steady; the master's own drive may make some.
            if CHANNELS == 1 || self.drive_presence.value() > 0.0 || !self.steady[at].is_silent() {
                self.steady[at].process(io);
            }
            self.delays[at].process(io, time, feedback, delay_mix);
        }
    }

    /// Filter, drive and equaliser.
    fn colour(&mut self, channels: [&mut Quantum; CHANNELS], silence: bool) {
        let mut cutoff = [0.0; QUANTUM];
        self.cutoff.fill(&mut cutoff);
        let (_, sway) = self.modulation.of(Target::Freq);
        let swept = if sway == 0.0 { 1.0 } else { exp2(FREQ_OCTAVES * sway) };
        scale_along(&mut cutoff, &mut self.swept, swept);
        let (_, sway) = self.modulation.of(Target::Q);
        let q = quantum_on(&mut self.q) * if sway == 0.0 { 1.0 } else { exp2(Q_OCTAVES * sway) };
        let (amount, mix) = (quantum_on(&mut self.amount), quantum_on(&mut self.drive_mix));
        let presence = quantum_on(&mut self.drive_presence);
        let bands = self.bands.each_mut().map(quantum_on);
        // Between the notes of a track only what comes later works on.
        if silence && self.is_silent_to_comp() {
            return;
        }
        for (at, io) in channels.into_iter().enumerate() {
            self.filters[at].process(io, self.kind, &cutoff, q);
            self.drives[at].process(io, amount, mix, presence);
            self.eqs[at].process(io, bands);
        }
    }

    /// The gain, and what trembles of it.
    fn loudness(&mut self, channels: [&mut Quantum; CHANNELS]) {
        let mut gain = [0.0; QUANTUM];
        self.gain.fill(&mut gain);
        let (depth, sway) = self.modulation.of(Target::Amp);
        // From full down to 1 − depth.
        scale_along(&mut gain, &mut self.trembling, 1.0 - 0.5 * (depth - sway));
        if gain == [1.0; QUANTUM] {
            return;
        }
        for io in channels {
            io.iter_mut().zip(&gain).for_each(|(sample, gain)| *sample *= gain);
        }
    }

    /// Time, feedback and mix of the delay at the quantum's end.
    fn echo(&mut self) -> (f32, f32, f32) {
        let (_, time) = self.modulation.of(Target::Time);
        let (_, feedback) = self.modulation.of(Target::Feedback);
        let (deep, mix) = self.modulation.of(Target::Mix);
        let stated = quantum_on(&mut self.delay_mix);
        // At mix 0 the line would forget.
        let moved =
            if deep == 0.0 || stated == 0.0 { stated } else { (stated + 0.5 * mix).clamp(0.001, 1.0) };
        let feedback = (quantum_on(&mut self.feedback) + 0.475 * feedback).clamp(0.0, 0.95);
        let own = echo_s(self.delay_sync, self.beat_s).unwrap_or(self.delay_time);
        (own * (1.0 + 0.5 * time), feedback, moved)
    }

    /// Where an LFO has the pan, −1 to 1 to either side.
    pub(super) fn pan_sway(&self) -> f32 {
        self.modulation.of(Target::Pan).1
    }
}
