//! What was said in a session, as late joiners still read it.

use std::collections::VecDeque;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de};
use thiserror::Error;

use super::{ClientId, Seq};

/// The most characters of a text.
pub const MAX_TEXT: usize = 500;
/// Lines of chat that are kept.
pub const MAX_CHAT: usize = 200;

/// A line of text: 1 to 500 characters, no control characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Text(String);

/// Why some words are no text.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TextError {
    /// Nothing said.
    #[error("the text is empty")]
    Empty,
    /// Too much said.
    #[error("the text has {0} characters: at most {MAX_TEXT}")]
    TooLong(usize),
    /// Line breaks, tabs and the like.
    #[error("the text holds a control character; keep to one line")]
    Control,
}

/// A line of chat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatLine {
    /// Its commit.
    pub seq: Seq,
    /// Who said it.
    pub client: ClientId,
    /// What was said.
    pub text: Text,
}

/// The lines of chat that are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chat {
    lines: VecDeque<ChatLine>,
}

impl Text {
    /// Takes a line.
    ///
    /// # Errors
    /// Empty, too long, or with control characters.
    pub fn new(words: impl Into<String>) -> Result<Text, TextError> {
        let words = words.into();
        let length = words.chars().count();
        match length {
            0 => Err(TextError::Empty),
            _ if length > MAX_TEXT => Err(TextError::TooLong(length)),
            _ if words.chars().any(char::is_control) => Err(TextError::Control),
            _ => Ok(Text(words)),
        }
    }

    /// Its words.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Text, D::Error> {
        Text::new(String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl Chat {
    /// What was said last, oldest first, at most [`MAX_CHAT`] lines.
    pub fn lines(&self) -> impl ExactSizeIterator<Item = &ChatLine> {
        self.lines.iter()
    }

    pub(super) fn say(&mut self, seq: Seq, client: ClientId, text: Text) {
        if self.lines.len() >= MAX_CHAT {
            self.lines.pop_front();
        }
        self.lines.push_back(ChatLine { seq, client, text });
    }

    /// The lines as they were written, if they can be; else which one cannot, and why.
    pub(super) fn restore(lines: Vec<ChatLine>, last: Seq) -> Result<Chat, (usize, &'static str)> {
        if lines.len() > MAX_CHAT {
            return Err((lines.len(), "there are too many"));
        }
        if let Some(at) = lines.iter().position(|line| line.seq > last) {
            return Err((at, "its commit has not been"));
        }
        if let Some(at) = lines.windows(2).position(|pair| pair[0].seq > pair[1].seq) {
            return Err((at + 1, "it is out of order"));
        }
        Ok(Chat { lines: lines.into() })
    }
}
