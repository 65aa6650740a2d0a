//! Several wanted the same: conflicts, undo and permissions between real peers.

use crate::Studios;
use crate::peer::{Peer, number, text};

fn level(notation: &str) -> Option<f64> {
    let line = notation.lines().find(|line| line.starts_with("level hat:"))?;
    line.rsplit(' ').next()?.parse().ok()
}

fn level_is(peer: &mut Peer, wanted: impl Fn(f64) -> bool) -> f64 {
    let seen = peer.state_when(|notation| level(notation).is_some_and(&wanted));
    level(&seen).expect("a level")
}

#[test]
fn hands_that_overlap_meet_and_each_can_take_its_own_back() {
    let mut studios = Studios::open(&[], &[]);
    let merged = |line: &serde_json::Value| (text(line, "kind") == "merged").then(|| line.clone());
    studios.a.order("set hat.level 0.2");
    studios.b.order("set hat.level 0.6");
    let card = studios.a.until("conflict", merged);
    studios.b.until("conflict", merged);
    assert_eq!(card["candidates"].as_array().map(Vec::len), Some(2), "{card}");
    let between = level_is(&mut studios.a, |level| level > 0.2 && level < 0.6);
    assert_eq!(level_is(&mut studios.b, |level| level == between), between);
    // a takes its hand out, then brings it back.
    studios.a.order("undo");
    level_is(&mut studios.b, |level| level == 0.6);
    studios.a.order("redo");
    level_is(&mut studios.b, |level| level == between);
    // b has moved it since: a is told by whom, and may insist.
    studios.b.order("set hat.level 0.9");
    // The hand is seen before it rests; what counts is its commit.
    let moved = |line: &serde_json::Value| text(line, "notation").contains("level hat: 0.9");
    let before = number(&studios.a.answer_when("state", "state", moved), "seq");
    studios.a.answer_when("state", "state", |line| moved(line) && number(line, "seq") > before);
    studios.a.order("undo");
    let reason = studios.a.until("refused", |line| Some(text(line, "reason").to_owned()));
    assert!(reason.contains("b has changed hat level since") && reason.contains("undo anyway"), "{reason}");
    level_is(&mut studios.a, |level| level == 0.9);
    studios.a.order("undo!");
    level_is(&mut studios.b, |level| level != 0.9);
    studios.agree();
}

#[test]
fn under_manual_a_card_waits_until_somebody_picks_and_can_be_tried_alone() {
    let mut studios = Studios::open(&[], &[]);
    studios.a.order("strategy continuous manual");
    let manual = |line: &serde_json::Value| line["strategies"]["continuous"] == "manual";
    studios.b.answer_when("conflicts", "conflicts", manual);
    studios.a.order("set hat.level 0.2");
    studios.b.order("set hat.level 0.6");
    let waiting = |line: &serde_json::Value| (line["waits"] == true).then(|| line["id"].as_u64()).flatten();
    let id = studios.b.until("conflict", waiting);
    let held = level_is(&mut studios.a, |level| level == 0.2 || level == 0.6);
    level_is(&mut studios.b, |level| level == held);
    // The other candidate, here alone.
    studios.b.order(&format!("try {id} 1"));
    let tried = level_is(&mut studios.b, |level| level != held);
    level_is(&mut studios.a, |level| level == held);
    studios.b.order("try off");
    level_is(&mut studios.b, |level| level == held);
    studios.a.order(&format!("resolve {id} 1"));
    level_is(&mut studios.a, |level| level == tried);
    level_is(&mut studios.b, |level| level == tried);
    let none = |line: &serde_json::Value| line["cards"].as_array().is_some_and(|cards| cards.is_empty());
    studios.b.answer_when("conflicts", "conflicts", none);
    studios.agree();
}

#[test]
fn the_owner_keeps_the_tempo_and_gives_a_drummer_the_drums() {
    let server = crate::server_process::Server::start();
    let owner = server.session("owner");
    let editor = server.link(&server.invite(&owner.session, "editor"));
    let mut ana = Peer::join(&server.link(&owner), "Ana", &[]);
    let groove = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(groove.path(), crate::GROOVE).expect("a written file");
    ana.order(&format!("load {}", groove.path().display()));
    ana.state_when(|notation| notation.contains("bass"));
    let mut ben = Peer::join(&editor, "Ben", &[]);
    ben.state_when(|notation| notation.contains("bass"));
    ben.client_seen_by(&mut ana);
    ana.order("permit Ben kick");
    ben.answer_when("conflicts", "conflicts", |line| {
        line["people_may"].as_array().is_some_and(|people| people.len() == 1)
    });
    ben.order("step kick 1 on");
    ana.state_when(|notation| notation.contains("seq kick: Xx"));
    for order in ["step hat 1 on", "tempo 99"] {
        ben.order(order);
        let reason = ben.until("refused", |line| Some(text(line, "reason").to_owned()));
        assert!(reason.contains("you may not change"), "{order}: {reason}");
    }
    ana.order("permit Ben default");
    ben.answer_when("conflicts", "conflicts", |line| {
        line["people_may"].as_array().is_some_and(|people| people.is_empty())
    });
    ben.order("step hat 1 on");
    ana.state_when(|notation| notation.contains("seq hat: xx"));
    assert!(ana.quit() && ben.quit());
}
