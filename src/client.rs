//! The machine's participant: a thread that holds the replica, speaks to the server and feeds the
//! engine.
//!
//! Thread: its own (tokio, one worker); [`Client`]'s calls are for any thread but the audio's. It
//! opens no socket until it is told to join.

mod clock_socket;
mod code;
mod command;
pub mod controls;
pub mod decisions;
pub mod events;
mod feed;
mod hands;
mod hub;
pub mod journal;
mod lines;
mod link;
#[cfg(feature = "picture")]
pub mod listen;
pub mod live;
mod midi_clock;
pub mod midi_file;
pub mod midi_out;
mod network;
mod observers;
mod ops_pace;
mod participant;
mod pass;
pub mod peer;
pub mod people;
pub mod personal;
pub mod presets;
mod priority;
mod profile;
mod reach;
pub mod recording;
pub mod render;
pub mod samples;
mod socket;
mod solo;
mod studio;
mod tap;
mod thread;
mod trim;
mod view;

pub use code::Code;
pub use command::{Command, ControlCommand, LineCommand, When};
pub use link::{Fingerprint, Link, LinkError};
pub use observers::{Observer, Path};
pub use profile::default_profile;
pub use reach::Reach;
pub use tap::Taps;
pub use view::{
    AudioMatch, ClockStatus, Connection, ControlsView, Difference, HistoryView, LinesView, MergeReport, Peer,
    TransportView, View,
};

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;

use crossbeam::channel::{Receiver, Sender};
use parking_lot::RwLock;
use tokio::sync::Notify;

use self::events::Events;
use self::observers::Observers;
use self::participant::Participant;
use self::profile::Profile;

/// Host time.
pub use crate::time::RawClock as HostClock;

use crate::pattern::Song;
use crate::rt::ports::SessionPorts;
use crate::session::{BranchId, ClientId, Page, Record, Seq};
use crate::time::{Beats, SessionNanos, TempoMap};

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
    /// How servers may be reached.
    pub reach: Reach,
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
    /// Without a server: the journal and this machine's own branch hold a frame of ours.
    Kept {
        /// This instance's own number for it.
        ticket: crate::session::Cseq,
    },
    /// Back in the session: what was edited apart is one with what the session has become.
    Merged(MergeReport),
    /// The instance that held this machine's connection is gone: this one holds it now.
    TookOver,
    /// A file of the profile could not be read: it was set aside, and the next layer serves.
    SetAside(String),
    /// Edits of an instance that died were taken from its journal.
    Restored {
        /// How many commits.
        commits: usize,
    },
    /// A frame of ours was refused and rolled back.
    Refused {
        /// Our frame.
        cseq: crate::session::Cseq,
        /// Why.
        reason: String,
    },
    /// Concurrent writes were decided: a card, new or grown.
    Conflict {
        /// The card.
        card: Box<crate::session::Conflict>,
        /// What it is about, for a person.
        about: String,
        /// The candidates' names, in the card's order.
        names: Vec<String>,
    },
    /// A commit (ours or another's) was applied.
    Applied(crate::session::Seq),
    /// The engine sounded a bar.
    Fingerprint(crate::rt::ports::BarFingerprint),
    /// A bar of equal input sounds otherwise elsewhere.
    Differs {
        /// Which, where, and by which bar it is to be healed, once that is known.
        difference: Difference,
        /// The tracks' names.
        parts: Vec<String>,
    },
    /// What differed is equal again.
    Healed {
        /// What it was.
        difference: Difference,
        /// The first bar that was compared since.
        bar: i32,
    },
    /// The engine began a note.
    Onset {
        /// On which track.
        track: crate::param::TrackIndex,
        /// Its song position.
        tick: Beats,
        /// The device frame at which it sounds.
        frame: i64,
        /// The session time of that frame; `None` while the clocks are not known.
        session: Option<SessionNanos>,
    },
    /// The confirmed state.
    Digest {
        /// The commit it stands at.
        seq: crate::session::Seq,
        /// Equal on all peers at the same commit.
        digest: u64,
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
    /// A branch or named version changed.
    Record {
        /// By which commit.
        seq: Seq,
        /// Whose.
        author: ClientId,
        /// How.
        record: Record,
    },
    /// This machine follows another line now.
    Line {
        /// The branch; `None`: the session's own.
        branch: Option<BranchId>,
        /// Its last commit.
        seq: Seq,
    },
    /// The song was made what it had been after a commit.
    Back {
        /// The commit.
        seq: Seq,
        /// How many registers that changed.
        registers: usize,
    },
    /// A page of history.
    History {
        /// Of which line.
        line: BranchId,
        /// The page.
        page: Page,
        /// What its authors are called.
        names: BTreeMap<ClientId, String>,
    },
    /// The shared clock: what befell it, and its figures; every 10 s where nothing did.
    Clock {
        /// In a word: `measured`, `stepped`, `woke`, `held-over`, `held-over-long`, `back`, `anchored`.
        what: &'static str,
        /// Its figures.
        status: ClockStatus,
        /// How far session time moved, in ns, where it did.
        jump_ns: Option<i64>,
    },
    /// An error from the server.
    Error(String),
    /// What this participant may do has changed.
    Role(crate::session::Role),
    /// An invite link or short code was made here.
    Given(people::Given),
    /// A short code was not exchanged: why.
    CodeRefused(String),
    /// The session's invites.
    Invites(Vec<crate::wire::InviteInfo>),
    /// An invite was revoked.
    Revoked(u32),
    /// Somebody holds a part, or lets go.
    Held {
        /// Whose name.
        from: String,
        /// The part, in words.
        what: String,
        /// Whether they hold it.
        held: bool,
    },
    /// Somebody changed what another has in hand.
    Touched {
        /// The part, in words.
        what: String,
        /// In whose hand it is.
        holder: String,
        /// Who changed it.
        by: String,
    },
    /// Somebody else plays a note live; it sounds here at `tick`, a bar after its player heard it.
    Played {
        /// Whose name.
        from: String,
        /// On which track.
        track: crate::param::TrackIndex,
        /// MIDI note.
        note: u8,
        /// 1 to 127; 0 is its end.
        velocity: u8,
        /// Where it sounds here; `None`: it came too late, or nothing plays here.
        tick: Option<Beats>,
    },
    /// A note was played live here.
    PlayedHere {
        /// On which track.
        track: crate::param::TrackIndex,
        /// MIDI note.
        note: u8,
        /// 0 to 1; 0 is its end.
        velocity: f32,
        /// The song position that was heard.
        tick: Beats,
    },
    /// A sound file was taken in for a track.
    Sampled {
        /// The track.
        track: crate::param::TrackIndex,
        /// The sample file it became.
        id: crate::pattern::FileId,
        /// What it is called.
        name: crate::pattern::Name,
    },
    /// A sample file that the song names is `here` or `missing`.
    Sample {
        /// Which.
        id: crate::pattern::FileId,
        /// What the song calls it.
        name: crate::pattern::Name,
        /// How it stands.
        standing: &'static str,
    },
    /// A controller moves something from now on.
    Mapped {
        /// Which, in words.
        controller: String,
        /// What, in words.
        target: String,
    },
    /// What was played live has become steps.
    KeptNotes {
        /// Notes that became steps.
        notes: usize,
        /// Notes for which their step had no place.
        left_out: usize,
    },
    /// Somebody has done nothing for a while, or does again.
    Away {
        /// Whose name.
        from: String,
        /// Whether they are away.
        away: bool,
    },
}

/// The machine's participant. Dropping it says goodbye and ends its thread.
pub struct Client {
    /// `None` only while it is dropped.
    commands: Option<Sender<Command>>,
    wake: Arc<Notify>,
    events: Receiver<Event>,
    view: Arc<RwLock<Arc<View>>>,
    observers: Arc<Observers>,
    thread: Option<JoinHandle<()>>,
    /// The machine's hub, where this process runs it: dropped last.
    _hub: hub::line::HubSlot,
}

impl Client {
    /// Starts the thread. The engine at the other end of the ports must have been built with the
    /// same song and tempo map. *Thread: any but audio.*
    ///
    /// # Errors
    /// The profile folder cannot be made or read, or the thread cannot be started.
    pub fn spawn(config: ClientConfig, ports: SessionPorts) -> anyhow::Result<Client> {
        let profile = Profile::open(&config.profile)?;
        let (log, events) = Events::new(profile.folder());
        let (commands, received) = crossbeam::channel::unbounded();
        let wake = Arc::new(Notify::new());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (participant, view, inbox) = Participant::new(config, ports, profile, log);
        let (observers, hub) = (participant.observers(), participant.hub());
        let woken = wake.clone();
        let thread = std::thread::Builder::new().name("antiphon-session".into()).spawn(move || {
            runtime.block_on(thread::run(participant, inbox, received, woken));
            // A name that is still being looked up must not hold up whoever drops the client.
            runtime.shutdown_background();
        })?;
        Ok(Client {
            commands: Some(commands),
            wake,
            events,
            view,
            observers,
            thread: Some(thread),
            _hub: hub,
        })
    }

    /// Queues a command; never waits.
    pub fn send(&self, command: Command) {
        if let Some(commands) = &self.commands {
            // The thread ends only with the client, so the channel is open.
            let _ = commands.send(command);
            self.wake.notify_one();
        }
    }

    /// The session as it is now.
    pub fn view(&self) -> Arc<View> {
        self.view.read().clone()
    }

    /// The session as it is, for whoever should end with this client.
    pub fn watch(&self) -> Watch {
        Watch(Arc::downgrade(&self.view))
    }

    /// The session as every command sent before leaves it: waits for the thread, so not for a
    /// thread that draws. *Thread: any but audio.*
    pub fn view_after_commands(&self) -> Arc<View> {
        let (answer, seen) = crossbeam::channel::bounded(1);
        self.send(Command::Look(answer));
        // A thread that has ended drops the question, and its last view stands.
        seen.recv().unwrap_or_else(|_| self.view())
    }

    /// An observer of one part of the session, which changes of other parts do not wake.
    pub fn observe(&self, path: Path) -> Observer {
        self.observers.observe(path)
    }

    /// What has happened since the last look.
    pub fn events(&self) -> &Receiver<Event> {
        &self.events
    }
}

/// A look at a client's session that does not hold the client.
#[derive(Clone)]
pub struct Watch(Weak<RwLock<Arc<View>>>);

impl Watch {
    /// The session as it is now; `None` once the client is dropped.
    pub fn view(&self) -> Option<Arc<View>> {
        self.0.upgrade().map(|view| view.read().clone())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        drop(self.commands.take());
        self.wake.notify_one();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the session's thread had panicked");
        }
    }
}
