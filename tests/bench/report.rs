//! Rows, their two printed forms, and the one way of timing.

use std::fmt::Write;
use std::hint::black_box;
use std::time::Duration;

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

/// A line of a picture.
pub struct Curve {
    /// The panel it stands in.
    pub panel: String,
    /// Its name.
    pub name: String,
    /// Figure and percent of figures that do not exceed it.
    pub points: Vec<(f64, f64)>,
}

/// The rows of one run.
pub struct Report {
    name: String,
    rows: Vec<Row>,
    curves: Vec<Curve>,
}

impl Report {
    pub fn new(name: &str) -> Report {
        Report { name: name.to_owned(), rows: Vec::new(), curves: Vec::new() }
    }

    pub fn add(&mut self, row: Row) {
        self.rows.push(row);
    }

    pub fn draw(&mut self, curve: Curve) {
        self.curves.push(curve);
    }

    /// `[{"panel", "name", "points": [[figure, percent]]}]`.
    pub fn curves(&self) -> serde_json::Value {
        let curve = |curve: &Curve| serde_json::json!({ "panel": curve.panel, "name": curve.name, "points": curve.points });
        self.curves.iter().map(curve).collect()
    }

    /// `{"name", "rows": [{"case", "value", "unit", "beside"?, "ratio"?, "bar"?, "holds"?}]}`.
    pub fn json(&self) -> serde_json::Value {
        let row = |row: &Row| {
            let mut object = serde_json::json!({ "case": row.case, "value": row.value, "unit": row.unit });
            if let Some((what, value)) = row.beside {
                object["beside"] = format!("{what}: {value:.3} {}", row.unit).into();
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
        let begun = thread_time();
        (0..count).for_each(|_| drop(black_box(call())));
        thread_time() - begun
    };
    let mut count = 1u32;
    while time(count) < ROUND && count < 1 << 28 {
        count *= 2;
    }
    median((0..7).map(|_| time(count).as_nanos() as f64 / f64::from(count)).collect())
}

/// The processor time this thread has used: neighbours on a busy machine do not count.
#[cfg(unix)]
pub fn thread_time() -> Duration {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is a valid timespec that outlives the call, and nothing else refers to it.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut now) };
    assert_eq!(failed, 0, "this system counts no processor time for threads");
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// Where threads' processor time cannot be read: time since the first call.
#[cfg(not(unix))]
pub fn thread_time() -> Duration {
    static FIRST: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    FIRST.get_or_init(std::time::Instant::now).elapsed()
}

/// The middle of some figures.
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// The figure below which `part` (0 to 1) of the figures lie; 0 without any.
pub fn percentile(figures: &[f64], part: f64) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    sorted.get((part * last as f64).ceil() as usize).copied().unwrap_or(0.0)
}
