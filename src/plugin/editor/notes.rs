//! The note lane: the shown pattern of the cursor's track by pitch, sixteen steps a page, the notes of
//! the key brighter, velocities below.
//!
//! A click puts a note or takes one away, a drag moves it up and down, its right end makes it longer;
//! each drag is one undo step.

use egui::{Align2, Key, Modifiers, Pos2, Rect, RichText, Sense, Stroke, StrokeKind, Ui, pos2, vec2};

use super::chosen::Chosen;
use super::theme::{
    self, ACCENT, ACCENT_DIM, CORNER, FIELD, FIELD_ALT, GROUND, LIGHT, LINE, QUIET, S2, S3, S4, TEXT,
};
use super::transport::PAGE;
use super::{Hands, Scene, cell, grid};
use crate::param::TrackIndex;
use crate::pattern::{
    Edit, Follow, MAX_GATE, Pattern, PatternIndex, Pitch, Scale, Step, StepField, TrackField, Voice, voice_of,
};
use crate::rt::own_note;

/// The keys' width.
const KEYS: f32 = 48.0;
/// The velocities' height.
const VELOCITIES: f32 = 34.0;
/// The steps' numbers.
const RULER: f32 = 16.0;
/// A row's least height at each zoom.
const ROWS: [f32; 3] = [9.0, 13.0, 19.0];
/// The right end of a note, by which it is made longer.
const EDGE: f32 = 6.0;

/// What the person does with the notes.
pub struct Page {
    /// The lowest row, where it has been moved; else what the notes ask for.
    low: Option<(TrackIndex, u8)>,
    /// Which of [`ROWS`].
    zoom: usize,
    held: Option<Held>,
}

impl Default for Page {
    fn default() -> Page {
        Page { low: None, zoom: 1, held: None }
    }
}

/// A note in hand.
#[derive(Clone, Copy)]
struct Held {
    step: u8,
    what: Part,
    /// The undo step that the whole drag is.
    stroke: u64,
    /// It has been moved: letting go is no click.
    moved: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Part {
    /// The note at a place: 0 for the step's own, else one of its chord.
    Pitch(usize),
    /// Just put there; moves as a pitch, and letting go leaves it.
    Fresh(usize),
    Length,
    Velocity,
}

/// The pitch of a track's steps that have no note of their own.
pub fn own(scene: &Scene<'_>, track: TrackIndex) -> u8 {
    let row = scene.view.song.track(track);
    match row.pitch {
        Some(Pitch::Note(note)) => note,
        Some(Pitch::Hertz(hertz)) => (69.0 + 12.0 * (hertz / 440.0).log2()).round().clamp(0.0, 127.0) as u8,
        None => own_note(voice_of(row).voice),
    }
}

/// Whether a note is of the song's key.
fn is_in_key(scene: &Scene<'_>, note: u8) -> bool {
    let context = &scene.view.song.context;
    context.scale.notes() >> ((note + 12 - context.key % 12) % 12) & 1 == 1
}

/// The nearest note of the song's key, the higher of two.
pub fn in_scale(scene: &Scene<'_>, note: u8) -> u8 {
    let near = (0..12u8).flat_map(|far| [note.saturating_add(far), note.saturating_sub(far)]);
    near.filter(|note| *note < 128).find(|note| is_in_key(scene, *note)).unwrap_or(note)
}

/// Where notes lie on the screen.
struct Roll {
    area: Rect,
    low: u8,
    rows: u8,
    page: u8,
}

impl Roll {
    fn row(&self) -> f32 {
        self.area.height() / f32::from(self.rows)
    }

    fn column(&self) -> f32 {
        self.area.width() / f32::from(PAGE)
    }

    fn x(&self, step: f32) -> f32 {
        self.area.left() + (step - f32::from(self.page * PAGE)) * self.column()
    }

    fn y(&self, note: i16) -> f32 {
        self.area.bottom() - f32::from(note - i16::from(self.low) + 1) * self.row()
    }

    fn step(&self, x: f32) -> Option<u8> {
        let column = ((x - self.area.left()) / self.column()).floor();
        (0.0..f32::from(PAGE)).contains(&column).then(|| self.page * PAGE + column as u8)
    }

    fn note(&self, y: f32) -> u8 {
        let above = ((self.area.bottom() - y) / self.row()).floor();
        (f32::from(self.low) + above).clamp(0.0, 127.0) as u8
    }

    fn of(&self, step: u8, held: &Step, note: u8) -> Rect {
        let from = f32::from(step) + f32::from(held.micro) / 100.0;
        let long = if held.tie { f32::from(held.gate).max(100.0) } else { f32::from(held.gate) } / 100.0;
        let x = self.x(from)..=(self.x(from + long) - 1.0).max(self.x(from) + 3.0);
        let top = self.y(i16::from(note));
        Rect::from_x_y_ranges(x, top + 0.5..=top + self.row() - 0.5)
    }
}

/// The notes of a step: its own, then its chord's.
fn notes_of(held: &Step, own: u8) -> impl Iterator<Item = (usize, u8)> {
    let chord = held.also.into_iter().enumerate().filter_map(|(place, note)| Some((place + 1, note?)));
    std::iter::once((0, held.note.unwrap_or(own))).chain(chord)
}

/// The edit by which the note at a place becomes another.
fn moved(held: &Step, place: usize, note: Option<u8>) -> StepField {
    match place.checked_sub(1) {
        None => StepField::Note(note),
        Some(place) => {
            let mut also = held.also;
            also[place] = note;
            StepField::Also(also)
        }
    }
}

/// The page.
pub fn show(ui: &mut Ui, scene: &Scene<'_>, hands: &mut Hands) {
    let frame = egui::Frame::new().fill(GROUND).inner_margin(vec2(S4, S2));
    egui::CentralPanel::default().frame(frame).show(ui, |ui| {
        let track = hands.cursor.0;
        if !scene.view.song.track(track).alive {
            ui.label(RichText::new("Choose a track under Steps first").color(QUIET));
            return;
        }
        tools(ui, track, scene, hands);
        let (rect, response) = ui.allocate_exact_size(ui.available_size(), Sense::click_and_drag());
        let area = Rect::from_min_max(
            rect.min + vec2(KEYS, RULER),
            pos2(rect.right(), rect.bottom() - VELOCITIES - S2),
        );
        let rows = (area.height() / ROWS[hands.notes.zoom]).floor().clamp(6.0, 60.0) as u8;
        let low = lowest(scene, hands, track, rows);
        let roll = Roll { area, low, rows, page: hands.page };
        if response.hovered() {
            scroll(ui, &roll, track, hands);
        }
        let (place, pattern) = scene.pattern(track, &hands.shown);
        paint_rows(ui, &roll, pattern, scene);
        paint_ruler(ui, &roll, pattern, scene);
        paint_notes(ui, &roll, track, pattern, scene, hands);
        let bars = Rect::from_min_max(pos2(area.left(), area.bottom() + S2), rect.max);
        paint_velocities(ui, &roll, bars, pattern, hands);
        pointer(ui, &response, (&roll, bars), (track, place), scene, hands);
        if let Some(at) = response.hover_pos().filter(|at| area.contains(*at))
            && let Some(step) = roll.step(at.x)
        {
            let note = cell::note_name(roll.note(at.y));
            response.on_hover_text_at_pointer(format!("{note} · step {}", step + 1));
        }
    });
}

fn tools(ui: &mut Ui, track: TrackIndex, scene: &Scene<'_>, hands: &mut Hands) {
    let song = &scene.view.song;
    ui.horizontal(|ui| {
        ui.set_height(26.0);
        ui.spacing_mut().item_spacing.x = S2;
        let row = song.track(track);
        let shown = hands.shown.of(track, song).get() + 1;
        ui.label(RichText::new(format!("{} · pattern {shown}", row.name)).color(TEXT));
        ui.add_space(S3);
        let scale =
            Scale::ALL.iter().find(|(_, scale)| *scale == song.context.scale).map_or("", |(name, _)| name);
        let key = cell::note_name(song.context.key);
        let key = format!("{} {scale}", key.trim_end_matches("-1"));
        ui.label(RichText::new(key).color(QUIET))
            .on_hover_text("The song's key, brighter below; A opens where it is chosen");
        let locked = row.follow == Follow::Scale;
        let hint = "Notes outside the key are played as its nearest ones";
        if ui.selectable_label(locked, "Scale lock").on_hover_text(hint).clicked() {
            let follow = if locked { Follow::Off } else { Follow::Scale };
            scene.edit(Edit::Track { track, field: TrackField::Follow(follow) });
        }
        ui.add_space(S3);
        for (word, by, hint) in [("Lower", -12, "An octave lower"), ("Higher", 12, "An octave higher")] {
            if ui.small_button(word).on_hover_text(format!("Shows {hint}").to_lowercase()).clicked() {
                let low = hands.notes.low.map_or(48, |(_, low)| i16::from(low));
                hands.notes.low = Some((track, (low + by).clamp(0, 116) as u8));
            }
        }
        for (word, zoom) in [("−", 0), ("=", 1), ("+", 2)] {
            let hint = ["Low rows: more octaves", "Rows of a middle height", "High rows: fewer notes"][zoom];
            if ui.selectable_label(hands.notes.zoom == zoom, word).on_hover_text(hint).clicked() {
                hands.notes.zoom = zoom;
                hands.notes.low = None;
            }
        }
        let help =
            "Click puts a note · drag moves · right end: length · arrows, with alt the pitch · space toggles";
        let help = RichText::new(help).font(theme::font(12.0)).color(QUIET);
        ui.add(egui::Label::new(help).truncate());
    });
}

/// The lowest row: as it was moved, else so that what the pattern holds is in the middle.
fn lowest(scene: &Scene<'_>, hands: &mut Hands, track: TrackIndex, rows: u8) -> u8 {
    let most = 128 - rows.min(127);
    if let Some((of, low)) = hands.notes.low
        && of == track
    {
        return low.min(most);
    }
    let own = own(scene, track);
    let (_, pattern) = scene.pattern(track, &hands.shown);
    let sounding = pattern.steps[..usize::from(pattern.length)].iter().filter(|step| step.on);
    let notes = sounding.flat_map(|step| notes_of(step, own).map(|(_, note)| note));
    let (least, greatest) =
        notes.fold((own, own), |(least, greatest), note| (least.min(note), greatest.max(note)));
    let middle = (i16::from(least) + i16::from(greatest)) / 2;
    let low = (middle - i16::from(rows) / 2).clamp(0, i16::from(most)) as u8;
    hands.notes.low = Some((track, low));
    low
}

fn scroll(ui: &Ui, roll: &Roll, track: TrackIndex, hands: &mut Hands) {
    let turned = ui.input(|input| {
        let by = |event: &egui::Event| match event {
            egui::Event::MouseWheel { delta, .. } if delta.y != 0.0 => delta.y.signum() as i16 * 2,
            _ => 0,
        };
        input.events.iter().map(by).sum::<i16>()
    });
    if turned != 0 {
        let most = 128 - i16::from(roll.rows);
        hands.notes.low = Some((track, (i16::from(roll.low) + turned).clamp(0, most) as u8));
    }
}

fn paint_rows(ui: &Ui, roll: &Roll, pattern: &Pattern, scene: &Scene<'_>) {
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

fn paint_ruler(ui: &Ui, roll: &Roll, pattern: &Pattern, scene: &Scene<'_>) {
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

fn paint_notes(ui: &Ui, roll: &Roll, track: TrackIndex, pattern: &Pattern, scene: &Scene<'_>, hands: &Hands) {
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

fn paint_velocities(ui: &Ui, roll: &Roll, bars: Rect, pattern: &Pattern, hands: &Hands) {
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

/// Whether a voice plays several notes at once.
fn plays_chords(voice: Voice) -> bool {
    matches!(voice, Voice::Synth | Voice::Pad | Voice::Fm | Voice::Sampler)
}

fn pointer(
    ui: &Ui,
    response: &egui::Response,
    (roll, bars): (&Roll, Rect),
    (track, pattern): (TrackIndex, PatternIndex),
    scene: &Scene<'_>,
    hands: &mut Hands,
) {
    let held_pattern = scene.view.song.pattern(track, pattern);
    let Some(at) = ui.input(|input| input.pointer.interact_pos()) else { return };
    if response.hovered() && ui.input(|input| input.pointer.primary_pressed()) {
        hands.notes.held = press(at, (roll, bars), (track, pattern), scene, hands);
    }
    let Some(held) = hands.notes.held else { return };
    let cell = &held_pattern.steps[usize::from(held.step)];
    let edit = |field: StepField| {
        if StepField::read(cell, field.register()) != field {
            scene.stroke(held.stroke, Edit::Step { track, pattern, step: held.step, field });
            return true;
        }
        false
    };
    if !ui.input(|input| input.pointer.primary_down()) {
        hands.notes.held = None;
        if let (Part::Pitch(place), false) = (held.what, held.moved) {
            // A click on a note takes it away; a chord loses one of its notes, the step its last.
            take_away(cell, place).into_iter().for_each(|field| {
                edit(field);
            });
        }
        return;
    }
    let moves = match held.what {
        Part::Pitch(place) | Part::Fresh(place) => {
            let note = roll.note(at.y);
            let now = notes_of(cell, own(scene, track)).find(|(of, _)| *of == place).map(|(_, note)| note);
            now.is_some_and(|now| now != note) && edit(moved(cell, place, Some(note)))
        }
        Part::Length => {
            let from = f32::from(held.step) + f32::from(cell.micro) / 100.0;
            let steps = (at.x - roll.x(from)) / roll.column();
            let fine = ui.input(|input| input.modifiers.shift);
            let gate = if fine { steps * 100.0 } else { (steps * 4.0).round() * 25.0 };
            edit(StepField::Gate(gate.round().clamp(10.0, f32::from(MAX_GATE)) as u16))
        }
        Part::Velocity => {
            let velocity = (bars.bottom() - at.y) / bars.height();
            edit(StepField::Velocity((velocity.clamp(0.05, 1.0) * 100.0).round() / 100.0))
        }
    };
    if let (true, Some(held)) = (moves, hands.notes.held.as_mut()) {
        held.moved = true;
    }
}

fn take_away(cell: &Step, place: usize) -> Vec<StepField> {
    let last = cell.also.iter().position(Option::is_some);
    match (place, last) {
        (0, None) => vec![StepField::On(false)],
        // Another of the chord becomes the step's own.
        (0, Some(other)) => vec![StepField::Note(cell.also[other]), moved(cell, other + 1, None)],
        (place, _) => vec![moved(cell, place, None)],
    }
}

/// What a press takes into the hand; where nothing is, it puts a note.
fn press(
    at: Pos2,
    (roll, bars): (&Roll, Rect),
    (track, pattern): (TrackIndex, PatternIndex),
    scene: &Scene<'_>,
    hands: &mut Hands,
) -> Option<Held> {
    let held_pattern = scene.view.song.pattern(track, pattern);
    let own = own(scene, track);
    let held = |step, what| Some(Held { step, what, stroke: rand::random(), moved: false });
    if bars.contains(at) {
        let step = roll.step(at.x).filter(|step| held_pattern.steps[usize::from(*step)].on)?;
        return held(step, Part::Velocity);
    }
    if !roll.area.contains(at) {
        return None;
    }
    let sounding = (0..held_pattern.length).filter(|step| held_pattern.steps[usize::from(*step)].on);
    let hit = sounding.rev().find_map(|step| {
        let cell = &held_pattern.steps[usize::from(step)];
        let (place, note) = notes_of(cell, own).find(|(_, note)| roll.of(step, cell, *note).contains(at))?;
        Some((step, place, roll.of(step, cell, note)))
    });
    hands.mark = None;
    if let Some((step, place, rect)) = hit {
        (hands.cursor, hands.cursor_shown) = ((track, step), true);
        let edge = rect.right() - at.x < EDGE.min(rect.width() / 3.0);
        return held(step, if edge { Part::Length } else { Part::Pitch(place) });
    }
    let step = roll.step(at.x).filter(|step| *step < held_pattern.length)?;
    (hands.cursor, hands.cursor_shown) = ((track, step), true);
    let (cell, note) = (&held_pattern.steps[usize::from(step)], roll.note(at.y));
    let row = scene.view.song.track(track);
    let chords = plays_chords(voice_of(row).voice);
    let free = cell.also.iter().position(Option::is_none).filter(|_| cell.on && chords);
    let place = free.map_or(0, |free| free + 1);
    let taken = held(step, Part::Fresh(place))?;
    let edit = |field| Edit::Step { track, pattern, step, field };
    let mut edits = vec![edit(moved(cell, place, Some(note)))];
    if !cell.on {
        edits.push(edit(StepField::On(true)));
        edits.extend(cell.also.iter().any(Option::is_some).then(|| edit(StepField::Also([None; 3]))));
    }
    scene.strokes(taken.stroke, edits);
    Some(taken)
}

/// Alt with up and down moves the chosen steps' notes by a semitone, with shift as well by an octave.
pub fn take_keys(ui: &Ui, scene: &Scene<'_>, hands: &mut Hands) {
    let of = Chosen::of(scene, hands);
    let held = scene.view.song.pattern(of.track, of.pattern);
    let own = own(scene, of.track);
    for (key, up) in [(Key::ArrowUp, 1i16), (Key::ArrowDown, -1)] {
        for (modifiers, by) in [(Modifiers::ALT | Modifiers::SHIFT, 12), (Modifiers::ALT, 1)] {
            if !ui.input_mut(|input| input.consume_key(modifiers, key)) {
                continue;
            }
            let shift = |note: u8| (i16::from(note) + up * by).clamp(0, 127) as u8;
            let mut edits = of.each(held, |step| StepField::Note(Some(shift(step.note.unwrap_or(own)))));
            edits.extend(of.each(held, |step| StepField::Also(step.also.map(|note| note.map(shift)))));
            let step = hands.step_of(ui, egui::Id::unique("transpose"));
            scene.strokes(step, edits);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chord_loses_its_notes_one_by_one() {
        let mut cell = Step { on: true, note: Some(60), also: [None, Some(64), None], ..Step::REST };
        let apply =
            |cell: &mut Step, place| take_away(cell, place).into_iter().for_each(|field| field.write(cell));
        apply(&mut cell, 0);
        assert_eq!((cell.on, cell.note, cell.also), (true, Some(64), [None; 3]));
        apply(&mut cell, 0);
        assert!(!cell.on);
    }

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
