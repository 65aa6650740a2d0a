//! What putting a clip or a section into the song changes.

use super::{clips, lane_of};
use crate::pattern::{ClipField, ClipSource, Edit, MAX_BARS, MAX_SECTIONS, Name, SectionField, Song};

/// A section of eight bars behind the last one; `None` where all places are taken.
pub fn new_section(song: &Song, name: &str) -> Option<Vec<Edit>> {
    let free = (0..MAX_SECTIONS as u8).find(|number| !song.sections[usize::from(*number)].alive)?;
    let ends =
        song.sections.iter().filter(|section| section.alive).map(|section| section.start + section.length);
    let start = ends.max().unwrap_or(0).min(MAX_BARS);
    let fields = [
        SectionField::Alive(true),
        SectionField::Name(Name::new(name).ok()?),
        SectionField::Start(start),
        SectionField::Length(8),
    ];
    Some(fields.into_iter().map(|field| Edit::Section { section: free, field }).collect())
}

/// Bars from one on until the next clip of a scene begins.
pub fn room_at(song: &Song, start: u32) -> u32 {
    let later = clips(song).filter(|(_, clip)| lane_of(clip.source) == 0 && clip.start > start);
    later.map(|(_, clip)| clip.start - start).min().unwrap_or(MAX_BARS)
}

/// A clip and its place; `None` where all are taken.
pub fn new_clip(song: &Song, source: ClipSource, start: u32, length: u32) -> Option<(u8, Vec<Edit>)> {
    let free = (0u8..=u8::MAX).zip(&song.clips).find(|(_, clip)| !clip.alive)?.0;
    let fields = [
        ClipField::Source(source),
        ClipField::Start(start.min(MAX_BARS)),
        ClipField::Length(length.clamp(1, MAX_BARS)),
        ClipField::Alive(true),
    ];
    Some((free, fields.into_iter().map(|field| Edit::Clip { clip: free, field }).collect()))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::pattern::MAX_CLIPS;

    pub(in super::super) fn with_clips(places: &[(u32, u32)]) -> Song {
        let mut song = Song::new();
        for (start, length) in places {
            let (_, edits) = new_clip(&song, ClipSource::Scene(0), *start, *length).expect("room");
            edits.iter().for_each(|edit| song.apply(&edit.check().expect("in bounds")));
        }
        song
    }

    #[test]
    fn a_new_clip_ends_where_the_next_begins() {
        let song = with_clips(&[(0, 4), (6, 2)]);
        assert_eq!((room_at(&song, 4), room_at(&song, 6)), (2, MAX_BARS));
        let full = with_clips(&[(0, 1); MAX_CLIPS]);
        assert!(new_clip(&full, ClipSource::Scene(0), 0, 1).is_none());
        let mut song = Song::new();
        for edit in new_section(&song, "verse").expect("room") {
            song.apply(&edit);
        }
        assert!(
            new_section(&song, "break")
                .expect("room")
                .contains(&Edit::Section { section: 1, field: SectionField::Start(8) })
        );
    }
}
