//! Scenes, and the song as a whole: clips on a timeline of bars, and its sections.

use serde::{Deserialize, Serialize};

use super::schema::fields;
use super::{Name, PatternIndex};
use crate::param::{MAX_TRACKS, TrackIndex};

/// Scenes of a song.
pub const MAX_SCENES: usize = 16;
/// Clips of an arrangement.
pub const MAX_CLIPS: usize = 256;
/// Sections of a song.
pub const MAX_SECTIONS: usize = 32;
/// The last bar something may begin in, and the most bars it may last.
pub const MAX_BARS: u32 = 65_535;

/// Which pattern each track plays, under one name.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scene {
    /// Whether the scene is part of the song.
    pub alive: bool,
    /// Its name.
    pub name: Name,
    /// By track: its pattern, or `None` to leave the track as it is.
    pub patterns: [Option<PatternIndex>; MAX_TRACKS],
}

/// What a clip plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ClipSource {
    /// A scene, 0 to 15.
    Scene(u8),
    /// One track's pattern.
    Pattern(TrackIndex, PatternIndex),
}

/// A scene or a pattern, somewhere in the arrangement.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Clip {
    /// Whether the clip is part of the arrangement.
    pub alive: bool,
    /// What it plays.
    pub source: ClipSource,
    /// The bar it begins in, from 0.
    pub start: u32,
    /// Its length in bars.
    pub length: u32,
}

/// A part of the song under a name: verse, break.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Section {
    /// Whether the section is part of the song.
    pub alive: bool,
    /// Its name.
    pub name: Name,
    /// The bar it begins in, from 0.
    pub start: u32,
    /// Its length in bars.
    pub length: u32,
}

fields! {
    /// A field of a [`Scene`] with its new value.
    SceneField,
    /// The fields of a scene but its tracks' patterns, as keys.
    SceneRegister of Scene, count SCENE_FIELDS;
    Alive(bool) alive, "scene.alive", Any, Existence, 0.7;
    Name(Name) name, "scene.name", Word, Text, 0.4;
}

fields! {
    /// A field of a [`Clip`] with its new value.
    ClipField,
    /// The fields of a clip, as keys.
    ClipRegister of Clip, count CLIP_FIELDS;
    Alive(bool) alive, "clip.alive", Any, Existence, 0.8;
    Source(ClipSource) source, "clip.source", Own("a scene from 0 to 15, or a track's pattern"), Discrete, 0.8;
    Start(u32) start, "clip.start", Whole(0, MAX_BARS as i64), Discrete, 0.7;
    Length(u32) length, "clip.length", Whole(1, MAX_BARS as i64), Discrete, 0.7;
}

fields! {
    /// A field of a [`Section`] with its new value.
    SectionField,
    /// The fields of a section, as keys.
    SectionRegister of Section, count SECTION_FIELDS;
    Alive(bool) alive, "section.alive", Any, Existence, 0.6;
    Name(Name) name, "section.name", Word, Text, 0.5;
    Start(u32) start, "section.start", Whole(0, MAX_BARS as i64), Discrete, 0.5;
    Length(u32) length, "section.length", Whole(1, MAX_BARS as i64), Discrete, 0.5;
}

impl Scene {
    /// A scene nobody has made.
    pub const UNUSED: Scene = Scene { alive: false, name: Name::EMPTY, patterns: [None; MAX_TRACKS] };
}

impl Clip {
    /// A clip nobody has made.
    pub const UNUSED: Clip = Clip { alive: false, source: ClipSource::Scene(0), start: 0, length: 1 };
}

impl Section {
    /// A section nobody has made.
    pub const UNUSED: Section = Section { alive: false, name: Name::EMPTY, start: 0, length: 8 };
}

impl ClipSource {
    /// Whether there is such a scene or pattern.
    pub(super) fn is_sound(self) -> bool {
        match self {
            ClipSource::Scene(scene) => usize::from(scene) < MAX_SCENES,
            ClipSource::Pattern(track, _) => track.is_valid(),
        }
    }
}
