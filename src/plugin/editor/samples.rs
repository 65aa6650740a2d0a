//! A track's sample file: which it is, whether it is here, and how to take another in.
//!
//! By its path: the window's library passes on no file that is dropped.

use std::path::Path;

use egui::{RichText, TextEdit, Ui};

use super::theme::{self, QUIET, S2, TEXT};
use super::{Hands, Scene};
use crate::client::samples::{SampleStore, Stored};
use crate::client::{Command, default_profile};
use crate::param::TrackIndex;
use crate::pattern::{Edit, Name, Track, TrackField};

/// What the person does here.
#[derive(Default)]
pub struct Page {
    /// The path being typed.
    path: String,
}

/// The sample in words; `None` for a track that plays a voice of ours.
pub fn said(track: &Track, scene: &Scene<'_>) -> Option<String> {
    let id = track.file?;
    let name = if track.sample.is_empty() { id.short() } else { track.sample.to_string() };
    Some(match scene.view.missing_files.contains(&id) {
        true => format!("missing: {name}"),
        false => name,
    })
}

/// The sample, a path to take one in from, those that are here already.
pub fn show(ui: &mut Ui, track: TrackIndex, scene: &Scene<'_>, hands: &mut Hands) {
    let held = scene.view.song.track(track);
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = S2;
        ui.label(RichText::new("Sample").font(theme::font(12.0)).color(QUIET));
        match said(held, scene) {
            Some(said) => {
                let missing = held.file.is_some_and(|id| scene.view.missing_files.contains(&id));
                let hint = match missing {
                    true => {
                        "Nobody has handed this file to this machine yet: the track is silent here. It comes by \
                         itself when somebody who has it is in the session, or by loading the same file"
                    }
                    false => "What this track plays; start, end and the rest are on the page Sound",
                };
                ui.label(RichText::new(said).color(TEXT)).on_hover_text(hint);
                if ui.small_button("none").on_hover_text("A voice again instead of the sample").clicked() {
                    scene.edits(cleared(track));
                }
            }
            None => {
                ui.label(RichText::new("none").color(QUIET));
            }
        }
        ui.menu_button("Here", |ui| {
            let listed = SampleStore::of(&default_profile()).list();
            if listed.is_empty() {
                ui.label(RichText::new("Nothing was taken in yet").color(QUIET));
            }
            for stored in listed.iter().take(40) {
                if ui.button(stored.name.as_str()).on_hover_text(stored.id.short()).clicked() {
                    scene.edits(chosen(track, stored));
                    ui.close();
                }
            }
        })
        .response
        .on_hover_text("Samples that this machine has");
    });
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = S2;
        let path = &mut hands.track.samples.path;
        let field = TextEdit::singleline(path).hint_text("the path of a sound file").desired_width(196.0);
        let entered = ui.add(field).lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter));
        let hint = "WAV, AIFF, FLAC, MP3 or Ogg Vorbis of up to 30 s; several channels are mixed to one";
        let clicked = ui.add_enabled(!path.trim().is_empty(), egui::Button::new("Load")).on_hover_text(hint);
        if (entered || clicked.clicked()) && !path.trim().is_empty() {
            load(scene, track, Path::new(path.trim()));
            path.clear();
        }
    });
}

fn load(scene: &Scene<'_>, track: TrackIndex, path: &Path) {
    scene.desk.send(Command::Sample { track, path: path.to_owned() });
}

/// The edits that let a track play a file that is here.
fn chosen(track: TrackIndex, Stored { id, name }: &Stored) -> Vec<Edit> {
    let edit = |field| Edit::Track { track, field };
    vec![edit(TrackField::Sample(*name)), edit(TrackField::File(Some(*id)))]
}

/// The edits that give a track back the voice of its name.
fn cleared(track: TrackIndex) -> Vec<Edit> {
    let edit = |field| Edit::Track { track, field };
    vec![edit(TrackField::Sample(Name::EMPTY)), edit(TrackField::File(None))]
}
