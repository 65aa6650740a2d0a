//! One participant's session socket: its entry, its reader with limits, its writer with deadlines.

use std::sync::Arc;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Duration, Instant, MissedTickBehavior, interval_at, timeout, timeout_at};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message, error::CapacityError};

use super::app::{App, Rejection};
use super::limits::{HEARTBEAT, Rates, SEND_TIMEOUT, SILENCE, TokenBucket};
use super::metrics::{self, Direction};
use super::outgoing::{encoded, error_frame};
use super::room::{Entry, Outbound, Packet, Packets, Passed, RoomHandle, Seat};
use super::traffic::TrafficMeter;
use super::upgrade::Socket;
use crate::wire::{Ask, Down, ErrorCode, Hello, Hidden, MAX_FRAME, News, Up, decode_up};

/// How long a closing socket waits for the other side to read what it was told.
const LINGER: Duration = Duration::from_secs(2);

/// Looks at branches and the past a second: each may read thousands of commits.
const LOOKUPS: u32 = 10;
/// Frames a second that cannot be read and are answered one by one.
const GARBAGE: u32 = 20;
const LAPSED: &str = "your token has expired; come again with the invite";
const TOO_MUCH_GARBAGE: &str = "too many frames that cannot be read; is this an Antiphon client?";

/// Serves one session socket to its end.
pub async fn serve(app: Arc<App>, session: String, mut socket: Socket, meter: Arc<TrafficMeter>) {
    let _alive = app.alive();
    let (outbound, packets) = Outbound::channel();
    let (room, seat) = match enter(&app, &session, &mut socket, &outbound, &meter).await {
        Ok(entered) => entered,
        Err(rejection) => return refuse(socket, rejection).await,
    };
    let (mut sink, mut stream) = socket.split();
    give_token(&app, &session, seat, &outbound).await;
    {
        let writer = write(&mut sink, packets, &outbound, &meter);
        tokio::pin!(writer);
        let reader =
            Reader { app: &app, session: &session, room: &room, seat, outbound: &outbound, meter: &meter };
        tokio::select! {
            () = reader.read(&mut stream, app.rates) => {
                room.leave(seat).await;
                outbound.finish();
                // What the reader said last still goes out.
                let _ = timeout(SEND_TIMEOUT, &mut writer).await;
            }
            () = &mut writer => room.leave(seat).await,
        }
    }
    if let Ok(socket) = stream.reunite(sink) {
        linger(socket).await;
    }
}

/// Gives a participant a fresh token. Without one it has its invite, and the next ask may succeed.
async fn give_token(app: &App, session: &str, seat: Seat, outbound: &Outbound) {
    let life = app.patience.token;
    match app.store.issue_token(session, seat.client, life.as_millis() as i64).await {
        Ok(token) => {
            let token = Hidden(token.expose().to_owned());
            let news = News::Token { token, seconds: life.as_secs() as u32 };
            outbound.send(encoded(Down::People(news)));
        }
        Err(error) => tracing::error!(%error, "a token could not be stored"),
    }
}

async fn enter(
    app: &App,
    session: &str,
    socket: &mut Socket,
    outbound: &Outbound,
    meter: &Arc<TrafficMeter>,
) -> Result<(RoomHandle, Seat), Rejection> {
    let hello = read_hello(socket, app.patience.hello).await?;
    let admission = app.admit(session, &hello).await?;
    // A room may close between being found and being entered; it is then opened anew.
    for _ in 0..3 {
        let room = app.room(session).await.map_err(|error| Rejection::unavailable(&error))?;
        let entry = Entry {
            admission,
            hello: hello.clone(),
            outbound: outbound.clone(),
            meter: Arc::downgrade(meter),
        };
        if let Some(entered) = room.enter(entry).await {
            return entered.map(|seat| (room, seat));
        }
    }
    Err(Rejection {
        code: ErrorCode::Unavailable,
        message: "the session is closing; try again in a moment".to_owned(),
    })
}

/// Waits for a socket's first frame, which must be a `Hello`.
///
/// # Errors
/// It is something else, or did not come in time.
pub async fn read_hello(socket: &mut Socket, patience: Duration) -> Result<Hello, Rejection> {
    let reject = |code, message: String| Err(Rejection { code, message });
    let first = async {
        loop {
            match socket.next().await {
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => return other,
            }
        }
    };
    let Ok(first) = timeout(patience, first).await else {
        let message = format!("no Hello came within {patience:?}");
        return reject(ErrorCode::Unexpected, message);
    };
    match first {
        Some(Ok(Message::Binary(bytes))) => {
            metrics::frame(Direction::Up, bytes.len());
            match decode_up(&bytes) {
                Ok(Up::Hello(hello)) => Ok(hello),
                Ok(_) => reject(ErrorCode::Unexpected, "the first frame must be a Hello".to_owned()),
                Err(error) => {
                    reject(ErrorCode::Malformed, format!("the first frame must be a Hello: {error}"))
                }
            }
        }
        Some(Ok(_)) => reject(ErrorCode::Malformed, "frames are binary".to_owned()),
        Some(Err(Error::Capacity(_))) => reject(ErrorCode::TooLarge, too_large()),
        Some(Err(_)) | None => reject(ErrorCode::Unexpected, "the socket closed before its Hello".to_owned()),
    }
}

/// Tells a socket why it may not stay, and closes it.
pub async fn refuse(mut socket: Socket, rejection: Rejection) {
    tracing::debug!(code = ?rejection.code, rejection.message, "a socket was refused");
    let frames = error_frame(rejection.code, rejection.message, true);
    let told = async {
        for frame in frames {
            socket.feed(Message::Binary(frame)).await?;
        }
        socket.close(None).await
    };
    if let Ok(Ok(())) = timeout(SEND_TIMEOUT, told).await {
        linger(socket).await;
    }
}

/// Closing with unread bytes would make the kernel reset the connection, and the other side might
/// never read the reason. So they are read and thrown away, for a moment.
async fn linger(socket: Socket) {
    let mut io = socket.into_inner();
    let drained = async {
        io.shutdown().await?;
        let mut waste = [0; 4096];
        while io.read(&mut waste).await? > 0 {}
        std::io::Result::Ok(())
    };
    let _ = timeout(LINGER, drained).await;
}

fn too_large() -> String {
    format!("a frame has at most {MAX_FRAME} bytes; send less at once")
}

struct Reader<'a> {
    app: &'a App,
    session: &'a str,
    room: &'a RoomHandle,
    seat: Seat,
    outbound: &'a Outbound,
    meter: &'a TrafficMeter,
}

impl Reader<'_> {
    /// Reads until the socket closes, falls silent, or breaks a rule that closes it.
    async fn read(&self, stream: &mut SplitStream<Socket>, rates: Rates) {
        let mut limits = Limits::new(rates);
        let mut lapse = Instant::now() + self.app.patience.token;
        loop {
            let message = match timeout_at(lapse.min(Instant::now() + SILENCE), stream.next()).await {
                Ok(Some(message)) => message,
                Err(_) if Instant::now() >= lapse => return self.complain(ErrorCode::Expired, LAPSED, true),
                Ok(None) | Err(_) => return,
            };
            let bytes = match message {
                Ok(Message::Binary(bytes)) => bytes,
                Ok(Message::Text(_)) => {
                    if !limits.forgives() {
                        return self.complain(ErrorCode::RateLimit, TOO_MUCH_GARBAGE, true);
                    }
                    self.complain(ErrorCode::Malformed, "frames are binary; this text was dropped", false);
                    continue;
                }
                Ok(Message::Close(_)) => return,
                Ok(_) => continue,
                Err(Error::Capacity(CapacityError::MessageTooLong { .. })) => {
                    return self.complain(ErrorCode::TooLarge, too_large(), true);
                }
                Err(_) => return,
            };
            metrics::frame(Direction::Up, bytes.len());
            self.meter.received(bytes.len());
            let up = match decode_up(&bytes) {
                Ok(Up::Leave) => return,
                Ok(Up::Hello(_)) => Err((ErrorCode::Unexpected, "there was a Hello already".to_owned())),
                Ok(Up::Probe { .. } | Up::Recall(_)) => {
                    Err((ErrorCode::Unexpected, "probes belong on the clock socket".to_owned()))
                }
                Ok(up) => limits.admit(&up).map(|()| up).map_err(|rule| (ErrorCode::RateLimit, rule)),
                Err(_) if !limits.forgives() => {
                    return self.complain(ErrorCode::RateLimit, TOO_MUCH_GARBAGE, true);
                }
                Err(error) => Err((ErrorCode::Malformed, error.to_string())),
            };
            match up {
                Ok(Up::People(Ask::Token)) => {
                    lapse = Instant::now() + self.app.patience.token;
                    give_token(self.app, self.session, self.seat, self.outbound).await;
                }
                Ok(up) => {
                    let again = again(&up);
                    match self.room.up(self.seat, up, bytes.len(), rates.session_bytes).await {
                        Passed::On => {}
                        Passed::Closed => return,
                        Passed::Full => {
                            let most = rates.session_bytes;
                            let message =
                                format!("at most {most} bytes of a session's frames wait at a time; {again}");
                            self.complain(ErrorCode::RateLimit, message, false);
                        }
                    }
                }
                Err((code, message)) => self.complain(code, message, false),
            }
        }
    }

    fn complain(&self, code: ErrorCode, message: impl Into<String>, fatal: bool) {
        self.outbound.send(error_frame(code, message, fatal));
    }
}

/// What a connection may send, by kind.
struct Limits {
    rates: Rates,
    durable: TokenBucket,
    ephemeral: TokenBucket,
    chat: TokenBucket,
    lookups: TokenBucket,
    garbage: TokenBucket,
}

impl Limits {
    fn new(rates: Rates) -> Limits {
        let bucket = |rate| TokenBucket::new(rate, Instant::now());
        Limits {
            rates,
            durable: bucket(rates.durable),
            ephemeral: bucket(rates.ephemeral),
            chat: bucket(rates.chat),
            lookups: bucket(LOOKUPS),
            garbage: bucket(GARBAGE),
        }
    }

    /// Whether one more frame that cannot be read is answered rather than the last straw.
    fn forgives(&mut self) -> bool {
        self.garbage.take(Instant::now())
    }

    fn admit(&mut self, up: &Up) -> Result<(), String> {
        let (bucket, rate, what) = match up {
            Up::People(Ask::Lock(_) | Ask::Unlock(_) | Ask::Notes(_)) => {
                (&mut self.ephemeral, self.rates.ephemeral, "locks and live notes")
            }
            Up::Ops { .. }
            | Up::Start { .. }
            | Up::CountIn { .. }
            | Up::Stop
            | Up::Lead(_)
            | Up::People(_) => (&mut self.durable, self.rates.durable, "edits and requests"),
            Up::Line(ask) if ask.is_durable() => (&mut self.durable, self.rates.durable, "edits of branches"),
            Up::Line(_) => (&mut self.lookups, LOOKUPS, "looks at branches and the past"),
            Up::Chat(_) => (&mut self.chat, self.rates.chat, "lines of chat"),
            _ => (&mut self.ephemeral, self.rates.ephemeral, "gestures, presence and fingerprints"),
        };
        if bucket.take(Instant::now()) {
            return Ok(());
        }
        Err(format!("at most {rate} {what} a second; {}", again(up)))
    }
}

/// What becomes of a frame that finds no room.
fn again(up: &Up) -> String {
    match up {
        Up::Ops { cseq, .. } => format!("send frame {} again in a moment", cseq.0),
        _ => "this one was dropped".to_owned(),
    }
}

/// Sends packets until the queue closes or the receiver does not keep up.
async fn write(
    sink: &mut SplitSink<Socket, Message>,
    mut packets: Packets,
    outbound: &Outbound,
    meter: &TrafficMeter,
) {
    let mut heartbeat = interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let packet = tokio::select! {
            biased;
            () = outbound.killed() => return metrics::slow_receiver(),
            packet = packets.next() => packet,
            _ = heartbeat.tick() => Packet::Heartbeat,
        };
        // What else waits goes into the same segment.
        let sent = async {
            let mut next = Some(packet);
            let mut open = true;
            while let Some(packet) = next {
                match packet {
                    Packet::Frames(frames) => feed(sink, frames, meter).await?,
                    Packet::Heartbeat => sink.feed(Message::Ping(Bytes::new())).await?,
                    Packet::Finish => {
                        sink.feed(Message::Close(None)).await?;
                        open = false;
                        break;
                    }
                }
                next = packets.try_next();
            }
            sink.flush().await?;
            Ok::<bool, Error>(open)
        };
        let sent = tokio::select! {
            () = outbound.killed() => return metrics::slow_receiver(),
            sent = timeout(SEND_TIMEOUT, sent) => sent,
        };
        match sent {
            Ok(Ok(true)) => {}
            Ok(Ok(false) | Err(_)) => return,
            Err(_) => return metrics::slow_receiver(),
        }
    }
}

async fn feed(
    sink: &mut SplitSink<Socket, Message>,
    frames: Vec<Bytes>,
    meter: &TrafficMeter,
) -> Result<(), Error> {
    for frame in frames {
        metrics::frame(Direction::Down, frame.len());
        meter.sent(frame.len());
        sink.feed(Message::Binary(frame)).await?;
    }
    Ok(())
}
