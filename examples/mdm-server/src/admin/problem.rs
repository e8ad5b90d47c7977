//! What went wrong, as JSON (RFC 9457).

use axum::{
    Json,
    body::to_bytes,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use mdm_sdk::{
    ade::{self, service::Refusal},
    service::{EnqueueError, StoreError, Unavailable},
};
use serde_json::json;

use crate::error::told;

/// What a problem's content type is.
const KIND: &str = "application/problem+json";

/// The longest text that becomes a problem's, in bytes.
const LONGEST: usize = 16 << 10;

/// Tells as a problem what else is refused: a body, a query or a method that a route does not take.
pub(super) async fn each_a_problem(response: Response) -> Response {
    let status = response.status();
    let is_refusal = status.is_client_error() || status.is_server_error();
    let kind = response.headers().get(header::CONTENT_TYPE);
    if !is_refusal || kind.is_some_and(|kind| kind == KIND) {
        return response;
    }
    let (refused, body) = response.into_parts();
    let detail = to_bytes(body, LONGEST).await.unwrap_or_default();
    let detail = String::from_utf8_lossy(&detail).into_owned();
    let mut told = Problem { status, detail }.into_response();
    // Which methods there are.
    if let Some(allow) = refused.headers.get(header::ALLOW) {
        told.headers_mut().insert(header::ALLOW, allow.clone());
    }
    told
}

/// A status with what to say about it.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    detail: String,
}

impl Problem {
    pub(super) fn invalid(detail: impl ToString) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            detail: detail.to_string(),
        }
    }

    pub(super) fn unauthorized() -> Self {
        Self {
            status: StatusCode::UNAUTHORIZED,
            detail: "the admin token is missing or another".into(),
        }
    }

    pub(super) fn not_found(detail: impl ToString) -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            detail: detail.to_string(),
        }
    }

    /// The cause goes to the log alone.
    fn unavailable(error: &dyn std::error::Error) -> Self {
        tracing::error!(error = told(error), "the admin API cannot answer");
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            detail: "the server cannot answer now".into(),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = json!({
            "title": self.status.canonical_reason(),
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        let mut response = (self.status, Json(body)).into_response();
        let kind = HeaderValue::from_static(KIND);
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::unavailable(&error)
    }
}

impl From<Unavailable> for Problem {
    fn from(error: Unavailable) -> Self {
        Self::unavailable(&error)
    }
}

impl From<EnqueueError> for Problem {
    fn from(error: EnqueueError) -> Self {
        match error {
            EnqueueError::Store(error) => error.into(),
            error => Self::invalid(told(&error)),
        }
    }
}

impl From<ade::Error> for Problem {
    fn from(error: ade::Error) -> Self {
        let status = match &error {
            ade::Error::Store(error) => return Self::unavailable(error),
            ade::Error::Refused(Refusal::NoAccount(_)) => StatusCode::NOT_FOUND,
            ade::Error::Refused(_) => StatusCode::CONFLICT,
            ade::Error::Token(_) | ade::Error::Build(_) => StatusCode::BAD_REQUEST,
            // Apple's side.
            _ => StatusCode::BAD_GATEWAY,
        };
        Self {
            status,
            detail: told(&error),
        }
    }
}
