//! What reqwest says, told as what is known of the request's fate.
//!
//! A stream that an HTTP/2 peer refused is sent again by reqwest itself, a few times; only when that
//! does not help does it come here, as interrupted.

use std::error::Error;

use mdm_transport::{TransportError, TransportErrorKind};

/// The order matters: a connection that took too long was still never made.
pub(crate) fn classify(error: reqwest::Error) -> TransportError {
    let kind = if error.is_connect() {
        TransportErrorKind::Connect
    } else if error.is_timeout() {
        TransportErrorKind::Timeout
    } else if error.is_builder() {
        TransportErrorKind::Other
    } else {
        match hyper_error(&error) {
            Some(hyper) if hyper.is_canceled() => TransportErrorKind::Refused,
            Some(hyper) if hyper.is_parse() => TransportErrorKind::Decode,
            _ if error.is_decode() && !error.is_body() => decode_or_interrupted(&error),
            _ if error.is_request() || error.is_body() => TransportErrorKind::Interrupted,
            _ => TransportErrorKind::Other,
        }
    };
    TransportError::with_source(kind, error.without_url())
}

/// reqwest calls a body that ended early a decoding error.
fn decode_or_interrupted(error: &reqwest::Error) -> TransportErrorKind {
    match hyper_error(error) {
        Some(_) => TransportErrorKind::Interrupted,
        None => TransportErrorKind::Decode,
    }
}

fn hyper_error(error: &reqwest::Error) -> Option<&hyper::Error> {
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(hyper) = error.downcast_ref() {
            return Some(hyper);
        }
        source = error.source();
    }
    None
}
