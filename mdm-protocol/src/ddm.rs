//! Declarative management: its documents, and the type of every declaration, credential and status item.
//!
//! Source: Apple, *Device Management*, "Declarative management"; the schema's `declarative`.
//!
//! The envelopes, such as [`Declaration`] and [`StatusReport`], keep what they carry as it is. What they
//! carry has types under feature `ddm`: declarations in `configuration`, `asset`, `management` and
//! `activation`, the documents that assets point to in `credential`, reports' items in `status_item`.
//! Each type is named after Apple's name for it, and its page says where and on what terms it works.
//!
//! # To a declaration, and from one
//! ```
//! use mdm_protocol::ddm::{
//!     Declaration, activation::ActivationSimple, configuration::SoftwareUpdateEnforcementSpecific,
//! };
//!
//! let update = SoftwareUpdateEnforcementSpecific::new("18.3", "2026-03-31T18:00:00");
//! let mut update = Declaration::of("update-18.3", &update)?;
//! assert_eq!(update.declaration_type, "com.apple.configuration.softwareupdate.enforcement.specific");
//! update.server_token = Some("1".into());
//! assert_eq!(update.validate(Some(&"ipados:18.2,supervised".parse()?)), []);
//!
//! // A configuration takes effect where an activation names it.
//! let activation = Declaration::of("activate", &ActivationSimple::new(["update-18.3".to_owned()]))?;
//!
//! let again: SoftwareUpdateEnforcementSpecific = update.payload_as()?;
//! assert_eq!(again.target_os_version, "18.3");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Out of a status report
//! ```
//! use mdm_protocol::ddm::{
//!     self, StatusReport,
//!     status_item::{DeviceIdentifierSerialNumber, SoftwareUpdateInstallState},
//! };
//!
//! let report: StatusReport = ddm::decode(br#"{"StatusItems": {
//!     "device": {"identifier": {"serial-number": "C02AAAAAAAAA"}},
//!     "softwareupdate": {"install-state": "downloading"}}}"#)?;
//!
//! let serial: Option<DeviceIdentifierSerialNumber> = report.read();
//! assert_eq!(serial.map(|serial| serial.0).as_deref(), Some("C02AAAAAAAAA"));
//! assert_eq!(report.read(), Some(SoftwareUpdateInstallState::Downloading));
//! assert_eq!(report.items().len(), 2); // every item, each as an `AnyStatusItem`
//! # Ok::<(), mdm_protocol::Error>(())
//! ```

mod declaration;
mod endpoint;
#[cfg(feature = "ddm")]
mod generated;
mod items;
pub mod json;
mod status;
mod tokens;

use serde::de::DeserializeOwned;

#[cfg(feature = "ddm")]
pub use self::generated::*;
pub use self::{
    declaration::Declaration,
    endpoint::{DeclarationKind, Endpoint, MAX_IDENTIFIER_BYTES},
    items::{DeclarationItem, DeclarationItemsResponse, Declarations},
    status::{StatusError, StatusReason, StatusReport},
    tokens::{SyncTokens, TokensResponse},
};
use crate::error::Error;

/// The longest JSON document that is read, in bytes, where the caller names no other limit.
pub const MAX_JSON_BYTES: usize = 16 * 1024 * 1024;

/// The longest `ServerToken`, in bytes.
pub const MAX_SERVER_TOKEN_BYTES: usize = 64;

/// The longest `DeclarationsToken`, in bytes.
pub const MAX_DECLARATIONS_TOKEN_BYTES: usize = 256;

/// Decodes one of the documents of this module from JSON of at most [`MAX_JSON_BYTES`].
///
/// Nesting is bounded at 128 levels.
///
/// # Errors
/// [`Error::TooLarge`] over the limit; [`Error::Json`] for what is no JSON or another document.
///
/// ```
/// use mdm_protocol::ddm::{self, Declaration};
///
/// let json = br#"{"Type": "com.apple.management.properties", "Identifier": "P",
///                 "ServerToken": "1", "Payload": {"grade": 4}}"#;
/// let declaration: Declaration = ddm::decode(json)?;
/// assert_eq!(declaration.payload["grade"], 4);
/// # Ok::<(), mdm_protocol::Error>(())
/// ```
pub fn decode<T: DeserializeOwned>(json: &[u8]) -> Result<T, Error> {
    decode_with(json, MAX_JSON_BYTES)
}

/// Decodes one of the documents of this module, within a limit of the caller's choice in bytes.
///
/// # Errors
/// See [`decode`].
pub fn decode_with<T: DeserializeOwned>(json: &[u8], limit: usize) -> Result<T, Error> {
    if json.len() > limit {
        return Err(Error::TooLarge {
            what: "the JSON document",
            bytes: json.len(),
            limit,
        });
    }
    let json = json.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(json);
    Ok(serde_json::from_slice(json)?)
}
