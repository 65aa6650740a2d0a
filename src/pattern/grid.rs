//! Operations on a whole pattern: expanded to edits on the pattern as it is when they take effect.
//!
//! Thread: any but audio (allocates). Invariant: the same operation on the same song gives the same
//! edits everywhere, and only for registers it changes.

use serde::{Deserialize, Serialize};

use super::{Edit, EditError, Locks, MAX_STEPS, Pattern, PatternIndex, Register, Song, Step};
use crate::param::TrackIndex;

/// An operation on one pattern.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GridEdit {
    /// The track.
    pub track: TrackIndex,
    /// Which of its patterns.
    pub pattern: PatternIndex,
    /// What to do with it.
    pub grid: Grid,
}

/// What can be done with a whole pattern. Cells carry all their fields and locks with them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Grid {
    /// Every cell of the pattern moves by so many steps, later for positive ones, round its length.
    Rotate(i8),
    /// Rests come in before a cell; the later ones move on, and the pattern grows up to 64 steps.
    Insert {
        /// The cell, 0 to 63.
        at: u8,
        /// How many, 1 to 64.
        count: u8,
    },
    /// Cells go; the later ones move up, and the pattern shrinks, to no less than a step.
    Remove {
        /// The first of them, 0 to 63.
        at: u8,
        /// How many, 1 to 64.
        count: u8,
    },
    /// Cells become rests; the length stays.
    Clear {
        /// The first of them, 0 to 63.
        from: u8,
        /// How many, 1 to 64.
        count: u8,
    },
    /// Cells of any pattern are laid over this one's.
    Copy {
        /// The other's track.
        track: TrackIndex,
        /// Which of its patterns.
        pattern: PatternIndex,
        /// The first cell there, 0 to 63.
        from: u8,
        /// How many, 1 to 64; what reaches past the 64th is left out.
        count: u8,
        /// The first cell here, 0 to 63.
        to: u8,
    },
    /// This pattern becomes another: cells, length and rate.
    Replace {
        /// The other's track.
        track: TrackIndex,
        /// Which of its patterns.
        pattern: PatternIndex,
    },
    /// The cells that sound in another pattern take their places here, too; the others stay.
    Merge {
        /// The other's track.
        track: TrackIndex,
        /// Which of its patterns.
        pattern: PatternIndex,
    },
    /// Every nth cell sounds; the others stay.
    Fill {
        /// 1 to 64.
        every: u8,
        /// The first of them, 0 to 63.
        from: u8,
        /// 0 to 1.
        velocity: f32,
    },
    /// Cells sound as evenly spaced as can be (Bjorklund's distribution in Toussaint's "The
    /// Euclidean algorithm generates traditional musical rhythms", 2005); the others rest.
    Euclid {
        /// How many sound, 0 to 64; no more than the pattern's length.
        pulses: u8,
        /// Steps by which the figure begins later, 0 to 63.
        rotation: u8,
        /// 0 to 1.
        velocity: f32,
    },
}

impl GridEdit {
    /// Checks an operation from outside and returns it in canonical bits (no −0).
    ///
    /// # Errors
    /// Says which bound it breaks.
    pub fn check(self) -> Result<GridEdit, EditError> {
        let track = |track: TrackIndex| match track.is_valid() {
            true => Ok(()),
            false => Err(EditError::NoTrack(track.get())),
        };
        let cell = |cell: u8| match usize::from(cell) < MAX_STEPS {
            true => Ok(()),
            false => Err(EditError::NoStep(cell)),
        };
        let field = |holds: bool, field, bounds| match holds {
            true => Ok(()),
            false => Err(EditError::Field { field, range: bounds }),
        };
        let steps = |count: u8| {
            let holds = (1..=MAX_STEPS).contains(&usize::from(count));
            field(holds, "the number of steps", super::Bounds::Whole(1, 64))
        };
        let strength = |velocity: f32| {
            let holds = (0.0..=1.0).contains(&velocity);
            field(holds, "velocity", super::Bounds::Real(0.0, 1.0))
        };
        track(self.track)?;
        let mut checked = self;
        match &mut checked.grid {
            Grid::Rotate(_) => {}
            Grid::Insert { at, count } | Grid::Remove { at, count } | Grid::Clear { from: at, count } => {
                cell(*at)?;
                steps(*count)?;
            }
            Grid::Copy { track: other, from, count, to, .. } => {
                track(*other)?;
                cell(*from)?;
                cell(*to)?;
                steps(*count)?;
            }
            Grid::Replace { track: other, .. } | Grid::Merge { track: other, .. } => track(*other)?,
            Grid::Fill { every, from, velocity } => {
                cell(*from)?;
                steps(*every)?;
                strength(*velocity)?;
                *velocity = velocity.abs();
            }
            Grid::Euclid { pulses, rotation, velocity } => {
                cell(*rotation)?;
                let holds = usize::from(*pulses) <= MAX_STEPS;
                field(holds, "the number of pulses", super::Bounds::Whole(0, 64))?;
                strength(*velocity)?;
                *velocity = velocity.abs();
            }
        }
        Ok(checked)
    }

    /// The registers it may write.
    pub fn registers(&self) -> impl Iterator<Item = Register> {
        Register::of_pattern(self.track, self.pattern)
    }

    /// The edits it comes to on a song, in the order of their registers.
    pub fn expand(&self, song: &Song) -> Vec<Edit> {
        let before = song.pattern(self.track, self.pattern);
        let mut after = Box::new(*before);
        self.grid.perform(&mut after, song);
        let of = |pattern: &Pattern, register| read(pattern, self.track, self.pattern, register);
        self.registers()
            .map(|register| (of(before, register), of(&after, register)))
            .filter(|(old, new)| old != new)
            .map(|(_, new)| new)
            .collect()
    }
}

/// What a pattern holds in one of its registers.
fn read(held: &Pattern, track: TrackIndex, pattern: PatternIndex, register: Register) -> Edit {
    use super::{PatternField, StepField};
    match register {
        Register::Step(_, _, step, key) => {
            let field = StepField::read(&held.steps[usize::from(step)], key);
            Edit::Step { track, pattern, step, field }
        }
        Register::Lock(_, _, step, lane) => {
            let value = held.locks[usize::from(step)].get(lane);
            Edit::Lock { track, pattern, step, lane, value }
        }
        Register::Pattern(_, _, key) => {
            Edit::Pattern { track, pattern, field: PatternField::read(held, key) }
        }
        _ => unreachable!("a pattern's registers are cells, locks and its own fields"),
    }
}

impl Grid {
    fn perform(self, pattern: &mut Pattern, song: &Song) {
        let length = usize::from(pattern.length).clamp(1, MAX_STEPS);
        match self {
            Grid::Rotate(by) => {
                let by = i64::from(by).rem_euclid(length as i64) as usize;
                pattern.steps[..length].rotate_right(by);
                pattern.locks[..length].rotate_right(by);
            }
            Grid::Insert { at, count } => insert(pattern, usize::from(at), usize::from(count)),
            Grid::Remove { at, count } => remove(pattern, usize::from(at), usize::from(count)),
            Grid::Clear { from, count } => {
                let from = usize::from(from).min(MAX_STEPS);
                clear(pattern, from, (from + usize::from(count)).min(MAX_STEPS));
            }
            Grid::Copy { track, pattern: other, from, count, to } => {
                let (from, to) = (usize::from(from), usize::from(to));
                let room = MAX_STEPS.saturating_sub(from.max(to));
                let count = usize::from(count).min(room);
                // From the song, so that a pattern copied onto itself is read as it was.
                let other = song.pattern(track, other);
                pattern.steps[to..to + count].copy_from_slice(&other.steps[from..from + count]);
                pattern.locks[to..to + count].copy_from_slice(&other.locks[from..from + count]);
            }
            Grid::Replace { track, pattern: other } => *pattern = *song.pattern(track, other),
            Grid::Merge { track, pattern: other } => {
                let other = song.pattern(track, other);
                for cell in (0..usize::from(other.length).min(MAX_STEPS)).filter(|at| other.steps[*at].on) {
                    pattern.steps[cell] = other.steps[cell];
                    pattern.locks[cell] = other.locks[cell];
                }
            }
            Grid::Fill { every, from, velocity } => {
                for cell in (usize::from(from)..length).step_by(usize::from(every).max(1)) {
                    (pattern.steps[cell].on, pattern.steps[cell].velocity) = (true, velocity);
                }
            }
            Grid::Euclid { pulses, rotation, velocity } => {
                let pulses = usize::from(pulses).min(length);
                for n in 0..length {
                    // Step n begins a pulse where the running share of pulses passes a whole one.
                    let cell = &mut pattern.steps[(n + usize::from(rotation)) % length];
                    cell.on = n * pulses % length < pulses;
                    if cell.on {
                        cell.velocity = velocity;
                    }
                }
            }
        }
    }
}

fn insert(pattern: &mut Pattern, at: usize, count: usize) {
    let at = at.min(MAX_STEPS - 1);
    let count = count.min(MAX_STEPS - at);
    pattern.steps.copy_within(at..MAX_STEPS - count, at + count);
    pattern.locks.copy_within(at..MAX_STEPS - count, at + count);
    clear(pattern, at, at + count);
    pattern.length = (usize::from(pattern.length) + count).min(MAX_STEPS) as u8;
}

fn remove(pattern: &mut Pattern, at: usize, count: usize) {
    let length = usize::from(pattern.length).clamp(1, MAX_STEPS);
    let at = at.min(MAX_STEPS - 1);
    let count = count.min(MAX_STEPS - at);
    pattern.steps.copy_within(at + count.., at);
    pattern.locks.copy_within(at + count.., at);
    clear(pattern, MAX_STEPS - count, MAX_STEPS);
    let gone = length.saturating_sub(at).min(count);
    pattern.length = (length - gone).max(1) as u8;
}

fn clear(pattern: &mut Pattern, from: usize, to: usize) {
    pattern.steps[from..to].fill(Step::REST);
    pattern.locks[from..to].fill(Locks::NONE);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn song(cells: &str) -> Song {
        let mut song = Song::new();
        let pattern = song.tracks[0].playing_mut();
        pattern.length = cells.len() as u8;
        for (cell, mark) in pattern.steps.iter_mut().zip(cells.bytes()) {
            cell.on = mark == b'x';
        }
        song
    }

    /// The cells after an operation.
    fn after(cells: &str, grid: Grid) -> String {
        let mut song = song(cells);
        let track = TrackIndex::new(0).expect("a track");
        let edit = GridEdit { track, pattern: PatternIndex::FIRST, grid }.check().expect("in bounds");
        for edit in edit.expand(&song) {
            assert_eq!(edit.check(), Ok(edit));
            song.apply(&edit);
        }
        assert!(edit_is_stable(&song), "an edit to the same changes nothing");
        let pattern = song.tracks[0].playing();
        pattern.steps[..usize::from(pattern.length)].iter().map(|c| if c.on { 'x' } else { '.' }).collect()
    }

    fn edit_is_stable(song: &Song) -> bool {
        let track = TrackIndex::new(0).expect("a track");
        let pattern = PatternIndex::FIRST;
        let same = Grid::Replace { track, pattern };
        GridEdit { track, pattern, grid: same }.expand(song).is_empty()
    }

    #[test]
    fn operations_move_cells_as_they_say() {
        assert_eq!(after("x..x.", Grid::Rotate(1)), ".x..x");
        assert_eq!(after("x..x.", Grid::Rotate(-6)), "..x.x");
        assert_eq!(after("xx", Grid::Insert { at: 1, count: 2 }), "x..x");
        assert_eq!(after("x.xx", Grid::Remove { at: 1, count: 1 }), "xxx");
        assert_eq!(after("xx", Grid::Remove { at: 0, count: 64 }), ".");
        assert_eq!(after("xxxx", Grid::Clear { from: 1, count: 2 }), "x..x");
        assert_eq!(after("........", Grid::Fill { every: 3, from: 1, velocity: 1.0 }), ".x..x..x");
        let track = TrackIndex::new(0).expect("a track");
        let pattern = PatternIndex::FIRST;
        let copy = |from, count, to| Grid::Copy { track, pattern, from, count, to };
        assert_eq!(after("x.x.....", copy(0, 4, 4)), "x.x.x.x.");
        assert_eq!(after("x.x.....", copy(0, 8, 2)), "x.x.x...");
        assert_eq!(after("x.x.....", copy(60, 64, 0)), "........");
    }

    #[test]
    fn pulses_are_as_even_as_can_be() {
        let euclid = |pulses, rotation| Grid::Euclid { pulses, rotation, velocity: 1.0 };
        assert_eq!(after("........", euclid(3, 0)), "x..x..x.");
        assert_eq!(after("........", euclid(5, 0)), "x.x.xx.x");
        assert_eq!(after("....", euclid(64, 0)), "xxxx");
        assert_eq!(after("xxxx", euclid(0, 3)), "....");
        assert_eq!(after("........", euclid(3, 1)), ".x..x..x");
    }
}
