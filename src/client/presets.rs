//! A musician's presets: files beside the factory's.
//!
//! `presets/sounds/NAME.txt` and `presets/grooves/NAME.txt` in the profile folder, each a text of
//! the notation. Thread: any but audio.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::pattern::presets::{self, Preset};
use crate::pattern::{Name, Song, text};
use crate::time::Tempo;

/// The most bytes a preset's file may have.
const MAX_FILE: u64 = 256 << 10;

/// What a preset is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bank {
    /// A track's sound.
    Sounds,
    /// Patterns of several tracks.
    Grooves,
}

/// A preset by name, wherever it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// What it is called.
    pub name: String,
    /// Instrument or style; "own" for a musician's.
    pub kind: String,
    /// What to expect; empty for a musician's.
    pub about: String,
}

/// What is wrong with a preset.
#[derive(Debug, thiserror::Error)]
pub enum PresetFileError {
    /// No such name.
    #[error("there is no preset '{0}'; `presets` lists them")]
    Unknown(String),
    /// A name that no file may have.
    #[error("'{0}' is no name for a preset: up to 24 letters, digits, '-' and '_'")]
    Name(String),
    /// The file cannot be read or written.
    #[error("{path}: {error}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The file is no notation.
    #[error("{0}")]
    Text(String),
}

/// All presets of a bank: the musician's own, then the factory's.
pub fn list(profile: &Path, bank: Bank) -> Vec<Listed> {
    let own = fs::read_dir(bank.folder(profile)).into_iter().flatten().flatten();
    let mut own: Vec<String> = own
        .filter_map(|entry| {
            let path = entry.path();
            let stem = path.file_stem()?.to_str()?.to_owned();
            (path.extension()? == "txt" && Name::new(&stem).is_ok()).then_some(stem)
        })
        .collect();
    own.sort_unstable();
    let own = own.into_iter().map(|name| Listed { name, kind: "own".to_owned(), about: String::new() });
    let factory = bank.factory().iter().map(|preset| Listed {
        name: preset.name.to_owned(),
        kind: preset.kind.to_owned(),
        about: preset.about.to_owned(),
    });
    own.chain(factory).collect()
}

/// A preset by its name; a musician's own comes before the factory's.
///
/// # Errors
/// There is none, or its file cannot be read: the error names line and column.
pub fn find(profile: &Path, bank: Bank, name: &str) -> Result<Box<Song>, PresetFileError> {
    let path = bank.file(profile, name)?;
    let own = fs::metadata(&path).and_then(|data| match data.len() {
        0..=MAX_FILE => fs::read_to_string(&path),
        _ => Err(std::io::Error::new(ErrorKind::FileTooLarge, "a preset has at most 256 KiB")),
    });
    let (source, origin) = match own {
        Ok(source) => (source, path.display().to_string()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let preset = bank.factory().iter().find(|preset| preset.name == name);
            let preset = preset.ok_or_else(|| PresetFileError::Unknown(name.to_owned()))?;
            (preset.text.to_owned(), name.to_owned())
        }
        Err(error) => return Err(PresetFileError::File { path, error }),
    };
    presets::read(&source).map_err(|found| PresetFileError::Text(text::report(&found, &source, &origin)))
}

/// Keeps a preset; one of the same name is replaced. Gives its file.
///
/// # Errors
/// The name is none, or the file cannot be written.
pub fn save(
    profile: &Path,
    bank: Bank,
    name: &str,
    song: &Song,
    tempo: Tempo,
) -> Result<PathBuf, PresetFileError> {
    let path = bank.file(profile, name)?;
    let failed = |error| PresetFileError::File { path: path.clone(), error };
    fs::create_dir_all(bank.folder(profile)).map_err(failed)?;
    // A file of its own first: what is there stays whole until the new one is.
    let fresh = path.with_extension(format!("{:016x}", rand::random::<u64>()));
    let written = fs::write(&fresh, text::write(song, tempo)).and_then(|()| fs::rename(&fresh, &path));
    written.map_err(failed)?;
    Ok(path)
}

impl Bank {
    fn folder(self, profile: &Path) -> PathBuf {
        let name = match self {
            Bank::Sounds => "sounds",
            Bank::Grooves => "grooves",
        };
        profile.join("presets").join(name)
    }

    /// Only names of the notation become files: none leads out of the folder.
    fn file(self, profile: &Path, name: &str) -> Result<PathBuf, PresetFileError> {
        match Name::new(name) {
            Ok(name) if !name.is_empty() => Ok(self.folder(profile).join(format!("{name}.txt"))),
            _ => Err(PresetFileError::Name(name.to_owned())),
        }
    }

    fn factory(self) -> &'static [Preset] {
        match self {
            Bank::Sounds => presets::sounds(),
            Bank::Grooves => presets::grooves(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::{Edit, TrackField};

    #[test]
    fn what_is_saved_is_listed_first_and_comes_back() {
        let profile = tempfile::tempdir().expect("a folder");
        let groove = find(profile.path(), Bank::Grooves, "boom-bap").expect("the factory's");
        let (track, _) = groove.alive().next().expect("a track");
        let seeded = {
            let mut song = groove.clone();
            groove.random_sound_edits(track, 7).iter().for_each(|edit| song.apply(edit));
            song
        };
        let sound = seeded.sound_of(track);
        save(profile.path(), Bank::Sounds, "mine", &sound, Tempo::DEFAULT).expect("written");
        let listed = list(profile.path(), Bank::Sounds);
        assert_eq!((listed[0].name.as_str(), listed[0].kind.as_str()), ("mine", "own"));
        assert_eq!(listed.len(), 1 + presets::sounds().len());
        let back = find(profile.path(), Bank::Sounds, "mine").expect("it reads");
        // The voice that the track's name chose is now stated.
        let voice = |edit: &Edit| matches!(edit, Edit::Track { field: TrackField::Sample(_), .. });
        assert!(seeded.sound_edits(track, &back).expect("a track").iter().all(voice));

        save(profile.path(), Bank::Grooves, "boom-bap", &groove.groove_of(), Tempo::DEFAULT)
            .expect("written");
        let back = find(profile.path(), Bank::Grooves, "boom-bap").expect("it reads");
        assert_eq!(groove.groove_edits(&back), Ok(Vec::new()));
    }

    #[test]
    fn bad_names_and_bad_files_are_told() {
        let profile = tempfile::tempdir().expect("a folder");
        let error = |bank, name| find(profile.path(), bank, name).expect_err("no preset").to_string();
        assert!(error(Bank::Sounds, "../../etc/passwd").contains("is no name"));
        assert!(error(Bank::Sounds, "nothing-here").contains("`presets` lists them"));
        let folder = profile.path().join("presets/sounds");
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join("broken.txt"), "sample sound: kick\nfilter sound: freq=loud\n")
            .expect("written");
        assert!(error(Bank::Sounds, "broken").contains("2:"), "{}", error(Bank::Sounds, "broken"));
    }
}
