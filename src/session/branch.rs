//! Branches: other lines of a session's history, forked from it at a commit.

use serde::{Deserialize, Serialize};

/// A line of history: 0 is the session's own, branches are numbered from 1 and never anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BranchId(pub u32);

impl BranchId {
    /// The session's own line.
    pub const MAIN: BranchId = BranchId(0);
}
