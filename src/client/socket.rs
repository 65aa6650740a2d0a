//! The session's WebSocket to a server, and what the clock's shares with it.
//!
//! Thread: the session's own, as tasks. A task ends with its socket; whoever started it decides
//! what comes next.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Bytes, Message};

use super::reach::{Failure, Stream};
use super::{Link, Reach};
use crate::wire::{self, Down, Up};

/// How long a connection may take to stand.
const CONNECT: Duration = Duration::from_secs(5);
/// Quiet after which the server is asked for a sign of life.
const HEARTBEAT: Duration = Duration::from_secs(30);
/// How long it may take to give one, and how long one frame may take to leave.
pub(super) const SIGN_OF_LIFE: Duration = Duration::from_secs(10);
/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_millis(200);

/// What a session socket tells; each with the number of the try it belongs to.
pub enum SocketEvent {
    /// A frame came.
    Frame(Box<Down>),
    /// The socket is gone.
    Lost(String),
    /// The server refuses for good.
    Refused(String),
}

/// What is to leave by a session socket.
pub enum Outgoing {
    /// A frame.
    Frame(Vec<u8>),
    /// Say goodbye and close.
    Goodbye,
}

pub(super) type Socket = WebSocketStream<Stream>;

/// Opens a session socket, says hello and carries frames until it is lost.
pub async fn session(
    number: u64,
    link: Link,
    reach: Reach,
    hello: Vec<u8>,
    mut outgoing: mpsc::Receiver<Outgoing>,
    events: mpsc::Sender<(u64, SocketEvent)>,
) {
    let end = match open(&link, reach, "ws", hello).await {
        Ok(socket) => SocketEvent::Lost(carry(number, socket, &mut outgoing, &events).await),
        Err(Failure::Lost(reason)) => SocketEvent::Lost(reason),
        Err(Failure::Refused(reason)) => SocketEvent::Refused(reason),
    };
    // Nobody listens any more: then nobody needs to know.
    let _ = events.send((number, end)).await;
}

/// Opens a socket at `/PLACE/SESSION` and sends its first frame.
pub(super) async fn open(link: &Link, reach: Reach, place: &str, hello: Vec<u8>) -> Result<Socket, Failure> {
    let lost = |error: &dyn std::fmt::Display| Failure::Lost(format!("{link}: {error}"));
    let host = link.server.split_once("://").map_or(link.server.as_str(), |(_, host)| host);
    let target = format!("ws://{host}/{place}/{}", link.session);
    let connect = async {
        let stream = reach.connect(&link.server, link.fingerprint).await?;
        let config = WebSocketConfig::default()
            .max_message_size(Some(wire::MAX_FRAME))
            .max_frame_size(Some(wire::MAX_FRAME));
        let opened = tokio_tungstenite::client_async_with_config(target, stream, Some(config)).await;
        let (mut socket, _) = opened.map_err(|error| refused_or_lost(link, error))?;
        socket.send(Message::Binary(Bytes::from(hello))).await.map_err(|e| lost(&e))?;
        Ok(socket)
    };
    match timeout(CONNECT, connect).await {
        Ok(opened) => opened,
        Err(_) => Err(lost(&"no answer within 5 s")),
    }
}

/// An HTTP answer of the kind "you asked wrongly" will not get better by asking again.
fn refused_or_lost(link: &Link, error: tungstenite::Error) -> Failure {
    if let tungstenite::Error::Http(response) = &error
        && response.status().is_client_error()
        && response.status().as_u16() != 429
    {
        let body = response.body().as_deref().map(String::from_utf8_lossy).unwrap_or_default();
        let status = response.status();
        return Failure::Refused(format!(
            "{link}: {}",
            if body.is_empty() { status.as_str() } else { &body }
        ));
    }
    Failure::Lost(format!("{link}: {error}"))
}

/// Carries frames both ways until the socket ends, and says why it did.
async fn carry(
    number: u64,
    mut socket: Socket,
    outgoing: &mut mpsc::Receiver<Outgoing>,
    events: &mpsc::Sender<(u64, SocketEvent)>,
) -> String {
    let (mut deadline, mut asked) = (Instant::now() + HEARTBEAT, false);
    let mut assembly = wire::Assembly::default();
    loop {
        tokio::select! {
            frame = socket.next() => {
                (deadline, asked) = (Instant::now() + HEARTBEAT, false);
                match take(frame) {
                    Ok(Some(bytes)) => match wire::decode_down(&bytes).and_then(|down| assembly.push(down)) {
                        Ok(None) => {}
                        Ok(Some(down)) => {
                            if events.send((number, SocketEvent::Frame(Box::new(down)))).await.is_err() {
                                return "nobody listens".into();
                            }
                        }
                        Err(error) => return format!("the server sent what is no frame: {error}"),
                    },
                    Ok(None) => {}
                    Err(reason) => return reason,
                }
            }
            message = outgoing.recv() => {
                let Some(Outgoing::Frame(bytes)) = message else {
                    let _ = timeout(GOODBYE, say_goodbye(&mut socket)).await;
                    return "left".into();
                };
                if let Some(reason) = leave(&mut socket, Message::Binary(Bytes::from(bytes))).await {
                    return reason;
                }
            }
            () = tokio::time::sleep_until(deadline) => {
                if asked {
                    return "the server gave no sign of life".into();
                }
                if let Some(reason) = leave(&mut socket, Message::Ping(Bytes::new())).await {
                    return reason;
                }
                (deadline, asked) = (Instant::now() + SIGN_OF_LIFE, true);
            }
        }
    }
}

/// A frame's bytes; `None` for what the protocol keeps to itself; an error when the socket ended.
pub(super) fn take(frame: Option<Result<Message, tungstenite::Error>>) -> Result<Option<Bytes>, String> {
    match frame {
        Some(Ok(Message::Binary(bytes))) => Ok(Some(bytes)),
        Some(Ok(Message::Close(close))) => {
            let reason = close.map(|frame| frame.reason.to_string()).filter(|reason| !reason.is_empty());
            Err(reason.unwrap_or_else(|| "the server closed the connection".into()))
        }
        Some(Ok(_)) => Ok(None),
        Some(Err(error)) => Err(error.to_string()),
        None => Err("the connection ended".into()),
    }
}

/// Sends one message, and says why where it could not.
pub(super) async fn leave(socket: &mut Socket, message: Message) -> Option<String> {
    match timeout(SIGN_OF_LIFE, socket.send(message)).await {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(_) => Some("the connection takes no more frames".into()),
    }
}

async fn say_goodbye(socket: &mut Socket) {
    if let Ok(bytes) = wire::encode_up(&Up::Leave) {
        let _ = socket.send(Message::Binary(Bytes::from(bytes))).await;
    }
    let _ = socket.close(None).await;
    // The server's own close: what was sent before has then arrived.
    while let Some(Ok(_)) = socket.next().await {}
}
