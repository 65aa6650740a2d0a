//! The corpus that coverage-guided fuzzing found, and what lies near it: no reader panics or holds
//! much more than it was given.
#![cfg(feature = "client")]

#[path = "fuzz/memory.rs"]
mod memory;
#[path = "fuzz/targets.rs"]
mod targets;

use std::path::Path;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::targets::{TARGETS, Target};

#[global_allocator]
static COUNTING: memory::Counting = memory::Counting;

/// Variants of its corpus that each target reads.
const VARIANTS: u32 = 400;

/// One input a line, in hexadecimal digits.
fn corpus(target: &Target) -> Vec<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/corpus/{}.hex", target.name));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let byte = |line: &str, at: usize| u8::from_str_radix(&line[at..at + 2], 16).expect("two digits");
    text.lines().map(|line| (0..line.len()).step_by(2).map(|at| byte(line, at)).collect()).collect()
}

fn check(target: &Target, bytes: &[u8]) {
    let peak = memory::peak_of(|| (target.read)(bytes));
    let limit = (target.memory)(bytes.len());
    assert!(peak <= limit, "{} bytes made {} hold {peak}: at most {limit}", bytes.len(), target.name);
}

#[test]
fn every_reader_bears_its_corpus() {
    for target in &TARGETS {
        let corpus = corpus(target);
        assert!(corpus.len() > 5, "the corpus of {} has {} inputs", target.name, corpus.len());
        corpus.iter().for_each(|bytes| check(target, bytes));
    }
}

#[test]
fn every_reader_bears_what_lies_near_its_corpus() {
    for target in &TARGETS {
        let corpus = corpus(target);
        let change = (any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>(), 0..4u8);
        let changes = prop::collection::vec(change, 1..6);
        let config = Config { cases: VARIANTS, failure_persistence: None, ..Config::default() };
        let strategy = (any::<prop::sample::Index>(), changes);
        let outcome = TestRunner::new(config).run(&strategy, |(which, changes)| {
            let mut bytes = which.get(&corpus).clone();
            for (at, other, value, how) in changes {
                let at = if bytes.is_empty() { 0 } else { at.index(bytes.len()) };
                match how {
                    0 if at < bytes.len() => bytes[at] = value,
                    1 => bytes.truncate(at),
                    2 => bytes.insert(at, value),
                    // The tail of another input behind the head of this.
                    _ => {
                        bytes.truncate(at);
                        let other = other.get(&corpus);
                        bytes.extend(&other[other.len() / 2..]);
                    }
                }
            }
            check(target, &bytes);
            Ok(())
        });
        outcome.unwrap_or_else(|failure| panic!("{}: {failure}", target.name));
    }
}
