//! Loudness as ITU-R BS.1770-4 has it: K-weighted, in blocks of 400 ms, gated twice.

use super::Sound;

/// Below this nothing counts, in LUFS.
const SILENCE: f64 = -70.0;
/// Further below the mean than this nothing counts, in LU.
const FAR: f64 = -10.0;

/// A second-order section.
struct Section {
    b: [f64; 3],
    a: [f64; 2],
    past: [f64; 2],
}

impl Section {
    fn tick(&mut self, x: f64) -> f64 {
        let y = self.b[0] * x + self.past[0];
        self.past = [self.b[1] * x - self.a[0] * y + self.past[1], self.b[2] * x - self.a[1] * y];
        y
    }
}

/// The standard's two filters, a shelf for the head and a high-pass for the ear, at any rate: the
/// analogue ones that its coefficients for 48 kHz come from, by the bilinear transform.
fn weighting(rate: f64) -> [Section; 2] {
    let past = [0.0; 2];
    let (hz, gain_db, q) = (1_681.974_450_955_533, 3.999_843_853_973_347, 0.707_175_236_955_419_6);
    let k = (std::f64::consts::PI * hz / rate).tan();
    let high = 10f64.powf(gain_db / 20.0);
    let band = high.powf(0.499_666_774_154_541_6);
    let a0 = 1.0 + k / q + k * k;
    let shelf = Section {
        b: [
            (high + band * k / q + k * k) / a0,
            2.0 * (k * k - high) / a0,
            (high - band * k / q + k * k) / a0,
        ],
        a: [2.0 * (k * k - 1.0) / a0, (1.0 - k / q + k * k) / a0],
        past,
    };
    let (hz, q) = (38.135_470_876_024_44, 0.500_327_037_323_877_3);
    let k = (std::f64::consts::PI * hz / rate).tan();
    let a0 = 1.0 + k / q + k * k;
    let high =
        Section { b: [1.0, -2.0, 1.0], a: [2.0 * (k * k - 1.0) / a0, (1.0 - k / q + k * k) / a0], past };
    [shelf, high]
}

/// Integrated loudness in LUFS; −∞ where no block is loud enough to count. What is shorter than a
/// block counts as one.
pub fn integrated(sound: &Sound) -> f64 {
    let step = (sound.rate / 10).max(1) as usize;
    let mut tenths: Vec<f64> = Vec::new();
    for side in &sound.sides {
        let [mut shelf, mut high] = weighting(f64::from(sound.rate));
        for (at, part) in side.chunks(step).enumerate() {
            let power: f64 = part.iter().map(|x| high.tick(shelf.tick(f64::from(*x))).powi(2)).sum();
            if at == tenths.len() {
                tenths.push(0.0);
            }
            tenths[at] += power / step as f64;
        }
    }
    let blocks: Vec<f64> = if tenths.len() < 4 {
        vec![tenths.iter().sum::<f64>() / tenths.len().max(1) as f64]
    } else {
        tenths.windows(4).map(|tenths| 0.25 * tenths.iter().sum::<f64>()).collect()
    };
    let loudness = |power: f64| -0.691 + 10.0 * power.log10();
    let mean_above = |gate: f64| {
        let loud: Vec<f64> = blocks.iter().copied().filter(|power| loudness(*power) > gate).collect();
        loudness(loud.iter().sum::<f64>() / loud.len() as f64)
    };
    let first = mean_above(SILENCE);
    if first.is_nan() { f64::NEG_INFINITY } else { mean_above(SILENCE.max(first + FAR)) }
}
