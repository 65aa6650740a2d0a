//! The clock's own WebSocket, so that no large frame stands before a probe: 10 probes 50 ms apart,
//! then one every 2 s ± 10 %, and another burst whenever the clock asks for one.
//!
//! Thread: the session's own, as a task that lives as long as the session is joined. It stamps and
//! carries; what the stamps mean is [`crate::time::SharedClock`]'s.

use std::time::Duration;

use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_tungstenite::tungstenite::{Bytes, Message};

use super::reach::Failure;
use super::socket::{SIGN_OF_LIFE, Socket, leave, open, take};
use super::{HostClock, Link, Reach};
use crate::time::{BURST, Clock, ClockEpoch, HostNanos, Probe, Recollection};
use crate::wire::{self, Down, Up};

/// The time between the probes of a burst, and in the mean between others.
const BURST_GAP: Duration = Duration::from_millis(50);
const PROBE_GAP: Duration = Duration::from_secs(2);
/// The pause before the second try to connect; it doubles up to the last.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What the clock wants of its socket.
#[derive(Clone, Copy, Debug)]
pub enum ClockOrder {
    /// A burst of probes, at once; over a new connection where there is none.
    Burst,
    /// Tell a reference that has begun again.
    Recall(Recollection),
}

/// What the socket tells.
#[derive(Clone, Copy, Debug)]
pub enum ClockWord {
    /// By which clock the stamps that follow count.
    Epoch(ClockEpoch),
    /// A probe came back.
    Probe(Probe),
}

/// Keeps the clock's socket open until nobody orders any more.
pub async fn run(
    link: Link,
    reach: Reach,
    hello: Vec<u8>,
    words: mpsc::Sender<ClockWord>,
    mut orders: mpsc::Receiver<ClockOrder>,
) {
    let mut pause = FIRST_PAUSE;
    loop {
        match open(&link, reach, "clock", hello.clone()).await {
            Ok(socket) => {
                pause = FIRST_PAUSE;
                let reason = Probing::new(socket).run(&words, &mut orders).await;
                tracing::debug!(reason, "the clock's socket ended");
            }
            Err(Failure::Lost(reason) | Failure::Refused(reason)) => {
                tracing::debug!(reason, "the clock's socket did not open");
            }
        }
        let until = Instant::now() + pause.mul_f64(0.75 + 0.5 * rand::random::<f64>());
        pause = (pause * 2).min(LONGEST_PAUSE);
        loop {
            tokio::select! {
                () = sleep_until(until) => break,
                order = orders.recv() => match order {
                    // The session's own socket stands again.
                    Some(ClockOrder::Burst) => break,
                    Some(ClockOrder::Recall(_)) => {}
                    None => return,
                },
            }
        }
    }
}

/// One connection's probes.
struct Probing {
    socket: Socket,
    left: u32,
    next: Instant,
    heard: Instant,
}

impl Probing {
    fn new(socket: Socket) -> Probing {
        let now = Instant::now();
        Probing { socket, left: BURST, next: now, heard: now }
    }

    /// Until the connection is lost; says why.
    async fn run(
        mut self,
        words: &mpsc::Sender<ClockWord>,
        orders: &mut mpsc::Receiver<ClockOrder>,
    ) -> String {
        loop {
            let ended = tokio::select! {
                frame = self.socket.next() => {
                    let t4 = HostClock.now();
                    self.heard = Instant::now();
                    let word = match take(frame).map(|bytes| bytes.map(|bytes| wire::decode_down(&bytes))) {
                        Ok(Some(Ok(Down::Pong { t1, t2, t3 }))) => {
                            ClockWord::Probe(Probe { t1: HostNanos(t1), t2, t3, t4 })
                        }
                        Ok(Some(Ok(Down::Clock(epoch)))) => ClockWord::Epoch(epoch),
                        Ok(Some(Ok(Down::Error { message, fatal: true, .. }))) | Err(message) => return message,
                        Ok(_) => continue,
                    };
                    words.send(word).await.is_err().then(|| "nobody listens".into())
                }
                order = orders.recv() => match order {
                    Some(ClockOrder::Burst) => {
                        (self.left, self.next) = (BURST, Instant::now());
                        None
                    }
                    Some(ClockOrder::Recall(recollection)) => self.send(&Up::Recall(recollection)).await,
                    None => Some("nobody listens".into()),
                },
                () = sleep_until(self.next) => self.probe().await,
            };
            if let Some(reason) = ended {
                return reason;
            }
        }
    }

    async fn probe(&mut self) -> Option<String> {
        if self.heard.elapsed() > SIGN_OF_LIFE {
            return Some("probes stay unanswered".into());
        }
        self.left = self.left.saturating_sub(1);
        let jitter = 0.9 + 0.2 * rand::random::<f64>();
        self.next = Instant::now() + if self.left > 0 { BURST_GAP } else { PROBE_GAP.mul_f64(jitter) };
        self.send(&Up::Probe { t1: HostClock.now().0 }).await
    }

    async fn send(&mut self, frame: &Up) -> Option<String> {
        match wire::encode_up(frame) {
            Ok(bytes) => leave(&mut self.socket, Message::Binary(Bytes::from(bytes))).await,
            Err(error) => Some(format!("a frame could not be written: {error}")),
        }
    }
}
