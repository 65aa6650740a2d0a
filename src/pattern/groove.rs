//! Groove as whole ticks: how far each step sounds from its place on the grid.
//!
//! A groove moves the beginnings of its subdivision (quarters, eighths or sixteenths), as its mask
//! of steps says; what lies between two of them moves in proportion. The master's groove moves every
//! track, a track's own is added to it. Chance is a hash of the step's place, so that bars started
//! alone groove as they do in the whole song.
//!
//! Thread: any. Realtime-safe: yes. Invariant: integers throughout, and no step moves earlier than
//! [`EARLIEST`] or later than [`LATEST`].

use super::chance::hash;
use super::{Name, Song};
use crate::param::{Owner, Param, TrackIndex};
use crate::time::Beats;

/// The furthest a groove moves a step late: a third of a quarter for each of two grooves.
pub const LATEST: Beats = Beats(2 * Beats::quarters(1).0 / 3);
/// The furthest a groove moves a step early.
pub const EARLIEST: Beats = Beats(2 * LEAN);

/// A sixteenth note in ticks.
const STEP: i64 = Beats::SIXTEENTH.0;
/// What `rush`, `drag` and `humanize` move a step by at the most: a quarter of a sixteenth.
const LEAN: i64 = STEP / 4;
/// Amounts are counted in these parts.
const PARTS: i64 = 10_000;

/// The built-in templates: for the sixteen steps of a bar, hundredths of a sixteenth.
const TEMPLATES: [(&str, [i8; 16]); 4] = [
    // Off-beat sixteenths as triplets.
    ("shuffle", [0, 33, 0, 33, 0, 33, 0, 33, 0, 33, 0, 33, 0, 33, 0, 33]),
    // The second and fourth quarter lie back, and what leads to them less.
    ("laid-back", [0, 4, 6, 8, 14, 8, 6, 4, 0, 4, 6, 8, 14, 8, 6, 4]),
    // The off-beats come early.
    ("push", [0, -4, -12, -6, 0, -4, -12, -6, 0, -4, -12, -6, 0, -4, -12, -6]),
    // Eighths late, the sixteenths before the beat early.
    ("samba", [0, -6, 10, -14, 0, -6, 10, -14, 0, -6, 10, -14, 0, -6, 10, -14]),
];

/// `mpc-NN` lets the off-beat sixteenths begin after NN percent of an eighth, as MPCs swing.
const MPC: std::ops::RangeInclusive<u8> = 50..=75;

/// The built-in templates' names.
pub fn templates() -> impl Iterator<Item = &'static str> {
    TEMPLATES.iter().map(|(name, _)| *name).chain(["mpc-50 to mpc-75"])
}

/// What moves the steps of one track.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Groove {
    master: Option<Part>,
    own: Option<Part>,
}

/// One owner's groove.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Part {
    kind: Kind,
    /// In [`PARTS`].
    amount: i64,
    /// Steps of a subdivision: 4, 2 or 1.
    unit: i64,
    /// Bit n for unit n.
    mask: u64,
    /// Whether the mask's units count from the song's beginning, as a mask that repeats every two
    /// does; a list counts the pattern's own cells.
    absolute: bool,
    seed: u64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Swing,
    Humanize,
    Rush,
    Drag,
    Template([i8; 16]),
}

impl Groove {
    /// The groove of a track as the song has it now.
    pub fn of(song: &Song, track: TrackIndex) -> Groove {
        let held = song.track(track);
        let context = &song.context;
        let seed = hash(u64::from(song.seed), 0x6772_6f6f_7665 + track.get() as u64);
        Groove {
            master: Part::of(song, Owner::Master, context.groove_steps, &context.groove_template, seed ^ 1),
            own: Part::of(song, Owner::Track(track), held.groove_steps, &held.groove_template, seed),
        }
    }

    /// Whether nothing moves.
    pub fn is_straight(&self) -> bool {
        self.master.is_none() && self.own.is_none()
    }

    /// How far a step sounds from its place: `absolute` counts sixteenths from the song's beginning,
    /// `cell` from the pattern's.
    pub fn offset(&self, absolute: i64, cell: i64) -> Beats {
        let parts = self.master.iter().chain(&self.own);
        let moved: i64 = parts.map(|part| part.offset(absolute, cell)).sum();
        Beats(moved.clamp(-EARLIEST.0, LATEST.0))
    }

    /// The same for a step of any length that stands at a tick, so far from its pattern's beginning:
    /// between two sixteenths it moves in proportion.
    pub fn offset_at(&self, tick: Beats, within: Beats) -> Beats {
        let (absolute, rest) = (tick.0.div_euclid(STEP), tick.0.rem_euclid(STEP));
        let cell = within.0.div_euclid(STEP);
        let here = self.offset(absolute, cell).0;
        if rest == 0 {
            return Beats(here);
        }
        let next = self.offset(absolute + 1, cell + 1).0;
        Beats((here * (STEP - rest) + next * rest).div_euclid(STEP))
    }
}

/// The built-in template of a name: for the sixteen steps of a bar, hundredths of a sixteenth.
pub fn template(name: &Name) -> Option<[i8; 16]> {
    let name = name.as_str();
    if let Some((_, offsets)) = TEMPLATES.iter().find(|(known, _)| name.eq_ignore_ascii_case(known)) {
        return Some(*offsets);
    }
    let (machine, percent) = name.split_once('-')?;
    let percent = percent.parse::<u8>().ok().filter(|percent| MPC.contains(percent))?;
    let late = 2 * (percent - 50) as i8;
    let swung = std::array::from_fn(|step| if step % 2 == 1 { late } else { 0 });
    machine.eq_ignore_ascii_case("mpc").then_some(swung)
}

impl Part {
    fn of(song: &Song, owner: Owner, mask: u64, name: &Name, seed: u64) -> Option<Part> {
        let amount = (song.param(owner, Param::GrooveAmount).clamp(0.0, 1.0) * PARTS as f32 + 0.5) as i64;
        if amount == 0 || song.param(owner, Param::GrooveEnabled) < 0.5 {
            return None;
        }
        let kind = match (song.param(owner, Param::GrooveType) + 0.5) as i64 {
            0 => Kind::Swing,
            1 => Kind::Humanize,
            2 => Kind::Rush,
            3 => Kind::Drag,
            _ => Kind::Template(template(name)?),
        };
        let unit = match (song.param(owner, Param::GrooveSubdivision) + 0.5) as i64 {
            0 => 4,
            1 => 2,
            _ => 1,
        };
        let absolute = mask == mask.rotate_left(2);
        Some(Part { kind, amount, unit, mask, absolute, seed })
    }

    /// A step's offset in ticks.
    fn offset(&self, absolute: i64, cell: i64) -> i64 {
        if let Kind::Template(offsets) = self.kind {
            // A template speaks of every sixteenth of a bar.
            let hundredths = i64::from(offsets[absolute.rem_euclid(16) as usize]);
            return STEP * hundredths * self.amount / (100 * PARTS);
        }
        let place = if self.absolute { absolute } else { cell };
        let (unit, within) = (place.div_euclid(self.unit), place.rem_euclid(self.unit));
        let here = self.of_unit(unit, absolute - within);
        if within == 0 {
            return here;
        }
        let next = self.of_unit(unit + 1, absolute - within + self.unit);
        (here * (self.unit - within) + next * within).div_euclid(self.unit)
    }

    /// The offset of a subdivision's beginning, which stands at a step of the song.
    fn of_unit(&self, unit: i64, step: i64) -> i64 {
        if self.mask >> unit.rem_euclid(64) & 1 == 0 {
            return 0;
        }
        let most = match self.kind {
            Kind::Swing => STEP * self.unit / 3,
            Kind::Drag => LEAN,
            Kind::Rush => -LEAN,
            Kind::Humanize => (hash(self.seed, step as u64) % (2 * LEAN as u64 + 1)) as i64 - LEAN,
            Kind::Template(_) => 0,
        };
        most * self.amount / PARTS
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::param::Slot;
    use crate::pattern::Track;

    fn song(owner: Owner, values: &[(Param, f32)], change: impl Fn(&mut Track)) -> Song {
        let mut song = Song::new();
        song.tracks[0].alive = true;
        for (param, value) in values {
            song.params[Slot::new(owner, *param).index()] = *value;
        }
        change(&mut song.tracks[0]);
        song
    }

    fn offsets(song: &Song, steps: std::ops::Range<i64>) -> Vec<i64> {
        let track = TrackIndex::new(0).expect("the first track");
        let groove = Groove::of(song, track);
        steps.map(|step| groove.offset(step, step.rem_euclid(16)).0).collect()
    }

    const OWN: Owner = Owner::Master;

    #[test]
    fn full_swing_of_sixteenths_is_a_triplet() {
        let swung = song(OWN, &[(Param::GrooveAmount, 1.0)], |_| {});
        let third = STEP / 3;
        assert_eq!(offsets(&swung, -3..3), [third, 0, third, 0, third, 0]);
        let half = song(OWN, &[(Param::GrooveAmount, 0.5)], |_| {});
        assert_eq!(offsets(&half, 0..2), [0, STEP / 6]);
    }

    #[test]
    fn swing_of_eighths_moves_the_sixteenths_between_in_proportion() {
        let swung = song(OWN, &[(Param::GrooveAmount, 1.0), (Param::GrooveSubdivision, 1.0)], |_| {});
        let most = 2 * STEP / 3;
        assert_eq!(offsets(&swung, 0..6), [0, most / 2, most, most / 2, 0, most / 2]);
    }

    #[test]
    fn what_nobody_has_set_is_straight_and_a_bypass_makes_it_so() {
        assert!(Groove::of(&Song::new(), TrackIndex::new(3).expect("a track")).is_straight());
        let off = song(OWN, &[(Param::GrooveAmount, 1.0), (Param::GrooveEnabled, 0.0)], |_| {});
        assert_eq!(offsets(&off, 0..8), [0; 8]);
    }

    #[test]
    fn a_tracks_rush_adds_to_the_masters_swing_on_its_own_steps_alone() {
        let track = TrackIndex::new(0).expect("the first track");
        let mut both = song(OWN, &[(Param::GrooveAmount, 1.0)], |track| track.groove_steps = 0b1001);
        let own = |param| Slot::new(Owner::Track(track), param).index();
        both.params[own(Param::GrooveAmount)] = 1.0;
        both.params[own(Param::GrooveType)] = 2.0;
        assert_eq!(offsets(&both, 0..4), [-LEAN, STEP / 3, 0, STEP / 3 - LEAN]);
        assert_eq!(offsets(&both, 16..18), [-LEAN, STEP / 3], "the list counts cells of the pattern");
    }

    #[test]
    fn humanised_steps_differ_stay_near_and_are_the_same_wherever_one_starts() {
        let human = song(OWN, &[(Param::GrooveAmount, 1.0), (Param::GrooveType, 1.0)], |track| {
            track.groove_steps = u64::MAX;
        });
        let whole = offsets(&human, 0..256);
        assert_eq!(&whole[128..], offsets(&human, 128..256));
        assert!(whole.iter().all(|offset| offset.abs() <= LEAN));
        let moved = whole.iter().filter(|offset| **offset != 0).count();
        assert!(moved > 100, "{moved}");
        assert!(whole.iter().any(|offset| *offset < -LEAN / 2) && whole.iter().any(|o| *o > LEAN / 2));
    }

    #[test]
    fn a_template_is_named_and_an_unknown_one_moves_nothing() {
        let named = |name: &str| {
            let own = Owner::Track(TrackIndex::new(0).expect("the first track"));
            song(own, &[(Param::GrooveAmount, 1.0), (Param::GrooveType, 4.0)], |track| {
                track.groove_template = crate::pattern::Name::new(name).expect("a name");
            })
        };
        assert_eq!(offsets(&named("push"), 2..3), [-12 * STEP / 100]);
        assert_eq!(offsets(&named("MPC-60"), 0..2), [0, 20 * STEP / 100]);
        for unknown in ["nobody", "mpc-76", "mpc-", "tr-60"] {
            assert_eq!(offsets(&named(unknown), 0..16), [0; 16], "{unknown}");
        }
    }

    #[test]
    fn no_step_moves_further_than_it_may() {
        let track = Owner::Track(TrackIndex::new(0).expect("the first track"));
        let extreme = [(Param::GrooveAmount, 1.0), (Param::GrooveSubdivision, 0.0)];
        let mut both = song(OWN, &extreme, |_| {});
        for (param, value) in extreme {
            both.params[Slot::new(track, param).index()] = value;
        }
        let most = offsets(&both, 0..64).into_iter().map(i64::abs).max();
        assert_eq!(most, Some(LATEST.0));
    }

    #[test]
    fn the_master_has_a_template_and_steps_of_its_own_and_other_rates_move_in_proportion() {
        let mut song = song(OWN, &[(Param::GrooveAmount, 1.0), (Param::GrooveType, 4.0)], |_| {});
        song.context.groove_template = Name::new("shuffle").expect("a name");
        assert_eq!(offsets(&song, 0..4), [0, STEP * 33 / 100, 0, STEP * 33 / 100]);
        let track = TrackIndex::new(5).expect("a track");
        let groove = Groove::of(&song, track);
        // A thirty-second lies half way between two sixteenths.
        assert_eq!(groove.offset_at(Beats(STEP / 2), Beats(STEP / 2)).0, STEP * 33 / 200);
        let drag = [(Param::GrooveAmount, 1.0), (Param::GrooveType, 3.0)];
        let mut dragged = self::song(OWN, &drag, |_| {});
        dragged.context.groove_steps = 0b0101;
        assert_eq!(offsets(&dragged, 0..4), [LEAN, 0, LEAN, 0], "the list of the master");
    }
}
