//! Every route of the server.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, Request, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::app::App;
use super::invites::{Secret, is_session_id};
use super::limits::{BODY_BYTES, NAME_CHARACTERS, REQUEST_TIMEOUT};
use super::problem::Problem;
use super::room::RoomHandle;
use super::samples;
use super::traffic::TrafficMeter;
use super::upgrade::upgrade;
use super::{clock_socket, metrics, page, session_socket, tokens};
use crate::session::Role;

/// The server's routes.
pub fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/", get(front))
        .route("/health", get(health))
        .route("/ready", get(ready))
        .route("/metrics", get(prometheus))
        .route("/s/{session}", get(session_page))
        .route("/ws/{session}", get(open_session_socket))
        .route("/clock/{session}", get(open_clock_socket))
        .route("/api/v1/sessions", post(create_session))
        .route("/api/v1/token", post(tokens::exchange))
        .route("/api/v1/code", post(tokens::redeem))
        .route("/api/v1/sessions/{session}/participants", get(participants))
        .route("/api/v1/sessions/{session}/fingerprints", get(fingerprints))
        .fallback(|| async { Problem::new(StatusCode::NOT_FOUND, "there is nothing at this address") })
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .layer(middleware::from_fn(in_time))
        .with_state(app.clone())
        // Sample files have a time of their own.
        .merge(samples::router(app))
}

/// A request that takes too long is answered so; a socket's own life begins with its answer.
async fn in_time(request: Request<Body>, next: Next) -> Result<Response, Problem> {
    tokio::time::timeout(REQUEST_TIMEOUT, next.run(request)).await.map_err(|_| {
        let detail = format!("the request was not whole within {} s", REQUEST_TIMEOUT.as_secs());
        Problem::new(StatusCode::REQUEST_TIMEOUT, detail)
    })
}

async fn front() -> &'static str {
    "Antiphon: one groove, many studios. Open an invite link, or see /health and /metrics.\n"
}

async fn health() -> Json<Value> {
    Json(json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION"), "protocol": crate::wire::VERSION }))
}

async fn ready(State(app): State<Arc<App>>) -> Result<Json<Value>, Problem> {
    app.store.check_writable().await?;
    Ok(Json(json!({ "status": "ready" })))
}

async fn prometheus() -> impl IntoResponse {
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    (kind, metrics::handle().render() + &metrics::peers::render())
}

async fn session_page(
    State(app): State<Arc<App>>,
    Path(session): Path<String>,
) -> Result<impl IntoResponse, Problem> {
    let name = session_name(&app, &session).await?;
    // The page is of one piece: its own style and script, nothing from elsewhere.
    let policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'";
    let headers = [(header::CONTENT_SECURITY_POLICY, policy), (header::REFERRER_POLICY, "no-referrer")];
    Ok((headers, Html(page::session_page(&name))))
}

async fn open_session_socket(
    State(app): State<Arc<App>>,
    Path(session): Path<String>,
    Extension(meter): Extension<Arc<TrafficMeter>>,
    request: Request<Body>,
) -> Result<Response, Problem> {
    upgrade(request, move |socket| session_socket::serve(app, session, socket, meter))
}

async fn open_clock_socket(
    State(app): State<Arc<App>>,
    Path(session): Path<String>,
    Extension(meter): Extension<Arc<TrafficMeter>>,
    request: Request<Body>,
) -> Result<Response, Problem> {
    upgrade(request, move |socket| clock_socket::serve(app, session, socket, meter))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewSession {
    #[serde(default)]
    name: String,
}

async fn create_session(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Result<Json<NewSession>, axum::extract::rejection::JsonRejection>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let Json(NewSession { name }) = body.map_err(|error| {
        Problem::new(error.status(), format!("{}; send {{\"name\": …}}", error.body_text()))
    })?;
    let name = name.trim();
    if name.chars().count() > NAME_CHARACTERS {
        let detail = format!("a session's name has at most {NAME_CHARACTERS} characters");
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail));
    }
    if !app.may_create_session() {
        let detail = "too many sessions are being made at the moment; try again in a second";
        return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, detail));
    }
    let session = app.store.create_session(if name.is_empty() { "Jam" } else { name }).await?;
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let place = app.naming.place(host);
    let mut links = Vec::new();
    for role in [Role::Owner, Role::Editor, Role::Listener] {
        links.push(app.store.create_invite(&session, role, None, None).await?.link(&place));
    }
    let answer = json!({
        "session": session, "owner_link": links[0], "editor_link": links[1], "listener_link": links[2],
    });
    Ok((StatusCode::CREATED, Json(answer)))
}

async fn participants(
    State(app): State<Arc<App>>,
    Path(session): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem> {
    let room = authorized_room(&app, &session, &headers).await?;
    room.participants().await.map(Json).ok_or_else(closing)
}

async fn fingerprints(
    State(app): State<Arc<App>>,
    Path(session): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem> {
    let room = authorized_room(&app, &session, &headers).await?;
    room.fingerprints().await.map(Json).ok_or_else(closing)
}

/// The room of somebody who shows an invite's secret.
async fn authorized_room(app: &App, session: &str, headers: &HeaderMap) -> Result<RoomHandle, Problem> {
    admitted_role(app, session, headers).await?;
    Ok(app.room(session).await?)
}

/// What somebody may do who shows an invite's secret.
pub(super) async fn admitted_role(app: &App, session: &str, headers: &HeaderMap) -> Result<Role, Problem> {
    session_name(app, session).await?;
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some(secret) = bearer.and_then(|value| value.strip_prefix("Bearer ")) else {
        let detail = "send the invite's secret: Authorization: Bearer SECRET";
        return Err(Problem::new(StatusCode::UNAUTHORIZED, detail));
    };
    Ok(app.store.role_of(session, &Secret::presented(secret)).await?)
}

async fn session_name(app: &App, session: &str) -> Result<String, Problem> {
    let name = if is_session_id(session) { app.store.session_name(session).await? } else { None };
    name.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "there is no such session on this server"))
}

fn closing() -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the session is closing; try again in a moment")
}
