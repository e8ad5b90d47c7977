//! The documents of Apple's MDM protocol: check-in, commands, reports, declarations, enrolment.
//!
//! Documents only: nothing here opens a socket, keeps state or asks for the time.
//!
//! | Module | What lives there |
//! |---|---|
//! | [`checkin`] | [`CheckIn`]: the nine messages to `CheckInURL`, and what some are answered with |
//! | [`command`] | [`Command`]: the envelope of every command; typed [`Request`](command::Request)s |
//! | [`response`] | [`Envelope`](response::Envelope): every report, read wherever it can be; typed bodies |
//! | [`id`] | [`EnrollmentId`]: who is speaking, on every channel |
//! | [`ddm`] | The documents of declarative management |
//! | [`enroll`] | [`MachineInfo`](enroll::MachineInfo), and its signature under `crypto` |
//! | `signature` | The `Mdm-Signature` header, under `crypto` |
//!
//! Without the default feature `crypto` nothing here links OpenSSL.
//!
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

mod base64;
pub mod checkin;
pub mod command;
pub mod ddm;
pub mod document;
pub mod enroll;
pub mod error;
pub mod id;
pub mod response;
mod secret;
#[cfg(feature = "crypto")]
pub mod signature;

pub use checkin::CheckIn;
pub use command::Command;
pub use error::Error;
pub use id::EnrollmentId;
