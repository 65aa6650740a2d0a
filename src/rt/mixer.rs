//! From cues to canonical samples: each track's voices and inserts, then the master.
//!
//! Thread: audio. Realtime-safe: yes, but for [`Mixer::new`]. Invariant: what a quantum gives is a
//! function of the song's parameters, the cues and what was rendered since the last reset.

use std::sync::Arc;

use super::controls::Target;
use super::cues::CueList;
use super::fader::Fader;
use super::files::{Files, Named};
use super::inserts::Inserts;
use super::instrument::{Instrument, Touch, voice_of};
use super::locked::Sounding;
use super::master::Master;
use super::own_mix::{OwnMix, Room};
use super::personal::PersonalEdit;
use super::ramp::RAMP;
use super::sides::Sides;
use super::space::Space;
use super::synced::beat_s;
use crate::dsp::{QUANTUM, Quantum, SampleFile, Smoother};
use crate::param::{MAX_TRACKS, Owner, Param, TrackIndex};
use crate::pattern::Voice;
use crate::time::Tempo;

/// Samples over which voices that are taken away fade: 2 ms.
const SEAM: u32 = 96;

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
    sides: Sides,
    space: Space,
    fader: Fader,
    sends: [Smoother; 2],
}

impl TrackChain {
    /// Allocates.
    fn new() -> TrackChain {
        TrackChain {
            kind: None,
            instrument: Instrument::new(Voice::Kick),
            last: 0.0,
            seam: 0.0,
            seam_left: 0,
            touch: Touch::NEUTRAL,
            inserts: Inserts::new(),
            sides: Sides::new(),
            space: Space::new(),
            fader: Fader::new(),
            sends: [Smoother::new(0.0); 2],
        }
    }

    fn head_for(&mut self, song: &Sounding<'_>, files: &Files, track: TrackIndex, ramp: u32) {
        let pattern = song.track(track);
        let kind = pattern.alive.then(|| voice_of(pattern));
        let file = pattern.file.and_then(|id| files.get(id)).filter(|_| kind == Some(Voice::Sampler));
        if self.kind != kind || !self.plays(file) {
            self.kind = kind;
            self.take(match file {
                Some(file) => Instrument::sampler(Some(file.clone())),
                None => Instrument::new(kind.unwrap_or(Voice::Kick)),
            });
        }
        let soloed_out = song.is_soloed_out(track);
        let param = |param| match param {
            Param::Mute if soloed_out => 1.0,
            _ => song.param(Owner::Track(track), param),
        };
        self.touch = Touch::of(&param);
        self.inserts.head_for(&param, ramp);
        self.sides.head_for(kind, &param, ramp);
        self.space.head_for(&param, ramp);
        self.fader.head_for(&param, ramp);
        self.sends[0].set(param(Param::SendReverb), ramp);
        self.sends[1].set(param(Param::SendDelay), ramp);
    }

    /// Whether this is the file that it plays.
    fn plays(&self, file: Option<&Arc<SampleFile>>) -> bool {
        let Instrument::Sampler(_, held) = &self.instrument else { return file.is_none() };
        match (held, file) {
            (Some(held), Some(file)) => Arc::ptr_eq(held, file),
            (held, file) => held.is_none() && file.is_none(),
        }
    }

    /// Plays by another instrument from now on; what sounded fades.
    fn take(&mut self, instrument: Instrument) {
        self.instrument = instrument;
        (self.seam, self.seam_left) = (self.last, if self.last == 0.0 { 0 } else { SEAM });
    }

    fn silence(&mut self) {
        self.instrument.reset();
        self.inserts.reset();
        self.sides.reset();
        self.space.reset();
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

/// Where a test lets a bit flip.
#[derive(Clone, Copy, Debug)]
pub(super) enum Planted {
    /// In what a track gives out: the lowest bit, heard nowhere else.
    Output(usize),
    /// In what its voices play: a higher bit, which its effects remember.
    Voices(usize),
}

/// A quantum as it leaves the tracks and the master.
pub(super) struct Mixed {
    /// Each track after its inserts: its left side, or both.
    pub(super) tracks: [Quantum; MAX_TRACKS],
    /// The right side of those tracks that have one of their own.
    pub(super) rights: [Quantum; MAX_TRACKS],
    /// Which do: bit n for track n.
    pub(super) wide: u32,
    /// The master, later by the limiter's look-ahead.
    pub(super) left: Quantum,
    pub(super) right: Quantum,
    /// What is heard here: the master, or a musician's own mix.
    pub(super) heard: [Quantum; 2],
}

impl Mixed {
    /// The sides of a track: one, or two that differ.
    pub(super) fn sides(&self, track: usize) -> impl Iterator<Item = &Quantum> {
        let right = (self.wide & 1 << track != 0).then_some(&self.rights[track]);
        std::iter::once(&self.tracks[track]).chain(right)
    }
}

/// All tracks and the master.
pub(super) struct Mixer {
    tracks: Box<[TrackChain; MAX_TRACKS]>,
    /// What the voices of each track play, before its effects.
    voices: Box<[Quantum; MAX_TRACKS]>,
    master: Master,
    /// Present once a musician has used a mix of their own.
    own: Option<Box<OwnMix>>,
    tempo: Tempo,
    mixed: Box<Mixed>,
    pub(super) files: Files,
    /// Owners whose parameters have changed: bit n for row n.
    changed: u32,
    /// A bit to flip, and in which sample of the next quantum. For tests.
    planted: Option<(Planted, usize)>,
}

impl Mixer {
    /// Allocates.
    pub(super) fn new() -> Mixer {
        let silence = [0.0; QUANTUM];
        let tracks = [silence; MAX_TRACKS];
        Mixer {
            tracks: Box::new(std::array::from_fn(|_| TrackChain::new())),
            voices: Box::new(tracks),
            master: Master::new(),
            own: None,
            mixed: Box::new(Mixed {
                tracks,
                rights: tracks,
                wide: 0,
                left: silence,
                right: silence,
                heard: [silence; 2],
            }),
            files: Files::default(),
            tempo: Tempo::DEFAULT,
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

    /// Puts a sample file, or none, at a place. What was there comes back, and no voice holds it: those
    /// that played it fade, and find what is there now with the next quantum.
    pub(super) fn put_file(&mut self, place: u8, file: Option<Named>) -> Option<Named> {
        let again = file.as_ref().map(|(_, file)| Arc::as_ptr(file));
        let old = self.files.put(place, file);
        if old.as_ref().map(|(_, old)| Arc::as_ptr(old)) == again {
            return old;
        }
        for chain in self.tracks.iter_mut() {
            if let Some((_, old)) = &old
                && chain.plays(Some(old))
            {
                chain.take(Instrument::sampler(None));
            }
        }
        self.note_song();
        old
    }

    /// Silence, with every value where the song has it.
    pub(super) fn reset(&mut self, song: &Sounding<'_>) {
        self.changed = u32::MAX;
        self.head_for(song, 0);
        for chain in self.tracks.iter_mut() {
            chain.silence();
        }
        self.master.reset();
        self.own.iter_mut().for_each(|own| own.reset());
    }

    /// Silences one track and what the master remembers.
    pub(super) fn reset_track(&mut self, track: usize) {
        self.tracks[track].silence();
        self.master.reset();
        self.own.iter_mut().for_each(|own| own.reset_track(track));
    }

    /// A run begins: the next quantum's first sample is this one of the song.
    pub(super) fn begin(&mut self, sample: i64) {
        for chain in self.tracks.iter_mut() {
            chain.inserts.begin(sample);
            chain.space.begin(sample);
        }
        self.master.begin(sample);
        self.own.iter_mut().for_each(|own| own.begin(sample));
    }

    /// The song goes on from elsewhere: the next quantum's first sample is this one. What only
    /// sways (chorus, phaser) sways on.
    pub(super) fn seek(&mut self, sample: i64) {
        self.tracks.iter_mut().for_each(|chain| chain.inserts.modulation.seek(sample));
        self.master.seek(sample);
        self.own.iter_mut().for_each(|own| own.seek(sample));
    }

    /// Takes room for a musician's own mix in, while the next quantum's first sample is `head`; gives
    /// back what is not needed.
    pub(super) fn take_room(&mut self, room: Room, song: &Sounding<'_>, head: i64) -> Option<Room> {
        match (room, &mut self.own) {
            (Room::Mix(mut own), None) => {
                own.head_for(&|param| song.param(Owner::Master, param), 0);
                own.begin(head);
                self.own = Some(own);
                None
            }
            (Room::Effects(effects), Some(own)) => own.take(effects, head).map(Room::Effects),
            (room, _) => Some(room),
        }
    }

    /// Writes an edit of the own mix; without room for it, it is forgotten.
    pub(super) fn write_own(&mut self, edit: PersonalEdit) {
        self.own.iter_mut().for_each(|own| own.write(edit));
    }

    /// Where a value of the own mix stands; 0 without one.
    pub(super) fn own_value(&self, target: Target) -> f32 {
        self.own.as_ref().map_or(0.0, |own| own.value(target))
    }

    /// Whether the host bounces: that gets everybody's mix, unless the musician wants theirs.
    pub(super) fn bounce(&mut self, bouncing: bool) {
        self.own.iter_mut().for_each(|own| own.bounce(bouncing));
    }

    /// The tempo that holds, for what is as long as the song says.
    pub(super) fn follow(&mut self, tempo: Tempo) {
        let beat_s = beat_s(tempo);
        // Own effects may have come since the last quantum.
        self.own.iter_mut().for_each(|own| own.follow(beat_s));
        if tempo != self.tempo {
            self.tempo = tempo;
            self.tracks.iter_mut().for_each(|chain| chain.inserts.beat_s = beat_s);
            self.master.follow(beat_s);
        }
    }

    /// Flips a bit of one sample in the next quantum.
    pub(super) fn plant(&mut self, place: Planted, sample: usize) {
        self.planted = Some((place, sample));
    }

    fn head_for(&mut self, song: &Sounding<'_>, ramp: u32) {
        for (track, chain) in TrackIndex::all().zip(self.tracks.iter_mut()) {
            if self.changed & 1 << track.get() != 0 {
                chain.head_for(song, &self.files, track, ramp);
            }
        }
        if self.changed & 1 << Owner::Master.row() != 0 {
            let param = |param| song.param(Owner::Master, param);
            self.master.head_for(&param, ramp);
            self.own.iter_mut().for_each(|own| own.head_for(&param, ramp));
        }
        self.changed = 0;
    }

    /// Renders the next quantum.
    pub(super) fn render(&mut self, song: &Sounding<'_>, cues: &[CueList; MAX_TRACKS]) -> &Mixed {
        if self.changed != 0 {
            self.head_for(song, RAMP);
        }
        let sounding = self.play(cues);
        if let Some((Planted::Voices(track), sample)) = self.planted {
            flip(&mut self.voices[track][sample], 18);
        }
        let Mixed { tracks, rights, wide, left, right, .. } = &mut *self.mixed;
        left.fill(0.0);
        right.fill(0.0);
        *wide = 0;
        let mut own = self.own.as_deref_mut();
        own.iter_mut().for_each(|own| own.begin_quantum());
        for (at, chain) in self.tracks.iter_mut().enumerate() {
            let (out, side) = (&mut tracks[at], &mut rights[at]);
            *out = self.voices[at];
            let silence = sounding & 1 << at == 0;
            let key = chain.inserts.side.map(|side| &self.voices[side]);
            if silence && chain.inserts.is_silent() && chain.sides.is_silent() && chain.space.is_silent() {
                chain.inserts.rest(key);
                chain.sides.rest();
                chain.space.rest();
                let gains = chain.fader.quantum(chain.inserts.pan_sway());
                let sends = chain.sends.each_mut().map(ends_of);
                own.iter_mut().for_each(|own| own.add(at, None, &gains, sends, &self.voices));
                continue;
            }
            chain.inserts.process([&mut *out], silence, key);
            let apart = chain.sides.process(out, side);
            let sides = if chain.space.is_off() {
                chain.space.rest();
                [&*out, if apart { &*side } else { &*out }]
            } else {
                if !apart {
                    *side = *out;
                }
                chain.space.process(out, side);
                [&*out, &*side]
            };
            if !std::ptr::eq(sides[0], sides[1]) {
                *wide |= 1 << at;
            }
            let gains = chain.fader.quantum(chain.inserts.pan_sway());
            let faded = [product(sides[0], &gains[0]), product(sides[1], &gains[1])];
            add(left, &faded[0]);
            add(right, &faded[1]);
            let sends = chain.sends.each_mut().map(ends_of);
            for (bus, ends) in sends.into_iter().enumerate().filter(|(_, ends)| *ends != (0.0, 0.0)) {
                self.master.send(bus, faded.each_ref(), ends);
            }
            own.iter_mut().for_each(|own| own.add(at, Some(sides), &gains, sends, &self.voices));
        }
        if let Some((Planted::Output(track), sample)) = self.planted.take() {
            flip(&mut tracks[track][sample], 0);
        }
        self.finish();
        &self.mixed
    }

    /// Plays the voices of all tracks; gives those that sound, bit n for track n.
    fn play(&mut self, cues: &[CueList; MAX_TRACKS]) -> u32 {
        let mut sounding = 0;
        for (at, (chain, out)) in self.tracks.iter_mut().zip(self.voices.iter_mut()).enumerate() {
            out.fill(0.0);
            if cues[at].as_slice().is_empty() && chain.is_silent() {
                chain.last = 0.0;
            } else {
                chain.play(&cues[at], out);
                sounding |= 1 << at;
            }
        }
        sounding
    }

    /// From the sum of the tracks to the master's output, and to what is heard here.
    fn finish(&mut self) {
        let Mixed { left, right, heard, .. } = &mut *self.mixed;
        self.master.gather(left, right, &self.voices);
        self.master.limit(left, right, 0.0);
        *heard = [*left, *right];
        if let Some(own) = &mut self.own {
            own.finish(heard, &self.voices);
        }
    }
}

fn flip(sample: &mut f32, bit: u32) {
    *sample = f32::from_bits(sample.to_bits() ^ 1 << bit);
}

/// A value at a quantum's two ends.
fn ends_of(value: &mut Smoother) -> (f32, f32) {
    (value.value(), value.advance_by(QUANTUM as u32))
}

fn product(samples: &Quantum, gains: &Quantum) -> Quantum {
    let mut out = *samples;
    out.iter_mut().zip(gains).for_each(|(out, gain)| *out *= gain);
    out
}

fn add(to: &mut Quantum, samples: &Quantum) {
    to.iter_mut().zip(samples).for_each(|(to, sample)| *to += sample);
}
