//! Names in a store: random, of 128 bits, so that nobody finds what is not theirs.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use mdm_pki::random;
use serde::{Deserialize, Serialize};

/// A text that is no such name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not 32 lower-case hexadecimal digits")]
pub struct InvalidName;

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name([u8; 16]);

        impl $name {
            /// A new one.
            ///
            /// # Errors
            /// Without randomness.
            pub fn random() -> Result<Self, mdm_pki::Error> {
                random().map(Self)
            }

            /// One read back from a store.
            pub fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// Its bytes, for a store to write.
            pub fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, InvalidName> {
                let mut bytes = [0; 16];
                hex::decode_to_slice(text, &mut bytes).map_err(|_| InvalidName)?;
                // One resource has one URL.
                let canonical = !text.bytes().any(|byte| byte.is_ascii_uppercase());
                canonical.then_some(Self(bytes)).ok_or(InvalidName)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;

            fn try_from(text: String) -> Result<Self, InvalidName> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.to_string()
            }
        }
    )+};
}

names! {
    /// An account's name, the last part of its URL.
    AccountId;
    /// An order's name, the last part of its URL.
    OrderId;
}

/// What is random in a nonce: the name under which it is remembered once it is spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NonceId([u8; 16]);

impl NonceId {
    /// The name of a nonce of these random bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its bytes, for a store to write.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// A challenge's token (RFC 8555 section 8.1): 160 random bits in base64url. Never printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Token(String);

impl Token {
    /// A new one.
    ///
    /// # Errors
    /// Without randomness.
    pub fn random() -> Result<Self, mdm_pki::Error> {
        Ok(Self(URL_SAFE_NO_PAD.encode(random::<20>()?)))
    }

    /// Its text, for the client that it is meant for.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_one_form() {
        let id = OrderId::from_bytes([0xab; 16]);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(serde_json::to_string(&id).unwrap(), format!("\"{id}\""));
        for broken in [
            "",
            "ab",
            &"AB".repeat(16),
            &"ab".repeat(17),
            &"zz".repeat(16),
        ] {
            assert_eq!(broken.parse::<OrderId>(), Err(InvalidName), "{broken}");
        }
    }

    #[test]
    fn tokens_have_more_than_128_bits_and_are_not_printed() {
        let (one, other) = (Token::random().unwrap(), Token::random().unwrap());
        assert_ne!(one, other);
        assert_eq!(one.as_str().len(), 27);
        assert_eq!(format!("{one:?}"), "Token(..)");
    }
}
