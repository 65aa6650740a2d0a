//! The three-way merge.

use antiphon::param::{Owner, Param, Slot, TrackIndex};
use antiphon::pattern::{
    ClipField, ClipRegister, ClipSource, Edit, Name, PatternIndex, Register, Song, StepField, TrackField,
    TrackId,
};
use antiphon::session::{
    ClientId, Commit, Cseq, Merge, MergeOutcome, MergeRules, MergeValue, Op, Seq, Shares, StampedOp, State,
    Strategy as Rule, three_way,
};
use antiphon::time::{Tempo, TempoMap};
use proptest::prelude::*;

/// Writes of few registers, so that sides collide.
type Writes = Vec<(u8, u8)>;

fn writes() -> impl Strategy<Value = Writes> {
    prop::collection::vec((0..12u8, 0..12u8), 0..24)
}

fn track() -> TrackIndex {
    TrackIndex::new(2).expect("a track")
}

fn edit((register, value): (u8, u8)) -> Edit {
    let (track, unit) = (track(), f32::from(value) / 12.0);
    let param = |param: Param, owner| {
        let slot = Slot::new(owner, param);
        Edit::Param { slot, value: slot.spec().value_at(unit) }
    };
    match register {
        0 => param(Param::FilterFreq, Owner::Track(track)),
        1 => param(Param::Level, Owner::Track(track)),
        2 => param(Param::Pan, Owner::Master),
        3 => param(Param::GrooveType, Owner::Master),
        4..=7 => Edit::Step {
            track,
            pattern: PatternIndex::FIRST,
            step: register,
            field: StepField::On(value % 2 == 0),
        },
        8 => Edit::Step { track, pattern: PatternIndex::FIRST, step: 3, field: StepField::Velocity(unit) },
        9 => Edit::Seed(u32::from(value)),
        10 => Edit::Track { track, field: TrackField::Alive(value % 3 > 0) },
        _ => Edit::Track {
            track,
            field: TrackField::Name(Name::new(["a", "b", "c"][usize::from(value) % 3]).expect("a name")),
        },
    }
}

fn state(writes: &[&Writes]) -> State {
    let mut song = Song::new();
    for write in writes.iter().flat_map(|writes| writes.iter()) {
        song.apply(&edit(*write));
    }
    State::with_song(song, TempoMap::default())
}

fn merged(theirs: &State, merge: &Merge) -> State {
    let mut song = theirs.song().clone();
    merge.edits.iter().for_each(|edit| song.apply(edit));
    let map = merge.tempo.map_or_else(|| theirs.tempo_map().clone(), TempoMap::constant);
    State::with_song(song, map)
}

fn tempo(bpm: f64) -> State {
    State::with_song(Song::new(), TempoMap::constant(Tempo::from_bpm(bpm).expect("a tempo")))
}

fn with(rule: Rule) -> impl Fn(Register) -> Rule {
    move |_| rule
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_side_that_changed_nothing_changes_nothing(base in writes(), other in writes()) {
        let (base, other) = (state(&[&base]), state(&[&base, &other]));
        let merge = three_way(&base, &other, &base, &MergeRules::default());
        prop_assert!(merge.edits.is_empty() && merge.tempo.is_none());
        let merge = three_way(&base, &base, &other, &MergeRules::default());
        let result = merged(&base, &merge);
        prop_assert_eq!(result.song(), other.song());
        prop_assert_eq!(merge.summary.divergence, 0.0);
    }

    #[test]
    fn a_merge_done_again_does_nothing(base in writes(), theirs in writes(), mine in writes()) {
        let (theirs, mine) = (state(&[&base, &theirs]), state(&[&base, &mine]));
        let base = state(&[&base]);
        let once = merged(&theirs, &three_way(&base, &theirs, &mine, &MergeRules::default()));
        // What I hold after the merge is what there is.
        let again = three_way(&base, &once, &once, &MergeRules::default());
        let result = merged(&once, &again);
        prop_assert_eq!(result.song(), once.song());
        prop_assert_eq!(again.summary.conflicts().count(), 0);
        // A return from the merge without a change since.
        prop_assert!(three_way(&once, &once, &once, &MergeRules::default()).summary.entries.is_empty());
    }

    #[test]
    fn what_one_side_alone_changed_survives_and_whatever_is_dropped_is_told(
        base in writes(), theirs in writes(), mine in writes(), rule in 0..4u8,
    ) {
        let (theirs, mine) = (state(&[&base, &theirs]), state(&[&base, &mine]));
        let base = state(&[&base]);
        let rules = [Rule::LastWrite, Rule::Merge, Rule::Manual];
        let chosen = rules.get(usize::from(rule)).copied().map(with);
        let strategy: &dyn Fn(Register) -> Rule = match &chosen {
            Some(chosen) => chosen,
            None => &antiphon::session::default_strategy,
        };
        let merge = three_way(&base, &theirs, &mine, &MergeRules { strategy, ..MergeRules::default() });
        let result = merged(&theirs, &merge);
        for register in (0..12).map(|n| edit((n, 0)).register()) {
            let [b, t, m, r] = [&base, &theirs, &mine, &result].map(|state| state.read(register));
            let entry = merge.summary.entries.iter().find(|entry| entry.register() == Some(register));
            if t == b && m == b {
                prop_assert!(entry.is_none() && r == b);
                continue;
            }
            let entry = entry.expect("an entry for each change");
            prop_assert_eq!(entry.result, MergeValue::Edit(r));
            prop_assert_eq!([entry.base, entry.theirs, entry.mine], [b, t, m].map(MergeValue::Edit));
            if t == b { prop_assert_eq!(r, m); }
            if m == b { prop_assert_eq!(r, t); }
            // No value vanishes unless its entry says so.
            let gone = (t != b && r != t) || (m != b && r != m);
            if gone { prop_assert!(entry.drops(), "{:?}", entry); }
            prop_assert!((0.0..=1.0).contains(&merge.summary.divergence));
        }
    }

    #[test]
    fn three_return_in_any_order_to_the_same_mean(base in writes(), sides in prop::array::uniform3(writes())) {
        // Continuous registers alone: there the rule promises it.
        let continuous = |writes: &Writes| writes.iter().copied().filter(|(r, _)| [0, 1, 2, 8].contains(r)).collect();
        let sides: [Writes; 3] = sides.each_ref().map(continuous);
        let base: Writes = continuous(&base);
        let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
        let results = orders.map(|order| returning(&base, order.map(|n| (ClientId(n as u32 + 1), &sides[n]))));
        for register in [0, 1, 2, 8].map(|n| edit((n, 0)).register()) {
            let travel = |state: &State| match state.read(register) {
                Edit::Param { slot, value } => slot.spec().travel_of(value),
                Edit::Step { field: StepField::Velocity(value), .. } => value,
                other => panic!("{other:?}"),
            };
            let first = travel(&results[0]);
            for result in &results {
                // Each return rounds once to 24 bits.
                prop_assert!((travel(result) - first).abs() < 4e-6, "{} {}", travel(result), first);
            }
        }
    }

    #[test]
    fn what_three_changed_apart_survives_in_any_order(sides in prop::array::uniform3(writes())) {
        let apart = |n: usize| -> Writes {
            sides[n].iter().map(|(r, v)| (r % 4 + 4 * n as u8, *v)).filter(|(r, _)| *r != 10).collect()
        };
        let (a, b, c) = (apart(0), apart(1), apart(2));
        let all = state(&[&a, &b, &c]);
        for order in [[&a, &b, &c], [&c, &b, &a], [&b, &a, &c]] {
            let result = returning(&Vec::new(), [0, 1, 2].map(|n| (ClientId(n as u32), order[n])));
            prop_assert_eq!(result.song(), all.song());
        }
    }
}

/// Three who left together come back one after the other; each merges into what the session has
/// become, and the log tells who wrote what meanwhile.
fn returning(base: &Writes, sides: [(ClientId, &Writes); 3]) -> State {
    let begin = state(&[base]);
    let (mut session, mut log) = (begin.clone(), Vec::new());
    for (author, writes) in sides {
        let shares = Shares::of(&log);
        let mine = state(&[base, writes]);
        let continuous = |_: Register| Rule::Merge;
        let rules = MergeRules { strategy: &continuous, shares: &|register| shares.count(register) };
        let merge = three_way(&begin, &session, &mine, &rules);
        session = merged(&session, &merge);
        let ops = merge.edits.into_iter().map(|edit| StampedOp { op: Op::Edit(edit), at: None }).collect();
        log.push(Commit { seq: Seq(log.len() as u64 + 1), author, cseq: Cseq(1), ops });
    }
    session
}

#[test]
fn tempi_meet_where_they_are_near_and_wait_for_a_person_where_they_are_not() {
    let merge = |theirs, mine| three_way(&tempo(120.0), &tempo(theirs), &tempo(mine), &MergeRules::default());
    assert_eq!(merge(120.0, 130.0).tempo, Tempo::from_bpm(130.0).ok());
    assert_eq!(merge(130.0, 120.0).tempo, None);
    let near = merge(126.0, 128.0);
    assert!((near.tempo.expect("a tempo").bpm() - 126.996).abs() < 1e-3);
    assert_eq!(near.summary.count(MergeOutcome::Mean), 1);
    // Half time folds first.
    assert!((merge(128.0, 63.0).tempo.expect("a tempo").bpm() - 126.996).abs() < 1e-3);
    let far = merge(100.0, 128.0);
    assert_eq!((far.tempo, far.summary.conflicts().count()), (None, 1));
}

#[test]
fn a_track_that_one_removes_while_the_other_works_on_it_is_a_conflict_either_way() {
    let alive = |alive| vec![(10, u8::from(alive))];
    let (begin, work) = (alive(true), vec![(5, 3), (4, 1), (6, 2), (7, 5)]);
    for (theirs, mine) in [(alive(false), work.clone()), (work, alive(false))] {
        let base = state(&[&begin]);
        let (theirs, mine) = (state(&[&begin, &theirs]), state(&[&begin, &mine]));
        let merge = three_way(&base, &theirs, &mine, &MergeRules::default());
        assert_eq!(merge.summary.count(MergeOutcome::Removed), 1);
        let result = merged(&theirs, &merge);
        assert!(!result.song().track(track()).alive, "it stays removed until somebody chooses");
        assert!(
            !result.song().track(track()).playing().steps[5].on
                || base.song().track(track()).playing().steps[5].on
        );
    }
}

#[test]
fn far_apart_offers_a_branch_and_a_little_apart_does_not() {
    let levels = |value: f32, count: usize| {
        let mut song = Song::new();
        for track in TrackIndex::all().take(count) {
            song.apply(&Edit::Param { slot: Slot::new(Owner::Track(track), Param::Level), value });
        }
        State::with_song(song, TempoMap::default())
    };
    let apart = |count| {
        let (theirs, mine) = (levels(0.1, count), levels(1.0, count));
        three_way(&levels(0.8, 0), &theirs, &mine, &MergeRules::default()).summary
    };
    assert!(apart(12).is_far_apart(), "{:?}", apart(12).divergence);
    assert!(!apart(3).is_far_apart());
    assert!(apart(3).line().contains("both changed 3"), "{}", apart(3).line());
}

/// Whoever adds tracks apart from the others keeps them, whatever place those took meanwhile.
#[test]
fn tracks_added_on_both_sides_stand_beside_each_other() {
    let place = TrackIndex::new(1).expect("a track");
    let with_track = |began: &State, client: u32, name: &str, level: f32| {
        let mut song = began.song().clone();
        let level_of = Slot::new(Owner::Track(place), Param::Level);
        let fields = [
            TrackField::Alive(true),
            TrackField::Id(TrackId { client, counter: 1 }),
            TrackField::Name(Name::new(name).expect("a name")),
        ];
        fields.into_iter().for_each(|field| song.apply(&Edit::Track { track: place, field }));
        song.apply(&Edit::Param { slot: level_of, value: level });
        let (pattern, step) = (PatternIndex::FIRST, client as u8);
        song.apply(&Edit::Step { track: place, pattern, step, field: StepField::On(true) });
        song.apply(&Edit::SceneTrack { scene: 2, track: place, pattern: PatternIndex::new(3) });
        let source = ClipField::Source(ClipSource::Pattern(place, pattern));
        song.apply(&Edit::Clip { clip: client as u8, field: source });
        State::with_song(song, TempoMap::default())
    };
    let base = state(&[]);
    let sides = [(1, "ana", 0.1), (2, "ben", 0.2), (3, "cleo", 0.3)];
    let mut session = with_track(&base, 1, "ana", 0.1);
    for (client, name, level) in &sides[1..] {
        let mine = with_track(&base, *client, name, *level);
        let merge = three_way(&base, &session, &mine, &MergeRules::default());
        assert_eq!(merge.summary.count(MergeOutcome::Over), 0, "{:?}", merge.summary.entries);
        session = merged(&session, &merge);
    }
    let song = session.song();
    for (client, name, level) in sides {
        let at = song.track_with_id(TrackId { client, counter: 1 }).expect("nobody's track is lost");
        let track = song.track(at);
        assert_eq!((track.alive, track.name.to_string().as_str()), (true, name));
        assert!(track.patterns[0].steps[client as usize].on);
        assert_eq!(song.params[Slot::new(Owner::Track(at), Param::Level).index()], level);
        assert_eq!(song.scenes[2].patterns[at.get()], PatternIndex::new(3));
        let source = song.read(Register::Clip(client as u8, ClipRegister::Source));
        let field = ClipField::Source(ClipSource::Pattern(at, PatternIndex::FIRST));
        assert_eq!(source, Edit::Clip { clip: client as u8, field });
    }
    assert_eq!(song.alive().count(), 3);
}
