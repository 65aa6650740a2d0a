//! The page of a track: who plays, its pattern, how it takes part, what is recorded; and the song's
//! key and chords.

use egui::{DragValue, Id, Rect, RichText, ScrollArea, TextEdit, Ui, vec2};

use super::control::{self, HEIGHT};
use super::theme::{self, PANEL, QUIET, S2, S3, S4, TEXT};
use super::{Hands, Page as Side, Scene, chosen, files, harmony, notes, presets, samples, shape, step};
use crate::client::Command;
use crate::client::live::Keep;
use crate::param::TrackIndex;
use crate::pattern::{
    CHOKE_GROUPS, Choke, Edit, Follow, MAX_STEPS, MidiMode, Name, Overflow, PatternField, Pitch, Rate, Track,
    TrackField, Voice, voice_named, voice_of,
};
use crate::session::Role;

/// The page's width, in logical points.
const WIDTH: f32 = 308.0;

/// What the person does on this page.
#[derive(Default)]
pub struct Page {
    /// The name being typed.
    name: Option<(TrackIndex, String)>,
    /// What a sound or a groove is to be kept as.
    preset: String,
    /// What is asked of whole patterns.
    pub shape: shape::Page,
    /// The chord being written.
    pub harmony: harmony::Page,
    /// Files.
    pub files: files::Page,
    /// The sample.
    pub samples: samples::Page,
}

/// The button that opens and closes the page.
pub fn toggle(ui: &mut Ui, hands: &mut Hands) {
    let hint = "The track of the cursor: voice, pattern, Euclid, choke, what it follows, MIDI, recording; key and chords (A)";
    if ui.selectable_label(hands.open == Some(Side::Track), "Track").on_hover_text(hint).clicked() {
        hands.turn_to(Side::Track);
    }
}

/// The page.
pub fn show(ui: &mut Ui, scene: &Scene<'_>, hands: &mut Hands) {
    let frame = egui::Frame::new().fill(PANEL).inner_margin(vec2(S4, S3));
    egui::Panel::right("track").exact_size(WIDTH).frame(frame).show(ui, |ui| {
        ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            ui.set_width(ui.available_width() - S3);
            let track = hands.cursor.0;
            if scene.view.song.track(track).alive {
                naming(ui, track, scene, hands);
                voice(ui, track, scene, hands);
                samples::show(ui, track, scene, hands);
                heading(ui, "pattern");
                pattern(ui, track, scene, hands);
                shape::show(ui, track, scene, hands);
                heading(ui, "takes part");
                part(ui, track, scene);
                heading(ui, "recording");
                recording(ui, track, scene);
            } else {
                ui.label(RichText::new("No track is chosen").color(QUIET));
            }
            heading(ui, "the song's key and chords");
            harmony::show(ui, scene, hands);
            heading(ui, "MIDI file");
            files::show(ui, scene, hands);
            ui.add_space(S3);
        });
    });
}

fn heading(ui: &mut Ui, text: &str) {
    ui.add_space(S3);
    ui.label(RichText::new(text).font(theme::font(12.0)).color(QUIET));
}

fn naming(ui: &mut Ui, track: TrackIndex, scene: &Scene<'_>, hands: &mut Hands) {
    let row = scene.view.song.track(track);
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = S2;
        let page = &mut hands.track;
        if page.name.as_ref().is_none_or(|(of, _)| *of != track) {
            page.name = Some((track, row.name.to_string()));
        }
        let Some((_, typed)) = &mut page.name else { return };
        let field = ui.add(TextEdit::singleline(typed).desired_width(108.0).char_limit(Name::MAX));
        let field = field.on_hover_text("The track's name: letters, digits, - and _; Enter keeps it");
        if field.lost_focus() {
            let name = Name::new(typed.trim());
            page.name = None;
            match name {
                Ok(name) if name.is_empty() || name == row.name => {}
                Ok(name) if scene.view.song.track_named(name.as_str()).is_some() => {
                    scene.desk.notify(format!("another track is called '{name}'"));
                }
                // Its voice may come from its name: that stays.
                Ok(name) => scene.edits(renamed(track, row, name)),
                Err(error) => scene.desk.notify(error.to_string()),
            }
        } else if !field.has_focus() {
            page.name = None;
        }
        let solo = ui.selectable_label(row.solo, "Solo");
        if solo.on_hover_text("Hear this track alone, for everybody (O)").clicked() {
            chosen::solo(scene, track);
        }
        let live = scene.desk.choices().focus == track;
        let hint = "Notes that you play live go to this track; your own choice";
        if ui.selectable_label(live, "Live").on_hover_text(hint).clicked() {
            scene.desk.choose(|choices| choices.focus = track);
            scene.desk.send(Command::Focus(track));
        }
    });
}

/// A new name, and the voice that the old one chose.
fn renamed(track: TrackIndex, held: &Track, name: Name) -> Vec<Edit> {
    let (old, sample) = (held.name, held.sample);
    let mut edits = vec![Edit::Track { track, field: TrackField::Name(name) }];
    let (before, after) = (voice_named(&old, &sample).voice, voice_named(&name, &sample).voice);
    if before != after && held.file.is_none() {
        edits.push(Edit::Track { track, field: TrackField::Sample(word_of(before)) });
    }
    edits
}

/// The word that asks for a voice.
fn word_of(voice: Voice) -> Name {
    let word = voice.name().split(' ').next().unwrap_or("synth");
    Name::new(word).unwrap_or(Name::EMPTY)
}

fn row(ui: &mut Ui) -> [Rect; 2] {
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), HEIGHT), egui::Sense::hover());
    let size = vec2((rect.width() - S3) / 2.0, HEIGHT);
    [Rect::from_min_size(rect.min, size), Rect::from_min_size(rect.min + vec2(size.x + S3, 0.0), size)]
}

fn voice(ui: &mut Ui, track: TrackIndex, scene: &Scene<'_>, hands: &mut Hands) {
    let row_of = scene.view.song.track(track);
    let choice = voice_of(row_of);
    let mut words: Vec<String> = Voice::ALL.iter().map(|voice| voice.name().to_owned()).collect();
    words.extend(row_of.file.map(|_| Voice::Sampler.name().to_owned()));
    let chosen = words.iter().position(|word| word == choice.voice.name()).unwrap_or(0);
    let hint =
        if choice.stands_in { "Stands in for a sample that is not here" } else { "What plays the notes" };
    let [left, right] = row(ui);
    let id = Id::unique(("voice", track));
    let picked = control::words(ui, left, id, ("Voice", hint), &words, chosen);
    if let Some(voice) = picked.and_then(|picked| Voice::ALL.get(picked)) {
        let mut fields = vec![TrackField::Sample(word_of(*voice))];
        fields.extend(row_of.file.map(|_| TrackField::File(None)));
        scene.edits(fields.into_iter().map(|field| Edit::Track { track, field }).collect());
    }
    let area = right.with_min_y(right.top() + 11.0);
    ui.scope_builder(egui::UiBuilder::new().max_rect(area), |ui| {
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = S2;
            ui.label(RichText::new("Pitch").font(theme::font(12.0)).color(QUIET));
            let mut note = notes::own(scene, track);
            let hint = "What steps without a note of their own play";
            let field = step::note_field(ui, &mut note).on_hover_text(hint);
            if field.changed() {
                let step = hands.step_of(ui, field.id);
                let pitch = Some(Pitch::Note(note));
                scene.stroke(step, Edit::Track { track, field: TrackField::Pitch(pitch) });
            }
            let own = ui.add_enabled(row_of.pitch.is_some(), egui::Button::new("own").small());
            if own.on_hover_text("The voice's own pitch again").clicked() {
                scene.edit(Edit::Track { track, field: TrackField::Pitch(None) });
            }
        });
    });
    presets::menu(ui, track, scene);
    presets::keep(ui, track, &mut hands.track.preset, scene);
}

fn pattern(ui: &mut Ui, track: TrackIndex, scene: &Scene<'_>, hands: &mut Hands) {
    let (place, held) = scene.pattern(track, &hands.shown);
    let overflow = scene.view.song.track(track).overflow;
    ui.horizontal(|ui| {
        ui.label(RichText::new(format!("{}:", place.get() + 1)).color(TEXT));
        let mut length = held.length;
        let field =
            ui.add(DragValue::new(&mut length).range(1..=MAX_STEPS as u8).speed(0.1).suffix(" steps"));
        if field.on_hover_text("The pattern's length, 1 to 64: drag, or click and type").changed() {
            let step = hands.step_of(ui, Id::unique("length"));
            let field = PatternField::Length(length);
            scene.stroke(step, Edit::Pattern { track, pattern: place, field });
        }
        ui.label(RichText::new("shown above, of eight").font(theme::font(12.0)).color(QUIET));
    });
    let [left, right] = row(ui);
    let words: Vec<String> = Rate::ALL.iter().map(|(word, _)| said(word)).collect();
    let chosen = Rate::ALL.iter().position(|(_, rate)| *rate == held.rate).unwrap_or(0);
    if let Some(picked) = control::words(ui, left, Id::unique("rate"), ("A step is", ""), &words, chosen) {
        let field = PatternField::Rate(Rate::ALL[picked].1);
        scene.edit(Edit::Pattern { track, pattern: place, field });
    }
    let words = ["begins again".to_owned(), "rests".to_owned()];
    let hint = "What a pattern shorter than the longest does at its end";
    let chosen = usize::from(overflow == Overflow::Rest);
    if let Some(picked) =
        control::words(ui, right, Id::unique("overflow"), ("At its end it", hint), &words, chosen)
    {
        let overflow = if picked == 1 { Overflow::Rest } else { Overflow::Loop };
        scene.edit(Edit::Track { track, field: TrackField::Overflow(overflow) });
    }
}

/// A rate as one says it: "1/16", "1/8 triplet".
fn said(word: &str) -> String {
    let figure = word.trim_end_matches(['n', 't']);
    format!("1/{figure}{}", if word.ends_with('t') { " triplet" } else { "" })
}

/// Choke, follow, MIDI.
fn part(ui: &mut Ui, track: TrackIndex, scene: &Scene<'_>) {
    let held = scene.view.song.track(track);
    let edit = |field| scene.edit(Edit::Track { track, field });
    let [left, right] = row(ui);
    let mut words = vec!["as a kit".to_owned(), "nobody".to_owned()];
    words.extend((1..=CHOKE_GROUPS).map(|group| format!("group {group}")));
    let chosen = match held.choke {
        Choke::Kit => 0,
        Choke::Alone => 1,
        Choke::Group(group) => usize::from(group) + 1,
    };
    let hint =
        "Whom it silences when it is struck: in a kit a closed hat the open ones, in a group all the others";
    if let Some(picked) = control::words(ui, left, Id::unique("choke"), ("Chokes", hint), &words, chosen) {
        edit(TrackField::Choke(match picked {
            0 => Choke::Kit,
            1 => Choke::Alone,
            group => Choke::Group(group as u8 - 1),
        }));
    }
    let words: Vec<String> = Follow::ALL.iter().map(|(word, _)| (*word).to_owned()).collect();
    let chosen = Follow::ALL.iter().position(|(_, follow)| *follow == held.follow).unwrap_or(0);
    let hint = "scale: notes of the key · chord: notes of the chord · root: as far from the chord's bass as written from the tonic";
    if let Some(picked) = control::words(ui, right, Id::unique("follow"), ("Follows", hint), &words, chosen) {
        edit(TrackField::Follow(Follow::ALL[picked].1));
    }
    let [left, right] = row(ui);
    let words: Vec<String> = MidiMode::ALL.iter().map(|(word, _)| (*word).to_owned()).collect();
    let chosen = MidiMode::ALL.iter().position(|(_, midi)| *midi == held.midi).unwrap_or(0);
    let hint = "Where its notes go: its voice, your own instruments by MIDI, or both";
    if let Some(picked) = control::words(ui, left, Id::unique("midi"), ("Notes go to", hint), &words, chosen)
    {
        edit(TrackField::Midi(MidiMode::ALL[picked].1));
    }
    let mut words = vec![format!("{} (its place)", track.get() + 1)];
    words.extend((1..=16).map(|channel: u8| channel.to_string()));
    let chosen = held.channel.map_or(0, |channel| usize::from(channel) + 1);
    let name = ("MIDI channel", "");
    if let Some(picked) = control::words(ui, right, Id::unique("channel"), name, &words, chosen) {
        edit(TrackField::Channel(picked.checked_sub(1).map(|channel| channel as u8)));
    }
}

/// What is played live becomes steps.
fn recording(ui: &mut Ui, track: TrackIndex, scene: &Scene<'_>) {
    if scene.view.role == Role::Listener {
        ui.label(RichText::new("A listener cannot record").color(QUIET));
        return;
    }
    let live = scene.desk.choices().focus;
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = S2;
        let recording = scene.view.recording;
        for (word, wish, hint) in [
            ("Off", None, "What you play live only sounds"),
            ("On the grid", Some(true), "What you play live becomes steps, exactly on them"),
            ("As played", Some(false), "What you play live becomes steps with its timing, early or late"),
        ] {
            if ui.selectable_label(recording == wish, word).on_hover_text(hint).clicked() {
                scene.desk.send(Command::Record(wish));
                if wish.is_some() && live != track {
                    scene.desk.choose(|choices| choices.focus = track);
                    scene.desk.send(Command::Focus(track));
                }
            }
        }
        let hint = "Makes steps of the last bar that you played live, exactly on the grid";
        if ui.button("Keep").on_hover_text(hint).clicked() {
            scene.desk.send(Command::Keep(Keep { quantised: true, everybody: false }));
        }
    });
    if live != track {
        let text = format!("Live notes go to {} now", scene.view.song.track(live).name);
        ui.label(RichText::new(text).font(theme::font(12.0)).color(QUIET));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::Song;

    #[test]
    fn every_voice_has_a_word_that_asks_for_it() {
        let name = Name::new("x").expect("a name");
        for voice in Voice::ALL {
            let choice = voice_named(&name, &word_of(voice));
            assert_eq!((choice.voice, choice.stands_in), (voice, false));
        }
    }

    #[test]
    fn a_renamed_track_keeps_its_voice() {
        let mut song = Song::new();
        let track = TrackIndex::all().next().expect("a track");
        song.tracks[0].alive = true;
        song.tracks[0].name = Name::new("kick").expect("a name");
        for edit in renamed(track, song.track(track), Name::new("thud").expect("a name")) {
            song.apply(&edit);
        }
        let row = song.track(track);
        assert_eq!((row.name.as_str(), voice_named(&row.name, &row.sample).voice), ("thud", Voice::Kick));
    }

    #[test]
    fn rates_are_said_as_fractions() {
        assert_eq!([said("16n"), said("8t")], ["1/16", "1/8 triplet"]);
    }
}
