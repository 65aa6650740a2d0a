//! What a person types into a host's parameter field.

use crate::param::{ParamSpec, Unit, fader_gain};

/// Reads a value as [`ParamSpec::display`] writes it, or a bare number; `None` if it is neither.
pub fn read(spec: &ParamSpec, entry: &str) -> Option<f32> {
    let entry = entry.trim().replace('−', "-").to_lowercase();
    if let Unit::Words(words) = spec.unit {
        return words.iter().position(|word| *word == entry).map(|at| at as f32);
    }
    if spec.unit == Unit::Switch {
        return read_switch(&entry).map(f32::from);
    }
    let split = entry.find(|c: char| !(c.is_ascii_digit() || "+-.".contains(c))).unwrap_or(entry.len());
    let (number, unit) = entry.split_at(split);
    let unit = unit.trim();
    if spec.unit == Unit::Fader && number == "-" && (unit.starts_with('∞') || unit.starts_with("inf")) {
        return Some(spec.min);
    }
    let number: f32 = number.parse().ok()?;
    let value = match (spec.unit, unit) {
        (Unit::Fader, _) => fader_position(number),
        (Unit::Hertz, "k" | "khz") => number * 1000.0,
        (Unit::Seconds, "ms") => number / 1000.0,
        _ => number,
    };
    value.is_finite().then(|| value.clamp(spec.min, spec.max))
}

/// "on", "off" and what people write for them.
pub fn read_switch(entry: &str) -> Option<bool> {
    match entry.trim().to_lowercase().as_str() {
        "on" | "1" | "yes" | "true" => Some(true),
        "off" | "0" | "no" | "false" => Some(false),
        _ => None,
    }
}

/// The fader position of a gain in dB, the inverse of [`fader_gain`].
fn fader_position(decibels: f32) -> f32 {
    let unity = 0.8 / fader_gain(0.8).sqrt();
    unity * 10f32.powf(decibels / 40.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::param::Param;

    #[test]
    fn what_is_shown_can_be_typed() {
        for param in Param::ALL {
            let spec = param.spec();
            for travel in [0.0, 0.13, 0.5, 0.77, 1.0] {
                let shown = spec.display(spec.value_at(travel)).to_string();
                let typed = read(spec, &shown).unwrap_or_else(|| panic!("{}: {shown}", spec.id));
                assert_eq!(spec.display(typed).to_string(), shown, "{} at {travel}", spec.id);
            }
        }
    }

    #[test]
    fn entries_are_taken_with_and_without_unit() {
        let cutoff = Param::FilterFreq.spec();
        assert_eq!(read(cutoff, "1.5 kHz"), Some(1500.0));
        assert_eq!(read(cutoff, "440"), Some(440.0));
        assert_eq!(read(cutoff, "99999"), Some(20_000.0));
        assert_eq!(read(Param::Level.spec(), "-inf"), Some(0.0));
        assert_eq!(read(cutoff, "loud"), None);
    }
}
