//! Sample files from and to the session's server, apart from the session's socket.
//!
//! Thread: its own, started with the first wish; one file at a time. What comes is checked against
//! its name before it is kept.

use std::thread;
use std::time::Duration;

use crossbeam::channel::{Receiver, Sender, unbounded};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::{SampleStore, id_of};
use crate::client::link::Link;
use crate::client::reach::{Failure, Reach};
use crate::pattern::FileId;
use crate::wire::MAX_SAMPLE_FILE;

/// The time a file has.
const PATIENCE: Duration = Duration::from_secs(150);
/// The most bytes of an answer: a file and its head.
const LONGEST: u64 = MAX_SAMPLE_FILE as u64 + 16 * 1024;

/// What is wished for.
#[derive(Debug)]
pub enum Errand {
    /// Bring a file into the store.
    Fetch(FileId, Link),
    /// Bring a file to the server, where it lacks it.
    Share(FileId, Link),
}

/// What became of it.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A file is in the store now; or the server does not have it, or why not.
    Fetched(FileId, Result<bool, String>),
    /// A file is on the server; or why not: for good (`true`), or for now.
    Shared(FileId, Result<(), (bool, String)>),
}

/// The way to the thread and back.
pub struct Carrier {
    store: SampleStore,
    reach: Reach,
    thread: Option<(Sender<Errand>, Receiver<Outcome>)>,
}

impl Carrier {
    /// One over a store; no thread yet.
    pub fn new(store: SampleStore, reach: Reach) -> Carrier {
        Carrier { store, reach, thread: None }
    }

    /// Sends it on an errand.
    pub fn send(&mut self, errand: Errand) {
        let (store, reach) = (&self.store, self.reach);
        let (errands, _) = self.thread.get_or_insert_with(|| start(store.clone(), reach));
        let _ = errands.send(errand);
    }

    /// The next that is done.
    pub fn done(&self) -> Option<Outcome> {
        self.thread.as_ref()?.1.try_recv().ok()
    }
}

fn start(store: SampleStore, reach: Reach) -> (Sender<Errand>, Receiver<Outcome>) {
    let (errands, sent) = unbounded();
    let (done, outcomes) = unbounded();
    let work = move || -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        for errand in sent {
            done.send(runtime.block_on(run(&store, reach, errand)))?;
        }
        Ok(())
    };
    let started = thread::Builder::new().name("antiphon-carrier".into()).spawn(move || drop(work()));
    if let Err(error) = started {
        tracing::error!(%error, "sample files do not travel: no thread for it");
    }
    (errands, outcomes)
}

async fn run(store: &SampleStore, reach: Reach, errand: Errand) -> Outcome {
    match errand {
        Errand::Fetch(id, link) => Outcome::Fetched(id, fetch(store, reach, id, &link).await),
        Errand::Share(id, link) => Outcome::Shared(id, share(store, reach, id, &link).await),
    }
}

async fn fetch(store: &SampleStore, reach: Reach, id: FileId, link: &Link) -> Result<bool, String> {
    match request(reach, link, "GET", id, &[]).await? {
        (200, bytes) if id_of(&bytes) == id => {
            store.keep(&bytes).map(|_| true).map_err(|error| error.to_string())
        }
        (200, _) => Err(format!("{} gave other bytes than those of {id}", link.server)),
        (404, _) => Ok(false),
        (status, body) => Err(said(&link.server, status, &body)),
    }
}

async fn share(store: &SampleStore, reach: Reach, id: FileId, link: &Link) -> Result<(), (bool, String)> {
    let for_now = |reason| (false, reason);
    if let (200, _) = request(reach, link, "HEAD", id, &[]).await.map_err(for_now)? {
        return Ok(());
    }
    let bytes = store.bytes(id).map_err(|error| (true, error.to_string()))?;
    let bytes = bytes.ok_or_else(|| (true, format!("{id} is gone from the profile folder")))?;
    match request(reach, link, "PUT", id, &bytes).await.map_err(for_now)? {
        (200 | 201, _) => Ok(()),
        (status, body) => {
            Err((matches!(status, 401 | 403 | 413 | 422 | 507), said(&link.server, status, &body)))
        }
    }
}

/// What a server's refusal says.
fn said(server: &str, status: u16, body: &[u8]) -> String {
    let problem: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let detail = problem["detail"].as_str().map(|detail| detail.chars().take(200).collect::<String>());
    detail.unwrap_or_else(|| format!("{server} answers {status}"))
}

/// One request of its own connection.
async fn request(
    reach: Reach,
    link: &Link,
    method: &str,
    id: FileId,
    body: &[u8],
) -> Result<(u16, Vec<u8>), String> {
    let asked = timeout(PATIENCE, ask(reach, link, method, id, body));
    asked.await.map_err(|_| format!("{} does not answer", link.server))?
}

async fn ask(
    reach: Reach,
    link: &Link,
    method: &str,
    id: FileId,
    body: &[u8],
) -> Result<(u16, Vec<u8>), String> {
    let Link { server, session, secret, fingerprint } = link;
    let connected = reach.connect(server, *fingerprint).await;
    let mut stream = connected.map_err(|failure| match failure {
        Failure::Lost(reason) | Failure::Refused(reason) => reason,
    })?;
    let host = server.split_once("://").map_or(server.as_str(), |(_, host)| host);
    let head = format!(
        "{method} /api/v1/sessions/{session}/samples/{id} HTTP/1.1\r\nHost: {host}\r\n\
         Authorization: Bearer {secret}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let failed = |error: std::io::Error| format!("{server}: {error}");
    stream.write_all(head.as_bytes()).await.map_err(failed)?;
    // A server that has heard enough answers early: its answer counts.
    let written = stream.write_all(body).await;
    let mut answer = Vec::new();
    let read = stream.take(LONGEST).read_to_end(&mut answer).await;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let Some(end) = end else {
        written.and(read.map(drop)).map_err(failed)?;
        return Err(format!("{server}: its answer has no end"));
    };
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| format!("{server}: its answer is no HTTP"))?;
    Ok((status, answer.split_off(end + 4)))
}
