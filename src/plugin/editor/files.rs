//! The song as a MIDI file: written to where the musician says.
//!
//! The window's library can take a drag from outside but not begin one, so that a file is written
//! instead of dragged out; the path is shown, to be dragged from there.

use std::path::{Path, PathBuf};

use egui::{DragValue, RichText, TextEdit, Ui};

use super::theme::{self, QUIET, S2};
use super::{Hands, Scene};
use crate::client::default_profile;
use crate::client::midi_file;
use crate::param::TrackIndex;
use crate::pattern::Song;
use crate::time::TempoMap;

/// What is to be written.
#[derive(Default)]
pub struct Page {
    /// Where; empty before it is first shown.
    path: String,
    /// The first bars; 0: as long as the song is.
    bars: u32,
}

#[cfg(test)]
impl Page {
    /// Names the file.
    pub fn to(&mut self, path: &Path) {
        self.path = path.display().to_string();
    }
}

/// The path and the buttons.
pub fn show(ui: &mut Ui, scene: &Scene<'_>, hands: &mut Hands) {
    let track = hands.cursor.0;
    let page = &mut hands.track.files;
    if page.path.is_empty() {
        page.path = first_path().display().to_string();
    }
    ui.add(TextEdit::singleline(&mut page.path).desired_width(f32::INFINITY))
        .on_hover_text("The file that is written; one that is there already is replaced");
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = S2;
        let own = midi_file::length_in_bars(&scene.view.song);
        let mut bars = if page.bars == 0 { own } else { page.bars };
        let field =
            ui.add(DragValue::new(&mut bars).range(1..=midi_file::MAX_BARS).speed(0.1).suffix(" bars"));
        if field.on_hover_text(format!("How much of it; by itself it lasts {own}")).changed() {
            page.bars = bars;
        }
        let hint = "Every track that is heard, each with its name and channel; tempo and metres";
        if ui.button("Export MIDI").on_hover_text(hint).clicked() {
            scene.desk.notify(write(&scene.view.song, &scene.view.tempo_map, bars, &page.path));
        }
        let alive = scene.view.song.track(track).alive;
        let only = ui.add_enabled(alive, egui::Button::new("Track only"));
        if only.on_hover_text("The notes of the cursor's track alone").clicked() {
            let song = alone(&scene.view.song, track);
            scene.desk.notify(write(&song, &scene.view.tempo_map, bars, &page.path));
        }
    });
    let text = "Drag the file into your DAW from its folder";
    ui.label(RichText::new(text).font(theme::font(12.0)).color(QUIET));
}

/// The music folder where there is one, else the profile's.
fn first_path() -> PathBuf {
    let home = std::env::var_os("HOME").or_else(|| std::env::var_os("USERPROFILE")).map(PathBuf::from);
    let music = home.map(|home| home.join("Music")).filter(|music| music.is_dir());
    music.unwrap_or_else(default_profile).join("antiphon.mid")
}

/// A song in which one track alone is heard.
fn alone(song: &Song, track: TrackIndex) -> Box<Song> {
    let mut song = Box::new(song.clone());
    for other in TrackIndex::all().filter(|other| *other != track) {
        song.tracks[other.get()].alive = false;
    }
    song.tracks[track.get()].solo = false;
    song
}

/// Writes a song's first bars; gives what to tell of it.
fn write(song: &Song, map: &TempoMap, bars: u32, path: &str) -> String {
    let path = Path::new(path.trim());
    let named = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("mid"));
    let path = if named { path.to_owned() } else { path.with_extension("mid") };
    if path.file_stem().is_none() {
        return "Name a file first, such as groove.mid".to_owned();
    }
    let bytes = midi_file::export(song, map, bars);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let written = folder.map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::write(&path, &bytes));
    match written {
        Ok(()) => format!("{bars} bars are written to {}", path.display()),
        Err(error) => format!("{} could not be written: {error}", path.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::text;
    use crate::time::Tempo;

    #[test]
    fn what_is_written_is_read_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let song = text::read("seq kick: X...X...X...X...\nseq bass: x.x.....\nnote bass: 36\n")
            .expect("a song")
            .song;
        let path = folder.path().join("new").join("out.mid");
        let map = TempoMap::constant(Tempo::from_bpm(124.0).expect("a tempo"));
        let told = write(&song, &map, 1, &path.display().to_string());
        assert!(told.contains("1 bars are written"), "{told}");
        let read =
            |path: &Path| midi_file::import(&std::fs::read(path).expect("the file")).expect("a MIDI file");
        assert_eq!(read(&path).song.alive().count(), 2);
        let bass = song.track_named("bass").expect("a track");
        write(&alone(&song, bass), &map, 1, &path.display().to_string());
        let imported = read(&path);
        let names: Vec<String> = imported.song.alive().map(|(_, track)| track.name.to_string()).collect();
        assert_eq!(names, ["bass"]);
        assert!(write(&song, &map, 1, "").contains("Name a file"));
    }
}
