//! What went wrong, as JSON (RFC 9457).

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use mdm_sdk::{
    ade::{self, service::Refusal},
    service::{EnqueueError, StoreError, Unavailable},
};
use serde_json::json;

use crate::error::told;

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
        let kind = HeaderValue::from_static("application/problem+json");
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
