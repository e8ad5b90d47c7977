//! The documents of Apple's MDM protocol: check-in, commands, reports, declarations, enrolment.
//!
//! Documents only: nothing here opens a socket, keeps state or asks for the time.
//!
//! | Module | What lives there |
//! |---|---|
//! | [`checkin`] | [`CheckIn`]: the nine messages to `CheckInURL`, and what some are answered with |
//! | [`command`] | [`Command`]: the envelope of every command; the type of each, such as `EraseDevice` |
//! | [`response`] | [`Envelope`](response::Envelope): every report, read wherever it can be; the type of each result |
//! | [`id`] | [`EnrollmentId`]: who is speaking, on every channel |
//! | [`ddm`] | Declarative management: its envelopes; the type of each declaration, credential and status item |
//! | [`enroll`] | [`MachineInfo`](enroll::MachineInfo), and its signature under `crypto`; the errors that stop an enrolment; service discovery and the challenge to sign in |
//! | [`document`] | Documents that others refer to: app manifests, password hashes |
//! | `signature` | The `Mdm-Signature` header, under `crypto` |
//!
//! The types of commands and results are feature `commands`, those of declarations and status items
//! feature `ddm`; without them the envelopes carry the keys, and are checked all the same. Both are on
//! by default. `crypto`, the only part that links OpenSSL, is off unless you ask for it.
//!
//! # From a need to a command
//! Commands, results, declarations and status items are generated from Apple's schema, one module
//! each, named after Apple's own name for it. Each says which systems take it, from which version on
//! and on what terms, and so does each of its keys. Who wants to erase an iPad looks for "erase" in
//! [`command`] and finds `EraseDevice`:
//! ```
//! use mdm_protocol::{
//!     Command,
//!     command::{EraseDevice, erase_device::ReturnToService},
//! };
//! use mdm_schema::Target;
//!
//! let request = EraseDevice::new().with(|erase| {
//!     erase.preserve_data_plan = Some(true);
//!     erase.return_to_service = Some(ReturnToService::new(true));
//! });
//! let command = Command::new("C-1", &request);
//! let ipad: Target = "ipados:18.2,supervised".parse()?;
//! assert_eq!(command.validate(Some(&ipad)), []);
//!
//! let old: Target = "ipados:16.7,supervised".parse()?;
//! let findings = command.validate(Some(&old));
//! assert_eq!(findings[0].to_string(), "error: Command.ReturnToService: needs iOS 17.0 (not-available)");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//! Every document also has a dynamic form, for what is not known until it is there:
//! `command::AnyCommand`, `response::AnyResponse`, `ddm::AnyDeclaration` and the like. What this
//! version does not know is kept whole, in types and beside them.
//!
//! # From a check-in to a result
//! A device enrols, is asked about itself, and answers:
//! ```
//! use mdm_protocol::{
//!     CheckIn, Command,
//!     command::{DeviceInformation, Query},
//!     id::{Channel, HasIds},
//!     response::{DeviceInformationResponse, Envelope, Status},
//! };
//!
//! let checkin = CheckIn::decode(br#"<plist version="1.0"><dict>
//!     <key>MessageType</key><string>TokenUpdate</string>
//!     <key>PushMagic</key><string>A1B2</string>
//!     <key>Token</key><data>AAECAw==</data>
//!     <key>Topic</key><string>com.apple.mgmt.External.example</string>
//!     <key>UDID</key><string>00008101-001938611EE9001E</string>
//! </dict></plist>"#)?;
//! let CheckIn::TokenUpdate(update) = &checkin else { panic!("not a TokenUpdate") };
//! assert_eq!(checkin.enrollment_id()?.channel(), Channel::Device);
//! assert_eq!(update.token.expose(), [0, 1, 2, 3]);
//!
//! let command = Command::new("C-1", &DeviceInformation::new([Query::OsVersion]));
//! assert_eq!(command.request_type(), "DeviceInformation");
//! let _to_the_device: Vec<u8> = command.to_xml()?;
//!
//! let report = Envelope::decode(br#"<plist version="1.0"><dict>
//!     <key>CommandUUID</key><string>C-1</string>
//!     <key>Status</key><string>Acknowledged</string>
//!     <key>UDID</key><string>00008101-001938611EE9001E</string>
//!     <key>QueryResponses</key><dict><key>OSVersion</key><string>18.2</string></dict>
//! </dict></plist>"#)?;
//! assert_eq!((report.status.clone(), report.command_uuid.as_deref()), (Status::Acknowledged, Some("C-1")));
//! let body: DeviceInformationResponse = report.body()?;
//! let answers = body.query_responses.unwrap_or_default();
//! assert_eq!(answers.os_version.as_deref(), Some("18.2"));
//! # Ok::<(), mdm_protocol::Error>(())
//! ```

#![cfg_attr(docsrs, feature(doc_cfg))] // docs.rs tells which feature an item needs.

mod auth_param;
mod base64;
pub mod checkin;
pub mod command;
pub mod ddm;
pub mod document;
pub mod enroll;
pub mod error;
mod findings;
pub mod id;
mod lenient;
pub mod response;
mod secret;
#[cfg(feature = "crypto")]
pub mod signature;

pub use checkin::CheckIn;
pub use command::Command;
pub use error::Error;
pub use id::EnrollmentId;
