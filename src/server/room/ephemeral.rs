//! What is passed on and never stored: gestures, presence, fingerprints; and chat on its way to the log.

use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Bytes;

use super::{Room, Seat};
use crate::pattern::{Edit, Register};
use crate::server::metrics;
use crate::server::outgoing::encoded;
use crate::session::{Area, ClientId, MAX_TEXT, Part, Role, StampedOp, Text};
use crate::wire::{BarFingerprint, Down, ErrorCode, Gesture, PresenceState};

/// The most parameters that one hand holds.
const MAX_MOVES: usize = 64;
/// The most bars in one frame of fingerprints.
const MAX_BARS: usize = 64;

impl Room {
    pub(super) fn take_gesture(&mut self, seat: Seat, moves: Vec<Gesture>) {
        let Some(member) = self.members.get_mut(&seat.client) else { return };
        if member.role == Role::Listener {
            let message = "a listener may not move parameters; ask the owner for an editor's invite";
            return self.complain(seat.client, ErrorCode::Unauthorized, message);
        }
        let valid = |held: &Gesture| held.slot.is_valid() && held.slot.spec().check(held.value).is_ok();
        let (role, client) = (member.role, seat.client);
        let permissions = &self.sequencer.state().rulings().permissions;
        let kept = |held: &Gesture| {
            let area = Area::of(Register::Param(held.slot));
            (!permissions.allow(client, role, area)).then_some(area)
        };
        if let Some(area) = moves.iter().filter(|held| held.slot.is_valid()).find_map(kept) {
            let message = format!("you may not move {area}; the session's owner decides who may");
            return self.complain(seat.client, ErrorCode::Unauthorized, message);
        }
        if moves.len() > MAX_MOVES || !moves.iter().all(valid) {
            let message = format!(
                "a gesture holds at most {MAX_MOVES} parameters, each within its range; this one was dropped"
            );
            return self.complain(seat.client, ErrorCode::Malformed, message);
        }
        for slot in moves.iter().map(|held| held.slot).collect::<Vec<_>>() {
            self.lock_by_deed(seat.client, Part::Param(slot));
        }
        let Some(member) = self.members.get_mut(&seat.client) else { return };
        for held in moves {
            match member.gestures.iter_mut().find(|other| other.slot == held.slot) {
                Some(other) => other.value = held.value,
                None => member.gestures.push(held),
            }
        }
    }

    /// A durable value ends the author's gesture on that parameter: a move that still waits to go
    /// out must not come after it.
    pub(super) fn end_gestures(&mut self, seat: Seat, ops: &[StampedOp]) {
        let Some(member) = self.members.get_mut(&seat.client) else { return };
        for op in ops {
            if let Some(Edit::Param { slot, .. }) = op.op.edit() {
                member.gestures.retain(|held| held.slot != slot);
            }
        }
    }

    /// Everybody's moves since the last round, each with its author.
    pub(super) fn take_gestures(&mut self) -> Vec<(ClientId, Bytes)> {
        let moved = self.members.iter_mut().filter(|(_, member)| !member.gestures.is_empty());
        moved
            .flat_map(|(author, member)| {
                let moves = std::mem::take(&mut member.gestures);
                encoded(Down::Gestures { author: *author, moves }).into_iter().map(|frame| (*author, frame))
            })
            .collect()
    }

    pub(super) fn take_presence(&mut self, seat: Seat, state: PresenceState) {
        if let Some(member) = self.members.get_mut(&seat.client) {
            member.state = state;
            member.presence_changed = differs(&state, &member.told);
            metrics::peers::told(&self.session, seat.client, state);
        }
    }

    /// The changes of presence since the last round, each with whose it is.
    pub(super) fn take_presences(&mut self, now: Instant) -> Vec<(ClientId, Bytes)> {
        let changed = self.members.iter_mut().filter(|(_, member)| member.presence_changed);
        let frames: Vec<_> = changed
            .flat_map(|(client, member)| {
                member.presence_changed = false;
                member.told = member.state;
                let told = encoded(Down::Presence { client: *client, state: member.state });
                told.into_iter().map(|frame| (*client, frame))
            })
            .collect();
        if !frames.is_empty() {
            self.presence_pace.sent(now);
        }
        frames
    }

    /// A line of chat, to be kept: late joiners read it too.
    pub(super) fn take_chat(&mut self, seat: Seat, words: &str) -> Option<Text> {
        let text = Text::new(words.trim());
        if let Err(error) = &text {
            let message = format!("a line of chat has 1 to {MAX_TEXT} characters: {error}");
            self.complain(seat.client, ErrorCode::TooLarge, message);
        }
        text.ok()
    }

    pub(super) fn take_fingerprints(&mut self, seat: Seat, bars: Vec<BarFingerprint>) {
        if bars.len() > MAX_BARS {
            let message = format!("at most {MAX_BARS} bars a frame; these were dropped");
            return self.complain(seat.client, ErrorCode::TooLarge, message);
        }
        for bar in bars {
            let results = self.comparison.add(seat.client, &bar);
            let reminder = bar.bar % 4 == 0;
            let second = results.len() == 1;
            let differs = results.iter().any(|result| result.differ != 0);
            for (nth, result) in results.into_iter().enumerate() {
                metrics::compared(result.differ == 0);
                if result.differ != 0 && result.changed {
                    let (a, b) = (seat.client.0, result.other.0);
                    let differ = format!("{:#x}", result.differ);
                    tracing::warn!(session = self.session, bar = bar.bar, a, b, differ, "bars differ");
                }
                let (bar, differ) = (bar.bar, result.differ);
                // What has not changed is told once to each, however many others there are.
                if result.changed || reminder && nth == 0 {
                    self.tell(seat.client, Down::Compared { bar, differ, other: result.other });
                }
                if result.changed || reminder && second {
                    self.tell(result.other, Down::Compared { bar, differ, other: seat.client });
                }
            }
            if differs {
                self.heal(&bar);
            }
        }
    }
}

/// Whether others should hear of it: measured latencies waver all the time, and a change of less
/// than a quarter tells nobody anything.
fn differs(new: &PresenceState, told: &PresenceState) -> bool {
    let wavers = |new: u32, told: u32| new.abs_diff(told) > told / 4 + 200;
    let seen = |state: &PresenceState| (state.cursor, state.focus, state.playing, state.host_tempo);
    seen(new) != seen(told)
        || wavers(new.rtt_us, told.rtt_us)
        || wavers(new.clock_bound_us, told.clock_bound_us)
        || wavers(new.clock_estimated_us, told.clock_estimated_us)
        || (new.trim_us, new.device_latency_us) != (told.trim_us, told.device_latency_us)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wavering_latency_is_no_news() {
        let told = PresenceState { rtt_us: 10_000, ..PresenceState::default() };
        assert!(!differs(&PresenceState { rtt_us: 11_000, ..told }, &told));
        assert!(differs(&PresenceState { rtt_us: 20_000, ..told }, &told));
        assert!(differs(&PresenceState { cursor: Some((1, 2)), ..told }, &told));
    }
}
