//! What can go wrong outside verification, whose findings are [`crate::cms::VerifyError`].

use std::fmt;

use openssl::error::ErrorStack;

use crate::{cms::BerError, signer::KeyError};

/// Why something could not be read, built, signed or opened.
///
/// No variant ever holds secret material.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes are not what they were taken for.
    #[error("not a readable {what}: {detail}")]
    Malformed {
        /// What was expected.
        what: &'static str,
        /// Where reading ended.
        detail: String,
    },
    /// The encoding is broken or over a limit of [`crate::cms::Limits`].
    #[error(transparent)]
    Ber(#[from] BerError),
    /// More of something than [`crate::cms::Limits`] allow.
    #[error("more than {limit} {what}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// An algorithm, key type or form that this crate does not speak.
    #[error("{what} is not supported: {detail}")]
    Unsupported {
        /// The kind of thing.
        what: &'static str,
        /// Which one.
        detail: String,
    },
    /// A cipher that the caller's [`crate::cms::DecryptPolicy`] does not allow.
    #[error("the policy does not allow {0}")]
    NotAllowed(&'static str),
    /// OpenSSL's legacy provider is needed and cannot be loaded here.
    #[error("{0} needs OpenSSL's legacy provider, which is not available here")]
    LegacyProviderMissing(&'static str),
    /// A builder was finished without a part it needs.
    #[error("{0} is missing")]
    Incomplete(&'static str),
    /// A password is needed, or the given one is wrong.
    #[error("the password is missing or wrong")]
    Password,
    /// The private key does not belong to the certificate.
    #[error("the private key does not belong to the certificate")]
    KeyMismatch,
    /// The envelope is not addressed to this key.
    #[error("the envelope has no recipient that matches")]
    NoRecipient,
    /// The content did not decrypt. Nothing more is said, since more would help an attacker.
    #[error("the content does not decrypt with this key")]
    Decrypt,
    /// A signature does not match.
    #[error("the signature does not match")]
    BadSignature,
    /// A key behind [`crate::Signer`] or [`crate::Decrypter`] failed.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// OpenSSL failed for a reason of its own, such as a lack of memory or randomness.
    #[error("OpenSSL: {0}")]
    Crypto(String),
}

impl Error {
    pub(crate) fn malformed(what: &'static str, detail: impl fmt::Display) -> Self {
        Self::Malformed {
            what,
            detail: detail.to_string(),
        }
    }

    pub(crate) fn unsupported(what: &'static str, detail: impl fmt::Display) -> Self {
        Self::Unsupported {
            what,
            detail: detail.to_string(),
        }
    }

    /// Not a `From`: that would put OpenSSL into the public API.
    pub(crate) fn openssl(stack: ErrorStack) -> Self {
        let reason = stack
            .errors()
            .last()
            .and_then(|error| error.reason())
            .unwrap_or("no reason given");
        Self::Crypto(reason.to_owned())
    }
}

/// Keeps a call of OpenSSL as short as a `From` for its error would.
pub(crate) trait Crypto<T> {
    /// The value, or OpenSSL's reason as [`Error::Crypto`].
    fn crypto(self) -> Result<T, Error>;
}

impl<T> Crypto<T> for Result<T, ErrorStack> {
    fn crypto(self) -> Result<T, Error> {
        self.map_err(Error::openssl)
    }
}
