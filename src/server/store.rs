//! What outlives the process: sessions, their logs, snapshots, participants and invites.
//!
//! Thread: any (async). Invariant: what [`Store::append`] returned `Ok` for survives `kill -9` and
//! power loss; a session's log is gapless from 1.

mod log;
mod sqlite;

pub use log::{LogError, Recovered};
pub(super) use sqlite::now_ms;
pub use sqlite::{Admission, AdmitError, Store, StoreError};
