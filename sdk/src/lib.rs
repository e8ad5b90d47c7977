//! The Apple MDM crates behind one name, and the joints between them.
//!
//! Each crate of the family stands alone; take this one when you want several. `core`, `plist`, `pki`
//! and `transport` are always there, every other part is a feature. On by default: `ade`, `apns`,
//! `commands`, `ddm`, `payloads`, `profiles`, `protocol`, `scep`, `service` and `tokio`
//! (`core::SystemClock`); `full` adds `transport-reqwest` and `sqlite`. `vendored` builds OpenSSL from
//! source.
//!
//! | Module | Feature | What it is |
//! |---|---|---|
//! | [`core`] | | identifiers, secrets, the clock |
//! | [`plist`] | | bounded property lists for serde |
//! | [`pki`] | | certificates, keys, CSRs, CMS |
//! | [`transport`] | | HTTP behind a trait |
//! | `transport_reqwest` | `transport-reqwest` | that trait on reqwest |
//! | `ade` | `ade` | Automated Device Enrollment |
//! | `protocol` | `protocol` | check-in, commands, responses, declarations |
//! | `protocol::command`, `protocol::response` | `commands` | the type of every command and response |
//! | `protocol::ddm` | `ddm` | the type of every declaration and status item |
//! | `profiles` | `profiles` | configuration profiles |
//! | `profiles::payload` | `payloads` | the type of every payload; `payloads-network` and others for one area |
//! | `schema` | `profiles` or `protocol` | Apple's vocabulary as tables, targets, findings |
//! | `scep` | `scep` | SCEP, client and server |
//! | `apns`, `tls` | `apns` | MDM push, and whom its connections trust |
//! | `service` | `service` | the MDM server's logic over store traits |
//! | `storage` | `sqlite` | its stores on SQLite |
//! | `push` | `apns` and `service` | the service's pushes over APNs |
//!
//! The joint so far is `push::ApnsPusher`:
//!
//! ```no_run
//! use mdm_sdk::{
//!     apns::{Config, PushCertificate},
//!     core::SystemClock,
//!     pki::{Certificate, Identity},
//!     push::ApnsPusher,
//!     service::{MdmSignature, MemoryStore, Service},
//! };
//!
//! fn service(
//!     push: Identity,              // Apple's push certificate and its key
//!     issuers: Vec<Certificate>,   // who issues device identities
//! ) -> Result<Service, Box<dyn std::error::Error>> {
//!     let certificate = PushCertificate::new(push)?;
//!     let (pusher, connections) = ApnsPusher::new(&Config::production(), [certificate])?;
//!     tokio::spawn(connections.run());
//!     let identity = MdmSignature::new(issuers)?;
//!     Ok(Service::builder(MemoryStore::new(), SystemClock, identity).pusher(pusher).build())
//! }
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
#[cfg(any(feature = "profiles", feature = "protocol"))]
pub use mdm_schema as schema;
#[cfg(feature = "service")]
pub use mdm_service as service;
#[cfg(feature = "sqlite")]
pub use mdm_storage as storage;
#[cfg(feature = "apns")]
pub use mdm_tls as tls;
#[cfg(feature = "transport-reqwest")]
pub use mdm_transport_reqwest as transport_reqwest;

#[cfg(all(feature = "apns", feature = "service"))]
pub mod push;
