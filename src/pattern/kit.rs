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

/// The voice of a track by its notation id, where no sample is named. Ids that contain a voice's
/// word ("kick2", "hat-open") play that voice; all others play the synth.
pub fn default_voice(id: &Name) -> Voice {
    known(id.as_str()).unwrap_or(Voice::Synth)
}

/// The voice that a `sample` statement names for a track; an unknown name falls back to the id's
/// default voice and says so. The empty name is the id's default voice.
pub fn voice_named(id: &Name, sample: &Name) -> VoiceChoice {
    if sample.is_empty() {
        return VoiceChoice { voice: default_voice(id), stands_in: false };
    }
    match known(sample.as_str()) {
        Some(voice) => VoiceChoice { voice, stands_in: false },
        None => VoiceChoice { voice: default_voice(id), stands_in: true },
    }
}

fn known(word: &str) -> Option<Voice> {
    const WORDS: [(&str, Voice); 14] = [
        ("kick", Voice::Kick),
        ("bd", Voice::Kick),
        ("snare", Voice::Snare),
        ("sd", Voice::Snare),
        ("open", Voice::OpenHat),
        ("oh", Voice::OpenHat),
        ("closed", Voice::ClosedHat),
        ("hat", Voice::ClosedHat),
        ("hh", Voice::ClosedHat),
        ("ch", Voice::ClosedHat),
        ("synth", Voice::Synth),
        ("bass", Voice::Synth),
        ("lead", Voice::Synth),
        ("pad", Voice::Synth),
    ];
    // Short words must match whole: "chord" is no closed hat.
    let matches = |key: &str| {
        if key.len() < 3 { word == key } else { word.contains(key) }
    };
    WORDS.into_iter().find(|(key, _)| matches(key)).map(|(_, voice)| voice)
}
