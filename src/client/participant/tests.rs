mod lines;

use super::*;
use crate::client::Connection;
use crate::param::{Owner, Param, Slot};
use crate::pattern::Song;
use crate::rt::ports::{EnginePorts, ports};
use crate::time::TempoMap;

/// A participant that plays alone, and its engine's ends of the rings.
struct Rig {
    participant: Participant,
    engine: EnginePorts,
    _folder: tempfile::TempDir,
}

impl Rig {
    fn new() -> Rig {
        let folder = tempfile::tempdir().expect("a folder");
        let (session, engine) = ports();
        let (song, tempo_map) = (Song::new(), TempoMap::default());
        let config = ClientConfig {
            profile: folder.path().into(),
            name: "test".into(),
            link: None,
            song,
            tempo_map,
            reach: crate::client::Reach::default(),
        };
        let profile = Profile::open(folder.path()).expect("a profile");
        let (events, _) = Events::new(folder.path());
        let (participant, _, _) = Participant::new(config, session, profile, events);
        Rig { participant, engine, _folder: folder }
    }

    fn edit(&mut self, edit: Edit, when: When) {
        self.participant.command(Command::Edit { edits: vec![edit], when });
    }

    fn hear(&mut self, message: FromEngine) {
        self.engine.to_session.push(message).expect("room");
        self.participant.poll();
    }

    fn position(&mut self, frame: i64, tick: Option<Beats>, now: HostNanos) {
        self.hear(FromEngine::Position { tick, micro_bpm: 120_000_000, frame, now });
    }

    fn told(&mut self) -> Vec<ToEngine> {
        let told = std::iter::from_fn(|| self.engine.from_session.pop().ok());
        told.filter(|message| !matches!(message, ToEngine::Mode { .. } | ToEngine::Clock { .. })).collect()
    }
}

fn waits(message: &ToEngine) -> bool {
    matches!(message, ToEngine::Edit { at: Some(_), .. })
}

const LATER: When = When::At(Beats::quarters(64));

#[test]
fn what_waits_for_its_beat_does_not_outlive_its_session() {
    let mut rig = Rig::new();
    rig.edit(Edit::Seed(7), LATER);
    assert!(rig.told().iter().any(waits));
    rig.participant.command(Command::Leave);
    assert!(rig.participant.studio.waiting().is_empty());
    assert!(rig.told().iter().any(|message| matches!(message, ToEngine::Song(_))));
}

#[test]
fn a_rebuilt_engine_is_told_what_waits_and_where_live_notes_go() {
    let mut rig = Rig::new();
    let track = crate::param::TrackIndex::new(3).expect("a track");
    rig.participant.command(Command::Focus(track));
    rig.edit(Edit::Seed(7), LATER);
    let now = rig.participant.clock.now();
    rig.position(4096, None, now);
    assert_eq!(rig.told().len(), 2);
    rig.position(0, None, now);
    let told = rig.told();
    assert!(told.iter().any(waits), "{told:?}");
    assert!(told.iter().any(|message| matches!(message, ToEngine::Focus(to) if *to == track)), "{told:?}");
}

#[test]
fn an_edit_for_the_next_bar_lands_at_once_where_the_host_has_suspended_the_engine() {
    let mut rig = Rig::new();
    let now = rig.participant.clock.now();
    rig.position(0, Some(Beats::ZERO), now);
    rig.edit(Edit::Seed(7), When::NextBar);
    assert!(rig.told().iter().any(waits));
    rig.position(64, Some(Beats::ZERO), HostNanos(now.0 - 3_000_000_000));
    rig.edit(Edit::Seed(8), When::NextBar);
    assert!(!rig.told().iter().any(waits));
    assert_eq!(rig.participant.studio.song().seed, 8);
}

#[test]
fn a_move_of_the_host_that_crosses_an_edit_is_what_the_engine_comes_to_hold() {
    let mut rig = Rig::new();
    let slot = Slot::new(Owner::Master, Param::Level);
    rig.edit(Edit::Param { slot, value: 0.25 }, When::Now);
    // Said before the engine has taken the edit in.
    rig.hear(FromEngine::ParamMoved { slot, value: 0.5 });
    rig.participant.close();
    assert_eq!(rig.participant.studio.song().params[slot.index()], 0.5);
    let last = rig.told().pop();
    let held = Edit::Param { slot, value: 0.5 };
    assert!(matches!(last, Some(ToEngine::Edit { edit, at: None }) if edit == held), "{last:?}");
}

#[test]
fn joining_the_same_session_again_keeps_what_is_unsaved() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let _inside = runtime.enter();
    let mut rig = Rig::new();
    let join =
        |session: &str| Command::Join(format!("http://127.0.0.1:9/s/{session}#x").parse().expect("a link"));
    rig.participant.command(join("blue"));
    rig.edit(Edit::Seed(7), When::Now);
    rig.participant.command(join("blue"));
    assert_eq!(rig.participant.studio.unsaved(), 1);
    rig.participant.command(join("red"));
    assert_eq!(rig.participant.studio.unsaved(), 0);
}

#[test]
fn a_transport_whose_session_is_not_open_yet_says_so() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let _inside = runtime.enter();
    let mut rig = Rig::new();
    rig.participant.command(Command::Join("http://127.0.0.1:9/s/blue#x".parse().expect("a link")));
    assert_eq!(rig.participant.shown.connection, Connection::Connecting);
    rig.participant.command(Command::Stop);
    assert!(rig.participant.shown.notice.is_some());
}

#[test]
fn an_observer_of_one_part_is_not_woken_by_others() {
    use crate::client::Path;
    let mut rig = Rig::new();
    let slot = |param| Slot::new(Owner::Master, param);
    let (level, cutoff) = (slot(Param::Level), slot(Param::FilterFreq));
    let track = |at| crate::param::TrackIndex::new(at).expect("a track");
    let watched = rig.participant.observers();
    let paths = [Path::Param(level), Path::Param(cutoff), Path::Track(track(0)), Path::Track(track(1))];
    let observers = paths.map(|path| watched.observe(path));
    let (peers, clock) = (watched.observe(Path::Peers), watched.observe(Path::Clock));
    rig.participant.publish(HostNanos(i64::MAX / 2));
    for n in 1..=100i64 {
        rig.edit(Edit::Param { slot: level, value: n as f32 / 200.0 }, When::Now);
        let field = crate::pattern::StepField::On(n % 2 == 1);
        rig.edit(
            Edit::Step { track: track(1), pattern: crate::pattern::PatternIndex::FIRST, step: 3, field },
            When::Now,
        );
        rig.participant.publish(HostNanos(i64::MAX / 2 + n * 1_000_000_000));
    }
    assert_eq!(observers.each_ref().map(|observer| observer.wakes()), [100, 0, 0, 100]);
    assert_eq!((peers.wakes(), clock.wakes()), (0, 0));
    assert_eq!(observers[0].woken().len(), 1, "wakes that nobody took are one");
}
