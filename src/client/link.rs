//! Invite links.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// An invite to a session: `https://host:port/s/SESSION#SECRET`, with `.FINGERPRINT` behind it where
/// the server's certificate is of its own making. The secret stands behind `#`, so that no server or
/// proxy logs it.
#[derive(Clone, PartialEq, Eq)]
pub struct Link {
    /// `http://host:port` or `https://host:port`.
    pub server: String,
    /// The session's id.
    pub session: String,
    /// The invite's secret; empty where the profile folder holds it.
    pub secret: String,
    /// The one certificate to trust; `None`: whichever an authority vouches for.
    pub fingerprint: Option<Fingerprint>,
}

/// The SHA-256 of a certificate, in 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 32]);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Fingerprint {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Fingerprint, &'static str> {
        const REASON: &str = "the fingerprint behind its secret is not 64 hexadecimal digits";
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(REASON);
        }
        for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
            *byte = u8::from_str_radix(&text[at..at + 2], 16).map_err(|_| REASON)?;
        }
        Ok(Fingerprint(bytes))
    }
}

/// Begins the link of a groove that the instances of one machine share without a server:
/// `local:NAME`.
const LOCAL: &str = "local:";

fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// Why a text is no invite link.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("'{link}' is no invite link: {reason}; it looks like https://host:port/s/SESSION#SECRET")]
pub struct LinkError {
    /// The text, without its secret.
    pub link: String,
    /// What is wrong.
    pub reason: &'static str,
}

impl FromStr for Link {
    type Err = LinkError;

    fn from_str(text: &str) -> Result<Link, LinkError> {
        let text = text.trim();
        if let Some(name) = text.strip_prefix(LOCAL) {
            let name = name.strip_prefix("/s/").unwrap_or(name).trim_end_matches('#');
            let link =
                Link { server: LOCAL.into(), session: name.into(), secret: String::new(), fingerprint: None };
            let reason = "a local groove's name has 1 to 64 letters, digits and dashes";
            return if is_id(name) { Ok(link) } else { Err(LinkError { link: text.into(), reason }) };
        }
        let shown = text.split('#').next().unwrap_or("").to_owned();
        let fail = |reason| LinkError { link: shown.clone(), reason };
        let url = url::Url::parse(text).map_err(|_| fail("it is not a URL"))?;
        let server = server_of(&url).map_err(fail)?;
        let mut path = url.path_segments().into_iter().flatten();
        let (Some("s"), Some(session), None) = (path.next(), path.next(), path.next()) else {
            return Err(fail("its path is not /s/SESSION"));
        };
        if !is_id(session) {
            return Err(fail("its session id is empty or has characters an id cannot hold"));
        }
        let mut link = Link { server, session: session.to_owned(), secret: String::new(), fingerprint: None };
        link.set_fragment(url.fragment().unwrap_or("")).map_err(fail)?;
        Ok(link)
    }
}

/// The part of a URL that names its server.
pub(super) fn server_of(url: &url::Url) -> Result<String, &'static str> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err("it begins with neither http nor https");
    }
    let host = url.host_str().ok_or("it names no server")?;
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    Ok(format!("{}://{host}{port}", url.scheme()))
}

impl Link {
    /// Whether it names a groove of this machine alone, which no server knows.
    pub fn is_local(&self) -> bool {
        self.server == LOCAL
    }

    /// The link with its secret, to be given away.
    pub fn to_url(&self) -> String {
        format!("{self}#{}", self.fragment())
    }

    /// What stands behind `#`, and is kept in the profile folder: the secret and, where there is
    /// one, the fingerprint.
    pub fn fragment(&self) -> String {
        let pin = self.fingerprint.map(|fingerprint| format!(".{fingerprint}")).unwrap_or_default();
        format!("{}{pin}", self.secret)
    }

    /// Takes what stands behind `#`.
    ///
    /// # Errors
    /// The fingerprint is none.
    pub fn set_fragment(&mut self, fragment: &str) -> Result<(), &'static str> {
        let (secret, pin) = match fragment.split_once('.') {
            Some((secret, pin)) => (secret, Some(pin.parse()?)),
            None => (fragment, None),
        };
        (self.secret, self.fingerprint) = (secret.to_owned(), pin);
        Ok(())
    }
}

/// Without the secret: links are logged.
impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s/{}", self.server, self.session)
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_reads_back_and_hides_its_secret() {
        let link: Link = "http://127.0.0.1:9000/s/blue-42#abc".parse().expect("a link");
        assert_eq!((link.server.as_str(), link.session.as_str()), ("http://127.0.0.1:9000", "blue-42"));
        assert_eq!(link.to_url().parse::<Link>().expect("a link"), link);
        assert!(!format!("{link:?} {link}").contains("abc"));
        let local: Link = "local:bass-and-drums".parse().expect("a link");
        assert!(local.is_local());
        assert_eq!(local.to_string().parse::<Link>().expect("a link"), local);
        assert!("local:a b".parse::<Link>().is_err());
        assert!("ftp://x/s/y".parse::<Link>().is_err());
        assert!("http://x/y".parse::<Link>().is_err());
    }

    #[test]
    fn a_fingerprint_travels_behind_the_secret() {
        let pin = "0123456789abcdef".repeat(4);
        let link: Link = format!("https://x.example/s/blue#abc.{pin}").parse().expect("a link");
        assert_eq!(link.secret, "abc");
        assert_eq!(link.fingerprint.map(|pin| pin.to_string()), Some(pin));
        assert_eq!(link.to_url().parse::<Link>().expect("a link"), link);
        assert_eq!(link.to_string(), "https://x.example/s/blue");
        assert!("https://x/s/blue#abc.0123".parse::<Link>().is_err());
    }
}
