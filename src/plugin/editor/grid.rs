//! The step grid: one row a track, sixteen cells a page, beats of four set apart.

use egui::{Align2, Pos2, Rect, RichText, Role, Sense, Stroke, StrokeKind, Ui, WidgetInfo, pos2, vec2};

use super::cell::{self, Look};
use super::theme::{self, ACCENT, CORNER, GROUND, LIGHT, QUIET, S3, S4, TEXT};
use super::transport::PAGE;
use super::{Hands, Paint, Scene, chosen, people, strip};
use crate::client::Command;
use crate::param::{Owner, Param, TrackIndex};
use crate::pattern::{Edit, MAX_STEPS, Name, Pattern, PatternIndex, StepField};
use crate::time::Beats;

/// A row's least and greatest height; between them the rows share the window.
const ROW: std::ops::RangeInclusive<f32> = 38.0..=60.0;
/// The steps' numbers.
const RULER: f32 = 18.0;
/// Between two cells, and what comes to it between two beats.
const GAP: f32 = 3.0;
const BEAT_GAP: f32 = 7.0;
const STEPS_A_BEAT: u8 = 4;
/// What a new track may be, in the order offered.
const VOICES: [(&str, &str); 13] = [
    ("kick", "Bass drum"),
    ("snare", "Snare drum"),
    ("hat", "Closed hi-hat"),
    ("open", "Open hi-hat"),
    ("clap", "Hand clap"),
    ("tom", "Tom-tom"),
    ("perc", "Small percussion"),
    ("shaker", "Shaker"),
    ("cymbal", "Crash and ride"),
    ("bass", "Bass, one note at a time"),
    ("lead", "Synth for melodies"),
    ("pad", "Pad for chords"),
    ("fm", "FM: bells and keys"),
];

pub fn show(ui: &mut Ui, scene: &Scene<'_>, hands: &mut Hands) {
    let frame = egui::Frame::new().fill(GROUND).inner_margin(vec2(S4, S3));
    egui::CentralPanel::default().frame(frame).show(ui, |ui| {
        if ui.input(|input| !input.pointer.any_down()) {
            hands.painting = None;
        }
        let tracks: Vec<TrackIndex> = scene.view.song.alive().map(|(track, _)| track).collect();
        if tracks.is_empty() {
            return empty(ui, scene);
        }
        egui::ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = theme::S1;
            // Room for the bar by which it scrolls.
            ui.set_max_width(ui.available_width() - theme::S2);
            // Room for the ruler above and the button below.
            let share = (ui.available_height() - RULER - 52.0) / tracks.len() as f32 - theme::S1;
            let height = share.floor().clamp(*ROW.start(), *ROW.end());
            ruler(ui, scene, hands.page);
            for &track in &tracks {
                row(ui, track, height, scene, hands);
            }
            ui.add_space(S3);
            add_track(ui, scene);
        });
    });
}

/// Where the cells of a row lie, from the row's rectangle.
struct Cells {
    area: Rect,
    width: f32,
}

impl Cells {
    fn of(row: Rect) -> Cells {
        let area = Rect::from_min_max(pos2(row.left() + strip::width(row.width()), row.top()), row.max);
        let beats = f32::from(PAGE / STEPS_A_BEAT - 1);
        let width = (area.width() - GAP * f32::from(PAGE - 1) - BEAT_GAP * beats) / f32::from(PAGE);
        Cells { area, width: width.max(4.0) }
    }

    /// The cell at a column, 0 to 15.
    fn at(&self, column: u8) -> Rect {
        let left = f32::from(column) * (self.width + GAP) + f32::from(column / STEPS_A_BEAT) * BEAT_GAP;
        Rect::from_min_size(self.area.min + vec2(left, 0.0), vec2(self.width, self.area.height()))
            .shrink2(vec2(0.0, 2.0))
    }

    /// The column under a point.
    fn column(&self, point: Pos2) -> Option<u8> {
        (0..PAGE).find(|&column| self.at(column).expand(GAP / 2.0).contains(point))
    }
}

/// The steps' numbers, each beat's first one brighter.
fn ruler(ui: &mut Ui, scene: &Scene<'_>, page: u8) {
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), RULER), Sense::hover());
    let cells = Cells::of(rect);
    let playhead = scene.position.map(|at| at.0.div_euclid(Beats::SIXTEENTH.0));
    for column in 0..PAGE {
        let step = page * PAGE + column;
        let first = column % STEPS_A_BEAT == 0;
        let now = playhead.is_some_and(|at| at.rem_euclid(i64::from(PAGE)) == i64::from(column));
        let color = if now {
            ACCENT
        } else if first {
            TEXT
        } else {
            QUIET
        };
        let center = cells.at(column).center();
        if first || cells.width >= 18.0 {
            ui.painter().text(center, Align2::CENTER_CENTER, step + 1, theme::figures(11.0), color);
        }
        if now {
            let cell = cells.at(column);
            let under = pos2(cell.left(), rect.bottom() - 2.0);
            ui.painter().rect_filled(Rect::from_min_size(under, vec2(cell.width(), 2.0)), CORNER, ACCENT);
        }
    }
}

fn row(ui: &mut Ui, track: TrackIndex, height: f32, scene: &Scene<'_>, hands: &mut Hands) {
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), height), Sense::hover());
    let strip = Rect::from_min_size(rect.min, vec2(strip::width(rect.width()), height));
    strip::show(ui, strip, track, scene, hands);
    let cells = Cells::of(rect);
    let response =
        ui.interact(cells.area, ui.scope_id().with(("cells", track.get())), Sense::click_and_drag());
    response.widget_info(|| {
        WidgetInfo::labeled(Role::Group, true, format!("steps of {}", scene.view.song.track(track).name))
    });
    let song = &scene.view.song;
    let (place, pattern) = scene.pattern(track, &hands.shown);
    let sounds = song.track(track).pattern == place;
    let muted = song.param(Owner::Track(track), Param::Mute) >= 0.5 || song.is_soloed_out(track);
    for column in 0..PAGE {
        let step = hands.page * PAGE + column;
        let cell = cells.at(column);
        let look = Look {
            beyond: step >= pattern.length,
            alternate: column / STEPS_A_BEAT % 2 == 1,
            playing: sounds && playing_step(scene, pattern) == Some(step),
            muted,
            chosen: chosen::is_chosen(hands, track, step),
        };
        cell::paint(ui, cell, pattern, step, &look);
        if hands.cursor_shown && hands.cursor == (track, step) {
            ui.painter().rect_stroke(cell.expand(1.0), CORNER, Stroke::new(2.0, LIGHT), StrokeKind::Outside);
        }
        for peer in scene.view.peers.iter().filter(|peer| peer.online) {
            if peer.state.cursor == Some((track.get() as u8, step)) {
                people::cursor(ui, cell, &peer.name);
            }
        }
        people::held(ui, scene, track, Some(step), cell);
    }
    people::held(ui, scene, track, None, strip);
    pointer(ui, &response, &cells, track, scene, hands);
    if let Some(column) = response.hover_pos().and_then(|at| cells.column(at)) {
        let step = hands.page * PAGE + column;
        response.on_hover_text_at_pointer(cell::describe(song.track(track), pattern, step));
    }
}

/// The step a track is at: short patterns go round on their own.
pub fn playing_step(scene: &Scene<'_>, pattern: &Pattern) -> Option<u8> {
    let at = scene.position?.0.div_euclid(pattern.rate.step().0);
    Some(at.rem_euclid(i64::from(pattern.length.max(1))) as u8)
}

fn pointer(
    ui: &Ui,
    response: &egui::Response,
    cells: &Cells,
    track: TrackIndex,
    scene: &Scene<'_>,
    hands: &mut Hands,
) {
    let (place, pattern) = scene.pattern(track, &hands.shown);
    let under = |hands: &Hands| {
        let at = ui.input(|input| input.pointer.interact_pos())?;
        let inside = cells.area.y_range().contains(at.y);
        let step = hands.page * PAGE + cells.column(at).filter(|_| inside)?;
        (step < pattern.length).then_some(step)
    };
    let Some(step) = under(hands) else { return };
    let primary_pressed = ui.input(|input| input.pointer.primary_pressed());
    let shift = ui.input(|input| input.modifiers.shift);
    if response.hovered() && primary_pressed && shift && hands.cursor.0 == track {
        // From where the cursor was, or where the choice began, up to here.
        hands.mark = hands.mark.or(Some(hands.cursor.1));
        (hands.cursor, hands.cursor_shown) = ((track, step), true);
    } else if response.hovered() && primary_pressed {
        hands.mark = None;
        let on = !pattern.steps[usize::from(step)].on;
        let stroke = rand::random();
        hands.painting = Some(Paint { on, last: (track, step), step: stroke });
        (hands.cursor, hands.cursor_shown) = ((track, step), true);
        hands.velocity = None;
        set_on(scene, (track, place), step, on, stroke);
    } else if let Some(paint) = hands.painting.as_mut()
        && paint.last != (track, step)
    {
        paint.last = (track, step);
        hands.cursor = (track, step);
        if pattern.steps[usize::from(step)].on != paint.on {
            set_on(scene, (track, place), step, paint.on, paint.step);
        }
    }
    if response.hovered() {
        let scrolled = ui.input(|input| input.smooth_scroll_delta().y) / 200.0;
        let dragged = if response.dragged_by(egui::PointerButton::Secondary) {
            -response.drag_delta().y / 100.0
        } else {
            0.0
        };
        change_velocity(scene, hands, track, step, scrolled + dragged);
    }
}

fn change_velocity(scene: &Scene<'_>, hands: &mut Hands, track: TrackIndex, step: u8, by: f32) {
    let (pattern, held) = scene.pattern(track, &hands.shown);
    let cell = &held.steps[usize::from(step)];
    let velocity = (cell.velocity + by).clamp(0.05, 1.0);
    if by != 0.0 && cell.on && velocity != cell.velocity {
        let field = StepField::Velocity(velocity);
        let same = hands.velocity.filter(|(cell, _)| *cell == (track, step));
        let (_, stroke) = *hands.velocity.insert(same.unwrap_or_else(|| ((track, step), rand::random())));
        scene.stroke(stroke, Edit::Step { track, pattern, step, field });
    }
}

fn set_on(scene: &Scene<'_>, (track, pattern): (TrackIndex, PatternIndex), step: u8, on: bool, stroke: u64) {
    scene.stroke(stroke, Edit::Step { track, pattern, step, field: StepField::On(on) });
}

/// Turns a cell on or off.
pub fn toggle(scene: &Scene<'_>, hands: &Hands, track: TrackIndex, step: u8) {
    let (place, pattern) = scene.pattern(track, &hands.shown);
    let on = pattern.steps[usize::from(step).min(MAX_STEPS - 1)].on;
    set_on(scene, (track, place), step, !on, rand::random());
}

fn empty(ui: &mut Ui, scene: &Scene<'_>) {
    ui.vertical_centered(|ui| {
        ui.add_space(ui.available_height() * 0.35);
        ui.label(RichText::new("This groove has no tracks yet").font(theme::font(20.0)));
        ui.label(RichText::new("Add one below, or paste an invite link above to join others.").color(QUIET));
        ui.add_space(S4);
        add_track(ui, scene);
    });
}

fn add_track(ui: &mut Ui, scene: &Scene<'_>) {
    if TrackIndex::all().all(|track| scene.view.song.track(track).alive) {
        ui.label(RichText::new("All sixteen tracks are in use").color(QUIET));
        return;
    }
    let menu = ui.menu_button("Add a track", |ui| {
        for (name, voice) in VOICES {
            if ui.button(voice).on_hover_text(format!("A new track for the {name} voice")).clicked() {
                scene.desk.send(Command::AddTrack(unused_name(scene, name)));
                ui.close();
            }
        }
    });
    menu.response.on_hover_text("A new row with a voice of your choice");
}

/// "kick", or "kick2" where that is taken.
fn unused_name(scene: &Scene<'_>, word: &str) -> Name {
    let taken = |name: &str| scene.view.song.track_named(name).is_some();
    let numbered = (2..).map(|number| format!("{word}{number}"));
    let free = std::iter::once(word.to_owned()).chain(numbered).find(|name| !taken(name));
    free.and_then(|name| Name::new(&name).ok()).unwrap_or_default()
}
