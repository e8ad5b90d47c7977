//! Names of devices and topics: text that identifies, is bounded, and may be logged.

use std::{error, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The longest identifier taken, in bytes. Apple's own stay below 64.
pub const MAX_ID_BYTES: usize = 256;

/// A text that cannot be an identifier: empty, over [`MAX_ID_BYTES`], or with a control character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct InvalidId {
    /// Which identifier was asked for.
    pub kind: &'static str,
}

impl fmt::Display for InvalidId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "not a valid {}: it must hold 1 to {MAX_ID_BYTES} bytes and no control character",
            self.kind
        )
    }
}

impl error::Error for InvalidId {}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Takes the text if it can be such an identifier.
            ///
            /// # Errors
            /// [`InvalidId`] for an empty or overlong text, or one with a control character.
            pub fn new(text: impl Into<String>) -> Result<Self, InvalidId> {
                let text = text.into();
                let fits = !text.is_empty()
                    && text.len() <= MAX_ID_BYTES
                    && !text.chars().any(char::is_control);
                if fits { Ok(Self(text)) } else { Err(InvalidId { kind: $kind }) }
            }

            /// The identifier's text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }
    };
}

id! {
    /// A device's serial number, the key of Apple's device-assignment service.
    SerialNumber, "serial number"
}

id! {
    /// A device's UDID: a UUID on the Mac, 40 hex digits on older iOS, `00008101-001938611EE9001E`
    /// on newer (Q8).
    Udid, "UDID"
}

id! {
    /// The push topic: the user ID (OID 0.9.2342.19200300.100.1.1) in the push certificate's subject.
    Topic, "push topic"
}

impl Topic {
    /// Whether this is a topic for MDM, which all begin with `com.apple.mgmt`.
    pub fn is_mdm(&self) -> bool {
        self.0.starts_with("com.apple.mgmt")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_udid_is_taken() {
        for text in [
            "564D9F4B-6B16-4CFB-9B1E-7F0B5A3C2D1E",
            "00008101-001938611EE9001E",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        ] {
            assert_eq!(text.parse::<Udid>().unwrap().as_str(), text);
        }
    }

    #[test]
    fn what_cannot_be_an_identifier_is_refused_without_repeating_it() {
        for text in ["", "a\0b", "a\nb", &"x".repeat(MAX_ID_BYTES + 1)] {
            let error = SerialNumber::new(text).unwrap_err();
            assert_eq!(error.kind, "serial number");
        }
        assert!(serde_json::from_str::<SerialNumber>(r#""""#).is_err());
    }
}
