//! The musician's own mix on its way to the engine and into the profile folder.

use std::sync::Arc;

use super::Participant;
use crate::client::personal::{self, Personal};
use crate::param::{OWNER_COUNT, Owner, Slot, TrackIndex};
use crate::pattern::TrackId;
use crate::rt::OwnEffects;
use crate::rt::controls::Target;
use crate::rt::personal::PersonalEdit;
use crate::rt::ports::{Room, ToEngine};
use crate::time::HostNanos;

/// A mix that moves is kept after this long.
const KEEP_AFTER: i64 = 500_000_000;

/// The own mix, and what the engine has been told of it.
#[derive(Default)]
pub struct MineSide {
    pub(super) mix: Arc<Personal>,
    /// Whether the engine has room for the mix, and for which owners' effects.
    room: (bool, [bool; OWNER_COUNT]),
    /// Since when something is not kept.
    unkept: Option<HostNanos>,
    /// Whether the engine knows what controllers move.
    controls: bool,
    /// Who the tracks were when it last went along with them.
    tracks: Vec<TrackId>,
}

impl MineSide {
    pub(super) fn knows_controls(&self) -> bool {
        self.controls
    }

    pub(super) fn note_controls(&mut self) {
        self.controls = true;
    }
}

impl Participant {
    /// An edit of the own mix.
    pub(super) fn mine(&mut self, edit: PersonalEdit, now: HostNanos) {
        match edit.check() {
            Ok(edit) => {
                Arc::make_mut(&mut self.mine.mix).apply(edit);
                self.tell_mine(edit);
                self.mine_changed(now);
            }
            Err(reason) => self.complain(reason.to_string()),
        }
    }

    /// The engine has been told already: a controller moved it.
    pub(super) fn mine_moved(&mut self, edit: PersonalEdit, now: HostNanos) {
        if let Ok(edit) = edit.check() {
            Arc::make_mut(&mut self.mine.mix).apply(edit);
            self.mine_changed(now);
        }
    }

    fn mine_changed(&mut self, now: HostNanos) {
        self.mine.tracks.clear();
        self.mine.unkept.get_or_insert(now);
        self.shown.stale();
    }

    /// Another mix takes the place of the own one.
    pub(super) fn take_mix(&mut self, mix: Personal, now: HostNanos) {
        for edit in mix.edits_since(&self.mine.mix) {
            self.tell_mine(edit);
        }
        self.mine.mix = Arc::new(mix);
        self.mine_changed(now);
    }

    /// Goes to a session: its own mix is what the profile keeps for it.
    pub(super) fn join_mix(&mut self, session: &str, now: HostNanos) {
        self.keep_mine();
        let mix = personal::kept(self.profile.folder(), session).unwrap_or_default();
        self.take_mix(mix, now);
        self.mine.unkept = None;
    }

    /// The engine is a new one, or has missed something.
    pub(super) fn tell_all_of_mine(&mut self) {
        (self.mine.room, self.mine.controls) = Default::default();
        let mix = self.mine.mix.clone();
        mix.edits().for_each(|edit| self.tell_mine(edit));
        self.tell_controls();
    }

    /// Tells the engine, behind the room that it needs.
    fn tell_mine(&mut self, edit: PersonalEdit) {
        let effects = if let PersonalEdit::Param { slot, .. } = edit { Some(slot) } else { None };
        self.make_room(effects);
        self.feed.push(ToEngine::Mine(edit));
    }

    /// Gives the engine room for the mix, and for the effects that a slot belongs to.
    fn make_room(&mut self, effects: Option<Slot>) {
        let (mix, owners) = &mut self.mine.room;
        if !std::mem::replace(mix, true) {
            self.feed.push(ToEngine::Room(Room::Mix(Box::default())));
        }
        if let Some(owner) = effects.map(Slot::owner)
            && !std::mem::replace(&mut owners[owner.row()], true)
        {
            self.feed.push(ToEngine::Room(Room::Effects(Box::new(OwnEffects::new(owner)))));
        }
    }

    /// As a controller of the target needs it.
    pub(super) fn make_room_for(&mut self, target: Target) {
        match target {
            Target::Shared(_) => {}
            Target::Own(slot) => self.make_room(Some(slot)),
            _ => self.make_room(None),
        }
    }

    /// What comes due: tracks that have moved, and a mix to keep.
    pub(super) fn look_at_mine(&mut self, now: HostNanos) {
        if self.mine.mix.is_neutral() && self.mine.unkept.is_none() {
            return;
        }
        let song = self.studio.song();
        let ids = || TrackIndex::all().map(|track| song.track(track).id);
        if !self.mine.tracks.iter().copied().eq(ids()) {
            self.mine.tracks = ids().collect();
            let mut mix = (*self.mine.mix).clone();
            mix.follow(song);
            if mix != *self.mine.mix {
                for edit in mix.edits_since(&self.mine.mix.clone()) {
                    self.tell_mine(edit);
                }
                self.mine.mix = Arc::new(mix);
                self.mine.unkept.get_or_insert(now);
                self.shown.stale();
            }
        }
        if self.mine.unkept.is_some_and(|since| now - since >= KEEP_AFTER) {
            self.keep_mine();
        }
    }

    /// Keeps the mix of the session that this machine is in; without one the DAW's project does.
    pub(super) fn keep_mine(&mut self) {
        if self.mine.unkept.take().is_none() {
            return;
        }
        if let Some(session) = &self.shown.session
            && let Err(error) = personal::keep(self.profile.folder(), session, &self.mine.mix)
        {
            tracing::warn!("{error:#}");
        }
    }

    /// Forgets what the own mix says of an owner, or all of it.
    pub(super) fn clear_mine(&mut self, owner: Option<Owner>, now: HostNanos) {
        let mix = owner.map_or_else(Personal::default, |owner| self.mine.mix.without(owner));
        self.take_mix(mix, now);
    }
}
