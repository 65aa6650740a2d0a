//! A real server process on a free port of this machine, its data in a folder of its own.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use tempfile::TempDir;

/// How long a server may take to come up.
const READY: Duration = Duration::from_secs(20);
/// How long it may take to answer a request.
const ANSWER: Duration = Duration::from_secs(10);

const ANY_PORT: &str = "127.0.0.1:0";

/// A running server. Killed when dropped.
pub struct Server {
    child: Child,
    data: TempDir,
    arguments: Vec<String>,
    /// `127.0.0.1:port`.
    pub address: String,
    tls: bool,
}

/// An answer over HTTP.
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }
}

/// A session's id and an invite's secret.
#[derive(Clone, Debug)]
pub struct Invite {
    pub session: String,
    pub secret: String,
}

impl Invite {
    /// Reads `http://host:port/s/SESSION#SECRET`.
    pub fn from_link(link: &str) -> Invite {
        let (head, secret) = link.trim().split_once('#').expect("a link with a secret");
        let session = head.rsplit('/').next().expect("a link with a path");
        Invite { session: session.to_owned(), secret: secret.to_owned() }
    }
}

impl Server {
    /// Starts a server with its standard limits.
    pub fn start() -> Server {
        Server::start_with(&[])
    }

    /// Starts a server with more arguments.
    pub fn start_with(arguments: &[&str]) -> Server {
        Server::start_listening(ANY_PORT, arguments)
    }

    /// Starts a server on an address.
    pub fn start_listening(address: &str, arguments: &[&str]) -> Server {
        let data = tempfile::tempdir().expect("a folder");
        let tls = arguments.iter().any(|argument| ["--cert", "--self-signed"].contains(argument));
        let arguments: Vec<_> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let (child, address) = spawn(&data, &arguments, address);
        Server { child, data, arguments, address, tls }
    }

    /// Kills it as `kill -9` does.
    pub fn kill(&mut self) {
        self.child.kill().expect("the server runs");
        self.child.wait().expect("the server ends");
    }

    /// Starts it again on the same data.
    pub fn restart(&mut self) {
        (self.child, self.address) = spawn(&self.data, &self.arguments, ANY_PORT);
    }

    /// Starts it again on the same data and port, as a service manager does.
    pub fn restart_in_place(&mut self) {
        (self.child, self.address) = spawn(&self.data, &self.arguments, &self.address);
    }

    /// The link that a person gets.
    pub fn link(&self, invite: &Invite) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}/s/{}#{}", self.address, invite.session, invite.secret)
    }

    /// The address that a short code of ours is typed at.
    pub fn code_link(&self, session: &str, role: &str) -> String {
        self.command("code", &["--session", session, "--role", role]).trim().to_owned()
    }

    /// The number of an invite, as lists show it.
    pub fn number(&self, session: &str, role: &str) -> String {
        let list = self.command_of(&["invite", "list"], &["--session", session]);
        let invites = list.lines().map(|line| serde_json::from_str(line).expect("JSON"));
        let invite: serde_json::Value =
            invites.into_iter().find(|i: &serde_json::Value| i["role"] == role).expect("listed");
        invite["id"].as_str().expect("a number").to_owned()
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("the server can be asked").is_none()
    }

    /// Asks it to end, as service managers do, and waits; whether it ended well.
    #[cfg(unix)]
    pub fn terminate(&mut self) -> bool {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs").success());
        self.child.wait().expect("the server ends").success()
    }

    /// The folder of its data.
    pub fn data(&self) -> &std::path::Path {
        self.data.path()
    }

    /// Runs the program with a subcommand on the server's data; its standard output.
    pub fn command(&self, subcommand: &str, arguments: &[&str]) -> String {
        self.command_of(&[subcommand], arguments)
    }

    /// As [`Server::command`], with subcommands of subcommands.
    pub fn command_of(&self, subcommands: &[&str], arguments: &[&str]) -> String {
        let output = program()
            .args(subcommands)
            .arg("--data")
            .arg(self.data.path())
            .args(arguments)
            .output()
            .expect("the program runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    }

    /// A new session with an invite.
    pub fn session(&self, role: &str) -> Invite {
        Invite::from_link(&self.command("session", &["--role", role]))
    }

    /// Another invite to a session.
    pub fn invite(&self, session: &str, role: &str) -> Invite {
        Invite::from_link(&self.command("session", &["--session", session, "--role", role]))
    }

    /// Everything a session's log holds: its commits, and the last line.
    pub fn dump(&self, session: &str) -> (Vec<antiphon::session::Commit>, serde_json::Value) {
        let text = self.command("dump", &["--session", session]);
        let mut lines: Vec<_> = text.lines().collect();
        let last = serde_json::from_str(lines.pop().expect("a last line")).expect("JSON");
        (lines.into_iter().map(|line| serde_json::from_str(line).expect("a commit")).collect(), last)
    }

    /// A GET request.
    pub fn get(&self, path: &str) -> Answer {
        self.request("GET", path, &[], "")
    }

    /// A request over a connection of its own.
    pub fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut stream = TcpStream::connect(&self.address).expect("the server listens");
        stream.set_read_timeout(Some(ANSWER)).expect("a timeout");
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n",
            self.address,
            body.len()
        );
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        stream.write_all(format!("{head}\r\n{body}").as_bytes()).expect("the server reads");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("the server answers");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
        Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program under test.
pub fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_antiphon-server"))
}

fn spawn(data: &TempDir, arguments: &[String], listen: &str) -> (Child, String) {
    let mut child = program()
        .args(["serve", "--listen", listen, "--data"])
        .arg(data.path())
        .args(arguments)
        .env("ANTIPHON_LOG", "warn")
        .stdout(Stdio::piped())
        .spawn()
        .expect("the server starts");
    let stdout = child.stdout.take().expect("its output is a pipe");
    let (line, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for text in BufReader::new(stdout).lines().map_while(Result::ok) {
            let _ = line.send(text);
        }
    });
    let line = lines.recv_timeout(READY).expect("the server says where it listens");
    let url = line.strip_prefix("listening on ").expect("the line that names the address");
    let (_, address) = url.split_once("://").expect("a URL");
    (child, address.to_owned())
}
