//! The clock's own socket, so that no large state frame stands before a probe.

use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::Message;

use super::app::{App, Rejection};
use super::limits::{SEND_TIMEOUT, SILENCE, TokenBucket};
use super::metrics::{self, Direction};
use super::outgoing::{encoded, error_frame};
use super::session_socket::{read_hello, refuse};
use super::traffic::TrafficMeter;
use super::upgrade::Socket;
use crate::wire::{Down, ErrorCode, Up, decode_up};

/// Probes a second on one socket; a burst at join sends 20.
const PROBES: u32 = 50;

/// Serves one clock socket: `Hello`, then probes.
pub async fn serve(app: Arc<App>, session: String, mut socket: Socket, meter: Arc<TrafficMeter>) {
    let _alive = app.alive();
    if let Err(rejection) = enter(&app, &session, &mut socket, &meter).await {
        refuse(socket, rejection).await;
        return;
    }
    let mut bucket = TokenBucket::new(PROBES, Instant::now());
    while let Ok(Some(Ok(message))) = timeout(SILENCE, socket.next()).await {
        // First of all: what happens between the two stamps counts as path.
        let t2 = app.clock.now();
        let bytes = match message {
            Message::Binary(bytes) => bytes,
            Message::Close(_) => break,
            _ => continue,
        };
        metrics::frame(Direction::Up, bytes.len());
        meter.received(bytes.len());
        let answer = match decode_up(&bytes) {
            Ok(Up::Probe { t1 }) if bucket.take(Instant::now()) => {
                encoded(Down::Pong { t1, t2, t3: app.clock.now() })
            }
            Ok(Up::Probe { .. }) => error_frame(
                ErrorCode::RateLimit,
                format!("a clock socket takes {PROBES} probes a second; this one was dropped"),
                false,
            ),
            Ok(Up::Leave) => break,
            Ok(_) => error_frame(ErrorCode::Unexpected, "the clock socket takes probes alone", false),
            Err(error) => error_frame(ErrorCode::Malformed, error.to_string(), false),
        };
        for frame in answer {
            metrics::frame(Direction::Down, frame.len());
            meter.sent(frame.len());
            match timeout(SEND_TIMEOUT, socket.send(Message::Binary(frame))).await {
                Ok(Ok(())) => {}
                _ => return,
            }
        }
    }
}

async fn enter(
    app: &App,
    session: &str,
    socket: &mut Socket,
    meter: &Arc<TrafficMeter>,
) -> Result<(), Rejection> {
    let hello = read_hello(socket).await?;
    let admission = app.admit(session, &hello).await?;
    let room = app.room(session).await.map_err(|error| Rejection::unavailable(&error))?;
    room.count_clock_socket(admission.client, Arc::downgrade(meter)).await;
    Ok(())
}
