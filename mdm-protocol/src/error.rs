//! What can go wrong when a document is read.

use std::fmt;

use mdm_plist::Dictionary;

use crate::id::{HasIds, IdError, Ids};

/// Why a document could not be read, or not be written.
///
/// Neither form of printing repeats the document: it may hold secrets.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No property list, one over the limits, or one whose keys have the wrong types.
    #[error("the property list cannot be read")]
    Plist(#[from] mdm_plist::Error),

    /// No JSON, or JSON whose keys have the wrong types.
    #[error("the JSON cannot be read")]
    Json(#[from] serde_json::Error),

    /// A check-in message of a kind that this version does not know (Q13), kept whole.
    #[error("the check-in message is of an unknown type: {0}")]
    UnknownMessageType(Box<UnknownMessage>),

    /// The message does not say who sends it.
    #[error(transparent)]
    Id(#[from] IdError),

    /// A key without which the document has no meaning.
    #[error("{0} is missing")]
    Missing(&'static str),

    /// A value that is not what its key stands for.
    #[error("{key} is {problem}")]
    Invalid {
        /// The key.
        key: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },

    /// A document that does not fit its type; what is wrong with it is listed inside.
    #[error("the document does not fit its type")]
    Decode(#[from] mdm_schema::DecodeError),

    /// Another document than asked for: a command, a response, a declaration.
    #[error("this is {found:.64}, not {wanted}")]
    OtherType {
        /// The type that was asked for.
        wanted: &'static str,
        /// The type that the document names.
        found: String,
    },

    /// Longer than the limit.
    #[error("{what} has {bytes} bytes, over the limit of {limit}")]
    TooLarge {
        /// What is too long.
        what: &'static str,
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },

    /// No base64, in the standard or the URL alphabet.
    #[error("{0} is not base64")]
    Base64(&'static str),
}

/// A check-in message of an unknown `MessageType`, with everything it holds.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct UnknownMessage {
    /// `MessageType` as sent.
    pub message_type: String,
    /// The whole message, `MessageType` included. It may hold secrets.
    pub body: Dictionary,
}

impl UnknownMessage {
    pub(crate) fn new(message_type: String, body: Dictionary) -> Self {
        Self { message_type, body }
    }
}

impl fmt::Debug for UnknownMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnknownMessage")
            .field("message_type", &self.message_type)
            .field("keys", &self.body.keys().collect::<Vec<_>>())
            .finish()
    }
}

impl fmt::Display for UnknownMessage {
    /// The type's first 64 characters, control characters escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.message_type.chars();
        for c in shown.by_ref().take(64) {
            write!(f, "{}", c.escape_debug())?;
        }
        f.write_str(if shown.next().is_some() { "..." } else { "" })
    }
}

impl HasIds for UnknownMessage {
    fn ids(&self) -> Ids<'_> {
        let text = |key| self.body.get(key).and_then(mdm_plist::Value::as_string);
        Ids {
            udid: text("UDID"),
            user_id: text("UserID"),
            user_short_name: text("UserShortName"),
            enrollment_id: text("EnrollmentID"),
            enrollment_user_id: text("EnrollmentUserID"),
        }
    }
}
