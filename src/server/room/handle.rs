//! The room seen from outside: how sockets and requests reach it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

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

/// A frame's bytes, counted until the room takes it.
#[derive(Debug)]
pub(super) struct Load {
    waiting: Arc<AtomicUsize>,
    bytes: usize,
}

impl Load {
    /// `None` where more than `bound` would wait then.
    fn take(waiting: &Arc<AtomicUsize>, bytes: usize, bound: usize) -> Option<Load> {
        let taken = waiting.fetch_add(bytes, Ordering::AcqRel) + bytes <= bound;
        let load = Load { waiting: waiting.clone(), bytes };
        taken.then_some(load)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.waiting.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passed {
    /// The room will take it.
    On,
    /// As many bytes wait for the room as may.
    Full,
    /// The room has closed.
    Closed,
}

/// What a room is told.
pub(super) enum Message {
    Enter { entry: Entry, answer: oneshot::Sender<Result<Seat, Rejection>> },
    Leave(Seat),
    Up { seat: Seat, up: Up, arrived: Instant, load: Load },
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
    /// Bytes of frames that wait for the room.
    waiting: Arc<AtomicUsize>,
}

impl RoomHandle {
    pub(super) fn new(messages: mpsc::Sender<Message>) -> RoomHandle {
        RoomHandle { messages, waiting: Arc::default() }
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

    /// Hands on a frame of so many bytes, of which `bound` may wait for the room.
    pub async fn up(&self, seat: Seat, up: Up, bytes: usize, bound: usize) -> Passed {
        let Some(load) = Load::take(&self.waiting, bytes, bound) else { return Passed::Full };
        match self.messages.send(Message::Up { seat, up, arrived: Instant::now(), load }).await {
            Ok(()) => Passed::On,
            Err(_) => Passed::Closed,
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::MAX_FRAME;

    #[tokio::test]
    async fn what_waits_for_a_room_has_a_bound_in_bytes() {
        let (messages, mut inbox) = mpsc::channel(64);
        let room = RoomHandle::new(messages);
        let seat = Seat { client: ClientId(1), socket: 1 };
        for _ in 0..4 {
            assert_eq!(room.up(seat, Up::Stop, MAX_FRAME, 4 * MAX_FRAME).await, Passed::On);
        }
        assert_eq!(room.up(seat, Up::Stop, 1, 4 * MAX_FRAME).await, Passed::Full);
        // Taken, it waits no more.
        drop(inbox.recv().await);
        assert_eq!(room.up(seat, Up::Stop, MAX_FRAME, 4 * MAX_FRAME).await, Passed::On);
        drop(inbox);
        assert_eq!(room.up(seat, Up::Stop, 1, 4 * MAX_FRAME).await, Passed::Closed);
        assert_eq!(room.waiting.load(Ordering::Acquire), 0);
    }
}
