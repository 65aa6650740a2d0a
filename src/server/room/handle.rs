//! The room seen from outside: how sockets and requests reach it.

use std::sync::{Arc, Weak};

use serde_json::Value;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Bytes;

use crate::server::app::Rejection;
use crate::server::limits::SEND_QUEUE;
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

/// What goes to a socket's writer.
#[derive(Clone, Debug)]
pub enum Packet {
    /// Frames that go out together.
    Frames(Vec<Bytes>),
    /// Ask whether the other side lives.
    Heartbeat,
    /// Close after what was queued before.
    Finish,
}

/// The sending end of a socket's queue. Never waits: who does not keep up is cut off.
#[derive(Clone, Debug)]
pub struct Outbound {
    packets: mpsc::Sender<Packet>,
    cut: Arc<Notify>,
}

impl Outbound {
    /// A queue of [`SEND_QUEUE`] packets.
    pub fn channel() -> (Outbound, mpsc::Receiver<Packet>) {
        let (packets, receiver) = mpsc::channel(SEND_QUEUE);
        (Outbound { packets, cut: Arc::new(Notify::new()) }, receiver)
    }

    /// Queues frames; a full queue cuts the socket off.
    pub fn send(&self, frames: Vec<Bytes>) {
        if !frames.is_empty() {
            self.push(Packet::Frames(frames));
        }
    }

    /// Closes the socket after what was queued before.
    pub fn finish(&self) {
        self.push(Packet::Finish);
    }

    /// Completes when the socket is cut off.
    pub async fn killed(&self) {
        self.cut.notified().await;
    }

    fn push(&self, packet: Packet) {
        if let Err(mpsc::error::TrySendError::Full(_)) = self.packets.try_send(packet) {
            self.cut.notify_one();
        }
    }
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
