//! What owners ask about people, and what people have in hand.

use std::time::Duration;

use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Bytes;

use super::{Room, Seat};
use crate::server::limits::INVITE_MINUTES;
use crate::server::metrics;
use crate::server::outgoing::{encoded, error_frame};
use crate::server::store::{AdmitError, StoreError, now_ms};
use crate::session::{ClientId, Commit, Locks, Part, Role};
use crate::wire::{Ask, Down, ErrorCode, GivenInvite, Hidden, MAX_NOTES, News, PlayedNote, Up};

/// The most new participants that one invite with a limit admits.
const MOST_USES: u32 = 1_000_000;

impl Room {
    /// Takes what is passed on at once and never stored; `false` for everything else.
    pub(super) fn take_hand(&mut self, seat: Seat, ask: &Ask) -> bool {
        let plays = self.member(seat).map(|member| member.role != Role::Listener);
        match (ask, plays) {
            (Ask::Lock(_) | Ask::Unlock(_) | Ask::Notes(_), None) => {}
            (Ask::Lock(_) | Ask::Unlock(_) | Ask::Notes(_), Some(false)) => {
                let message = "a listener has no hand in the song; ask the owner for an editor's invite";
                self.complain(seat.client, ErrorCode::Unauthorized, message);
            }
            (Ask::Lock(part), _) => self.lock(seat, *part),
            (Ask::Unlock(part), _) => {
                if self.locks.release(seat.client, *part) {
                    self.tell_others(seat.client, News::Unlock { client: seat.client, part: *part });
                }
            }
            (Ask::Notes(notes), _) => self.notes(seat, notes),
            _ => return false,
        }
        self.note_activity(seat);
        true
    }

    fn lock(&mut self, seat: Seat, part: Part) {
        if !part.is_valid() {
            let message = "there is no such part to lock; this one was dropped";
            return self.complain(seat.client, ErrorCode::Malformed, message);
        }
        let now = self.lock_time();
        match self.locks.touch(seat.client, part, now) {
            Some(holder) => self.touched(part, holder, seat.client),
            None if self.locks.holder(part, now) == Some(seat.client) => {
                self.tell_others(seat.client, News::Lock { client: seat.client, part });
            }
            None => {}
        }
    }

    fn notes(&mut self, seat: Seat, notes: &[PlayedNote]) {
        let Some(member) = self.members.get_mut(&seat.client) else { return };
        let fits = member.notes.len() + notes.len() <= MAX_NOTES;
        if !fits || !notes.iter().all(PlayedNote::is_valid) {
            let message = format!(
                "at most {MAX_NOTES} notes between two rounds, each within MIDI's range and the song; \
                 these were dropped"
            );
            return self.complain(seat.client, ErrorCode::Malformed, message);
        }
        member.notes.extend_from_slice(notes);
    }

    /// Everybody's live notes since the last round, each with its author.
    pub(super) fn take_notes(&mut self) -> Vec<(ClientId, Bytes)> {
        let played = self.members.iter_mut().filter(|(_, member)| !member.notes.is_empty());
        let frames = played.flat_map(|(author, member)| {
            let notes = std::mem::take(&mut member.notes);
            let frames = encoded(Down::People(News::Notes { author: *author, notes }));
            frames.into_iter().map(|frame| (*author, frame))
        });
        frames.collect()
    }

    /// Somebody's hand is on what a commit of theirs has changed.
    pub(super) fn lock_by_commit(&mut self, commit: &Commit) {
        for part in Locks::parts_of(&commit.ops) {
            self.lock_by_deed(commit.author, part);
        }
    }

    /// Somebody's hand is on a part. The others know it by what it does.
    pub(super) fn lock_by_deed(&mut self, client: ClientId, part: Part) {
        let now = self.lock_time();
        if let Some(holder) = self.locks.touch(client, part, now) {
            self.touched(part, holder, client);
        }
    }

    fn touched(&self, part: Part, holder: ClientId, by: ClientId) {
        for client in [holder, by] {
            self.news(client, News::Touched { part, holder, by });
        }
    }

    fn lock_time(&self) -> i64 {
        self.opened.elapsed().as_nanos() as i64
    }

    fn tell_others(&self, author: ClientId, news: News) {
        let frames = encoded(Down::People(news));
        for (client, member) in &self.members {
            if *client != author {
                member.send(frames.clone());
            }
        }
    }

    /// Takes what is asked about people.
    pub(super) async fn take_ask(&mut self, seat: Seat, ask: Ask) {
        let Some(member) = self.member(seat) else { return };
        if member.role != Role::Owner {
            let message = "only an owner of the session may do this; ask one of them";
            return self.complain(seat.client, ErrorCode::Unauthorized, message);
        }
        self.note_activity(seat);
        let done = match ask {
            Ask::Kick(client) => self.kick(seat, client).await,
            Ask::Role { client, role } => self.give_role(seat, client, role).await,
            Ask::Invite { role, minutes, uses } => self.invite(seat, role, minutes, uses).await,
            Ask::Invites => self.list_invites(seat).await,
            Ask::Revoke(number) => self.revoke(seat, number).await,
            Ask::Code(role) => self.make_code(seat, role).await,
            // The socket answers the one, and the rest is taken before.
            Ask::Token | Ask::Lock(_) | Ask::Unlock(_) | Ask::Notes(_) => Ok(()),
        };
        if let Err(error) = done {
            tracing::error!(session = self.session, %error, "what an owner asked could not be stored");
            let message = "the server could not store this; try again in a moment";
            self.complain(seat.client, ErrorCode::Unavailable, message);
        }
    }

    async fn kick(&mut self, seat: Seat, client: ClientId) -> Result<(), StoreError> {
        if client == seat.client {
            let message = "you cannot send yourself away; leave instead";
            self.complain(seat.client, ErrorCode::Unexpected, message);
            return Ok(());
        }
        if !self.members.contains_key(&client) {
            self.complain(seat.client, ErrorCode::Unexpected, nobody(client));
            return Ok(());
        }
        self.store.kick(&self.session, client).await?;
        tracing::info!(session = self.session, client = client.0, by = seat.client.0, "kicked");
        self.send_away(client, &AdmitError::Kicked);
        Ok(())
    }

    /// Closes somebody's socket and forgets them.
    fn send_away(&mut self, client: ClientId, reason: &AdmitError) {
        let Some(member) = self.members.remove(&client) else { return };
        let code =
            if matches!(reason, AdmitError::Kicked) { ErrorCode::Kicked } else { ErrorCode::Unauthorized };
        if member.seat.is_some() {
            member.send(error_frame(code, reason.to_string(), true));
            member.dismiss();
            metrics::participants(-1);
        }
        self.locks.release_all(client);
        if self.people() == 0 {
            self.empty_since = Some(Instant::now());
        }
        self.tell_participants();
    }

    async fn give_role(&mut self, seat: Seat, client: ClientId, role: Role) -> Result<(), StoreError> {
        let owners = self.members.values().filter(|member| member.role == Role::Owner).count();
        if client == seat.client && role != Role::Owner && owners < 2 {
            let message = "a session keeps an owner: make somebody else one first";
            self.complain(seat.client, ErrorCode::Unexpected, message);
            return Ok(());
        }
        if !self.members.contains_key(&client) {
            self.complain(seat.client, ErrorCode::Unexpected, nobody(client));
            return Ok(());
        }
        self.store.give_role(&self.session, client, role).await?;
        if let Some(member) = self.members.get_mut(&client) {
            member.role = role;
        }
        self.tell_participants();
        Ok(())
    }

    async fn invite(
        &mut self,
        seat: Seat,
        role: Role,
        minutes: Option<u32>,
        uses: Option<u32>,
    ) -> Result<(), StoreError> {
        let minutes = minutes.map(|minutes| i64::from(minutes.clamp(1, INVITE_MINUTES)));
        let expires_at = minutes.map(|minutes| now_ms() + minutes * 60_000);
        let uses = uses.map(|uses| uses.clamp(1, MOST_USES));
        let invite = self.store.create_invite(&self.session, role, expires_at, uses).await?;
        let given = GivenInvite {
            id: invite.number(),
            role,
            secret: Hidden(invite.secret.expose().to_owned()),
            server: self.public_url.clone(),
        };
        self.news(seat.client, News::Invite(given));
        Ok(())
    }

    async fn list_invites(&mut self, seat: Seat) -> Result<(), StoreError> {
        let invites = self.store.invites(&self.session).await?;
        self.news(seat.client, News::Invites(invites));
        Ok(())
    }

    async fn revoke(&mut self, seat: Seat, number: u32) -> Result<(), StoreError> {
        if self.store.invite_of(&self.session, seat.client).await? == Some(number) {
            let message = "you came in by this invite yourself, and would have to leave";
            self.complain(seat.client, ErrorCode::Unexpected, message);
        } else if self.store.revoke_invite(&self.session, number).await? {
            self.news(seat.client, News::Revoked(number));
            self.look_again().await;
        } else {
            let message = format!("there is no invite {number:08x} in force");
            self.complain(seat.client, ErrorCode::Unexpected, message);
        }
        Ok(())
    }

    async fn make_code(&mut self, seat: Seat, role: Role) -> Result<(), StoreError> {
        let life = self.patience.code;
        let code = self.store.create_code(&self.session, role, life.as_millis() as i64).await?;
        let code = Hidden(code.expose().to_owned());
        self.news(seat.client, News::Code { code, seconds: life.as_secs() as u32 });
        Ok(())
    }

    /// Looks at everybody again: who was barred, here or by another process, leaves.
    pub(super) async fn look_again(&mut self) {
        let clients: Vec<_> = self.members.keys().copied().collect();
        let mut roles_changed = false;
        for client in clients {
            match self.store.may_stay(&self.session, client).await {
                Ok(role) => {
                    if let Some(member) = self.members.get_mut(&client) {
                        roles_changed |= member.role != role;
                        member.role = role;
                    }
                }
                Err(AdmitError::Store(error)) => {
                    tracing::warn!(session = self.session, %error, "who may stay could not be read");
                }
                Err(reason) => self.send_away(client, &reason),
            }
        }
        if roles_changed {
            self.tell_participants();
        }
    }

    /// Notes that somebody did something.
    pub(super) fn note_deed(&mut self, seat: Seat, up: &Up) {
        let deed = match up {
            Up::Ops { .. }
            | Up::Gesture(_)
            | Up::Start { .. }
            | Up::CountIn { .. }
            | Up::Stop
            | Up::Chat(_) => true,
            Up::Presence(state) => self.member(seat).is_some_and(|member| {
                let (is, was) = (state, &member.state);
                (is.cursor, is.focus, is.playing) != (was.cursor, was.focus, was.playing)
            }),
            _ => false,
        };
        if deed {
            self.note_activity(seat);
        }
    }

    fn note_activity(&mut self, seat: Seat) {
        if let Some(member) = self.members.get_mut(&seat.client) {
            member.active = Instant::now();
        }
    }

    /// When somebody will be away, or forgotten.
    pub(super) fn absence_due(&self) -> Option<Instant> {
        let due = |member: &super::Member| match (member.left, member.away) {
            (Some(left), _) => Some(left + self.patience.forget),
            (None, false) => Some(member.active + self.patience.away),
            (None, true) => None,
        };
        self.members.values().filter_map(due).min()
    }

    /// Tells who has become idle and who is back, and forgets who has been gone for long.
    pub(super) fn note_absence(&mut self, now: Instant) {
        let since = |then: Instant| now.saturating_duration_since(then);
        let mut changed = Vec::new();
        for (client, member) in self.members.iter_mut().filter(|(_, member)| member.seat.is_some()) {
            let away = since(member.active) >= self.patience.away;
            if std::mem::replace(&mut member.away, away) != away {
                changed.push((*client, away));
            }
        }
        if !changed.is_empty() {
            self.broadcast(Down::People(News::Away(changed)));
        }
        let forget: Duration = self.patience.forget;
        let before = self.members.len();
        self.members.retain(|_, member| member.left.is_none_or(|left| since(left) < forget));
        if self.members.len() < before {
            self.tell_participants();
        }
    }
}

fn nobody(client: ClientId) -> String {
    format!("there is no participant {} here", client.0)
}
