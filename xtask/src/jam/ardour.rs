//! The other studio: Ardour in a profile of its own, with the bundled VST3.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::process::{Process, in_studio};
use crate::steps;

/// Ardour's rate: not the other studio's, so that the resampler has work to do.
pub const RATE: u32 = 44_100;
/// Its block: large, as on a mixing desk.
pub const BLOCK: u32 = 1_024;

/// Frames by which the tape track's recording lies late: it hears the groove's track one block on.
/// (Measured with a plugin that sounds from the first frame on; the report's figures do not come
/// from this recording.)
pub const TAPE_LATE: u64 = BLOCK as u64;

const SCRIPT: &str = include_str!("ardour.lua");
const LIBRARIES: &str = "/usr/lib/ardour7";
/// Ardour's own start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// A running Ardour.
pub struct Ardour {
    /// Its orders and events.
    pub process: Process,
    folder: PathBuf,
}

impl Ardour {
    /// Scans the plugin, makes a session with it, and waits until it stands ready.
    pub fn start(vst3: &Path, profile: &Path, link: &str, bpm: f64, logs: &Path) -> Result<Ardour> {
        let home = profile.join("ardour-home");
        let plugins = home.join(".vst3");
        std::fs::create_dir_all(&plugins).context("making Ardour's plugin folder")?;
        let seen = plugins.join("Antiphon.vst3");
        std::os::unix::fs::symlink(vst3, &seen).context("showing the plugin to Ardour")?;
        let script = profile.join("ardour.lua");
        std::fs::write(&script, SCRIPT).context("writing Ardour's script")?;

        let mut scan = Command::new(Path::new(LIBRARIES).join("ardour-vst3-scanner"));
        let quiet = std::fs::File::create(logs.join("ardour-scan.log")).context("the scan's log")?;
        scan.arg("-f").arg(&seen).env("LD_LIBRARY_PATH", LIBRARIES).stderr(quiet);
        alone(&mut scan, &home);
        steps::run(&mut scan).context("Ardour's scanner does not take the VST3")?;

        make_fresh(&home.join("cache"))?;

        let folder = profile.join("ardour-session");
        let mut command = in_studio("ardour7-lua", profile, "Studio B");
        command.arg(&script).arg(&folder).args(["Antiphon", &RATE.to_string(), &BLOCK.to_string()]);
        command.arg(bpm.to_string()).env("ANTIPHON_LINK", link);
        alone(&mut command, &home);
        let process = Process::start("ardour", command, logs)?;
        process.wait_for("ready", 0, PATIENCE)?;
        Ok(Ardour { process, folder })
    }

    /// From bar 1 on, recording.
    pub fn roll(&mut self) -> Result<()> {
        let mark = self.process.mark();
        self.process.send("roll")?;
        self.process.wait_for("rolling", mark, PATIENCE).map(drop)
    }

    /// Stops.
    pub fn stop(&mut self) -> Result<()> {
        let mark = self.process.mark();
        self.process.send("stop")?;
        self.process.wait_for("stopped", mark, PATIENCE).map(drop)
    }

    /// Ends Ardour and gives its recordings in order, each a pair of mono files.
    pub fn finish(mut self) -> Result<Vec<[PathBuf; 2]>> {
        self.process.finish("quit", PATIENCE)?;
        let mut left: Vec<PathBuf> = walkdir::WalkDir::new(&self.folder)
            .into_iter()
            .filter_map(Result::ok)
            .map(walkdir::DirEntry::into_path)
            .filter(|path| path.to_string_lossy().ends_with("%L.wav"))
            .collect();
        left.sort();
        let right = |path: &PathBuf| PathBuf::from(path.to_string_lossy().replace("%L.wav", "%R.wav"));
        Ok(left.into_iter().map(|path| [path.clone(), right(&path)]).collect())
    }
}

/// Dates the scan a little later: Ardour takes one of the same second as the plugin for stale, and
/// the bundle may have been written just now.
fn make_fresh(cache: &Path) -> Result<()> {
    let later = std::time::SystemTime::now() + Duration::from_secs(5);
    for entry in walkdir::WalkDir::new(cache).into_iter().filter_map(Result::ok) {
        if entry.path().extension().is_some_and(|extension| extension == "v3i") {
            let file = std::fs::File::options().append(true).open(entry.path());
            file.and_then(|file| file.set_modified(later)).context("dating Ardour's scan")?;
        }
    }
    Ok(())
}

/// Ardour's settings and caches in a folder of their own: the musician's stay untouched.
fn alone(command: &mut Command, home: &Path) {
    command.env("HOME", home).env("XDG_CONFIG_HOME", home.join("config"));
    command.env("XDG_CACHE_HOME", home.join("cache")).env("XDG_DATA_HOME", home.join("data"));
}
