//! `cargo xtask architectures`: the same songs on x86-64, aarch64 and WebAssembly, bit for bit.
//!
//! aarch64 runs under qemu, WebAssembly under node. Machine, optimiser, song, block sizes and
//! flush-to-zero are combined pairwise: every two of their values meet in some render. What the
//! optimised build for this machine gives, the others must give.

mod build;

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};

use crate::setup::{self, Need};
use crate::steps;
use build::{Machine, Optimiser, Program};

const SONGS: usize = 6;
const BLOCKS: usize = 6;
/// Bars of 4/4 from the song's beginning: four to ten seconds, and one to three for builds that
/// take thirty times as long.
fn bars(optimiser: Optimiser) -> u32 {
    match optimiser {
        Optimiser::Full => 3,
        Optimiser::None => 1,
    }
}

/// Bars 33 to 40, with a run origin at 33.
const ALONE: Case = Case { song: 0, from: 32, bars: 8, notes_from: 32, blocks: 2, flush: false };

/// One render, as the program takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Case {
    song: usize,
    from: u32,
    bars: u32,
    notes_from: u32,
    blocks: usize,
    flush: bool,
}

/// What came out of a render: hashes of sound and notes, and how many notes.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Outcome {
    sound: String,
    notes: String,
    count: u32,
}

/// `cargo xtask architectures`.
///
/// # Errors
/// A hash differs, which names the machine and the render, or what this needs cannot be had.
pub fn run() -> Result<()> {
    setup::ensure(&[Need::Build, Need::Architectures])?;
    let native = Program::build(Machine::Native, Optimiser::Full)?;
    let expected = steps::step("render the songs here", || reference(&native))?;
    for (round, (machine, optimiser)) in rounds().into_iter().enumerate() {
        let program = Program::build(machine, optimiser)?;
        let cases = cases(round, optimiser);
        steps::step(&format!("render the songs on {}", program.name()), || {
            for (case, outcome) in render(&program, &cases)? {
                let wanted = &expected[&origin(case)];
                ensure!(outcome == *wanted, "{case:?} gives {outcome:?}; here it gives {wanted:?}");
            }
            Ok(())
        })?;
    }
    steps::step("a sine of the system's library is found out", || mutant(&expected))
}

/// What a render's sound may depend on: nothing of how it was rendered.
fn origin(case: Case) -> Case {
    Case { blocks: ALONE.blocks, flush: false, ..case }
}

fn rounds() -> Vec<(Machine, Optimiser)> {
    let machines = [Machine::Native, Machine::Aarch64, Machine::Wasm];
    let optimisers = [Optimiser::None, Optimiser::Full];
    machines.into_iter().flat_map(|machine| optimisers.map(|optimiser| (machine, optimiser))).collect()
}

/// Over the six rounds every song meets all block sizes and both kinds of flushing, and so does
/// every machine and every optimiser.
fn cases(round: usize, optimiser: Optimiser) -> Vec<Case> {
    let mixed = |song: usize, case: Case| {
        let blocks = (song + round) % BLOCKS;
        Case { song, blocks, flush: (round / 2 + blocks + round) % 2 == 1, ..case }
    };
    let beginnings = (0..SONGS).map(|song| mixed(song, from_the_beginning(song, optimiser)));
    let mut cases: Vec<Case> = beginnings.collect();
    if optimiser == Optimiser::Full {
        cases.extend((0..SONGS).map(|song| mixed(song, ALONE)));
    }
    cases
}

fn from_the_beginning(song: usize, optimiser: Optimiser) -> Case {
    Case { song, from: 0, bars: bars(optimiser), notes_from: 0, ..ALONE }
}

/// Every song from its beginning and from bar 33 on, whose notes must be those of the whole song.
fn reference(native: &Program) -> Result<BTreeMap<Case, Outcome>> {
    let songs = 0..SONGS;
    let beginnings = |optimiser| songs.clone().map(move |song| from_the_beginning(song, optimiser));
    let mut cases: Vec<Case> = beginnings(Optimiser::Full).chain(beginnings(Optimiser::None)).collect();
    cases.extend(songs.clone().map(|song| Case { song, ..ALONE }));
    let whole = |song| Case { song, from: 0, bars: ALONE.from + ALONE.bars, ..ALONE };
    cases.extend(songs.clone().map(whole));
    let outcomes = render(native, &cases)?;
    for song in songs {
        let (alone, whole) = (&outcomes[&Case { song, ..ALONE }], &outcomes[&whole(song)]);
        ensure!(alone.count > 0, "song {song} has no notes in bars 33 to 40");
        let equal = (&alone.notes, alone.count) == (&whole.notes, whole.count);
        ensure!(equal, "song {song}: bars 33 to 40 alone have {alone:?}, in the whole song {whole:?}");
    }
    Ok(outcomes)
}

fn render(program: &Program, cases: &[Case]) -> Result<BTreeMap<Case, Outcome>> {
    let said = steps::output(program.command().args(cases.iter().map(Case::to_string)))?;
    let outcomes: Vec<Outcome> = said.lines().map(outcome).collect::<Result<_>>()?;
    ensure!(outcomes.len() == cases.len(), "{} renders of {} came back", outcomes.len(), cases.len());
    Ok(cases.iter().copied().zip(outcomes).collect())
}

fn outcome(line: &str) -> Result<Outcome> {
    let words: Vec<&str> = line.split(' ').collect();
    let [_, sound, notes, count] = words[..] else { bail!("not a render's line: {line}") };
    let count = count.parse().with_context(|| line.to_owned())?;
    Ok(Outcome { sound: sound.to_owned(), notes: notes.to_owned(), count })
}

/// The contract's own test: with `f32::sin` in the place of the polynomial, songs sound otherwise.
fn mutant(expected: &BTreeMap<Case, Outcome>) -> Result<()> {
    let mutant = Program::build_mutant()?;
    let cases: Vec<Case> = (0..SONGS).map(|song| from_the_beginning(song, Optimiser::Full)).collect();
    let outcomes = render(&mutant, &cases)?;
    let found = outcomes.iter().filter(|(case, outcome)| expected[case].sound != outcome.sound).count();
    ensure!(
        found == SONGS,
        "a build with f32::sin gave the right hash in {} of {SONGS} songs",
        SONGS - found
    );
    Ok(())
}

impl std::fmt::Display for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Case { song, from, bars, notes_from, blocks, flush } = self;
        write!(f, "{song}:{from}:{bars}:{notes_from}:{blocks}:{}", u8::from(*flush))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Every two values of different kinds meet in some render.
    #[test]
    fn the_rounds_are_pairwise() {
        let mut pairs = BTreeSet::new();
        for (round, (machine, optimiser)) in rounds().into_iter().enumerate() {
            for case in cases(round, optimiser).into_iter().take(SONGS) {
                let values = [
                    format!("{machine:?}"),
                    format!("{optimiser:?}"),
                    format!("song {}", case.song),
                    format!("blocks {}", case.blocks),
                    format!("flush {}", case.flush),
                ];
                for (n, a) in values.iter().enumerate() {
                    pairs.extend(values[n + 1..].iter().map(|b| (a.clone(), b.clone())));
                }
            }
        }
        let sizes = [3, 2, SONGS, BLOCKS, 2];
        let all: usize =
            (0..5).flat_map(|a| (a + 1..5).map(move |b| (a, b))).map(|(a, b)| sizes[a] * sizes[b]).sum();
        assert_eq!(pairs.len(), all);
    }
}
