//! The session's clock as the machine measures it: one socket for all instances, which share this
//! machine's clock and are told every word of it.

use super::Room;
use crate::client::clock_socket::{ClockOrder, ClockWord};
use crate::client::hub::speech::FromHub;
use crate::time::{Clock, ClockEpoch, ClockNews, Probe};

/// Clock probes kept for instances that come later.
const PROBES: usize = 64;

impl Room {
    /// A word of the clock's socket.
    pub(super) fn clock_word(&mut self, word: ClockWord) {
        let look = self.clock.look();
        match word {
            ClockWord::Epoch(epoch) => {
                self.shared_clock.told(epoch, look.now);
                self.remember(epoch);
                self.tell_all(&FromHub::Clock(epoch));
            }
            ClockWord::Probe(probe) => {
                self.shared_clock.probe(probe, look);
                if self.probes.len() == PROBES {
                    self.probes.pop_front();
                }
                self.probes.push_back(probe);
                self.tell_all(&FromHub::Probe(probe.into()));
            }
        }
        self.clock_moved();
    }

    /// Looks at the machine's clocks.
    pub(super) fn look_at_clock(&mut self) {
        self.shared_clock.look(self.clock.look());
        self.clock_moved();
    }

    /// 0 while session time is this machine's own: no server has told another, or what it told is
    /// forgotten.
    pub(super) fn clock_epoch(&self) -> u64 {
        if self.shared_clock.map().is_some() || self.branch.is_none() { self.epoch } else { 0 }
    }

    /// Keeps what later instances are told: probes of another clock are of no use to them.
    fn remember(&mut self, epoch: ClockEpoch) {
        if epoch.shifted_ns != 0 {
            let shifted = |probe: &Probe| Probe {
                t2: probe.t2 + epoch.shifted_ns,
                t3: probe.t3 + epoch.shifted_ns,
                ..*probe
            };
            self.probes = self.probes.iter().map(shifted).collect();
        } else if self.clock_told.is_none_or(|told| told.epoch != epoch.epoch) {
            self.probes.clear();
        }
        self.clock_told = Some(ClockEpoch { shifted_ns: 0, ..epoch });
    }

    fn clock_moved(&mut self) {
        if self.shared_clock.take_burst() {
            self.network.order_clock(ClockOrder::Burst);
        }
        if let Some(recollection) = self.shared_clock.take_recollection() {
            self.network.order_clock(ClockOrder::Recall(recollection));
        }
        while let Some(news) = self.shared_clock.take_news() {
            if matches!(news, ClockNews::Stepped | ClockNews::Woke { .. } | ClockNews::Parted { .. }) {
                self.probes.clear();
            }
        }
    }
}
