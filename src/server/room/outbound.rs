//! What waits for one socket's writer, and what is dropped first when it falls behind.
//!
//! Within a round, commits go before gestures and gestures before presence. A receiver that keeps
//! up gets everything in that order. One that falls behind loses, in this order: presence, as soon
//! as [`BUSY`] packets wait (the list of participants makes up for it later); gestures, when a
//! commit finds as many (the commit at a gesture's end carries its last value). Commits, answers and
//! errors are never dropped: one that finds [`SEND_QUEUE`] packets cuts the socket off, and its
//! participant comes back with a delta.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_tungstenite::tungstenite::Bytes;

use crate::server::limits::SEND_QUEUE;
use crate::server::metrics;

/// Packets that wait for a receiver that falls behind.
const BUSY: usize = 16;

/// What a packet is for: the lower, the longer it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Commits, answers, errors: never dropped.
    Durable,
    /// Moves of a hand, and notes played live.
    Gesture,
    /// Where people are.
    Presence,
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

#[derive(Debug, Default)]
struct Waiting {
    packets: VecDeque<(Class, Packet)>,
    /// Presence was dropped.
    lags: bool,
}

/// The sending end of a socket's queue. Never waits: who does not keep up is cut off.
#[derive(Clone, Debug, Default)]
pub struct Outbound {
    waiting: Arc<Mutex<Waiting>>,
    filled: Arc<Notify>,
    cut: Arc<Notify>,
}

/// The writer's end of the queue.
#[derive(Debug)]
pub struct Packets {
    waiting: Arc<Mutex<Waiting>>,
    filled: Arc<Notify>,
}

impl Outbound {
    /// A queue, and its writer's end.
    pub fn channel() -> (Outbound, Packets) {
        let outbound = Outbound::default();
        let packets = Packets { waiting: outbound.waiting.clone(), filled: outbound.filled.clone() };
        (outbound, packets)
    }

    /// Queues frames that must arrive; a full queue cuts the socket off.
    pub fn send(&self, frames: Vec<Bytes>) {
        self.send_as(Class::Durable, frames);
    }

    /// Queues frames of a class.
    pub fn send_as(&self, class: Class, frames: Vec<Bytes>) {
        if !frames.is_empty() {
            self.push(class, Packet::Frames(frames));
        }
    }

    /// Closes the socket after what was queued before.
    pub fn finish(&self) {
        self.push(Class::Durable, Packet::Finish);
    }

    /// Whether presence was dropped and there is room again; asked once.
    pub fn caught_up(&self) -> bool {
        let mut waiting = self.waiting.lock();
        waiting.packets.len() < BUSY && std::mem::take(&mut waiting.lags)
    }

    /// Completes when the socket is cut off.
    pub async fn killed(&self) {
        self.cut.notified().await;
    }

    fn push(&self, class: Class, packet: Packet) {
        let mut waiting = self.waiting.lock();
        let Waiting { packets, lags } = &mut *waiting;
        if packets.len() >= BUSY {
            let (mut gestures, mut presence) = (0, usize::from(class == Class::Presence));
            packets.retain(|(waits, _)| match waits {
                Class::Durable => true,
                Class::Gesture if class == Class::Durable => {
                    gestures += 1;
                    false
                }
                Class::Gesture => true,
                Class::Presence => {
                    presence += 1;
                    false
                }
            });
            *lags |= gestures + presence > 0;
            metrics::dropped("gesture", gestures);
            metrics::dropped("presence", presence);
            if class == Class::Presence {
                return;
            }
        }
        if packets.len() < SEND_QUEUE {
            packets.push_back((class, packet));
            self.filled.notify_one();
        } else if class == Class::Durable {
            self.cut.notify_one();
        } else {
            // Presence has returned above.
            metrics::dropped("gesture", 1);
        }
    }
}

impl Packets {
    /// The next packet; waits for one.
    pub async fn next(&mut self) -> Packet {
        loop {
            if let Some(packet) = self.try_next() {
                return packet;
            }
            self.filled.notified().await;
        }
    }

    /// The next packet, if one waits.
    pub fn try_next(&mut self) -> Option<Packet> {
        self.waiting.lock().packets.pop_front().map(|(_, packet)| packet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(packets: &mut Packets) -> Vec<u8> {
        let first = |packet| match packet {
            Packet::Frames(frames) => frames[0][0],
            other => panic!("{other:?}"),
        };
        std::iter::from_fn(|| packets.try_next()).map(first).collect()
    }

    fn send(outbound: &Outbound, class: Class, mark: u8) {
        outbound.send_as(class, vec![Bytes::from(vec![mark])]);
    }

    #[test]
    fn who_keeps_up_gets_everything_in_order() {
        let (outbound, mut packets) = Outbound::channel();
        for (mark, class) in [Class::Durable, Class::Gesture, Class::Presence].into_iter().enumerate() {
            send(&outbound, class, mark as u8);
        }
        assert_eq!(waiting(&mut packets), [0, 1, 2]);
        assert!(!outbound.caught_up());
    }

    #[test]
    fn presence_goes_first_then_gestures_and_commits_never() {
        let (outbound, mut packets) = Outbound::channel();
        for mark in 0..BUSY as u8 {
            let class = if mark < 4 { Class::Presence } else { Class::Gesture };
            send(&outbound, class, mark);
        }
        send(&outbound, Class::Presence, 99);
        assert!(outbound.caught_up(), "what was dropped is made up for");
        send(&outbound, Class::Gesture, 50);
        for mark in 51..60 {
            send(&outbound, Class::Gesture, mark);
        }
        send(&outbound, Class::Durable, 100);
        assert_eq!(waiting(&mut packets), [100], "a commit that overtakes gestures ends them");
        for mark in 0..200 {
            send(&outbound, Class::Durable, mark);
            send(&outbound, Class::Gesture, 255);
        }
        let kept = waiting(&mut packets);
        assert_eq!(kept.iter().filter(|mark| **mark != 255).count(), 200);
        assert!(kept.len() < 210);
    }

    #[tokio::test]
    async fn a_full_queue_cuts_the_socket_off() {
        let (outbound, _packets) = Outbound::channel();
        for mark in 0..=SEND_QUEUE {
            send(&outbound, Class::Durable, mark as u8);
        }
        outbound.killed().await;
    }
}
