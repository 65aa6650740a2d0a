//! The sound of a track or of the master: the voice, every module with its switch, sends, modulation
//! and groove. All names, units and ranges are the parameter table's.

use egui::{Id, Rect, ScrollArea, Sense, Ui, pos2, vec2};

use super::control::{self, HEIGHT, Turn};
use super::groups::{self, Group};
use super::theme::{self, CORNER, FIELD, GROUND, S2, S3, S4, TEXT};
use super::{Hands, Scene, presets};
use crate::client::Command;
use crate::param::{Owner, Param, ParamSpec, Slot, Taper, TrackIndex, Unit};
use crate::pattern::{ContextField, Edit, Name, Song, Track, TrackField, groove as grooves, voice_of};

/// A control's width, in logical points.
const WIDTH: f32 = 104.0;
/// A module's title.
const TITLE: f32 = 22.0;

/// What the person does on this page.
#[derive(Default)]
pub struct Page {
    /// The master's is shown, not the cursor's track's.
    pub master: bool,
}

/// The page.
pub fn show(ui: &mut Ui, scene: &Scene<'_>, hands: &mut Hands) {
    let frame = egui::Frame::new().fill(GROUND).inner_margin(vec2(S4, S2));
    egui::CentralPanel::default().frame(frame).show(ui, |ui| {
        let owner = owners(ui, scene, hands);
        ui.add_space(S2);
        let salt = ("sound", owner.row());
        ScrollArea::vertical().id_salt(salt).auto_shrink(false).show(ui, |ui| {
            ui.set_width(ui.available_width() - S3);
            let mut flow = Flow::new(ui);
            for group in groups::of(owner) {
                let params: Vec<Param> =
                    group.params.iter().copied().filter(|param| groups::has(owner, *param)).collect();
                let extra = if group.switch == Some(Param::GrooveEnabled) { 2 } else { 0 };
                let rect = flow.place(params.len() + extra);
                module(ui, rect, (owner, group), &params, scene);
            }
            flow.end(ui);
        });
    });
}

/// Whose sound is shown: a choice of tracks and the master.
fn owners(ui: &mut Ui, scene: &Scene<'_>, hands: &mut Hands) -> Owner {
    let song = &scene.view.song;
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = S2;
        ui.spacing_mut().button_padding.x = S3;
        let room = ui.available_width() - if hands.sound.master { 0.0 } else { 250.0 };
        ScrollArea::horizontal().id_salt("owners").max_width(room.max(160.0)).show(ui, |ui| {
            ui.horizontal(|ui| {
                if ui.selectable_label(hands.sound.master, "master").on_hover_text("The sum of all").clicked()
                {
                    hands.sound.master = true;
                }
                for track in song.in_order() {
                    let chosen = !hands.sound.master && hands.cursor.0 == track;
                    let row = song.track(track);
                    let hint = format!("{} ({})", row.name, voice_of(row).voice.name());
                    if ui.selectable_label(chosen, row.name.as_str()).on_hover_text(hint).clicked() {
                        hands.sound.master = false;
                        hands.cursor.0 = track;
                        hands.mark = None;
                    }
                }
            });
        });
        if !hands.sound.master && song.track(hands.cursor.0).alive {
            presets::menu(ui, hands.cursor.0, scene);
        }
    });
    match hands.sound.master || !song.track(hands.cursor.0).alive {
        true => Owner::Master,
        false => Owner::Track(hands.cursor.0),
    }
}

/// Lays modules of any width in rows.
struct Flow {
    left: f32,
    right: f32,
    at: egui::Pos2,
    /// The bottom of the row so far.
    bottom: f32,
}

impl Flow {
    fn new(ui: &Ui) -> Flow {
        let area = ui.available_rect_before_wrap();
        Flow { left: area.left(), right: area.right(), at: area.min, bottom: area.top() }
    }

    /// Room for a module of so many controls.
    fn place(&mut self, controls: usize) -> Rect {
        let width = |count: usize| count as f32 * (WIDTH + S3) - S3 + 2.0 * S3;
        let fit = (((self.right - self.left - S3) / (WIDTH + S3)) as usize).max(1);
        let columns = controls.clamp(2, fit.max(2));
        let rows = controls.div_ceil(columns).max(1);
        let size = vec2(width(columns), TITLE + rows as f32 * (HEIGHT + S2) + 2.0 * S2);
        if self.at.x > self.left && self.at.x + size.x > self.right {
            self.at = pos2(self.left, self.bottom + S3);
        }
        let rect = Rect::from_min_size(self.at, size);
        self.at.x += size.x + S3;
        self.bottom = self.bottom.max(rect.bottom());
        rect
    }

    fn end(self, ui: &mut Ui) {
        let height = self.bottom - ui.available_rect_before_wrap().top();
        ui.allocate_exact_size(vec2(self.right - self.left, height.max(0.0) + S3), Sense::hover());
    }
}

fn module(ui: &mut Ui, rect: Rect, (owner, group): (Owner, &Group), params: &[Param], scene: &Scene<'_>) {
    if !ui.is_rect_visible(rect) {
        return;
    }
    let song = &scene.view.song;
    let on = group.switch.is_none_or(|switch| song.param(owner, switch) >= 0.5);
    ui.painter().rect_filled(rect, CORNER, FIELD);
    let title = Rect::from_min_size(rect.min + vec2(S3, S2), vec2(rect.width() - 2.0 * S3, TITLE - S2));
    match group.switch {
        Some(switch) => {
            let slot = Slot::new(owner, switch);
            let id = ui.scope_id().with(("param", slot.index()));
            let hint = format!("{}: click to {}", group.title, if on { "bypass it" } else { "let it work" });
            if control::switch(ui, title, id, &group.title, on, &hint) {
                scene.edit(Edit::Param { slot, value: if on { 0.0 } else { 1.0 } });
            }
        }
        None => {
            let font = theme::font(13.0);
            ui.painter().text(title.left_center(), egui::Align2::LEFT_CENTER, &group.title, font, TEXT);
        }
    }
    let columns = (((rect.width() - S3) / (WIDTH + S3)) as usize).max(1);
    let place = |n: usize| {
        let at = vec2((n % columns) as f32 * (WIDTH + S3), (n / columns) as f32 * (HEIGHT + S2));
        Rect::from_min_size(rect.min + vec2(S3, S2 + TITLE) + at, vec2(WIDTH, HEIGHT))
    };
    for (n, param) in params.iter().enumerate() {
        knob(ui, place(n), Slot::new(owner, *param), &groups::label(*param, group), !on, scene);
    }
    if group.switch == Some(Param::GrooveEnabled) {
        groove(ui, [place(params.len()), place(params.len() + 1)], owner, scene);
    }
}

/// One parameter, as its unit asks for.
fn knob(ui: &mut Ui, rect: Rect, slot: Slot, name: &str, dim: bool, scene: &Scene<'_>) {
    let spec = slot.spec();
    let value = scene.view.song.params[slot.index()];
    let id = ui.scope_id().with(("param", slot.index()));
    let edit = |value| Edit::Param { slot, value };
    match spec.unit {
        Unit::Switch => {
            if control::switch(ui, rect, id, name, value >= 0.5, "") {
                scene.edit(edit(if value >= 0.5 { 0.0 } else { 1.0 }));
            }
        }
        Unit::Words(_) => {
            let words = words_of(slot.param(), &scene.view.song);
            let chosen = (value - spec.min) as usize;
            if let Some(picked) = control::words(ui, rect, id, (name, ""), &words, chosen) {
                scene.edit(edit(spec.min + picked as f32));
            }
        }
        _ => {
            let turn = Turn {
                name,
                text: spec.display(value).to_string().replace('-', "−"),
                travel: spec.travel_of(value),
                default: spec.travel_of(spec.default),
                origin: if spec.min < 0.0 && spec.max > 0.0 { spec.travel_of(0.0) } else { 0.0 },
                notch: notch(spec),
                dim,
                hint: "",
            };
            if let Some(travel) = control::turn(ui, rect, id, &turn) {
                scene.desk.send(Command::Gesture(edit(spec.value_at(travel))));
            }
        }
    }
}

/// The least turn of a parameter: a whole number where it goes by those, else a hundredth of its way.
pub fn notch(spec: &ParamSpec) -> f32 {
    if spec.taper == Taper::Stepped { 1.0 / (spec.max - spec.min) } else { 0.01 }
}

/// What a parameter of words may say; tracks by their names.
fn words_of(param: Param, song: &Song) -> Vec<String> {
    let Unit::Words(words) = param.spec().unit else { return Vec::new() };
    let named = |(place, word): (usize, &&str)| match (param, place.checked_sub(1).and_then(TrackIndex::new))
    {
        (Param::CompSide, Some(track)) if song.track(track).alive => song.track(track).name.to_string(),
        (Param::CompSide, Some(track)) => format!("track {} (none)", track.get() + 1),
        _ => (*word).to_owned(),
    };
    words.iter().enumerate().map(named).collect()
}

/// Which steps a groove moves, and its template.
fn groove(ui: &mut Ui, [steps_at, template_at]: [Rect; 2], owner: Owner, scene: &Scene<'_>) {
    const MASKS: [(&str, u64); 4] =
        [("odd", Track::ODD_STEPS), ("even", !Track::ODD_STEPS), ("all", !0), ("none", 0)];
    let song = &scene.view.song;
    let (mask, template) = match owner {
        Owner::Track(track) => (song.track(track).groove_steps, song.track(track).groove_template),
        Owner::Master => (song.context.groove_steps, song.context.groove_template),
    };
    let mut words: Vec<String> = MASKS.iter().map(|(word, _)| (*word).to_owned()).collect();
    let chosen = MASKS.iter().position(|(_, of)| *of == mask).unwrap_or_else(|| {
        words.push("a list".to_owned());
        MASKS.len()
    });
    let id = |what: &str| Id::unique(("groove", what, owner.row()));
    let hint =
        "Which steps the groove moves; the second, the fourth and so on are the odd ones, counted from 0";
    let picked = control::words(ui, steps_at, id("steps"), ("Steps", hint), &words, chosen);
    if let Some((_, mask)) = picked.and_then(|place| MASKS.get(place)) {
        scene.edit(match owner {
            Owner::Track(track) => Edit::Track { track, field: TrackField::GrooveSteps(*mask) },
            Owner::Master => Edit::Context(ContextField::GrooveSteps(*mask)),
        });
    }
    let mut words = vec!["none".to_owned()];
    words.extend(grooves::templates().filter(|word| !word.contains(' ')).map(str::to_owned));
    words.extend((50..=75).map(|percent| format!("mpc-{percent}")));
    let chosen = words.iter().position(|word| word == template.as_str()).unwrap_or(0);
    let hint = "Heard where the type is `template`";
    let Some(picked) = control::words(ui, template_at, id("template"), ("Template", hint), &words, chosen)
    else {
        return;
    };
    let name = if picked == 0 { Name::EMPTY } else { Name::new(&words[picked]).unwrap_or(Name::EMPTY) };
    let field = match owner {
        Owner::Track(track) => Edit::Track { track, field: TrackField::GrooveTemplate(name) },
        Owner::Master => Edit::Context(ContextField::GrooveTemplate(name)),
    };
    // A template is meant to be heard.
    let value = if picked == 0 { 0.0 } else { template_type() };
    scene.edits(vec![field, Edit::Param { slot: Slot::new(owner, Param::GrooveType), value }]);
}

/// The value by which the groove's type is its template.
fn template_type() -> f32 {
    let Unit::Words(words) = Param::GrooveType.spec().unit else { return 0.0 };
    words.iter().position(|word| *word == "template").unwrap_or(0) as f32
}
