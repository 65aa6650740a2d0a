//! What all requests share: the store, the clock, the open rooms.

use std::collections::HashMap;
use std::sync::Arc;

use axum::http::StatusCode;
use tokio::sync::{Mutex, mpsc, watch};
use tokio::time::Instant;

use super::clock::ServerClock;
use super::crowd::Tries;
use super::invites::{Invite, Place, Secret, is_session_id};
use super::limits::{Patience, Rates, TokenBucket};
use super::problem::Problem;
use super::room::{Room, RoomHandle};
use super::samples::Shelf;
use super::store::{Admission, AdmitError, Store, StoreError};
use crate::wire::{ErrorCode, Hello, VERSION};

/// The server's shared parts.
pub struct App {
    /// What outlives the process.
    pub store: Arc<Store>,
    /// Session time.
    pub clock: ServerClock,
    /// What one connection may send.
    pub rates: Rates,
    /// How long it waits for people.
    pub patience: Patience,
    /// How links name this server.
    pub naming: Naming,
    /// The sessions' sample files.
    pub shelf: Shelf,
    pub(super) rooms: Rooms,
    new_sessions: parking_lot::Mutex<TokenBucket>,
    tries: parking_lot::Mutex<Tries>,
    bars: watch::Sender<i64>,
    alive: mpsc::WeakSender<()>,
}

/// How invite links name a server.
#[derive(Clone, Debug, Default)]
pub struct Naming {
    /// The address that they name, if it is not the one a request came to.
    pub public_url: Option<String>,
    /// Whether it speaks TLS.
    pub tls: bool,
    /// The fingerprint of a certificate of its own making.
    pub fingerprint: Option<String>,
}

impl Naming {
    /// The server as somebody names it who reached it under `host`.
    pub fn place(&self, host: &str) -> Place {
        let scheme = if self.tls { "https" } else { "http" };
        let server = self.public_url.clone().unwrap_or_else(|| format!("{scheme}://{host}"));
        Place { server, fingerprint: self.fingerprint.clone() }
    }
}

/// The open rooms, by session.
pub type Rooms = Arc<Mutex<HashMap<String, RoomHandle>>>;

/// Why a socket was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Which rule.
    pub code: ErrorCode,
    /// What to do.
    pub message: String,
}

impl App {
    /// Parts around a store.
    pub fn new(
        store: Store,
        clock: ServerClock,
        rates: Rates,
        patience: Patience,
        naming: Naming,
        shelf: Shelf,
        alive: mpsc::WeakSender<()>,
    ) -> App {
        let new_sessions = TokenBucket::new(super::NEW_SESSIONS, Instant::now());
        App {
            store: Arc::new(store),
            clock,
            rates,
            patience,
            naming,
            shelf,
            rooms: Rooms::default(),
            new_sessions: parking_lot::Mutex::new(new_sessions),
            tries: parking_lot::Mutex::default(),
            bars: watch::Sender::new(0),
            alive,
        }
    }

    /// What every open socket holds: all dropped means all closed.
    pub fn alive(&self) -> Option<mpsc::Sender<()>> {
        self.alive.upgrade()
    }

    /// Whether a session may be made by request now.
    pub fn may_create_session(&self) -> bool {
        self.new_sessions.lock().take(Instant::now())
    }

    /// The invite that a short code stands for; `None` where it stands for none.
    ///
    /// # Errors
    /// Too many tries, or the store fails.
    pub async fn redeem(&self, code: &str, from: std::net::IpAddr) -> Result<Option<Invite>, Problem> {
        let tried = self.tries.lock().take(from, Instant::now());
        tried.map_err(|limit| Problem::new(StatusCode::TOO_MANY_REQUESTS, limit))?;
        match Secret::typed_code(code) {
            Some(code) => Ok(self.store.redeem_code(&code).await?),
            None => Ok(None),
        }
    }

    /// Looks whether anybody was barred since the last look, by this process or another, and sends
    /// those away.
    pub async fn heed_bars(&self) {
        let bars = match self.store.bars().await {
            Ok(bars) => bars,
            Err(error) => return tracing::warn!(%error, "who is barred could not be read"),
        };
        if self.bars.send_if_modified(|seen| std::mem::replace(seen, bars) != bars) {
            let rooms: Vec<_> = self.rooms.lock().await.values().cloned().collect();
            for room in rooms {
                room.look_again().await;
            }
        }
    }

    /// Tells when somebody was barred.
    pub fn bars(&self) -> watch::Receiver<i64> {
        self.bars.subscribe()
    }

    /// The room of a session, opened from the store if nobody is in it.
    ///
    /// # Errors
    /// The store fails, or the session's log cannot be read.
    pub async fn room(&self, session: &str) -> Result<RoomHandle, StoreError> {
        let mut rooms = self.rooms.lock().await;
        if let Some(room) = rooms.get(session).filter(|room| room.is_open()) {
            return Ok(room.clone());
        }
        let room = Room::open(session, self).await?;
        rooms.insert(session.to_owned(), room.clone());
        Ok(room)
    }

    /// Closes every room after its commits are written, and tells those inside when to come back.
    pub async fn close_rooms(&self) {
        let rooms: Vec<_> = self.rooms.lock().await.drain().map(|(_, room)| room).collect();
        for room in rooms {
            room.close().await;
        }
    }

    /// Checks who comes with a `Hello`.
    ///
    /// # Errors
    /// The rule that keeps it out.
    pub async fn admit(&self, session: &str, hello: &Hello) -> Result<Admission, Rejection> {
        if !hello.is_current() {
            return Err(Rejection {
                code: ErrorCode::Version,
                message: format!(
                    "this server speaks protocol version {VERSION}, you speak {}; update the older one",
                    hello.version
                ),
            });
        }
        let admitted = if is_session_id(session) {
            let secret = Secret::presented(&hello.secret);
            self.store.admit(session, &secret, &hello.client_key, &super::room::shown_name(&hello.name)).await
        } else {
            Err(AdmitError::UnknownSession(session.chars().take(64).collect()))
        };
        admitted.map_err(Rejection::from)
    }
}

impl From<AdmitError> for Rejection {
    fn from(error: AdmitError) -> Rejection {
        let code = match &error {
            AdmitError::UnknownSession(_) => ErrorCode::UnknownSession,
            AdmitError::WrongSecret | AdmitError::Expired | AdmitError::Spent | AdmitError::Revoked => {
                ErrorCode::Unauthorized
            }
            AdmitError::Kicked => ErrorCode::Kicked,
            AdmitError::TokenExpired => ErrorCode::Expired,
            AdmitError::Store(error) => return Rejection::unavailable(error),
        };
        Rejection { code, message: error.to_string() }
    }
}

impl Rejection {
    /// The store failed; the reason goes to the log.
    pub fn unavailable(error: &StoreError) -> Rejection {
        tracing::error!(%error, "a session cannot be opened");
        Rejection {
            code: ErrorCode::Unavailable,
            message: "the session cannot be read at the moment; try again later".to_owned(),
        }
    }
}
