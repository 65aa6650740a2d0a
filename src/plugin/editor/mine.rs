//! The page of what is one's own: the mix that nobody else hears, and what controllers move.

use egui::{Id, Rect, RichText, ScrollArea, Sense, Ui, vec2};

use super::control::{self, HEIGHT, Turn};
use super::theme::{self, PANEL, QUIET, S1, S2, S3, S4, TEXT};
use super::{Hands, Page as Side, Scene, sound, widgets};
use crate::client::controls::{controller_words, takeover_word, target_words};
use crate::client::{Command, ControlCommand};
use crate::param::{Owner, Param, Slot, TrackIndex, Unit};
use crate::rt::controls::{Mapping, Takeover};
use crate::rt::personal::{MAX_TRIM_DB, MIN_TRIM_DB, PersonalEdit, neutral};

/// The page's width, in logical points.
const WIDTH: f32 = 308.0;
/// A track's row.
const ROW: f32 = 40.0;
/// What is shown of the own effects; scripts reach the rest.
const EFFECTS: [Param; 12] = [
    Param::FilterType,
    Param::FilterFreq,
    Param::FilterQ,
    Param::EqLow,
    Param::EqMid,
    Param::EqHigh,
    Param::DistortMix,
    Param::CompThreshold,
    Param::CompRatio,
    Param::ChorusMix,
    Param::DelayMix,
    Param::ReverbMix,
];

/// The button that opens and closes the page.
pub fn toggle(ui: &mut Ui, scene: &Scene<'_>, hands: &mut Hands) {
    let word = if scene.view.personal.is_neutral() { "Mine" } else { "Mine ·" };
    let hint = "Your own mix, which nobody else hears, and what your controllers move (H)";
    if ui.selectable_label(hands.open == Some(Side::Mine), word).on_hover_text(hint).clicked() {
        hands.turn_to(Side::Mine);
    }
}

/// Shift and M mutes the cursor's track for oneself alone, shift and O solos it.
pub fn take_keys(ui: &Ui, scene: &Scene<'_>, hands: &Hands) {
    let pressed = |key| ui.input_mut(|input| input.consume_key(egui::Modifiers::SHIFT, key));
    let (mine, track) = (&scene.view.personal, hands.cursor.0);
    if pressed(egui::Key::M) {
        write(scene, PersonalEdit::Mute { track, on: !mine.is_muted(track) });
    }
    if pressed(egui::Key::O) {
        write(scene, PersonalEdit::Solo { track, on: !mine.is_soloed(track) });
    }
}

/// The page.
pub fn show(ui: &mut Ui, scene: &Scene<'_>, hands: &mut Hands) {
    let frame = egui::Frame::new().fill(PANEL).inner_margin(vec2(S4, S3));
    egui::Panel::right("mine").exact_size(WIDTH).frame(frame).show(ui, |ui| {
        ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            ui.set_width(ui.available_width() - S3);
            heading(ui, "your own mix: nobody else hears it");
            for track in scene.view.song.in_order() {
                row(ui, track, scene, hands);
            }
            whole(ui, scene);
            let track = hands.cursor.0;
            if scene.view.song.track(track).alive {
                let name = scene.view.song.track(track).name.as_str();
                heading(ui, &format!("your effects on {name}"));
                effects(ui, Owner::Track(track), scene);
            }
            heading(ui, "your effects on the whole");
            effects(ui, Owner::Master, scene);
            heading(ui, "controllers");
            controllers(ui, scene);
            ui.add_space(S3);
        });
    });
}

fn heading(ui: &mut Ui, text: &str) {
    ui.add_space(S3);
    ui.label(RichText::new(text).font(theme::font(12.0)).color(QUIET));
}

fn write(scene: &Scene<'_>, edit: PersonalEdit) {
    scene.desk.send(Command::Mine(edit));
}

/// A track's mute, solo, trim and balance.
fn row(ui: &mut Ui, track: TrackIndex, scene: &Scene<'_>, hands: &mut Hands) {
    let mine = &scene.view.personal;
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), ROW), Sense::hover());
    let id = |what: &str| Id::unique(("mine", what, track.get()));
    let part =
        |from: f32, width: f32| Rect::from_min_size(rect.min + vec2(from, S1 / 2.0), vec2(width, HEIGHT));
    let name = scene.view.song.track(track).name.as_str();
    let response = ui.interact(part(0.0, 62.0), id("name"), Sense::click());
    let color = if hands.cursor.0 == track { TEXT } else { QUIET };
    let at = part(0.0, 62.0).left_center();
    let painter = ui.painter_at(part(0.0, 62.0));
    painter.text(at, egui::Align2::LEFT_CENTER, name, theme::font(13.0), color);
    if response.on_hover_text("Show your effects on it below").clicked() {
        hands.cursor.0 = track;
    }
    let small = |from: f32| Rect::from_center_size(part(from, 22.0).center(), vec2(22.0, 22.0));
    let (muted, soloed) = (mine.is_muted(track), mine.is_soloed(track));
    let hint = format!("Mute {name} for you alone (shift and M)");
    if widgets::toggle(ui, small(66.0), id("mute"), "M", &hint, muted).on_hover_text(hint.as_str()).clicked()
    {
        write(scene, PersonalEdit::Mute { track, on: !muted });
    }
    let hint = format!("Solo {name} for you alone (shift and O)");
    if widgets::toggle(ui, small(92.0), id("solo"), "S", &hint, soloed).on_hover_text(hint.as_str()).clicked()
    {
        write(scene, PersonalEdit::Solo { track, on: !soloed });
    }
    trim(ui, part(122.0, 84.0), "Trim", Owner::Track(track), scene);
    let pan = mine.pan(track);
    let turn = Turn {
        name: "Pan",
        text: format!("{pan:+.2}").replace('-', "−"),
        travel: 0.5 * (pan + 1.0),
        default: 0.5,
        origin: 0.5,
        hint: "Its balance here, on top of its pan",
        ..Turn::default()
    };
    let width = (rect.width() - 214.0).max(40.0);
    if let Some(travel) = control::turn(ui, part(214.0, width), id("pan"), &turn) {
        write(scene, PersonalEdit::Pan { track, pan: 2.0 * travel - 1.0 });
    }
}

fn trim(ui: &mut Ui, rect: Rect, name: &str, owner: Owner, scene: &Scene<'_>) {
    let db = scene.view.personal.trim_db(owner);
    let travel_of = |db: f32| (db - MIN_TRIM_DB) / (MAX_TRIM_DB - MIN_TRIM_DB);
    let turn = Turn {
        name,
        text: format!("{db:+.1} dB").replace('-', "−"),
        travel: travel_of(db),
        default: travel_of(0.0),
        origin: travel_of(0.0),
        notch: 0.5 / (MAX_TRIM_DB - MIN_TRIM_DB),
        hint: "Louder or softer for you alone",
        ..Turn::default()
    };
    if let Some(travel) = control::turn(ui, rect, Id::unique(("mine", "trim", owner.row())), &turn) {
        write(scene, PersonalEdit::Trim { owner, db: MIN_TRIM_DB + (MAX_TRIM_DB - MIN_TRIM_DB) * travel });
    }
}

/// The mix as a whole.
fn whole(ui: &mut Ui, scene: &Scene<'_>) {
    let mine = &scene.view.personal;
    ui.add_space(S2);
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), HEIGHT), Sense::hover());
    let half = (rect.width() - S3) / 2.0;
    trim(ui, Rect::from_min_size(rect.min, vec2(half, HEIGHT)), "Level", Owner::Master, scene);
    let ceiling = Slot::new(Owner::Master, Param::Ceiling);
    knob(ui, Rect::from_min_size(rect.min + vec2(half + S3, 0.0), vec2(half, HEIGHT)), ceiling, scene);
    ui.add_space(S2);
    ui.horizontal(|ui| {
        let mut bounced = mine.is_bounced();
        let hint = "Whether your host's offline bounce gets your mix instead of everybody's";
        if ui.checkbox(&mut bounced, "In bounces").on_hover_text(hint).changed() {
            write(scene, PersonalEdit::Bounce(bounced));
        }
        let clear = egui::Button::new("As everybody hears it");
        let hint = "Forget all of your own mix";
        if ui.add_enabled(!mine.is_neutral(), clear).on_hover_text(hint).clicked() {
            scene.desk.send(Command::MineClear(None));
        }
    });
}

/// Effects of one's own on a track or on the whole.
fn effects(ui: &mut Ui, owner: Owner, scene: &Scene<'_>) {
    let columns = 3;
    let width = (ui.available_width() - S2 * (columns - 1) as f32) / columns as f32;
    for line in EFFECTS.chunks(columns) {
        let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), HEIGHT), Sense::hover());
        for (n, param) in line.iter().enumerate() {
            let at = rect.min + vec2(n as f32 * (width + S2), 0.0);
            knob(ui, Rect::from_min_size(at, vec2(width, HEIGHT)), Slot::new(owner, *param), scene);
        }
        ui.add_space(S1);
    }
}

fn knob(ui: &mut Ui, rect: Rect, slot: Slot, scene: &Scene<'_>) {
    let (spec, value) = (slot.spec(), scene.view.personal.param(slot));
    let id = Id::unique(("mine", "param", slot.index()));
    let name = short(spec.name);
    if let Unit::Words(words) = spec.unit {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        if let Some(picked) = control::words(ui, rect, id, (name, spec.name), &words, value as usize) {
            write(scene, PersonalEdit::Param { slot, value: picked as f32 });
        }
        return;
    }
    let turn = Turn {
        name,
        text: spec.display(value).to_string().replace('-', "−"),
        travel: spec.travel_of(value),
        default: spec.travel_of(neutral(slot)),
        origin: if spec.min < 0.0 && spec.max > 0.0 { spec.travel_of(0.0) } else { 0.0 },
        notch: sound::notch(spec),
        dim: value == neutral(slot),
        hint: spec.name,
    };
    if let Some(travel) = control::turn(ui, rect, id, &turn) {
        write(scene, PersonalEdit::Param { slot, value: spec.value_at(travel) });
    }
}

/// A name that fits on a third of the page.
fn short(name: &str) -> &str {
    let known = [
        ("Filter type", "Filter"),
        ("Filter cutoff", "Cutoff"),
        ("Filter resonance", "Reson."),
        ("Compressor threshold", "Thresh."),
        ("Compressor ratio", "Ratio"),
        ("Limiter ceiling", "Ceiling"),
        ("Drive mix", "Drive"),
        ("Chorus mix", "Chorus"),
        ("Delay mix", "Delay"),
        ("Reverb mix", "Reverb"),
    ];
    known.into_iter().find_map(|(long, short)| (long == name).then_some(short)).unwrap_or(name)
}

/// Learning a controller for what was touched last, and the controllers there are.
fn controllers(ui: &mut Ui, scene: &Scene<'_>) {
    let (view, song) = (&scene.view.controls, &scene.view.song);
    let send = |command| scene.desk.send(Command::Control(command));
    match (view.learning, scene.desk.touched()) {
        (Some((target, _)), _) => {
            ui.horizontal_wrapped(|ui| {
                ui.label(format!("Move a controller for {}", target_words(target, song)));
                if ui.small_button("Cancel").clicked() {
                    send(ControlCommand::Learn(None));
                }
            });
        }
        (None, Some(target)) => {
            let words = format!("Learn for {}", target_words(target, song));
            let hint = "Then move a knob, wheel, fader or pad of your controller: it moves this from then on";
            if ui.button(words).on_hover_text(hint).clicked() {
                send(ControlCommand::Learn(Some((target, Takeover::PickUp))));
            }
        }
        (None, None) => {
            let text = "Touch a control of the editor; then a controller can be learned for it here.";
            ui.add(egui::Label::new(RichText::new(text).color(QUIET)).wrap());
        }
    }
    for mapping in view.mappings.iter() {
        ui.horizontal(|ui| {
            if ui.small_button("×").on_hover_text("Forget this controller").clicked() {
                send(ControlCommand::Forget(mapping.controller));
            }
            let hint =
                "How it takes hold: picked up where it passes the value, at once, or as an endless encoder";
            if ui.small_button(takeover_word(mapping.takeover)).on_hover_text(hint).clicked() {
                send(ControlCommand::Map(Mapping { takeover: next(mapping.takeover), ..*mapping }));
            }
            let words =
                format!("{}: {}", controller_words(mapping.controller), target_words(mapping.target, song));
            ui.add(egui::Label::new(words.as_str()).truncate()).on_hover_text(&words);
        });
    }
}

fn next(takeover: Takeover) -> Takeover {
    match takeover {
        Takeover::PickUp => Takeover::Absolute,
        Takeover::Absolute => Takeover::TwosComplement,
        Takeover::TwosComplement => Takeover::BinaryOffset,
        Takeover::BinaryOffset => Takeover::PickUp,
    }
}
