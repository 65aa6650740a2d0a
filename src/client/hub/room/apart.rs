//! Far apart: where a merge had to drop much of what one side had made, this machine's side as it
//! was is kept as a branch beside it, so that nothing is out of reach.

use super::Room;
use crate::client::MergeReport;
use crate::client::hub::speech::FromHub;
use crate::pattern::Edit;
use crate::session::{BranchId, Commit, Cseq, MAX_OPS, Op, Record, Seq, StampedOp, State};
use crate::wire::{LineAsk, LineNews, Up};

/// A branch on its way. It is in no journal: a machine that dies meanwhile has merged all the same.
pub(super) struct Apart {
    edits: Vec<Edit>,
    at: Seq,
    name: String,
    branch: Option<BranchId>,
    report: MergeReport,
}

impl Room {
    /// Asks for a branch that forks where this machine was cut off.
    pub(super) fn keep_apart(&mut self, before: &State, mine: &State, report: MergeReport) {
        let shown: String = self.name.chars().filter(|letter| !letter.is_control()).take(32).collect();
        let (name, at) = (format!("{shown}, apart"), before.seq());
        let edits = mine.song().edits_since(before.song());
        let fork = Record::Fork { id: BranchId::MAIN, parent: BranchId::MAIN, at, name: name.clone() };
        self.apart = Some(Apart { edits, at, name, branch: None, report });
        self.make(vec![Op::Record(fork)]);
    }

    /// The session has numbered the branch: this machine's side goes there.
    pub(super) fn note_apart(&mut self, commit: &Commit) {
        let Some(apart) = &mut self.apart else { return };
        let numbered = commit.ops.iter().find_map(|op| match &op.op {
            Op::Record(Record::Fork { id, name, .. }) if *name == apart.name => Some(*id),
            _ => None,
        });
        if apart.branch.is_none() && numbered.is_some() {
            apart.branch = numbered;
            self.send_apart();
        }
    }

    /// Sends it, again after a loss: under the same numbers, so that it lands once.
    pub(super) fn send_apart(&mut self) {
        let Some((apart, branch)) = self.apart.as_ref().and_then(|apart| Some((apart, apart.branch?))) else {
            return;
        };
        self.network.send(&Up::Line(LineAsk::Enter(branch)));
        for (nth, edits) in apart.edits.chunks(MAX_OPS).enumerate() {
            let ops = edits.iter().map(|edit| StampedOp { op: Op::Edit(*edit), at: None }).collect();
            let (cseq, base) = (Cseq(nth as u64 + 1), apart.at);
            self.network.send(&Up::Line(LineAsk::Ops { branch, cseq, base, ops }));
        }
    }

    /// Whether a word about lines was about this one.
    pub(super) fn apart_news(&mut self, news: &LineNews) -> bool {
        let Some((apart, branch)) = self.apart.as_ref().and_then(|apart| Some((apart, apart.branch?))) else {
            return false;
        };
        let last = Cseq(apart.edits.len().div_ceil(MAX_OPS) as u64);
        let me = self.replica.client();
        match news {
            LineNews::State { line, acked: Some(acked), .. } if *line == branch && *acked < last => true,
            LineNews::State { line, acked: Some(_), .. } if *line == branch => {
                self.is_kept_apart(branch);
                true
            }
            LineNews::Commits { branch: of, commits } if *of == branch => {
                let is_last = |commit: &Commit| Some(commit.author) == me && commit.cseq == last;
                if commits.iter().any(is_last) {
                    self.is_kept_apart(branch);
                }
                true
            }
            LineNews::Nack { branch: of, reason, .. } if *of == branch => {
                let why = format!("your side could not be kept whole as branch {}: {reason}", branch.0);
                self.apart = None;
                self.network.send(&Up::Line(LineAsk::Leave));
                self.notice(why);
                true
            }
            _ => false,
        }
    }

    fn is_kept_apart(&mut self, branch: BranchId) {
        let Some(apart) = self.apart.take() else { return };
        self.network.send(&Up::Line(LineAsk::Leave));
        let line = format!("your side as it was is kept as branch {} \"{}\"", branch.0, apart.name);
        self.tell_all(&FromHub::Merged(MergeReport { branch: Some(branch.0), line, ..apart.report }));
    }
}
