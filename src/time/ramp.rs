//! A gradual change of tempo, expanded into steps by whoever authors it.

use super::{Beats, Tempo};

/// A tempo change of a ramp: this tempo from this tick on.
pub type RampStep = (Beats, Tempo);

/// The least length of one step of a ramp: a sixteenth note.
const SHORTEST: i64 = Beats::SIXTEENTH.0;

/// A ramp that is linear in song position, from one tempo to another over a stretch: at most `most`
/// (≥ 1) steps on sixteenth notes, each at the ramp's tempo in its middle, then `to` itself from the
/// stretch's end on. Only steps travel: everybody computes the same positions from them.
///
/// A stretch shorter than a sixteenth is one step, straight to `to`.
pub fn ramp(from: Tempo, to: Tempo, start: Beats, length: Beats, most: usize) -> Vec<RampStep> {
    let sixteenths = (length.0 / SHORTEST).max(0);
    let most = i64::try_from(most.max(1)).unwrap_or(i64::MAX).min(1 << 20);
    let count = sixteenths.min(most);
    if count == 0 {
        return vec![(start, to)];
    }
    let (a, b) = (i128::from(from.micro_bpm()), i128::from(to.micro_bpm()));
    let step = |n: i64| {
        // On a sixteenth, as evenly spread as whole sixteenths can be.
        let tick = start + Beats(sixteenths * n / count * SHORTEST);
        let micro_bpm = a + (b - a) * i128::from(2 * n + 1) / i128::from(2 * count);
        // Between two tempos that a session may have, so it may have this one.
        (tick, Tempo::from_micro_bpm(micro_bpm as u64).unwrap_or(to))
    };
    let mut steps: Vec<RampStep> = (0..count).map(step).collect();
    steps.push((start + length, to));
    steps.dedup_by_key(|(_, tempo)| *tempo);
    steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bpm(bpm: f64) -> Tempo {
        Tempo::from_bpm(bpm).expect("a tempo")
    }

    #[test]
    fn a_ramp_takes_the_time_that_a_smooth_one_would() {
        let (from, to, length) = (120.0, 140.0, 32.0);
        let steps = ramp(bpm(from), bpm(to), Beats::quarters(8), Beats::quarters(32), 256);
        assert_eq!(steps.len(), 129);
        let seconds: f64 = steps
            .windows(2)
            .map(|pair| (pair[1].0 - pair[0].0).as_quarters_f64() * 60.0 / pair[0].1.bpm())
            .sum();
        // ∫ 60 / (from + (to − from) b / length) db
        let smooth = 60.0 * length / (to - from) * (to / from).ln();
        assert!((seconds - smooth).abs() < 1e-4, "{seconds} s for {smooth} s");
    }

    proptest! {
        #[test]
        fn ramps_go_one_way_and_end_where_they_should(
            from in 40_000_000u64..=300_000_000,
            to in 40_000_000u64..=300_000_000,
            start in 0i64..10_000_000_000,
            length in 0i64..10_000_000_000,
            most in 0usize..200,
        ) {
            let (a, b) = (Tempo::from_micro_bpm(from).expect("a"), Tempo::from_micro_bpm(to).expect("b"));
            let steps = ramp(a, b, Beats(start), Beats(length), most);
            prop_assert!(steps.len() <= most.max(1) + 1);
            prop_assert_eq!(steps.last().map(|(_, tempo)| *tempo), Some(b));
            prop_assert!(steps.iter().all(|(tick, _)| (start..=start + length).contains(&tick.0)));
            for pair in steps.windows(2) {
                prop_assert!(pair[0].0 < pair[1].0);
                let onwards = if from < to { pair[0].1 < pair[1].1 } else { pair[0].1 > pair[1].1 };
                prop_assert!(onwards);
            }
        }
    }
}
