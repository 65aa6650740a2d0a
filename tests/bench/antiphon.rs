//! The project's own measurements: `cargo bench --features client,server --bench antiphon -- [NAME] [--json]`.
//!
//! Every comparison is a ratio within one run. Each measurement ends within ten seconds, but the
//! engine's, a minute, the session's, three jams of half a minute, and the clock's: four hundred simulated
//! half hours (`clock-models`), as many lives with clocks that step (`clock-steps`), and seven minutes of
//! real sockets and sound (`clock-through`).

mod clock;
#[path = "../support/clock_trial.rs"]
mod clock_trial;
#[path = "../support/delaying_proxy.rs"]
mod delaying_proxy;
#[path = "../support/duo.rs"]
mod duo;
mod engine;
#[path = "../support/far.rs"]
mod far;
mod heap;
#[path = "../support/network_model.rs"]
mod network_model;
mod ops;
#[allow(dead_code, reason = "each program uses its part")]
#[path = "../support/peer.rs"]
mod peer;
#[path = "../support/recording.rs"]
mod recording;
mod report;
#[path = "../support/server.rs"]
mod server_process;
mod session;
#[path = "../support/stepping_trial.rs"]
mod stepping_trial;
mod through;
#[path = "../support/virtual_peer.rs"]
mod virtual_peer;

use std::process::ExitCode;

use report::Report;

#[global_allocator]
static HEAP: heap::Counted = heap::Counted;

type Measure = fn(&mut Report);

/// Every measurement by its name.
const ALL: [(&str, Measure); 6] = [
    ("engine", engine::measure),
    ("ops", ops::measure),
    ("session", session::measure),
    ("clock-models", clock::measure),
    ("clock-steps", clock::step),
    ("clock-through", through::measure),
];

/// Where curves for a picture are written, if anybody asks.
const CURVES: &str = "ANTIPHON_BENCH_CURVES";

/// Whether a measurement is the one named, or a part of it.
fn is_part(name: &str, known: &str) -> bool {
    known == name || known.split_once('-').is_some_and(|(whole, _)| whole == name)
}

fn main() -> ExitCode {
    // `cargo bench` itself adds `--bench`.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    if arguments.iter().any(|word| word == engine::instructions::COUNTED) {
        engine::instructions::render();
        return ExitCode::SUCCESS;
    }
    let json = arguments.iter().any(|word| word == "--json");
    let names: Vec<&str> = arguments.iter().map(String::as_str).filter(|word| *word != "--json").collect();
    let name = match names[..] {
        [] => "all",
        [name] if ALL.iter().any(|(known, _)| is_part(name, known)) => name,
        _ => {
            let known = ALL.map(|(known, _)| known).join(", ");
            eprintln!("usage: [NAME] [--json], where NAME is clock for all of its parts, or one of {known}");
            return ExitCode::from(2);
        }
    };
    let mut report = Report::new(name);
    for (_, measure) in ALL.iter().filter(|(known, _)| name == "all" || is_part(name, known)) {
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
