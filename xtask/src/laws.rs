//! `cargo xtask laws`: the property tests from fresh seeds, round after round.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail};

use crate::setup::{self, Need};
use crate::steps;

/// The options of `cargo xtask laws`.
#[derive(clap::Args)]
pub struct Arguments {
    /// How many rounds; each takes about a minute on two cores.
    #[arg(long, default_value_t = 20)]
    rounds: u64,
    /// Replays the one round that a failure named.
    #[arg(long)]
    seed: Option<u64>,
}

/// Where properties are tested.
const TESTS: &str = "test --package antiphon --features client,server --lib --test laws --test convergence \
    --test branches --test engine --test dsp --test notation --no-fail-fast --quiet";

/// `cargo xtask laws`.
pub fn run(arguments: &Arguments) -> Result<()> {
    setup::ensure(&[Need::Build])?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let seeds = arguments.seed.map_or(now..now + arguments.rounds, |seed| seed..seed + 1);
    for seed in seeds {
        let outcome = steps::step(&format!("seed {seed}"), || {
            steps::run(steps::cargo(TESTS).env("PROPTEST_RNG_SEED", seed.to_string()))
        });
        if outcome.is_err() {
            bail!("a law broke; replay it with `cargo xtask laws --seed {seed}`");
        }
    }
    Ok(())
}
