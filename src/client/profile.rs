//! The profile folder: who this machine is, and the secrets it keeps.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::Link;

/// The most participants one profile folder stands for at a time.
const PLACES: u32 = 64;

/// An open profile folder. While it lives, its place in the folder is locked: a second client on
/// the same folder takes the next place and is a participant of its own.
pub struct Profile {
    folder: PathBuf,
    key: [u8; 16],
    /// Held for its lock.
    _place: File,
}

/// The musician's profile folder: `ANTIPHON_HOME`, else `antiphon` in the platform's data folder.
pub fn default_profile() -> PathBuf {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(folder) = set("ANTIPHON_HOME") {
        return folder;
    }
    let data = if cfg!(windows) {
        set("APPDATA")
    } else if cfg!(target_vendor = "apple") {
        set("HOME").map(|home| home.join("Library/Application Support"))
    } else {
        set("XDG_DATA_HOME").or_else(|| set("HOME").map(|home| home.join(".local/share")))
    };
    data.unwrap_or_else(std::env::temp_dir).join("antiphon")
}

impl Profile {
    /// Opens a profile folder, making it and its key where they are missing.
    ///
    /// # Errors
    /// The folder or its key cannot be made or read, or every place in it is taken.
    pub fn open(folder: &Path) -> anyhow::Result<Profile> {
        fs::create_dir_all(folder)
            .with_context(|| format!("the profile folder {} cannot be made", folder.display()))?;
        for place in 1..=PLACES {
            let suffix = if place == 1 { String::new() } else { format!("-{place}") };
            let lock_path = folder.join(format!("client{suffix}.lock"));
            let lock = OpenOptions::new()
                .create(true)
                .truncate(false)
                .write(true)
                .open(&lock_path)
                .with_context(|| format!("{} cannot be opened", lock_path.display()))?;
            if lock.try_lock().is_err() {
                continue;
            }
            let key = read_or_make_key(&folder.join(format!("client{suffix}.key")))?;
            return Ok(Profile { folder: folder.to_owned(), key, _place: lock });
        }
        anyhow::bail!("{} clients already use the profile folder {}", PLACES, folder.display())
    }

    /// 128 bits that name this participant to servers.
    pub fn key(&self) -> [u8; 16] {
        self.key
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A link with the secret that the folder keeps for its session, where it has none itself.
    pub fn with_secret(&self, mut link: Link) -> Link {
        if link.secret.is_empty()
            && let Some(secret) = self.secrets().get(&link.to_string())
        {
            link.secret.clone_from(secret);
        }
        link
    }

    /// Keeps a link's secret in `sessions.json`, readable by the musician alone.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn remember(&self, link: &Link) -> anyhow::Result<()> {
        let mut secrets = self.secrets();
        if link.secret.is_empty() || secrets.get(&link.to_string()) == Some(&link.secret) {
            return Ok(());
        }
        secrets.insert(link.to_string(), link.secret.clone());
        let text = serde_json::to_string_pretty(&secrets)?;
        let path = self.sessions_path();
        // A name of its own: a DAW's instances join from one process, at the same time.
        let fresh = path.with_extension(format!("json.{:016x}", rand::random::<u64>()));
        write_private(&fresh, text.as_bytes())
            .and_then(|()| fs::rename(&fresh, &path))
            .with_context(|| format!("{} cannot be written", path.display()))
    }

    fn secrets(&self) -> BTreeMap<String, String> {
        let text = fs::read_to_string(self.sessions_path()).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    fn sessions_path(&self) -> PathBuf {
        self.folder.join("sessions.json")
    }
}

fn read_or_make_key(path: &Path) -> anyhow::Result<[u8; 16]> {
    match fs::read_to_string(path) {
        Ok(text) => u128::from_str_radix(text.trim(), 16)
            .map(u128::to_be_bytes)
            .with_context(|| format!("{} holds no key of 32 hexadecimal digits; remove it", path.display())),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let key: u128 = rand::random();
            write_private(path, format!("{key:032x}\n").as_bytes())
                .with_context(|| format!("{} cannot be written", path.display()))?;
            Ok(key.to_be_bytes())
        }
        Err(error) => Err(error).with_context(|| format!("{} cannot be read", path.display())),
    }
}

fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_stays_and_a_second_client_gets_its_own() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = Profile::open(folder.path()).expect("the first place");
        let second = Profile::open(folder.path()).expect("the second place");
        assert_ne!(first.key(), second.key());
        let key = first.key();
        drop(first);
        assert_eq!(Profile::open(folder.path()).expect("the first place again").key(), key);
    }

    #[test]
    fn secrets_are_kept_privately() {
        let folder = tempfile::tempdir().expect("a folder");
        let profile = Profile::open(folder.path()).expect("a profile");
        let link: Link = "http://127.0.0.1:9000/s/blue#abc".parse().expect("a link");
        profile.remember(&link).expect("kept");
        let bare = Link { secret: String::new(), ..link.clone() };
        assert_eq!(profile.with_secret(bare), link);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode =
                fs::metadata(folder.path().join("sessions.json")).expect("the file").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn instances_that_join_at_once_keep_the_secret() {
        let folder = tempfile::tempdir().expect("a folder");
        let link: Link = "http://127.0.0.1:9000/s/blue#abc".parse().expect("a link");
        let profiles: Vec<_> = (0..8).map(|_| Profile::open(folder.path()).expect("a profile")).collect();
        for _ in 0..50 {
            let _ = fs::remove_file(folder.path().join("sessions.json"));
            std::thread::scope(|scope| {
                for profile in &profiles {
                    scope.spawn(|| profile.remember(&link).expect("kept"));
                }
            });
            assert_eq!(profiles[0].secrets().get(&link.to_string()), Some(&link.secret));
        }
    }
}
