//! What the pointer does with the notes and their velocities.
//!
//! Thread: the window's. Invariant: a note is in hand from press to release, and all that it becomes
//! meanwhile is one undo step.

use egui::{Pos2, Rect, Ui};

use super::roll::Roll;
use super::{moved, notes_of, own};
use crate::param::TrackIndex;
use crate::pattern::{Edit, MAX_GATE, PatternIndex, Step, StepField, Voice, voice_of};
use crate::plugin::editor::{Hands, Scene};

/// The right end of a note, by which it is made longer.
const EDGE: f32 = 6.0;

/// A note in hand.
#[derive(Clone, Copy)]
pub(super) struct Held {
    pub(super) step: u8,
    pub(super) what: Part,
    /// The undo step that the whole drag is.
    stroke: u64,
    /// It has been moved: letting go is no click.
    moved: bool,
}

/// What of a note is held.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Part {
    /// The note at a place: 0 for the step's own, else one of its chord.
    Pitch(usize),
    /// Just put there; moves as a pitch, and letting go leaves it.
    Fresh(usize),
    Length,
    Velocity,
}

/// Follows the pointer: what it takes, drags and lets go.
pub(super) fn follow(
    ui: &Ui,
    response: &egui::Response,
    (roll, bars): (&Roll, Rect),
    (track, pattern): (TrackIndex, PatternIndex),
    scene: &Scene<'_>,
    hands: &mut Hands,
) {
    let held_pattern = scene.view.song.pattern(track, pattern);
    let Some(at) = ui.input(|input| input.pointer.interact_pos()) else { return };
    if response.hovered() && ui.input(|input| input.pointer.primary_pressed()) {
        hands.notes.held = press(at, (roll, bars), (track, pattern), scene, hands);
    }
    let Some(held) = hands.notes.held else { return };
    let cell = &held_pattern.steps[usize::from(held.step)];
    let edit = |field: StepField| {
        if StepField::read(cell, field.register()) != field {
            scene.stroke(held.stroke, Edit::Step { track, pattern, step: held.step, field });
            return true;
        }
        false
    };
    if !ui.input(|input| input.pointer.primary_down()) {
        hands.notes.held = None;
        if let (Part::Pitch(place), false) = (held.what, held.moved) {
            // A click on a note takes it away; a chord loses one of its notes, the step its last.
            take_away(cell, place).into_iter().for_each(|field| {
                edit(field);
            });
        }
        return;
    }
    let moves = match held.what {
        Part::Pitch(place) | Part::Fresh(place) => {
            let note = roll.note(at.y);
            let now = notes_of(cell, own(scene, track)).find(|(of, _)| *of == place).map(|(_, note)| note);
            now.is_some_and(|now| now != note) && edit(moved(cell, place, Some(note)))
        }
        Part::Length => {
            let from = f32::from(held.step) + f32::from(cell.micro) / 100.0;
            let steps = (at.x - roll.x(from)) / roll.column();
            let fine = ui.input(|input| input.modifiers.shift);
            let gate = if fine { steps * 100.0 } else { (steps * 4.0).round() * 25.0 };
            edit(StepField::Gate(gate.round().clamp(10.0, f32::from(MAX_GATE)) as u16))
        }
        Part::Velocity => {
            let velocity = (bars.bottom() - at.y) / bars.height();
            edit(StepField::Velocity((velocity.clamp(0.05, 1.0) * 100.0).round() / 100.0))
        }
    };
    if let (true, Some(held)) = (moves, hands.notes.held.as_mut()) {
        held.moved = true;
    }
}

/// What a press takes into the hand; where nothing is, it puts a note.
fn press(
    at: Pos2,
    (roll, bars): (&Roll, Rect),
    (track, pattern): (TrackIndex, PatternIndex),
    scene: &Scene<'_>,
    hands: &mut Hands,
) -> Option<Held> {
    let held_pattern = scene.view.song.pattern(track, pattern);
    let own = own(scene, track);
    let held = |step, what| Some(Held { step, what, stroke: rand::random(), moved: false });
    if bars.contains(at) {
        let step = roll.step(at.x).filter(|step| held_pattern.steps[usize::from(*step)].on)?;
        return held(step, Part::Velocity);
    }
    if !roll.area.contains(at) {
        return None;
    }
    let sounding = (0..held_pattern.length).filter(|step| held_pattern.steps[usize::from(*step)].on);
    let hit = sounding.rev().find_map(|step| {
        let cell = &held_pattern.steps[usize::from(step)];
        let (place, note) = notes_of(cell, own).find(|(_, note)| roll.of(step, cell, *note).contains(at))?;
        Some((step, place, roll.of(step, cell, note)))
    });
    hands.mark = None;
    if let Some((step, place, rect)) = hit {
        (hands.cursor, hands.cursor_shown) = ((track, step), true);
        let edge = rect.right() - at.x < EDGE.min(rect.width() / 3.0);
        return held(step, if edge { Part::Length } else { Part::Pitch(place) });
    }
    let step = roll.step(at.x).filter(|step| *step < held_pattern.length)?;
    (hands.cursor, hands.cursor_shown) = ((track, step), true);
    let (cell, note) = (&held_pattern.steps[usize::from(step)], roll.note(at.y));
    let row = scene.view.song.track(track);
    let chords = plays_chords(voice_of(row).voice);
    let free = cell.also.iter().position(Option::is_none).filter(|_| cell.on && chords);
    let place = free.map_or(0, |free| free + 1);
    let taken = held(step, Part::Fresh(place))?;
    let edit = |field| Edit::Step { track, pattern, step, field };
    let mut edits = vec![edit(moved(cell, place, Some(note)))];
    if !cell.on {
        edits.push(edit(StepField::On(true)));
        edits.extend(cell.also.iter().any(Option::is_some).then(|| edit(StepField::Also([None; 3]))));
    }
    scene.strokes(taken.stroke, edits);
    Some(taken)
}

/// What changes when the note at a place goes.
fn take_away(cell: &Step, place: usize) -> Vec<StepField> {
    let last = cell.also.iter().position(Option::is_some);
    match (place, last) {
        (0, None) => vec![StepField::On(false)],
        // Another of the chord becomes the step's own.
        (0, Some(other)) => vec![StepField::Note(cell.also[other]), moved(cell, other + 1, None)],
        (place, _) => vec![moved(cell, place, None)],
    }
}

/// Whether a voice plays several notes at once.
fn plays_chords(voice: Voice) -> bool {
    matches!(voice, Voice::Synth | Voice::Pad | Voice::Fm | Voice::Sampler)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chord_loses_its_notes_one_by_one() {
        let mut cell = Step { on: true, note: Some(60), also: [None, Some(64), None], ..Step::REST };
        let apply =
            |cell: &mut Step, place| take_away(cell, place).into_iter().for_each(|field| field.write(cell));
        apply(&mut cell, 0);
        assert_eq!((cell.on, cell.note, cell.also), (true, Some(64), [None; 3]));
        apply(&mut cell, 0);
        assert!(!cell.on);
    }
}
