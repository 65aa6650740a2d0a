//! What travels.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Ask, LineAsk, LineNews, News, VERSION};
use crate::param::Slot;
use crate::rt::ports::BarFingerprint;
pub use crate::session::Role;
use crate::session::{Answer, ClientId, Commit, Cseq, Lead, Refusal, Seq, StampedOp};
use crate::time::{Beats, ClockEpoch, Recollection, SessionNanos, Tempo};

/// From a client to its server. The variant's index is the frame's type byte.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Up {
    /// The first frame of a session socket.
    Hello(Hello),
    /// Edits: committed whole or not at all.
    Ops {
        /// The client's count of its frames.
        cseq: Cseq,
        /// The last commit the client had seen when it made them.
        base: Seq,
        /// What to change.
        ops: Vec<StampedOp>,
    },
    /// Parameters in somebody's hand: never stored, the latest value is what counts.
    Gesture(Vec<Gesture>),
    /// Where this participant is.
    Presence(PresenceState),
    /// Start the session's transport at a tick, on a bar far enough ahead for everybody; or stop it.
    Start {
        /// The song position to start from.
        tick: Beats,
    },
    /// Stop the session's transport.
    Stop,
    /// Bars as they sounded here, for comparison.
    Fingerprints(Vec<BarFingerprint>),
    /// A clock probe; on the clock socket only.
    Probe {
        /// The client's stamp, in its own ns; returned as it came.
        t1: i64,
    },
    /// A line of chat, at most 500 characters.
    Chat(String),
    /// Goodbye: the participant leaves.
    Leave,
    /// Something about the people here.
    People(Ask),
    /// On the clock socket: how the epoch before is remembered, once the burst is back, to a
    /// reference that has not settled.
    Recall(Recollection),
    /// Something about branches or the past.
    Line(LineAsk),
    /// As [`Up::Start`], where the session stands still: so many bars later, 1 to
    /// [`super::MAX_COUNT_IN`], in which everybody's metronome counts in.
    CountIn {
        /// The song position to start from.
        tick: Beats,
        /// The bars.
        bars: u8,
    },
    /// A leader's host plays, stands or goes on elsewhere or by another tempo: the session does as it
    /// does, at once. Its time lies within [`super::LEAD_REACH`] of the server's.
    Lead(Lead),
}

/// How a client introduces itself.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    /// [`super::VERSION`].
    pub version: u16,
    /// The engine's version: peers on different ones are told.
    pub engine_version: u32,
    /// Who this is, stable over reconnects: 128 random bits of the client's profile folder.
    pub client_key: [u8; 16],
    /// The invite's secret, or a token that the server gave for it.
    pub secret: String,
    /// What others read.
    pub name: String,
    /// The last commit this client holds; 0 for none. The server answers with a delta or a snapshot.
    pub last_seq: Seq,
    /// The first of its frames that it has no answer to: the welcome tells what became of them.
    pub unanswered: Cseq,
}

impl Hello {
    /// Whether this client speaks the server's version.
    pub fn is_current(&self) -> bool {
        self.version == VERSION
    }
}

/// Without the secret and the key, by which others could come in as this client: frames are logged.
impl fmt::Debug for Hello {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hello")
            .field("version", &self.version)
            .field("engine_version", &self.engine_version)
            .field("name", &self.name)
            .field("last_seq", &self.last_seq)
            .finish_non_exhaustive()
    }
}

/// A parameter in somebody's hand.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gesture {
    /// Which parameter.
    pub slot: Slot,
    /// Its value now.
    pub value: f32,
}

/// What a participant tells of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PresenceState {
    /// The cell under the cursor: track and step.
    pub cursor: Option<(u8, u8)>,
    /// The track it looks at.
    pub focus: Option<u8>,
    /// Whether its transport plays.
    pub playing: bool,
    /// Its host's tempo in µBPM.
    pub host_tempo: Option<Tempo>,
    /// Round trip to the server in µs.
    pub rtt_us: u32,
    /// Certified bound of its clock in µs.
    pub clock_bound_us: u32,
    /// Estimated bound of its clock in µs.
    pub clock_estimated_us: u32,
    /// By how many µs it sounds later than its clock has it.
    pub trim_us: i32,
    /// From a frame's turn at its device to its sound, in µs, which it makes up for.
    pub device_latency_us: u32,
}

/// From the server to a client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Down {
    /// The answer to [`Up::Hello`].
    Welcome(Welcome),
    /// Commits in order. One whose author is the receiver acknowledges its `cseq`.
    Commits(Vec<Commit>),
    /// A frame of ops was refused.
    Nack {
        /// Which.
        cseq: Cseq,
        /// Why.
        reason: Refusal,
    },
    /// Other people's gestures.
    Gestures {
        /// Whose.
        author: ClientId,
        /// The parameters.
        moves: Vec<Gesture>,
    },
    /// Who is here; the whole list, sent when it changes.
    Participants(Vec<Participant>),
    /// One participant's state.
    Presence {
        /// Whose.
        client: ClientId,
        /// The state.
        state: PresenceState,
    },
    /// The answer to [`Up::Probe`].
    Pong {
        /// As it came.
        t1: i64,
        /// Session time on arrival.
        t2: SessionNanos,
        /// Session time on departure.
        t3: SessionNanos,
    },
    /// The receiver's bar was compared with another's of equal input key: sent when the result for
    /// that pair changes, and otherwise every fourth bar.
    Compared {
        /// The bar.
        bar: i32,
        /// Tracks that differ, bit n for track n, bit 16 for the master; 0 when all are equal.
        differ: u32,
        /// Whose bar it was compared with.
        other: ClientId,
    },
    /// A line of chat.
    Chat {
        /// Whose.
        author: ClientId,
        /// The line.
        text: String,
    },
    /// Something the client did wrong; the socket closes if `fatal`.
    Error {
        /// Which rule.
        code: ErrorCode,
        /// What, where, and what to do.
        message: String,
        /// Whether the socket closes.
        fatal: bool,
    },
    /// The server is going down; come back in this many ms.
    Goaway {
        /// Milliseconds.
        retry_ms: u32,
    },
    /// The next bytes of a state that [`Snapshot::Parts`] announced.
    Part(Vec<u8>),
    /// Something about the people here.
    People(News),
    /// On the clock socket: by which clock the stamps of the pongs that follow count. First of all,
    /// and whenever that changes.
    Clock(ClockEpoch),
    /// Something about branches or the past.
    Line(LineNews),
    /// A bar of the receiver's and others of equal input key differ: all of them begin anew with the
    /// line of this bar, which heals what was no fault of the engine's own.
    Renew {
        /// The bar.
        bar: i32,
    },
}

/// The server's answer to a [`Hello`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Welcome {
    /// Who the client is in this session.
    pub client: ClientId,
    /// What it may do.
    pub role: Role,
    /// Names this session's clock as it is now; the clock socket tells how it goes on.
    pub clock_epoch: u64,
    /// The last `cseq` of this client that was committed or refused.
    pub acked: Cseq,
    /// The answers to its frames from [`Hello::unanswered`] to that one, at most
    /// [`super::MAX_ANSWERS`], the latest: with a delta those refused, for the commits tell the
    /// others; else all.
    pub answers: Vec<(Cseq, Answer)>,
    /// The state: commits since [`Hello::last_seq`], or everything.
    pub state: Snapshot,
}

/// The state as a joiner gets it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Snapshot {
    /// The commits the client lacks, in order.
    Delta(Vec<Commit>),
    /// Everything, as [`crate::session`] encodes it, at `seq`.
    Full {
        /// The commit it stands at.
        seq: Seq,
        /// The encoded state.
        bytes: Vec<u8>,
    },
    /// Everything, too large for one frame: `size` bytes follow in [`Down::Part`]s before any
    /// other frame. [`super::frames`] splits and [`super::Assembly`] joins; nobody else meets it.
    Parts {
        /// The commit it stands at.
        seq: Seq,
        /// Bytes of the encoded state, at most [`crate::session::MAX_SNAPSHOT`].
        size: u32,
    },
}

/// Somebody in the session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Participant {
    /// Who.
    pub client: ClientId,
    /// What others read.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Whether a socket of theirs is open.
    pub online: bool,
    /// Whether they have done nothing for a while.
    pub away: bool,
    /// What they last told.
    pub state: PresenceState,
}

/// What kind of rule a client broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ErrorCode {
    /// The protocol versions differ.
    Version,
    /// No such session.
    UnknownSession,
    /// The invite is wrong, spent or expired.
    Unauthorized,
    /// The bytes are no frame.
    Malformed,
    /// More than [`super::MAX_FRAME`] bytes.
    TooLarge,
    /// More messages a second than allowed.
    RateLimit,
    /// A frame that is not expected now.
    Unexpected,
    /// The session is full.
    Full,
    /// The server could not commit; send the frame again.
    Unavailable,
    /// The token's time is over: come again with the invite.
    Expired,
    /// An owner has sent this participant away.
    Kicked,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hello_keeps_its_secret_and_key_out_of_logs() {
        let hello = Hello {
            version: VERSION,
            engine_version: 1,
            client_key: [231; 16],
            secret: "hush".into(),
            name: "Ana".into(),
            last_seq: Seq(4),
            unanswered: Cseq(1),
        };
        let shown = format!("{:?}", Up::Hello(hello));
        assert!(shown.contains("Ana") && !shown.contains("hush") && !shown.contains("231"), "{shown}");
    }
}
