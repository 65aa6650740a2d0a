//! What the musician's controllers move: words for it, and the profile's `controls.json`, which keeps
//! it. A controller is a channel and a number, on whatever device.

use std::fs;
use std::path::Path;

use anyhow::Context;

use crate::param::{Owner, Slot, TrackIndex};
use crate::pattern::Song;
use crate::rt::controls::{Controller, MAX_MAPPINGS, Mapping, Source, Takeover, Target};

/// The most bytes that a profile's mappings take.
const MAX_BYTES: u64 = 1 << 20;

/// A controller as a person says it, channels from 1: `cc 74 channel 1`.
pub fn controller_words(controller: Controller) -> String {
    let source = match controller.source {
        Source::Cc(number) => format!("cc {number}"),
        Source::Wide(number) => format!("cc {number}+{}", number + crate::rt::controls::WIDE),
        Source::PitchBend => "bend".to_owned(),
        Source::Pressure => "pressure".to_owned(),
        Source::Note(note) => format!("note {note}"),
    };
    format!("{source} channel {}", controller.channel + 1)
}

/// What is moved, as a person says it: `kick.filter.freq`, `my hat.trim`.
pub fn target_words(target: Target, song: &Song) -> String {
    let track = |track: TrackIndex| match song.track(track) {
        track if track.alive => track.name.as_str().to_owned(),
        _ => format!("track {}", track.get() + 1),
    };
    let owner = |owner| match owner {
        Owner::Track(at) => track(at),
        Owner::Master => "master".to_owned(),
    };
    let slot = |slot: Slot| format!("{}.{}", owner(slot.owner()), slot.spec().id);
    match target {
        Target::Shared(shared) => slot(shared),
        Target::Own(own) => format!("my {}", slot(own)),
        Target::Trim(whose) => format!("my {}.trim", owner(whose)),
        Target::Mute(at) => format!("my {}.mute", track(at)),
        Target::Solo(at) => format!("my {}.solo", track(at)),
        Target::Pan(at) => format!("my {}.pan", track(at)),
    }
}

/// How a controller takes hold, in a word.
pub fn takeover_word(takeover: Takeover) -> &'static str {
    match takeover {
        Takeover::PickUp => "pickup",
        Takeover::Absolute => "absolute",
        Takeover::TwosComplement => "relative",
        Takeover::BinaryOffset => "relative-offset",
    }
}

/// The takeover of a word.
pub fn takeover_named(word: &str) -> Option<Takeover> {
    let all = [Takeover::PickUp, Takeover::Absolute, Takeover::TwosComplement, Takeover::BinaryOffset];
    all.into_iter().find(|takeover| takeover_word(*takeover) == word)
}

/// Mappings with one more; a controller moves one thing, and what it moved before it does no longer.
pub fn with(mappings: &[Mapping], mapping: Mapping) -> Vec<Mapping> {
    let mut all = without(mappings, mapping.controller);
    all.push(mapping);
    let over = all.len().saturating_sub(MAX_MAPPINGS);
    all.drain(..over);
    all
}

/// Mappings without those of a controller.
pub fn without(mappings: &[Mapping], controller: Controller) -> Vec<Mapping> {
    mappings.iter().filter(|mapping| mapping.controller != controller).copied().collect()
}

/// What a profile keeps; none where that cannot be read.
pub fn kept(folder: &Path) -> Vec<Mapping> {
    let path = folder.join("controls.json");
    let small = fs::metadata(&path).is_ok_and(|file| file.len() <= MAX_BYTES);
    let text = small.then(|| fs::read_to_string(&path).ok()).flatten();
    let mut mappings: Vec<Mapping> =
        text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    mappings.retain(Mapping::is_sound);
    mappings.truncate(MAX_MAPPINGS);
    mappings
}

/// Keeps mappings.
///
/// # Errors
/// The file cannot be written.
pub fn keep(folder: &Path, mappings: &[Mapping]) -> anyhow::Result<()> {
    let path = folder.join("controls.json");
    // A name of its own: several clients may share a profile.
    let fresh = path.with_extension(format!("json.{:016x}", rand::random::<u64>()));
    fs::write(&fresh, serde_json::to_string_pretty(mappings)?)
        .and_then(|()| fs::rename(&fresh, &path))
        .with_context(|| format!("what controllers move is not kept in {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::param::Param;

    #[test]
    fn mappings_are_kept_and_damage_is_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let controller = Controller { channel: 0, source: Source::Wide(1) };
        let target = Target::Shared(Slot::new(Owner::Master, Param::Level));
        let mapping = Mapping { controller, target, takeover: Takeover::PickUp };
        let other = Mapping { target: Target::Trim(Owner::Master), ..mapping };
        keep(folder.path(), &with(&[mapping], other)).expect("kept");
        assert_eq!(kept(folder.path()), [other]);
        let wild = Mapping { controller: Controller { channel: 99, ..controller }, ..mapping };
        keep(folder.path(), &[wild, mapping]).expect("kept");
        assert_eq!(kept(folder.path()), [mapping]);
        fs::write(folder.path().join("controls.json"), "[{").expect("written");
        assert_eq!(kept(folder.path()), []);
        assert_eq!(controller_words(controller), "cc 1+33 channel 1");
        assert_eq!(without(&[mapping], controller), []);
    }
}
