//! A musician's own mix: trims, mutes, solos and effects of their own, behind the fingerprint.
//!
//! The shared mix is rendered and hashed as ever. Where somebody has a mix of their own, the tracks
//! are summed a second time: each after its shared inserts through effects of one's own, the shared
//! fader and the own trim, into a second master chain with the shared values, whose last modules
//! before the limiter are the own ones; so no ceiling is passed. What is heard crosses over from one
//! mix to the other within 5 ms. Without an own mix, or [`PATIENCE`] after it was last unlike the
//! shared one, none of it is computed. As its chain begins empty, what rings in the song's reverb
//! and delay at that moment stays behind.
//!
//! Thread: audio. Realtime-safe: yes, but for the `new`s: room is made elsewhere and arrives and
//! leaves by the rings. Invariant: nothing of the shared mix depends on it.

use std::fmt;

use super::controls::{ControlMap, Target};
use super::inserts::Inserts;
use super::master::Master;
use super::personal::{PersonalEdit, neutral};
use super::ramp::RAMP;
use super::space::Space;
use crate::dsp::math::db_to_gain;
use crate::dsp::{QUANTUM, Quantum, Smoother, line};
use crate::param::{MAX_TRACKS, OWNER_COUNT, Owner, PARAM_COUNT, Param, Slot};

/// Quanta for which the own mix goes on unheard, so that it is whole when it is wanted again: a
/// minute.
const PATIENCE: u32 = 60 * 48_000 / QUANTUM as u32;

/// Room for a musician's own mix, or for effects in it.
#[derive(Clone, Debug)]
pub enum Room {
    /// For the mix.
    Mix(Box<OwnMix>),
    /// For one owner's effects in it.
    Effects(Box<OwnEffects>),
    /// What the musician's controllers move; it takes the place of what they moved before.
    Controls(Box<ControlMap>),
}

/// One track in the own mix.
#[derive(Clone, Copy)]
struct OwnStrip {
    trim_db: f32,
    mute: bool,
    solo: bool,
    pan: f32,
    gains: [Smoother; 2],
}

/// Effects of one's own, on a track or on the own mix. A clone is new and silent.
pub struct OwnEffects {
    owner: Owner,
    inserts: Inserts<2>,
    space: Space,
    values: [f32; PARAM_COUNT],
    /// What the tracks' sides become.
    sides: [Quantum; 2],
}

impl OwnEffects {
    /// An owner's effects, all off. Allocates. *Thread: any but audio.*
    pub fn new(owner: Owner) -> OwnEffects {
        let mut effects = OwnEffects {
            owner,
            inserts: Inserts::new(),
            space: Space::new(),
            values: std::array::from_fn(|at| neutral(Slot::new(owner, Param::ALL[at]))),
            sides: [[0.0; QUANTUM]; 2],
        };
        effects.head_for(0);
        effects
    }

    /// Whose they are.
    pub fn owner(&self) -> Owner {
        self.owner
    }

    fn head_for(&mut self, ramp: u32) {
        let param = |param: Param| self.values[param as usize];
        self.inserts.head_for(&param, ramp);
        self.space.head_for(&param, ramp);
    }

    fn reset(&mut self) {
        self.head_for(0);
        self.inserts.reset();
        self.space.reset();
    }

    fn begin(&mut self, sample: i64) {
        self.inserts.begin(sample);
        self.space.begin(sample);
    }

    fn is_neutral(&self) -> bool {
        let is = |param: &Param| self.values[*param as usize] == neutral(Slot::new(self.owner, *param));
        Param::ALL.iter().all(is)
    }

    fn is_silent(&self) -> bool {
        self.inserts.is_silent() && self.space.is_silent()
    }

    fn rest(&mut self, voices: &[Quantum; MAX_TRACKS]) {
        let key = self.inserts.side.map(|side| &voices[side]);
        self.inserts.rest(key);
        self.space.rest();
    }

    /// Works on `sides`.
    fn process(&mut self, silence: bool, voices: &[Quantum; MAX_TRACKS]) {
        let key = self.inserts.side.map(|side| &voices[side]);
        let [left, right] = &mut self.sides;
        self.inserts.process([left, right], silence, key);
        if self.space.is_off() {
            self.space.rest();
        } else {
            self.space.process(left, right);
        }
    }
}

impl Clone for OwnEffects {
    fn clone(&self) -> OwnEffects {
        OwnEffects::new(self.owner)
    }
}

impl fmt::Debug for OwnEffects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OwnEffects")
    }
}

/// The own mix. A clone is new and neutral.
pub struct OwnMix {
    strips: [OwnStrip; MAX_TRACKS],
    effects: [Option<Box<OwnEffects>>; OWNER_COUNT],
    master: Master,
    level_db: f32,
    level: Smoother,
    /// No louder than this, in dB.
    most: Smoother,
    /// How much of what is heard is the own mix: 0 or 1, and between them while it crosses over.
    share: Smoother,
    sum: [Quantum; 2],
    /// Whether it is unlike the shared mix.
    departs: bool,
    /// Whether a bounce gets it, and whether one is under way.
    bounced: bool,
    bouncing: bool,
    /// Quanta for which it has not been wanted.
    idle: u32,
}

impl OwnMix {
    /// A mix like everybody's. Allocates. *Thread: any but audio.*
    pub fn new() -> OwnMix {
        let gains = [Smoother::new(1.0); 2];
        let strip = OwnStrip { trim_db: 0.0, mute: false, solo: false, pan: 0.0, gains };
        OwnMix {
            strips: [strip; MAX_TRACKS],
            effects: std::array::from_fn(|_| None),
            master: Master::new(),
            level_db: 0.0,
            level: Smoother::new(1.0),
            most: Smoother::new(0.0),
            share: Smoother::new(0.0),
            sum: [[0.0; QUANTUM]; 2],
            departs: false,
            bounced: false,
            bouncing: false,
            idle: 0,
        }
    }

    /// Takes room for effects in, while the next quantum's first sample is `head`; gives back what is
    /// not needed.
    pub(super) fn take(&mut self, mut effects: Box<OwnEffects>, head: i64) -> Option<Box<OwnEffects>> {
        let place = &mut self.effects[effects.owner.row()];
        if place.is_some() {
            return Some(effects);
        }
        effects.begin(head);
        *place = Some(effects);
        None
    }

    /// Writes an edit; it is heard within `RAMP`. Effects without room are left alone.
    pub(super) fn write(&mut self, edit: PersonalEdit) {
        match edit {
            PersonalEdit::Trim { owner: Owner::Track(track), db } => self.strips[track.get()].trim_db = db,
            PersonalEdit::Trim { owner: Owner::Master, db } => self.level_db = db,
            PersonalEdit::Mute { track, on } => self.strips[track.get()].mute = on,
            PersonalEdit::Solo { track, on } => self.strips[track.get()].solo = on,
            PersonalEdit::Pan { track, pan } => self.strips[track.get()].pan = pan,
            PersonalEdit::Param { slot, value } => {
                if slot.param() == Param::Ceiling {
                    self.most.set(value, RAMP);
                }
                if let Some(effects) = &mut self.effects[slot.owner().row()] {
                    effects.values[slot.param() as usize] = value;
                    effects.head_for(RAMP);
                }
            }
            PersonalEdit::Bounce(on) => self.bounced = on,
        }
        self.aim(RAMP);
    }

    /// Where a value of the own mix stands; 0 for what is no such.
    pub(super) fn value(&self, target: Target) -> f32 {
        let switch = |on: bool| f32::from(u8::from(on));
        match target {
            Target::Trim(Owner::Track(track)) => self.strips[track.get()].trim_db,
            Target::Trim(Owner::Master) => self.level_db,
            Target::Mute(track) => switch(self.strips[track.get()].mute),
            Target::Solo(track) => switch(self.strips[track.get()].solo),
            Target::Pan(track) => self.strips[track.get()].pan,
            Target::Own(slot) => match &self.effects[slot.owner().row()] {
                Some(effects) => effects.values[slot.param() as usize],
                None => neutral(slot),
            },
            Target::Shared(_) => 0.0,
        }
    }

    /// Whether the host bounces.
    pub(super) fn bounce(&mut self, bouncing: bool) {
        self.bouncing = bouncing;
    }

    fn aim(&mut self, ramp: u32) {
        let soloed = self.strips.iter().any(|strip| strip.solo);
        let mut plain = self.level_db == 0.0 && self.most.target() == 0.0;
        for strip in &mut self.strips {
            let heard = !strip.mute && (strip.solo || !soloed);
            let gain = if heard { gain_of(strip.trim_db) } else { 0.0 };
            let sides = [gain * (1.0 - strip.pan).min(1.0), gain * (1.0 + strip.pan).min(1.0)];
            strip.gains.iter_mut().zip(sides).for_each(|(to, gain)| to.set(gain, ramp));
            plain &= sides == [1.0; 2];
        }
        plain &= self.effects.iter().flatten().all(|effects| effects.is_neutral());
        self.level.set(gain_of(self.level_db), ramp);
        self.departs = !plain;
    }

    fn wanted(&self) -> f32 {
        if self.departs && (self.bounced || !self.bouncing) { 1.0 } else { 0.0 }
    }

    /// Silence, with every value where it is headed.
    pub(super) fn reset(&mut self) {
        self.aim(0);
        self.most.snap(self.most.target());
        self.share.snap(self.wanted());
        self.master.reset();
        self.effects.iter_mut().flatten().for_each(|effects| effects.reset());
    }

    /// Silences what the own mix remembers of one track.
    pub(super) fn reset_track(&mut self, track: usize) {
        self.master.reset();
        self.effects[track].iter_mut().for_each(|effects| effects.reset());
    }

    /// A run begins: the next quantum's first sample is this one of the song.
    pub(super) fn begin(&mut self, sample: i64) {
        self.master.begin(sample);
        self.effects.iter_mut().flatten().for_each(|effects| effects.begin(sample));
    }

    /// The song goes on from elsewhere.
    pub(super) fn seek(&mut self, sample: i64) {
        self.master.seek(sample);
        self.effects.iter_mut().flatten().for_each(|effects| effects.inserts.modulation.seek(sample));
    }

    /// Seconds of a beat, for what is as long as the song says.
    pub(super) fn follow(&mut self, beat_s: f32) {
        self.master.follow(beat_s);
        self.effects.iter_mut().flatten().for_each(|effects| effects.inserts.beat_s = beat_s);
    }

    /// The shared master's values, which this one's chain follows.
    pub(super) fn head_for(&mut self, param: &impl Fn(Param) -> f32, ramp: u32) {
        self.master.head_for(param, ramp);
    }

    /// A quantum begins.
    pub(super) fn begin_quantum(&mut self) {
        self.sum = [[0.0; QUANTUM]; 2];
        let wanted = self.wanted();
        if self.share.target() != wanted {
            self.share.set(wanted, RAMP);
        }
        let heard = wanted > 0.0 || !self.share.is_settled();
        self.idle = if heard { 0 } else { self.idle.saturating_add(1) };
    }

    fn is_asleep(&self) -> bool {
        self.idle > PATIENCE
    }

    /// Takes a track in: its sides after the shared inserts (`None`: silence), the shared fader's gains
    /// along the quantum, and how much it sends at the quantum's ends.
    pub(super) fn add(
        &mut self,
        track: usize,
        sides: Option<[&Quantum; 2]>,
        gains: &[Quantum; 2],
        sends: [(f32, f32); 2],
        voices: &[Quantum; MAX_TRACKS],
    ) {
        let sides = sides.filter(|_| !self.is_asleep());
        let ends = self.strips[track].gains.each_mut().map(|gain| {
            let from = gain.value();
            (from, gain.advance_by(QUANTUM as u32))
        });
        let sides = match &mut self.effects[track] {
            Some(effects) if sides.is_some() || !effects.is_silent() => {
                let silence = sides.is_none();
                effects.sides = sides.map_or([[0.0; QUANTUM]; 2], |sides| sides.map(|side| *side));
                effects.process(silence, voices);
                Some(effects.sides.each_ref())
            }
            Some(effects) => {
                effects.rest(voices);
                None
            }
            None => sides,
        };
        let Some(sides) = sides.filter(|_| ends != [(0.0, 0.0); 2]) else { return };
        let faded: [Quantum; 2] = std::array::from_fn(|side| {
            let own = line(ends[side].0, ends[side].1);
            std::array::from_fn(|n| sides[side][n] * gains[side][n] * own[n])
        });
        for (sum, faded) in self.sum.iter_mut().zip(&faded) {
            sum.iter_mut().zip(faded).for_each(|(sum, sample)| *sum += sample);
        }
        for (bus, ends) in sends.into_iter().enumerate().filter(|(_, ends)| *ends != (0.0, 0.0)) {
            self.master.send(bus, faded.each_ref(), ends);
        }
    }

    /// From the sum of the tracks to what is heard, given the shared mix.
    pub(super) fn finish(&mut self, heard: &mut [Quantum; 2], voices: &[Quantum; MAX_TRACKS]) {
        let ring = |effects: &OwnEffects| !effects.is_silent();
        let own = self.effects[Owner::Master.row()].as_deref_mut();
        if self.idle > PATIENCE && self.master.is_silent() && !own.as_deref().is_some_and(ring) {
            return;
        }
        let [left, right] = &mut self.sum;
        self.master.gather(left, right, voices);
        if let Some(effects) = own {
            effects.sides = [*left, *right];
            effects.process(false, voices);
            [*left, *right] = effects.sides;
        }
        let from = self.level.value();
        let level = line(from, self.level.advance_by(QUANTUM as u32));
        for side in [&mut *left, &mut *right] {
            side.iter_mut().zip(&level).for_each(|(sample, level)| *sample *= level);
        }
        let most = self.most.advance_by(QUANTUM as u32);
        self.master.limit(left, right, most);
        let from = self.share.value();
        let to = self.share.advance_by(QUANTUM as u32);
        if (from, to) == (1.0, 1.0) {
            *heard = self.sum;
        } else if (from, to) != (0.0, 0.0) {
            let share = line(from, to);
            for (heard, own) in heard.iter_mut().zip(&self.sum) {
                for n in 0..QUANTUM {
                    heard[n] = heard[n] * (1.0 - share[n]) + own[n] * share[n];
                }
            }
        }
    }
}

fn gain_of(db: f32) -> f32 {
    if db == 0.0 { 1.0 } else { db_to_gain(db) }
}

impl Default for OwnMix {
    fn default() -> OwnMix {
        OwnMix::new()
    }
}

impl Clone for OwnMix {
    fn clone(&self) -> OwnMix {
        OwnMix::new()
    }
}

impl fmt::Debug for OwnMix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OwnMix")
    }
}
