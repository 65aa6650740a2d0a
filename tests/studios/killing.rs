//! The server killed with -9 while edits flow.

use std::collections::BTreeMap;

use antiphon::pattern::{Edit, StepField};
use antiphon::session::{Commit, Op};
use antiphon::time::TICKS_PER_BEAT;

use crate::Studios;
use crate::peer::{Peer, number, text};
use crate::playing::{clock, heard_bar};

/// Edits that each peer makes, and how many are acknowledged when the server dies.
const EDITS: usize = 150;
const BEFORE: usize = 20;

/// Gives a peer its edits: velocities that tell which edit wrote them.
fn edit_away(peer: &mut Peer, track: &str) {
    for n in 0..EDITS {
        peer.order(&format!("velocity {track} {} {}", n % 16, velocity(n)));
    }
}

fn velocity(n: usize) -> f32 {
    (n + 1) as f32 / 1000.0
}

/// The place of each frame that a peer was told to be saved.
fn acked(peer: &Peer) -> BTreeMap<u64, u64> {
    peer.all("acked").map(|line| (number(line, "cseq") as u64, number(line, "seq") as u64)).collect()
}

/// How often a peer's edits stand in the log, each told by its velocity.
fn edits_in(commits: &[Commit], author: u32) -> Vec<f32> {
    let ops = commits.iter().filter(|commit| commit.author.0 == author).flat_map(|commit| &commit.ops);
    ops.filter_map(|stamped| match stamped.op {
        Op::Edit(Edit::Step { field: StepField::Velocity(value), .. }) => Some(value),
        _ => None,
    })
    .collect()
}

#[test]
fn a_server_killed_under_edits_loses_nothing_and_doubles_nothing() {
    let mut studios = Studios::open(&[], &[]);
    let already = [acked(&studios.a).len(), acked(&studios.b).len()];
    let clients = [studios.a.client_seen_by(&mut studios.b), studios.b.client_seen_by(&mut studios.a)];
    let begun = studios.server.dump(&studios.invite.session).0.len();
    edit_away(&mut studios.a, "kick");
    edit_away(&mut studios.b, "bass");
    // Killed as soon as the first knows of so many: others are under way.
    for _ in 0..BEFORE {
        studios.a.until("acked", |_| Some(()));
    }
    studios.server.kill();
    for peer in [&mut studios.a, &mut studios.b] {
        peer.until("offline", |_| Some(()));
    }
    let before = [acked(&studios.a).len() - already[0], acked(&studios.b).len() - already[1]];
    assert!(before.iter().all(|count| *count < EDITS), "the server died under edits: {before:?}");
    studios.server.restart_in_place();
    for peer in [&mut studios.a, &mut studios.b] {
        peer.until("connected", |_| Some(()));
        peer.state_when(|_| true);
    }
    println!("acknowledged when the server was gone: {before:?} of {EDITS} each");

    let (commits, _) = studios.server.dump(&studios.invite.session);
    for (peer, client) in [(&studios.a, clients[0]), (&studios.b, clients[1])] {
        for (cseq, seq) in acked(peer) {
            let stored = &commits[seq as usize - 1];
            assert_eq!((stored.author.0, stored.cseq.0), (client, cseq), "commit {seq} was acknowledged");
        }
        let all: Vec<f32> = (0..EDITS).map(velocity).collect();
        assert_eq!(edits_in(&commits[begun..], client), all, "each edit stands in the log once, in order");
        assert_eq!(peer.all("refused").count(), 0);
        assert_eq!(peer.all("error").count(), 0, "{:?}", peer.all("error").collect::<Vec<_>>());
    }
    studios.agree();
}

#[test]
fn the_groove_plays_on_without_its_server() {
    let mut studios = Studios::open(&[], &[]);
    clock(&mut studios.a);
    clock(&mut studios.b);
    studios.a.order("play");
    heard_bar(&mut studios.a, 0);
    heard_bar(&mut studios.b, 0);
    studios.server.kill();
    studios.b.until("offline", |_| Some(()));
    studios.b.order("step hat 1 on");
    let edited = |notation: &str| notation.contains("seq hat: xxx.");
    studios.b.answer_when("state", "state", |line| line["unsaved"] == 1 && edited(text(line, "notation")));
    heard_bar(&mut studios.a, 2);
    heard_bar(&mut studios.b, 2);
    studios.server.restart_in_place();
    studios.a.state_when(edited);
    studios.b.state_when(edited);
    heard_bar(&mut studios.a, 5);
    heard_bar(&mut studios.b, 5);
    for peer in [&studios.a, &studios.b] {
        let kicks = peer.all("onset").filter(|line| number(line, "track") == 0);
        let places: Vec<i64> = kicks.map(|line| number(line, "tick") / TICKS_PER_BEAT).collect();
        assert!(places.len() >= 24 && places.iter().copied().eq(0..places.len() as i64), "{places:?}");
    }
    studios.agree();
}
