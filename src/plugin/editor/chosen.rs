//! The chosen steps: the cursor's, or those from where shift took hold to the cursor; what is done
//! with all of them at once, and what was copied.

use std::ops::RangeInclusive;

use egui::{Key, Modifiers, Ui};

use super::transport::PAGE;
use super::{Hands, Scene};
use crate::client::Command;
use crate::param::{Owner, Param, Slot, TrackIndex};
use crate::pattern::{
    Edit, Grid, GridEdit, LANES, Locks, MAX_STEPS, Pattern, PatternIndex, Step, StepField, TrackField,
};

/// Steps of one track's shown pattern.
pub struct Chosen {
    pub track: TrackIndex,
    pub pattern: PatternIndex,
    pub steps: RangeInclusive<u8>,
}

/// Cells as they were when they were copied, and where that was.
pub struct Copied {
    from: (TrackIndex, PatternIndex, u8),
    cells: Vec<(Step, Locks)>,
}

impl Chosen {
    /// What is chosen; within the pattern.
    pub fn of(scene: &Scene<'_>, hands: &Hands) -> Chosen {
        let (track, at) = hands.cursor;
        let (pattern, held) = scene.pattern(track, &hands.shown);
        let last = held.length.clamp(1, MAX_STEPS as u8) - 1;
        let (at, mark) = (at.min(last), hands.mark.unwrap_or(at).min(last));
        Chosen { track, pattern, steps: at.min(mark)..=at.max(mark) }
    }

    /// The first of the steps.
    pub fn first(&self) -> u8 {
        *self.steps.start()
    }

    /// How many steps.
    pub fn count(&self) -> u8 {
        self.steps.end() - self.steps.start() + 1
    }

    /// "step 5", "steps 5–8".
    pub fn words(&self) -> String {
        match self.count() {
            1 => format!("step {}", self.first() + 1),
            _ => format!("steps {}–{}", self.first() + 1, self.steps.end() + 1),
        }
    }

    /// Edits of a field in each of the steps that has another value.
    pub fn each(&self, held: &Pattern, field: impl Fn(&Step) -> StepField) -> Vec<Edit> {
        let edit = |step: u8| {
            let cell = &held.steps[usize::from(step)];
            let field = field(cell);
            let now = StepField::read(cell, field.register());
            let (track, pattern) = (self.track, self.pattern);
            (now != field).then_some(Edit::Step { track, pattern, step, field })
        };
        self.steps.clone().filter_map(edit).collect()
    }

    /// Edits of a lane's lock in each of the steps.
    pub fn lock(&self, lane: u8, value: Option<f32>) -> Vec<Edit> {
        let (track, pattern) = (self.track, self.pattern);
        self.steps.clone().map(|step| Edit::Lock { track, pattern, step, lane, value }).collect()
    }

    fn grid(&self, scene: &Scene<'_>, grid: Grid) {
        let (track, pattern) = (self.track, self.pattern);
        scene.desk.send(Command::Grid(GridEdit { track, pattern, grid }));
    }

    /// Makes rests of the steps.
    pub fn clear(&self, scene: &Scene<'_>) {
        self.grid(scene, Grid::Clear { from: self.first(), count: self.count() });
    }

    /// Takes the cells along.
    pub fn copy(&self, scene: &Scene<'_>) -> Copied {
        let held = scene.view.song.pattern(self.track, self.pattern);
        let cell = |step: u8| (held.steps[usize::from(step)], held.locks[usize::from(step)]);
        Copied {
            from: (self.track, self.pattern, self.first()),
            cells: self.steps.clone().map(cell).collect(),
        }
    }

    /// Lays copied cells over these and those behind.
    pub fn paste(&self, scene: &Scene<'_>, copied: &Copied) {
        let (track, pattern, from) = copied.from;
        let source = scene.view.song.pattern(track, pattern);
        let unchanged = (usize::from(from)..).zip(&copied.cells).all(|(at, (step, locks))| {
            at < MAX_STEPS && source.steps[at] == *step && source.locks[at] == *locks
        });
        let to = self.first();
        if unchanged {
            let count = copied.cells.len() as u8;
            return self.grid(scene, Grid::Copy { track, pattern, from, count, to });
        }
        let held = scene.view.song.pattern(self.track, self.pattern);
        let mut edits = Vec::new();
        for (at, (cell, locks)) in (usize::from(to)..MAX_STEPS).zip(&copied.cells) {
            let of = Chosen { track: self.track, pattern: self.pattern, steps: at as u8..=at as u8 };
            for field in StepField::all(cell) {
                edits.extend(of.each(held, |_| field));
            }
            for lane in (0..LANES as u8).filter(|lane| held.locks[at].get(*lane) != locks.get(*lane)) {
                edits.extend(of.lock(lane, locks.get(lane)));
            }
        }
        scene.edits(edits);
    }
}

/// Ctrl+C copies, Ctrl+X cuts, Ctrl+V pastes, Delete makes rests; M mutes and O solos the row.
pub fn take_keys(ui: &Ui, scene: &Scene<'_>, hands: &mut Hands) {
    let command = |key| ui.input_mut(|input| input.consume_key(Modifiers::COMMAND, key));
    let (copies, cuts, pastes) = (command(Key::C), command(Key::X), command(Key::V));
    if pastes {
        // The window also gives what other programs have copied, as if it were typed.
        ui.input_mut(|input| input.events.retain(|event| !matches!(event, egui::Event::Text(_))));
    }
    let of = Chosen::of(scene, hands);
    if copies || cuts {
        hands.copied = Some(of.copy(scene));
    }
    if cuts {
        of.clear(scene);
    }
    if let (true, Some(copied)) = (pastes, &hands.copied) {
        of.paste(scene, copied);
    }
    let plain = |key| ui.input_mut(|input| input.consume_key(Modifiers::NONE, key));
    if hands.mark.is_some() && (plain(Key::Delete) || plain(Key::Backspace)) {
        of.clear(scene);
    }
    if hands.mark.is_some() && plain(Key::Escape) {
        hands.mark = None;
    }
    if plain(Key::M) {
        mute(scene, of.track);
    }
    if plain(Key::O) {
        solo(scene, of.track);
    }
}

/// Mutes a track for everybody, or lets it be heard again.
pub fn mute(scene: &Scene<'_>, track: TrackIndex) {
    let slot = Slot::new(Owner::Track(track), Param::Mute);
    let muted = scene.view.song.params[slot.index()] >= 0.5;
    scene.edit(Edit::Param { slot, value: if muted { 0.0 } else { 1.0 } });
}

/// Solos a track for everybody, or lets the others be heard again.
pub fn solo(scene: &Scene<'_>, track: TrackIndex) {
    let solo = scene.view.song.track(track).solo;
    scene.edit(Edit::Track { track, field: TrackField::Solo(!solo) });
}

/// Shift with the arrows chooses more steps.
pub fn extend_by_keys(ui: &Ui, scene: &Scene<'_>, hands: &mut Hands) {
    for (key, by) in [(Key::ArrowLeft, -1), (Key::ArrowRight, 1)] {
        if ui.input_mut(|input| input.consume_key(Modifiers::SHIFT, key)) {
            let (track, at) = hands.cursor;
            let last = i16::from(scene.pattern(track, &hands.shown).1.length.max(1)) - 1;
            hands.mark = hands.mark.or(Some(at));
            let at = (i16::from(at) + by).clamp(0, last) as u8;
            (hands.cursor, hands.cursor_shown, hands.page) = ((track, at), true, at / PAGE);
        }
    }
}

/// Whether a cell is one of several chosen.
pub fn is_chosen(hands: &Hands, track: TrackIndex, step: u8) -> bool {
    let (of, at) = hands.cursor;
    hands.mark.is_some_and(|mark| of == track && (at.min(mark)..=at.max(mark)).contains(&step))
}
