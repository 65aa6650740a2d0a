//! What ran, and how it went.

use anyhow::Result;

use crate::steps;

/// Sums over suites of tests and single checks.
#[derive(Default)]
pub struct Count {
    /// Tests and checks that held.
    pub passed: usize,
    /// Tests and checks that did not.
    pub failed: usize,
    /// What failed, for the last lines.
    pub failures: Vec<String>,
}

impl Count {
    /// Counts a single check by its outcome.
    pub fn check(&mut self, name: &str, outcome: Result<()>) {
        match outcome {
            Ok(()) => self.passed += 1,
            Err(error) => self.fail(1, format!("{name}: {error:#}")),
        }
    }

    /// Runs a suite and counts its tests.
    pub fn suite(&mut self, name: &str, run: impl FnOnce() -> Result<(usize, usize)>) {
        match steps::step(name, run) {
            Ok((passed, failed)) => {
                self.passed += passed;
                if failed > 0 {
                    self.fail(failed, format!("{name}: {failed} tests"));
                }
            }
            Err(error) => self.fail(1, format!("{error:#}")),
        }
    }

    fn fail(&mut self, count: usize, what: String) {
        eprintln!("FAILED: {what}");
        self.failed += count;
        self.failures.push(what);
    }
}

/// Passed and failed out of a test runner's closing line (nextest's summary, or `cargo test`'s
/// result of one program).
pub fn closing_line(line: &str) -> Option<(usize, usize)> {
    let line = strip_colours(line);
    let counts = if let Some((_, counts)) = line.split_once("tests run: ") {
        line.trim_start().starts_with("Summary").then_some(counts)?
    } else if let Some((_, counts)) = line.split_once("test run: ") {
        line.trim_start().starts_with("Summary").then_some(counts)?
    } else {
        line.strip_prefix("test result: ")?.split_once(". ")?.1
    };
    let before = |word: &str| -> usize {
        let words: Vec<&str> = counts.split([' ', ',', ';', '(']).filter(|word| !word.is_empty()).collect();
        let sum =
            words.windows(2).filter(|pair| pair[1] == word).filter_map(|pair| pair[0].parse::<usize>().ok());
        sum.sum()
    };
    Some((before("passed"), before("failed") + before("timed") + before("exec")))
}

fn strip_colours(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        if character == '\u{1b}' {
            characters.by_ref().find(char::is_ascii_alphabetic);
        } else {
            plain.push(character);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_runners_are_read() {
        assert_eq!(
            closing_line("     Summary [   0.012s] 12 tests run: 12 passed, 0 skipped"),
            Some((12, 0))
        );
        assert_eq!(
            closing_line("     Summary [   0.012s] 1 test run: 1 passed (1 slow), 0 skipped"),
            Some((1, 0))
        );
        assert_eq!(
            closing_line(
                "     Summary [  1.0s] 9 tests run: 6 passed (2 slow), 2 failed, 1 timed out, 3 skipped"
            ),
            Some((6, 3))
        );
        assert_eq!(
            closing_line(
                "test result: FAILED. 5 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s"
            ),
            Some((5, 2))
        );
        assert_eq!(closing_line("test foo ... ok"), None);
    }

    #[test]
    fn colours_do_not_hide_the_count() {
        assert_eq!(
            closing_line(
                "\u{1b}[32;1m     Summary\u{1b}[0m [ 1s] \u{1b}[1m2\u{1b}[0m tests run: \u{1b}[1m2\u{1b}[0m \u{1b}[32;1mpassed\u{1b}[0m, 0 skipped"
            ),
            Some((2, 0))
        );
    }
}
