//! The page of the chosen steps: everything that a cell can carry.

use egui::{Button, Id, Rect, RichText, ScrollArea, Ui, pos2, vec2};

use super::chosen::Chosen;
use super::control::{self, HEIGHT, Turn};
use super::theme::{self, FIELD, GROUND, PANEL, QUIET, S2, S3, S4, TEXT};
use super::{Hands, Page, Scene, cell, locks, notes};
use crate::pattern::{Condition, MAX_GATE, Step, StepField, Trig};

/// The page's width, in logical points.
const WIDTH: f32 = 312.0;
/// What a bar of lengths turns to at its right end, in hundredths of a step.
const LONG: f32 = 1600.0;

/// The button that opens and closes the page.
pub fn toggle(ui: &mut Ui, hands: &mut Hands) {
    let hint = "All that the chosen steps carry: velocity, chance, strokes, timing, length, notes, conditions, locks (D)";
    if ui.selectable_label(hands.open == Some(Page::Step), "Step").on_hover_text(hint).clicked() {
        hands.turn_to(Page::Step);
        hands.cursor_shown = true;
    }
}

/// The page.
pub fn show(ui: &mut Ui, scene: &Scene<'_>, hands: &mut Hands) {
    let frame = egui::Frame::new().fill(PANEL).inner_margin(vec2(S4, S3));
    egui::Panel::right("step").exact_size(WIDTH).frame(frame).show(ui, |ui| {
        if !scene.view.song.track(hands.cursor.0).alive {
            ui.label(RichText::new("Click a cell first").color(QUIET));
            return;
        }
        let of = Chosen::of(scene, hands);
        heading(ui, &of, scene, hands);
        ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            ui.set_width(ui.available_width() - S3);
            let first = scene.view.song.pattern(of.track, of.pattern).steps[usize::from(of.first())];
            figures(ui, &of, &first, scene, hands);
            strokes(ui, &of, &first, scene);
            condition(ui, &of, &first, scene, hands);
            chord(ui, &of, &first, scene, hands);
            locks::show(ui, &of, scene, hands);
            ui.add_space(S3);
        });
    });
}

fn heading(ui: &mut Ui, of: &Chosen, scene: &Scene<'_>, hands: &mut Hands) {
    let held = scene.view.song.pattern(of.track, of.pattern);
    let on = held.steps[usize::from(of.first())].on;
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = S2;
        ui.spacing_mut().button_padding.x = 6.0;
        let name = scene.view.song.track(of.track).name;
        let (rect, _) = ui.allocate_exact_size(vec2(122.0, 24.0), egui::Sense::hover());
        let hint = "Whether they sound (space)";
        let words = format!("{name} {}", of.words());
        if control::switch(ui, rect, ui.scope_id().with("on"), &words, on, hint) {
            scene.edits(of.each(held, |_| StepField::On(!on)));
        }
        if ui.button("Copy").on_hover_text("Copies these steps (Ctrl+C)").clicked() {
            hands.copied = Some(of.copy(scene));
        }
        let paste = ui.add_enabled(hands.copied.is_some(), Button::new("Paste"));
        let pasted =
            paste.on_hover_text("Lays what was copied over the steps from here on (Ctrl+V)").clicked();
        if let (true, Some(copied)) = (pasted, &hands.copied) {
            of.paste(scene, copied);
        }
        if ui.button("Clear").on_hover_text("They become rests again, with nothing on them").clicked() {
            of.clear(scene);
        }
    });
}

/// Rectangles two in a row.
fn pair(ui: &mut Ui) -> [Rect; 2] {
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), HEIGHT), egui::Sense::hover());
    let width = (rect.width() - S4) / 2.0;
    let size = vec2(width, HEIGHT);
    [Rect::from_min_size(rect.min, size), Rect::from_min_size(rect.min + vec2(width + S4, 0.0), size)]
}

/// Velocity, chance, timing, length.
fn figures(ui: &mut Ui, of: &Chosen, first: &Step, scene: &Scene<'_>, hands: &mut Hands) {
    let held = scene.view.song.pattern(of.track, of.pattern);
    let mut turn = |ui: &mut Ui, rect, turn: Turn<'_>, field: &dyn Fn(f32) -> StepField| {
        let id = ui.scope_id().with(("step", turn.name));
        if let Some(travel) = control::turn(ui, rect, id, &turn) {
            let step = hands.step_of(ui, id);
            scene.strokes(step, of.each(held, |_| field(travel)));
        }
    };
    let percent = |part: f32| format!("{:.0} %", part * 100.0);
    let [left, right] = pair(ui);
    let velocity = Turn {
        name: "Velocity",
        text: percent(first.velocity),
        travel: first.velocity,
        default: Step::REST.velocity,
        ..Turn::default()
    };
    turn(ui, left, velocity, &StepField::Velocity);
    let chance = Turn {
        name: "Chance",
        text: percent(first.probability),
        travel: first.probability,
        default: 1.0,
        hint: "How often it sounds; the dice are the same for everybody",
        ..Turn::default()
    };
    turn(ui, right, chance, &StepField::Probability);
    let [left, right] = pair(ui);
    let timing = Turn {
        name: "Timing",
        text: format!("{:+} %", first.micro).replace('-', "−"),
        travel: (f32::from(first.micro) + 50.0) / 100.0,
        default: 0.5,
        origin: 0.5,
        hint: "Early or late by up to half a step",
        ..Turn::default()
    };
    turn(ui, left, timing, &|travel| StepField::Micro((travel * 100.0 - 50.0).round() as i8));
    let length = Turn {
        name: "Length",
        text: format!("{:.2} steps", f32::from(first.gate) / 100.0),
        travel: length_travel(first.gate),
        default: length_travel(100),
        hint: "How long it is held, of voices that hold; up to 16 steps here, in the note lane up to 64",
        ..Turn::default()
    };
    turn(ui, right, length, &|travel| StepField::Gate(length_at(travel)));
}

/// Lengths by equal ratios.
fn length_at(travel: f32) -> u16 {
    let least = 5.0_f32;
    (least * (LONG / least).powf(travel)).round().clamp(1.0, f32::from(MAX_GATE)) as u16
}

fn length_travel(gate: u16) -> f32 {
    let least = 5.0_f32;
    ((f32::from(gate).max(least) / least).ln() / (LONG / least).ln()).clamp(0.0, 1.0)
}

/// How many strokes, and whether it is tied.
fn strokes(ui: &mut Ui, of: &Chosen, first: &Step, scene: &Scene<'_>) {
    let held = scene.view.song.pattern(of.track, of.pattern);
    ui.add_space(S2);
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = S2;
        ui.spacing_mut().button_padding.x = 5.0;
        ui.label(RichText::new("Strokes").font(theme::font(12.0)).color(QUIET));
        for count in 1..=8u8 {
            let chosen = count == first.ratchet;
            let text = RichText::new(count.to_string()).font(theme::figures(12.0));
            let button = Button::new(text.color(if chosen { GROUND } else { TEXT }))
                .fill(if chosen { TEXT } else { FIELD })
                .small();
            if ui.add(button).on_hover_text(format!("{count} equal strokes within the step")).clicked() {
                scene.edits(of.each(held, |_| StepField::Ratchet(count)));
            }
        }
        let (rect, _) = ui.allocate_exact_size(vec2(52.0, 20.0), egui::Sense::hover());
        let hint = "Holds on into the next sounding step instead of beginning it anew";
        if control::switch(ui, rect, ui.scope_id().with("tie"), "Tie", first.tie, hint) {
            scene.edits(of.each(held, |_| StepField::Tie(!first.tie)));
        }
    });
}

const CONDITIONS: [&str; 6] = ["Always", "A : B", "First round", "Previous", "Neighbour", "Fill"];

/// In which rounds it sounds.
fn condition(ui: &mut Ui, of: &Chosen, first: &Step, scene: &Scene<'_>, hands: &mut Hands) {
    let held = scene.view.song.pattern(of.track, of.pattern);
    let Condition { when, not } = first.condition;
    let set = |condition: Condition| scene.edits(of.each(held, |_| StepField::Condition(condition)));
    let chosen = match when {
        Trig::Always => 0,
        Trig::Nth { .. } => 1,
        Trig::First => 2,
        Trig::Previous => 3,
        Trig::Neighbour => 4,
        Trig::Fill => 5,
    };
    ui.add_space(S2);
    let [left, right] = pair(ui);
    let words: Vec<String> = CONDITIONS.iter().map(|word| (*word).to_owned()).collect();
    let said = cell::words(first.condition);
    let id = ui.scope_id().with("condition");
    if let Some(picked) = control::words(ui, left, id, ("Sounds", &said), &words, chosen) {
        let when = match picked {
            1 => Trig::Nth { nth: 1, of: 2 },
            2 => Trig::First,
            3 => Trig::Previous,
            4 => Trig::Neighbour,
            5 => Trig::Fill,
            _ => Trig::Always,
        };
        set(Condition { when, not: not && when != Trig::Always });
    }
    if when == Trig::Always {
        return;
    }
    let hint = "The other way round: where it would not sound";
    let switch = Rect::from_min_max(pos2(right.left(), right.top() + 15.0), right.max);
    let switch = switch.with_max_x(right.left() + 50.0);
    if control::switch(ui, switch, ui.scope_id().with("not"), "not", not, hint) {
        set(Condition { when, not: !not });
    }
    if let Trig::Nth { nth, of: rounds } = when {
        let mut figures = [nth, rounds];
        let area = Rect::from_min_max(pos2(right.left() + 54.0, right.top() + 12.0), right.max);
        let changed =
            ui.scope_builder(egui::UiBuilder::new().max_rect(area), |ui| rounds_fields(ui, &mut figures));
        if changed.inner {
            let [nth, of_rounds] = figures;
            let when = Trig::Nth { nth: nth.min(of_rounds), of: of_rounds };
            let step = hands.step_of(ui, Id::unique("rounds"));
            scene.strokes(step, of.each(held, |_| StepField::Condition(Condition { when, not })));
        }
    }
}

fn rounds_fields(ui: &mut Ui, [nth, of]: &mut [u8; 2]) -> bool {
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = S2;
        ui.spacing_mut().interact_size.x = 30.0;
        ui.spacing_mut().button_padding.x = S2;
        let most = *of;
        let a = ui.add(egui::DragValue::new(nth).range(1..=most).speed(0.05)).on_hover_text("Which round");
        ui.label(":");
        let b = ui.add(egui::DragValue::new(of).range(1..=64).speed(0.05)).on_hover_text("Of how many");
        a.changed() || b.changed()
    })
    .inner
}

/// Note and chord.
fn chord(ui: &mut Ui, of: &Chosen, first: &Step, scene: &Scene<'_>, hands: &mut Hands) {
    let held = scene.view.song.pattern(of.track, of.pattern);
    let own = notes::own(scene, of.track);
    ui.add_space(S3);
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = S2;
        ui.spacing_mut().button_padding.x = S2;
        ui.label(RichText::new("Notes").font(theme::font(12.0)).color(QUIET));
        let mut note = first.note.unwrap_or(own);
        let response = note_field(ui, &mut note).on_hover_text(match first.note {
            Some(_) => "Drag, or click and type: the note, of several steps as far apart as they are",
            None => "The track's own pitch; drag to give the step a note of its own",
        });
        if response.changed() {
            let by = i16::from(note) - i16::from(first.note.unwrap_or(own));
            let moved = |step: &Step| {
                let note = i16::from(step.note.unwrap_or(own)) + by;
                StepField::Note(Some(note.clamp(0, 127) as u8))
            };
            let step = hands.step_of(ui, response.id);
            scene.strokes(step, of.each(held, moved));
        }
        let own_word = RichText::new("own").font(theme::font(12.0));
        let back = ui.add_enabled(first.note.is_some(), Button::new(own_word).small());
        if back.on_hover_text(format!("The track's own pitch again, {}", cell::note_name(own))).clicked() {
            scene.edits(of.each(held, |_| StepField::Note(None)));
        }
        for place in 0..first.also.len() {
            let Some(mut note) = first.also[place] else { continue };
            let response = note_field(ui, &mut note).on_hover_text("A further note of the chord");
            let remove = ui.add(Button::new("×").small()).on_hover_text("Without this note").clicked();
            if response.changed() || remove {
                let mut also = first.also;
                also[place] = (!remove).then_some(note);
                let step = hands.step_of(ui, response.id);
                scene.strokes(step, of.each(held, |_| StepField::Also(also)));
            }
        }
        if let Some(free) = first.also.iter().position(Option::is_none)
            && ui
                .add(Button::new("+").small())
                .on_hover_text("One more note, a third above the last")
                .clicked()
        {
            let top = first.also.iter().flatten().chain(&first.note).copied().max().unwrap_or(own);
            let mut also = first.also;
            also[free] = Some(notes::in_scale(scene, top.saturating_add(3).min(127)));
            let mut edits = of.each(held, |_| StepField::Also(also));
            edits.extend(of.each(held, |step| StepField::Note(Some(step.note.unwrap_or(own)))));
            scene.edits(edits);
        }
    });
}

/// A field for a note, by its name or its number.
pub fn note_field(ui: &mut Ui, note: &mut u8) -> egui::Response {
    let field = egui::DragValue::new(note).range(0..=127).speed(0.1);
    let field = field.custom_formatter(|value, _| cell::note_name(value as u8));
    ui.add(
        field.custom_parser(|text| {
            text.trim().parse::<f64>().ok().or_else(|| note_named(text).map(f64::from))
        }),
    )
}

/// "c#4", "Eb3": a note by its name.
fn note_named(text: &str) -> Option<u8> {
    let text = text.trim();
    let (letter, rest) = (text.chars().next()?.to_ascii_lowercase(), text.get(1..)?);
    let base = match letter {
        'c' => 0,
        'd' => 2,
        'e' => 4,
        'f' => 5,
        'g' => 7,
        'a' => 9,
        'b' => 11,
        _ => return None,
    };
    let (shift, octave) = match (rest.strip_prefix('#'), rest.strip_prefix('b')) {
        (Some(octave), _) => (1, octave),
        (_, Some(octave)) => (-1, octave),
        _ => (0, rest),
    };
    let octave: i32 = octave.parse().ok()?;
    u8::try_from((octave.checked_add(1)?).checked_mul(12)? + base + shift).ok().filter(|note| *note < 128)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_note_is_read_by_the_name_it_is_shown_by() {
        for note in 0..128u8 {
            assert_eq!(note_named(&cell::note_name(note)), Some(note));
        }
        assert_eq!([note_named("H3"), note_named("c99"), note_named("é")], [None, None, None]);
    }

    #[test]
    fn lengths_go_there_and_back() {
        for gate in [5, 25, 100, 400, 1600] {
            assert_eq!(length_at(length_travel(gate)), gate);
        }
        assert_eq!(length_travel(MAX_GATE), 1.0);
    }
}
