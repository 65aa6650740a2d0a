//! What all requests share: the store, the clock, the open rooms.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{Mutex, mpsc};
use tokio::time::Instant;

use super::clock::ServerClock;
use super::invites::{Secret, is_session_id};
use super::limits::{Rates, TokenBucket};
use super::room::{Room, RoomHandle};
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
    /// The address that invite links name, if it is not the one a request came to.
    pub public_url: Option<String>,
    rooms: Rooms,
    new_sessions: parking_lot::Mutex<TokenBucket>,
    alive: mpsc::WeakSender<()>,
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
        public_url: Option<String>,
        alive: mpsc::WeakSender<()>,
    ) -> App {
        let new_sessions = TokenBucket::new(super::NEW_SESSIONS, Instant::now());
        App {
            store: Arc::new(store),
            clock,
            rates,
            public_url,
            rooms: Rooms::default(),
            new_sessions: parking_lot::Mutex::new(new_sessions),
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

    /// The room of a session, opened from the store if nobody is in it.
    ///
    /// # Errors
    /// The store fails, or the session's log cannot be read.
    pub async fn room(&self, session: &str) -> Result<RoomHandle, StoreError> {
        let mut rooms = self.rooms.lock().await;
        if let Some(room) = rooms.get(session).filter(|room| room.is_open()) {
            return Ok(room.clone());
        }
        let room = Room::open(session, self.store.clone(), self.clock, self.rooms.clone()).await?;
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
            AdmitError::WrongSecret | AdmitError::Expired | AdmitError::Spent => ErrorCode::Unauthorized,
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
