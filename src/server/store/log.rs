//! A session's log and snapshots as bytes, whatever database holds them.

use std::collections::VecDeque;

use thiserror::Error;
use xxhash_rust::xxh3::xxh3_64;

use crate::server::metrics;
use crate::session::{Answer, ApplyError, ClientId, ClientRecord, Commit, Cseq, Seq, State};

/// The format of stored records: the first byte of each. Since 2 they hold what merges weigh by, since
/// 3 what was written over unseen. Commits carry their own.
const RECORD_VERSION: u8 = 3;

/// A session as the store has it.
#[derive(Clone, Debug)]
pub struct Recovered {
    /// The state after the last commit.
    pub state: State,
    /// What the sequencer remembers of each client.
    pub clients: Vec<(ClientId, ClientRecord)>,
}

/// A log that cannot be read.
#[derive(Debug, Error)]
pub enum LogError {
    /// A commit is missing.
    #[error("the log has commit {got} where {expected} should be; restore the store from a backup")]
    Gap {
        /// The next seq.
        expected: u64,
        /// What is there.
        got: u64,
    },
    /// A row does not parse.
    #[error("{what} is corrupt in the store; restore it from a backup")]
    Corrupt {
        /// Which row.
        what: String,
    },
    /// A commit does not apply.
    #[error("the log does not replay: {0}")]
    Replay(#[from] ApplyError),
}

pub(super) fn commit_bytes(commit: &Commit) -> Vec<u8> {
    commit.encode()
}

pub(super) fn record_bytes(record: &ClientRecord) -> Vec<u8> {
    versioned(RECORD_VERSION, record)
}

/// SQLite's integers are signed; the bits are what counts.
pub(super) fn checksum(bytes: &[u8]) -> i64 {
    xxh3_64(bytes) as i64
}

/// Rows `(seq, bytes)` as commits that follow `after` without a gap.
pub(super) fn gapless<'a>(
    after: Seq,
    rows: impl Iterator<Item = (Seq, &'a [u8])>,
) -> Result<Vec<Commit>, LogError> {
    (after.0 + 1..)
        .zip(rows)
        .map(|(expected, (seq, bytes))| {
            if seq.0 != expected {
                return Err(LogError::Gap { expected, got: seq.0 });
            }
            Commit::decode(bytes)
                .filter(|commit| commit.seq == seq)
                .ok_or_else(|| LogError::Corrupt { what: format!("commit {}", seq.0) })
        })
        .collect()
}

/// The first of `snapshots` (newest first) that is whole.
pub(super) fn newest_whole<'a>(
    session: &str,
    snapshots: impl Iterator<Item = (Seq, i64, &'a [u8])>,
) -> Option<(Seq, State)> {
    for (seq, sum, bytes) in snapshots {
        let fault = match State::decode(bytes) {
            _ if checksum(bytes) != sum => "its checksum does not match".to_owned(),
            Ok(state) if state.seq() == seq => return Some((seq, state)),
            Ok(state) => format!("it stands at commit {}", state.seq().0),
            Err(error) => error.to_string(),
        };
        metrics::snapshot_corrupt();
        tracing::error!(session, seq = seq.0, fault, "a snapshot is corrupt; an older layer serves");
    }
    None
}

pub(super) fn replay(state: &mut State, commits: &[Commit]) -> Result<(), LogError> {
    for commit in commits {
        state.apply(commit)?;
    }
    Ok(())
}

pub(super) fn records<'a>(
    rows: impl Iterator<Item = (ClientId, &'a [u8])>,
) -> Result<Vec<(ClientId, ClientRecord)>, LogError> {
    rows.map(|(client, bytes)| {
        let record =
            parsed(RECORD_VERSION, bytes).or_else(|| parsed_second(bytes)).or_else(|| parsed_first(bytes));
        let record =
            record.ok_or_else(|| LogError::Corrupt { what: format!("the record of client {}", client.0) });
        Ok((client, record?))
    })
    .collect()
}

fn versioned<T: serde::Serialize>(version: u8, value: &T) -> Vec<u8> {
    postcard::to_extend(value, vec![version]).expect("plain data goes into a growing buffer")
}

fn parsed<T: serde::de::DeserializeOwned>(expected: u8, bytes: &[u8]) -> Option<T> {
    let (version, body) = bytes.split_first()?;
    (*version == expected).then(|| postcard::from_bytes(body).ok()).flatten()
}

/// A record of the first format: the last frame answered, and the answers.
fn parsed_first(bytes: &[u8]) -> Option<ClientRecord> {
    let (last_cseq, recent) = parsed::<(Cseq, VecDeque<Answer>)>(1, bytes)?;
    Some(ClientRecord { last_cseq, recent, ..ClientRecord::default() })
}

/// A record of the second format: also the commits their author had seen, and its role.
fn parsed_second(bytes: &[u8]) -> Option<ClientRecord> {
    let (last_cseq, recent, bases, role) = parsed(2, bytes)?;
    Some(ClientRecord { last_cseq, recent, bases, role, ..ClientRecord::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_of_the_first_format_still_reads() {
        let recent = VecDeque::from([Answer::Committed(Seq(4))]);
        let old = versioned(1, &(Cseq(7), recent.clone()));
        let read = records([(ClientId(3), old.as_slice())].into_iter()).expect("it reads");
        assert_eq!(read, [(ClientId(3), ClientRecord { last_cseq: Cseq(7), recent, ..Default::default() })]);
        let second = ClientRecord { bases: VecDeque::from([Seq(3)]), ..read[0].1.clone() };
        let old = versioned(2, &(Cseq(7), &second.recent, &second.bases, second.role));
        let held = records([(ClientId(3), old.as_slice())].into_iter()).expect("it reads");
        assert_eq!(held, [(ClientId(3), second)]);
        let new = record_bytes(&read[0].1);
        assert_eq!(records([(ClientId(3), new.as_slice())].into_iter()).expect("it reads"), read);
    }
}
