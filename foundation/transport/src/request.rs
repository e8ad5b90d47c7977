//! Endpoints as values: a request that can be written and an answer that can be read, without I/O.

use std::{error, time::Duration};

use bytes::Bytes;
use http::Extensions;

use crate::{BaseUrl, SendLimits};

/// One endpoint: how its request is written and its answer read.
///
/// A vendor may send the request over any client; [`HttpTransport`](crate::HttpTransport) is only
/// what the family's own clients use.
pub trait ApiRequest {
    /// What a successful answer holds.
    type Response;
    /// The crate's one error type.
    type Error: error::Error + Send + Sync + 'static;

    /// The endpoint's name, replay class and body bound.
    const META: RequestMeta;

    /// Writes the request.
    ///
    /// # Errors
    /// [`BuildError`] if a value cannot be part of a URL, a header or the body.
    fn to_http(&self, base: &BaseUrl) -> Result<http::Request<Bytes>, BuildError>;

    /// Reads the answer, of whatever status.
    ///
    /// # Errors
    /// The peer's refusal, or an answer that cannot be read.
    #[allow(clippy::wrong_self_convention)] // reads what came from HTTP, on behalf of this request
    fn from_http(&self, response: http::Response<Bytes>) -> Result<Self::Response, Self::Error>;
}

/// What is fixed for an endpoint.
///
/// Carried in `request.extensions()` where a [`Retrying`](crate::Retrying) transport is to act on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequestMeta {
    /// A short name for tracing.
    pub name: &'static str,
    /// Whether the request may be sent twice.
    pub replay: Replay,
    /// The most bytes of body that an answer may have.
    pub body_limit: usize,
}

impl RequestMeta {
    /// An endpoint's constants.
    pub const fn new(name: &'static str, replay: Replay, body_limit: usize) -> Self {
        Self {
            name,
            replay,
            body_limit,
        }
    }

    /// Puts these constants and the [`SendLimits`] that follow from them into the extensions.
    pub fn attach(self, extensions: &mut Extensions, deadline: Duration) {
        extensions.insert(self);
        extensions.insert(SendLimits::new(self.body_limit, deadline));
    }
}

/// Whether a request may be sent a second time when nobody knows what became of the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Replay {
    /// It changes nothing (RFC 9110 section 9.2.1).
    Safe,
    /// Twice has the effect of once (RFC 9110 section 9.2.2).
    Idempotent,
    /// A second one may do harm.
    Never,
}

/// The request could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The pieces do not make an HTTP request: a bad path, or a header with forbidden bytes.
    #[error("the values do not make an HTTP request")]
    Http(#[from] http::Error),
    /// The body could not be encoded.
    #[error("the request body could not be encoded")]
    Body(#[source] Box<dyn error::Error + Send + Sync>),
    /// A value is missing or outside of what the peer takes.
    #[error("{field}: {reason}")]
    Invalid {
        /// The value's name.
        field: &'static str,
        /// What is wrong with it, without repeating it.
        reason: &'static str,
    },
}

impl BuildError {
    /// The body could not be encoded, for this reason.
    pub fn body(source: impl Into<Box<dyn error::Error + Send + Sync>>) -> Self {
        Self::Body(source.into())
    }

    /// The value named `field` cannot be sent.
    pub const fn invalid(field: &'static str, reason: &'static str) -> Self {
        Self::Invalid { field, reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attached_constants_are_found_again_with_the_limits_they_imply() {
        let meta = RequestMeta::new("sync", Replay::Safe, 4096);
        let mut request = http::Request::new(());
        meta.attach(request.extensions_mut(), Duration::from_secs(5));
        assert_eq!(request.extensions().get::<RequestMeta>(), Some(&meta));
        assert_eq!(
            SendLimits::of(&request),
            SendLimits::new(4096, Duration::from_secs(5))
        );
    }
}
