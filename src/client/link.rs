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
        if session.is_empty()
            || session.len() > 64
            || !session.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        {
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
        assert!("ftp://x/s/y".parse::<Link>().is_err());
        assert!("http://x/y".parse::<Link>().is_err());
    }
}
