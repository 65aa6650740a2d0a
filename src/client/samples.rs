//! The sample files of a profile folder, by what they hold.
//!
//! `samples/HASH.wav`, each in its canonical form ([`crate::wire::encode_sample_file`]) and named by
//! its own SHA-256, so that a file is the same on every machine or is not that file. Thread: any but
//! audio.

mod decode;
pub(super) mod loader;
mod resample;
#[cfg(test)]
mod tests;
pub(super) mod transfer;

use std::fs;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use thiserror::Error;

pub use decode::{DecodeError, MAX_INPUT, decode};

use super::journal::set_aside;
use crate::pattern::{FileId, Name, Song};
use crate::rt::ports::SampleFile;
use crate::wire::{
    MAX_SAMPLE_FILE, SampleFileError, check_sample_file, decode_sample_file, encode_sample_file,
};

/// Where the folder lies in a profile's.
const FOLDER: &str = "samples";
/// What people call the files: a line each, digits and name.
const NAMES: &str = "names.txt";
/// The most files that are listed.
const LISTED: usize = 512;

/// A profile's sample files.
#[derive(Clone, Debug)]
pub struct SampleStore {
    folder: PathBuf,
}

/// A file that is in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Which.
    pub id: FileId,
    /// What people call it; a word of the notation.
    pub name: Name,
}

/// Why a sample was not imported or read.
#[derive(Debug, Error)]
pub enum SampleError {
    /// A file cannot be read or written.
    #[error("{path}: {error}")]
    Io {
        /// Which.
        path: String,
        /// Why.
        error: std::io::Error,
    },
    /// A file is no sample.
    #[error("{path} was not taken: {error}")]
    Decode {
        /// Which.
        path: String,
        /// Why.
        error: DecodeError,
    },
    /// Bytes are not what their name says.
    #[error("the sample file {id} is damaged ({reason})")]
    Damaged {
        /// Which.
        id: FileId,
        /// How.
        reason: String,
    },
}

impl SampleStore {
    /// The store of a profile folder.
    pub fn of(profile: &Path) -> SampleStore {
        SampleStore { folder: profile.join(FOLDER) }
    }

    /// Takes any sound file in.
    ///
    /// # Errors
    /// Says which file and what is wrong with it, or that the store cannot be written.
    pub fn import(&self, path: &Path) -> Result<Stored, SampleError> {
        let shown = path.display().to_string();
        let bytes =
            read_bounded(path, MAX_INPUT).map_err(|error| SampleError::Io { path: shown.clone(), error })?;
        let words = decode(bytes).map_err(|error| SampleError::Decode { path: shown, error })?;
        let stored = Stored { id: self.keep(&encode_sample_file(&words))?, name: name_of(path) };
        self.remember(&stored);
        Ok(stored)
    }

    /// Keeps a file in its canonical form.
    ///
    /// # Errors
    /// It is none, or the store cannot be written.
    pub fn keep(&self, bytes: &[u8]) -> Result<FileId, SampleError> {
        let id = id_of(bytes);
        let damaged = |error: SampleFileError| SampleError::Damaged { id, reason: error.to_string() };
        check_sample_file(bytes).map_err(damaged)?;
        let path = self.path(id);
        let failed = |error| SampleError::Io { path: path.display().to_string(), error };
        fs::create_dir_all(&self.folder).map_err(failed)?;
        // Whole or not at all, whoever else writes the same.
        let part =
            self.folder.join(format!("{id}.{}-{:08x}.part", std::process::id(), rand::random::<u32>()));
        let written = fs::write(&part, bytes).and_then(|()| fs::rename(&part, &path));
        written.inspect_err(|_| drop(fs::remove_file(&part))).map_err(failed)?;
        Ok(id)
    }

    /// A file's bytes; `None` where it is not here. One that is not what its name says is set aside.
    ///
    /// # Errors
    /// It cannot be read, or is damaged.
    pub fn bytes(&self, id: FileId) -> Result<Option<Vec<u8>>, SampleError> {
        let path = self.path(id);
        let bytes = match read_bounded(&path, MAX_SAMPLE_FILE) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(SampleError::Io { path: path.display().to_string(), error }),
        };
        if id_of(&bytes) == id {
            return Ok(Some(bytes));
        }
        let reason = set_aside(&path, "its content is not what its name says");
        Err(SampleError::Damaged { id, reason })
    }

    /// A file, ready to be played; `None` where it is not here.
    ///
    /// # Errors
    /// It cannot be read, or is damaged.
    pub fn load(&self, id: FileId) -> Result<Option<SampleFile>, SampleError> {
        let Some(bytes) = self.bytes(id)? else { return Ok(None) };
        let damaged = |error: SampleFileError| SampleError::Damaged { id, reason: error.to_string() };
        let words = decode_sample_file(&bytes).map_err(damaged)?;
        Ok(Some(SampleFile::new(&words)))
    }

    /// The files that a song's tracks name, and those of them that cannot be had: each track with why.
    pub fn files_of(&self, song: &Song) -> (Vec<(FileId, Arc<SampleFile>)>, Vec<String>) {
        let (mut files, mut missing) = (Vec::<(FileId, Arc<SampleFile>)>::new(), Vec::new());
        for (_, track) in song.alive() {
            let Some(id) = track.file.filter(|id| files.iter().all(|(held, _)| held != id)) else { continue };
            match self.load(id) {
                Ok(Some(file)) => files.push((id, Arc::new(file))),
                Ok(None) => missing.push(format!(
                    "{} is silent: its sample '{}' ({}) is not in {}",
                    track.name,
                    track.sample,
                    id.short(),
                    self.folder.display()
                )),
                Err(error) => missing.push(format!("{} is silent: {error}", track.name)),
            }
        }
        (files, missing)
    }

    /// Whether a file is here, as far as its name tells.
    pub fn holds(&self, id: FileId) -> bool {
        self.path(id).is_file()
    }

    /// The files that are here and have names, those that were named last first.
    pub fn list(&self) -> Vec<Stored> {
        let text = fs::read_to_string(self.folder.join(NAMES)).unwrap_or_default();
        let mut listed: Vec<Stored> = Vec::new();
        for line in text.lines().rev() {
            let Some((digits, name)) = line.split_once(' ') else { continue };
            let (Ok(id), Ok(name)) = (digits.parse(), Name::new(name.trim())) else { continue };
            if listed.len() < LISTED && self.holds(id) && listed.iter().all(|stored| stored.id != id) {
                listed.push(Stored { id, name });
            }
        }
        listed
    }

    /// Notes what people call a file; a list that cannot be written lacks it.
    pub(super) fn remember(&self, stored: &Stored) {
        let Stored { id, name } = stored;
        if name.is_empty() || self.list().first() == Some(stored) {
            return;
        }
        let path = self.folder.join(NAMES);
        let file = fs::OpenOptions::new().create(true).append(true).open(&path);
        let noted = file
            .and_then(|mut file| std::io::Write::write_all(&mut file, format!("{id} {name}\n").as_bytes()));
        if let Err(error) = noted {
            tracing::warn!(%error, path = %path.display(), "a sample's name is not remembered");
        }
    }

    fn path(&self, id: FileId) -> PathBuf {
        self.folder.join(format!("{id}.wav"))
    }
}

/// The name that a file's content gives it.
pub fn id_of(bytes: &[u8]) -> FileId {
    FileId(Sha256::digest(bytes).into())
}

/// A file's bytes; of a larger one as many as show that it is.
fn read_bounded(path: &Path, most: usize) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(most as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A word of the notation for a file: its name without what a word cannot hold.
fn name_of(path: &Path) -> Name {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let mut word = String::new();
    for letter in stem.chars() {
        match letter {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '_' => word.push(letter.to_ascii_lowercase()),
            _ if word.ends_with('-') || word.is_empty() => {}
            _ => word.push('-'),
        }
    }
    word.truncate(Name::MAX);
    let word = word.trim_end_matches('-');
    Name::new(if word.is_empty() { "sample" } else { word }).unwrap_or(Name::EMPTY)
}
