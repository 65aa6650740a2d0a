//! `kill -9` of whoever holds edits: nothing acknowledged is lost, and each edit lands once.

use std::collections::BTreeMap;

use crate::peer::{Peer, number, text};
use crate::server_process::Server;
use crate::{groove, order, velocities, velocity};

const EDITS: usize = 150;

/// The place of each frame that a peer was told to be saved.
fn acked(peer: &Peer) -> BTreeMap<u64, u64> {
    peer.all("acked").map(|line| (number(line, "cseq") as u64, number(line, "seq") as u64)).collect()
}

struct Studio {
    server: Server,
    session: String,
    link: String,
    profile: tempfile::TempDir,
    peer: Peer,
}

impl Studio {
    fn open() -> Studio {
        let server = Server::start();
        let invite = server.session("editor");
        let link = server.link(&invite);
        let (profile, groove) = (tempfile::tempdir().expect("a folder"), groove());
        let file = groove.path().to_str().expect("a plain path");
        let mut peer = Peer::of_profile(profile.path(), &link, "machine", &["--load", file]);
        peer.until("connected", |_| Some(()));
        peer.state_when(|notation| notation.contains("bass"));
        Studio { server, session: invite.session, link, profile, peer }
    }

    fn edit(&mut self) {
        for n in 0..EDITS {
            self.peer.order(&order("kick", n));
        }
    }

    fn again(&self) -> Peer {
        let mut peer = Peer::of_profile(self.profile.path(), &self.link, "machine", &[]);
        peer.until("connected", |_| Some(()));
        peer.state_when(|_| true);
        peer
    }

    /// What stands in the log: the first so many edits, once each, and all that was promised.
    fn check(&self, mut again: Peer, at_least: usize) {
        let (commits, last) = self.server.dump(&self.session);
        let logged = velocities(&commits, 0..EDITS);
        assert!(
            logged.iter().copied().eq((0..logged.len()).map(velocity)),
            "once each, in order: {logged:?}"
        );
        assert!(logged.len() >= at_least, "{} of at least {at_least} edits", logged.len());
        for (cseq, seq) in acked(&self.peer) {
            let stored = &commits[seq as usize - 1];
            assert_eq!(stored.cseq.0, cseq, "commit {seq} was acknowledged");
        }
        assert_eq!(again.hash_at(commits.len() as u64), text(&last, "digest"));
        println!("{} of {EDITS} edits in the log, {at_least} were promised", logged.len());
        assert!(again.quit());
    }
}

#[test]
fn a_host_killed_under_edits_loses_nothing_that_was_acknowledged() {
    let mut studio = Studio::open();
    let before = studio.peer.all("acked").count();
    studio.edit();
    for _ in 0..20 {
        studio.peer.until("acked", |_| Some(()));
    }
    studio.peer.kill();
    let promised = studio.peer.all("acked").count() - before;
    let again = studio.again();
    studio.check(again, promised);
}

#[test]
fn a_host_killed_while_its_server_is_away_sends_everything_when_it_is_back() {
    let mut studio = Studio::open();
    studio.server.kill();
    studio.peer.until("offline", |_| Some(()));
    studio.edit();
    for _ in 0..EDITS {
        studio.peer.until("kept", |_| Some(()));
    }
    studio.peer.kill();
    // Without a server the journal serves.
    let mut alone = Peer::of_profile(studio.profile.path(), &studio.link, "machine", &[]);
    alone.answer_when("state", "state", |line| {
        line["unsaved"] == EDITS && text(line, "notation").contains("seq bass")
    });
    alone.kill();
    studio.server.restart_in_place();
    let again = studio.again();
    studio.check(again, EDITS);
}

#[test]
fn a_host_and_its_server_killed_together_lose_nothing_that_was_promised() {
    let mut studio = Studio::open();
    let before = studio.peer.all("acked").count();
    studio.edit();
    for _ in 0..20 {
        studio.peer.until("acked", |_| Some(()));
    }
    studio.server.kill();
    studio.peer.until("kept", |_| Some(()));
    studio.peer.kill();
    let acked = studio.peer.all("acked").count() - before;
    let promised = acked + studio.peer.all("kept").count();
    studio.server.restart_in_place();
    let again = studio.again();
    studio.check(again, promised.min(EDITS));
}

#[test]
fn a_groove_of_this_machine_alone_survives_its_hosts_death() {
    let (profile, groove) = (tempfile::tempdir().expect("a folder"), groove());
    let mut peer = Peer::of_profile(profile.path(), "local:mine", "machine", &[]);
    peer.until("solo", |_| Some(()));
    peer.order(&format!("load {}", groove.path().display()));
    for n in 0..EDITS {
        peer.order(&order("hat", n));
    }
    peer.order("tempo 97");
    let held = peer.state_when(|notation| notation.contains("TEMPO 97"));
    peer.kill();
    let mut again = Peer::of_profile(profile.path(), "local:mine", "machine", &[]);
    let back = again.state_when(|notation| notation.contains("TEMPO 97"));
    assert_eq!(back, held);
    assert!(again.quit());
}

#[test]
fn a_groove_played_alone_survives_its_hosts_death_and_no_orderly_end() {
    let (profile, groove) = (tempfile::tempdir().expect("a folder"), groove());
    let start = || Peer::of_profile(profile.path(), "--solo", "alone", &[]);
    let mut peer = start();
    peer.order(&format!("load {}", groove.path().display()));
    for n in 0..EDITS {
        peer.order(&order("hat", n));
    }
    for _ in 0..EDITS + 2 {
        peer.until("kept", |_| Some(()));
    }
    // Another one lives beside it, with a groove of its own.
    let mut other = start();
    other.order("tempo 77");
    other.until("kept", |_| Some(()));
    let held = peer.state_when(|_| true);
    peer.kill();
    let mut again = start();
    again.until("restored", |_| Some(()));
    assert_eq!(again.state_when(|_| true), held);
    again.order("tempo 88");
    again.until("kept", |_| Some(()));
    again.kill();
    let mut again = start();
    again.until("restored", |_| Some(()));
    again.state_when(|notation| notation.contains("TEMPO 88"));
    assert!(again.quit() && other.quit());
    let mut fresh = start();
    fresh.state_when(|notation| !notation.contains("seq"));
    assert_eq!(fresh.all("restored").count(), 0);
    assert!(fresh.quit());
}
