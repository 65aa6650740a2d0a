//! `cargo xtask test`: everything that must hold, on a machine that has only Rust.

mod count;
#[cfg(target_os = "linux")]
mod link;
mod window;

use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::architectures;
use crate::bundle::{self, Bundle, Profile};
#[cfg(target_os = "linux")]
use crate::jam;
use crate::setup::{self, Need};
use crate::steps;
use crate::tidy;
use count::Count;

/// The options of `cargo xtask test`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Only tests whose name holds this; leaves out tidy, the window and the jam.
    filter: Option<String>,
}

/// Everything at once, so that the programs, the plugin and all tests share one build.
const FEATURES: &str = "antiphon/standalone,antiphon/server";

/// The test programs that run in release as well: the same song must give the same fingerprints
/// there, and ten times as many schedules are lived through. They need no feature, so that little
/// is built for them. (The allocation guard of `realtime` exists in development builds alone.)
const IN_RELEASE: [&str; 2] = ["engine", "simulation"];

/// `cargo xtask test`.
pub fn run(arguments: &Arguments) -> Result<()> {
    let begun = Instant::now();
    steps::step("set up", || setup::ensure(&[Need::Build, Need::Hosts, Need::Screen]))?;
    let nextest = setup::nextest();
    let mut count = Count::default();

    if arguments.filter.is_none() {
        count.check("tidy", tidy::run(&tidy::Arguments::default()));
    }
    let bundled = bundle::bundle(Profile::Release);
    if let Ok(bundle) = &bundled {
        let filter = arguments.filter.as_deref();
        count.suite("tests", || tests(nextest, bundle, filter));
        count.suite("engine and simulation in release", || tests_in_release(nextest, filter));
        if filter.is_none() {
            count.check("one hash on every processor", architectures::run());
            count.check("the standalone opens its window", window::opens(bundle));
            #[cfg(target_os = "linux")]
            {
                count.check("no Link outside antiphon-link", link::absent(bundle));
                count.suite("Link between two LANs", || link::tests(nextest));
            }
            #[cfg(target_os = "linux")]
            count.check("a short jam", steps::step("a short jam", || jam::check(bundle)));
        }
    }
    count.check("bundle", bundled.map(drop));

    let minutes = begun.elapsed().as_secs_f64() / 60.0;
    eprintln!("\neverything took {minutes:.1} minutes");
    for failure in &count.failures {
        eprintln!("failed: {failure}");
    }
    println!("{} passed, {} failed", count.passed, count.failed);
    match count.failed {
        0 => Ok(()),
        failed => bail!("{failed} failed"),
    }
}

/// Runs every Rust test of the workspace and gives passed and failed.
fn tests(nextest: bool, bundle: &Bundle, filter: Option<&str>) -> Result<(usize, usize)> {
    let mut command = runner(nextest);
    command.args(["--workspace", "--lib", "--bins", "--tests", "--features", FEATURES]);
    command.args(filter);
    command.env("ANTIPHON_CLAP", &bundle.clap);
    command.env("ANTIPHON_VST3", &bundle.vst3);
    command.env("ANTIPHON_PYTHON", setup::python());
    tee(&mut command)
}

fn tests_in_release(nextest: bool, filter: Option<&str>) -> Result<(usize, usize)> {
    let mut command = runner(nextest);
    command.args(["--package", "antiphon", "--release"]);
    command.args(IN_RELEASE.iter().flat_map(|program| ["--test", program]));
    command.args(filter);
    tee(&mut command)
}

fn runner(nextest: bool) -> Command {
    steps::cargo(if nextest { "nextest run --profile ci --no-tests pass" } else { "test --no-fail-fast" })
}

/// Runs a test runner, shows what it says, and reads its count.
fn tee(command: &mut Command) -> Result<(usize, usize)> {
    use std::io::{BufRead, BufReader};
    let shown = steps::shown(command);
    // `cargo test` reports on standard output, nextest on standard error: both into one pipe.
    let (reader, writer) = std::io::pipe().context("making a pipe")?;
    let second = writer.try_clone().context("making a pipe")?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(writer)
        .stderr(second)
        .spawn()
        .with_context(|| format!("could not start `{shown}`"))?;
    // Our own ends close with the command, or the reader would wait for ever.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let (mut passed, mut failed) = (0, 0);
    for line in BufReader::new(reader).lines() {
        let line = line.context("reading the test runner")?;
        eprintln!("{line}");
        if let Some((more_passed, more_failed)) = count::closing_line(&line) {
            passed += more_passed;
            failed += more_failed;
        }
    }
    let status = child.wait().context("waiting for the test runner")?;
    if !status.success() && failed == 0 {
        bail!("`{shown}` ended with {status} before it ran its tests");
    }
    Ok((passed, failed))
}
