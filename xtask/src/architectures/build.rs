//! Builds the renderer for a processor, with the toolchain that can.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::setup::{self, Need};
use crate::steps;

/// A processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Machine {
    /// This one.
    Native,
    Aarch64,
    Wasm,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Optimiser {
    /// `opt-level = 0`.
    None,
    /// `opt-level = 3`.
    Full,
}

/// A build of `tests/architectures`.
pub struct Program {
    machine: Machine,
    optimiser: Optimiser,
    path: PathBuf,
}

impl Program {
    /// # Errors
    /// It does not build, or no toolchain for the machine can be had.
    pub fn build(machine: Machine, optimiser: Optimiser) -> Result<Program> {
        let name = format!("build the renderer for {}, {}", machine.name(), optimiser.name());
        let path = steps::step(&name, || build(machine, optimiser, &steps::root()))?;
        Ok(Program { machine, optimiser, path })
    }

    /// This machine's, of a copy of the sources whose sine is the system's.
    ///
    /// # Errors
    /// As [`Program::build`], or the place of the sine is no longer found.
    pub fn build_mutant() -> Result<Program> {
        let copy = folder().join("mutant");
        let (machine, optimiser) = (Machine::Native, Optimiser::Full);
        mutate(&copy)?;
        let path = build(machine, optimiser, &copy)?;
        Ok(Program { machine, optimiser, path })
    }

    /// Machine and optimiser.
    pub fn name(&self) -> String {
        format!("{}, {}", self.machine.name(), self.optimiser.name())
    }

    /// What runs it here; cases follow as arguments.
    pub fn command(&self) -> Command {
        match self.machine {
            Machine::Native => Command::new(&self.path),
            Machine::Aarch64 => {
                let mut command = Command::new("qemu-aarch64");
                command.args(["-L", "/usr/aarch64-linux-gnu"]).arg(&self.path);
                command
            }
            Machine::Wasm => {
                let mut command = Command::new("node");
                command.arg(steps::root().join("tests/architectures/run.mjs")).arg(&self.path);
                command
            }
        }
    }
}

impl Machine {
    fn name(self) -> &'static str {
        match self {
            Machine::Native => std::env::consts::ARCH,
            Machine::Aarch64 => "aarch64",
            Machine::Wasm => "wasm32",
        }
    }

    fn target(self) -> Option<&'static str> {
        match self {
            Machine::Native => None,
            Machine::Aarch64 => Some("aarch64-unknown-linux-gnu"),
            Machine::Wasm => Some("wasm32-unknown-unknown"),
        }
    }

    fn file(self) -> &'static str {
        if self == Machine::Wasm { "architectures.wasm" } else { "architectures" }
    }
}

impl Optimiser {
    fn name(self) -> &'static str {
        match self {
            Optimiser::None => "not optimised",
            Optimiser::Full => "optimised",
        }
    }

    fn folder(self) -> &'static str {
        match self {
            Optimiser::None => "debug",
            Optimiser::Full => "release",
        }
    }
}

fn folder() -> PathBuf {
    steps::target().join("architectures")
}

/// Builds a workspace's renderer, and gives its file.
fn build(machine: Machine, optimiser: Optimiser, workspace: &Path) -> Result<PathBuf> {
    let arguments = "build --quiet --package architectures";
    let native_here = machine == Machine::Native && workspace == steps::root();
    // The release tests share the native library.
    let folder = if native_here { steps::target() } else { folder() };
    let mut cargo = match machine.target() {
        Some(target) if !ours_can(target) => {
            setup::ensure(&[Need::DebianRust])?;
            debian_cargo(&format!("{arguments} -Z build-std=std,panic_abort"))
        }
        _ => steps::cargo(arguments),
    };
    cargo.arg("--target-dir").arg(&folder).current_dir(workspace);
    cargo.args(machine.target().iter().flat_map(|target| ["--target", target]));
    cargo.args((optimiser == Optimiser::Full).then_some("--release"));
    cargo.args(if machine == Machine::Wasm { ["--lib"].iter() } else { ["--bins"].iter() });
    cargo.env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", "aarch64-linux-gnu-gcc");
    steps::run(&mut cargo)?;
    let built = folder.join(machine.target().unwrap_or("")).join(optimiser.folder());
    Ok(built.join(machine.file()))
}

/// Whether our own toolchain builds for a target, for which it may fetch the standard library.
fn ours_can(target: &str) -> bool {
    steps::succeeds("rustup", &["target", "add", target])
}

/// Debian's toolchain, which builds the standard library from source.
fn debian_cargo(arguments: &str) -> Command {
    let mut cargo = Command::new("/usr/bin/cargo");
    cargo.args(arguments.split(' ')).env("RUSTC", "/usr/bin/rustc").env("RUSTC_BOOTSTRAP", "1");
    cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", "wasm-ld-19");
    cargo
}

/// Copies the workspace's sources and puts `f32::sin` where the polynomial was.
fn mutate(copy: &Path) -> Result<()> {
    for name in ["src", "tests", "xtask"] {
        copy_folder(&steps::root().join(name), &copy.join(name))?;
    }
    for name in ["Cargo.toml", "Cargo.lock"] {
        copy_file(&steps::root().join(name), &copy.join(name))?;
    }
    let file = copy.join("src/dsp/math.rs");
    let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    let head = "pub fn sin_half_turns(x: f32) -> f32 {\n";
    ensure!(text.contains(head), "{}: the sine to replace is not there", file.display());
    let system = "    return (std::f32::consts::PI * x).sin();\n";
    let mutated = text.replace(head, &format!("#[allow(unreachable_code)]\n{head}{system}"));
    fs::write(&file, mutated).with_context(|| file.display().to_string())
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| to.display().to_string())?;
    for entry in fs::read_dir(from).with_context(|| from.display().to_string())? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &to)?;
        } else {
            copy_file(&entry.path(), &to)?;
        }
    }
    Ok(())
}

fn copy_file(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).map(drop).with_context(|| format!("copying {}", from.display()))
}
