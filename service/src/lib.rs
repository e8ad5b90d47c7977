//! The MDM service: check-in and command endpoints over store traits. An HTTP request goes in, an
//! HTTP response comes out; server, database and push belong to whoever embeds it.
//!
//! | Module | What lives there |
//! |---|---|
//! | [`Service`], [`Limits`] | the endpoints, and queueing commands |
//! | [`entry`] | the ways in: [`Portal`](entry::Portal) hands out enrolment profiles |
//! | [`identity`] | who is speaking: [`MdmSignature`], mutual TLS, proxies; which certificate may be pinned |
//! | [`AdmissionPolicy`] | who may enrol, and why not |
//! | [`enrollment`] | what is known of a device or a user, and [`decide`](enrollment::decide): what a message does to it |
//! | [`queue`] | commands, reports and results |
//! | [`store`] | what is asked of a database; [`MemoryStore`] |
//! | `contract` | feature `contract`: what every store must do, as tests |
//! | [`push`] | [`Pusher`]: telling devices to call; [`PushWorker`](push::PushWorker): whom and when |
//! | [`Event`], [`delivery`] | what a vendor hears of, through the store's outbox; webhooks |
//! | [`Sealed`], [`Vault`] | any store, with its secrets sealed; the server's own |
//! | [`UserPolicy`], [`TokenSource`], [`ReturnToServiceSource`], [`DeclarativeSource`], [`CheckInExtension`] | answers to messages that the vendor brings along |
//! | [`Service::import`], [`Service::export`] | enrolments from and to another server |
//!
//! A device enrols, gets a command and answers it:
//!
//! ```
//! use bytes::Bytes;
//! use chrono::{TimeDelta, Utc};
//! use http::{Request, StatusCode};
//! use mdm_core::ManualClock;
//! use mdm_pki::{
//!     CertificateBuilder, DigestAlgorithm, KeySpec, Name, PrivateKey, cms::SignedDataBuilder,
//! };
//! use mdm_protocol::{
//!     Command, EnrollmentId,
//!     command::{DeviceInformation, Query},
//!     signature::encode_header,
//! };
//! use mdm_service::{MdmSignature, MemoryStore, Service, queue::CommandState};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Whoever issues the devices' identities.
//! let now = Utc::now();
//! let ca_key = PrivateKey::generate(KeySpec::P256)?;
//! let ca = CertificateBuilder::new(Name::from_common_name("Device CA"), ca_key.public_key())
//!     .validity(now, now + TimeDelta::days(365))
//!     .ca(Some(0))
//!     .self_signed(&ca_key)?;
//!
//! let identity = MdmSignature::new(vec![ca.clone()])?;
//! let service = Service::builder(MemoryStore::new(), ManualClock::new(now), identity).build();
//!
//! // A device with its identity, which signs what it sends.
//! let key = PrivateKey::generate(KeySpec::P256)?;
//! let certificate = CertificateBuilder::new(Name::from_common_name("a Mac"), key.public_key())
//!     .validity(now, now + TimeDelta::days(30))
//!     .sign(&ca, &ca_key)?;
//! let send = async |content_type: &str, keys: &str| {
//!     let body = format!(
//!         "<plist version=\"1.0\"><dict><key>UDID</key><string>MAC-1</string>{keys}</dict></plist>"
//!     );
//!     let signature = SignedDataBuilder::new(body.as_bytes())
//!         .detached()
//!         .signer(&certificate, DigestAlgorithm::Sha256)
//!         .sign(&key)
//!         .expect("the key belongs to the certificate");
//!     let request = Request::put("/mdm")
//!         .header("Content-Type", content_type)
//!         .header("Mdm-Signature", encode_header(&signature))
//!         .body(Bytes::from(body))
//!         .expect("the headers are well-formed");
//!     service.handle(request).await
//! };
//! let check_in = "application/x-apple-aspen-mdm-checkin";
//! let topic = "<key>Topic</key><string>com.apple.mgmt.External.acme</string>";
//! let authenticate = format!("<key>MessageType</key><string>Authenticate</string>{topic}");
//! assert_eq!(send(check_in, &authenticate).await.status(), StatusCode::OK);
//! let token_update = format!(
//!     "<key>MessageType</key><string>TokenUpdate</string>{topic}
//!      <key>Token</key><data>AAECAw==</data><key>PushMagic</key><string>magic</string>"
//! );
//! assert_eq!(send(check_in, &token_update).await.status(), StatusCode::OK);
//!
//! // A command waits; the device asks, gets it, and answers.
//! let id = EnrollmentId::device("MAC-1")?;
//! let command = Command::new("C-1", &DeviceInformation::new([Query::OsVersion]));
//! service.enqueue(&id, &command).await?;
//! let report = "application/x-apple-aspen-mdm";
//! let offered = send(report, "<key>Status</key><string>Idle</string>").await;
//! assert_eq!(Command::decode(offered.body())?, command);
//! let answer = "<key>Status</key><string>Acknowledged</string>
//!      <key>CommandUUID</key><string>C-1</string>
//!      <key>QueryResponses</key><dict><key>OSVersion</key><string>26.1</string></dict>";
//! assert!(send(report, answer).await.body().is_empty());
//!
//! let record = service.command(&id, "C-1").await?.expect("it was queued");
//! assert!(matches!(record.state, CommandState::Settled { .. }));
//! # Ok(())
//! # }
//! ```

mod admission;
mod body;
#[cfg(feature = "contract")]
pub mod contract;
pub mod delivery;
pub mod enrollment;
pub mod entry;
mod event;
mod extension;
pub mod identity;
pub mod push;
pub mod queue;
mod sealed;
mod service;
pub mod store;
mod time;
#[cfg(feature = "tower")]
mod tower;
mod unavailable;
mod vault;

pub use admission::{
    Account, Admission, AdmissionPolicy, AdmitAll, AdmitInvited, Applicant, Denial, DenialReason,
    Grant, Stage, UpdateFirst, Way,
};
pub use body::Body;
pub use enrollment::{
    BootstrapToken, Claim, Enrollment, EnrollmentDecision, EnrollmentKind, EnrollmentReason,
    EnrollmentStatus, EscrowEntry, EscrowKind, Fingerprint, Invitation, PushAddress, Reported,
};
pub use event::{DeadLetter, Event, EventKind, RefusedAt};
pub use extension::{
    Caller, CheckInExtension, DeclarativeAnswer, DeclarativeSource, DigestUsers, EveryUser,
    PasswordDigests, ReturnToServiceSource, TokenSource, UserAnswer, UserPolicy,
};
pub use identity::{IdentityError, IdentitySource, MdmSignature, PinPolicy};
pub use mdm_protocol::EnrollmentId;
pub use push::{PushOutcome, PushSettled, PushTarget, Pusher};
pub use sealed::{Resealed, Sealed};
pub use service::{
    Builder, EnqueueError, EnqueueOptions, Exported, ImportError, Imported, Limits, Service,
    Unsuitable,
};
pub use store::{MemoryStore, Store, StoreError, StoreErrorKind};
pub use unavailable::Unavailable;
pub use vault::Vault;
