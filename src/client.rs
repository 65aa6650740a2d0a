//! The machine's participant: a thread that holds the replica, speaks to the server and feeds the
//! engine.
//!
//! Thread: its own (tokio, one worker); [`Client`]'s calls are for any thread but the audio's. It
//! opens no socket until it is told to join.

mod clock_socket;
mod code;
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

use crate::pattern::{Edit, Song};
use crate::rt::ports::SessionPorts;
use crate::session::{BranchId, ClientId, Detail, Page, Record, Seq};
use crate::time::{Beats, SessionNanos, Tempo, TempoMap};

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
    /// Rotate, fill or otherwise change a whole pattern, as it is when the session decides.
    Grid(crate::pattern::GridEdit),
    /// A new track of this name at the end, where there is room.
    AddTrack(crate::pattern::Name),
    /// A parameter in somebody's hand: shown and sounding at once, made durable when the hand rests.
    Gesture(Edit),
    /// Edits on arrival that are one undo step with others of the same `step`, as a drag over cells
    /// or a fader that pauses.
    Stroke {
        /// Any number that no other drag has.
        step: u64,
        /// The writes.
        edits: Vec<Edit>,
    },
    /// Undo, conflicts, strategies, permissions.
    Decide(decisions::Decision),
    /// Ask for a tempo.
    Tempo(Tempo),
    /// Ask for a gradual change of tempo from the next bar on.
    Ramp {
        /// The tempo at its end.
        tempo: Tempo,
        /// Over how many bars, 1 to [`crate::session::MAX_RAMP_BARS`].
        bars: u16,
    },
    /// How loud this machine's metronome is, 0 (off) to 1.
    Metronome(f32),
    /// Change this machine's own mix, which nobody else sees or hears.
    Mine(crate::rt::personal::PersonalEdit),
    /// Put another own mix in its place, as a project does that is loaded.
    MineAll(Box<personal::Personal>),
    /// What the musician's controllers move; kept in the profile folder.
    Control(ControlCommand),
    /// Forget what the own mix says of an owner; `None`: all of it.
    MineClear(Option<crate::param::Owner>),
    /// Start the session's transport from a tick, on a bar soon enough for everybody.
    Start(Beats),
    /// As [`Command::Start`], where the session stands still: so many bars later, in which every
    /// metronome counts in.
    CountIn {
        /// From where.
        tick: Beats,
        /// 1 to [`crate::wire::MAX_COUNT_IN`].
        bars: u8,
    },
    /// Stop the session's transport.
    Stop,
    /// Who decides over this machine's position; `None`: Follow in a session, Host without one.
    Mode(Option<crate::rt::ports::Mode>),
    /// Move the host's position by whole bars, so that it comes nearest to the session's: what modes
    /// Host and Lead then play by.
    Align,
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
    /// Take a sound file in and let a track play it; [`Event::Sampled`] tells.
    Sample {
        /// The track.
        track: crate::param::TrackIndex,
        /// The file: WAV, AIFF, FLAC, MP3 or Ogg Vorbis.
        path: PathBuf,
    },
    /// Something about the people.
    People(people::Wish),
    /// Something about branches, versions or the past.
    Line(LineCommand),
    /// Ask for the whole session as a file's bytes; without a session on a server.
    Export(Sender<Result<Vec<u8>, String>>),
    /// Sound later than the session's clock has it by so many ms, or earlier; kept in the profile
    /// folder. What a path longer one way than the other adds unseen.
    Trim(f64),
    /// A frame of this machine's device sounds so many ms after its turn, 0 to 500; kept in the
    /// profile folder. It is made up for, so that it sounds when the session's clock has it.
    DeviceLatency(f64),
    /// Make steps of what was played live in the last bar; [`Event::KeptNotes`] tells.
    Keep(live::Keep),
    /// Let what is played live here become steps as it is played, exactly on them (`true`) or with
    /// its timing; `None` ends that. [`Event::KeptNotes`] tells.
    Record(Option<bool>),
    /// Ask for the confirmed state's digest; [`Event::Digest`] answers.
    Digest,
    /// Ask for the view as the commands before this one left it.
    Look(Sender<Arc<View>>),
}

/// What a person or script wants of controllers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ControlCommand {
    /// The controller that moves next is to move this; `None`: none. [`Event::Mapped`] tells.
    Learn(Option<(crate::rt::controls::Target, crate::rt::controls::Takeover)>),
    /// A controller moves something.
    Map(crate::rt::controls::Mapping),
    /// A controller moves nothing.
    Forget(crate::rt::controls::Controller),
    /// No controller moves anything.
    ForgetAll,
}

/// What a person or script wants of branches, versions and the past. All of it works alone as well
/// as in a session whose server is there.
#[derive(Clone, Debug, PartialEq)]
pub enum LineCommand {
    /// Fork a branch; [`Event::Record`] tells its number.
    Fork {
        /// What it is called.
        name: String,
        /// From which line, after which commit; `None`: from where this machine is.
        at: Option<(BranchId, Seq)>,
    },
    /// Follow a branch here alone, or [`BranchId::MAIN`] again; [`Event::Line`] answers.
    Audition(BranchId),
    /// Bring a branch back into the session's own line; [`Event::Merged`] answers.
    Merge(BranchId),
    /// Drop a branch.
    Drop(BranchId),
    /// Give a point of history a name.
    Name {
        /// The name.
        name: String,
        /// On which line, after which commit; `None`: where this machine is.
        at: Option<(BranchId, Seq)>,
    },
    /// Forget a named version.
    Unname(String),
    /// Make the song what it was, by edits that can be undone; [`Event::Back`] answers.
    Restore {
        /// On which line.
        line: BranchId,
        /// After which commit.
        seq: Seq,
    },
    /// The same, to a named version.
    RestoreVersion(String),
    /// Who did what on the line that this machine follows; [`Event::History`] and the view answer.
    History {
        /// What lies before this commit; `None`: the latest.
        before: Option<Seq>,
        /// How much of it.
        detail: Detail,
        /// The most lines.
        limit: u16,
    },
    /// Begin with a session file's content, without a session on a server.
    Import(Vec<u8>),
}

/// When an edit takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// On arrival.
    Now,
    /// At the next bar of this machine's position that everybody can hear of in time (at once when
    /// stopped).
    NextBar,
    /// As [`When::NextBar`], at the next step: a sixteenth.
    NextStep,
    /// As [`When::NextBar`], at the next beat: a quarter note.
    NextBeat,
    /// As [`When::NextBar`], at the next bar line of every so many, counted from the song's beginning.
    NextBars(u16),
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
