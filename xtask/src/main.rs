//! The project's own commands: `cargo xtask bundle | test | tidy | bench | simulate | laws | fuzz |
//! architectures | listen | jam`.
//!
//! Progress goes to standard error; standard output holds results alone.

mod architectures;
mod bench;
mod bundle;
mod fuzz;
// The hosts that the jam drives, and the clocks that it reads, are Linux's.
#[cfg(target_os = "linux")]
mod jam;
mod laws;
mod listen;
mod picture;
mod setup;
mod simulate;
mod steps;
mod test;
mod tidy;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Antiphon's own commands")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build the CLAP, the VST3 and the standalone into `target/bundled`.
    Bundle(bundle::Arguments),
    /// Set up, check and run every test.
    Test(test::Arguments),
    /// Floors, banned float functions, format, lints, documentation.
    Tidy(tidy::Arguments),
    /// Measure; `--json` prints one object.
    Bench(bench::Arguments),
    /// Thousands of seeded sessions under virtual time, with everything that can go wrong.
    Simulate(simulate::Arguments),
    /// The property tests from fresh seeds, round after round.
    Laws(laws::Arguments),
    /// The same songs on x86-64, aarch64 and WebAssembly, bit for bit.
    Architectures,
    /// Every voice and six songs as WAVs, pictures and figures.
    Listen(listen::Arguments),
    /// The readers of outside bytes under libFuzzer, guided by coverage.
    Fuzz(fuzz::Arguments),
    #[cfg(target_os = "linux")]
    /// Two studios, one groove: the main job on real parts.
    Jam(jam::Arguments),
    #[cfg(target_os = "linux")]
    /// One of the jam's hosts.
    #[command(hide = true)]
    ClapHost(jam::clap_host::Arguments),
}

fn main() -> ExitCode {
    let outcome = std::env::set_current_dir(steps::root()).map_err(anyhow::Error::from).and_then(|()| {
        match Arguments::parse().task {
            Task::Bundle(arguments) => bundle::run(&arguments),
            Task::Test(arguments) => test::run(&arguments),
            Task::Tidy(arguments) => tidy::run(&arguments),
            Task::Bench(arguments) => bench::run(&arguments),
            Task::Laws(arguments) => laws::run(&arguments),
            Task::Architectures => architectures::run(),
            Task::Listen(arguments) => listen::run(&arguments),
            Task::Fuzz(arguments) => fuzz::run(&arguments),
            Task::Simulate(arguments) => simulate::run(&arguments),
            #[cfg(target_os = "linux")]
            Task::Jam(arguments) => jam::run(&arguments),
            #[cfg(target_os = "linux")]
            Task::ClapHost(arguments) => jam::clap_host::run(&arguments),
        }
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
