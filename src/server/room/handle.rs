//! The room seen from outside: how sockets and requests reach it.

use std::sync::Weak;

use serde_json::Value;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::Outbound;
use crate::server::app::Rejection;
use crate::server::store::Admission;
use crate::server::traffic::TrafficMeter;
use crate::session::ClientId;
use crate::wire::{Hello, Up};

/// One socket's place in a room: a participant's second socket takes the first one's seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seat {
    /// Whose.
    pub client: ClientId,
    /// Which of their sockets.
    pub socket: u64,
}

/// Somebody at the door.
pub struct Entry {
    /// Who, and what they may do.
    pub admission: Admission,
    /// What they said.
    pub hello: Hello,
    /// Where to speak to them.
    pub outbound: Outbound,
    /// What their socket costs.
    pub meter: Weak<TrafficMeter>,
}

/// What a room is told.
pub(super) enum Message {
    Enter { entry: Entry, answer: oneshot::Sender<Result<Seat, Rejection>> },
    Leave(Seat),
    Up { seat: Seat, up: Up, arrived: Instant },
    ClockSocket { client: ClientId, meter: Weak<TrafficMeter> },
    Participants(oneshot::Sender<Value>),
    Fingerprints(oneshot::Sender<Value>),
    LookAgain,
    Close(oneshot::Sender<()>),
}

/// A room's address. Calls on a room that has closed answer `None` or do nothing.
#[derive(Clone, Debug)]
pub struct RoomHandle {
    messages: mpsc::Sender<Message>,
}

impl RoomHandle {
    pub(super) fn new(messages: mpsc::Sender<Message>) -> RoomHandle {
        RoomHandle { messages }
    }

    /// Whether the room still takes messages.
    pub fn is_open(&self) -> bool {
        !self.messages.is_closed()
    }

    /// Takes a seat; the welcome comes through the entry's queue. `None`: the room has closed.
    pub async fn enter(&self, entry: Entry) -> Option<Result<Seat, Rejection>> {
        self.ask(|answer| Message::Enter { entry, answer }).await
    }

    /// A socket has ended; its meter can still be read.
    pub async fn leave(&self, seat: Seat) {
        let _ = self.messages.send(Message::Leave(seat)).await;
    }

    /// Hands a frame on; false when the room has closed.
    pub async fn up(&self, seat: Seat, up: Up) -> bool {
        self.messages.send(Message::Up { seat, up, arrived: Instant::now() }).await.is_ok()
    }

    /// Counts a clock socket's bytes as the participant's.
    pub async fn count_clock_socket(&self, client: ClientId, meter: Weak<TrafficMeter>) {
        let _ = self.messages.send(Message::ClockSocket { client, meter }).await;
    }

    /// Who is here, with latency and bytes on the wire.
    pub async fn participants(&self) -> Option<Value> {
        self.ask(Message::Participants).await
    }

    /// Which bars were compared, and how that went.
    pub async fn fingerprints(&self) -> Option<Value> {
        self.ask(Message::Fingerprints).await
    }

    /// Somebody was barred: those in the room are looked at again.
    pub async fn look_again(&self) {
        let _ = self.messages.send(Message::LookAgain).await;
    }

    /// Ends the room after what it was sent before.
    pub async fn close(&self) {
        self.ask(Message::Close).await;
    }

    async fn ask<T>(&self, message: impl FnOnce(oneshot::Sender<T>) -> Message) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        self.messages.send(message(answer)).await.ok()?;
        answered.await.ok()
    }
}
