//! An instance's line to its hub: one try after the other, what waits to leave, and when.
//!
//! Thread: the session's own. The connection itself is a task; everything else here returns at once.
//! A line that finds no hub takes the profile's lock and runs one; one whose hub has fallen silent
//! begins a new term and does the same.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use super::place::{Stream, connect};
pub use super::speech::{FromHub, Greeting, SPEECH_VERSION, ToHub};
use super::speech::{hear, say};
use super::term::{self, Term};
use super::{Hub, running, take};
use crate::client::code::{self, Code};
use crate::client::{Link, Reach};
use crate::time::HostNanos;
use crate::wire::Up;

const MS: i64 = 1_000_000;
/// Speeches that may wait to leave; what finds no room stays where it came from.
const OUTGOING: usize = 256;
/// The pause after a loss, doubled up to the longest: survivors of a dead holder meet again soon.
const RETRY_MS: u64 = 10;
const LONGEST_RETRY_MS: u64 = 500;
/// How long a hub may take to be found or made.
const ATTACH: Duration = Duration::from_secs(2);
/// A hub says something twice a second. After so much silence it is doubted, and given up after as
/// much again as [`DOUBT`]: a machine that wakes from sleep has its own hub silent for a moment.
const SILENCE: Duration = Duration::from_millis(2000);
const DOUBT: Duration = Duration::from_millis(1500);
/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_millis(300);

/// What a line tells.
pub enum LineEvent {
    /// The hub is reached; whether this process runs it, taken over from another.
    Attached {
        /// Whether this very line has made the hub.
        holder: bool,
    },
    /// The hub said something.
    Said(Box<FromHub>),
    /// The line is lost.
    Lost(String),
    /// A short code was exchanged for an invite, or was not.
    Redeemed(Box<Result<Link, String>>),
}

/// The receiving end, which the thread waits on.
pub struct Inbox {
    /// What lines tell, each with the number of its try.
    pub events: mpsc::Receiver<(u64, LineEvent)>,
}

/// Keeps the hub that runs in this process alive; shared with whoever outlives the line.
pub type HubSlot = Arc<Mutex<Option<Arc<Hub>>>>;

/// The way to the profile's hub.
pub struct Line {
    folder: PathBuf,
    events: mpsc::Sender<(u64, LineEvent)>,
    hub: HubSlot,
    joined: Option<Joined>,
    /// Counts tries, so that a late word of an old line is known as such.
    tries: u64,
}

struct Joined {
    link: Link,
    outgoing: Option<mpsc::Sender<Outgoing>>,
    /// When to try again; `None` while a try is under way or stands.
    retry_at: Option<HostNanos>,
    losses: u32,
}

/// What is to leave.
pub enum Outgoing {
    /// A speech.
    Speech(ToHub),
    /// Say goodbye and close.
    Goodbye,
}

impl Line {
    /// No line, and the end that will hear of one.
    pub fn new(folder: &Path) -> (Line, Inbox) {
        let (events, inbox) = mpsc::channel(1024);
        let line = Line { folder: folder.into(), events, hub: HubSlot::default(), joined: None, tries: 0 };
        (line, Inbox { events: inbox })
    }

    /// Where the hub is kept, if this process runs it.
    pub fn hub(&self) -> HubSlot {
        self.hub.clone()
    }

    /// The session's link.
    pub fn link(&self) -> Option<&Link> {
        self.joined.as_ref().map(|joined| &joined.link)
    }

    /// Whether a word of a try is still of interest.
    pub fn is_current(&self, number: u64) -> bool {
        self.joined.is_some() && number == self.tries
    }

    /// Goes to a session, leaving the one before.
    pub fn join(&mut self, link: Link, greeting: Greeting) {
        self.leave();
        self.joined = Some(Joined { link, outgoing: None, retry_at: None, losses: 0 });
        self.open(greeting);
    }

    /// Exchanges a short code for its invite; [`LineEvent::Redeemed`] tells.
    pub fn redeem(&self, code: Code, reach: Reach) {
        let events = self.events.clone();
        tokio::spawn(async move {
            let outcome = Box::new(code::redeem(&code, reach).await);
            // Nobody listens any more: then nobody needs to know.
            let _ = events.send((0, LineEvent::Redeemed(outcome))).await;
        });
    }

    /// Says goodbye and forgets the session. What is returned closes when the goodbye has left.
    pub fn leave(&mut self) -> Option<mpsc::Sender<Outgoing>> {
        let outgoing = self.joined.take()?.outgoing?;
        let _ = outgoing.try_send(Outgoing::Goodbye);
        Some(outgoing)
    }

    fn open(&mut self, greeting: Greeting) {
        let Some(joined) = &mut self.joined else { return };
        self.tries += 1;
        let (outgoing, taken) = mpsc::channel(OUTGOING);
        joined.outgoing = Some(outgoing);
        joined.retry_at = None;
        let (folder, hub, events) = (self.folder.clone(), self.hub.clone(), self.events.clone());
        tokio::spawn(carry(self.tries, folder, hub, greeting, taken, events));
    }

    /// The hub has welcomed us: the next loss begins with a short pause again.
    pub fn welcomed(&mut self) {
        if let Some(joined) = &mut self.joined {
            joined.losses = 0;
        }
    }

    /// The line is lost; the next try comes after a short pause.
    pub fn lost(&mut self, now: HostNanos) {
        let Some(joined) = &mut self.joined else { return };
        self.tries += 1;
        joined.outgoing = None;
        let pause = (RETRY_MS << joined.losses.min(6)).min(LONGEST_RETRY_MS);
        joined.losses += 1;
        joined.retry_at = Some(HostNanos(now.0 + pause as i64 * MS));
    }

    /// Whether it is time for the next try.
    pub fn is_due(&self, now: HostNanos) -> bool {
        let retry_at = self.joined.as_ref().and_then(|joined| joined.retry_at);
        retry_at.is_some_and(|at| now >= at)
    }

    /// Tries again.
    pub fn retry(&mut self, greeting: Greeting) {
        self.open(greeting);
    }

    /// Whether a frame would find room.
    pub fn has_room(&self) -> bool {
        self.outgoing().is_some_and(|outgoing| outgoing.capacity() > 0)
    }

    /// Sends a frame; one that finds no line or no room is dropped, so ask [`Line::has_room`]
    /// before one that must not be.
    pub fn send(&self, frame: Up) {
        self.say(ToHub::Up(frame));
    }

    /// Says that a welcome was heard: what follows speaks of the state it brought. Says whether it
    /// could leave.
    pub fn heard(&self) -> bool {
        self.outgoing().is_some_and(|outgoing| outgoing.try_send(Outgoing::Speech(ToHub::Heard)).is_ok())
    }

    /// Asks for the session as a file.
    pub fn export(&self) {
        self.say(ToHub::Export);
    }

    /// Asks for a burst of clock probes.
    pub fn burst(&self) {
        self.say(ToHub::Burst);
    }

    fn say(&self, speech: ToHub) {
        if let Some(outgoing) = self.outgoing() {
            let _ = outgoing.try_send(Outgoing::Speech(speech));
        }
    }

    fn outgoing(&self) -> Option<&mpsc::Sender<Outgoing>> {
        self.joined.as_ref()?.outgoing.as_ref()
    }
}

async fn carry(
    number: u64,
    folder: PathBuf,
    hub: HubSlot,
    greeting: Greeting,
    mut outgoing: mpsc::Receiver<Outgoing>,
    events: mpsc::Sender<(u64, LineEvent)>,
) {
    let reason = match attach(&folder, &hub).await {
        Ok((stream, term, holder)) => {
            let _ = events.send((number, LineEvent::Attached { holder })).await;
            match talk(number, stream, greeting, &mut outgoing, &events).await {
                End::Lost(reason) => reason,
                End::Silent => replace(&folder, term),
            }
        }
        Err(reason) => reason,
    };
    // Nobody listens any more: then nobody needs to know.
    let _ = events.send((number, LineEvent::Lost(reason))).await;
}

/// Begins the term after one whose hub has fallen silent: the next try finds no hub and runs one.
fn replace(folder: &Path, silent: Term) -> String {
    match term::begin_after(folder, silent) {
        Ok(()) => "the process that held this machine's connection does not answer".to_owned(),
        Err(error) => format!("{error:#}"),
    }
}

/// Finds the hub, or makes it. Says of which term it is, and whether it was made.
async fn attach(folder: &Path, slot: &HubSlot) -> Result<(Stream, Term, bool), String> {
    let deadline = Instant::now() + ATTACH;
    let mut made = false;
    loop {
        let term = Term::current(folder).map_err(|error| format!("{error:#}"))?;
        let failed = match connect(folder, term).await {
            Ok(stream) => {
                *slot.lock() = running(folder);
                return Ok((stream, term, made));
            }
            Err(error) => error,
        };
        if let Some(hub) = take(folder).map_err(|error| format!("{error:#}"))? {
            let before = slot.lock().replace(hub.clone());
            made |= !before.is_some_and(|before| Arc::ptr_eq(&before, &hub));
            continue;
        }
        if Instant::now() > deadline {
            // Whoever holds the lock has not come to open its place.
            replace(folder, term);
            return Err(format!("the hub of this machine does not answer: {failed}"));
        }
        // Another instance holds the lock and is about to open its place.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// How a line ended.
enum End {
    Lost(String),
    /// The hub has said nothing for too long.
    Silent,
}

async fn talk(
    number: u64,
    stream: Stream,
    greeting: Greeting,
    outgoing: &mut mpsc::Receiver<Outgoing>,
    events: &mpsc::Sender<(u64, LineEvent)>,
) -> End {
    let Stream { mut reader, mut writer } = stream;
    let listen = async {
        loop {
            let hearing = hear::<FromHub>(&mut reader);
            tokio::pin!(hearing);
            let heard = match timeout(SILENCE, &mut hearing).await {
                Ok(heard) => heard,
                Err(_) => match timeout(DOUBT, &mut hearing).await {
                    Ok(heard) => heard,
                    Err(_) => return End::Silent,
                },
            };
            match heard {
                Ok(FromHub::Alive) => {}
                Ok(speech) => {
                    if events.send((number, LineEvent::Said(Box::new(speech)))).await.is_err() {
                        return End::Lost("nobody listens".to_owned());
                    }
                }
                Err(error) => return End::Lost(error.to_string()),
            }
        }
    };
    // Beside the listening: a frozen hub takes no more words.
    let speak = async {
        let greeted = say(&mut writer, &ToHub::Greeting(greeting)).await;
        let mut said = greeted.map_err(|error| End::Lost(error.to_string()));
        while said.is_ok() {
            said = match outgoing.recv().await {
                Some(Outgoing::Speech(speech)) => {
                    say(&mut writer, &speech).await.map_err(|error| End::Lost(error.to_string()))
                }
                Some(Outgoing::Goodbye) | None => {
                    let _ = say(&mut writer, &ToHub::Up(Up::Leave)).await;
                    return None;
                }
            };
        }
        said.err()
    };
    tokio::pin!(listen, speak);
    tokio::select! {
        end = &mut listen => end,
        end = &mut speak => match end {
            Some(end) => end,
            None => {
                // The hub closes when it has heard it.
                let _ = timeout(GOODBYE, &mut listen).await;
                End::Lost("left".to_owned())
            }
        },
    }
}
