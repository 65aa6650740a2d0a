//! What is asked and told about the people in a session: invites, roles, hands, notes played live.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::param::TrackIndex;
use crate::session::{ClientId, Part, Role};
use crate::time::Beats;

/// The most notes played live in one frame.
pub const MAX_NOTES: usize = 128;

/// What a client asks. Only owners may ask for [`Ask::Kick`], [`Ask::Role`] and everything about
/// invites and codes; others are told so.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Ask {
    /// A fresh token, before the one it has lapses.
    Token,
    /// Send somebody away: their sockets close, and neither token nor invite lets them in again
    /// until they are invited anew.
    Kick(ClientId),
    /// Change what somebody may do, from now on.
    Role {
        /// Whose.
        client: ClientId,
        /// To what.
        role: Role,
    },
    /// Make an invite; [`News::Invite`] answers.
    Invite {
        /// What it allows.
        role: Role,
        /// Minutes until it expires; `None`: never.
        minutes: Option<u32>,
        /// How many new participants it admits; `None`: any number.
        uses: Option<u32>,
    },
    /// The session's invites; [`News::Invites`] answers.
    Invites,
    /// Revoke an invite: whoever came in by it leaves, too.
    Revoke(u32),
    /// A short code for an invite of a role; [`News::Code`] answers.
    Code(Role),
    /// A part is in this participant's hand, or still is.
    Lock(Part),
    /// It no longer is.
    Unlock(Part),
    /// Notes played live, at most [`MAX_NOTES`]: the others play them one bar later.
    Notes(Vec<PlayedNote>),
}

/// What a client is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum News {
    /// A token that stands for the invite in the next [`super::Hello`].
    Token {
        /// The token.
        token: Hidden,
        /// How long it is good for.
        seconds: u32,
    },
    /// An invite was made.
    Invite(GivenInvite),
    /// The session's invites, the newest first.
    Invites(Vec<InviteInfo>),
    /// An invite was revoked.
    Revoked(u32),
    /// A short code was made.
    Code {
        /// Six letters and digits.
        code: Hidden,
        /// How long it is good for.
        seconds: u32,
    },
    /// Somebody holds a part, for [`crate::session::LOCK_NANOS`] from now.
    Lock {
        /// Who.
        client: ClientId,
        /// What.
        part: Part,
    },
    /// They let it go.
    Unlock {
        /// Who.
        client: ClientId,
        /// What.
        part: Part,
    },
    /// Somebody changed what another has in hand; both are told.
    Touched {
        /// What was changed.
        part: Part,
        /// In whose hand it is.
        holder: ClientId,
        /// Who changed it.
        by: ClientId,
    },
    /// Who has done nothing for a while, or does again.
    Away(Vec<(ClientId, bool)>),
    /// Notes that somebody else plays live.
    Notes {
        /// Who.
        author: ClientId,
        /// The notes.
        notes: Vec<PlayedNote>,
    },
}

/// A text that stays out of logs: frames are logged.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hidden(pub String);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// An invite to be given away.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GivenInvite {
    /// Its number in lists, made of its secret's hash.
    pub id: u32,
    /// What it allows.
    pub role: Role,
    /// Its secret.
    pub secret: Hidden,
    /// The server's address as those invited reach it, where the server was told; without it, the
    /// address at which the asker reaches it.
    pub server: Option<String>,
}

/// An invite as an owner sees it in a list: without its secret, which nobody knows any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InviteInfo {
    /// Its number.
    pub id: u32,
    /// What it allows.
    pub role: Role,
    /// Seconds until it expires, 0 if it has; `None`: never.
    pub expires_in: Option<u32>,
    /// New participants that it still admits; `None`: any number.
    pub uses_left: Option<u32>,
    /// Participants who came in by it.
    pub people: u32,
    /// Whether it was revoked.
    pub revoked: bool,
}

/// A note played live: its beginning or, with velocity 0, its end.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlayedNote {
    /// On which track.
    pub track: TrackIndex,
    /// MIDI note, 0 to 127.
    pub note: u8,
    /// 0 to 127; 0 ends the note.
    pub velocity: u8,
    /// The song position at which its player heard it. The others play it one bar later.
    pub tick: Beats,
}

impl PlayedNote {
    /// Whether a frame may hold it.
    pub fn is_valid(&self) -> bool {
        self.note <= 127
            && self.velocity <= 127
            && (Beats::ZERO..=crate::session::MAX_TICK).contains(&self.tick)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_stay_out_of_logs() {
        let given = GivenInvite { id: 7, role: Role::Editor, secret: Hidden("hush".into()), server: None };
        let token = News::Token { token: Hidden("hush".into()), seconds: 900 };
        assert!(!format!("{given:?} {token:?}").contains("hush"));
    }

    #[test]
    fn a_note_from_a_frame_has_bounds() {
        let track = TrackIndex::all().next().expect("a track");
        let note = PlayedNote { track, note: 60, velocity: 100, tick: Beats(5) };
        assert!(note.is_valid());
        assert!(!PlayedNote { note: 128, ..note }.is_valid());
        assert!(!PlayedNote { velocity: 128, ..note }.is_valid());
        assert!(!PlayedNote { tick: Beats(-1), ..note }.is_valid());
    }
}
