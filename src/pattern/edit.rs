//! One change of one register of the song.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::schema::Value;
use super::{
    Bounds, ChordChange, Class, ClipField, ClipRegister, ContextField, ContextRegister, LANES, Locks,
    MAX_CHORDS, MAX_CLIPS, MAX_METRES, MAX_SCENES, MAX_SECTIONS, MAX_STEPS, MetreChange, PatternField,
    PatternIndex, PatternRegister, Priority, SceneField, SceneRegister, SectionField, SectionRegister, Spec,
    StepField, StepRegister, Strategy, TrackField, TrackRegister,
};
use crate::param::{OutOfRange, Param, Slot, TrackIndex};

/// A write of one register: small, `Copy`, the same on the wire and on the audio thread.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Edit {
    /// The seed of all chance.
    Seed(u32),
    /// A parameter.
    Param {
        /// Whose and which.
        slot: Slot,
        /// Its new value, within the table's range.
        value: f32,
    },
    /// A cell of the grid.
    Step {
        /// The track.
        track: TrackIndex,
        /// Which of its patterns.
        pattern: PatternIndex,
        /// The cell, 0 to 63.
        step: u8,
        /// What of it, and its new value.
        field: StepField,
    },
    /// A track.
    Track {
        /// The track.
        track: TrackIndex,
        /// What of it, and its new value.
        field: TrackField,
    },
    /// A pattern of a track.
    Pattern {
        /// The track.
        track: TrackIndex,
        /// Which of its patterns.
        pattern: PatternIndex,
        /// What of it, and its new value.
        field: PatternField,
    },
    /// A cell's lock of a lane's parameter.
    Lock {
        /// The track.
        track: TrackIndex,
        /// Which of its patterns.
        pattern: PatternIndex,
        /// The cell, 0 to 63.
        step: u8,
        /// The lane, 0 to 7.
        lane: u8,
        /// The value in the parameter's unit, or none.
        value: Option<f32>,
    },
    /// Which parameter of a track a lane locks.
    Lane {
        /// The track.
        track: TrackIndex,
        /// The lane, 0 to 7.
        lane: u8,
        /// The parameter, or none.
        param: Option<Param>,
    },
    /// A scene.
    Scene {
        /// The scene, 0 to 15.
        scene: u8,
        /// What of it, and its new value.
        field: SceneField,
    },
    /// Which pattern a track plays in a scene.
    SceneTrack {
        /// The scene, 0 to 15.
        scene: u8,
        /// The track.
        track: TrackIndex,
        /// Its pattern, or none to leave the track as it is.
        pattern: Option<PatternIndex>,
    },
    /// A clip of the arrangement.
    Clip {
        /// The clip, 0 to 255.
        clip: u8,
        /// What of it, and its new value.
        field: ClipField,
    },
    /// A section.
    Section {
        /// The section, 0 to 31.
        section: u8,
        /// What of it, and its new value.
        field: SectionField,
    },
    /// A change of metre.
    Metre {
        /// Its place in the list, 0 to 31; the bars say the order.
        place: u8,
        /// The change, or none.
        change: Option<MetreChange>,
    },
    /// A change of chord.
    Chord {
        /// Its place in the list, 0 to 127; the beats say the order.
        place: u8,
        /// The change, or none.
        change: Option<ChordChange>,
    },
    /// Key, scale, style, mood or complexity.
    Context(ContextField),
}

/// What an [`Edit`] writes to: the key of the session's state. Their order is the order of a
/// song's edits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Register {
    /// The seed.
    Seed,
    /// A field of a track.
    Track(TrackIndex, TrackRegister),
    /// A field of a cell.
    Step(TrackIndex, PatternIndex, u8, StepRegister),
    /// A parameter.
    Param(Slot),
    /// A field of a pattern.
    Pattern(TrackIndex, PatternIndex, PatternRegister),
    /// A cell's lock.
    Lock(TrackIndex, PatternIndex, u8, u8),
    /// A track's lane.
    Lane(TrackIndex, u8),
    /// A field of a scene.
    Scene(u8, SceneRegister),
    /// A track's pattern in a scene.
    SceneTrack(u8, TrackIndex),
    /// A field of a clip.
    Clip(u8, ClipRegister),
    /// A field of a section.
    Section(u8, SectionRegister),
    /// A change of metre.
    Metre(u8),
    /// A change of chord.
    Chord(u8),
    /// A field of the musical context.
    Context(ContextRegister),
}

/// Why an edit was refused.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum EditError {
    /// A track past the last.
    #[error("there is no track {0}: tracks are 0 to 15")]
    NoTrack(usize),
    /// A parameter slot past the last.
    #[error("there is no such parameter slot")]
    NoSlot,
    /// A step past the last.
    #[error("there is no step {0}: steps are 0 to 63")]
    NoStep(u8),
    /// A place past the last of its list.
    #[error("there is no {list} {place}: they are 0 to {last}")]
    NoPlace {
        /// Which list.
        list: &'static str,
        /// What was named.
        place: u8,
        /// The last.
        last: usize,
    },
    /// A parameter outside its range.
    #[error(transparent)]
    Param(#[from] OutOfRange),
    /// Another field outside its range.
    #[error("{field} is outside {range}")]
    Field {
        /// Which.
        field: &'static str,
        /// What it may be.
        range: Bounds,
    },
}

impl Edit {
    /// What it writes to.
    ///
    /// Realtime-safe: yes.
    pub fn register(&self) -> Register {
        match *self {
            Edit::Seed(_) => Register::Seed,
            Edit::Param { slot, .. } => Register::Param(slot),
            Edit::Step { track, pattern, step, field } => {
                Register::Step(track, pattern, step, field.register())
            }
            Edit::Track { track, field } => Register::Track(track, field.register()),
            Edit::Pattern { track, pattern, field } => Register::Pattern(track, pattern, field.register()),
            Edit::Lock { track, pattern, step, lane, .. } => Register::Lock(track, pattern, step, lane),
            Edit::Lane { track, lane, .. } => Register::Lane(track, lane),
            Edit::Scene { scene, field } => Register::Scene(scene, field.register()),
            Edit::SceneTrack { scene, track, .. } => Register::SceneTrack(scene, track),
            Edit::Clip { clip, field } => Register::Clip(clip, field.register()),
            Edit::Section { section, field } => Register::Section(section, field.register()),
            Edit::Metre { place, .. } => Register::Metre(place),
            Edit::Chord { place, .. } => Register::Chord(place),
            Edit::Context(field) => Register::Context(field.register()),
        }
    }

    /// Checks an edit from outside and returns it in canonical bits (no −0).
    ///
    /// # Errors
    /// Says which bound it breaks.
    pub fn check(self) -> Result<Edit, EditError> {
        self.register().check()?;
        Ok(match self {
            Edit::Param { slot, value } => Edit::Param { slot, value: slot.spec().check(value)? },
            Edit::Step { track, pattern, step, field } => {
                Edit::Step { track, pattern, step, field: field.check()? }
            }
            Edit::Track { track, field } => Edit::Track { track, field: field.check()? },
            Edit::Pattern { track, pattern, field } => {
                Edit::Pattern { track, pattern, field: field.check()? }
            }
            Edit::Lock { track, pattern, step, lane, value } => {
                Edit::Lock { track, pattern, step, lane, value: self.within(value)? }
            }
            Edit::Scene { scene, field } => Edit::Scene { scene, field: field.check()? },
            Edit::Clip { clip, field } => Edit::Clip { clip, field: field.check()? },
            Edit::Section { section, field } => Edit::Section { section, field: field.check()? },
            Edit::Metre { place, change } => Edit::Metre { place, change: self.within(change)? },
            Edit::Chord { place, change } => Edit::Chord { place, change: self.within(change)? },
            Edit::Context(field) => Edit::Context(field.check()?),
            Edit::Seed(_) | Edit::Lane { .. } | Edit::SceneTrack { .. } => self,
        })
    }

    fn within<T: Value>(&self, value: T) -> Result<T, EditError> {
        let Spec { name, bounds, .. } = self.register().spec();
        match value.fits(bounds) {
            true => Ok(value.canonical()),
            false => Err(EditError::Field { field: name, range: bounds }),
        }
    }
}

impl Register {
    /// Its row of the schema.
    pub fn spec(self) -> Spec {
        let row = |name, bounds, class, importance| Spec { name, bounds, class, importance };
        match self {
            Register::Seed => row("seed", Bounds::Any, Class::Discrete, 0.7),
            Register::Track(_, field) => field.spec(),
            Register::Step(_, _, _, field) => field.spec(),
            Register::Param(slot) => Spec::of_param(slot.param()),
            Register::Pattern(_, _, field) => field.spec(),
            Register::Lock(..) => {
                row("lock", Bounds::Real(-Locks::FURTHEST, Locks::FURTHEST), Class::Discrete, 0.4)
            }
            Register::Lane(..) => row("lane", Bounds::Any, Class::Discrete, 0.4),
            Register::Scene(_, field) => field.spec(),
            Register::SceneTrack(..) => row("scene.pattern", Bounds::Any, Class::Discrete, 0.7),
            Register::Clip(_, field) => field.spec(),
            Register::Section(_, field) => field.spec(),
            Register::Metre(_) => {
                let bounds = Bounds::Own("1 to 32 of a unit of 1, 2, 4, 8, 16 or 32, from bar 0 to 65535");
                row("metre", bounds, Class::Discrete, 1.0)
            }
            Register::Chord(_) => {
                let bounds = Bounds::Own("pitch classes from 0 to 11, from beat 0 to 1048576");
                row("chord", bounds, Class::Discrete, 0.7)
            }
            Register::Context(field) => field.spec(),
        }
    }

    /// Its stable name: "step.velocity", "filter.freq".
    pub fn name(self) -> &'static str {
        self.spec().name
    }

    /// What kind of thing it holds.
    pub fn class(self) -> Class {
        self.spec().class
    }

    /// Musical importance, 0 to 1.
    pub fn importance(self) -> f32 {
        self.spec().importance
    }

    /// What becomes of concurrent writes where a session has not decided otherwise.
    pub fn strategy(self) -> Strategy {
        self.class().strategy()
    }

    /// How urgent a person's write of it is.
    pub fn priority(self) -> Priority {
        match self {
            Register::Param(_) if self.class() == Class::Continuous => Priority::Parameter,
            _ => Priority::Edit,
        }
    }

    /// The track it belongs to; `None` for what belongs to the song as a whole.
    pub fn track(self) -> Option<TrackIndex> {
        match self {
            Register::Track(track, _)
            | Register::Step(track, ..)
            | Register::Pattern(track, ..)
            | Register::Lock(track, ..)
            | Register::Lane(track, _)
            | Register::SceneTrack(_, track) => Some(track),
            Register::Param(slot) => match slot.owner() {
                crate::param::Owner::Track(track) => Some(track),
                crate::param::Owner::Master => None,
            },
            _ => None,
        }
    }

    /// Whether there is such a register.
    ///
    /// # Errors
    /// Says what there is not.
    pub fn check(self) -> Result<(), EditError> {
        let below = |list, place: u8, count: usize| match usize::from(place) < count {
            true => Ok(()),
            false => Err(EditError::NoPlace { list, place, last: count - 1 }),
        };
        if let Register::Param(slot) = self {
            return if slot.is_valid() { Ok(()) } else { Err(EditError::NoSlot) };
        }
        if let Some(track) = self.track().filter(|track| !track.is_valid()) {
            return Err(EditError::NoTrack(track.get()));
        }
        match self {
            Register::Step(_, _, step, _) | Register::Lock(_, _, step, _)
                if usize::from(step) >= MAX_STEPS =>
            {
                Err(EditError::NoStep(step))
            }
            Register::Lock(.., lane) | Register::Lane(_, lane) => below("lane", lane, LANES),
            Register::Scene(scene, _) | Register::SceneTrack(scene, _) => below("scene", scene, MAX_SCENES),
            Register::Clip(clip, _) => below("clip", clip, MAX_CLIPS),
            Register::Section(section, _) => below("section", section, MAX_SECTIONS),
            Register::Metre(place) => below("change of metre", place, MAX_METRES),
            Register::Chord(place) => below("change of chord", place, MAX_CHORDS),
            _ => Ok(()),
        }
    }
}
