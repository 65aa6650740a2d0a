//! A line as words, with where each stands; problems are collected, never thrown.

use super::diagnostic::{Diagnostic, Severity};

/// Part of a line and the byte at which it begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word<'a> {
    pub text: &'a str,
    pub at: usize,
}

impl<'a> Word<'a> {
    /// The part from byte `from` to byte `to` of this one, without the spaces around it.
    pub fn part(self, from: usize, to: usize) -> Word<'a> {
        let text = &self.text[from..to];
        let indent = text.len() - text.trim_start().len();
        Word { text: text.trim(), at: self.at + from + indent }
    }

    /// The words between spaces.
    pub fn words(self) -> impl Iterator<Item = Word<'a>> {
        self.text.split_whitespace().map(move |text| {
            // `split_whitespace` gives slices of its input.
            let offset = text.as_ptr() as usize - self.text.as_ptr() as usize;
            Word { text, at: self.at + offset }
        })
    }

    /// The empty place behind it.
    pub fn end(self) -> Word<'a> {
        Word { text: &self.text[self.text.len()..], at: self.at + self.text.len() }
    }

    /// Both sides of the first `mark`, without the spaces around them.
    pub fn split(self, mark: char) -> Option<(Word<'a>, Word<'a>)> {
        let at = self.text.find(mark)?;
        Some((self.part(0, at), self.part(at + mark.len_utf8(), self.text.len())))
    }

    /// As a person reads it in a message.
    pub fn found(self) -> String {
        match self.text {
            "" => "the end of the line".to_owned(),
            text if text.parse::<f32>().is_ok_and(|value| !value.is_finite()) => {
                format!("'{text}', which is not a finite number")
            }
            text => format!("'{}'", text.escape_debug()),
        }
    }
}

/// A line split into what is said and what is remarked.
pub(super) fn split_comment(line: &str) -> (Word<'_>, Option<&str>) {
    let hash = line.find('#');
    let slashes = line.find("//");
    let at = hash.into_iter().chain(slashes).min();
    let whole = Word { text: line, at: 0 };
    (whole.part(0, at.unwrap_or(line.len())), at.map(|at| line[at..].trim_end()))
}

/// One `key=value`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair<'a> {
    pub key: Word<'a>,
    /// `None` where no `=` follows.
    pub value: Option<Word<'a>>,
}

/// The `key=value`s of a statement; spaces round `=` and a list in brackets are understood.
pub(super) fn pairs(tail: Word<'_>) -> Vec<Pair<'_>> {
    let mut pairs = Vec::new();
    let mut rest = tail.part(0, tail.text.len());
    while !rest.text.is_empty() {
        let ends_key = |c: char| c == '=' || c.is_whitespace();
        // A `=` without a key is its own word, so that each round takes something.
        let key_end = rest.text.find(ends_key).unwrap_or(rest.text.len()).max(1);
        let key = rest.part(0, key_end);
        rest = rest.part(key_end, rest.text.len());
        if !rest.text.starts_with('=') {
            pairs.push(Pair { key, value: None });
            continue;
        }
        rest = rest.part(1, rest.text.len());
        let value_end = match rest.text.find(']') {
            Some(close) if rest.text.starts_with('[') => close + 1,
            _ => rest.text.find(char::is_whitespace).unwrap_or(rest.text.len()),
        };
        pairs.push(Pair { key, value: Some(rest.part(0, value_end)) });
        rest = rest.part(value_end, rest.text.len());
    }
    pairs
}

/// One line and the list its problems go to.
pub(super) struct Line<'a, 'd> {
    pub number: usize,
    pub text: &'a str,
    pub found: &'d mut Vec<Diagnostic>,
}

impl Line<'_, '_> {
    /// Notes an error: what was expected at a word, and what stood there.
    pub fn expected(&mut self, what: &str, at: Word<'_>) {
        self.expected_with(what, at, None);
    }

    /// The same, with advice.
    pub fn expected_with(&mut self, what: &str, at: Word<'_>, help: Option<String>) {
        let message = format!("expected {what}, found {}", at.found());
        self.note(Severity::Error, at, message, help);
    }

    /// Notes a problem at a word.
    pub fn note(&mut self, severity: Severity, at: Word<'_>, message: String, help: Option<String>) {
        let (column, width) = self.span(at);
        self.found.push(Diagnostic { severity, line: self.number, column, width, message, help });
    }

    /// A word's column from 1 and its width, in characters.
    pub fn span(&self, word: Word<'_>) -> (usize, usize) {
        (self.text[..word.at].chars().count() + 1, word.text.chars().count().max(1))
    }
}
