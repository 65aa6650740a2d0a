//! Every register of a song has a place in one dense table.

use crate::param::{MAX_TRACKS, SLOT_COUNT, Slot, TrackIndex};
use crate::pattern::{Edit, MAX_STEPS, Register, Song, StepField, TrackField};

const TRACK_FIELDS: usize = 8;
const STEP_FIELDS: usize = 6;
const TRACKS: usize = 1;
const STEPS: usize = TRACKS + MAX_TRACKS * TRACK_FIELDS;
const PARAMS: usize = STEPS + MAX_TRACKS * MAX_STEPS * STEP_FIELDS;

/// Registers of a session: the seed, then the tracks' fields, the cells' fields and the parameters.
pub const REGISTER_COUNT: usize = PARAMS + SLOT_COUNT;

/// A register's place in the table, below [`REGISTER_COUNT`].
pub(super) fn place(register: Register) -> usize {
    match register {
        Register::Seed => 0,
        Register::Track(track, field) => TRACKS + track.get() * TRACK_FIELDS + field as usize,
        Register::Step(track, step, field) => {
            let cell = track.get() * MAX_STEPS + usize::from(step).min(MAX_STEPS - 1);
            STEPS + cell * STEP_FIELDS + field as usize
        }
        Register::Param(slot) => PARAMS + slot.index(),
    }
}

/// What a song holds in a register, as the edit that would write it.
pub(super) fn read(song: &Song, register: Register) -> Edit {
    match register {
        Register::Seed => Edit::Seed(song.seed),
        Register::Param(slot) => Edit::Param { slot, value: song.params[slot.index()] },
        Register::Track(track, field) => {
            Edit::Track { track, field: TrackField::all(song.track(track))[field as usize] }
        }
        Register::Step(track, step, field) => {
            let cell = &song.track(track).steps[usize::from(step).min(MAX_STEPS - 1)];
            Edit::Step { track, step, field: StepField::all(cell)[field as usize] }
        }
    }
}

/// What a song holds in every register, in the table's order.
pub(super) fn read_all(song: &Song) -> impl Iterator<Item = Edit> {
    let tracks = || TrackIndex::all().zip(&song.tracks);
    let fields = tracks()
        .flat_map(|(track, held)| TrackField::all(held).map(move |field| Edit::Track { track, field }));
    let cells = tracks().flat_map(|(track, held)| {
        held.steps.iter().enumerate().flat_map(move |(step, cell)| {
            StepField::all(cell).map(move |field| Edit::Step { track, step: step as u8, field })
        })
    });
    let params = Slot::all().map(|slot| Edit::Param { slot, value: song.params[slot.index()] });
    std::iter::once(Edit::Seed(song.seed)).chain(fields).chain(cells).chain(params)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_register_has_its_own_place() {
        let song = Song::new();
        let edits: Vec<_> = read_all(&song).collect();
        assert_eq!(edits.len(), REGISTER_COUNT);
        for (at, edit) in edits.into_iter().enumerate() {
            assert_eq!(place(edit.register()), at, "{edit:?}");
            assert_eq!(read(&song, edit.register()), edit);
        }
    }
}
