//! SCEP in HTTP (RFC 8894 section 4): which operation a request asks for, and the content types,
//! which Apple's client compares as whole strings, parameters included.

use std::{borrow::Cow, time::Duration};

use base64::{
    Engine as _,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use percent_encoding::percent_decode_str;

/// GetCACaps.
pub const TEXT: HeaderValue = HeaderValue::from_static("text/plain");
/// GetCACert with one certificate.
pub const CA_CERT: HeaderValue = HeaderValue::from_static("application/x-x509-ca-cert");
/// GetCACert with a chain or a registration authority.
pub const CA_RA_CERT: HeaderValue = HeaderValue::from_static("application/x-x509-ca-ra-cert");
/// GetNextCACert.
pub const NEXT_CA_CERT: HeaderValue = HeaderValue::from_static("application/x-x509-next-ca-cert");
/// PKIOperation, both ways.
pub const PKI_MESSAGE: HeaderValue = HeaderValue::from_static("application/x-pki-message");

/// The sizes that a server takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct HttpLimits {
    /// Longest query, in bytes: 64 KiB unless changed, enough for a GET of an RSA-4096 request
    /// in which every third character is escaped.
    pub query: usize,
    /// Longest body or decoded message, in bytes: 64 KiB unless changed.
    pub message: usize,
}

impl HttpLimits {
    /// The limits with changes.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            query: 64 * 1024,
            message: 64 * 1024,
        }
    }
}

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Operation {
    /// The list of capabilities.
    GetCaCaps,
    /// The certificates of CA and RA.
    GetCaCert,
    /// The certificates that will take their place.
    GetNextCaCert,
    /// A message to answer.
    PkiOperation(Bytes),
}

/// Why a request asks for nothing that can be answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OperationError {
    /// Neither GET nor POST, or a POST of an operation that only has GET.
    #[error("the method does not fit the operation")]
    Method,
    /// No `operation` in the query.
    #[error("the query names no operation")]
    Missing,
    /// An operation that this server does not offer.
    #[error("the operation is not offered")]
    Unknown,
    /// More than [`HttpLimits::query`].
    #[error("the query is longer than {limit} bytes")]
    QueryTooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// More than [`HttpLimits::message`].
    #[error("the message is longer than {limit} bytes")]
    MessageTooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// A GET whose `message` is missing or not base64.
    #[error("the message is not base64")]
    Base64,
}

impl OperationError {
    /// The HTTP status that says so.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::QueryTooLong { .. } => StatusCode::URI_TOO_LONG,
            Self::MessageTooLong { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Missing | Self::Unknown | Self::Base64 => StatusCode::BAD_REQUEST,
        }
    }
}

impl Operation {
    /// Reads the operation out of a request, whatever its path.
    ///
    /// # Errors
    /// [`OperationError`] for a wrong method, a missing or unknown operation, what is not base64,
    /// or anything over `limits`.
    pub fn parse(request: &Request<Bytes>, limits: &HttpLimits) -> Result<Self, OperationError> {
        let query = request.uri().query().unwrap_or_default();
        if query.len() > limits.query {
            return Err(OperationError::QueryTooLong {
                limit: limits.query,
            });
        }
        if request.body().len() > limits.message {
            return Err(OperationError::MessageTooLong {
                limit: limits.message,
            });
        }
        let get = match *request.method() {
            Method::GET => true,
            Method::POST => false,
            _ => return Err(OperationError::Method),
        };
        let operation = parameter(query, "operation").ok_or(OperationError::Missing)?;
        match (&*operation, get) {
            (b"GetCACaps", true) => Ok(Self::GetCaCaps),
            (b"GetCACert", true) => Ok(Self::GetCaCert),
            (b"GetNextCACert", true) => Ok(Self::GetNextCaCert),
            (b"PKIOperation", false) => Ok(Self::PkiOperation(request.body().clone())),
            (b"PKIOperation", true) => {
                let message = parameter(query, "message").ok_or(OperationError::Base64)?;
                let message = decode_message(&message)?;
                if message.len() > limits.message {
                    return Err(OperationError::MessageTooLong {
                        limit: limits.message,
                    });
                }
                Ok(Self::PkiOperation(message))
            }
            (b"GetCACaps" | b"GetCACert" | b"GetNextCACert", false) => Err(OperationError::Method),
            _ => Err(OperationError::Unknown),
        }
    }
}

/// The first value of a query parameter, percent-decoded. A `+` stays a `+`: this is no form, and
/// Apple's client leaves that of base64 raw.
fn parameter<'q>(query: &'q str, name: &str) -> Option<Cow<'q, [u8]>> {
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| percent_decode_str(value).into())
}

fn decode_message(text: &[u8]) -> Result<Bytes, OperationError> {
    let text: Vec<u8> = text
        .iter()
        .filter(|byte| !matches!(byte, b'\r' | b'\n' | b'\t'))
        // A proxy that took the query for a form has turned `+` into a blank.
        .map(|byte| if *byte == b' ' { b'+' } else { *byte })
        .collect();
    match BASE64.decode(text) {
        Ok(message) if !message.is_empty() => Ok(message.into()),
        _ => Err(OperationError::Base64),
    }
}

/// An answer of one content type, kept out of caches.
pub(crate) fn answer(
    status: StatusCode,
    content_type: HeaderValue,
    body: impl Into<Bytes>,
) -> Response<Bytes> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, content_type);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// An answer that asks the client to come again, in whole seconds from now.
pub(crate) fn later(status: StatusCode, text: &'static str, wait: Duration) -> Response<Bytes> {
    let mut response = answer(status, TEXT, text);
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    let headers = response.headers_mut();
    headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    response
}

/// A refusal in one line of text.
pub(crate) fn refuse(error: &OperationError) -> Response<Bytes> {
    let mut response = answer(error.status(), TEXT, format!("{error}\n"));
    if *error == OperationError::Method {
        response
            .headers_mut()
            .insert(header::ALLOW, HeaderValue::from_static("GET, POST"));
    }
    response
}

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(method: Method, uri: &str, body: &'static [u8]) -> Result<Operation, OperationError> {
        let request = Request::builder()
            .method(method)
            .uri(uri)
            .body(Bytes::from_static(body))
            .unwrap();
        Operation::parse(&request, &HttpLimits::default())
    }

    #[test]
    fn the_path_and_the_ca_identifier_do_not_matter() {
        for uri in [
            "/scep?operation=GetCACaps",
            "/cgi-bin/pkiclient.exe?operation=GetCACaps&message=",
            "/scep/x/pkiclient.exe?message=Example%20CA&operation=GetCACaps",
            "/?tenant=7&operation=GetCACaps",
        ] {
            assert_eq!(
                parse(Method::GET, uri, b""),
                Ok(Operation::GetCaCaps),
                "{uri}"
            );
        }
        assert_eq!(
            parse(Method::GET, "/?operation=GetCACert", b""),
            Ok(Operation::GetCaCert)
        );
    }

    #[test]
    fn a_message_in_a_query_is_read_with_raw_and_escaped_plus_and_slash() {
        let message = Ok(Operation::PkiOperation(Bytes::from_static(&[
            0xfb, 0xef, 0xbe, 0xff, 0xff,
        ])));
        for text in [
            "++++//8=",
            "%2B%2B%2b%2B%2F%2F8%3D",
            "++++//8",
            "++%20%20//8=",
            "+++%0D%0A+//8%3D",
        ] {
            let uri = format!("/?operation=PKIOperation&message={text}");
            assert_eq!(parse(Method::GET, &uri, b""), message, "{text}");
        }
        for text in ["", "%%%", "a", "-_-_"] {
            let uri = format!("/?operation=PKIOperation&message={text}");
            assert_eq!(
                parse(Method::GET, &uri, b""),
                Err(OperationError::Base64),
                "{text}"
            );
        }
        assert_eq!(
            parse(Method::GET, "/?operation=PKIOperation", b""),
            Err(OperationError::Base64)
        );
    }

    #[test]
    fn a_posted_message_is_the_body() {
        assert_eq!(
            parse(Method::POST, "/?operation=PKIOperation", b"cms"),
            Ok(Operation::PkiOperation(Bytes::from_static(b"cms")))
        );
    }

    #[test]
    fn wrong_methods_and_unknown_operations_have_their_status() {
        for (method, uri, status) in [
            (Method::PUT, "/?operation=PKIOperation", 405),
            (Method::POST, "/?operation=GetCACaps", 405),
            (Method::GET, "/", 400),
            (Method::GET, "/?operation=Delete", 400),
            (Method::GET, "/?operation=pkioperation", 400),
        ] {
            let error = parse(method, uri, b"").unwrap_err();
            assert_eq!(refuse(&error).status(), status, "{uri}");
        }
        assert_eq!(
            refuse(&OperationError::Method).headers()[header::ALLOW],
            "GET, POST"
        );
    }

    #[test]
    fn query_body_and_decoded_message_are_bounded() {
        let limits = HttpLimits::default().with(|limits| {
            limits.query = 60;
            limits.message = 4;
        });
        let get = |message: &str| {
            let request = Request::get(format!("/?operation=PKIOperation&message={message}"))
                .body(Bytes::new())
                .unwrap();
            Operation::parse(&request, &limits)
        };
        assert!(get("AAAAAA==").is_ok());
        assert_eq!(
            get("AAAAAAA="),
            Err(OperationError::MessageTooLong { limit: 4 })
        );
        assert_eq!(
            get(&"A".repeat(40)),
            Err(OperationError::QueryTooLong { limit: 60 })
        );
        let post = Request::post("/?operation=PKIOperation")
            .body(Bytes::from_static(b"12345"))
            .unwrap();
        assert_eq!(Operation::parse(&post, &limits).unwrap_err().status(), 413);
    }
}
