//! The note lane: the shown pattern of the cursor's track by pitch, sixteen steps a page, the notes of
//! the key brighter, velocities below.
//!
//! A click puts a note or takes one away, a drag moves it up and down, its right end makes it longer;
//! each drag is one undo step.
//!
//! Thread: the window's.

mod hand;
mod paint;
mod roll;

use egui::{Key, Modifiers, Rect, RichText, Sense, Ui, pos2, vec2};

use self::hand::Held;
use self::roll::Roll;
use super::chosen::Chosen;
use super::theme::{GROUND, QUIET, S2, S3, S4, TEXT};
use super::{Hands, Scene, cell, theme};
use crate::param::TrackIndex;
use crate::pattern::{Edit, Follow, Pitch, Scale, Step, StepField, TrackField, voice_of};
use crate::rt::own_note;

/// The keys' width.
const KEYS: f32 = 48.0;
/// The velocities' height.
const VELOCITIES: f32 = 34.0;
/// The steps' numbers.
const RULER: f32 = 16.0;
/// A row's least height at each zoom.
const ROWS: [f32; 3] = [9.0, 13.0, 19.0];

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
        paint::rows(ui, &roll, pattern, scene);
        paint::ruler(ui, &roll, pattern, scene);
        paint::notes(ui, &roll, track, pattern, scene, hands);
        let bars = Rect::from_min_max(pos2(area.left(), area.bottom() + S2), rect.max);
        paint::velocities(ui, &roll, bars, pattern, hands);
        hand::follow(ui, &response, (&roll, bars), (track, place), scene, hands);
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
