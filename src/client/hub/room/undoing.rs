//! By which names an undo speaks of the write that it undoes.
//!
//! An instance knows its frames by its own count until they are answered, and afterwards by the
//! commit they became: on the machine's own branch while there is no server. A server knows the
//! machine's frames by the hub's count. So what goes up, and what goes to the branch, is named anew.

use std::collections::VecDeque;

use crate::session::{Answer, Cseq, Refusal, Seq, StampedOp, Written};

/// The most frames whose names are remembered.
const KNOWN: usize = 512;

/// Frames by all their names.
#[derive(Default)]
pub(super) struct Names {
    known: VecDeque<Name>,
}

struct Name {
    instance: u64,
    ticket: Cseq,
    /// The hub's count, where the frame is for the server too.
    frame: Option<Cseq>,
    /// The commit it became; whether that is the branch's.
    commit: Option<(Seq, bool)>,
    /// Why it was refused.
    refused: Option<Refusal>,
}

impl Names {
    /// A frame was taken from an instance.
    pub fn taken(&mut self, instance: u64, ticket: Cseq, frame: Option<Cseq>) {
        if self.known.len() == KNOWN {
            self.known.pop_front();
        }
        self.known.push_back(Name { instance, ticket, frame, commit: None, refused: None });
    }

    /// It became a commit, of the branch or of the session.
    pub fn committed(&mut self, instance: u64, ticket: Cseq, seq: Seq, branch: bool) {
        if self.of(instance, ticket).is_none() {
            self.taken(instance, ticket, None);
        }
        let known = self.known.iter_mut().rev();
        if let Some(name) = known.into_iter().find(|name| (name.instance, name.ticket) == (instance, ticket))
        {
            name.commit = Some((seq, branch));
        }
    }

    /// It was refused.
    pub fn refused(&mut self, instance: u64, ticket: Cseq, reason: &Refusal) {
        if self.of(instance, ticket).is_none() {
            self.taken(instance, ticket, None);
        }
        let known = self.known.iter_mut().rev();
        if let Some(name) = known.into_iter().find(|name| (name.instance, name.ticket) == (instance, ticket))
        {
            name.refused = Some(reason.clone());
        }
    }

    /// What became of an instance's frames, as far as it is remembered: on the branch, or in the
    /// session.
    pub fn answers(&self, instance: u64, branch: bool) -> Vec<(Cseq, Answer)> {
        let answer = |name: &Name| match (&name.refused, name.commit) {
            (Some(reason), _) => Some(Answer::Refused(reason.clone())),
            (None, Some((seq, of_branch))) if of_branch == branch => Some(Answer::Committed(seq)),
            _ => None,
        };
        let own = self.known.iter().filter(|name| name.instance == instance);
        own.filter_map(|name| Some((name.ticket, answer(name)?))).collect()
    }

    /// The hub numbers a frame anew.
    pub fn renumbered(&mut self, instance: u64, ticket: Cseq, frame: Cseq) {
        let known = self.known.iter_mut().rev();
        if let Some(name) = known.into_iter().find(|name| (name.instance, name.ticket) == (instance, ticket))
        {
            name.frame = Some(frame);
        }
    }

    fn of(&self, instance: u64, ticket: Cseq) -> Option<&Name> {
        self.known.iter().rev().find(|name| (name.instance, name.ticket) == (instance, ticket))
    }

    /// An instance's ops as the branch knows the writes they undo.
    pub fn for_branch(&self, instance: u64, ops: &mut [StampedOp]) {
        let new = |written: Written| match written {
            Written::Frame(ticket) => {
                // One that nobody remembers is nobody's write.
                let commit = self.of(instance, ticket).and_then(|name| name.commit);
                Some(Written::Commit(commit.map_or(Seq(0), |(seq, _)| seq)))
            }
            Written::Commit(_) | Written::Unseen(_) => None,
        };
        ops.iter_mut().for_each(|op| op.name_write(new));
    }

    /// The same for the server.
    pub fn for_server(&self, instance: u64, ops: &mut [StampedOp]) {
        let name = |name: &Name| match (name.commit, name.frame) {
            // The instance did not see it land when it made this, or saw it on the branch.
            (Some((seq, false)), _) => Written::Unseen(seq),
            (_, Some(frame)) => Written::Frame(frame),
            _ => Written::Commit(Seq(0)),
        };
        let new = |written: Written| match written {
            Written::Frame(ticket) => Some(self.of(instance, ticket).map_or(Written::Commit(Seq(0)), name)),
            Written::Commit(seq) | Written::Unseen(seq) => {
                let made = self.known.iter().rev().find(|name| name.commit == Some((seq, true)));
                made.map(name)
            }
        };
        ops.iter_mut().for_each(|op| op.name_write(new));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::Edit;
    use crate::session::{Op, Revert};

    fn undo(written: Written) -> Vec<StampedOp> {
        vec![StampedOp { op: Op::Revert(Revert { edit: Edit::Seed(1), written, force: false }), at: None }]
    }

    fn written(ops: &[StampedOp]) -> Written {
        match &ops[0].op {
            Op::Revert(revert) => revert.written,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_side_hears_the_name_it_knows() {
        let mut names = Names::default();
        names.taken(7, Cseq(3), Some(Cseq(41)));
        let mut ops = undo(Written::Frame(Cseq(3)));
        names.for_server(7, &mut ops);
        assert_eq!(written(&ops), Written::Frame(Cseq(41)));
        names.committed(7, Cseq(3), Seq(105), true);
        for (said, server) in [
            (Written::Frame(Cseq(3)), Written::Frame(Cseq(41))),
            (Written::Commit(Seq(105)), Written::Frame(Cseq(41))),
            (Written::Commit(Seq(90)), Written::Commit(Seq(90))),
            (Written::Frame(Cseq(99)), Written::Commit(Seq(0))),
        ] {
            let mut ops = undo(said);
            names.for_server(7, &mut ops);
            assert_eq!(written(&ops), server, "{said:?}");
        }
        let mut ops = undo(Written::Frame(Cseq(3)));
        names.for_branch(7, &mut ops);
        assert_eq!(written(&ops), Written::Commit(Seq(105)));
        names.committed(7, Cseq(3), Seq(200), false);
        let mut ops = undo(Written::Frame(Cseq(3)));
        names.for_server(7, &mut ops);
        assert_eq!(written(&ops), Written::Unseen(Seq(200)));
    }
}
