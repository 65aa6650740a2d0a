//! Every limit answers with an error that says which.

use std::io::{Read, Write};
use std::net::TcpStream;

use antiphon::session::{BranchId, ClientId, Cseq, Detail, Part, Seq};
use antiphon::wire::{Ask, Down, ErrorCode, LineAsk, MAX_FRAME, MAX_NOTES, PlayedNote, Up};
use futures_util::SinkExt;
use tokio_tungstenite::tungstenite::Message;

use crate::peer::{Peer, hello, open, receive, send, step};
use crate::server_process::Server;

/// What a server answers to raw bytes on a connection.
fn answer_to(server: &Server, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(&server.address).expect("the server listens");
    stream.set_read_timeout(Some(crate::peer::DEADLINE)).expect("a timeout");
    stream.write_all(bytes).expect("the server reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the server answers");
    answer
}

#[test]
fn a_head_that_does_not_come_is_told_so() {
    let server = Server::start_with(&["--head-seconds", "0.3"]);
    for begun in [&b"GET /health HTTP/1.1\r\nHo"[..], b""] {
        let answer = answer_to(&server, begun);
        assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("300ms"), "{answer}");
    }
}

#[test]
fn a_head_without_end_is_told_so() {
    let server = Server::start();
    let answer = answer_to(&server, &[b"GET / HTTP/1.1\r\nX: ".to_vec(), vec![b'x'; 20_000]].concat());
    assert!(answer.starts_with("HTTP/1.1 431") && answer.contains("16384"), "{answer}");
}

#[test]
fn a_body_beyond_its_bound_is_told_so() {
    let server = Server::start();
    let json = [("content-type", "application/json")];
    let answer = server.request("POST", "/api/v1/code", &json, &"x".repeat(64 * 1024 + 1));
    assert_eq!(answer.status, 413);
}

#[test]
fn connections_of_one_address_are_counted() {
    let server = Server::start_with(&["--connections-per-address", "2"]);
    let held: Vec<_> =
        (0..2).map(|_| TcpStream::connect(&server.address).expect("the server listens")).collect();
    let refused = loop {
        // Those held may not have been counted yet.
        let answer = answer_to(&server, b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        if !answer.starts_with("HTTP/1.1 200") {
            break answer;
        }
    };
    assert!(refused.starts_with("HTTP/1.1 429") && refused.contains("at most 2"), "{refused}");
    drop(held);
    let deadline = std::time::Instant::now() + crate::peer::DEADLINE;
    while !answer_to(&server, b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .contains("200 OK")
    {
        assert!(std::time::Instant::now() < deadline, "closed connections make room");
    }
}

#[tokio::test]
async fn a_socket_that_says_no_hello_is_told_so_and_closed() {
    let server = Server::start_with(&["--hello-seconds", "0.3"]);
    let invite = server.session("editor");
    for kind in ["ws", "clock"] {
        let mut socket = open(&server, kind, &invite.session).await;
        let told = receive(&mut socket).await;
        let Some(Down::Error { code: ErrorCode::Unexpected, message, fatal: true }) = told else {
            panic!("{told:?}");
        };
        assert!(message.contains("no Hello") && message.contains("300ms"), "{message}");
        assert!(receive(&mut socket).await.is_none(), "the socket closes");
    }
}

#[tokio::test]
async fn a_frame_beyond_its_bound_is_told_so() {
    let server = Server::start();
    let invite = server.session("editor");
    let mut a = Peer::join(&server, &invite, 1).await;
    let _ = a.socket.send(Message::Binary(vec![0; MAX_FRAME + 1].into())).await;
    let (code, message, fatal) = a.error().await;
    assert_eq!((code, fatal), (ErrorCode::TooLarge, true));
    assert!(message.contains("65536"), "{message}");
}

#[tokio::test]
async fn rates_are_told_by_kind() {
    let server = Server::start_with(&["--durable-rate", "3", "--ephemeral-rate", "3"]);
    let invite = server.session("owner");
    let mut a = Peer::join(&server, &invite, 1).await;
    let part = Part::Track(antiphon::param::TrackIndex::all().next().expect("a track"));
    for (ask, named) in [(Ask::Invites, "edits and requests"), (Ask::Lock(part), "locks and live notes")] {
        for _ in 0..5 {
            a.send(&Up::People(ask.clone())).await;
        }
        let told = a.until(|down| match down {
            Down::Error { code: ErrorCode::RateLimit, message, fatal: false } => {
                message.contains(named).then_some(message)
            }
            _ => None,
        });
        assert!(told.await.contains("at most 3"));
    }
    for _ in 0..6 {
        a.send(&Up::Chat("hello".into())).await;
    }
    let chat = a.until(|down| match down {
        Down::Error { code: ErrorCode::RateLimit, message, .. } if message.contains("chat") => Some(message),
        _ => None,
    });
    assert!(chat.await.contains("at most 4"));
}

#[tokio::test]
async fn looks_at_the_past_are_counted() {
    let server = Server::start();
    let invite = server.session("editor");
    let mut a = Peer::join(&server, &invite, 1).await;
    let look = LineAsk::History { line: BranchId::MAIN, before: None, detail: Detail::All, limit: 1 };
    for _ in 0..12 {
        a.send(&Up::Line(look.clone())).await;
    }
    let (code, message, fatal) = a.error().await;
    assert_eq!((code, fatal), (ErrorCode::RateLimit, false));
    assert!(message.contains("at most 10 looks"), "{message}");
}

#[tokio::test]
async fn frames_that_cannot_be_read_have_an_end() {
    let server = Server::start();
    let invite = server.session("editor");
    let mut a = Peer::join(&server, &invite, 1).await;
    for _ in 0..30 {
        // The server may have closed in the middle.
        let _ = a.socket.send(Message::Binary(vec![0xFF; 8].into())).await;
    }
    let last = a.until(|down| match down {
        Down::Error { code: ErrorCode::RateLimit, message, fatal: true } => Some(message),
        _ => None,
    });
    assert!(last.await.contains("too many frames that cannot be read"));
}

#[tokio::test]
async fn probes_are_counted() {
    let server = Server::start();
    let invite = server.session("editor");
    let mut clock = open(&server, "clock", &invite.session).await;
    send(&mut clock, &Up::Hello(hello(&invite, 1, 0))).await;
    for t1 in 0..60 {
        send(&mut clock, &Up::Probe { t1 }).await;
    }
    loop {
        match receive(&mut clock).await {
            Some(Down::Error { code: ErrorCode::RateLimit, message, fatal: false }) => {
                return assert!(message.contains("50 probes"), "{message}");
            }
            Some(Down::Clock(_) | Down::Pong { .. }) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn what_waits_for_a_session_has_a_bound_that_is_told() {
    let server = Server::start_with(&["--session-bytes", "1000"]);
    let invite = server.session("editor");
    let mut a = Peer::join(&server, &invite, 1).await;
    // One frame alone has more.
    let ops: Vec<_> = (0..250).map(step).collect();
    a.send(&Up::Ops { cseq: Cseq(1), base: Seq(0), ops }).await;
    let (code, message, fatal) = a.error().await;
    assert_eq!((code, fatal), (ErrorCode::RateLimit, false));
    assert!(message.contains("1000 bytes") && message.contains("frame 1 again"), "{message}");
    a.send(&Up::Ops { cseq: Cseq(1), base: Seq(0), ops: vec![step(7)] }).await;
    let came = a.until(|down| match down {
        Down::Commits(commits) => Some(commits.len()),
        _ => None,
    });
    assert_eq!(came.await, 1);
}

#[tokio::test]
async fn a_full_session_is_told_so() {
    let server = Server::start();
    let invite = server.session("editor");
    let mut people = Vec::new();
    for key in 0..128 {
        people.push(Peer::join(&server, &invite, key).await);
    }
    let mut late = open(&server, "ws", &invite.session).await;
    send(&mut late, &Up::Hello(hello(&invite, 200, 0))).await;
    let told = receive(&mut late).await;
    let Some(Down::Error { code: ErrorCode::Full, message, fatal: true }) = told else { panic!("{told:?}") };
    assert!(message.contains("128"), "{message}");
    // One who is in may come again all the same.
    Peer::join(&server, &invite, 5).await;
}

#[tokio::test]
async fn hands_have_bounds() {
    let server = Server::start();
    let invite = server.session("editor");
    let mut a = Peer::join(&server, &invite, 1).await;
    let track = antiphon::param::TrackIndex::all().next().expect("a track");
    let note = PlayedNote { track, note: 60, velocity: 1, tick: antiphon::time::Beats::ZERO };
    for ask in [
        Ask::Lock(Part::Cell(track, 64)),
        Ask::Notes(vec![note; MAX_NOTES + 1]),
        Ask::Notes(vec![PlayedNote { velocity: 200, ..note }]),
    ] {
        a.send(&Up::People(ask)).await;
        assert_eq!(a.error().await.0, ErrorCode::Malformed);
    }
    a.send(&Up::People(Ask::Kick(ClientId(9)))).await;
    assert_eq!(a.error().await.0, ErrorCode::Unauthorized);
}
