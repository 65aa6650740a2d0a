//! A musician's own mix of a session: what it holds, and where the profile folder keeps it.
//!
//! `personal.json` holds one mix for each session, by its link without a secret; a DAW's project holds
//! its instance's own. Neither reaches the server, the journal or an export.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::param::{Owner, Slot, TrackIndex};
use crate::pattern::{Song, TrackId};
use crate::rt::personal::{PersonalEdit, neutral};

/// Sessions whose mixes the profile keeps; beyond them others' are forgotten.
const MAX_SESSIONS: usize = 256;
/// The most bytes that they take.
const MAX_BYTES: u64 = 8 << 20;
/// No mix has more writes.
const MAX_WRITES: usize = 4096;

/// What an edit writes: one register of the mix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Trim(Owner),
    Mute(TrackIndex),
    Solo(TrackIndex),
    Pan(TrackIndex),
    Param(Slot),
    Bounce,
}

impl Place {
    fn of(edit: &PersonalEdit) -> Place {
        match *edit {
            PersonalEdit::Trim { owner, .. } => Place::Trim(owner),
            PersonalEdit::Mute { track, .. } => Place::Mute(track),
            PersonalEdit::Solo { track, .. } => Place::Solo(track),
            PersonalEdit::Pan { track, .. } => Place::Pan(track),
            PersonalEdit::Param { slot, .. } => Place::Param(slot),
            PersonalEdit::Bounce(_) => Place::Bounce,
        }
    }

    /// The write that changes nothing.
    fn neutral(self) -> PersonalEdit {
        match self {
            Place::Trim(owner) => PersonalEdit::Trim { owner, db: 0.0 },
            Place::Mute(track) => PersonalEdit::Mute { track, on: false },
            Place::Solo(track) => PersonalEdit::Solo { track, on: false },
            Place::Pan(track) => PersonalEdit::Pan { track, pan: 0.0 },
            Place::Param(slot) => PersonalEdit::Param { slot, value: neutral(slot) },
            Place::Bounce => PersonalEdit::Bounce(false),
        }
    }

    fn owner(self) -> Option<Owner> {
        match self {
            Place::Trim(owner) => Some(owner),
            Place::Mute(track) | Place::Solo(track) | Place::Pan(track) => Some(Owner::Track(track)),
            Place::Param(slot) => Some(slot.owner()),
            Place::Bounce => None,
        }
    }
}

/// A write for another track.
fn on_track(edit: PersonalEdit, track: TrackIndex) -> PersonalEdit {
    let owner = Owner::Track(track);
    match edit {
        PersonalEdit::Trim { db, .. } => PersonalEdit::Trim { owner, db },
        PersonalEdit::Mute { on, .. } => PersonalEdit::Mute { track, on },
        PersonalEdit::Solo { on, .. } => PersonalEdit::Solo { track, on },
        PersonalEdit::Pan { pan, .. } => PersonalEdit::Pan { track, pan },
        PersonalEdit::Param { slot, value } => {
            PersonalEdit::Param { slot: Slot::new(owner, slot.param()), value }
        }
        PersonalEdit::Bounce(on) => PersonalEdit::Bounce(on),
    }
}

/// A musician's own mix: what is unlike everybody's. Others neither see nor hear it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Personal {
    writes: BTreeMap<Place, PersonalEdit>,
    /// Who the tracks are that it speaks of.
    tracks: BTreeMap<TrackIndex, TrackId>,
}

/// A mix as it is kept.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct KeptPersonal {
    edits: Vec<PersonalEdit>,
    tracks: Vec<(TrackIndex, TrackId)>,
}

impl Personal {
    /// A mix from where it was kept; what breaks a bound is left out.
    pub fn of_kept(kept: &KeptPersonal) -> Personal {
        let mut mix = Personal::default();
        let sound = kept.edits.iter().take(MAX_WRITES).filter_map(|edit| edit.check().ok());
        sound.for_each(|edit| mix.apply(edit));
        let tracks = kept.tracks.iter().filter(|(track, _)| track.is_valid());
        mix.tracks = tracks.take(crate::param::MAX_TRACKS).copied().collect();
        mix
    }

    /// The mix as it is kept.
    pub fn to_kept(&self) -> KeptPersonal {
        let tracks = self.tracks.iter().map(|(track, id)| (*track, *id)).collect();
        KeptPersonal { edits: self.edits().collect(), tracks }
    }

    /// Takes an edit that has been checked.
    pub fn apply(&mut self, edit: PersonalEdit) {
        let place = Place::of(&edit);
        if edit == place.neutral() {
            self.writes.remove(&place);
        } else {
            self.writes.insert(place, edit);
        }
    }

    /// What is unlike everybody's mix.
    pub fn edits(&self) -> impl Iterator<Item = PersonalEdit> + '_ {
        self.writes.values().copied()
    }

    /// What makes this mix of another.
    pub fn edits_since(&self, other: &Personal) -> Vec<PersonalEdit> {
        let places: BTreeSet<Place> = self.writes.keys().chain(other.writes.keys()).copied().collect();
        let value = |mix: &Personal, place: &Place| mix.writes.get(place).copied();
        let changed = places.iter().filter(|place| value(self, place) != value(other, place));
        changed.map(|place| value(self, place).unwrap_or(place.neutral())).collect()
    }

    /// Whether it is everybody's mix.
    pub fn is_neutral(&self) -> bool {
        self.writes.is_empty()
    }

    /// Whether anything of an owner's is unlike everybody's.
    pub fn touches(&self, owner: Owner) -> bool {
        self.writes.keys().any(|place| place.owner() == Some(owner))
    }

    /// A track's trim, or with [`Owner::Master`] the own mix's level, in dB.
    pub fn trim_db(&self, owner: Owner) -> f32 {
        match self.writes.get(&Place::Trim(owner)) {
            Some(PersonalEdit::Trim { db, .. }) => *db,
            _ => 0.0,
        }
    }

    /// Whether a track is muted here.
    pub fn is_muted(&self, track: TrackIndex) -> bool {
        self.writes.contains_key(&Place::Mute(track))
    }

    /// Whether a track is soloed here.
    pub fn is_soloed(&self, track: TrackIndex) -> bool {
        self.writes.contains_key(&Place::Solo(track))
    }

    /// A track's balance, −1 to 1.
    pub fn pan(&self, track: TrackIndex) -> f32 {
        match self.writes.get(&Place::Pan(track)) {
            Some(PersonalEdit::Pan { pan, .. }) => *pan,
            _ => 0.0,
        }
    }

    /// A parameter of an own effect.
    pub fn param(&self, slot: Slot) -> f32 {
        match self.writes.get(&Place::Param(slot)) {
            Some(PersonalEdit::Param { value, .. }) => *value,
            _ => neutral(slot),
        }
    }

    /// Whether a bounce gets it.
    pub fn is_bounced(&self) -> bool {
        self.writes.contains_key(&Place::Bounce)
    }

    /// Without what it says of an owner.
    pub fn without(&self, owner: Owner) -> Personal {
        let mut mix = self.clone();
        mix.writes.retain(|place, _| place.owner() != Some(owner));
        mix
    }

    /// Goes along with tracks that have another place now, and notes who the tracks are.
    pub fn follow(&mut self, song: &Song) {
        let spoken: BTreeSet<TrackIndex> = self
            .writes
            .keys()
            .filter_map(|place| match place.owner()? {
                Owner::Track(track) => Some(track),
                Owner::Master => None,
            })
            .collect();
        self.tracks.retain(|track, _| spoken.contains(track));
        let mut moved = BTreeMap::new();
        for track in spoken {
            let here = song.track(track).id;
            let known = *self.tracks.entry(track).or_insert(here);
            if known != here
                && let Some(place) = song.track_with_id(known)
            {
                moved.insert(track, place);
            }
        }
        if moved.is_empty() {
            return;
        }
        let goes = |track: TrackIndex| moved.get(&track).copied().unwrap_or(track);
        let edits: Vec<PersonalEdit> = self
            .writes
            .iter()
            .map(|(place, edit)| match place.owner() {
                Some(Owner::Track(track)) => on_track(*edit, goes(track)),
                _ => *edit,
            })
            .collect();
        self.tracks = self.tracks.iter().map(|(track, id)| (goes(*track), *id)).collect();
        self.writes = edits.into_iter().map(|edit| (Place::of(&edit), edit)).collect();
    }
}

/// The mix that a profile folder keeps for a session; `None` where it keeps none that can be read.
pub fn kept(folder: &Path, session: &str) -> Option<Personal> {
    all(folder).get(session).map(Personal::of_kept)
}

/// Keeps a session's mix.
///
/// # Errors
/// The file cannot be written.
pub fn keep(folder: &Path, session: &str, mix: &Personal) -> anyhow::Result<()> {
    let mut mixes = all(folder);
    if mix.is_neutral() {
        mixes.remove(session);
    } else {
        mixes.insert(session.to_owned(), mix.to_kept());
    }
    while mixes.len() > MAX_SESSIONS
        && let Some(other) = mixes.keys().find(|other| *other != session).cloned()
    {
        mixes.remove(&other);
    }
    let path = folder.join("personal.json");
    // A name of its own: several clients may share a profile.
    let fresh = path.with_extension(format!("json.{:016x}", rand::random::<u64>()));
    fs::write(&fresh, serde_json::to_string_pretty(&mixes)?)
        .and_then(|()| fs::rename(&fresh, &path))
        .with_context(|| format!("your own mix is not kept in {}", path.display()))
}

fn all(folder: &Path) -> BTreeMap<String, KeptPersonal> {
    let path = folder.join("personal.json");
    let small = fs::metadata(&path).is_ok_and(|file| file.len() <= MAX_BYTES);
    let text = small.then(|| fs::read_to_string(&path).ok()).flatten();
    text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::param::Param;

    fn track(index: usize) -> TrackIndex {
        TrackIndex::new(index).expect("a track")
    }

    fn mix() -> Personal {
        let slot = Slot::new(Owner::Track(track(2)), Param::FilterFreq);
        let mut mix = Personal::default();
        for edit in [
            PersonalEdit::Mute { track: track(2), on: true },
            PersonalEdit::Trim { owner: Owner::Master, db: -6.0 },
            PersonalEdit::Param { slot, value: 700.0 },
            PersonalEdit::Pan { track: track(0), pan: 0.5 },
        ] {
            mix.apply(edit);
        }
        mix
    }

    #[test]
    fn a_mix_is_kept_by_session_and_damage_is_none() {
        let folder = tempfile::tempdir().expect("a folder");
        keep(folder.path(), "here", &mix()).expect("kept");
        assert_eq!(kept(folder.path(), "here"), Some(mix()));
        assert_eq!(kept(folder.path(), "there"), None);
        keep(folder.path(), "here", &Personal::default()).expect("kept");
        assert_eq!(kept(folder.path(), "here"), None);
        fs::write(folder.path().join("personal.json"), "{\"here\": 7").expect("written");
        assert_eq!(kept(folder.path(), "here"), None);
    }

    #[test]
    fn from_one_mix_to_another_and_back_to_none() {
        let (mix, none) = (mix(), Personal::default());
        let mut other = none.clone();
        mix.edits_since(&none).into_iter().for_each(|edit| other.apply(edit));
        assert_eq!(other, mix);
        none.edits_since(&mix).into_iter().for_each(|edit| other.apply(edit));
        assert!(other.is_neutral());
        assert!(!mix.without(Owner::Track(track(2))).touches(Owner::Track(track(2))));
    }

    #[test]
    fn it_goes_along_with_a_track() {
        let id = TrackId { client: 4, counter: 1 };
        let mut song = Song::new();
        song.tracks[2].id = id;
        let mut mix = mix();
        mix.follow(&song);
        assert!(mix.is_muted(track(2)));
        song.tracks[2].id = TrackId { client: 9, counter: 1 };
        song.tracks[5].id = id;
        mix.follow(&song);
        assert!(mix.is_muted(track(5)) && !mix.is_muted(track(2)));
        assert_eq!(mix.param(Slot::new(Owner::Track(track(5)), Param::FilterFreq)), 700.0);
        assert_eq!((mix.pan(track(0)), mix.trim_db(Owner::Master)), (0.5, -6.0));
    }
}
