//! The editor: session, transport, patterns and scenes; steps, notes or sound; pages beside them.
//!
//! Thread: the window's own (on Linux apart from the host's main thread). Draws a
//! [`View`] and sends [`Command`]s; holds nothing of the session itself.

mod arrangement;
mod cell;
mod chosen;
mod clock;
mod conflicts;
mod control;
mod files;
mod footer;
mod grid;
mod groups;
mod harmony;
mod header;
mod history;
mod keys;
mod locks;
mod mine;
mod mode;
mod notes;
mod patterns;
mod people;
mod presets;
mod samples;
mod scenes;
mod shape;
mod sound;
mod step;
mod strip;
#[cfg(test)]
mod tests;
mod theme;
mod track;
mod transport;
mod widgets;

use std::sync::Arc;
use std::time::{Duration, Instant};

use nice_plug::context::gui::GuiContext;
use nice_plug::editor::dpi::LogicalSize;
use nice_plug::prelude::ResizeHint;
use nice_plug_egui::baseview::HandlerError;
use nice_plug_egui::{
    EguiEditor, EguiEditorState, EguiNiceSettings, Frame, NiceEguiApp, RepaintNotifier, create_egui_editor,
};

use super::desk::Desk;
use super::params::HostParams;
use crate::client::{Command, HostClock, View};
use crate::param::{Slot, TrackIndex};
use crate::pattern::{Edit, Pattern, PatternIndex};
use crate::time::{Beats, Clock};

/// The window at first, in logical points.
const SIZE: LogicalSize<f32> = LogicalSize { width: 1120.0, height: 700.0 };
/// The least that shows a whole page of steps.
const MIN_SIZE: LogicalSize<f32> = LogicalSize { width: 900.0, height: 420.0 };
/// How small and large it can be shown.
const ZOOM: std::ops::RangeInclusive<f32> = 0.5..=4.0;
/// Between two pictures while something plays.
const FRAME: Duration = Duration::from_millis(33);
/// While a hand is at work: its own edits show with the next picture.
const AT_WORK: Duration = Duration::from_millis(16);
/// While nothing moves: what others do then shows a little later.
const IDLE: Duration = Duration::from_millis(100);
/// How long a hand counts as at work after its last move.
const LULL: Duration = Duration::from_millis(500);
/// Touches of one control that follow each other this closely are one undo step.
const TOUCHES: Duration = Duration::from_secs(1);

/// The editor's type.
pub type Editor = EguiEditor<App>;

/// An instance's editor; none where there is no display to open it on.
pub fn editor(desk: Arc<Desk>, params: Arc<HostParams>) -> Option<Editor> {
    if cfg!(target_os = "linux") && std::env::var_os("DISPLAY").is_none_or(|name| name.is_empty()) {
        return None;
    }
    let settings = EguiNiceSettings::new()
        .with_tile("Antiphon")
        .with_resize_hint(ResizeHint::RESIZABLE.with_min_logical_size(MIN_SIZE));
    let app = App { desk, params, host: None, hands: Hands::default() };
    create_egui_editor(EguiEditorState::from_size(SIZE, zoom()), RepaintNotifier::new(), settings, app)
}

/// How much larger than its natural size everything is shown, on top of what the system says: the
/// variable `ANTIPHON_ZOOM`, 0.5 to 4. Screens whose system says nothing are common on Linux.
fn zoom() -> f32 {
    let asked = std::env::var("ANTIPHON_ZOOM").ok().and_then(|text| text.trim().parse::<f32>().ok());
    asked.filter(|zoom| ZOOM.contains(zoom)).unwrap_or(1.0)
}

/// The editor's window.
pub struct App {
    desk: Arc<Desk>,
    params: Arc<HostParams>,
    /// Sets the host's knobs; goes before the wrapper does, as the wrapper owns the editor.
    host: Option<GuiContext>,
    hands: Hands,
}

/// What the person at this editor is doing.
pub struct Hands {
    /// The link being typed.
    link: String,
    /// The tempo being typed or dragged, in BPM.
    tempo: Option<f64>,
    /// The hand that taps a tempo.
    taps: crate::client::Taps,
    /// The cell of the keyboard's cursor.
    cursor: (TrackIndex, u8),
    /// Whether the keyboard has been used: the cursor is not shown before.
    cursor_shown: bool,
    /// The page of 16 steps.
    page: u8,
    /// The patterns that the rows show.
    shown: patterns::Shown,
    /// What is done with scenes.
    scenes: scenes::Page,
    /// What is done with the arrangement.
    song: arrangement::Page,
    /// What a drag over the grid paints.
    painting: Option<Paint>,
    /// The fader in hand and where it stands.
    fader: Option<(Slot, f32)>,
    /// The engine's position as it was last told, and when that was.
    position: Option<(Beats, Instant)>,
    /// What was last sent as the cursor's place.
    told_cursor: Option<(u8, u8)>,
    /// A notice of the session's that has been read.
    dismissed: Option<String>,
    /// The page beside the grid.
    open: Option<Page>,
    /// The page of history and branches.
    history: history::Page,
    /// What was done with the conflict cards.
    cards: conflicts::Cards,
    /// The cell whose velocity is changed, and the step that this is.
    velocity: Option<((TrackIndex, u8), u64)>,
    /// The page of people and chat.
    people: people::Page,
    /// What the middle of the window shows.
    view: Middle,
    /// Where a choice of several steps began; it ends at the cursor.
    mark: Option<u8>,
    /// The cells that were copied.
    copied: Option<chosen::Copied>,
    /// The control in hand.
    grip: Option<Grip>,
    /// The page of notes.
    notes: notes::Page,
    /// The page of sounds.
    sound: sound::Page,
    /// The page of a track.
    track: track::Page,
    /// Whether a fill is held by this hand.
    filling: bool,
    /// When a hand last moved.
    touched: Option<Instant>,
}

/// What the middle of the window shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Middle {
    /// Every track's steps.
    #[default]
    Steps,
    /// The notes of the cursor's track.
    Notes,
    /// Voice and effects of the cursor's track, or the master's effects.
    Sound,
}

/// A control in hand: all that it does meanwhile is one undo step.
struct Grip {
    of: egui::Id,
    step: u64,
    last: Instant,
}

/// A stroke over the grid.
#[derive(Clone, Copy)]
struct Paint {
    on: bool,
    last: (TrackIndex, u8),
    /// The undo step that the whole stroke is.
    step: u64,
}

impl Default for Hands {
    fn default() -> Hands {
        let first = TrackIndex::all().next().expect("a song has tracks");
        Hands {
            link: String::new(),
            tempo: None,
            taps: Default::default(),
            cursor: (first, 0),
            cursor_shown: false,
            page: 0,
            shown: Default::default(),
            scenes: Default::default(),
            song: Default::default(),
            painting: None,
            fader: None,
            position: None,
            told_cursor: None,
            dismissed: None,
            open: None,
            history: history::Page::default(),
            cards: conflicts::Cards::default(),
            velocity: None,
            people: people::Page::default(),
            view: Middle::default(),
            mark: None,
            copied: None,
            grip: None,
            notes: notes::Page::default(),
            sound: sound::Page::default(),
            track: track::Page::default(),
            filling: false,
            touched: None,
        }
    }
}

/// One picture's material.
struct Scene<'a> {
    desk: &'a Desk,
    view: &'a View,
    /// The song position now, between two of the engine's reports.
    position: Option<Beats>,
}

impl Scene<'_> {
    fn edit(&self, edit: Edit) {
        self.desk.send(Command::Edit { edits: vec![edit], when: crate::client::When::Now });
    }

    /// A pattern of a row, by its place.
    fn pattern(&self, track: TrackIndex, shown: &patterns::Shown) -> (PatternIndex, &Pattern) {
        let place = shown.of(track, &self.view.song);
        (place, self.view.song.pattern(track, place))
    }

    /// An edit that is one undo step with the others of its stroke.
    fn stroke(&self, step: u64, edit: Edit) {
        self.strokes(step, vec![edit]);
    }

    /// Edits that are one undo step with the others of their stroke.
    fn strokes(&self, step: u64, edits: Vec<Edit>) {
        if !edits.is_empty() {
            self.desk.send(Command::Stroke { step, edits });
        }
    }

    /// Edits that are one undo step.
    fn edits(&self, edits: Vec<Edit>) {
        if !edits.is_empty() {
            self.desk.send(Command::Edit { edits, when: crate::client::When::Now });
        }
    }
}

/// A page beside the grid; there is room for one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Page {
    People,
    History,
    Cards,
    Step,
    Track,
    Mine,
}

/// Shows the page that is open.
fn side(ui: &mut egui::Ui, scene: &Scene<'_>, hands: &mut Hands) {
    people::follow(scene, hands);
    match hands.open {
        Some(Page::People) => people::show(ui, scene, hands),
        Some(Page::History) => history::show(ui, scene, hands),
        Some(Page::Cards) => conflicts::show(ui, scene, hands),
        Some(Page::Step) => step::show(ui, scene, hands),
        Some(Page::Track) => track::show(ui, scene, hands),
        Some(Page::Mine) => mine::show(ui, scene, hands),
        None => {}
    }
}

impl Hands {
    /// Opens a page in the place of any other, or closes it.
    fn turn_to(&mut self, page: Page) {
        self.open = (self.open != Some(page)).then_some(page);
    }

    /// The undo step of the hand at a control: one while it is held, and while its touches follow each
    /// other within a second.
    fn step_of(&mut self, ui: &egui::Ui, of: egui::Id) -> u64 {
        let now = Instant::now();
        let held = ui.input(|input| input.pointer.any_down() && !input.pointer.any_pressed());
        let goes_on = |grip: &Grip| grip.of == of && (held || now - grip.last < TOUCHES);
        let step =
            self.grip.as_ref().filter(|grip| goes_on(grip)).map_or_else(rand::random, |grip| grip.step);
        self.grip = Some(Grip { of, step, last: now });
        step
    }
}

/// Draws a picture.
fn draw(ui: &mut egui::Ui, scene: &Scene<'_>, hands: &mut Hands) {
    header::show(ui, scene, hands);
    transport::show(ui, scene, hands);
    patterns::show(ui, scene, hands);
    footer::show(ui, scene, hands);
    arrangement::show(ui, scene, hands);
    side(ui, scene, hands);
    match hands.view {
        Middle::Steps => grid::show(ui, scene, hands),
        Middle::Notes => notes::show(ui, scene, hands),
        Middle::Sound => sound::show(ui, scene, hands),
    }
}

impl NiceEguiApp for App {
    fn build(
        &mut self,
        context: egui::Context,
        host: GuiContext,
        _frame: &mut Frame,
    ) -> Result<(), HandlerError> {
        theme::apply(&context);
        self.host = Some(host);
        Ok(())
    }

    fn ui(&mut self, ui: &mut egui::Ui, frame: &mut Frame) {
        let view = self.desk.view();
        let scene =
            Scene { desk: &self.desk, view: &view, position: self.hands.position_now(&view, Instant::now()) };
        frame.set_key_capture(keys::captured(ui));
        keys::take(ui, &scene, &mut self.hands);
        draw(ui, &scene, &mut self.hands);
        self.hands.tell_cursor(&self.desk);

        // A host that rolls may be writing automation: its knobs move then only if asked for.
        let may_push = view.position.is_none() || self.desk.choices().knobs_follow;
        if let (true, Some(host)) = (may_push, &self.host) {
            self.params.push_knobs(&view.song, &host.param_setter(), HostClock.now());
        }
        ui.ctx().request_repaint_after(self.hands.patience(ui, &view, Instant::now()));
    }

    fn editor_closed(&mut self) {
        self.host = None;
    }
}

impl Hands {
    /// How long the present picture may stay.
    fn patience(&mut self, ui: &egui::Ui, view: &View, now: Instant) -> Duration {
        if ui.input(|input| !input.events.is_empty() || input.pointer.any_down()) {
            self.touched = Some(now);
        }
        let at_work = self.touched.is_some_and(|touched| now - touched < LULL);
        match (at_work, view.position) {
            (true, _) => AT_WORK,
            (false, Some(_)) => FRAME,
            (false, None) => IDLE,
        }
    }

    /// Counts on from the last reported position, by at most a tenth of a second.
    fn position_now(&mut self, view: &View, now: Instant) -> Option<Beats> {
        let told = view.position?;
        let since = match self.position {
            Some((last, since)) if last == told => since,
            _ => now,
        };
        self.position = Some((told, since));
        let ahead = now.duration_since(since).min(Duration::from_millis(100)).as_secs_f64();
        let quarters = ahead * view.engine_micro_bpm as f64 / 60e6;
        Some(told + Beats::from_quarters_f64(quarters).unwrap_or(Beats::ZERO))
    }

    fn tell_cursor(&mut self, desk: &Desk) {
        let cursor = self.cursor_shown.then_some((self.cursor.0.get() as u8, self.cursor.1));
        if cursor != self.told_cursor && desk.has_client() {
            self.told_cursor = cursor;
            desk.send(Command::Cursor(cursor));
        }
    }
}
