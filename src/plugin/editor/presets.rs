//! Sounds and grooves to pick from, and to keep.

use std::collections::BTreeMap;

use egui::{RichText, ScrollArea, TextEdit, Ui};

use super::Scene;
use super::theme::{self, QUIET};
use crate::client::presets::{self, Bank, Listed};
use crate::client::{Command, When, default_profile};
use crate::param::TrackIndex;
use crate::pattern::{Edit, Name, Song};

/// What a track's menu offers: other sounds, a sound by chance, a groove for the whole song.
pub fn menu(ui: &mut Ui, track: TrackIndex, scene: &Scene<'_>) {
    let profile = default_profile();
    let song = &scene.view.song;
    ui.horizontal(|ui| {
        ui.menu_button("Preset", |ui| {
            if let Some(name) = pick(ui, &presets::list(&profile, Bank::Sounds)) {
                let sound = presets::find(&profile, Bank::Sounds, &name).map_err(|error| error.to_string());
                let edits = sound
                    .and_then(|sound| song.sound_edits(track, &sound).map_err(|error| error.to_string()));
                give(scene, edits);
            }
        })
        .response
        .on_hover_text("Another sound for this track; its notes stay");
        ui.menu_button("Groove", |ui| {
            if let Some(name) = pick(ui, &presets::list(&profile, Bank::Grooves)) {
                let groove = presets::find(&profile, Bank::Grooves, &name).map_err(|error| error.to_string());
                let edits =
                    groove.and_then(|groove| song.groove_edits(&groove).map_err(|error| error.to_string()));
                give(scene, edits);
            }
        })
        .response
        .on_hover_text("Patterns for the tracks of the same names; tracks that are missing are added");
        let chance = ui.button("By chance");
        if chance.on_hover_text("A sound by chance; its seed is shown, so that it can be had again").clicked()
        {
            let seed = rand::random::<u32>() % 10_000;
            give(scene, Ok(song.random_sound_edits(track, seed)));
            scene.desk.notify(format!("{}: sound {seed}", song.track(track).name));
        }
    });
}

/// The presets by what they are for; gives the one that was clicked.
fn pick(ui: &mut Ui, listed: &[Listed]) -> Option<String> {
    let mut kinds: BTreeMap<&str, Vec<&Listed>> = BTreeMap::new();
    listed.iter().for_each(|preset| kinds.entry(&preset.kind).or_default().push(preset));
    let mut picked = None;
    // A small window has not room for all kinds at once.
    let most = 0.8 * ui.ctx().content_rect().height();
    let list = |ui: &mut Ui, presets: &[&Listed], picked: &mut Option<String>| {
        ScrollArea::vertical().max_height(most).show(ui, |ui| {
            for preset in presets {
                if ui.button(&preset.name).on_hover_text(&preset.about).clicked() {
                    *picked = Some(preset.name.clone());
                    ui.close();
                }
            }
        });
    };
    ScrollArea::vertical().max_height(most).show(ui, |ui| {
        for (kind, presets) in kinds {
            ui.menu_button(kind, |ui| list(ui, &presets, &mut picked));
        }
    });
    picked
}

/// A name, and buttons that keep the track's sound or the whole groove under it.
pub fn keep(ui: &mut Ui, track: TrackIndex, typed: &mut String, scene: &Scene<'_>) {
    let profile = default_profile();
    let song = &scene.view.song;
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = theme::S2;
        ui.spacing_mut().button_padding.x = theme::S3;
        let hint = RichText::new("my name for it").color(QUIET);
        let field = TextEdit::singleline(typed).hint_text(hint).desired_width(96.0).char_limit(Name::MAX);
        ui.add(field).on_hover_text("Letters, digits, - and _; one of that name is replaced");
        let named = Name::new(typed.trim()).is_ok_and(|name| !name.is_empty());
        let save = |ui: &mut Ui, word: &str, hint: &str, bank: Bank, what: &dyn Fn() -> Box<Song>| {
            let button = ui.add_enabled(named, egui::Button::new(word)).on_hover_text(hint);
            if button.on_disabled_hover_text("Type a name first").clicked() {
                let tempo = scene.view.tempo_map.tempo_at(crate::time::Beats::ZERO);
                let kept = presets::save(&profile, bank, typed.trim(), &what(), tempo);
                scene.desk.notify(match kept {
                    Ok(path) => format!("Kept as {}", path.display()),
                    Err(error) => error.to_string(),
                });
            }
        };
        let hint = "This track's sound, among your own under Preset";
        save(ui, "Keep sound", hint, Bank::Sounds, &|| song.sound_of(track));
        let hint = "The patterns that play, with sounds and grooves, among your own under Groove";
        save(ui, "Keep groove", hint, Bank::Grooves, &|| song.groove_of());
    });
}

fn give(scene: &Scene<'_>, edits: Result<Vec<Edit>, String>) {
    match edits {
        Ok(edits) if edits.is_empty() => {}
        Ok(edits) => scene.desk.send(Command::Edit { edits, when: When::Now }),
        Err(error) => scene.desk.notify(error),
    }
}
