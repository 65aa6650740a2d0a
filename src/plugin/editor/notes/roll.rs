//! Where the notes of a page lie on the screen, and which note and step lie at a point.
//!
//! Thread: the window's.

use egui::Rect;

use crate::pattern::Step;
use crate::plugin::editor::transport::PAGE;

/// Where notes lie on the screen.
pub(super) struct Roll {
    pub(super) area: Rect,
    /// The lowest row's note.
    pub(super) low: u8,
    /// How many rows there are.
    pub(super) rows: u8,
    /// Which sixteen steps.
    pub(super) page: u8,
}

impl Roll {
    /// A row's height.
    pub(super) fn row(&self) -> f32 {
        self.area.height() / f32::from(self.rows)
    }

    /// A step's width.
    pub(super) fn column(&self) -> f32 {
        self.area.width() / f32::from(PAGE)
    }

    /// Where a step begins, or a place between two.
    pub(super) fn x(&self, step: f32) -> f32 {
        self.area.left() + (step - f32::from(self.page * PAGE)) * self.column()
    }

    /// A note's upper edge.
    pub(super) fn y(&self, note: i16) -> f32 {
        self.area.bottom() - f32::from(note - i16::from(self.low) + 1) * self.row()
    }

    /// The step at a place; `None`: outside the page.
    pub(super) fn step(&self, x: f32) -> Option<u8> {
        let column = ((x - self.area.left()) / self.column()).floor();
        (0.0..f32::from(PAGE)).contains(&column).then(|| self.page * PAGE + column as u8)
    }

    /// The note at a height.
    pub(super) fn note(&self, y: f32) -> u8 {
        let above = ((self.area.bottom() - y) / self.row()).floor();
        (f32::from(self.low) + above).clamp(0.0, 127.0) as u8
    }

    /// Where a note of a step lies.
    pub(super) fn of(&self, step: u8, held: &Step, note: u8) -> Rect {
        let from = f32::from(step) + f32::from(held.micro) / 100.0;
        let long = if held.tie { f32::from(held.gate).max(100.0) } else { f32::from(held.gate) } / 100.0;
        let x = self.x(from)..=(self.x(from + long) - 1.0).max(self.x(from) + 3.0);
        let top = self.y(i16::from(note));
        Rect::from_x_y_ranges(x, top + 0.5..=top + self.row() - 0.5)
    }
}

#[cfg(test)]
mod tests {
    use egui::{pos2, vec2};

    use super::*;

    #[test]
    fn the_roll_finds_back_what_it_shows() {
        let area = Rect::from_min_size(pos2(48.0, 20.0), vec2(640.0, 240.0));
        let roll = Roll { area, low: 48, rows: 24, page: 1 };
        for (step, note) in [(16, 48), (20, 60), (31, 71)] {
            let at = roll.of(step, &Step::REST, note).center();
            assert_eq!((roll.step(at.x), roll.note(at.y)), (Some(step), note));
        }
        assert_eq!(roll.step(area.right() + 1.0), None);
    }
}
