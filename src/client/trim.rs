//! What no stamp shows, kept in the profile folder as `clock.json`: the musician's trim, by how much
//! this machine sounds later than the session's clock has it, and the device's latency, how long a
//! frame takes from its turn to its sound.
//!
//! A path longer one way than the other the ear finds; what lies behind the host's callback its
//! settings show. Every client of the profile starts from both.

use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::{Value, json};

const MS: f64 = 1e6;
/// The most that a trim may be, either way, in ms.
pub const MAX_TRIM_MS: f64 = 500.0;
/// The most that a device's latency may be, in ms.
pub const MAX_LATENCY_MS: f64 = 500.0;

/// A profile's trim and its device's latency.
#[derive(Clone, Debug)]
pub struct Trim {
    path: PathBuf,
    trim: Setting,
    latency: Setting,
}

/// One of the two, in ns.
#[derive(Clone, Debug)]
struct Setting {
    key: &'static str,
    name: &'static str,
    /// In ms.
    range: RangeInclusive<f64>,
    ns: i64,
}

impl Setting {
    fn read(mut self, kept: &Value) -> Setting {
        let ns = kept[self.key].as_f64().and_then(|ms| self.checked(ms).ok());
        self.ns = ns.unwrap_or(0);
        self
    }

    fn checked(&self, ms: f64) -> anyhow::Result<i64> {
        let (least, most) = (self.range.start(), self.range.end());
        anyhow::ensure!(
            self.range.contains(&ms),
            "{} of {ms} ms lies outside {least} to {most} ms",
            self.name
        );
        Ok((ms * MS).round() as i64)
    }
}

impl Trim {
    /// What a profile folder keeps; 0 where it keeps nothing that can be read.
    pub fn of(folder: &Path) -> Trim {
        let path = folder.join("clock.json");
        let kept = kept(&path);
        let (trim, latency) = (-MAX_TRIM_MS..=MAX_TRIM_MS, 0.0..=MAX_LATENCY_MS);
        let trim = Setting { key: "trim_ms", name: "a trim", range: trim, ns: 0 };
        let latency = Setting { key: "latency_ms", name: "a device latency", range: latency, ns: 0 };
        Trim { path, trim: trim.read(&kept), latency: latency.read(&kept) }
    }

    /// The trim in ns; later is positive.
    pub fn ns(&self) -> i64 {
        self.trim.ns
    }

    /// The device's latency in ns.
    pub fn latency_ns(&self) -> i64 {
        self.latency.ns
    }

    /// Sets the trim, in ms, and keeps it.
    ///
    /// # Errors
    /// It is no number or beyond [`MAX_TRIM_MS`], and nothing has changed; or it holds but could not be
    /// kept.
    pub fn set(&mut self, ms: f64) -> anyhow::Result<()> {
        self.trim.ns = self.trim.checked(ms)?;
        self.keep(self.trim.key, self.trim.ns)
    }

    /// Sets the device's latency, in ms, and keeps it.
    ///
    /// # Errors
    /// As [`Trim::set`], but from 0 to [`MAX_LATENCY_MS`].
    pub fn set_latency(&mut self, ms: f64) -> anyhow::Result<()> {
        self.latency.ns = self.latency.checked(ms)?;
        self.keep(self.latency.key, self.latency.ns)
    }

    /// The other setting stays as the profile has it: another client may have kept it since.
    fn keep(&self, key: &str, ns: i64) -> anyhow::Result<()> {
        let mut all = kept(&self.path);
        all[key] = json!(ns as f64 / MS);
        // A name of its own: several clients may share a profile.
        let fresh = self.path.with_extension(format!("json.{:016x}", rand::random::<u64>()));
        fs::write(&fresh, all.to_string())
            .and_then(|()| fs::rename(&fresh, &self.path))
            .with_context(|| format!("it holds until the end, but is not kept in {}", self.path.display()))
    }
}

fn kept(path: &Path) -> Value {
    let kept = fs::read_to_string(path).ok().and_then(|text| serde_json::from_str(&text).ok());
    kept.filter(Value::is_object).unwrap_or_else(|| json!({}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trim_is_kept_and_a_wild_one_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut trim = Trim::of(folder.path());
        assert_eq!(trim.ns(), 0);
        trim.set(-12.5).expect("kept");
        assert!(trim.set(501.0).is_err() && trim.set(f64::NAN).is_err());
        assert_eq!((trim.ns(), Trim::of(folder.path()).ns()), (-12_500_000, -12_500_000));
        for wild in ["{\"trim_ms\": 1e300}", "[7]", "{\"trim_ms\"", "null"] {
            fs::write(folder.path().join("clock.json"), wild).expect("written");
            assert_eq!(Trim::of(folder.path()).ns(), 0);
        }
    }

    #[test]
    fn a_device_s_latency_is_kept_beside_the_trim() {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut one, mut other) = (Trim::of(folder.path()), Trim::of(folder.path()));
        one.set(3.0).expect("kept");
        other.set_latency(11.6).expect("kept");
        assert!(other.set_latency(-1.0).is_err() && other.set_latency(501.0).is_err());
        let kept = Trim::of(folder.path());
        assert_eq!((kept.ns(), kept.latency_ns()), (3_000_000, 11_600_000));
    }
}
