//! The rows. One a parameter; order is the wire's.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{Merge, ParamSpec, Taper, Unit};

macro_rules! table {
    ($($variant:ident $id:literal $name:literal, $min:literal to $max:literal, default $default:literal,
        stated $stated:literal, $unit:expr, $taper:ident, $merge:ident, $importance:literal;)*) => {
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
    Level "level" "Level", 0.0 to 1.0, default 0.8, stated 0.8, Unit::Fader, Linear, Mean, 0.9;
    Pan "pan" "Pan", -1.0 to 1.0, default 0.0, stated 0.0, Unit::None, Linear, Mean, 0.5;
    Mute "mute" "Mute", 0.0 to 1.0, default 0.0, stated 0.0, Unit::Switch, Stepped, LastWrite, 0.9;
    Tune "tune" "Tune", -24.0 to 24.0, default 0.0, stated 0.0, Unit::Semitones, Linear, Mean, 0.7;
    Decay "decay" "Decay", 0.1 to 4.0, default 1.0, stated 1.0, Unit::None, Log, Mean, 0.5;
    SampleGain "sample.gain" "Sample gain", -3.0 to 3.0, default 0.0, stated 0.0, Unit::None, Stepped, LastWrite, 0.6;
    EqEnabled "eq.enabled" "EQ on", 0.0 to 1.0, default 1.0, stated 1.0, Unit::Switch, Stepped, LastWrite, 0.5;
    EqLow "eq.low" "EQ low", -3.0 to 3.0, default 0.0, stated 0.0, Unit::None, Stepped, LastWrite, 0.4;
    EqMid "eq.mid" "EQ mid", -3.0 to 3.0, default 0.0, stated 0.0, Unit::None, Stepped, LastWrite, 0.4;
    EqHigh "eq.high" "EQ high", -3.0 to 3.0, default 0.0, stated 0.0, Unit::None, Stepped, LastWrite, 0.4;
    AmpEnabled "amp.enabled" "Amp on", 0.0 to 1.0, default 1.0, stated 1.0, Unit::Switch, Stepped, LastWrite, 0.5;
    AmpGain "amp.gain" "Amp gain", -3.0 to 3.0, default 0.0, stated 0.0, Unit::None, Stepped, LastWrite, 0.6;
    CompEnabled "comp.enabled" "Compressor on", 0.0 to 1.0, default 1.0, stated 1.0, Unit::Switch, Stepped, LastWrite, 0.5;
    CompThreshold "comp.threshold" "Compressor threshold", -60.0 to 0.0, default 0.0, stated -24.0, Unit::Decibels, Linear, Mean, 0.4;
    CompRatio "comp.ratio" "Compressor ratio", 1.0 to 20.0, default 1.0, stated 4.0, Unit::Ratio, Log, Mean, 0.4;
    CompAttack "comp.attack" "Compressor attack", 0.001 to 0.3, default 0.01, stated 0.01, Unit::Seconds, Log, Mean, 0.2;
    CompRelease "comp.release" "Compressor release", 0.02 to 1.0, default 0.25, stated 0.25, Unit::Seconds, Log, Mean, 0.2;
    CompKnee "comp.knee" "Compressor knee", 0.0 to 40.0, default 30.0, stated 30.0, Unit::Decibels, Linear, Mean, 0.2;
    FilterEnabled "filter.enabled" "Filter on", 0.0 to 1.0, default 1.0, stated 1.0, Unit::Switch, Stepped, LastWrite, 0.5;
    FilterType "filter.type" "Filter type", 0.0 to 3.0, default 0.0, stated 0.0, Unit::Words(&["lowpass", "highpass", "bandpass", "notch"]), Stepped, LastWrite, 0.6;
    FilterFreq "filter.freq" "Filter cutoff", 20.0 to 20000.0, default 20000.0, stated 20000.0, Unit::Hertz, Log, Mean, 0.8;
    FilterQ "filter.q" "Filter resonance", 0.1 to 30.0, default 1.0, stated 1.0, Unit::None, Log, Mean, 0.6;
    DelayEnabled "delay.enabled" "Delay on", 0.0 to 1.0, default 1.0, stated 1.0, Unit::Switch, Stepped, LastWrite, 0.5;
    DelayTime "delay.time" "Delay time", 0.01 to 2.0, default 0.25, stated 0.25, Unit::Seconds, Log, Mean, 0.5;
    DelayFeedback "delay.feedback" "Delay feedback", 0.0 to 0.95, default 0.4, stated 0.4, Unit::None, Linear, Mean, 0.5;
    DelayMix "delay.mix" "Delay mix", 0.0 to 1.0, default 0.0, stated 0.3, Unit::None, Linear, Mean, 0.5;
    ReverbEnabled "reverb.enabled" "Reverb on", 0.0 to 1.0, default 1.0, stated 1.0, Unit::Switch, Stepped, LastWrite, 0.5;
    ReverbMix "reverb.mix" "Reverb mix", 0.0 to 1.0, default 0.0, stated 0.3, Unit::None, Linear, Mean, 0.5;
    ReverbDecay "reverb.decay" "Reverb decay", 0.1 to 10.0, default 2.5, stated 2.5, Unit::Seconds, Log, Mean, 0.4;
    ReverbPredelay "reverb.predelay" "Reverb pre-delay", 0.0 to 0.1, default 0.0, stated 0.02, Unit::Seconds, Linear, Mean, 0.2;
    DistortEnabled "distort.enabled" "Drive on", 0.0 to 1.0, default 1.0, stated 1.0, Unit::Switch, Stepped, LastWrite, 0.5;
    DistortAmount "distort.amount" "Drive amount", 0.0 to 1.0, default 0.5, stated 0.5, Unit::None, Linear, Mean, 0.6;
    DistortMix "distort.mix" "Drive mix", 0.0 to 1.0, default 0.0, stated 0.3, Unit::None, Linear, Mean, 0.6;
    EnvEnabled "env.enabled" "Envelope on", 0.0 to 1.0, default 0.0, stated 1.0, Unit::Switch, Stepped, LastWrite, 0.5;
    EnvAttack "env.attack" "Envelope attack", 0.001 to 2.0, default 0.01, stated 0.01, Unit::Seconds, Log, Mean, 0.4;
    EnvDecay "env.decay" "Envelope decay", 0.001 to 2.0, default 0.1, stated 0.1, Unit::Seconds, Log, Mean, 0.4;
    EnvSustain "env.sustain" "Envelope sustain", 0.0 to 1.0, default 0.5, stated 0.5, Unit::None, Linear, Mean, 0.4;
    EnvRelease "env.release" "Envelope release", 0.01 to 5.0, default 0.3, stated 0.3, Unit::Seconds, Log, Mean, 0.4;
    ChorusEnabled "chorus.enabled" "Chorus on", 0.0 to 1.0, default 1.0, stated 1.0, Unit::Switch, Stepped, LastWrite, 0.5;
    ChorusRate "chorus.rate" "Chorus rate", 0.1 to 10.0, default 1.5, stated 1.5, Unit::Hertz, Log, Mean, 0.3;
    ChorusDepth "chorus.depth" "Chorus depth", 0.0 to 1.0, default 0.4, stated 0.4, Unit::None, Linear, Mean, 0.3;
    ChorusMix "chorus.mix" "Chorus mix", 0.0 to 1.0, default 0.0, stated 0.3, Unit::None, Linear, Mean, 0.4;
    PhaserEnabled "phaser.enabled" "Phaser on", 0.0 to 1.0, default 1.0, stated 1.0, Unit::Switch, Stepped, LastWrite, 0.5;
    PhaserRate "phaser.rate" "Phaser rate", 0.1 to 10.0, default 0.5, stated 0.5, Unit::Hertz, Log, Mean, 0.3;
    PhaserDepth "phaser.depth" "Phaser depth", 0.0 to 1.0, default 0.6, stated 0.6, Unit::None, Linear, Mean, 0.3;
    PhaserStages "phaser.stages" "Phaser stages", 0.0 to 4.0, default 1.0, stated 1.0, Unit::Words(&["2", "4", "6", "8", "12"]), Stepped, LastWrite, 0.2;
    PhaserMix "phaser.mix" "Phaser mix", 0.0 to 1.0, default 0.0, stated 0.3, Unit::None, Linear, Mean, 0.4;
    LfoAmpEnabled "lfo.amp.enabled" "LFO to Amp: on", 0.0 to 1.0, default 1.0, stated 1.0, Unit::Switch, Stepped, LastWrite, 0.5;
    LfoAmpRate "lfo.amp.rate" "LFO to Amp: rate", 0.1 to 20.0, default 1.0, stated 1.0, Unit::Hertz, Log, Mean, 0.3;
    LfoAmpDepth "lfo.amp.depth" "LFO to Amp: depth", 0.0 to 1.0, default 0.0, stated 0.5, Unit::None, Linear, Mean, 0.4;
    LfoAmpWave "lfo.amp.wave" "LFO to Amp: wave", 0.0 to 3.0, default 0.0, stated 0.0, Unit::Words(&["sine", "triangle", "square", "sawtooth"]), Stepped, LastWrite, 0.2;
    LfoPanEnabled "lfo.pan.enabled" "LFO to Pan: on", 0.0 to 1.0, default 1.0, stated 1.0, Unit::Switch, Stepped, LastWrite, 0.5;
    LfoPanRate "lfo.pan.rate" "LFO to Pan: rate", 0.1 to 20.0, default 1.0, stated 1.0, Unit::Hertz, Log, Mean, 0.3;
    LfoPanDepth "lfo.pan.depth" "LFO to Pan: depth", 0.0 to 1.0, default 0.0, stated 0.5, Unit::None, Linear, Mean, 0.4;
    LfoPanWave "lfo.pan.wave" "LFO to Pan: wave", 0.0 to 3.0, default 0.0, stated 0.0, Unit::Words(&["sine", "triangle", "square", "sawtooth"]), Stepped, LastWrite, 0.2;
    LfoFreqEnabled "lfo.freq.enabled" "LFO to Cutoff: on", 0.0 to 1.0, default 1.0, stated 1.0, Unit::Switch, Stepped, LastWrite, 0.5;
    LfoFreqRate "lfo.freq.rate" "LFO to Cutoff: rate", 0.1 to 20.0, default 1.0, stated 1.0, Unit::Hertz, Log, Mean, 0.3;
    LfoFreqDepth "lfo.freq.depth" "LFO to Cutoff: depth", 0.0 to 1.0, default 0.0, stated 0.5, Unit::None, Linear, Mean, 0.4;
    LfoFreqWave "lfo.freq.wave" "LFO to Cutoff: wave", 0.0 to 3.0, default 0.0, stated 0.0, Unit::Words(&["sine", "triangle", "square", "sawtooth"]), Stepped, LastWrite, 0.2;
    LfoQEnabled "lfo.q.enabled" "LFO to Resonance: on", 0.0 to 1.0, default 1.0, stated 1.0, Unit::Switch, Stepped, LastWrite, 0.5;
    LfoQRate "lfo.q.rate" "LFO to Resonance: rate", 0.1 to 20.0, default 1.0, stated 1.0, Unit::Hertz, Log, Mean, 0.3;
    LfoQDepth "lfo.q.depth" "LFO to Resonance: depth", 0.0 to 1.0, default 0.0, stated 0.5, Unit::None, Linear, Mean, 0.4;
    LfoQWave "lfo.q.wave" "LFO to Resonance: wave", 0.0 to 3.0, default 0.0, stated 0.0, Unit::Words(&["sine", "triangle", "square", "sawtooth"]), Stepped, LastWrite, 0.2;
    LfoTimeEnabled "lfo.time.enabled" "LFO to Delay time: on", 0.0 to 1.0, default 1.0, stated 1.0, Unit::Switch, Stepped, LastWrite, 0.5;
    LfoTimeRate "lfo.time.rate" "LFO to Delay time: rate", 0.1 to 20.0, default 1.0, stated 1.0, Unit::Hertz, Log, Mean, 0.3;
    LfoTimeDepth "lfo.time.depth" "LFO to Delay time: depth", 0.0 to 1.0, default 0.0, stated 0.5, Unit::None, Linear, Mean, 0.4;
    LfoTimeWave "lfo.time.wave" "LFO to Delay time: wave", 0.0 to 3.0, default 0.0, stated 0.0, Unit::Words(&["sine", "triangle", "square", "sawtooth"]), Stepped, LastWrite, 0.2;
    LfoFeedbackEnabled "lfo.feedback.enabled" "LFO to Delay feedback: on", 0.0 to 1.0, default 1.0, stated 1.0, Unit::Switch, Stepped, LastWrite, 0.5;
    LfoFeedbackRate "lfo.feedback.rate" "LFO to Delay feedback: rate", 0.1 to 20.0, default 1.0, stated 1.0, Unit::Hertz, Log, Mean, 0.3;
    LfoFeedbackDepth "lfo.feedback.depth" "LFO to Delay feedback: depth", 0.0 to 1.0, default 0.0, stated 0.5, Unit::None, Linear, Mean, 0.4;
    LfoFeedbackWave "lfo.feedback.wave" "LFO to Delay feedback: wave", 0.0 to 3.0, default 0.0, stated 0.0, Unit::Words(&["sine", "triangle", "square", "sawtooth"]), Stepped, LastWrite, 0.2;
    LfoMixEnabled "lfo.mix.enabled" "LFO to Delay mix: on", 0.0 to 1.0, default 1.0, stated 1.0, Unit::Switch, Stepped, LastWrite, 0.5;
    LfoMixRate "lfo.mix.rate" "LFO to Delay mix: rate", 0.1 to 20.0, default 1.0, stated 1.0, Unit::Hertz, Log, Mean, 0.3;
    LfoMixDepth "lfo.mix.depth" "LFO to Delay mix: depth", 0.0 to 1.0, default 0.0, stated 0.5, Unit::None, Linear, Mean, 0.4;
    LfoMixWave "lfo.mix.wave" "LFO to Delay mix: wave", 0.0 to 3.0, default 0.0, stated 0.0, Unit::Words(&["sine", "triangle", "square", "sawtooth"]), Stepped, LastWrite, 0.2;
    GrooveEnabled "groove.enabled" "Groove on", 0.0 to 1.0, default 1.0, stated 1.0, Unit::Switch, Stepped, LastWrite, 0.5;
    GrooveType "groove.type" "Groove type", 0.0 to 4.0, default 0.0, stated 0.0, Unit::Words(&["swing", "humanize", "rush", "drag", "template"]), Stepped, LastWrite, 0.6;
    GrooveAmount "groove.amount" "Groove amount", 0.0 to 1.0, default 0.0, stated 0.5, Unit::None, Linear, Mean, 0.6;
    GrooveSubdivision "groove.subdivision" "Groove subdivision", 0.0 to 2.0, default 2.0, stated 2.0, Unit::Words(&["4n", "8n", "16n"]), Stepped, LastWrite, 0.5;
    Ceiling "limiter.ceiling" "Limiter ceiling", -24.0 to 0.0, default -0.3, stated -0.3, Unit::Decibels, Linear, Mean, 0.5;
    CompSide "comp.side" "Compressor listens to", 0.0 to 16.0, default 0.0, stated 0.0, Unit::Words(&["own", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16"]), Stepped, LastWrite, 0.4;
    SendReverb "send.reverb" "Send to reverb", 0.0 to 1.0, default 0.0, stated 0.0, Unit::None, Linear, Mean, 0.5;
    SendDelay "send.delay" "Send to delay", 0.0 to 1.0, default 0.0, stated 0.0, Unit::None, Linear, Mean, 0.5;
    VoiceTone "voice.tone" "Tone", -1.0 to 1.0, default 0.0, stated 0.0, Unit::None, Linear, Mean, 0.6;
    VoicePunch "voice.punch" "Punch", -1.0 to 1.0, default 0.0, stated 0.0, Unit::None, Linear, Mean, 0.5;
    VoiceNoise "voice.noise" "Noise", -1.0 to 1.0, default 0.0, stated 0.0, Unit::None, Linear, Mean, 0.5;
    VoiceBend "voice.bend" "Bend", -1.0 to 1.0, default 0.0, stated 0.0, Unit::None, Linear, Mean, 0.5;
    VoiceDrive "voice.drive" "Voice drive", 0.0 to 1.0, default 0.0, stated 0.0, Unit::None, Linear, Mean, 0.5;
    VoiceSpread "voice.spread" "Spread", -1.0 to 1.0, default 0.0, stated 0.0, Unit::None, Linear, Mean, 0.4;
    VoiceSub "voice.sub" "Sub", -1.0 to 1.0, default 0.0, stated 0.0, Unit::None, Linear, Mean, 0.5;
    VoiceGlide "voice.glide" "Glide", 0.0 to 1.0, default 0.06, stated 0.06, Unit::Seconds, Linear, Mean, 0.4;
    VoiceRatio "voice.ratio" "FM ratio", 0.25 to 16.0, default 2.0, stated 2.0, Unit::None, Log, Mean, 0.5;
    SampleStart "sample.start" "Sample start", 0.0 to 1.0, default 0.0, stated 0.0, Unit::None, Linear, Mean, 0.6;
    SampleEnd "sample.end" "Sample end", 0.0 to 1.0, default 1.0, stated 1.0, Unit::None, Linear, Mean, 0.6;
    SampleReverse "sample.reverse" "Sample backwards", 0.0 to 1.0, default 0.0, stated 0.0, Unit::Switch, Stepped, LastWrite, 0.6;
    SamplePlay "sample.play" "Sample plays", 0.0 to 2.0, default 0.0, stated 0.0, Unit::Words(&["once", "held", "loop"]), Stepped, LastWrite, 0.6;
    DelaySync "delay.sync" "Delay sync", 0.0 to 17.0, default 0.0, stated 0.0, Unit::Words(&["off", "1/32", "1/16t", "1/32d", "1/16", "1/8t", "1/16d", "1/8", "1/4t", "1/8d", "1/4", "1/2t", "1/4d", "1/2", "1/1t", "1/2d", "1/1", "1/1d"]), Stepped, LastWrite, 0.5;
    VoiceWidth "voice.width" "Width", -1.0 to 1.0, default 0.0, stated 0.0, Unit::None, Linear, Mean, 0.4;
}
