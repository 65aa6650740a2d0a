//! People: invites, hands, following, as the session's thread has them.

use std::collections::BTreeMap;

use super::Participant;
use crate::client::live::{Keep, Live};
use crate::client::people::{Given, Held, Line, Wish};
use crate::client::{Event, Link, When};
use crate::pattern::Bars;
use crate::rt::ports::ToEngine;
use crate::session::{ChatLine, ClientId, LOCK_NANOS, Locks, MAX_OPS, Op, Part, Role, StampedOp};
use crate::time::{Clock, HostNanos};
use crate::wire::{Ask, GivenInvite, News, PlayedNote, Up};

/// Names remembered of those who have gone.
const NAMES: usize = 1024;

/// What belongs to one session's people.
#[derive(Default)]
pub struct Company {
    /// What others have in hand.
    locks: Locks,
    /// Who was ever seen here: chat outlives its speakers.
    pub names: BTreeMap<ClientId, String>,
    /// Notes played live.
    pub live: Live,
    /// What I hold on to, and when the others were last told.
    holding: Option<(Part, Option<HostNanos>)>,
}

impl Participant {
    /// Does what a person or script wants of the people.
    pub(super) fn wish(&mut self, wish: Wish) {
        match wish {
            Wish::Join(code) => self.network.redeem(code, self.reach),
            Wish::Kick(client) => self.ask(Up::People(Ask::Kick(client))),
            Wish::Role(client, role) => self.ask(Up::People(Ask::Role { client, role })),
            Wish::Invite { role, minutes, uses } => {
                self.ask(Up::People(Ask::Invite { role, minutes, uses }));
            }
            Wish::Invites => self.ask(Up::People(Ask::Invites)),
            Wish::Revoke(number) => self.ask(Up::People(Ask::Revoke(number))),
            Wish::Code(role) => self.ask(Up::People(Ask::Code(role))),
            Wish::Hold(part) => self.hold(part),
            Wish::Follow(client) => {
                self.shown.people.following = client;
                self.follow();
            }
            Wish::Cursor(cursor) => self.cursor(cursor),
            Wish::Look(track) => {
                self.shown.people.following = None;
                self.session.presence.focus = track;
                self.show_place();
            }
        }
    }

    /// My own cursor moved: I follow nobody any more.
    pub(super) fn cursor(&mut self, cursor: Option<(u8, u8)>) {
        self.shown.people.following = None;
        self.session.presence.cursor = cursor;
        self.show_place();
    }

    /// Goes where the one goes whom I follow.
    pub(super) fn follow(&mut self) {
        let followed = self.shown.people.following;
        let Some(peer) = self.shown.peers.iter().find(|peer| Some(peer.client) == followed) else { return };
        let (cursor, focus) = (peer.state.cursor, peer.state.focus);
        self.session.presence.cursor = cursor.or(self.session.presence.cursor);
        self.session.presence.focus = focus.or(self.session.presence.focus);
        self.show_place();
    }

    fn show_place(&mut self) {
        let presence = &self.session.presence;
        (self.shown.people.cursor, self.shown.people.focus) = (presence.cursor, presence.focus);
    }

    fn hold(&mut self, part: Option<Part>) {
        if let Some((before, Some(_))) = self.session.company.holding
            && part != Some(before)
        {
            self.network.send(Up::People(Ask::Unlock(before)));
        }
        self.session.company.holding = part.map(|part| (part, None));
    }

    /// What comes due about people: a lock's renewal, locks that have expired.
    pub(super) fn tend_people(&mut self, now: HostNanos) {
        let people = 1 + self.shown.peers.iter().filter(|peer| peer.online).count();
        self.take_recorded(now);
        let notes = self.session.company.live.frame(now, people);
        if !notes.is_empty() {
            self.network.send(Up::People(Ask::Notes(notes)));
        }
        let side = &mut self.session.company;
        if let Some((part, told)) = &mut side.holding
            && told.is_none_or(|told| now - told >= LOCK_NANOS / 2)
        {
            *told = Some(now);
            self.network.send(Up::People(Ask::Lock(*part)));
        }
        if side.locks.expire(now.0) {
            self.show_locks(now);
        }
    }

    /// Somebody else's deed shows what they have in hand.
    pub(super) fn hands_of(&mut self, author: ClientId, ops: &[StampedOp], now: HostNanos) {
        if author == self.studio.client() || author == ClientId(0) {
            return;
        }
        for part in Locks::parts_of(ops) {
            self.session.company.locks.touch(author, part, now.0);
        }
        self.show_locks(now);
    }

    /// Somebody else's hand is on a part.
    pub(super) fn hand_on(&mut self, author: ClientId, part: Part, now: HostNanos) {
        // Another instance of this machine is no other person.
        if self.session.people.iter().any(|person| person.client == author) {
            self.session.company.locks.touch(author, part, now.0);
            self.show_locks(now);
        }
    }

    fn show_locks(&mut self, now: HostNanos) {
        let held = self.session.company.locks.held(now.0).map(|(part, client)| Held { part, client });
        self.shown.people.held = held.collect();
        self.shown.stale();
    }

    /// Who is gone holds nothing and is followed no more.
    pub(super) fn people_changed(&mut self, now: HostNanos) {
        let here = |client| self.shown.peers.iter().any(|peer| peer.client == client && peer.online);
        let locks = &mut self.session.company.locks;
        let gone: Vec<_> =
            locks.held(now.0).map(|(_, client)| client).filter(|client| !here(*client)).collect();
        gone.into_iter().for_each(|client| locks.release_all(client));
        if self.shown.people.following.is_some_and(|followed| !here(followed)) {
            self.shown.people.following = None;
        }
        for person in &self.session.people {
            if self.session.company.names.len() < NAMES {
                self.session.company.names.insert(person.client, person.name.clone());
            }
        }
        self.show_chat();
        self.show_locks(now);
        self.follow();
    }

    /// The session may have given me another role.
    pub(super) fn role_told(&mut self, role: Role, now: HostNanos) {
        if self.studio.role() != role {
            self.studio.set_role(role);
            self.events.tell(Event::Role(role), now);
            self.shown.notice = Some(format!("you are {} now", role_word(role)));
        }
    }

    /// Takes what the server tells about people.
    pub(super) fn news(&mut self, news: News, now: HostNanos) {
        match news {
            // The hub keeps it.
            News::Token { .. } => {}
            News::Invite(given) => self.invite_made(given, now),
            News::Invites(invites) => {
                self.shown.people.invites.clone_from(&invites);
                self.events.tell(Event::Invites(invites), now);
            }
            News::Revoked(id) => {
                let invites = self.shown.people.invites.iter_mut();
                invites.filter(|invite| invite.id == id).for_each(|invite| invite.revoked = true);
                self.events.tell(Event::Revoked(id), now);
            }
            News::Code { code, seconds } => {
                let Some(link) = self.network.link() else { return };
                let (head, tail): (String, String) =
                    (code.0.chars().take(3).collect(), code.0.chars().skip(3).collect());
                let url = format!("{}/c/{head}-{tail}", link.server);
                let given = Given::Code { url, seconds };
                self.shown.people.given = Some(given.clone());
                self.events.tell(Event::Given(given), now);
            }
            News::Lock { client, part } => {
                if part.is_valid() {
                    self.hand_on(client, part, now);
                    let (from, what) = (self.name_of(client), self.words_of(part));
                    self.events.tell(Event::Held { from, what, held: true }, now);
                }
            }
            News::Unlock { client, part } => {
                if self.session.company.locks.release(client, part) {
                    self.show_locks(now);
                    let (from, what) = (self.name_of(client), self.words_of(part));
                    self.events.tell(Event::Held { from, what, held: false }, now);
                }
            }
            News::Touched { part, holder, by } => self.touched(part, holder, by, now),
            News::Away(changed) => self.away(&changed, now),
            News::Notes { author, notes } => self.echo(author, &notes, now),
        }
        self.shown.stale();
    }

    fn invite_made(&mut self, given: GivenInvite, now: HostNanos) {
        let Some(link) = self.network.link() else { return };
        let link = Link {
            server: given.server.unwrap_or_else(|| link.server.clone()),
            secret: given.secret.0,
            ..link.clone()
        };
        let given = Given::Link { url: link.to_url(), role: given.role, id: given.id };
        self.shown.people.given = Some(given.clone());
        self.events.tell(Event::Given(given), now);
    }

    fn touched(&mut self, part: Part, holder: ClientId, by: ClientId, now: HostNanos) {
        if !part.is_valid() {
            return;
        }
        let what = self.words_of(part);
        let (holder_name, by_name) = (self.name_of(holder), self.name_of(by));
        self.shown.notice = Some(if by == self.studio.client() {
            format!("{holder_name} has {what} in hand, too")
        } else {
            format!("{by_name} changed {what}, which you have in hand")
        });
        self.events.tell(Event::Touched { what, holder: holder_name, by: by_name }, now);
    }

    fn away(&mut self, changed: &[(ClientId, bool)], now: HostNanos) {
        for (client, away) in changed {
            let people = self.session.people.iter_mut();
            people.filter(|person| person.client == *client).for_each(|person| person.away = *away);
            if *client != self.studio.client() {
                let from = self.name_of(*client);
                self.events.tell(Event::Away { from, away: *away }, now);
            }
        }
        self.show_people();
    }

    /// Somebody else plays: it sounds here a bar later.
    fn echo(&mut self, author: ClientId, notes: &[PlayedNote], now: HostNanos) {
        let position = self.engine.position_at(now);
        let bars = Bars::in_song(self.studio.song());
        for note in notes.iter().filter(|note| note.is_valid()) {
            let live = &mut self.session.company.live;
            let at = position.and_then(|position| live.place(author, note, position, &bars));
            let PlayedNote { track, note, velocity, .. } = *note;
            if let Some(at) = at {
                let velocity = f32::from(velocity) / 127.0;
                self.feed.push(ToEngine::Echo { track, note, velocity, at });
            }
            let from = self.name_of(author);
            self.events.tell(Event::Played { from, track, note, velocity, tick: at }, now);
        }
    }

    /// Lets what is played live become steps as it is played, or no longer.
    pub(super) fn record_live(&mut self, quantised: Option<bool>) {
        self.session.company.live.arm(quantised);
        self.shown.stale();
    }

    /// What was recorded since the last look becomes steps.
    fn take_recorded(&mut self, now: HostNanos) {
        if self.session.company.live.armed().is_none() {
            return;
        }
        let me = self.studio.client();
        let kept = self.session.company.live.recorded(me, self.studio.song());
        if !kept.edits.is_empty() {
            for edits in kept.edits.chunks(MAX_OPS) {
                self.edit(edits, When::Now, now);
            }
            self.events.tell(Event::KeptNotes { notes: kept.notes, left_out: kept.left_out }, now);
        }
    }

    /// Makes steps of the last bar that was played live.
    pub(super) fn keep(&mut self, keep: Keep, now: HostNanos) {
        let kept = self.session.company.live.keep(self.studio.client(), self.studio.song(), keep);
        if kept.edits.is_empty() {
            return self
                .complain("nothing was played live while the song played; there is nothing to keep".into());
        }
        for edits in kept.edits.chunks(MAX_OPS) {
            self.edit(edits, When::Now, now);
        }
        self.events.tell(Event::KeptNotes { notes: kept.notes, left_out: kept.left_out }, now);
    }

    fn words_of(&self, part: Part) -> String {
        crate::client::people::part_words(part, self.studio.song())
    }

    /// Lines of chat came with a commit.
    pub(super) fn heard_chat(&mut self, ops: &[StampedOp], now: HostNanos) {
        let said = ops.iter().filter_map(|stamped| match &stamped.op {
            Op::Said { client, text } => Some((*client, text.as_str().to_owned())),
            _ => None,
        });
        for (client, text) in said.collect::<Vec<_>>() {
            let from = self.name_of(client);
            self.events.tell(Event::Chat { from, text }, now);
            self.show_chat();
        }
    }

    /// What was said, as the state keeps it.
    pub(super) fn show_chat(&mut self) {
        let said = self.studio.confirmed().chat().lines();
        let line = |line: &ChatLine| (line.client, line.text.as_str().to_owned());
        let said: Vec<_> = said.map(line).collect();
        let line = |(client, text)| Line { from: self.name_of(client), text };
        self.shown.people.chat = said.into_iter().map(line).collect();
    }

    /// A short code was exchanged, or was not.
    pub(super) fn redeemed(&mut self, outcome: Result<Link, String>) {
        match outcome {
            Ok(link) => self.join(link),
            Err(reason) => {
                self.complain(reason.clone());
                let now = self.clock.now();
                self.events.tell(Event::CodeRefused(reason), now);
            }
        }
    }
}

/// A role as a person reads it.
pub(in crate::client) fn role_word(role: Role) -> &'static str {
    match role {
        Role::Listener => "a listener",
        Role::Editor => "an editor",
        Role::Owner => "an owner",
    }
}
