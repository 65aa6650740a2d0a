//! The session's side: joining, what the server says, and what is told to it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Participant;
use super::people::Company;
use crate::client::clock_socket::ClockWord;
use crate::client::hub::line::{FromHub, Greeting, LineEvent, SPEECH_VERSION};
use crate::client::studio::Studio;
use crate::client::{AudioMatch, Connection, Event, Link, Peer};
use crate::param::Owner;
use crate::rt::ports::ToEngine;
use crate::session::{Answered, Catchup, ClientId, Commit, Cseq, Part, State};
use crate::time::{Clock, HostNanos, SharedClock, Tempo};
use crate::wire::{
    BarFingerprint, Down, Gesture, Participant as Person, PresenceState, Snapshot, Up, Welcome,
};

const MS: i64 = 1_000_000;
/// Without an answer for this long, unanswered frames are sent again under the same number.
const ANSWER: i64 = 5_000 * MS;
/// What the server could not take now is sent again after this long: once for all that wait.
const AGAIN: i64 = 300 * MS;
/// The least time between two words about a cursor or transport, and about slow figures.
const PRESENCE_GAP: i64 = 250 * MS;
const FIGURES_GAP: i64 = 10_000 * MS;
/// The pace of a hand towards this machine's other instances.
const NEIGHBOURLY: Duration = Duration::from_millis(16);
/// The most characters of a chat line.
const CHAT: usize = 500;

/// What belongs to one session.
#[derive(Default)]
pub struct SessionSide {
    /// The session's clock; its epoch is told on its own socket.
    pub clock: SharedClock,
    /// When its figures were last told as an event, and shown.
    pub clock_told: HostNanos,
    pub clock_shown: HostNanos,
    /// What the hub names the session's clock: 0 for this machine's own.
    epoch: u64,
    /// Bars that sounded here and have not been told.
    pub bars: Vec<BarFingerprint>,
    /// What is told of this machine.
    pub presence: PresenceState,
    told: Option<(PresenceState, HostNanos)>,
    pub(super) people: Vec<Person>,
    /// What belongs to its people.
    pub(super) company: Company,
    /// When each unanswered frame last left.
    sent: BTreeMap<Cseq, HostNanos>,
    /// When everything unanswered is to leave again.
    resend_at: Option<HostNanos>,
    /// Whether the hub has welcomed this instance on the present line.
    attached: bool,
    /// Whether it ever has.
    known: bool,
    /// Whether the present line has reached it.
    reached: bool,
    /// What the hub counts as unsaved.
    unsaved: u64,
    /// What the last refusal said, for a person.
    refusal: Option<String>,
}

impl SessionSide {
    /// Whether session time is this machine's own: no server's clock is known.
    pub fn has_own_clock(&self) -> bool {
        self.known && self.epoch == 0
    }

    /// Whether the session has welcomed this instance on the present line.
    pub fn is_open(&self) -> bool {
        self.attached
    }

    /// Ops that the session has not confirmed, of all of this machine's instances; `pending` of
    /// them are in the replica here.
    pub fn unsaved(&self, pending: usize) -> usize {
        pending.max(self.unsaved as usize)
    }

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
        let faults = self.profile.faults();
        let joined = self.network.link();
        if joined.is_some_and(|joined| (&joined.server, &joined.session) == (&link.server, &link.session)) {
            self.unplug();
        } else {
            let (song, map) = (self.studio.song().clone(), self.studio.tempo_map().clone());
            self.end_alone();
            self.go_on_with(Studio::joining(song, map));
            self.engine.audio = AudioMatch::Settling;
        }
        let session = link.to_string();
        if self.shown.session.as_deref() != Some(&session) {
            self.join_mix(&session, self.clock.now());
        }
        self.shown.session = Some(session);
        self.shown.notice = None;
        self.connection(Connection::Connecting);
        faults.into_iter().for_each(|fault| self.said(FromHub::SetAside(fault)));
        let greeting = self.greeting(&link);
        self.network.join(link, greeting);
    }

    /// Leaves the session; the song stays.
    pub(super) fn leave(&mut self) {
        self.keep_mine();
        self.network.leave();
        let (song, map) = (self.studio.song().clone(), self.studio.tempo_map().clone());
        self.go_on_with(Studio::alone(song, map));
        self.solo.start(self.studio.confirmed().clone());
        self.shown.session = None;
        self.shown.peers.clear();
        self.shown.people = Default::default();
        self.shown.clock = Default::default();
        self.connection(Connection::Solo);
    }

    /// Leaves one session's state for another's: the engine forgets what waits for its beat in the
    /// old one, and a start that is timed by its clock.
    fn go_on_with(&mut self, studio: Studio) {
        let waited = !self.studio.waiting().is_empty();
        self.studio = studio;
        self.new_lines();
        self.session = SessionSide::default();
        self.mode.leader = Default::default();
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
        self.session.attached = false;
    }

    fn greeting(&self, link: &Link) -> Greeting {
        let state = State::with_song(self.studio.song().clone(), self.studio.tempo_map().clone());
        Greeting {
            version: SPEECH_VERSION,
            instance: self.instance,
            link: link.to_url(),
            insecure_plaintext: self.reach.insecure_plaintext,
            name: self.name.clone(),
            state: state.encode(),
        }
    }

    fn greeting_again(&self) -> Option<Greeting> {
        self.network.link().map(|link| self.greeting(link))
    }

    fn connection(&mut self, connection: Connection) {
        let now = self.stir();
        self.events.tell(Event::Connection(connection.clone()), now);
        self.shown.connection = connection;
        self.shown.stale();
    }

    /// A word of the line to the machine's hub.
    pub fn line(&mut self, number: u64, event: LineEvent) {
        if let LineEvent::Redeemed(outcome) = event {
            return self.redeemed(*outcome);
        }
        if !self.network.is_current(number) {
            return;
        }
        match event {
            LineEvent::Said(speech) => match *speech {
                FromHub::Down(down) if matches!(*down, Down::Line(_)) => self.frame(*down),
                speech => self.on_main(|it| it.said(speech)),
            },
            LineEvent::Attached { holder } => {
                if holder && self.session.known {
                    let now = self.stir();
                    self.events.tell(Event::TookOver, now);
                }
                self.session.reached = true;
            }
            LineEvent::Lost(reason) => self.on_main(|it| it.detached(reason)),
            LineEvent::Redeemed(_) => {}
        }
        self.shown.stale();
    }

    /// The hub is gone, for a moment: what is unanswered goes to the next one.
    fn detached(&mut self, reason: String) {
        let now = self.clock.now();
        self.unplug();
        self.network.lost(now);
        // Where a hub was reached, the next one is a few ms away: nobody needs to know.
        if !std::mem::take(&mut self.session.reached) {
            self.complain(reason.clone());
            self.connection(Connection::Offline { retry_ms: 500, reason });
        }
    }

    /// What the hub says beyond what a server says.
    fn said(&mut self, speech: FromHub) {
        let now = self.clock.now();
        match speech {
            FromHub::Down(down) => self.frame(*down),
            FromHub::Neighbour { cseq, ops } => {
                let changes = self.studio.neighbour(cseq, ops);
                self.tell_engine(changes);
            }
            FromHub::Settled(cseq) => {
                let changes = self.studio.settled(cseq);
                self.tell_engine(changes);
            }
            FromHub::File { bytes, more } => self.file_came(&bytes, more),
            FromHub::Acked { cseq, seq } => self.events.tell(Event::Acked { cseq, seq }, now),
            FromHub::Kept(ticket) => self.events.tell(Event::Kept { ticket }, now),
            FromHub::TakenBack { cseq, reason } => {
                // Told a moment ago by this instance's own number, and with names.
                let reason = self.session.refusal.take().unwrap_or(reason);
                self.taken_back(cseq, reason);
            }
            FromHub::Alive => {}
            FromHub::Clock(epoch) => self.clock_word(ClockWord::Epoch(epoch)),
            FromHub::Probe(stamps) => self.clock_word(ClockWord::Probe(stamps.into())),
            FromHub::Connection(connection) => self.server_is(connection),
            FromHub::Unsaved(unsaved) => self.session.unsaved = unsaved,
            FromHub::Merged(report) => {
                self.shown.notice = Some(format!("Back in the session: {}.", report.line));
                self.events.tell(Event::Merged(report), now);
            }
            FromHub::SetAside(message) => {
                self.shown.notice = Some(message.clone());
                self.events.tell(Event::SetAside(message), now);
            }
            FromHub::Notice(message) => self.complain(message),
            FromHub::Refused(message) => self.server_is(Connection::Refused(message)),
        }
    }

    /// How it stands between the hub and the server.
    fn server_is(&mut self, connection: Connection) {
        if connection == self.shown.connection {
            return;
        }
        if let Connection::Refused(message) = &connection {
            self.complain(message.clone());
        }
        self.connection(connection);
    }

    fn taken_back(&mut self, cseq: Cseq, reason: String) {
        let now = self.clock.now();
        self.shown.notice = Some(reason.clone());
        self.events.tell(Event::Refused { cseq, reason }, now);
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
                let words = self.refusal_words(&reason);
                let changes = self.studio.nack(cseq);
                self.tell_engine(changes);
                self.session.refusal = Some(words.clone());
                self.taken_back(cseq, words);
            }
            Down::Gestures { author, moves } => self.gestures(author, &moves, now),
            Down::Participants(people) => {
                self.session.people = people;
                self.show_people();
                let me = self.studio.client();
                let mine = self.session.people.iter().find(|person| person.client == me);
                if let Some(role) = mine.map(|person| person.role) {
                    self.role_told(role, now);
                }
                self.people_changed(now);
            }
            Down::Presence { client, state } => {
                let people = self.session.people.iter_mut();
                people.filter(|person| person.client == client).for_each(|person| person.state = state);
                self.show_people();
                self.follow();
            }
            Down::Compared { bar, differ, .. } => self.compared(bar, differ, now),
            Down::Renew { bar } => self.renew(bar, now),
            Down::Chat { author, text } => {
                let from = self.name_of(author);
                self.events.tell(Event::Chat { from, text }, now);
            }
            Down::Error { message, .. } => self.complain(message),
            Down::Line(news) => self.line_news(news),
            Down::Goaway { .. } => self.shown.notice = Some("the server is restarting".into()),
            // Joined by the socket, and answered on the clock's own.
            Down::Part(_) | Down::Pong { .. } | Down::Clock(_) => {}
            Down::People(news) => self.news(news, now),
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
        let answered = Answered { last: welcome.acked, answers: welcome.answers };
        let welcomed = match self.studio.welcome(welcome.client, welcome.role, answered, catchup) {
            Ok(welcomed) => welcomed,
            Err(error) => return self.unusable(&error),
        };
        if !self.network.heard() {
            return self.detached("this machine's hub takes no more words".to_owned());
        }
        let now = self.clock.now();
        (self.session.attached, self.session.known) = (true, true);
        self.mode.leader.returned();
        self.network.welcomed();
        self.session.epoch = welcome.clock_epoch;
        // Answered while no line stood. Of what a hub before this one answered, nobody can say how.
        let seq = self.studio.seq();
        let settled = welcomed.settled.iter().map(|cseq| (*cseq, seq));
        for (cseq, seq) in welcomed.acked.iter().copied().chain(settled) {
            self.events.tell(Event::Acked { cseq, seq }, now);
        }
        for (cseq, reason) in &welcomed.refused {
            let words = self.refusal_words(reason);
            self.taken_back(*cseq, words);
        }
        self.tell_engine(welcomed.changes);
        self.events.tell(Event::Applied(self.studio.seq()), now);
        self.follow_again();
    }

    /// What the hub said does not fit what is here: a new line brings the whole state.
    fn unusable(&mut self, reason: &dyn std::fmt::Display) {
        tracing::warn!(%reason, "the session's state does not fit; asking for all of it");
        self.detached(reason.to_string());
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
                    let now = self.clock.now();
                    self.hands_of(commit.author, &commit.ops, now);
                    self.heard_chat(&commit.ops, now);
                }
                Err(error) => return self.unusable(&error),
            }
        }
    }

    fn gestures(&mut self, author: ClientId, moves: &[Gesture], now: HostNanos) {
        for Gesture { slot, value } in moves.iter().copied().filter(|one| one.slot.is_valid()) {
            self.remote.moved(slot, now);
            self.hand_on(author, Part::Param(slot), now);
            let changes = self.studio.gesture(author, slot, value);
            self.tell_engine(changes);
        }
    }

    fn compared(&mut self, bar: i32, differ: u32, now: HostNanos) {
        self.tell_match(self.engine.audio.with(bar, differ), now);
    }

    /// The engine begins anew with a bar, as those do whose sound differs from ours.
    fn renew(&mut self, bar: i32, now: HostNanos) {
        if self.lines.branch().is_some() {
            return;
        }
        self.feed.push(ToEngine::Renew { bar });
        self.tell_match(self.engine.audio.renewing(bar), now);
    }

    fn tell_match(&mut self, audio: AudioMatch, now: HostNanos) {
        let before = std::mem::replace(&mut self.engine.audio, audio);
        match (before, audio) {
            (before, AudioMatch::Different(difference)) if before != audio => {
                let parts = difference.names(self.studio.song());
                self.events.tell(Event::Differs { difference, parts }, now);
            }
            (AudioMatch::Different(_), AudioMatch::Equal { bar, healed: Some(difference) }) => {
                self.events.tell(Event::Healed { difference, bar }, now);
            }
            _ => {}
        }
        self.shown.stale();
    }

    pub(super) fn show_people(&mut self) {
        let me = self.studio.client();
        let others = self.session.people.iter().filter(|person| person.client != me);
        let peer = |person: &Person| Peer {
            client: person.client,
            name: person.name.clone(),
            role: person.role,
            online: person.online,
            away: person.away,
            state: person.state,
        };
        self.shown.peers = others.map(peer).collect();
    }

    pub(super) fn name_of(&self, client: ClientId) -> String {
        let person = self.session.people.iter().find(|person| person.client == client);
        let name = person.map(|person| &person.name).or_else(|| self.session.company.names.get(&client));
        name.map_or_else(|| format!("participant {}", client.0), String::clone)
    }

    /// Tells the hub what it does not know yet, and looks for it where the line is lost.
    pub(super) fn speak(&mut self, now: HostNanos) {
        if self.network.is_due(now)
            && let Some(greeting) = self.greeting_again()
        {
            self.network.retry(greeting);
        }
        if !self.session.attached {
            self.session.bars.clear();
            return;
        }
        if self.lines.branch().is_some() {
            // What a branch sounds like is nobody else's concern.
            self.session.bars.clear();
        }
        // The hub keeps the pace towards the server; to the other instances a hand is smooth.
        let mut moves = self.hands.frame_every(now, NEIGHBOURLY);
        // Of a track whose place is a guess nobody else could tell which one is meant.
        moves.retain(|one| !matches!(one.slot.owner(), Owner::Track(at) if self.studio.is_unsettled(at)));
        if !moves.is_empty() && self.lines.branch().is_none() {
            self.network.send(Up::Gesture(moves));
        }
        self.send_ops(now);
        self.tend_people(now);
        if !self.session.bars.is_empty() {
            self.network.send(Up::Fingerprints(std::mem::take(&mut self.session.bars)));
        }
        self.tell_presence(now);
    }

    fn send_ops(&mut self, now: HostNanos) {
        let overdue = self.studio.oldest_unanswered().and_then(|cseq| self.session.sent.get(&cseq));
        let overdue = overdue.is_some_and(|sent| now - *sent > ANSWER);
        if overdue || self.session.resend_at.take_if(|at| now >= *at).is_some() {
            self.studio.resend();
        }
        while self.network.has_room() {
            let Some(frame) = self.studio.next_to_send() else { return };
            let up = Up::Ops { cseq: frame.cseq, base: frame.base, ops: frame.ops.clone() };
            self.session.sent.insert(frame.cseq, now);
            self.network.send(up);
        }
    }

    fn tell_presence(&mut self, now: HostNanos) {
        let clock = self.shown.clock;
        let state = PresenceState {
            playing: self.engine.plays(),
            // A host's own, also where the session's is played; without a host, what is played.
            host_tempo: Tempo::from_micro_bpm(self.mode.sync.host_micro_bpm.unwrap_or(self.engine.micro_bpm))
                .ok(),
            rtt_us: (clock.rtt_ns / 1000).clamp(0, i64::from(u32::MAX)) as u32,
            clock_bound_us: (clock.bound_ns / 1000).clamp(0, i64::from(u32::MAX)) as u32,
            clock_estimated_us: (clock.estimated_ns / 1000).clamp(0, i64::from(u32::MAX)) as u32,
            trim_us: (self.trim.ns() / 1000) as i32,
            device_latency_us: (self.trim.latency_ns() / 1000) as u32,
            ..self.session.presence
        };
        let due = match &self.session.told {
            None => true,
            Some((told, at)) => {
                let seen = |state: &PresenceState| {
                    let own = (state.trim_us, state.device_latency_us);
                    (state.cursor, state.focus, state.playing, state.host_tempo, own)
                };
                let moved = seen(told) != seen(&state);
                let gap = if moved { PRESENCE_GAP } else { FIGURES_GAP };
                *told != state && now - *at >= gap
            }
        };
        if due {
            self.network.send(Up::Presence(state));
            self.session.told = Some((state, now));
        }
    }

    /// Asks for what is done at once or not at all.
    pub(super) fn ask(&mut self, frame: Up) {
        match self.session.attached {
            true => self.network.send(frame),
            false => self.complain("the session is not open yet; try again in a moment".into()),
        }
    }

    /// Says a line.
    pub(super) fn chat(&mut self, line: String) {
        let line: String = line.trim().chars().take(CHAT).collect();
        if !line.is_empty() {
            self.ask(Up::Chat(line));
        }
    }
}
