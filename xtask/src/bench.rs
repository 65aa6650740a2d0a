//! `cargo xtask bench`: the project's own measurements.

mod plot;

use anyhow::{Context, Result, bail};

use crate::setup::{self, Need};
use crate::steps;

/// The options of `cargo xtask bench`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Which measurement; all without a name.
    name: Option<String>,
    /// One JSON object on standard output and nothing else there.
    #[arg(long)]
    json: bool,
}

/// `cargo xtask bench`.
pub fn run(arguments: &Arguments) -> Result<()> {
    setup::ensure(&[Need::Build])?;
    if arguments.name.as_deref().is_none_or(|name| name == "engine")
        && let Err(error) = setup::ensure(&[Need::Instructions])
    {
        eprintln!("    {error:#}\n    going on without the count of instructions");
    }
    steps::step("build the benches", || {
        steps::run(&mut steps::cargo(
            "bench --package antiphon --features client,server --bench antiphon --no-run",
        ))
    })?;
    let mut bench =
        steps::cargo("bench --quiet --package antiphon --features client,server --bench antiphon --");
    bench.args(&arguments.name);
    if arguments.json {
        bench.arg("--json");
    }
    let curves = steps::root().join("target/bench-curves.json");
    bench.env("ANTIPHON_BENCH_CURVES", &curves);
    let status = bench.status().context("could not start cargo")?;
    if !status.success() {
        bail!("the bench ended with {status}");
    }
    let picture = steps::root().join("target/bench-clock.png");
    if plot::draw(&curves, &picture)? {
        eprintln!("the picture: {}", picture.display());
    }
    Ok(())
}
