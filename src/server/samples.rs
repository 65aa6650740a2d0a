//! Sample files of the sessions: kept by their content's hash, for those of a session alone.
//!
//! `samples/SESSION/HASH.wav` beside the database. Over HTTP and not over the session's socket, so
//! that a file delays no edit. Invariant: a file that is served is what its name says.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Path as UrlPath, State};
use axum::http::{HeaderMap, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::app::App;
use super::problem::Problem;
use super::router::admitted_role;
use crate::pattern::FileId;
use crate::session::Role;
use crate::wire::{MAX_SAMPLE_FILE, check_sample_file};

/// The most files of a session.
const MAX_FILES: usize = 64;
/// The most bytes of all sessions.
const MAX_BYTES: u64 = 4 << 30;
/// Files on their way at a time; more wait for [`PATIENCE`].
const AT_ONCE: usize = 8;
/// The longest wait for one's turn.
const PATIENCE: Duration = Duration::from_secs(20);
/// The time a file has to come or go.
const TRANSFER: Duration = Duration::from_secs(120);

/// Where sample files are kept.
pub struct Shelf {
    folder: PathBuf,
    /// Bytes of all sessions, once counted.
    held: Mutex<Option<u64>>,
    turns: Semaphore,
}

impl Shelf {
    /// The shelf of a server's data folder.
    pub fn of(data: &Path) -> Shelf {
        Shelf { folder: data.join("samples"), held: Mutex::new(None), turns: Semaphore::new(AT_ONCE) }
    }

    fn path(&self, session: &str, id: FileId) -> PathBuf {
        self.folder.join(session).join(format!("{id}.wav"))
    }

    fn read(&self, session: &str, id: FileId) -> std::io::Result<Option<Vec<u8>>> {
        let bytes = match fs::read(self.path(session, id)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        if Sha256::digest(&bytes)[..] == id.0 {
            return Ok(Some(bytes));
        }
        tracing::error!(%session, %id, "a sample file is damaged: it is removed, whoever has it brings it anew");
        fs::remove_file(self.path(session, id))?;
        Ok(None)
    }

    fn keep(&self, session: &str, id: FileId, bytes: &[u8]) -> Result<StatusCode, Problem> {
        let failed = |error: std::io::Error| {
            tracing::error!(%error, "a sample file cannot be kept");
            Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "the file cannot be kept at the moment; try again later",
            )
        };
        // Under the lock, so that two at once count as two.
        let mut held = self.held.lock();
        let path = self.path(session, id);
        if path.is_file() {
            return Ok(StatusCode::OK);
        }
        let folder = self.folder.join(session);
        fs::create_dir_all(&folder).map_err(failed)?;
        if fs::read_dir(&folder).map_err(failed)?.count() >= MAX_FILES {
            let detail = format!("this session has {MAX_FILES} sample files, and a session has no more");
            return Err(Problem::new(StatusCode::INSUFFICIENT_STORAGE, detail));
        }
        let before = match *held {
            Some(bytes) => bytes,
            None => size_of(&self.folder).map_err(failed)?,
        };
        let after = before + bytes.len() as u64;
        if after > MAX_BYTES {
            let detail = format!(
                "this server's sessions hold {} GiB of sample files, and it keeps no more",
                MAX_BYTES >> 30
            );
            return Err(Problem::new(StatusCode::INSUFFICIENT_STORAGE, detail));
        }
        let part = folder.join(format!("{id}.part"));
        fs::write(&part, bytes).and_then(|()| fs::rename(&part, &path)).map_err(failed)?;
        *held = Some(after);
        Ok(StatusCode::CREATED)
    }

    async fn turn(&self) -> Result<SemaphorePermit<'_>, Problem> {
        let busy = || {
            Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "too many sample files are on their way; try again in a moment",
            )
        };
        timeout(PATIENCE, self.turns.acquire()).await.ok().and_then(Result::ok).ok_or_else(busy)
    }
}

/// Bytes below a folder of folders.
fn size_of(folder: &Path) -> std::io::Result<u64> {
    let mut bytes = 0;
    for session in fs::read_dir(folder)? {
        let session = session?;
        if session.file_type()?.is_dir() {
            for file in fs::read_dir(session.path())? {
                bytes += file?.metadata()?.len();
            }
        }
    }
    Ok(bytes)
}

/// The routes: `GET`, `HEAD` and `PUT` of `/api/v1/sessions/SESSION/samples/HASH`.
pub fn router(app: Arc<App>) -> Router {
    let route = get(give).put(take);
    Router::new().route("/api/v1/sessions/{session}/samples/{hash}", route).with_state(app)
}

async fn give(
    State(app): State<Arc<App>>,
    UrlPath((session, hash)): UrlPath<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id = named(&hash)?;
    admitted_role(&app, &session, &headers).await?;
    let _turn = app.shelf.turn().await?;
    let reading = app.clone();
    let read = tokio::task::spawn_blocking(move || reading.shelf.read(&session, id)).await;
    match read {
        Ok(Ok(Some(bytes))) => Ok(([(header::CONTENT_TYPE, "audio/wav")], bytes).into_response()),
        Ok(Ok(None)) => Err(Problem::new(StatusCode::NOT_FOUND, "nobody has brought this sample file yet")),
        _ => Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "the file cannot be read at the moment; try again later",
        )),
    }
}

async fn take(
    State(app): State<Arc<App>>,
    UrlPath((session, hash)): UrlPath<(String, String)>,
    request: Request<Body>,
) -> Result<StatusCode, Problem> {
    let id = named(&hash)?;
    let role = admitted_role(&app, &session, request.headers()).await?;
    if role < Role::Editor {
        return Err(Problem::new(StatusCode::FORBIDDEN, "a listener brings no sample files"));
    }
    let _turn = app.shelf.turn().await?;
    let body = timeout(TRANSFER, to_bytes(request.into_body(), MAX_SAMPLE_FILE)).await;
    let late = |_| {
        Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            format!("the file was not whole within {} s", TRANSFER.as_secs()),
        )
    };
    let large = |_| {
        let detail = format!("a sample file has at most {MAX_SAMPLE_FILE} bytes, 30 s");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
    };
    let bytes = body.map_err(late)?.map_err(large)?;
    let keeping = app.clone();
    let kept = tokio::task::spawn_blocking(move || {
        check_sample_file(&bytes)
            .map_err(|error| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()))?;
        if Sha256::digest(&bytes)[..] != id.0 {
            let detail = "these bytes have another hash than the one they are sent for";
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail));
        }
        keeping.shelf.keep(&session, id, &bytes)
    });
    let failed = |_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the file was not kept; try again");
    kept.await.map_err(failed)?
}

fn named(hash: &str) -> Result<FileId, Problem> {
    hash.parse()
        .map_err(|error: crate::pattern::FileIdError| Problem::new(StatusCode::NOT_FOUND, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::encode_sample_file;

    fn file(n: i32) -> (FileId, Vec<u8>) {
        let bytes = encode_sample_file(&[n, 2, 3]);
        (FileId(Sha256::digest(&bytes).into()), bytes)
    }

    #[test]
    fn a_session_keeps_so_many_files_and_a_damaged_one_goes() {
        let data = tempfile::tempdir().expect("a folder");
        let shelf = Shelf::of(data.path());
        for n in 0..MAX_FILES as i32 {
            let (id, bytes) = file(n);
            assert_eq!(shelf.keep("red", id, &bytes), Ok(StatusCode::CREATED));
            assert_eq!(shelf.keep("red", id, &bytes), Ok(StatusCode::OK));
        }
        let (id, bytes) = file(-1);
        let full = shelf.keep("red", id, &bytes).expect_err("the session is full");
        assert_eq!(full.status, StatusCode::INSUFFICIENT_STORAGE);
        assert_eq!(shelf.keep("blue", id, &bytes), Ok(StatusCode::CREATED));
        assert_eq!(*shelf.held.lock(), Some((MAX_FILES as u64 + 1) * bytes.len() as u64));
        assert_eq!(size_of(&shelf.folder).expect("readable"), (MAX_FILES as u64 + 1) * bytes.len() as u64);
        assert_eq!(shelf.read("red", id).expect("readable"), None, "what is blue's is not red's");
        assert_eq!(shelf.read("blue", id).expect("readable"), Some(bytes));
        fs::write(shelf.path("blue", id), b"RIFF").expect("damaged");
        assert_eq!(shelf.read("blue", id).expect("readable"), None);
        assert!(!shelf.path("blue", id).exists());
    }
}
