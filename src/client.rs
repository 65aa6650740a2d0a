//! The machine's participant: a thread that holds the replica, speaks to the server and feeds the
//! engine.
//!
//! Thread: its own (tokio, one worker); [`Client`]'s calls are for any thread but the audio's. It
//! opens no socket until it is told to join.

mod link;
pub mod render;
mod view;

pub use link::{Link, LinkError};
pub use view::{AudioMatch, ClockStatus, Connection, Peer, View};

use std::path::PathBuf;
use std::sync::Arc;

use crossbeam::channel::{Receiver, Sender};

use crate::pattern::{Edit, Song};
use crate::rt::ports::SessionPorts;
use crate::time::{Beats, Tempo, TempoMap};

/// What a client starts from.
pub struct ClientConfig {
    /// The profile folder: identity and secrets.
    pub profile: PathBuf,
    /// What others read.
    pub name: String,
    /// A session to join at once.
    pub link: Option<Link>,
    /// The song of the project, or a new one.
    pub song: Song,
    /// Its tempo map.
    pub tempo_map: TempoMap,
}

/// What a person or script wants.
#[derive(Clone, Debug)]
pub enum Command {
    /// Change the song: one undo step, committed whole.
    Edit {
        /// The writes.
        edits: Vec<Edit>,
        /// When.
        when: When,
    },
    /// A parameter in somebody's hand: shown and sounding at once, made durable when the hand rests.
    Gesture(Edit),
    /// Ask for a tempo.
    Tempo(Tempo),
    /// Start the session's transport from a tick, on a bar soon enough for everybody.
    Start(Beats),
    /// Stop the session's transport.
    Stop,
    /// Join a session; its state replaces ours.
    Join(Link),
    /// Leave; the song stays here.
    Leave,
    /// Replace the song without making edits of it (a project was loaded); ignored while joined.
    Load(Box<Song>, TempoMap),
    /// Where the cursor is.
    Cursor(Option<(u8, u8)>),
    /// The track that live notes play.
    Focus(crate::param::TrackIndex),
    /// A line of chat.
    Chat(String),
}

/// When an edit takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// On arrival.
    Now,
    /// At the next bar of this machine's position (at once when stopped).
    NextBar,
    /// At a tick.
    At(Beats),
}

/// What happened, for scripts and tests; the channel holds 4096 and drops the oldest when full.
#[derive(Clone, Debug)]
pub enum Event {
    /// The connection changed.
    Connection(Connection),
    /// A commit confirmed ops of ours.
    Acked {
        /// Our frame.
        cseq: crate::session::Cseq,
        /// Its place.
        seq: crate::session::Seq,
    },
    /// A frame of ours was refused and rolled back.
    Refused {
        /// Our frame.
        cseq: crate::session::Cseq,
        /// Why.
        reason: String,
    },
    /// A commit (ours or another's) was applied.
    Applied(crate::session::Seq),
    /// The engine sounded a bar.
    Fingerprint(crate::rt::ports::BarFingerprint),
    /// The engine began a note.
    Onset {
        /// On which track.
        track: crate::param::TrackIndex,
        /// Its song position.
        tick: Beats,
        /// The device frame at which it sounds.
        frame: i64,
    },
    /// The session's transport changed.
    Timeline(crate::session::Timeline),
    /// A line of chat.
    Chat {
        /// Whose name.
        from: String,
        /// The line.
        text: String,
    },
    /// An error from the server.
    Error(String),
}

/// The machine's participant. Dropping it says goodbye and ends its thread.
pub struct Client {
    commands: Sender<Command>,
    events: Receiver<Event>,
    view: Arc<parking_lot::RwLock<Arc<View>>>,
}

impl Client {
    /// Starts the thread. *Thread: any but audio.*
    ///
    /// # Errors
    /// The profile folder cannot be made or read.
    pub fn spawn(config: ClientConfig, ports: SessionPorts) -> anyhow::Result<Client> {
        let _ = (config, ports);
        anyhow::bail!("the session's thread is not built yet")
    }

    /// Queues a command; never waits.
    pub fn send(&self, command: Command) {
        // The thread ends only with the client, so the channel is open.
        let _ = self.commands.send(command);
    }

    /// The session as it is now.
    pub fn view(&self) -> Arc<View> {
        self.view.read().clone()
    }

    /// What has happened since the last look.
    pub fn events(&self) -> &Receiver<Event> {
        &self.events
    }
}
