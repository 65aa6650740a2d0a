//! The keyboard: arrows move the cursor, with shift choose, space and enter toggle, digits set the
//! velocity; letters turn the pages; patterns, scenes and the arrangement have keys of their own.

use egui::{Key, Ui};
use nice_plug_egui::{Key as HostKey, KeyCapture};

use super::transport::PAGE;
use super::{Hands, Middle, Page, Scene, arrangement, chosen, grid, mine, notes, patterns, scenes};
use crate::client::Command;
use crate::client::decisions::Decision;
use crate::param::TrackIndex;
use crate::pattern::{ContextField, Edit, StepField};
use crate::session::How;

/// The keys that do not go on to the host: all while a field is being typed into, else ours.
pub fn captured(ui: &Ui) -> KeyCapture {
    if ui.ctx().text_edit_focused() { KeyCapture::CaptureAll } else { KeyCapture::CaptureKeys(ours()) }
}

/// Takes the keys that are ours, unless a field is being typed into. All others stay the host's.
pub fn take(ui: &mut Ui, scene: &Scene<'_>, hands: &mut Hands) {
    if ui.ctx().text_edit_focused() {
        hands.release_fill(scene);
        return;
    }
    undo(ui, scene);
    hands.hold_fill(ui, scene);
    // A control that the keyboard has gone to has the moving keys.
    if ui.memory(|memory| memory.focused()).is_some() {
        return;
    }
    // With shift first: the others would take it, too.
    mine::take_keys(ui, scene, hands);
    chosen::take_keys(ui, scene, hands);
    pages(ui, hands);
    let tracks: Vec<TrackIndex> = scene.view.song.alive().map(|(track, _)| track).collect();
    let Some(first) = tracks.first() else { return };
    if !tracks.contains(&hands.cursor.0) {
        hands.cursor = (*first, 0);
    }
    let pressed = |key| ui.input_mut(|input| input.consume_key(egui::Modifiers::NONE, key));
    chosen::extend_by_keys(ui, scene, hands);
    if hands.view == Middle::Notes {
        notes::take_keys(ui, scene, hands);
    }
    for (key, rows, steps) in [
        (Key::ArrowUp, -1, 0),
        (Key::ArrowDown, 1, 0),
        (Key::ArrowLeft, 0, -1),
        (Key::ArrowRight, 0, 1),
        (Key::PageUp, 0, -i16::from(PAGE)),
        (Key::PageDown, 0, i16::from(PAGE)),
    ] {
        if pressed(key) {
            hands.mark = None;
            hands.travel(&tracks, rows, steps, scene);
        }
    }
    let (track, step) = hands.cursor;
    if pressed(Key::Space) || pressed(Key::Enter) {
        hands.cursor_shown = true;
        grid::toggle(scene, hands, track, step);
    }
    patterns::take_keys(ui, scene, hands);
    scenes::take_keys(ui, scene, hands);
    arrangement::take_keys(ui, scene, hands);
    for (digit, key) in DIGITS.into_iter().enumerate() {
        if pressed(key) {
            hands.cursor_shown = true;
            // 1 is a ninth, 9 and 0 are full.
            let velocity = if digit == 0 { 1.0 } else { digit as f32 / 9.0 };
            let (pattern, held) = scene.pattern(track, &hands.shown);
            let field = StepField::Velocity(velocity);
            scene.edit(Edit::Step { track, pattern, step, field });
            if !held.steps[usize::from(step)].on {
                grid::toggle(scene, hands, track, step);
            }
        }
    }
}

/// G, N and S turn the middle of the window, D, A and H the pages beside it.
fn pages(ui: &Ui, hands: &mut Hands) {
    let pressed = |key| ui.input_mut(|input| input.consume_key(egui::Modifiers::NONE, key));
    for (key, view) in [(Key::G, Middle::Steps), (Key::N, Middle::Notes), (Key::S, Middle::Sound)] {
        if pressed(key) {
            hands.view = view;
        }
    }
    for (key, page) in [(Key::D, Page::Step), (Key::A, Page::Track), (Key::H, Page::Mine)] {
        if pressed(key) {
            hands.turn_to(page);
        }
    }
}

/// Takes a character that was typed: the window's library names no keys for marks.
pub fn typed(ui: &Ui, mark: &str) -> bool {
    ui.input_mut(|input| {
        let is_it = |event: &egui::Event| matches!(event, egui::Event::Text(text) if text == mark);
        let place = input.events.iter().position(is_it);
        place.map(|place| input.events.remove(place)).is_some()
    })
}

const DIGITS: [Key; 10] = [
    Key::Num0,
    Key::Num1,
    Key::Num2,
    Key::Num3,
    Key::Num4,
    Key::Num5,
    Key::Num6,
    Key::Num7,
    Key::Num8,
    Key::Num9,
];

/// Ctrl+Z undoes, Ctrl+Shift+Z and Ctrl+Y redo (on a Mac with Cmd).
fn undo(ui: &mut Ui, scene: &Scene<'_>) {
    let (command, shifted) = (egui::Modifiers::COMMAND, egui::Modifiers::COMMAND | egui::Modifiers::SHIFT);
    // With shift first: the other would take it, too.
    let redo = ui.input_mut(|input| input.consume_key(shifted, Key::Z) || input.consume_key(command, Key::Y));
    if redo {
        scene.desk.send(Command::Decide(Decision::Redo(How::Checked)));
    } else if ui.input_mut(|input| input.consume_key(command, Key::Z)) {
        scene.desk.send(Command::Decide(Decision::Undo(How::Checked)));
    }
}

fn ours() -> Vec<HostKey> {
    // By their names in the UI Events standard.
    let moves = ["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight", "PageUp", "PageDown", "Enter"];
    let rest = ["Insert", "Delete", "Backspace", "Escape", "Tab"];
    let named = moves.into_iter().chain(rest);
    let typed = " 0123456789zZyYpqwertuifgnsdacxvmoMOh[],.<>+-="
        .chars()
        .map(|letter| HostKey::Character(letter.to_string()));
    named.filter_map(|name| name.parse().ok()).chain(typed).collect()
}

impl Hands {
    /// A fill begins with F; the button's drawing ends it.
    fn hold_fill(&mut self, ui: &Ui, scene: &Scene<'_>) {
        let (held, plain) =
            ui.input(|input| (input.key_down(Key::F) && input.focused, input.modifiers.is_none()));
        if held && plain && !self.filling {
            self.fill(scene, true);
        }
    }

    /// Ends a fill that this hand holds.
    pub(super) fn release_fill(&mut self, scene: &Scene<'_>) {
        if self.filling {
            self.fill(scene, false);
        }
    }

    /// Begins or ends a fill, for everybody.
    pub(super) fn fill(&mut self, scene: &Scene<'_>, on: bool) {
        self.filling = on;
        scene.edit(Edit::Context(ContextField::Fill(on)));
    }

    fn travel(&mut self, tracks: &[TrackIndex], rows: i16, steps: i16, scene: &Scene<'_>) {
        if !self.cursor_shown {
            // The first press shows where it is.
            self.cursor_shown = true;
            self.page = self.cursor.1 / PAGE;
            return;
        }
        let row = tracks.iter().position(|track| *track == self.cursor.0).unwrap_or(0) as i16;
        let row = (row + rows).clamp(0, tracks.len() as i16 - 1);
        let track = tracks[row as usize];
        let last = i16::from(scene.pattern(track, &self.shown).1.length.max(1)) - 1;
        let step = (i16::from(self.cursor.1) + steps).clamp(0, last);
        self.cursor = (track, step as u8);
        self.page = step as u8 / PAGE;
    }
}
