//! An instance in the test's own process.

use std::path::Path;
use std::time::{Duration, Instant};

use antiphon::client::{Client, ClientConfig, Connection, Event};
use antiphon::pattern::Song;
use antiphon::rt::ports::{EnginePorts, ports};
use antiphon::time::TempoMap;

pub const PATIENCE: Duration = Duration::from_secs(20);

/// A client with nobody at the other end of its rings.
pub struct Instance {
    pub client: Client,
    _engine: EnginePorts,
}

impl Instance {
    pub fn start(profile: &Path, link: Option<&str>, song: Song) -> Instance {
        let (session, engine) = ports();
        let config = ClientConfig {
            profile: profile.to_owned(),
            name: "instance".to_owned(),
            link: link.map(|link| link.parse().expect("a link")),
            song,
            tempo_map: TempoMap::default(),
            reach: antiphon::client::Reach::default(),
        };
        Instance { client: Client::spawn(config, session).expect("a session's thread"), _engine: engine }
    }

    pub fn is(&self, connection: &Connection) -> bool {
        self.client.view().connection == *connection
    }

    /// The next event that is wanted.
    pub fn until<T>(&self, what: &str, mut wanted: impl FnMut(Event) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        while let Ok(event) = self.client.events().recv_deadline(deadline) {
            if let Some(found) = wanted(event) {
                return found;
            }
        }
        panic!("in vain: {what}");
    }
}

/// Waits until something holds.
pub fn await_within(patience: Duration, what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + patience;
    while !holds() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        std::thread::yield_now();
    }
}
