//! The session's side: joining, what the server says, and what is told to it.

use std::collections::BTreeMap;

use super::Participant;
use crate::client::ops_pace::OpsPace;
use crate::client::socket::SocketEvent;
use crate::client::studio::Studio;
use crate::client::{AudioMatch, Connection, Event, Link, Peer};
use crate::rt::ENGINE_VERSION;
use crate::session::{Catchup, ClientId, Commit, Cseq, Op, Seq, StampedOp, State};
use crate::time::{Clock, Envelope, HostNanos, Probe, Tempo, Verdict};
use crate::wire::{
    BarFingerprint, Down, ErrorCode, Gesture, Hello, Participant as Person, PresenceState, Snapshot, Up,
    VERSION, Welcome,
};

const MS: i64 = 1_000_000;
/// Without an answer for this long, unanswered frames are sent again under the same number.
const ANSWER: i64 = 5_000 * MS;
/// What the server could not take now is sent again after this long: once for all that wait.
const AGAIN: i64 = 300 * MS;
/// The least time between two words about a cursor or transport, and about slow figures.
const PRESENCE_GAP: i64 = 250 * MS;
const FIGURES_GAP: i64 = 10_000 * MS;
/// The most characters of a chat line.
const CHAT: usize = 500;

/// What belongs to one session.
#[derive(Default)]
pub struct SessionSide {
    /// The clock's estimator.
    pub envelope: Envelope,
    epoch: u64,
    /// Bars that sounded here and have not been told.
    pub bars: Vec<BarFingerprint>,
    /// What is told of this machine.
    pub presence: PresenceState,
    told: Option<(PresenceState, HostNanos)>,
    people: Vec<Person>,
    /// When each unanswered frame last left.
    sent: BTreeMap<Cseq, HostNanos>,
    /// When everything unanswered is to leave again.
    resend_at: Option<HostNanos>,
    pace: OpsPace,
    /// The state here is of no use: the next welcome must be whole.
    whole: bool,
}

impl SessionSide {
    fn resend_soon(&mut self, now: HostNanos) {
        self.resend_at.get_or_insert(HostNanos(now.0 + AGAIN));
    }
}

impl Participant {
    /// Goes to a session. What is shown and sounds stays until it welcomes us. Joining the one we
    /// are in connects anew and keeps what waits for it.
    pub(super) fn join(&mut self, link: Link) {
        let link = self.profile.with_secret(link);
        if let Err(error) = self.profile.remember(&link) {
            tracing::warn!(%error, "the invite is not kept");
        }
        let joined = self.network.link();
        if joined.is_some_and(|joined| (&joined.server, &joined.session) == (&link.server, &link.session)) {
            self.unplug();
        } else {
            let (song, map) = (self.studio.song().clone(), self.studio.tempo_map().clone());
            self.go_on_with(Studio::joining(song, map));
            self.engine.audio = AudioMatch::Settling;
        }
        self.shown.session = Some(link.to_string());
        self.shown.notice = None;
        self.connection(Connection::Connecting);
        let hello = self.hello(&link);
        self.network.join(link, &hello);
    }

    /// Leaves the session; the song stays.
    pub(super) fn leave(&mut self) {
        self.network.leave();
        let (song, map) = (self.studio.song().clone(), self.studio.tempo_map().clone());
        self.go_on_with(Studio::alone(song, map));
        self.shown.session = None;
        self.shown.peers.clear();
        self.shown.clock = Default::default();
        self.connection(Connection::Solo);
    }

    /// Leaves one session's state for another's: the engine forgets what waits for its beat in the
    /// old one, and a start that is timed by its clock.
    fn go_on_with(&mut self, studio: Studio) {
        let waited = !self.studio.waiting().is_empty();
        self.studio = studio;
        self.session = SessionSide::default();
        self.engine.scheduled = None;
        if waited {
            self.tell_song();
        }
    }

    /// Nothing is under way any more: what is unanswered leaves again with the next welcome.
    fn unplug(&mut self) {
        let changes = self.studio.disconnect();
        self.tell_engine(changes);
        self.session.sent.clear();
        self.session.told = None;
    }

    fn hello(&self, link: &Link) -> Hello {
        Hello {
            version: VERSION,
            engine_version: ENGINE_VERSION,
            client_key: self.profile.key(),
            secret: link.secret.clone(),
            name: self.name.clone(),
            last_seq: if self.session.whole { Seq(0) } else { self.studio.seq() },
        }
    }

    fn hello_again(&self) -> Option<Hello> {
        self.network.link().map(|link| self.hello(link))
    }

    fn connection(&mut self, connection: Connection) {
        let now = self.stir();
        self.events.tell(Event::Connection(connection.clone()), now);
        self.shown.connection = connection;
        self.shown.stale();
    }

    /// A word of a session socket.
    pub fn socket(&mut self, number: u64, event: SocketEvent) {
        if !self.network.is_current(number) {
            return;
        }
        match event {
            SocketEvent::Frame(frame) => self.frame(*frame),
            SocketEvent::Lost(reason) => self.lost(reason),
            SocketEvent::Refused(message) => self.refused(message),
        }
    }

    fn lost(&mut self, reason: String) {
        if matches!(self.shown.connection, Connection::Refused(_)) {
            return;
        }
        let now = self.clock.now();
        self.unplug();
        let retry_ms = self.network.lost(now);
        self.connection(Connection::Offline { retry_ms, reason });
    }

    fn refused(&mut self, message: String) {
        self.network.refused();
        self.complain(message.clone());
        self.connection(Connection::Refused(message));
    }

    fn frame(&mut self, frame: Down) {
        let now = self.stir();
        match frame {
            Down::Welcome(welcome) => self.welcome(welcome),
            Down::Commits(commits) => self.take_commits(&commits),
            Down::Nack { cseq, reason } => {
                self.session.sent.remove(&cseq);
                if !reason.is_final() {
                    return self.session.resend_soon(now);
                }
                let changes = self.studio.nack(cseq);
                self.tell_engine(changes);
                self.events.tell(Event::Refused { cseq, reason: reason.to_string() }, now);
                self.shown.notice = Some(reason.to_string());
            }
            Down::Gestures { author, moves } => self.gestures(author, &moves, now),
            Down::Participants(people) => {
                self.session.people = people;
                self.show_people();
            }
            Down::Presence { client, state } => {
                let people = self.session.people.iter_mut();
                people.filter(|person| person.client == client).for_each(|person| person.state = state);
                self.show_people();
            }
            Down::Compared { bar, differ, .. } => self.compared(bar, differ),
            Down::Chat { author, text } => {
                let from = self.name_of(author);
                self.events.tell(Event::Chat { from, text }, now);
            }
            Down::Error { code, message, fatal } => match code {
                ErrorCode::Version | ErrorCode::UnknownSession | ErrorCode::Unauthorized if fatal => {
                    self.refused(message);
                }
                ErrorCode::RateLimit | ErrorCode::Unavailable => {
                    self.session.resend_soon(now);
                    self.complain(message);
                }
                _ => self.complain(message),
            },
            Down::Goaway { .. } => self.shown.notice = Some("the server is restarting".into()),
            // Joined by the socket, and answered on the clock's own.
            Down::Part(_) | Down::Pong { .. } | Down::People(_) | Down::Line(_) => {}
        }
        self.shown.stale();
    }

    fn welcome(&mut self, welcome: Welcome) {
        let catchup = match welcome.state {
            Snapshot::Delta(commits) => Catchup::Delta(commits),
            Snapshot::Full { bytes, .. } => match State::decode(&bytes) {
                Ok(state) => Catchup::Full(Box::new(state)),
                Err(error) => return self.unusable(&error),
            },
            Snapshot::Parts { .. } => return self.unusable(&"an unfinished welcome"),
        };
        let ours = self.studio.song().clone();
        let first = self.studio.seq() == Seq(0);
        let welcomed = match self.studio.welcome(welcome.client, welcome.role, welcome.acked, catchup) {
            Ok(welcomed) => welcomed,
            Err(error) => return self.unusable(&error),
        };
        let now = self.clock.now();
        self.session.whole = false;
        if self.session.epoch != welcome.clock_epoch {
            self.session.epoch = welcome.clock_epoch;
            self.session.envelope.clear();
            self.shown.clock = Default::default();
            self.network.burst();
        }
        for (cseq, seq) in welcomed.acked {
            self.events.tell(Event::Acked { cseq, seq }, now);
        }
        for cseq in welcomed.refused {
            let reason = "refused while the connection was lost".to_owned();
            self.events.tell(Event::Refused { cseq, reason }, now);
        }
        self.tell_engine(welcomed.changes);
        if let Some(hello) = self.hello_again() {
            self.network.welcomed(&hello);
        }
        self.connection(Connection::Online);
        self.events.tell(Event::Applied(self.studio.seq()), now);
        if first && self.studio.seq() == Seq(0) {
            self.bring(&ours);
        }
    }

    /// Whoever comes first into an empty session brings the groove.
    fn bring(&mut self, song: &crate::pattern::Song) {
        let edits = song.edits_since(self.studio.song());
        if !edits.is_empty() {
            let stamped = |edit| StampedOp { op: Op::Edit(edit), at: None };
            self.ops(edits.into_iter().map(stamped).collect());
        }
    }

    /// What the server sent does not fit what is here: start over from a whole state.
    fn unusable(&mut self, reason: &dyn std::fmt::Display) {
        tracing::warn!(%reason, "the session's state does not fit; asking for all of it");
        self.session.whole = true;
        self.lost(reason.to_string());
    }

    fn take_commits(&mut self, commits: &[Commit]) {
        for commit in commits {
            match self.studio.commit(commit) {
                Ok(changes) => {
                    if commit.author == self.studio.client() {
                        self.session.sent.remove(&commit.cseq);
                    }
                    self.tell_engine(changes);
                    self.confirmed(commit);
                }
                Err(error) => return self.unusable(&error),
            }
        }
    }

    fn gestures(&mut self, author: ClientId, moves: &[Gesture], now: HostNanos) {
        for Gesture { slot, value } in moves.iter().copied().filter(|one| one.slot.is_valid()) {
            self.remote.moved(slot, now);
            let changes = self.studio.gesture(author, slot, value);
            self.tell_engine(changes);
        }
    }

    fn compared(&mut self, bar: i32, differ: u32) {
        self.engine.audio = match (differ, self.engine.audio) {
            (0, _) => AudioMatch::Equal { bar },
            (_, AudioMatch::Different { bar }) => AudioMatch::Different { bar },
            _ => AudioMatch::Different { bar },
        };
    }

    fn show_people(&mut self) {
        let me = self.studio.client();
        let others = self.session.people.iter().filter(|person| person.client != me);
        let peer = |person: &Person| Peer {
            client: person.client,
            name: person.name.clone(),
            online: person.online,
            state: person.state,
        };
        self.shown.peers = others.map(peer).collect();
    }

    fn name_of(&self, client: ClientId) -> String {
        let person = self.session.people.iter().find(|person| person.client == client);
        person.map_or_else(|| format!("participant {}", client.0), |person| person.name.clone())
    }

    /// A clock probe came back.
    pub fn probe(&mut self, probe: Probe) {
        if self.session.envelope.add(probe) == Verdict::Stepped {
            self.network.burst();
        }
        let now = self.clock.now();
        if let Some(map) = self.session.envelope.map() {
            let clock = &mut self.shown.clock;
            (clock.map, clock.offset_ns) = (Some(map), Some(map.offset_at(now)));
            (clock.bound_ns, clock.rtt_ns, clock.probes) = (map.bound_at(now), map.rtt_ns, map.probes);
            self.shown.stale();
        }
    }

    /// Tells the server what it does not know yet, and tries again where the connection is lost.
    pub(super) fn speak(&mut self, now: HostNanos) {
        if self.network.is_due(now)
            && let Some(hello) = self.hello_again()
        {
            self.connection(Connection::Connecting);
            self.network.retry(&hello);
        }
        if self.shown.connection != Connection::Online {
            self.session.bars.clear();
            return;
        }
        let people = 1 + self.shown.peers.iter().filter(|peer| peer.online).count();
        let moves = self.hands.frame(now, people);
        if !moves.is_empty() {
            self.network.send(&Up::Gesture(moves));
        }
        self.send_ops(now);
        if !self.session.bars.is_empty() {
            self.network.send(&Up::Fingerprints(std::mem::take(&mut self.session.bars)));
        }
        self.tell_presence(now);
    }

    fn send_ops(&mut self, now: HostNanos) {
        let overdue = self.studio.oldest_unanswered().and_then(|cseq| self.session.sent.get(&cseq));
        let overdue = overdue.is_some_and(|sent| now - *sent > ANSWER);
        if overdue || self.session.resend_at.take_if(|at| now >= *at).is_some() {
            self.studio.resend();
        }
        while self.network.has_room() && self.session.pace.allows(now) {
            let Some(frame) = self.studio.next_to_send() else { return };
            self.session.pace.take();
            let up = Up::Ops { cseq: frame.cseq, base: frame.base, ops: frame.ops.clone() };
            self.session.sent.insert(frame.cseq, now);
            self.network.send(&up);
        }
    }

    fn tell_presence(&mut self, now: HostNanos) {
        let clock = self.shown.clock;
        let state = PresenceState {
            playing: self.engine.plays(),
            host_tempo: Tempo::from_host_bpm(self.engine.micro_bpm as f64 / 1e6),
            rtt_us: (clock.rtt_ns / 1000).clamp(0, i64::from(u32::MAX)) as u32,
            clock_bound_us: (clock.bound_ns / 1000).clamp(0, i64::from(u32::MAX)) as u32,
            ..self.session.presence
        };
        let due = match &self.session.told {
            None => true,
            Some((told, at)) => {
                let moved = (told.cursor, told.playing, told.host_tempo)
                    != (state.cursor, state.playing, state.host_tempo);
                let gap = if moved { PRESENCE_GAP } else { FIGURES_GAP };
                *told != state && now - *at >= gap
            }
        };
        if due {
            self.network.send(&Up::Presence(state));
            self.session.told = Some((state, now));
        }
    }

    /// Asks the server for what it does at once or not at all.
    pub(super) fn ask(&mut self, frame: &Up) {
        match self.shown.connection {
            Connection::Online => self.network.send(frame),
            _ => self
                .complain("there is no connection to the session; edits wait for it, this does not".into()),
        }
    }

    /// Says a line.
    pub(super) fn chat(&mut self, line: String) {
        let line: String = line.trim().chars().take(CHAT).collect();
        if !line.is_empty() {
            self.ask(&Up::Chat(line));
        }
    }
}
