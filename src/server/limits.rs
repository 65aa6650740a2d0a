//! What one connection and one session may ask for, and how often the room speaks.

use std::time::Duration;

use tokio::time::Instant;

use crate::wire::QUIET;

/// The most participants connected to one session.
pub const MAX_PARTICIPANTS: usize = 128;
/// The time a connection has for its HTTP head.
pub const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// The time a socket has for its `Hello`.
pub const HELLO_TIMEOUT: Duration = Duration::from_secs(10);
/// The time a receiver has to take what is sent to it.
pub const SEND_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a socket is asked whether it lives.
pub const HEARTBEAT: Duration = Duration::from_secs(30);
/// A socket that says nothing for this long, not even to a heartbeat, is gone.
pub const SILENCE: Duration = Duration::from_secs(75);
/// Packets that wait for one receiver; one that lets more gather is disconnected and comes back
/// with a delta.
pub const SEND_QUEUE: usize = 256;
/// The most edits (ops) committed to the store at once.
pub const BATCH_OPS: usize = 256;
/// The most characters in a participant's name.
pub const NAME_CHARACTERS: usize = 64;

/// The most connections at a time from one address (of IPv6: from one /64 network), unless the
/// server is told otherwise: a school behind one router, two connections a person.
pub const CONNECTIONS_PER_ADDRESS: u32 = 512;
/// The most connections at a time.
pub const CONNECTIONS: u32 = 16_384;
/// The most bytes of an HTTP head.
pub const HEAD_BYTES: usize = 16 * 1024;
/// The most bytes of an HTTP request's body.
pub const BODY_BYTES: usize = 64 * 1024;
/// The time an HTTP request may take.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Short codes that one address may try in a minute, and all together.
pub const CODE_TRIES: u32 = 10;
/// See [`CODE_TRIES`].
pub const CODE_TRIES_OF_ALL: u32 = 300;
/// The longest that an invite with an end may live: a year.
pub const INVITE_MINUTES: u32 = 366 * 24 * 60;

/// How long the server waits for people, and what it gives them time for.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// After this long without a deed somebody counts as away.
    pub away: Duration,
    /// Who has gone stays in the list for this long.
    pub forget: Duration,
    /// What a token is good for.
    pub token: Duration,
    /// What a short code is good for.
    pub code: Duration,
    /// The time a connection has for its HTTP head, TLS handshake included.
    pub head: Duration,
    /// The time a socket has for its `Hello`.
    pub hello: Duration,
}

impl Default for Patience {
    fn default() -> Patience {
        Patience {
            away: Duration::from_secs(120),
            forget: Duration::from_secs(300),
            token: Duration::from_secs(15 * 60),
            code: Duration::from_secs(10 * 60),
            head: HEADER_TIMEOUT,
            hello: HELLO_TIMEOUT,
        }
    }
}

/// The most bytes of one session's frames that wait to be decided.
pub const SESSION_BYTES: usize = 8 << 20;

/// What a connection may send in a second, and a session's connections together.
#[derive(Clone, Copy, Debug)]
pub struct Rates {
    /// Frames that are stored: edits, transport.
    pub durable: u32,
    /// Frames that are not: gestures, presence, fingerprints.
    pub ephemeral: u32,
    /// Lines of chat.
    pub chat: u32,
    /// Bytes of one session's frames that may wait to be decided, whoever sent them.
    pub session_bytes: usize,
}

impl Default for Rates {
    fn default() -> Rates {
        Rates { durable: 60, ephemeral: 120, chat: 4, session_bytes: SESSION_BYTES }
    }
}

/// The least time between two rounds of presence.
pub fn presence_interval(people: usize) -> Duration {
    Duration::from_millis((50 * people as u64).max(1000))
}

/// A bucket that fills with `rate` tokens a second and holds a second's worth.
#[derive(Clone, Copy, Debug)]
pub struct TokenBucket {
    rate: f64,
    tokens: f64,
    at: Instant,
}

impl TokenBucket {
    /// A full one.
    pub fn new(rate: u32, now: Instant) -> TokenBucket {
        TokenBucket { rate: f64::from(rate), tokens: f64::from(rate), at: now }
    }

    /// Takes a token, if there is one.
    pub fn take(&mut self, now: Instant) -> bool {
        let filled = self.tokens + now.duration_since(self.at).as_secs_f64() * self.rate;
        (self.tokens, self.at) = (filled.min(self.rate), now);
        let has = self.tokens >= 1.0;
        self.tokens -= if has { 1.0 } else { 0.0 };
        has
    }
}

/// Lets the first of a burst through at once and gathers what follows.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    sent: Option<Instant>,
    due: Option<Instant>,
}

impl Pace {
    /// Nothing was sent yet.
    pub const fn new() -> Pace {
        Pace { sent: None, due: None }
    }

    /// Something is ready at `now`. The first after [`QUIET`] is due at once, another `interval`
    /// after what went out before; what joins it does not move the time, unless it may go sooner.
    pub fn ready(&mut self, now: Instant, interval: Duration) {
        let due = match self.sent {
            Some(sent) if now.duration_since(sent) < QUIET => sent + interval,
            _ => now,
        };
        self.due = Some(match self.due {
            Some(earlier) if interval.is_zero() => earlier.min(due),
            Some(earlier) => earlier,
            None => due,
        });
    }

    /// When to send; `None` while nothing is ready.
    pub fn due(&self) -> Option<Instant> {
        self.due
    }

    /// When something may go out that never hurries: `interval` after what went before.
    pub fn not_before(&self, now: Instant, interval: Duration) -> Instant {
        self.sent.map_or(now, |sent| sent + interval)
    }

    /// Something went out.
    pub fn sent(&mut self, now: Instant) {
        (self.sent, self.due) = (Some(now), None);
    }
}

impl Default for Pace {
    fn default() -> Pace {
        Pace::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_its_rate_and_no_more() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(60, start);
        assert_eq!((0..100).filter(|_| bucket.take(start)).count(), 60);
        let later = start + Duration::from_millis(500);
        assert_eq!((0..100).filter(|_| bucket.take(later)).count(), 30);
    }

    #[test]
    fn the_first_after_quiet_goes_at_once_and_a_stream_keeps_its_interval() {
        let ms = Duration::from_millis;
        let start = Instant::now();
        let mut pace = Pace::new();
        pace.ready(start, ms(250));
        assert_eq!(pace.due(), Some(start));
        pace.sent(start);
        assert_eq!(pace.due(), None);
        // A drag at 60 Hz: what comes later than the quiet does not hurry what waits already.
        for at in (16..240).step_by(16) {
            pace.ready(start + ms(at), ms(250));
        }
        assert_eq!(pace.due(), Some(start + ms(250)));
        // What is not gathered takes the rest along.
        pace.ready(start + ms(245), Duration::ZERO);
        assert_eq!(pace.due(), Some(start + ms(245)));
        pace.sent(start + ms(245));
        let after_quiet = start + ms(345);
        pace.ready(after_quiet, ms(250));
        assert_eq!(pace.due(), Some(after_quiet));
    }

    #[test]
    fn presence_slows_with_the_people() {
        assert_eq!(presence_interval(4), Duration::from_secs(1));
        assert_eq!(presence_interval(100), Duration::from_secs(5));
    }
}
