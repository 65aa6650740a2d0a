//! Small painted parts that several rooms of the editor use.

use egui::{
    Align2, Color32, Pos2, Rect, Response, Role, Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo, pos2, vec2,
};

use super::theme::{self, ACCENT, CORNER, FIELD, LINE, QUIET, S2, S3, TEXT};

/// How full a state's dot is: shape, not colour, tells them apart.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Dot {
    /// Everything is as it should be.
    Full,
    /// On the way.
    Half,
    /// Not there.
    Ring,
    /// Somebody has to act.
    Cross,
}

/// Paints a state's dot.
pub fn dot(ui: &Ui, center: Pos2, radius: f32, state: Dot) {
    let painter = ui.painter();
    let edge = Stroke::new(1.5, ACCENT);
    match state {
        Dot::Full => {
            painter.circle_filled(center, radius, ACCENT);
        }
        Dot::Half => {
            painter.circle_stroke(center, radius, edge);
            painter.circle_filled(center, radius * 0.5, ACCENT);
        }
        Dot::Ring => {
            painter.circle_stroke(center, radius, Stroke::new(1.5, QUIET));
        }
        Dot::Cross => {
            let arm = vec2(radius, radius) * 0.8;
            let across = vec2(arm.x, -arm.y);
            painter.line_segment([center - arm, center + arm], Stroke::new(2.0, TEXT));
            painter.line_segment([center - across, center + across], Stroke::new(2.0, TEXT));
        }
    }
}

/// A dot and a word beside it.
pub fn state(ui: &mut Ui, dot_state: Dot, word: &str) -> Response {
    let galley = ui.painter().layout_no_wrap(word.to_owned(), theme::font(14.0), TEXT);
    let size = vec2(18.0 + galley.size().x, 26.0);
    let (rect, response) = ui.allocate_exact_size(size, Sense::hover());
    dot(ui, pos2(rect.left() + 6.0, rect.center().y), 5.0, dot_state);
    ui.painter().galley(pos2(rect.left() + 18.0, rect.center().y - galley.size().y / 2.0), galley, TEXT);
    response
}

/// A quiet name over a plain figure.
pub fn figure(ui: &mut Ui, name: &str, value: &str) -> Response {
    let name = ui.painter().layout_no_wrap(name.to_owned(), theme::font(11.0), QUIET);
    let value = ui.painter().layout_no_wrap(value.to_owned(), theme::figures(14.0), TEXT);
    let width = name.size().x.max(value.size().x);
    let (rect, response) = ui.allocate_exact_size(vec2(width, 34.0), Sense::hover());
    let value_at = pos2(rect.left(), rect.bottom() - value.size().y - 1.0);
    ui.painter().galley(rect.left_top() + vec2(0.0, 1.0), name, QUIET);
    ui.painter().galley(value_at, value, TEXT);
    response
}

/// A round chip with an initial, for a person.
pub fn initial(ui: &mut Ui, letter: char, here: bool) -> Response {
    let (rect, response) = ui.allocate_exact_size(Vec2::splat(24.0), Sense::hover());
    let (fill, edge) = if here { (FIELD, TEXT) } else { (Color32::TRANSPARENT, LINE) };
    ui.painter().circle(rect.center(), 11.0, fill, Stroke::new(1.5, edge));
    let color = if here { TEXT } else { QUIET };
    ui.painter().text(rect.center(), Align2::CENTER_CENTER, letter, theme::font(13.0), color);
    response
}

/// A toggle with a letter that stands for a name: filled when on.
pub fn toggle(ui: &mut Ui, rect: Rect, id: egui::Id, letter: &str, name: &str, on: bool) -> Response {
    let response = ui.interact(rect, id, Sense::click());
    response.widget_info(|| WidgetInfo::selected(Role::CheckBox, true, on, name));
    let edge = if response.hovered() { QUIET } else { LINE };
    let (fill, color) = if on { (TEXT, theme::GROUND) } else { (FIELD, QUIET) };
    ui.painter().rect(rect, CORNER, fill, Stroke::new(1.0, edge), StrokeKind::Inside);
    ui.painter().text(rect.center(), Align2::CENTER_CENTER, letter, theme::font(13.0), color);
    response
}

/// A fader lying on its side: its travel filled, a mark at its default. Drag moves it, with shift
/// finely; a double click asks for the default. Returns the travel it is moved to.
pub fn fader(
    ui: &mut Ui,
    rect: Rect,
    id: egui::Id,
    travel: f32,
    default: f32,
    dim: bool,
) -> (Response, Option<f32>) {
    let response = ui.interact(rect, id, Sense::click_and_drag());
    let track = rect.shrink2(vec2(0.0, (rect.height() - 10.0) / 2.0));
    let along = |travel: f32| track.left() + track.width() * travel;
    let edge = if response.hovered() || response.dragged() { QUIET } else { LINE };
    ui.painter().rect(track, CORNER, FIELD, Stroke::new(1.0, edge), StrokeKind::Inside);
    let filled = Rect::from_min_max(track.min, pos2(along(travel), track.max.y)).shrink(1.0);
    if filled.width() > 0.0 {
        ui.painter().rect_filled(filled, CORNER, if dim { theme::LINE } else { theme::ACCENT_DIM });
    }
    let mark = along(default);
    ui.painter().line_segment([pos2(mark, track.bottom()), pos2(mark, track.bottom() + 3.0)], (1.0, LINE));
    let knob = along(travel).clamp(track.left() + 1.0, track.right() - 1.0);
    let knob = Rect::from_center_size(pos2(knob, track.center().y), vec2(3.0, 16.0));
    ui.painter().rect_filled(knob, CORNER, if dim { QUIET } else { TEXT });

    let moved = if response.double_clicked() {
        Some(default)
    } else if response.dragged() {
        let fine = if ui.input(|input| input.modifiers.shift) { 0.1 } else { 1.0 };
        let delta = response.drag_delta().x * fine / track.width();
        (delta != 0.0).then(|| (travel + delta).clamp(0.0, 1.0))
    } else {
        None
    };
    (response, moved)
}

/// A thin level meter: −48 to 0 dB, filled from the left.
pub fn meter(ui: &Ui, rect: Rect, peak: f32) {
    ui.painter().rect_filled(rect, CORNER, FIELD);
    let decibels = 20.0 * peak.max(1e-6).log10();
    let filled = ((decibels + 48.0) / 48.0).clamp(0.0, 1.0);
    if filled > 0.0 {
        let bar = Rect::from_min_size(rect.min, vec2(rect.width() * filled, rect.height()));
        ui.painter().rect_filled(bar, CORNER, ACCENT);
    }
}

/// A thin upright line between groups.
pub fn divide(ui: &mut Ui) {
    let (rect, _) = ui.allocate_exact_size(vec2(S3 + S2, 26.0), Sense::hover());
    ui.painter().line_segment([rect.center_top(), rect.center_bottom()], (1.0, LINE));
}
