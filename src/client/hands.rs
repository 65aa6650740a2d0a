//! Parameters in somebody's hand, here and elsewhere.
//!
//! A gesture shows and sounds at once. Its first frame travels at once, what follows at the pace
//! that [`gesture_interval`] publishes, and when the hand has rested for [`REST`] one durable op carries the final
//! value. Pure: time is passed in.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::param::{Owner, Param, Slot};
use crate::pattern::TrackId;
use crate::session::{Curve, CurvePoint, Drag, Moved, Seq};
use crate::time::HostNanos;
use crate::wire::{Gesture, QUIET, gesture_interval};

const MS: i64 = 1_000_000;
/// Quiet after which a gesture has ended.
pub const REST: i64 = 250 * MS;
/// A remote gesture that nobody renewed or committed for this long has lost its hand.
const REMOTE_LIFETIME: i64 = 2_000 * MS;
/// A hand whose track is nowhere lets go when it has not moved for this long.
const ASTRAY_LIFETIME: i64 = 2_000 * MS;

/// Gestures made here.
#[derive(Default)]
pub struct Hands {
    held: BTreeMap<Slot, Held>,
    /// Of tracks that are nowhere, at least for now.
    astray: BTreeMap<(TrackId, Param), Held>,
    last_frame: Option<HostNanos>,
    /// Since when a move waits to travel.
    waiting: Option<HostNanos>,
    /// The drag that rested last: its number, what it moved, and when.
    last_drag: Option<(u64, Slot, HostNanos)>,
}

/// The most points of a gesture that are kept until it is thinned.
const MAX_POINTS: usize = 512;
/// A hand that pauses for less goes on with the same step.
const PAUSE: i64 = 1_000 * MS;

struct Held {
    began: HostNanos,
    /// The last commit seen when the hand took hold.
    since: Seq,
    points: Vec<CurvePoint>,
    value: f32,
    moved: HostNanos,
    /// Whether the latest value has travelled.
    told: bool,
}

impl Hands {
    /// A hand moves a parameter.
    pub fn moved(&mut self, slot: Slot, value: f32, now: HostNanos) {
        self.moved_since(slot, value, now, Seq(0));
    }

    /// The same; `seen` is the last commit seen.
    pub fn moved_since(&mut self, slot: Slot, value: f32, now: HostNanos, seen: Seq) {
        self.waiting.get_or_insert(now);
        let fresh = || Held { began: now, since: seen, points: Vec::new(), value, moved: now, told: false };
        let held = self.held.entry(slot).or_insert_with(fresh);
        (held.value, held.moved, held.told) = (value, now, false);
        if held.points.len() == MAX_POINTS {
            // Half as dense from here back; what is thinned in the end loses nothing by it.
            let mut nth = 0;
            held.points.retain(|_| {
                nth += 1;
                nth % 2 == 1
            });
        }
        held.points.push(CurvePoint::new((now - held.began) / MS, slot.spec().travel_of(value)));
    }

    /// An edit of the same register takes the hand's place.
    pub fn release(&mut self, slot: Slot) {
        self.held.remove(&slot);
    }

    /// Tracks have gone elsewhere, all at once: what is held of them goes along. Of one that is
    /// nowhere it is kept, and writes nothing, until the track shows again. Returns what is held
    /// again by that.
    pub fn follow(&mut self, moved: &[Moved]) -> Vec<(Slot, f32)> {
        let left = |slot: &Slot| match slot.owner() {
            Owner::Track(track) => moved.iter().find(|one| one.from == Some(track)),
            Owner::Master => None,
        };
        let gone: Vec<_> = self.held.extract_if(.., |slot, _| left(slot).is_some()).collect();
        for (slot, hand) in gone {
            match left(&slot) {
                Some(Moved { to: Some(to), .. }) => {
                    self.held.insert(Slot::new(Owner::Track(*to), slot.param()), hand);
                }
                Some(Moved { track, to: None, .. }) => {
                    self.astray.insert((*track, slot.param()), hand);
                }
                None => {}
            }
        }
        if let Some((_, slot, _)) = &mut self.last_drag
            && let Some(Moved { to: Some(to), .. }) = left(slot)
        {
            *slot = Slot::new(Owner::Track(*to), slot.param());
        }
        let shows = |track: TrackId| moved.iter().find(|one| one.track == track)?.to;
        let found: Vec<_> = self.astray.extract_if(.., |(track, _), _| shows(*track).is_some()).collect();
        let mut again = Vec::new();
        for ((track, param), hand) in found {
            let Some(to) = shows(track) else { continue };
            let slot = Slot::new(Owner::Track(to), param);
            again.push((slot, hand.value));
            self.held.insert(slot, hand);
        }
        again
    }

    /// The moves that should travel now, in a session of so many people: at once after [`QUIET`],
    /// else an interval after the frame before.
    pub fn frame(&mut self, now: HostNanos, people: usize) -> Vec<Gesture> {
        self.frame_every(now, gesture_interval(people))
    }

    /// The moves that should travel now, at a pace of one's own.
    pub fn frame_every(&mut self, now: HostNanos, interval: Duration) -> Vec<Gesture> {
        let Some(waiting) = self.waiting else { return Vec::new() };
        let follows = |last: &HostNanos| waiting - *last < QUIET.as_nanos() as i64;
        let interval = interval.as_nanos() as i64;
        if self.last_frame.filter(follows).is_some_and(|last| now - last < interval) {
            return Vec::new();
        }
        self.waiting = None;
        let fresh = self.held.iter_mut().filter(|(_, held)| !held.told);
        let moves: Vec<Gesture> = fresh
            .map(|(slot, held)| {
                held.told = true;
                Gesture { slot: *slot, value: held.value }
            })
            .collect();
        if !moves.is_empty() {
            self.last_frame = Some(now);
        }
        moves
    }

    /// The gestures whose hand has rested: each becomes one durable op.
    pub fn rested(&mut self, now: HostNanos) -> Vec<(Slot, f32)> {
        self.forget_astray(now);
        let rested: Vec<(Slot, f32)> =
            self.held.iter().filter(|(_, h)| now - h.moved >= REST).map(|(s, h)| (*s, h.value)).collect();
        for (slot, _) in &rested {
            self.held.remove(slot);
        }
        rested
    }

    fn forget_astray(&mut self, now: HostNanos) {
        self.astray.retain(|_, held| now - held.moved < ASTRAY_LIFETIME);
    }

    /// The same, each with the way the hand went, and the number of the step they belong to: a hand
    /// that goes on after a short pause goes on with its step.
    pub fn ended(&mut self, now: HostNanos) -> (Vec<Drag>, u64) {
        self.forget_astray(now);
        let rests = |held: &mut Held| now - held.moved >= REST;
        let ended: Vec<(Slot, Held)> = self.held.extract_if(.., |_, held| rests(held)).collect();
        let goes_on = match (ended.as_slice(), self.last_drag) {
            ([(slot, held)], Some((step, last, rested))) if *slot == last && held.began - rested < PAUSE => {
                Some(step)
            }
            _ => None,
        };
        let step = goes_on.unwrap_or_else(rand::random);
        if let Some((slot, held)) = ended.last() {
            self.last_drag = (ended.len() == 1).then_some((step, *slot, held.moved));
        }
        let drag = |(slot, held): (Slot, Held)| Drag {
            slot,
            value: held.value,
            since: held.since,
            curve: Curve::thinned(&held.points),
        };
        (ended.into_iter().map(drag).collect(), step)
    }
}

/// When the others' gestures were last renewed. Their values lie in the replica.
#[derive(Default)]
pub struct RemoteHands {
    held: BTreeMap<Slot, HostNanos>,
}

impl RemoteHands {
    /// Somebody else moves a parameter.
    pub fn moved(&mut self, slot: Slot, now: HostNanos) {
        self.held.insert(slot, now);
    }

    /// The gestures whose hand is lost, forgotten here.
    pub fn lost(&mut self, now: HostNanos) -> Vec<Slot> {
        let lost = |moved: &HostNanos| now - *moved >= REMOTE_LIFETIME;
        let slots: Vec<Slot> = self.held.iter().filter(|(_, at)| lost(at)).map(|(slot, _)| *slot).collect();
        self.held.retain(|_, moved| !lost(moved));
        slots
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::param::TrackIndex;

    const LEVEL: fn() -> Slot = || Slot::new(Owner::Master, Param::Level);

    #[test]
    fn a_drag_sends_its_first_frame_at_once_then_at_the_published_pace_then_one_op() {
        let (mut hands, mut frames, mut ops) = (Hands::default(), Vec::new(), Vec::new());
        for ms in 0..2000 {
            let now = HostNanos(ms * MS);
            if ms < 1000 && ms % 16 == 0 {
                hands.moved(LEVEL(), ms as f32 / 1000.0, now);
            }
            frames.extend(hands.frame(now, 2).into_iter().map(|gesture| (ms, gesture.value)));
            ops.extend(hands.rested(now).into_iter().map(|(_, value)| (ms, value)));
        }
        assert_eq!(frames[0], (0, 0.0));
        let interval = gesture_interval(2).as_millis() as i64;
        assert!((8..=9).contains(&frames.len()), "{} frames", frames.len());
        assert!(frames.windows(2).all(|pair| pair[1].0 - pair[0].0 >= interval));
        assert_eq!(ops, vec![(992 + 250, 0.992)]);
        assert!(hands.held.is_empty());
    }

    #[test]
    fn a_hand_whose_track_is_nowhere_waits_for_it_and_lets_go_without_it() {
        let place = |n| TrackIndex::new(n).expect("a place");
        let slot = |n| Slot::new(Owner::Track(place(n)), Param::Level);
        let track = TrackId { client: 1, counter: 1 };
        let lost = [Moved { track, from: Some(place(5)), to: None }];
        let found = [Moved { track, from: None, to: Some(place(6)) }];
        for comes in [true, false] {
            let mut hands = Hands::default();
            hands.moved(slot(5), 0.25, HostNanos(0));
            assert!(hands.follow(&lost).is_empty());
            // Somebody takes hold of what stands in its place now.
            hands.moved(slot(5), 0.75, HostNanos(MS));
            let other = hands.rested(HostNanos(REST + MS));
            assert_eq!(other, [(slot(5), 0.75)]);
            if comes {
                assert_eq!(hands.follow(&found), [(slot(6), 0.25)]);
                assert_eq!(hands.rested(HostNanos(REST + MS)), [(slot(6), 0.25)]);
            }
            assert!(hands.rested(HostNanos(ASTRAY_LIFETIME)).is_empty());
            assert!(hands.follow(&found).is_empty() && hands.astray.is_empty());
        }
    }

    #[test]
    fn a_lost_hand_lets_go() {
        let mut hands = RemoteHands::default();
        hands.moved(LEVEL(), HostNanos(0));
        assert!(hands.lost(HostNanos(1_999 * MS)).is_empty());
        assert_eq!(hands.lost(HostNanos(2_000 * MS)), [LEVEL()]);
        assert!(hands.lost(HostNanos(2_000 * MS)).is_empty());
    }
}
