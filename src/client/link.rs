//! Invite links.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// An invite to a session: `http://host:port/s/SESSION#SECRET`. The secret stands behind `#`, so
/// that no server or proxy logs it.
#[derive(Clone, PartialEq, Eq)]
pub struct Link {
    /// `http://host:port` or `https://host:port`.
    pub server: String,
    /// The session's id.
    pub session: String,
    /// The invite's secret; empty where the profile folder holds it.
    pub secret: String,
}

/// Begins the link of a groove that the instances of one machine share without a server:
/// `local:NAME`.
const LOCAL: &str = "local:";

fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// Why a text is no invite link.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("'{link}' is no invite link: {reason}; it looks like http://host:port/s/SESSION#SECRET")]
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
            let link = Link { server: LOCAL.into(), session: name.into(), secret: String::new() };
            let reason = "a local groove's name has 1 to 64 letters, digits and dashes";
            return if is_id(name) { Ok(link) } else { Err(LinkError { link: text.into(), reason }) };
        }
        let shown = text.split('#').next().unwrap_or("").to_owned();
        let fail = |reason| Err(LinkError { link: shown.clone(), reason });
        let Ok(url) = url::Url::parse(text) else {
            return fail("it is not a URL");
        };
        if !matches!(url.scheme(), "http" | "https") {
            return fail("it begins with neither http nor https");
        }
        let Some(host) = url.host_str() else {
            return fail("it names no server");
        };
        let mut path = url.path_segments().into_iter().flatten();
        let (Some("s"), Some(session), None) = (path.next(), path.next(), path.next()) else {
            return fail("its path is not /s/SESSION");
        };
        if !is_id(session) {
            return fail("its session id is empty or has characters an id cannot hold");
        }
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        Ok(Link {
            server: format!("{}://{host}{port}", url.scheme()),
            session: session.to_owned(),
            secret: url.fragment().unwrap_or("").to_owned(),
        })
    }
}

impl Link {
    /// Whether it names a groove of this machine alone, which no server knows.
    pub fn is_local(&self) -> bool {
        self.server == LOCAL
    }

    /// The link with its secret, to be given away.
    pub fn to_url(&self) -> String {
        format!("{}/s/{}#{}", self.server, self.session, self.secret)
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
}
