//! `cargo xtask test`: everything that must hold, on a machine that has only Rust.

mod count;
mod window;

use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};

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
const FEATURES: &str = "standalone,server";

/// Test programs that run in release as well: the same song must give the same fingerprints there.
const IN_RELEASE: [&str; 2] = ["engine", "realtime"];

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
        count.suite("tests", || suite(nextest, "", &[], Some(bundle), filter));
        let programs = test_programs(&IN_RELEASE);
        if !programs.is_empty() {
            count.suite("tests in release", || suite(nextest, "release", &programs, None, filter));
        }
        if filter.is_none() {
            count.check("the standalone opens its window", window::opens(bundle));
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

/// Those of the named test programs that exist.
fn test_programs(names: &[&'static str]) -> Vec<&'static str> {
    let tests = steps::root().join("tests");
    let exists =
        |name: &&&str| tests.join(format!("{name}.rs")).exists() || tests.join(name).join("main.rs").exists();
    names.iter().filter(exists).copied().collect()
}

/// Runs a suite of Rust tests and gives passed and failed. An empty list of programs is the whole
/// workspace.
fn suite(
    nextest: bool,
    profile: &str,
    programs: &[&str],
    bundle: Option<&Bundle>,
    filter: Option<&str>,
) -> Result<(usize, usize)> {
    let mut command = steps::cargo(if nextest { "nextest run --profile ci --no-tests pass" } else { "test" });
    if programs.is_empty() {
        command.args(["--workspace", "--lib", "--bins", "--tests"]);
    } else {
        command.args(["--package", "antiphon"]);
        programs.iter().for_each(|name| {
            command.args(["--test", name]);
        });
    }
    command.args(["--features", &feature_list(programs.is_empty())]);
    match (profile, nextest) {
        ("", _) => {}
        (name, true) => drop(command.args(["--cargo-profile", name])),
        (name, false) => drop(command.args(["--profile", name])),
    }
    if !nextest {
        command.arg("--no-fail-fast");
    }
    command.args(filter);
    if let Some(bundle) = bundle {
        command.env("ANTIPHON_CLAP", &bundle.clap);
        command.env("ANTIPHON_VST3", &bundle.vst3);
        command.env("ANTIPHON_PYTHON", setup::python());
    }
    tee(&mut command)
}

/// Features as `cargo` wants them: qualified by package where the whole workspace is meant.
fn feature_list(workspace: bool) -> String {
    match workspace {
        true => FEATURES.split(',').map(|name| format!("antiphon/{name}")).collect::<Vec<_>>().join(","),
        false => FEATURES.to_owned(),
    }
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
