//! A text as statements in order, with the comments beside them.

use super::diagnostic::{self, Diagnostic, Severity};
use super::parse::parse;
use super::scan::{Line, Word, split_comment};
use super::statement::Statement;
use super::{MAX_LINE, MAX_PROBLEMS};

/// A text, statement by statement; no comment is lost.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    pub(super) lines: Vec<Entry>,
}

/// One line.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    /// Its number, from 1.
    pub number: usize,
    /// What it says.
    pub said: Option<Said>,
    /// What it remarks, with its `#` or `//`.
    pub comment: Option<String>,
}

/// A statement and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Said {
    pub statement: Statement,
    /// Column and width of the whole statement.
    pub whole: (usize, usize),
    /// Column and width of its scope.
    pub scope: (usize, usize),
}

impl Document {
    /// Reads each line by itself; a line with an error says nothing.
    pub(super) fn parse(source: &str, found: &mut Vec<Diagnostic>) -> Document {
        let mut lines = Vec::new();
        for (at, text) in diagnostic::lines(source).enumerate() {
            if found.len() >= MAX_PROBLEMS {
                let message = format!("more than {MAX_PROBLEMS} problems: the text is not read from here on");
                let mut line = Line { number: at + 1, text, found };
                line.note(Severity::Error, Word { text: "", at: 0 }, message, None);
                break;
            }
            lines.push(entry(at + 1, text, found));
        }
        Document { lines }
    }

    /// The statements in order.
    pub fn statements(&self) -> impl Iterator<Item = &Statement> {
        self.lines.iter().filter_map(|line| line.said.as_ref()).map(|said| &said.statement)
    }

    /// The canonical text: one spelling for each statement, in the order of the source, every
    /// comment where it stood, at most one empty line in a row. Patterns that follow each other
    /// stand in columns, so that a beat is read downwards.
    pub fn canonical(&self) -> String {
        let mut text = String::new();
        let mut gap = false;
        for (line, head) in self.lines.iter().zip(self.heads()) {
            let said = line.said.as_ref().map(|said| spell(&said.statement, head));
            let line = match (said, &line.comment) {
                (None, None) => {
                    gap = !text.is_empty();
                    continue;
                }
                (Some(said), None) => said,
                (None, Some(comment)) => comment.clone(),
                (Some(said), Some(comment)) => format!("{said}  {comment}"),
            };
            if std::mem::take(&mut gap) {
                text.push('\n');
            }
            text.push_str(&line);
            text.push('\n');
        }
        text
    }

    /// For each line the width of the longest head among the patterns it stands with; 0 for others.
    fn heads(&self) -> Vec<usize> {
        let head = |line: &Entry| match &line.said {
            Some(Said { statement: statement @ Statement::Seq { .. }, .. }) => statement.head().len(),
            _ => 0,
        };
        let mut heads: Vec<usize> = self.lines.iter().map(head).collect();
        for group in heads.chunk_by_mut(|a, b| (*a == 0) == (*b == 0)) {
            let widest = group.iter().copied().max().unwrap_or(0);
            group.fill(widest);
        }
        heads
    }
}

/// A statement; a pattern's cells begin behind a head of this width.
fn spell(statement: &Statement, width: usize) -> String {
    match statement {
        Statement::Seq { text, .. } => format!("{:<1$} {text}", statement.head() + ":", width + 1),
        _ => statement.to_string(),
    }
}

fn entry(number: usize, text: &str, found: &mut Vec<Diagnostic>) -> Entry {
    let mut line = Line { number, text, found };
    if text.chars().nth(MAX_LINE).is_some() {
        let message = format!("a line holds at most {MAX_LINE} characters");
        line.note(Severity::Error, Word { text: "", at: 0 }, message, None);
        return Entry { number, said: None, comment: None };
    }
    let (body, comment) = split_comment(text);
    let said = if body.text.is_empty() { None } else { parse(body, &mut line) };
    Entry { number, said, comment: comment.map(str::to_owned) }
}
