//! One of the two studios that runs our own CLAP host.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use super::clap_host::Order;
use super::process::{Process, in_studio};

/// Frames a second in our own host.
pub const RATE: u32 = 48_000;
/// Frames a block in our own host.
pub const BLOCK: u32 = 64;

const PATIENCE: Duration = Duration::from_secs(30);

/// What every part of a jam needs to know.
pub struct Place<'a> {
    /// The programs and the plugin.
    pub bundle: &'a crate::bundle::Bundle,
    /// Where profiles, recordings and logs go.
    pub out: &'a Path,
}

impl Place<'_> {
    /// A studio's profile folder, made.
    pub fn profile(&self, name: &str) -> Result<PathBuf> {
        let folder = self.out.join("profiles").join(name);
        std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        Ok(folder)
    }

    /// Where the parts' own words go.
    pub fn logs(&self) -> PathBuf {
        self.out.join("logs")
    }

    /// A headless peer in a studio, joined.
    pub fn peer(&self, name: &str, profile: &Path, link: &str, more: &[&str]) -> Result<Process> {
        let mut command = in_studio(&self.bundle.antiphon, profile, name);
        command.args(["peer", link, "--name", name]).arg("--profile").arg(profile).args(more);
        let peer = Process::start(&name.to_lowercase().replace(' ', "-"), command, &self.logs())?;
        peer.wait_for("connected", 0, PATIENCE)?;
        Ok(peer)
    }
}

/// A studio with our own CLAP host.
pub struct ClapStudio {
    /// The host.
    pub host: Process,
}

impl ClapStudio {
    /// Starts the host with the bundled plugin, which joins by itself.
    pub fn start(
        place: &Place<'_>,
        name: &str,
        profile: &Path,
        link: &str,
        more: &[&str],
    ) -> Result<ClapStudio> {
        let myself = std::env::current_exe().context("finding xtask itself")?;
        let mut command = in_studio(myself, profile, name);
        command.arg("clap-host").arg("--plugin").arg(&place.bundle.clap);
        command.args(["--rate", &RATE.to_string(), "--block", &BLOCK.to_string()]).args(more);
        command.env("ANTIPHON_LINK", link);
        let host = Process::start(&name.to_lowercase().replace(' ', "-"), command, &place.logs())?;
        host.wait_for("audio", 0, PATIENCE)?;
        Ok(ClapStudio { host })
    }

    /// Gives an order.
    pub fn order(&mut self, order: &Order) -> Result<()> {
        self.host.send(serde_json::to_string(order).context("writing an order")?)
    }

    /// From bar 1 on; gives the event, which says at which frame of the recording it began.
    pub fn roll(&mut self) -> Result<Value> {
        let mark = self.host.mark();
        self.order(&Order::Play)?;
        self.host.wait_for("rolling", mark, PATIENCE)
    }

    /// Ends the host; gives how many blocks were late and by how much the worst, in µs.
    pub fn finish(mut self) -> Result<(u64, i64)> {
        let mark = self.host.mark();
        let quit = serde_json::to_string(&Order::Quit).context("writing an order")?;
        self.host.finish(&quit, PATIENCE)?;
        let late = self.host.wait_for("late", mark, PATIENCE)?;
        Ok((late["blocks"].as_u64().unwrap_or(0), late["worst_us"].as_i64().unwrap_or(0)))
    }
}
