//! Which voice a track plays.

use super::Name;

/// A sound source of the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Voice {
    /// Bass drum.
    Kick,
    /// Snare drum.
    Snare,
    /// Closed hi-hat.
    ClosedHat,
    /// Open hi-hat; a closed hat on the same kit stops it.
    OpenHat,
    /// Subtractive synthesizer.
    Synth,
}

/// A voice, and whether it stands in for one this version does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VoiceChoice {
    /// What will play.
    pub voice: Voice,
    /// Whether the name is unknown and `voice` only stands in for it.
    pub stands_in: bool,
}

impl Voice {
    /// All of them.
    pub const ALL: [Voice; 5] = [Voice::Kick, Voice::Snare, Voice::ClosedHat, Voice::OpenHat, Voice::Synth];

    /// What a person reads.
    pub const fn name(self) -> &'static str {
        match self {
            Voice::Kick => "kick",
            Voice::Snare => "snare",
            Voice::ClosedHat => "closed hat",
            Voice::OpenHat => "open hat",
            Voice::Synth => "synth",
        }
    }
}

/// The voice of a track by its notation id, where no sample is named. Ids that hold a voice's word
/// ("kick2", "hat-open") play that voice; all others play the synth.
pub fn default_voice(id: &Name) -> Voice {
    known(id.as_str()).map_or(Voice::Synth, |choice| choice.voice)
}

/// The voice that a `sample` statement names for a track; an unknown name falls back to the id's
/// default voice and says so. The empty name is the id's default voice. A drum without a voice of
/// its own yet (a clap, a tom) plays the one that comes nearest and says so, too.
pub fn voice_named(id: &Name, sample: &Name) -> VoiceChoice {
    let of_id = known(id.as_str()).unwrap_or(VoiceChoice { voice: Voice::Synth, stands_in: false });
    if sample.is_empty() {
        return of_id;
    }
    known(sample.as_str()).unwrap_or(VoiceChoice { stands_in: true, ..of_id })
}

/// The words that mean a voice, the more telling ones first.
const OWN: [(&str, Voice); 22] = [
    ("kick", Voice::Kick),
    ("bd", Voice::Kick),
    ("bassdrum", Voice::Kick),
    ("snare", Voice::Snare),
    ("sd", Voice::Snare),
    ("open", Voice::OpenHat),
    ("oh", Voice::OpenHat),
    ("closed", Voice::ClosedHat),
    ("hat", Voice::ClosedHat),
    ("hats", Voice::ClosedHat),
    ("hihat", Voice::ClosedHat),
    ("hh", Voice::ClosedHat),
    ("ch", Voice::ClosedHat),
    ("synth", Voice::Synth),
    ("bass", Voice::Synth),
    ("lead", Voice::Synth),
    ("pad", Voice::Synth),
    ("keys", Voice::Synth),
    ("chord", Voice::Synth),
    ("arp", Voice::Synth),
    ("pluck", Voice::Synth),
    ("sub", Voice::Synth),
];

/// The voice that comes nearest to a drum without one of its own.
const NEAREST: [(&str, Voice); 10] = [
    ("tom", Voice::Kick),
    ("clap", Voice::Snare),
    ("cp", Voice::Snare),
    ("rim", Voice::Snare),
    ("rimshot", Voice::Snare),
    ("cymbal", Voice::OpenHat),
    ("crash", Voice::OpenHat),
    ("ride", Voice::OpenHat),
    ("shaker", Voice::ClosedHat),
    ("perc", Voice::ClosedHat),
];

fn known(word: &str) -> Option<VoiceChoice> {
    let find =
        |words: &[(&str, Voice)]| words.iter().find(|(key, _)| says(word, key)).map(|(_, voice)| *voice);
    let own = find(&OWN).map(|voice| VoiceChoice { voice, stands_in: false });
    own.or_else(|| find(&NEAREST).map(|voice| VoiceChoice { voice, stands_in: true }))
}

/// Whether a word holds a key: long keys anywhere ("kickdrum"), short ones as a part of their own
/// ("hat-2", "bd1"), so that "custom" is no tom and "chord" no closed hat.
fn says(word: &str, key: &str) -> bool {
    let mut parts = word.split(['-', '_']).map(|part| part.trim_end_matches(|c: char| c.is_ascii_digit()));
    (key.len() > 3 && word.contains(key)) || parts.any(|part| part == key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn voice(id: &str) -> Voice {
        default_voice(&Name::new(id).expect("a name"))
    }

    #[test]
    fn ids_play_the_voice_they_name() {
        assert_eq!(voice("Kick2"), Voice::Kick);
        assert_eq!(voice("hat-open"), Voice::OpenHat);
        assert_eq!(voice("openhat"), Voice::OpenHat);
        assert_eq!(voice("hat"), Voice::ClosedHat);
        assert_eq!(voice("clap"), Voice::Snare);
        assert_eq!(voice("bassline"), Voice::Synth);
    }

    #[test]
    fn words_that_only_hold_a_short_key_do_not() {
        assert_eq!(voice("custom"), Voice::Synth);
        assert_eq!(voice("chord"), Voice::Synth);
        assert_eq!(voice("chat"), Voice::Synth);
    }

    #[test]
    fn an_unknown_sample_stands_in_and_says_so() {
        let (id, sample) = (Name::new("hat").expect("a name"), Name::new("bell").expect("a name"));
        assert_eq!(voice_named(&id, &sample), VoiceChoice { voice: Voice::ClosedHat, stands_in: true });
    }
}
