//! The sequencer authors the bars: clients ask for a metre, and no bar that has sounded changes.

use std::collections::BTreeSet;

use super::{Bench, Made, invalid};
use crate::pattern::{Bars, Edit, MAX_METRES, MetreChange, Metres};
use crate::session::{Op, Refusal, Revert};
use crate::time::Beats;

/// What a frame asks for of the bars.
#[derive(Default)]
pub(super) struct MetreAsked {
    /// The changes as its author would have them.
    wanted: Option<Box<Metres>>,
    /// The last of its ops that asked, and for which place.
    index: usize,
    place: u8,
    /// Not before this beat.
    at: Option<Beats>,
    /// What undoes an earlier write, by its place.
    reverts: Vec<(u8, Revert)>,
}

impl Bench<'_> {
    /// Whether an edit asks for a metre of bars that may have sounded, or of bars to come: while the
    /// session plays, and where it is stamped for a beat. Else it is a write like any other.
    pub(super) fn asks_metre(&self, edit: Edit, at: Option<Beats>) -> Option<(u8, Option<MetreChange>)> {
        match edit {
            Edit::Metre { place, change } if self.position.is_some() || at.is_some() => Some((place, change)),
            _ => None,
        }
    }

    /// Takes a request; all of a frame are answered together.
    pub(super) fn ask_metre(
        &self,
        index: usize,
        (place, change): (u8, Option<MetreChange>),
        at: Option<Beats>,
        revert: Option<Revert>,
        made: &mut Made,
    ) -> Result<(), Refusal> {
        let asked = &mut made.metre;
        let wanted = asked.wanted.get_or_insert_with(|| Box::new(self.state.song().metres));
        let slot = wanted.get_mut(usize::from(place));
        *slot.ok_or_else(|| invalid(index, "there is no such place for a change of metre"))? = change;
        (asked.index, asked.place, asked.at) = (index, place, asked.at.max(at));
        asked.reverts.extend(revert.map(|revert| (place, revert)));
        Ok(())
    }

    /// Answers: the bars up to the next line after the session's position stay as they are.
    pub(super) fn answer_metre(&self, made: &mut Made) -> Result<(), Refusal> {
        let asked = std::mem::take(&mut made.metre);
        let Some(wanted) = asked.wanted else { return Ok(()) };
        let song = self.state.song();
        let line = self.next_line(asked.at).map_err(|reason| invalid(asked.index, reason))?;
        let first = u32::try_from(Bars::in_song(song).from(line).number).unwrap_or(u32::MAX);
        let spliced = Bars::splice(&song.metres, &wanted, first).ok_or_else(|| {
            let advice = "stop, and set them anew";
            invalid(asked.index, format!("a song has at most {MAX_METRES} changes of metre; {advice}"))
        })?;
        let differs = |place: &usize| spliced[*place] != song.metres[*place];
        let mut places: BTreeSet<usize> = (0..MAX_METRES).filter(differs).collect();
        places.extend(asked.reverts.iter().map(|(place, _)| usize::from(*place)));
        if places.is_empty() {
            // Nothing left to change: the author hears what holds.
            places.insert(usize::from(asked.place));
        }
        for place in places {
            let edit = Edit::Metre { place: place as u8, change: spliced[place] };
            match asked.reverts.iter().find(|(reverted, _)| usize::from(*reverted) == place) {
                Some((_, revert)) => made.push(Op::Revert(Revert { edit, ..revert.clone() })),
                None => self.write(Op::Edit(edit), edit, self.base, false, made),
            }
        }
        Ok(())
    }
}
