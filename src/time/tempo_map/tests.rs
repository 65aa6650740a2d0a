use proptest::prelude::*;

use super::*;

/// Maps of 1 to 8 segments, near and far apart, of any tempo a session may have.
fn maps() -> impl Strategy<Value = TempoMap> {
    let tempo = (Tempo::MIN.micro_bpm()..=Tempo::MAX.micro_bpm())
        .prop_map(|micro_bpm| Tempo::from_micro_bpm(micro_bpm).expect("within range"));
    let gap = prop_oneof![1i64..200, 1i64..10_000_000, 1i64..100_000_000_000];
    (tempo.clone(), proptest::collection::vec((gap, tempo), 0..8)).prop_map(|(first, changes)| {
        let mut tick = Beats::ZERO;
        changes.into_iter().fold(TempoMap::constant(first), |map, (gap, tempo)| {
            tick += Beats(gap);
            map.with_tempo(tick, tempo).expect("a short map")
        })
    })
}

/// Ticks anywhere in a song of hours, before its beginning, and close to the borders of a map.
fn ticks_near(map: &TempoMap, random: &[(u8, i64)]) -> Vec<Beats> {
    let borders = map.segments();
    let near = |(index, offset): &(u8, i64)| match index {
        0..128 => Beats(*offset),
        _ => borders[usize::from(*index) % borders.len()].tick + Beats(offset % 300),
    };
    random.iter().map(near).collect()
}

fn random_ticks() -> impl Strategy<Value = Vec<(u8, i64)>> {
    proptest::collection::vec((any::<u8>(), -1_000_000_000i64..100_000_000_000), 400)
}

proptest! {
    // 500 maps with 400 ticks each: 200,000 a law.
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_tick_returns_from_its_nanosecond(map in maps(), random in random_ticks()) {
        prop_assert_eq!(map.check(), Ok(()));
        for tick in ticks_near(&map, &random) {
            let ns = map.nanos_at(tick);
            prop_assert_eq!(map.tick_at_nanos(ns), tick);
            // The nanosecond before belongs to the tick before.
            prop_assert_eq!(map.tick_at_nanos(SessionNanos(ns.0 - 1)), tick - Beats(1));
        }
    }

    #[test]
    fn the_first_tick_from_a_sample_inverts_the_sample_of_a_tick(map in maps(), random in random_ticks()) {
        for tick in ticks_near(&map, &random) {
            let sample = map.sample_at(tick);
            let first = map.first_tick_from(sample);
            prop_assert!(first <= tick);
            prop_assert!(map.sample_at(first) >= sample, "{first:?} lies before {sample:?}");
            prop_assert!(map.sample_at(first - Beats(1)) < sample, "{first:?} is not the first");
        }
    }

    #[test]
    fn half_open_spans_hold_each_tick_once(
        map in maps(),
        at in 0usize..8,
        before in 0i64..2000,
        lengths in proptest::collection::vec(0i64..600, 1..40),
    ) {
        let border = map.segments()[at % map.segments().len()].tick;
        let mut sample = SamplePos(map.sample_at(border).0 - before);
        let mut next = map.first_tick_from(sample);
        for length in lengths {
            let end = SamplePos(sample.0 + length);
            let (first, past) = (map.first_tick_from(sample), map.first_tick_from(end));
            prop_assert_eq!(first, next);
            prop_assert!(first <= past);
            // Its ends are inside and outside the span that they bound.
            if first < past {
                prop_assert!(map.sample_at(first) >= sample);
                prop_assert!(map.sample_at(past - Beats(1)) < end);
            }
            prop_assert!(map.sample_at(past) >= end);
            (sample, next) = (end, past);
        }
    }

    #[test]
    fn time_never_runs_backwards(map in maps(), random in random_ticks()) {
        for tick in ticks_near(&map, &random) {
            let next = tick + Beats(1);
            prop_assert!(map.nanos_at(tick) < map.nanos_at(next));
            prop_assert!(map.sample_at(tick) <= map.sample_at(next));
        }
    }

    #[test]
    fn the_furthest_ticks_do_not_overflow(tempo in 1.0f64..=1000.0, ticks in 0i64..1000) {
        let tempo = Tempo::from_host_bpm(tempo).expect("a host's tempo");
        let map = TempoMap::constant(tempo);
        for tick in [Beats::FURTHEST - Beats(ticks), Beats(ticks) - Beats::FURTHEST] {
            let first = map.first_tick_from(map.sample_at(tick));
            prop_assert!(first <= tick && map.sample_at(first) == map.sample_at(tick));
            map.tick_at_nanos(map.nanos_at(tick));
        }
    }
}

#[test]
fn maps_from_outside_are_checked() {
    let map = TempoMap::constant(Tempo::DEFAULT).with_tempo(Beats::quarters(4), Tempo::MAX).expect("a map");
    let with = |change: fn(&mut Vec<TempoSegment>)| {
        let mut map = map.clone();
        change(&mut map.segments);
        map.check()
    };
    assert_eq!(with(|_| {}), Ok(()));
    assert_eq!(with(Vec::clear), Err(TempoMapError::Start));
    assert_eq!(with(|s| s[0].ns = 1), Err(TempoMapError::Start));
    assert_eq!(with(|s| s[1].ns += 1), Err(TempoMapError::Order(1)));
    assert_eq!(with(|s| s[1].tick = Beats::ZERO), Err(TempoMapError::Order(1)));
    assert_eq!(with(|s| s[1].tick = Beats(i64::MAX)), Err(TempoMapError::Furthest(1)));
    assert_eq!(map.with_tempo(Beats(i64::MAX), Tempo::MIN), Err(TempoMapError::Furthest(2)));
}

/// Ten million ticks, anywhere in a song of a day or close to a border of a map of 64 segments.
#[test]
fn ten_million_random_ticks_return_from_their_nanoseconds() {
    const TICKS: u64 = 10_000_000;
    let mut seed = 1u64;
    let mut random = move |below: i64| {
        // Marsaglia's xorshift64 (2003).
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed >> 1) as i64 % below
    };
    let mut map = TempoMap::constant(Tempo::DEFAULT);
    let mut tick = Beats::ZERO;
    for _ in 0..63 {
        tick += Beats(1 + random(4_000_000_000));
        let tempo = Tempo::from_micro_bpm(40_000_000 + random(260_000_000) as u64).expect("within range");
        map = map.with_tempo(tick, tempo).expect("a short map");
    }
    for n in 0..TICKS {
        let tick = match n % 4 {
            0 => map.segments()[random(64) as usize].tick + Beats(random(2_000) - 1_000),
            _ => Beats(random(122_000_000_000) - 1_000_000),
        };
        let ns = map.nanos_at(tick);
        assert_eq!(map.tick_at_nanos(ns), tick);
    }
}
