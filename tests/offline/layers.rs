//! Each layer that serves is damaged in turn: it is set aside and told, and the next one serves
//! within two seconds.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use antiphon::client::{Command, Connection, Event, When};
use antiphon::pattern::{Edit, Song, text};

use crate::instance::{Instance, PATIENCE, await_within};
use crate::server_process::Server;

/// The bar.
const SERVED: Duration = Duration::from_secs(2);

fn song(notation: &str) -> Song {
    text::read(notation).expect("a groove").song
}

fn journals(profile: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(profile.join("sessions")).expect("a folder").filter_map(Result::ok);
    files
        .map(|file| file.path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "journal"))
        .collect()
}

fn set_aside(profile: &Path) -> usize {
    let files = std::fs::read_dir(profile.join("sessions")).expect("a folder").filter_map(Result::ok);
    files.filter(|file| file.file_name().to_string_lossy().contains("damaged")).count()
}

/// A profile that was in a session, and the session's server.
struct Left {
    server: Server,
    link: String,
    profile: tempfile::TempDir,
}

impl Left {
    fn open() -> Left {
        let server = Server::start();
        let link = server.link(&server.session("editor"));
        let profile = tempfile::tempdir().expect("a folder");
        let instance = Instance::start(profile.path(), Some(&link), song(crate::GROOVE));
        await_within(PATIENCE, "online", || instance.is(&Connection::Online));
        instance.client.send(Command::Edit { edits: vec![Edit::Seed(41)], when: When::Now });
        instance.until("acked", |event| matches!(event, Event::Acked { .. }).then_some(()));
        await_within(PATIENCE, "saved", || {
            let view = instance.client.view();
            view.unsaved == 0 && view.song.seed == 41
        });
        Left { server, link, profile }
    }

    fn damage(&self, how: impl Fn(&mut Vec<u8>)) {
        for path in journals(self.profile.path()) {
            let mut bytes = std::fs::read(&path).expect("bytes");
            how(&mut bytes);
            std::fs::write(&path, bytes).expect("damaged");
        }
    }

    /// Comes back with a project; what is shown must be as wanted within the bar.
    fn served(&self, project: Song, wanted: impl Fn(&Song) -> bool) -> Instance {
        let began = Instant::now();
        let instance = Instance::start(self.profile.path(), Some(&self.link), project);
        await_within(SERVED, "the next layer", || {
            let view = instance.client.view();
            view.role != antiphon::session::Role::Listener && wanted(&view.song)
        });
        println!("served after {} ms", began.elapsed().as_millis());
        instance
    }
}

const SAVED: &str = "seq kick: x...\n";

#[test]
fn without_a_server_the_journal_serves() {
    let mut left = Left::open();
    left.server.kill();
    let _serves = left.served(song(SAVED), |song| song.seed == 41 && song.alive().count() == 3);
    assert_eq!(set_aside(left.profile.path()), 0);
}

#[test]
fn a_damaged_journal_is_set_aside_and_the_project_serves() {
    let mut left = Left::open();
    left.server.kill();
    left.damage(|bytes| bytes.iter_mut().for_each(|byte| *byte ^= 0xA5));
    let instance = left.served(song(SAVED), |song| song.alive().count() == 1);
    instance.until("set aside", |event| matches!(event, Event::SetAside(_)).then_some(()));
    assert_eq!(set_aside(left.profile.path()), 1);
    // And it is a journal again.
    instance.client.send(Command::Edit { edits: vec![Edit::Seed(5)], when: When::Now });
    instance.until("kept", |event| matches!(event, Event::Kept { .. }).then_some(()));
    drop(instance);
    let _serves = left.served(Song::new(), |song| song.seed == 5 && song.alive().count() == 1);
}

#[test]
fn with_a_damaged_journal_the_server_serves() {
    let left = Left::open();
    left.damage(|bytes| bytes.truncate(6));
    let instance = left.served(song(SAVED), |song| song.seed == 41 && song.alive().count() == 3);
    instance.until("set aside", |event| matches!(event, Event::SetAside(_)).then_some(()));
}

#[test]
fn damage_in_the_middle_costs_the_damaged_record_alone() {
    let mut left = Left::open();
    left.server.kill();
    let instance = left.served(song(SAVED), |song| song.seed == 41);
    for seed in [101, 102, 103] {
        instance.client.send(Command::Edit { edits: vec![Edit::Seed(seed)], when: When::Now });
        instance.until("kept", |event| matches!(event, Event::Kept { .. }).then_some(()));
    }
    drop(instance);
    left.damage(|bytes| {
        let at = bytes.len() / 2;
        bytes[at] ^= 0xFF;
    });
    let instance = left.served(song(SAVED), |song| song.seed == 103);
    instance.until("set aside", |event| matches!(event, Event::SetAside(_)).then_some(()));
    left.server.restart_in_place();
    await_within(PATIENCE, "online", || instance.is(&Connection::Online));
    await_within(PATIENCE, "saved", || instance.client.view().unsaved == 0);
    assert_eq!(instance.client.view().song.seed, 103);
}

#[test]
fn with_nothing_at_all_there_is_a_new_groove() {
    let profile = tempfile::tempdir().expect("a folder");
    std::fs::create_dir_all(profile.path().join("sessions")).expect("a folder");
    let began = Instant::now();
    let instance = Instance::start(profile.path(), Some("http://127.0.0.1:9/s/blue#x"), Song::new());
    instance.client.send(Command::Edit { edits: vec![Edit::Seed(3)], when: When::Now });
    instance.until("kept", |event| matches!(event, Event::Kept { .. }).then_some(()));
    assert!(began.elapsed() < SERVED, "{:?}", began.elapsed());
}
