//! Three-way merge: two states that grew apart from one become one again, register by register.
//!
//! Used when somebody returns from days without a server, and when a branch comes back. It works on
//! net changes, so that rotations, insertions and clears made meanwhile count as the cells they
//! changed. Pure: the result is a list of ordinary edits of `theirs`. Laws: an unchanged side changes
//! nothing; what one side alone changed survives, new tracks beside each other; whatever value is dropped stands in the summary.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{BranchId, ClientId, Commit, State, Wanted};
use crate::param::{Owner, Param, Slot, TrackIndex};
pub use crate::pattern::Strategy;
use crate::pattern::{
    ClipField, ClipRegister, ClipSource, ContextField, Edit, Register, Song, StepField, TrackField,
    TrackRegister,
};
use crate::time::{Beats, Tempo};

/// From this [`MergeSummary::divergence`] on, keeping the two apart is offered.
pub const LARGE_DIVERGENCE: f32 = 0.3;
/// Fewer registers changed by both sides than this are never called a large divergence.
const FEW: usize = 8;
/// Tempi closer than this, as a ratio, become their logarithmic mean.
const NEAR_TEMPO: f64 = 1.02;

/// How to merge.
pub struct Rules<'a> {
    /// The strategy of a register.
    pub strategy: &'a dyn Fn(Register) -> Strategy,
    /// How many people's values `theirs` already holds in a register: its weight in a mean, so that
    /// three who return one after the other count alike in any order. [`Shares::of`] counts them.
    pub shares: &'a dyn Fn(Register) -> u32,
}

impl Default for Rules<'_> {
    fn default() -> Self {
        Rules { strategy: &default_strategy, shares: &|_| 1 }
    }
}

/// The strategy of a register's class: continuous ones merge, for all others the last write wins.
pub fn default_strategy(register: Register) -> Strategy {
    register.strategy()
}

/// How much a register matters, 0 to 1.
pub fn importance(register: Register) -> f32 {
    register.importance()
}

/// Who wrote what since two states were one.
#[derive(Clone, Debug, Default)]
pub struct Shares(BTreeMap<Register, BTreeSet<ClientId>>);

impl Shares {
    /// Counts the authors of each register's writes in the commits since `base`.
    pub fn of<'a>(commits: impl IntoIterator<Item = &'a Commit>) -> Shares {
        let mut shares = Shares::default();
        for commit in commits {
            for op in &commit.ops {
                if let Some(edit) = op.op.edit() {
                    shares.0.entry(edit.register()).or_default().insert(commit.author);
                }
            }
        }
        shares
    }

    /// How many people wrote a register; at least 1.
    pub fn count(&self, register: Register) -> u32 {
        self.0.get(&register).map_or(1, |authors| authors.len().max(1) as u32)
    }
}

/// What was merged: a register of the song, or the tempo.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Value {
    /// A register's value, as the edit that would write it.
    Edit(Edit),
    /// The tempo.
    Tempo(Tempo),
}

/// What became of something that at least one side changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Outcome {
    /// Only the others changed it: theirs stays.
    Theirs,
    /// Only I changed it: mine is written.
    Mine,
    /// Both made the same of it.
    Same,
    /// Both changed it: a mean of the two is written.
    Mean,
    /// Both changed it: mine is written over theirs.
    Over,
    /// Both changed it: theirs stays until a person chooses.
    Conflict,
    /// One side removed a track that the other went on editing: it stays removed, with the edits
    /// under it, until a person chooses.
    Removed,
}

/// One thing that at least one side changed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Merged {
    /// What both began with.
    pub base: Value,
    /// What the others have.
    pub theirs: Value,
    /// What I have.
    pub mine: Value,
    /// What there is now.
    pub result: Value,
    /// Why.
    pub outcome: Outcome,
}

impl Merged {
    /// The register; `None` for the tempo.
    pub fn register(&self) -> Option<Register> {
        match self.base {
            Value::Edit(edit) => Some(edit.register()),
            Value::Tempo(_) => None,
        }
    }

    /// Whether a value of somebody's is not in the result.
    pub fn drops(&self) -> bool {
        matches!(self.outcome, Outcome::Mean | Outcome::Over | Outcome::Conflict | Outcome::Removed)
    }
}

/// What a merge did, for a person to read: at most one entry a register.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MergeSummary {
    /// All that either side changed, in the order of the registers, the tempo last.
    pub entries: Vec<Merged>,
    /// How far the two had grown apart, 0 to 1: of what both changed, each register by its
    /// importance and how far apart the two values lie, as a part of all that I changed.
    pub divergence: f32,
    /// The branch that keeps my side instead, where that was chosen; nothing was merged then.
    pub branch: Option<BranchId>,
}

impl MergeSummary {
    /// How many ended so.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.entries.iter().filter(|entry| entry.outcome == outcome).count()
    }

    /// Those that ended so.
    pub fn with(&self, outcome: Outcome) -> impl Iterator<Item = &Merged> {
        self.entries.iter().filter(move |entry| entry.outcome == outcome)
    }

    /// What a person has to decide.
    pub fn conflicts(&self) -> impl Iterator<Item = &Merged> {
        self.entries.iter().filter(|entry| matches!(entry.outcome, Outcome::Conflict | Outcome::Removed))
    }

    /// What I wanted and what waits for a person now: what cards are opened for.
    pub fn proposals(&self) -> Vec<Wanted> {
        let wanted = |entry: &Merged| match entry.mine {
            Value::Edit(edit) => Wanted::Edit(edit),
            Value::Tempo(tempo) => Wanted::Tempo(tempo),
        };
        self.with(Outcome::Conflict).map(wanted).collect()
    }

    /// Whether the two had grown so far apart that keeping mine as a branch should be offered.
    pub fn is_far_apart(&self) -> bool {
        let both = self.entries.iter().filter(|entry| entry.drops()).count();
        both >= FEW && self.divergence >= LARGE_DIVERGENCE
    }

    /// One line for a person.
    pub fn line(&self) -> String {
        if let Some(BranchId(id)) = self.branch {
            return format!("kept apart as branch {id}");
        }
        let count = |outcome| self.count(outcome);
        let conflicts = count(Outcome::Conflict) + count(Outcome::Removed);
        let both = count(Outcome::Mean) + count(Outcome::Over);
        let (mine, theirs) = (count(Outcome::Mine), count(Outcome::Theirs));
        let mut line = format!("{mine} changes of yours and {theirs} of the others kept");
        if both > 0 {
            let (mean, over) = (count(Outcome::Mean), count(Outcome::Over));
            line += &format!("; both changed {both}: {mean} met halfway, {over} are yours");
        }
        if conflicts > 0 {
            line += &format!("; {conflicts} to decide");
        }
        line
    }
}

/// What makes `theirs` the merged state.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Merge {
    /// Edits of `theirs`, in the order of the registers.
    pub edits: Vec<Edit>,
    /// The tempo to ask for.
    pub tempo: Option<Tempo>,
    /// What happened.
    pub summary: MergeSummary,
}

/// Merges `mine` into `theirs`; both began as `base`. Registers are compared by value: a change that
/// was taken back is none. Edits that wait for their beat are on nobody's side.
pub fn three_way(base: &State, theirs: &State, mine: &State, rules: &Rules) -> Merge {
    let changed = |song: &Song| -> BTreeMap<Register, Edit> {
        let edits = song.edits_since(base.song()).into_iter();
        edits.map(|edit| (edit.register(), edit)).collect()
    };
    let (others, own) = (changed(theirs.song()), changed(&beside(base.song(), theirs.song(), mine.song())));
    let registers: BTreeSet<Register> = others.keys().chain(own.keys()).copied().collect();
    let mut merge = Merge::default();
    let mut weight = Weights::default();
    for register in registers {
        let began = base.song().read(register);
        // A mean of several may be what they began with; they changed it all the same.
        let settled = (rules.shares)(register) > 1;
        let other = others.get(&register).copied().or(settled.then_some(began));
        let entry = one(began, other, own.get(&register).copied(), rules);
        weight.add(&entry, importance(register));
        merge.summary.entries.push(entry);
    }
    mark_removed(&mut merge.summary.entries, &others, &own);
    let written = |entry: &&Merged| {
        // Whoever agrees on a value that merges writes it too: it then weighs as that of two.
        let agreed = |register| (rules.strategy)(register) == Strategy::Merge;
        let same = entry.outcome == Outcome::Same && entry.register().is_some_and(agreed);
        entry.result != entry.theirs || same
    };
    merge.edits = merge.summary.entries.iter().filter(written).filter_map(|e| e.result.edit()).collect();
    if let Some(entry) = tempo(base, theirs, mine) {
        weight.add(&entry, 1.0);
        if entry.result != entry.theirs
            && let Value::Tempo(tempo) = entry.result
        {
            merge.tempo = Some(tempo);
        }
        merge.summary.entries.push(entry);
    }
    merge.summary.divergence = weight.divergence();
    merge
}

/// My song with each of my new tracks beside theirs: where both sides took one place for a track of
/// their own, mine goes to a place that neither has used. Without such a place the two are merged.
fn beside(base: &Song, theirs: &Song, mine: &Song) -> Song {
    let mut song = mine.clone();
    let id = |song: &Song, at: TrackIndex| song.track(at).id;
    let is_new = |song: &Song, at| song.track(at).alive && id(song, at) != id(base, at);
    for at in TrackIndex::all() {
        if !is_new(mine, at) || !is_new(theirs, at) || id(mine, at) == id(theirs, at) {
            continue;
        }
        let unused = |of: &Song, to: TrackIndex| !of.track(to).alive && id(of, to) == id(base, to);
        let free =
            TrackIndex::all().find(|to| unused(base, *to) && unused(theirs, *to) && unused(&song, *to));
        let Some(to) = free else { break };
        song.tracks[to.get()] = song.tracks[at.get()];
        song.tracks[at.get()] = base.tracks[at.get()];
        for param in Param::ALL {
            let [from, to] = [at, to].map(|at| Slot::new(Owner::Track(at), param).index());
            (song.params[to], song.params[from]) = (song.params[from], base.params[from]);
        }
        for (scene, was) in song.scenes.iter_mut().zip(base.scenes.iter()) {
            (scene.patterns[to.get()], scene.patterns[at.get()]) =
                (scene.patterns[at.get()], was.patterns[at.get()]);
        }
        for clip in (0..=u8::MAX).map(|clip| Register::Clip(clip, ClipRegister::Source)) {
            let source = song.read(clip);
            if source != base.read(clip)
                && let Edit::Clip { clip, field: ClipField::Source(ClipSource::Pattern(of, pattern)) } =
                    source
                && of == at
            {
                let field = ClipField::Source(ClipSource::Pattern(to, pattern));
                song.apply(&Edit::Clip { clip, field });
            }
        }
    }
    song
}

impl Value {
    fn edit(self) -> Option<Edit> {
        match self {
            Value::Edit(edit) => Some(edit),
            Value::Tempo(_) => None,
        }
    }
}

fn one(base: Edit, theirs: Option<Edit>, mine: Option<Edit>, rules: &Rules) -> Merged {
    let (result, outcome) = match (theirs, mine) {
        (Some(theirs), None) => (theirs, Outcome::Theirs),
        (None, Some(mine)) => (mine, Outcome::Mine),
        (None, None) => (base, Outcome::Same),
        (Some(theirs), Some(mine)) if theirs == mine => (theirs, Outcome::Same),
        (Some(theirs), Some(mine)) => {
            let register = base.register();
            match (rules.strategy)(register) {
                Strategy::Manual => (theirs, Outcome::Conflict),
                Strategy::LastWrite => (mine, Outcome::Over),
                Strategy::Merge => match mean(theirs, (rules.shares)(register).max(1), mine) {
                    Some(mean) => (mean, Outcome::Mean),
                    None => (mine, Outcome::Over),
                },
            }
        }
    };
    let value = |side: Option<Edit>| Value::Edit(side.unwrap_or(base));
    Merged {
        base: Value::Edit(base),
        theirs: value(theirs),
        mine: value(mine),
        result: Value::Edit(result),
        outcome,
    }
}

/// The weighted mean of two writes of one register, in a knob's travel; `None` where there is no
/// mean, an empty note for instance.
pub fn mean(theirs: Edit, shares: u32, mine: Edit) -> Option<Edit> {
    let (a, b) = (travel(theirs)?, travel(mine)?);
    let shares = f64::from(shares);
    let mean = (shares * a + b) / (shares + 1.0);
    Some(at_travel(mine, mean))
}

/// A continuous value as a knob's travel, 0 to 1.
pub(super) fn travel(edit: Edit) -> Option<f64> {
    match edit {
        Edit::Param { slot, value } => Some(f64::from(slot.spec().travel_of(value))),
        Edit::Step { field: StepField::Velocity(v) | StepField::Probability(v), .. }
        | Edit::Context(ContextField::Complexity(v)) => Some(f64::from(v)),
        _ => None,
    }
}

/// The same write with another value.
pub(super) fn at_travel(mut edit: Edit, travel: f64) -> Edit {
    match &mut edit {
        Edit::Param { slot, value } => *value = slot.spec().value_at(travel as f32),
        Edit::Step { field: StepField::Velocity(v) | StepField::Probability(v), .. }
        | Edit::Context(ContextField::Complexity(v)) => *v = travel as f32,
        _ => {}
    }
    edit
}

/// How far apart two values lie, 0 to 1.
fn distance(a: Value, b: Value) -> f32 {
    match (a, b) {
        (Value::Edit(a), Value::Edit(b)) => match (travel(a), travel(b)) {
            (Some(a), Some(b)) => (a - b).abs() as f32,
            _ => 1.0,
        },
        (a, b) => f32::from(u8::from(a != b)),
    }
}

/// A track that one side removed while the other worked on it.
fn mark_removed(entries: &mut [Merged], others: &BTreeMap<Register, Edit>, own: &BTreeMap<Register, Edit>) {
    let worked = |side: &BTreeMap<Register, Edit>, track| {
        side.keys().any(|register| register.track() == Some(track) && !is_alive(*register))
    };
    for entry in entries {
        let Some(register) = entry.register().filter(|register| is_alive(*register)) else { continue };
        let Some(track) = register.track() else { continue };
        let removed =
            |value| matches!(value, Value::Edit(Edit::Track { field: TrackField::Alive(false), .. }));
        let lost = match entry.outcome {
            Outcome::Theirs => removed(entry.theirs) && worked(own, track),
            Outcome::Mine => removed(entry.mine) && worked(others, track),
            _ => false,
        };
        if lost {
            entry.outcome = Outcome::Removed;
        }
    }
}

fn is_alive(register: Register) -> bool {
    matches!(register, Register::Track(_, TrackRegister::Alive))
}

/// The tempo: one side's change stays; of two, half and double time are folded first; near ones meet
/// at their logarithmic mean, and otherwise the others' stays for a person to decide.
fn tempo(base: &State, theirs: &State, mine: &State) -> Option<Merged> {
    let changed = |state: &State| state.tempo_map().segments() != base.tempo_map().segments();
    let last = |state: &State| {
        let end = state.tempo_map().segments().last().map_or(Beats::ZERO, |segment| segment.tick);
        state.tempo_map().tempo_at(end)
    };
    let (b, t, m) = (last(base), last(theirs), last(mine));
    let (result, outcome) = match (changed(theirs), changed(mine)) {
        (false, false) => return None,
        (true, false) => (t, Outcome::Theirs),
        (false, true) => (m, Outcome::Mine),
        (true, true) if t == m => (t, Outcome::Same),
        (true, true) => match near(t, m) {
            Some(mean) => (mean, Outcome::Mean),
            None => (t, Outcome::Conflict),
        },
    };
    let [base, theirs, mine, result] = [b, t, m, result].map(Value::Tempo);
    Some(Merged { base, theirs, mine, result, outcome })
}

/// The logarithmic mean of two tempi that are one but for half or double time and 2 %.
fn near(theirs: Tempo, mine: Tempo) -> Option<Tempo> {
    let folded = [1.0, 2.0, 0.5].into_iter().map(|fold| mine.bpm() * fold).find(|bpm| {
        let ratio = bpm / theirs.bpm();
        (1.0 / NEAR_TEMPO..=NEAR_TEMPO).contains(&ratio)
    })?;
    Tempo::from_bpm((theirs.bpm() * folded).sqrt()).ok()
}

/// Sums behind [`MergeSummary::divergence`].
#[derive(Default)]
struct Weights {
    apart: f32,
    mine: f32,
}

impl Weights {
    fn add(&mut self, entry: &Merged, importance: f32) {
        if entry.outcome != Outcome::Theirs {
            self.mine += importance;
        }
        if entry.drops() {
            self.apart += importance * distance(entry.theirs, entry.mine);
        }
    }

    fn divergence(&self) -> f32 {
        if self.mine > 0.0 { self.apart / self.mine } else { 0.0 }
    }
}
