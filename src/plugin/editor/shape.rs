//! What can be done with a whole pattern: turned, filled, spread evenly, copied, captured.

use egui::{Button, DragValue, RichText, Ui};

use super::theme::{self, QUIET, S2, S3};
use super::{Hands, Scene};
use crate::client::Command;
use crate::param::TrackIndex;
use crate::pattern::{Grid, GridEdit, MAX_STEPS, PatternIndex, capture};

/// What is asked for.
pub struct Page {
    pulses: u8,
    rotation: u8,
    every: u8,
    cycles: u8,
    to: u8,
    /// The pattern that was copied.
    copied: Option<(TrackIndex, PatternIndex)>,
}

impl Default for Page {
    fn default() -> Page {
        Page { pulses: 5, rotation: 0, every: 2, cycles: 2, to: 0, copied: None }
    }
}

/// How loud filled steps are.
const VELOCITY: f32 = 0.7;

/// The buttons.
pub fn show(ui: &mut Ui, track: TrackIndex, scene: &Scene<'_>, hands: &mut Hands) {
    let (pattern, held) = scene.pattern(track, &hands.shown);
    let length = held.length.max(1);
    let page = &mut hands.track.shape;
    let send = |grid| scene.desk.send(Command::Grid(GridEdit { track, pattern, grid }));
    ui.spacing_mut().item_spacing.x = S2;
    ui.spacing_mut().button_padding.x = S3;
    ui.horizontal(|ui| {
        for (label, change, hint) in [
            ("Earlier", Grid::Rotate(-1), "Every step one earlier, round the pattern"),
            ("Later", Grid::Rotate(1), "Every step one later, round the pattern"),
            ("Clear", Grid::Clear { from: 0, count: MAX_STEPS as u8 }, "All steps become rests"),
        ] {
            if ui.button(label).on_hover_text(hint).clicked() {
                send(change);
            }
        }
        if ui.button("Copy").on_hover_text("Remembers this pattern, to be pasted in another place").clicked()
        {
            page.copied = Some((track, pattern));
        }
        let paste = ui.add_enabled(page.copied.is_some(), Button::new("Paste"));
        let hint = "This pattern becomes the one remembered, as that is now: cells, length and rate";
        if let (true, Some((track, pattern))) = (paste.on_hover_text(hint).clicked(), page.copied) {
            send(Grid::Replace { track, pattern });
        }
    });
    ui.horizontal(|ui| {
        quiet(ui, "Euclid");
        small(ui, &mut page.pulses, 0..=length, "How many steps sound");
        quiet(ui, "of");
        quiet(ui, &format!("{length}, later by"));
        small(ui, &mut page.rotation, 0..=length - 1, "By how many steps the figure begins later");
        if ui.button("Spread").on_hover_text("So many steps sound, as evenly spaced as can be").clicked() {
            let pulses = page.pulses.min(length);
            send(Grid::Euclid { pulses, rotation: page.rotation.min(length - 1), velocity: VELOCITY });
        }
    });
    ui.horizontal(|ui| {
        quiet(ui, "Every");
        small(ui, &mut page.every, 1..=length, "Each so many steps, from the first");
        quiet(ui, "steps");
        if ui.button("Fill").on_hover_text("Every so many steps sound; the others stay").clicked() {
            send(Grid::Fill { every: page.every.min(length), from: 0, velocity: VELOCITY });
        }
    });
    ui.horizontal(|ui| {
        let most = (MAX_STEPS as u8 / scene.view.song.track(track).playing().length.max(1)).max(1);
        quiet(ui, "Rounds");
        small(
            ui,
            &mut page.cycles,
            1..=most,
            "How many rounds of the pattern that plays, those that hold this moment",
        );
        quiet(ui, "to pattern");
        let mut to = page.to + 1;
        small(ui, &mut to, 1..=8, "Into which of the track's patterns");
        page.to = to - 1;
        let hint = "Makes plain steps of what conditions and chance made of these rounds";
        if ui.button("Capture").on_hover_text(hint).clicked() {
            let to = PatternIndex::new(usize::from(page.to)).unwrap_or(PatternIndex::FIRST);
            let tick = scene.position.unwrap_or_default();
            match capture(&scene.view.song, track, to, tick, usize::from(page.cycles.min(most))) {
                Ok(edits) => scene.edits(edits),
                Err(error) => scene.desk.notify(error.to_string()),
            }
        }
    });
}

fn quiet(ui: &mut Ui, text: &str) {
    ui.label(RichText::new(text).font(theme::font(12.0)).color(QUIET));
}

fn small(ui: &mut Ui, value: &mut u8, range: std::ops::RangeInclusive<u8>, hint: &str) {
    ui.scope(|ui| {
        ui.spacing_mut().interact_size.x = 30.0;
        ui.spacing_mut().button_padding.x = S2;
        ui.add(DragValue::new(value).range(range).speed(0.1)).on_hover_text(hint);
    });
}
