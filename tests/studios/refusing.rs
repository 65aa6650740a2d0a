//! What a peer says when it may not come in, or does not understand.

use crate::peer::{Peer, text};
use crate::server_process::{Invite, Server};

/// Starts a peer on a wrong link: it says why and ends with an error.
fn refused(link: &str, because: &str) {
    let mut peer = Peer::start(link, "stranger", &[]);
    let message = peer.until("refused-for-good", |line| Some(line["message"].to_string()));
    assert!(message.contains(because), "{message}");
    assert!(peer.exit_code().is_some_and(|code| code != 0));
}

#[test]
fn an_unknown_session_is_refused_for_good() {
    let server = Server::start();
    let invite = server.session("editor");
    refused(&server.link(&Invite { session: "nowhere".into(), ..invite }), "session");
}

#[test]
fn a_wrong_secret_is_refused_for_good() {
    let server = Server::start();
    let invite = server.session("editor");
    refused(&server.link(&Invite { secret: "guess".into(), ..invite }), "invite");
}

#[test]
fn a_listener_may_not_edit_and_is_told_so() {
    let server = Server::start();
    let invite = server.session("editor");
    let groove = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(groove.path(), crate::GROOVE).expect("a written file");
    let file = groove.path().to_str().expect("a plain path");
    let mut editor = Peer::join(&server.link(&invite), "editor", &["--load", file]);
    let held = editor.state_when(|notation| notation.contains("bass"));
    let link = server.link(&server.invite(&invite.session, "listener"));
    let mut listener = Peer::join(&link, "listener", &[]);
    listener.state_when(|notation| notation == held);
    listener.order("step kick 2 on");
    let reason = listener.until("refused", |line| Some(line["reason"].to_string()));
    assert!(reason.contains("Listener"), "{reason}");
    // Rolled back.
    listener.state_when(|notation| notation == held);
    assert_eq!(listener.all("refused").count(), 1);
    assert!(listener.quit() && editor.quit());
}

#[test]
fn a_command_that_makes_no_sense_is_an_error_and_no_end() {
    let server = Server::start();
    let mut peer = Peer::join(&server.link(&server.session("editor")), "clumsy", &[]);
    for (order, because) in [
        ("jump", "no command"),
        ("step tuba 3 on", "no track 'tuba'"),
        ("tempo fast", "no value"),
        ("set master.level 7", "outside"),
        ("load /nowhere/at/all.txt", "cannot be read"),
        ("\u{1}\u{2}", "no command"),
    ] {
        peer.order(order);
        let message = peer.until("error", |line| Some(line["message"].to_string()));
        assert!(message.contains(because), "{order:?}: {message}");
    }
    peer.order("set master.level 0.5");
    peer.state_when(|notation| notation.contains("level master: 0.5"));
    assert!(peer.quit());
}

#[test]
fn a_script_need_not_wait_between_its_lines() {
    let server = Server::start();
    let groove = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(groove.path(), crate::GROOVE).expect("a written file");
    let mut peer = Peer::join(&server.link(&server.session("editor")), "script", &[]);
    peer.order(&format!("load {}", groove.path().display()));
    peer.order("step kick 2 on");
    peer.order("state");
    let notation = peer.until("state", |line| Some(text(line, "notation").to_owned()));
    assert!(notation.contains("seq kick: X.x.x..."), "{notation}");
    assert_eq!(peer.all("error").count(), 0);
    assert!(peer.quit());
}

#[test]
fn without_a_connection_the_transport_is_this_machines_own_and_edits_wait() {
    let mut server = Server::start();
    let mut peer = Peer::join(&server.link(&server.session("editor")), "alone", &[]);
    server.kill();
    peer.until("offline", |_| Some(()));
    peer.order("play");
    peer.until("timeline", |line| (line["playing"] == true).then_some(()));
    peer.order("stop");
    peer.until("timeline", |line| (line["playing"] == false).then_some(()));
    peer.order("set master.level 0.5");
    peer.order("chat anybody?");
    let message = peer.until("error", |line| Some(line["message"].to_string()));
    assert!(message.contains("no connection"), "{message}");
    server.restart_in_place();
    peer.state_when(|notation| notation.contains("level master: 0.5"));
    assert!(peer.quit());
}
