//! What is asked and told about the session's lines of history: branches, the past, its states.

use serde::{Deserialize, Serialize};

use super::{Down, MAX_FRAME, Up, WireError};
use crate::session::{BranchId, ClientId, Commit, Cseq, Detail, MAX_SNAPSHOT, Page, Refusal, Seq, StampedOp};

/// The most bytes of a state in one frame.
const PART: usize = 48 * 1024;
/// Room left for what stands around commits in their frame.
const AROUND: usize = 64;

/// What a client asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum LineAsk {
    /// Follow a branch: its state comes, then its commits as they are made, until
    /// [`LineAsk::Leave`]. The session's own commits come all the while. One branch at a time.
    Enter(BranchId),
    /// Follow no branch any more.
    Leave,
    /// Edits of the branch that this client follows: counted and answered as [`Up::Ops`] are, with
    /// a count of the branch's own.
    Ops {
        /// Which branch.
        branch: BranchId,
        /// The client's count of its frames to this branch.
        cseq: Cseq,
        /// The branch's last commit the client had seen when it made them.
        base: Seq,
        /// What to change.
        ops: Vec<StampedOp>,
    },
    /// Who did what: a page of a line's history.
    History {
        /// Which line.
        line: BranchId,
        /// What lies before this commit; `None`: the latest.
        before: Option<Seq>,
        /// How much of it.
        detail: Detail,
        /// The most entries, at most [`crate::session::MAX_ENTRIES`].
        limit: u16,
    },
    /// A line's state after a commit.
    State {
        /// Which line.
        line: BranchId,
        /// After which commit of it.
        seq: Seq,
    },
}

/// What a client is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum LineNews {
    /// A part of a state, in order; the last one ends at `size`. [`Gather`] joins them.
    State {
        /// Which line.
        line: BranchId,
        /// After which commit.
        seq: Seq,
        /// The answer to [`LineAsk::Enter`]: the last frame of this client that the branch has
        /// answered. `None`: the answer to [`LineAsk::State`].
        acked: Option<Cseq>,
        /// Where these bytes lie in it.
        offset: u32,
        /// Bytes of all of it.
        size: u32,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// Commits of the branch that this client follows, in order.
    Commits {
        /// Which branch.
        branch: BranchId,
        /// The commits.
        commits: Vec<Commit>,
    },
    /// A frame of ops for a branch was refused.
    Nack {
        /// Which branch.
        branch: BranchId,
        /// Which frame.
        cseq: Cseq,
        /// Why.
        reason: Refusal,
    },
    /// A page of history.
    History {
        /// Of which line.
        line: BranchId,
        /// The lines of it.
        page: Page,
        /// What its authors are called.
        names: Vec<(ClientId, String)>,
    },
    /// What was asked for is not there.
    Missing {
        /// On which line.
        line: BranchId,
        /// After which commit; `None`: the line itself.
        seq: Option<Seq>,
        /// What, and what to do.
        reason: String,
    },
}

impl LineAsk {
    /// Whether it is stored: it then counts as an edit does.
    pub fn is_durable(&self) -> bool {
        matches!(self, LineAsk::Ops { .. })
    }
}

impl From<LineAsk> for Up {
    fn from(ask: LineAsk) -> Up {
        Up::Line(ask)
    }
}

impl LineNews {
    /// A state as frames, to be sent in order.
    pub fn state(line: BranchId, seq: Seq, acked: Option<Cseq>, state: &[u8]) -> Vec<Down> {
        let size = state.len() as u32;
        let parts = state.chunks(PART).enumerate();
        parts
            .map(|(nth, bytes)| {
                let offset = (nth * PART) as u32;
                Down::Line(LineNews::State { line, seq, acked, offset, size, bytes: bytes.to_vec() })
            })
            .collect()
    }

    /// Commits of a branch as frames.
    pub fn commits(branch: BranchId, commits: &[Commit]) -> Vec<Down> {
        let mut frames = Vec::new();
        let mut batch = Vec::new();
        let mut size = 0;
        for commit in commits {
            // One that cannot be written is met again where the frame is encoded.
            let more = postcard::to_stdvec(commit).map_or(0, |bytes| bytes.len());
            if size + more > MAX_FRAME - AROUND && !batch.is_empty() {
                frames.push(Down::Line(LineNews::Commits { branch, commits: std::mem::take(&mut batch) }));
                size = 0;
            }
            size += more;
            batch.push(commit.clone());
        }
        frames.push(Down::Line(LineNews::Commits { branch, commits: batch }));
        frames
    }
}

/// Joins the parts of a state.
#[derive(Debug, Default)]
pub struct Gather {
    bytes: Vec<u8>,
}

impl Gather {
    /// Takes a part; returns the whole when it is the last.
    ///
    /// # Errors
    /// A part out of turn, or a state larger than any; what has gathered is forgotten.
    pub fn take(&mut self, offset: u32, size: u32, bytes: &[u8]) -> Result<Option<Vec<u8>>, WireError> {
        if offset == 0 {
            self.bytes.clear();
        }
        let size = size as usize;
        let fits = size <= MAX_SNAPSHOT && self.bytes.len() == offset as usize;
        if !fits || self.bytes.len() + bytes.len() > size || bytes.is_empty() {
            self.bytes = Vec::new();
            return Err(WireError::Part);
        }
        self.bytes.extend_from_slice(bytes);
        Ok((self.bytes.len() == size).then(|| std::mem::take(&mut self.bytes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_of_any_size_comes_whole_and_out_of_turn_is_refused() {
        let state: Vec<u8> = (0..PART * 2 + 7).map(|n| n as u8).collect();
        let frames = LineNews::state(BranchId(3), Seq(9), Some(Cseq(4)), &state);
        assert_eq!(frames.len(), 3);
        let mut gather = Gather::default();
        let mut take = |frame: &Down| match frame {
            Down::Line(LineNews::State { offset, size, bytes, .. }) => gather.take(*offset, *size, bytes),
            other => panic!("{other:?}"),
        };
        assert_eq!(take(&frames[0]), Ok(None));
        assert_eq!(take(&frames[1]), Ok(None));
        assert_eq!(take(&frames[2]), Ok(Some(state)));
        assert_eq!(take(&frames[1]), Err(WireError::Part));
        let mut gather = Gather::default();
        assert_eq!(gather.take(0, u32::MAX, &[1]), Err(WireError::Part));
    }
}
