//! Which voice a track plays.

use super::{Name, Track};

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
    /// Subtractive synthesizer for melodies, eight notes at once.
    Synth,
    /// Hand clap.
    Clap,
    /// Tom-tom.
    Tom,
    /// Small percussion: block, rim, conga.
    Perc,
    /// Shaker.
    Shaker,
    /// Crash and ride.
    Cymbal,
    /// Subtractive synthesizer, one note at a time, gliding between bound ones.
    Bass,
    /// Subtractive synthesizer for chords, swelling, eight notes at once.
    Pad,
    /// Frequency modulation by two operators, eight notes at once.
    Fm,
    /// A sample file, eight notes at once. No word names it: it comes with the track's file.
    Sampler,
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
    /// Those that a word names: all but the sampler.
    pub const ALL: [Voice; 13] = [
        Voice::Kick,
        Voice::Snare,
        Voice::ClosedHat,
        Voice::OpenHat,
        Voice::Clap,
        Voice::Tom,
        Voice::Perc,
        Voice::Shaker,
        Voice::Cymbal,
        Voice::Synth,
        Voice::Bass,
        Voice::Pad,
        Voice::Fm,
    ];

    /// What a person reads.
    pub const fn name(self) -> &'static str {
        match self {
            Voice::Kick => "kick",
            Voice::Snare => "snare",
            Voice::ClosedHat => "closed hat",
            Voice::OpenHat => "open hat",
            Voice::Clap => "clap",
            Voice::Tom => "tom",
            Voice::Perc => "perc",
            Voice::Shaker => "shaker",
            Voice::Cymbal => "cymbal",
            Voice::Synth => "synth",
            Voice::Bass => "bass",
            Voice::Pad => "pad",
            Voice::Fm => "fm",
            Voice::Sampler => "sampler",
        }
    }

    /// Whether its notes are held as long as they are written; the others ring out.
    pub const fn is_held(self) -> bool {
        matches!(self, Voice::Synth | Voice::Bass | Voice::Pad | Voice::Fm)
    }
}

/// What a track plays: its file where it has one, else the voice that its `sample` or id names.
///
/// Realtime-safe: yes.
pub fn voice_of(track: &Track) -> VoiceChoice {
    match track.file {
        Some(_) => VoiceChoice { voice: Voice::Sampler, stands_in: false },
        None => voice_named(&track.name, &track.sample),
    }
}

/// The voice of a track by its notation id, where no sample is named. Ids that hold a voice's word
/// ("kick2", "hat-open") play that voice; all others play the synth.
pub fn default_voice(id: &Name) -> Voice {
    known(id.as_str()).map_or(Voice::Synth, |choice| choice.voice)
}

/// The voice that a `sample` statement names for a track; an unknown name falls back to the id's
/// default voice and says so. The empty name is the id's default voice.
pub fn voice_named(id: &Name, sample: &Name) -> VoiceChoice {
    let of_id = known(id.as_str()).unwrap_or(VoiceChoice { voice: Voice::Synth, stands_in: false });
    if sample.is_empty() {
        return of_id;
    }
    known(sample.as_str()).unwrap_or(VoiceChoice { stands_in: true, ..of_id })
}

/// The words that mean a voice, the more telling ones first.
const WORDS: [(&str, Voice); 48] = [
    ("kick", Voice::Kick),
    ("bd", Voice::Kick),
    ("bassdrum", Voice::Kick),
    ("snare", Voice::Snare),
    ("sd", Voice::Snare),
    ("clap", Voice::Clap),
    ("cp", Voice::Clap),
    ("tom", Voice::Tom),
    ("toms", Voice::Tom),
    ("shaker", Voice::Shaker),
    ("maracas", Voice::Shaker),
    ("cabasa", Voice::Shaker),
    ("cymbal", Voice::Cymbal),
    ("crash", Voice::Cymbal),
    ("ride", Voice::Cymbal),
    ("perc", Voice::Perc),
    ("rim", Voice::Perc),
    ("rimshot", Voice::Perc),
    ("block", Voice::Perc),
    ("clave", Voice::Perc),
    ("conga", Voice::Perc),
    ("bongo", Voice::Perc),
    ("open", Voice::OpenHat),
    ("oh", Voice::OpenHat),
    ("closed", Voice::ClosedHat),
    ("hat", Voice::ClosedHat),
    ("hats", Voice::ClosedHat),
    ("hihat", Voice::ClosedHat),
    ("hh", Voice::ClosedHat),
    ("ch", Voice::ClosedHat),
    ("fm", Voice::Fm),
    ("bell", Voice::Fm),
    ("bells", Voice::Fm),
    ("ep", Voice::Fm),
    ("marimba", Voice::Fm),
    ("bass", Voice::Bass),
    ("sub", Voice::Bass),
    ("pad", Voice::Pad),
    ("pads", Voice::Pad),
    ("chord", Voice::Pad),
    ("chords", Voice::Pad),
    ("strings", Voice::Pad),
    ("synth", Voice::Synth),
    ("lead", Voice::Synth),
    ("keys", Voice::Synth),
    ("arp", Voice::Synth),
    ("pluck", Voice::Synth),
    ("stab", Voice::Synth),
];

fn known(word: &str) -> Option<VoiceChoice> {
    let found = WORDS.iter().find(|(key, _)| says(word, key));
    found.map(|(_, voice)| VoiceChoice { voice: *voice, stands_in: false })
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
        assert_eq!(voice("clap"), Voice::Clap);
        assert_eq!(voice("bassline"), Voice::Bass);
        assert_eq!(voice("bassdrum"), Voice::Kick);
    }

    #[test]
    fn words_that_only_hold_a_short_key_do_not() {
        assert_eq!(voice("custom"), Voice::Synth);
        assert_eq!(voice("chord"), Voice::Pad);
        assert_eq!(voice("chat"), Voice::Synth);
    }

    #[test]
    fn an_unknown_sample_stands_in_and_says_so() {
        let (id, sample) = (Name::new("hat").expect("a name"), Name::new("kazoo").expect("a name"));
        assert_eq!(voice_named(&id, &sample), VoiceChoice { voice: Voice::ClosedHat, stands_in: true });
    }
}
