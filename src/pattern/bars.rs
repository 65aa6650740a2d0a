//! Bars: where they begin under a song's changes of metre.
//!
//! Thread: any. Realtime-safe: yes; fixed size, no heap. Invariant: bars follow each other without a
//! gap, and a change of metre stands on a bar line.

use super::{Edit, MAX_METRES, Metre, MetreChange, Song};
use crate::time::{Beats, TempoMap};

/// A song's changes of metre.
pub type Metres = [Option<MetreChange>; MAX_METRES];

/// The metre that changes let hold in a bar.
pub(super) fn metre_in(metres: &Metres, bar: u32) -> Metre {
    let up_to = metres.iter().flatten().filter(|change| change.bar <= bar);
    up_to.max_by_key(|change| change.bar).map_or(Metre::COMMON, |change| change.metre)
}

/// A stretch of bars of one length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stretch {
    /// Its first bar, from 0.
    bar: i64,
    /// Where that begins.
    tick: Beats,
    metre: Metre,
}

/// A bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bar {
    /// Which, from 0; before the song's beginning they count down.
    pub number: i64,
    /// Where it begins.
    pub start: Beats,
    /// Its metre.
    pub metre: Metre,
}

impl Bar {
    /// Its length.
    pub fn length(&self) -> Beats {
        self.metre.bar()
    }

    /// Where the next one begins.
    pub fn end(&self) -> Beats {
        self.start + self.length()
    }
}

/// The bars of a song.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bars {
    stretches: [Stretch; MAX_METRES + 1],
    length: usize,
}

impl Bars {
    /// Bars of one metre throughout.
    pub fn of(metre: Metre) -> Bars {
        let first = Stretch { bar: 0, tick: Beats::ZERO, metre };
        Bars { stretches: [first; MAX_METRES + 1], length: 1 }
    }

    /// The bars of a song: [`Metre::COMMON`] before its first change.
    pub fn in_song(song: &Song) -> Bars {
        let mut bars = Bars::of(song.metre_at(0));
        let mut after = 0;
        // By bar, in place: the list has no order.
        while let Some(next) = song.metres.iter().flatten().map(|c| c.bar).filter(|bar| *bar > after).min() {
            let last = bars.stretches[bars.length - 1];
            let (bar, metre) = (i64::from(next), song.metre_at(next));
            if metre.bar() != last.metre.bar() || metre != last.metre {
                let tick = last.tick + Beats((bar - last.bar) * last.metre.bar().0);
                bars.stretches[bars.length] = Stretch { bar, tick, metre };
                bars.length += 1;
            }
            after = next;
        }
        bars
    }

    /// The edit that lets a metre hold from a bar on: in the place of a change that stands there, else
    /// in a free one; `None` where there is none.
    pub fn change(song: &Song, bar: u32, metre: Metre) -> Option<Edit> {
        let place = |wanted: &dyn Fn(&Option<MetreChange>) -> bool| song.metres.iter().position(wanted);
        let there = place(&|change| change.is_some_and(|change| change.bar == bar));
        let place = there.or_else(|| place(&Option::is_none))?;
        Some(Edit::Metre { place: place as u8, change: Some(MetreChange { bar, metre }) })
    }

    /// The changes that let a song's bars before `first` be as they are, and from there on as the
    /// changes `wanted` say; `None` where they are too many.
    pub fn splice(held: &Metres, wanted: &Metres, first: u32) -> Option<Metres> {
        let mut spliced = held.map(|change| change.filter(|change| change.bar < first));
        let holds = |bar: u32| {
            let up_to = wanted.iter().enumerate().filter(move |(_, c)| c.is_some_and(|c| c.bar <= bar));
            up_to.max_by_key(|(_, change)| change.map(|change| change.bar))
        };
        // Of changes in one bar only the one that holds; each in its own place where that is free.
        let later = wanted.iter().flatten().filter(|change| change.bar >= first);
        let mut waiting: Vec<(usize, MetreChange)> = Vec::new();
        for bar in later.map(|change| change.bar).collect::<std::collections::BTreeSet<_>>() {
            waiting.extend(holds(bar).and_then(|(place, change)| Some((place, (*change)?))));
        }
        if waiting.first().is_none_or(|(_, change)| change.bar > first) {
            let (place, metre) = holds(first)
                .map_or((0, Metre::COMMON), |(place, c)| (place, c.map_or(Metre::COMMON, |c| c.metre)));
            if metre != metre_in(&spliced, first) {
                waiting.push((place, MetreChange { bar: first, metre }));
            }
        }
        let mut homeless = Vec::new();
        for (place, change) in waiting {
            match &mut spliced[place] {
                free @ None => *free = Some(change),
                Some(_) => homeless.push(change),
            }
        }
        for change in homeless {
            *spliced.iter_mut().find(|place| place.is_none())? = Some(change);
        }
        Some(spliced)
    }

    fn stretch(&self, holds: impl Fn(&Stretch) -> bool) -> &Stretch {
        let after = self.stretches[..self.length].partition_point(holds);
        &self.stretches[after.saturating_sub(1)]
    }

    /// The bar that holds a tick.
    pub fn at(&self, tick: Beats) -> Bar {
        let Stretch { bar, tick: from, metre } = *self.stretch(|stretch| stretch.tick <= tick);
        let since = (tick - from).0.div_euclid(metre.bar().0);
        Bar { number: bar + since, start: from + Beats(since * metre.bar().0), metre }
    }

    /// A bar by its number. Saturates far outside any song.
    pub fn bar(&self, number: i64) -> Bar {
        let number = number.clamp(-(1 << 32), 1 << 32);
        let Stretch { bar, tick, metre } = *self.stretch(|stretch| stretch.bar <= number);
        Bar { number, start: tick + Beats((number - bar) * metre.bar().0), metre }
    }

    /// The first bar that begins at a tick or later.
    pub fn from(&self, tick: Beats) -> Bar {
        let bar = self.at(tick);
        if bar.start == tick { bar } else { self.bar(bar.number + 1) }
    }

    /// The first bar line at a tick or later.
    pub fn line_from(&self, tick: Beats) -> Beats {
        self.from(tick).start
    }

    /// The first bar line after a tick.
    pub fn line_after(&self, tick: Beats) -> Beats {
        self.line_from(tick + Beats(1))
    }

    /// The time, in ns, that so many bars in front of a tick take: at the tick's metre, and at the
    /// tempo that leads to it.
    pub fn count_in(&self, map: &TempoMap, tick: Beats, bars: u8) -> i64 {
        let length = Beats(self.at(tick).length().0 * i64::from(bars));
        map.nanos_at(tick) - map.nanos_at(tick - length)
    }

    /// A number that differs where bars differ: what a fingerprint's key holds of them.
    pub fn digest(&self) -> u64 {
        let stretches = self.stretches[..self.length].iter();
        stretches.fold(0, |hash, stretch| {
            let metre = u64::from(stretch.metre.count) << 8 | u64::from(stretch.metre.unit);
            super::hash(hash, super::hash(stretch.bar as u64, metre))
        })
    }
}

impl Default for Bars {
    fn default() -> Bars {
        Bars::of(Metre::COMMON)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn song(changes: &[(u32, u8, u8)]) -> Song {
        let mut song = Song::new();
        for (place, &(bar, count, unit)) in changes.iter().enumerate() {
            song.metres[place] = Some(MetreChange { bar, metre: Metre { count, unit } });
        }
        song
    }

    #[test]
    fn changes_stand_on_bars_in_whatever_order_they_are_kept() {
        let bars = Bars::in_song(&song(&[(6, 3, 4), (4, 7, 8)]));
        let at = |number| bars.bar(number).start;
        let seven = Beats(7 * Beats::quarters(1).0 / 2);
        assert_eq!(at(4), Beats::quarters(16));
        assert_eq!(at(5), Beats::quarters(16) + seven);
        assert_eq!(at(6), Beats::quarters(23));
        assert_eq!(at(8), Beats::quarters(29));
        assert_eq!(bars.at(Beats::quarters(17)).metre, Metre { count: 7, unit: 8 });
        assert_eq!(bars.line_after(Beats::quarters(16)), Beats::quarters(16) + seven);
        assert_eq!(bars.line_from(Beats::quarters(16)), Beats::quarters(16));
        assert_eq!(bars.at(Beats(-1)).number, -1);
        assert_ne!(bars.digest(), Bars::default().digest());
    }

    proptest! {
        #[test]
        fn a_splice_keeps_what_has_sounded_and_lets_the_rest_be_as_wished(
            held in proptest::collection::vec((0u32..20, 1u8..8, 0u32..4), 0..12),
            wanted in proptest::collection::vec((0u32..20, 1u8..8, 0u32..4), 0..12),
            kept in 0usize..12,
            first in 0u32..24,
        ) {
            let powers = |changes: Vec<(u32, u8, u32)>| -> Vec<_> {
                changes.into_iter().map(|(bar, count, unit)| (bar, count, 1 << unit)).collect()
            };
            let held = song(&powers(held));
            let mut wanted = song(&powers(wanted));
            wanted.metres[..kept].copy_from_slice(&held.metres[..kept]);
            let mut spliced = held.clone();
            spliced.metres = Bars::splice(&held.metres, &wanted.metres, first).expect("room");
            let (before, after) = (Bars::in_song(&held), Bars::in_song(&spliced));
            for bar in 0..30 {
                let old = before.bar(i64::from(bar));
                if bar < first {
                    prop_assert_eq!(after.bar(i64::from(bar)), old);
                } else {
                    prop_assert_eq!(spliced.metre_at(bar), wanted.metre_at(bar), "bar {}", bar);
                }
            }
            prop_assert_eq!(after.bar(i64::from(first)).start, before.bar(i64::from(first)).start);
            let again = Bars::splice(&spliced.metres, &spliced.metres, first).expect("room");
            prop_assert_eq!(again, spliced.metres);
        }

        #[test]
        fn every_tick_lies_in_one_bar(
            changes in proptest::collection::vec((0u32..60, 1u8..=32, 0u32..6), 0..32),
            tick in -10_000_000i64..500_000_000,
        ) {
            let changes: Vec<_> = changes.into_iter().map(|(bar, count, unit)| (bar, count, 1 << unit)).collect();
            let bars = Bars::in_song(&song(&changes));
            let bar = bars.at(Beats(tick));
            prop_assert!(bar.start.0 <= tick && tick < bar.end().0, "{bar:?}");
            prop_assert_eq!(bars.bar(bar.number), bar);
            prop_assert_eq!(bars.at(bar.end()).number, bar.number + 1);
            prop_assert_eq!(bars.at(bar.end()).start, bar.end());
            let line = bars.line_from(Beats(tick));
            prop_assert!(line.0 >= tick && (line == bar.start || line == bar.end()));
        }
    }
}
