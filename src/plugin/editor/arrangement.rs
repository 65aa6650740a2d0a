//! The song as a strip of bars: sections, scenes' clips, patterns' clips, and where the music is.
//!
//! A click on an empty bar puts the chosen scene there; a clip is dragged by its body to another
//! bar and by its right edge to another length, each one undo step; with a clip chosen, the keyboard
//! does the same.

mod edits;

use egui::{
    Align2, DragValue, Key, Pos2, Rect, Response, RichText, Sense, Stroke, StrokeKind, Ui, pos2, vec2,
};

use super::theme::{
    self, ACCENT, ACCENT_DIM, CORNER, FIELD, FIELD_ALT, GROUND, LIGHT, LINE, PANEL, QUIET, S2, S3, S4, TEXT,
};
use super::{Hands, Scene, keys, scenes};
use crate::client::{Command, When};
use crate::pattern::{
    Bars, Clip, ClipField, ClipSource, ContextField, Edit, MAX_BARS, MAX_CLIPS, SectionField, Song,
};
use edits::{new_clip, new_section, room_at};

/// A bar's width, in logical points, in which its number can be read.
const BAR: f32 = 22.0;
const RULER: f32 = 16.0;
const SECTIONS: f32 = 16.0;
const LANE: f32 = 24.0;
/// The right end of a clip, by which its length is dragged.
const EDGE: f32 = 7.0;
/// Windows lower than this are small.
const SMALL: f32 = 560.0;
/// What a new clip lasts.
const LENGTH: u32 = 4;

/// What the person does with the arrangement.
#[derive(Default)]
pub struct Page {
    open: bool,
    chosen: Option<u8>,
    /// The first bar that is shown.
    first: f32,
    held: Option<Held>,
}

/// A clip in hand.
#[derive(Clone, Copy)]
struct Held {
    clip: u8,
    /// Its right edge, not the whole.
    edge: bool,
    /// Where the hand took hold, in bars.
    from: f32,
    start: u32,
    length: u32,
    /// The undo step that the whole drag is.
    step: u64,
}

/// Whether the window has room for one of the strip and a page beside the grid.
fn is_small(ui: &Ui) -> bool {
    ui.ctx().content_rect().height() < SMALL
}

/// The button that opens and closes the strip.
pub fn toggle(ui: &mut Ui, scene: &Scene<'_>, hands: &mut Hands) {
    let clips = clips(&scene.view.song).count();
    let word = if clips == 0 { "Song".to_owned() } else { format!("Song · {clips}") };
    let hint = "The arrangement: scenes and patterns over the bars, and its sections";
    let shown = is_shown(ui, hands);
    if ui.selectable_label(shown, word).on_hover_text(hint).clicked() {
        hands.song.open = !shown;
        if is_small(ui) && !shown {
            hands.open = None;
        }
    }
}

fn is_shown(ui: &Ui, hands: &Hands) -> bool {
    hands.song.open && !(is_small(ui) && hands.open.is_some())
}

/// The strip, where it is open.
pub fn show(ui: &mut Ui, scene: &Scene<'_>, hands: &mut Hands) {
    if !is_shown(ui, hands) {
        return;
    }
    let song = &scene.view.song;
    let lanes = if has_patterns(song) { 2.0 } else { 1.0 };
    let height = RULER + SECTIONS + lanes * (LANE + S2) + 30.0 + 2.0 * S3;
    let frame = egui::Frame::new().fill(PANEL).inner_margin(vec2(S4, S3));
    egui::Panel::bottom("song").exact_size(height).frame(frame).show(ui, |ui| {
        tools(ui, scene, hands);
        let size = vec2(ui.available_width(), RULER + SECTIONS + lanes * (LANE + S2));
        let (rect, response) = ui.allocate_exact_size(size, Sense::click_and_drag());
        let strip = Strip { rect, first: hands.song.first };
        paint(ui, &strip, scene, hands);
        pointer(ui, &response, &strip, scene, hands);
    });
}

/// Where bars lie.
struct Strip {
    rect: Rect,
    first: f32,
}

impl Strip {
    fn x(&self, bar: f32) -> f32 {
        self.rect.left() + (bar - self.first) * BAR
    }

    fn bar(&self, x: f32) -> f32 {
        (self.first + (x - self.rect.left()) / BAR).clamp(0.0, MAX_BARS as f32)
    }

    fn bars(&self) -> std::ops::Range<u32> {
        let last = self.first + self.rect.width() / BAR;
        self.first as u32..(last.ceil() as u32).min(MAX_BARS + 1)
    }

    /// A lane's height: 0 holds scenes, 1 patterns.
    fn lane(&self, lane: usize) -> egui::Rangef {
        let top = self.rect.top() + RULER + SECTIONS + lane as f32 * (LANE + S2);
        egui::Rangef::new(top, top + LANE)
    }

    fn of(&self, clip: &Clip) -> Rect {
        let lane = self.lane(lane_of(clip.source));
        let x = self.x(clip.start as f32)..=self.x((clip.start + clip.length) as f32) - 1.0;
        Rect::from_x_y_ranges(x, lane)
    }
}

fn lane_of(source: ClipSource) -> usize {
    match source {
        ClipSource::Scene(_) => 0,
        ClipSource::Pattern(..) => 1,
    }
}

fn clips(song: &Song) -> impl Iterator<Item = (u8, &Clip)> {
    (0u8..=u8::MAX).zip(&song.clips).filter(|(_, clip)| clip.alive)
}

fn has_patterns(song: &Song) -> bool {
    clips(song).any(|(_, clip)| lane_of(clip.source) == 1)
}

fn words(source: ClipSource, song: &Song) -> String {
    match source {
        ClipSource::Scene(scene) => {
            let held = &song.scenes[usize::from(scene)];
            if held.alive { held.name.to_string() } else { format!("scene {} (removed)", scene + 1) }
        }
        ClipSource::Pattern(track, pattern) => format!("{}.{}", song.track(track).name, pattern.get() + 1),
    }
}

/// What can be done with the chosen clip, and what puts another one in.
/// Whether the clips decide what plays, and whether a fill is played.
fn switches(ui: &mut Ui, scene: &Scene<'_>) {
    let context = &scene.view.song.context;
    let mut switch = |on: bool, word: &str, hint: &str, field: ContextField, when: When| {
        if ui.selectable_label(on, word).on_hover_text(hint).clicked() {
            scene.desk.send(Command::Edit { edits: vec![Edit::Context(field)], when });
        }
    };
    let (arranged, fill) = (context.arranged, context.fill);
    let hint =
        "On: the clips decide what plays, from the next bar on. Off: each track plays its chosen pattern";
    switch(arranged, "Arranged", hint, ContextField::Arranged(!arranged), When::NextBar);
    let hint = "A fill: steps that ask for one sound, for everybody, until it is off again";
    switch(fill, "Fill", hint, ContextField::Fill(!fill), When::Now);
}

fn tools(ui: &mut Ui, scene: &Scene<'_>, hands: &mut Hands) {
    let song = &scene.view.song;
    ui.horizontal(|ui| {
        ui.set_height(26.0);
        switches(ui, scene);
        let chosen = hands.song.chosen.and_then(|of| clips(song).find(|(number, _)| *number == of));
        let Some((number, clip)) = chosen else {
            let any = scenes::alive(song).next().is_some();
            let help = if any {
                "Click a bar to put the chosen scene there · drag a clip to move it, its right end for its length"
            } else {
                "Make a scene first, with + above: the song is made of scenes"
            };
            let add = ui.add_enabled(any, egui::Button::new("Add"));
            if add.on_hover_text("The chosen scene behind the last clip (Insert)").clicked() {
                append(scene, hands);
            }
            section(ui, scene, hands);
            ui.add(egui::Label::new(RichText::new(help).font(theme::font(12.0)).color(QUIET)).truncate());
            return;
        };
        ui.label(RichText::new(words(clip.source, song)).color(TEXT)).on_hover_text("The chosen clip");
        let (mut start, mut length) = (clip.start + 1, clip.length);
        ui.label(RichText::new("bar").color(QUIET));
        let moved = ui.add(DragValue::new(&mut start).range(1..=MAX_BARS + 1)).on_hover_text("Where it begins");
        if moved.changed() {
            change(scene, number, ClipField::Start(start - 1));
        }
        ui.label(RichText::new("for").color(QUIET));
        let sized = ui.add(DragValue::new(&mut length).range(1..=MAX_BARS).suffix(" bars"));
        if sized.on_hover_text("How long it lasts").changed() {
            change(scene, number, ClipField::Length(length));
        }
        ui.menu_button("Plays", |ui| {
            for (of, stored) in scenes::alive(song) {
                let source = ClipSource::Scene(of);
                if ui.selectable_label(clip.source == source, stored.name.as_str()).clicked() {
                    change(scene, number, ClipField::Source(source));
                    ui.close();
                }
            }
            let (track, pattern) = (hands.cursor.0, hands.shown.of(hands.cursor.0, song));
            if song.track(track).alive {
                let source = ClipSource::Pattern(track, pattern);
                let text = format!("pattern {}", words(source, song));
                if ui.selectable_label(clip.source == source, text).clicked() {
                    change(scene, number, ClipField::Source(source));
                    ui.close();
                }
            }
        })
        .response
        .on_hover_text("A scene, or the pattern that the cursor's row shows");
        if ui.button("Again").on_hover_text("The same once more, right behind it").clicked() {
            put(scene, hands, clip.source, clip.start + clip.length, clip.length);
        }
        if ui.button("Remove").on_hover_text("For everybody; undo brings it back (Delete)").clicked() {
            remove(scene, hands);
        }
    });
}

/// A section is made where the first one is free behind the others, and renamed by typing.
fn section(ui: &mut Ui, scene: &Scene<'_>, _hands: &mut Hands) {
    let song = &scene.view.song;
    let named = ["intro", "verse", "chorus", "break", "bridge", "outro"];
    ui.menu_button("Section", |ui| {
        for name in named {
            if ui.button(name).on_hover_text("Eight bars behind the last section").clicked() {
                if let Some(edits) = new_section(song, name) {
                    scene.desk.send(Command::Edit { edits, when: When::Now });
                }
                ui.close();
            }
        }
        ui.separator();
        for (number, section) in (0u8..).zip(&song.sections).filter(|(_, section)| section.alive) {
            if ui.button(format!("Remove {}", section.name)).clicked() {
                scene.edit(Edit::Section { section: number, field: SectionField::Alive(false) });
                ui.close();
            }
        }
    })
    .response
    .on_hover_text("Names over the bars: intro, verse");
}

fn paint(ui: &Ui, strip: &Strip, scene: &Scene<'_>, hands: &Hands) {
    let song = &scene.view.song;
    let painter = ui.painter_at(strip.rect);
    let now = scene.position.map(|at| Bars::in_song(song).at(at));
    for bar in strip.bars() {
        let left = strip.x(bar as f32);
        let fill = if bar / 4 % 2 == 0 { FIELD } else { FIELD_ALT };
        for lane in 0..=usize::from(has_patterns(song)) {
            let cell = Rect::from_x_y_ranges(left..=left + BAR - 1.0, strip.lane(lane));
            painter.rect_filled(cell, 0.0, fill);
        }
        if bar % 4 == 0 {
            let at = pos2(left + 1.0, strip.rect.top());
            painter.text(at, Align2::LEFT_TOP, bar + 1, theme::figures(11.0), QUIET);
        }
    }
    for section in song.sections.iter().filter(|section| section.alive) {
        let x = strip.x(section.start as f32)..=strip.x((section.start + section.length) as f32) - 2.0;
        let top = strip.rect.top() + RULER;
        let rect = Rect::from_x_y_ranges(x, top..=top + SECTIONS - 3.0);
        painter.rect_stroke(rect, CORNER, Stroke::new(1.0, LINE), StrokeKind::Inside);
        let inside = painter.with_clip_rect(rect.intersect(strip.rect));
        let at = pos2(rect.left().max(strip.rect.left()) + S2, rect.center().y);
        inside.text(at, Align2::LEFT_CENTER, section.name.as_str(), theme::font(11.0), TEXT);
    }
    for (number, clip) in clips(song) {
        let rect = strip.of(clip);
        let plays = now
            .as_ref()
            .is_some_and(|bar| (clip.start..clip.start + clip.length).contains(&(bar.number.max(0) as u32)));
        let (fill, color) = if plays { (ACCENT, GROUND) } else { (GROUND, TEXT) };
        painter.rect(rect, CORNER, fill, Stroke::new(1.5, ACCENT_DIM), StrokeKind::Inside);
        if hands.song.chosen == Some(number) {
            painter.rect_stroke(rect, CORNER, Stroke::new(2.0, LIGHT), StrokeKind::Inside);
        }
        let grip = pos2(rect.right() - 4.0, rect.center().y);
        painter.line_segment([grip - vec2(0.0, 5.0), grip + vec2(0.0, 5.0)], Stroke::new(1.0, color));
        let inside = painter.with_clip_rect(rect.shrink2(vec2(EDGE, 0.0)).intersect(strip.rect));
        let at = pos2(rect.left().max(strip.rect.left()) + S3, rect.center().y);
        inside.text(at, Align2::LEFT_CENTER, words(clip.source, song), theme::font(12.0), color);
    }
    if let (Some(bar), Some(at)) = (now, scene.position) {
        let within = (at - bar.start).0 as f32 / bar.length().0 as f32;
        let x = strip.x(bar.number as f32 + within);
        painter
            .line_segment([pos2(x, strip.rect.top()), pos2(x, strip.rect.bottom())], Stroke::new(1.5, LIGHT));
    }
}

fn under(strip: &Strip, song: &Song, at: Pos2) -> Option<(u8, bool)> {
    let found = clips(song).filter(|(_, clip)| strip.of(clip).contains(at)).last();
    found.map(|(number, clip)| (number, at.x > strip.of(clip).right() - EDGE))
}

fn pointer(ui: &Ui, response: &Response, strip: &Strip, scene: &Scene<'_>, hands: &mut Hands) {
    let song = &scene.view.song;
    if response.hovered() {
        let scrolled = ui.input(|input| input.smooth_scroll_delta());
        hands.song.first =
            (hands.song.first - (scrolled.x + scrolled.y) / BAR).clamp(0.0, MAX_BARS as f32 - 8.0);
        if let Some(at) = response.hover_pos() {
            let on = under(strip, song, at);
            let icon = match on {
                Some((_, true)) => egui::CursorIcon::ResizeHorizontal,
                Some((_, false)) => egui::CursorIcon::Grab,
                None => egui::CursorIcon::Default,
            };
            ui.ctx().set_cursor_icon(icon);
        }
    }
    let Some(at) = response.interact_pointer_pos() else {
        hands.song.held = None;
        return;
    };
    let here = strip.bar(at.x);
    if response.drag_started() {
        let from = ui.input(|input| input.pointer.press_origin()).unwrap_or(at);
        hands.song.held = under(strip, song, from).map(|(number, edge)| {
            let clip = &song.clips[usize::from(number)];
            let (start, length) = (clip.start, clip.length);
            Held { clip: number, edge, from: strip.bar(from.x), start, length, step: rand::random() }
        });
        hands.song.chosen = hands.song.held.map(|held| held.clip).or(hands.song.chosen);
    }
    if let Some(held) = hands.song.held {
        let clip = &song.clips[usize::from(held.clip)];
        let field = dragged(held, here);
        let same = match field {
            ClipField::Start(start) => start == clip.start,
            ClipField::Length(length) => length == clip.length,
            _ => true,
        };
        if !same {
            scene.stroke(held.step, Edit::Clip { clip: held.clip, field });
        }
    }
    if response.clicked() {
        match under(strip, song, at) {
            Some((number, _)) => hands.song.chosen = Some(number),
            None if strip.lane(0).contains(at.y) => put_chosen(scene, hands, here as u32),
            None => hands.song.chosen = None,
        }
    }
}

/// What a clip in hand becomes, with the hand at a bar.
fn dragged(held: Held, here: f32) -> ClipField {
    let by = (here - held.from).round() as i64;
    let bounded = |value: i64, least: i64| value.clamp(least, i64::from(MAX_BARS)) as u32;
    match held.edge {
        true => ClipField::Length(bounded(i64::from(held.length) + by, 1)),
        false => ClipField::Start(bounded(i64::from(held.start) + by, 0)),
    }
}

/// Delete removes the chosen clip, comma and period move it, `<` and `>` change its length; Insert puts the chosen scene behind the last clip.
pub fn take_keys(ui: &Ui, scene: &Scene<'_>, hands: &mut Hands) {
    if !is_shown(ui, hands) {
        return;
    }
    let pressed = |key| ui.input_mut(|input| input.consume_key(egui::Modifiers::NONE, key));
    if pressed(Key::Insert) {
        append(scene, hands);
    }
    let song = &scene.view.song;
    let Some((number, clip)) = hands.song.chosen.and_then(|of| clips(song).find(|(number, _)| *number == of))
    else {
        return;
    };
    if pressed(Key::Delete) || pressed(Key::Backspace) {
        return remove(scene, hands);
    }
    for (moves, lengthens, by) in [(",", "<", -1i64), (".", ">", 1)] {
        if keys::typed(ui, moves) {
            let start = (i64::from(clip.start) + by).clamp(0, i64::from(MAX_BARS)) as u32;
            change(scene, number, ClipField::Start(start));
        }
        if keys::typed(ui, lengthens) {
            let length = (i64::from(clip.length) + by).clamp(1, i64::from(MAX_BARS)) as u32;
            change(scene, number, ClipField::Length(length));
        }
    }
}

fn change(scene: &Scene<'_>, clip: u8, field: ClipField) {
    scene.edit(Edit::Clip { clip, field });
}

fn remove(scene: &Scene<'_>, hands: &mut Hands) {
    if let Some(clip) = hands.song.chosen.take() {
        change(scene, clip, ClipField::Alive(false));
    }
}

/// Puts the chosen scene behind the last clip of a scene.
pub fn append(scene: &Scene<'_>, hands: &mut Hands) {
    let of_scenes = clips(&scene.view.song).filter(|(_, clip)| lane_of(clip.source) == 0);
    let end = of_scenes.map(|(_, clip)| clip.start + clip.length).max().unwrap_or(0);
    hands.song.open = true;
    put_chosen(scene, hands, end);
}

fn put_chosen(scene: &Scene<'_>, hands: &mut Hands, start: u32) {
    let song = &scene.view.song;
    let chosen = scenes::alive(song).find(|(number, _)| *number == hands.scenes.chosen);
    match chosen.or_else(|| scenes::alive(song).next()) {
        Some((number, _)) => {
            let length = room_at(song, start).min(LENGTH);
            put(scene, hands, ClipSource::Scene(number), start, length);
        }
        None => scene
            .desk
            .notify("Make a scene first, with + beside 'scenes': the song is made of scenes.".to_owned()),
    }
}

fn put(scene: &Scene<'_>, hands: &mut Hands, source: ClipSource, start: u32, length: u32) {
    match new_clip(&scene.view.song, source, start, length) {
        Some((number, edits)) => {
            hands.song.chosen = Some(number);
            scene.desk.send(Command::Edit { edits, when: When::Now });
        }
        None => scene.desk.notify(format!("The arrangement has its {MAX_CLIPS} clips; remove one first.")),
    }
}

#[cfg(test)]
mod tests {
    use super::edits::tests::with_clips;
    use super::*;

    #[test]
    fn a_clip_is_found_by_its_body_and_its_edge() {
        let song = with_clips(&[(0, 4), (4, 2)]);
        let strip = Strip { rect: Rect::from_min_size(pos2(100.0, 50.0), vec2(600.0, 80.0)), first: 0.0 };
        let y = strip.lane(0).center();
        let at = |bar: f32| under(&strip, &song, pos2(strip.x(bar), y));
        assert_eq!(
            (at(1.0), at(3.9), at(4.5), at(7.0)),
            (Some((0, false)), Some((0, true)), Some((1, false)), None)
        );
        assert_eq!(strip.bar(strip.x(3.5)), 3.5);
        assert_eq!(under(&strip, &song, pos2(strip.x(1.0), strip.lane(1).center())), None);
    }

    #[test]
    fn a_drag_goes_by_whole_bars_and_stays_in_bounds() {
        let held = |edge| Held { clip: 0, edge, from: 2.0, start: 1, length: 4, step: 0 };
        assert_eq!(dragged(held(false), 3.4), ClipField::Start(2));
        assert_eq!(dragged(held(false), 0.0), ClipField::Start(0));
        assert_eq!(dragged(held(true), 0.0), ClipField::Length(2));
        assert_eq!(dragged(held(true), -9.0), ClipField::Length(1));
    }
}
