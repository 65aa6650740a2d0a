//! Several hands on one continuous value: the weighted mean of what they wrote.
//!
//! A contribution weighs role × a recency bias; the mean is taken over the knob's travel. Recency
//! is what the author had seen ([`Contribution::base`]), not when the write came in: so the same
//! contributions give the same mean in whatever order the network brings them.

use serde::{Deserialize, Serialize};

use super::state::check_edit;
use super::three_way::{at_travel, travel};
use super::{ClientId, Role, Seq};
use crate::pattern::{Edit, Register};

/// The most hands in one merge; the one that looked longest ago gives way.
pub const MAX_HANDS: usize = 8;
/// The most registers whose merge is remembered; the one decided longest ago is forgotten.
pub const MAX_OVERLAPS: usize = 64;
/// Commits behind the newest look after which a contribution is not weighed down further.
const OLDEST: u64 = 16;
/// At importance 1, so many commits behind halve a contribution.
const HALVES: f32 = 4.0;
/// Weights are whole numbers of this fraction, so that their sum has no order.
const UNIT: f32 = 65536.0;

/// One hand's part in a merge.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Contribution {
    /// Whose.
    pub author: ClientId,
    /// The commit it came with, or the one that took it out or put it back.
    pub seq: Seq,
    /// The last commit its author had seen.
    pub base: Seq,
    /// As what its author wrote.
    pub role: Role,
    /// As it was written.
    pub value: Edit,
    /// Whether its author has undone it.
    pub out: bool,
    /// Whether it is the write that the others met.
    pub first: bool,
}

/// What a register's last write was mixed from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Overlap {
    /// The register.
    pub register: Register,
    /// The write that it explains; after a later one it says nothing.
    pub seq: Seq,
    /// The value before the first hand's write, known once the first hand has undone it.
    pub before: Option<Edit>,
    /// At most [`MAX_HANDS`], one an author.
    pub hands: Vec<Contribution>,
}

impl Overlap {
    /// The weighted mean of the hands that hold; `None` where all have been undone.
    pub fn mean(&self) -> Option<Edit> {
        let held = || self.hands.iter().filter(|hand| !hand.out);
        let only = held().next()?.value;
        // Without rounding where there is nothing to mix.
        if held().all(|hand| hand.value == only) {
            return Some(only);
        }
        let importance = self.register.importance();
        let newest = held().map(|hand| hand.base.0).max()?;
        let (sum, weighted) = held().fold((0u128, 0u128), |(sum, weighted), hand| {
            let weight = u128::from(weight(hand, newest, importance));
            (sum + weight, weighted + weight * u128::from(whole_travel(hand.value)))
        });
        let mean = (weighted + sum / 2) / sum.max(1);
        at_travel(only, mean as f64 / FULL).check().ok()
    }

    /// Whether the hands that hold agree.
    pub fn agrees(&self) -> bool {
        let mut held = self.hands.iter().filter(|hand| !hand.out).map(|hand| hand.value);
        held.next().is_none_or(|first| held.all(|value| value == first))
    }

    /// Takes a hand in, in its author's place.
    pub fn take(&mut self, hand: Contribution) {
        self.hands.retain(|other| other.author != hand.author);
        self.hands.push(hand);
        while self.hands.len() > MAX_HANDS {
            let oldest =
                self.hands.iter().enumerate().min_by_key(|(_, hand)| (!hand.out, hand.base, hand.author));
            let Some((at, _)) = oldest else { return };
            self.hands.remove(at);
        }
        // One spelling for one set.
        self.hands.sort_unstable_by_key(|hand| hand.author);
    }

    pub(super) fn is_sound(&self, last: Seq) -> bool {
        let good = |value: Edit| {
            value.register() == self.register && travel(value).is_some() && check_edit(&value).is_ok()
        };
        self.seq <= last
            && (1..=MAX_HANDS).contains(&self.hands.len())
            && self.hands.is_sorted_by(|a, b| a.author < b.author)
            && self.before.is_none_or(good)
            && self.hands.iter().all(|hand| good(hand.value) && hand.seq <= last)
    }
}

const FULL: f64 = 16_777_216.0;

/// A value's travel as a whole number of 2⁻²⁴.
fn whole_travel(value: Edit) -> u32 {
    (travel(value).unwrap_or(0.0) * FULL) as u32
}

/// Role × recency bias: at importance 0 all looks weigh the same; at 1 every [`HALVES`] commits
/// behind the newest look halve the weight.
fn weight(hand: &Contribution, newest: u64, importance: f32) -> u64 {
    let role = match hand.role {
        Role::Owner => 3,
        Role::Editor | Role::Listener => 2,
    };
    let behind = newest.saturating_sub(hand.base.0).min(OLDEST) as f32;
    let bias = libm::exp2f(-importance * behind / HALVES);
    role * (bias * UNIT) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::param::{Owner, Param, Slot};

    fn hand(slot: Slot, author: u32, base: u64, role: Role, value: f32) -> Contribution {
        let (author, value) = (ClientId(author), Edit::Param { slot, value });
        Contribution { author, seq: Seq(9), base: Seq(base), role, value, out: false, first: false }
    }

    fn mixed(slot: Slot, hands: &[Contribution]) -> Option<f32> {
        let register = Register::Param(slot);
        let mut overlap = Overlap { register, seq: Seq(9), before: None, hands: Vec::new() };
        hands.iter().for_each(|hand| overlap.take(*hand));
        match overlap.mean()? {
            Edit::Param { value, .. } => Some(value),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn equal_hands_meet_in_the_middle_of_the_travel() {
        let level = Slot::new(Owner::Master, Param::Level);
        let pair = [hand(level, 1, 5, Role::Editor, 0.2), hand(level, 2, 5, Role::Editor, 0.6)];
        assert!((mixed(level, &pair).expect("a mean") - 0.4).abs() < 1e-6);
        let cutoff = Slot::new(Owner::Master, Param::FilterFreq);
        let pair = [hand(cutoff, 1, 5, Role::Editor, 100.0), hand(cutoff, 2, 5, Role::Editor, 10_000.0)];
        assert!((mixed(cutoff, &pair).expect("a mean") - 1000.0).abs() < 0.5, "in octaves");
    }

    #[test]
    fn an_owner_and_a_newer_look_weigh_more() {
        let level = Slot::new(Owner::Master, Param::Level);
        let owner = [hand(level, 1, 5, Role::Owner, 0.0), hand(level, 2, 5, Role::Editor, 1.0)];
        assert!((mixed(level, &owner).expect("a mean") - 0.4).abs() < 1e-6);
        let newer =
            |slot| mixed(slot, &[hand(slot, 1, 1, Role::Editor, 0.0), hand(slot, 2, 5, Role::Editor, 1.0)]);
        let important = newer(level).expect("a mean");
        // Pan counts for less than level, so the newer look leans less.
        let pan = Slot::new(Owner::Master, Param::Pan);
        let spec = pan.spec();
        let less = spec.travel_of(newer(pan).expect("a mean"));
        assert!(important > 0.6 && less > 0.5, "{important} {less}");
    }

    #[test]
    fn one_hand_left_is_heard_exactly() {
        let slot = Slot::new(Owner::Master, Param::FilterFreq);
        let mut gone = hand(slot, 1, 5, Role::Owner, 100.0);
        gone.out = true;
        assert_eq!(mixed(slot, &[gone, hand(slot, 2, 3, Role::Editor, 777.7)]), Some(777.7));
        assert_eq!(mixed(slot, &[gone]), None);
    }
}
