//! The groove a fresh instance plays, so that the first press of play makes sound.

use super::state::{Choices, Project};
use crate::param::{Owner, Param, Slot, TrackIndex};
use crate::pattern::{Name, Pitch, Song};
use crate::time::{Tempo, TempoMap};

/// Cells as the notation writes them: `X` 1.0, `x` 0.7, `o` 0.3, `.` a rest.
const ROWS: [(&str, &str, f32); 5] = [
    ("kick", "X...x...X..xx...", 0.8),
    ("snare", "....X.......X..o", 0.72),
    ("hat", "x.x.x.x.x.x.x.xo", 0.55),
    ("open", "......x.......x.", 0.45),
    ("bass", "X..x..X...x.x...", 0.7),
];

/// A fresh instance's project.
pub fn project() -> Project {
    let mut song = Song::new();
    for (track, (name, cells, level)) in TrackIndex::all().zip(ROWS) {
        let row = &mut song.tracks[track.get()];
        row.alive = true;
        row.name = Name::new(name).expect("a name");
        let pattern = row.playing_mut();
        pattern.length = cells.len() as u8;
        for (step, cell) in pattern.steps.iter_mut().zip(cells.bytes()) {
            step.on = cell != b'.';
            step.velocity = match cell {
                b'X' => 1.0,
                b'o' => 0.3,
                _ => 0.7,
            };
        }
        let mut set = |param, value| song.params[Slot::new(Owner::Track(track), param).index()] = value;
        set(Param::Level, level);
        if name == "bass" {
            set(Param::FilterFreq, 900.0);
        }
    }
    let bass = &mut song.tracks[ROWS.len() - 1];
    bass.pitch = Some(Pitch::Note(36));
    let steps = &mut bass.playing_mut().steps;
    steps[10].note = Some(43);
    steps[12].note = Some(39);
    let tempo = Tempo::from_bpm(124.0).expect("a playable tempo");
    Project {
        song,
        tempo_map: TempoMap::constant(tempo),
        session: None,
        choices: Choices::default(),
        personal: None,
    }
}
