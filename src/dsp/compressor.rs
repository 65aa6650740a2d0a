//! The compressor.

use super::math::{bound, db_to_gain, exp, log2};
use super::{QUANTUM, Quantum, RATE};

/// Samples a level is read from.
const GROUP: usize = 8;
/// Levels in a quantum.
const GROUPS: usize = QUANTUM / GROUP;
/// Decibels in an octave of gain: 20·log10(2).
const DB_PER_OCTAVE: f32 = 6.020_6;
/// What is quieter counts as this: −180 dB.
const FLOOR: f32 = 1e-9;
/// What the held level keeps each group: falls by 1/e in 10 ms, so that a wave's own swing is none
/// of the level's.
const HOLD: f32 = 0.983_471_4;

/// What a compressor does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CompSettings {
    /// Level above which it works, −60 to 0 dB.
    pub threshold_db: f32,
    /// Decibels in for one out, 1 to 20.
    pub ratio: f32,
    /// Seconds in which the reduction covers 1 − 1/e of the way to a greater one.
    pub attack_s: f32,
    /// The same to a smaller one.
    pub release_s: f32,
    /// Width of the curve's bend around the threshold, 0 to 40 dB.
    pub knee_db: f32,
}

/// The peak levels of a quantum, in groups of 8 samples: what a compressor listens to.
#[derive(Clone, Copy, Debug)]
pub struct Levels([f32; GROUPS]);

impl Levels {
    /// The greater of some channels.
    pub fn of<'a>(channels: impl IntoIterator<Item = &'a Quantum>) -> Levels {
        let mut levels = [0.0; GROUPS];
        for channel in channels {
            for (level, samples) in levels.iter_mut().zip(channel.as_chunks::<GROUP>().0) {
                *level = samples.iter().fold(*level, |most: f32, sample| most.max(sample.abs()));
            }
        }
        Levels(levels)
    }
}

/// A feed-forward compressor with a soft knee, whose reduction moves in decibels (Giannoulis,
/// Massberg and Reiss, "Digital dynamic range compressor design", JAES 60, 2012).
///
/// It adds no gain of its own. While it reduces nothing the input passes bit for bit. *Thread:
/// audio. Realtime-safe: yes.*
#[derive(Clone, Debug)]
pub struct Compressor {
    held: f32,
    reduction_db: f32,
    gain: f32,
    settings: CompSettings,
    /// Shares of the way covered in a group.
    attack: f32,
    release: f32,
    presence: f32,
}

impl Compressor {
    /// At rest.
    pub fn new() -> Compressor {
        let settings =
            CompSettings { threshold_db: 0.0, ratio: 1.0, attack_s: 0.01, release_s: 0.25, knee_db: 30.0 };
        let (attack, release) = (share_in(settings.attack_s), share_in(settings.release_s));
        Compressor { held: 0.0, reduction_db: 0.0, gain: 1.0, settings, attack, release, presence: 0.0 }
    }

    /// Forgets what it heard. Realtime-safe: yes.
    pub fn reset(&mut self) {
        (self.held, self.reduction_db, self.gain, self.presence) = (0.0, 0.0, 1.0, 0.0);
    }

    /// By how much it reduces at the moment, in dB.
    pub fn reduction_db(&self) -> f32 {
        self.reduction_db
    }

    /// Compresses the channels of a quantum alike, by the levels of a `key`: their own, or what
    /// ducks them. `presence`, 0 to 1, is how much of the reduction is applied: 0 is off.
    pub fn process<const CHANNELS: usize>(
        &mut self,
        channels: [&mut Quantum; CHANNELS],
        key: &Levels,
        settings: CompSettings,
        presence: f32,
    ) {
        let presence = bound(presence, 0.0, 1.0);
        if presence == 0.0 && self.presence == 0.0 {
            self.reset();
            return;
        }
        self.take(settings);
        let mut gains = [self.gain; GROUPS + 1];
        for group in 0..GROUPS {
            self.held = bound(key.0[group], FLOOR, 1e6).max(self.held * HOLD);
            let target = self.reduction_at(DB_PER_OCTAVE * log2(self.held));
            let share = if target > self.reduction_db { self.attack } else { self.release };
            self.reduction_db += (target - self.reduction_db) * share;
            if (target - self.reduction_db).abs() < 1e-4 {
                self.reduction_db = target;
            }
            let along = (group + 1) as f32 * (1.0 / GROUPS as f32);
            let applied = self.reduction_db * (self.presence + (presence - self.presence) * along);
            gains[group + 1] = if applied == 0.0 { 1.0 } else { db_to_gain(-applied) };
        }
        self.presence = presence;
        self.gain = gains[GROUPS];
        if gains == [1.0; GROUPS + 1] {
            return;
        }
        for io in channels {
            for (group, samples) in io.as_chunks_mut::<GROUP>().0.iter_mut().enumerate() {
                let (from, to) = (gains[group], gains[group + 1]);
                for (n, sample) in samples.iter_mut().enumerate() {
                    *sample *= to - (to - from) * ((GROUP - 1 - n) as f32 * (1.0 / GROUP as f32));
                }
            }
        }
    }

    fn take(&mut self, settings: CompSettings) {
        if settings == self.settings {
            return;
        }
        self.settings = CompSettings {
            threshold_db: bound(settings.threshold_db, -60.0, 0.0),
            ratio: bound(settings.ratio, 1.0, 20.0),
            attack_s: bound(settings.attack_s, 0.001, 0.3),
            release_s: bound(settings.release_s, 0.02, 1.0),
            knee_db: bound(settings.knee_db, 0.0, 40.0),
        };
        self.attack = share_in(self.settings.attack_s);
        self.release = share_in(self.settings.release_s);
    }

    /// The curve: by how much a level is to be reduced.
    fn reduction_at(&self, level_db: f32) -> f32 {
        let CompSettings { threshold_db, ratio, knee_db, .. } = self.settings;
        let (over, slope) = (level_db - threshold_db, 1.0 - 1.0 / ratio);
        if 2.0 * over <= -knee_db {
            0.0
        } else if 2.0 * over < knee_db {
            let into = over + 0.5 * knee_db;
            slope * into * into / (2.0 * knee_db)
        } else {
            slope * over
        }
    }
}

impl Default for Compressor {
    fn default() -> Compressor {
        Compressor::new()
    }
}

/// The share of the way that a group covers, for 1 − 1/e in so many seconds.
fn share_in(seconds: f32) -> f32 {
    1.0 - exp(-(GROUP as f32) / (seconds * RATE))
}
