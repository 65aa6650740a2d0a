//! Ableton Link between two LANs: a build, and a test, of its own.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::{runner, tee};
use crate::bundle::Bundle;
use crate::setup::{self, Need};
use crate::steps;

/// The first bytes of every message by which Link's programs find each other.
const MARK: &[u8] = b"_asdp_v";

/// Runs `antiphon-link`'s tests, in networks of their own.
///
/// # Errors
/// What they need is missing, or this machine allows no network namespace: then it is said.
pub fn tests(nextest: bool) -> Result<(usize, usize)> {
    setup::ensure(&[Need::Link])?;
    let mut command = runner(nextest);
    command.args(["--package", "antiphon", "--features", "link,server"]);
    command.args(["--test", "link", "--bin", "antiphon-link"]);
    if steps::succeeds("unshare", &["--net", "true"]) {
        return tee(&mut command);
    }
    if steps::succeeds("unshare", &["--map-root-user", "--net", "true"]) {
        return tee(&mut as_root_of_its_own(&command));
    }
    bail!("cannot run: this machine allows no network namespace; run it as root")
}

/// A command in a user namespace in which it is root.
fn as_root_of_its_own(command: &Command) -> Command {
    let mut wrapped = Command::new("unshare");
    wrapped.args(["--map-root-user", "--"]).arg(command.get_program()).args(command.get_args());
    for (key, value) in command.get_envs() {
        match value {
            Some(value) => wrapped.env(key, value),
            None => wrapped.env_remove(key),
        };
    }
    wrapped
}

/// The plugin and the programs hold no Link, which is under the GPL: its discovery's mark is in none
/// of them.
pub fn absent(bundle: &Bundle) -> Result<()> {
    let files = |folder: &Path| {
        let entries = walkdir::WalkDir::new(folder).into_iter().filter_map(Result::ok);
        entries.filter(|entry| entry.file_type().is_file()).map(|entry| entry.into_path())
    };
    let programs = [bundle.standalone_program(), bundle.antiphon.clone(), bundle.server.clone()];
    for path in files(&bundle.clap).chain(files(&bundle.vst3)).chain(programs) {
        let bytes = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        if holds(&bytes) {
            bail!("{} holds Ableton Link, which belongs in antiphon-link alone", path.display());
        }
    }
    Ok(())
}

fn holds(bytes: &[u8]) -> bool {
    bytes.windows(MARK.len()).any(|window| window == MARK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_is_found_wherever_it_stands() {
        assert!(holds(b"\x00\x01_asdp_v\x01"));
        assert!(!holds(b"_asdp"));
    }
}
