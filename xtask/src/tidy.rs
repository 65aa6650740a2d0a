//! `cargo xtask tidy`: the laws of the source that the compiler does not know.

mod floats;
mod floors;
mod licence;
mod source;

use anyhow::{Result, bail};

use crate::setup::{self, Need};
use crate::steps;
use source::{Finding, Source};

/// The options of `cargo xtask tidy`.
#[derive(clap::Args, Default)]
pub struct Arguments {
    /// Only what reads the source itself: no clippy, no rustdoc.
    #[arg(long)]
    quick: bool,
}

/// The feature sets that must stand alone. With no features the tree holds no async runtime, no
/// plugin framework and no database.
pub const FEATURE_SETS: [&str; 7] =
    ["", "client", "server", "plugin", "picture", "standalone,server", "link,server"];

/// Lines past which a file is worth a second look; told, not enforced.
const LONG_FILE: usize = 900;

/// `cargo xtask tidy`.
pub fn run(arguments: &Arguments) -> Result<()> {
    steps::step("floors and float functions", laws)?;
    steps::step("format", || steps::run(&mut steps::cargo("fmt --all -- --check")))?;
    if arguments.quick {
        return Ok(());
    }
    setup::ensure(&[Need::Build, Need::Link])?;
    for set in FEATURE_SETS {
        let shown = if set.is_empty() { "no features" } else { set };
        steps::step(&format!("clippy, {shown}"), || clippy(set))?;
    }
    steps::step("clippy, xtask", || {
        steps::run(&mut steps::cargo("clippy --quiet --package xtask --all-targets -- -D warnings"))
    })?;
    steps::step("documentation of public items", documentation)
}

/// Every target with everything on; single feature sets without their tests, which the full set
/// covers.
fn clippy(features: &str) -> Result<()> {
    let targets = match features {
        "standalone,server" => "--all-targets",
        "link,server" => "--bin antiphon-link --test link",
        _ => "--lib --bins",
    };
    let lints = "-D warnings -D missing_docs";
    let mut command = steps::cargo(&format!("clippy --quiet --package antiphon {targets}"));
    if !features.is_empty() {
        command.args(["--features", features]);
    }
    command.arg("--").args(lints.split(' '));
    steps::run(&mut command)
}

fn documentation() -> Result<()> {
    let mut command =
        steps::cargo("doc --quiet --package antiphon --lib --no-deps --features standalone,server");
    command.env("RUSTDOCFLAGS", "-D warnings -D missing_docs");
    steps::run(&mut command)
}

/// The laws that are read off the syntax.
fn laws() -> Result<()> {
    let sources = source::read(&steps::root().join("src"))?;
    let mut findings: Vec<Finding> = Vec::new();
    for source in &sources {
        findings.extend(floors::check(source));
        findings.extend(floats::check(source));
        findings.extend(licence::check(source));
        note_length(source);
    }
    licence::check_trees()?;
    for finding in &findings {
        eprintln!("{finding}");
    }
    match findings.len() {
        0 => Ok(()),
        n => bail!("{n} breaches of the source's laws"),
    }
}

fn note_length(source: &Source) {
    if source.lines > LONG_FILE {
        eprintln!("note: {} has {} lines: more than one idea?", source.path, source.lines);
    }
}
