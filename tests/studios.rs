//! Two studios, one groove: a real server and real `antiphon peer` processes.
#![cfg(all(feature = "client", feature = "server"))]

#[path = "studios/branching.rs"]
mod branching;
#[path = "studios/clock.rs"]
mod clock;
#[path = "studios/controls.rs"]
mod controls;
#[path = "studios/deciding.rs"]
mod deciding;
#[path = "studios/editing.rs"]
mod editing;
#[path = "studios/hearing.rs"]
mod hearing;
#[path = "studios/killing.rs"]
mod killing;
#[path = "studios/live.rs"]
mod live;
#[path = "studios/mine.rs"]
mod mine;
#[path = "support/peer.rs"]
mod peer;
#[path = "studios/people.rs"]
mod people;
#[path = "studios/playing.rs"]
mod playing;
#[path = "studios/presets.rs"]
mod presets;
#[path = "support/recording.rs"]
mod recording;
#[path = "studios/refusing.rs"]
mod refusing;
#[path = "studios/sampling.rs"]
mod sampling;
#[path = "studios/secure.rs"]
mod secure;
#[path = "support/server.rs"]
mod server_process;

use std::io::Write;

use peer::Peer;
use server_process::{Invite, Server};
use tempfile::NamedTempFile;

/// What the studios play: one bar a second.
const GROOVE: &str = "TEMPO 240\n\
    seq kick: X...x...X...x...\n\
    seq hat: x.x.x.x.x.x.x.xo\n\
    seq bass: X..x..x...X..x..\n\
    note bass: 36\n\
    filter bass: type=lowpass freq=800 Q=2\n\
    delay master: time=.25 feedback=.4 mix=.3\n";

/// A server and a session that two peers have joined, both holding the groove.
struct Studios {
    server: Server,
    invite: Invite,
    a: Peer,
    b: Peer,
    _groove: NamedTempFile,
}

impl Studios {
    fn open(a_arguments: &[&str], b_arguments: &[&str]) -> Studios {
        let server = Server::start();
        let invite = server.session("editor");
        let link = server.link(&invite);
        let mut groove = NamedTempFile::new().expect("a file");
        groove.write_all(GROOVE.as_bytes()).expect("a written file");
        let file = groove.path().to_str().expect("a plain path");
        let mut a = Peer::join(&link, "a", &[&["--load", file], a_arguments].concat());
        let mut b = Peer::join(&link, "b", b_arguments);
        let whole = |notation: &str| notation.contains("TEMPO 240") && notation.contains("bass");
        a.state_when(whole);
        b.state_when(whole);
        Studios { server, invite, a, b, _groove: groove }
    }

    /// Ends both; then the log holds what both hold.
    fn agree(mut self) {
        let (commits, last) = self.server.dump(&self.invite.session);
        let (seq, digest) = (commits.len() as u64, last["digest"].as_str().expect("a digest").to_owned());
        assert_eq!(self.a.hash_at(seq), digest, "a holds what the log holds");
        assert_eq!(self.b.hash_at(seq), digest, "b holds what the log holds");
        assert!(self.a.quit() && self.b.quit(), "both end well");
    }
}
