//! The insert effects of one owner, from filter to reverb.
//!
//! Thread: audio. Realtime-safe: yes, but for the `new`s. Invariant: an effect that is off passes its
//! input bit for bit, at next to no cost; what switches or moves crosses over within [`RAMP`].

use super::modulation::{Modulation, Target};
use super::synced::{BEAT_S, echo_s};
use crate::dsp::math::{db_to_gain, exp2};
use crate::dsp::{
    Chorus, CompSettings, Compressor, Delay, Drive, Eq, FilterKind, Levels, Lfo, Phaser, PingPong, QUANTUM,
    Quantum, Reverb, Smoother, Steady, Svf,
};
use crate::param::Param;

/// Samples a parameter takes to arrive: 5 ms.
pub(super) const RAMP: u32 = 240;

/// Octaves by which an LFO of depth 1 moves a cutoff to either side, and a resonance.
const FREQ_OCTAVES: f32 = 4.0;
const Q_OCTAVES: f32 = 2.0;
/// A phaser's numbers of stages, by the parameter's word.
const STAGES: [usize; 5] = [2, 4, 6, 8, 12];

/// The switch of a module over one of its values.
fn switched(param: &impl Fn(Param) -> f32, switch: Param, value: Param, off: f32) -> f32 {
    if param(switch) >= 0.5 { param(value) } else { off }
}

fn quantum_on(value: &mut Smoother) -> f32 {
    value.advance_by(QUANTUM as u32)
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

/// Multiplies by a factor that moves from where it was to `to` in a straight line.
fn scale_along(io: &mut Quantum, was: &mut f32, to: f32) {
    if *was != to || to != 1.0 {
        let step = (to - *was) * (1.0 / QUANTUM as f32);
        for (n, value) in io.iter_mut().enumerate() {
            *value *= to - step * (QUANTUM - 1 - n) as f32;
        }
    }
    *was = to;
}

/// Chorus and reverb: what makes two sides of one.
pub(super) struct Space {
    chorus: [Chorus; 2],
    reverb: Reverb,
    sway: Lfo,
    chorus_depth: Smoother,
    chorus_mix: Smoother,
    decay: Smoother,
    predelay: f32,
    reverb_mix: Smoother,
}

impl Space {
    /// Allocates.
    pub(super) fn new() -> Space {
        let still = Smoother::new(0.0);
        Space {
            chorus: std::array::from_fn(|_| Chorus::new()),
            reverb: Reverb::new(),
            sway: Lfo::new(),
            chorus_depth: still,
            chorus_mix: still,
            decay: Smoother::new(2.5),
            predelay: 0.0,
            reverb_mix: still,
        }
    }

    /// Heads for an owner's values, to arrive after `ramp` samples.
    pub(super) fn head_for(&mut self, param: &impl Fn(Param) -> f32, ramp: u32) {
        let on = |switch, value| switched(param, switch, value, 0.0);
        self.sway.set_hz(param(Param::ChorusRate));
        self.chorus_depth.set(param(Param::ChorusDepth), ramp);
        self.chorus_mix.set(on(Param::ChorusEnabled, Param::ChorusMix), ramp);
        self.decay.set(param(Param::ReverbDecay), ramp);
        self.predelay = param(Param::ReverbPredelay);
        self.reverb_mix.set(on(Param::ReverbEnabled, Param::ReverbMix), ramp);
    }

    /// A run begins: the next quantum's first sample is this one of the song.
    pub(super) fn begin(&mut self, song: i64) {
        self.sway.begin(song);
    }

    pub(super) fn reset(&mut self) {
        self.chorus.iter_mut().for_each(Chorus::reset);
        self.reverb.reset();
    }

    /// Whether silence in gives silence out from here on.
    pub(super) fn is_silent(&self) -> bool {
        self.chorus.iter().all(Chorus::is_silent) && self.reverb.is_silent()
    }

    /// Whether it passes its input untouched, from here on.
    pub(super) fn is_off(&self) -> bool {
        let off = |mix: &Smoother| mix.is_settled() && mix.target() == 0.0;
        off(&self.chorus_mix) && off(&self.reverb_mix) && self.is_silent()
    }

    /// A quantum that it leaves alone: the values move on.
    pub(super) fn rest(&mut self) {
        for value in [&mut self.chorus_depth, &mut self.chorus_mix, &mut self.decay, &mut self.reverb_mix] {
            quantum_on(value);
        }
        self.sway.advance();
        if self.chorus_mix.value() == 0.0 {
            self.chorus.iter_mut().for_each(Chorus::pass);
        }
        if self.reverb_mix.value() == 0.0 {
            self.reverb.pass();
        }
    }

    pub(super) fn process(&mut self, left: &mut Quantum, right: &mut Quantum) {
        self.sway.advance();
        let (depth, mix) = (quantum_on(&mut self.chorus_depth), quantum_on(&mut self.chorus_mix));
        for (at, io) in [&mut *left, &mut *right].into_iter().enumerate() {
            let sway = if mix == 0.0 { 0.0 } else { self.sway.sine((at as u32) << 30) };
            self.chorus[at].process(io, sway, depth, mix);
        }
        let (decay, mix) = (quantum_on(&mut self.decay), quantum_on(&mut self.reverb_mix));
        self.reverb.process(left, right, decay, self.predelay, mix);
    }
}

/// Level, mute and pan of an owner.
pub(super) struct Fader {
    level: Smoother,
    pan: Smoother,
    gains: [f32; 2],
}

impl Fader {
    pub(super) fn new() -> Fader {
        Fader { level: Smoother::new(0.0), pan: Smoother::new(0.0), gains: [0.0; 2] }
    }

    /// Heads for an owner's values, to arrive after `ramp` samples.
    pub(super) fn head_for(&mut self, param: &impl Fn(Param) -> f32, ramp: u32) {
        let muted = param(Param::Mute) >= 0.5;
        let level = if muted { 0.0 } else { crate::param::fader_gain(param(Param::Level)) };
        self.level.set(level, ramp);
        self.pan.set(param(Param::Pan), ramp);
        if ramp == 0 {
            self.gains = self.gains_at(0.0);
        }
    }

    fn gains_at(&self, sway: f32) -> [f32; 2] {
        let pan = (self.pan.value() + sway).clamp(-1.0, 1.0);
        let (left, right) = crate::dsp::math::pan_gains(pan);
        [self.level.value() * left, self.level.value() * right]
    }

    /// The gains of both sides along the next quantum.
    pub(super) fn quantum(&mut self, sway: f32) -> [Quantum; 2] {
        quantum_on(&mut self.level);
        quantum_on(&mut self.pan);
        let (from, to) = (self.gains, self.gains_at(sway));
        self.gains = to;
        [line(from[0], to[0]), line(from[1], to[1])]
    }
}

/// A straight line over one quantum that ends exactly.
pub(super) fn line(from: f32, to: f32) -> Quantum {
    if from == to {
        return [to; QUANTUM];
    }
    let step = (to - from) * (1.0 / QUANTUM as f32);
    std::array::from_fn(|n| to - step * (QUANTUM - 1 - n) as f32)
}

/// What the tracks send to, for all together: a reverb and a delay whose echoes change sides, wet
/// alone, by the master's decay, pre-delay, time, sync and feedback.
pub(super) struct Buses {
    reverb: Reverb,
    echoes: PingPong,
    decay: Smoother,
    predelay: f32,
    time: f32,
    sync: f32,
    /// Seconds of a beat.
    pub(super) beat_s: f32,
    feedback: Smoother,
    /// Whether each is switched on, and what it gets in this quantum.
    open: [Smoother; 2],
    inputs: [[Quantum; 2]; 2],
    used: [bool; 2],
}

impl Buses {
    /// Allocates.
    pub(super) fn new() -> Buses {
        Buses {
            reverb: Reverb::new(),
            echoes: PingPong::new(),
            decay: Smoother::new(2.5),
            predelay: 0.0,
            time: 0.25,
            sync: 0.0,
            beat_s: BEAT_S,
            feedback: Smoother::new(0.0),
            open: [Smoother::new(1.0); 2],
            inputs: [[[0.0; QUANTUM]; 2]; 2],
            used: [false; 2],
        }
    }

    /// Heads for the master's values, to arrive after `ramp` samples.
    pub(super) fn head_for(&mut self, param: &impl Fn(Param) -> f32, ramp: u32) {
        self.decay.set(param(Param::ReverbDecay), ramp);
        self.predelay = param(Param::ReverbPredelay);
        (self.time, self.sync) = (param(Param::DelayTime), param(Param::DelaySync));
        self.feedback.set(param(Param::DelayFeedback), ramp);
        for (open, switch) in self.open.iter_mut().zip([Param::ReverbEnabled, Param::DelayEnabled]) {
            open.set(if param(switch) >= 0.5 { 1.0 } else { 0.0 }, ramp);
        }
    }

    pub(super) fn reset(&mut self) {
        self.reverb.reset();
        self.echoes.reset();
        self.used = [false; 2];
    }

    /// Whether they give nothing until they are sent something.
    pub(super) fn is_silent(&self) -> bool {
        self.reverb.is_silent() && self.echoes.is_silent()
    }

    /// Adds a track's two sides, after its fader, along a send's two ends; bus 0 is the reverb, 1 the
    /// delay.
    pub(super) fn send(&mut self, bus: usize, sides: [&Quantum; 2], from: f32, to: f32) {
        let [left, right] = &mut self.inputs[bus];
        if !self.used[bus] {
            (*left, *right, self.used[bus]) = ([0.0; QUANTUM], [0.0; QUANTUM], true);
        }
        let amount = line(from, to);
        for n in 0..QUANTUM {
            left[n] += amount[n] * sides[0][n];
            right[n] += amount[n] * sides[1][n];
        }
    }

    /// Adds what the buses give to the master's two sides.
    pub(super) fn add_to(&mut self, left: &mut Quantum, right: &mut Quantum) {
        let decay = quantum_on(&mut self.decay);
        let feedback = quantum_on(&mut self.feedback);
        let before = self.open.map(|open| open.value());
        let open = self.open.each_mut().map(quantum_on);
        let used = std::mem::take(&mut self.used);
        let silent = [self.reverb.is_silent(), self.echoes.is_silent()];
        let time = echo_s(self.sync, self.beat_s).unwrap_or(self.time);
        for bus in 0..2 {
            if !used[bus] {
                if silent[bus] {
                    continue;
                }
                self.inputs[bus] = [[0.0; QUANTUM]; 2];
            }
            let [to_left, to_right] = &mut self.inputs[bus];
            if bus == 0 {
                self.reverb.process(to_left, to_right, decay, self.predelay, 1.0);
            } else {
                self.echoes.process(to_left, to_right, time, feedback);
            }
            let amount = line(before[bus], open[bus]);
            for n in 0..QUANTUM {
                left[n] += amount[n] * to_left[n];
                right[n] += amount[n] * to_right[n];
            }
        }
    }
}
