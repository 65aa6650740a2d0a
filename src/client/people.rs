//! The people of a session: what is wished about them, and what is known.

use crate::session::{ClientId, Part, Role};
use crate::wire::InviteInfo;

use super::Code;

/// What a person or script wants of the people. What only owners may do is refused to others by the
/// server.
#[derive(Clone, Debug)]
pub enum Wish {
    /// Join by a short code.
    Join(Code),
    /// Send somebody away.
    Kick(ClientId),
    /// Change what somebody may do.
    Role(ClientId, Role),
    /// Make an invite; [`super::Event::Given`] and the view show its link.
    Invite {
        /// What it allows.
        role: Role,
        /// Minutes until it expires; `None`: never.
        minutes: Option<u32>,
        /// How many new participants it admits; `None`: any number.
        uses: Option<u32>,
    },
    /// List the invites.
    Invites,
    /// Revoke an invite.
    Revoke(u32),
    /// Make a short code for an invite of a role.
    Code(Role),
    /// Hold a part until told otherwise, so that the others see it in hand; `None` lets go.
    Hold(Option<Part>),
    /// Let my cursor and focus go with somebody's until I move myself; `None` ends it.
    Follow(Option<ClientId>),
    /// Where my cursor is; ends following.
    Cursor(Option<(u8, u8)>),
    /// The track looked at; ends following.
    Look(Option<u8>),
}

/// A link or code that this participant has had made, to be given away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given {
    /// An invite link.
    Link {
        /// The link, secret and all.
        url: String,
        /// What it allows.
        role: Role,
        /// Its number in lists.
        id: u32,
    },
    /// A short code.
    Code {
        /// The address to be typed or read out: `http://host:port/c/CODE`.
        url: String,
        /// Seconds that it was good for when it came.
        seconds: u32,
    },
}

/// A part in somebody's hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// The part.
    pub part: Part,
    /// Whose hand.
    pub client: ClientId,
}

/// What is known of the people, beside the list of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct People {
    /// What others have in hand.
    pub held: Vec<Held>,
    /// Whose focus mine follows.
    pub following: Option<ClientId>,
    /// Where I am, for others: moved by me, or by whom I follow.
    pub cursor: Option<(u8, u8)>,
    /// The track that I look at.
    pub focus: Option<u8>,
    /// The last link or code made here.
    pub given: Option<Given>,
    /// The session's invites, as last listed.
    pub invites: Vec<InviteInfo>,
    /// The last lines of chat, the oldest first.
    pub chat: Vec<Line>,
}

/// A line of chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Whose name.
    pub from: String,
    /// The line.
    pub text: String,
}

/// A part as a person reads it.
pub fn part_words(part: Part, song: &crate::pattern::Song) -> String {
    let track = part.track().map_or("the master", |track| song.track(track).name.as_str());
    match part {
        Part::Track(_) => track.to_owned(),
        Part::Cell(_, step) => format!("{track}, step {step}"),
        Part::Param(slot) => format!("{track}, {}", slot.spec().id),
    }
}
