//! The rows. One a parameter; order is the wire's.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{Merge, ParamSpec, Taper, Unit};

struct Hearing {
    heard: bool,
    kept: bool,
}

/// The table's last word: sounded by this version's engine, or kept for a later one.
const HEARING: Hearing = Hearing { heard: true, kept: false };

macro_rules! table {
    ($($variant:ident $id:literal $name:literal, $min:literal to $max:literal, default $default:literal,
        stated $stated:literal, $unit:expr, $taper:ident, $merge:ident, $importance:literal, $heard:ident;)*) => {
        /// A parameter that every track and the master has.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Param {
            $(#[doc = concat!("`", $id, "`: ", $name, ".")] $variant,)*
        }

        /// Parameters of each owner.
        pub const PARAM_COUNT: usize = [$(Param::$variant),*].len();

        impl Param {
            /// All of them, in the order of the wire.
            pub const ALL: [Param; PARAM_COUNT] = [$(Param::$variant),*];
        }

        static SPECS: [ParamSpec; PARAM_COUNT] = [$(ParamSpec {
            id: $id,
            name: $name,
            min: $min,
            max: $max,
            default: $default,
            stated: $stated,
            unit: $unit,
            taper: Taper::$taper,
            merge: Merge::$merge,
            importance: $importance,
            heard: HEARING.$heard,
        }),*];
    };
}

impl Param {
    /// Its row of the table.
    pub fn spec(self) -> &'static ParamSpec {
        &SPECS[self as usize]
    }

    /// The parameter with a stable id.
    pub fn by_id(id: &str) -> Option<Param> {
        Param::ALL.into_iter().find(|param| param.spec().id == id)
    }
}

impl Serialize for Param {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(*self as u8)
    }
}

impl<'de> Deserialize<'de> for Param {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Param, D::Error> {
        let index = u8::deserialize(deserializer)?;
        let param = Param::ALL.get(usize::from(index)).copied();
        param.ok_or_else(|| de::Error::custom(format_args!("there is no parameter {index}")))
    }
}

table! {
    Level "level" "Level", 0.0 to 1.0, default 0.8, stated 0.8, Unit::Fader, Linear, Mean, 0.9, heard;
    Pan "pan" "Pan", -1.0 to 1.0, default 0.0, stated 0.0, Unit::None, Linear, Mean, 0.5, heard;
    Mute "mute" "Mute", 0.0 to 1.0, default 0.0, stated 0.0, Unit::Switch, Stepped, LastWrite, 0.9, heard;
    Tune "tune" "Tune", -24.0 to 24.0, default 0.0, stated 0.0, Unit::Semitones, Linear, Mean, 0.7, heard;
    Decay "decay" "Decay", 0.1 to 4.0, default 1.0, stated 1.0, Unit::None, Log, Mean, 0.5, heard;
    SampleGain "sample.gain" "Sample gain", -3.0 to 3.0, default 0.0, stated 0.0, Unit::None, Stepped, LastWrite, 0.6, heard;
    EqEnabled "eq.enabled" "EQ on", 0.0 to 1.0, default 1.0, stated 1.0, Unit::Switch, Stepped, LastWrite, 0.5, kept;
    EqLow "eq.low" "EQ low", -3.0 to 3.0, default 0.0, stated 0.0, Unit::None, Stepped, LastWrite, 0.4, kept;
    EqMid "eq.mid" "EQ mid", -3.0 to 3.0, default 0.0, stated 0.0, Unit::None, Stepped, LastWrite, 0.4, kept;
    EqHigh "eq.high" "EQ high", -3.0 to 3.0, default 0.0, stated 0.0, Unit::None, Stepped, LastWrite, 0.4, kept;
    AmpEnabled "amp.enabled" "Amp on", 0.0 to 1.0, default 1.0, stated 1.0, Unit::Switch, Stepped, LastWrite, 0.5, heard;
    AmpGain "amp.gain" "Amp gain", -3.0 to 3.0, default 0.0, stated 0.0, Unit::None, Stepped, LastWrite, 0.6, heard;
    CompEnabled "comp.enabled" "Compressor on", 0.0 to 1.0, default 1.0, stated 1.0, Unit::Switch, Stepped, LastWrite, 0.5, kept;
    CompThreshold "comp.threshold" "Compressor threshold", -60.0 to 0.0, default 0.0, stated -24.0, Unit::Decibels, Linear, Mean, 0.4, kept;
    CompRatio "comp.ratio" "Compressor ratio", 1.0 to 20.0, default 1.0, stated 4.0, Unit::Ratio, Log, Mean, 0.4, kept;
    CompAttack "comp.attack" "Compressor attack", 0.001 to 0.3, default 0.01, stated 0.01, Unit::Seconds, Log, Mean, 0.2, kept;
    CompRelease "comp.release" "Compressor release", 0.02 to 1.0, default 0.25, stated 0.25, Unit::Seconds, Log, Mean, 0.2, kept;
    CompKnee "comp.knee" "Compressor knee", 0.0 to 40.0, default 30.0, stated 30.0, Unit::Decibels, Linear, Mean, 0.2, kept;
    FilterEnabled "filter.enabled" "Filter on", 0.0 to 1.0, default 1.0, stated 1.0, Unit::Switch, Stepped, LastWrite, 0.5, heard;
    FilterType "filter.type" "Filter type", 0.0 to 3.0, default 0.0, stated 0.0, Unit::Words(&["lowpass", "highpass", "bandpass", "notch"]), Stepped, LastWrite, 0.6, heard;
    FilterFreq "filter.freq" "Filter cutoff", 20.0 to 20000.0, default 20000.0, stated 20000.0, Unit::Hertz, Log, Mean, 0.8, heard;
    FilterQ "filter.q" "Filter resonance", 0.1 to 30.0, default 1.0, stated 1.0, Unit::None, Log, Mean, 0.6, heard;
    DelayEnabled "delay.enabled" "Delay on", 0.0 to 1.0, default 1.0, stated 1.0, Unit::Switch, Stepped, LastWrite, 0.5, heard;
    DelayTime "delay.time" "Delay time", 0.01 to 2.0, default 0.25, stated 0.25, Unit::Seconds, Log, Mean, 0.5, heard;
    DelayFeedback "delay.feedback" "Delay feedback", 0.0 to 0.95, default 0.4, stated 0.4, Unit::None, Linear, Mean, 0.5, heard;
    DelayMix "delay.mix" "Delay mix", 0.0 to 1.0, default 0.0, stated 0.3, Unit::None, Linear, Mean, 0.5, heard;
    ReverbEnabled "reverb.enabled" "Reverb on", 0.0 to 1.0, default 1.0, stated 1.0, Unit::Switch, Stepped, LastWrite, 0.5, kept;
    ReverbMix "reverb.mix" "Reverb mix", 0.0 to 1.0, default 0.0, stated 0.3, Unit::None, Linear, Mean, 0.5, kept;
    ReverbDecay "reverb.decay" "Reverb decay", 0.1 to 10.0, default 2.5, stated 2.5, Unit::Seconds, Log, Mean, 0.4, kept;
    ReverbPredelay "reverb.predelay" "Reverb pre-delay", 0.0 to 0.1, default 0.0, stated 0.02, Unit::Seconds, Linear, Mean, 0.2, kept;
    DistortEnabled "distort.enabled" "Drive on", 0.0 to 1.0, default 1.0, stated 1.0, Unit::Switch, Stepped, LastWrite, 0.5, heard;
    DistortAmount "distort.amount" "Drive amount", 0.0 to 1.0, default 0.5, stated 0.5, Unit::None, Linear, Mean, 0.6, heard;
    DistortMix "distort.mix" "Drive mix", 0.0 to 1.0, default 0.0, stated 0.3, Unit::None, Linear, Mean, 0.6, heard;
    EnvEnabled "env.enabled" "Envelope on", 0.0 to 1.0, default 0.0, stated 1.0, Unit::Switch, Stepped, LastWrite, 0.5, heard;
    EnvAttack "env.attack" "Envelope attack", 0.001 to 2.0, default 0.01, stated 0.01, Unit::Seconds, Log, Mean, 0.4, heard;
    EnvDecay "env.decay" "Envelope decay", 0.001 to 2.0, default 0.1, stated 0.1, Unit::Seconds, Log, Mean, 0.4, heard;
    EnvSustain "env.sustain" "Envelope sustain", 0.0 to 1.0, default 0.5, stated 0.5, Unit::None, Linear, Mean, 0.4, heard;
    EnvRelease "env.release" "Envelope release", 0.01 to 5.0, default 0.3, stated 0.3, Unit::Seconds, Log, Mean, 0.4, heard;
    ChorusEnabled "chorus.enabled" "Chorus on", 0.0 to 1.0, default 1.0, stated 1.0, Unit::Switch, Stepped, LastWrite, 0.5, kept;
    ChorusRate "chorus.rate" "Chorus rate", 0.1 to 10.0, default 1.5, stated 1.5, Unit::Hertz, Log, Mean, 0.3, kept;
    ChorusDepth "chorus.depth" "Chorus depth", 0.0 to 1.0, default 0.4, stated 0.4, Unit::None, Linear, Mean, 0.3, kept;
    ChorusMix "chorus.mix" "Chorus mix", 0.0 to 1.0, default 0.0, stated 0.3, Unit::None, Linear, Mean, 0.4, kept;
    PhaserEnabled "phaser.enabled" "Phaser on", 0.0 to 1.0, default 1.0, stated 1.0, Unit::Switch, Stepped, LastWrite, 0.5, kept;
    PhaserRate "phaser.rate" "Phaser rate", 0.1 to 10.0, default 0.5, stated 0.5, Unit::Hertz, Log, Mean, 0.3, kept;
    PhaserDepth "phaser.depth" "Phaser depth", 0.0 to 1.0, default 0.6, stated 0.6, Unit::None, Linear, Mean, 0.3, kept;
    PhaserStages "phaser.stages" "Phaser stages", 0.0 to 4.0, default 1.0, stated 1.0, Unit::Words(&["2", "4", "6", "8", "12"]), Stepped, LastWrite, 0.2, kept;
    PhaserMix "phaser.mix" "Phaser mix", 0.0 to 1.0, default 0.0, stated 0.3, Unit::None, Linear, Mean, 0.4, kept;
    LfoAmpEnabled "lfo.amp.enabled" "LFO to Amp: on", 0.0 to 1.0, default 1.0, stated 1.0, Unit::Switch, Stepped, LastWrite, 0.5, kept;
    LfoAmpRate "lfo.amp.rate" "LFO to Amp: rate", 0.1 to 20.0, default 1.0, stated 1.0, Unit::Hertz, Log, Mean, 0.3, kept;
    LfoAmpDepth "lfo.amp.depth" "LFO to Amp: depth", 0.0 to 1.0, default 0.0, stated 0.5, Unit::None, Linear, Mean, 0.4, kept;
    LfoAmpWave "lfo.amp.wave" "LFO to Amp: wave", 0.0 to 3.0, default 0.0, stated 0.0, Unit::Words(&["sine", "triangle", "square", "sawtooth"]), Stepped, LastWrite, 0.2, kept;
    LfoPanEnabled "lfo.pan.enabled" "LFO to Pan: on", 0.0 to 1.0, default 1.0, stated 1.0, Unit::Switch, Stepped, LastWrite, 0.5, kept;
    LfoPanRate "lfo.pan.rate" "LFO to Pan: rate", 0.1 to 20.0, default 1.0, stated 1.0, Unit::Hertz, Log, Mean, 0.3, kept;
    LfoPanDepth "lfo.pan.depth" "LFO to Pan: depth", 0.0 to 1.0, default 0.0, stated 0.5, Unit::None, Linear, Mean, 0.4, kept;
    LfoPanWave "lfo.pan.wave" "LFO to Pan: wave", 0.0 to 3.0, default 0.0, stated 0.0, Unit::Words(&["sine", "triangle", "square", "sawtooth"]), Stepped, LastWrite, 0.2, kept;
    LfoFreqEnabled "lfo.freq.enabled" "LFO to Cutoff: on", 0.0 to 1.0, default 1.0, stated 1.0, Unit::Switch, Stepped, LastWrite, 0.5, kept;
    LfoFreqRate "lfo.freq.rate" "LFO to Cutoff: rate", 0.1 to 20.0, default 1.0, stated 1.0, Unit::Hertz, Log, Mean, 0.3, kept;
    LfoFreqDepth "lfo.freq.depth" "LFO to Cutoff: depth", 0.0 to 1.0, default 0.0, stated 0.5, Unit::None, Linear, Mean, 0.4, kept;
    LfoFreqWave "lfo.freq.wave" "LFO to Cutoff: wave", 0.0 to 3.0, default 0.0, stated 0.0, Unit::Words(&["sine", "triangle", "square", "sawtooth"]), Stepped, LastWrite, 0.2, kept;
    LfoQEnabled "lfo.q.enabled" "LFO to Resonance: on", 0.0 to 1.0, default 1.0, stated 1.0, Unit::Switch, Stepped, LastWrite, 0.5, kept;
    LfoQRate "lfo.q.rate" "LFO to Resonance: rate", 0.1 to 20.0, default 1.0, stated 1.0, Unit::Hertz, Log, Mean, 0.3, kept;
    LfoQDepth "lfo.q.depth" "LFO to Resonance: depth", 0.0 to 1.0, default 0.0, stated 0.5, Unit::None, Linear, Mean, 0.4, kept;
    LfoQWave "lfo.q.wave" "LFO to Resonance: wave", 0.0 to 3.0, default 0.0, stated 0.0, Unit::Words(&["sine", "triangle", "square", "sawtooth"]), Stepped, LastWrite, 0.2, kept;
    LfoTimeEnabled "lfo.time.enabled" "LFO to Delay time: on", 0.0 to 1.0, default 1.0, stated 1.0, Unit::Switch, Stepped, LastWrite, 0.5, kept;
    LfoTimeRate "lfo.time.rate" "LFO to Delay time: rate", 0.1 to 20.0, default 1.0, stated 1.0, Unit::Hertz, Log, Mean, 0.3, kept;
    LfoTimeDepth "lfo.time.depth" "LFO to Delay time: depth", 0.0 to 1.0, default 0.0, stated 0.5, Unit::None, Linear, Mean, 0.4, kept;
    LfoTimeWave "lfo.time.wave" "LFO to Delay time: wave", 0.0 to 3.0, default 0.0, stated 0.0, Unit::Words(&["sine", "triangle", "square", "sawtooth"]), Stepped, LastWrite, 0.2, kept;
    LfoFeedbackEnabled "lfo.feedback.enabled" "LFO to Delay feedback: on", 0.0 to 1.0, default 1.0, stated 1.0, Unit::Switch, Stepped, LastWrite, 0.5, kept;
    LfoFeedbackRate "lfo.feedback.rate" "LFO to Delay feedback: rate", 0.1 to 20.0, default 1.0, stated 1.0, Unit::Hertz, Log, Mean, 0.3, kept;
    LfoFeedbackDepth "lfo.feedback.depth" "LFO to Delay feedback: depth", 0.0 to 1.0, default 0.0, stated 0.5, Unit::None, Linear, Mean, 0.4, kept;
    LfoFeedbackWave "lfo.feedback.wave" "LFO to Delay feedback: wave", 0.0 to 3.0, default 0.0, stated 0.0, Unit::Words(&["sine", "triangle", "square", "sawtooth"]), Stepped, LastWrite, 0.2, kept;
    LfoMixEnabled "lfo.mix.enabled" "LFO to Delay mix: on", 0.0 to 1.0, default 1.0, stated 1.0, Unit::Switch, Stepped, LastWrite, 0.5, kept;
    LfoMixRate "lfo.mix.rate" "LFO to Delay mix: rate", 0.1 to 20.0, default 1.0, stated 1.0, Unit::Hertz, Log, Mean, 0.3, kept;
    LfoMixDepth "lfo.mix.depth" "LFO to Delay mix: depth", 0.0 to 1.0, default 0.0, stated 0.5, Unit::None, Linear, Mean, 0.4, kept;
    LfoMixWave "lfo.mix.wave" "LFO to Delay mix: wave", 0.0 to 3.0, default 0.0, stated 0.0, Unit::Words(&["sine", "triangle", "square", "sawtooth"]), Stepped, LastWrite, 0.2, kept;
    GrooveEnabled "groove.enabled" "Groove on", 0.0 to 1.0, default 1.0, stated 1.0, Unit::Switch, Stepped, LastWrite, 0.5, heard;
    GrooveType "groove.type" "Groove type", 0.0 to 4.0, default 0.0, stated 0.0, Unit::Words(&["swing", "humanize", "rush", "drag", "template"]), Stepped, LastWrite, 0.6, heard;
    GrooveAmount "groove.amount" "Groove amount", 0.0 to 1.0, default 0.0, stated 0.5, Unit::None, Linear, Mean, 0.6, heard;
    GrooveSubdivision "groove.subdivision" "Groove subdivision", 0.0 to 2.0, default 2.0, stated 2.0, Unit::Words(&["4n", "8n", "16n"]), Stepped, LastWrite, 0.5, heard;
    Ceiling "limiter.ceiling" "Limiter ceiling", -24.0 to 0.0, default -0.3, stated -0.3, Unit::Decibels, Linear, Mean, 0.5, heard;
}
