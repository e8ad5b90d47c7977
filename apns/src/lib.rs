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
//! | [`config`] | [`Config`]: host, port, proxy, roots, deadlines, limits, clock |
//! | [`client`] | [`Client`]: sends over as many connections as needed, and again what one of them lost |
//! | [`driver`] | [`Driver`]: the part that has to run |
//! | [`batch`] | [`Batch`]: a stream of pushes in, a stream of outcomes out |
//! | [`retry`] | [`RetryPolicy`]: when to send again what the service put off |
//! | [`relay`] | [`Relay`]: the same over the vendor's own HTTP client |
//! | [`dial`] | [`Dial`](dial::Dial): the way to the service, straight or through a proxy |
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
//!     let (client, driver) = Client::new(Config::production(), certificate)?;
//!     tokio::spawn(driver.run());
//!
//!     match client.push(&Push::new(token, magic)).await? {
//!         Outcome::Delivered { apns_id } => println!("taken as {apns_id:?}"),
//!         dead @ Outcome::DeadToken { .. } if dead.retires(token_update) => println!("gone"),
//!         Outcome::RetryAfter { delay, .. } => println!("again in {delay:?}"),
//!         Outcome::TopicBroken(answer) => println!("stop and look: {answer}"),
//!         other => println!("never again like this: {other:?}"),
//!     }
//!     Ok(())
//! }
//! ```

pub mod batch;
pub mod certificate;
pub mod client;
pub mod config;
pub mod dial;
pub mod driver;
pub mod error;
pub mod id;
pub mod outcome;
pub mod push;
pub mod reason;
pub mod relay;
pub mod request;
pub mod retry;

mod breaker;
mod connection;
mod exchange;
mod go_away;
mod queue;
mod shared;

pub use batch::Batch;
pub use certificate::{CertificateError, PushCertificate};
pub use client::{Client, PushService};
pub use config::Config;
pub use driver::Driver;
pub use error::Error;
pub use id::ApnsId;
pub use outcome::{Outcome, Rejection};
pub use push::{Expiration, Priority, Push};
pub use reason::Reason;
pub use relay::Relay;
pub use request::PushRequest;
pub use retry::RetryPolicy;
