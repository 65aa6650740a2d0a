//! The session's last commits, kept at hand for those who come back: bounded in number and bytes.
//! What lies further back is read from the store.

use std::collections::VecDeque;

use super::{RECENT, RECENT_BYTES};
use crate::session::{Commit, Seq};

/// The last commits, in order and gapless.
#[derive(Default)]
pub(super) struct Recent {
    commits: VecDeque<(Commit, usize)>,
    bytes: usize,
}

impl Recent {
    /// Takes the next commit; the oldest make room for it.
    pub fn push(&mut self, commit: Commit) {
        let bytes = commit.encode().len();
        self.bytes += bytes;
        self.commits.push_back((commit, bytes));
        while self.commits.len() > RECENT || self.bytes > RECENT_BYTES {
            let Some((_, bytes)) = self.commits.pop_front() else { return };
            self.bytes -= bytes;
        }
    }

    /// The last `count`; `None` where not so many are kept.
    pub fn last(&self, count: usize) -> Option<Vec<Commit>> {
        let start = self.commits.len().checked_sub(count)?;
        Some(self.commits.range(start..).map(|(commit, _)| commit.clone()).collect())
    }

    /// A commit, if it is kept.
    pub fn find(&self, seq: Seq) -> Option<&Commit> {
        self.commits.iter().map(|(commit, _)| commit).find(|commit| commit.seq == seq)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{ClientId, Cseq, MAX_CHAT, MAX_TEXT, Op, StampedOp, Text};

    #[test]
    fn large_commits_push_the_oldest_out() {
        let mut recent = Recent::default();
        let line = Text::new("x".repeat(MAX_TEXT)).expect("a line");
        let op = StampedOp { op: Op::Said { client: ClientId(1), text: line }, at: None };
        let commit = |seq| Commit {
            seq: Seq(seq),
            author: ClientId(1),
            cseq: Cseq(seq),
            ops: vec![op.clone(); MAX_CHAT / 2],
        };
        for seq in 1..=200 {
            recent.push(commit(seq));
        }
        assert!(recent.bytes <= RECENT_BYTES && recent.commits.len() < 50);
        assert!(recent.find(Seq(1)).is_none() && recent.find(Seq(200)).is_some());
        assert_eq!(recent.last(2).expect("kept").iter().map(|c| c.seq.0).collect::<Vec<_>>(), [199, 200]);
        assert!(recent.last(200).is_none());
    }
}
