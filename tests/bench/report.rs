//! Rows, their two printed forms, and the one way of timing.

use std::fmt::Write;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// One measured figure.
pub struct Row {
    /// What was measured.
    pub case: String,
    /// The figure.
    pub value: f64,
    /// Its unit.
    pub unit: &'static str,
    /// What was measured beside it in the same run, and its figure in the same unit.
    pub beside: Option<(&'static str, f64)>,
    /// What the figure must stay under.
    pub bar: Option<f64>,
}

impl Row {
    fn holds(&self) -> Option<bool> {
        self.bar.map(|bar| self.value < bar)
    }

    fn ratio(&self) -> Option<f64> {
        self.beside.filter(|(_, value)| *value > 0.0).map(|(_, value)| self.value / value)
    }
}

/// The rows of one run.
pub struct Report {
    name: String,
    rows: Vec<Row>,
}

impl Report {
    pub fn new(name: &str) -> Report {
        Report { name: name.to_owned(), rows: Vec::new() }
    }

    pub fn add(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// Whether every row that has a bar keeps it.
    pub fn holds(&self) -> bool {
        self.rows.iter().all(|row| row.holds() != Some(false))
    }

    /// `{"name", "rows": [{"case", "value", "unit", "beside"?, "ratio"?, "bar"?, "holds"?}]}`.
    pub fn json(&self) -> serde_json::Value {
        let row = |row: &Row| {
            let mut object = serde_json::json!({ "case": row.case, "value": row.value, "unit": row.unit });
            if let Some((what, value)) = row.beside {
                object["beside"] = serde_json::json!({ "what": what, "value": value });
            }
            if let Some(ratio) = row.ratio() {
                object["ratio"] = ratio.into();
            }
            if let (Some(bar), Some(holds)) = (row.bar, row.holds()) {
                object["bar"] = bar.into();
                object["holds"] = holds.into();
            }
            object
        };
        serde_json::json!({ "name": self.name, "rows": self.rows.iter().map(row).collect::<Vec<_>>() })
    }

    /// For a person.
    pub fn table(&self) -> String {
        let mut table = String::new();
        for row in &self.rows {
            let _ = write!(table, "{:<44} {:>11.3} {:<15}", row.case, row.value, row.unit);
            if let (Some((what, value)), Some(ratio)) = (row.beside, row.ratio()) {
                let _ = write!(table, " {ratio:>7.2} x {what} ({value:.3})");
            }
            if let (Some(bar), Some(holds)) = (row.bar, row.holds()) {
                let _ = write!(table, "  under {bar}: {}", if holds { "holds" } else { "MISSED" });
            }
            table.push('\n');
        }
        table
    }
}

/// Nanoseconds a call: the median of seven rounds of at least 20 ms each.
pub fn nanos_a_call<T>(mut call: impl FnMut() -> T) -> f64 {
    const ROUND: Duration = Duration::from_millis(20);
    let mut time = |count: u32| {
        let begun = Instant::now();
        (0..count).for_each(|_| drop(black_box(call())));
        begun.elapsed()
    };
    let mut count = 1u32;
    while time(count) < ROUND && count < 1 << 28 {
        count *= 2;
    }
    median((0..7).map(|_| time(count).as_nanos() as f64 / f64::from(count)).collect())
}

/// The middle of some figures.
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
