//! The session's state: typed registers under a gapless sequence of committed ops.
//!
//! Thread: any. Reads no clock and draws no randomness; does no I/O. The same [`Sequencer`] runs in
//! the server and, without one, in the musician's own machine.

mod op;

pub use op::{ClientId, Commit, Cseq, Op, Refusal, Role, Seq, StampedOp, Timeline};
