//! The documents of declarative management: envelopes that keep their payload as it is, and under
//! feature `ddm` the type of every payload, credential and status item.
//!
//! Source: Apple, *Device Management*, "Declarative management"; the schema's `declarative`.

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
