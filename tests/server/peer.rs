//! A participant reduced to its socket.

use std::time::Duration;

use antiphon::param::TrackIndex;
use antiphon::pattern::{Edit, PatternIndex, StepField};
use antiphon::session::{Commit, Cseq, Op, Seq, StampedOp};
use antiphon::wire::{Down, ErrorCode, Hello, Up, VERSION, Welcome, decode_down, encode_up};
use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::server_process::{Invite, Server};

/// How long a test waits for a frame before it fails.
pub const DEADLINE: Duration = Duration::from_secs(10);

pub struct Peer {
    pub socket: Socket,
    pub welcome: Welcome,
}

/// A client's socket.
pub type Socket = WebSocketStream<TcpStream>;

/// A socket that has said nothing yet; `kind` is `ws` or `clock`.
pub async fn open(server: &Server, kind: &str, session: &str) -> Socket {
    let stream = TcpStream::connect(&server.address).await.expect("the server listens");
    shake_hands(server, stream, kind, session).await
}

/// A socket that holds little of what it does not read.
pub async fn open_narrow(server: &Server, session: &str) -> Socket {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a small buffer");
    let address = server.address.parse().expect("an address");
    let stream = socket.connect(address).await.expect("the server listens");
    shake_hands(server, stream, "ws", session).await
}

async fn shake_hands(server: &Server, stream: TcpStream, kind: &str, session: &str) -> Socket {
    let url = format!("ws://{}/{kind}/{session}", server.address);
    client_async(url, stream).await.expect("the socket opens").0
}

/// A `Hello` of the profile `key`.
pub fn hello(invite: &Invite, key: u8, last_seq: u64) -> Hello {
    Hello {
        version: VERSION,
        engine_version: 1,
        client_key: [key; 16],
        secret: invite.secret.clone(),
        name: format!("peer {key}"),
        last_seq: Seq(last_seq),
        unanswered: Cseq(1),
    }
}

impl Peer {
    /// Joins as the profile `key`.
    pub async fn join(server: &Server, invite: &Invite, key: u8) -> Peer {
        Peer::join_from(server, invite, key, 0).await
    }

    /// Joins holding the commits up to `last_seq`.
    pub async fn join_from(server: &Server, invite: &Invite, key: u8, last_seq: u64) -> Peer {
        let socket = open(server, "ws", &invite.session).await;
        Peer::join_by(socket, invite, key, last_seq).await
    }

    /// Joins by a socket that has said nothing yet.
    pub async fn join_by(mut socket: Socket, invite: &Invite, key: u8, last_seq: u64) -> Peer {
        send(&mut socket, &Up::Hello(hello(invite, key, last_seq))).await;
        match receive(&mut socket).await {
            Some(Down::Welcome(welcome)) => Peer { socket, welcome },
            other => panic!("a welcome, not {other:?}"),
        }
    }

    pub async fn send(&mut self, up: &Up) {
        send(&mut self.socket, up).await;
    }

    pub async fn send_ops(&mut self, cseq: u64, base: u64, ops: Vec<StampedOp>) {
        self.send(&Up::Ops { cseq: Cseq(cseq), base: Seq(base), ops }).await;
    }

    /// Sends one edit as frame `cseq`.
    pub async fn edit(&mut self, cseq: u64) {
        self.send_ops(cseq, 0, vec![step(cseq)]).await;
    }

    /// The next frame for which `wanted` has an answer; others are passed over.
    pub async fn until<T>(&mut self, mut wanted: impl FnMut(Down) -> Option<T>) -> T {
        let found = async {
            loop {
                let down = receive(&mut self.socket).await.expect("the socket stays open");
                if let Some(found) = wanted(down) {
                    return found;
                }
            }
        };
        timeout(DEADLINE, found).await.expect("the frame comes in time")
    }

    /// The commit of my frame `cseq`.
    pub async fn acked(&mut self, cseq: u64) -> Commit {
        let me = self.welcome.client;
        self.until(|down| match down {
            Down::Commits(commits) => commits.into_iter().find(|c| c.author == me && c.cseq == Cseq(cseq)),
            _ => None,
        })
        .await
    }

    /// The next commits.
    pub async fn commits(&mut self) -> Vec<Commit> {
        self.until(|down| match down {
            Down::Commits(commits) => Some(commits),
            _ => None,
        })
        .await
    }

    /// The next error.
    pub async fn error(&mut self) -> (ErrorCode, String, bool) {
        self.until(|down| match down {
            Down::Error { code, message, fatal } => Some((code, message, fatal)),
            _ => None,
        })
        .await
    }
}

pub async fn send(socket: &mut Socket, up: &Up) {
    socket.send(Message::Binary(encode_up(up).expect("a frame").into())).await.expect("the server reads");
}

/// The next frame; `None` at the socket's end.
pub async fn receive(socket: &mut Socket) -> Option<Down> {
    loop {
        match timeout(DEADLINE, socket.next()).await.expect("the server answers in time")? {
            Ok(Message::Binary(bytes)) => return Some(decode_down(&bytes).expect("a frame")),
            Ok(Message::Close(_)) | Err(_) => return None,
            Ok(_) => {}
        }
    }
}

/// Joins with a `Hello` that must be refused; the error.
pub async fn refused(server: &Server, session: &str, hello: Hello) -> (ErrorCode, String) {
    let mut socket = open(server, "ws", session).await;
    send(&mut socket, &Up::Hello(hello)).await;
    match receive(&mut socket).await {
        Some(Down::Error { code, message, fatal: true }) => {
            assert!(receive(&mut socket).await.is_none(), "the socket closes");
            (code, message)
        }
        other => panic!("a fatal error, not {other:?}"),
    }
}

/// An edit that differs with `n`.
pub fn step(n: u64) -> StampedOp {
    let track = TrackIndex::new(n as usize % 16).expect("a track");
    let velocity = (n % 100) as f32 / 100.0;
    let (step, field) = ((n / 16 % 64) as u8, StepField::Velocity(velocity));
    let edit = Edit::Step { track, pattern: PatternIndex::FIRST, step, field };
    StampedOp { op: Op::Edit(edit), at: None }
}
