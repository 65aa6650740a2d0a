//! Controls that are turned, chosen or switched, all of one height: a name, its value, and below it
//! how far it is turned.

use egui::{
    Align2, Color32, EventFilter, Id, Key, Modifiers, Popup, Pos2, Rect, Response, Role, Sense, Shape,
    Stroke, StrokeKind, Ui, WidgetInfo, pos2, vec2,
};

use super::keys;
use super::theme::{self, ACCENT, ACCENT_DIM, CORNER, GROUND, LIGHT, LINE, QUIET, TEXT};

/// A control's height.
pub const HEIGHT: f32 = 36.0;
/// The height of the part that is turned.
const BAR: f32 = 9.0;

/// Something that is turned.
pub struct Turn<'a> {
    /// What it is.
    pub name: &'a str,
    /// Its value, as one says it.
    pub text: String,
    /// How far it is turned, 0 to 1.
    pub travel: f32,
    /// Where a double click leaves it.
    pub default: f32,
    /// From where it is filled: 0, or the middle of what goes both ways.
    pub origin: f32,
    /// The least it is turned by a key or a wheel.
    pub notch: f32,
    /// Whether it does nothing at the moment.
    pub dim: bool,
    /// More to say of it.
    pub hint: &'a str,
}

impl Default for Turn<'_> {
    fn default() -> Self {
        let text = String::new();
        Turn { name: "", text, travel: 0.0, default: 0.0, origin: 0.0, notch: 0.01, dim: false, hint: "" }
    }
}

/// A control to turn: drag (with shift finely), shift and wheel or + and − for a notch, a double click
/// or alt and click for its default. Gives the travel it is turned to.
pub fn turn(ui: &mut Ui, rect: Rect, id: Id, turn: &Turn<'_>) -> Option<f32> {
    let response = ui.interact(rect, id, Sense::click_and_drag());
    let name = format!("{}: {}", turn.name, turn.text);
    response.widget_info(|| WidgetInfo::slider(true, f64::from(turn.travel), &name));
    let line = lines(ui, rect, turn.name, &turn.text, turn.dim, &response);
    let along = |travel: f32| line.left() + line.width() * travel.clamp(0.0, 1.0);
    let (from, to) = (along(turn.origin.min(turn.travel)), along(turn.origin.max(turn.travel)));
    let filled = Rect::from_x_y_ranges(from..=to, line.y_range()).shrink(1.0);
    if filled.width() > 0.0 {
        ui.painter().rect_filled(filled, CORNER, if turn.dim { LINE } else { ACCENT_DIM });
    }
    let knob = Rect::from_center_size(
        pos2(along(turn.travel).clamp(line.left() + 1.5, line.right() - 1.5), line.center().y),
        vec2(3.0, BAR + 2.0),
    );
    ui.painter().rect_filled(knob, CORNER, if turn.dim { QUIET } else { TEXT });
    let turned = turned(ui, &response, line.width(), turn);
    let more = if turn.hint.is_empty() { String::new() } else { format!("\n{}", turn.hint) };
    response.on_hover_text(format!(
        "{name}{more}\nDrag, with shift finely · shift and wheel, + and − · double click for {}",
        if turn.default == turn.travel { "where it is" } else { "its default" }
    ));
    turned
}

fn turned(ui: &Ui, response: &Response, width: f32, turn: &Turn<'_>) -> Option<f32> {
    let (shift, alt) = ui.input(|input| (input.modifiers.shift, input.modifiers.alt));
    if response.double_clicked() || (response.clicked() && alt) {
        return (turn.travel != turn.default).then_some(turn.default);
    }
    if response.drag_started() {
        // Kept apart from the value, which may go by whole steps.
        ui.data_mut(|data| data.insert_temp(response.id, turn.travel));
    }
    let mut travel = None;
    if response.dragged() && !alt {
        let by = response.drag_delta().x * if shift { 0.1 } else { 1.0 } / width.max(1.0);
        let raw = ui.data_mut(|data| {
            let raw = data.get_temp_mut_or(response.id, turn.travel);
            *raw = (*raw + by).clamp(0.0, 1.0);
            *raw
        });
        travel = (by != 0.0).then_some(raw);
    }
    let mut notches = 0.0;
    if response.has_focus() {
        let filter = EventFilter { horizontal_arrows: true, vertical_arrows: true, ..Default::default() };
        ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, filter));
        for (key, by) in
            [(Key::ArrowRight, 1.0), (Key::ArrowUp, 1.0), (Key::ArrowLeft, -1.0), (Key::ArrowDown, -1.0)]
        {
            if ui.input_mut(|input| input.consume_key(Modifiers::NONE, key)) {
                notches += by;
            }
        }
    }
    if response.hovered() || response.has_focus() {
        for (mark, by) in [("+", 1.0), ("=", 1.0), ("-", -1.0)] {
            if keys::typed(ui, mark) {
                notches += by;
            }
        }
        if shift && response.hovered() {
            notches += wheel(ui);
        }
    }
    if notches != 0.0 {
        travel = Some((turn.travel + notches * turn.notch).clamp(0.0, 1.0));
    }
    travel.filter(|travel| *travel != turn.travel)
}

/// How many notches the wheel was turned, whichever way shift sends them.
fn wheel(ui: &Ui) -> f32 {
    ui.input(|input| {
        let turned = |event: &egui::Event| match event {
            egui::Event::MouseWheel { delta, .. } => (delta.x + delta.y).signum(),
            _ => 0.0,
        };
        input.events.iter().map(turned).sum()
    })
}

/// Name and value over the place for what is turned, which is given.
fn lines(ui: &Ui, rect: Rect, name: &str, value: &str, dim: bool, response: &Response) -> Rect {
    let color = if dim { QUIET } else { TEXT };
    let painter = ui.painter_at(rect.expand(2.0));
    let value = painter.layout_no_wrap(value.to_owned(), theme::figures(12.0), color);
    let top = rect.top() + 8.0;
    let value_at = pos2(rect.right() - value.size().x, top - value.size().y / 2.0);
    let room = Rect::from_min_max(rect.min, pos2(value_at.x - 4.0, rect.bottom()));
    painter.with_clip_rect(room).text(
        pos2(rect.left(), top),
        Align2::LEFT_CENTER,
        name,
        theme::font(12.0),
        QUIET,
    );
    painter.galley(value_at, value, color);
    let line = Rect::from_min_max(pos2(rect.left(), rect.bottom() - BAR - 4.0), rect.max - vec2(0.0, 4.0));
    let edge = match (response.has_focus(), response.hovered() || response.dragged()) {
        (true, _) => LIGHT,
        (false, true) => QUIET,
        (false, false) => LINE,
    };
    painter.rect(line, CORNER, GROUND, Stroke::new(1.0, edge), StrokeKind::Inside);
    line
}

/// A control with one of several words; a click lists them. Gives the place of the one that is picked.
pub fn words(
    ui: &mut Ui,
    rect: Rect,
    id: Id,
    (name, hint): (&str, &str),
    words: &[String],
    chosen: usize,
) -> Option<usize> {
    let response = ui.interact(rect, id, Sense::click());
    let word = words.get(chosen).map_or("?", String::as_str);
    let said = format!("{name}: {word}");
    response.widget_info(|| WidgetInfo::labeled(Role::ComboBox, true, &said));
    let painter = ui.painter_at(rect.expand(2.0));
    painter.text(rect.left_top() + vec2(0.0, 8.0), Align2::LEFT_CENTER, name, theme::font(12.0), QUIET);
    let field = Rect::from_min_max(pos2(rect.left(), rect.top() + 15.0), rect.max);
    let edge = if response.has_focus() {
        LIGHT
    } else if response.hovered() {
        QUIET
    } else {
        LINE
    };
    painter.rect(field, CORNER, GROUND, Stroke::new(1.0, edge), StrokeKind::Inside);
    let arrow = pos2(field.right() - 9.0, field.center().y);
    painter.with_clip_rect(Rect::from_min_max(field.min, pos2(arrow.x - 5.0, field.max.y))).text(
        field.left_center() + vec2(6.0, 0.0),
        Align2::LEFT_CENTER,
        word,
        theme::font(13.0),
        TEXT,
    );
    triangle(&painter, arrow, QUIET);
    let mut picked = None;
    Popup::menu(&response).show(|ui| {
        let most = 0.6 * ui.ctx().content_rect().height();
        egui::ScrollArea::vertical().max_height(most).show(ui, |ui| {
            for (place, word) in words.iter().enumerate() {
                if ui.selectable_label(place == chosen, word).clicked() {
                    picked = Some(place);
                    ui.close();
                }
            }
        });
    });
    response.on_hover_text(if hint.is_empty() { said } else { format!("{said}\n{hint}") });
    picked.filter(|place| *place != chosen)
}

fn triangle(painter: &egui::Painter, center: Pos2, color: Color32) {
    let at = |x: f32, y: f32| center + vec2(x, y);
    let corners = vec![at(-3.5, -2.0), at(3.5, -2.0), at(0.0, 3.0)];
    painter.add(Shape::convex_polygon(corners, color, Stroke::NONE));
}

/// A switch with its name beside it: filled when on. Gives whether it was clicked.
pub fn switch(ui: &mut Ui, rect: Rect, id: Id, name: &str, on: bool, hint: &str) -> bool {
    let response = ui.interact(rect, id, Sense::click());
    response.widget_info(|| WidgetInfo::selected(Role::CheckBox, true, on, name));
    let lamp = Rect::from_min_size(pos2(rect.left(), rect.center().y - 6.0), vec2(22.0, 12.0));
    let edge = if response.has_focus() {
        LIGHT
    } else if response.hovered() {
        QUIET
    } else {
        LINE
    };
    let painter = ui.painter_at(rect.expand(2.0));
    painter.rect(lamp, 6.0, if on { ACCENT } else { GROUND }, Stroke::new(1.0, edge), StrokeKind::Inside);
    let knob = pos2(if on { lamp.right() - 6.0 } else { lamp.left() + 6.0 }, lamp.center().y);
    painter.circle_filled(knob, 4.0, if on { GROUND } else { QUIET });
    painter.text(
        pos2(lamp.right() + 6.0, rect.center().y),
        Align2::LEFT_CENTER,
        name,
        theme::font(13.0),
        if on { TEXT } else { QUIET },
    );
    let clicked = response.clicked();
    response.on_hover_text(if hint.is_empty() { name } else { hint });
    clicked
}
