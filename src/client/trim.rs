//! The musician's trim: by how much this machine sounds later than the session's clock has it.
//!
//! What no stamp shows, a path longer one way than the other or a device's own delay, the ear finds.
//! Kept in the profile folder as `clock.json`; every client of the profile starts from it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

const MS: f64 = 1e6;
/// The most that a trim may be, either way, in ms.
pub const MAX_TRIM_MS: f64 = 500.0;

/// A profile's trim.
#[derive(Clone, Debug)]
pub struct Trim {
    path: PathBuf,
    ns: i64,
}

impl Trim {
    /// The trim that a profile folder keeps; 0 where it keeps none that can be read.
    pub fn of(folder: &Path) -> Trim {
        let path = folder.join("clock.json");
        let kept = fs::read_to_string(&path).ok().and_then(|text| serde_json::from_str(&text).ok());
        let kept = kept.and_then(|kept: serde_json::Value| checked(kept["trim_ms"].as_f64()?).ok());
        Trim { path, ns: kept.unwrap_or(0) }
    }

    /// In ns; later is positive.
    pub fn ns(&self) -> i64 {
        self.ns
    }

    /// Sets it, in ms, and keeps it.
    ///
    /// # Errors
    /// It is no number or beyond [`MAX_TRIM_MS`], and nothing has changed; or it holds but could not be
    /// kept.
    pub fn set(&mut self, ms: f64) -> anyhow::Result<()> {
        self.ns = checked(ms)?;
        let text = serde_json::json!({ "trim_ms": self.ns as f64 / MS }).to_string();
        // A name of its own: several clients may share a profile.
        let fresh = self.path.with_extension(format!("json.{:016x}", rand::random::<u64>()));
        fs::write(&fresh, text)
            .and_then(|()| fs::rename(&fresh, &self.path))
            .with_context(|| format!("the trim is not kept in {}", self.path.display()))
    }
}

fn checked(ms: f64) -> anyhow::Result<i64> {
    anyhow::ensure!(
        (-MAX_TRIM_MS..=MAX_TRIM_MS).contains(&ms),
        "a trim of {ms} ms lies outside ± {MAX_TRIM_MS} ms"
    );
    Ok((ms * MS).round() as i64)
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
        fs::write(folder.path().join("clock.json"), "{\"trim_ms\": 1e300}").expect("written");
        assert_eq!(Trim::of(folder.path()).ns(), 0);
    }
}
