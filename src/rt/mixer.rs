//! From cues to canonical samples: each track's voices and inserts, then the master.
//!
//! Thread: audio. Realtime-safe: yes, but for [`Mixer::new`]. Invariant: what a quantum gives is a
//! function of the song's parameters, the cues and what was rendered since the last reset.

use super::cues::CueList;
use super::instrument::{Instrument, Touch, voice_of};
use crate::dsp::math::{db_to_gain, pan_gains};
use crate::dsp::{Delay, Drive, FilterKind, Limiter, QUANTUM, Quantum, Smoother, Svf};
use crate::param::{MAX_TRACKS, Owner, Param, TrackIndex, fader_gain};
use crate::pattern::{Song, Voice};

/// Samples over which voices that are taken away fade: 2 ms.
const SEAM: u32 = 96;

/// Samples a parameter takes to arrive: 5 ms.
pub(super) const RAMP: u32 = 240;

/// The insert effects of one owner, on one or two channels.
struct Inserts<const CHANNELS: usize> {
    filters: [Svf; CHANNELS],
    drives: [Drive; CHANNELS],
    delays: [Delay; CHANNELS],
    kind: FilterKind,
    cutoff: Smoother,
    q: Smoother,
    amount: Smoother,
    drive_mix: Smoother,
    gain: Smoother,
    delay_time: f32,
    feedback: Smoother,
    delay_mix: Smoother,
}

impl<const CHANNELS: usize> Inserts<CHANNELS> {
    fn new() -> Self {
        let still = Smoother::new(0.0);
        Inserts {
            filters: std::array::from_fn(|_| Svf::new()),
            drives: std::array::from_fn(|_| Drive::new()),
            delays: std::array::from_fn(|_| Delay::new()),
            kind: FilterKind::Lowpass,
            cutoff: Smoother::new(20_000.0),
            q: Smoother::new(1.0),
            amount: still,
            drive_mix: still,
            gain: Smoother::new(1.0),
            delay_time: 0.25,
            feedback: still,
            delay_mix: still,
        }
    }

    /// Heads for the song's values, to arrive after `ramp` samples.
    fn head_for(&mut self, song: &Song, owner: Owner, ramp: u32) {
        let param = |param| song.param(owner, param);
        let on = |switch, value: f32, off: f32| if param(switch) >= 0.5 { value } else { off };
        self.kind = match on(Param::FilterEnabled, param(Param::FilterType), 0.0) as u32 {
            1 => FilterKind::Highpass,
            2 => FilterKind::Bandpass,
            3 => FilterKind::Notch,
            _ => FilterKind::Lowpass,
        };
        self.cutoff.set(on(Param::FilterEnabled, param(Param::FilterFreq), 20_000.0), ramp);
        self.q.set(param(Param::FilterQ), ramp);
        self.amount.set(param(Param::DistortAmount), ramp);
        self.drive_mix.set(on(Param::DistortEnabled, param(Param::DistortMix), 0.0), ramp);
        let steps = param(Param::SampleGain) + on(Param::AmpEnabled, param(Param::AmpGain), 0.0);
        self.gain.set(if steps == 0.0 { 1.0 } else { db_to_gain(3.0 * steps) }, ramp);
        self.delay_time = param(Param::DelayTime);
        self.feedback.set(param(Param::DelayFeedback), ramp);
        self.delay_mix.set(on(Param::DelayEnabled, param(Param::DelayMix), 0.0), ramp);
    }

    fn reset(&mut self) {
        self.filters.iter_mut().for_each(Svf::reset);
        self.drives.iter_mut().for_each(Drive::reset);
        self.delays.iter_mut().for_each(Delay::reset);
    }

    fn is_silent(&self) -> bool {
        self.filters.iter().all(Svf::is_silent)
            && self.drives.iter().all(Drive::is_silent)
            && self.delays.iter().all(Delay::is_silent)
    }

    /// A silent quantum: the values move on.
    fn rest(&mut self) {
        let values = [
            &mut self.cutoff,
            &mut self.q,
            &mut self.amount,
            &mut self.drive_mix,
            &mut self.gain,
            &mut self.feedback,
            &mut self.delay_mix,
        ];
        for value in values {
            value.advance_by(QUANTUM as u32);
        }
    }

    /// `silence` says that the input holds zeros alone.
    fn process(&mut self, channels: [&mut Quantum; CHANNELS], silence: bool) {
        let mut cutoff = [0.0; QUANTUM];
        self.cutoff.fill(&mut cutoff);
        let mut gain = [0.0; QUANTUM];
        self.gain.fill(&mut gain);
        let end = |value: &mut Smoother| value.advance_by(QUANTUM as u32);
        let (q, amount, drive_mix) = (end(&mut self.q), end(&mut self.amount), end(&mut self.drive_mix));
        let (feedback, delay_mix) = (end(&mut self.feedback), end(&mut self.delay_mix));
        for (at, io) in channels.into_iter().enumerate() {
            // Between the notes of a track only its echo works.
            if !(silence && self.filters[at].is_silent() && self.drives[at].is_silent()) {
                self.filters[at].process(io, self.kind, &cutoff, q);
                self.drives[at].process(io, amount, drive_mix);
                io.iter_mut().zip(&gain).for_each(|(sample, gain)| *sample *= gain);
            }
            self.delays[at].process(io, self.delay_time, feedback, delay_mix);
        }
    }
}

/// One track: voices, inserts, and its way into the master.
struct TrackChain {
    kind: Option<Voice>,
    instrument: Instrument,
    /// The last sample of the voices, and of voices that were taken away.
    last: f32,
    seam: f32,
    seam_left: u32,
    touch: Touch,
    inserts: Inserts<1>,
    left: Smoother,
    right: Smoother,
}

impl TrackChain {
    fn head_for(&mut self, song: &Song, track: TrackIndex, ramp: u32) {
        let pattern = song.track(track);
        let kind = pattern.alive.then(|| voice_of(pattern));
        if self.kind != kind {
            self.kind = kind;
            self.instrument = Instrument::new(kind.unwrap_or(Voice::Kick));
            (self.seam, self.seam_left) = (self.last, if self.last == 0.0 { 0 } else { SEAM });
        }
        self.touch = Touch::of(song, track);
        let owner = Owner::Track(track);
        self.inserts.head_for(song, owner, ramp);
        let (left, right) = channel_gains(song, owner);
        self.left.set(left, ramp);
        self.right.set(right, ramp);
    }

    fn silence(&mut self) {
        self.instrument.reset();
        self.inserts.reset();
        (self.last, self.seam_left) = (0.0, 0);
    }

    /// Whether the voices are silent until one is struck.
    fn is_silent(&self) -> bool {
        self.seam_left == 0 && self.instrument.is_silent()
    }

    /// The voices of a quantum, with what fades of voices taken away.
    fn play(&mut self, cues: &CueList, out: &mut Quantum) {
        self.instrument.render(cues.as_slice(), self.touch, out);
        self.last = out[QUANTUM - 1];
        for sample in out.iter_mut().take(self.seam_left as usize) {
            self.seam_left -= 1;
            *sample += self.seam * (self.seam_left as f32 * (1.0 / SEAM as f32));
        }
    }
}

/// Level × mute × pan of an owner.
fn channel_gains(song: &Song, owner: Owner) -> (f32, f32) {
    let muted = song.param(owner, Param::Mute) >= 0.5;
    let level = if muted { 0.0 } else { fader_gain(song.param(owner, Param::Level)) };
    let (left, right) = pan_gains(song.param(owner, Param::Pan));
    (level * left, level * right)
}

/// A quantum as it leaves the tracks and the master.
pub(super) struct Mixed {
    /// Each track after its inserts.
    pub(super) tracks: [Quantum; MAX_TRACKS],
    /// The master, later by the limiter's look-ahead.
    pub(super) left: Quantum,
    pub(super) right: Quantum,
}

/// All tracks and the master.
pub(super) struct Mixer {
    tracks: Box<[TrackChain; MAX_TRACKS]>,
    master: Inserts<2>,
    left: Smoother,
    right: Smoother,
    ceiling: Smoother,
    limiter: Limiter,
    mixed: Box<Mixed>,
    /// Owners whose parameters have changed: bit n for row n.
    changed: u32,
    /// A bit to flip: track, sample of the next quantum. For tests.
    planted: Option<(usize, usize)>,
}

impl Mixer {
    /// Allocates.
    pub(super) fn new() -> Mixer {
        let chain = || TrackChain {
            kind: None,
            instrument: Instrument::new(Voice::Kick),
            last: 0.0,
            seam: 0.0,
            seam_left: 0,
            touch: Touch { decay: 1.0, shape: crate::dsp::EnvShape::DEFAULT },
            inserts: Inserts::new(),
            left: Smoother::new(0.0),
            right: Smoother::new(0.0),
        };
        let silence = [0.0; QUANTUM];
        Mixer {
            tracks: Box::new(std::array::from_fn(|_| chain())),
            master: Inserts::new(),
            left: Smoother::new(0.0),
            right: Smoother::new(0.0),
            ceiling: Smoother::new(0.0),
            limiter: Limiter::new(),
            mixed: Box::new(Mixed { tracks: [silence; MAX_TRACKS], left: silence, right: silence }),
            changed: u32::MAX,
            planted: None,
        }
    }

    /// Notes that an owner's parameters or voice may have changed.
    pub(super) fn note_change(&mut self, owner: Owner) {
        self.changed |= 1 << owner.row();
    }

    /// Notes that everything may have changed.
    pub(super) fn note_song(&mut self) {
        self.changed = u32::MAX;
    }

    /// Silence, with every value where the song has it.
    pub(super) fn reset(&mut self, song: &Song) {
        self.changed = u32::MAX;
        self.head_for(song, 0);
        for chain in self.tracks.iter_mut() {
            chain.silence();
        }
        self.master.reset();
        self.limiter.reset();
    }

    /// Silences one track and what the master remembers.
    pub(super) fn reset_track(&mut self, track: usize) {
        self.tracks[track].silence();
        self.master.reset();
        self.limiter.reset();
    }

    /// Flips the lowest bit of one sample of one track in the next quantum.
    pub(super) fn plant(&mut self, track: usize, sample: usize) {
        self.planted = Some((track, sample));
    }

    fn head_for(&mut self, song: &Song, ramp: u32) {
        for (track, chain) in TrackIndex::all().zip(self.tracks.iter_mut()) {
            if self.changed & 1 << track.get() != 0 {
                chain.head_for(song, track, ramp);
            }
        }
        if self.changed & 1 << Owner::Master.row() != 0 {
            self.master.head_for(song, Owner::Master, ramp);
            let (left, right) = channel_gains(song, Owner::Master);
            self.left.set(left, ramp);
            self.right.set(right, ramp);
            self.ceiling.set(song.param(Owner::Master, Param::Ceiling), ramp);
        }
        self.changed = 0;
    }

    /// Renders the next quantum.
    pub(super) fn render(&mut self, song: &Song, cues: &[CueList; MAX_TRACKS]) -> &Mixed {
        if self.changed != 0 {
            self.head_for(song, RAMP);
        }
        let Mixed { tracks, left, right } = &mut *self.mixed;
        left.fill(0.0);
        right.fill(0.0);
        for ((chain, cues), out) in self.tracks.iter_mut().zip(cues).zip(tracks.iter_mut()) {
            out.fill(0.0);
            let silence = cues.as_slice().is_empty() && chain.is_silent();
            if silence {
                chain.last = 0.0;
            }
            if silence && chain.inserts.is_silent() {
                chain.inserts.rest();
                chain.left.advance_by(QUANTUM as u32);
                chain.right.advance_by(QUANTUM as u32);
                continue;
            }
            if !silence {
                chain.play(cues, out);
            }
            chain.inserts.process([out], silence);
            add_scaled(left, out, &mut chain.left);
            add_scaled(right, out, &mut chain.right);
        }
        if let Some((track, sample)) = self.planted.take() {
            tracks[track][sample] = f32::from_bits(tracks[track][sample].to_bits() ^ 1);
        }
        self.master.process([left, right], false);
        scale(left, &mut self.left);
        scale(right, &mut self.right);
        let ceiling = self.ceiling.advance_by(QUANTUM as u32);
        self.limiter.process(left, right, ceiling);
        &self.mixed
    }
}

fn add_scaled(to: &mut Quantum, from: &Quantum, gain: &mut Smoother) {
    let mut gains = [0.0; QUANTUM];
    gain.fill(&mut gains);
    for ((to, from), gain) in to.iter_mut().zip(from).zip(gains) {
        *to += from * gain;
    }
}

fn scale(io: &mut Quantum, gain: &mut Smoother) {
    let mut gains = [0.0; QUANTUM];
    gain.fill(&mut gains);
    io.iter_mut().zip(gains).for_each(|(sample, gain)| *sample *= gain);
}
