//! The text notation: reading and writing patterns (SPEC B4).
//!
//! One statement a line; `#` or `//` starts a comment. [`read`] finds every problem in one pass and
//! gives a [`Document`] (statements in order, with their comments) and the [`Song`] and [`Tempo`]
//! it stands for; [`write()`] says a song in the canonical form, which reads back bit for bit.
//!
//! Thread: any but audio (allocates). Invariant: nothing a text says is dropped in silence: it is
//! in the song, in a warning, or in an error.

mod assemble;
mod diagnostic;
mod document;
mod keys;
mod parse;
mod scan;
mod statement;
mod whole;
mod write;

pub use diagnostic::{Diagnostic, Severity, report};
pub use document::Document;
pub use keys::own_of as field_of;
pub use statement::{Scope, Statement};
pub use whole::{Source, Whole};
pub use write::{unsaid, write};

use super::Song;
use crate::time::Tempo;

/// The most characters a line may have.
pub const MAX_LINE: usize = 4096;

/// Problems after which reading stops: what has so many is no notation.
pub const MAX_PROBLEMS: usize = 1000;

/// A text, read.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The statements in order, with their comments.
    pub document: Document,
    /// What they stand for.
    pub song: Song,
    /// The tempo, 120 BPM where none is stated.
    pub tempo: Tempo,
    /// What the reader should know: stand-in voices, modules not heard yet, replaced statements.
    pub warnings: Vec<Diagnostic>,
}

/// Reads a text.
///
/// # Errors
/// Every error of the text, with its warnings, in the order of its lines; past [`MAX_PROBLEMS`] the
/// last one says that the rest was not read.
pub fn read(source: &str) -> Result<Reading, Vec<Diagnostic>> {
    let mut found = Vec::new();
    let document = Document::parse(source, &mut found);
    let (song, tempo) = assemble::assemble(&document, &mut found);
    found.sort_by_key(|problem| (problem.line, problem.column));
    if found.iter().any(|problem| problem.severity == Severity::Error) {
        Err(found)
    } else {
        Ok(Reading { document, song, tempo, warnings: found })
    }
}
