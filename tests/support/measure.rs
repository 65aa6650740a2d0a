//! Measurements on sound: spectra by FFT, levels, times.

use realfft::RealFftPlanner;

/// The canonical rate.
pub const RATE: f64 = 48_000.0;

/// 20·log10.
pub fn db(gain: f64) -> f64 {
    20.0 * gain.abs().max(1e-12).log10()
}

/// The greatest magnitude.
pub fn peak(signal: &[f32]) -> f64 {
    signal.iter().fold(0.0, |most, &x| most.max(f64::from(x.abs())))
}

/// The mean.
pub fn mean(signal: &[f32]) -> f64 {
    signal.iter().map(|&x| f64::from(x)).sum::<f64>() / signal.len() as f64
}

/// The root of the mean square.
pub fn rms(signal: &[f32]) -> f64 {
    (signal.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>() / signal.len() as f64).sqrt()
}

/// Seconds after which the signal stays below its peak by so many dB.
pub fn seconds_to(signal: &[f32], down_db: f64) -> f64 {
    let bar = peak(signal) * 10f64.powf(-down_db / 20.0);
    let last = signal.iter().rposition(|&x| f64::from(x.abs()) > bar);
    last.map_or(0.0, |at| (at + 1) as f64 / RATE)
}

/// The window over a signal before its transform.
#[derive(Clone, Copy, PartialEq)]
pub enum Window {
    /// None: for impulse responses and whole sounds.
    Flat,
    /// Blackman-Harris of seven terms, side lobes below −160 dB: for steady tones.
    Steady,
}

const SEVEN_TERMS: [f64; 7] = [
    0.27105140069342,
    -0.43329793923448,
    0.21812299954311,
    -0.06592544638803,
    0.01081174209837,
    -0.00077658482522,
    0.00001388721735,
];

/// Magnitudes of a signal's transform.
pub struct Spectrum {
    bins: Vec<f64>,
    hz: f64,
}

impl Spectrum {
    /// Of a signal at a rate, padded to a power of two; tones read as their amplitude times
    /// half the window's sum.
    pub fn new(signal: &[f32], rate: f64, window: Window) -> Spectrum {
        let length = signal.len().next_power_of_two();
        let span = signal.len() as f64;
        let shape = |n: usize| {
            let turn = std::f64::consts::TAU * n as f64 / span;
            match window {
                Window::Flat => 1.0,
                Window::Steady => {
                    SEVEN_TERMS.iter().enumerate().map(|(k, a)| a * (k as f64 * turn).cos()).sum()
                }
            }
        };
        let mut padded: Vec<f64> = signal.iter().enumerate().map(|(n, &x)| f64::from(x) * shape(n)).collect();
        padded.resize(length, 0.0);
        let transform = RealFftPlanner::<f64>::new().plan_fft_forward(length);
        let mut bins = transform.make_output_vec();
        transform.process(&mut padded, &mut bins).expect("lengths match the plan");
        Spectrum { bins: bins.iter().map(|bin| bin.norm()).collect(), hz: rate / length as f64 }
    }

    /// The magnitude at the nearest bin.
    pub fn at(&self, hz: f64) -> f64 {
        self.bins[((hz / self.hz).round() as usize).min(self.bins.len() - 1)]
    }

    fn band(&self, from_hz: f64, to_hz: f64) -> impl Iterator<Item = (f64, f64)> {
        let bins = self.bins.iter().enumerate().map(|(n, &level)| (n as f64 * self.hz, level));
        bins.filter(move |(hz, _)| (from_hz..to_hz).contains(hz))
    }

    /// Power in a band.
    pub fn power(&self, from_hz: f64, to_hz: f64) -> f64 {
        self.band(from_hz, to_hz).map(|(_, level)| level * level).sum()
    }

    /// Power above an edge as a share of the whole.
    pub fn share_above(&self, hz: f64) -> f64 {
        self.power(hz, RATE) / self.power(0.0, RATE)
    }

    /// The centre of power in Hz.
    pub fn centroid(&self) -> f64 {
        let moment: f64 = self.band(0.0, RATE).map(|(hz, level)| hz * level * level).sum();
        moment / self.power(0.0, RATE)
    }

    /// The strongest frequency in a band and its magnitude.
    pub fn strongest(&self, from_hz: f64, to_hz: f64) -> (f64, f64) {
        self.band(from_hz, to_hz).fold((0.0, 0.0), |best, bin| if bin.1 > best.1 { bin } else { best })
    }

    /// The greatest magnitude below `to_hz` and farther than `guard_hz` from every listed frequency.
    pub fn strongest_away_from(&self, partials: &[f64], guard_hz: f64, to_hz: f64) -> (f64, f64) {
        let away = |hz: f64| partials.iter().all(|partial| (hz - partial).abs() > guard_hz);
        let rest = self.band(0.0, to_hz).filter(|&(hz, _)| away(hz));
        rest.fold((0.0, 0.0), |best, bin| if bin.1 > best.1 { bin } else { best })
    }
}

/// A sine at a rate.
pub fn sine(hz: f64, rate: f64, amplitude: f64, samples: usize) -> Vec<f32> {
    (0..samples).map(|n| (amplitude * (std::f64::consts::TAU * hz * n as f64 / rate).sin()) as f32).collect()
}
