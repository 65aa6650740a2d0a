//! A commit as the bytes that logs and journals keep: a version byte, then postcard.
//!
//! Commits of older versions are read, too, and come forward ([`super::v1`]); they are written in
//! the newest version only. A log may hold both, in order.

use super::{Commit, v1};
use crate::pattern::Edit;

/// The version [`Commit::encode`] writes.
pub const COMMIT_VERSION: u8 = 2;

impl Commit {
    /// The commit as bytes.
    pub fn encode(&self) -> Vec<u8> {
        postcard::to_extend(self, vec![COMMIT_VERSION]).expect("plain data goes into a growing buffer")
    }

    /// Reads what [`Commit::encode`] wrote, in this version or an older one; `None` where the bytes
    /// are no commit, or of a version that is not known here. What it says is checked when it is
    /// applied.
    pub fn decode(bytes: &[u8]) -> Option<Commit> {
        let (version, body) = bytes.split_first()?;
        match *version {
            1 => postcard::from_bytes::<v1::Commit>(body).ok().map(Commit::from),
            COMMIT_VERSION => postcard::from_bytes(body).ok(),
            _ => None,
        }
    }
}

/// Reads a list of edits as a version of Antiphon wrote it with postcard, and what follows it.
///
/// # Errors
/// The bytes are no list of edits, or the version is not known here.
pub fn read_edits(version: u8, bytes: &[u8]) -> postcard::Result<(Vec<Edit>, &[u8])> {
    match version {
        1 => {
            let (old, rest) = postcard::take_from_bytes::<Vec<v1::Edit>>(bytes)?;
            Ok((old.into_iter().map(Edit::from).collect(), rest))
        }
        COMMIT_VERSION => postcard::take_from_bytes(bytes),
        _ => Err(postcard::Error::DeserializeBadEncoding),
    }
}
