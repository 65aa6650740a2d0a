//! What an instance says, as it would to a server: its frames are taken here, and what else it says
//! is answered or goes on.
//!
//! Thread: the room's. Invariant: an instance's frames are taken in the order of its own numbers,
//! each once, and are in the journal before another instance or the server hears of them.

use super::{Meta, Room, branch};
use crate::client::Connection;
use crate::client::hub::speech::FromHub;
use crate::pattern::Register;
use crate::session::{Cseq, Frame, MAX_OPS, Refusal, StampedOp};
use crate::time::{Clock, HostNanos};
use crate::wire::{Ask, Down, ErrorCode, News, Up};

impl Room {
    /// What an instance would tell a server.
    pub(super) fn up(&mut self, seat: u64, up: Up) {
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

    /// An instance has its answer for its frames up to one.
    pub(super) fn answered(&mut self, instance: u64, ticket: Cseq) {
        let known = self.instances.entry(instance).or_default();
        known.answered = known.answered.max(ticket);
    }
}

/// Tells an instance that one of its frames is refused.
pub(super) fn nack(cseq: Cseq, reason: Refusal) -> FromHub {
    FromHub::Down(Box::new(Down::Nack { cseq, reason }))
}
