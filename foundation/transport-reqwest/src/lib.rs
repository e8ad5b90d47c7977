//! The reqwest adapter of [`mdm_transport`]: HTTP/1.1 and HTTP/2 over the platform's TLS, which on
//! Linux is OpenSSL.
//!
//! | Module | What lives there |
//! |---|---|
//! | [`builder`] | [`ReqwestTransport::builder`]: roots, client identity, protocol, proxy |
//!
//! What holds for every exchange: no redirect is followed, no cookie kept, nothing decompressed;
//! the request's [`SendLimits`] bound the body as it is read, whatever
//! length the peer announces, and the time until its last byte.
//!
//! ```no_run
//! use mdm_transport::HttpTransport;
//! use mdm_transport_reqwest::ReqwestTransport;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let transport = ReqwestTransport::builder()
//!     .user_agent("example-mdm/1.0")
//!     .build()?;
//! let request = http::Request::get("https://mdmenrollment.apple.com/account").body("".into())?;
//! let answer = transport.send(request).await?;
//! assert_eq!(answer.status(), 401);
//! # Ok(())
//! # }
//! ```

pub mod builder;
mod error;

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use mdm_transport::{BoundedBody, HttpTransport, SendLimits, TransportError, TransportErrorKind};

pub use builder::{BuildError, ReqwestTransportBuilder};

/// Carries requests with reqwest. Clones share the connections.
///
/// Needs a tokio runtime around it.
#[derive(Clone)]
pub struct ReqwestTransport {
    client: reqwest::Client,
}

impl ReqwestTransport {
    /// A transport with more settings than none.
    pub fn builder() -> ReqwestTransportBuilder {
        ReqwestTransportBuilder::new()
    }

    async fn exchange(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let limits = SendLimits::of(&request);
        let mut request = reqwest::Request::try_from(request).map_err(error::classify)?;
        *request.timeout_mut() = Some(limits.deadline);
        let mut response = self
            .client
            .execute(request)
            .await
            .map_err(error::classify)?;
        let announced = response.content_length().unwrap_or(0);
        let announced = usize::try_from(announced).unwrap_or(usize::MAX);
        if announced > limits.body {
            return Err(TransportErrorKind::TooLarge.into());
        }
        let mut body = BoundedBody::new(limits.body).expecting(announced);
        while let Some(chunk) = response.chunk().await.map_err(error::classify)? {
            body.push(&chunk)?;
        }
        let mut answer = http::Response::new(body.finish());
        *answer.status_mut() = response.status();
        *answer.version_mut() = response.version();
        *answer.headers_mut() = std::mem::take(response.headers_mut());
        Ok(answer)
    }
}

#[async_trait]
impl HttpTransport for ReqwestTransport {
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, TransportError> {
        self.exchange(request).await
    }
}

impl fmt::Debug for ReqwestTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReqwestTransport")
    }
}
