//! What is too large for one frame travels in several.

use super::{Down, MAX_FRAME, Snapshot, Welcome, WireError, encode_down};
use crate::session::{Commit, MAX_COMMIT, MAX_SNAPSHOT, Seq};

/// Room left for what stands around commits or a part in their frame.
const AROUND: usize = 64;
/// The most bytes of the commits in a welcome: more cost as much as the whole state, and answers
/// stand beside them.
const MAX_DELTA: usize = 40 * 1024;

// A commit of the largest size travels alone.
const _: () = assert!(MAX_COMMIT + AROUND <= MAX_FRAME);

impl Snapshot {
    /// The commits that a client lacks, if one frame holds them.
    pub fn delta(commits: Vec<Commit>) -> Option<Snapshot> {
        let fits = postcard::to_stdvec(&commits).is_ok_and(|bytes| bytes.len() <= MAX_DELTA);
        fits.then_some(Snapshot::Delta(commits))
    }
}

/// A server's frame as the bytes of one or more frames, to be sent in order with nothing between
/// them: commits and welcomes are split where they are too large for one.
///
/// # Errors
/// One commit alone, or a frame of another kind, is too large.
pub fn frames(frame: Down) -> Result<Vec<Vec<u8>>, WireError> {
    match encode_down(&frame) {
        Ok(bytes) => Ok(vec![bytes]),
        Err(WireError::TooLarge(size)) => match frame {
            Down::Commits(commits) => split_commits(commits),
            Down::Welcome(welcome) => split_welcome(welcome),
            _ => Err(WireError::TooLarge(size)),
        },
        Err(error) => Err(error),
    }
}

fn split_commits(commits: Vec<Commit>) -> Result<Vec<Vec<u8>>, WireError> {
    let mut encoded = Vec::new();
    let mut batch = Vec::new();
    let mut size = 0;
    for commit in commits {
        let more = postcard::to_stdvec(&commit).map_err(WireError::Malformed)?.len();
        if size + more > MAX_FRAME - AROUND && !batch.is_empty() {
            encoded.push(encode_down(&Down::Commits(std::mem::take(&mut batch)))?);
            size = 0;
        }
        size += more;
        batch.push(commit);
    }
    encoded.push(encode_down(&Down::Commits(batch))?);
    Ok(encoded)
}

fn split_welcome(welcome: Welcome) -> Result<Vec<Vec<u8>>, WireError> {
    let Welcome { client, role, clock_epoch, acked, answers, state } = welcome;
    let first =
        |state| encode_down(&Down::Welcome(Welcome { client, role, clock_epoch, acked, answers, state }));
    match state {
        // One frame cannot tell a joiner which of its own frames were refused unless it holds the
        // whole delta, so a longer one goes as the full state: see [`Snapshot::delta`].
        Snapshot::Delta(commits) => Err(WireError::TooLarge(
            commits.iter().filter_map(|c| postcard::to_stdvec(c).ok()).map(|bytes| bytes.len()).sum(),
        )),
        Snapshot::Full { seq, bytes } => {
            if bytes.len() > MAX_SNAPSHOT {
                return Err(WireError::TooLarge(bytes.len()));
            }
            let mut encoded = vec![first(Snapshot::Parts { seq, size: bytes.len() as u32 })?];
            for part in bytes.chunks(MAX_FRAME - AROUND) {
                encoded.push(encode_down(&Down::Part(part.to_vec()))?);
            }
            Ok(encoded)
        }
        parts @ Snapshot::Parts { .. } => Ok(vec![first(parts)?]),
    }
}

/// Joins on the client's side what [`frames`] split on the server's. One for each connection.
#[derive(Debug, Default)]
pub struct Assembly {
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    welcome: Welcome,
    seq: Seq,
    size: usize,
    bytes: Vec<u8>,
}

impl Assembly {
    /// Takes a decoded frame; returns it, or the welcome it completes, or `None` while parts are
    /// missing. No [`Down::Part`] and no [`Snapshot::Parts`] ever comes out.
    ///
    /// # Errors
    /// A part nobody announced, another frame before the last part, or too many bytes.
    pub fn push(&mut self, frame: Down) -> Result<Option<Down>, WireError> {
        match (self.open.take(), frame) {
            (None, Down::Welcome(welcome)) => match welcome.state {
                Snapshot::Parts { seq, size } => {
                    let size = size as usize;
                    if size > MAX_SNAPSHOT {
                        return Err(WireError::TooLarge(size));
                    }
                    self.open = Some(Open { welcome, seq, size, bytes: Vec::new() });
                    Ok(None)
                }
                _ => Ok(Some(Down::Welcome(welcome))),
            },
            (None, Down::Part(_)) | (Some(_), Down::Welcome(_)) => Err(WireError::Part),
            (None, frame) => Ok(Some(frame)),
            (Some(mut open), Down::Part(part)) => {
                open.bytes.extend_from_slice(&part);
                if part.is_empty() || open.bytes.len() > open.size {
                    return Err(WireError::Part);
                }
                if open.bytes.len() < open.size {
                    self.open = Some(open);
                    return Ok(None);
                }
                let state = Snapshot::Full { seq: open.seq, bytes: open.bytes };
                Ok(Some(Down::Welcome(Welcome { state, ..open.welcome })))
            }
            (Some(_), _) => Err(WireError::Part),
        }
    }
}
