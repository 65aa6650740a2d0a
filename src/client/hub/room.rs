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
use crate::pattern::Register;
use crate::session::{ClientId, Commit, Cseq, Frame, MAX_OPS, Refusal, Replica, Role, StampedOp, State};
use crate::time::{Clock, ClockEpoch, HostNanos, Probe, SharedClock};
use crate::wire::{Ask, Down, ErrorCode, LineAsk, News, Participant, Snapshot, Up, Welcome};

/// Who the machine is to itself before a session has given it a number.
const SELF: ClientId = ClientId(1);
/// How often the room looks at what comes due, while something may.
const LOOK: Duration = Duration::from_millis(10);
/// How long a room that ends waits for its goodbye to leave.
const GOODBYE: Duration = Duration::from_millis(400);
/// Clock probes kept for instances that come later.
const PROBES: usize = 64;
/// The numbers under which other instances' hands are told: no session gives such.
const NEIGHBOURS: u32 = u32::MAX - 0xFFFF;

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

struct Member {
    instance: u64,
    outbound: mpsc::Sender<FromHub>,
    /// What others are told that its hands are.
    hand: ClientId,
    /// The queue was full: it is let go, and comes back.
    late: bool,
    /// Welcomes that it has not heard yet: until then it may call tracks by places of another state.
    unheard: u32,
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
        let late: Vec<u64> = self.members.iter().filter(|(_, m)| m.late).map(|(seat, _)| *seat).collect();
        late.into_iter().for_each(|seat| self.leave(seat));
        self.compact_if_long();
    }

    fn enter(&mut self, seat: u64, greeting: Greeting, outbound: mpsc::Sender<FromHub>) {
        let instance = greeting.instance;
        // An instance has one line: an older one is dead.
        self.members.retain(|_, member| member.instance != instance);
        self.hands = (self.hands + 1) % 0xFFFF;
        let hand = ClientId(NEIGHBOURS + self.hands);
        self.members.insert(seat, Member { instance, outbound, hand, late: false, unheard: 0 });
        // A new instance counts on where the machine's own count is.
        let last = Cseq(self.replica.next_cseq().0 - 1);
        self.instances.entry(instance).or_insert(Instance { taken: last, answered: last });
        let allows = greeting.insecure_plaintext;
        if allows {
            self.network.set_reach(reach_of(&greeting));
        }
        if let Ok(link) = greeting.link.parse::<Link>() {
            self.another_way_in(link, allows);
        }
        self.welcome_member(seat);
        for news in std::mem::take(&mut self.news) {
            self.tell(seat, news);
        }
    }

    /// A link with another secret to a session that refused the one before, or another way there.
    fn another_way_in(&mut self, link: Link, allows: bool) {
        let refused = matches!(self.connection, Connection::Refused(_));
        if link.secret.is_empty() || !(refused || link.secret != self.link.secret) {
            return;
        }
        if link.secret != self.link.secret || allows {
            self.pass.forget();
        }
        self.link = link;
        if refused && !self.link.is_local() {
            let hello = self.hello();
            self.network.join(self.link.clone(), &hello);
            self.connect(Connection::Connecting);
        }
    }

    fn leave(&mut self, seat: u64) {
        let Some(gone) = self.members.remove(&seat) else { return };
        if self.auditor == Some(gone.instance) {
            self.auditor = None;
            self.send(&Up::Line(LineAsk::Leave));
        }
        if self.bars_of.is_some_and(|(instance, _)| instance == gone.instance) {
            self.bars_of = None;
        }
    }

    /// Tells an instance everything.
    fn welcome_member(&mut self, seat: u64) {
        let Some(member) = self.members.get_mut(&seat) else { return };
        member.unheard += 1;
        let instance = member.instance;
        let state = match &self.branch {
            Some(branch) => branch.state(),
            None => self.replica.confirmed(),
        };
        let answered = self.instances.get(&instance).map_or(Cseq(0), |known| known.answered);
        let welcome = Welcome {
            client: self.me(),
            role: self.role,
            clock_epoch: self.clock_epoch(),
            acked: answered,
            answers: self.names.answers(instance, self.branch.is_some()),
            state: Snapshot::Full { seq: state.seq(), bytes: state.encode() },
        };
        self.tell(seat, FromHub::Down(Box::new(Down::Welcome(welcome))));
        if self.branch.is_none() {
            let frames = self.waiting.iter().zip(self.replica.outbox());
            let others = frames.filter(|(meta, _)| meta.kept || meta.instance != instance);
            let others: Vec<_> = others.map(|(meta, (_, _, ops))| (meta.cseq, ops.to_vec())).collect();
            for (cseq, ops) in others {
                self.tell(seat, FromHub::Neighbour { cseq, ops });
            }
        }
        self.tell(seat, FromHub::Connection(self.connection.clone()));
        self.tell(seat, FromHub::Unsaved(self.unsaved));
        if !self.people.is_empty() {
            self.tell(seat, FromHub::Down(Box::new(Down::Participants(self.people.clone()))));
        }
        if let Some(told) = self.clock_told {
            self.tell(seat, FromHub::Clock(told));
        }
        // A step since the last look would make them untrue.
        self.look_at_clock();
        for probe in self.probes.clone() {
            self.tell(seat, FromHub::Probe(probe.into()));
        }
    }

    fn heard(&mut self, seat: u64) {
        if let Some(member) = self.members.get_mut(&seat) {
            member.unheard = member.unheard.saturating_sub(1);
        }
    }

    fn welcome_all(&mut self) {
        for seat in self.members.keys().copied().collect::<Vec<_>>() {
            self.welcome_member(seat);
        }
    }

    fn tell(&mut self, seat: u64, speech: FromHub) {
        if self.deposed {
            return;
        }
        if let Some(member) = self.members.get_mut(&seat)
            && member.outbound.try_send(speech).is_err()
        {
            member.late = true;
        }
    }

    fn tell_all(&mut self, speech: &FromHub) {
        for seat in self.members.keys().copied().collect::<Vec<_>>() {
            self.tell(seat, speech.clone());
        }
    }

    fn tell_instance(&mut self, instance: u64, speech: FromHub) {
        let seat = self.members.iter().find(|(_, member)| member.instance == instance).map(|(seat, _)| *seat);
        if let Some(seat) = seat {
            self.tell(seat, speech);
        }
    }

    fn tell_others(&mut self, instance: u64, speech: &FromHub) {
        let others = self.members.iter().filter(|(_, member)| member.instance != instance);
        for seat in others.map(|(seat, _)| *seat).collect::<Vec<_>>() {
            self.tell(seat, speech.clone());
        }
    }

    /// What an instance would tell a server.
    fn up(&mut self, seat: u64, up: Up) {
        let Some(member) = self.members.get(&seat) else { return };
        let (instance, hand) = (member.instance, member.hand);
        if member.unheard > 0 && matches!(up, Up::Ops { .. } | Up::Gesture(_)) {
            // It says again what was not answered, as the state that it has by then calls it.
            return;
        }
        match up {
            Up::Ops { cseq, ops, .. } => self.ops(seat, instance, cseq, ops),
            Up::Gesture(moves) => {
                self.leading = instance;
                let now = self.clock.now();
                moves.iter().for_each(|one| self.gestures.moved(one.slot, one.value, now));
                let told = Down::Gestures { author: hand, moves };
                self.tell_others(instance, &FromHub::Down(Box::new(told)));
            }
            Up::Fingerprints(bars) => {
                // All instances sound the same bars: the server needs them once.
                let now = self.clock.now();
                let silent = |at: HostNanos| now - at > 10_000_000_000;
                if self.bars_of.is_none_or(|(of, at)| of == instance || silent(at)) {
                    self.bars_of = Some((instance, now));
                    self.send(&Up::Fingerprints(bars));
                }
            }
            Up::Start { tick } if self.branch.is_some() => self.start(tick, 0),
            Up::CountIn { tick, bars } if self.branch.is_some() => self.start(tick, bars),
            Up::Stop if self.branch.is_some() => self.stop(),
            Up::Lead(lead) if self.branch.is_some() => self.lead(lead),
            Up::Hello(_) | Up::Probe { .. } | Up::Leave => {}
            Up::Presence(state) => {
                let instances = self.members.values().map(|member| member.instance);
                let leads = !instances.into_iter().any(|instance| instance == self.leading);
                if leads || self.leading == instance {
                    self.leading = instance;
                    self.send(&Up::Presence(state));
                }
            }
            Up::Line(ask) if self.lines.is_some() || self.connection == Connection::Online => {
                self.line_ask(seat, instance, ask);
            }
            Up::People(Ask::Notes(notes)) => {
                let told = News::Notes { author: hand, notes: notes.clone() };
                self.tell_others(instance, &FromHub::Down(Box::new(Down::People(told))));
                self.send(&Up::People(Ask::Notes(notes)));
            }
            other if self.connection == Connection::Online => self.network.send(&other),
            _ => {
                let message = "there is no connection to the session; edits wait for it, this does not";
                let code = ErrorCode::Unexpected;
                let error = Down::Error { code, message: message.to_owned(), fatal: false };
                self.tell(seat, FromHub::Down(Box::new(error)));
            }
        }
    }

    /// Tells the server what is worth telling while it listens.
    fn send(&self, up: &Up) {
        if self.connection == Connection::Online {
            self.network.send(up);
        }
    }

    /// A frame of ops from an instance: journaled, numbered, shown to the others, sent.
    fn ops(&mut self, seat: u64, instance: u64, ticket: Cseq, ops: Vec<StampedOp>) {
        let known = self.instances.entry(instance).or_default();
        if ticket <= known.taken {
            // Sent again: it is on its way, or was answered with the welcome.
            return;
        }
        let expected = known.taken.0 + 1;
        if ticket.0 != expected {
            let reason = Refusal::Gap { expected, got: ticket.0 };
            return self.tell(seat, nack(ticket, reason));
        }
        known.taken = ticket;
        self.leading = instance;
        for op in &ops {
            if let Some(Register::Param(slot)) = op.register() {
                // The hand has come to rest.
                self.gestures.release(slot);
            }
        }
        let long = self.branch.as_ref().is_some_and(|branch| branch.long);
        if long && (self.link.is_local() || !ops.iter().any(branch::is_a_word)) {
            return self.keep(None, instance, ticket, ops);
        }
        if !Frame::holds(&ops) {
            return self.refuse(instance, ticket, Refusal::TooMany(MAX_OPS as u32));
        }
        let mut upward = ops.clone();
        self.names.for_server(instance, &mut upward);
        if let Some(branch) = &self.branch {
            // The branch has given new tracks their places; the session may give them others.
            self.replica.name_new_tracks(branch.state().song(), &mut upward);
        }
        match self.replica.edit(upward.clone()) {
            Err(refusal) => self.refuse(instance, ticket, refusal),
            Ok((cseq, _)) => {
                self.waiting.push_back(Meta { cseq, instance, ticket, kept: false, sent: false });
                self.names.taken(instance, ticket, Some(cseq));
                self.keep_taken(cseq, instance, ticket, &upward);
                if self.branch.is_some() {
                    self.keep(Some(cseq), instance, ticket, ops);
                    self.grow_long();
                } else {
                    self.tell_others(instance, &FromHub::Neighbour { cseq, ops });
                }
            }
        }
    }

    /// Takes an instance's frame for answered with a refusal.
    fn refuse(&mut self, instance: u64, ticket: Cseq, reason: Refusal) {
        self.answered(instance, ticket);
        self.keep_instance(instance);
        self.names.refused(instance, ticket, &reason);
        self.tell_instance(instance, nack(ticket, reason));
    }

    fn answered(&mut self, instance: u64, ticket: Cseq) {
        let known = self.instances.entry(instance).or_default();
        known.answered = known.answered.max(ticket);
    }

    /// A commit for everybody: whose it is knows it by its own count.
    fn tell_commit(&mut self, commit: &Commit, instance: u64, ticket: Cseq) {
        self.note_line(commit);
        let as_seen = |cseq| {
            let commit = Commit { cseq, ..commit.clone() };
            FromHub::Down(Box::new(Down::Commits(vec![commit])))
        };
        let mine = as_seen(ticket);
        let others = match commit.author == self.me() {
            true => as_seen(Cseq(0)),
            false => FromHub::Down(Box::new(Down::Commits(vec![commit.clone()]))),
        };
        for (seat, of) in self.members.iter().map(|(s, m)| (*s, m.instance)).collect::<Vec<_>>() {
            let told = if instance != 0 && of == instance { mine.clone() } else { others.clone() };
            self.tell(seat, told);
        }
    }

    fn tell_unsaved(&mut self) {
        let on_branch = self.branch.as_ref().filter(|_| !self.link.is_local());
        let unsaved = match on_branch {
            Some(branch) => branch.ops.max(self.replica.unsaved() as u64),
            None if self.link.is_local() => 0,
            None => self.replica.unsaved() as u64,
        };
        if unsaved != self.unsaved {
            self.unsaved = unsaved;
            self.tell_all(&FromHub::Unsaved(unsaved));
        }
    }

    fn connect(&mut self, connection: Connection) {
        self.tell_all(&FromHub::Connection(connection.clone()));
        self.connection = connection;
    }

    fn notice(&mut self, notice: String) {
        tracing::warn!(notice);
        self.tell_all(&FromHub::Notice(notice));
    }

    fn me(&self) -> ClientId {
        self.replica.client().unwrap_or(SELF)
    }

    /// 0 while session time is this machine's own: no server has told another, or what it told is
    /// forgotten.
    fn clock_epoch(&self) -> u64 {
        if self.shared_clock.map().is_some() || self.branch.is_none() { self.epoch } else { 0 }
    }
}

fn reach_of(greeting: &Greeting) -> Reach {
    Reach { insecure_plaintext: greeting.insecure_plaintext }
}

fn nack(cseq: Cseq, reason: Refusal) -> FromHub {
    FromHub::Down(Box::new(Down::Nack { cseq, reason }))
}
