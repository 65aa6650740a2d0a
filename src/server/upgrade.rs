//! From an HTTP request to a WebSocket: the handshake's checks, ours throughout.

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, header};
use axum::response::Response;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::problem::Problem;
use crate::wire::MAX_FRAME;

/// A client's socket.
pub type Socket = WebSocketStream<TokioIo<hyper::upgrade::Upgraded>>;

/// Checks the request, answers 101 and hands the socket to `serve` once it is open.
///
/// # Errors
/// The request is no WebSocket handshake of version 13, its key is no 16 bytes in base 64, or it
/// comes from a page of another origin.
pub fn upgrade<F>(
    mut request: Request<Body>,
    serve: impl FnOnce(Socket) -> F + Send + 'static,
) -> Result<Response, Problem>
where
    F: Future<Output = ()> + Send,
{
    let accept = accept_key(request.headers())?;
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        match upgraded.await {
            Ok(io) => {
                let socket =
                    WebSocketStream::from_raw_socket(TokioIo::new(io), Role::Server, Some(config())).await;
                serve(socket).await;
            }
            Err(error) => tracing::debug!(%error, "a socket closed during its handshake"),
        }
    });
    Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(header::CONNECTION, "Upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_ACCEPT, accept)
        .body(Body::empty())
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, error.to_string()))
}

fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .max_message_size(Some(MAX_FRAME))
        .max_frame_size(Some(MAX_FRAME))
        .read_buffer_size(8 * 1024)
}

fn accept_key(headers: &HeaderMap) -> Result<String, Problem> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("");
    let bad = |detail: &str| Err(Problem::new(StatusCode::BAD_REQUEST, detail));
    let mut connection = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let asks = |value: &str| value.split(',').any(|part| part.trim().eq_ignore_ascii_case("upgrade"));
    if !text(header::UPGRADE).eq_ignore_ascii_case("websocket") || !connection.any(asks) {
        return Err(Problem::new(StatusCode::UPGRADE_REQUIRED, "this address is a WebSocket"));
    }
    if text(header::SEC_WEBSOCKET_VERSION) != "13" {
        return bad("Sec-WebSocket-Version must be 13");
    }
    let key = text(header::SEC_WEBSOCKET_KEY);
    // 16 bytes in base 64: 22 letters and two `=`.
    let letters = key.strip_suffix("==").unwrap_or("");
    if letters.len() != 22 || !letters.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/') {
        return bad("Sec-WebSocket-Key must be 16 bytes in base 64");
    }
    if let Some(origin) = headers.get(header::ORIGIN) {
        let origin = origin.to_str().unwrap_or("");
        let host = origin.split_once("://").map_or("", |(_, host)| host);
        if host.is_empty() || !host.eq_ignore_ascii_case(text(header::HOST)) {
            return Err(Problem::new(
                StatusCode::FORBIDDEN,
                "a page of another origin may not open this socket",
            ));
        }
    }
    Ok(derive_accept_key(key.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(change: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let good = [
            ("host", "room.example:9000"),
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        for (name, value) in good.iter().chain(change) {
            headers.insert(*name, value.parse().expect("a header"));
        }
        headers
    }

    #[test]
    fn the_handshake_follows_rfc_6455() {
        assert_eq!(accept_key(&headers(&[])).expect("a handshake"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        for broken in [
            ("upgrade", "h2c"),
            ("connection", "close"),
            ("sec-websocket-version", "8"),
            ("sec-websocket-key", "short=="),
        ] {
            assert!(accept_key(&headers(&[broken])).is_err(), "{broken:?}");
        }
    }

    #[test]
    fn another_origin_is_refused() {
        assert!(accept_key(&headers(&[("origin", "http://room.example:9000")])).is_ok());
        let stranger = accept_key(&headers(&[("origin", "http://evil.example")]));
        assert_eq!(stranger.map_err(|p| p.status), Err(StatusCode::FORBIDDEN));
    }
}
