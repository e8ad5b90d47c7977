//! Responses, and what becomes of a request that is not taken.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};

use crate::{
    Denial, DenialReason, IdentityError, StoreError, Unavailable, enrollment::decide::Refusal,
};

/// Why a request is not taken. Its text goes to the log and never to the device.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error("refused with {0}")]
    Status(StatusCode),
    /// The methods that are answered.
    #[error("only {0} is answered")]
    Method(&'static str),
    #[error("malformed: {0}")]
    Malformed(#[from] mdm_protocol::Error),
    #[error("malformed: {0}")]
    Unusable(&'static str),
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error(transparent)]
    MachineInfo(#[from] mdm_protocol::enroll::MachineInfoError),
    #[error(transparent)]
    Refusal(#[from] Refusal),
    #[error("not admitted: {}", .0.reason.as_str())]
    Denied(Box<Denial>),
    #[error("this message is not answered here")]
    Unanswered,
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the enrolment kept changing")]
    Contention,
}

impl From<mdm_protocol::id::IdError> for Refused {
    fn from(error: mdm_protocol::id::IdError) -> Self {
        Self::Malformed(error.into())
    }
}

impl Refused {
    /// The response. Its body is empty: a device reads none, and a stranger shall learn nothing; only a
    /// device that is not admitted is told why.
    pub(crate) fn respond(&self, retry_after: Duration) -> Response<Bytes> {
        let status = match self {
            Self::Status(status) => *status,
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Malformed(_)
            | Self::Unusable(_)
            | Self::Identity(_)
            | Self::MachineInfo(_)
            | Self::Unanswered => StatusCode::BAD_REQUEST,
            Self::Refusal(Refusal::EmptyToken | Refusal::TokenTooLarge) => StatusCode::BAD_REQUEST,
            Self::Refusal(_) | Self::Denied(_) => StatusCode::FORBIDDEN,
            Self::Store(_) | Self::Unavailable(_) | Self::Contention => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        };
        let mut response = match self {
            // Of Apple's own answers only one means something to a device that has its profile.
            Self::Denied(denial) => denied(denial, denial.reason == DenialReason::Unrecognized),
            _ => empty(status),
        };
        if let Self::Method(allowed) = self {
            // RFC 9110, section 15.5.6.
            let allowed = HeaderValue::from_static(allowed);
            response.headers_mut().insert(header::ALLOW, allowed);
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            tracing::error!(error = %Chain(self), "not taken");
            let seconds = HeaderValue::from(retry_after.as_secs());
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        } else {
            tracing::warn!(error = %Chain(self), status = status.as_u16(), "not taken");
        }
        response
    }
}

/// An error with its causes, in one line.
struct Chain<'a>(&'a (dyn std::error::Error + 'static));

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

/// 403 with the reason in Apple's form for errors.
pub(crate) fn denied(denial: &Denial, is_acted_on: bool) -> Response<Bytes> {
    let mut response = match denial.body(is_acted_on) {
        Ok(body) => json(body),
        Err(error) => {
            tracing::error!(error = %error, "a denial cannot be written");
            Response::default()
        }
    };
    *response.status_mut() = StatusCode::FORBIDDEN;
    response
}

/// 200 with JSON.
pub(crate) fn json(body: impl Into<Bytes>) -> Response<Bytes> {
    let mut response = Response::new(body.into());
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}

/// Has nobody keep the response: it may hold what is meant for one device.
pub(crate) fn not_to_be_kept(response: &mut Response<Bytes>) {
    let never = HeaderValue::from_static("no-store");
    response.headers_mut().insert(header::CACHE_CONTROL, never);
}

/// A response without a body.
pub(crate) fn empty(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response
}

/// 200 with a property list.
pub(super) fn plist(body: impl Into<Bytes>) -> Response<Bytes> {
    let mut response = Response::new(body.into());
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/xml; charset=UTF-8"),
    );
    response
}
