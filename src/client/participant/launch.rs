//! Quantised launch: when an edit for the next bar, beat or step takes effect.

use super::Participant;
use crate::client::When;
use crate::pattern::Bars;
use crate::time::{Beats, HostNanos};

const MS: i64 = 1_000_000;
/// What an edit takes beyond the way: frames of edits, the server, blocks that are rendered ahead.
const MARGIN: i64 = 60 * MS;
/// The longest way that is waited for: who is further away takes it a bar later.
const LONGEST: i64 = 1_000 * MS;

impl Participant {
    /// The tick at which an edit takes effect: none that somebody hears of too late, as far as ways are
    /// known. `None`: at once.
    pub(super) fn due(&self, when: When, now: HostNanos) -> Option<Beats> {
        let bars = Bars::in_song(self.studio.song());
        let next = |quantum: Beats, from: Beats| (from + Beats(1)).ceil_to(quantum);
        match when {
            When::Now => None,
            When::At(tick) => Some(tick),
            _ => {
                let from = self.engine.position_at(HostNanos(now.0 + self.launch_lead()))?;
                Some(match when {
                    When::NextStep => next(Beats::SIXTEENTH, from),
                    When::NextBeat => next(Beats::quarters(1), from),
                    When::NextBars(every) => {
                        let every = i64::from(every.max(1));
                        let bar = bars.at(from).number;
                        bars.bar(bar + every - bar.rem_euclid(every)).start
                    }
                    _ => bars.line_after(from),
                })
            }
        }
    }

    /// How long an edit takes until everybody has it, in ns; none where nobody else is.
    fn launch_lead(&self) -> i64 {
        let others = self.shown.peers.iter().filter(|peer| peer.online);
        let furthest = others.map(|peer| i64::from(peer.state.rtt_us) * 1000).max();
        // Half of either way, and half as much again for what wavers.
        furthest.map_or(0, |furthest| MARGIN + (self.shown.clock.rtt_ns + furthest).min(LONGEST) * 3 / 4)
    }
}
