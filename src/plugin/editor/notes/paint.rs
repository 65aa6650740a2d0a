//! What is drawn of the notes: rows and keys, the steps' numbers, the notes, their velocities.
//!
//! Thread: the window's. Invariant: it changes nothing.

use egui::{Align2, Rect, Stroke, StrokeKind, Ui, pos2, vec2};

use super::hand::Part;
use super::roll::Roll;
use super::{KEYS, RULER, is_in_key, notes_of, own};
use crate::param::TrackIndex;
use crate::pattern::Pattern;
use crate::plugin::editor::theme::{
    self, ACCENT, ACCENT_DIM, CORNER, FIELD, FIELD_ALT, GROUND, LIGHT, LINE, QUIET, TEXT,
};
use crate::plugin::editor::transport::PAGE;
use crate::plugin::editor::{Hands, Scene, cell, grid};

/// The rows with their keys, and the lines between steps.
pub(super) fn rows(ui: &Ui, roll: &Roll, pattern: &Pattern, scene: &Scene<'_>) {
    let painter = ui.painter();
    let end = roll.x(f32::from(pattern.length)).clamp(roll.area.left(), roll.area.right());
    for note in (roll.low..).take(usize::from(roll.rows)) {
        let top = roll.y(i16::from(note));
        let row = Rect::from_x_y_ranges(roll.area.left()..=end, top..=top + roll.row() - 1.0);
        let (key, tonic) = (is_in_key(scene, note), note % 12 == scene.view.song.context.key);
        painter.rect_filled(
            row,
            0.0,
            if tonic {
                FIELD_ALT
            } else if key {
                FIELD
            } else {
                GROUND
            },
        );
        let left = Rect::from_x_y_ranges(roll.area.left() - KEYS..=roll.area.left() - 4.0, row.y_range());
        painter.rect_filled(left, 2.0, if key { FIELD_ALT } else { FIELD });
        if tonic {
            painter.rect_filled(left.with_min_x(left.right() - 3.0), 0.0, ACCENT);
        }
        let readable = roll.row() >= 12.0 || tonic || note % 12 == 0;
        if readable {
            let color = if key { TEXT } else { QUIET };
            let at = left.left_center() + vec2(4.0, 0.0);
            painter.text(at, Align2::LEFT_CENTER, cell::note_name(note), theme::figures(10.5), color);
        }
    }
    for column in 0..=PAGE {
        let x = roll.area.left() + f32::from(column) * roll.column();
        if x <= end + 0.5 {
            let beat = column % 4 == 0;
            painter.vline(x, roll.area.y_range(), Stroke::new(1.0, if beat { LINE } else { GROUND }));
        }
    }
}

/// The steps' numbers, and the step that plays.
pub(super) fn ruler(ui: &Ui, roll: &Roll, pattern: &Pattern, scene: &Scene<'_>) {
    let now = grid::playing_step(scene, pattern);
    for column in 0..PAGE {
        let step = roll.page * PAGE + column;
        let center = pos2(roll.x(f32::from(step) + 0.5), roll.area.top() - RULER / 2.0);
        let color = match (now == Some(step), column % 4 == 0) {
            (true, _) => ACCENT,
            (false, true) => TEXT,
            (false, false) => QUIET,
        };
        ui.painter().text(center, Align2::CENTER_CENTER, step + 1, theme::figures(11.0), color);
        if now == Some(step) {
            let x = roll.x(f32::from(step))..=roll.x(f32::from(step + 1)) - 1.0;
            let under = Rect::from_x_y_ranges(x, roll.area.y_range());
            ui.painter().rect_filled(under, 0.0, egui::Color32::from_white_alpha(14));
        }
    }
}

/// The notes, and the cursor.
pub(super) fn notes(
    ui: &Ui,
    roll: &Roll,
    track: TrackIndex,
    pattern: &Pattern,
    scene: &Scene<'_>,
    hands: &Hands,
) {
    let painter = ui.painter_at(roll.area);
    let own = own(scene, track);
    for (step, held) in (0..pattern.length).zip(&pattern.steps).filter(|(_, held)| held.on) {
        for (_, note) in notes_of(held, own) {
            let rect = roll.of(step, held, note);
            let fill = ACCENT_DIM.lerp_to_gamma(ACCENT, held.velocity);
            painter.rect(rect, CORNER, fill, Stroke::new(1.0, ACCENT), StrokeKind::Inside);
            if held.tie {
                let bar = Rect::from_center_size(rect.right_center(), vec2(9.0, 3.0));
                painter.rect_filled(bar, 0.0, LIGHT);
            }
            if held.note.is_none() && rect.height() > 6.0 {
                // It follows the track's own pitch.
                painter.circle_filled(rect.left_center() + vec2(5.0, 0.0), 2.0, GROUND);
            }
        }
    }
    if hands.cursor_shown && hands.cursor.1 / PAGE == roll.page {
        let x = roll.x(f32::from(hands.cursor.1))..=roll.x(f32::from(hands.cursor.1 + 1)) - 1.0;
        let column = Rect::from_x_y_ranges(x, roll.area.y_range());
        painter.rect_stroke(column, CORNER, Stroke::new(1.0, LIGHT), StrokeKind::Inside);
    }
}

/// A bar for each step that sounds.
pub(super) fn velocities(ui: &Ui, roll: &Roll, bars: Rect, pattern: &Pattern, hands: &Hands) {
    let painter = ui.painter();
    painter.text(
        pos2(bars.left() - KEYS, bars.center().y),
        Align2::LEFT_CENTER,
        "velocity",
        theme::font(11.0),
        QUIET,
    );
    for step in (roll.page * PAGE..pattern.length).take(usize::from(PAGE)) {
        let held = &pattern.steps[usize::from(step)];
        let x = roll.x(f32::from(step)) + 1.0..=roll.x(f32::from(step + 1)) - 2.0;
        let column = Rect::from_x_y_ranges(x, bars.y_range());
        painter.rect_filled(column, CORNER, FIELD);
        if held.on {
            let bar = column.with_min_y(column.bottom() - column.height() * held.velocity);
            let in_hand =
                hands.notes.held.is_some_and(|held| held.step == step && held.what == Part::Velocity);
            painter.rect_filled(bar, CORNER, if in_hand { ACCENT } else { ACCENT_DIM });
        }
    }
}
