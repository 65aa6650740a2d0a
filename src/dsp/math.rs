//! Functions that give the same bits on every machine: polynomials and `libm` only.
//!
//! Thread: any. Realtime-safe: yes. The stated errors are measured by test against `f64`.

/// States below this magnitude snap to 0: far below hearing (−300 dB) and far above the
/// denormals, so that a processor's flush-to-zero mode changes neither bits nor cost.
pub const TINY: f32 = 1e-15;

/// 0 for magnitudes below [`TINY`], else the value.
#[inline]
pub fn snap(value: f32) -> f32 {
    if value.abs() < TINY { 0.0 } else { value }
}

/// The value held within bounds; the lower one for what is no number.
#[inline]
pub fn bound(value: f32, low: f32, high: f32) -> f32 {
    // `clamp` hands NaN on.
    if value >= low { if value < high { value } else { high } } else { low }
}

/// The greatest whole number at or below a value within ±2³⁰.
#[inline]
pub fn floor_i32(value: f32) -> i32 {
    let whole = value as i32;
    if whole as f32 > value { whole - 1 } else { whole }
}

/// sin(π·x) for x within ±1 (half turns). Error < 2e-7.
#[inline]
pub fn sin_half_turns(x: f32) -> f32 {
    // Fold the outer quarters back: sin(π − a) = sin a.
    let x = if x > 0.5 {
        1.0 - x
    } else if x < -0.5 {
        -1.0 - x
    } else {
        x
    };
    let u = x * x;
    // Chebyshev fit of sin(πx)/x over u = x² ≤ 1/4.
    let p = 0.082_050_4 + u * -0.007_028_386;
    let p = 2.550_163_3 + u * (-0.599_252_2 + u * p);
    let p = std::f32::consts::PI + u * (-5.167_712_7 + u * p);
    x * p
}

/// sin of an angle in turns, within ±2²⁰ turns. Error < 4e-7 within ±1 turn.
#[inline]
pub fn sin_turns(turns: f32) -> f32 {
    let wrapped = turns - floor_i32(turns + 0.5) as f32;
    sin_half_turns(2.0 * wrapped)
}

/// cos of an angle in turns, as [`sin_turns`].
#[inline]
pub fn cos_turns(turns: f32) -> f32 {
    let wrapped = turns - floor_i32(turns + 0.5) as f32;
    sin_half_turns(0.5 - 2.0 * wrapped.abs())
}

/// tan(π·x) for x in 0 to 0.49: what a trapezoidal integrator makes of frequency / rate.
/// Relative error < 2e-6.
#[inline]
pub fn tan_half_turns(x: f32) -> f32 {
    let x = x.clamp(0.0, 0.49);
    sin_half_turns(x) / sin_half_turns(0.5 - x)
}

/// 2ˣ, x held within ±126. Relative error < 3e-7.
#[inline]
pub fn exp2(x: f32) -> f32 {
    let x = x.clamp(-126.0, 126.0);
    let whole = floor_i32(x + 0.5);
    let u = x - whole as f32;
    // Chebyshev fit of 2ᵘ over ±1/2.
    let p = 0.001_340_043_3 + u * 0.000_154_697_32;
    let p = 0.055_503_27 + u * (0.009_618_025 + u * p);
    let p = 1.0 + u * (std::f32::consts::LN_2 + u * (0.240_226_5 + u * p));
    p * f32::from_bits(((whole + 127) as u32) << 23)
}

/// log₂ x of a normal number above 0. Error < 2e-7 · (1 + |log₂ x|).
#[inline]
pub fn log2(x: f32) -> f32 {
    // x = m · 2^e with m between √½ and √2.
    let bits = x.to_bits().wrapping_sub(0x3f35_04f3);
    let e = bits as i32 >> 23;
    let m = f32::from_bits((bits & 0x007f_ffff) + 0x3f35_04f3);
    // ln m = 2·artanh((m − 1) / (m + 1)); 2 / ln 2 = 2.88539.
    let t = (m - 1.0) / (m + 1.0);
    let u = t * t;
    let p = 0.577_078 + u * (0.412_198_6 + u * 0.320_598_9);
    e as f32 + t * (2.885_39 + u * (0.961_796_7 + u * p))
}

/// eˣ for x within ±87, by [`exp2`]. Relative error < 1e-5.
#[inline]
pub fn exp(x: f32) -> f32 {
    exp2(x * std::f32::consts::LOG2_E)
}

/// Decibels to a linear gain; −120 dB and less is 0.
#[inline]
pub fn db_to_gain(db: f32) -> f32 {
    // log2(10) / 20
    if db <= -120.0 { 0.0 } else { exp2(db * 0.166_096_4) }
}

/// A fader's position (0 to 1) as a linear gain: (position / 0.8)², so 0.8 is 0 dB.
#[inline]
pub fn fader_gain(position: f32) -> f32 {
    let x = position * 1.25;
    x * x
}

/// Gains left and right of a pan position, −1 to 1: equal power, 1 on the side it leans to and
/// exactly (1, 1) in the middle, so that a mono track at the centre passes untouched. Power
/// relative to the centre rises by less than 0.1 dB on the way and falls 3 dB to hard left or right.
#[inline]
pub fn pan_gains(pan: f32) -> (f32, f32) {
    let pan = pan.clamp(-1.0, 1.0);
    // The far side falls along a cosine; the near side stays.
    let far = sin_half_turns(0.5 - 0.5 * pan.abs());
    if pan > 0.0 {
        (far, 1.0)
    } else if pan < 0.0 {
        (1.0, far)
    } else {
        (1.0, 1.0)
    }
}

/// The frequency in Hz of a MIDI note in equal temperament, A4 (69) = 440 Hz; fractions bend.
#[inline]
pub fn midi_hz(note: f32) -> f32 {
    440.0 * exp2((note - 69.0) / 12.0)
}

/// The frequency ratio of an interval in semitones.
#[inline]
pub fn semitones(interval: f32) -> f32 {
    exp2(interval / 12.0)
}

/// A soft clipper through 0 with slope 1, flat at ±8/15 from |x| = 1 on: a quintic whose first
/// two derivatives also vanish there.
#[inline]
pub const fn soft_clip(x: f32) -> f32 {
    let x = x.clamp(-1.0, 1.0);
    let u = x * x;
    x * (1.0 + u * (-2.0 / 3.0 + u * 0.2))
}
