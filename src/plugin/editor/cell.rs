//! One cell of the grid: what it carries at a glance, and in words.
//!
//! The height of the fill is the velocity; below a chance of one only the fill's outline is whole and
//! the rest is shaded. Ticks along the foot are strokes, a bar out to the right a tie, a short line
//! at the head earliness or lateness, a letter the condition, a dot a lock.

use egui::{Color32, Rect, Stroke, StrokeKind, Ui, lerp, pos2, vec2};

use super::theme::{self, ACCENT, ACCENT_DIM, CORNER, FIELD, FIELD_ALT, GROUND, LIGHT, TEXT};
use crate::param::Param;
use crate::pattern::{Condition, LANES, Pattern, Track, Trig};

/// The least width in which a condition can be read.
const READABLE: f32 = 24.0;

/// How a cell stands in its row.
pub struct Look {
    /// Past the pattern's end.
    pub beyond: bool,
    /// In every other beat.
    pub alternate: bool,
    /// Under the playhead.
    pub playing: bool,
    /// Not heard.
    pub muted: bool,
    /// One of several that are chosen.
    pub chosen: bool,
}

/// Paints a cell.
pub fn paint(ui: &Ui, cell: Rect, pattern: &Pattern, step: u8, look: &Look) {
    let painter = ui.painter();
    if look.beyond {
        painter.rect_stroke(cell, CORNER, Stroke::new(1.0, FIELD), StrokeKind::Inside);
        return;
    }
    let held = &pattern.steps[usize::from(step)];
    painter.rect_filled(cell, CORNER, if look.alternate { FIELD_ALT } else { FIELD });
    if held.on {
        let color = if look.muted { ACCENT_DIM } else { ACCENT };
        let height = (cell.height() * held.velocity).max(3.0);
        let fill = Rect::from_min_max(pos2(cell.left(), cell.bottom() - height), cell.max);
        painter.rect_filled(fill, CORNER, shaded(color, held.probability));
        painter.rect_stroke(cell, CORNER, Stroke::new(1.0, color), StrokeKind::Inside);
        marks(ui, cell, pattern, step, color);
    }
    if locked(pattern, step) {
        let at = cell.left_top() + vec2(5.0, 5.0);
        painter.circle(at, 3.0, LIGHT, Stroke::new(1.0, GROUND));
    }
    if look.chosen {
        painter.rect_stroke(cell, CORNER, Stroke::new(1.5, TEXT), StrokeKind::Inside);
    }
    if look.playing {
        painter.rect_filled(cell, CORNER, Color32::from_white_alpha(if held.on { 110 } else { 30 }));
    }
}

/// A fill that sounds only sometimes is so much darker; its edge stays.
fn shaded(color: Color32, probability: f32) -> Color32 {
    if probability >= 1.0 { color } else { FIELD.lerp_to_gamma(color, lerp(0.15..=0.7, probability)) }
}

fn marks(ui: &Ui, cell: Rect, pattern: &Pattern, step: u8, color: Color32) {
    let painter = ui.painter();
    let held = &pattern.steps[usize::from(step)];
    if held.ratchet > 1 {
        // A tick between two strokes: as many parts as strokes.
        for stroke in 1..held.ratchet.min(8) {
            let x = cell.left() + cell.width() * f32::from(stroke) / f32::from(held.ratchet);
            let tick = Rect::from_center_size(pos2(x, cell.bottom() - 5.0), vec2(1.5, 10.0));
            painter.rect_filled(tick, 0.0, GROUND);
        }
    }
    if held.tie {
        let bar = Rect::from_center_size(cell.right_center() + vec2(1.5, 0.0), vec2(9.0, 4.0));
        painter.rect_filled(bar, 0.0, color);
    }
    if held.micro != 0 {
        let middle = cell.center().x;
        let x = middle + f32::from(held.micro) / 100.0 * cell.width();
        let line = Rect::from_x_y_ranges(middle.min(x)..=middle.max(x), cell.top() + 1.0..=cell.top() + 4.0);
        painter.rect_filled(line, 0.0, LIGHT);
        painter.rect_filled(Rect::from_center_size(pos2(x, cell.top() + 3.0), vec2(2.0, 7.0)), 0.0, LIGHT);
    }
    if held.condition != Condition::ALWAYS {
        let mark = mark(held.condition);
        let wide = cell.width() >= READABLE;
        let galley = painter.layout_no_wrap(
            if wide { mark } else { mark.chars().take(1).collect() },
            theme::font(10.0),
            TEXT,
        );
        let plate =
            Rect::from_center_size(pos2(cell.center().x, cell.center().y), galley.size() + vec2(5.0, 1.0));
        painter.rect_filled(plate, CORNER, GROUND);
        painter.galley(plate.center() - galley.size() / 2.0, galley, TEXT);
    }
}

/// Whether a cell locks a parameter.
pub fn locked(pattern: &Pattern, step: u8) -> bool {
    (0..LANES as u8).any(|lane| pattern.locks[usize::from(step)].get(lane).is_some())
}

/// A condition in so few letters as fit a cell.
fn mark(condition: Condition) -> String {
    let word = match condition.when {
        Trig::Always => "",
        Trig::Nth { nth, of } => return format!("{}{nth}:{of}", if condition.not { "!" } else { "" }),
        Trig::First => "1st",
        Trig::Previous => "pre",
        Trig::Neighbour => "nei",
        Trig::Fill => "fill",
    };
    format!("{}{word}", if condition.not { "!" } else { "" })
}

/// A condition in words.
pub fn words(condition: Condition) -> String {
    let not = if condition.not { "not " } else { "" };
    match condition.when {
        Trig::Always => "in every round".to_owned(),
        Trig::Nth { nth, of } => format!("{not}in round {nth} of every {of}"),
        Trig::First => format!("{not}in the first round"),
        Trig::Previous => format!("{not}after its last conditional step sounded"),
        Trig::Neighbour => format!("{not}after the neighbour's conditional step sounded"),
        Trig::Fill => format!("{not}in a fill"),
    }
}

/// A MIDI note by its name: 60 is C4.
pub fn note_name(note: u8) -> String {
    const NAMES: [&str; 12] = ["C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B"];
    format!("{}{}", NAMES[usize::from(note % 12)], i16::from(note / 12) - 1)
}

/// Everything that a cell carries, in words.
pub fn describe(track: &Track, pattern: &Pattern, step: u8) -> String {
    if step >= pattern.length {
        return format!("Step {}: past the pattern's end ({} steps)", step + 1, pattern.length);
    }
    let cell = &pattern.steps[usize::from(step)];
    let mut text = format!("Step {}: {}", step + 1, if cell.on { "plays" } else { "rests" });
    text += &format!(" · velocity {:.0} %", cell.velocity * 100.0);
    let notes: Vec<String> =
        cell.note.iter().chain(cell.also.iter().flatten()).copied().map(note_name).collect();
    if !notes.is_empty() {
        text += &format!(" · {}", notes.join(" "));
    }
    if cell.probability < 1.0 {
        text += &format!(" · {:.0} % of the time", cell.probability * 100.0);
    }
    if cell.ratchet > 1 {
        text += &format!(" · {} strokes", cell.ratchet);
    }
    if cell.micro != 0 {
        let word = if cell.micro < 0 { "early" } else { "late" };
        text += &format!(" · {} % of a step {word}", cell.micro.unsigned_abs());
    }
    if cell.gate != 100 {
        text += &format!(" · {:.2} steps long", f32::from(cell.gate) / 100.0);
    }
    if cell.tie {
        text += " · tied to the next";
    }
    if cell.condition != Condition::ALWAYS {
        text += &format!(" · {}", words(cell.condition));
    }
    let place =
        crate::pattern::PatternIndex::all().find(|place| std::ptr::eq(&track.patterns[place.get()], pattern));
    for lane in 0..LANES as u8 {
        let held = place.and_then(|place| track.lock(place, step, lane));
        if let Some((param, value)) = held {
            text += &format!("\n{} {}", Param::spec(param).name, param.spec().display(value));
        }
    }
    text + "\nClick toggles · drag paints · scroll or right-drag sets velocity · shift and click chooses up to here · D shows all it carries"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_named_as_keyboards_do() {
        assert_eq!([note_name(0), note_name(60), note_name(69), note_name(127)], ["C-1", "C4", "A4", "G9"]);
    }

    #[test]
    fn a_cell_says_what_it_carries() {
        let mut track = Track::UNUSED;
        track.lanes[2] = Some(Param::FilterFreq);
        let pattern = &mut track.patterns[0];
        let cell = &mut pattern.steps[3];
        (cell.on, cell.ratchet, cell.micro, cell.tie) = (true, 3, -10, true);
        cell.condition = Condition { when: Trig::Nth { nth: 2, of: 4 }, not: true };
        (cell.note, cell.also[0]) = (Some(60), Some(64));
        pattern.locks[3].set(2, Some(800.0));
        let said = describe(&track, &track.patterns[0], 3);
        for part in [
            "plays",
            "C4 E4",
            "3 strokes",
            "10 % of a step early",
            "tied",
            "not in round 2 of every 4",
            "Filter cutoff 800.0 Hz",
        ] {
            assert!(said.contains(part), "{part} in {said}");
        }
        assert!(locked(&track.patterns[0], 3) && !locked(&track.patterns[0], 4));
        assert_eq!(mark(track.patterns[0].steps[3].condition), "!2:4");
    }
}
