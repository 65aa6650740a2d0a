//! A window without a screen.

use std::sync::Arc;
use std::time::Instant;

use egui::accesskit::{Node, NodeId};
use egui::{Event, Key, Modifiers, PointerButton, Pos2, RawInput, Rect, Vec2, pos2, vec2};

use crate::client::{Command, View};
use crate::pattern::{Song, text};
use crate::plugin::desk::Desk;
use crate::plugin::editor::{Hands, Scene, draw, keys, theme};
use crate::plugin::state::Project;

/// Room for everything at once.
pub const LARGE: Vec2 = vec2(1500.0, 1700.0);
/// The least window.
pub const LEAST: Vec2 = vec2(900.0, 420.0);

/// A window and what lies behind it.
pub struct Window {
    pub desk: Arc<Desk>,
    pub hands: Hands,
    context: egui::Context,
    size: Vec2,
    time: f64,
    change: Box<dyn Fn(&mut View)>,
    nodes: Vec<(NodeId, Node)>,
}

impl Window {
    /// A window of a size over a groove in the notation.
    pub fn of(groove: &str, size: Vec2) -> Window {
        let desk = Desk::new();
        let read = text::read(groove).expect("a groove");
        let tempo_map = crate::time::TempoMap::constant(read.tempo);
        desk.restore(Project { song: read.song, tempo_map, ..desk.project() });
        let context = egui::Context::default();
        theme::apply(&context);
        context.enable_accesskit();
        let change: Box<dyn Fn(&mut View)> = Box::new(|_| {});
        let hands = Hands::default();
        let mut window = Window { desk, hands, context, size, time: 0.0, change, nodes: Vec::new() };
        window.rest();
        window
    }

    /// Lets the session be otherwise than the desk has it.
    pub fn seen(&mut self, change: impl Fn(&mut View) + 'static) {
        self.change = Box::new(change);
        self.rest();
    }

    /// Shows everything so much larger.
    pub fn zoom(&mut self, factor: f32) {
        self.context.set_zoom_factor(factor);
        self.size /= factor;
        self.rest();
    }

    /// The song as the window's desk has it.
    pub fn song(&self) -> Song {
        self.desk.view().song.clone()
    }

    /// What was asked for since the last look.
    pub fn told(&self) -> Vec<Command> {
        std::mem::take(&mut *self.desk.told.lock())
    }

    /// One picture.
    pub fn frame(&mut self, events: Vec<Event>, modifiers: Modifiers) {
        let mut view = (*self.desk.view()).clone();
        (self.change)(&mut view);
        let position = self.hands.position_now(&view, Instant::now());
        let scene = Scene { desk: &self.desk, view: &view, position };
        let mut events = events;
        events.insert(0, Event::ModifiersChanged(modifiers));
        let input = RawInput {
            screen_rect: Some(Rect::from_min_size(Pos2::ZERO, self.size)),
            time: Some(self.time),
            events,
            ..RawInput::default()
        };
        self.time += 1.0 / 60.0;
        let hands = &mut self.hands;
        let mut output = self.context.run_ui(input, |ui| {
            keys::take(ui, &scene, hands);
            draw(ui, &scene, hands);
        });
        output.textures_delta.clear();
        if let Some(update) = output.platform_output.accesskit_update {
            self.nodes = update.nodes;
        }
    }

    /// As many pictures as menus need to find their size and place.
    pub fn rest(&mut self) {
        for _ in 0..4 {
            self.frame(Vec::new(), Modifiers::NONE);
        }
    }

    /// A while, in which a double click is forgotten.
    pub fn wait(&mut self) {
        self.time += 1.0;
        self.rest();
    }

    /// Everything that has a name, and where it is.
    pub fn named(&self) -> impl Iterator<Item = (String, Rect)> {
        self.controls().chain(self.texts())
    }

    fn controls(&self) -> impl Iterator<Item = (String, Rect)> {
        self.nodes.iter().filter_map(|(_, node)| Some((node.label()?.to_owned(), bounds(node)?)))
    }

    /// Plain text, tooltips too.
    fn texts(&self) -> impl Iterator<Item = (String, Rect)> {
        self.nodes.iter().filter_map(|(_, node)| Some((node.value()?.to_owned(), bounds(node)?)))
    }

    /// Where the first control of a name is, from the top; else the first text. A name that ends with
    /// "…" is the name's beginning.
    pub fn find(&self, name: &str) -> Option<Rect> {
        let fits = |found: &str| {
            found == name || name.strip_suffix(" …").is_some_and(|begin| found.starts_with(begin))
        };
        let first = |mut all: Vec<Rect>| {
            all.sort_by(|a, b| (a.top(), a.left()).partial_cmp(&(b.top(), b.left())).expect("finite"));
            all.first().copied()
        };
        let of = |all: &mut dyn Iterator<Item = (String, Rect)>| {
            first(all.filter(|(found, _)| fits(found)).map(|(_, rect)| rect).collect())
        };
        of(&mut self.controls()).or_else(|| of(&mut self.texts()))
    }

    fn place(&self, name: &str) -> Rect {
        self.find(name).unwrap_or_else(|| {
            let there: Vec<String> = self.named().map(|(name, _)| name).collect();
            panic!("there is no {name:?} among {there:?}")
        })
    }

    fn button(at: Pos2, button: PointerButton, pressed: bool, modifiers: Modifiers) -> Event {
        Event::PointerButton { pos: at, button, pressed, modifiers }
    }

    /// A click on a control.
    pub fn click(&mut self, name: &str) {
        let at = self.place(name).center();
        self.click_at(at, Modifiers::NONE);
    }

    /// A click at a point.
    pub fn click_at(&mut self, at: Pos2, modifiers: Modifiers) {
        self.frame(vec![Event::PointerMoved(at)], modifiers);
        self.frame(vec![Self::button(at, PointerButton::Primary, true, modifiers)], modifiers);
        self.frame(vec![Self::button(at, PointerButton::Primary, false, modifiers)], modifiers);
        self.wait();
    }

    /// A drag in ten moves from a point by a way.
    pub fn drag(&mut self, from: Pos2, by: Vec2, modifiers: Modifiers) {
        self.frame(vec![Event::PointerMoved(from)], modifiers);
        self.frame(vec![Self::button(from, PointerButton::Primary, true, modifiers)], modifiers);
        for n in 1..=10 {
            self.frame(vec![Event::PointerMoved(from + by * (n as f32 / 10.0))], modifiers);
        }
        self.frame(vec![Self::button(from + by, PointerButton::Primary, false, modifiers)], modifiers);
        self.wait();
    }

    /// A drag of a control.
    pub fn drag_control(&mut self, name: &str, by: Vec2) {
        let from = self.place(name).center();
        self.drag(from, by, Modifiers::NONE);
    }

    /// A button held down, or let go.
    pub fn hold(&mut self, name: &str, pressed: bool) {
        let at = self.place(name).center();
        self.frame(vec![Event::PointerMoved(at)], Modifiers::NONE);
        self.frame(vec![Self::button(at, PointerButton::Primary, pressed, Modifiers::NONE)], Modifiers::NONE);
        self.rest();
    }

    /// A key, down or up.
    pub fn key(&mut self, key: Key, pressed: bool, modifiers: Modifiers) {
        let event = Event::Key { key, physical_key: None, pressed, repeat: false, modifiers };
        self.frame(vec![event], modifiers);
        self.rest();
    }

    /// A key pressed and let go.
    pub fn press(&mut self, key: Key, modifiers: Modifiers) {
        self.key(key, true, modifiers);
        self.key(key, false, modifiers);
    }
}

fn bounds(node: &Node) -> Option<Rect> {
    let bounds = node.bounds()?;
    let (from, to) = (pos2(bounds.x0 as f32, bounds.y0 as f32), pos2(bounds.x1 as f32, bounds.y1 as f32));
    Some(Rect::from_min_max(from, to))
}
