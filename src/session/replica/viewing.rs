//! The view: confirmed state, then mine, then what hands hold, then what is tried.

use super::plan::Plan;
use super::{Replica, registers};
use crate::param::Slot;
use crate::pattern::{Edit, Register};
use crate::session::{Change, ClientId};
use crate::time::Beats;

/// More writes than this are told as [`Change::Song`].
const MANY_WRITES: usize = 512;

impl Replica {
    /// Tries values here alone, in the place of what was tried before: they show and sound over
    /// everything, and nobody hears of them.
    pub fn audition(&mut self, edits: &[Edit]) -> Vec<Change> {
        let before = std::mem::take(&mut self.auditioned);
        let checked = edits.iter().filter_map(|edit| edit.check().ok());
        self.auditioned = checked.map(|edit| (edit.register(), edit)).collect();
        let touched = before.into_keys().chain(self.auditioned.keys().copied()).collect();
        self.refresh(touched)
    }

    /// A parameter in somebody's hand, mine or another's: it shows and sounds until a commit
    /// writes that register, [`Replica::end_gesture`] or, for mine, my edit. It never shows over an edit of mine
    /// that is pending, nor another's over my hand. A value out of range changes nothing.
    pub fn gesture(&mut self, author: ClientId, slot: Slot, value: f32) -> Vec<Change> {
        if !slot.is_valid() {
            return Vec::new();
        }
        let Ok(value) = slot.spec().check(value) else { return Vec::new() };
        let held = self.gestures.get(&slot).map(|(holder, _)| *holder);
        if held.is_some_and(|holder| Some(holder) == self.client && holder != author) {
            return Vec::new();
        }
        self.gestures.insert(slot, (author, value));
        self.refresh(vec![Register::Param(slot)])
    }

    /// A gesture is over without a commit: its hold-time ran out.
    pub fn end_gesture(&mut self, slot: Slot) -> Vec<Change> {
        match self.gestures.remove(&slot) {
            Some(_) => self.refresh(vec![Register::Param(slot)]),
            None => Vec::new(),
        }
    }

    /// Gestures in flight: slot, whose, value.
    pub fn gestures(&self) -> impl Iterator<Item = (Slot, ClientId, f32)> {
        self.gestures.iter().map(|(slot, (author, value))| (*slot, *author, *value))
    }

    /// Brings registers of the view up to date; says what an engine must be told.
    pub(super) fn refresh(&mut self, mut touched: Vec<Register>) -> Vec<Change> {
        let mine = self.overlay();
        if mine.new_tracks != self.new_tracks {
            self.follow(mine.new_tracks.clone(), &mut touched);
        }
        touched.append(&mut self.expanded);
        touched.extend(&mine.expanded);
        touched.sort_unstable();
        touched.dedup();
        let mut changes = Vec::new();
        for (register, plan) in self.plans(&touched, &mine.edits) {
            let before = Plan {
                now: self.view.read(register),
                waiting: self.waiting.remove(&register).unwrap_or_default(),
                mine: false,
            };
            plan.tell_since(&before, &mut changes);
            self.view.apply(&plan.now);
            if !plan.waiting.is_empty() {
                self.waiting.insert(register, plan.waiting);
            }
        }
        self.expanded = mine.expanded;
        self.find_astray();
        changes
    }

    /// Brings the whole view up to date.
    pub(super) fn rebuild(&mut self) -> Vec<Change> {
        let mine = self.outbox.iter().flat_map(|frame| registers(&frame.ops));
        let mut touched: Vec<_> = self.confirmed.pending().map(|(_, edit)| edit.register()).collect();
        touched.extend(mine);
        touched.extend(self.waiting.keys());
        touched.extend(self.confirmed.song().edits_since(&self.view).iter().map(Edit::register));
        touched.extend(self.auditioned.keys());
        touched.extend(self.gestures.keys().copied().map(Register::Param));
        let changes = self.refresh(touched);
        if changes.len() <= MANY_WRITES {
            return changes;
        }
        let waiting = self.waiting().map(|(at, edit)| Change::Edit { edit: *edit, at: Some(at) });
        std::iter::once(Change::Song).chain(waiting).collect()
    }

    /// What registers (sorted, each once) should be in the view: confirmed, then mine, then gestures,
    /// then what is tried.
    pub(super) fn plans(
        &self,
        touched: &[Register],
        mine: &[(Edit, Option<Beats>)],
    ) -> Vec<(Register, Plan)> {
        let mut plans = self.written(touched, mine);
        for (register, plan) in &mut plans {
            if let Register::Param(slot) = *register
                && let Some(&(author, value)) = self.gestures.get(&slot)
                && (!plan.mine || Some(author) == self.client)
            {
                plan.now = Edit::Param { slot, value };
            }
            if let Some(tried) = self.auditioned.get(register) {
                plan.now = *tried;
            }
        }
        plans
    }

    /// What registers (sorted, each once) hold: confirmed, then mine.
    pub(super) fn written(
        &self,
        touched: &[Register],
        mine: &[(Edit, Option<Beats>)],
    ) -> Vec<(Register, Plan)> {
        let fresh = |register| Plan { now: self.confirmed.read(register), waiting: Vec::new(), mine: false };
        let mut plans: Vec<_> = touched.iter().map(|register| (*register, fresh(*register))).collect();
        // One pass over all that is pending: after days away that is a lot.
        let confirmed = self.confirmed.pending().map(|(at, edit)| (*edit, Some(at)));
        for (edit, at) in confirmed.chain(mine.iter().copied()) {
            if let Ok(place) = touched.binary_search(&edit.register()) {
                plans[place].1.take(edit, at);
            }
        }
        plans
    }

    /// The engine has let a waiting edit that it was told of take effect by itself; the view
    /// follows.
    pub(super) fn land(&mut self, register: Register, at: Beats, edit: Edit) {
        let Some(waiting) = self.waiting.get_mut(&register) else { return };
        // Where it is missing, an edit of mine has ended it.
        if let Some(place) = waiting.iter().position(|entry| *entry == (at, edit)) {
            waiting.remove(place);
            self.view.apply(&edit);
        }
    }
}
