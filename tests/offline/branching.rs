//! Branches and versions of a machine that needs no server outlive its processes.

use std::path::Path;

use antiphon::client::{Command, Event, LineCommand, When};
use antiphon::pattern::{Edit, Song};
use antiphon::session::{BranchId, SessionFile};

use crate::groove;
use crate::instance::{Instance, PATIENCE, await_within};
use crate::peer::Peer;

/// Makes a branch that differs from the main line, and a version; comes back to the main line.
fn branch(peer: &mut Peer, file: &str) {
    peer.order(&format!("load {file}"));
    peer.state_when(|notation| notation.contains("bass"));
    peer.order("fork Bold");
    peer.until("forked", |_| Some(()));
    peer.order("name before");
    peer.until("named", |_| Some(()));
    peer.order("audition 1");
    peer.until("line", |_| Some(()));
    peer.order("step kick 2 on");
    peer.state_when(|notation| notation.contains("kick: X.x."));
    peer.order("audition main");
    peer.until("line", |_| Some(()));
    peer.state_when(|notation| notation.contains("kick: X..."));
}

/// The branch is there, can be heard, and merges into what has become of the main line.
fn check(peer: &mut Peer) {
    peer.order("audition 1");
    peer.until("line", |_| Some(()));
    peer.state_when(|notation| notation.contains("kick: X.x."));
    peer.order("audition main");
    peer.until("line", |_| Some(()));
    peer.order("step bass 1 on");
    peer.state_when(|notation| notation.contains("bass: Xx."));
    peer.order("merge 1");
    peer.until("merged", |_| Some(()));
    peer.state_when(|notation| notation.contains("kick: X.x.") && notation.contains("bass: Xx."));
    peer.order("restore before");
    peer.state_when(|notation| notation.contains("kick: X...") && notation.contains("bass: X.."));
}

fn start(profile: &Path, link: &str, arguments: &[&str]) -> Peer {
    let mut peer = Peer::of_profile(profile, link, "machine", arguments);
    peer.until("solo", |_| Some(()));
    peer
}

/// Branches, ends in a way, and looks from a new process.
fn outlive(kill: bool) {
    let (profile, groove) = (tempfile::tempdir().expect("a folder"), groove());
    let mut peer = start(profile.path(), "local:mine", &[]);
    branch(&mut peer, groove.path().to_str().expect("a plain path"));
    let held = peer.state_when(|_| true);
    if kill {
        // What a killed one has done on a branch in its last quarter of a second may be lost.
        let kept = profile.path().join("sessions");
        let holds_the_edit = |path: &Path| {
            let file = std::fs::read(path).ok().and_then(|bytes| SessionFile::decode(&bytes).ok());
            file.is_some_and(|file| file.branches.iter().any(|(_, log)| !log.is_empty()))
        };
        let written = || {
            let files = std::fs::read_dir(&kept).expect("a folder").filter_map(Result::ok);
            let mut lines =
                files.map(|file| file.path()).filter(|path| path.extension().is_some_and(|e| e == "lines"));
            lines.any(|path| holds_the_edit(&path))
        };
        peer.answer_when("state", "state", |_| written());
        peer.order("step hat 1 on");
        peer.state_when(|notation| notation.contains("hat: xxx"));
        peer.kill();
    } else {
        assert!(peer.quit());
    }
    let mut again = start(profile.path(), "local:mine", &[]);
    again.state_when(|notation| if kill { notation.contains("hat: xxx") } else { notation == held });
    check(&mut again);
    assert!(again.quit());
}

#[test]
fn branches_of_a_groove_without_a_server_outlive_an_orderly_end() {
    outlive(false);
}

#[test]
fn branches_of_a_groove_without_a_server_outlive_a_kill() {
    outlive(true);
}

#[test]
fn branches_of_an_instance_alone_are_there_again_with_its_song() {
    let profile = tempfile::tempdir().expect("a folder");
    let seed = |seed| Command::Edit { edits: vec![Edit::Seed(seed)], when: When::Now };
    let on = |instance: &Instance, wanted: Option<BranchId>| {
        instance.until("the line", |event| match event {
            Event::Line { branch, .. } => (branch == wanted).then_some(()),
            _ => None,
        });
    };
    let one = Instance::start(profile.path(), None, Song::new());
    one.client.send(seed(5));
    one.client.send(Command::Line(LineCommand::Fork { name: "Bold".into(), at: None }));
    one.until("the branch", |event| matches!(event, Event::Record { .. }).then_some(()));
    one.client.send(Command::Line(LineCommand::Audition(BranchId(1))));
    on(&one, Some(BranchId(1)));
    one.client.send(seed(7));
    await_within(PATIENCE, "the branch's edit", || one.client.view().song.seed == 7);
    one.client.send(Command::Line(LineCommand::Audition(BranchId::MAIN)));
    on(&one, None);
    one.client.send(seed(6));
    let song = one.client.view_after_commands().song.clone();
    assert_eq!(song.seed, 6);
    drop(one);
    // Another song knows nothing of it.
    let other = Instance::start(profile.path(), None, Song::new());
    assert!(other.client.view_after_commands().lines.branches.is_empty());
    drop(other);
    let again = Instance::start(profile.path(), None, song);
    await_within(PATIENCE, "the branch", || again.client.view().lines.branches.len() == 1);
    again.client.send(Command::Line(LineCommand::Audition(BranchId(1))));
    on(&again, Some(BranchId(1)));
    await_within(PATIENCE, "the branch's song", || again.client.view().song.seed == 7);
}
