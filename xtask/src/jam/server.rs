//! The session server of the jam, and what it says over HTTP.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::process::Process;
use crate::steps;

/// A server on a free port with a data folder of its own.
pub struct Server {
    program: PathBuf,
    data: PathBuf,
    address: String,
    process: Process,
}

/// A session on it.
#[derive(Clone)]
pub struct Session {
    /// The invite link.
    pub link: String,
    /// The session's id.
    pub id: String,
    secret: String,
}

impl Server {
    /// Starts it and waits until it answers.
    pub fn start(program: &Path, data: &Path, logs: &Path) -> Result<Server> {
        let mut command = Command::new(program);
        command.arg("serve").args(["--listen", "127.0.0.1:0"]).arg("--data").arg(data);
        let process = Process::start("server", command, logs)?;
        let mut server =
            Server { program: program.to_owned(), data: data.to_owned(), address: String::new(), process };
        let deadline = Instant::now() + Duration::from_secs(20);
        // The server leaves its address in its data folder once it listens.
        while !server.answers() {
            if !server.process.is_running() || Instant::now() > deadline {
                bail!("the server does not answer; see logs/server.log");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(server)
    }

    fn answers(&mut self) -> bool {
        let known = std::fs::read_to_string(self.data.join("address")).unwrap_or_default();
        self.address = known.trim().trim_start_matches("http://").to_owned();
        !self.address.is_empty() && self.get("/health", "").is_ok()
    }

    /// Makes a session and gives its invite.
    pub fn session(&self) -> Result<Session> {
        let mut command = Command::new(&self.program);
        command.arg("session").arg("--data").arg(&self.data);
        let said = steps::output(&mut command)?;
        let link = said
            .split_whitespace()
            .find(|word| word.starts_with("http") && word.contains("/s/"))
            .with_context(|| format!("the server gave no link: {said}"))?;
        let (place, secret) = link.split_once('#').with_context(|| format!("no secret in {link}"))?;
        let id = place.rsplit('/').next().expect("a split has a part").to_owned();
        Ok(Session { link: link.to_owned(), id, secret: secret.to_owned() })
    }

    /// What the server says of a session: `participants` or `fingerprints`.
    pub fn of(&self, session: &Session, what: &str) -> Result<Value> {
        self.get(&format!("/api/v1/sessions/{}/{what}", session.id), &session.secret)
    }

    /// Every commit that the reopened store holds.
    pub fn dump(&self, session: &Session) -> Result<Vec<Value>> {
        let mut command = Command::new(&self.program);
        command.arg("dump").arg("--data").arg(&self.data).args(["--session", &session.id]);
        let said = steps::output(&mut command)?;
        let line =
            |line: &str| serde_json::from_str(line).with_context(|| format!("no JSON in the dump: {line}"));
        said.lines().map(line).collect()
    }

    /// Ends the server, so that its store can be reopened.
    pub fn stop(&mut self) -> Result<()> {
        // SAFETY: the process is our own child and has not been waited for.
        unsafe { libc::kill(self.process.id() as libc::pid_t, libc::SIGTERM) };
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.process.is_running() {
            if Instant::now() > deadline {
                bail!("the server does not end");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    fn get(&self, path: &str, secret: &str) -> Result<Value> {
        let mut stream = TcpStream::connect(&self.address).context("connecting to the server")?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        let authorization =
            if secret.is_empty() { String::new() } else { format!("Authorization: Bearer {secret}\r\n") };
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {}\r\n{authorization}Accept: application/json\r\nConnection: close\r\n\r\n",
            self.address
        )?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).context("reading the server's answer")?;
        let answer = String::from_utf8_lossy(&answer);
        let (head, body) = answer.split_once("\r\n\r\n").context("the server's answer has no body")?;
        let status = head.lines().next().unwrap_or_default();
        if !status.contains(" 200") {
            bail!("{path}: {status}: {body}");
        }
        let text = body_text(head, body);
        // `/health` may answer in words; only that it answers matters there.
        Ok(serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }
}

/// The body, its chunks joined where it came in chunks.
fn body_text(head: &str, body: &str) -> String {
    if !head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
        return body.to_owned();
    }
    let (mut text, mut rest) = (String::new(), body);
    while let Some((size, tail)) = rest.split_once("\r\n") {
        let Ok(size) = usize::from_str_radix(size.trim(), 16) else { break };
        if size == 0 || tail.len() < size {
            break;
        }
        text.push_str(&tail[..size]);
        rest = tail[size..].trim_start_matches("\r\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_joined() {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked";
        assert_eq!(body_text(head, "3\r\n{\"a\r\n4\r\n\":1}\r\n0\r\n\r\n"), "{\"a\":1}");
        assert_eq!(body_text("HTTP/1.1 200 OK", "{}"), "{}");
    }
}
