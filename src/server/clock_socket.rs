//! The clock's own socket, so that no large state frame stands before a probe.

use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::{Bytes, Message};

use super::app::{App, Rejection};
use super::limits::{SEND_TIMEOUT, SILENCE, TokenBucket};
use super::metrics::{self, Direction};
use super::outgoing::{encoded, error_frame};
use super::session_socket::{read_hello, refuse};
use super::store::{Admission, AdmitError};
use super::traffic::TrafficMeter;
use super::upgrade::Socket;
use crate::session::{ClientId, Role};
use crate::wire::{Down, ErrorCode, Up, decode_up};

/// Probes a second on one socket; a burst at join sends 20.
const PROBES: u32 = 50;

/// Serves one clock socket: `Hello`, then probes.
pub async fn serve(app: Arc<App>, session: String, mut socket: Socket, meter: Arc<TrafficMeter>) {
    let _alive = app.alive();
    let mut bars = app.bars();
    let admission = match enter(&app, &session, &mut socket, &meter).await {
        Ok(admission) => admission,
        Err(rejection) => return refuse(socket, rejection).await,
    };
    let barred = tokio::select! {
        () = answer(&app, &mut socket, &meter, admission.role) => None,
        reason = barred(&app, &session, admission.client, &mut bars) => Some(reason),
    };
    if let Some(reason) = barred {
        refuse(socket, reason).await;
    }
}

/// Completes when the participant may no longer stay. Looks whenever somebody was barred.
async fn barred(app: &App, session: &str, client: ClientId, bars: &mut watch::Receiver<i64>) -> Rejection {
    while bars.changed().await.is_ok() {
        match app.store.may_stay(session, client).await {
            // A store that does not answer bars nobody.
            Ok(_) | Err(AdmitError::Store(_)) => {}
            Err(reason) => return reason.into(),
        }
    }
    std::future::pending().await
}

/// Answers probes by one clock until another is told of: the peer knows by which one its stamps
/// count.
async fn answer(app: &App, socket: &mut Socket, meter: &TrafficMeter, role: Role) {
    let mut changes = app.clock.stamps();
    let mut stamps = *changes.borrow_and_update();
    let mut bucket = TokenBucket::new(PROBES, Instant::now());
    if !send(socket, meter, encoded(Down::Clock(stamps.told_after(None)))).await {
        return;
    }
    loop {
        let message = tokio::select! {
            message = timeout(SILENCE, socket.next()) => message,
            Ok(()) = changes.changed() => {
                let fresh = *changes.borrow_and_update();
                let told = fresh.told_after(Some(&stamps));
                stamps = fresh;
                if !send(socket, meter, encoded(Down::Clock(told))).await {
                    return;
                }
                continue;
            }
        };
        // First of all: what happens between the two stamps counts as path.
        let t2 = app.clock.stamp(&stamps);
        let bytes = match message {
            Ok(Some(Ok(Message::Binary(bytes)))) => bytes,
            Ok(Some(Ok(Message::Close(_)) | Err(_)) | None) | Err(_) => return,
            Ok(Some(Ok(_))) => continue,
        };
        metrics::frame(Direction::Up, bytes.len());
        meter.received(bytes.len());
        let answer = match decode_up(&bytes) {
            // Where the clock goes on as another epoch between two stamps, the answer is left out.
            Ok(Up::Probe { t1 }) if bucket.take(Instant::now()) => match (t2, app.clock.stamp(&stamps)) {
                (Some(t2), Some(t3)) => encoded(Down::Pong { t1, t2, t3 }),
                _ => continue,
            },
            Ok(Up::Probe { .. }) => error_frame(
                ErrorCode::RateLimit,
                format!("a clock socket takes {PROBES} probes a second; this one was dropped"),
                false,
            ),
            // Who may not change the song may not move its time either.
            Ok(Up::Recall(recollection)) => {
                if role != Role::Listener {
                    app.clock.recall(recollection);
                }
                continue;
            }
            Ok(Up::Leave) => return,
            Ok(_) => error_frame(ErrorCode::Unexpected, "the clock socket takes probes alone", false),
            Err(error) => error_frame(ErrorCode::Malformed, error.to_string(), false),
        };
        if !send(socket, meter, answer).await {
            return;
        }
    }
}

/// Whether the frames have left.
async fn send(socket: &mut Socket, meter: &TrafficMeter, frames: Vec<Bytes>) -> bool {
    for frame in frames {
        metrics::frame(Direction::Down, frame.len());
        meter.sent(frame.len());
        match timeout(SEND_TIMEOUT, socket.send(Message::Binary(frame))).await {
            Ok(Ok(())) => {}
            _ => return false,
        }
    }
    true
}

async fn enter(
    app: &App,
    session: &str,
    socket: &mut Socket,
    meter: &Arc<TrafficMeter>,
) -> Result<Admission, Rejection> {
    let hello = read_hello(socket, app.patience.hello).await?;
    let admission = app.admit(session, &hello).await?;
    let room = app.room(session).await.map_err(|error| Rejection::unavailable(&error))?;
    room.count_clock_socket(admission.client, Arc::downgrade(meter)).await;
    Ok(admission)
}
