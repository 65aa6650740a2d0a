//! Which steps of a track sound where: a pattern is asked about a span of ticks.
//!
//! Everything is a function of the song and the place: nothing is remembered, so any bar gives the
//! same strokes whether it is reached or started from, and however a span is cut. What an engine
//! knows beyond the song (edits that wait for their tick, switches just made) it tells through an
//! [`Outlook`].
//!
//! Thread: any. Realtime-safe: yes. Invariant: loops are bounded by the span, by
//! [`MAX_STEPS`] cells of looking back and ahead, and by the clips near the span.

mod arrangement;
mod rounds;

use std::cell::Cell;

use arrangement::Near;
use rounds::{At, Rounds};

use super::groove::{self, Groove};
use super::{Bars, MAX_STEPS, Overflow, Pattern, PatternIndex, Rate, Song, Step, Trig, chance};
use crate::param::TrackIndex;
use crate::time::Beats;

/// The longest step.
const LONGEST: Beats = Beats::quarters(1);
/// The earliest that a step of any rate may sound before its place.
pub const EARLIEST: Beats = Beats(LONGEST.0 / 2 + groove::EARLIEST.0);
/// The latest that a stroke of a step of any rate may sound behind the step's place.
pub const LATEST: Beats = Beats(LONGEST.0 + LONGEST.0 / 2 + groove::LATEST.0);

/// A span of sounding ticks, `from` included, `to` not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    /// Its first tick.
    pub from: Beats,
    /// The tick after its last.
    pub to: Beats,
    /// Steps from this tick on do not belong to it, however early they sound: a loop's end.
    pub end: Option<Beats>,
    /// A run begins at `from`: early strokes of the steps from there on are part of it.
    pub origin: bool,
}

/// One stroke of one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stroke {
    /// The pattern it is of.
    pub pattern: PatternIndex,
    /// The cell of the grid.
    pub cell: u8,
    /// Which of the step's strokes.
    pub stroke: u8,
    /// The place of its step.
    pub place: Beats,
    /// The position it belongs to: its step's place, for later strokes of a ratchet behind it.
    pub tick: Beats,
    /// The position at which it sounds: `tick` moved by the groove and the step's micro-timing.
    pub sounds: Beats,
    /// The position at which it ends; of tied steps, where the last of them ends.
    pub ends: Beats,
    /// The step before it is tied to it: what is held goes on, and is not begun anew.
    pub joined: bool,
    /// It is tied to the next step that sounds.
    pub tied: bool,
    /// The step as it is played.
    pub step: Step,
}

/// What is known beyond the song as it is. The defaults know nothing.
pub trait Outlook {
    /// A cell as it is for a step at a tick.
    fn cell(&self, _at: (TrackIndex, PatternIndex, u8), held: Step, _tick: Beats) -> Step {
        held
    }

    /// The pattern that a track has chosen for steps at a tick, from when and until when.
    fn chosen(&self, song: &Song, track: TrackIndex, _tick: Beats) -> (PatternIndex, Beats, Beats) {
        (song.track(track).pattern, Beats(i64::MIN), Beats(i64::MAX))
    }

    /// Whether the arrangement decides at a tick, from when and until when.
    fn arranged(&self, song: &Song, _tick: Beats) -> (bool, Beats, Beats) {
        (song.context.arranged, Beats(i64::MIN), Beats(i64::MAX))
    }

    /// Whether a fill is played at a tick.
    fn fill(&self, song: &Song, _tick: Beats) -> bool {
        song.context.fill
    }
}

/// Nothing is known beyond the song.
#[derive(Clone, Copy, Debug, Default)]
pub struct AsWritten;

impl Outlook for AsWritten {}

/// What a track plays from a tick on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lay {
    /// The pattern; `None` rests.
    pub pattern: Option<PatternIndex>,
    /// Where its rounds are counted from: the song's beginning, or the clip's.
    pub origin: Beats,
    /// The tick from which something else may be played.
    pub until: Beats,
}

/// A song, to be asked about a span.
pub struct Score<'a, O> {
    song: &'a Song,
    bars: &'a Bars,
    outlook: &'a O,
    near: Near,
}

impl<'a, O: Outlook> Score<'a, O> {
    /// For strokes that sound in the ticks `from..to`; the bars are those that clips stand on.
    pub fn new(song: &'a Song, bars: &'a Bars, outlook: &'a O, (from, to): (Beats, Beats)) -> Score<'a, O> {
        let (from, to) = (from - LATEST, to + EARLIEST);
        let arranged = outlook.arranged(song, from).0 || outlook.arranged(song, to).0;
        let near = if arranged { Near::of(song, bars, from, to) } else { Near::none() };
        Score { song, bars, outlook, near }
    }

    /// What a track plays at a tick within the span.
    pub fn lay(&self, track: TrackIndex, tick: Beats) -> Lay {
        let (arranged, _, until) = self.outlook.arranged(self.song, tick);
        if arranged {
            let lay = self.near.lay(self.song, self.bars, track, tick);
            return Lay { until: lay.until.min(until), ..lay };
        }
        let (pattern, _, chosen_until) = self.outlook.chosen(self.song, track, tick);
        Lay { pattern: Some(pattern), origin: Beats::ZERO, until: until.min(chosen_until) }
    }

    /// Gives out the strokes of a track that sound in a span.
    pub fn strokes(&self, track: TrackIndex, span: &Span, mut give: impl FnMut(Stroke)) {
        let groove = Groove::of(self.song, track);
        let (early, late) = match groove.is_straight() {
            true => (Beats::ZERO, Beats::ZERO),
            false => (groove::EARLIEST, groove::LATEST),
        };
        let resting = self.song.track(track).overflow == Overflow::Rest;
        let mut at = span.from - LONGEST - Beats(LONGEST.0 / 2) - late;
        let last = span.to + Beats(LONGEST.0 / 2) + early;
        let last = span.end.map_or(last, |end| end.min(last));
        while at < last {
            let lay = self.lay(track, at);
            let mut until = lay.until.min(last);
            if resting {
                until = until.min(self.bars.line_after(at));
            }
            if let Some(index) = lay.pattern {
                let player = self.player(track, index, &lay, at, &groove);
                // By the pattern's own step, which is seldom the longest.
                let step = player.rounds.step;
                let from = at.max(span.from - step - Beats(step.0 / 2) - late);
                let to = until.min(span.to + Beats(step.0 / 2) + early);
                player.rounds.places(from, to, |at| player.step(at, span, &mut give));
            }
            at = until;
        }
    }

    /// The last step of a track that sounded before a tick: its pattern and its cell.
    pub fn last_before(&self, track: TrackIndex, tick: Beats) -> Option<(PatternIndex, u8)> {
        let lay = self.lay(track, tick - Beats(1));
        let (pattern, groove) = (lay.pattern?, Groove::of(self.song, track));
        let player = self.player(track, pattern, &lay, tick - Beats(1), &groove);
        let from = player.rounds.at_or_before(tick - Beats(1))?;
        let mut back = std::iter::successors(Some(from), |at| player.rounds.before(*at)).take(MAX_STEPS);
        back.find(|at| player.sounds(*at).is_some()).map(|at| (pattern, at.cell))
    }

    /// A pattern on its track, as it lies at a tick.
    fn player<'s>(
        &'s self,
        track: TrackIndex,
        index: PatternIndex,
        lay: &Lay,
        at: Beats,
        groove: &'s Groove,
    ) -> Player<'s, O> {
        let pattern = self.song.pattern(track, index);
        let own = length_of(pattern);
        let period = match self.song.track(track).overflow {
            Overflow::Loop => own,
            Overflow::Rest => own.max(self.longest(self.bars.at(at).start)),
        };
        let rounds = Rounds {
            origin: lay.origin,
            step: pattern.rate.step(),
            length: i64::from(pattern.length).clamp(1, MAX_STEPS as i64),
            period,
        };
        let (seen, neighbour_seen) = (Cell::new(None), Cell::new(None));
        let (song, outlook) = (self.song, self.outlook);
        Player { song, outlook, score: self, track, index, pattern, rounds, groove, seen, neighbour_seen }
    }

    /// The longest pattern that is played at a tick: what resting ones wait for.
    fn longest(&self, tick: Beats) -> Beats {
        let playing = self.song.alive().filter_map(|(track, held)| {
            let pattern = self.lay(track, tick).pattern?;
            Some(length_of(&held.patterns[pattern.get()]))
        });
        playing.max().unwrap_or(LONGEST)
    }
}

fn length_of(pattern: &Pattern) -> Beats {
    Beats(pattern.rate.step().0 * i64::from(pattern.length).clamp(1, MAX_STEPS as i64))
}

/// How early a step of a pattern may sound.
pub fn earliest(rate: Rate, straight: bool) -> Beats {
    let groove = if straight { Beats::ZERO } else { groove::EARLIEST };
    Beats(rate.step().0 / 2) + groove
}

/// A row of cells that was asked back through: none of it decided anything, but for the first at most.
#[derive(Clone, Copy)]
struct Seen {
    /// Counts of the first and the last.
    low: i64,
    high: i64,
    /// How the first came out, if it decided.
    decided: Option<bool>,
}

/// A pattern on its track.
struct Player<'a, O> {
    song: &'a Song,
    outlook: &'a O,
    score: &'a Score<'a, O>,
    track: TrackIndex,
    index: PatternIndex,
    pattern: &'a Pattern,
    rounds: Rounds,
    groove: &'a Groove,
    /// What was asked back through last, so that a row of steps that all ask back looks at each cell
    /// once; and the same of the neighbour, with the pattern and the origin that it was seen in.
    seen: Cell<Option<Seen>>,
    neighbour_seen: Cell<Option<(PatternIndex, Beats, Beats, Seen)>>,
}

impl<O: Outlook> Player<'_, O> {
    fn cell(&self, at: At) -> Step {
        let held = self.pattern.steps[usize::from(at.cell)];
        self.outlook.cell((self.track, self.index, at.cell), held, at.tick)
    }

    /// How far a step sounds from its place.
    fn moved(&self, at: At, cell: &Step) -> Beats {
        let step = self.rounds.step.0;
        let micro = i64::from(cell.micro.clamp(-50, 50)) * (step / 100);
        self.groove.offset_at(at.tick, Beats(step * i64::from(at.cell))) + Beats(micro)
    }

    /// Gives out those strokes of a step that sound in a span.
    fn step(&self, at: At, span: &Span, give: &mut impl FnMut(Stroke)) {
        let cell = self.cell(at);
        if !cell.on || span.end.is_some_and(|end| at.tick >= end) {
            return;
        }
        let (count, step) = (i64::from(cell.ratchet.clamp(1, 8)), self.rounds.step.0);
        let moved = self.moved(at, &cell);
        let is_within = |stroke: i64| {
            let sounds = at.tick + Beats(step * stroke / count) + moved;
            let early = span.origin && sounds < span.from && at.tick >= span.from;
            early || (sounds >= span.from && sounds < span.to)
        };
        // What a step comes to is asked only where it is heard.
        let mut within = (0..count).filter(|stroke| is_within(*stroke)).peekable();
        if within.peek().is_none() || self.sounds(at).is_none() {
            return;
        }
        let ties = self.pattern.steps.iter().any(|cell| cell.tie);
        let joined = ties && self.is_joined(at);
        let tied = if cell.tie { self.next_sounding(at) } else { None };
        for stroke in within {
            let tick = at.tick + Beats(step * stroke / count);
            let (sounds, last) = (tick + moved, stroke == count - 1);
            let own = sounds + gate(&cell, step, count, last);
            let tied = tied.filter(|_| last);
            give(Stroke {
                pattern: self.index,
                cell: at.cell,
                stroke: stroke as u8,
                place: at.tick,
                tick,
                sounds,
                ends: tied.map_or(own, |next| self.chain_end(next)),
                joined: joined && stroke == 0,
                tied: tied.is_some(),
                step: cell,
            });
        }
    }

    /// The cell of a step that sounds: it is on, its condition holds and its die falls right.
    fn sounds(&self, at: At) -> Option<Step> {
        let cell = self.cell(at);
        (cell.on && self.holds(at, &cell) && self.falls(at, &cell)).then_some(cell)
    }

    fn falls(&self, at: At, cell: &Step) -> bool {
        let salt = self.index.get() as u32;
        cell.probability >= 1.0 || chance(self.song.seed, self.track, at.tick.0, salt) < cell.probability
    }

    fn holds(&self, at: At, cell: &Step) -> bool {
        let met = match cell.condition.when {
            Trig::Always => true,
            Trig::Nth { nth, of } => {
                at.round.rem_euclid(i64::from(of.max(1))) == i64::from(nth.saturating_sub(1))
            }
            Trig::First => at.round == 0,
            Trig::Fill => self.outlook.fill(self.song, at.tick),
            Trig::Previous => self.rounds.before(at).is_some_and(|at| self.last_outcome(at)),
            Trig::Neighbour => self.neighbours_outcome(at.tick),
        };
        met != cell.condition.not
    }

    /// How a step with a condition or a probability came out; `None` for others, and for those that
    /// ask back themselves.
    fn outcome(&self, at: At) -> Option<bool> {
        let cell = self.cell(at);
        let asks_back = matches!(cell.condition.when, Trig::Previous | Trig::Neighbour);
        let asks = cell.condition.when != Trig::Always || cell.probability < 1.0;
        (cell.on && asks && !asks_back).then(|| self.holds(at, &cell) && self.falls(at, &cell))
    }

    /// How the last step with an outcome came out, from a place back through [`MAX_STEPS`] cells.
    fn last_outcome(&self, from: At) -> bool {
        let first = self.rounds.count(from);
        let mut row = Seen { low: first, high: first, decided: None };
        let mut next = Some(from);
        while let Some(at) = next.filter(|_| row.decided.is_none()) {
            let count = self.rounds.count(at);
            if first - count >= MAX_STEPS as i64 {
                break;
            }
            let seen = self.seen.get().filter(|seen| (seen.low..=seen.high).contains(&count));
            row = match seen {
                Some(seen) => Seen { high: row.high.max(seen.high), ..seen },
                None => Seen { low: count, decided: self.outcome(at), ..row },
            };
            next = self.rounds.before(self.rounds.counted(row.low));
        }
        self.seen.set(Some(row));
        row.decided.is_some_and(|outcome| outcome && first - row.low < MAX_STEPS as i64)
    }

    fn neighbours_outcome(&self, tick: Beats) -> bool {
        let Some(track) = self.song.before(self.track) else { return false };
        let lay = self.score.lay(track, tick);
        let Some(pattern) = lay.pattern else { return false };
        let neighbour = self.score.player(track, pattern, &lay, tick, self.groove);
        let period = neighbour.rounds.period;
        if let Some((of, origin, every, seen)) = self.neighbour_seen.get()
            && (of, origin, every) == (pattern, lay.origin, period)
        {
            neighbour.seen.set(Some(seen));
        }
        let outcome = neighbour.rounds.at_or_before(tick).is_some_and(|at| neighbour.last_outcome(at));
        self.neighbour_seen.set(neighbour.seen.get().map(|seen| (pattern, lay.origin, period, seen)));
        outcome
    }

    /// Whether the last step that sounded before is tied to this one.
    fn is_joined(&self, at: At) -> bool {
        let back = std::iter::successors(self.rounds.before(at), |at| self.rounds.before(*at));
        back.take(MAX_STEPS).find_map(|at| self.sounds(at)).is_some_and(|cell| cell.tie)
    }

    /// The next step that sounds behind one, within [`MAX_STEPS`] cells.
    fn next_sounding(&self, at: At) -> Option<(At, Step)> {
        let ahead = std::iter::successors(Some(self.rounds.after(at)), |at| Some(self.rounds.after(*at)));
        ahead.take(MAX_STEPS).find_map(|at| Some((at, self.sounds(at)?)))
    }

    /// Where a row of tied steps ends that goes on with this one, as far as [`MAX_STEPS`] cells show;
    /// each of the row looks anew.
    fn chain_end(&self, (mut at, mut cell): (At, Step)) -> Beats {
        let mut ahead = at;
        for _ in 0..MAX_STEPS {
            if !cell.tie || cell.ratchet > 1 {
                break;
            }
            ahead = self.rounds.after(ahead);
            if let Some(next) = self.sounds(ahead) {
                (at, cell) = (ahead, next);
            }
        }
        let count = i64::from(cell.ratchet.clamp(1, 8));
        at.tick + self.moved(at, &cell) + gate(&cell, self.rounds.step.0, count, count == 1)
    }
}

/// How long one of `count` strokes is held: the gate's part of its share of the step; the last one
/// goes on where the gate reaches beyond the step.
fn gate(cell: &Step, step: i64, count: i64, last: bool) -> Beats {
    let (share, gate) = (step / count, i64::from(cell.gate.max(1)));
    let beyond = if last { step * (gate - 100).max(0) / 100 } else { 0 };
    Beats((share * gate.min(100) / 100).max(1) + beyond)
}

#[cfg(test)]
mod tests;
