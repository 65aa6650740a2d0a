use super::*;
use crate::time::SessionNanos;

const PATH: i64 = 20 * MS;

/// A probe over an even path against a session clock that reads so much more than the host's.
fn probe(at: i64, offset: i64) -> Probe {
    Probe {
        t1: HostNanos(at),
        t2: SessionNanos(at + PATH + offset),
        t3: SessionNanos(at + PATH + offset),
        t4: HostNanos(at + 2 * PATH),
    }
}

/// Two clocks that agree, on a machine that had slept so long.
fn seen(now: i64, slept: i64) -> Look {
    Look { now: HostNanos(now), beside: now + slept, apart: 0, slept }
}

fn epoch(epoch: u64, settled: bool) -> ClockEpoch {
    ClockEpoch { epoch, settled, ..ClockEpoch::default() }
}

/// Ten probes from a time on; the time after them.
fn burst(clock: &mut SharedClock, from: i64, offset: i64) -> i64 {
    for n in 0..10 {
        let sent = from + n * 50 * MS;
        clock.probe(probe(sent, offset), seen(sent + 2 * PATH, 0));
    }
    from + 500 * MS + 2 * PATH
}

fn news(clock: &mut SharedClock) -> Vec<ClockNews> {
    std::iter::from_fn(|| clock.take_news()).collect()
}

fn offset(clock: &SharedClock, now: i64) -> i64 {
    clock.map().expect("a map").offset_at(HostNanos(now))
}

fn joined() -> (SharedClock, i64) {
    let mut clock = SharedClock::new();
    clock.told(epoch(1, true), HostNanos(0));
    assert!(clock.take_burst() && !clock.take_burst());
    let now = burst(&mut clock, 0, 7_000);
    assert_eq!(news(&mut clock), [ClockNews::Anchored { jump_ns: None }]);
    assert_eq!((clock.epoch(), offset(&clock, now)), (Some(1), 7_000));
    (clock, now)
}

#[test]
fn an_unsettled_epoch_is_measured_beside_the_one_in_use_and_told_of_once() {
    let (mut clock, now) = joined();
    // The server is back, half a second off.
    clock.told(epoch(2, false), HostNanos(now));
    assert!(clock.take_burst());
    let now = burst(&mut clock, now, 7_000 - 500 * MS);
    assert_eq!((clock.epoch(), offset(&clock, now)), (Some(1), 7_000));
    let told = clock.take_recollection().expect("a recollection");
    assert_eq!((told.epoch, told.ahead_ns), (1, 500 * MS));
    let now = burst(&mut clock, now, 7_000 - 500 * MS);
    assert_eq!(clock.take_recollection(), None);
    clock.told(ClockEpoch { epoch: 3, settled: true, shifted_ns: 500 * MS, bound_ns: 0 }, HostNanos(now));
    assert_eq!(news(&mut clock), [ClockNews::Anchored { jump_ns: Some(0) }]);
    assert_eq!((clock.epoch(), offset(&clock, now)), (Some(3), 7_000));
    // Measured already: what follows fits.
    let now = burst(&mut clock, now, 7_000);
    assert_eq!((news(&mut clock), offset(&clock, now)), (vec![], 7_000));
}

#[test]
fn whoever_remembers_nothing_goes_by_an_unsettled_epoch_and_follows_its_shift() {
    let mut clock = SharedClock::new();
    clock.told(epoch(2, false), HostNanos(0));
    let now = burst(&mut clock, 0, 7_000);
    assert_eq!((clock.epoch(), clock.take_recollection()), (Some(2), None));
    clock.told(ClockEpoch { epoch: 3, settled: true, shifted_ns: 5 * MS, bound_ns: 0 }, HostNanos(now));
    assert_eq!((clock.epoch(), offset(&clock, now)), (Some(3), 7_000 + 5 * MS));
}

#[test]
fn an_epoch_that_keeps_its_anchor_is_changed_over_to_when_it_settles() {
    let (mut clock, now) = joined();
    clock.told(epoch(2, false), HostNanos(now));
    let now = burst(&mut clock, now, 9_000);
    assert_eq!(clock.epoch(), Some(1));
    clock.told(epoch(2, true), HostNanos(now));
    assert_eq!((clock.epoch(), offset(&clock, now)), (Some(2), 9_000));
    assert_eq!(news(&mut clock), [ClockNews::Anchored { jump_ns: Some(2_000) }]);
}

#[test]
fn a_new_connection_to_the_same_epoch_changes_nothing() {
    let (mut clock, now) = joined();
    clock.told(epoch(1, true), HostNanos(now));
    assert_eq!((news(&mut clock), clock.take_burst(), offset(&clock, now)), (vec![], false, 7_000));
}

#[test]
fn a_sleep_forgets_and_ignores_what_was_under_way() {
    let (mut clock, now) = joined();
    clock.look(seen(now, 0));
    let under_way = probe(now, 7_000);
    // 30 s pass that the raw clock does not count; the answer is found on waking.
    let slept = 30 * SECOND;
    let found = Probe { t4: HostNanos(now + MS), ..under_way };
    clock.probe(found, seen(now + MS, slept));
    assert_eq!(news(&mut clock), [ClockNews::Woke { slept_ns: slept }]);
    assert!(clock.map().is_none() && clock.take_burst());
    let sent = now + 100 * MS;
    clock.probe(probe(sent, 7_000 + slept), seen(sent + 2 * PATH, slept));
    assert_eq!(offset(&clock, sent), 7_000 + slept);
}

#[test]
fn a_gap_in_its_looks_asks_for_a_burst_and_a_slewed_clock_for_nothing() {
    let (mut clock, now) = joined();
    clock.look(seen(now, 0));
    clock.look(seen(now + SECOND, 500_000));
    assert!(!clock.take_burst());
    clock.look(seen(now + 5 * SECOND, 2_500_000));
    assert!(clock.take_burst() && clock.map().is_some());
}

#[test]
fn hold_over_is_told_warned_of_and_ends() {
    let (mut clock, now) = joined();
    let last = now - 50 * MS;
    let mut at = now;
    while at < last + WARNED + SECOND {
        clock.look(seen(at, 0));
        at += SECOND;
    }
    assert_eq!(news(&mut clock), [ClockNews::HeldOver, ClockNews::HeldOverLong]);
    assert!(clock.held_over(HostNanos(at)).is_some_and(|quiet| quiet >= WARNED));
    let map = clock.map().expect("a map");
    assert!(map.bound_at(HostNanos(at)) >= map.bound_ns + 30 * MS, "100 ppm over five minutes");
    burst(&mut clock, at, 7_000);
    assert_eq!(news(&mut clock), [ClockNews::Back]);
    assert_eq!(clock.held_over(HostNanos(at)), None);
}

#[test]
fn a_node_that_is_not_the_reference_adds_its_own_bound() {
    let mut clock = SharedClock::new();
    clock.told(ClockEpoch { bound_ns: 250_000, ..epoch(1, true) }, HostNanos(0));
    burst(&mut clock, 0, 0);
    let certified = clock.map().expect("a map").bound_ns;
    assert!((certified - PATH - 250_000).abs() < MS, "{certified}");
}
