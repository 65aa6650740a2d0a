//! What is reached by plain HTTP.

use crate::peer::Peer;
use crate::server_process::{Invite, Server, program};

#[tokio::test]
async fn health_readiness_and_metrics_answer() {
    let server = Server::start();
    assert_eq!((server.get("/health").status, server.get("/ready").status), (200, 200));
    let invite = server.session("editor");
    let mut a = Peer::join(&server, &invite, 1).await;
    a.edit(1).await;
    a.acked(1).await;
    let figures = server.get("/metrics");
    assert_eq!(figures.status, 200);
    for line in [
        "antiphon_sessions 1",
        "antiphon_participants 1",
        "antiphon_commits_total 1",
        "antiphon_ack_seconds_count 1",
        "antiphon_frames_total{direction=\"up\"} 2",
    ] {
        assert!(figures.body.contains(line), "{line} in {}", figures.body);
    }
}

#[tokio::test]
async fn a_session_is_made_by_one_request() {
    let server = Server::start();
    let json = [("content-type", "application/json")];
    let made = server.request("POST", "/api/v1/sessions", &json, r#"{"name":"Späti <3"}"#);
    assert_eq!(made.status, 201);
    let made = made.json();
    for (link, role) in [("owner_link", "Owner"), ("editor_link", "Editor"), ("listener_link", "Listener")] {
        let invite = Invite::from_link(made[link].as_str().expect("a link"));
        let key = link.len() as u8;
        let peer = Peer::join(&server, &invite, key).await;
        assert_eq!(format!("{:?}", peer.welcome.role), role);
    }
    let page = server.get(&format!("/s/{}", made["session"].as_str().expect("an id")));
    assert_eq!(page.status, 200);
    assert!(page.body.contains("Späti &lt;3") && page.body.contains("Antiphon plugin"));

    let broken = server.request("POST", "/api/v1/sessions", &json, "{");
    assert_eq!(broken.status, 400);
    assert!(broken.head.contains("application/problem+json"));
    assert_eq!(broken.json()["status"], 400);
}

#[tokio::test]
async fn participants_are_for_the_invited_and_count_the_wire() {
    let server = Server::start();
    let invite = server.session("editor");
    let mut a = Peer::join(&server, &invite, 1).await;
    a.edit(1).await;
    a.acked(1).await;
    let path = format!("/api/v1/sessions/{}/participants", invite.session);
    assert_eq!(server.get(&path).status, 401);
    assert_eq!(server.request("GET", &path, &[("authorization", "Bearer nonsense")], "").status, 401);
    assert_eq!(server.get("/api/v1/sessions/nowhere/participants").status, 404);
    let bearer = format!("Bearer {}", invite.secret);
    let list = server.request("GET", &path, &[("authorization", &bearer)], "").json();
    let me = &list[0];
    assert_eq!((&me["client"], &me["name"], &me["role"]), (&1.into(), &"peer 1".into(), &"Editor".into()));
    for figure in ["bytes_up", "bytes_down"] {
        assert!(me[figure].as_u64().is_some_and(|bytes| (200..20_000).contains(&bytes)), "{list}");
    }
    assert!(me["seconds"].as_f64().is_some_and(|seconds| seconds > 0.0));
}

#[tokio::test]
async fn a_page_of_another_origin_opens_no_socket() {
    let server = Server::start();
    let session = server.session("editor").session;
    let handshake = |origin| {
        let headers = [
            ("upgrade", "websocket"),
            ("connection", "Upgrade"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("origin", origin),
        ];
        server.request("GET", &format!("/ws/{session}"), &headers, "").status
    };
    assert_eq!(handshake("http://evil.example"), 403);
    assert_eq!(server.get(&format!("/ws/{session}")).status, 426);
    assert_eq!(server.get("/nothing").status, 404);
}

#[test]
fn plaintext_beyond_this_machine_needs_consent() {
    let data = tempfile::tempdir().expect("a folder");
    let refused = program()
        .args(["serve", "--listen", "0.0.0.0:0", "--data"])
        .arg(data.path())
        .output()
        .expect("the program runs");
    assert!(!refused.status.success());
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("--insecure-plaintext"), "{said}");
}
