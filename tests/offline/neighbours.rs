//! Instances of one profile in several processes: one participant.

use antiphon::client::{Command, Connection, Event, HostClock, When};
use antiphon::pattern::{Edit, Song};
use antiphon::time::Clock;

use crate::instance::{Instance, PATIENCE, await_within};
use crate::peer::{Peer, number, text};
use crate::server_process::Server;
use crate::{Machine, groove, order, velocities, velocity};

/// The bar: 50 ms, in ns.
const SOON: i64 = 50_000_000;
const EDITS: usize = 300;

fn p99(mut spans: Vec<i64>) -> (i64, i64) {
    spans.sort_unstable();
    (spans[spans.len() / 2], spans[spans.len() * 99 / 100])
}

#[test]
fn edits_reach_another_process_within_50_ms_without_any_server() {
    let profile = tempfile::tempdir().expect("a folder");
    let mut other = Peer::of_profile(profile.path(), "local:jam", "other", &[]);
    other.until("solo", |_| Some(()));
    let here = Instance::start(profile.path(), Some("local:jam"), Song::new());
    await_within(PATIENCE, "in the groove", || {
        here.client.view().session.is_some() && here.is(&Connection::Solo)
    });
    let mut there = Vec::new();
    for n in 0..EDITS {
        let began = HostClock.now();
        here.client.send(Command::Edit { edits: vec![Edit::Seed(n as u32 + 1)], when: When::Now });
        let came = other.until("applied", |line| Some(number(line, "host_ns")));
        there.push(came - began.0);
    }
    while here.client.events().try_recv().is_ok() {}
    let mut back = Vec::new();
    for n in 0..EDITS {
        let began = HostClock.now();
        other.order(&format!("set master.level 0.{:03}", n + 1));
        // The hand is seen before it has rested.
        let wanted = (n + 1) as f32 / 1000.0;
        let level = antiphon::param::Slot::new(antiphon::param::Owner::Master, antiphon::param::Param::Level);
        await_within(PATIENCE, "the hand", || here.client.view().song.params[level.index()] == wanted);
        back.push(HostClock.now().0 - began.0);
    }
    let ((median, late), (median_back, late_back)) = (p99(there), p99(back));
    println!(
        "between two processes, no server: edits p50 {} µs, p99 {} µs; hands p50 {} µs, p99 {} µs",
        median / 1000,
        late / 1000,
        median_back / 1000,
        late_back / 1000
    );
    // A hand travels every 16 ms; where the machine is busy, the last of a hundred may wait longer.
    assert!(late < SOON && median_back < SOON);
}

#[test]
fn all_instances_of_a_profile_are_one_participant() {
    let server = Server::start();
    let invite = server.session("editor");
    let link = server.link(&invite);
    let (profile, groove) = (tempfile::tempdir().expect("a folder"), groove());
    let file = groove.path().to_str().expect("a plain path");
    let mut one = Peer::of_profile(profile.path(), &link, "machine", &["--load", file]);
    one.until("connected", |_| Some(()));
    one.state_when(|notation| notation.contains("bass"));
    let mut two = Peer::of_profile(profile.path(), &link, "machine", &[]);
    two.until("connected", |_| Some(()));
    let mut friend = Peer::join(&link, "friend", &[]);
    one.order("step kick 2 on");
    two.order("step hat 1 on");
    friend.order("step bass 1 on");
    let whole = |notation: &str| {
        ["kick: X.x.", "hat: xxx.", "bass: Xx."].iter().all(|part| notation.contains(&format!("seq {part}")))
    };
    let seen = friend.state_when(whole);
    assert_eq!(one.state_when(whole), seen);
    assert_eq!(two.state_when(whole), seen);
    let peers = friend.answer_when("peers", "peers", |_| true);
    assert_eq!(peers["peers"].as_array().expect("a list").len(), 1, "{peers}");
    assert_eq!(one.all("refused").count() + two.all("refused").count(), 0);
    let (commits, last) = server.dump(&invite.session);
    for peer in [&mut one, &mut two, &mut friend] {
        assert_eq!(peer.hash_at(commits.len() as u64), text(&last, "digest"));
    }
    // One goes; the other stays in, and goes on being heard.
    assert!(one.quit());
    two.order("step hat 3 on");
    friend.state_when(|notation| notation.contains("seq hat: xxxx"));
    assert!(two.quit() && friend.quit());
}

#[test]
fn two_projects_are_in_two_sessions_at_once() {
    let server = Server::start();
    let invites = [server.session("editor"), server.session("editor")];
    let (profile, groove) = (tempfile::tempdir().expect("a folder"), groove());
    let file = groove.path().to_str().expect("a plain path");
    let mut projects = invites.each_ref().map(|invite| {
        let link = server.link(invite);
        let mut peer = Peer::of_profile(profile.path(), &link, "machine", &["--load", file]);
        peer.until("connected", |_| Some(()));
        peer.state_when(|notation| notation.contains("bass"));
        peer
    });
    for (n, project) in projects.iter_mut().enumerate() {
        project.order(&order("kick", 100 + n));
    }
    for project in &mut projects {
        project.state_when(|_| true);
    }
    for (n, invite) in invites.iter().enumerate() {
        let (commits, _) = server.dump(&invite.session);
        assert_eq!(velocities(&commits, 100..102), [velocity(100 + n)]);
    }
    assert!(projects.into_iter().all(Peer::quit));
}

/// Kills the instance that holds the hub while the others edit; returns how the log stands.
fn take_over(with_server: bool) {
    let Machine { mut server, session, mut holder, mut others, _profile } = Machine::start(with_server);
    const EACH: usize = 120;
    for n in 0..EACH {
        holder.order(&order("bass", n));
        others[0].order(&order("kick", EACH + n));
        others[1].order(&order("hat", 2 * EACH + n));
    }
    // Killed as soon as it has answered some: the others' are under way.
    let answer = if with_server { "acked" } else { "kept" };
    for _ in 0..10 {
        others[0].until(answer, |_| Some(()));
    }
    holder.kill();
    let promised = holder.all(answer).count();
    if !with_server {
        server.restart_in_place();
    }
    for other in &mut others {
        other.state_when(|_| true);
    }
    let took_over = others.iter().map(|other| other.all("took-over").count()).sum::<usize>();
    assert_eq!(took_over, 1, "one of the survivors holds the connection now");
    let (commits, last) = server.dump(&session);
    for (n, _) in others.iter().enumerate() {
        let range = (n + 1) * EACH..(n + 2) * EACH;
        let all: Vec<f32> = range.clone().map(velocity).collect();
        assert_eq!(velocities(&commits, range), all, "each edit of survivor {n} once, in order");
    }
    let of_dead = velocities(&commits, 0..EACH);
    assert!(of_dead.iter().copied().eq((0..of_dead.len()).map(velocity)), "once each, in order: {of_dead:?}");
    println!(
        "with a server: {with_server}; the dead one's: {} in the log, {promised} answers",
        of_dead.len()
    );
    for other in &mut others {
        assert_eq!(other.hash_at(commits.len() as u64), text(&last, "digest"));
        assert_eq!(other.all("refused").count(), 0);
    }
    assert!(others.into_iter().all(Peer::quit));
}

#[test]
fn when_the_holder_is_killed_another_takes_over_and_nothing_is_lost() {
    take_over(true);
}

#[test]
fn when_the_holder_is_killed_without_a_server_its_journal_carries_over() {
    take_over(false);
}

#[test]
fn an_edit_shows_in_the_other_instance_before_a_far_server_has_answered() {
    let server = Server::start();
    let link = server.link(&server.session("editor"));
    let profile = tempfile::tempdir().expect("a folder");
    let [a, b] = [1, 2].map(|_| Instance::start(profile.path(), Some(&link), Song::new()));
    for instance in [&a, &b] {
        await_within(PATIENCE, "online", || instance.is(&Connection::Online));
    }
    a.client.send(Command::Edit { edits: vec![Edit::Seed(77)], when: When::Now });
    await_within(PATIENCE, "the edit", || b.client.view().song.seed == 77);
    a.until("acked", |event| matches!(event, Event::Acked { .. }).then_some(()));
}

/// Peers of one profile that share a groove without a server, in the order in which they came.
fn sharing<const N: usize>(profile: &std::path::Path) -> [Peer; N] {
    std::array::from_fn(|_| {
        let mut peer = Peer::of_profile(profile, "local:jam", "machine", &[]);
        peer.until("solo", |_| Some(()));
        peer
    })
}

#[test]
fn after_the_holders_death_edits_cross_again_within_half_a_second() {
    let profile = tempfile::tempdir().expect("a folder");
    let [mut holder, mut from, mut to] = sharing(profile.path());
    from.order("tempo 99");
    to.state_when(|notation| notation.contains("TEMPO 99"));
    let before = number(&to.answer_when("state", "state", |_| true), "seq");
    let began = HostClock.now();
    holder.kill();
    from.order("tempo 88");
    let applied = |line: &serde_json::Value| (number(line, "seq") > before).then(|| number(line, "host_ns"));
    let came = to.until("applied", applied);
    to.state_when(|notation| notation.contains("TEMPO 88"));
    println!("an edit crossed {} ms after the kill", (came - began.0) / 1_000_000);
    assert!(came - began.0 < 500_000_000);
}

#[test]
fn a_profile_whose_path_is_too_long_for_a_socket_is_shared_all_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let profile = folder.path().join("a-rather-long-name-of-a-folder/".repeat(4));
    let [mut one, mut two] = sharing(&profile);
    assert!(!profile.join("hub.sock").exists() && profile.join("hub.port").exists());
    one.order("tempo 77");
    two.state_when(|notation| notation.contains("TEMPO 77"));
    two.order("tempo 66");
    one.state_when(|notation| notation.contains("TEMPO 66"));
}
