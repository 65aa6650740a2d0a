//! The song's key, scale and chords, which tracks may follow.

use egui::{Button, DragValue, Id, Rect, RichText, Ui, vec2};

use super::control::{self, HEIGHT};
use super::theme::{self, QUIET, S2, S3, TEXT};
use super::{Hands, Scene, cell};
use crate::pattern::{Chord, ChordChange, ChordKind, ContextField, Edit, MAX_CHORD_BEAT, Scale};
use crate::time::Beats;

/// What the next chord is.
#[derive(Default)]
pub struct Page {
    /// Its bar and beat, in quarter notes.
    beat: u32,
    root: usize,
    kind: usize,
    /// 0: the root.
    bass: usize,
}

/// The pitch classes by name.
fn classes() -> Vec<String> {
    (0..12).map(|class| cell::note_name(class).trim_end_matches("-1").to_owned()).collect()
}

/// A chord as a lead sheet has it.
fn said(chord: &Chord) -> String {
    let class = |class: u8| classes().get(usize::from(class % 12)).cloned().unwrap_or_default();
    let kind = ChordKind::ALL.iter().find(|(_, kind)| *kind == chord.kind).map_or("", |(word, _)| word);
    let bass = chord.bass.map(|bass| format!("/{}", class(bass))).unwrap_or_default();
    format!("{}{kind}{bass}", class(chord.root))
}

fn row<const N: usize>(ui: &mut Ui) -> [Rect; N] {
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), HEIGHT), egui::Sense::hover());
    let width = (rect.width() - S3 * (N - 1) as f32) / N as f32;
    std::array::from_fn(|n| {
        Rect::from_min_size(rect.min + vec2(n as f32 * (width + S3), 0.0), vec2(width, HEIGHT))
    })
}

/// Key, scale, chords.
pub fn show(ui: &mut Ui, scene: &Scene<'_>, hands: &mut Hands) {
    let context = &scene.view.song.context;
    let [left, right] = row(ui);
    let key = usize::from(context.key % 12);
    if let Some(picked) = control::words(ui, left, Id::unique("key"), ("Key", ""), &classes(), key) {
        scene.edit(Edit::Context(ContextField::Key(picked as u8)));
    }
    let scales: Vec<String> = Scale::ALL.iter().map(|(word, _)| (*word).to_owned()).collect();
    let chosen = Scale::ALL.iter().position(|(_, scale)| *scale == context.scale).unwrap_or(0);
    if let Some(picked) = control::words(ui, right, Id::unique("scale"), ("Scale", ""), &scales, chosen) {
        scene.edit(Edit::Context(ContextField::Scale(Scale::ALL[picked].1)));
    }
    changes(ui, scene);
    next(ui, scene, &mut hands.track.harmony);
}

/// The chords that there are, by their beats.
fn changes(ui: &mut Ui, scene: &Scene<'_>) {
    let song = &scene.view.song;
    let mut changes: Vec<(u8, ChordChange)> =
        (0u8..).zip(&song.chords).filter_map(|(place, change)| Some((place, (*change)?))).collect();
    changes.sort_by_key(|(_, change)| change.beat);
    let now = scene.position.unwrap_or(Beats::ZERO);
    let holds = |change: &ChordChange| Beats::quarters(i64::from(change.beat)) <= now;
    let current = changes.iter().rev().find(|(_, change)| holds(change)).map(|(place, _)| *place);
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = vec2(S2, S2);
        ui.spacing_mut().button_padding.x = S2;
        for (place, change) in &changes {
            let text = format!("{} {}", change.beat + 1, said(&change.chord));
            let text = RichText::new(text).font(theme::font(12.0));
            let text = if current == Some(*place) { text.color(TEXT).strong() } else { text.color(QUIET) };
            ui.menu_button(text, |ui| {
                if ui.button("Remove").on_hover_text("Without this chord the one before it goes on").clicked()
                {
                    scene.edit(Edit::Chord { place: *place, change: None });
                    ui.close();
                }
            })
            .response
            .on_hover_text(format!("{} from beat {} on", said(&change.chord), change.beat + 1));
        }
        if changes.is_empty() {
            let text = "No chords: what follows chords follows the scale";
            ui.label(RichText::new(text).font(theme::font(12.0)).color(QUIET));
        }
    });
}

/// The chord to put next.
fn next(ui: &mut Ui, scene: &Scene<'_>, page: &mut Page) {
    let [root, kind, bass] = row(ui);
    if let Some(picked) =
        control::words(ui, root, Id::unique("chord-root"), ("Root", ""), &classes(), page.root)
    {
        page.root = picked;
    }
    let kinds: Vec<String> = ChordKind::ALL
        .iter()
        .map(|(word, _)| if word.is_empty() { "major" } else { word }.to_owned())
        .collect();
    if let Some(picked) = control::words(ui, kind, Id::unique("chord-kind"), ("Chord", ""), &kinds, page.kind)
    {
        page.kind = picked;
    }
    let mut basses = vec!["the root".to_owned()];
    basses.extend(classes());
    if let Some(picked) = control::words(ui, bass, Id::unique("chord-bass"), ("Bass", ""), &basses, page.bass)
    {
        page.bass = picked;
    }
    let song = &scene.view.song;
    let chord = Chord {
        root: page.root as u8,
        kind: ChordKind::ALL[page.kind].1,
        bass: page.bass.checked_sub(1).map(|bass| bass as u8),
    };
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = S2;
        ui.label(RichText::new("from beat").font(theme::font(12.0)).color(QUIET));
        let mut beat = page.beat + 1;
        ui.add(DragValue::new(&mut beat).range(1..=MAX_CHORD_BEAT).speed(0.1))
            .on_hover_text("Quarter notes, counted from the song's beginning");
        page.beat = beat - 1;
        let same = |change: &Option<ChordChange>| change.is_some_and(|change| change.beat == page.beat);
        let place =
            song.chords.iter().position(same).or_else(|| song.chords.iter().position(Option::is_none));
        let add = ui.add_enabled(place.is_some(), Button::new(format!("Put {}", said(&chord))));
        let hint = "Holds from that beat to the next chord; one that begins there already is replaced";
        if let (true, Some(place)) = (add.on_hover_text(hint).clicked(), place) {
            let change = Some(ChordChange { beat: page.beat, chord });
            scene.edit(Edit::Chord { place: place as u8, change });
            page.beat = (page.beat + 4).min(MAX_CHORD_BEAT);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chords_are_said_as_lead_sheets_have_them() {
        let chord = Chord { root: 10, kind: ChordKind::MinorSeventh, bass: Some(5) };
        assert_eq!(said(&chord), "Bbm7/F");
    }
}
