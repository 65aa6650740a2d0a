//! The session's state: typed registers under a gapless sequence of committed ops.
//!
//! Thread: any. Reads no clock and draws no randomness; does no I/O. The same [`Sequencer`] runs in
//! the server and, without one, in the musician's own machine; every peer's [`Replica`] follows it
//! commit by commit. Invariant: states that took the same commits are equal, and so are their
//! digests.

mod branch;
mod chat;
mod conflict;
mod curve;
mod decide;
mod file;
mod header;
mod history;
mod leader;
mod locks;
mod merge;
mod op;
mod past;
mod permission;
mod replica;
mod rulings;
mod sequencer;
mod snapshot;
mod state;
mod stored;
mod tempo;
mod three_way;
mod tracks;
mod undo;
mod v1;

pub use branch::{
    Branch, BranchId, MAX_BRANCHES, MAX_TITLE, MAX_VERSIONS, Record, RecordError, Records, Version,
    check_title,
};
pub use chat::{Chat, ChatLine, MAX_CHAT, MAX_TEXT, Text, TextError};
pub use conflict::{
    Candidate, Conflict, ConflictKind, Conflicts, MAX_CANDIDATES, MAX_CARDS, MAX_CONFLICTS, MAX_DECIDED,
    Matter, Subject, Wanted,
};
pub use curve::{Curve, CurvePoint, MAX_CURVE};
pub use file::{FILE_VERSION, FileError, Line, MAX_FILE, SessionFile};
pub use header::MAX_HEADERS;
pub use history::{
    Detail, HistoryEntry, MAX_ENTRIES, PAGE_COMMITS, Page, RUN_MS, Row, SIGNIFICANT, What, page,
};
pub use leader::{HostPlace, Leader};
pub use locks::{LOCK_NANOS, Locks, MAX_LOCKS, Part};
pub use merge::{Contribution, MAX_HANDS, MAX_OVERLAPS, Overlap};
pub use op::{
    ClientId, Commit, Cseq, Drag, Lead, MAX_COMMIT, MAX_OPS, MAX_RAMP_BARS, NewTrack, Op, Refusal, Revert,
    Role, Seq, StampedOp, Timeline, Written, priority,
};
pub use past::Past;
pub use permission::{Area, Grant, MAX_GRANTS, Permissions};
pub use replica::{Answered, Catchup, Frame, Moved, Replica, Welcomed};
pub use rulings::Rulings;
pub use sequencer::{Answer, ClientRecord, Outcome, RECENT_ANSWERS, Sequencer};
pub use snapshot::{MAX_SNAPSHOT, SNAPSHOT_VERSION, SnapshotError};
pub use state::{
    ApplyError, Change, MAX_EXPANDED, MAX_TEMPO_SEGMENTS, MAX_TICK, MAX_WAITING, OpError, Stamp, State,
    Waiting,
};
pub use stored::{COMMIT_VERSION, read_edits};
pub use tempo::{MAX_REQUESTS, TempoAsked, TempoRequest, agreed};
pub use three_way::{
    LARGE_DIVERGENCE, Merge, MergeSummary, Merged, Outcome as MergeOutcome, Rules as MergeRules, Shares,
    Strategy, Value as MergeValue, default_strategy, importance, mean, three_way,
};
pub use undo::{Entry, How, MAX_STEPS_BACK, Step, StepId, UndoStack};
