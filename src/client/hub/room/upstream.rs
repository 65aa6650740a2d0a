//! The room's one connection to the session's server.

use super::Room;
use super::said::nack;
use crate::client::hub::speech::FromHub;
use crate::client::journal::Record;
use crate::client::socket::SocketEvent;
use crate::client::{Connection, Link};
use crate::param::Owner;
use crate::rt::ENGINE_VERSION;
use crate::session::{Answered, Catchup, Commit, Cseq, Refusal, State};
use crate::time::{Clock, HostNanos};
use crate::wire::{Ask, Down, ErrorCode, Hello, News, Snapshot, Up, VERSION, Welcome};

const MS: i64 = 1_000_000;
/// Without an answer for this long, unanswered frames are sent again under the same number.
const ANSWER: i64 = 5_000 * MS;
/// What the server could not take now is sent again after this long: once for all that wait.
const AGAIN: i64 = 300 * MS;

impl Room {
    pub(super) fn hello(&self) -> Hello {
        Hello {
            version: VERSION,
            engine_version: ENGINE_VERSION,
            client_key: self.key,
            secret: self.pass.show(&self.link.secret, self.clock.now()),
            name: self.name.clone(),
            last_seq: self.last_seq(),
            unanswered: self.waiting.front().map_or(self.replica.next_cseq(), |oldest| oldest.cseq),
        }
    }

    /// A link with another secret to a session that refused the one before, or another way there.
    pub(super) fn another_way_in(&mut self, link: Link, allows: bool) {
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

    /// A word of the session's socket.
    pub(super) fn socket(&mut self, number: u64, event: SocketEvent) {
        if !self.network.is_current(number) || self.is_deposed() {
            return;
        }
        match event {
            SocketEvent::Frame(frame) => self.down(*frame),
            SocketEvent::Lost(reason) => self.lost(reason),
            SocketEvent::Refused(message) => self.refused(message),
        }
    }

    fn lost(&mut self, reason: String) {
        if matches!(self.connection, Connection::Refused(_)) {
            return;
        }
        self.unplug();
        let retry_ms = self.network.lost(self.clock.now());
        self.connect(Connection::Offline { retry_ms, reason });
        self.fork();
    }

    fn refused(&mut self, message: String) {
        self.unplug();
        self.network.refused();
        self.connect(Connection::Refused(message));
        self.fork();
    }

    /// Nothing is under way any more.
    fn unplug(&mut self) {
        self.replica.disconnect();
        self.sent.clear();
        self.people.clear();
    }

    fn connect(&mut self, connection: Connection) {
        self.tell_all(&FromHub::Connection(connection.clone()));
        self.connection = connection;
    }

    /// Tells the server what is worth telling while it listens.
    pub(super) fn send(&self, up: &Up) {
        if self.connection == Connection::Online {
            self.network.send(up);
        }
    }

    /// Tries again where the connection is lost, and sends what waits.
    pub(super) fn speak(&mut self, now: HostNanos) {
        for moved in self.replica.moved_tracks() {
            self.gestures.follow(&moved);
        }
        if self.network.is_due(now) {
            let hello = self.hello();
            self.network.retry(&hello);
            self.connect(Connection::Connecting);
        }
        if self.connection != Connection::Online {
            self.gestures.rested(now);
            return;
        }
        let people = 1 + self.people.iter().filter(|p| p.online && p.client != self.me()).count();
        let mut moves = self.gestures.frame(now, people);
        // Of a track that is new nobody else could tell which one is meant.
        moves.retain(|one| !matches!(one.slot.owner(), Owner::Track(at) if self.replica.is_unsettled(at)));
        if !moves.is_empty() {
            self.network.send(&Up::Gesture(moves));
        }
        // What an instance that died had in its hands ends here.
        self.gestures.rested(now);
        if self.pass.is_due(now) {
            self.network.send(&Up::People(Ask::Token));
        }
        let overdue = self.waiting.front().and_then(|oldest| self.sent.get(&oldest.cseq));
        let overdue = overdue.is_some_and(|sent| now - *sent > ANSWER);
        if overdue || self.resend_at.take_if(|at| now >= *at).is_some() {
            self.replica.resend_from_start();
        }
        while self.network.has_room() && self.pace.allows(now) {
            let Some(frame) = self.replica.next_to_send() else { return };
            let up = Up::Ops { cseq: frame.cseq, base: frame.base, ops: frame.ops.clone() };
            let cseq = frame.cseq;
            self.pace.take();
            self.sent.insert(cseq, now);
            for meta in self.waiting.iter_mut().filter(|meta| meta.cseq == cseq) {
                meta.sent = true;
            }
            self.network.send(&up);
        }
    }

    fn down(&mut self, frame: Down) {
        match frame {
            Down::Welcome(welcome) => return self.welcome(welcome),
            Down::Commits(commits) => {
                for commit in commits {
                    if !self.take_commit(&commit) {
                        return;
                    }
                }
                return;
            }
            Down::Nack { cseq, reason } => return self.nacked(cseq, reason),
            Down::Error { code, message, fatal: true } if is_final(code) => return self.refused(message),
            // The invite lets us in again.
            Down::Error { code: ErrorCode::Expired, message, fatal: true } => {
                self.pass.forget();
                return self.lost(message);
            }
            Down::People(News::Token { token, seconds }) => {
                return self.pass.take(token, seconds, self.clock.now());
            }
            Down::People(News::Away(ref changed)) => {
                for (client, away) in changed {
                    let people = self.people.iter_mut();
                    people.filter(|person| person.client == *client).for_each(|person| person.away = *away);
                }
            }
            Down::Error { code: ErrorCode::RateLimit | ErrorCode::Unavailable, .. } => self.resend_soon(),
            Down::Participants(ref people) => {
                self.people.clone_from(people);
                let me = self.me();
                let mine = self.people.iter().find(|person| person.client == me);
                self.role = mine.map_or(self.role, |person| person.role);
            }
            Down::Presence { client, state } => {
                let people = self.people.iter_mut();
                people.filter(|person| person.client == client).for_each(|person| person.state = state);
            }
            Down::Line(news) => return self.line_news(news),
            Down::Part(_) | Down::Pong { .. } | Down::Clock(_) => return,
            _ => {}
        }
        self.tell_all(&FromHub::Down(Box::new(frame)));
    }

    fn resend_soon(&mut self) {
        let now = self.clock.now();
        self.resend_at.get_or_insert(HostNanos(now.0 + AGAIN));
    }

    fn welcome(&mut self, welcome: Welcome) {
        let catchup = match welcome.state {
            // What is shown before the first welcome is no state of the session's: its commits
            // count from the empty one.
            Snapshot::Delta(commits) if !self.known || self.whole => match replayed(&commits) {
                Ok(state) => Catchup::Full(Box::new(state)),
                Err(error) => return self.unusable(&error),
            },
            Snapshot::Delta(commits) => Catchup::Delta(commits),
            Snapshot::Full { bytes, .. } => match State::decode(&bytes) {
                Ok(state) => Catchup::Full(Box::new(state)),
                Err(error) => return self.unusable(&error),
            },
            Snapshot::Parts { .. } => return self.unusable(&"an unfinished welcome"),
        };
        self.role = welcome.role;
        let answered = Answered { last: welcome.acked, answers: welcome.answers };
        if let Err(error) = self.come_home(welcome.client, answered, catchup) {
            return self.unusable(&error);
        }
        (self.known, self.whole) = (true, false);
        self.epoch = welcome.clock_epoch;
        self.rewrite();
        let hello = self.hello();
        self.network.welcomed(&hello);
        self.connection = Connection::Online;
        self.welcome_all();
        self.send_apart();
    }

    /// What the server sent does not fit what is here: start over from a whole state.
    fn unusable(&mut self, reason: &dyn std::fmt::Display) {
        tracing::warn!(%reason, "the session's state does not fit; asking for all of it");
        self.whole = true;
        self.lost(reason.to_string());
    }

    /// Takes a commit; says whether it could be.
    fn take_commit(&mut self, commit: &Commit) -> bool {
        if commit.seq <= self.replica.seq() {
            return true;
        }
        if let Err(error) = self.replica.commit(commit) {
            self.unusable(&error);
            return false;
        }
        self.keep_commit(commit);
        let mine = if commit.author == self.me() { self.take_meta(commit.cseq) } else { None };
        let Some(meta) = mine else {
            self.tell_commit(commit, 0, Cseq(0));
            return true;
        };
        self.sent.remove(&commit.cseq);
        self.note_apart(commit);
        self.keep_record(Record::Answered(commit.cseq));
        let ticket = if meta.kept { Cseq(0) } else { meta.ticket };
        self.names.committed(meta.instance, meta.ticket, commit.seq, false);
        self.tell_commit(commit, meta.instance, ticket);
        self.tell_all(&FromHub::Settled(commit.cseq));
        self.tell_instance(meta.instance, FromHub::Acked { cseq: commit.cseq, seq: commit.seq });
        true
    }

    fn nacked(&mut self, cseq: Cseq, reason: Refusal) {
        self.sent.remove(&cseq);
        if !reason.is_final() {
            return self.resend_soon();
        }
        self.replica.nack(cseq);
        let Some(meta) = self.take_meta(cseq) else { return };
        self.keep_record(Record::Answered(cseq));
        self.tell_all(&FromHub::Settled(cseq));
        if meta.instance == 0 {
            return self.notice(reason.to_string());
        }
        self.names.refused(meta.instance, meta.ticket, &reason);
        // The instance holds it still, or has it from the branch: it is told once, either way.
        let told = match meta.kept {
            false => nack(meta.ticket, reason),
            true => FromHub::TakenBack { cseq, reason: reason.to_string() },
        };
        self.tell_instance(meta.instance, told);
    }
}

/// The state that a session's commits make from the beginning.
fn replayed(commits: &[Commit]) -> Result<State, crate::session::ApplyError> {
    let mut state = State::new();
    for commit in commits {
        state.apply(commit)?;
    }
    Ok(state)
}

/// Whether coming again would meet the same answer.
fn is_final(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::Version | ErrorCode::UnknownSession | ErrorCode::Unauthorized | ErrorCode::Kicked
    )
}
