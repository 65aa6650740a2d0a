//! A headless peer's commands about controllers, and words of controllers as from a device.

use serde_json::{Value, json};

use super::order::{OrderError, owner_named, slot, track};
use crate::client::controls::{controller_words, takeover_named, takeover_word, target_words};
use crate::client::{ControlCommand, View};
use crate::pattern::Song;
use crate::rt::controls::{Controller, Mapping, Said, Source, Takeover, Target, WIDE};

const LEARN: &str = "learn kick.filter.freq [pickup|absolute|relative|relative-offset], learn my hat.trim (mute, \
                     solo, pan, or an effect's parameter), or learn off";
const MAP: &str = "map cc 74 channel 1 kick.filter.freq [pickup|absolute|relative|relative-offset]; cc 1+33, bend, \
                   pressure and note 36 are controllers, too";
const UNMAP: &str = "unmap cc 74 channel 1, or unmap all";
const SAY: &str = "control cc 74 64 [channel 1], control bend 8192, control pressure 64, control note 36 100";

/// What a line asks of controllers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ControlOrder {
    /// `maps`: what they move.
    Tell,
    /// `learn`, `map`, `unmap`.
    Change(ControlCommand),
    /// `control cc 74 64 [channel 1]`: a controller moves, as from a device.
    Say(u8, Said),
}

impl ControlOrder {
    /// Reads a command and its words; `None` where it is none of these.
    pub(super) fn read(
        command: &str,
        words: &[&str],
        song: &Song,
    ) -> Option<Result<ControlOrder, OrderError>> {
        Some(match (command, words) {
            ("maps", []) => Ok(ControlOrder::Tell),
            ("learn", ["off"]) => Ok(ControlOrder::Change(ControlCommand::Learn(None))),
            ("learn", words) => target(words, LEARN, song)
                .map(|wanted| ControlOrder::Change(ControlCommand::Learn(Some(wanted)))),
            ("map", words) => {
                map(words, song).map(|mapping| ControlOrder::Change(ControlCommand::Map(mapping)))
            }
            ("unmap", ["all"]) => Ok(ControlOrder::Change(ControlCommand::ForgetAll)),
            ("unmap", words) => controller(words)
                .filter(|(_, rest)| rest.is_empty())
                .map_or(Err(OrderError::Form(UNMAP)), |(controller, _)| {
                    Ok(ControlOrder::Change(ControlCommand::Forget(controller)))
                }),
            ("control", words) => say(words).ok_or(OrderError::Form(SAY)),
            _ => return None,
        })
    }

    /// The mappings as the commands that make them.
    pub(super) fn told(view: &View) -> Value {
        let written = |mapping: &Mapping| {
            let (controller, target) =
                (controller_words(mapping.controller), target_words(mapping.target, &view.song));
            format!("map {controller} {target} {}", takeover_word(mapping.takeover))
        };
        let learning = view.controls.learning.map(|(target, _)| target_words(target, &view.song));
        json!({"event": "maps", "maps": view.controls.mappings.iter().map(written).collect::<Vec<_>>(),
            "learning": learning})
    }
}

/// `kick.level [pickup]`, `my hat.trim [absolute]`.
fn target(words: &[&str], form: &'static str, song: &Song) -> Result<(Target, Takeover), OrderError> {
    let (own, words) = match words {
        ["my", rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let (place, takeover) = match words {
        [place] => (*place, Takeover::PickUp),
        [place, word] => (*place, takeover_named(word).ok_or(OrderError::Form(form))?),
        _ => return Err(OrderError::Form(form)),
    };
    let target = match place.split_once('.') {
        _ if !own => Target::Shared(slot(place, song)?),
        Some((owner, "trim")) => Target::Trim(owner_named(owner, song)?),
        Some((name, "mute")) => Target::Mute(track(name, song)?),
        Some((name, "solo")) => Target::Solo(track(name, song)?),
        Some((name, "pan")) => Target::Pan(track(name, song)?),
        _ => Target::Own(slot(place, song)?),
    };
    let mapping =
        Mapping { controller: Controller { channel: 0, source: Source::PitchBend }, target, takeover };
    match mapping.is_sound() {
        true => Ok((target, takeover)),
        false => Err(OrderError::Param(place.to_owned())),
    }
}

fn map(words: &[&str], song: &Song) -> Result<Mapping, OrderError> {
    let (controller, rest) = controller(words).ok_or(OrderError::Form(MAP))?;
    let (target, takeover) = target(rest, MAP, song)?;
    Ok(Mapping { controller, target, takeover })
}

/// A controller and the words behind it; on channel 1 where none is named.
fn controller<'a, 'w>(words: &'a [&'w str]) -> Option<(Controller, &'a [&'w str])> {
    let seven = |word: &str| word.parse::<u8>().ok().filter(|number| *number < 128);
    let (source, rest) = match words {
        ["cc", number, rest @ ..] => match number.split_once('+') {
            Some((coarse, fine)) => {
                let coarse =
                    seven(coarse).filter(|coarse| *coarse < WIDE && seven(fine) == Some(coarse + WIDE))?;
                (Source::Wide(coarse), rest)
            }
            None => (Source::Cc(seven(number)?), rest),
        },
        ["note", note, rest @ ..] => (Source::Note(seven(note)?), rest),
        ["bend", rest @ ..] => (Source::PitchBend, rest),
        ["pressure", rest @ ..] => (Source::Pressure, rest),
        _ => return None,
    };
    let (channel, rest) = channel(rest)?;
    Some((Controller { channel, source }, rest))
}

fn channel<'a, 'w>(words: &'a [&'w str]) -> Option<(u8, &'a [&'w str])> {
    match words {
        ["channel", number, rest @ ..] => {
            let channel = number.parse::<u8>().ok().filter(|channel| (1..=16).contains(channel))?;
            Some((channel - 1, rest))
        }
        rest => Some((0, rest)),
    }
}

fn say(words: &[&str]) -> Option<ControlOrder> {
    let seven = |word: &str| word.parse::<u8>().ok().filter(|value| *value < 128);
    let (said, rest) = match words {
        ["cc", number, value, rest @ ..] => (Said::Cc(seven(number)?, seven(value)?), rest),
        ["bend", value, rest @ ..] => {
            (Said::PitchBend(value.parse().ok().filter(|value| *value < 16_384)?), rest)
        }
        ["pressure", value, rest @ ..] => (Said::Pressure(seven(value)?), rest),
        ["note", note, velocity, rest @ ..] => (Said::Note(seven(note)?, seven(velocity)?.max(1)), rest),
        _ => return None,
    };
    let (channel, rest) = channel(rest)?;
    rest.is_empty().then_some(ControlOrder::Say(channel, said))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::param::{Owner, Param, Slot};
    use crate::pattern::text;

    #[test]
    fn controllers_are_read_as_they_are_told() {
        let song = text::read("seq kick: X...\nseq hat: x...\n").expect("a song").song;
        let read = |line: &str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            ControlOrder::read(words[0], &words[1..], &song).expect("a command about controllers")
        };
        let kick = song.track_named("kick").expect("a kick");
        let cutoff = Target::Shared(Slot::new(Owner::Track(kick), Param::FilterFreq));
        let wide = Controller { channel: 2, source: Source::Wide(1) };
        let mapping = Mapping { controller: wide, target: cutoff, takeover: Takeover::Absolute };
        let line = format!("map {} {} absolute", controller_words(wide), target_words(cutoff, &song));
        assert_eq!(read(&line), Ok(ControlOrder::Change(ControlCommand::Map(mapping))));
        let learn = ControlCommand::Learn(Some((Target::Mute(kick), Takeover::PickUp)));
        assert_eq!(read("learn my kick.mute"), Ok(ControlOrder::Change(learn)));
        assert_eq!(read("control cc 74 64 channel 16"), Ok(ControlOrder::Say(15, Said::Cc(74, 64))));
        for line in [
            "map cc 128 kick.level",
            "map cc 1+34 kick.level",
            "learn kick.level soon",
            "unmap cc",
            "control cc 7",
            "control bend 16384",
            "learn my kick.level",
            "map cc 7 channel 17 kick.level",
        ] {
            assert!(read(line).is_err(), "{line}");
        }
    }
}
