//! Controllers of the musician's hardware and what they move.
//!
//! A move of a shared parameter is what a host's automation is: it sounds at once and is told as
//! [`super::ports::FromEngine::ParamMoved`]; one of the own mix is told as `MineMoved`. Thread: audio,
//! but for making a map. Realtime-safe: yes. Invariant: a controller that nobody has mapped changes
//! nothing.

use serde::{Deserialize, Serialize};

use super::personal::{MAX_TRIM_DB, MIN_TRIM_DB, is_personal};
use crate::param::{Owner, Slot, Taper, TrackIndex, Unit};

/// The most mappings of a map.
pub const MAX_MAPPINGS: usize = 128;
/// MIDI's channels.
const CHANNELS: usize = 16;
/// Controllers whose fine halves lie 32 further on.
pub const WIDE: u8 = 32;
/// How near a controller must come to a value to take it over, as travel.
const NEAR: f32 = 0.02;
/// For so many frames what a controller has set counts as where the value stands: the move is on its
/// way.
const ON_ITS_WAY: i64 = 9_600;

/// What of a controller's channel is moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Source {
    /// A control change, 0 to 127, in 7 bits.
    Cc(u8),
    /// A pair of control changes, 0 to 31 and that and 32, in 14 bits; it counts with its fine half.
    Wide(u8),
    /// The pitch wheel.
    PitchBend,
    /// The channel's pressure.
    Pressure,
    /// A key or pad. A mapped one is no longer played.
    Note(u8),
}

/// One controller, on whatever device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Controller {
    /// MIDI channel, 0 to 15.
    pub channel: u8,
    /// What of it.
    pub source: Source,
}

/// What a controller moves.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Target {
    /// A parameter of the song, for everybody.
    Shared(Slot),
    /// A parameter of the own mix's effects.
    Own(Slot),
    /// A trim of the own mix, or its level.
    Trim(Owner),
    /// A track's mute in the own mix.
    Mute(TrackIndex),
    /// A track's solo in the own mix.
    Solo(TrackIndex),
    /// A track's balance in the own mix.
    Pan(TrackIndex),
}

/// How a controller takes hold of a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Takeover {
    /// From where the controller passes the value on, so that nothing jumps.
    #[default]
    PickUp,
    /// At once.
    Absolute,
    /// An endless encoder that sends 1, 2, … and 127, 126, …
    TwosComplement,
    /// An endless encoder that sends 65, 66, … and 63, 62, …
    BinaryOffset,
}

/// A controller and what it moves.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mapping {
    /// Which controller.
    pub controller: Controller,
    /// What it moves.
    pub target: Target,
    /// How.
    pub takeover: Takeover,
}

impl Mapping {
    /// Whether the mapping (perhaps from a file) is one.
    pub fn is_sound(&self) -> bool {
        let source = match self.controller.source {
            Source::Cc(number) | Source::Note(number) => number < 128,
            Source::Wide(number) => number < WIDE,
            Source::PitchBend | Source::Pressure => true,
        };
        let target = match self.target {
            Target::Shared(slot) => slot.is_valid(),
            Target::Own(slot) => slot.is_valid() && is_personal(slot),
            Target::Trim(Owner::Track(track))
            | Target::Mute(track)
            | Target::Solo(track)
            | Target::Pan(track) => track.is_valid(),
            Target::Trim(Owner::Master) => true,
        };
        source && target && usize::from(self.controller.channel) < CHANNELS
    }
}

/// What a controller did, as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Said {
    /// A control change: number and value, each 0 to 127.
    Cc(u8, u8),
    /// The pitch wheel, 0 to 16383.
    PitchBend(u16),
    /// The channel's pressure, 0 to 127.
    Pressure(u8),
    /// A key was struck, with this velocity of 1 to 127.
    Note(u8, u8),
}

impl Said {
    /// Which source spoke; a control change is taken for one of 7 bits.
    pub fn source(self) -> Source {
        match self {
            Said::Cc(number, _) => Source::Cc(number),
            Said::PitchBend(_) => Source::PitchBend,
            Said::Pressure(_) => Source::Pressure,
            Said::Note(note, _) => Source::Note(note),
        }
    }
}

impl Target {
    fn slot(self) -> Option<Slot> {
        match self {
            Target::Shared(slot) | Target::Own(slot) => Some(slot),
            _ => None,
        }
    }

    /// Whether it is on or off, and nothing between.
    fn is_switch(self) -> bool {
        let switch = |slot: Slot| slot.spec().unit == Unit::Switch;
        matches!(self, Target::Mute(_) | Target::Solo(_)) || self.slot().is_some_and(switch)
    }

    /// A knob's travel, 0 to 1, as a value.
    pub(super) fn value_at(self, travel: f32) -> f32 {
        match self {
            Target::Shared(slot) | Target::Own(slot) => slot.spec().value_at(travel),
            Target::Trim(_) => MIN_TRIM_DB + (MAX_TRIM_DB - MIN_TRIM_DB) * travel,
            Target::Pan(_) => 2.0 * travel - 1.0,
            Target::Mute(_) | Target::Solo(_) => f32::from(u8::from(travel >= 0.5)),
        }
    }

    /// A value as a knob's travel.
    pub(super) fn travel_of(self, value: f32) -> f32 {
        match self {
            Target::Shared(slot) | Target::Own(slot) => slot.spec().travel_of(value),
            Target::Trim(_) => (value - MIN_TRIM_DB) / (MAX_TRIM_DB - MIN_TRIM_DB),
            Target::Pan(_) => 0.5 * (value + 1.0),
            Target::Mute(_) | Target::Solo(_) => value,
        }
    }

    /// An encoder's one step, as travel.
    fn step(self) -> f32 {
        let stepped = |slot: &Slot| slot.spec().taper == Taper::Stepped;
        let slot = self.slot().filter(stepped);
        slot.map_or(1.0 / 127.0, |slot| 1.0 / (slot.spec().max - slot.spec().min))
    }
}

/// How one mapping's controller stands to its value.
#[derive(Clone, Copy, Default)]
struct Hold {
    /// Where the controller was last.
    at: Option<f32>,
    /// What it last set, and at which frame.
    set: Option<(f32, i64)>,
}

/// Mappings, and how their controllers stand.
#[derive(Clone)]
pub struct ControlMap {
    mappings: [Option<(Mapping, Hold)>; MAX_MAPPINGS],
    /// The coarse halves of pairs.
    coarse: [[u8; WIDE as usize]; CHANNELS],
    /// While one is to be learned, controllers are told and move nothing.
    pub(super) learning: bool,
}

impl std::fmt::Debug for ControlMap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.mappings()).finish()
    }
}

impl ControlMap {
    /// A map of the first [`MAX_MAPPINGS`] mappings. While `learning`, controllers are told and move
    /// nothing.
    pub fn new(mappings: &[Mapping], learning: bool) -> ControlMap {
        let mut map =
            ControlMap { mappings: [None; MAX_MAPPINGS], coarse: [[0; WIDE as usize]; CHANNELS], learning };
        for (place, mapping) in map.mappings.iter_mut().zip(mappings) {
            *place = Some((*mapping, Hold::default()));
        }
        map
    }

    /// Whether one is to be learned.
    pub fn is_learning(&self) -> bool {
        self.learning
    }

    /// The mappings.
    pub fn mappings(&self) -> impl Iterator<Item = &Mapping> {
        self.mappings.iter().flatten().map(|(mapping, _)| mapping)
    }

    /// Whether a key is mapped, and so not played.
    pub(super) fn has_note(&self, channel: u8, note: u8) -> bool {
        let controller = Controller { channel, source: Source::Note(note) };
        self.mappings().any(|mapping| mapping.controller == controller)
    }

    /// What a controller's word at a frame makes of the values that it moves: `value_of` tells where
    /// one stands, `each` takes what it becomes.
    pub(super) fn take(
        &mut self,
        channel: u8,
        said: Said,
        frame: i64,
        value_of: impl Fn(Target) -> f32,
        mut each: impl FnMut(Target, f32),
    ) {
        let channel = channel & 15;
        let coarse = &mut self.coarse[usize::from(channel)];
        let wide = match said {
            Said::Cc(number, value) if number < WIDE => {
                coarse[usize::from(number)] = value;
                None
            }
            Said::Cc(number, value) if number < 2 * WIDE => {
                let whole = u16::from(coarse[usize::from(number - WIDE)]) << 7 | u16::from(value);
                Some((Source::Wide(number - WIDE), f32::from(whole) / 16_383.0, value))
            }
            _ => None,
        };
        let plain = match said {
            Said::Cc(_, value) | Said::Pressure(value) | Said::Note(_, value) => {
                (f32::from(value) / 127.0, value)
            }
            Said::PitchBend(value) => (f32::from(value) / 16_383.0, 64),
        };
        let spoken = [Some((said.source(), plain.0, plain.1)), wide];
        for (source, travel, raw) in spoken.into_iter().flatten() {
            let controller = Controller { channel, source };
            for (mapping, hold) in self.mappings.iter_mut().flatten() {
                if mapping.controller != controller {
                    continue;
                }
                let stands = mapping.target.travel_of(value_of(mapping.target));
                if let Some(travel) = hold.moved(mapping, stands, travel, raw, frame) {
                    hold.set = Some((travel, frame));
                    each(mapping.target, mapping.target.value_at(travel));
                }
            }
        }
    }
}

impl Hold {
    /// Where the value goes, as travel; `None`: it stays.
    fn moved(&mut self, mapping: &Mapping, stands: f32, travel: f32, raw: u8, frame: i64) -> Option<f32> {
        let was = self.at.replace(travel);
        let mine = self.set.filter(|(_, at)| (0..ON_ITS_WAY).contains(&(frame - at)));
        let stands = mine.map_or(stands, |(set, _)| set);
        let steps = match mapping.takeover {
            Takeover::TwosComplement => Some(i16::from(raw) - if raw >= 64 { 128 } else { 0 }),
            Takeover::BinaryOffset => Some(i16::from(raw) - 64),
            Takeover::PickUp | Takeover::Absolute => None,
        };
        if let (Some(steps), Source::Cc(_)) = (steps, mapping.controller.source) {
            let to = (stands + f32::from(steps) * mapping.target.step()).clamp(0.0, 1.0);
            return (steps != 0).then_some(to);
        }
        if mapping.target.is_switch() {
            let toggled = matches!(mapping.controller.source, Source::Note(_));
            return Some(if toggled { 1.0 - stands } else { f32::from(u8::from(travel >= 0.5)) });
        }
        // A key has no place from which to pick up.
        let absolute =
            mapping.takeover == Takeover::Absolute || matches!(mapping.controller.source, Source::Note(_));
        let held = self.set.is_some_and(|(set, _)| (set - stands).abs() <= NEAR);
        let passed = was.is_some_and(|was| (was - stands) * (travel - stands) <= 0.0);
        let takes = absolute || held || passed || (travel - stands).abs() <= NEAR;
        if !takes {
            self.set = None;
        }
        takes.then_some(travel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::param::Param;

    fn level() -> Slot {
        Slot::new(Owner::Master, Param::Level)
    }

    fn map(source: Source, target: Target, takeover: Takeover) -> ControlMap {
        let mapping = Mapping { controller: Controller { channel: 2, source }, target, takeover };
        assert!(mapping.is_sound());
        ControlMap::new(&[mapping], false)
    }

    /// What a value that stands at `stands` becomes as a controller speaks; seconds apart.
    fn moved(map: &mut ControlMap, stands: &mut f32, said: &[Said]) -> Vec<f32> {
        let mut values = Vec::new();
        for (n, said) in said.iter().enumerate() {
            let now = *stands;
            map.take(2, *said, 48_000 * n as i64, |_| now, |_, value| *stands = value);
            values.push(*stands);
        }
        values
    }

    fn cc(values: &[u8]) -> Vec<Said> {
        values.iter().map(|value| Said::Cc(7, *value)).collect()
    }

    #[test]
    fn a_soft_takeover_waits_until_the_knob_passes_the_value() {
        let mut map = map(Source::Cc(7), Target::Shared(level()), Takeover::PickUp);
        let mut stands = 0.8;
        let values = moved(&mut map, &mut stands, &cc(&[10, 60, 100, 110, 30]));
        assert_eq!(values[..2], [0.8, 0.8]);
        assert_eq!(values[2..], [100, 110, 30].map(|value: u8| f32::from(value) / 127.0));
        // Somebody else moves it: the knob waits again.
        stands = 0.9;
        assert_eq!(moved(&mut map, &mut stands, &cc(&[31, 40])), [0.9, 0.9]);
        assert_eq!(moved(&mut map, &mut stands, &cc(&[127])), [1.0]);
    }

    #[test]
    fn pairs_bends_and_encoders_move_by_what_they_say() {
        let mut stands = 0.2;
        let mut wide = map(Source::Wide(7), Target::Shared(level()), Takeover::Absolute);
        let values = moved(&mut wide, &mut stands, &[Said::Cc(7, 64), Said::Cc(39, 1)]);
        assert_eq!(values, [0.2, (64.0 * 128.0 + 1.0) / 16_383.0]);
        let mut bend = map(Source::PitchBend, Target::Shared(level()), Takeover::Absolute);
        assert_eq!(moved(&mut bend, &mut stands, &[Said::PitchBend(16_383), Said::Cc(7, 3)]), [1.0, 1.0]);
        let mut own = map(Source::Cc(7), Target::Trim(Owner::Master), Takeover::TwosComplement);
        stands = 0.0;
        let values = moved(&mut own, &mut stands, &cc(&[127, 1, 2]));
        let step = 36.0 / 127.0;
        for (value, wanted) in values.iter().zip([-step, 0.0, 2.0 * step]) {
            assert!((value - wanted).abs() < 1e-4, "{value} for {wanted}");
        }
        let mut offset = map(Source::Cc(7), Target::Shared(level()), Takeover::BinaryOffset);
        stands = 0.5;
        assert!((moved(&mut offset, &mut stands, &cc(&[65]))[0] - (0.5 + 1.0 / 127.0)).abs() < 1e-6);
    }

    #[test]
    fn a_pad_turns_a_switch_over_and_what_nobody_mapped_moves_nothing() {
        let track = TrackIndex::new(3).expect("a track");
        let mut pad = map(Source::Note(36), Target::Mute(track), Takeover::PickUp);
        let mut stands = 0.0;
        let strokes = [Said::Note(36, 100), Said::Note(37, 100), Said::Note(36, 1)];
        assert_eq!(moved(&mut pad, &mut stands, &strokes), [1.0, 1.0, 0.0]);
        assert!(pad.has_note(2, 36) && !pad.has_note(3, 36) && !pad.has_note(2, 37));
        pad.take(3, Said::Note(36, 9), 0, |_| 0.0, |_, _| panic!("another channel's"));
    }

    #[test]
    fn many_words_in_one_block_add_up_before_the_first_has_landed() {
        let mut encoder = map(Source::Cc(7), Target::Shared(level()), Takeover::TwosComplement);
        let mut last = 0.0;
        for frame in 0..10 {
            encoder.take(2, Said::Cc(7, 1), frame, |_| 0.5, |_, value| last = value);
        }
        assert!((last - (0.5 + 10.0 / 127.0)).abs() < 1e-5, "{last}");
    }
}
