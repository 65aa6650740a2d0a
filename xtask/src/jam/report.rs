//! The jam's figures, against the targets, as a table and as one object.

use std::path::PathBuf;

use serde::Serialize;

use super::measure::Spread;

/// Everything the jam has measured.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// Whether every pair of bars with equal input had equal samples.
    pub fingerprints_equal: bool,
    /// Bars with equal input on both hosts.
    pub bars_compared: usize,
    /// Those of them after the last edit.
    pub bars_after_last_edit: usize,
    /// From a host's event to the first changed sample in the other's output, less one block each
    /// side, in ms.
    pub knob_to_sound_ms: Spread,
    /// The same with both blocks.
    pub knob_to_sound_with_blocks_ms: Spread,
    /// What the two ends were.
    pub knob_ends: &'static str,
    /// Between two peers' onsets, in µs of session time.
    pub onset_difference_us: Spread,
    /// Of the busiest participant, with framing.
    pub bytes_per_second: Traffic,
    /// The widest certified bound of a participant's clock, in µs.
    pub clock_bound_us: f64,
    /// Ops whose commit their author was told of.
    pub ops_acknowledged: usize,
    /// Those of them that the reopened store or a replica lacks.
    pub ops_lost: usize,
    /// Blocks of our CLAP hosts that began more than 1 ms after their time.
    pub late_blocks: u64,
    /// What was written.
    pub files: Vec<PathBuf>,
    /// Targets that were missed, in words.
    pub missed: Vec<String>,
}

/// Bytes a second.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Traffic {
    /// From the participant to the server.
    pub up: f64,
    /// From the server to the participant.
    pub down: f64,
}

/// One figure and its target.
struct Row {
    name: &'static str,
    value: String,
    target: String,
    holds: bool,
}

impl Report {
    /// Compares every figure with its target and notes what was missed. `moves` is how many moves
    /// of the knob there should be.
    pub fn judge(&mut self, moves: usize) {
        let missed = self.rows(moves).into_iter().filter(|row| !row.holds);
        self.missed =
            missed.map(|row| format!("{}: {}, wanted {}", row.name, row.value, row.target)).collect();
    }

    /// The table a person reads.
    pub fn table(&self, moves: usize) -> String {
        let mut table = String::new();
        let mut line = |name: &str, value: &str, target: &str, verdict: &str| {
            table.push_str(&format!("{name:<34} {value:<36} {target:<24} {verdict}\n"));
        };
        line("figure", "measured", "target", "");
        for row in self.rows(moves) {
            line(row.name, &row.value, &row.target, if row.holds { "ok" } else { "MISSED" });
        }
        let knob = &self.knob_to_sound_with_blocks_ms;
        line("  with both blocks", &format!("p50 {:.2} ms, p99 {:.2} ms", knob.p50, knob.p99), "", "");
        line("  between", self.knob_ends, "", "");
        line("clock bound, certified", &format!("{:.0} us", self.clock_bound_us), "", "");
        line("late blocks of the CLAP hosts", &self.late_blocks.to_string(), "", "");
        for file in &self.files {
            line("file", &file.display().to_string(), "", "");
        }
        table
    }

    fn rows(&self, moves: usize) -> Vec<Row> {
        let row = |name, value, target: &str, holds| Row { name, value, target: target.to_owned(), holds };
        let (knob, onsets) = (&self.knob_to_sound_ms, &self.onset_difference_us);
        let traffic = &self.bytes_per_second;
        // The p99 of few moves is their worst, and that is the machine's.
        let (percentile, added) = if moves < 100 { ("p50", knob.p50) } else { ("p99", knob.p99) };
        vec![
            row("fingerprints equal", self.fingerprints_equal.to_string(), "true", self.fingerprints_equal),
            row("bars compared", self.bars_compared.to_string(), "at least 16", self.bars_compared >= 16),
            row(
                "  after the last edit",
                self.bars_after_last_edit.to_string(),
                "at least 8",
                self.bars_after_last_edit >= 8,
            ),
            row(
                "knob to sound, less two blocks",
                format!("p50 {:.2} ms, p99 {:.2} ms, {} moves", knob.p50, knob.p99, knob.n),
                &format!("{percentile} < 10 ms, {moves} moves"),
                added < 10.0 && knob.n >= moves,
            ),
            row(
                "onset difference of two peers",
                format!("p50 {:.0} us, p99 {:.0} us, max {:.0} us", onsets.p50, onsets.p99, onsets.max),
                "p99 < 5000 us, goal 500",
                onsets.n > 0 && onsets.p99 < 5_000.0,
            ),
            row(
                "bytes a second a participant",
                format!("up {:.0}, down {:.0}", traffic.up, traffic.down),
                "both < 1000",
                traffic.up > 0.0 && traffic.up < 1_000.0 && traffic.down < 1_000.0,
            ),
            row(
                "ops acknowledged",
                self.ops_acknowledged.to_string(),
                "at least 1",
                self.ops_acknowledged > 0,
            ),
            row("ops lost", self.ops_lost.to_string(), "0", self.ops_lost == 0),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Report {
        let spread = Spread { p50: 3.0, p99: 6.0, max: 7.0, n: 200 };
        Report {
            fingerprints_equal: true,
            bars_compared: 18,
            bars_after_last_edit: 9,
            knob_to_sound_ms: spread,
            onset_difference_us: spread,
            bytes_per_second: Traffic { up: 200.0, down: 400.0 },
            ops_acknowledged: 20,
            ..Report::default()
        }
    }

    #[test]
    fn a_missed_target_is_named() {
        let mut report = good();
        report.judge(200);
        assert!(report.missed.is_empty(), "{:?}", report.missed);
        report.bytes_per_second.down = 1_200.0;
        report.knob_to_sound_ms.n = 150;
        report.ops_lost = 1;
        report.judge(200);
        assert_eq!(report.missed.len(), 3, "{:?}", report.missed);
        assert!(report.table(200).contains("MISSED"));
    }

    #[test]
    fn one_late_move_of_few_is_the_machines() {
        let mut report = good();
        report.knob_to_sound_ms.p99 = 500.0;
        report.judge(20);
        assert!(report.missed.is_empty(), "{:?}", report.missed);
        report.judge(200);
        assert_eq!(report.missed.len(), 1, "{:?}", report.missed);
    }

    #[test]
    fn nothing_measured_is_no_success() {
        let mut report = Report::default();
        report.judge(20);
        assert!(report.missed.len() >= 5, "{:?}", report.missed);
    }
}
