//! A process that holds the machine's connection and is frozen: another takes over, and the thawed
//! one steps back.
#![cfg(unix)]

use std::time::{Duration, Instant};

use crate::peer::{Peer, text};
use crate::{Machine, order, velocities, velocity};

/// A hub is given up after 3.5 s of silence; then its connection has to be made anew.
const SOON: Duration = Duration::from_secs(8);
const EACH: usize = 40;

/// A peer that stands still until it is told to go on.
fn freeze(peer: &Peer) {
    signal(peer, "-STOP");
}

fn thaw(peer: &Peer) {
    signal(peer, "-CONT");
}

fn signal(peer: &Peer, what: &str) {
    let told = std::process::Command::new("kill").args([what, &peer.process().to_string()]).status();
    assert!(told.expect("kill runs").success());
}

/// Freezes the holder under everybody's edits, thaws it, and looks at what has become of each edit.
fn freeze_and_thaw(with_server: bool) {
    let Machine { mut server, session, mut holder, mut others, _profile } = Machine::start(with_server);
    let answer = if with_server { "acked" } else { "kept" };
    for n in 0..EACH {
        holder.order(&order("bass", n));
        others[0].order(&order("kick", EACH + n));
        others[1].order(&order("hat", 2 * EACH + n));
    }
    // Frozen as soon as it has answered some: the others' are under way.
    for _ in 0..5 {
        others[0].until(answer, |_| Some(()));
    }
    freeze(&holder);
    let frozen = Instant::now();
    // Said to one that does not listen now.
    for n in EACH..2 * EACH {
        holder.order(&order("bass", 3 * EACH + n));
    }
    others[0].order("tempo 91");
    let crossed = |line: &serde_json::Value| text(line, "notation").contains("TEMPO 91");
    let saved = |line: &serde_json::Value| line["unsaved"] == 0 || !with_server;
    for other in others.iter_mut().rev() {
        other.answer_when("state", "state", |line| crossed(line) && saved(line));
    }
    let took_over = others.iter().map(|other| other.all("took-over").count()).sum::<usize>();
    assert_eq!(took_over, 1, "one of the others holds the connection now");
    let took = frozen.elapsed();
    println!("with a server: {with_server}; everything goes on {} ms after the freeze", took.as_millis());
    assert!(took < SOON);
    thaw(&holder);
    if !with_server {
        server.restart_in_place();
    }
    for peer in others.iter_mut().chain([&mut holder]) {
        peer.state_when(|_| true);
    }
    let (commits, last) = server.dump(&session);
    for (what, range) in [
        ("the frozen one's, before", 0..EACH),
        ("one's", EACH..2 * EACH),
        ("the other's", 2 * EACH..3 * EACH),
        ("the frozen one's, after", 4 * EACH..5 * EACH),
    ] {
        let all: Vec<f32> = range.clone().map(velocity).collect();
        assert_eq!(velocities(&commits, range), all, "{what}: each edit once, in order");
    }
    for peer in others.iter_mut().chain([&mut holder]) {
        assert_eq!(peer.hash_at(commits.len() as u64), text(&last, "digest"));
        assert_eq!(peer.all("refused").count(), 0);
    }
    // Thawed, it is one of the others.
    holder.order("tempo 92");
    others[0].state_when(|notation| notation.contains("TEMPO 92"));
    assert!(holder.quit() && others.into_iter().all(Peer::quit));
}

#[test]
fn a_frozen_holder_is_replaced_and_steps_back() {
    freeze_and_thaw(true);
}

#[test]
fn a_frozen_holder_is_replaced_without_a_server_too() {
    freeze_and_thaw(false);
}
