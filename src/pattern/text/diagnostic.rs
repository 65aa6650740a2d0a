//! Problems of a text, shown with their line and a caret.

use std::fmt::Write;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The text does not read.
    Error,
    /// It reads, and there is something to know.
    Warning,
}

/// One problem of a text and where it lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// Characters it spans, at least 1.
    pub width: usize,
    /// What was expected and what was found.
    pub message: String,
    /// What to do, where that is not plain.
    pub help: Option<String>,
}

impl Diagnostic {
    /// The problem with its source line and a caret, as a compiler shows it; `file` names the text.
    pub fn show(&self, source: &str, file: &str) -> String {
        let line = lines(source).nth(self.line - 1).unwrap_or("");
        self.show_on(line, file)
    }

    fn show_on(&self, line: &str, file: &str) -> String {
        let kind = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let (shown, caret) = window(line, self.column);
        let carets = self.width.min(shown.chars().count().saturating_sub(caret)).max(1);
        let margin = " ".repeat(self.line.to_string().len());
        let mut out = format!("{kind}: {}\n", self.message);
        let _ = writeln!(out, "{margin}--> {file}:{}:{}", self.line, self.column);
        let _ = writeln!(out, "{margin} |");
        let _ = writeln!(out, "{} | {}", self.line, shown.trim_end());
        let _ = writeln!(out, "{margin} | {}{}", " ".repeat(caret), "^".repeat(carets));
        if let Some(help) = &self.help {
            let _ = writeln!(out, "{margin} = help: {help}");
        }
        out
    }
}

/// Problems one below the other, an empty line after each.
pub fn report(found: &[Diagnostic], source: &str, file: &str) -> String {
    let lines: Vec<&str> = lines(source).collect();
    let line = |problem: &Diagnostic| lines.get(problem.line - 1).copied().unwrap_or("");
    found.iter().map(|problem| problem.show_on(line(problem), file) + "\n").collect()
}

/// The lines of a text, without the mark that some editors put before the first.
pub(super) fn lines(source: &str) -> std::str::Lines<'_> {
    source.strip_prefix('\u{feff}').unwrap_or(source).lines()
}

/// The part of a line around a column, one character wide each, and the column's place in it.
fn window(line: &str, column: usize) -> (String, usize) {
    const WIDTH: usize = 100;
    const BEFORE: usize = 40;
    let plain = |c: char| {
        if c == '\t' {
            ' '
        } else if c.is_control() {
            '\u{fffd}'
        } else {
            c
        }
    };
    let column = column.saturating_sub(1);
    let length = line.chars().count();
    let from = if length <= WIDTH { 0 } else { column.saturating_sub(BEFORE) };
    let mut shown: String = line.chars().skip(from).take(WIDTH).map(plain).collect();
    let mut caret = column - from;
    if from > 0 {
        shown.insert(0, '…');
        caret += 1;
    }
    if from + WIDTH < length {
        shown.push('…');
    }
    (shown, caret)
}
