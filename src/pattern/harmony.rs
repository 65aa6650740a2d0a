//! What the chord track and the key make of a note.
//!
//! Thread: any. Realtime-safe: yes. Invariant: a function of the song and the place alone.

use super::{Chord, ChordKind, Context, Follow, Song};
use crate::time::Beats;

/// Semitones of an octave.
const OCTAVE: i32 = 12;

impl ChordKind {
    /// Its notes above the root: bit n for n semitones, within an octave.
    pub fn notes(self) -> u16 {
        let notes: &[u8] = match self {
            ChordKind::Major => &[0, 4, 7],
            ChordKind::Minor => &[0, 3, 7],
            ChordKind::Diminished => &[0, 3, 6],
            ChordKind::Augmented => &[0, 4, 8],
            ChordKind::Seventh => &[0, 4, 7, 10],
            ChordKind::MajorSeventh => &[0, 4, 7, 11],
            ChordKind::MinorSeventh => &[0, 3, 7, 10],
            ChordKind::HalfDiminished => &[0, 3, 6, 10],
            ChordKind::DiminishedSeventh => &[0, 3, 6, 9],
            ChordKind::Suspended2 => &[0, 2, 7],
            ChordKind::Suspended4 => &[0, 5, 7],
            ChordKind::Sixth => &[0, 4, 7, 9],
            ChordKind::MinorSixth => &[0, 3, 7, 9],
            ChordKind::Ninth => &[0, 2, 4, 7, 10],
            ChordKind::Power => &[0, 7],
        };
        notes.iter().fold(0, |mask, note| mask | 1 << note)
    }
}

impl Song {
    /// The chord that holds at a tick: that of the latest change up to it; of changes on one beat,
    /// the last in the list.
    pub fn chord_at(&self, tick: Beats) -> Option<Chord> {
        let up_to = |beat: u32| Beats::quarters(i64::from(beat)) <= tick;
        let changes = self.chords.iter().flatten().filter(|change| up_to(change.beat));
        changes.max_by_key(|change| change.beat).map(|change| change.chord)
    }

    /// Where a note written at a tick lies for a track that follows.
    pub fn followed(&self, follow: Follow, note: u8, tick: Beats) -> u8 {
        match (follow, self.chord_at(tick)) {
            (Follow::Off, _) | (Follow::Root, None) => note,
            (Follow::Scale, _) | (Follow::Chord, None) => nearest(note, scale_of(&self.context)),
            (Follow::Chord, Some(chord)) => nearest(note, raised(chord.kind.notes(), chord.root)),
            (Follow::Root, Some(chord)) => {
                let bass = i32::from(chord.bass.unwrap_or(chord.root));
                // By the shorter way, a tritone upwards.
                let by = (bass - i32::from(self.context.key) + 5).rem_euclid(OCTAVE) - 5;
                within(i32::from(note) + by)
            }
        }
    }
}

fn scale_of(context: &Context) -> u16 {
    raised(context.scale.notes(), context.key)
}

/// A set of pitch classes, so many semitones higher.
fn raised(notes: u16, by: u8) -> u16 {
    let by = u32::from(by % 12);
    (notes << by | notes >> (OCTAVE as u32 - by)) & 0xFFF
}

/// The note nearest to one whose pitch class is in a set; the lower of two.
fn nearest(note: u8, classes: u16) -> u8 {
    let note = i32::from(note);
    let is_in = |note: &i32| classes >> note.rem_euclid(OCTAVE) & 1 == 1;
    let found = (0..OCTAVE).flat_map(|far| [note - far, note + far]).find(is_in);
    within(found.unwrap_or(note))
}

/// Into MIDI's range, by octaves.
fn within(note: i32) -> u8 {
    let moved = match note {
        ..0 => note + OCTAVE,
        128.. => note - OCTAVE,
        _ => note,
    };
    moved.clamp(0, 127) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::{ChordChange, Scale};

    fn song() -> Song {
        let mut song = Song::new();
        (song.context.key, song.context.scale) = (9, Scale::Minor);
        let change = |beat, root, kind, bass| Some(ChordChange { beat, chord: Chord { root, kind, bass } });
        // In no order.
        song.chords[5] = change(4, 5, ChordKind::MajorSeventh, None);
        song.chords[9] = change(8, 7, ChordKind::Major, Some(11));
        song
    }

    #[test]
    fn notes_go_to_the_scale_the_chord_or_move_with_the_root() {
        let song = song();
        let at = |follow, note, beat| song.followed(follow, note, Beats::quarters(beat));
        assert_eq!(at(Follow::Off, 61, 4), 61);
        // A minor: C# lies between C and D, the lower is taken.
        assert_eq!(
            [at(Follow::Scale, 61, 0), at(Follow::Scale, 60, 0), at(Follow::Scale, 66, 0)],
            [60, 60, 65]
        );
        // F major seventh: F A C E.
        assert_eq!(
            [at(Follow::Chord, 62, 4), at(Follow::Chord, 67, 5), at(Follow::Chord, 68, 7)],
            [60, 65, 69]
        );
        assert_eq!(at(Follow::Chord, 61, 3), 60, "before the first chord it is the scale's");
        // From A down to F, up to B.
        assert_eq!([at(Follow::Root, 45, 4), at(Follow::Root, 45, 8), at(Follow::Root, 45, 0)], [41, 47, 45]);
        assert_eq!([at(Follow::Root, 1, 4), at(Follow::Root, 127, 8)], [9, 117]);
    }

    #[test]
    fn every_chord_holds_its_root_and_every_note_finds_a_place() {
        for (_, kind) in ChordKind::ALL {
            assert_eq!(kind.notes() & 1, 1);
            for root in 0..12 {
                for note in 0..128 {
                    let moved = nearest(note, raised(kind.notes(), root));
                    assert!(moved < 128 && moved.abs_diff(note) <= 12);
                    assert_eq!(raised(kind.notes(), root) >> (moved % 12) & 1, 1);
                }
            }
        }
    }
}
