//! What one register should be, and what to tell an engine that knows it otherwise.

use crate::pattern::Edit;
use crate::session::Change;
use crate::time::Beats;

/// A register as the view has it: its value, what waits, and whether the value is pending and mine.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) now: Edit,
    pub(super) waiting: Vec<(Beats, Edit)>,
    pub(super) mine: bool,
}

impl Plan {
    /// What an op does to it.
    pub(super) fn take(&mut self, edit: Edit, at: Option<Beats>) {
        match at {
            // Of confirmed edits only those that wait come here.
            None => *self = Plan { now: edit, waiting: Vec::new(), mine: true },
            Some(at) => {
                let place = self.waiting.partition_point(|(other, _)| *other <= at);
                self.waiting.insert(place, (at, edit));
            }
        }
    }

    /// What an engine that has come to `before` must be told. It holds waiting edits in order of
    /// beat, equals in order of arrival; a write on arrival ends what waits for the register.
    pub(super) fn tell_since(&self, before: &Plan, changes: &mut Vec<Change>) {
        let waiting = |&(at, edit): &(Beats, Edit)| Change::Edit { edit, at: Some(at) };
        if self.now == before.now
            && let Some(added) = insertions(&before.waiting, &self.waiting)
        {
            changes.extend(added.iter().map(waiting));
            return;
        }
        changes.push(Change::Edit { edit: self.now, at: None });
        changes.extend(self.waiting.iter().map(waiting));
    }
}

/// What must be added to `before` to get `after`, each behind its equals; `None` where that is not
/// enough.
fn insertions(before: &[(Beats, Edit)], after: &[(Beats, Edit)]) -> Option<Vec<(Beats, Edit)>> {
    let mut kept = before.iter().peekable();
    let mut added = Vec::new();
    for entry in after {
        if kept.next_if(|old| *old == entry).is_some() {
            continue;
        }
        if kept.peek().is_some_and(|old| old.0 <= entry.0) {
            return None;
        }
        added.push(*entry);
    }
    kept.next().is_none().then_some(added)
}
