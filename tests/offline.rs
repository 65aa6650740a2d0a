//! Offline first, and one participant a machine: real `antiphon peer` processes that share a
//! profile, lose their server, and are killed.
#![cfg(all(feature = "client", feature = "server"))]

#[path = "offline/apart.rs"]
mod apart;
#[path = "offline/branching.rs"]
mod branching;
#[path = "offline/frozen.rs"]
mod frozen;
#[path = "offline/instance.rs"]
mod instance;
#[path = "offline/killing.rs"]
mod killing;
#[path = "offline/layers.rs"]
mod layers;
#[path = "offline/neighbours.rs"]
mod neighbours;
#[path = "support/peer.rs"]
mod peer;
#[path = "support/server.rs"]
mod server_process;

use antiphon::pattern::{Edit, StepField};
use antiphon::session::{Commit, Op};
use tempfile::TempDir;

use peer::Peer;
use server_process::Server;

/// A few tracks to edit.
const GROOVE: &str = "TEMPO 120\n\
    seq kick: X...x...X...x...\n\
    seq hat: x.x.x.x.x.x.x.xo\n\
    seq bass: X..x..x...X..x..\n";

/// A file that holds the groove.
fn groove() -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), GROOVE).expect("a written file");
    file
}

/// A machine of three instances in a session: the first holds the connection.
struct Machine {
    server: Server,
    session: String,
    holder: Peer,
    others: [Peer; 2],
    _profile: TempDir,
}

impl Machine {
    fn start(with_server: bool) -> Machine {
        let mut server = Server::start();
        let invite = server.session("editor");
        let link = server.link(&invite);
        let (profile, groove) = (tempfile::tempdir().expect("a folder"), groove());
        let file = groove.path().to_str().expect("a plain path");
        let mut holder = Peer::of_profile(profile.path(), &link, "machine", &["--load", file]);
        holder.until("connected", |_| Some(()));
        holder.state_when(|notation| notation.contains("bass"));
        let mut others = [1, 2].map(|_| Peer::of_profile(profile.path(), &link, "machine", &[]));
        for other in &mut others {
            other.until("connected", |_| Some(()));
        }
        if !with_server {
            server.kill();
            others[0].until("offline", |_| Some(()));
        }
        Machine { server, session: invite.session, holder, others, _profile: profile }
    }
}

/// A velocity that tells which edit wrote it.
fn velocity(n: usize) -> f32 {
    (n + 1) as f32 / 4000.0
}

/// The order that writes it, on a step of its own as long as there are any.
fn order(track: &str, n: usize) -> String {
    format!("velocity {track} {} {}", n % 16, velocity(n))
}

/// Every velocity that stands in a log, in order, from the first that `order` can have written.
fn velocities(commits: &[Commit], range: std::ops::Range<usize>) -> Vec<f32> {
    let wanted: Vec<f32> = range.map(velocity).collect();
    let ops = commits.iter().flat_map(|commit| &commit.ops);
    ops.filter_map(|stamped| match &stamped.op {
        Op::Edit(Edit::Step { field: StepField::Velocity(value), .. }) => Some(*value),
        _ => None,
    })
    .filter(|value| wanted.contains(value))
    .collect()
}
