//! Signed requests: JWS in flattened JSON (RFC 7515 section 7.2.2) as RFC 8555 section 6.2 wants it, and no other kind.

mod build;
mod eab;
mod read;

use mdm_pki::{Curve, KeyAlgorithm, PublicKey, SignatureAlgorithm};
use serde::{Deserialize, Serialize, de::IgnoredAny};

pub(super) use self::read::is_nonce;
pub use self::{
    build::UnsignedJws,
    eab::{ExternalAccountBinding, ExternalAccountKey},
    read::{Jws, VerifiedJws},
};
use super::{
    json::{self, Object, present},
    jwk::{Jwk, JwkError},
    problem::{ErrorType, Problem},
};

/// What a request may be signed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256, which every server takes.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// ECDSA on P-521 with SHA-512.
    Es512,
    /// Ed25519 (RFC 8037 section 3.1), which every server should take.
    EdDsa,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
}

impl Algorithm {
    /// Every algorithm, the preferred one first: the `algorithms` of a
    /// [`badSignatureAlgorithm`](ErrorType::BadSignatureAlgorithm).
    pub const ALL: [Self; 5] = [
        Self::Es256,
        Self::EdDsa,
        Self::Es384,
        Self::Es512,
        Self::Rs256,
    ];

    /// The algorithm's name in a header (RFC 7518 section 3.1, RFC 8037 section 3.1).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
            Self::EdDsa => "EdDSA",
            Self::Rs256 => "RS256",
        }
    }

    /// The algorithm of this name. `none`, MACs and everything else have no place in a request.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == name)
    }

    /// The one algorithm that a key signs with.
    pub fn for_key(key: &PublicKey) -> Option<Self> {
        match key.algorithm() {
            KeyAlgorithm::Rsa { .. } => Some(Self::Rs256),
            KeyAlgorithm::Ec(Curve::P256) => Some(Self::Es256),
            KeyAlgorithm::Ec(Curve::P384) => Some(Self::Es384),
            KeyAlgorithm::Ec(Curve::P521) => Some(Self::Es512),
            KeyAlgorithm::Ed25519 => Some(Self::EdDsa),
            _ => None,
        }
    }

    fn curve(self) -> Option<Curve> {
        match self {
            Self::Es256 => Some(Curve::P256),
            Self::Es384 => Some(Curve::P384),
            Self::Es512 => Some(Curve::P521),
            Self::EdDsa | Self::Rs256 => None,
        }
    }

    fn signature(self) -> SignatureAlgorithm {
        match self {
            Self::Es256 => SignatureAlgorithm::EcdsaSha256,
            Self::Es384 => SignatureAlgorithm::EcdsaSha384,
            Self::Es512 => SignatureAlgorithm::EcdsaSha512,
            Self::EdDsa => SignatureAlgorithm::Ed25519,
            Self::Rs256 => SignatureAlgorithm::RsaPkcs1Sha256,
        }
    }
}

/// Who signs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyRef {
    /// Whoever holds this key: for a new account, and for a revocation with the certificate's own key.
    Jwk(Jwk),
    /// The account of this URL.
    Kid(String),
}

/// The protected header.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Header {
    /// How it is signed.
    pub algorithm: Algorithm,
    /// Who signs.
    pub key: KeyRef,
    /// The anti-replay nonce; none in a JWS inside of another.
    pub nonce: Option<String>,
    /// Where the request goes.
    pub url: String,
}

impl Header {
    /// A header without a nonce.
    pub fn new(algorithm: Algorithm, key: KeyRef, url: impl Into<String>) -> Self {
        Self {
            algorithm,
            key,
            nonce: None,
            url: url.into(),
        }
    }

    /// The header with changes.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

/// A JWS as it travels: three texts in base64url, nothing of them looked at.
///
/// Read from JSON, an unprotected `header` and the `signatures` of the general form are refused; other members that are
/// not known are passed over (RFC 7515 section 7.2.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Object<Members>")]
#[non_exhaustive]
pub struct FlattenedJws {
    /// The protected header.
    pub protected: String,
    /// What is signed; empty for POST-as-GET.
    pub payload: String,
    /// The signature or MAC.
    pub signature: String,
}

impl FlattenedJws {
    /// Reads a JWS of at most [`JwsLimits::bytes`].
    ///
    /// # Errors
    /// [`JwsError::TooLarge`], [`JwsError::Malformed`].
    pub fn from_json(json: &[u8], limits: &JwsLimits) -> Result<Self, JwsError> {
        JwsError::within("request", json.len(), limits.bytes)?;
        json::read(json).map_err(|_| JwsError::Malformed("it is no flattened JWS"))
    }

    /// The JWS as JSON.
    pub fn to_json(&self) -> Vec<u8> {
        // Three texts cannot fail to be written.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

#[derive(Deserialize)]
struct Members {
    protected: String,
    payload: String,
    signature: String,
    #[serde(default, deserialize_with = "present")]
    header: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "present")]
    signatures: Option<IgnoredAny>,
}

impl TryFrom<Object<Members>> for FlattenedJws {
    type Error = &'static str;

    fn try_from(Object(members): Object<Members>) -> Result<Self, Self::Error> {
        if members.header.is_some() || members.signatures.is_some() {
            return Err("an unprotected header or several signatures");
        }
        Ok(Self {
            protected: members.protected,
            payload: members.payload,
            signature: members.signature,
        })
    }
}

/// How much of a JWS is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct JwsLimits {
    /// The longest JWS, in bytes of JSON: 128 KiB unless changed, room for an attestation of 64 KiB.
    pub bytes: usize,
    /// The longest protected header, in bytes of base64url: 8 KiB unless changed.
    pub header: usize,
    /// The longest nonce, URL and key identifier, in bytes: 1 KiB unless changed.
    pub text: usize,
}

impl JwsLimits {
    /// The limits with changes.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

impl Default for JwsLimits {
    fn default() -> Self {
        Self {
            bytes: 128 << 10,
            header: 8 << 10,
            text: 1 << 10,
        }
    }
}

/// Why something is no JWS to be believed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum JwsError {
    /// Over a limit.
    #[error("the {what} is longer than {limit} bytes")]
    TooLarge {
        /// Of what.
        what: &'static str,
        /// The limit in bytes.
        limit: usize,
    },
    /// Not of the form that RFC 8555 section 6.2 prescribes.
    #[error("the request is malformed: {0}")]
    Malformed(&'static str),
    /// Signed with an algorithm that is not taken, or that is not the key's.
    #[error("the signature algorithm is not taken")]
    Algorithm,
    /// Signed with a key that is not taken.
    #[error(transparent)]
    Key(#[from] JwkError),
    /// The signature or MAC does not hold.
    #[error("the signature does not hold")]
    Signature,
    /// Key and header do not fit together.
    #[error("{0}")]
    Configuration(&'static str),
    /// The key that is to sign failed.
    #[error(transparent)]
    Signing(#[from] mdm_pki::KeyError),
    /// OpenSSL failed.
    #[error(transparent)]
    Pki(#[from] mdm_pki::Error),
}

impl JwsError {
    fn within(what: &'static str, length: usize, limit: usize) -> Result<(), Self> {
        if length > limit {
            return Err(Self::TooLarge { what, limit });
        }
        Ok(())
    }

    /// What a server says to it.
    pub fn problem(&self) -> Problem {
        let kind = match self {
            Self::TooLarge { .. } | Self::Malformed(_) | Self::Signature => ErrorType::Malformed,
            Self::Algorithm => ErrorType::BadSignatureAlgorithm,
            Self::Key(JwkError::Unsupported) => ErrorType::BadPublicKey,
            Self::Key(_) => ErrorType::Malformed,
            Self::Configuration(_) | Self::Signing(_) | Self::Pki(_) => ErrorType::ServerInternal,
        };
        let detail = match kind {
            ErrorType::ServerInternal => "the server failed".to_owned(),
            _ => self.to_string(),
        };
        Problem::new(kind, detail).with(|problem| {
            if matches!(self, Self::Algorithm) {
                let names = Algorithm::ALL.iter().map(|it| it.as_str().to_owned());
                problem.algorithms = names.collect();
            }
        })
    }
}

#[cfg(test)]
mod tests;
