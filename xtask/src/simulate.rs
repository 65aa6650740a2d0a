//! `cargo xtask simulate`: many seeded sessions under virtual time, optimised.

use anyhow::{Result, bail};

use crate::setup::{self, Need};
use crate::steps;

/// The options of `cargo xtask simulate`.
#[derive(clap::Args)]
pub struct Arguments {
    /// How many schedules; about 20 a second on two cores.
    #[arg(long, default_value_t = 10_000)]
    schedules: u64,
    /// Replays the one schedule that a failure named.
    #[arg(long)]
    seed: Option<u64>,
}

/// `cargo xtask simulate`.
pub fn run(arguments: &Arguments) -> Result<()> {
    setup::ensure(&[Need::Build])?;
    let mut test = steps::cargo("test --package antiphon --release --test simulation -- --nocapture");
    match arguments.seed {
        Some(seed) => test.arg("every_schedule_keeps_every_law").env("ANTIPHON_SEED", seed.to_string()),
        None => test.env("ANTIPHON_SCHEDULES", arguments.schedules.to_string()),
    };
    let status = test.status()?;
    if !status.success() {
        bail!("a law broke; the seed stands above");
    }
    Ok(())
}
