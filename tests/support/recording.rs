//! A peer's recording, and when what it holds sounded: the device's pace and the time of its first
//! frame tie every frame to this machine's raw clock.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::path::Path;

use serde_json::Value;

/// A note begins where it exceeds this (a sample or two after its first), and one that has not ended
/// is not another.
const LOUD: f32 = 0.02;
/// It has ended after so long below that, in s.
const QUIET: f64 = 0.03;

/// What sounded, mono.
pub struct Recording {
    samples: Vec<f32>,
    /// When the first frame was due, in ns.
    begun: f64,
    /// Between two frames, in ns.
    frame: f64,
}

impl Recording {
    /// What a peer wrote, by what it told of it.
    pub fn of(file: &Path, told: &[Value]) -> Recording {
        let line = told.iter().find(|line| line["event"] == "recording").expect("a recording");
        let field = |name: &str| line[name].as_f64().unwrap_or_else(|| panic!("no {name} in {line}"));
        let reader = hound::WavReader::open(file).expect("a recording");
        let samples = reader.into_samples::<f32>().step_by(2).map(|sample| sample.expect("a sample"));
        let frame = 1e9 / field("rate") * (1.0 + field("skew_ppm") * 1e-6);
        Recording { samples: samples.collect(), begun: field("first_frame_ns"), frame }
    }

    /// Samples whose first frame was due at a host time.
    pub fn from_frames(samples: Vec<f32>, begun: i64, rate: f64) -> Recording {
        Recording { samples, begun: begun as f64, frame: 1e9 / rate }
    }

    /// When something begins after silence, in ns of host time.
    pub fn onsets(&self) -> Vec<f64> {
        let quiet_frames = QUIET * 1e9 / self.frame;
        let (mut found, mut before, mut quiet) = (Vec::new(), 0.0, f64::INFINITY);
        for (frame, sample) in self.samples.iter().map(|sample| sample.abs()).enumerate() {
            if sample >= LOUD {
                if quiet >= quiet_frames {
                    let part = f64::from((LOUD - before) / (sample - before));
                    found.push(self.begun + (frame as f64 - 1.0 + part) * self.frame);
                }
                quiet = 0.0;
            } else {
                quiet += 1.0;
            }
            before = sample;
        }
        found
    }

    /// The onsets between two host times.
    pub fn between(&self, from: f64, to: f64) -> Vec<f64> {
        self.onsets().into_iter().filter(|at| (from..to).contains(at)).collect()
    }
}
