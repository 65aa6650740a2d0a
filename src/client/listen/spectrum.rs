//! Spectra: octave bands of the whole, and columns over time for the picture.

use realfft::RealFftPlanner;

use super::{Sound, power_db};

/// An octave.
#[derive(Clone, Copy, Debug)]
pub struct Band {
    /// Its nominal middle.
    pub hz: f64,
    /// The power of both sides in it, in dB of a full-scale square.
    pub level_db: f64,
    /// The sides' difference against their sum in it, in dB.
    pub width_db: f64,
}

const MIDDLES: [f64; 10] = [31.5, 63.0, 125.0, 250.0, 500.0, 1_000.0, 2_000.0, 4_000.0, 8_000.0, 16_000.0];
const WINDOW: usize = 16_384;

/// Spectra of windows of one length.
pub(super) struct Windows {
    fft: std::sync::Arc<dyn realfft::RealToComplex<f64>>,
    window: Vec<f64>,
    input: Vec<f64>,
    output: Vec<realfft::num_complex::Complex<f64>>,
}

impl Windows {
    pub fn new(length: usize) -> Windows {
        let fft = RealFftPlanner::new().plan_fft_forward(length);
        let turn = std::f64::consts::TAU / length as f64;
        let window = (0..length).map(|n| 0.5 - 0.5 * (turn * n as f64).cos()).collect();
        let (input, output) = (fft.make_input_vec(), fft.make_output_vec());
        Windows { fft, window, input, output }
    }

    /// The power of each bin of a stretch, beginning at a sample (perhaps before the first; outside
    /// lies silence), so that a stretch's bins add up to its mean square by a Hann window's measure.
    pub fn powers(&mut self, at: i64, sample: impl Fn(usize) -> f64, length: usize) -> Vec<f64> {
        for (n, (input, window)) in self.input.iter_mut().zip(&self.window).enumerate() {
            let place = at + n as i64;
            let inside = (0..length as i64).contains(&place);
            *input = if inside { window * sample(place as usize) } else { 0.0 };
        }
        self.fft.process(&mut self.input, &mut self.output).expect("the buffers are the plan's own");
        let size = self.window.len() as f64;
        // Half of the power is on the other side of 0 Hz; a Hann window keeps 3/8.
        self.output.iter().map(|bin| 2.0 * bin.norm_sqr() / (size * size * 0.375)).collect()
    }
}

/// Octave bands of the whole sound.
pub(super) fn octaves(sound: &Sound) -> Vec<Band> {
    let [left, right] = &sound.sides;
    let mut windows = Windows::new(WINDOW);
    let (mut mid, mut side) = (vec![0.0; WINDOW / 2 + 1], vec![0.0; WINDOW / 2 + 1]);
    let hop = WINDOW as i64 / 2;
    let mut at = -hop;
    while at < left.len() as i64 {
        let both = |n: usize| (f64::from(left[n]), f64::from(right[n]));
        let sums = windows.powers(at, |n| 0.5 * (both(n).0 + both(n).1), left.len());
        let differences = windows.powers(at, |n| 0.5 * (both(n).0 - both(n).1), left.len());
        mid.iter_mut().zip(sums).for_each(|(all, bin)| *all += bin);
        side.iter_mut().zip(differences).for_each(|(all, bin)| *all += bin);
        at += hop;
    }
    // Windows overlap by half, and sum over the sound's own length.
    let share = hop as f64 / left.len().max(1) as f64;
    let bin_hz = f64::from(sound.rate) / WINDOW as f64;
    let root = std::f64::consts::SQRT_2;
    let band = |hz: f64| {
        let sum = |powers: &[f64]| {
            let (from, to) = ((hz / root / bin_hz) as usize + 1, (hz * root / bin_hz) as usize);
            share * powers[from.min(powers.len() - 1)..=to.min(powers.len() - 1)].iter().sum::<f64>()
        };
        let (mid, side) = (sum(&mid), sum(&side));
        Band { hz, level_db: power_db(mid + side), width_db: power_db(side / mid.max(1e-30)) }
    };
    MIDDLES.into_iter().map(band).collect()
}

/// The slope of the density from 125 Hz to 8 kHz, by least squares.
pub(super) fn slope(bands: &[Band]) -> f64 {
    let points: Vec<(f64, f64)> = bands
        .iter()
        .filter(|band| (100.0..9_000.0).contains(&band.hz) && band.level_db.is_finite())
        .map(|band| ((band.hz / 125.0).log2(), band.level_db - 3.0103 * (band.hz / 125.0).log2()))
        .collect();
    let count = points.len().max(1) as f64;
    let mean = |of: &dyn Fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(&|p| p.0), mean(&|p| p.1));
    let (over, under) = (mean(&|p| (p.0 - x) * (p.1 - y)), mean(&|p| (p.0 - x) * (p.0 - x)));
    if under > 0.0 { over / under } else { 0.0 }
}
