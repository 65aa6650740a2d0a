//! One participant a machine: the hub that all instances of a profile share.
//!
//! Whoever holds the lock of the profile's folder runs the hub, on a thread of its own; every
//! instance, its own too, speaks to it over a local socket ([`place`]). The hub has a [`room`] for
//! each session that an instance is in: one connection, one outbox, one journal. To an instance it is
//! what a server is: it takes [`crate::wire::Up`] and tells [`crate::wire::Down`], and a little more
//! ([`speech`]). When the holder dies, the lock is free: a survivor takes it, opens the journals and
//! goes on where they end. One that is frozen is replaced all the same, and steps back when it thaws
//! ([`term`]).
//!
//! Thread: the hub's own (tokio, one worker). Invariant: one process at a time speaks for a profile.

pub mod line;
mod place;
mod room;
mod speech;
mod term;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;
use parking_lot::Mutex;
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval, timeout};

use self::place::{Listener, Stream};
use self::room::{Home, Message, Room};
use self::speech::{FromHub, Greeting, SPEECH_VERSION, ToHub, hear, say};
use self::term::Lease;
use super::journal::Flusher;
use super::profile::Profile;

/// How long a hub that ends waits for its rooms to say goodbye.
const END: Duration = Duration::from_millis(600);
/// How long a fresh connection may take to say who it is.
const GREETING: Duration = Duration::from_secs(5);
/// What may wait for one instance; one that does not keep up is let go, and comes back to be told
/// everything.
const OUTBOUND: usize = 8192;
/// Messages that wait for a room.
const INBOX: usize = 1024;
/// A hub that has nothing to say says so this often, and looks whether it still is the hub.
const ALIVE: Duration = Duration::from_millis(500);

/// The hub of one profile, while this process holds it. Dropping the last one ends it.
pub struct Hub {
    lease: Arc<Lease>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

/// The hubs of this process: instances of one process share one.
static HUBS: Mutex<BTreeMap<PathBuf, Weak<Hub>>> = Mutex::new(BTreeMap::new());

/// The hub that this process runs for a profile.
pub fn running(folder: &Path) -> Option<Arc<Hub>> {
    HUBS.lock().get(folder).and_then(Weak::upgrade).filter(|hub| hub.lease.holds())
}

/// Takes the profile's lock and runs its hub; `None` where another holds it.
///
/// # Errors
/// The folder cannot be written, or there is no socket to be had.
pub fn take(folder: &Path) -> anyhow::Result<Option<Arc<Hub>>> {
    let mut hubs = HUBS.lock();
    if let Some(hub) = hubs.get(folder).and_then(Weak::upgrade).filter(|hub| hub.lease.holds()) {
        return Ok(Some(hub));
    }
    let Some(lease) = Lease::take(folder)?.map(Arc::new) else { return Ok(None) };
    let listener = Listener::bind(folder, lease.term())?;
    let profile = Profile::open(folder)?;
    let key = profile.key()?;
    let (stop, stopped) = watch::channel(false);
    let (flusher, folder_of_rooms) = (Flusher::start()?, folder.join("sessions"));
    std::fs::create_dir_all(&folder_of_rooms)
        .with_context(|| format!("{} cannot be made", folder_of_rooms.display()))?;
    let faults = Mutex::new(profile.faults());
    let shared = Arc::new(Shared {
        lease: lease.clone(),
        folder: folder_of_rooms,
        key,
        flusher,
        rooms: Mutex::default(),
        faults,
        stopped,
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let thread = std::thread::Builder::new().name("antiphon-hub".into()).spawn(move || {
        runtime.block_on(run(shared, listener));
        runtime.shutdown_background();
    })?;
    let hub = Arc::new(Hub { lease, stop, thread: Some(thread) });
    hubs.retain(|_, hub| hub.strong_count() > 0);
    hubs.insert(folder.to_owned(), Arc::downgrade(&hub));
    Ok(Some(hub))
}

impl Drop for Hub {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the hub's thread had panicked");
        }
    }
}

/// What connections and rooms of one hub share.
struct Shared {
    /// Lasts as long as the hub.
    lease: Arc<Lease>,
    /// Where the journals are.
    folder: PathBuf,
    key: [u8; 16],
    flusher: Arc<Flusher>,
    rooms: Mutex<BTreeMap<String, mpsc::Sender<Message>>>,
    /// Files set aside that no instance knows of yet.
    faults: Mutex<Vec<String>>,
    stopped: watch::Receiver<bool>,
}

async fn run(shared: Arc<Shared>, mut listener: Listener) {
    let mut stopped = shared.stopped.clone();
    let mut look = interval(ALIVE);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while shared.lease.holds() {
        tokio::select! {
            _ = look.tick() => {}
            stream = listener.accept() => match stream {
                Ok(stream) => drop(tokio::spawn(serve(shared.clone(), stream))),
                Err(error) => {
                    tracing::warn!(%error, "an instance could not be let in");
                    // Out of descriptors, most likely: trying again at once would only burn time.
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            },
            _ = stopped.changed() => break,
        }
    }
    drop(listener);
    let rooms: Vec<_> = std::mem::take(&mut *shared.rooms.lock()).into_values().collect();
    let ended = async {
        for room in &rooms {
            let _ = room.send(Message::Stop).await;
        }
        for room in rooms {
            room.closed().await;
        }
    };
    let _ = timeout(END, ended).await;
}

impl Shared {
    /// The room of a session; one that has ended is opened anew.
    fn room(self: &Arc<Shared>, greeting: &Greeting) -> Result<mpsc::Sender<Message>, String> {
        let link: super::Link = greeting.link.parse().map_err(|e: super::LinkError| e.to_string())?;
        let mut rooms = self.rooms.lock();
        rooms.retain(|_, room| !room.is_closed());
        if let Some(room) = rooms.get(&link.to_string()) {
            return Ok(room.clone());
        }
        let (sender, inbox) = mpsc::channel(INBOX);
        let name = link.to_string();
        let home = Home {
            key: self.key,
            folder: &self.folder,
            flusher: self.flusher.clone(),
            lease: self.lease.clone(),
        };
        let mut room = Room::open(link, greeting, home, inbox);
        room.report(std::mem::take(&mut *self.faults.lock()));
        rooms.insert(name, sender.clone());
        tokio::spawn(room.run());
        Ok(sender)
    }
}

/// Serves one instance to its end.
async fn serve(shared: Arc<Shared>, stream: Stream) {
    let Stream { mut reader, mut writer } = stream;
    let greeting = match timeout(GREETING, hear::<ToHub>(&mut reader)).await {
        Ok(Ok(ToHub::Greeting(greeting))) if greeting.version == SPEECH_VERSION => greeting,
        Ok(Ok(ToHub::Greeting(_))) => {
            let why = "another version of Antiphon is running on this machine; restart it".to_owned();
            return drop(say(&mut writer, &FromHub::Refused(why)).await);
        }
        _ => return,
    };
    let room = match shared.room(&greeting) {
        Ok(room) => room,
        Err(why) => return drop(say(&mut writer, &FromHub::Refused(why)).await),
    };
    let (outbound, mut told) = mpsc::channel(OUTBOUND);
    let instance = greeting.instance;
    let seat = rand::random();
    if room.send(Message::Enter { seat, greeting, outbound }).await.is_err() {
        // The room has just ended: the instance comes again, to a new one.
        return;
    }
    let write = async {
        loop {
            let speech = match timeout(ALIVE, told.recv()).await {
                Ok(Some(speech)) => speech,
                Ok(None) => return,
                Err(_) => FromHub::Alive,
            };
            if say(&mut writer, &speech).await.is_err() {
                return;
            }
        }
    };
    let read = async {
        while let Ok(speech) = hear::<ToHub>(&mut reader).await {
            let goes = matches!(speech, ToHub::Up(crate::wire::Up::Leave));
            if goes || room.send(Message::Said { seat, speech }).await.is_err() {
                return;
            }
        }
    };
    tokio::select! { () = write => {}, () = read => {} }
    tracing::debug!(instance, "an instance left");
    let _ = room.send(Message::Leave { seat }).await;
}
