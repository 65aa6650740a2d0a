//! The project's own measurements: `cargo bench --features client,server --bench antiphon -- [NAME] [--json]`.
//!
//! Every comparison is a ratio within one run. Each measurement ends within ten seconds, but the
//! session's, three jams of half a minute, and the clock's, four hundred simulated half hours.

mod clock;
#[path = "../support/clock_trial.rs"]
mod clock_trial;
mod engine;
#[path = "../support/network_model.rs"]
mod network_model;
mod ops;
mod report;
mod session;
#[path = "../support/virtual_peer.rs"]
mod virtual_peer;

use std::process::ExitCode;

use report::Report;

type Measure = fn(&mut Report);

/// Every measurement by its name.
const ALL: [(&str, Measure); 4] = [
    ("engine", engine::measure),
    ("ops", ops::measure),
    ("session", session::measure),
    ("clock", clock::measure),
];

/// Where curves for a picture are written, if anybody asks.
const CURVES: &str = "ANTIPHON_BENCH_CURVES";

fn main() -> ExitCode {
    // `cargo bench` itself adds `--bench`.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let json = arguments.iter().any(|word| word == "--json");
    let names: Vec<&str> = arguments.iter().map(String::as_str).filter(|word| *word != "--json").collect();
    let name = match names[..] {
        [] => "all",
        [name] if ALL.iter().any(|(known, _)| *known == name) => name,
        _ => {
            let known = ALL.map(|(known, _)| known).join(", ");
            eprintln!("usage: [NAME] [--json], where NAME is one of {known}");
            return ExitCode::from(2);
        }
    };
    let mut report = Report::new(name);
    for (_, measure) in ALL.iter().filter(|(known, _)| name == "all" || *known == name) {
        measure(&mut report);
    }
    if let Some(file) = std::env::var_os(CURVES)
        && let Err(error) = std::fs::write(&file, report.curves().to_string())
    {
        eprintln!("{} cannot be written: {error}", file.display());
    }
    if json {
        println!("{}", report.json());
    } else {
        print!("{}", report.table());
    }
    // A bar that was missed is a result, and says so; it is no failure to measure.
    ExitCode::SUCCESS
}
