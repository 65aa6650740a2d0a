//! Errors over HTTP as RFC 9457 problem bodies.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::store::{AdmitError, StoreError};

/// An error with its status, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The HTTP status.
    pub status: StatusCode,
    /// What was wrong, for a person.
    pub detail: String,
}

impl Problem {
    /// A problem with a status.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Problem {
        Problem { status, detail: detail.into() }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or("error"),
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        let kind = [(header::CONTENT_TYPE, "application/problem+json")];
        (self.status, kind, body.to_string()).into_response()
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Problem {
        tracing::error!(%error, "a request failed");
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the store does not answer; try again in a moment")
    }
}

impl From<AdmitError> for Problem {
    fn from(error: AdmitError) -> Problem {
        let status = match error {
            AdmitError::UnknownSession(_) => StatusCode::NOT_FOUND,
            AdmitError::WrongSecret
            | AdmitError::Expired
            | AdmitError::Spent
            | AdmitError::Revoked
            | AdmitError::TokenExpired => StatusCode::UNAUTHORIZED,
            AdmitError::Kicked => StatusCode::FORBIDDEN,
            AdmitError::Store(error) => return error.into(),
        };
        Problem::new(status, error.to_string())
    }
}
