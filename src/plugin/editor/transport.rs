//! Where the music is: bar and beat, tempo, phase.

use egui::{Align2, DragValue, Pos2, Rect, RichText, Sense, Shape, Stroke, Ui, pos2, vec2};

use super::theme::{self, ACCENT, CORNER, FIELD, FIELD_ALT, LINE, PANEL, QUIET, S2, S3, S4, TEXT};
use super::widgets;
use super::{Hands, Scene, strip};
use crate::client::{Command, HostClock};
use crate::param::{Owner, Param, Slot};
use crate::pattern::{Bar, Bars, MAX_STEPS};
use crate::time::{Beats, Clock, Tempo};

/// The metronome's level when it is switched on.
const CLICK: f32 = 0.5;
/// Steps on a page.
pub const PAGE: u8 = 16;

pub fn show(ui: &mut Ui, scene: &Scene<'_>, hands: &mut Hands) {
    let frame = egui::Frame::new().fill(PANEL).inner_margin(vec2(S4, S2));
    egui::Panel::top("transport").exact_size(50.0).frame(frame).show(ui, |ui| {
        ui.horizontal_centered(|ui| {
            play_state(ui, scene.position.is_some());
            let bars = Bars::in_song(&scene.view.song);
            bar_and_beat(ui, scene.position, &bars);
            ui.add_space(S3);
            phase(ui, scene.position, &bars);
            widgets::divide(ui);
            tempo(ui, scene, hands);
            super::mode::show(ui, scene);
            tap(ui, scene, hands);
            metronome(ui, scene);
            widgets::divide(ui);
            pages(ui, scene, hands);
            master(ui, scene, hands);
        });
    });
}

/// The master's level and its two meters, at the right edge.
fn master(ui: &mut Ui, scene: &Scene<'_>, hands: &mut Hands) {
    const WIDTHS: std::ops::RangeInclusive<f32> = 170.0..=240.0;
    let width = (ui.available_width() - S3).min(*WIDTHS.end());
    if width < *WIDTHS.start() {
        return;
    }
    ui.add_space(ui.available_width() - width - ui.spacing().item_spacing.x);
    let (rect, _) = ui.allocate_exact_size(vec2(width, 40.0), Sense::hover());
    let left = rect.left_center();
    ui.painter().text(left, Align2::LEFT_CENTER, "master", theme::font(12.0), QUIET);
    let fader = Rect::from_min_max(pos2(left.x + 48.0, rect.top()), pos2(rect.right() - 52.0, rect.bottom()));
    strip::level(ui, fader, Slot::new(Owner::Master, Param::Level), scene, hands, false);
    let peaks = scene.view.meter.as_ref().map_or([0.0; 2], |meter| meter.master);
    for (lane, peak) in peaks.into_iter().enumerate() {
        let top = fader.left_center() + vec2(0.0, 10.0 + 4.0 * lane as f32);
        widgets::meter(ui, Rect::from_min_size(top, vec2(fader.width(), 3.0)), peak);
    }
}

/// A triangle while it plays, a square while it does not.
fn play_state(ui: &mut Ui, playing: bool) {
    let (rect, response) = ui.allocate_exact_size(vec2(28.0, 28.0), Sense::hover());
    let at = |x: f32, y: f32| -> Pos2 { rect.center() + vec2(x, y) };
    if playing {
        let triangle = vec![at(-6.0, -8.0), at(9.0, 0.0), at(-6.0, 8.0)];
        ui.painter().add(Shape::convex_polygon(triangle, ACCENT, Stroke::NONE));
    } else {
        let square = Rect::from_center_size(rect.center(), vec2(14.0, 14.0));
        ui.painter().rect_filled(square, CORNER, QUIET);
    }
    response.on_hover_text(if playing {
        "Playing: the pattern follows the host's transport."
    } else {
        "Stopped: press play in your host and the pattern runs with it."
    });
}

/// A bar's beats: its metre's units.
fn beat_of(bar: &Bar) -> i64 {
    bar.length().0 / i64::from(bar.metre.count)
}

fn bar_and_beat(ui: &mut Ui, position: Option<Beats>, bars: &Bars) {
    let text = match position {
        Some(at) => {
            let bar = bars.at(at);
            format!("{:>3}.{}", bar.number + 1, (at - bar.start).0 / beat_of(&bar) + 1)
        }
        None => "  –.–".to_owned(),
    };
    let color = if position.is_some() { TEXT } else { QUIET };
    ui.label(RichText::new(text).font(theme::figures(24.0)).color(color)).on_hover_text("Bar and beat");
}

/// The bar's beats as boxes, filled as they pass.
fn phase(ui: &mut Ui, position: Option<Beats>, bars: &Bars) {
    let width = if ui.available_width() < 1200.0 { 96.0 } else { 220.0 };
    let (rect, response) = ui.allocate_exact_size(vec2(width, 14.0), Sense::hover());
    let bar = bars.at(position.unwrap_or(Beats::ZERO));
    let count = i64::from(bar.metre.count);
    let gap = if count > 8 { 1.0 } else { S2 };
    let passed = position.map(|at| (at - bar.start).0 as f32 / beat_of(&bar) as f32);
    let width = (rect.width() - gap * (count - 1) as f32) / count as f32;
    for beat in 0..count {
        let left = rect.left() + beat as f32 * (width + gap);
        let cell = Rect::from_min_size(pos2(left, rect.top()), vec2(width, rect.height()));
        ui.painter().rect_filled(cell, CORNER, if beat == 0 { FIELD_ALT } else { FIELD });
        let filled = passed.map_or(0.0, |passed| (passed - beat as f32).clamp(0.0, 1.0));
        if filled > 0.0 {
            let bar = Rect::from_min_size(cell.min, vec2(cell.width() * filled, cell.height()));
            ui.painter().rect_filled(bar, CORNER, ACCENT);
        }
    }
    response.on_hover_text(format!("Phase within the bar of {}/{}", bar.metre.count, bar.metre.unit));
}

/// The tempo of the hand that taps.
fn tap(ui: &mut Ui, scene: &Scene<'_>, hands: &mut Hands) {
    let response = ui.button("Tap").on_hover_text("Tap the tempo: from the second tap on it is asked for.");
    if response.clicked()
        && let Some(tempo) = hands.taps.tap(HostClock.now())
    {
        scene.desk.send(Command::Tempo(tempo));
    }
}

fn metronome(ui: &mut Ui, scene: &Scene<'_>) {
    let on = scene.view.metronome > 0.0;
    let response = ui.selectable_label(on, "Click");
    if response.on_hover_text("The metronome: you alone hear it, and no bounce holds it.").clicked() {
        scene.desk.send(Command::Metronome(if on { 0.0 } else { CLICK }));
    }
    ui.menu_button("Count in", |ui| {
        for (bars, text) in [(1, "1 bar"), (2, "2 bars")] {
            let hint = "The session starts at its first bar, after so many bars of clicks for everybody whose Click is on.";
            if ui.button(text).on_hover_text(hint).clicked() {
                scene.desk.send(Command::CountIn { tick: Beats::ZERO, bars });
                ui.close();
            }
        }
    });
}

fn tempo(ui: &mut Ui, scene: &Scene<'_>, hands: &mut Hands) {
    let view = scene.view;
    let session = view.tempo_map.tempo_at(scene.position.unwrap_or(Beats::ZERO));
    let mut bpm = hands.tempo.unwrap_or(session.bpm());
    let range = Tempo::MIN.bpm()..=Tempo::MAX.bpm();
    let response = ui
        .add(DragValue::new(&mut bpm).range(range).speed(0.1).fixed_decimals(2).suffix(" BPM"))
        .on_hover_text("The groove's tempo, 40 to 300: drag, or click and type. In a host that plays, the host's tempo leads.");
    if response.changed() {
        hands.tempo = Some(bpm);
    }
    let done = response.drag_stopped() || response.lost_focus();
    if done && let Some(bpm) = hands.tempo.take() {
        match Tempo::from_bpm(bpm) {
            Ok(tempo) if tempo != session => scene.desk.send(Command::Tempo(tempo)),
            Ok(_) => {}
            Err(error) => scene.desk.notify(error.to_string()),
        }
    }
    let host = view.engine_micro_bpm;
    if view.position.is_some() && host != 0 && host.abs_diff(session.micro_bpm()) > 5_000 {
        let text = format!("≠ host {:.2}", host as f64 / 1e6);
        ui.label(RichText::new(text).font(theme::figures(14.0)).color(TEXT))
            .on_hover_text("The host plays at its own tempo, and this instance with it; the session's is beside. Nothing is changed by itself.");
    }
}

/// The pages of 16 steps, as many as the longest pattern has.
fn pages(ui: &mut Ui, scene: &Scene<'_>, hands: &mut Hands) {
    let shown = scene.view.song.alive().map(|(track, _)| scene.pattern(track, &hands.shown).1.length);
    let longest = shown.max().unwrap_or(PAGE);
    let count = longest.max(1).div_ceil(PAGE).clamp(1, (MAX_STEPS / usize::from(PAGE)) as u8);
    hands.page = hands.page.min(count - 1);
    if count == 1 {
        return;
    }
    // Where the row is full, a page goes by its first step.
    let full = ui.available_width() < 64.0 * f32::from(count) + 48.0;
    if full {
        ui.spacing_mut().button_padding.x = S2;
    }
    ui.label(RichText::new("steps").font(theme::font(12.0)).color(QUIET));
    for page in 0..count {
        let (first, last) = (page * PAGE + 1, (page + 1) * PAGE);
        let text = RichText::new(if full { first.to_string() } else { format!("{first}–{last}") })
            .font(theme::figures(13.0));
        let chosen = page == hands.page;
        let button = egui::Button::new(if chosen { text.color(theme::GROUND) } else { text.color(TEXT) })
            .fill(if chosen { TEXT } else { FIELD })
            .stroke(Stroke::new(1.0, LINE));
        if ui.add(button).on_hover_text(format!("Show steps {first} to {last}")).clicked() {
            hands.page = page;
        }
    }
}
