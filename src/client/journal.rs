//! The journal of one groove: what this machine would lose if it died now.
//!
//! A file of records in the profile folder: `ANTJ`, the format's version, the wire's version, then
//! records of a head (mark, length, checksum of both, checksum of the body) and a postcard body.
//! Records are only ever appended; what has become superfluous goes when the whole file is written
//! anew beside the old one and takes its name. [`decode`] is pure and takes hostile bytes: a tail
//! that was being written when the machine died is passed over, a damaged record in the middle is
//! told and what stands behind it is found again by its mark.
//!
//! Thread: whoever owns the [`Journal`]; the disk is made to keep what was written by a thread of
//! its own ([`Flusher`]), at most 250 ms later.

mod file;
mod flusher;
mod held;

pub use self::file::{Journal, JournalError, Opened, set_aside};
pub use self::flusher::Flusher;
pub use self::held::{Held, Instance, Waiting};

use serde::{Deserialize, Serialize};
use thiserror::Error;
use xxhash_rust::xxh3::xxh3_64;

use crate::session::{ClientId, Commit, Cseq, MAX_SNAPSHOT, Role, Seq, StampedOp};
use crate::wire::VERSION as WIRE_VERSION;

const MAGIC: [u8; 4] = *b"ANTJ";
/// The format that is written.
pub const JOURNAL_VERSION: u16 = 1;
/// Bytes before the first record.
const HEAD: usize = MAGIC.len() + 4;
/// Begins each record.
const MARK: [u8; 4] = [0xA7, 0x4A, 0x52, 0x0A];
/// Mark, length, checksum of both, checksum of the body.
const RECORD_HEAD: usize = MARK.len() + 4 + 4 + 8;
/// The most bytes of a record's body: a whole state and what stands around it.
pub const MAX_RECORD: usize = MAX_SNAPSHOT + 4096;
/// The most bytes of a journal that is read at all.
pub const MAX_JOURNAL: usize = 16 << 20;
/// The most records that are read.
const MAX_RECORDS: usize = 1 << 20;

/// One fact, in the order in which it became one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Record {
    /// What the journal is of: a session's link without its secret, or a groove played alone.
    Of(String),
    /// Who this machine is in the session, and the number of its next frame.
    Me {
        /// The participant.
        client: ClientId,
        /// What it may do.
        role: Role,
        /// The next frame's number.
        next: Cseq,
    },
    /// The session's confirmed state, encoded.
    Confirmed(Vec<u8>),
    /// The session's next commit.
    Commit(Commit),
    /// A frame of this machine's, before it is sent.
    Taken {
        /// Its number.
        cseq: Cseq,
        /// The last commit it had seen.
        base: Seq,
        /// What it changes.
        ops: Vec<StampedOp>,
        /// The instance that made it; 0 for none.
        instance: u64,
        /// The instance's own number for it.
        ticket: Cseq,
    },
    /// The session has answered a frame.
    Answered(Cseq),
    /// From here on the machine decides for itself, on a branch of the confirmed state.
    Forked,
    /// The branch's state, encoded.
    Branch(Vec<u8>),
    /// The branch's next commit.
    Kept {
        /// The commit.
        commit: Commit,
        /// The frame of this machine's that it came from, where there is one.
        frame: Option<Cseq>,
        /// The instance that made it; 0 for none.
        instance: u64,
        /// The instance's own number for it.
        ticket: Cseq,
    },
    /// The branch has grown beyond single frames: its state alone is what will be merged. Follows a
    /// branch's state in a journal written whole.
    Long,
    /// The branch is over: the session decides again.
    Home,
    /// How far an instance's frames have come.
    Instance {
        /// Which.
        instance: u64,
        /// The last that was taken.
        taken: Cseq,
        /// The last that was answered.
        answered: Cseq,
    },
}

/// Why bytes are no journal at all.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// The first bytes are not ours.
    #[error("these {0} bytes are no journal")]
    NotAJournal(usize),
    /// More than any journal has.
    #[error("a journal of {0} bytes is too large: at most {MAX_JOURNAL}")]
    TooLarge(usize),
    /// Written by another version.
    #[error("the journal is of format {0}.{1}, this version reads {JOURNAL_VERSION}.{WIRE_VERSION}")]
    Version(u16, u16),
}

/// What could be read of a journal.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Salvage {
    /// The records, in order.
    pub records: Vec<Record>,
    /// Bytes up to the end of the last whole record.
    pub whole: usize,
    /// Whether a record was cut off at the end: it was being written when the machine died.
    pub torn: bool,
    /// Where records were damaged: the first byte that could not be read, and what is wrong there.
    pub damaged: Vec<(usize, &'static str)>,
}

/// A new journal's first bytes.
pub fn head() -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&JOURNAL_VERSION.to_le_bytes());
    bytes.extend_from_slice(&WIRE_VERSION.to_le_bytes());
    bytes
}

/// Appends a record as bytes.
///
/// # Errors
/// It is larger than [`MAX_RECORD`].
pub fn encode(record: &Record, bytes: &mut Vec<u8>) -> Result<(), JournalError> {
    let body = postcard::to_stdvec(record).map_err(JournalError::Record)?;
    if body.len() > MAX_RECORD {
        return Err(JournalError::TooLarge(body.len()));
    }
    let length = body.len() as u32;
    bytes.extend_from_slice(&MARK);
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&head_sum(length).to_le_bytes());
    bytes.extend_from_slice(&xxh3_64(&body).to_le_bytes());
    bytes.extend_from_slice(&body);
    Ok(())
}

/// Reads a journal's bytes. Never panics, and hashes at most a few times as many bytes as there are.
///
/// # Errors
/// The bytes are no journal of this version.
pub fn decode(bytes: &[u8]) -> Result<Salvage, DecodeError> {
    if bytes.len() > MAX_JOURNAL {
        return Err(DecodeError::TooLarge(bytes.len()));
    }
    if bytes.len() < HEAD || !bytes.starts_with(&MAGIC) {
        return Err(DecodeError::NotAJournal(bytes.len()));
    }
    let number = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
    let (version, wire) = (number(MAGIC.len()), number(MAGIC.len() + 2));
    if (version, wire) != (JOURNAL_VERSION, WIRE_VERSION) {
        return Err(DecodeError::Version(version, wire));
    }
    let mut salvage = Salvage { whole: HEAD, ..Salvage::default() };
    // What may be spent on looking for records behind damage: a hostile file is full of heads.
    let mut patience = 2 * bytes.len();
    let mut at = HEAD;
    while at < bytes.len() && salvage.records.len() < MAX_RECORDS {
        match read(&bytes[at..]) {
            Read::Record(record, size) => {
                salvage.records.push(*record);
                at += size;
                salvage.whole = at;
            }
            bad => {
                let next = find(bytes, at + 1, &mut patience);
                match (bad, next) {
                    // Nothing whole follows: the machine died while it wrote.
                    (Read::Cut, None) => salvage.torn = true,
                    (Read::Bad(_), None) if bytes[at..].iter().all(|byte| *byte == 0) => salvage.torn = true,
                    (Read::Bad(why), _) => salvage.damaged.push((at, why)),
                    _ => salvage.damaged.push((at, "its length runs over what follows")),
                }
                let Some(next) = next else { break };
                at = next;
            }
        }
    }
    Ok(salvage)
}

enum Read {
    Record(Box<Record>, usize),
    /// It goes on beyond the end.
    Cut,
    Bad(&'static str),
}

fn read(bytes: &[u8]) -> Read {
    let Some(head) = bytes.first_chunk::<RECORD_HEAD>() else {
        let short = bytes.len().min(MARK.len());
        return if bytes[..short] == MARK[..short] { Read::Cut } else { Read::Bad("no record begins here") };
    };
    if head[..4] != MARK {
        return Read::Bad("no record begins here");
    }
    let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
    if head[8..12] != head_sum(length).to_le_bytes() || length as usize > MAX_RECORD {
        return Read::Bad("the record's length is damaged");
    }
    let Some(body) = bytes[RECORD_HEAD..].get(..length as usize) else { return Read::Cut };
    if head[12..] != xxh3_64(body).to_le_bytes() {
        return Read::Bad("the record's checksum does not match");
    }
    match postcard::take_from_bytes::<Record>(body) {
        Ok((record, [])) => Read::Record(Box::new(record), RECORD_HEAD + body.len()),
        _ => Read::Bad("the record says nothing this version knows"),
    }
}

/// The next place from `from` on where a whole record stands.
fn find(bytes: &[u8], from: usize, patience: &mut usize) -> Option<usize> {
    let mut at = from;
    while at + RECORD_HEAD <= bytes.len() {
        let mark = bytes[at..].windows(MARK.len()).position(|window| window == MARK)?;
        at += mark;
        match read(&bytes[at..]) {
            Read::Record(..) => return Some(at),
            _ => {
                let length =
                    bytes[at..].get(4..8).map_or(0, |l| u32::from_le_bytes([l[0], l[1], l[2], l[3]]));
                *patience = patience.checked_sub(RECORD_HEAD + (length as usize).min(MAX_RECORD))?;
            }
        }
        at += 1;
    }
    None
}

fn head_sum(length: u32) -> u32 {
    let mut head = MARK.to_vec();
    head.extend_from_slice(&length.to_le_bytes());
    xxh3_64(&head) as u32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::pattern::Edit;
    use crate::session::Op;

    fn taken(cseq: u64) -> Record {
        let ops = vec![StampedOp { op: Op::Edit(Edit::Seed(cseq as u32)), at: None }];
        Record::Taken { cseq: Cseq(cseq), base: Seq(0), ops, instance: 7, ticket: Cseq(cseq) }
    }

    fn written(count: u64) -> (Vec<u8>, Vec<usize>) {
        let (mut bytes, mut ends) = (head(), Vec::new());
        for cseq in 1..=count {
            encode(&taken(cseq), &mut bytes).expect("small");
            ends.push(bytes.len());
        }
        (bytes, ends)
    }

    #[test]
    fn a_tail_cut_anywhere_costs_the_last_record_alone() {
        let (bytes, ends) = written(4);
        for cut in HEAD..=bytes.len() {
            let salvage = decode(&bytes[..cut]).expect("a journal");
            let whole = ends.iter().filter(|end| **end <= cut).count();
            assert_eq!(salvage.records.len(), whole, "cut at {cut}");
            assert!(salvage.damaged.is_empty(), "cut at {cut}: {:?}", salvage.damaged);
            assert_eq!(salvage.torn, cut != HEAD && !ends.contains(&cut), "cut at {cut}");
        }
    }

    #[test]
    fn damage_in_the_middle_is_told_and_costs_one_record() {
        let (bytes, ends) = written(4);
        for at in ends[0]..ends[1] {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x55;
            let salvage = decode(&damaged).expect("a journal");
            assert_eq!(salvage.records, [taken(1), taken(3), taken(4)], "byte {at}");
            assert_eq!(salvage.damaged.len(), 1, "byte {at}");
        }
    }

    #[test]
    fn a_file_full_of_heads_is_read_in_time() {
        let mut bytes = head();
        while bytes.len() < 4 << 20 {
            bytes.extend_from_slice(&MARK);
            bytes.extend_from_slice(&500_000u32.to_le_bytes());
            bytes.extend_from_slice(&head_sum(500_000).to_le_bytes());
        }
        assert!(decode(&bytes).expect("a journal").records.is_empty());
    }

    proptest! {
        #[test]
        fn hostile_bytes_are_never_a_panic(tail in proptest::collection::vec(any::<u8>(), 0..600), flip in 0usize..400) {
            let (mut bytes, _) = written(3);
            let at = flip % bytes.len();
            bytes[at] ^= tail.first().copied().unwrap_or(1);
            bytes.extend_from_slice(&tail);
            let _ = decode(&bytes);
            let _ = decode(&tail);
        }
    }
}
