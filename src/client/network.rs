//! The connection to a session: one try after the other, what waits to leave, and when.
//!
//! Thread: the session's own. The sockets themselves are tasks ([`super::socket`]); everything here
//! returns at once.

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::clock_socket::{self, ClockOrder, ClockWord};
use super::socket::{self, Outgoing, SocketEvent};
use super::{Link, Reach};
use crate::time::HostNanos;
use crate::wire::{Hello, Up, encode_up};

const MS: i64 = 1_000_000;
/// Frames that may wait to leave a socket; what finds no room stays where it came from.
const OUTGOING: usize = 256;
/// Places among them that edits alone may take: where as few are left, moves of hands, presence and
/// the like are dropped, the next of each says more.
const FOR_EDITS: usize = 192;
/// Orders that may wait for the clock's socket.
const CLOCK_ORDERS: usize = 16;
/// The longest pause before the first try after a loss.
const FIRST_RETRY_MS: u64 = 250;
/// The pause before the second; it doubles up to the last.
const RETRY_MS: u64 = 1_000;
const LONGEST_RETRY_MS: u64 = 30_000;

/// The receiving ends, which the thread waits on.
pub struct Inbox {
    /// What session sockets tell, each with the number of its try.
    pub events: mpsc::Receiver<(u64, SocketEvent)>,
    /// What the clock's socket tells.
    pub clock: mpsc::Receiver<ClockWord>,
}

/// The way to one server.
pub struct Network {
    events: mpsc::Sender<(u64, SocketEvent)>,
    clock: mpsc::Sender<ClockWord>,
    joined: Option<Joined>,
    /// Counts tries over all sessions, so that a late word of an old socket is known as such.
    tries: u64,
    reach: Reach,
}

struct Joined {
    link: Link,
    outgoing: Option<mpsc::Sender<Outgoing>>,
    /// When to try again; `None` while a try is under way or stands.
    retry_at: Option<HostNanos>,
    losses: u32,
    clock: Option<(JoinHandle<()>, mpsc::Sender<ClockOrder>)>,
}

impl Network {
    /// No connection, and the ends that will hear of one.
    pub fn new(reach: Reach) -> (Network, Inbox) {
        let (events, event_inbox) = mpsc::channel(1024);
        let (clock, clock_inbox) = mpsc::channel(64);
        let network = Network { events, clock, joined: None, tries: 0, reach };
        (network, Inbox { events: event_inbox, clock: clock_inbox })
    }

    /// Lets servers be reached in another way from the next try on.
    pub fn set_reach(&mut self, reach: Reach) {
        self.reach = reach;
    }

    /// Whether a word of a try is still of interest.
    pub fn is_current(&self, number: u64) -> bool {
        self.joined.is_some() && number == self.tries
    }

    /// Goes to a session, leaving the one before.
    pub fn join(&mut self, link: Link, hello: &Hello) {
        self.leave();
        self.joined = Some(Joined { link, outgoing: None, retry_at: None, losses: 0, clock: None });
        self.open(hello);
    }

    /// Says goodbye and forgets the session. The returned task ends when the goodbye has left.
    pub fn leave(&mut self) -> Option<mpsc::Sender<Outgoing>> {
        let mut joined = self.joined.take()?;
        if let Some((clock, _)) = joined.clock.take() {
            clock.abort();
        }
        let outgoing = joined.outgoing.take()?;
        let _ = outgoing.try_send(Outgoing::Goodbye);
        Some(outgoing)
    }

    fn open(&mut self, hello: &Hello) {
        let Some(joined) = &mut self.joined else { return };
        let Ok(bytes) = encode_up(&Up::Hello(hello.clone())) else { return };
        self.tries += 1;
        let (outgoing, taken) = mpsc::channel(OUTGOING);
        joined.outgoing = Some(outgoing);
        joined.retry_at = None;
        let socket =
            socket::session(self.tries, joined.link.clone(), self.reach, bytes, taken, self.events.clone());
        tokio::spawn(socket);
    }

    /// The server has welcomed us: later losses begin with a short pause again, and the clock's
    /// own socket opens.
    pub fn welcomed(&mut self, hello: &Hello) {
        let Some(joined) = &mut self.joined else { return };
        joined.losses = 0;
        let running = joined.clock.as_ref().filter(|(clock, _)| !clock.is_finished());
        if let Some((_, orders)) = running {
            // It may be waiting before its next try.
            let _ = orders.try_send(ClockOrder::Burst);
            return;
        }
        // The clock's task outlives tokens: it comes with the invite.
        let hello = Hello { secret: joined.link.secret.clone(), ..hello.clone() };
        let Ok(bytes) = encode_up(&Up::Hello(hello)) else { return };
        let (orders, ordered) = mpsc::channel(CLOCK_ORDERS);
        let clock = clock_socket::run(joined.link.clone(), self.reach, bytes, self.clock.clone(), ordered);
        joined.clock = Some((tokio::spawn(clock), orders));
    }

    /// Gives the clock's socket an order; one that finds no room is forgotten, and a burst comes
    /// with the next connection anyway.
    pub fn order_clock(&self, order: ClockOrder) {
        if let Some((_, orders)) = self.joined.as_ref().and_then(|joined| joined.clock.as_ref()) {
            let _ = orders.try_send(order);
        }
    }

    /// The connection is lost: returns the pause before the next try, in ms. What its socket still
    /// says is of no interest.
    pub fn lost(&mut self, now: HostNanos) -> u64 {
        let Some(joined) = &mut self.joined else { return 0 };
        self.tries += 1;
        joined.outgoing = None;
        let jitter = 0.75 + 0.5 * rand::random::<f64>();
        let pause = match joined.losses {
            0 => (FIRST_RETRY_MS as f64 * jitter * 0.75) as u64,
            n => ((RETRY_MS << (n - 1).min(5)).min(LONGEST_RETRY_MS) as f64 * jitter) as u64,
        };
        joined.losses += 1;
        joined.retry_at = Some(HostNanos(now.0 + pause as i64 * MS));
        pause
    }

    /// The server refuses for good: no further try.
    pub fn refused(&mut self) {
        if let Some(joined) = &mut self.joined {
            joined.outgoing = None;
            joined.retry_at = None;
            if let Some((clock, _)) = joined.clock.take() {
                clock.abort();
            }
        }
    }

    /// Whether it is time for the next try.
    pub fn is_due(&self, now: HostNanos) -> bool {
        let retry_at = self.joined.as_ref().and_then(|joined| joined.retry_at);
        retry_at.is_some_and(|at| now >= at)
    }

    /// Tries again.
    pub fn retry(&mut self, hello: &Hello) {
        self.open(hello);
    }

    /// Whether a frame would find room.
    pub fn has_room(&self) -> bool {
        self.outgoing().is_some_and(|outgoing| outgoing.capacity() > 0)
    }

    /// Sends a frame; one that finds no connection or no room is dropped, so ask
    /// [`Network::has_room`] before one that must not be. What the next of its kind makes up for
    /// leaves the last places to the rest.
    pub fn send(&self, frame: &Up) {
        let Some(outgoing) = self.outgoing() else { return };
        let passing = matches!(frame, Up::Gesture(_) | Up::Presence(_) | Up::Fingerprints(_));
        if passing && outgoing.capacity() <= FOR_EDITS {
            return tracing::debug!("the connection is slow: a move or a word of presence was dropped");
        }
        match encode_up(frame) {
            Ok(bytes) => drop(outgoing.try_send(Outgoing::Frame(bytes))),
            Err(error) => tracing::error!(%error, "a frame could not be written"),
        }
    }

    fn outgoing(&self) -> Option<&mpsc::Sender<Outgoing>> {
        self.joined.as_ref()?.outgoing.as_ref()
    }
}
