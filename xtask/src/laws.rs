//! `cargo xtask laws`: the property tests from fresh seeds, round after round.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail};

use crate::setup::{self, Need};
use crate::steps;

/// The options of `cargo xtask laws`.
#[derive(clap::Args)]
pub struct Arguments {
    /// How many rounds; each takes about two minutes on two cores.
    #[arg(long, default_value_t = 20)]
    rounds: u64,
    /// Replays the one round that a failure named.
    #[arg(long)]
    seed: Option<u64>,
}

/// Where properties are tested, and where in the engine's tests: most of those are none, and take long.
const TESTS: [&str; 2] = [
    "test --package antiphon --features client,server --lib --test laws --test convergence --test branches \
     --test dsp --test notation --test wire --no-fail-fast --quiet",
    "test --package antiphon --features client,server --test engine --no-fail-fast --quiet \
     -- hanging:: locked:: transport::",
];

/// `cargo xtask laws`.
pub fn run(arguments: &Arguments) -> Result<()> {
    setup::ensure(&[Need::Build])?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let seeds = arguments.seed.map_or(now..now + arguments.rounds, |seed| seed..seed + 1);
    for seed in seeds {
        let outcome = steps::step(&format!("seed {seed}"), || {
            let seed = seed.to_string();
            TESTS.iter().try_for_each(|tests| steps::run(steps::cargo(tests).env("PROPTEST_RNG_SEED", &seed)))
        });
        if outcome.is_err() {
            bail!("a law broke; replay it with `cargo xtask laws --seed {seed}`");
        }
    }
    Ok(())
}
