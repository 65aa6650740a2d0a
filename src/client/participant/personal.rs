//! The musician's own mix on its way to the engine and into the profile folder.

use std::sync::Arc;

use super::Participant;
use crate::client::personal::{self, Personal};
use crate::param::{OWNER_COUNT, Owner, Slot, TrackIndex};
use crate::pattern::TrackId;
use crate::rt::OwnEffects;
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
    /// Who the tracks were when it last went along with them.
    tracks: Vec<TrackId>,
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
    #[allow(dead_code)]
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
        self.mine.room = Default::default();
        let mix = self.mine.mix.clone();
        mix.edits().for_each(|edit| self.tell_mine(edit));
    }

    /// Tells the engine, behind the room that it needs.
    fn tell_mine(&mut self, edit: PersonalEdit) {
        let (mix, effects) = &mut self.mine.room;
        if !std::mem::replace(mix, true) {
            self.feed.push(ToEngine::Room(Room::Mix(Box::default())));
        }
        if let PersonalEdit::Param { slot, .. } = edit
            && !std::mem::replace(&mut effects[slot.owner().row()], true)
        {
            self.make_effects(slot);
        }
        self.feed.push(ToEngine::Mine(edit));
    }

    fn make_effects(&mut self, slot: Slot) {
        let effects = Box::new(OwnEffects::new(slot.owner()));
        self.feed.push(ToEngine::Room(Room::Effects(effects)));
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
