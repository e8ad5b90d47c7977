//! The Apple MDM crates behind one name, and the joints between them.
//!
//! Each crate of the family stands alone; take this one when you want several. Every part is a
//! feature:
//!
//! | Module | Feature | What it is |
//! |---|---|---|
//! | [`core`] | | identifiers, secrets, the clock |
//! | [`plist`] | | bounded property lists for serde |
//! | [`pki`] | | certificates, keys, CSRs, CMS |
//! | [`transport`] | | HTTP behind a trait |
#![cfg_attr(
    feature = "reqwest",
    doc = "| [`transport_reqwest`] | `reqwest` | that trait on reqwest |"
)]
#![cfg_attr(
    feature = "ade",
    doc = "| [`ade`] | `ade` | Automated Device Enrollment |"
)]
#![cfg_attr(
    feature = "protocol",
    doc = "| [`protocol`] | `protocol` | check-in, commands, responses |"
)]
#![cfg_attr(
    feature = "profiles",
    doc = "| [`profiles`] | `profiles` | configuration profiles |"
)]
#![cfg_attr(
    feature = "scep",
    doc = "| [`scep`] | `scep` | SCEP, client and server |"
)]
#![cfg_attr(feature = "apns", doc = "| [`apns`] | `apns` | MDM push |")]
#![cfg_attr(
    feature = "service",
    doc = "| [`service`] | `service` | the MDM server's logic over store traits |"
)]
#![cfg_attr(
    feature = "sqlite",
    doc = "| [`storage`] | `sqlite` | its stores on SQLite |"
)]
#![cfg_attr(
    all(feature = "apns", feature = "service"),
    doc = "| [`push`] | `apns` + `service` | the service's pushes over APNs |"
)]
//!
//! ```
//! use mdm_sdk::{plist, protocol::command::{Command, DeviceInformation}};
//!
//! let queries = DeviceInformation::new(["SerialNumber".into(), "OSVersion".into()]);
//! let command = Command::new("0001", &queries)?;
//! assert_eq!(plist::detect(&command.to_xml()?), Some(plist::Format::Xml));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub use mdm_core as core;
pub use mdm_pki as pki;
pub use mdm_plist as plist;
pub use mdm_transport as transport;

#[cfg(feature = "ade")]
pub use ade_client as ade;
#[cfg(feature = "apns")]
pub use mdm_apns as apns;
#[cfg(feature = "profiles")]
pub use mdm_profiles as profiles;
#[cfg(feature = "protocol")]
pub use mdm_protocol as protocol;
#[cfg(feature = "scep")]
pub use mdm_scep as scep;
#[cfg(feature = "service")]
pub use mdm_service as service;
#[cfg(feature = "sqlite")]
pub use mdm_storage as storage;
#[cfg(feature = "apns")]
pub use mdm_tls as tls;
#[cfg(feature = "reqwest")]
pub use mdm_transport_reqwest as transport_reqwest;

#[cfg(all(feature = "apns", feature = "service"))]
pub mod push;
