//! Instructions a quantum, counted by callgrind: the figure that neither neighbours nor clocks change.

use std::process::Command;

use antiphon::dsp::QUANTUM;

use super::rig::Rig;
use super::songs;
use crate::report::{Report, Row};

/// Renders the dense song under callgrind, when the program is called so.
pub const COUNTED: &str = "engine-counted";
/// Blocks that are counted, and before them rendered without.
const BLOCKS: usize = 1_500;
/// Where collecting begins and ends: the one function of the program that callgrind watches.
const WATCHED: &str = "*counted_blocks*";
/// Thousands of instructions that a quantum of the dense song may take. A change that needs more says
/// why, here: 210 before most voices had two sides, 223 since.
const BUDGET: f64 = 230.0;

/// What callgrind watches.
#[inline(never)]
fn counted_blocks(rig: &mut Rig) {
    (0..BLOCKS).for_each(|_| rig.block());
}

/// The program under callgrind: two seconds of the dense song, from its second bar on.
pub fn render() {
    let mut rig = Rig::new(&songs::busy(16, true), 2 * QUANTUM);
    rig.percent(2.0);
    counted_blocks(&mut rig);
    assert!(rig.peak > 0.01, "the engine is silent: there is nothing to count");
}

/// Adds the count; without valgrind it is left out, and said.
pub fn measure(report: &mut Report) {
    match count() {
        Ok(instructions) => report.add(Row {
            case: "16 busy tracks, a quantum of 32".to_owned(),
            value: instructions as f64 / (2 * BLOCKS) as f64 / 1e3,
            unit: "k instructions",
            beside: None,
            bar: Some(BUDGET),
        }),
        Err(error) => eprintln!("instructions were not counted: {error}"),
    }
}

fn count() -> Result<u64, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let out = folder.path().join("counts");
    let run = Command::new("valgrind")
        .args(["--tool=callgrind", "--collect-atstart=no"])
        .arg(format!("--toggle-collect={WATCHED}"))
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(program)
        .arg(COUNTED)
        .output()
        .map_err(|error| format!("valgrind could not be started: {error}"))?;
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    if !run.status.success() {
        return Err(format!("valgrind ended with {}: {said}", run.status));
    }
    let counts = std::fs::read_to_string(&out).map_err(|error| error.to_string())?;
    let totals = counts.lines().find_map(|line| line.strip_prefix("totals: "));
    totals.and_then(|total| total.trim().parse().ok()).ok_or(format!("no total in callgrind's file: {said}"))
}
