//! What a sound looks like to somebody who cannot hear it: levels, balance and width as figures, and
//! a picture of all of it (feature `picture`).
//!
//! Thread: any but audio (allocates). Invariant: equal samples give equal figures.

mod loudness;
mod picture;
mod spectrum;

use serde_json::{Value, json};

pub use picture::draw;
pub use spectrum::Band;

/// How the power of popular records falls from 100 Hz on, in dB an octave of spectral density: about
/// 4.5 to 5 (Pestana, Ma, Reiss, Barbosa and Black, "Spectral characteristics of popular commercial
/// recordings 1950–2010", AES 135, 2013; Elowsson and Friberg, "Long-term average spectrum in popular
/// music and its relation to the level of the percussion", AES 142, 2017). Pink noise falls by 3.
pub const MIX_SLOPE_DB: f64 = -4.5;

/// A stereo sound.
pub struct Sound {
    /// Both sides, of equal length.
    pub sides: [Vec<f32>; 2],
    /// Samples a second.
    pub rate: u32,
}

/// What was measured of a sound.
#[derive(Clone, Debug)]
pub struct Figures {
    /// Its length in seconds.
    pub seconds: f64,
    /// Integrated loudness in LUFS (ITU-R BS.1770-4, with both gates); −∞ where nothing is loud.
    pub loudness: f64,
    /// Root of the mean square of both sides, in dB of full scale.
    pub rms_db: f64,
    /// The highest sample, in dB of full scale.
    pub peak_db: f64,
    /// The mean of each side, as a share of full scale.
    pub dc: [f64; 2],
    /// How alike the sides are: 1 is mono, 0 is unrelated, −1 is opposed.
    pub correlation: f64,
    /// The sides' difference against their sum in dB; −∞ is mono.
    pub width_db: f64,
    /// Octaves around 31.5 Hz to 16 kHz.
    pub bands: Vec<Band>,
    /// dB an octave by which the density falls from 125 Hz to 8 kHz, as a straight line.
    pub slope_db: f64,
}

impl Figures {
    /// Measures a sound.
    pub fn of(sound: &Sound) -> Figures {
        let [left, right] = &sound.sides;
        let mean = |side: &[f32]| side.iter().map(|x| f64::from(*x)).sum::<f64>() / side.len().max(1) as f64;
        let power = |value: &dyn Fn(f64, f64) -> f64| {
            let pairs = left.iter().zip(right).map(|(l, r)| value(f64::from(*l), f64::from(*r)));
            pairs.sum::<f64>() / left.len().max(1) as f64
        };
        let (ll, rr, lr) = (power(&|l, _| l * l), power(&|_, r| r * r), power(&|l, r| l * r));
        let (mid, side) = (power(&|l, r| 0.25 * (l + r) * (l + r)), power(&|l, r| 0.25 * (l - r) * (l - r)));
        let bands = spectrum::octaves(sound);
        let peak = left.iter().chain(right).fold(0.0f32, |peak, x| peak.max(x.abs()));
        Figures {
            seconds: left.len() as f64 / f64::from(sound.rate),
            loudness: loudness::integrated(sound),
            rms_db: power_db(0.5 * (ll + rr)),
            peak_db: 2.0 * power_db(f64::from(peak)),
            dc: [mean(left), mean(right)],
            correlation: if ll * rr > 0.0 { lr / (ll * rr).sqrt() } else { 1.0 },
            width_db: power_db(side / mid.max(1e-30)),
            slope_db: spectrum::slope(&bands),
            bands,
        }
    }

    /// The highest sample over the root of the mean square, in dB.
    pub fn crest_db(&self) -> f64 {
        self.peak_db - self.rms_db
    }

    /// How far each octave from 63 Hz to 8 kHz lies above (or below) a mix that falls by
    /// [`MIX_SLOPE_DB`], by its middle and in dB; the line lies so that they are 0 on average.
    pub fn balance(&self) -> Vec<(f64, f64)> {
        let octaves = |hz: f64| (hz / 125.0).log2();
        let heard = self.bands.iter().filter(|band| (60.0..9_000.0).contains(&band.hz));
        // An octave twice as wide holds 3 dB more at the same density.
        let off = |band: &Band| band.level_db - (MIX_SLOPE_DB + 3.0103) * octaves(band.hz).max(0.0);
        let offs: Vec<_> = heard.map(|band| (band.hz, off(band))).collect();
        let mean = offs.iter().map(|(_, off)| off).sum::<f64>() / offs.len().max(1) as f64;
        offs.into_iter().map(|(hz, off)| (hz, off - mean)).collect()
    }

    /// As one object of JSON; what is infinite is null.
    pub fn json(&self) -> Value {
        let tenth = |value: f64| (value.is_finite()).then(|| (10.0 * value).round() / 10.0);
        let bands: Vec<_> =
            self.bands.iter().map(|b| json!([b.hz, tenth(b.level_db), tenth(b.width_db)])).collect();
        let balance: Vec<_> = self.balance().iter().map(|(hz, off)| json!([hz, tenth(*off)])).collect();
        json!({
            "seconds": tenth(self.seconds),
            "lufs": tenth(self.loudness),
            "rms_db": tenth(self.rms_db),
            "peak_db": tenth(self.peak_db),
            "crest_db": tenth(self.crest_db()),
            "dc": self.dc.map(|dc| (1e6 * dc).round() / 1e6),
            "correlation": (1e3 * self.correlation).round() / 1e3,
            "width_db": tenth(self.width_db),
            "slope_db_per_octave": tenth(self.slope_db),
            "octaves_hz_db_width": bands,
            "balance_hz_db": balance,
        })
    }
}

/// A power in dB; −∞ of nothing.
fn power_db(power: f64) -> f64 {
    10.0 * power.log10()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hz: f64, gains: [f32; 2]) -> Sound {
        let turn = hz * std::f64::consts::TAU / 48_000.0;
        let wave: Vec<f32> = (0..96_000).map(|n| (f64::from(n) * turn).sin() as f32).collect();
        Sound { sides: gains.map(|gain| wave.iter().map(|x| gain * x).collect()), rate: 48_000 }
    }

    #[test]
    fn a_tone_has_the_figures_of_a_tone() {
        // The standard's own check: 997 Hz at full scale on one side is −3.01 LUFS.
        let figures = Figures::of(&tone(997.0, [1.0, 0.0]));
        assert!((figures.loudness + 3.01).abs() < 0.1, "{}", figures.loudness);
        let figures = Figures::of(&tone(1_000.0, [0.5, 0.5]));
        assert!((figures.peak_db + 6.02).abs() < 0.01 && (figures.crest_db() - 3.01).abs() < 0.01);
        assert!(figures.correlation > 0.999 && figures.width_db < -100.0);
        let loudest = figures.bands.iter().max_by(|a, b| a.level_db.total_cmp(&b.level_db)).expect("bands");
        assert_eq!(loudest.hz, 1_000.0);
        assert!((loudest.level_db + 9.03).abs() < 0.3, "{}", loudest.level_db);
        assert!(Figures::of(&tone(300.0, [0.5, -0.5])).correlation < -0.999);
    }

    #[test]
    fn white_noise_is_flat_and_far_from_a_mix() {
        let mut word = 1u64;
        let mut noise = || {
            word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (word >> 33) as f32 / (1u64 << 30) as f32 - 1.0
        };
        let sides = [(); 2].map(|()| (0..96_000).map(|_| 0.3 * noise()).collect());
        let figures = Figures::of(&Sound { sides, rate: 48_000 });
        assert!(figures.slope_db.abs() < 0.5, "{}", figures.slope_db);
        assert!(figures.correlation.abs() < 0.05 && figures.width_db.abs() < 0.5);
        let balance = figures.balance();
        assert!(balance.last().expect("octaves").1 > 9.0, "{balance:?}");
    }

    #[test]
    fn silence_has_figures_too() {
        let figures = Figures::of(&Sound { sides: [vec![0.0; 48_000], vec![0.0; 48_000]], rate: 48_000 });
        assert_eq!(figures.json()["lufs"], Value::Null);
        assert_eq!(figures.correlation, 1.0);
    }
}
