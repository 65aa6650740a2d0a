//! The session server: rooms over a store, reached by HTTP and WebSocket.
//!
//! Thread: a tokio runtime of its own. Invariant: nobody is told of a commit before the store has
//! it. Deliberately absent: the engine; the server sequences and compares, it renders nothing.

mod app;
pub mod cli;
mod clock;
mod clock_socket;
mod crowd;
pub mod invites;
pub mod limits;
mod listen;
pub mod metrics;
mod outgoing;
mod page;
mod problem;
mod room;
mod router;
mod samples;
mod session_socket;
pub mod store;
mod tls;
mod tokens;
mod traffic;
mod upgrade;

use std::fs::{File, TryLockError};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

pub use tls::Certificate;

use app::{App, Naming};
use clock::ServerClock;
use crowd::Crowd;
use limits::{Patience, Rates};
use listen::Door;
use store::Store;
use tls::Tls;

/// How long a server that goes down waits for its sockets.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// How often old figures are folded into the metrics' summaries.
const METRICS_UPKEEP: Duration = Duration::from_secs(5);

/// How often the server looks whether another process has barred somebody.
const BARS: Duration = Duration::from_millis(500);

/// How many sessions a second anybody may make by request.
const NEW_SESSIONS: u32 = 20;

/// How a server runs.
#[derive(Clone, Debug)]
pub struct ServeConfig {
    /// The folder of its store.
    pub data: PathBuf,
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Whether it may listen beyond this machine without encryption.
    pub insecure_plaintext: bool,
    /// The certificate to speak TLS with; none for plain HTTP.
    pub certificate: Option<Certificate>,
    /// The address that invite links name, where it differs from the one that requests come to.
    pub public_url: Option<String>,
    /// What one connection may send.
    pub rates: Rates,
    /// How long it waits for people.
    pub patience: Patience,
    /// Connections at a time from one address.
    pub connections_per_address: u32,
}

/// Where a server listens.
#[derive(Clone, Debug)]
pub struct Listening {
    /// The address.
    pub address: SocketAddr,
    /// Whether it speaks TLS.
    pub tls: bool,
    /// The fingerprint of a certificate of its own making.
    pub fingerprint: Option<String>,
}

/// Serves until `stop` completes, then writes what has been accepted, tells everybody and returns.
/// `ready` is called with the address once it listens.
///
/// # Errors
/// The store or the certificate cannot be opened, the address cannot be listened on, or it lies off
/// this machine and plaintext was not allowed.
pub async fn serve(
    config: ServeConfig,
    ready: impl FnOnce(Listening),
    stop: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let plain = config.certificate.is_none();
    if plain && !config.listen.ip().is_loopback() && !config.insecure_plaintext {
        anyhow::bail!(
            "{} can be reached from other machines, and this server speaks plain HTTP: invites and \
             edits would travel readable. Say --self-signed, or give a certificate by --cert and \
             --key; or put a TLS proxy before it and listen on 127.0.0.1; or say \
             --insecure-plaintext if the network is yours",
            config.listen
        );
    }
    let figures = metrics::handle();
    let _lock = lock(&config.data)?;
    let store = Store::open(&config.data)
        .await
        .with_context(|| format!("opening the store in {}", config.data.display()))?;
    let tls = config.certificate.as_ref().map(|from| Tls::open(from, &config.data)).transpose()?;
    let clock = ServerClock::start(&store).await?;
    let listener =
        TcpListener::bind(config.listen).await.with_context(|| format!("listening on {}", config.listen))?;
    let (alive, mut all_closed) = mpsc::channel(1);
    let fingerprint = tls.as_ref().and_then(|tls| tls.fingerprint.clone());
    let naming =
        Naming { public_url: config.public_url, tls: tls.is_some(), fingerprint: fingerprint.clone() };
    let shelf = samples::Shelf::of(&config.data);
    let app = App::new(store, clock, config.rates, config.patience, naming, shelf, alive.downgrade());
    let app = Arc::new(app);
    let router = router::router(app.clone());
    let door = Door {
        crowd: Crowd::new(config.connections_per_address),
        tls: tls.map(|tls| tls.acceptor),
        head: config.patience.head,
    };
    ready(Listening { address: listener.local_addr()?, tls: door.tls.is_some(), fingerprint });

    let upkeep = async {
        loop {
            tokio::time::sleep(METRICS_UPKEEP).await;
            figures.run_upkeep();
        }
    };
    let keeping = app.clock.clone();
    let bars = async {
        loop {
            app.heed_bars().await;
            // Another process may bar somebody in the store, which tells nobody.
            tokio::time::sleep(BARS).await;
        }
    };
    tokio::select! {
        () = listen::accept(listener, router, door) => {}
        () = upkeep => {}
        () = bars => {}
        () = keeping.keep(&app.store) => {}
        () = stop => tracing::info!("going down"),
    }
    app.close_rooms().await;
    keeping.store_anchor(&app.store).await;
    drop(alive);
    if tokio::time::timeout(CLOSE_TIMEOUT, all_closed.recv()).await.is_err() {
        tracing::warn!("some sockets did not close in time");
    }
    Ok(())
}

/// Keeps a second server off the folder: each would know half of who is in a session. The lock ends
/// with the process, however it ends.
fn lock(data: &Path) -> anyhow::Result<File> {
    std::fs::create_dir_all(data).with_context(|| format!("making the folder {}", data.display()))?;
    let file = File::create(data.join("lock")).with_context(|| format!("writing in {}", data.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => anyhow::bail!("another server already serves {}", data.display()),
        // Some network file systems have no locks; better unlocked than not at all.
        Err(TryLockError::Error(error)) => {
            tracing::warn!(%error, "the data folder cannot be locked");
            Ok(file)
        }
    }
}
