//! Short codes: what a person reads out, exchanged for an invite.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::link::{Link, LinkError, server_of};
use super::reach::{Failure, Reach};

/// How long the exchange may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The most bytes of an answer.
const LONGEST: u64 = 16 * 1024;

/// A short code and where it counts: `http://host:port/c/CODE`.
#[derive(Clone, PartialEq, Eq)]
pub struct Code {
    /// `http://host:port` or `https://host:port`.
    pub server: String,
    /// Six letters and digits.
    pub code: String,
}

impl FromStr for Code {
    type Err = LinkError;

    fn from_str(text: &str) -> Result<Code, LinkError> {
        let fail = |reason| LinkError { link: String::new(), reason };
        let url = url::Url::parse(text.trim()).map_err(|_| fail("it is not a URL"))?;
        let server = server_of(&url).map_err(fail)?;
        let mut path = url.path_segments().into_iter().flatten();
        let (Some("c"), Some(code), None) = (path.next(), path.next(), path.next()) else {
            return Err(fail("its path is not /c/CODE"));
        };
        let letters = code.chars().filter(|letter| *letter != '-');
        if letters.clone().count() != 6 || !letters.clone().all(|letter| letter.is_ascii_alphanumeric()) {
            return Err(fail("a code has six letters and digits"));
        }
        Ok(Code { server, code: letters.collect() })
    }
}

/// Without the code: whoever reads it within ten minutes may come in.
impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/c/…", self.server)
    }
}

/// Exchanges a code for the invite that it stands for.
///
/// # Errors
/// The server is not reached, or says why not.
pub async fn redeem(code: &Code, reach: Reach) -> Result<Link, String> {
    let Code { server, code } = code;
    let body = json!({ "code": code });
    let asked = timeout(PATIENCE, post(server, "/api/v1/code", &body, reach));
    let (status, answer) = asked.await.map_err(|_| format!("{server} does not answer"))??;
    if status != 200 {
        let detail = answer["detail"].as_str().unwrap_or("the server does not know the code");
        return Err(detail.to_owned());
    }
    let link = answer["link"].as_str().unwrap_or("");
    let mut link: Link = link.parse().map_err(|error: LinkError| error.to_string())?;
    // The way that led here leads back; the server may know itself by another name.
    link.server.clone_from(server);
    Ok(link)
}

/// One request of its own connection. Plain and small: our servers send bodies of a known length.
async fn post(server: &str, path: &str, body: &Value, reach: Reach) -> Result<(u16, Value), String> {
    let connected = reach.connect(server, None).await;
    let mut stream = connected.map_err(|failure| match failure {
        Failure::Lost(reason) | Failure::Refused(reason) => reason,
    })?;
    let host = server.split_once("://").map_or(server, |(_, host)| host);
    let body = body.to_string();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let failed = |error: std::io::Error| format!("{server}: {error}");
    stream.write_all(request.as_bytes()).await.map_err(failed)?;
    let mut answer = Vec::new();
    stream.take(LONGEST).read_to_end(&mut answer).await.map_err(failed)?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("the server's answer has no end")?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or("the server's answer is no HTTP")?;
    Ok((status, serde_json::from_str(body).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_reads_as_it_is_shown() {
        let code: Code = "http://127.0.0.1:4747/c/K7M-2QX".parse().expect("a code");
        assert_eq!((code.server.as_str(), code.code.as_str()), ("http://127.0.0.1:4747", "K7M2QX"));
        assert!(!format!("{code:?}").contains("K7M"));
        for wrong in ["http://x/c/", "http://x/c/abc", "http://x/s/abcdef", "ftp://x/c/abcdef"] {
            assert!(wrong.parse::<Code>().is_err(), "{wrong}");
        }
    }
}
