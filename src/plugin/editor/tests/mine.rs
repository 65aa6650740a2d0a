//! The page of what is one's own.

use egui::{Key, Modifiers, vec2};

use super::window::{LARGE, Window};
use crate::client::{Command, ControlCommand};
use crate::param::{Owner, Param, Slot};
use crate::plugin::editor::Page;
use crate::rt::controls::{Takeover, Target};
use crate::rt::personal::PersonalEdit;

const GROOVE: &str = "seq kick: X...X...\nseq hat: ..x...x.\n";

#[test]
fn the_own_mix_is_turned_here_and_never_the_songs() {
    let mut window = Window::of(GROOVE, LARGE);
    window.hands.open = Some(Page::Mine);
    window.rest();
    let song = window.song();
    let kick = song.track_named("kick").expect("a kick");
    window.told();
    window.press(Key::M, Modifiers::SHIFT);
    window.drag_control("Trim: +0.0 dB", vec2(-20.0, 0.0));
    window.drag_control("Level: +0.0 dB", vec2(-20.0, 0.0));
    let told = window.told();
    assert!(told.iter().all(|command| matches!(command, Command::Mine(_) | Command::Cursor(_))), "{told:?}");
    let mine = window.desk.view().personal.clone();
    assert!(
        mine.is_muted(kick) && mine.trim_db(Owner::Track(kick)) < 0.0 && mine.trim_db(Owner::Master) < 0.0
    );
    assert_eq!(window.song(), song);
    window.click("As everybody hears it");
    assert!(window.desk.view().personal.is_neutral());
}

#[test]
fn a_controller_is_learned_for_what_was_touched() {
    let mut window = Window::of(GROOVE, LARGE);
    window.hands.open = Some(Page::Mine);
    window.rest();
    assert_eq!(window.desk.touched(), None);
    window.desk.send(Command::Mine(PersonalEdit::Trim { owner: Owner::Master, db: -1.0 }));
    assert_eq!(window.desk.touched(), Some(Target::Trim(Owner::Master)));
    let slot = Slot::new(Owner::Master, Param::FilterFreq);
    window.desk.send(Command::Gesture(crate::pattern::Edit::Param { slot, value: 900.0 }));
    window.rest();
    window.told();
    window.click("Learn for master.filter.freq");
    let told = window.told();
    let learn = ControlCommand::Learn(Some((Target::Shared(slot), Takeover::PickUp)));
    assert!(
        told.iter().any(|command| matches!(command, Command::Control(asked) if *asked == learn)),
        "{told:?}"
    );
}
