//! Invites for tokens, and short codes for invites, by HTTP.

use std::sync::Arc;

use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::{HeaderMap, StatusCode, header};
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};

use super::app::App;
use super::invites::{Secret, is_session_id, role_word};
use super::listen::Caller;
use super::problem::Problem;
use super::room::shown_name;

/// `POST /api/v1/token`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    session: String,
    /// The invite's secret, or a token that has not lapsed.
    secret: String,
    /// The profile's key: 32 hexadecimal digits.
    client_key: String,
    #[serde(default)]
    name: String,
}

/// `POST /api/v1/code`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Redeem {
    code: String,
}

/// Exchanges an invite for a token, as a `Hello` does.
pub async fn exchange(
    State(app): State<Arc<App>>,
    body: Result<Json<Exchange>, JsonRejection>,
) -> Result<Json<Value>, Problem> {
    let shape = "{\"session\", \"secret\", \"client_key\", \"name\"}";
    let Json(asked) = body.map_err(|error| malformed(&error, shape))?;
    let key = u128::from_str_radix(&asked.client_key, 16).ok().filter(|_| asked.client_key.len() == 32);
    let key = key.ok_or_else(|| {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "client_key is 32 hexadecimal digits")
    })?;
    if !is_session_id(&asked.session) {
        return Err(Problem::new(StatusCode::NOT_FOUND, "there is no such session on this server"));
    }
    let secret = Secret::presented(&asked.secret);
    let name = shown_name(&asked.name);
    let admission = app.store.admit(&asked.session, &secret, &key.to_be_bytes(), &name).await?;
    let life = app.patience.token;
    let token = app.store.issue_token(&asked.session, admission.client, life.as_millis() as i64).await?;
    Ok(Json(json!({
        "token": token.expose(),
        "expires_in": life.as_secs(),
        "client": admission.client.0,
        "role": role_word(admission.role),
    })))
}

/// Gives the invite that a short code stands for.
pub async fn redeem(
    State(app): State<Arc<App>>,
    Extension(Caller(from)): Extension<Caller>,
    headers: HeaderMap,
    body: Result<Json<Redeem>, JsonRejection>,
) -> Result<Json<Value>, Problem> {
    let Json(Redeem { code }) = body.map_err(|error| malformed(&error, "{\"code\"}"))?;
    let Some(invite) = app.redeem(&code, from.ip()).await? else {
        let detail = "this code stands for no session, or no longer; ask for a new one";
        return Err(Problem::new(StatusCode::NOT_FOUND, detail));
    };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    Ok(Json(json!({ "session": invite.session, "link": invite.link(&app.naming.place(host)) })))
}

fn malformed(error: &JsonRejection, shape: &str) -> Problem {
    Problem::new(error.status(), format!("{}; send {shape}", error.body_text()))
}
