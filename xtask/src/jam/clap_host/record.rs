//! The recording, written on a thread of its own.

use std::path::PathBuf;
use std::sync::mpsc;
use std::thread::JoinHandle;

use anyhow::{Context, Result};

/// Frames gathered before they are handed over.
const CHUNK: usize = 9_600;

/// The audio thread's end: gathers frames, interleaved, and hands them over in chunks.
pub struct Recording {
    chunks: mpsc::Sender<Vec<f32>>,
    gathered: Vec<f32>,
    frames: u64,
}

impl Recording {
    /// Adds a block.
    pub fn add(&mut self, left: &[f32], right: &[f32]) {
        for (left, right) in left.iter().zip(right) {
            self.gathered.extend([*left, *right]);
        }
        self.frames += left.len() as u64;
        if self.gathered.len() >= 2 * CHUNK {
            self.flush();
        }
    }

    /// Frames recorded so far.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    fn flush(&mut self) {
        let fresh = Vec::with_capacity(2 * CHUNK + 16_384);
        // A writer that failed tells by its own result.
        let _ = self.chunks.send(std::mem::replace(&mut self.gathered, fresh));
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        self.flush();
    }
}

/// A recording and the thread that writes it; without a path the frames are dropped there.
pub fn writer(path: Option<PathBuf>, rate: u32) -> Result<(Recording, JoinHandle<Result<()>>)> {
    let (chunks, received) = mpsc::channel::<Vec<f32>>();
    let spec = hound::WavSpec {
        channels: 2,
        sample_rate: rate,
        bits_per_sample: 32,
        sample_format: hound::SampleFormat::Float,
    };
    let mut file = path
        .map(|path| {
            hound::WavWriter::create(&path, spec).with_context(|| format!("creating {}", path.display()))
        })
        .transpose()?;
    let thread = std::thread::spawn(move || {
        for chunk in received {
            if let Some(file) = &mut file {
                chunk.into_iter().try_for_each(|sample| file.write_sample(sample)).context("recording")?;
            }
        }
        file.map_or(Ok(()), |file| file.finalize().context("closing the recording"))
    });
    let gathered = Vec::with_capacity(2 * CHUNK + 16_384);
    Ok((Recording { chunks, gathered, frames: 0 }, thread))
}
