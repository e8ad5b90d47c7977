//! Apple Automated Device Enrollment (ADE, formerly DEP): token, session, devices, profiles.
//!
//! Two floors. The lower one is Apple's interface, and knows no store:
//!
//! | Module | What lives there |
//! |---|---|
//! | [`token`] | [`TokenKeyPair`]: key and certificate for upload; [`ServerToken`], read from any form of Apple's file |
//! | [`oauth`] | OAuth 1.0a signatures (RFC 5849) |
//! | [`session`] | [`Session`]: authorizes requests and watches answers, without I/O |
//! | [`endpoint`] | one file per endpoint: what is sent, what comes back |
//! | [`model`] | [`Device`](model::Device), [`Profile`](model::Profile) and its [`SkipKey`](model::SkipKey)s, [`Account`](model::Account) and their kin |
//! | [`bypass_code`] | [`BypassCode`]: unlocks a device that was locked by [`ActivationLock`](endpoint::ActivationLock) |
//! | [`client`] | [`Client`]: session and endpoints over any [`HttpTransport`](mdm_transport::HttpTransport) |
//! | [`error`] | [`Error`], [`ErrorCode`]: what went wrong, as something to ask questions of |
//!
//! The upper one keeps many accounts in step with Apple:
//!
//! | Module | What lives there |
//! |---|---|
//! | [`service`] | [`AdeService`]: links accounts, syncs, gives devices the profiles that are wanted, hands over, gives up, exports, warns |
//! | [`sync`](mod@sync) | [`Round`](sync::Round): the sync of one account as a state machine, without I/O |
//! | [`policy`] | [`Policy`]: how often Apple is asked |
//! | [`progress`] | [`Observer`], [`Progress`]: how far a sync is |
//! | [`record`] | what is remembered of an account, a device, a profile |
//! | [`store`] | [`AdeStore`]: keeps records, changes them in atomic steps; [`MemoryAdeStore`]. `mdm-storage` has one on SQLite |
//! | `contract` | what every store must do, as tests (feature `contract`) |
//!
//! The endpoints, the session and the token know no I/O; a vendor may send them over a client of
//! their own. [`Client`] adds the loop: it opens a session when there is none, keeps the token that
//! any answer may bring, and after a 401 opens one new session and sends the request once more.
//!
//! ```
//! use std::sync::Arc;
//!
//! use ade_client::{Client, ServerToken, endpoint::FetchDevices};
//! use bytes::Bytes;
//! use mdm_core::SystemClock;
//! use mdm_transport::transport_fn;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Stands for Apple, so that this runs without it.
//! let apple = transport_fn(|request: http::Request<Bytes>| async move {
//!     Ok(http::Response::new(Bytes::from_static(match request.uri().path() {
//!         "/session" => br#"{"auth_session_token":"s1"}"#,
//!         _ => br#"{"devices":[{"serial_number":"C02AAAAAAAAA"}],"cursor":"c1","more_to_follow":false}"#,
//!     })))
//! });
//!
//! let token = ServerToken::new("CK_1", "CS_1", "AT_1", "AS_1");
//! let client = Client::builder(apple, Arc::new(SystemClock), token, "example-mdm/1.0").build()?;
//! let page = client.send(&FetchDevices::first()).await?;
//! assert_eq!(page.devices[0].serial_number.as_ref().map(|s| s.as_str()), Some("C02AAAAAAAAA"));
//! assert!(!page.more_to_follow);
//! # Ok(())
//! # }
//! ```

mod assign;
pub mod bypass_code;
pub mod client;
#[cfg(feature = "contract")]
pub mod contract;
pub mod endpoint;
pub mod error;
pub mod model;
pub mod oauth;
pub mod policy;
pub mod progress;
pub mod record;
pub mod service;
pub mod session;
pub mod store;
pub mod sync;
pub mod token;

pub use bypass_code::{BypassCode, EscrowKey};
pub use client::{BatchReport, Client, ClientBuilder};
pub use error::{ApiError, Error, ErrorCode};
pub use policy::Policy;
pub use progress::{Observer, Progress};
pub use service::{AdeService, Refusal};
pub use session::{Exchange, Next, Session, UserAgent};
pub use store::{AdeStore, MemoryAdeStore, StoreError};
pub use token::{MaidToken, Renewal, ServerToken, TokenError, TokenKeyPair};
