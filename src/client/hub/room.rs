//! A session as one machine is in it: its instances, its one connection and outbox, and while there
//! is no connection the machine's own branch.
//!
//! Thread: the hub's, one task a room. Invariants: a frame is in the journal before anybody but its
//! maker hears of it; while the server cannot be reached, and only then, there is a branch, and it
//! holds every frame that waits.

mod apart;
mod branch;
mod clock;
mod keeping;
mod lines;
mod members;
mod said;
mod undoing;
mod upstream;

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;

use self::apart::Apart;
use self::branch::Branch;
use self::members::Member;
use super::speech::{FromHub, Greeting, ToHub};
use super::term::Lease;
use crate::client::clock_socket::ClockOrder;
use crate::client::hands::Hands;
use crate::client::journal::{Flusher, Instance, Journal};
use crate::client::lines::LocalLines;
use crate::client::lines::kept::LinesFile;
use crate::client::network::{Inbox, Network};
use crate::client::ops_pace::OpsPace;
use crate::client::pass::Pass;
use crate::client::{Connection, HostClock, Link, Reach};
use crate::session::{ClientId, Cseq, Replica, Role, State};
use crate::time::{Clock, ClockEpoch, HostNanos, Probe, SharedClock};
use crate::wire::Participant;

/// Who the machine is to itself before a session has given it a number.
const SELF: ClientId = ClientId(1);
/// How often the room looks at what comes due, while something may.
const LOOK: Duration = Duration::from_millis(10);
/// How long a room that ends waits for its goodbye to leave.
const GOODBYE: Duration = Duration::from_millis(400);

/// To a room.
pub enum Message {
    /// An instance comes.
    Enter {
        /// Names its connection.
        seat: u64,
        /// Who it is.
        greeting: Greeting,
        /// What it is told.
        outbound: mpsc::Sender<FromHub>,
    },
    /// An instance says something.
    Said {
        /// Its connection.
        seat: u64,
        /// What.
        speech: ToHub,
    },
    /// An instance's connection is over.
    Leave {
        /// Which.
        seat: u64,
    },
    /// The hub ends.
    Stop,
}

/// What a room is opened with, beside its link.
pub struct Home<'a> {
    /// What names this machine to servers.
    pub key: [u8; 16],
    /// Where the journals are.
    pub folder: &'a Path,
    /// Makes the disk keep them.
    pub flusher: Arc<Flusher>,
    /// The right to run the hub.
    pub lease: Arc<Lease>,
}

/// A frame that the session has not answered, beside what the replica's outbox holds of it.
struct Meta {
    cseq: Cseq,
    instance: u64,
    ticket: Cseq,
    /// Whether the branch has taken it, and its instance knows.
    kept: bool,
    /// Whether it has ever left for the server.
    sent: bool,
}

/// A session as one machine is in it.
pub struct Room {
    link: Link,
    name: String,
    key: [u8; 16],
    lease: Arc<Lease>,
    /// Another process runs the hub: nothing here is told or sent any more.
    deposed: bool,
    /// What lets the machine in.
    pass: Pass,
    clock: HostClock,
    inbox: mpsc::Receiver<Message>,
    members: BTreeMap<u64, Member>,
    hands: u32,
    network: Network,
    events: Inbox,
    /// Confirmed state and what waits.
    replica: Replica,
    /// Beside the outbox, frame by frame.
    waiting: VecDeque<Meta>,
    instances: BTreeMap<u64, Instance>,
    /// Whether the session has ever welcomed this machine.
    known: bool,
    role: Role,
    epoch: u64,
    branch: Option<Branch>,
    journal: Option<Journal>,
    connection: Connection,
    people: Vec<Participant>,
    /// The session's clock.
    shared_clock: SharedClock,
    /// What instances that come later are told of it.
    clock_told: Option<ClockEpoch>,
    probes: VecDeque<Probe>,
    /// When each unanswered frame last left.
    sent: BTreeMap<Cseq, HostNanos>,
    resend_at: Option<HostNanos>,
    /// What the instances' hands do, on its way to the server at the published pace.
    gestures: Hands,
    pace: OpsPace,
    /// The state here is of no use: the next welcome must be whole.
    whole: bool,
    /// Whose bars the server is told.
    bars_of: Option<(u64, HostNanos)>,
    /// The instance that last did something: its presence is the machine's.
    leading: u64,
    /// This machine's side of a merge, on its way to a branch of its own.
    apart: Option<Apart>,
    /// By which names undos speak of writes.
    names: undoing::Names,
    unsaved: u64,
    /// Without a server: the lines of history of the machine's own.
    lines: Option<LocalLines>,
    /// Where they are kept.
    lines_file: Option<LinesFile>,
    /// The instance that follows a branch.
    auditor: Option<u64>,
    /// What is told to each instance that comes: files set aside, merges nobody saw.
    news: Vec<FromHub>,
    stopping: bool,
}

impl Room {
    /// Opens a room: from its journal, else from what the first instance brings.
    pub fn open(link: Link, greeting: &Greeting, home: Home<'_>, inbox: mpsc::Receiver<Message>) -> Room {
        let Home { key, folder, flusher, lease } = home;
        let (network, events) = Network::new(reach_of(greeting));
        let role = if link.is_local() { Role::Owner } else { Role::Editor };
        let mut room = Room {
            name: greeting.name.clone(),
            connection: if link.is_local() { Connection::Solo } else { Connection::Connecting },
            link,
            key,
            lease,
            deposed: false,
            pass: Pass::default(),
            clock: HostClock,
            inbox,
            members: BTreeMap::new(),
            hands: 0,
            network,
            events,
            replica: Replica::new(State::new()),
            waiting: VecDeque::new(),
            instances: BTreeMap::new(),
            known: false,
            role,
            epoch: 0,
            branch: None,
            journal: None,
            people: Vec::new(),
            shared_clock: SharedClock::new(),
            clock_told: None,
            probes: VecDeque::new(),
            sent: BTreeMap::new(),
            resend_at: None,
            gestures: Hands::default(),
            pace: OpsPace::default(),
            whole: false,
            bars_of: None,
            leading: 0,
            apart: None,
            names: undoing::Names::default(),
            unsaved: 0,
            lines: None,
            lines_file: None,
            auditor: None,
            news: Vec::new(),
            stopping: false,
        };
        room.hydrate(folder, greeting, flusher);
        room
    }

    /// Tells the first instance of files that were set aside.
    pub fn report(&mut self, faults: Vec<String>) {
        self.news.extend(faults.into_iter().map(FromHub::SetAside));
    }

    /// Runs until the last instance has gone.
    pub async fn run(mut self) {
        if self.is_deposed() {
            return;
        }
        if !self.link.is_local() {
            let hello = self.hello();
            self.network.join(self.link.clone(), &hello);
        }
        let mut entered = false;
        while !(self.stopping || entered && self.members.is_empty()) {
            let patience = self.patience();
            tokio::select! {
                message = self.inbox.recv() => match message {
                    Some(message) => {
                        entered |= matches!(message, Message::Enter { .. });
                        self.take(message);
                    }
                    None => break,
                },
                Some((number, event)) = self.events.events.recv() => self.socket(number, event),
                Some(word) = self.events.clock.recv() => self.clock_word(word),
                () = tokio::time::sleep(patience) => {}
            }
            self.tick();
        }
        self.end().await;
    }

    /// Sends what waits, as far as it may, and says goodbye. What is unanswered is in the journal.
    async fn end(mut self) {
        if self.is_deposed() {
            // The others have come to the new hub; a goodbye would be theirs to say.
            return;
        }
        self.tick();
        self.save_lines();
        let left = self.network.leave();
        // Whoever opens the room anew opens the journal.
        drop(self.journal.take());
        self.inbox.close();
        self.members.clear();
        if let Some(left) = left {
            let _ = timeout(GOODBYE, left.closed()).await;
        }
    }

    /// Whether another process runs the hub by now. Asked before anything is done, and again when
    /// something was written and is about to be told.
    fn is_deposed(&mut self) -> bool {
        self.deposed |= !self.lease.holds();
        self.stopping |= self.deposed;
        self.deposed
    }

    fn take(&mut self, message: Message) {
        if self.is_deposed() {
            return;
        }
        match message {
            Message::Enter { seat, greeting, outbound } => self.enter(seat, greeting, outbound),
            Message::Leave { seat } => self.leave(seat),
            Message::Stop => self.stopping = true,
            Message::Said { seat, speech } => match speech {
                ToHub::Up(up) => self.up(seat, up),
                ToHub::Burst => self.network.order_clock(ClockOrder::Burst),
                ToHub::Export => self.export(seat),
                ToHub::Heard => self.heard(seat),
                ToHub::Greeting(_) => {}
            },
        }
    }

    /// How long nothing can come due.
    fn patience(&self) -> Duration {
        if self.branch.is_some() || !self.waiting.is_empty() { LOOK } else { 10 * LOOK }
    }

    fn tick(&mut self) {
        if self.is_deposed() {
            return;
        }
        let now = self.clock.now();
        self.look_at_clock();
        self.speak(now);
        self.promote(now);
        self.tend_lines();
        self.tell_unsaved();
        self.leave_late();
        self.compact_if_long();
    }

    fn me(&self) -> ClientId {
        self.replica.client().unwrap_or(SELF)
    }
}

fn reach_of(greeting: &Greeting) -> Reach {
    Reach { insecure_plaintext: greeting.insecure_plaintext }
}
