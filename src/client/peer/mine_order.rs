//! A headless peer's commands about its own mix, all of which begin with `my`.

use serde_json::{Value, json};

use super::order::{OrderError, number, owner_named, slot_and_value, track};
use crate::client::{Client, Command, View};
use crate::param::{Owner, TrackIndex};
use crate::pattern::Song;
use crate::rt::personal::PersonalEdit;

const FORM: &str = "my mute|solo TRACK on|off, my trim TRACK|master DB, my pan TRACK -1 to 1, \
                    my set TRACK.filter.freq 800, my set master.eq.low 1, my bounce on|off, my clear [TRACK], or my";

/// What a line asks of the own mix.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MineOrder {
    /// `my`: what it is.
    Tell,
    /// `my clear [TRACK]`.
    Clear(Option<Owner>),
    /// Everything else.
    Write(PersonalEdit),
}

impl MineOrder {
    /// Reads the words behind `my`.
    pub(super) fn read(words: &[&str], song: &Song) -> Result<MineOrder, OrderError> {
        let switch = |word: &str| match word {
            "on" => Ok(true),
            "off" => Ok(false),
            _ => Err(OrderError::Form(FORM)),
        };
        let edit = match *words {
            [] => return Ok(MineOrder::Tell),
            ["clear"] => return Ok(MineOrder::Clear(None)),
            ["clear", owner] => return Ok(MineOrder::Clear(Some(owner_named(owner, song)?))),
            ["mute", name, on] => PersonalEdit::Mute { track: track(name, song)?, on: switch(on)? },
            ["solo", name, on] => PersonalEdit::Solo { track: track(name, song)?, on: switch(on)? },
            ["trim", owner, db] => PersonalEdit::Trim { owner: owner_named(owner, song)?, db: number(db)? },
            ["pan", name, pan] => PersonalEdit::Pan { track: track(name, song)?, pan: number(pan)? },
            ["bounce", on] => PersonalEdit::Bounce(switch(on)?),
            ["set", place, value] => {
                let (slot, value) = slot_and_value(place, value, song)?;
                PersonalEdit::Param { slot, value }
            }
            _ => return Err(OrderError::Form(FORM)),
        };
        Ok(MineOrder::Write(edit.check()?))
    }

    /// Carries it out; gives what to tell.
    pub(super) fn carry_out(self, client: &Client, view: &View) -> Option<Value> {
        match self {
            MineOrder::Write(edit) => client.send(Command::Mine(edit)),
            MineOrder::Clear(owner) => client.send(Command::MineClear(owner)),
            MineOrder::Tell => {
                return Some(
                    json!({"event": "mine", "writes": written(view), "neutral": view.personal.is_neutral()}),
                );
            }
        }
        None
    }
}

/// The own mix as the commands that make it.
fn written(view: &View) -> Vec<String> {
    let track = |track: TrackIndex| view.song.track(track).name.as_str();
    let owner = |owner: Owner| match owner {
        Owner::Track(at) => track(at),
        Owner::Master => "master",
    };
    let on = |on: bool| if on { "on" } else { "off" };
    let word = |edit: PersonalEdit| match edit {
        PersonalEdit::Trim { owner: whose, db } => format!("my trim {} {db}", owner(whose)),
        PersonalEdit::Mute { track: at, on: is } => format!("my mute {} {}", track(at), on(is)),
        PersonalEdit::Solo { track: at, on: is } => format!("my solo {} {}", track(at), on(is)),
        PersonalEdit::Pan { track: at, pan } => format!("my pan {} {pan}", track(at)),
        PersonalEdit::Param { slot, value } => {
            format!("my set {}.{} {value}", owner(slot.owner()), slot.spec().id)
        }
        PersonalEdit::Bounce(is) => format!("my bounce {}", on(is)),
    };
    view.personal.edits().map(word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::param::{Param, Slot};
    use crate::pattern::text;

    #[test]
    fn own_mixes_are_read_and_what_is_the_songs_is_refused() {
        let song = text::read("seq kick: X...\nseq hat: x...\n").expect("a song").song;
        let read = |line: &str| MineOrder::read(&line.split_whitespace().collect::<Vec<_>>(), &song);
        let hat = song.track_named("hat").expect("a hat");
        assert_eq!(read("mute hat on"), Ok(MineOrder::Write(PersonalEdit::Mute { track: hat, on: true })));
        let owner = Owner::Master;
        assert_eq!(read("trim master -3"), Ok(MineOrder::Write(PersonalEdit::Trim { owner, db: -3.0 })));
        let slot = Slot::new(Owner::Track(hat), Param::FilterType);
        let notch = PersonalEdit::Param { slot, value: 3.0 };
        assert_eq!(read("set hat.filter.type notch"), Ok(MineOrder::Write(notch)));
        assert_eq!(read(""), Ok(MineOrder::Tell));
        for (line, part) in [
            ("trim hat 13", "outside -24 to 12"),
            ("set hat.level 0.5", "is the song's alone"),
            ("mute tuba on", "there is no track"),
            ("mute hat maybe", "my mute|solo"),
            ("pan hat -2", "outside -1 to 1"),
        ] {
            let error = read(line).expect_err(line).to_string();
            assert!(error.contains(part), "{line}: {error}");
        }
    }
}
