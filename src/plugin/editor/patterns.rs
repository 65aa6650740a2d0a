//! The bar of patterns and scenes: which of a track's eight patterns plays, which one the grid
//! shows, and the scenes that set a pattern for each track.
//!
//! The bar is about the row of the cursor. What is shown is this editor's own; what plays is the
//! song's, for everybody.

use std::time::{Duration, Instant};

use egui::{
    Align, Align2, Key, Layout, Rect, RichText, ScrollArea, Sense, Stroke, StrokeKind, Ui, pos2, vec2,
};

use super::theme::{self, ACCENT, CORNER, FIELD, GROUND, LIGHT, LINE, PANEL, QUIET, S2, S3, S4, TEXT};
use super::{Hands, Middle, Scene, keys, scenes, widgets};
use crate::client::{Command, When};
use crate::param::TrackIndex;
use crate::pattern::{Edit, Grid, GridEdit, Pattern, PatternIndex, Song, TrackField};

/// The least height in which a hand finds a box.
const BOX: f32 = 24.0;

/// How long a pattern that was asked for is marked: two of the longest bars.
const PATIENCE: Duration = Duration::from_secs(12);

/// What this editor shows of the rows' patterns.
#[derive(Default)]
pub struct Shown {
    /// By track, where it is not the one that plays.
    patterns: [Option<PatternIndex>; crate::param::MAX_TRACKS],
    /// Asked for here, until it plays.
    awaited: Option<(TrackIndex, PatternIndex, Instant)>,
}

impl Shown {
    /// The pattern of a track that the grid shows.
    pub fn of(&self, track: TrackIndex, song: &Song) -> PatternIndex {
        self.patterns[track.get()].unwrap_or(song.track(track).pattern)
    }

    /// Shows a pattern; the one that plays goes on being followed.
    fn show(&mut self, track: TrackIndex, pattern: PatternIndex, song: &Song) {
        self.patterns[track.get()] = (song.track(track).pattern != pattern).then_some(pattern);
    }

    /// Whether a row shows another pattern than it plays.
    pub fn differs(&self, track: TrackIndex, song: &Song) -> bool {
        self.of(track, song) != song.track(track).pattern
    }

    /// Whether a pattern was asked for here and does not play yet.
    fn awaits(&self, track: TrackIndex, pattern: PatternIndex) -> bool {
        self.awaited
            .is_some_and(|(of, wanted, since)| (of, wanted) == (track, pattern) && since.elapsed() < PATIENCE)
    }

    /// The neighbour of the one that is shown, round all eight.
    fn turn(&mut self, track: TrackIndex, by: usize, song: &Song) {
        let count = PatternIndex::all().count();
        let next = (self.of(track, song).get() + by) % count;
        self.show(track, PatternIndex::new(next).unwrap_or(PatternIndex::FIRST), song);
    }
}

/// The bar.
pub fn show(ui: &mut Ui, scene: &Scene<'_>, hands: &mut Hands) {
    let frame = egui::Frame::new().fill(PANEL).inner_margin(vec2(S4, S2));
    egui::Panel::top("patterns").exact_size(36.0).frame(frame).show(ui, |ui| {
        ui.horizontal_centered(|ui| {
            ui.spacing_mut().item_spacing.x = S2;
            middles(ui, hands);
            widgets::divide(ui);
            let track = hands.cursor.0;
            if scene.view.song.track(track).alive {
                of_track(ui, track, scene, hands);
                widgets::divide(ui);
            }
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                super::arrangement::toggle(ui, scene, hands);
                fill(ui, scene, hands);
                ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                    ui.label(RichText::new("scenes").font(theme::font(12.0)).color(QUIET));
                    ScrollArea::horizontal().id_salt("scenes").auto_shrink([false, true]).show(ui, |ui| {
                        ui.horizontal(|ui| scenes::show(ui, scene, hands));
                    });
                });
            });
        });
    });
}

/// What the middle of the window shows.
fn middles(ui: &mut Ui, hands: &mut Hands) {
    ui.spacing_mut().button_padding.x = S3;
    for (word, view, hint) in [
        ("Steps", Middle::Steps, "Every track's steps (G)"),
        ("Notes", Middle::Notes, "The notes of the cursor's track by their pitch (N)"),
        ("Sound", Middle::Sound, "Voice and effects of the cursor's track, and the master's (S)"),
    ] {
        if ui.selectable_label(hands.view == view, word).on_hover_text(hint).clicked() {
            hands.view = view;
        }
    }
}

/// A fill, for as long as the button is held.
fn fill(ui: &mut Ui, scene: &Scene<'_>, hands: &mut Hands) {
    let on = scene.view.song.context.fill;
    let word = RichText::new("FILL").font(theme::font(12.0)).color(if on { GROUND } else { TEXT });
    let button = egui::Button::new(word).fill(if on { ACCENT } else { FIELD }).sense(Sense::click_and_drag());
    let response =
        ui.add(button).on_hover_text("Hold for a fill, for everybody: steps that ask for one sound (F)");
    let held = response.is_pointer_button_down_on();
    let by_key = ui.input(|input| input.key_down(Key::F));
    if held && !hands.filling {
        hands.fill(scene, true);
    } else if !held && !by_key {
        hands.release_fill(scene);
    }
}

fn of_track(ui: &mut Ui, track: TrackIndex, scene: &Scene<'_>, hands: &mut Hands) {
    let song = &scene.view.song;
    let row = song.track(track);
    let name = RichText::new(row.name.as_str()).font(theme::font(14.0)).color(TEXT);
    ui.add(egui::Label::new(name).truncate())
        .on_hover_text("The row of the cursor: click a cell to choose another");
    let shown = hands.shown.of(track, song);
    for pattern in PatternIndex::all() {
        let used = *song.pattern(track, pattern) != Pattern::EMPTY;
        let plays = row.pattern == pattern;
        let awaited = !plays && hands.shown.awaits(track, pattern);
        let look = Look { plays, shown: shown == pattern, used, awaited };
        let response = choice(ui, pattern, look);
        if response.double_clicked() {
            play(scene, hands, track, pattern);
        }
        if response.clicked() {
            hands.shown.show(track, pattern, song);
        }
        response.context_menu(|ui| menu(ui, track, pattern, scene, hands));
    }
    if shown != row.pattern {
        let hint = "Let this pattern play, for everybody, from the next bar on (P)";
        if ui.small_button("Play it").on_hover_text(hint).clicked() {
            play(scene, hands, track, shown);
        }
    }
}

struct Look {
    plays: bool,
    shown: bool,
    used: bool,
    awaited: bool,
}

/// A pattern's box: filled where it plays, half where it is about to, edged where it is shown, a dot
/// in one that is empty.
fn choice(ui: &mut Ui, pattern: PatternIndex, look: Look) -> egui::Response {
    let (rect, response) = ui.allocate_exact_size(vec2(BOX, BOX), Sense::click());
    let said = format!("pattern {}", pattern.get() + 1);
    response.widget_info(|| egui::WidgetInfo::selected(egui::Role::Button, true, look.shown, &said));
    let (fill, color) = match (look.plays, look.used) {
        (true, _) => (ACCENT, GROUND),
        (false, true) => (FIELD, TEXT),
        (false, false) => (FIELD, QUIET),
    };
    let edge = if look.shown { Stroke::new(2.0, LIGHT) } else { Stroke::new(1.0, LINE) };
    ui.painter().rect(rect.shrink(1.0), CORNER, fill, edge, StrokeKind::Inside);
    if look.awaited {
        let half =
            Rect::from_min_max(pos2(rect.left() + 2.0, rect.bottom() - 6.0), rect.max - vec2(2.0, 2.0));
        ui.painter().rect_filled(half, CORNER, ACCENT);
    }
    let number = pattern.get() + 1;
    ui.painter().text(rect.center(), Align2::CENTER_CENTER, number, theme::figures(13.0), color);
    if !look.used {
        ui.painter().circle_filled(pos2(rect.right() - 5.0, rect.top() + 5.0), 1.5, color);
    }
    let state = match (look.plays, look.shown) {
        _ if look.awaited => "plays from the next bar on",
        (true, true) => "plays and is shown",
        (true, false) => "plays",
        (false, true) => "is shown",
        (false, false) => "waits",
    };
    let empty = if look.used { "" } else { ", empty" };
    response.on_hover_text(format!(
        "Pattern {number} {state}{empty}\nClick shows it · double click plays it · [ and ] turn, P plays"
    ))
}

fn menu(ui: &mut Ui, track: TrackIndex, pattern: PatternIndex, scene: &Scene<'_>, hands: &mut Hands) {
    let playing = scene.view.song.track(track).pattern;
    if ui.button("Play").on_hover_text("For everybody, from the next bar on").clicked() {
        play(scene, hands, track, pattern);
        ui.close();
    }
    let fill = ui.add_enabled(playing != pattern, egui::Button::new("Copy here what plays"));
    if fill.on_hover_text("This pattern becomes what the playing one is; one undo takes it back").clicked() {
        let grid = Grid::Replace { track, pattern: playing };
        scene.desk.send(Command::Grid(GridEdit { track, pattern, grid }));
        ui.close();
    }
    let clear = Grid::Clear { from: 0, count: crate::pattern::MAX_STEPS as u8 };
    if ui.button("Clear").on_hover_text("All steps of this pattern become rests").clicked() {
        scene.desk.send(Command::Grid(GridEdit { track, pattern, grid: clear }));
        ui.close();
    }
}

/// Lets a pattern play, for everybody, from the next bar on; at once where nothing plays.
fn play(scene: &Scene<'_>, hands: &mut Hands, track: TrackIndex, pattern: PatternIndex) {
    hands.shown.awaited = Some((track, pattern, Instant::now()));
    let edit = Edit::Track { track, field: TrackField::Pattern(pattern) };
    scene.desk.send(Command::Edit { edits: vec![edit], when: When::NextBar });
}

/// `[` and `]` turn the patterns of the cursor's row, P lets the shown one play.
pub fn take_keys(ui: &Ui, scene: &Scene<'_>, hands: &mut Hands) {
    let song = &scene.view.song;
    let track = hands.cursor.0;
    let last = PatternIndex::all().count() - 1;
    for (mark, by) in [("[", last), ("]", 1)] {
        if keys::typed(ui, mark) {
            hands.cursor_shown = true;
            hands.shown.turn(track, by, song);
        }
    }
    let shown = hands.shown.of(track, song);
    let asked = ui.input_mut(|input| input.consume_key(egui::Modifiers::NONE, Key::P));
    if asked && shown != song.track(track).pattern {
        play(scene, hands, track, shown);
    }
}

/// Under a row's name, where it shows another pattern than it plays.
pub fn differs(ui: &Ui, strip: Rect, track: TrackIndex, scene: &Scene<'_>, hands: &Hands) {
    if hands.shown.differs(track, &scene.view.song) {
        let shown = hands.shown.of(track, &scene.view.song).get() + 1;
        let text = format!("shows {shown}, plays {}", scene.view.song.track(track).pattern.get() + 1);
        let at = strip.left_center() + vec2(S3 + S2, 4.0);
        ui.painter_at(strip).text(at, Align2::LEFT_TOP, text, theme::font(10.5), QUIET);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_plays_is_shown_until_another_is_asked_for() {
        let mut song = Song::new();
        let track = TrackIndex::all().next().expect("a track");
        let third = PatternIndex::new(2).expect("a pattern");
        let mut shown = Shown::default();
        let plays = |song: &mut Song, pattern| {
            song.apply(&Edit::Track { track, field: TrackField::Pattern(pattern) });
        };
        plays(&mut song, third);
        assert_eq!(shown.of(track, &song), third);
        shown.turn(track, 7, &song);
        assert_eq!(shown.of(track, &song).get(), 1);
        // Turned back to what plays, it follows that again.
        shown.turn(track, 1, &song);
        plays(&mut song, PatternIndex::FIRST);
        assert_eq!(shown.of(track, &song), PatternIndex::FIRST);
        shown.turn(track, 7, &song);
        assert_eq!(shown.of(track, &song).get(), 7);
    }
}
