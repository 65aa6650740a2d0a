//! Each kind of bad input has its clear error, and the server goes on.

use antiphon::wire::{Down, ErrorCode, MAX_FRAME, Up};
use futures_util::SinkExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::tungstenite::Message;

use crate::peer::{Peer, hello, open, open_narrow, receive, refused, send, step};
use crate::server_process::Server;

#[tokio::test]
async fn who_may_not_come_in_is_told_why() {
    let mut server = Server::start();
    let invite = server.session("editor");
    let (code, message) =
        refused(&server, &invite.session, antiphon::wire::Hello { version: 77, ..hello(&invite, 1, 0) })
            .await;
    assert_eq!(code, ErrorCode::Version);
    assert!(message.contains("77") && message.contains(&antiphon::wire::VERSION.to_string()), "{message}");
    let (code, message) = refused(&server, "nowhere", hello(&invite, 1, 0)).await;
    assert_eq!(code, ErrorCode::UnknownSession);
    assert!(message.contains("nowhere"), "{message}");
    let wrong = antiphon::wire::Hello { secret: "x".repeat(26), ..hello(&invite, 1, 0) };
    assert_eq!(refused(&server, &invite.session, wrong).await.0, ErrorCode::Unauthorized);
    let elsewhere = server.session("editor");
    let code = refused(&server, &elsewhere.session, hello(&invite, 1, 0)).await.0;
    assert_eq!(code, ErrorCode::Unauthorized, "an invite opens its own session alone");
    assert!(server.is_running());
}

#[tokio::test]
async fn a_spent_invite_still_knows_its_own() {
    let server = Server::start();
    let session = server.session("owner").session;
    let link = server.command("session", &["--session", &session, "--uses", "1"]);
    let invite = crate::server_process::Invite::from_link(&link);
    drop(Peer::join(&server, &invite, 1).await);
    let (code, message) = refused(&server, &session, hello(&invite, 2, 0)).await;
    assert_eq!(code, ErrorCode::Unauthorized);
    assert!(message.contains("used up"), "{message}");
    let link = server.command("session", &["--session", &session, "--hours", "0"]);
    let late = crate::server_process::Invite::from_link(&link);
    let (code, message) = refused(&server, &session, hello(&late, 2, 0)).await;
    assert_eq!(code, ErrorCode::Unauthorized);
    assert!(message.contains("expired"), "{message}");
    Peer::join(&server, &invite, 1).await;
}

#[tokio::test]
async fn garbage_is_named_and_survived() {
    let mut server = Server::start();
    let invite = server.session("editor");
    let mut a = Peer::join(&server, &invite, 1).await;
    let ours = antiphon::wire::encode_up(&Up::Stop).expect("a frame");
    for garbage in [vec![], vec![0xFF; 40], vec![1, 2, 3], [ours, vec![0; 9]].concat()] {
        a.socket.send(Message::Binary(garbage.clone().into())).await.expect("the server reads");
        let (code, _, fatal) = a.error().await;
        assert_eq!((code, fatal), (ErrorCode::Malformed, false), "{garbage:?}");
    }
    a.socket.send(Message::Text("hello".into())).await.expect("the server reads");
    assert_eq!(a.error().await.0, ErrorCode::Malformed);
    a.send(&Up::Hello(hello(&invite, 1, 0))).await;
    assert_eq!(a.error().await.0, ErrorCode::Unexpected);
    a.send(&Up::Probe { t1: 0 }).await;
    assert_eq!(a.error().await.0, ErrorCode::Unexpected);
    a.edit(1).await;
    a.acked(1).await;
    for _ in 0..100 {
        // The server closes in the middle of it.
        let _ = a.socket.send(Message::Binary(vec![0xFF; 9].into())).await;
    }
    let last = a.until(|down| match down {
        Down::Error { code, fatal: true, .. } => Some(code),
        _ => None,
    });
    assert_eq!(last.await, ErrorCode::RateLimit);

    let mut first = open(&server, "ws", &invite.session).await;
    first.send(Message::Binary(vec![9; 9].into())).await.expect("the server reads");
    let answer = receive(&mut first).await;
    assert!(
        matches!(answer, Some(Down::Error { code: ErrorCode::Malformed, fatal: true, .. })),
        "{answer:?}"
    );
    let mut early = open(&server, "ws", &invite.session).await;
    send(&mut early, &Up::Stop).await;
    let answer = receive(&mut early).await;
    assert!(
        matches!(answer, Some(Down::Error { code: ErrorCode::Unexpected, fatal: true, .. })),
        "{answer:?}"
    );
    assert!(server.is_running());
}

#[tokio::test]
async fn an_oversized_frame_closes_its_socket_alone() {
    let mut server = Server::start();
    let invite = server.session("editor");
    let mut a = Peer::join(&server, &invite, 1).await;
    let mut b = Peer::join(&server, &invite, 2).await;
    // The server may close while it is still being sent.
    let _ = a.socket.send(Message::Binary(vec![0; 4 * MAX_FRAME].into())).await;
    let (code, message, fatal) = a.error().await;
    assert_eq!((code, fatal), (ErrorCode::TooLarge, true));
    assert!(message.contains(&MAX_FRAME.to_string()), "{message}");
    b.edit(1).await;
    b.acked(1).await;
    assert!(server.is_running());
}

#[tokio::test]
async fn haste_is_told_and_the_limit_named() {
    let server = Server::start_with(&["--durable-rate", "5", "--ephemeral-rate", "7"]);
    let invite = server.session("editor");
    let mut a = Peer::join(&server, &invite, 1).await;
    for cseq in 1..=6 {
        a.edit(cseq).await;
    }
    let (code, message, fatal) = a.error().await;
    assert_eq!((code, fatal), (ErrorCode::RateLimit, false));
    assert!(message.contains("at most 5") && message.contains("frame 6"), "{message}");
    for _ in 0..8 {
        a.send(&Up::Fingerprints(vec![])).await;
    }
    let (code, message, _) = a.error().await;
    assert_eq!(code, ErrorCode::RateLimit);
    assert!(message.contains("at most 7"), "{message}");
}

#[tokio::test]
async fn strange_bytes_on_the_port_harm_nobody() {
    let mut server = Server::start();
    let invite = server.session("editor");
    for bytes in
        [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], b"GET / HTTP/1.1\r\nfoo", &[0xFF; 20_000]]
    {
        let mut stream = tokio::net::TcpStream::connect(&server.address).await.expect("the server listens");
        // The server may hang up in the middle.
        let _ = stream.write_all(bytes).await;
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        let _ = tokio::time::timeout(crate::peer::DEADLINE, stream.read_to_end(&mut answer)).await;
    }
    Peer::join(&server, &invite, 1).await;
    assert!(server.is_running());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_listen_is_cut_off_and_comes_back() {
    let server = Server::start_with(&["--durable-rate", "100000"]);
    let invite = server.session("editor");
    let mut a = Peer::join(&server, &invite, 1).await;
    let narrow = open_narrow(&server, &invite.session).await;
    let mut deaf = Peer::join_by(narrow, &invite, 2, 0).await;
    let mut cut_after = None;
    for cseq in 1..=4000u64 {
        a.send_ops(cseq, 0, (0..256).map(|n| step(cseq + n)).collect()).await;
        a.acked(cseq).await;
        if cseq % 50 == 0 && server.get("/metrics").body.contains("antiphon_slow_receivers_total 1") {
            cut_after = Some(cseq);
            break;
        }
    }
    let cut_after = cut_after.expect("a receiver that does not read is cut off");
    let heard = async { while receive(&mut deaf.socket).await.is_some() {} };
    tokio::time::timeout(crate::peer::DEADLINE, heard).await.expect("its socket ends");
    let back = Peer::join_from(&server, &invite, 2, 1).await;
    assert_eq!(back.welcome.client, antiphon::session::ClientId(2));
    a.edit(cut_after + 1).await;
    a.acked(cut_after + 1).await;
}
