//! Simulated Apple devices, for tests and demonstrations.
//!
//! A [`Device`] has hardware, an identity from a [`DeviceCa`] as Apple's factory would give it, and
//! speaks to a server over any [`HttpTransport`](mdm_transport::HttpTransport). It refuses what a
//! real device refuses: an unsigned or foreign-signed enrolment profile, a push with another
//! magic. It writes its messages as raw property lists, apart from `mdm-protocol`, so that a
//! mistake there is not shared here.
//!
//! | Module | What lives there |
//! |---|---|
//! | [`Hardware`] | serial number, UDID, model, system |
//! | [`DeviceCa`] | mints device identities; what a server pins |
//! | [`Activation`] | what Apple tells the device: the server and its anchors |
//! | [`Device`] | the steps of a device's life |
//! | [`Attester`] | Apple's word for its keys: every property, every defect |
//! | [`Answer`], [`Responder`] | answers of a test's own choosing |
//!
//! ```
//! use std::sync::Arc;
//! use chrono::DateTime;
//! use mdm_core::ManualClock;
//! use mdm_simulator::{Activation, Device, DeviceCa, Error, Hardware};
//! use mdm_transport::transport_fn;
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let now = DateTime::parse_from_rfc3339("2026-11-21T00:00:00Z")?.to_utc();
//! let apple = DeviceCa::new(now)?;
//! let mac = Hardware::mac("C02SIM000001")?;
//! let server = transport_fn(|_request| async {
//!     let profile = "<plist><dict/></plist>";
//!     Ok(http::Response::builder()
//!         .header("Content-Type", "application/x-apple-aspen-config")
//!         .body(profile.into())
//!         .unwrap())
//! });
//! let identity = apple.device_identity(&mac)?;
//! let mut device = Device::new(mac, identity, Arc::new(server), Arc::new(ManualClock::new(now)));
//!
//! let activation = Activation::from_json(&serde_json::json!({ "url": "https://mdm.example/enroll" }))?;
//! let profile = device.ask_for_profile(&activation).await?;
//! let refused = device.install_enrollment_profile(&profile, &activation);
//! assert!(matches!(refused, Err(Error::Unsigned)));
//! # Ok(()) }
//! ```

mod activation;
mod attester;
mod checkin;
mod command;
mod device;
mod error;
mod factory;
mod hardware;
mod settings;
mod trust;

pub use activation::Activation;
pub use attester::Attester;
pub use command::{Answer, Responder};
pub use device::{AccountAnswer, Device, FoundServer, MAX_COMMANDS};
pub use error::Error;
pub use factory::DeviceCa;
pub use hardware::Hardware;
pub use settings::{
    AcmeSettings, EnrollmentSettings, IdentitySettings, MdmSettings, ScepSettings, Wish,
};
