//! The profile folder: who this machine is, and the secrets it keeps.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use parking_lot::Mutex;

use super::Link;
use super::journal::set_aside;

/// The most bytes that invites take.
const MAX_SESSIONS: usize = 4 << 20;

/// A profile folder: who a musician is to servers, and what is kept for them. All instances that
/// use it are one participant, by way of the hub that holds its lock.
pub struct Profile {
    folder: PathBuf,
    /// Files that could not be read and were set aside, until somebody asks.
    faults: Mutex<Vec<String>>,
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
    /// Opens a profile folder, making it where it is missing.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn open(folder: &Path) -> anyhow::Result<Profile> {
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder
            .recursive(true)
            .create(folder)
            .with_context(|| format!("the profile folder {} cannot be made", folder.display()))?;
        Ok(Profile { folder: folder.to_owned(), faults: Mutex::default() })
    }

    /// 128 bits that name this participant to servers, made where they are missing. For the hub
    /// alone, which holds the lock. A damaged key is set aside: the participant is a new one then.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn key(&self) -> anyhow::Result<[u8; 16]> {
        let path = self.folder.join("client.key");
        match fs::read(&path) {
            Ok(bytes) => {
                let digits = std::str::from_utf8(&bytes).unwrap_or("").trim();
                if digits.len() == 32
                    && let Ok(key) = u128::from_str_radix(digits, 16)
                {
                    return Ok(key.to_be_bytes());
                }
                self.fault(set_aside(&path, "it holds no key of 32 hexadecimal digits"));
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(|| format!("{} cannot be read", path.display())),
        }
        let key: u128 = rand::random();
        write_private(&path, format!("{key:032x}\n").as_bytes())
            .with_context(|| format!("{} cannot be written", path.display()))?;
        Ok(key.to_be_bytes())
    }

    /// What was set aside since somebody last asked, for a person.
    pub fn faults(&self) -> Vec<String> {
        std::mem::take(&mut *self.faults.lock())
    }

    fn fault(&self, fault: String) {
        tracing::warn!(fault, "a file of the profile was damaged");
        self.faults.lock().push(fault);
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A link with the secret that the folder keeps for its session, where it has none itself.
    pub fn with_secret(&self, mut link: Link) -> Link {
        if link.secret.is_empty()
            && let Some(secret) = self.secrets().get(&link.to_string())
            && let Err(reason) = link.set_fragment(secret)
        {
            tracing::warn!(reason, "the invite that the profile folder keeps cannot be used");
        }
        link
    }

    /// Keeps a link's secret in `sessions.json`, readable by the musician alone.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn remember(&self, link: &Link) -> anyhow::Result<()> {
        // One at a time, across processes: each writes what it has read.
        let lock = self.folder.join("sessions.lock");
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&lock);
        let _lock = lock.and_then(|file| file.lock().map(|()| file)).inspect_err(
            |error| tracing::warn!(%error, "instances that join at once may forget each other's invites"),
        );
        let mut secrets = self.secrets();
        if link.secret.is_empty() || secrets.get(&link.to_string()) == Some(&link.fragment()) {
            return Ok(());
        }
        secrets.insert(link.to_string(), link.fragment());
        let text = serde_json::to_string_pretty(&secrets)?;
        let path = self.sessions_path();
        // A name of its own: a DAW's instances join from one process, at the same time.
        let fresh = path.with_extension(format!("json.{:016x}", rand::random::<u64>()));
        write_private(&fresh, text.as_bytes())
            .and_then(|()| fs::rename(&fresh, &path))
            .with_context(|| format!("{} cannot be written", path.display()))
    }

    fn secrets(&self) -> BTreeMap<String, String> {
        let path = self.sessions_path();
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return BTreeMap::new(),
            Err(error) => {
                self.fault(format!("{} cannot be read: {error}", path.display()));
                return BTreeMap::new();
            }
        };
        if bytes.len() > MAX_SESSIONS {
            self.fault(set_aside(&path, &format!("it has {} bytes", bytes.len())));
            return BTreeMap::new();
        }
        serde_json::from_slice(&bytes).unwrap_or_else(|error| {
            self.fault(set_aside(&path, &error.to_string()));
            BTreeMap::new()
        })
    }

    fn sessions_path(&self) -> PathBuf {
        self.folder.join("sessions.json")
    }
}

/// Writes a file that its owner alone can read.
pub(super) fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
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
    fn a_key_stays_and_a_damaged_one_is_set_aside() {
        let folder = tempfile::tempdir().expect("a folder");
        let profile = Profile::open(folder.path()).expect("a profile");
        let key = profile.key().expect("a key");
        assert_eq!(Profile::open(folder.path()).expect("again").key().expect("a key"), key);
        fs::write(folder.path().join("client.key"), [0xFF, 0, 7]).expect("damaged");
        assert_ne!(profile.key().expect("a new key"), key);
        assert_eq!(profile.faults().len(), 1);
    }

    #[test]
    fn damaged_invites_are_set_aside_and_not_overwritten() {
        let folder = tempfile::tempdir().expect("a folder");
        let profile = Profile::open(folder.path()).expect("a profile");
        let damaged = b"{\"http://127.0.0.1:9/s/red\": \"precious\", \xFF";
        fs::write(folder.path().join("sessions.json"), damaged).expect("damaged");
        let link: Link = "http://127.0.0.1:9000/s/blue#abc".parse().expect("a link");
        profile.remember(&link).expect("kept");
        assert_eq!(profile.secrets().get(&link.to_string()), Some(&link.secret));
        assert_eq!(profile.faults().len(), 1);
        let files = fs::read_dir(folder.path()).expect("a folder").filter_map(Result::ok);
        let aside = files.filter(|file| file.file_name().to_string_lossy().contains("damaged"));
        assert!(aside.map(|file| fs::read(file.path()).expect("bytes")).eq([damaged.to_vec()]));
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
