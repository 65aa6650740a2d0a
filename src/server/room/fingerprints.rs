//! Bars of different participants with equal input, compared.

use std::collections::{BTreeMap, HashMap, VecDeque};

use serde_json::{Value, json};

use crate::param::MAX_TRACKS;
use crate::session::ClientId;
use crate::wire::BarFingerprint;

/// Bars kept for comparison.
const WINDOW: usize = 256;

/// What is kept of the bars that sounded, and what their comparison gave.
#[derive(Default)]
pub(super) struct Comparison {
    /// Keys of `bars` in the order in which they came.
    order: VecDeque<Key>,
    bars: HashMap<Key, Bar>,
    /// The last result of each pair, the smaller client first.
    pairs: BTreeMap<(ClientId, ClientId), u32>,
    compared: u64,
    mismatched: u64,
}

/// Bar and input key.
type Key = (i32, u64);

#[derive(Default)]
struct Bar {
    prints: BTreeMap<ClientId, Hashes>,
    /// Tracks in which any two differ.
    differ: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Hashes {
    tracks: [u64; MAX_TRACKS],
    master: u64,
}

impl Hashes {
    /// Bit n for track n, bit 16 for the master.
    fn differ(&self, other: &Hashes) -> u32 {
        let tracks = self.tracks.iter().zip(&other.tracks).enumerate();
        let tracks = tracks.fold(0, |mask, (n, (a, b))| mask | u32::from(a != b) << n);
        tracks | u32::from(self.master != other.master) << MAX_TRACKS
    }
}

/// One comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Compared {
    /// With whom.
    pub other: ClientId,
    /// Where they differ; 0: nowhere.
    pub differ: u32,
    /// Whether this pair's last result was another.
    pub changed: bool,
}

impl Comparison {
    /// Adds a bar and compares it with what others heard of equal input.
    pub fn add(&mut self, client: ClientId, print: &BarFingerprint) -> Vec<Compared> {
        let key = (print.bar, print.input_key);
        if !self.bars.contains_key(&key) {
            if self.order.len() == WINDOW
                && let Some(oldest) = self.order.pop_front()
            {
                self.bars.remove(&oldest);
            }
            self.order.push_back(key);
        }
        let bar = self.bars.entry(key).or_default();
        let hashes = Hashes { tracks: print.tracks, master: print.master };
        if bar.prints.get(&client) == Some(&hashes) {
            return Vec::new();
        }
        let mut results = Vec::new();
        let was_compared = bar.prints.len() >= 2;
        let was_different = bar.differ != 0;
        for (other, theirs) in bar.prints.iter().filter(|(other, _)| **other != client) {
            let differ = hashes.differ(theirs);
            let pair = (client.min(*other), client.max(*other));
            let changed = self.pairs.insert(pair, differ) != Some(differ);
            bar.differ |= differ;
            results.push(Compared { other: *other, differ, changed });
        }
        bar.prints.insert(client, hashes);
        self.compared += u64::from(!was_compared && bar.prints.len() >= 2);
        self.mismatched += u64::from(!was_different && bar.differ != 0);
        results
    }

    /// Who told of a bar of this input.
    pub fn tellers(&self, print: &BarFingerprint) -> impl Iterator<Item = ClientId> {
        let bar = self.bars.get(&(print.bar, print.input_key));
        bar.into_iter().flat_map(|bar| bar.prints.keys().copied())
    }

    /// Counts since the room opened, and the compared bars still kept, in the order they came.
    pub fn report(&self) -> Value {
        let compared = self.order.iter().filter_map(|key| Some((key, self.bars.get(key)?)));
        let bars = compared.filter(|(_, bar)| bar.prints.len() >= 2).map(|((number, input_key), bar)| {
            json!({
                "bar": number,
                "input_key": format!("{input_key:016x}"),
                "clients": bar.prints.keys().map(|client| client.0).collect::<Vec<_>>(),
                "equal": bar.differ == 0,
                "differ": bar.differ,
            })
        });
        json!({
            "compared": self.compared,
            "mismatched": self.mismatched,
            "bars": bars.collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::SamplePos;

    fn print(bar: i32, input_key: u64, kick: u64) -> BarFingerprint {
        let mut tracks = [0; MAX_TRACKS];
        tracks[0] = kick;
        BarFingerprint { bar, input_key, tracks, master: 7, start: SamplePos(0) }
    }

    #[test]
    fn only_bars_of_equal_input_are_compared() {
        let mut comparison = Comparison::default();
        assert!(comparison.add(ClientId(1), &print(3, 10, 1)).is_empty());
        assert!(comparison.add(ClientId(2), &print(3, 11, 2)).is_empty());
        let equal = comparison.add(ClientId(2), &print(3, 10, 1));
        assert_eq!(equal, [Compared { other: ClientId(1), differ: 0, changed: true }]);
        assert_eq!(comparison.report()["compared"], 1);
        assert_eq!(comparison.report()["mismatched"], 0);
    }

    #[test]
    fn a_difference_names_its_track_once() {
        let mut comparison = Comparison::default();
        comparison.add(ClientId(1), &print(3, 10, 1));
        let different = comparison.add(ClientId(2), &print(3, 10, 9));
        assert_eq!(different, [Compared { other: ClientId(1), differ: 1, changed: true }]);
        comparison.add(ClientId(1), &print(4, 10, 1));
        assert!(!comparison.add(ClientId(2), &print(4, 10, 9))[0].changed);
        assert_eq!(comparison.report()["mismatched"], 2);
    }

    #[test]
    fn the_window_is_bounded_and_counts_go_on() {
        let mut comparison = Comparison::default();
        for bar in 0..1000 {
            comparison.add(ClientId(1), &print(bar, 10, 1));
            comparison.add(ClientId(2), &print(bar, 10, 1));
        }
        assert_eq!(comparison.bars.len(), WINDOW);
        assert_eq!(comparison.report()["compared"], 1000);
    }
}
