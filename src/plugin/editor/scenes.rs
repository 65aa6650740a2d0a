//! The scenes: a pattern for each track under one name, started by one click.
//!
//! Starting a scene writes which pattern each of its tracks plays, from the next bar on, as one
//! undo step; it is the same for everybody.

use egui::{Key, RichText, Stroke, TextEdit, Ui, vec2};

use super::theme::{self, ACCENT, FIELD, LINE, QUIET, S3, TEXT};
use super::{Hands, Scene, arrangement};
use crate::client::{Command, When};
use crate::pattern::{Edit, MAX_SCENES, Name, Scene as Stored, SceneField, Song, TrackField};

/// The keys that start the first scenes.
const KEYS: [Key; 8] = [Key::Q, Key::W, Key::E, Key::R, Key::T, Key::Y, Key::U, Key::I];

/// What the person does with scenes.
#[derive(Default)]
pub struct Page {
    /// The name being typed, and whose.
    renaming: Option<(u8, String)>,
    /// The scene that the arrangement takes next.
    pub chosen: u8,
}

/// A chip for each scene, and one to make another.
pub fn show(ui: &mut Ui, scene: &Scene<'_>, hands: &mut Hands) {
    for (number, stored) in alive(&scene.view.song) {
        if hands.scenes.renaming.as_ref().is_some_and(|(of, _)| *of == number) {
            rename(ui, scene, &mut hands.scenes);
            continue;
        }
        let plays = is_playing(&scene.view.song, stored);
        let text = RichText::new(stored.name.as_str()).font(theme::font(13.0));
        let chip = egui::Button::new(if plays { text.color(theme::GROUND) } else { text.color(TEXT) })
            .fill(if plays { ACCENT } else { FIELD })
            .stroke(Stroke::new(1.0, if hands.scenes.chosen == number { QUIET } else { LINE }));
        let key = KEYS.get(usize::from(number)).map_or(String::new(), |key| format!(" ({})", key.name()));
        let state = if plays { "plays" } else { "click starts it at the next bar" };
        let hint = format!(
            "Scene {}: {state}{key}\nRight click: name, take what plays, put into the song",
            stored.name
        );
        let response = ui.add(chip).on_hover_text(hint);
        if response.clicked() {
            hands.scenes.chosen = number;
            start(scene, stored);
        }
        response.context_menu(|ui| menu(ui, number, stored, scene, hands));
    }
    let free = free_place(&scene.view.song);
    let hint = match free {
        Some(_) => "A scene of the patterns that play now",
        None => "All sixteen scenes are in use",
    };
    let add = egui::Button::new(RichText::new("+").color(if free.is_some() { TEXT } else { QUIET }));
    let add = ui.add_enabled(free.is_some(), add.min_size(vec2(24.0, 0.0)));
    if add.on_hover_text(hint).on_disabled_hover_text(hint).clicked()
        && let Some(number) = free
    {
        hands.scenes.chosen = number;
        scene.desk.send(Command::Edit { edits: made(&scene.view.song, number), when: When::Now });
    }
}

/// The scenes in use, by place.
pub fn alive(song: &Song) -> impl Iterator<Item = (u8, &Stored)> {
    (0u8..).zip(&song.scenes).filter(|(_, stored)| stored.alive)
}

/// Q W E R T Y U I start the first eight scenes.
pub fn take_keys(ui: &Ui, scene: &Scene<'_>, hands: &mut Hands) {
    for (number, key) in (0u8..).zip(KEYS) {
        let stored = &scene.view.song.scenes[usize::from(number)];
        if stored.alive && ui.input_mut(|input| input.consume_key(egui::Modifiers::NONE, key)) {
            hands.scenes.chosen = number;
            start(scene, stored);
        }
    }
}

fn start(scene: &Scene<'_>, stored: &Stored) {
    let edits = started(&scene.view.song, stored);
    if !edits.is_empty() {
        scene.desk.send(Command::Edit { edits, when: When::NextBar });
    }
}

fn menu(ui: &mut Ui, number: u8, stored: &Stored, scene: &Scene<'_>, hands: &mut Hands) {
    if ui
        .button("Put into the song")
        .on_hover_text("A clip of it behind the last one of the arrangement")
        .clicked()
    {
        hands.scenes.chosen = number;
        arrangement::append(scene, hands);
        ui.close();
    }
    if ui.button("Take what plays now").on_hover_text("The scene's patterns become those that play").clicked()
    {
        scene.desk.send(Command::Edit { edits: taken(&scene.view.song, number), when: When::Now });
        ui.close();
    }
    if ui.button("Rename").on_hover_text("At most 24 letters, digits, - or _").clicked() {
        hands.scenes.renaming = Some((number, stored.name.as_str().to_owned()));
        ui.close();
    }
    if ui.button("Remove").on_hover_text("For everybody; undo brings it back").clicked() {
        scene.edit(Edit::Scene { scene: number, field: SceneField::Alive(false) });
        ui.close();
    }
}

fn rename(ui: &mut Ui, scene: &Scene<'_>, page: &mut Page) {
    let Some((number, typed)) = &mut page.renaming else { return };
    let field =
        ui.add(TextEdit::singleline(typed).desired_width(84.0).margin(vec2(S3, 3.0)).char_limit(Name::MAX));
    let field = field.on_hover_text("Enter keeps the name, Escape the old one");
    if !field.has_focus() && !field.lost_focus() {
        field.request_focus();
    }
    if field.lost_focus() {
        let keeps = ui.input(|input| input.key_pressed(Key::Enter));
        let (number, name) = (*number, Name::new(typed.trim()));
        page.renaming = None;
        match name {
            Ok(name) if keeps && !name.is_empty() => {
                scene.edit(Edit::Scene { scene: number, field: SceneField::Name(name) });
            }
            Err(error) if keeps => scene.desk.notify(error.to_string()),
            _ => {}
        }
    }
}

/// Whether every track that a scene speaks of plays the scene's pattern.
fn is_playing(song: &Song, stored: &Stored) -> bool {
    let speaks = song.alive().any(|(track, _)| stored.patterns[track.get()].is_some());
    speaks && started(song, stored).is_empty()
}

/// What starting a scene changes.
fn started(song: &Song, stored: &Stored) -> Vec<Edit> {
    let wanted =
        song.alive().filter_map(|(track, row)| Some((track, row.pattern, stored.patterns[track.get()]?)));
    let changed = wanted.filter(|(_, plays, wanted)| plays != wanted);
    changed.map(|(track, _, pattern)| Edit::Track { track, field: TrackField::Pattern(pattern) }).collect()
}

/// What makes a scene's patterns those that play.
fn taken(song: &Song, number: u8) -> Vec<Edit> {
    let edit = |(track, row): (_, &crate::pattern::Track)| Edit::SceneTrack {
        scene: number,
        track,
        pattern: Some(row.pattern),
    };
    song.alive().map(edit).collect()
}

/// What makes a new scene of the patterns that play.
fn made(song: &Song, number: u8) -> Vec<Edit> {
    let used = |name: &str| alive(song).any(|(_, stored)| stored.name.as_str() == name);
    let free = (1..).map(|n| format!("scene{n}")).find(|name| !used(name));
    let name = free.and_then(|name| Name::new(&name).ok()).unwrap_or_default();
    let field = |field| Edit::Scene { scene: number, field };
    let mut edits = vec![field(SceneField::Alive(true)), field(SceneField::Name(name))];
    edits.extend(taken(song, number));
    edits
}

fn free_place(song: &Song) -> Option<u8> {
    (0..MAX_SCENES as u8).find(|number| !song.scenes[usize::from(*number)].alive)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::param::TrackIndex;
    use crate::pattern::PatternIndex;

    #[test]
    fn a_scene_made_of_what_plays_starts_that_again() {
        let mut song = Song::new();
        let tracks: Vec<TrackIndex> = TrackIndex::all().take(3).collect();
        let pattern = |n| PatternIndex::new(n).expect("a pattern");
        for track in &tracks {
            song.apply(&Edit::Track { track: *track, field: TrackField::Alive(true) });
        }
        let plays = |song: &mut Song, at: usize, n| {
            song.apply(&Edit::Track { track: tracks[at], field: TrackField::Pattern(pattern(n)) });
        };
        plays(&mut song, 1, 4);
        let number = free_place(&song).expect("a place");
        made(&song, number).iter().for_each(|edit| song.apply(edit));
        assert!(is_playing(&song, &song.scenes[0].clone()));
        assert!(started(&song, &song.scenes[0].clone()).is_empty());
        plays(&mut song, 1, 0);
        let stored = song.scenes[0];
        assert!(!is_playing(&song, &stored));
        let edits = started(&song, &stored);
        assert_eq!(edits, [Edit::Track { track: tracks[1], field: TrackField::Pattern(pattern(4)) }]);
        assert_eq!((stored.name.as_str(), free_place(&song)), ("scene1", Some(1)));
        // A scene that speaks of no track plays nowhere.
        assert!(!is_playing(&song, &Stored { alive: true, ..Stored::UNUSED }));
    }
}
