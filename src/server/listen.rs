//! The accept loop. Ours rather than axum's, because a connection that sends its head slowly must
//! be cut off and told so, because connections are counted by address, and because each one carries
//! a traffic meter.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll};
use std::time::Duration;

use axum::http::StatusCode;
use axum::{Extension, Router};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;

use super::crowd::Crowd;
use super::limits::HEAD_BYTES;
use super::traffic::TrafficMeter;

/// How long somebody who is turned away may take to read why.
const TURN_AWAY: Duration = Duration::from_secs(2);
/// What a TLS connection begins with: a handshake record.
const TLS_HANDSHAKE: u8 = 0x16;

/// What stands before the routes.
#[derive(Clone)]
pub struct Door {
    /// The connections by address.
    pub crowd: Arc<Crowd>,
    /// TLS, unless this server speaks plain HTTP.
    pub tls: Option<TlsAcceptor>,
    /// The time a connection has for its head, TLS handshake included.
    pub head: Duration,
}

/// The address that a request came from, as the routes see it.
#[derive(Clone, Copy, Debug)]
pub struct Caller(pub SocketAddr);

/// Accepts connections until it is dropped.
pub async fn accept(listener: TcpListener, router: Router, door: Door) {
    loop {
        match listener.accept().await {
            Ok((stream, from)) => {
                tokio::spawn(connection(stream, from, router.clone(), door.clone()));
            }
            Err(error) => {
                // Out of descriptors, mostly: those that end make room.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, from: SocketAddr, router: Router, door: Door) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set");
    }
    let deadline = Instant::now() + door.head;
    let meter = Arc::new(TrafficMeter::new(&stream));
    let router = router.layer(Extension(meter)).layer(Extension(Caller(from)));
    let Some(acceptor) = &door.tls else {
        return serve(stream, from, router, &door, deadline).await;
    };
    let mut first = [0];
    match timeout_at(deadline, stream.peek(&mut first)).await {
        Ok(Ok(1)) if first[0] == TLS_HANDSHAKE => {}
        Ok(Ok(1)) => {
            let detail = "this server speaks TLS: use https, or the invite link as it was given";
            return turn_away(stream, StatusCode::BAD_REQUEST, detail).await;
        }
        // Nothing can be said before the handshake.
        _ => return,
    }
    match timeout_at(deadline, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => serve(stream, from, router, &door, deadline).await,
        Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
        Err(_) => tracing::debug!("a TLS handshake took too long"),
    }
}

async fn serve<S>(mut stream: S, from: SocketAddr, router: Router, door: &Door, deadline: Instant)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let _counted = match door.crowd.enter(from.ip()) {
        Ok(counted) => counted,
        Err(limit) => return turn_away(stream, StatusCode::TOO_MANY_REQUESTS, &limit).await,
    };
    let head = match read_head(&mut stream, deadline).await {
        Ok(Some(head)) => head,
        Ok(None) => return,
        Err(NoHead::Late) => {
            let detail = format!("the HTTP head did not come within {:?}", door.head);
            return turn_away(stream, StatusCode::REQUEST_TIMEOUT, &detail).await;
        }
        Err(NoHead::Large) => {
            let detail = format!("an HTTP head has at most {HEAD_BYTES} bytes");
            return turn_away(stream, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, &detail).await;
        }
    };
    let service = TowerToHyperService::new(router);
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(door.head)
        .serve_connection(TokioIo::new(Begun { head, read: 0, stream }), service)
        .with_upgrades()
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Why there is no head.
enum NoHead {
    Late,
    Large,
}

/// Reads until the first head is whole; `None` where the connection ends before.
async fn read_head<S: AsyncRead + Unpin>(
    stream: &mut S,
    deadline: Instant,
) -> Result<Option<Vec<u8>>, NoHead> {
    let mut head = Vec::with_capacity(1024);
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if head.len() >= HEAD_BYTES {
            return Err(NoHead::Large);
        }
        let room = (HEAD_BYTES - head.len()) as u64;
        match timeout_at(deadline, (&mut *stream).take(room).read_buf(&mut head)).await {
            Ok(Ok(1..)) => {}
            Ok(Ok(0) | Err(_)) => return Ok(None),
            Err(_) => return Err(NoHead::Late),
        }
    }
    Ok(Some(head))
}

/// Says why, and closes.
async fn turn_away<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, status: StatusCode, detail: &str) {
    let body = json!({
        "type": "about:blank",
        "title": status.canonical_reason().unwrap_or("error"),
        "status": status.as_u16(),
        "detail": detail,
    })
    .to_string();
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/problem+json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    );
    let told = async {
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await?;
        // Closing with unread bytes would reset the connection before the answer is read.
        let mut waste = [0; 1024];
        while stream.read(&mut waste).await? > 0 {}
        std::io::Result::Ok(())
    };
    let _ = timeout(TURN_AWAY, told).await;
}

/// A connection whose first bytes have been read already.
struct Begun<S> {
    head: Vec<u8>,
    read: usize,
    stream: S,
}

impl<S: AsyncRead + Unpin> AsyncRead for Begun<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut task::Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let begun = &mut *self;
        let left = &begun.head[begun.read..];
        if left.is_empty() {
            return Pin::new(&mut begun.stream).poll_read(context, into);
        }
        let taken = left.len().min(into.remaining());
        into.put_slice(&left[..taken]);
        begun.read += taken;
        if begun.read == begun.head.len() {
            (begun.head, begun.read) = (Vec::new(), 0);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Begun<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut task::Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut task::Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut task::Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut task::Context<'_>,
        bytes: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
