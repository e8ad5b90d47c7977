//! How the crates of the family reach HTTP without knowing who carries it: one transport trait,
//! requests that are plain values, and a retry policy that is a pure function.
//!
//! | Module | What lives there |
//! |---|---|
//! | [`transport`] | [`HttpTransport`] and [`transport_fn`], which makes one of a closure |
//! | [`request`] | [`ApiRequest`]: an endpoint without I/O; [`RequestMeta`], [`Replay`] |
//! | [`base_url`] | [`BaseUrl`] and the encoding of paths and queries |
//! | [`limits`] | [`SendLimits`]: body bound and deadline of one exchange |
//! | [`error`] | [`TransportError`], whose kind alone says what may have happened |
//! | [`retry`] | [`RetryPolicy`], [`Retrying`], [`retry_after`] |
//! | [`memory`] | [`MemoryTransport`]: scripted answers for tests |
//!
//! ```
//! use bytes::Bytes;
//! use mdm_transport::{
//!     ApiRequest, BaseUrl, BuildError, HttpTransport, Replay, RequestMeta, transport_fn,
//! };
//!
//! struct Greeting<'a> {
//!     name: &'a str,
//! }
//!
//! impl ApiRequest for Greeting<'_> {
//!     type Response = String;
//!     type Error = std::string::FromUtf8Error;
//!     const META: RequestMeta = RequestMeta::new("greeting", Replay::Safe, 1024);
//!
//!     fn to_http(&self, base: &BaseUrl) -> Result<http::Request<Bytes>, BuildError> {
//!         let uri = base.endpoint("/greeting", &[("name", self.name)])?;
//!         Ok(http::Request::get(uri).body(Bytes::new())?)
//!     }
//!
//!     fn from_http(&self, response: http::Response<Bytes>) -> Result<String, Self::Error> {
//!         String::from_utf8(response.into_body().into())
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // A closure is a transport, so this needs no server.
//! let echo = transport_fn(|request: http::Request<Bytes>| async move {
//!     Ok(http::Response::new(Bytes::from(request.uri().to_string())))
//! });
//!
//! let base: BaseUrl = "https://mdm.example.com/v1/".parse()?;
//! let greeting = Greeting { name: "Ada & co" };
//! let answer = echo.send(greeting.to_http(&base)?).await?;
//! let said = greeting.from_http(answer)?;
//! assert_eq!(said, "https://mdm.example.com/v1/greeting?name=Ada%20%26%20co");
//! # Ok(())
//! # }
//! ```

pub mod base_url;
pub mod error;
pub mod limits;
pub mod memory;
pub mod request;
pub mod retry;
pub mod transport;

pub use base_url::{BaseUrl, InvalidBaseUrl, percent_encode};
pub use error::{TransportError, TransportErrorKind};
pub use limits::{BoundedBody, SendLimits};
pub use memory::MemoryTransport;
pub use request::{ApiRequest, BuildError, Replay, RequestMeta};
pub use retry::{RetryPolicy, Retrying, retry_after};
pub use transport::{HttpTransport, TransportFn, transport_fn};
