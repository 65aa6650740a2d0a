//! The locks of the chosen steps: up to eight lanes a track, each of a parameter, and what the steps
//! set it to.

use egui::{Rect, RichText, Ui, vec2};

use super::chosen::Chosen;
use super::control::{self, HEIGHT, Turn};
use super::theme::{self, QUIET, S2, S3, TEXT};
use super::{Hands, Scene, groups};
use crate::param::{Owner, Param, Unit};
use crate::pattern::{Edit, LANES};

/// The lanes, and a way to take another.
pub fn show(ui: &mut Ui, of: &Chosen, scene: &Scene<'_>, hands: &mut Hands) {
    ui.add_space(S3);
    ui.horizontal(|ui| {
        ui.label(RichText::new("locks").font(theme::font(12.0)).color(QUIET))
            .on_hover_text("What these steps set a parameter to while they sound");
        let lanes = scene.view.song.track(of.track).lanes;
        if let Some(free) = (0..LANES as u8).find(|lane| lanes[usize::from(*lane)].is_none()) {
            let picked =
                ui.menu_button("Lock…", |ui| pick(ui, Owner::Track(of.track), &lanes)).inner.flatten();
            if let Some(param) = picked {
                let mut edits = vec![Edit::Lane { track: of.track, lane: free, param: Some(param) }];
                edits.extend(of.lock(free, Some(scene.view.song.param(Owner::Track(of.track), param))));
                scene.edits(edits);
            }
        } else {
            ui.label(RichText::new("all eight lanes are in use").font(theme::font(12.0)).color(QUIET));
        }
    });
    for lane in 0..LANES as u8 {
        if let Some(param) = scene.view.song.track(of.track).lanes[usize::from(lane)] {
            show_lane(ui, of, lane, param, scene, hands);
        }
    }
}

/// The parameters that can be locked, by module; gives the one that was clicked.
fn pick(ui: &mut Ui, owner: Owner, taken: &[Option<Param>; LANES]) -> Option<Param> {
    let mut picked = None;
    egui::ScrollArea::vertical().max_height(300.0).show(ui, |ui| {
        for group in groups::of(owner) {
            ui.menu_button(&group.title, |ui| {
                for param in group.switch.iter().chain(&group.params) {
                    let free = !taken.contains(&Some(*param));
                    let name = if Some(*param) == group.switch {
                        "On".to_owned()
                    } else {
                        groups::label(*param, group)
                    };
                    if ui.add_enabled(free, egui::Button::new(name)).clicked() {
                        picked = Some(*param);
                        ui.close();
                    }
                }
            });
        }
    });
    picked
}

fn show_lane(ui: &mut Ui, of: &Chosen, lane: u8, param: Param, scene: &Scene<'_>, hands: &mut Hands) {
    let track = scene.view.song.track(of.track);
    let spec = param.spec();
    let locked = track.lock(of.pattern, of.first(), lane).map(|(_, value)| value);
    let base = scene.view.song.param(Owner::Track(of.track), param);
    let value = locked.unwrap_or(base);
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = S2;
        let width = ui.available_width() - 58.0;
        let (rect, _) = ui.allocate_exact_size(vec2(width, HEIGHT), egui::Sense::hover());
        let id = ui.scope_id().with(("lock", lane));
        let text = match locked {
            Some(value) => spec.display(value).to_string(),
            None => format!("{} ·", spec.display(base)),
        };
        let turned = match spec.unit {
            Unit::Switch => {
                let word = if locked.is_some() { "locked" } else { "as the track" };
                let name = format!("{} ({word})", spec.name);
                let clicked =
                    control::switch(ui, rect, id, &name, value >= 0.5, "Click to lock the other state");
                clicked.then_some(if value >= 0.5 { 0.0 } else { 1.0 })
            }
            _ => bar(ui, rect, id, (param, &text), value, base, locked.is_none()),
        };
        if let Some(value) = turned {
            let step = hands.step_of(ui, id);
            scene.strokes(step, of.lock(lane, Some(value)));
        }
        let clear = ui.add_enabled(locked.is_some(), egui::Button::new("×").small());
        if clear.on_hover_text("These steps leave it as the track has it").clicked() {
            scene.edits(of.lock(lane, None));
        }
        ui.menu_button(RichText::new("…").color(TEXT), |ui| {
            let hint = "No step of this track locks it any more; the lane is free for another parameter";
            if ui.button("Give up this lane").on_hover_text(hint).clicked() {
                scene.edit(Edit::Lane { track: of.track, lane, param: None });
                ui.close();
            }
        });
    });
}

fn bar(
    ui: &mut Ui,
    rect: Rect,
    id: egui::Id,
    (param, text): (Param, &str),
    value: f32,
    base: f32,
    dim: bool,
) -> Option<f32> {
    let spec = param.spec();
    let turn = Turn {
        name: spec.name,
        text: text.to_owned(),
        travel: spec.travel_of(value),
        default: spec.travel_of(base),
        origin: if spec.min < 0.0 { spec.travel_of(0.0) } else { 0.0 },
        notch: super::sound::notch(spec),
        dim,
        hint: "",
    };
    control::turn(ui, rect, id, &turn).map(|travel| spec.value_at(travel))
}
