//! A project that belongs to a session: it finds it again, and its file holds no secret.

#[path = "killed.rs"]
mod killed;
#[path = "../support/server.rs"]
pub mod server;

use std::path::Path;
use std::time::{Duration, Instant};

use antiphon::client::{Client, ClientConfig, Command, Connection, Link, When};
use antiphon::param::{Owner, Param, Slot, TrackIndex};
use antiphon::pattern::{Edit, Song};
use antiphon::plugin::state;
use antiphon::rt::ports::{EnginePorts, ports};
use antiphon::time::TempoMap;

use self::server::Server;
use crate::clap::{Host, Plan, RATE};

const PATIENCE: Duration = Duration::from_secs(30);

fn await_that(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        std::thread::yield_now();
    }
}

/// A participant without a plugin, online.
fn join(profile: &Path, link: &Link, song: Song) -> (Client, EnginePorts) {
    let (session, engine) = ports();
    let config = ClientConfig {
        profile: profile.to_owned(),
        name: "friend".to_owned(),
        link: Some(link.clone()),
        song,
        tempo_map: TempoMap::default(),
        reach: antiphon::client::Reach::default(),
    };
    let client = Client::spawn(config, session).expect("a session's thread");
    await_that("online", || client.view().connection == Connection::Online);
    (client, engine)
}

/// A CLAP state (its length, then JSON) with another text in the place of our field.
fn with_groove(state: &[u8], text: &str) -> Vec<u8> {
    let range = crate::groove_in(state);
    let json = [&state[8..range.start], text.as_bytes(), &state[range.end..]].concat();
    [&(json.len() as u64).to_le_bytes()[..], &json].concat()
}

fn saved(host: &mut Host) -> state::Project {
    state::read(crate::groove(&host.save())).expect("a groove")
}

#[test]
fn a_project_finds_its_session_again() {
    crate::profile();
    let own = std::env::var("ANTIPHON_HOME").expect("a profile folder");
    let server = Server::start();
    let link: Link = server.command("session", &["--role", "editor"]).trim().parse().expect("a link");
    let mut host = Host::new();
    let fresh = host.save();
    let mut project = saved(&mut host);

    // This machine has been there before, so its profile folder holds the secret.
    drop(join(Path::new(&own), &link, project.song.clone()));
    let elsewhere = tempfile::tempdir().expect("a folder");
    let (friend, _engine) = join(elsewhere.path(), &link, Song::new());

    project.session = Some(link.clone());
    let state = with_groove(&fresh, &state::write(&project));
    let holds = |secret: &str| state.windows(secret.len()).any(|bytes| bytes == secret.as_bytes());
    assert!(!holds(&link.secret), "the project's file holds the secret");
    assert!(host.load(&state));
    host.activate(RATE, 512);

    let mute = Slot::new(Owner::Track(TrackIndex::new(0).expect("a track")), Param::Mute);
    let edits = vec![Edit::Param { slot: mute, value: 1.0 }];
    friend.send(Command::Edit { edits, when: When::Now });
    await_that("the friend's edit reaches the plugin", || {
        host.play(&Plan::stopped(512));
        saved(&mut host).song.params[mute.index()] == 1.0
    });
    let session = saved(&mut host).session.expect("a session");
    assert_eq!((session.to_string(), session.secret.as_str()), (link.to_string(), ""));
}
