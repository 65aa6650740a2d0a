//! Ids, secrets and invite links.

use rand::Rng;
use sha2::{Digest, Sha256};

use crate::session::Role;

/// The letters of ids and secrets: no look-alikes, safe in a URL.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// An invite's secret: 128 random bits in 26 letters. Only its hash is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A new one.
    pub fn random() -> Secret {
        let mut bytes = [0; 16];
        rand::rng().fill_bytes(&mut bytes);
        Secret(letters(&bytes))
    }

    /// One that somebody presents.
    pub fn presented(text: &str) -> Secret {
        Secret(text.trim().to_owned())
    }

    /// What the store knows of it.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }

    /// Its text, to be given away.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// Without the secret: it may be logged.
impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// An invite as it is given away.
#[derive(Clone, Debug)]
pub struct Invite {
    /// The session's id.
    pub session: String,
    /// Its secret.
    pub secret: Secret,
}

impl Invite {
    /// `http://host:port/s/SESSION#SECRET`; `server` is the part before `/s/`.
    pub fn link(&self, server: &str) -> String {
        format!("{}/s/{}#{}", server.trim_end_matches('/'), self.session, self.secret.expose())
    }
}

/// A new session's id: 60 random bits in twelve letters.
pub fn random_session_id() -> String {
    let mut bytes = [0; 8];
    rand::rng().fill_bytes(&mut bytes);
    letters(&bytes)[..12].to_owned()
}

/// Whether a text could be a session's id.
pub fn is_session_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// A role's number in the store.
pub fn role_number(role: Role) -> i64 {
    match role {
        Role::Listener => 0,
        Role::Editor => 1,
        Role::Owner => 2,
    }
}

/// The role with a number.
pub fn role_numbered(number: i64) -> Option<Role> {
    [Role::Listener, Role::Editor, Role::Owner].into_iter().find(|role| role_number(*role) == number)
}

/// Five bits a letter, the last one padded with zeros.
fn letters(bytes: &[u8]) -> String {
    let bit = |at: usize| bytes.get(at / 8).map_or(0, |byte| byte >> (7 - at % 8) & 1);
    (0..bytes.len() * 8)
        .step_by(5)
        .map(|at| char::from(LETTERS[(0..5).fold(0, |value, n| value << 1 | usize::from(bit(at + n)))]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_have_26_letters_and_stay_out_of_logs() {
        let secret = Secret::random();
        assert_eq!(secret.expose().len(), 26);
        assert_ne!(secret, Secret::random());
        assert!(!format!("{secret:?}").contains(secret.expose()));
        assert_eq!(Secret::presented(&format!(" {} ", secret.expose())).hash(), secret.hash());
    }

    #[test]
    fn session_ids_fit_a_link() {
        let id = random_session_id();
        assert_eq!(id.len(), 12);
        assert!(is_session_id(&id));
        assert!(!is_session_id("a/b") && !is_session_id(""));
    }
}
