//! What instances and their hub say to each other: the wire's own frames, and what only neighbours
//! on one machine need. A length of four bytes, then postcard.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::client::{Connection, MergeReport};
use crate::session::{Cseq, MAX_SNAPSHOT, Seq, StampedOp};
use crate::time::{ClockEpoch, HostNanos, Probe, SessionNanos};
use crate::wire::{Down, Up};

/// Changes with [`ToHub`] and [`FromHub`], and with the wire's frames.
pub const SPEECH_VERSION: u16 = 6 + 256 * crate::wire::VERSION;
/// The most bytes of one speech: a whole state and what stands around it.
const MAX_SPEECH: usize = MAX_SNAPSHOT + 64 * 1024;

/// How an instance introduces itself.
#[derive(Clone, Serialize, Deserialize)]
pub struct Greeting {
    /// [`SPEECH_VERSION`].
    pub version: u16,
    /// Which instance: a random number of its own.
    pub instance: u64,
    /// The session's link, with its secret.
    pub link: String,
    /// Whether plain HTTP may leave this machine.
    pub insecure_plaintext: bool,
    /// What others read.
    pub name: String,
    /// The state it comes with: what serves where the hub has nothing better.
    pub state: Vec<u8>,
}

/// From an instance.
#[derive(Serialize, Deserialize)]
pub enum ToHub {
    /// The first.
    Greeting(Greeting),
    /// What a server would be told. Frames of ops carry the instance's own count.
    Up(Up),
    /// The whole session as a file, where the hub keeps it all itself.
    Export,
    /// A burst of clock probes, please.
    Burst,
    /// A welcome was heard: what follows speaks of the state it brought.
    Heard,
}

/// From the hub.
#[derive(Clone, Serialize, Deserialize)]
pub enum FromHub {
    /// What a server would tell. Commits of this machine carry the receiver's own count where they
    /// are its own, else 0.
    Down(Box<Down>),
    /// Another instance's frame that the session has not answered.
    Neighbour {
        /// The machine's number for it.
        cseq: Cseq,
        /// What it changes.
        ops: Vec<StampedOp>,
    },
    /// The session has answered it.
    Settled(Cseq),
    /// The session has committed a frame of the receiver's, under the machine's number.
    Acked {
        /// The machine's number.
        cseq: Cseq,
        /// Its place.
        seq: Seq,
    },
    /// The journal and the machine's own branch hold a frame of the receiver's.
    Kept(Cseq),
    /// The session has refused a frame that the branch had taken.
    Refused(String),
    /// The session has refused a frame of the receiver's.
    TakenBack {
        /// The machine's number.
        cseq: Cseq,
        /// Why.
        reason: String,
    },
    /// The next bytes of a session file.
    File {
        /// The bytes.
        bytes: Vec<u8>,
        /// Whether there are more.
        more: bool,
    },
    /// A clock probe came back.
    Probe(Stamps),
    /// How it stands with the server.
    Connection(Connection),
    /// Ops of this machine that the session has not confirmed.
    Unsaved(u64),
    /// What was done apart and what the session had become are one again.
    Merged(MergeReport),
    /// Something could not be read and was set aside.
    SetAside(String),
    /// Something a person should know.
    Notice(String),
    /// By which clock the stamps of the probes that follow count.
    Clock(ClockEpoch),
    /// Nothing; the hub lives.
    Alive,
}

/// A probe's four stamps.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub struct Stamps(i64, i64, i64, i64);

impl From<Probe> for Stamps {
    fn from(probe: Probe) -> Stamps {
        Stamps(probe.t1.0, probe.t2.0, probe.t3.0, probe.t4.0)
    }
}

impl From<Stamps> for Probe {
    fn from(Stamps(t1, t2, t3, t4): Stamps) -> Probe {
        Probe { t1: HostNanos(t1), t2: SessionNanos(t2), t3: SessionNanos(t3), t4: HostNanos(t4) }
    }
}

/// Hears one speech.
///
/// # Errors
/// The other side is gone, or said what nobody can have said.
pub async fn hear<T: DeserializeOwned>(reader: &mut (impl AsyncRead + Unpin)) -> std::io::Result<T> {
    let size = reader.read_u32_le().await? as usize;
    if size > MAX_SPEECH {
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, format!("{size} bytes at once")));
    }
    let mut bytes = vec![0; size];
    reader.read_exact(&mut bytes).await?;
    postcard::from_bytes(&bytes).map_err(|e| std::io::Error::new(std::io::ErrorKind::InvalidData, e))
}

/// Says one speech.
///
/// # Errors
/// The other side is gone.
pub async fn say(writer: &mut (impl AsyncWrite + Unpin), speech: &impl Serialize) -> std::io::Result<()> {
    // Room for the length, so that one write carries both.
    let mut bytes = postcard::to_extend(speech, vec![0; 4]).map_err(std::io::Error::other)?;
    let size = (bytes.len() - 4) as u32;
    bytes[..4].copy_from_slice(&size.to_le_bytes());
    writer.write_all(&bytes).await?;
    writer.flush().await
}
