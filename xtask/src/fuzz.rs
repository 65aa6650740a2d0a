//! `cargo xtask fuzz`: the readers of outside bytes under libFuzzer, guided by coverage.
//!
//! It works on stable: the coverage comes from the compiler's own pass, and memory is bounded by a
//! counting allocator in the driver. What it finds goes into the corpus that every test run reads.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::setup::{self, Need};
use crate::steps;

/// The options of `cargo xtask fuzz`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Which reader; all of them without a name, one after another.
    target: Option<String>,
    /// Seconds for each.
    #[arg(long, default_value_t = 60)]
    seconds: u32,
}

const TARGETS: [&str; 9] =
    ["up", "down", "ops", "snapshot", "session-file", "journal", "notation", "midi-file", "link"];

/// What makes the compiler count edges and comparisons for libFuzzer.
const COVERAGE: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 -Cdebug-assertions";

/// `cargo xtask fuzz`.
pub fn run(arguments: &Arguments) -> Result<()> {
    setup::ensure(&[Need::Build])?;
    let chosen: Vec<&str> = match &arguments.target {
        None => TARGETS.to_vec(),
        Some(name) => match TARGETS.iter().find(|target| *target == name) {
            Some(target) => vec![target],
            None => bail!("there is no reader {name}: {}", TARGETS.join(", ")),
        },
    };
    let driver = steps::step("build the driver", build)?;
    for target in chosen {
        steps::step(&format!("fuzz {target}"), || fuzz(&driver, target, arguments.seconds))?;
    }
    Ok(())
}

fn host() -> Result<String> {
    let version = steps::output(Command::new("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc names no host")?.to_owned())
}

/// With a target named, build scripts and macros stay without the coverage that they could not link.
fn build() -> Result<PathBuf> {
    let (host, folder) = (host()?, steps::target().join("fuzz"));
    let mut cargo = steps::cargo("build --package antiphon --release --example fuzz --features fuzz");
    cargo.args(["--target", &host, "--target-dir"]).arg(&folder).env("RUSTFLAGS", COVERAGE);
    steps::run(&mut cargo)?;
    Ok(folder.join(host).join("release/examples/fuzz"))
}

fn fuzz(driver: &Path, target: &str, seconds: u32) -> Result<()> {
    let file = steps::root().join(format!("tests/golden/corpus/{target}.hex"));
    let scratch = tempfile::tempdir().context("a folder for the corpus")?;
    let [known, found, small] = ["known", "found", "small"].map(|name| scratch.path().join(name));
    for folder in [&known, &found, &small] {
        fs::create_dir(folder).with_context(|| folder.display().to_string())?;
    }
    for (n, bytes) in read(&file)?.iter().enumerate() {
        fs::write(known.join(n.to_string()), bytes)?;
    }
    let mut command = Command::new(driver);
    command.args([&found, &known]).arg(format!("-max_total_time={seconds}"));
    command.args(["-max_len=4096", "-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1"]);
    command.arg(format!("-artifact_prefix={}/", scratch.path().display()));
    let fuzzed = steps::run(command.env("ANTIPHON_FUZZ", target));
    if fuzzed.is_err() {
        return Err(keep_what_broke(scratch.path(), target)?);
    }
    let mut merge = Command::new(driver);
    // Edges alone, not how often each is taken: a corpus that a person can still look at.
    merge.args(["-merge=1", "-use_counters=0"]).args([&small, &known, &found]).env("ANTIPHON_FUZZ", target);
    steps::run(&mut merge)?;
    let mut lines = BTreeSet::new();
    for entry in fs::read_dir(&small)? {
        let bytes = fs::read(entry?.path())?;
        lines.insert((bytes.len(), hex(&bytes)));
    }
    let text: String = lines.iter().fold(String::new(), |mut text, (_, line)| {
        let _ = writeln!(text, "{line}");
        text
    });
    eprintln!("    {} inputs cover what {target} can do", lines.len());
    fs::write(&file, text).with_context(|| file.display().to_string())
}

/// The input that broke the reader goes into the corpus, so that it is never forgotten.
fn keep_what_broke(scratch: &Path, target: &str) -> Result<anyhow::Error> {
    let file = steps::root().join(format!("tests/golden/corpus/{target}.hex"));
    for entry in fs::read_dir(scratch)? {
        let path = entry?.path();
        if path.is_file() {
            let line = hex(&fs::read(&path)?);
            let mut text = fs::read_to_string(&file).unwrap_or_default();
            let _ = writeln!(text, "{line}");
            fs::write(&file, text)?;
            return Ok(anyhow::anyhow!("{target} broke on {line}; the corpus keeps it"));
        }
    }
    Ok(anyhow::anyhow!("{target} broke, and left no input behind"))
}

fn read(file: &Path) -> Result<Vec<Vec<u8>>> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let bytes = |line: &str| -> Result<Vec<u8>> {
        let pairs = (0..line.len()).step_by(2).map(|at| line.get(at..at + 2));
        let byte = |pair: Option<&str>| {
            u8::from_str_radix(pair.unwrap_or("?"), 16)
                .with_context(|| format!("{}: {line:?} is not hexadecimal", file.display()))
        };
        pairs.map(byte).collect()
    };
    text.lines().map(bytes).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
