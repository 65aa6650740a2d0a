//! What the DAW's project holds: the whole musical state, the session's identity and this
//! instance's own choices. Never a secret.
//!
//! Form: `antiphon2.` and base64 of postcard with a checksum (XXH3, 64 bits) behind it. The
//! first version's `antiphon1.` is read, too. Anything else, or a song that breaks a bound, is
//! refused as a whole.

mod base64;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::client::Link;
use crate::client::personal::{KeptPersonal, Personal};
use crate::param::TrackIndex;
use crate::pattern::{EditError, Song};
use crate::rt::ports::Mode;
use crate::session::{COMMIT_VERSION, read_edits};
use crate::time::{TempoMap, TempoMapError};

/// The field of the host's project state.
pub const FIELD: &str = "antiphon";
const PREFIX: &str = "antiphon2.";
const FIRST_PREFIX: &str = "antiphon1.";
/// No song comes near this many characters; a text beyond it is not read at all.
const MAX_TEXT: usize = 8 << 20;

/// One instance's share of a DAW project.
#[derive(Clone, Debug, PartialEq)]
pub struct Project {
    /// The groove.
    pub song: Song,
    /// Its tempo map.
    pub tempo_map: TempoMap,
    /// The session it belongs to, as a link without its secret.
    pub session: Option<Link>,
    /// This instance's own choices.
    pub choices: Choices,
    /// The musician's own mix; `None` in a project from before there were any.
    pub personal: Option<Personal>,
}

/// What one musician chose for one instance; others neither see nor hear it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Choices {
    /// The track that live notes play.
    pub focus: TrackIndex,
    /// Whether the session moves the host's knobs even while the transport rolls.
    pub knobs_follow: bool,
    /// Who decides over the position; `None`: Follow in a session, Host without one. Written behind
    /// the rest, so that a project from before it is read, too.
    #[serde(skip)]
    pub mode: Option<Mode>,
}

impl Default for Choices {
    fn default() -> Choices {
        // The first track always exists.
        let focus = TrackIndex::all().next().expect("a song has tracks");
        Choices { focus, knobs_follow: false, mode: None }
    }
}

/// Why a project's state was not taken over.
#[derive(Debug, Error)]
pub enum StateError {
    /// No form that is known here.
    #[error(
        "it was not written by this version of Antiphon (it does not begin with '{PREFIX}') nor an older one"
    )]
    Form,
    /// Not base64, cut off, or with other bytes than were written.
    #[error("its bytes are damaged (the checksum does not match)")]
    Damaged,
    /// The bytes are whole but say nothing we know.
    #[error("its content cannot be read: {0}")]
    Content(#[from] postcard::Error),
    /// A register outside its bounds.
    #[error("it holds a value that cannot be: {0}")]
    Edit(#[from] EditError),
    /// A tempo map that contradicts itself.
    #[error(transparent)]
    TempoMap(#[from] TempoMapError),
}

#[derive(Serialize, Deserialize)]
struct Saved {
    tempo_map: TempoMap,
    session: Option<(String, String)>,
    choices: Choices,
}

/// A project as text.
pub fn write(project: &Project) -> String {
    let saved = Saved {
        tempo_map: project.tempo_map.clone(),
        session: project.session.as_ref().map(|link| (link.server.clone(), link.session.clone())),
        choices: project.choices,
    };
    let bytes = postcard::to_stdvec(&project.song.edits()).expect("plain data is always written");
    let bytes = postcard::to_extend(&saved, bytes).expect("plain data is always written");
    let mut bytes = postcard::to_extend(&project.choices.mode, bytes).expect("plain data is always written");
    if let Some(mix) = &project.personal {
        bytes = postcard::to_extend(&mix.to_kept(), bytes).expect("plain data is always written");
    }
    let checksum = xxhash_rust::xxh3::xxh3_64(&bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    format!("{PREFIX}{}", base64::encode(&bytes))
}

/// A project from text.
///
/// # Errors
/// Says what is wrong with it.
pub fn read(text: &str) -> Result<Project, StateError> {
    let first = text.strip_prefix(FIRST_PREFIX).map(|body| (1, body));
    let (version, body) =
        text.strip_prefix(PREFIX).map(|body| (COMMIT_VERSION, body)).or(first).ok_or(StateError::Form)?;
    if body.len() > MAX_TEXT {
        return Err(StateError::Form);
    }
    let bytes = base64::decode(body).ok_or(StateError::Damaged)?;
    let (content, checksum) = bytes.split_last_chunk::<8>().ok_or(StateError::Damaged)?;
    if xxhash_rust::xxh3::xxh3_64(content) != u64::from_le_bytes(*checksum) {
        return Err(StateError::Damaged);
    }
    let (edits, rest) = read_edits(version, content)?;
    let (mut saved, rest): (Saved, _) = postcard::take_from_bytes(rest)?;
    let mut personal = None;
    if !rest.is_empty() {
        let (mode, rest) = postcard::take_from_bytes(rest)?;
        saved.choices.mode = mode;
        if !rest.is_empty() {
            personal = Some(Personal::of_kept(&postcard::from_bytes::<KeptPersonal>(rest)?));
        }
    }
    let mut song = Song::new();
    for edit in edits {
        song.apply(&edit.check()?);
    }
    saved.tempo_map.check()?;
    let session = saved.session.map(|(server, session)| Link {
        server,
        session,
        secret: String::new(),
        fingerprint: None,
    });
    Ok(Project { song, tempo_map: saved.tempo_map, session, choices: saved.choices, personal })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::param::Owner;
    use crate::plugin::starter;
    use crate::rt::personal::PersonalEdit;

    fn project() -> Project {
        let session = "http://127.0.0.1:9000/s/blue-42#secret".parse().ok();
        let choices = Choices { mode: Some(Mode::Session), ..Choices::default() };
        let mut mix = Personal::default();
        mix.apply(PersonalEdit::Trim { owner: Owner::Master, db: -6.0 });
        Project { session, choices, personal: Some(mix), ..starter::project() }
    }

    #[test]
    fn a_project_reads_back_without_its_secret() {
        let text = write(&project());
        let back = read(&text).expect("a project");
        assert_eq!(back.choices, project().choices);
        assert_eq!(back.song, project().song);
        assert_eq!(back.personal, project().personal);
        assert_eq!(back.tempo_map, project().tempo_map);
        let link = back.session.expect("a session");
        assert_eq!((link.session.as_str(), link.secret.as_str()), ("blue-42", ""));
    }

    #[test]
    fn any_damage_is_an_error_and_never_a_panic() {
        let text = write(&project());
        for cut in 0..text.len() {
            assert!(read(&text[..cut]).is_err(), "cut at {cut}");
        }
        for at in (PREFIX.len()..text.len()).step_by(7) {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let damaged = String::from_utf8(bytes).expect("ASCII");
            assert!(read(&damaged).is_err() || damaged == text, "byte {at}");
        }
    }
}
