//! Ids, secrets and invite links.

use rand::Rng;
use sha2::{Digest, Sha256};

use crate::session::Role;

/// The letters of ids and secrets: no look-alikes, safe in a URL.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// What a token begins with; a secret has no such sign.
const TOKEN: &str = "t-";
/// Letters of a short code: 30 bits, for ten minutes and a few tries a minute.
const CODE_LETTERS: usize = 6;

/// An invite's secret: 128 random bits in 26 letters; or a token, or a short code. Only its hash is
/// stored.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A new one.
    pub fn random() -> Secret {
        let mut bytes = [0; 16];
        rand::rng().fill_bytes(&mut bytes);
        Secret(letters(&bytes))
    }

    /// A new token: as long as a secret, and known as what it is.
    pub fn random_token() -> Secret {
        Secret(format!("{TOKEN}{}", Secret::random().0))
    }

    /// A new short code.
    pub fn random_code() -> Secret {
        Secret(Secret::random().0[..CODE_LETTERS].to_owned())
    }

    /// A short code as somebody types it: in any case, perhaps grouped; `None` if it is none.
    pub fn typed_code(text: &str) -> Option<Secret> {
        let letters = text.chars().filter(|letter| !letter.is_whitespace() && *letter != '-');
        let code: String = letters.take(CODE_LETTERS + 1).map(|letter| letter.to_ascii_lowercase()).collect();
        let whole = code.len() == CODE_LETTERS && code.bytes().all(|letter| LETTERS.contains(&letter));
        whole.then_some(Secret(code))
    }

    /// Whether it is a token.
    pub fn is_token(&self) -> bool {
        self.0.starts_with(TOKEN)
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
    /// `http://host:port/s/SESSION#SECRET`, or with `.FINGERPRINT` behind it where the server's
    /// certificate is of its own making.
    pub fn link(&self, place: &Place) -> String {
        let pin = place.fingerprint.as_ref().map(|hash| format!(".{hash}")).unwrap_or_default();
        let server = place.server.trim_end_matches('/');
        format!("{server}/s/{}#{}{pin}", self.session, self.secret.expose())
    }

    /// Its number in lists.
    pub fn number(&self) -> u32 {
        invite_number(&self.secret.hash())
    }
}

/// Where a server is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The part of a link before `/s/`.
    pub server: String,
    /// The SHA-256 of its certificate in hexadecimal, where no authority vouches for it.
    pub fingerprint: Option<String>,
}

/// An invite's number in lists: the first four bytes of its secret's hash, which say nothing of
/// the secret.
pub fn invite_number(hash: &[u8]) -> u32 {
    hash.iter().take(4).fold(0, |number, byte| number << 8 | u32::from(*byte))
}

/// A role as its word.
pub fn role_word(role: Role) -> &'static str {
    match role {
        Role::Listener => "listener",
        Role::Editor => "editor",
        Role::Owner => "owner",
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
    fn a_code_is_read_as_people_type_it() {
        let code = Secret::random_code();
        let (head, tail) = code.expose().split_at(3);
        let typed = format!(" {}-{}", head.to_uppercase(), tail);
        assert_eq!(Secret::typed_code(&typed), Some(code));
        assert!(Secret::typed_code("abc").is_none() && Secret::typed_code("abcdefg").is_none());
        assert!(Secret::typed_code("abcde0").is_none());
        assert!(Secret::random_token().is_token() && !Secret::random().is_token());
    }

    #[test]
    fn a_link_carries_the_fingerprint_behind_the_secret() {
        let invite = Invite { session: "blue".into(), secret: Secret::presented("abc") };
        let mut place = Place { server: "https://x.example/".into(), fingerprint: Some("0f".into()) };
        assert_eq!(invite.link(&place), "https://x.example/s/blue#abc.0f");
        place.fingerprint = None;
        assert_eq!(invite.link(&place), "https://x.example/s/blue#abc");
    }

    #[test]
    fn session_ids_fit_a_link() {
        let id = random_session_id();
        assert_eq!(id.len(), 12);
        assert!(is_session_id(&id));
        assert!(!is_session_id("a/b") && !is_session_id(""));
    }
}
