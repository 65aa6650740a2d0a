//! A session's room: one task that owns its sequencer and speaks to everybody in it.
//!
//! Thread: one task a room. Invariants: commits are stored before anybody hears of them; the room
//! never waits for a receiver.

mod commit;
mod ephemeral;
mod fingerprints;
mod handle;
mod healing;
mod lines;
mod member;
mod outbound;
mod people;
mod recent;
mod transport;

pub use handle::{Entry, Passed, RoomHandle, Seat};
pub use member::shown_name;
pub use outbound::{Class, Outbound, Packet, Packets};

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::app::{App, Rejection, Rooms};
use super::clock::ServerClock;
use super::limits::{BATCH_OPS, Pace, Patience, presence_interval};
use super::metrics;
use super::outgoing::{encoded, error_frame};
use super::store::{Store, StoreError};
use super::traffic::TrafficMeter;
use crate::session::{BranchId, ClientId, Commit, Locks, Seq, Sequencer};
use crate::wire::{Down, ErrorCode, MAX_COUNT_IN, News, Up, commit_interval, gesture_interval};
use commit::{Request, Submitted, most_urgent};
use fingerprints::Comparison;
use handle::Message;
use healing::Healing;
use lines::Line;
use member::Member;
use recent::Recent;

/// A room without anybody in it closes after this long.
const EMPTY: Duration = Duration::from_secs(60);
/// Commits kept at hand for those who come back, and the most bytes of them.
const RECENT: usize = 1024;
const RECENT_BYTES: usize = 2 << 20;
/// Messages that wait for the room; who sends more waits too.
const INBOX: usize = 1024;
/// Ops among which the room looks for the most urgent.
const SEEN_OPS: usize = 16 * BATCH_OPS;

/// A session while somebody is in it.
pub struct Room {
    session: String,
    store: Arc<Store>,
    clock: ServerClock,
    patience: Patience,
    /// The address that invites name, where the server was told one.
    public_url: Option<String>,
    rooms: Rooms,
    inbox: mpsc::Receiver<Message>,
    sequencer: Sequencer,
    /// The last commit that the store has.
    stored: Seq,
    /// Neither the store nor the sequencer can be trusted: nothing more is accepted.
    broken: bool,
    /// The last commits, stored and in order.
    recent: Recent,
    /// The seq of the last snapshot that was written or tried.
    snapshot: Seq,
    members: BTreeMap<ClientId, Member>,
    /// What somebody has in hand.
    locks: Locks,
    /// Locks count from here.
    opened: Instant,
    /// What waits for more urgent requests.
    later: Vec<Submitted>,
    /// Stored commits that have not gone out yet.
    outgoing: Vec<Commit>,
    /// Commits and gestures share their packets.
    pace: Pace,
    presence_pace: Pace,
    /// When edits that wait for a beat were committed, by commit.
    waiting_since: BTreeMap<Seq, Instant>,
    promote_after: Option<Instant>,
    comparison: Comparison,
    healing: Healing,
    /// Branches that somebody follows.
    lines: BTreeMap<BranchId, Line>,
    /// Clock sockets of participants that have no seat yet.
    early_clocks: Vec<(ClientId, Weak<TrafficMeter>)>,
    next_socket: u64,
    empty_since: Option<Instant>,
}

impl Room {
    /// Opens a session from the store and starts its task.
    ///
    /// # Errors
    /// The store fails, or the session's log cannot be read.
    pub async fn open(session: &str, app: &App) -> Result<RoomHandle, StoreError> {
        let recovered = app.store.recover(session).await?;
        let (messages, inbox) = mpsc::channel(INBOX);
        let snapshot = recovered.state.seq();
        let room = Room {
            session: session.to_owned(),
            store: app.store.clone(),
            clock: app.clock.clone(),
            patience: app.patience,
            public_url: app.naming.public_url.clone(),
            rooms: app.rooms.clone(),
            inbox,
            sequencer: Sequencer::restore(recovered.state, recovered.clients),
            stored: snapshot,
            broken: false,
            recent: Recent::default(),
            snapshot,
            members: BTreeMap::new(),
            locks: Locks::default(),
            opened: Instant::now(),
            later: Vec::new(),
            outgoing: Vec::new(),
            pace: Pace::new(),
            presence_pace: Pace::new(),
            waiting_since: BTreeMap::new(),
            promote_after: None,
            comparison: Comparison::default(),
            healing: Healing::default(),
            lines: BTreeMap::new(),
            early_clocks: Vec::new(),
            next_socket: 1,
            empty_since: Some(Instant::now()),
        };
        metrics::sessions(1);
        tracing::info!(session, seq = snapshot.0, "a session opened");
        tokio::spawn(room.run());
        Ok(RoomHandle::new(messages))
    }

    async fn run(mut self) {
        let mut closing = Vec::new();
        loop {
            let due = self.next_due();
            tokio::select! {
                biased;
                message = self.inbox.recv() => match message {
                    Some(message) => self.take(Some(message), &mut closing).await,
                    None => break,
                },
                () = std::future::ready(()), if !self.later.is_empty() => self.take(None, &mut closing).await,
                () = tokio::time::sleep_until(due) => {}
            }
            self.tick().await;
            if !closing.is_empty() || self.close_if_empty().await {
                break;
            }
        }
        self.close(closing).await;
    }

    /// Takes a message and those queued behind it, and commits the most urgent of what they ask for
    /// together; the rest waits for the next round, in which what has come meanwhile may overtake it.
    async fn take(&mut self, first: Option<Message>, closing: &mut Vec<oneshot::Sender<()>>) {
        let mut batch = std::mem::take(&mut self.later);
        let mut ops: usize = batch.iter().map(|one| one.request.ops()).sum();
        let mut taken = 0;
        let mut next = first.or_else(|| self.inbox.try_recv().ok());
        while let Some(message) = next {
            match message {
                Message::Up { seat, up: Up::People(ask), .. } => {
                    if !self.take_hand(seat, &ask) {
                        // What was asked before counts before.
                        self.commit(std::mem::take(&mut batch)).await;
                        self.take_ask(seat, ask).await;
                    }
                }
                Message::LookAgain => self.look_again().await,
                Message::Up { seat, up, arrived, load } => {
                    if let Some(request) = self.take_up(seat, up) {
                        ops += request.ops();
                        batch.push(Submitted { seat, request, arrived, load: Some(load) });
                    }
                }
                Message::Enter { entry, answer } => {
                    // The state that it is told of includes what came before it.
                    self.commit(std::mem::take(&mut batch)).await;
                    let entered = self.enter(entry).await;
                    // Where nobody waits any more, the socket's end comes as a message too.
                    let _ = answer.send(entered);
                }
                Message::Leave(seat) => self.leave(seat),
                Message::ClockSocket { client, meter } => {
                    match self.members.get_mut(&client) {
                        Some(member) => member.traffic.add(meter),
                        // The clock came first; its participant follows.
                        None => self.early_clocks.push((client, meter)),
                    }
                }
                Message::Participants(answer) => {
                    let _ = answer.send(self.participants_report());
                }
                Message::Fingerprints(answer) => {
                    let _ = answer.send(self.comparison.report());
                }
                Message::Close(answer) => closing.push(answer),
            }
            taken += 1;
            // What goes out must not wait for a stream of moves to end.
            next = if ops < SEEN_OPS && taken < INBOX { self.inbox.try_recv().ok() } else { None };
        }
        let (now, later) = most_urgent(batch, BATCH_OPS);
        self.later = later;
        self.commit(now).await;
    }

    /// Handles what is not to be stored; returns what is.
    fn take_up(&mut self, seat: Seat, up: Up) -> Option<Request> {
        if !self.holds(seat) {
            return None;
        }
        self.note_deed(seat, &up);
        match up {
            Up::Ops { cseq, base, ops } => {
                self.end_gestures(seat, &ops);
                return Some(Request::Ops { cseq, base, ops });
            }
            Up::Start { tick } => return Some(Request::Start(tick, 0)),
            Up::CountIn { tick, bars } => return Some(Request::Start(tick, bars.min(MAX_COUNT_IN))),
            Up::Stop => return Some(Request::Stop),
            Up::Lead(lead) => return Some(Request::Lead(lead)),
            Up::Line(ask) => return Some(Request::Line(ask)),
            Up::Gesture(moves) => self.take_gesture(seat, moves),
            Up::Presence(state) => self.take_presence(seat, state),
            Up::Fingerprints(bars) => self.take_fingerprints(seat, bars),
            Up::Chat(words) => return self.take_chat(seat, &words).map(Request::Say),
            // The socket answers these itself.
            Up::Hello(_) | Up::Probe { .. } | Up::Recall(_) | Up::Leave | Up::People(_) => {}
        }
        None
    }

    /// Does what the time has come for.
    async fn tick(&mut self) {
        self.promote_due().await;
        self.tend_lines().await;
        self.note_absence(Instant::now());
        self.flush(Instant::now());
        self.snapshot_if_due().await;
    }

    fn people(&self) -> usize {
        self.members.values().filter(|member| member.seat.is_some()).count()
    }

    fn holds(&self, seat: Seat) -> bool {
        self.member(seat).is_some()
    }

    fn member(&self, seat: Seat) -> Option<&Member> {
        self.members.get(&seat.client).filter(|member| member.sits(seat))
    }

    /// When the room must look again, if nobody says anything.
    fn next_due(&self) -> Instant {
        let now = Instant::now();
        let people = self.people();
        let presence = self.members.values().any(|member| member.presence_changed);
        let presence = presence.then(|| self.presence_pace.not_before(now, presence_interval(people)));
        let empty = self.empty_since.map(|since| since + EMPTY);
        let far = now + EMPTY;
        [self.pace.due(), presence, self.promotion_due(now), self.lines_due(now), empty, self.absence_due()]
            .into_iter()
            .flatten()
            .fold(far, Instant::min)
    }

    /// Notes when what is ready now should go out.
    fn pace_news(&mut self, now: Instant) {
        let people = self.people();
        if !self.outgoing.is_empty() {
            self.pace.ready(now, commit_interval(people));
        } else if self.members.values().any(Member::has_moves) {
            self.pace.ready(now, gesture_interval(people));
        }
    }

    /// Sends what gathered and is due, all of it in one packet a receiver.
    fn flush(&mut self, now: Instant) {
        let mut round = Vec::new();
        self.pace_news(now);
        if self.pace.due().is_some_and(|due| due <= now) {
            self.pace.sent(now);
            round.extend(self.take_outgoing().into_iter().map(|frame| (Class::Durable, ClientId(0), frame)));
            let moves = self.take_gestures().into_iter().chain(self.take_notes());
            round.extend(moves.map(|(author, frame)| (Class::Gesture, author, frame)));
        }
        if self.presence_pace.not_before(now, presence_interval(self.people())) <= now {
            let presence = self.take_presences(now);
            round.extend(presence.into_iter().map(|(author, frame)| (Class::Presence, author, frame)));
            self.make_up();
        }
        if round.is_empty() {
            return;
        }
        for (client, member) in &self.members {
            for class in [Class::Durable, Class::Gesture, Class::Presence] {
                let others = round.iter().filter(|(of, author, _)| *of == class && author != client);
                member.send_as(class, others.map(|(_, _, frame)| frame.clone()).collect());
            }
        }
    }

    fn tell(&self, client: ClientId, down: Down) {
        if let Some(member) = self.members.get(&client) {
            member.send(encoded(down));
        }
    }

    fn complain(&self, client: ClientId, code: ErrorCode, message: impl Into<String>) {
        if let Some(member) = self.members.get(&client) {
            member.send(error_frame(code, message, false));
        }
    }

    fn news(&self, client: ClientId, news: News) {
        self.tell(client, Down::People(news));
    }

    fn broadcast(&self, down: Down) {
        let frames = encoded(down);
        for member in self.members.values() {
            member.send(frames.clone());
        }
    }

    /// Whether nobody came for a while; the room is then no longer found.
    async fn close_if_empty(&mut self) -> bool {
        if self.empty_since.is_none_or(|since| since.elapsed() < EMPTY) {
            return false;
        }
        let mut rooms = self.rooms.lock().await;
        // Somebody may have found the room a moment ago.
        if !self.inbox.is_empty() {
            return false;
        }
        rooms.remove(&self.session);
        self.inbox.close();
        true
    }

    /// Writes and sends what is left, says goodbye, and ends.
    async fn close(mut self, closing: Vec<oneshot::Sender<()>>) {
        self.inbox.close();
        let mut ignored = Vec::new();
        while let Some(message) = self.inbox.recv().await {
            self.take(Some(message), &mut ignored).await;
        }
        while !self.later.is_empty() {
            self.take(None, &mut ignored).await;
        }
        let rest = self.take_outgoing();
        let goaway = encoded(Down::Goaway { retry_ms: 1000 });
        for member in self.members.values() {
            member.send(rest.clone());
            member.send(goaway.clone());
            member.dismiss();
        }
        metrics::participants(-(self.people() as i32));
        metrics::sessions(-1);
        tracing::info!(session = self.session, seq = self.sequencer.state().seq().0, "a session closed");
        for answer in closing.into_iter().chain(ignored) {
            let _ = answer.send(());
        }
    }
}

/// Why an entry failed.
fn reject(code: ErrorCode, message: impl Into<String>) -> Rejection {
    Rejection { code, message: message.into() }
}
