//! MDM push over Apple's push service (APNs): wakes a device, which then asks its server for
//! commands.
//!
//! | Module | What lives there |
//! |---|---|
//! | [`certificate`] | [`PushCertificate`]: topic, validity, renewal; the requests that lead to one |
//! | [`push`] | [`Push`]: token, magic, expiry, priority |
//! | [`request`] | [`PushRequest`]: the push as an HTTP request, without I/O, for any client |
//! | [`outcome`] | [`Outcome`]: what the answer means and what to do about it |
//! | [`reason`] | [`Reason`]: every reason the service documents, and any other |
//! | [`config`] | [`Config`]: host, port, roots, deadlines, limits, clock |
//! | [`client`] | [`Client`]: sends over one HTTP/2 connection, as many at a time as the server takes |
//! | [`connection`] | [`Connection`]: the part that has to run |
//! | [`error`] | [`Error`]: why there was no answer |
//!
//! MDM pushes with a certificate only: Apple's service takes no provider tokens for it.
//!
//! ```no_run
//! use mdm_apns::{Client, Config, Outcome, Push, PushCertificate};
//! use mdm_core::{PushMagic, PushToken};
//! use mdm_pki::Identity;
//!
//! async fn wake(
//!     identity: Identity,
//!     token: PushToken,
//!     magic: PushMagic,
//!     token_update: chrono::DateTime<chrono::Utc>,
//! ) -> Result<(), Box<dyn std::error::Error>> {
//!     let certificate = PushCertificate::new(identity)?;
//!     let (client, connection) = Client::connect(&Config::production(), &certificate).await?;
//!     tokio::spawn(connection.run());
//!
//!     match client.push(&Push::new(token, magic)).await? {
//!         Outcome::Delivered { apns_id } => println!("taken as {apns_id:?}"),
//!         dead @ Outcome::DeadToken { .. } if dead.retires(token_update) => println!("gone"),
//!         Outcome::RetryAfter { delay, .. } => println!("again in {delay:?}"),
//!         Outcome::TopicBroken(answer) => println!("stop and look: {:?}", answer.reason),
//!         other => println!("never again like this: {other:?}"),
//!     }
//!     Ok(())
//! }
//! ```

pub mod certificate;
pub mod client;
pub mod config;
pub mod connection;
pub mod error;
pub mod id;
pub mod outcome;
pub mod push;
pub mod reason;
pub mod request;

mod admission;
mod go_away;

pub use certificate::{CertificateError, PushCertificate};
pub use client::Client;
pub use config::Config;
pub use connection::Connection;
pub use error::Error;
pub use id::ApnsId;
pub use outcome::{Outcome, Rejection};
pub use push::{Expiration, Priority, Push};
pub use reason::Reason;
pub use request::PushRequest;
