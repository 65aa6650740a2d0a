//! What a text says of the song as a whole: context, metre, chords, scenes, clips, sections.

use std::fmt::{self, Display, Formatter};

use super::scan::{Line, Word, pairs};
use crate::param::TrackIndex;
use crate::pattern::{
    Chord, ChordChange, ChordKind, Clip, ClipSource, MAX_BARS, MAX_CHORD_BEAT, MAX_CHORDS, MAX_CLIPS,
    MAX_METRES, MAX_PATTERNS, MAX_SCENES, MAX_SECTIONS, Metre, MetreChange, Name, PatternIndex, Scale, Scene,
    Section, Song,
};

/// The keywords of statements that stand alone.
pub(super) const ALONE: [&str; 6] = ["KEY", "STYLE", "MOOD", "COMPLEXITY", "ARRANGEMENT", "FILL"];
/// The keywords of statements with a number in their list.
pub(super) const LISTED: [&str; 5] = ["metre", "chord", "scene", "clip", "section"];

/// Pitch classes by name; sharps would begin a comment.
const KEYS: [&str; 12] = ["C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B"];

/// A statement about the song as a whole. Bars are counted from 1, beats from 0.
#[derive(Clone, Debug, PartialEq)]
pub enum Whole {
    /// `KEY C minor`.
    Key(u8, Scale),
    /// `STYLE deep-house`.
    Style(Name),
    /// `MOOD dark`.
    Mood(Name),
    /// `COMPLEXITY 0.7`.
    Complexity(f32),
    /// `ARRANGEMENT on`: clips decide what plays.
    Arrangement(bool),
    /// `FILL on`: a fill is played.
    Fill(bool),
    /// `metre 1: 7/8 bar=9`.
    Metre(u8, MetreChange),
    /// `chord 1: Am7/E beat=4`.
    Chord(u8, ChordChange),
    /// `scene 1: verse kick=2 hat=1`.
    Scene(u8, Name, Vec<(Name, PatternIndex)>),
    /// `clip 1: scene=1 bar=1 bars=8`, `clip 2: pattern=kick.2 bar=9 bars=4`.
    Clip(u8, Source, u32, u32),
    /// `section 1: verse bar=1 bars=8`.
    Section(u8, Name, u32, u32),
}

/// What a clip plays, by name.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Source {
    /// A scene by its place, from 0.
    Scene(u8),
    /// A track's pattern.
    Pattern(Name, PatternIndex),
}

impl Whole {
    /// Its keyword, its place in its list from 0, and whether it is one of a list.
    pub(super) fn place(&self) -> (&'static str, Option<u8>) {
        match self {
            Whole::Key(..) => (ALONE[0], None),
            Whole::Style(_) => (ALONE[1], None),
            Whole::Mood(_) => (ALONE[2], None),
            Whole::Complexity(_) => (ALONE[3], None),
            Whole::Arrangement(_) => (ALONE[4], None),
            Whole::Fill(_) => (ALONE[5], None),
            Whole::Metre(place, _) => (LISTED[0], Some(*place)),
            Whole::Chord(place, _) => (LISTED[1], Some(*place)),
            Whole::Scene(place, ..) => (LISTED[2], Some(*place)),
            Whole::Clip(place, ..) => (LISTED[3], Some(*place)),
            Whole::Section(place, ..) => (LISTED[4], Some(*place)),
        }
    }

    /// The tracks it names.
    pub(super) fn tracks(&self) -> Vec<Name> {
        match self {
            Whole::Scene(_, _, patterns) => patterns.iter().map(|(track, _)| *track).collect(),
            Whole::Clip(_, Source::Pattern(track, _), ..) => vec![*track],
            _ => Vec::new(),
        }
    }

    /// Keyword and place: `KEY`, `scene 2`.
    pub(super) fn head(&self) -> String {
        match self.place() {
            (keyword, None) => keyword.to_owned(),
            (keyword, Some(place)) => format!("{keyword} {}", u32::from(place) + 1),
        }
    }

    /// Writes it to a song; tracks are found by name.
    ///
    /// # Errors
    /// The track that there is not.
    pub(super) fn apply(
        &self,
        song: &mut Song,
        track: impl Fn(Name) -> Option<TrackIndex>,
    ) -> Result<(), Name> {
        match self {
            Whole::Key(key, scale) => (song.context.key, song.context.scale) = (*key, *scale),
            Whole::Style(style) => song.context.style = *style,
            Whole::Mood(mood) => song.context.mood = *mood,
            Whole::Complexity(complexity) => song.context.complexity = *complexity,
            Whole::Arrangement(on) => song.context.arranged = *on,
            Whole::Fill(on) => song.context.fill = *on,
            Whole::Metre(place, change) => song.metres[usize::from(*place)] = Some(*change),
            Whole::Chord(place, change) => song.chords[usize::from(*place)] = Some(*change),
            Whole::Scene(place, name, patterns) => {
                let mut scene = Scene { alive: true, name: *name, ..Scene::UNUSED };
                for (name, pattern) in patterns {
                    scene.patterns[track(*name).ok_or(*name)?.get()] = Some(*pattern);
                }
                song.scenes[usize::from(*place)] = scene;
            }
            Whole::Clip(place, source, start, length) => {
                let source = match source {
                    Source::Scene(scene) => ClipSource::Scene(*scene),
                    Source::Pattern(name, pattern) => {
                        ClipSource::Pattern(track(*name).ok_or(*name)?, *pattern)
                    }
                };
                let (start, length) = (*start, *length);
                song.clips[usize::from(*place)] = Clip { alive: true, source, start, length };
            }
            Whole::Section(place, name, start, length) => {
                let (name, start, length) = (*name, *start, *length);
                song.sections[usize::from(*place)] = Section { alive: true, name, start, length };
            }
        }
        Ok(())
    }
}

/// What a song says as a whole; `name` gives the name of a track that is written.
pub(super) fn statements(song: &Song, name: impl Fn(TrackIndex) -> Option<Name>) -> Vec<Whole> {
    let context = &song.context;
    let fresh = crate::pattern::Context::UNSAID;
    let mut said = Vec::new();
    if (context.key, context.scale) != (fresh.key, fresh.scale) {
        said.push(Whole::Key(context.key, context.scale));
    }
    said.extend(Some(context.style).filter(|style| !style.is_empty()).map(Whole::Style));
    said.extend(Some(context.mood).filter(|mood| !mood.is_empty()).map(Whole::Mood));
    said.extend((context.complexity != fresh.complexity).then_some(Whole::Complexity(context.complexity)));
    said.extend(context.arranged.then_some(Whole::Arrangement(true)));
    said.extend(context.fill.then_some(Whole::Fill(true)));
    let metres = (0..).zip(&song.metres);
    said.extend(metres.filter_map(|(place, change)| Some(Whole::Metre(place, (*change)?))));
    let chords = (0..).zip(&song.chords);
    said.extend(chords.filter_map(|(place, change)| Some(Whole::Chord(place, (*change)?))));
    for (place, scene) in (0..).zip(&song.scenes).filter(|(_, scene)| scene.alive) {
        let patterns = TrackIndex::all().zip(scene.patterns);
        let patterns = patterns.filter_map(|(track, pattern)| Some((name(track)?, pattern?)));
        said.push(Whole::Scene(place, scene.name, patterns.collect()));
    }
    for (place, clip) in song.clips.iter().enumerate().filter(|(_, clip)| clip.alive) {
        let source = match clip.source {
            ClipSource::Scene(scene) => Some(Source::Scene(scene)),
            ClipSource::Pattern(track, pattern) => name(track).map(|name| Source::Pattern(name, pattern)),
        };
        said.extend(source.map(|source| Whole::Clip(place as u8, source, clip.start, clip.length)));
    }
    for (place, section) in (0..).zip(&song.sections).filter(|(_, section)| section.alive) {
        said.push(Whole::Section(place, section.name, section.start, section.length));
    }
    said
}

/// What of the whole song cannot be said.
pub(super) fn unsaid(song: &Song) -> Vec<String> {
    let mut unsaid = Vec::new();
    let dead = |track: TrackIndex| !song.track(track).alive;
    for (place, scene) in (1..).zip(&song.scenes) {
        if !scene.alive && *scene != Scene::UNUSED {
            unsaid.push(format!("what the removed scene {place} keeps"));
        } else if TrackIndex::all().zip(scene.patterns).any(|(track, held)| held.is_some() && dead(track)) {
            unsaid.push(format!("the patterns that scene {place} holds for removed tracks"));
        }
    }
    for (place, clip) in (1..).zip(&song.clips) {
        let of_dead = matches!(clip.source, ClipSource::Pattern(track, _) if dead(track));
        if !clip.alive && *clip != Clip::UNUSED || clip.alive && of_dead {
            unsaid.push(format!("clip {place}, which is removed or plays a removed track"));
        }
    }
    for (place, section) in (1..).zip(&song.sections) {
        if !section.alive && *section != Section::UNUSED {
            unsaid.push(format!("what the removed section {place} keeps"));
        }
    }
    unsaid
}

/// Reads a statement that stands alone.
pub(super) fn alone(keyword: &str, rest: Word<'_>, line: &mut Line<'_, '_>) -> Option<Whole> {
    let word = || Name::new(rest.text).ok().filter(|name| !name.is_empty());
    let (read, expected) = match keyword {
        "KEY" => (key(rest.text), "a key and a scale such as 'C minor' or 'Bb dorian'"),
        "STYLE" => (word().map(Whole::Style), "a word"),
        "MOOD" => (word().map(Whole::Mood), "a word"),
        "ARRANGEMENT" => (switch(rest.text).map(Whole::Arrangement), "on or off"),
        "FILL" => (switch(rest.text).map(Whole::Fill), "on or off"),
        _ => {
            let value = rest.text.parse().ok().filter(|value| (0.0..=1.0).contains(value));
            let value = value.map(|value: f32| if value == 0.0 { 0.0 } else { value });
            (value.map(Whole::Complexity), "a number from 0 to 1")
        }
    };
    if read.is_none() {
        line.expected(expected, rest);
    }
    read
}

fn key(text: &str) -> Option<Whole> {
    let (key, scale) = text.split_once(char::is_whitespace).unwrap_or((text, "major"));
    let scale = Scale::ALL.iter().find(|(name, _)| *name == scale.trim())?.1;
    Some(Whole::Key(pitch_class(key)?, scale))
}

fn switch(word: &str) -> Option<bool> {
    super::keys::value_of(crate::param::Param::Mute, word).map(|on| on >= 0.5)
}

fn pitch_class(word: &str) -> Option<u8> {
    KEYS.iter().position(|key| *key == word).map(|at| at as u8)
}

/// Reads a statement with a number in its list.
pub(super) fn listed(keyword: &str, at: Word<'_>, tail: Word<'_>, line: &mut Line<'_, '_>) -> Option<Whole> {
    let count = match keyword {
        "metre" => MAX_METRES,
        "chord" => MAX_CHORDS,
        "scene" => MAX_SCENES,
        "clip" => MAX_CLIPS,
        _ => MAX_SECTIONS,
    };
    let Some(place) = at.text.parse::<usize>().ok().filter(|place| (1..=count).contains(place)) else {
        line.expected(&format!("a number from 1 to {count}"), at);
        return None;
    };
    let place = (place - 1) as u8;
    let mut said =
        Said { word: None, bar: 1, bars: 1, beat: 0, scene: None, pattern: None, others: Vec::new() };
    if keyword == "section" {
        said.bars = Section::UNUSED.length;
    }
    let sound = said.read(keyword, tail, line);
    let (word, start) = (said.word, said.bar - 1);
    let read = match keyword {
        "metre" => word.and_then(|word| metre(word.text)).map(|metre| {
            let change = MetreChange { bar: start, metre };
            Whole::Metre(place, change)
        }),
        "chord" => word.and_then(|word| chord(word.text)).map(|chord| {
            let change = ChordChange { beat: said.beat, chord };
            Whole::Chord(place, change)
        }),
        "clip" => {
            let scene = said.scene.map(Source::Scene);
            let source = scene.or(said.pattern.map(|(name, pattern)| Source::Pattern(name, pattern)));
            source.map(|source| Whole::Clip(place, source, start, said.bars))
        }
        _ => match word.map_or(Some(Name::EMPTY), |word| Name::new(word.text).ok()) {
            Some(name) if keyword == "scene" => Some(Whole::Scene(place, name, said.others)),
            Some(name) => Some(Whole::Section(place, name, start, said.bars)),
            None => None,
        },
    };
    if sound && read.is_none() {
        let expected = match keyword {
            "metre" => "a metre such as 7/8",
            "chord" => "a chord such as C, Am7 or Bbm7/F",
            "clip" => "scene=1 or pattern=kick.2",
            _ => "a name",
        };
        line.expected(expected, tail);
    }
    read.filter(|_| sound)
}

/// What follows a listed statement's number.
struct Said<'a> {
    word: Option<Word<'a>>,
    bar: u32,
    bars: u32,
    beat: u32,
    scene: Option<u8>,
    pattern: Option<(Name, PatternIndex)>,
    others: Vec<(Name, PatternIndex)>,
}

impl<'a> Said<'a> {
    /// Whether all of it was understood.
    fn read(&mut self, keyword: &str, tail: Word<'a>, line: &mut Line<'_, '_>) -> bool {
        let keys: &[&str] = match keyword {
            "metre" => &["bar"],
            "chord" => &["beat"],
            "clip" => &["scene", "pattern", "bar", "bars"],
            "section" => &["bar", "bars"],
            _ => &[],
        };
        let mut sound = true;
        for (at, pair) in pairs(tail).into_iter().enumerate() {
            let Some(value) = pair.value else {
                if at == 0 && keyword != "clip" {
                    self.word = Some(pair.key);
                } else {
                    line.expected("key=value", pair.key);
                    sound = false;
                }
                continue;
            };
            let whole = |most: u32| value.text.parse().ok().filter(|n| (1..=most).contains(n));
            let (taken, expected) = match pair.key.text {
                "bar" if keys.contains(&"bar") => {
                    (whole(MAX_BARS + 1).map(|bar| self.bar = bar), "a bar from 1 to 65536")
                }
                "bars" if keys.contains(&"bars") => {
                    (whole(MAX_BARS).map(|bars| self.bars = bars), "a whole number from 1 to 65535")
                }
                "beat" if keys.contains(&"beat") => {
                    let beat = value.text.parse().ok().filter(|beat| *beat <= MAX_CHORD_BEAT);
                    (beat.map(|beat| self.beat = beat), "a beat from 0 to 1048576")
                }
                "scene" if keys.contains(&"scene") => {
                    let scene = whole(MAX_SCENES as u32);
                    (scene.map(|scene| self.scene = Some(scene as u8 - 1)), "a scene from 1 to 16")
                }
                "pattern" if keys.contains(&"pattern") => {
                    let pattern = value.split('.').and_then(|(name, number)| named(name, number));
                    (pattern.map(|pattern| self.pattern = Some(pattern)), "a pattern such as kick.2")
                }
                _ if keyword == "scene" => {
                    let pattern = named(pair.key, value);
                    (pattern.map(|pattern| self.others.push(pattern)), "a pattern from 1 to 8")
                }
                _ => {
                    let keys = super::keys::one_of(keys);
                    line.expected(&format!("key=value with {keys}"), pair.key);
                    sound = false;
                    continue;
                }
            };
            if taken.is_none() {
                line.expected(expected, value);
                sound = false;
            }
        }
        sound
    }
}

fn named(name: Word<'_>, number: Word<'_>) -> Option<(Name, PatternIndex)> {
    let name = Name::new(name.text).ok().filter(|name| !name.is_empty())?;
    Some((name, pattern(number.text)?))
}

/// A pattern's number, from 1.
pub(super) fn pattern(word: &str) -> Option<PatternIndex> {
    let number = word.parse::<usize>().ok().filter(|number| (1..=MAX_PATTERNS).contains(number))?;
    PatternIndex::new(number - 1)
}

fn metre(word: &str) -> Option<Metre> {
    let (count, unit) = word.split_once('/')?;
    let metre = Metre { count: count.parse().ok()?, unit: unit.parse().ok()? };
    metre.is_sound().then_some(metre)
}

fn chord(word: &str) -> Option<Chord> {
    let (word, bass) = match word.split_once('/') {
        Some((word, bass)) => (word, Some(pitch_class(bass)?)),
        None => (word, None),
    };
    // "Bb" before "B".
    let root = word.get(..2).and_then(pitch_class).map(|root| (root, 2));
    let (root, length) = root.or_else(|| Some((pitch_class(word.get(..1)?)?, 1)))?;
    let kind = ChordKind::ALL.iter().find(|(suffix, _)| *suffix == &word[length..])?.1;
    Some(Chord { root, kind, bass })
}

impl Display for Whole {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let key = |class: &u8| KEYS.get(usize::from(*class)).copied().unwrap_or("C");
        let one = |place: &PatternIndex| place.get() + 1;
        f.write_str(&self.head())?;
        match self {
            Whole::Key(class, scale) => {
                let said =
                    Scale::ALL.iter().find(|(_, value)| value == scale).map_or("major", |(said, _)| said);
                write!(f, " {} {said}", key(class))
            }
            Whole::Style(word) | Whole::Mood(word) => write!(f, " {word}"),
            Whole::Complexity(value) => write!(f, " {value}"),
            Whole::Arrangement(on) | Whole::Fill(on) => write!(f, " {}", super::keys::on_off(*on)),
            Whole::Metre(_, MetreChange { bar, metre: Metre { count, unit } }) => {
                write!(f, ": {count}/{unit} bar={}", bar + 1)
            }
            Whole::Chord(_, ChordChange { beat, chord }) => {
                let kind = ChordKind::ALL.iter().find(|(_, kind)| *kind == chord.kind);
                write!(f, ": {}{}", key(&chord.root), kind.map_or("", |(said, _)| said))?;
                if let Some(bass) = &chord.bass {
                    write!(f, "/{}", key(bass))?;
                }
                write!(f, " beat={beat}")
            }
            Whole::Scene(_, name, patterns) => {
                f.write_str(":")?;
                if !name.is_empty() {
                    write!(f, " {name}")?;
                }
                patterns.iter().try_for_each(|(name, pattern)| write!(f, " {name}={}", one(pattern)))
            }
            Whole::Clip(_, source, start, length) => {
                match source {
                    Source::Scene(scene) => write!(f, ": scene={}", u32::from(*scene) + 1)?,
                    Source::Pattern(name, pattern) => write!(f, ": pattern={name}.{}", one(pattern))?,
                }
                write!(f, " bar={} bars={length}", start + 1)
            }
            Whole::Section(_, name, start, length) => {
                f.write_str(":")?;
                if !name.is_empty() {
                    write!(f, " {name}")?;
                }
                write!(f, " bar={} bars={length}", start + 1)
            }
        }
    }
}
