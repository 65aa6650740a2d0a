//! The musician's profile folder as an instance uses it.

use std::fs;
use std::path::PathBuf;

use crate::client::default_profile;

/// What others read: `ANTIPHON_NAME`, else the login name.
pub fn musician() -> String {
    ["ANTIPHON_NAME", "USER", "USERNAME"]
        .into_iter()
        .filter_map(|name| std::env::var(name).ok())
        .map(|name| name.trim().to_owned())
        .find(|name| !name.is_empty())
        .unwrap_or_else(|| "Musician".to_owned())
}

/// Keeps a state that could not be read, named by its hash: the same one is kept once.
pub fn keep_damaged(saved: &str) -> Option<PathBuf> {
    let hash = xxhash_rust::xxh3::xxh3_64(saved.as_bytes());
    let place = default_profile().join("damaged");
    fs::create_dir_all(&place).ok()?;
    let path = place.join(format!("project-{hash:016x}.txt"));
    fs::write(&path, saved).ok()?;
    Some(path)
}
