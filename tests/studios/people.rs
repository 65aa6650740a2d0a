//! People in real peers: tokens renewed, codes, kicks, roles, hands, following, chat.

use crate::peer::{Peer, number, text};
use crate::server_process::{Invite, Server};

/// A groove with two tracks.
fn load(peer: &mut Peer) {
    let groove = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(groove.path(), crate::GROOVE).expect("a written file");
    peer.order(&format!("load {}", groove.path().display()));
    peer.state_when(|notation| notation.contains("bass"));
}

/// Ana owns the session, Ben edits.
fn ana_and_ben(arguments: &[&str]) -> (Server, Invite, Peer, Peer) {
    let server = Server::start_with(arguments);
    let owner = server.session("owner");
    let editor = server.link(&server.invite(&owner.session, "editor"));
    let mut ana = Peer::join(&server.link(&owner), "Ana", &[]);
    load(&mut ana);
    let mut ben = Peer::join(&editor, "Ben", &[]);
    ben.state_when(|notation| notation.contains("bass"));
    ana.client_seen_by(&mut ben);
    ben.client_seen_by(&mut ana);
    (server, owner, ana, ben)
}

#[test]
fn a_client_renews_its_token_and_stays() {
    let (_server, _, mut ana, ben) = ana_and_ben(&["--token-seconds", "1.5"]);
    // Twice as long as a token lasts.
    for level in 1..=6 {
        ana.order(&format!("set master.level 0.{level}"));
        ana.state_when(|notation| notation.contains(&format!("level master: 0.{level}")));
        let deadline = std::time::Instant::now() + std::time::Duration::from_millis(500);
        while std::time::Instant::now() < deadline {
            ana.order("clock");
            ana.until("clock", |_| Some(()));
        }
    }
    assert_eq!(ana.all("offline").count(), 0);
    assert!(ana.quit() && ben.quit());
}

#[test]
fn a_code_read_out_brings_a_friend_in() {
    let (_server, _, mut ana, ben) = ana_and_ben(&[]);
    ana.order("code editor");
    let link = ana.until("code", |line| Some(text(line, "link").to_owned()));
    let mut carl = Peer::join(&link, "Carl", &[]);
    carl.state_when(|notation| notation.contains("bass"));
    ana.order("invite listener 60 1");
    let link = ana.until("invite", |line| Some(text(line, "link").to_owned()));
    let dora = Peer::join(&link, "Dora", &[]);
    let (server, _) = link.split_once("/s/").expect("a link");
    let mut guess = Peer::start(&format!("{server}/c/aaa-aaa"), "Guess", &[]);
    guess.until("refused-for-good", |line| line["message"].to_string().contains("no session").then_some(()));
    assert!(guess.exit_code().is_some_and(|code| code != 0));
    assert!(ana.quit() && ben.quit() && carl.quit() && dora.quit());
}

#[test]
fn a_kick_and_a_role_reach_a_live_peer() {
    let (_server, _, mut ana, mut ben) = ana_and_ben(&[]);
    ana.order("role ben listener");
    ben.until("role", |line| (line["role"] == "Listener").then_some(()));
    ben.order("step kick 2 on");
    ben.until("refused", |line| line["reason"].to_string().contains("Listener").then_some(()));
    ana.order("role ben editor");
    ben.until("role", |line| (line["role"] == "Editor").then_some(()));
    ben.order("kick ana");
    ben.until("error", |line| line["message"].to_string().contains("only an owner").then_some(()));
    ana.order("kick nobody");
    ana.until("error", |line| line["message"].to_string().contains("nobody here").then_some(()));
    ana.order("kick Ben");
    ben.until("refused-for-good", |line| line["message"].to_string().contains("sent you away").then_some(()));
    assert!(ben.exit_code().is_some_and(|code| code != 0));
    assert!(ana.quit());
}

#[test]
fn a_hand_on_a_track_is_shown_and_both_are_told() {
    let (_server, _, mut ana, mut ben) = ana_and_ben(&[]);
    ana.order("lock kick");
    ben.until("lock", |line| (line["from"] == "Ana" && line["part"] == "kick").then_some(()));
    ben.order("step kick 2 on");
    for peer in [&mut ana, &mut ben] {
        peer.until("touched", |line| (line["holder"] == "Ana" && line["by"] == "Ben").then_some(()));
    }
    ana.state_when(|notation| notation.contains("seq kick: X.x.x"));
    ana.order("unlock");
    ben.until("lock", |line| (line["held"] == false).then_some(()));
    assert!(ana.quit() && ben.quit());
}

#[test]
fn my_focus_goes_with_theirs_until_i_move() {
    let (_server, _, mut ana, mut ben) = ana_and_ben(&[]);
    ben.order("follow ana");
    let ben_at = |ana: &mut Peer, step: i64| {
        ana.answer_when("people", "peers", |line| {
            let peers = line["peers"].as_array().expect("a list");
            peers.iter().any(|peer| peer["name"] == "Ben" && peer["cursor"][1] == step)
        })
    };
    ana.order("cursor hat 5");
    ben_at(&mut ana, 5);
    ana.order("cursor hat 9");
    ben_at(&mut ana, 9);
    ben.order("cursor kick 1");
    ben_at(&mut ana, 1);
    ana.order("cursor hat 11");
    ben.answer_when("people", "peers", |line| line["peers"][0]["cursor"][1] == 11);
    let answer = ben_at(&mut ana, 1);
    assert_eq!(number(&answer["peers"][0], "client"), 2);
    ana.order("chat hear this");
    ben.until("chat", |line| (line["from"] == "Ana" && line["text"] == "hear this").then_some(()));
    assert!(ana.quit() && ben.quit());
}
