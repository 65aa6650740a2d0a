//! Lengths in the song's tempo.
//!
//! Thread: audio. Realtime-safe: yes. Invariant: a length is a function of the word and the tempo
//! that holds in the quantum.

use crate::dsp::DELAY_MAX_SECONDS;
use crate::time::Tempo;

/// Seconds of a beat before any song has told its tempo: 120 BPM.
pub(super) const BEAT_S: f32 = 0.5;

/// Beats of each word of `delay.sync`; the first is off.
const BEATS: [f32; 18] = [
    0.0,
    0.125,
    1.0 / 6.0,
    0.1875,
    0.25,
    1.0 / 3.0,
    0.375,
    0.5,
    2.0 / 3.0,
    0.75,
    1.0,
    4.0 / 3.0,
    1.5,
    2.0,
    8.0 / 3.0,
    3.0,
    4.0,
    6.0,
];

/// Seconds of a beat in a tempo.
pub(super) fn beat_s(tempo: Tempo) -> f32 {
    // 40 BPM and less are whole numbers of µBPM that a double holds.
    (60_000_000.0 / tempo.micro_bpm() as f64) as f32
}

/// Seconds of an echo by a word of `delay.sync`; `None` where it is off. What is longer than the
/// line is halved until it fits, so that it still falls on the beat.
pub(super) fn echo_s(word: f32, beat_s: f32) -> Option<f32> {
    let beats = *BEATS.get(word as usize).filter(|beats| **beats > 0.0)?;
    let mut seconds = beats * beat_s;
    // 6 beats at 1 BPM are 360 s.
    for _ in 0..8 {
        seconds = if seconds > DELAY_MAX_SECONDS { 0.5 * seconds } else { seconds };
    }
    Some(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::param::{Param, Unit};

    #[test]
    fn every_word_has_its_length_and_fits_the_line() {
        let Unit::Words(words) = Param::DelaySync.spec().unit else { panic!("words") };
        assert_eq!(words.len(), BEATS.len());
        for (at, word) in words.iter().enumerate().skip(1) {
            let whole: f32 = word[2..].trim_end_matches(['d', 't']).parse().expect("a number");
            let bent = if word.ends_with('d') {
                1.5
            } else if word.ends_with('t') {
                2.0 / 3.0
            } else {
                1.0
            };
            let beats = 4.0 / whole * bent;
            assert!((BEATS[at] - beats).abs() < 1e-6, "{word}");
            assert!(BEATS[at] > BEATS[at - 1], "{word} lies in order");
            for bpm in [40.0, 87.5, 120.0, 300.0] {
                let beat = beat_s(Tempo::from_bpm(bpm).expect("a tempo"));
                let echo = echo_s(at as f32, beat).expect("on");
                let halvings = (beats * beat / echo).log2();
                assert!(echo <= DELAY_MAX_SECONDS && (halvings - halvings.round()).abs() < 1e-4, "{word}");
                assert!(echo > 0.5 * DELAY_MAX_SECONDS || halvings.round() == 0.0, "{word} at {bpm}");
            }
        }
        assert_eq!(echo_s(0.0, 0.5), None);
    }
}
