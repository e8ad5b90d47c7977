//! The four operations without I/O: a request that is written and an answer that is read
//! (RFC 8894 section 4). Any HTTP client can carry them.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, header};
use mdm_pki::{Certificate, cms};
use mdm_transport::{Replay, RequestMeta};

use super::ScepUrl;
use crate::{
    capability::{self, Capabilities},
    error::Error,
    http::PKI_MESSAGE,
    message,
};

/// The largest GetCACert answer read, in bytes.
pub const MAX_CA_CERT: usize = 256 * 1024;
/// The largest PKIOperation answer read, in bytes.
pub const MAX_PKI_MESSAGE: usize = 256 * 1024;
/// The largest answer to GetCRL read, in bytes.
pub const MAX_CRL: usize = 2 * 1024 * 1024;
/// The most certificates taken from a revocation list.
pub const MAX_CRL_ENTRIES: usize = 20_000;
/// The most certificates taken from a GetCACert answer.
pub const MAX_CERTIFICATES: usize = 32;

/// GetCACaps: what the server can do (RFC 8894 section 3.5.1).
#[derive(Debug, Clone, Copy, Default)]
pub struct CaCaps;

impl CaCaps {
    /// The operation's constants.
    pub const META: RequestMeta =
        RequestMeta::new("GetCACaps", Replay::Safe, capability::MAX_BYTES);

    /// Writes the request; `ca` is the CA's name where the server has several, the `Name` of a
    /// SCEP payload.
    ///
    /// # Errors
    /// [`Error::Url`] if the name makes no URL.
    pub fn to_http(self, url: &ScepUrl, ca: Option<&str>) -> Result<Request<Bytes>, Error> {
        get(Self::META, url, ca)
    }

    /// Reads the answer. A server that does not know the operation can do nothing of it.
    ///
    /// # Errors
    /// For a server's failure, and what is no list of capabilities.
    #[allow(clippy::wrong_self_convention)] // reads the answer to this request
    pub fn from_http(self, response: Response<Bytes>) -> Result<Capabilities, Error> {
        if response.status().is_client_error() {
            return Ok(Capabilities::new());
        }
        Capabilities::parse(&body(response, Self::META)?)
    }
}

/// GetCACert: the certificates of the CA and, where it has one, of its RA (RFC 8894 section 4.2).
#[derive(Debug, Clone, Copy, Default)]
pub struct CaCert;

impl CaCert {
    /// The operation's constants.
    pub const META: RequestMeta = RequestMeta::new("GetCACert", Replay::Safe, MAX_CA_CERT);

    /// Writes the request; `ca` as for [`CaCaps::to_http`].
    ///
    /// # Errors
    /// [`Error::Url`] if the name makes no URL.
    pub fn to_http(self, url: &ScepUrl, ca: Option<&str>) -> Result<Request<Bytes>, Error> {
        get(Self::META, url, ca)
    }

    /// Reads the answer: one certificate, or a certs-only CMS; which of them, the bytes say.
    ///
    /// # Errors
    /// For a server's failure, and what is neither.
    #[allow(clippy::wrong_self_convention)] // reads the answer to this request
    pub fn from_http(self, response: Response<Bytes>) -> Result<Vec<Certificate>, Error> {
        let html = is_html(response.headers());
        let body = body(response, Self::META)?;
        let wrong = || Error::content("CA certificate", &body);
        if html || body.is_empty() {
            return Err(wrong());
        }
        if let Ok(certificate) = Certificate::from_der(&body) {
            return Ok(vec![certificate]);
        }
        let signed = cms::SignedData::parse(&body, &message::cms_limits(MAX_CA_CERT))
            .map_err(|_| wrong())?;
        let certificates = signed.certificates().to_vec();
        if certificates.is_empty() || certificates.len() > MAX_CERTIFICATES {
            return Err(wrong());
        }
        Ok(certificates)
    }
}

/// GetNextCACert: the certificates that will take the present ones' place (RFC 8894 section 4.7).
#[derive(Debug, Clone, Copy, Default)]
pub struct NextCaCert;

impl NextCaCert {
    /// The operation's constants.
    pub const META: RequestMeta = RequestMeta::new("GetNextCACert", Replay::Safe, MAX_CA_CERT);

    /// Writes the request; `ca` as for [`CaCaps::to_http`].
    ///
    /// # Errors
    /// [`Error::Url`] if the name makes no URL.
    pub fn to_http(self, url: &ScepUrl, ca: Option<&str>) -> Result<Request<Bytes>, Error> {
        get(Self::META, url, ca)
    }

    /// Reads the answer as far as its signature, which is for the caller to verify.
    ///
    /// # Errors
    /// For a server's failure, and what is no signed data.
    #[allow(clippy::wrong_self_convention)] // reads the answer to this request
    pub fn from_http(self, response: Response<Bytes>) -> Result<cms::SignedData, Error> {
        let html = is_html(response.headers());
        let body = body(response, Self::META)?;
        let signed = cms::SignedData::parse(&body, &message::cms_limits(MAX_CA_CERT));
        signed
            .ok()
            .filter(|_| !html)
            .ok_or_else(|| Error::content("next CA certificate", &body))
    }
}

/// PKIOperation: a message and its answer (RFC 8894 section 4.3).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PkiOperation {
    /// The message, DER.
    pub message: Bytes,
    /// Whether to send it by POST, which servers offer by
    /// [`PostPkiOperation`](crate::Capability::PostPkiOperation).
    pub post: bool,
    /// The largest answer read, in bytes: [`MAX_PKI_MESSAGE`] unless changed.
    pub limit: usize,
}

impl PkiOperation {
    /// The operation's constants. The same message is safe to send twice: a server answers the
    /// repetition with the same certificate, or with a refusal.
    pub const META: RequestMeta =
        RequestMeta::new("PKIOperation", Replay::Idempotent, MAX_PKI_MESSAGE);

    /// A message to send, by POST or by GET.
    pub fn new(message: impl Into<Bytes>, post: bool) -> Self {
        Self {
            message: message.into(),
            post,
            limit: MAX_PKI_MESSAGE,
        }
    }

    /// Changes the largest answer read, in bytes.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    fn meta(&self) -> RequestMeta {
        RequestMeta::new(Self::META.name, Self::META.replay, self.limit)
    }

    /// Writes the request.
    ///
    /// # Errors
    /// [`Error::Url`] if the message is too long for a GET.
    pub fn to_http(&self, url: &ScepUrl) -> Result<Request<Bytes>, Error> {
        let name = Self::META.name;
        if self.post {
            let mut request = Request::new(self.message.clone());
            *request.method_mut() = http::Method::POST;
            *request.uri_mut() = url.operation(name, None)?;
            request
                .headers_mut()
                .insert(header::CONTENT_TYPE, PKI_MESSAGE);
            self.meta().attach(request.extensions_mut(), DEADLINE);
            return Ok(request);
        }
        get(self.meta(), url, Some(&STANDARD.encode(&self.message)))
    }

    /// Reads the answer's bytes; [`PkiMessage::parse`](crate::PkiMessage::parse) is the next step.
    ///
    /// # Errors
    /// For a server's failure, and a web page.
    #[allow(clippy::wrong_self_convention)] // reads the answer to this request
    pub fn from_http(&self, response: Response<Bytes>) -> Result<Bytes, Error> {
        let html = is_html(response.headers());
        let body = body(response, self.meta())?;
        // A CMS begins with a SEQUENCE. Servers send it under wrong content types too.
        if html || body.first() != Some(&0x30) {
            return Err(Error::content("SCEP message", &body));
        }
        Ok(body)
    }
}

fn get(meta: RequestMeta, url: &ScepUrl, message: Option<&str>) -> Result<Request<Bytes>, Error> {
    let mut request = Request::new(Bytes::new());
    *request.uri_mut() = url.operation(meta.name, message)?;
    meta.attach(request.extensions_mut(), DEADLINE);
    Ok(request)
}

fn body(response: Response<Bytes>, meta: RequestMeta) -> Result<Bytes, Error> {
    let status = response.status();
    let body = response.into_body();
    // The transport bounds what it reads; a vendor's own may not.
    if body.len() > meta.body_limit {
        return Err(Error::TooLarge {
            limit: meta.body_limit,
        });
    }
    if status != StatusCode::OK {
        return Err(Error::Status { status, body });
    }
    Ok(body)
}

fn is_html(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.to_ascii_lowercase().starts_with("text/html"))
}

const DEADLINE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, content_type: &str, body: &'static [u8]) -> Response<Bytes> {
        Response::builder()
            .status(status)
            .header(header::CONTENT_TYPE, content_type)
            .body(Bytes::from_static(body))
            .unwrap()
    }

    #[test]
    fn messages_travel_by_post_or_in_the_query() {
        let url = ScepUrl::new("https://ca.example.com/scep").unwrap();
        let posted = PkiOperation::new(vec![0x30, 0xfb], true)
            .to_http(&url)
            .unwrap();
        assert_eq!(posted.method(), http::Method::POST);
        assert_eq!(
            posted.uri(),
            "https://ca.example.com/scep?operation=PKIOperation"
        );
        assert_eq!(
            posted.headers()[header::CONTENT_TYPE],
            "application/x-pki-message"
        );
        assert_eq!(posted.body().as_ref(), [0x30, 0xfb]);
        let got = PkiOperation::new(vec![0x30, 0xfb], false)
            .to_http(&url)
            .unwrap();
        assert_eq!(got.method(), http::Method::GET);
        assert_eq!(
            got.uri(),
            "https://ca.example.com/scep?operation=PKIOperation&message=MPs%3D"
        );
        assert_eq!(
            got.extensions().get::<RequestMeta>(),
            Some(&PkiOperation::META)
        );
    }

    #[test]
    fn web_pages_and_failures_are_told_apart_from_answers() {
        let operation = PkiOperation::new(vec![0x30], true);
        let page = operation.from_http(answer(200, "text/html; charset=utf-8", b"0<html>"));
        assert!(matches!(page, Err(Error::Content { .. })));
        let text = operation.from_http(answer(200, "application/x-pki-message", b"oops"));
        assert!(matches!(text, Err(Error::Content { .. })));
        let failed = operation
            .from_http(answer(503, "text/plain", b"busy"))
            .unwrap_err();
        assert!(failed.is_temporary(), "{failed}");
        assert!(matches!(failed, Error::Status { body, .. } if body == "busy"));
        assert!(matches!(
            CaCert.from_http(answer(200, "application/x-x509-ca-cert", b"<html>")),
            Err(Error::Content { .. })
        ));
        assert!(matches!(
            CaCert.from_http(answer(200, "application/x-x509-ca-cert", b"")),
            Err(Error::Content { .. })
        ));
    }

    #[test]
    fn answers_are_bounded_whatever_carried_them() {
        let body = Bytes::from(vec![0x30; MAX_PKI_MESSAGE + 1]);
        let operation = PkiOperation::new(vec![0x30], true);
        assert!(matches!(
            operation.from_http(Response::new(body)),
            Err(Error::TooLarge {
                limit: MAX_PKI_MESSAGE
            })
        ));
    }

    #[test]
    fn a_server_without_get_ca_caps_has_no_capabilities() {
        let none = CaCaps
            .from_http(answer(404, "text/html", b"<html>"))
            .unwrap();
        assert_eq!(none, Capabilities::new());
        assert!(CaCaps.from_http(answer(500, "text/plain", b"")).is_err());
    }
}
