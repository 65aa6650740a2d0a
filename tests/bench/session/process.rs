//! The server as a process, what it says of itself, and what the system says of it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use antiphon::session::Commit;
use serde_json::Value;
use tempfile::TempDir;

/// A server on a free port, killed when dropped.
pub struct Server {
    child: Child,
    data: TempDir,
    address: String,
}

/// Bytes of one participant so far.
pub struct Traffic {
    pub up: u64,
    pub down: u64,
}

/// Frames of all so far.
pub struct Frames {
    pub up: u64,
    pub down: u64,
    pub bytes_up: u64,
}

/// What a process has used.
#[derive(Clone, Copy)]
pub struct Usage {
    pub cpu: Duration,
    pub memory_kb: u64,
}

impl Usage {
    /// Of a process, from `/proc`.
    pub fn of(process: u32) -> Usage {
        let read =
            |what: &str| std::fs::read_to_string(format!("/proc/{process}/{what}")).unwrap_or_default();
        let (stat, status) = (read("stat"), read("status"));
        // Behind the name, which may hold anything, the 12th and 13th fields are ticks of 10 ms.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |at: usize| fields.get(at).and_then(|field| field.parse().ok()).unwrap_or(0u64);
        let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kb = memory.and_then(|text| text.split_whitespace().next()?.parse().ok()).unwrap_or(0);
        Usage { cpu: Duration::from_millis(10 * (ticks(11) + ticks(12))), memory_kb: kb }
    }
}

impl Server {
    pub fn start() -> Server {
        let data = tempfile::tempdir().expect("a folder");
        let mut child = program()
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(data.path())
            .env("ANTIPHON_LOG", "error")
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("its output is a pipe");
        BufReader::new(stdout).read_line(&mut line).expect("it says where it listens");
        let address = line.trim().rsplit("http://").next().expect("a split has a part").to_owned();
        Server { child, data, address }
    }

    /// A new session's link.
    pub fn session(&self) -> String {
        let output = program().arg("session").arg("--data").arg(self.data.path()).output().expect("it runs");
        let said = String::from_utf8(output.stdout).expect("text");
        said.split_whitespace().find(|word| word.contains("/s/")).expect("a link").to_owned()
    }

    pub fn process(&self) -> u32 {
        self.child.id()
    }

    pub fn usage(&self) -> Usage {
        Usage::of(self.child.id())
    }

    /// What each participant has used of the wire, in the order of their ids.
    pub fn participants(&self, link: &str) -> Vec<Traffic> {
        let (place, secret) = link.split_once('#').expect("a secret");
        let id = place.rsplit('/').next().expect("a split has a part");
        let text = self.get(&format!("/api/v1/sessions/{id}/participants"), secret);
        let list: Value = serde_json::from_str(&text).expect("JSON");
        let number = |one: &Value, field: &str| one[field].as_u64().expect("a number");
        let traffic = |one| Traffic { up: number(one, "bytes_up"), down: number(one, "bytes_down") };
        list.as_array().expect("a list").iter().map(traffic).collect()
    }

    /// The session's log.
    pub fn log(&self, link: &str) -> Vec<Commit> {
        let place = link.split_once('#').map_or(link, |(place, _)| place);
        let id = place.rsplit('/').next().expect("a split has a part");
        let dump = program()
            .args(["dump", "--session", id, "--data"])
            .arg(self.data.path())
            .output()
            .expect("it runs");
        let text = String::from_utf8(dump.stdout).expect("text");
        let mut lines: Vec<_> = text.lines().collect();
        // What it came to.
        lines.pop();
        lines.into_iter().map(|line| serde_json::from_str(line).expect("a commit")).collect()
    }

    pub fn frames(&self) -> Frames {
        let text = self.get("/metrics", "");
        let read = |name: &str, direction: &str| {
            let line = text.lines().find(|line| line.starts_with(name) && line.contains(direction));
            let value = line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
            value.unwrap_or(0.0) as u64
        };
        Frames {
            up: read("antiphon_frames_total", "up"),
            down: read("antiphon_frames_total", "down"),
            bytes_up: read("antiphon_frame_bytes_total", "up"),
        }
    }

    fn get(&self, path: &str, secret: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).expect("the server listens");
        let authorization = match secret {
            "" => String::new(),
            secret => format!("Authorization: Bearer {secret}\r\n"),
        };
        let host = &self.address;
        // HTTP/1.0: the body comes whole, not in chunks.
        write!(stream, "GET {path} HTTP/1.0\r\nHost: {host}\r\n{authorization}Connection: close\r\n\r\n")
            .expect("the server reads");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("the server answers");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        assert!(head.contains(" 200"), "{path}: {head}");
        body.to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_antiphon-server"))
}
