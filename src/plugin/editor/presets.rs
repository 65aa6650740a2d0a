//! Sounds and grooves to pick from, in a track's menu.

use std::collections::BTreeMap;

use egui::Ui;

use super::Scene;
use crate::client::presets::{self, Bank, Listed};
use crate::client::{Command, When, default_profile};
use crate::param::TrackIndex;
use crate::pattern::Edit;

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
    for (kind, presets) in kinds {
        ui.menu_button(kind, |ui| {
            for preset in presets {
                if ui.button(&preset.name).on_hover_text(&preset.about).clicked() {
                    picked = Some(preset.name.clone());
                    ui.close();
                }
            }
        });
    }
    picked
}

fn give(scene: &Scene<'_>, edits: Result<Vec<Edit>, String>) {
    match edits {
        Ok(edits) if edits.is_empty() => {}
        Ok(edits) => scene.desk.send(Command::Edit { edits, when: When::Now }),
        Err(error) => scene.desk.notify(error),
    }
}
