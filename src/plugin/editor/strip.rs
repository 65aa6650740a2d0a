//! The left part of a track's row: name, mute, solo, level, meter.

use egui::{Align2, DragValue, Rect, RichText, Role, Sense, Ui, WidgetInfo, pos2, vec2};

use super::theme::{self, LIGHT, QUIET, S2, S3, TEXT};
use super::{Hands, Scene, chosen, patterns};
use super::{presets, samples, widgets};
use crate::client::Command;
use crate::param::{Owner, Param, Slot, TrackIndex};
use crate::pattern::{Edit, Grid, GridEdit, MAX_STEPS, PatternField, TrackField, voice_of};

/// How wide the strip is.
const WIDTH: f32 = 308.0;
/// How wide it is without level and meter.
const NARROW: f32 = 140.0;

/// The strip's width in a row of a width: narrow where the steps would be too small to hit.
pub fn width(row: f32) -> f32 {
    if row < 720.0 { NARROW } else { WIDTH }
}

pub fn show(ui: &mut Ui, rect: Rect, track: TrackIndex, scene: &Scene<'_>, hands: &mut Hands) {
    let song = &scene.view.song;
    let muted = song.param(Owner::Track(track), Param::Mute) >= 0.5;
    name(ui, Rect::from_min_size(rect.min, vec2(84.0, rect.height())), track, scene, hands, muted);
    patterns::differs(ui, rect, track, scene, hands);
    let row_name = song.track(track).name;
    let button = |x: f32| Rect::from_center_size(pos2(rect.left() + x, rect.center().y), vec2(22.0, 22.0));
    let id = ui.scope_id().with(("mute", track.get()));
    let response = widgets::toggle(ui, button(97.0), id, "M", &format!("mute {row_name}"), muted);
    let hint = if muted { "Muted: click to hear it again (M)" } else { "Mute this track for everybody (M)" };
    if response.on_hover_text(hint).clicked() {
        chosen::mute(scene, track);
    }
    let solo = song.track(track).solo;
    let id = ui.scope_id().with(("solo", track.get()));
    let response = widgets::toggle(ui, button(121.0), id, "S", &format!("solo {row_name}"), solo);
    let hint = if solo {
        "Solo: click to hear the others again (O)"
    } else {
        "Hear this track alone, for everybody (O)"
    };
    if response.on_hover_text(hint).clicked() {
        chosen::solo(scene, track);
    }
    let muted = muted || song.is_soloed_out(track);
    if rect.width() < WIDTH {
        return;
    }
    let fader =
        Rect::from_min_max(pos2(rect.left() + 140.0, rect.top()), pos2(rect.right() - 62.0, rect.bottom()));
    level(ui, fader, Slot::new(Owner::Track(track), Param::Level), scene, hands, muted);
    let peak = scene.view.meter.as_ref().map_or(0.0, |meter| meter.tracks[track.get()]);
    let meter = Rect::from_min_size(fader.left_center() + vec2(0.0, 10.0), vec2(fader.width(), 3.0));
    widgets::meter(ui, meter, peak);
}

fn name(ui: &mut Ui, rect: Rect, track: TrackIndex, scene: &Scene<'_>, hands: &Hands, muted: bool) {
    let row = scene.view.song.track(track);
    let focused = scene.desk.choices().focus == track;
    let response = ui.interact(rect, ui.scope_id().with(("name", track.get())), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, format!("track {}", row.name)));
    let color = if muted { QUIET } else { TEXT };
    let number = format!("{:>2}", track.get() + 1);
    let painter = ui.painter_at(rect);
    // Room for a line below.
    let middle =
        rect.left_center() - vec2(0.0, if hands.shown.differs(track, &scene.view.song) { 7.0 } else { 0.0 });
    painter.text(middle + vec2(2.0, 0.0), Align2::LEFT_CENTER, number, theme::figures(12.0), QUIET);
    let at = middle + vec2(24.0, 0.0);
    let missing = row.file.is_some_and(|id| scene.view.missing_files.contains(&id));
    let name = if missing { format!("{} · missing", row.name) } else { row.name.to_string() };
    let text = painter.text(at, Align2::LEFT_CENTER, name, theme::font(15.0), color);
    if muted {
        painter.line_segment([text.left_center(), text.right_center()], (1.0, QUIET));
    }
    if focused {
        let under = [text.left_bottom() + vec2(0.0, S2 / 2.0), text.right_bottom() + vec2(0.0, S2 / 2.0)];
        painter.line_segment(under, (1.5, LIGHT));
    }
    let choice = voice_of(row);
    let voice = samples::said(row, scene).unwrap_or_else(|| choice.voice.name().to_owned());
    let stands_in = if choice.stands_in { ", standing in for a sample that is not here" } else { "" };
    let hint = format!(
        "Track {}: {} ({voice}{stands_in})\nClick: live notes play it · right click: steps, length, remove",
        track.get() + 1,
        row.name
    );
    let response = response.on_hover_text(hint);
    // Stays open while the length is dragged or typed.
    egui::Popup::context_menu(&response)
        .close_behavior(egui::PopupCloseBehavior::CloseOnClickOutside)
        .show(|ui| menu(ui, track, scene, hands));
    if response.clicked() {
        scene.desk.choose(|choices| choices.focus = track);
        scene.desk.send(Command::Focus(track));
    }
}

/// What a right click on a track's name offers.
fn menu(ui: &mut Ui, track: TrackIndex, scene: &Scene<'_>, hands: &Hands) {
    let (shown, held) = scene.pattern(track, &hands.shown);
    ui.label(RichText::new(format!("Pattern {}", shown.get() + 1)).color(QUIET));
    ui.horizontal(|ui| {
        let grid = |grid| Command::Grid(GridEdit { track, pattern: shown, grid });
        for (label, change, hint) in [
            ("Earlier", Grid::Rotate(-1), "Every step one earlier, round the pattern"),
            ("Later", Grid::Rotate(1), "Every step one later, round the pattern"),
            ("Clear", Grid::Clear { from: 0, count: MAX_STEPS as u8 }, "All steps become rests"),
        ] {
            if ui.button(label).on_hover_text(hint).clicked() {
                scene.desk.send(grid(change));
            }
        }
    });
    let mut length = held.length;
    let range = 1..=MAX_STEPS as u8;
    let steps = ui.horizontal(|ui| {
        ui.label("Length");
        ui.add(DragValue::new(&mut length).range(range).suffix(" steps"))
    });
    if steps.inner.on_hover_text("The pattern's length, 1 to 64: drag, or click and type").changed() {
        let field = PatternField::Length(length);
        scene.edit(Edit::Pattern { track, pattern: shown, field });
    }
    presets::menu(ui, track, scene);
    if ui.button("Remove this track").on_hover_text("For everybody in the session").clicked() {
        scene.edit(Edit::Track { track, field: TrackField::Alive(false) });
        ui.close();
    }
}

/// A level's fader with its dB to the right of `rect`.
pub fn level(ui: &mut Ui, rect: Rect, slot: Slot, scene: &Scene<'_>, hands: &mut Hands, dim: bool) {
    let spec = slot.spec();
    let held = hands.fader.filter(|(held, _)| *held == slot).map(|(_, value)| value);
    let value = held.unwrap_or(scene.view.song.params[slot.index()]);
    let id = ui.scope_id().with(("level", slot.index()));
    let (response, moved) =
        widgets::fader(ui, rect, id, spec.travel_of(value), spec.travel_of(spec.default), dim);
    if let Some(travel) = moved {
        let value = spec.value_at(travel);
        hands.fader = response.dragged().then_some((slot, value));
        scene.desk.send(Command::Gesture(Edit::Param { slot, value }));
    }
    if response.drag_stopped() {
        hands.fader = None;
    }
    let shown = spec.display(value).to_string();
    let figures_at = pos2(rect.right() + 60.0 - S3, rect.center().y);
    let color = if dim { QUIET } else { TEXT };
    let number = shown.trim_end_matches(" dB");
    ui.painter().text(figures_at, Align2::RIGHT_CENTER, number, theme::figures(12.0), color);
    response.on_hover_text(format!("Level {shown} · drag, with shift finely; double click for 0 dB"));
}
