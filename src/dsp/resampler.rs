//! From the canonical 48 kHz to the device's rate.

mod design;

use thiserror::Error;

use design::Table;

/// A device rate the resampler does not make.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
#[error("sample rate {0} Hz is outside 8000 to 384000 Hz")]
pub struct RateError(pub f64);

/// Canonical samples that may wait, beyond the filter's own length.
const ROOM: usize = 8192;
/// A canonical sample in the parts by which a variable ratio counts: finer than 10⁻¹³ of a sample.
pub const STEP_PARTS: u64 = 1 << 44;
/// Sums run in this many lanes, in a fixed order.
const LANES: usize = 8;

/// A stereo resampler from 48 kHz to any device rate: windowed sinc, polyphase.
///
/// Output `n` lies at canonical position n · 48000 / rate, computed from `n` exactly (the rate is
/// a ratio of whole millihertz), so it has the same bits whatever the block split. At 48 kHz the
/// input passes bit for bit. Passband ±0.05 dB to 18 kHz and images and aliases below −100 dB from
/// 44.1 kHz up; below that both edges scale with the rate.
///
/// Use: [`Resampler::reset`], then for each block push at least [`Resampler::needed`] and pull.
/// *Thread: audio, but for [`Resampler::new`]. Realtime-safe: yes.*
#[derive(Debug)]
pub struct Resampler {
    table: Table,
    /// Canonical samples an output moves on, as a reduced fraction.
    step: (u64, u64),
    input: [Box<[f32]>; 2],
    /// Samples in `input`.
    filled: usize,
    /// Where the next output's canonical position lies in `input`, rounded down, and what is left
    /// in parts of `step.1`.
    at: usize,
    rest: u64,
}

impl Resampler {
    /// A resampler to `rate` Hz, at output 0. Allocates and designs the filter (some ms).
    ///
    /// # Errors
    /// Outside 8000 to 384000 Hz, or not finite.
    pub fn new(rate: f64) -> Result<Resampler, RateError> {
        if !(8_000.0..=384_000.0).contains(&rate) {
            return Err(RateError(rate));
        }
        let millihertz = (rate * 1000.0 + 0.5) as u64;
        let common = gcd(48_000_000, millihertz);
        let step = (48_000_000 / common, millihertz / common);
        let table = if step == (1, 1) { Table::through() } else { Table::design(millihertz, step.1) };
        let room = vec![0.0; table.taps + ROOM].into_boxed_slice();
        let mut resampler = Resampler { table, step, input: [room.clone(), room], filled: 0, at: 0, rest: 0 };
        resampler.reset(0);
        Ok(resampler)
    }

    /// A resampler to about `rate` Hz whose ratio [`Resampler::set_step`] moves while it runs, at
    /// output 0. Its filter is as good as the fixed one's and always at work, at 48 kHz too: 64 taps
    /// for each of two rows and two channels there.
    ///
    /// # Errors
    /// As [`Resampler::new`].
    pub fn variable(rate: f64) -> Result<Resampler, RateError> {
        let fixed = Resampler::new(rate)?;
        let millihertz = (rate * 1000.0 + 0.5) as u64;
        let table = Table::design(millihertz, u64::MAX);
        let nominal = u128::from(fixed.step.0) * u128::from(STEP_PARTS) / u128::from(fixed.step.1);
        let room = vec![0.0; table.taps + ROOM].into_boxed_slice();
        let step = (nominal as u64, STEP_PARTS);
        let mut resampler = Resampler { table, step, input: [room.clone(), room], filled: 0, at: 0, rest: 0 };
        resampler.reset(0);
        Ok(resampler)
    }

    /// How far an output moves on, in parts of which [`STEP_PARTS`] are a canonical sample. The
    /// position goes on where it is, so the waveform has no jump. Of a variable resampler only; the
    /// filter is made for ratios within 1 % of its nominal one.
    pub fn set_step(&mut self, step: u64) {
        debug_assert!(self.step.1 == STEP_PARTS);
        self.step.0 = step;
    }

    /// Starts anew, out of silence, so that the next output lies `rest` parts (of [`STEP_PARTS`])
    /// after the next sample to push. Of a variable resampler only.
    pub fn reset_between(&mut self, rest: u64) {
        self.reset(0);
        self.rest = rest % self.step.1;
    }

    /// Canonical samples that must have been pushed beyond an output's position before it can be
    /// pulled; 0 at 48 kHz. An engine that renders this far ahead adds no delay.
    pub fn look_ahead(&self) -> usize {
        self.table.taps / 2
    }

    /// Starts anew so that the next output pulled is number `output`, out of silence; returns the
    /// canonical position of the next sample to push: output · 48000 / rate, rounded down.
    pub fn reset(&mut self, output: i64) -> i64 {
        let exact = i128::from(output) * i128::from(self.step.0);
        let whole = exact.div_euclid(i128::from(self.step.1)) as i64;
        self.rest = exact.rem_euclid(i128::from(self.step.1)) as u64;
        self.at = self.table.before();
        self.filled = self.at;
        for channel in &mut self.input {
            channel[..self.filled].fill(0.0);
        }
        whole
    }

    /// How many canonical samples must still be pushed before `outputs` more can be pulled.
    pub fn needed(&self, outputs: usize) -> usize {
        let Some(last) = outputs.checked_sub(1) else { return 0 };
        let moved = (self.rest + last as u64 * self.step.0) / self.step.1;
        (self.at + moved as usize + self.table.taps - self.table.before()).saturating_sub(self.filled)
    }

    /// How many canonical samples can be pushed now: at least 8192 when nothing waits.
    pub fn room(&self) -> usize {
        self.input[0].len() - self.filled + (self.at - self.table.before()).min(self.filled)
    }

    /// Takes canonical samples; both slices have one length, at most [`Resampler::room`] (what is
    /// more is dropped).
    pub fn push(&mut self, left: &[f32], right: &[f32]) {
        debug_assert!(left.len() == right.len() && left.len() <= self.room());
        if self.filled + left.len() > self.input[0].len() {
            let used = (self.at - self.table.before()).min(self.filled);
            for channel in &mut self.input {
                channel.copy_within(used..self.filled, 0);
            }
            self.filled -= used;
            self.at -= used;
        }
        let count = left.len().min(right.len()).min(self.input[0].len() - self.filled);
        for (channel, samples) in self.input.iter_mut().zip([left, right]) {
            channel[self.filled..self.filled + count].copy_from_slice(&samples[..count]);
        }
        self.filled += count;
    }

    /// Fills both slices (of one length) with the next outputs. Where too few samples were pushed
    /// the rest is silence, and stays to be pulled.
    pub fn pull(&mut self, left: &mut [f32], right: &mut [f32]) {
        debug_assert!(self.needed(left.len()) == 0, "pull before push");
        for (l, r) in left.iter_mut().zip(right.iter_mut()) {
            let from = self.at - self.table.before();
            if from + self.table.taps > self.filled {
                (*l, *r) = (0.0, 0.0);
                continue;
            }
            let window = from..from + self.table.taps;
            let [left_in, right_in] = &self.input;
            (*l, *r) = self.table.apply(self.rest, self.step.1, &left_in[window.clone()], &right_in[window]);
            self.rest += self.step.0;
            self.at += (self.rest / self.step.1) as usize;
            self.rest %= self.step.1;
        }
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}
