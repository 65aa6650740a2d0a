//! The session's own transport: where it is, where it starts, and when waiting edits take effect.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use super::Room;
use crate::pattern::Bars;
use crate::session::{Area, ClientId, Commit, Lead, MAX_TICK, Role, State};
use crate::time::{Beats, SessionNanos, Tempo};
use crate::wire::{ErrorCode, LEAD_REACH};

/// The least time between a request to start and the sound.
const LEAD: i64 = 250_000_000;
/// What a start adds to one and a half of the longest round trip: two audio blocks.
const MARGIN: i64 = 20_000_000;
/// Round trips longer than this are not waited for.
const LONGEST_RTT: i64 = 2_000_000_000;

/// After the store refused a promotion, the next try comes this much later.
const RETRY: Duration = Duration::from_secs(1);

/// Where a timeline is at a time; before its start, at its start.
fn position(state: &State, now: SessionNanos) -> Option<Beats> {
    let timeline = state.timeline();
    timeline.playing.then(|| timeline.tick_at(state.tempo_map(), now.max(timeline.at)))
}

/// When a timeline comes to a tick.
fn time_of(state: &State, tick: Beats) -> SessionNanos {
    state.timeline().time_of(state.tempo_map(), tick)
}

/// How far ahead a start must lie so that everybody knows of it in time.
fn lead(worst_rtt_us: u32) -> i64 {
    let rtt = (i64::from(worst_rtt_us) * 1000).min(LONGEST_RTT);
    LEAD.max(rtt * 3 / 2 + MARGIN)
}

impl Room {
    /// Where the session plays now; `None` when it is stopped.
    pub(super) fn position(&self) -> Option<Beats> {
        position(self.sequencer.state(), self.clock.now())
    }

    /// Starts from the bar of `tick`, soon enough for everybody; while it plays, on the next of its
    /// own bars that is. A session that stands still counts in for so many bars.
    pub(super) fn start(&mut self, tick: Beats, count_in: u8) -> Commit {
        let online = self.members.values().filter(|member| member.seat.is_some());
        let worst = online.map(|member| member.state.rtt_us).max().unwrap_or(0);
        let earliest = self.clock.now() + lead(worst);
        let state = self.sequencer.state();
        let bars = Bars::in_song(state.song());
        // Bounded first: a tick from a frame may be any number.
        let line = bars.line_from(tick.clamp(Beats::ZERO, MAX_TICK));
        let at = match position(state, earliest) {
            // A tick's time is rounded up, so the bar found is never before `earliest`.
            Some(there) => time_of(state, bars.line_from(there)).max(earliest),
            None => earliest + bars.count_in(state.tempo_map(), line, count_in),
        };
        self.sequencer.start(line, at)
    }

    /// Stops where it is; `None` when it is stopped already.
    pub(super) fn stop(&mut self) -> Option<Commit> {
        let now = self.clock.now();
        let there = position(self.sequencer.state(), now)?;
        Some(self.sequencer.stop(now, there))
    }

    /// Does as a leader's host does.
    ///
    /// # Errors
    /// It is no word for now, or the leader may not change the tempo.
    pub(super) fn lead(
        &mut self,
        client: ClientId,
        role: Role,
        lead: Lead,
    ) -> Result<Commit, (ErrorCode, &'static str)> {
        if lead.at.0.abs_diff(self.clock.now().0) > LEAD_REACH.unsigned_abs() {
            let message = "a leader's position is more than 5 s from the session's time; it is told anew once \
                           the clock is known";
            return Err((ErrorCode::Unexpected, message));
        }
        if Tempo::from_micro_bpm(lead.tempo.micro_bpm()).is_err() || lead.tick < Beats::ZERO {
            return Err((ErrorCode::Malformed, "a leader's tempo is 40 to 300 BPM, its position 0 or later"));
        }
        let may = self.sequencer.state().rulings().permissions.allow(client, role, Area::Tempo);
        if self.sequencer.leads_tempo(lead) && !may {
            let message = "your host plays by another tempo than the session, and you may not change that; \
                           the session's owner decides who may";
            return Err((ErrorCode::Unauthorized, message));
        }
        Ok(self.sequencer.lead(lead))
    }

    /// When the next waiting edit takes effect: while playing when its beat comes, while stopped a
    /// bar's time after it was committed.
    pub(super) fn promotion_due(&self, now: Instant) -> Option<Instant> {
        let state = self.sequencer.state();
        let first = state.waiting().first()?;
        let timeline = state.timeline();
        if timeline.playing {
            let at = if first.at <= timeline.tick { timeline.at } else { time_of(state, first.at) };
            let wait = (at - self.clock.now()).max(0);
            return Some(now + Duration::from_nanos(wait as u64)).max(self.promote_after);
        }
        let segment = state.tempo_map().segment_at(timeline.tick);
        let length = Bars::in_song(state.song()).at(timeline.tick).length();
        let bar = segment.nanos_at(segment.tick + length).0 - segment.ns;
        let since = self.waiting_since.get(&first.stamp.seq).copied().unwrap_or(now);
        Some(since + Duration::from_nanos(bar.max(0) as u64)).max(self.promote_after)
    }

    /// Lets the edits whose beat has come take effect.
    pub(super) async fn promote_due(&mut self) {
        let now = Instant::now();
        if let Some(first) = self.sequencer.state().waiting().first() {
            // One that came from the store counts from now.
            self.waiting_since.entry(first.stamp.seq).or_insert(now);
        }
        if self.promotion_due(now).is_none_or(|due| due > now) {
            return;
        }
        let state = self.sequencer.state();
        let first = state.waiting().first().map(|waiting| waiting.at);
        let upto = position(state, self.clock.now()).max(first);
        let promoted = upto.and_then(|upto| self.sequencer.promote(upto));
        if let Some(commit) = promoted {
            // On failure the room has the store's state, and the edits still wait.
            if !self.store_and_queue(vec![commit], &BTreeSet::new()).await {
                self.promote_after = Some(now + RETRY);
            }
        }
        if self.sequencer.state().waiting().is_empty() {
            self.waiting_since.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Sequencer;

    #[test]
    fn a_far_participant_makes_the_start_later() {
        assert_eq!(lead(1000), LEAD);
        assert_eq!(lead(400_000), 620_000_000);
        assert_eq!(lead(u32::MAX), 3_020_000_000);
    }

    #[test]
    fn position_and_time_agree() {
        let mut sequencer = Sequencer::new(State::new());
        sequencer.start(Beats::quarters(8), SessionNanos(1_000_000_000));
        let state = sequencer.state();
        assert_eq!(position(state, SessionNanos(0)), Some(Beats::quarters(8)));
        assert_eq!(position(state, SessionNanos(1_500_000_000)), Some(Beats::quarters(9)));
        assert_eq!(time_of(state, Beats::quarters(9)), SessionNanos(1_500_000_000));
        sequencer.stop(SessionNanos(2_000_000_000), Beats::quarters(10));
        assert_eq!(position(sequencer.state(), SessionNanos(3_000_000_000)), None);
    }
}
